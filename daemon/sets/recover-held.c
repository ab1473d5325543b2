/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * At start: letting go what the journal of a dead daemon names (letting-go.c). What a hold of before this
 * start still has, a child waits for.
 */

#include "daemon/sets/letting-go.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/log.h"

#define HOLD_WAIT_USEC (3600 * USEC_PER_SEC)

/* The child. */
static int await_holds(int socket_fd, void *argument) {
        const Sets *sets = argument;

        return let_go_after_holds(sets->config.runtime_dir) < 0;
}

static void on_awaited(Child *child, const ChildResult *result, void *userdata) {
        Sets *sets = userdata;

        if (result->err[0])
                log_warning("%s", result->err);
        if (result->error != 0 || result->status != 0)
                log_error(
                        "A quiesced-hold of before this start has still not let go everything. See dmsetup "
                        "info and fsfreeze(8).");
        sets->held_child = child_free(child);
}

/**
 * sets_recover_held() - let go what a daemon that died may have held
 * @sets:       all sets, none yet
 *
 * Return: 0, or a negative errno if there is a journal that cannot be read.
 */
int sets_recover_held(Sets *sets) {
        int r;

        r = let_go_held(sets->config.runtime_dir);
        if (r != LET_GO_E_HELD)
                return error_trace(r);
        log_notice("A quiesced-hold of before this start still lets go; what it leaves is let go after it.");
        return error_trace(child_fork(&sets->held_child, sets->event, await_holds, sets, HOLD_WAIT_USEC,
                                      on_awaited, sets));
}
