/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Boxes, lines and text as SVG; see svg.h.
 */

#include "ctl/svg.h"

#include <inttypes.h>

/* Whatever the locale is. */
static void put_number(FILE *f, const char *name, int64_t value) {
        (void) fprintf(f, " %s=\"%s%" PRIi64, name, value < 0 ? "-" : "",
                       (value < 0 ? -value : value) / SVG_UNIT);
        if (value % SVG_UNIT != 0)
                (void) fprintf(f, ".%" PRIi64, (value < 0 ? -value : value) % SVG_UNIT);
        (void) fputc('"', f);
}

static void put_character(FILE *f, char c) {
        switch (c) {
        case '<':
                (void) fputs("&lt;", f);
                break;
        case '>':
                (void) fputs("&gt;", f);
                break;
        case '&':
                (void) fputs("&amp;", f);
                break;
        case '"':
                (void) fputs("&quot;", f);
                break;
        default:
                (void) fputc((unsigned char) c < ' ' || c == 0x7f ? '?' : c, f);
                break;
        }
}

static bool begins_character(char c) {
        return ((unsigned char) c & 0xc0) != 0x80;
}

static size_t count_characters(const char *text) {
        size_t n = 0;

        for (; *text; text++)
                n += begins_character(*text);
        return n;
}

static void put_text(FILE *f, const char *text, size_t max) {
        bool cut = max > 0 && count_characters(text) > max;
        size_t n = 0;

        for (; *text; text++) {
                n += begins_character(*text);
                if (cut && n >= max)
                        break;
                /* U+FFFE and U+FFFF are UTF-8, and no characters. */
                if (strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0) {
                        (void) fputc('?', f);
                        text += 2;
                } else
                        put_character(f, *text);
        }
        if (cut)
                (void) fputs("\xe2\x80\xa6", f);
}

/**
 * svg_begin() - begin the picture
 * @f:          where to
 * @width:      of it
 * @height:     likewise
 * @css:        the styles, as they stand in it
 */
void svg_begin(FILE *f, int64_t width, int64_t height, const char *css) {
        (void) fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"",
                     f);
        put_number(f, "width", width);
        put_number(f, "height", height);
        (void) fprintf(f, " font-family=\"sans-serif\" font-size=\"12\">\n<style>\n%s</style>\n", css);
        svg_box(f, &(SvgBox){0, 0, width, height}, "paper", NULL);
}

/**
 * svg_end() - end it
 * @f:          where to
 */
void svg_end(FILE *f) {
        (void) fputs("</svg>\n", f);
}

/**
 * svg_box() - a filled rectangle
 * @f:          where to
 * @box:        its place
 * @style:      classes
 * @title:      its words, or NULL
 */
void svg_box(FILE *f, const SvgBox *box, const char *style, const char *title) {
        (void) fprintf(f, "<rect class=\"%s\"", style);
        put_number(f, "x", box->x);
        put_number(f, "y", box->y);
        put_number(f, "width", box->width);
        put_number(f, "height", box->height);
        if (!title) {
                (void) fputs("/>\n", f);
                return;
        }
        (void) fputs("><title>", f);
        put_text(f, title, 0);
        (void) fputs("</title></rect>\n", f);
}

/**
 * svg_line() - a line
 * @f:          where to
 * @x1:         from
 * @y1:         from
 * @x2:         to
 * @y2:         to
 * @style:      classes
 */
void svg_line(FILE *f, int64_t x1, int64_t y1, int64_t x2, int64_t y2, const char *style) {
        (void) fprintf(f, "<line class=\"%s\"", style);
        put_number(f, "x1", x1);
        put_number(f, "y1", y1);
        put_number(f, "x2", x2);
        put_number(f, "y2", y2);
        (void) fputs("/>\n", f);
}

/**
 * svg_text() - one line of text
 * @f:          where to
 * @x:          its beginning, middle or end
 * @y:          what it stands on
 * @anchor:     which of these
 * @style:      classes
 * @max:        how many characters of it are shown at most; 0: all
 * @text:       UTF-8
 */
void svg_text(FILE *f, int64_t x, int64_t y, SvgAnchor anchor, const char *style, size_t max,
              const char *text) {
        static const char *const anchors[] = {[SVG_START] = "",
                                              [SVG_MIDDLE] = " text-anchor=\"middle\"",
                                              [SVG_END] = " text-anchor=\"end\""};

        (void) fprintf(f, "<text class=\"%s\"%s", style, anchors[anchor]);
        put_number(f, "x", x);
        put_number(f, "y", y);
        (void) fputc('>', f);
        put_text(f, text, max);
        (void) fputs("</text>\n", f);
}
