/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which panels a plot has, which rows, and what stands around them; see plot.h.
 */

#include "ctl/plot.h"

#include "ctl/format.h"
#include "ctl/plot-internal.h"
#include "util/error.h"

#define PANELS_MAX   4u
#define LEGEND_WIDTH PIXELS(140)

static const char css[] = ".paper { fill: #ffffff }\n"
                          ".heading { font-size: 16px; font-weight: bold }\n"
                          ".title { font-weight: bold }\n"
                          ".panel { fill: #f7f7f7 }\n"
                          ".grid { stroke: #d8d8d8; stroke-width: 1 }\n"
                          ".tick, .note { fill: #555555; font-size: 11px }\n"
                          ".inside { font-size: 10px }\n"
                          ".light { fill: #ffffff }\n"
                          ".near { fill: #c05000; font-weight: bold }\n"
                          ".over { fill: #c00000; font-weight: bold }\n"
                          ".limit { fill: #c00000 }\n"
                          ".bad { stroke: #c00000; stroke-width: 2 }\n"
                          ".open { stroke: #555555; stroke-dasharray: 3 2 }\n"
                          ".band { fill-opacity: 0.35 }\n"
                          ".frozen { fill: #b4d0ec }\n"
                          ".identify { fill: #9aa0a6 }\n"
                          ".prepare { fill: #6aa9e0 }\n"
                          ".prepare-snapshot { fill: #3f7fc0 }\n"
                          ".freeze { fill: #1f4e8c }\n"
                          ".thaw { fill: #4caf7a }\n"
                          ".post { fill: #9ccc65 }\n"
                          ".complete { fill: #b39ddb }\n"
                          ".shutdown { fill: #7e57c2 }\n"
                          ".abort { fill: #d9534f }\n"
                          ".step { fill: #b8a67a }\n"
                          ".window-freeze { fill: #a9cdf0 }\n"
                          ".window-dark { fill: #a0a0a0 }\n"
                          ".window-hold, .hold { fill: #f4b183 }\n"
                          ".suspend { fill: #e08a3c }\n"
                          ".commit { fill: #a63603 }\n"
                          ".resume { fill: #fdd0a2 }\n"
                          ".other { fill: #c9c9c9 }\n";

static const struct {
        RowKind row;
        PlotKind kind;
} kinds[] = {
        {ROW_WINDOW, {"freeze", "window-freeze"}},
        {ROW_WINDOW, {"dark", "window-dark"}},
        {ROW_WINDOW, {"hold", "window-hold"}},
        {ROW_WRITER, {"Identify", "identify"}},
        {ROW_WRITER, {"PrepareForBackup", "prepare"}},
        {ROW_WRITER, {"PrepareForSnapshot", "prepare-snapshot"}},
        {ROW_WRITER, {"Freeze", "freeze light"}},
        {ROW_WRITER, {"Thaw", "thaw"}},
        {ROW_WRITER, {"PostSnapshot", "post"}},
        {ROW_WRITER, {"BackupComplete", "complete"}},
        {ROW_WRITER, {"BackupShutdown", "shutdown"}},
        {ROW_WRITER, {"Abort", "abort"}},
        {ROW_VOLUME, {"hold", "hold"}},
        {ROW_VOLUME, {"suspend", "suspend"}},
        {ROW_VOLUME, {"commit", "commit"}},
        {ROW_VOLUME, {"resume", "resume"}},
};

/**
 * plot_kind() - how a bar looks
 * @row:        where it stands
 * @name:       of the span
 *
 * Return: the kind; of what is not known that of all else.
 */
const PlotKind *plot_kind(RowKind row, const char *name) {
        static const PlotKind step = {"step", "step"}, other = {"other", "other"};

        if (row == ROW_STEPS)
                return &step;
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (kinds[i].row == row && streq(kinds[i].kind.name, name))
                        return &kinds[i].kind;
        return &other;
}

static const TimelineSpan *find_span(const TimelineSpans *spans, const char *name) {
        for (size_t i = 0; i < spans->n_items; i++)
                if (streq(spans->items[i].name, name))
                        return &spans->items[i];
        return NULL;
}

/* --- rows -------------------------------------------------------------------------------------------- */

static void add_row(Row *rows, size_t *n_rows, RowKind kind, const char *name, const TimelineSpan *spans,
                    size_t n_spans) {
        if (n_spans > 0)
                rows[(*n_rows)++] = (Row){kind, name, spans, n_spans};
}

static const char *window_name(const char *name) {
        return streq(name, "freeze") ? "freeze window" : name;
}

/* Each window has a row of its own: one lies within the other. */
static int rows_make(const Timeline *timeline, Row **ret, size_t *ret_n) {
        size_t max = timeline->windows.n_items + 1 + timeline->n_writers + timeline->n_volumes, n = 0;
        Row *rows = calloc(max, sizeof(*rows));

        if (!rows)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < timeline->windows.n_items; i++) {
                const TimelineSpan *window = &timeline->windows.items[i];

                add_row(rows, &n, ROW_WINDOW, window_name(window->name), window, 1);
        }
        add_row(rows, &n, ROW_STEPS, "steps", timeline->steps.items, timeline->steps.n_items);
        for (size_t i = 0; i < timeline->n_writers; i++)
                add_row(rows, &n, ROW_WRITER, timeline->writers[i].name, timeline->writers[i].events.items,
                        timeline->writers[i].events.n_items);
        for (size_t i = 0; i < timeline->n_volumes; i++)
                add_row(rows, &n, ROW_VOLUME, timeline->volumes[i].name, timeline->volumes[i].times.items,
                        timeline->volumes[i].times.n_items);
        *ret = rows;
        *ret_n = n;
        return 0;
}

/* --- panels ------------------------------------------------------------------------------------------ */

static void widen(Panel *panel, const TimelineSpan *span) {
        uint64_t end = timeline_span_end(span);

        if (span->begin_usec < panel->begin_usec)
                panel->begin_usec = span->begin_usec;
        if (end > panel->end_usec)
                panel->end_usec = end;
}

static void widen_by_name(Panel *panel, const TimelineSpans *spans, const char *name) {
        const TimelineSpan *span = find_span(spans, name);

        if (span)
                widen(panel, span);
}

static Panel panel_new(const char *title) {
        return (Panel){.title = title, .begin_usec = UINT64_MAX};
}

static Panel panel_whole(const Row *rows, size_t n_rows) {
        Panel panel = panel_new("The whole session");

        for (size_t i = 0; i < n_rows; i++)
                for (size_t k = 0; k < rows[i].n_spans; k++)
                        widen(&panel, &rows[i].spans[k]);
        panel.begin_usec = 0;
        return panel;
}

/* What DoSnapshotSet does. */
static Panel panel_making(const Timeline *timeline) {
        Panel panel = panel_new("Making the set");

        for (size_t i = 0; i < timeline->steps.n_items; i++)
                widen(&panel, &timeline->steps.items[i]);
        for (size_t i = 0; i < timeline->n_writers; i++) {
                widen_by_name(&panel, &timeline->writers[i].events, "PrepareForSnapshot");
                widen_by_name(&panel, &timeline->writers[i].events, "PostSnapshot");
        }
        widen_by_name(&panel, &timeline->windows, "freeze");
        return panel;
}

static Panel panel_freeze(const Timeline *timeline) {
        Panel panel = panel_new("The freeze window");

        widen_by_name(&panel, &timeline->windows, "freeze");
        return panel;
}

static Panel panel_hold(const Timeline *timeline) {
        Panel panel = panel_new("The hold");

        widen_by_name(&panel, &timeline->windows, "hold");
        for (size_t i = 0; i < timeline->n_volumes; i++)
                for (size_t k = 0; k < timeline->volumes[i].times.n_items; k++)
                        widen(&panel, &timeline->volumes[i].times.items[k]);
        return panel;
}

/* A look closer: at less than half of the one before. With some room at both sides. */
static void add_panel(Panel *panels, size_t *n_panels, Panel panel) {
        const Panel *before = *n_panels > 0 ? &panels[*n_panels - 1] : NULL;
        uint64_t length, room;

        if (panel.begin_usec >= panel.end_usec)
                return;
        length = panel.end_usec - panel.begin_usec;
        if (before && length > (before->end_usec - before->begin_usec) / 2)
                return;
        room = length / 50 + 1;
        panel.zero_usec = panel.begin_usec;
        panel.length_usec = length;
        panel.begin_usec -= room < panel.begin_usec ? room : panel.begin_usec;
        panel.end_usec += room;
        panels[(*n_panels)++] = panel;
}

static size_t panels_choose(const Timeline *timeline, const Row *rows, size_t n_rows,
                            Panel panels[static PANELS_MAX]) {
        size_t n = 0;

        add_panel(panels, &n, panel_whole(rows, n_rows));
        if (n == 0)
                return 0;
        add_panel(panels, &n, panel_making(timeline));
        add_panel(panels, &n, panel_freeze(timeline));
        add_panel(panels, &n, panel_hold(timeline));
        return n;
}

static int64_t panel_height(const Panel *panel, const Row *rows, size_t n_rows) {
        int64_t height = PANEL_HEAD;

        for (size_t i = 0; i < n_rows; i++)
                if (panel_shows(panel, &rows[i]))
                        height += ROW_HEIGHT;
        return height + PANEL_GAP;
}

/* --- around them ------------------------------------------------------------------------------------- */

static void add_word(char *text, size_t size, const char *format, const char *value) {
        size_t n = strlen(text);

        if (value[0] == '\0')
                return;
        if (n > 0)
                n += (size_t) snprintf(text + n, size - n, " · ");
        (void) snprintf(text + n, size - n, format, value);
}

static void add_window(char *text, size_t size, const Timeline *timeline, const char *name,
                       const char *format) {
        const TimelineSpan *span = find_span(&timeline->windows, name);
        char took[FORMAT_MAX], limit[FORMAT_MAX], percent[FORMAT_MAX], words[4 * FORMAT_MAX];

        if (!span)
                return;
        if (span->limit_usec > 0)
                (void) snprintf(words, sizeof(words), "%s of %s (%s)",
                                format_duration(took, span->duration_usec),
                                format_duration(limit, span->limit_usec),
                                format_percent(percent, span->duration_usec, span->limit_usec));
        else
                (void) snprintf(words, sizeof(words), "%s", format_duration(took, span->duration_usec));
        add_word(text, size, format, words);
}

static void draw_heading(FILE *f, const Timeline *timeline) {
        bool is_set = timeline->consistency[0] != '\0'; /* before, it does not count */
        char text[512], begin[FORMAT_MAX];

        (void) snprintf(text, sizeof(text), "%s %.64s", is_set ? "Snapshot set" : "Session",
                        is_set ? timeline->set : timeline->session);
        svg_text(f, PLOT_MARGIN, PIXELS(28), SVG_START, "heading", 0, text);
        text[0] = '\0';
        add_word(text, sizeof(text), "%.64s", format_time(begin, timeline->begin_usec));
        if (is_set)
                add_word(text, sizeof(text), "session %.64s", timeline->session);
        add_word(text, sizeof(text), "backup type %.32s", timeline->backup_type);
        add_word(text, sizeof(text), "consistency %.32s", timeline->consistency);
        add_word(text, sizeof(text), "outcome %.32s", timeline->outcome);
        svg_text(f, PLOT_MARGIN, PIXELS(48), SVG_START, "note", 0, text);
        text[0] = '\0';
        add_window(text, sizeof(text), timeline, "freeze", "freeze window %s");
        add_window(text, sizeof(text), timeline, "dark", "dark %s");
        add_window(text, sizeof(text), timeline, "hold", "writes held %s");
        svg_text(f, PLOT_MARGIN, PIXELS(64), SVG_START, "note", 0, text);
}

static bool has_kind(const Row *rows, size_t n_rows, const PlotKind *kind) {
        for (size_t i = 0; i < n_rows; i++)
                for (size_t k = 0; k < rows[i].n_spans; k++)
                        if (plot_kind(rows[i].kind, rows[i].spans[k].name) == kind)
                                return true;
        return false;
}

typedef struct Legend {
        FILE *f;
        int64_t x, y;
} Legend;

static void legend_add(Legend *legend, const char *style, const char *text) {
        if (legend->x + LEGEND_WIDTH > PLOT_WIDTH - PLOT_MARGIN) {
                legend->x = PLOT_MARGIN;
                legend->y += ROW_HEIGHT;
        }
        svg_box(legend->f, &(SvgBox){legend->x, legend->y, PIXELS(12), PIXELS(12)}, style, NULL);
        svg_text(legend->f, legend->x + PIXELS(17), legend->y + PIXELS(10), SVG_START, "note", 0, text);
        legend->x += LEGEND_WIDTH;
}

/* Of what is there; windows and steps have their names at their rows. */
static void draw_legend(FILE *f, int64_t y, const Row *rows, size_t n_rows) {
        Legend legend = {f, PLOT_MARGIN, y};

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                if (kinds[i].row == ROW_WINDOW || !has_kind(rows, n_rows, &kinds[i].kind))
                        continue;
                legend_add(&legend, kinds[i].kind.style, kinds[i].kind.name);
                if (streq(kinds[i].kind.name, "Freeze"))
                        legend_add(&legend, "frozen", "frozen");
        }
        legend_add(&legend, "limit", "a limit");
        legend_add(&legend, "other bad", "failed, late");
}

static int draw(FILE *f, const Timeline *timeline, const Row *rows, size_t n_rows) {
        Panel panels[PANELS_MAX];
        size_t n_panels = panels_choose(timeline, rows, n_rows, panels);
        int64_t y = PIXELS(84), height = y + LEGEND_HEIGHT;

        if (n_panels == 0)
                return -ENODATA;
        for (size_t i = 0; i < n_panels; i++)
                height += panel_height(&panels[i], rows, n_rows);
        svg_begin(f, PLOT_WIDTH, height, css);
        draw_heading(f, timeline);
        for (size_t i = 0; i < n_panels; i++) {
                panel_draw(f, &panels[i], y, rows, n_rows);
                y += panel_height(&panels[i], rows, n_rows);
        }
        draw_legend(f, y, rows, n_rows);
        svg_end(f);
        return fflush(f) != 0 || ferror(f) ? error_origin(errno > 0 ? -errno : -EIO) : 0;
}

/**
 * plot_timeline() - draw a timeline as SVG
 * @f:          where to
 * @timeline:   it
 *
 * Return: 0; -ENODATA: nothing in it took any time; -ENOMEM; or another: it could not be written.
 */
int plot_timeline(FILE *f, const Timeline *timeline) {
        _cleanup_free_ Row *rows = NULL;
        size_t n_rows = 0;
        int r;

        r = rows_make(timeline, &rows, &n_rows);
        return r < 0 ? error_trace(r) : draw(f, timeline, rows, n_rows);
}
