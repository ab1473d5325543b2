/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Failpoints: named places between two effects, at which a test has a process fail or stand still, and kills
 * meanwhile whom it likes. Only in a build that was configured with --enable-failpoints; in every other one
 * failpoint() is 0 and leaves nothing behind.
 *
 * What is to happen is said from outside, in the directory below (or that which QUIESCED_FAILPOINTS names):
 *
 *   PLACE.fail   a file with an errno as a number: the place fails with it
 *   PLACE.stall  a FIFO: the place opens it for reading, which tells who opens it for writing that it has
 *                been reached, and goes on when that is closed again
 *   trace        a file: each place that is reached appends its name, a line each
 *
 * Nothing is kept from one call to the next, and no memory is taken: a place may lie in the held moment.
 */

#include <stdint.h>

#define FAILPOINTS_DIRECTORY "/run/quiesced/failpoints"

#if ENABLE_FAILPOINTS
/* place: as above. Return: 0, or a negative errno that a test wants. */
int failpoint(const char *place);
/* The same, of one of many alike: its name is "place-index". */
int failpoint_at(const char *place, uint32_t index);
#else
static inline int failpoint(const char *place) {
        return 0;
}

static inline int failpoint_at(const char *place, uint32_t index) {
        return 0;
}
#endif
