/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What listings look like on a terminal, as systemd's tools have it: a pager, and colours for what is good,
 * what is on its way and what is bad. Elsewhere neither, unless asked for.
 */

#include "ctl/ctl.h"

typedef enum ScreenColor {
        SCREEN_NORMAL,
        SCREEN_GOOD,  /* green */
        SCREEN_EYE,   /* yellow: look at it */
        SCREEN_BAD,   /* red */
        SCREEN_TITLE, /* bold */
        _SCREEN_COLOR_MAX,
} ScreenColor;

void screen_open(const Options *options);
bool screen_close(void);
bool screen_has_colors(void);
const char *screen_color(ScreenColor color);
const char *screen_color_name(ScreenColor color); /* as libsmartcols has it; NULL: normal */
ScreenColor screen_color_of(const char *word);    /* a state, an outcome, a consistency */
