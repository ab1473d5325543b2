/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The guard: a fork of the hold that does nothing but outlive it.
 *
 * Made before anything is changed, with the same descriptors and the same view of the set, in memory of its
 * own that is locked. If the hold dies, or the deadline passes on the guard's own timer, it lets every
 * volume go, again and again until the hold is really gone (a process killed inside a suspend is not, and
 * its suspend may still succeed), and once more after that; then it tells quiesced in the hold's place.
 */

#include "daemon/hold/hold-set.h"

typedef struct Guard {
        pid_t pid;
        int pidfd;
        int fd; /* the hold's end of the socket between them */
} Guard;

#define GUARD_NULL \
        { .pid = -1, .pidfd = -EBADF, .fd = -EBADF }

int guard_start(Guard *guard, HoldSet *set, int connection_fd);
void guard_dismiss(Guard *guard);
