/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How a set ends in the hold: everything is let go, RCU is put back, the guard dismissed, LVM's locks freed,
 * in this order; then it is told.
 *
 * Giving up is a series of rounds in which each volume's thread undoes its own. A round begun while the
 * runner was still in a call is not the last, and one in which something failed is repeated; a volume whose
 * device does not answer is named after a second, and waited for as long as it takes.
 */

#include <errno.h>
#include <sys/socket.h>

#include "daemon/hold/hold-resources.h"
#include "daemon/hold/hold-session-internal.h"

#define TELL_STUCK_USEC   (1 * USEC_PER_SEC)
#define LINGER_LIMIT_USEC (10 * USEC_PER_SEC)

/**
 * session_report() - answers a step
 * @s:          the session
 * @step:       the step, or 0: nobody has asked
 * @failure:    why it failed, or NULL
 *
 * Never blocks; what a peer that does not read misses, it learns from the end of the connection.
 */
void session_report(Session *s, uint32_t step, const Failure *failure) {
        HoldMessage message = {.version = HOLD_PROTOCOL_VERSION, .type = HOLD_REPORT};

        message.report = s->set->report;
        message.report.step = step;
        message.report.volume = message.report.mount = HOLD_NONE;
        if (failure) {
                message.report.error = failure->error;
                message.report.volume = failure->volume;
                message.report.mount = failure->mount;
                memcpy(message.report.text, failure->text, sizeof(message.report.text));
        }
        if (!s->peer_is_gone)
                (void) send(s->connection_fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/**
 * session_tell_times() - tells when each volume was held
 * @s:          the session; nothing is held any more
 *
 * Never blocks, and is nobody's promise: what does not go into the socket is not told.
 */
void session_tell_times(Session *s) {
        HoldMessage message = {.version = HOLD_PROTOCOL_VERSION, .type = HOLD_TIMES};

        for (uint32_t i = 0; i < s->set->n_volumes && !s->peer_is_gone; i++) {
                message.times = s->set->volumes[i].times;
                message.times.volume = i;
                (void) send(s->connection_fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
}

/* Answers the step that failed, then ABORT; once. */
static void tell(Session *s, const Failure *failure, const Failure *abort_failure) {
        uint32_t step = atomic_exchange(&s->set->step, 0);

        if (s->answered)
                return;
        s->answered = true;
        if (step != 0 || !s->abort_wanted)
                session_report(s, step, failure);
        if (s->abort_wanted)
                session_report(s, HOLD_ABORT, abort_failure);
        s->abort_wanted = false;
}

static void tell_stuck(Session *s, uint32_t volume) {
        Failure stuck = s->reason;
        size_t n = strlen(stuck.text);

        (void) snprintf(stuck.text + n, sizeof(stuck.text) - n,
                        "; %s does not answer and is not let go yet, all others are",
                        hold_set_volume_name(s->set, volume));
        stuck.volume = volume;
        if (!s->answered)
                tell(s, &stuck, &stuck);
}

/**
 * session_finish() - ends a set that holds nothing any more
 * @s:          the session
 */
void session_finish(Session *s) {
        resources_relax(s->set);
        atomic_store(&s->set->ended, true);
        guard_dismiss(&s->guard);
        resources_unlock_groups(s->set);
        hold_set_close(s->set);
        s->set->report.ended_usec = boottime_usec();
        s->phase = PHASE_OVER;
        s->until_usec = boottime_usec() + LINGER_LIMIT_USEC;
}

/**
 * session_give_up() - begins to let everything go; the first reason is the one that is told
 * @s:          the session
 * @reason:     why
 */
void session_give_up(Session *s, const Failure *reason) {
        int not_yet = SET_GIVEN_UP_NOT;

        if (s->phase == PHASE_LETTING_GO || s->phase == PHASE_OVER)
                return;
        s->reason = *reason;
        s->given_up_usec = boottime_usec();
        (void) atomic_compare_exchange_strong(&s->set->given_up, &not_yet, SET_GIVEN_UP_BY_HOLD);
        s->phase = PHASE_LETTING_GO;
        if (s->crew) {
                s->last_round = !runner_is_busy(s->runner);
                crew_let_go(s->crew);
        }
        session_let_go(s);
}

/* Whether the threads have let everything go; else another round is begun, or there is one to wait for. */
static bool rounds_are_over(Session *s) {
        uint32_t volume = 0;
        Failure failure;

        if (!s->crew)
                return true;
        if (!crew_is_idle(s->crew, &volume)) {
                if (boottime_usec() >= s->given_up_usec + TELL_STUCK_USEC)
                        tell_stuck(s, volume);
                return false;
        }
        if (runner_is_busy(s->runner))
                return false;
        if (s->last_round && crew_has_let_go(s->crew, &failure))
                return true;
        if (s->last_round && boottime_usec() >= s->given_up_usec + TELL_STUCK_USEC)
                tell_stuck(s, failure.volume);
        s->last_round = true;
        crew_let_go(s->crew);
        return false;
}

/**
 * session_let_go() - goes on letting go, and tells when it is done
 * @s:          the session; called whenever something may have changed, and every so often
 */
void session_let_go(Session *s) {
        if (s->phase != PHASE_LETTING_GO || !rounds_are_over(s))
                return;
        session_finish(s);
        tell(s, &s->reason, NULL);
        (void) fprintf(stderr, "quiesced-hold: given up, everything is let go: %s\n", s->reason.text);
}
