/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text for people in columns: a head, and beside it what is wrapped at a terminal's usual width. */

#include "ctl/screen.h"

void print_wrapped(int indent, ScreenColor color, const char *head, const char *text);
