/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Timelines in memory; see timeline.h.
 */

#include "timeline/timeline.h"

#include "util/error.h"
#include "util/utf8.h"

static void writer_done(TimelineWriter *writer) {
        free(writer->name);
        free(writer->level);
        free(writer->unit);
        free(writer->state);
        free(writer->failure);
        free(writer->text);
        free(writer->events.items);
}

static void volume_done(TimelineVolume *volume) {
        free(volume->name);
        free(volume->snapshot);
        free(volume->provider);
        free(volume->times.items);
}

/**
 * timeline_done() - free what is in a timeline
 * @timeline:   it, empty afterwards
 */
void timeline_done(Timeline *timeline) {
        for (size_t i = 0; i < timeline->n_writers; i++)
                writer_done(&timeline->writers[i]);
        for (size_t i = 0; i < timeline->n_volumes; i++)
                volume_done(&timeline->volumes[i]);
        free(timeline->writers);
        free(timeline->volumes);
        free(timeline->windows.items);
        free(timeline->steps.items);
        free(timeline->set);
        free(timeline->session);
        free(timeline->context);
        free(timeline->backup_type);
        free(timeline->consistency);
        free(timeline->outcome);
        *timeline = (Timeline){};
}

/**
 * timeline_set() - set one of a timeline's strings
 * @field:      it, replaced
 * @value:      copied, with '?' for what is no UTF-8; NULL: ""
 *
 * Return: 0, or -ENOMEM.
 */
int timeline_set(char **field, const char *value) {
        char *copy = strdup(value ? value : "");

        if (!copy)
                return error_origin(-ENOMEM);
        if (!utf8_is_valid(copy))
                utf8_clean(copy, strlen(copy));
        free(*field);
        *field = copy;
        return 0;
}

static int set_missing(char **const *fields, size_t n_fields) {
        int r = 0;

        for (size_t i = 0; i < n_fields && r == 0; i++)
                if (!*fields[i])
                        r = timeline_set(fields[i], "");
        return error_trace(r);
}

/**
 * timeline_set_texts() - make "" of the strings that nobody has set
 * @timeline:   it, complete else
 *
 * Return: 0, or -ENOMEM.
 */
int timeline_set_texts(Timeline *timeline) {
        char **const own[] = {&timeline->set,         &timeline->session,     &timeline->context,
                              &timeline->backup_type, &timeline->consistency, &timeline->outcome};
        int r;

        r = set_missing(own, ELEMENTSOF(own));
        for (size_t i = 0; i < timeline->n_writers && r == 0; i++) {
                TimelineWriter *w = &timeline->writers[i];
                char **const fields[] = {&w->name, &w->level, &w->unit, &w->state, &w->failure, &w->text};

                r = set_missing(fields, ELEMENTSOF(fields));
        }
        for (size_t i = 0; i < timeline->n_volumes && r == 0; i++) {
                TimelineVolume *v = &timeline->volumes[i];
                char **const fields[] = {&v->name, &v->snapshot, &v->provider};

                r = set_missing(fields, ELEMENTSOF(fields));
        }
        return error_trace(r);
}

/**
 * timeline_add_writer() - one more writer
 * @timeline:   the timeline
 * @ret:        it, zeroed, the timeline's; until the next one is added
 *
 * Return: 0; -E2BIG; -ENOMEM.
 */
int timeline_add_writer(Timeline *timeline, TimelineWriter **ret) {
        TimelineWriter *grown;

        if (timeline->n_writers >= TIMELINE_WRITERS_MAX)
                return error_origin(-E2BIG);
        grown = reallocarray(timeline->writers, timeline->n_writers + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        timeline->writers = grown;
        *ret = &grown[timeline->n_writers++];
        **ret = (TimelineWriter){};
        return 0;
}

/**
 * timeline_add_volume() - one more volume
 * @timeline:   the timeline
 * @ret:        it, zeroed, the timeline's; until the next one is added
 *
 * Return: 0; -E2BIG; -ENOMEM.
 */
int timeline_add_volume(Timeline *timeline, TimelineVolume **ret) {
        TimelineVolume *grown;

        if (timeline->n_volumes >= TIMELINE_VOLUMES_MAX)
                return error_origin(-E2BIG);
        grown = reallocarray(timeline->volumes, timeline->n_volumes + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        timeline->volumes = grown;
        *ret = &grown[timeline->n_volumes++];
        **ret = (TimelineVolume){};
        return 0;
}

/**
 * timeline_add_span() - one more of a row, after all that did not begin later
 * @spans:      the row
 * @span:       copied; a limit that is none is told as none
 *
 * Return: 0; -E2BIG; -ENOMEM.
 */
int timeline_add_span(TimelineSpans *spans, const TimelineSpan *span) {
        size_t at = spans->n_items;
        TimelineSpan *grown;

        if (spans->n_items >= TIMELINE_SPANS_MAX)
                return error_origin(-E2BIG);
        grown = reallocarray(spans->items, spans->n_items + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        spans->items = grown;
        while (at > 0 && grown[at - 1].begin_usec > span->begin_usec)
                at--;
        memmove(grown + at + 1, grown + at, (spans->n_items - at) * sizeof(*grown));
        grown[at] = *span;
        if (grown[at].limit_usec > INT64_MAX)
                grown[at].limit_usec = 0;
        spans->n_items++;
        return 0;
}

/**
 * timeline_span_end() - when it was over
 * @span:       it
 *
 * Return: µs since the timeline's begin; not beyond INT64_MAX.
 */
uint64_t timeline_span_end(const TimelineSpan *span) {
        uint64_t end;

        if (__builtin_add_overflow(span->begin_usec, span->duration_usec, &end) || end > INT64_MAX)
                return INT64_MAX;
        return end;
}
