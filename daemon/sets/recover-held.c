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

/* The child. */
static int await_freezers(int socket_fd, void *argument) {
        let_go_after_freezers();
        return 0;
}

static void on_freezers_gone(Child *child, const ChildResult *result, void *userdata) {
        Sets *sets = userdata;

        if (result->err[0])
                log_warning("%s", result->err);
        if (result->error != 0 || result->status != 0)
                log_error("Somebody freezes a file system and does not come to an end. If it is frozen: "
                          "fsfreeze(8).");
        sets->freezers_child = child_free(child);
}

/**
 * sets_await_freezers() - has a file system thawed that somebody freezes who was killed in the call
 * @sets:       all sets
 *
 * When the disk answers there is nobody who would, and nobody may call anything for a long time.
 */
void sets_await_freezers(Sets *sets) {
        int r;

        if (sets->freezers_child || !let_go_has_freezers())
                return;
        r = child_fork(&sets->freezers_child, sets->event, await_freezers, NULL, HOLD_WAIT_USEC,
                       on_freezers_gone, sets);
        if (r < 0)
                log_error(
                        "No process could be made that waits for the end of a freeze: %s. If a file system "
                        "stays frozen: fsfreeze(8).",
                        strerror(-r));
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
        sets_await_freezers(sets);
        if (r != LET_GO_E_HELD)
                return error_trace(r);
        log_notice("A quiesced-hold of before this start still lets go; what it leaves is let go after it.");
        return error_trace(child_fork(&sets->held_child, sets->event, await_holds, sets, HOLD_WAIT_USEC,
                                      on_awaited, sets));
}
