/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The little of SVG that a plot needs. Places and sizes are in tenths of a pixel, whole numbers: what is
 * drawn is the same everywhere. Text is escaped here; what is no character in XML becomes a question mark.
 */

#include <stdint.h>
#include <stdio.h>

#include "util/macro.h"

#define SVG_UNIT 10 /* of a pixel */

typedef enum SvgAnchor {
        SVG_START,
        SVG_MIDDLE,
        SVG_END,
} SvgAnchor;

typedef struct SvgBox {
        int64_t x, y, width, height;
} SvgBox;

/* `style`: names of classes; `title`: shown when the mouse rests on it, or NULL. */
void svg_begin(FILE *f, int64_t width, int64_t height, const char *css);
void svg_end(FILE *f);
void svg_box(FILE *f, const SvgBox *box, const char *style, const char *title);
void svg_line(FILE *f, int64_t x1, int64_t y1, int64_t x2, int64_t y2, const char *style);
/* max: of characters; a longer text is cut, with three points in their place. 0: as long as it is. */
void svg_text(FILE *f, int64_t x, int64_t y, SvgAnchor anchor, const char *style, size_t max,
              const char *text);
