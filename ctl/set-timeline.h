/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The timeline of a set or a session, as quiesced answers it: asked for, and shown as text. How it is drawn
 * is in plot.h.
 */

#include "ctl/ctl.h"
#include "timeline/timeline.h"

enum {
        SET_TIMELINE_E_NONE = 0x40, /* it has none, or it is not for us */
};

/* timeline: empty; timeline_done() it in any case. ask: polkit may ask its user. Return: 0,
 * SET_TIMELINE_E_NONE with the reason in @error, or a negative errno. */
int set_timeline_read(Timeline *timeline, sd_bus *bus, const char *path, const char *interface, bool ask,
                      sd_bus_error *error);
int set_timeline_print(const Timeline *timeline, const Options *options);
