/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One panel of a plot: its axis, the windows behind it, and a row for each that has something in it.
 */

#include <inttypes.h>

#include "ctl/format.h"
#include "ctl/plot-internal.h"

#define TICKS_MAX       9u
#define CHARACTER_WIDTH PIXELS(6) /* of the words in a bar, about */
#define LIMIT_WIDTH     PIXELS(2)
#define BAR_MIN         PIXELS(1)
#define NAME_MAX_SHOWN  28u

/* Where a time is in the panel; what is outside is at its edge. */
static int64_t place(const Panel *panel, uint64_t usec) {
        double length = (double) (panel->end_usec - panel->begin_usec);

        if (usec <= panel->begin_usec)
                return PANEL_LEFT;
        if (usec >= panel->end_usec)
                return PANEL_LEFT + PANEL_WIDTH;
        return PANEL_LEFT +
               (int64_t) ((double) (usec - panel->begin_usec) / length * (double) PANEL_WIDTH + 0.5);
}

static bool overlaps(const Panel *panel, const TimelineSpan *span) {
        return span->begin_usec < panel->end_usec && timeline_span_end(span) > panel->begin_usec;
}

/**
 * panel_shows() - whether there is something of a row to be seen
 * @panel:      the panel
 * @row:        the row
 *
 * Return: true if so.
 */
bool panel_shows(const Panel *panel, const Row *row) {
        for (size_t i = 0; i < row->n_spans; i++)
                if (overlaps(panel, &row->spans[i]))
                        return true;
        return false;
}

/* --- axis -------------------------------------------------------------------------------------------- */

/* 1, 2 or 5 of a power of ten, so that there are not too many. */
static uint64_t tick_step(const Panel *panel) {
        uint64_t length = panel->end_usec - panel->begin_usec, step = 1;

        for (unsigned i = 0; length / step > TICKS_MAX; i++)
                step = i % 3 == 1 ? step / 2 * 5 : step * 2;
        return step;
}

/* All of an axis in the same unit. */
static void format_tick(char text[static FORMAT_MAX], uint64_t usec, uint64_t step) {
        if (step >= USEC_PER_SEC)
                (void) snprintf(text, FORMAT_MAX, "%" PRIu64 " s", usec / USEC_PER_SEC);
        else if (step >= USEC_PER_MSEC)
                (void) snprintf(text, FORMAT_MAX, "%" PRIu64 " ms", usec / USEC_PER_MSEC);
        else
                (void) snprintf(text, FORMAT_MAX, "%" PRIu64 ".%03" PRIu64 " ms", usec / USEC_PER_MSEC,
                                usec % USEC_PER_MSEC);
}

static void draw_axis(FILE *f, const Panel *panel, int64_t top, int64_t bottom) {
        uint64_t step = tick_step(panel);
        char text[FORMAT_MAX];

        for (uint64_t at = 0; panel->zero_usec + at <= panel->end_usec; at += step) {
                int64_t x = place(panel, panel->zero_usec + at);

                format_tick(text, at, step);
                svg_line(f, x, top, x, bottom, "grid");
                svg_text(f, x, top - PIXELS(4), SVG_MIDDLE, "tick", 0, text);
        }
}

/* --- bars -------------------------------------------------------------------------------------------- */

static const char *describe(char *text, size_t size, const char *who, const char *what, uint64_t usec,
                            uint64_t limit_usec, const char *outcome) {
        char took[FORMAT_MAX], limit[FORMAT_MAX], percent[FORMAT_MAX];
        int n;

        n = snprintf(text, size, "%.200s: %s, %s", who, what, format_duration(took, usec));
        if (limit_usec > 0 && n > 0 && (size_t) n < size)
                n += snprintf(text + n, size - (size_t) n, " of %s (%s)", format_duration(limit, limit_usec),
                              format_percent(percent, usec, limit_usec));
        if (outcome[0] && n > 0 && (size_t) n < size)
                (void) snprintf(text + n, size - (size_t) n, ", %s", outcome);
        return text;
}

static const char *outcome_style(const char *outcome) {
        if (streq(outcome, "failed") || streq(outcome, "late") || streq(outcome, "gone"))
                return " bad";
        return streq(outcome, "pending") || streq(outcome, "overtaken") ? " open" : "";
}

static void draw_bar(FILE *f, const Panel *panel, const Row *row, const TimelineSpan *span, int64_t y) {
        int64_t left = place(panel, span->begin_usec), width = place(panel, timeline_span_end(span)) - left;
        const PlotKind *kind = plot_kind(row->kind, span->name);
        char title[512], style[64];
        bool light = streq(span->name, "Freeze") || streq(span->name, "commit");

        if (width < BAR_MIN)
                width = BAR_MIN;
        (void) snprintf(style, sizeof(style), "%s%s", kind->style, outcome_style(span->outcome));
        svg_box(f, &(SvgBox){left, y + (ROW_HEIGHT - BAR_HEIGHT) / 2, width, BAR_HEIGHT}, style,
                describe(title, sizeof(title), row->name, span->name, span->duration_usec, span->limit_usec,
                         span->outcome));
        /* That a volume is held is what its row is about. */
        if (row->kind == ROW_VOLUME && streq(span->name, "hold"))
                return;
        if (width >= CHARACTER_WIDTH * (int64_t) (strlen(span->name) + 1))
                svg_text(f, left + PIXELS(3), y + PIXELS(13), SVG_START,
                         light && row->kind != ROW_STEPS ? "inside light" : "inside", 0, span->name);
}

/* The limit as a mark where it would have been reached, if that is in sight. */
static void draw_limit(FILE *f, const Panel *panel, const TimelineSpan *span, int64_t y) {
        char title[128], limit[FORMAT_MAX];
        uint64_t at;

        if (span->limit_usec == 0 || __builtin_add_overflow(span->begin_usec, span->limit_usec, &at) ||
            at < panel->begin_usec || at > panel->end_usec)
                return;
        (void) snprintf(title, sizeof(title), "limit of %s: %s", span->name,
                        format_duration(limit, span->limit_usec));
        svg_box(f,
                &(SvgBox){place(panel, at) - LIMIT_WIDTH, y + PIXELS(1), LIMIT_WIDTH,
                          ROW_HEIGHT - PIXELS(2)},
                "limit", title);
}

static const TimelineSpan *find(const Row *row, const char *name) {
        for (size_t i = 0; i < row->n_spans; i++)
                if (streq(row->spans[i].name, name))
                        return &row->spans[i];
        return NULL;
}

/* From Freeze sent to Thaw or Abort answered; its window is Freeze's limit. */
static void draw_frozen(FILE *f, const Panel *panel, const Row *row, int64_t y) {
        const TimelineSpan *freeze = find(row, "Freeze"), *thaw = find(row, "Thaw");
        int64_t left, right;
        char title[512];

        if (!thaw)
                thaw = find(row, "Abort");
        if (row->kind != ROW_WRITER || !freeze || !thaw || thaw->begin_usec < freeze->begin_usec)
                return;
        left = place(panel, freeze->begin_usec);
        right = place(panel, timeline_span_end(thaw));
        if (right > left)
                svg_box(f, &(SvgBox){left, y + (ROW_HEIGHT - BAR_HEIGHT) / 2, right - left, BAR_HEIGHT},
                        "frozen",
                        describe(title, sizeof(title), row->name, "frozen",
                                 timeline_span_end(thaw) - freeze->begin_usec, freeze->limit_usec, ""));
}

/* How much of its limit the one took that took most of it. */
static void draw_used(FILE *f, const Panel *panel, const Row *row, int64_t y) {
        const TimelineSpan *most = NULL;
        char text[FORMAT_MAX];
        double used = -1, u;

        for (size_t i = 0; i < row->n_spans; i++) {
                const TimelineSpan *span = &row->spans[i];

                if (span->limit_usec == 0 || !overlaps(panel, span))
                        continue;
                u = (double) span->duration_usec / (double) span->limit_usec;
                if (u > used) {
                        used = u;
                        most = span;
                }
        }
        if (most)
                svg_text(f, PLOT_WIDTH - PLOT_MARGIN, y + PIXELS(14), SVG_END,
                         used >= 1     ? "over"
                         : used >= 0.5 ? "near"
                                       : "note",
                         0, format_percent(text, most->duration_usec, most->limit_usec));
}

static void draw_row(FILE *f, const Panel *panel, const Row *row, int64_t y) {
        svg_text(f, PANEL_LEFT - PIXELS(8), y + PIXELS(14), SVG_END, "name", NAME_MAX_SHOWN, row->name);
        draw_frozen(f, panel, row, y);
        for (size_t i = 0; i < row->n_spans; i++)
                if (overlaps(panel, &row->spans[i])) {
                        draw_bar(f, panel, row, &row->spans[i], y);
                        draw_limit(f, panel, &row->spans[i], y);
                }
        draw_used(f, panel, row, y);
}

/* --- the panel --------------------------------------------------------------------------------------- */

static void draw_title(FILE *f, const Panel *panel, int64_t y) {
        char text[256], length[FORMAT_MAX], since[FORMAT_MAX];

        svg_text(f, PLOT_MARGIN, y + PIXELS(14), SVG_START, "title", 0, panel->title);
        (void) snprintf(text, sizeof(text), "%s%s%s", format_duration(length, panel->length_usec),
                        panel->zero_usec > 0 ? ", 0 is " : "",
                        panel->zero_usec > 0 ? format_duration(since, panel->zero_usec) : "");
        if (panel->zero_usec > 0)
                (void) snprintf(text + strlen(text), sizeof(text) - strlen(text),
                                " after the session was opened");
        svg_text(f, PANEL_LEFT, y + PIXELS(14), SVG_START, "note", 0, text);
        svg_text(f, PLOT_WIDTH - PLOT_MARGIN, y + PIXELS(14), SVG_END, "note", 0, "of limit");
}

/* Windows lie behind all that happens in them. */
static void draw_bands(FILE *f, const Panel *panel, int64_t top, int64_t bottom, const Row *rows,
                       size_t n_rows) {
        char style[64];

        for (size_t i = 0; i < n_rows; i++) {
                const TimelineSpan *span = rows[i].spans;
                int64_t left, right;

                if (rows[i].kind != ROW_WINDOW || !overlaps(panel, span))
                        continue;
                left = place(panel, span->begin_usec);
                right = place(panel, timeline_span_end(span));
                if (right <= left)
                        continue;
                (void) snprintf(style, sizeof(style), "band %s", plot_kind(ROW_WINDOW, span->name)->style);
                svg_box(f, &(SvgBox){left, top, right - left, bottom - top}, style, NULL);
        }
}

/**
 * panel_draw() - draw one panel
 * @f:          where to
 * @panel:      the panel
 * @y:          its top
 * @rows:       all rows; those that have nothing to be seen in it are left out
 * @n_rows:     how many
 */
void panel_draw(FILE *f, const Panel *panel, int64_t y, const Row *rows, size_t n_rows) {
        int64_t top = y + PANEL_HEAD, bottom = top;

        for (size_t i = 0; i < n_rows; i++)
                if (panel_shows(panel, &rows[i]))
                        bottom += ROW_HEIGHT;
        draw_title(f, panel, y);
        svg_box(f, &(SvgBox){PANEL_LEFT, top, PANEL_WIDTH, bottom - top}, "panel", NULL);
        draw_bands(f, panel, top, bottom, rows, n_rows);
        draw_axis(f, panel, top, bottom);
        for (size_t i = 0; i < n_rows; i++) {
                if (!panel_shows(panel, &rows[i]))
                        continue;
                draw_row(f, panel, &rows[i], top);
                top += ROW_HEIGHT;
        }
}
