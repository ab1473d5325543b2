/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The timeline of a set or a session; see set-timeline.h.
 */

#include "ctl/set-timeline.h"

#include "ctl/format.h"
#include "ctl/table.h"
#include "quiesce/requester.h"

static const Column writer_columns[] = {
        {"WRITER", "name", COLUMN_STRING, 0},
        {"LEVEL", "level", COLUMN_STRING, 0},
        {"STATE", "state", COLUMN_STRING, 0},
        {"FAILURE", "failure", COLUMN_STRING, 0},
        {"UNIT", "unit", COLUMN_STRING, COLUMN_TRUNCATE},
        {"TEXT", "text", COLUMN_STRING, COLUMN_TRUNCATE},
};

/* COLUMN_NUMBER: to the right, though it is text. */
static const Column span_columns[] = {
        {"START", "start", COLUMN_NUMBER, 0},     {"TOOK", "took", COLUMN_NUMBER, 0},
        {"LIMIT", "limit", COLUMN_NUMBER, 0},     {"USED", "used", COLUMN_NUMBER, 0},
        {"WHO", "who", COLUMN_STRING, 0},         {"WHAT", "what", COLUMN_STRING, 0},
        {"OUTCOME", "outcome", COLUMN_STRING, 0},
};

/**
 * set_timeline_read() - ask quiesced for a timeline
 * @timeline:   empty; filled in
 * @bus:        the bus
 * @path:       of the set or session
 * @interface:  of it
 * @ask:        polkit may ask the user for his password
 * @error:      why there is none
 *
 * Return: 0, SET_TIMELINE_E_NONE or a negative errno.
 */
int set_timeline_read(Timeline *timeline, sd_bus *bus, const char *path, const char *interface, bool ask,
                      sd_bus_error *error) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, QUIESCE_BUS_NAME, path, interface, "GetTimeline");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, ask);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r < 0)
                return error_trace(r);
        /* It may wait for polkit, and for the end of somebody's freeze window. */
        r = sd_bus_call(bus, call, UINT64_MAX, error, &reply);
        if (r < 0)
                return SET_TIMELINE_E_NONE;
        return error_trace(timeline_read(reply, timeline));
}

static int print_writers(const Timeline *timeline, const Options *options) {
        _cleanup_(dict_array_done) DictArray rows = {};
        int r = 0;

        for (size_t i = 0; i < timeline->n_writers && r == 0; i++) {
                const TimelineWriter *writer = &timeline->writers[i];
                _cleanup_(dict_done) Dict row = {};

                r = dict_add_string(&row, "name", writer->name);
                if (r == 0)
                        r = dict_add_string(&row, "level", writer->level);
                if (r == 0)
                        r = dict_add_string(&row, "state",
                                            writer->takes_part ? writer->state : "takes no part");
                if (r == 0)
                        r = dict_add_string(&row, "failure", writer->failure);
                if (r == 0)
                        r = dict_add_string(&row, "unit", writer->unit);
                if (r == 0)
                        r = dict_add_string(&row, "text", writer->text);
                if (r == 0)
                        r = dict_array_add(&rows, &row);
        }
        if (r == 0 && rows.n_dicts > 0 && putchar('\n') < 0)
                r = error_origin(-EIO);
        if (r == 0 && rows.n_dicts > 0)
                r = table_print(writer_columns, ELEMENTSOF(writer_columns), &rows, options);
        return error_trace(r);
}

/* One line of the table to be. */
typedef struct Line {
        const TimelineSpan *span;
        const char *who, *prefix;
        size_t place; /* in which it was found: what begins at once stays in this order */
} Line;

typedef struct Lines {
        Line *items;
        size_t n_items, n_allocated;
} Lines;

static int lines_add(Lines *lines, const TimelineSpans *spans, const char *who, const char *prefix) {
        size_t needed = lines->n_items + spans->n_items;

        if (needed > lines->n_allocated) {
                Line *grown = reallocarray(lines->items, needed * 2, sizeof(*grown));

                if (!grown)
                        return error_origin(-ENOMEM);
                lines->items = grown;
                lines->n_allocated = needed * 2;
        }
        for (size_t i = 0; i < spans->n_items; i++) {
                lines->items[lines->n_items] = (Line){&spans->items[i], who, prefix, lines->n_items};
                lines->n_items++;
        }
        return 0;
}

static int line_compare(const void *a, const void *b) {
        const Line *x = a, *y = b;

        if (x->span->begin_usec != y->span->begin_usec)
                return x->span->begin_usec < y->span->begin_usec ? -1 : 1;
        return x->place < y->place ? -1 : 1;
}

static int lines_fill(Lines *lines, const Timeline *timeline) {
        int r;

        r = lines_add(lines, &timeline->windows, "set", "window: ");
        if (r == 0)
                r = lines_add(lines, &timeline->steps, "set", "step: ");
        for (size_t i = 0; i < timeline->n_writers && r == 0; i++)
                r = lines_add(lines, &timeline->writers[i].events, timeline->writers[i].name, "");
        for (size_t i = 0; i < timeline->n_volumes && r == 0; i++)
                r = lines_add(lines, &timeline->volumes[i].times, timeline->volumes[i].name, "");
        if (r == 0 && lines->n_items > 0)
                qsort(lines->items, lines->n_items, sizeof(*lines->items), line_compare);
        return error_trace(r);
}

/* In seconds to a tenth of a millisecond: sessions last hours, holds milliseconds. */
static char *format_start(char buffer[static FORMAT_MAX], uint64_t usec) {
        (void) snprintf(buffer, FORMAT_MAX, "%.4f s", (double) usec / (double) USEC_PER_SEC);
        return buffer;
}

static int line_to_row(const Line *line, Dict *row) {
        const TimelineSpan *span = line->span;
        char text[FORMAT_MAX], what[TIMELINE_WORD_MAX + 16];
        int r;

        (void) snprintf(what, sizeof(what), "%s%s", line->prefix, span->name);
        r = dict_add_string(row, "start", format_start(text, span->begin_usec));
        if (r == 0)
                r = dict_add_string(row, "took", format_duration(text, span->duration_usec));
        if (r == 0 && span->limit_usec > 0)
                r = dict_add_string(row, "limit", format_duration(text, span->limit_usec));
        if (r == 0 && span->limit_usec > 0)
                r = dict_add_string(row, "used",
                                    format_percent(text, span->duration_usec, span->limit_usec));
        if (r == 0)
                r = dict_add_string(row, "who", line->who);
        if (r == 0)
                r = dict_add_string(row, "what", what);
        return error_trace(r < 0 ? r : dict_add_string(row, "outcome", span->outcome));
}

static int print_lines(const Lines *lines, const Options *options) {
        _cleanup_(dict_array_done) DictArray rows = {};
        int r = 0;

        for (size_t i = 0; i < lines->n_items && r == 0; i++) {
                _cleanup_(dict_done) Dict row = {};

                r = line_to_row(&lines->items[i], &row);
                if (r == 0)
                        r = dict_array_add(&rows, &row);
        }
        if (r == 0 && rows.n_dicts > 0 && putchar('\n') < 0)
                r = error_origin(-EIO);
        if (r == 0 && rows.n_dicts > 0)
                r = table_print(span_columns, ELEMENTSOF(span_columns), &rows, options);
        return error_trace(r);
}

/**
 * set_timeline_print() - print the writers and what happened when, as tables on stdout
 * @timeline:   the timeline
 * @options:    no_legend
 *
 * An empty line comes before each table; one that would be empty is left out.
 *
 * Return: 0 or a negative errno.
 */
int set_timeline_print(const Timeline *timeline, const Options *options) {
        Lines lines = {};
        int r;

        r = print_writers(timeline, options);
        if (r == 0)
                r = lines_fill(&lines, timeline);
        if (r == 0)
                r = print_lines(&lines, options);
        free(lines.items);
        return error_trace(r);
}
