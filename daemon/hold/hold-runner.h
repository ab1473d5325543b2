/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The runner: the thread that carries out one step after the other, so that the main thread is always free
 * to watch the connection, the guard and the deadline. It stops at the next call once the set is given up.
 */

#include "daemon/hold/hold-crew.h"

/* What the hold says to its guard, and the guard's answer: one byte each. */
#define GUARD_READY   'r' /* guard: locked in memory, threads made */
#define GUARD_ARM     'A' /* hold: deadline_usec is valid */
#define GUARD_ARMED   'a' /* guard: my own timer runs */
#define GUARD_DISMISS 'E' /* hold: all is let go, nothing more to do */

typedef struct Runner Runner;

typedef struct RunnerSetup {
        HoldSet *set;
        Crew *crew;
        int wake_fd;  /* eventfd: written when a step is done */
        int timer_fd; /* the hold's own deadline, set on arming */
        int guard_fd;
} RunnerSetup;

int runner_new(Runner **ret, const RunnerSetup *setup);
void runner_start(Runner *runner, HoldMessageType step);
bool runner_is_busy(Runner *runner);
bool runner_take_result(Runner *runner, int *ret_result, Failure *ret_failure);
int deadline_set_timer(int timer_fd, uint64_t deadline_usec);
int guard_expect(int guard_fd, char byte, int timeout_msec);
