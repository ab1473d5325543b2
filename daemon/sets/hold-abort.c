/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ABORT's first stage: writes are let go, before anything else.
 *
 * The hold does that by itself, and its guard if the hold is dead. If both are, the connection ends without
 * a word: then a child of ours lets go what the journal names, as the next quiesced would (letting-go.h).
 */

#include "daemon/sets/letting-go.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/log.h"

#define ABORT_LIMIT_USEC  (60 * USEC_PER_SEC)
#define LET_GO_LIMIT_USEC (60 * USEC_PER_SEC)

/* The child, which may block. */
static int let_go(int socket_fd, void *argument) {
        const Sets *sets = argument;
        int r;

        r = let_go_held(sets->config.runtime_dir);
        if (r == LET_GO_E_HELD)
                r = let_go_after_holds(sets->config.runtime_dir);
        return r < 0;
}

static void on_let_go(Child *child, const ChildResult *result, void *userdata) {
        SnapshotSet *set = userdata;

        set->helper = child_free(child);
        if (result->error != 0 || result->status != 0) {
                step_fail(
                        set, CONTRACT_ERROR_HOLD_WRITES_TIMEOUT,
                        "quiesced-hold and its guard were killed, and not every volume could be let go. See "
                        "dmsetup info and fsfreeze(8). %s",
                        result->err);
                /* What is left is for the next start. */
                set->journal_written = false;
        } else
                log_warning("quiesced-hold and its guard were killed; what they held is let go. %s",
                            result->err);
        set->hold_answered = true;
        step_advance(set);
}

static void on_hold_abort(HoldClient *client, const HoldReport *report, void *userdata) {
        SnapshotSet *set = userdata;

        if (report->error == -ECONNRESET && set->journal_written) {
                if (child_fork(&set->helper, set->sets->event, let_go, set->sets, LET_GO_LIMIT_USEC,
                               on_let_go, set) >= 0)
                        return;
                step_fail(
                        set, CONTRACT_ERROR_HOLD_WRITES_TIMEOUT,
                        "quiesced-hold and its guard were killed, and no process could be made that lets go "
                        "what they held. Run quiesced-let-go(8).");
                set->journal_written = false; /* it stays, for that */
        } else if (report->error < 0 && report->error != -ECONNRESET)
                step_fail(set, CONTRACT_ERROR_HOLD_WRITES_TIMEOUT,
                          "Not every volume could be let go yet, quiesced-hold goes on trying: %s",
                          report->text);
        set->hold_answered = true;
        step_advance(set);
}

/**
 * stage_hold_abort() - ABORT: let writes go, before anything else
 * @set:        the set
 *
 * Return: whether it is over.
 */
StageResult stage_hold_abort(SnapshotSet *set) {
        int r;

        if (!set->stage_entered) {
                set->stage_entered = true;
                set->helper = child_free(set->helper);
                if (!set->hold) {
                        sets_await_freezers(set->sets);
                        return STAGE_DONE;
                }
                set->hold_answered = false;
                r = hold_client_abort(set->hold, ABORT_LIMIT_USEC, on_hold_abort, set);
                if (r < 0)
                        set->hold_answered = true; /* the end of the connection says the same */
        }
        if (set->hold && !set->hold_answered)
                return STAGE_WAIT;
        set->hold = hold_client_free(set->hold);
        sets_await_freezers(set->sets);
        return STAGE_DONE;
}
