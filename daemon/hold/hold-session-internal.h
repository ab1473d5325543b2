/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the two halves of the hold's main thread share: hold-session.c waits and answers, hold-letting-go.c
 * ends the set, well or not.
 */

#include "daemon/hold/hold-crew.h"
#include "daemon/hold/hold-guard.h"
#include "daemon/hold/hold-runner.h"

typedef enum Phase {
        PHASE_DESCRIBING, /* nothing is changed */
        PHASE_LOCKED,     /* LOCK was begun */
        PHASE_ARMED,      /* PRE_COMMIT is done */
        PHASE_COMMITTED,  /* COMMIT is done */
        PHASE_LETTING_GO, /* given up */
        PHASE_OVER,       /* nothing is held */
} Phase;

typedef struct Session {
        HoldSet *set;
        Crew *crew;     /* NULL until LOCK */
        Runner *runner; /* likewise */
        Guard guard;
        Phase phase;
        int connection_fd;
        bool peer_is_gone;
        int wake_fd, timer_fd, signal_fd;
        uint64_t until_usec; /* CLOCK_BOOTTIME: the limit of LOCKED and of OVER */
        /* giving up */
        Failure reason;
        bool abort_wanted;
        bool answered;
        bool last_round;
        uint64_t given_up_usec;
} Session;

void session_tell_times(Session *s);
void session_report(Session *s, uint32_t step, const Failure *failure);
void session_give_up(Session *s, const Failure *reason);
void session_let_go(Session *s);
void session_finish(Session *s);
