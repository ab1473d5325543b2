/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Calls that may never return, as their disk does not answer and no signal ends them: each is made by a
 * process of its own, all at the same time, so that none waits for another.
 */

#include <stdbool.h>

typedef struct Apart {
        int read_fd, write_fd;
} Apart;

void apart_begin(Apart *apart);
void apart_do(Apart *apart, void (*call)(const void *argument), const void *argument);
bool apart_end(Apart *apart, int timeout_msec);
