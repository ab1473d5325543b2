/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What plot.c lays out and plot-panel.c draws. Places are in tenths of a pixel (svg.h). */

#include "ctl/plot.h"
#include "ctl/svg.h"

#define PIXELS(n)     ((int64_t) (n) *SVG_UNIT)
#define PLOT_WIDTH    PIXELS(1200)
#define PLOT_MARGIN   PIXELS(20)
#define PANEL_LEFT    PIXELS(210) /* what is left of it: names */
#define PANEL_WIDTH   PIXELS(900)
#define PANEL_HEAD    PIXELS(46) /* its title and axis */
#define PANEL_GAP     PIXELS(24)
#define ROW_HEIGHT    PIXELS(20)
#define BAR_HEIGHT    PIXELS(14)
#define LEGEND_HEIGHT PIXELS(60)

typedef enum RowKind {
        ROW_WINDOW,
        ROW_STEPS,
        ROW_WRITER,
        ROW_VOLUME,
} RowKind;

typedef struct Row {
        RowKind kind;
        const char *name;
        const TimelineSpan *spans;
        size_t n_spans;
} Row;

/* A look at the time from begin to end; the axis counts from zero. */
typedef struct Panel {
        const char *title;
        uint64_t begin_usec, end_usec;
        uint64_t zero_usec, length_usec; /* of what it is about, without the room at its sides */
} Panel;

typedef struct PlotKind {
        const char *name, *style;
} PlotKind;

const PlotKind *plot_kind(RowKind row, const char *name);
bool panel_shows(const Panel *panel, const Row *row);
void panel_draw(FILE *f, const Panel *panel, int64_t y, const Row *rows, size_t n_rows);
