/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A timeline drawn as SVG, as `systemd-analyze plot` draws a boot.
 *
 * A session may last hours, making its set seconds, the hold milliseconds: so there are up to four panels
 * below each other, each a look into the one above, with an axis of its own. A row is a window, the steps, a
 * writer or a volume; a bar is an event, a step, or a part of the hold.
 */

#include <stdio.h>

#include "timeline/timeline.h"

/* Return: 0; -ENODATA: nothing in it took any time; -EIO: it could not be written. */
int plot_timeline(FILE *f, const Timeline *timeline);
