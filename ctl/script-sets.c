/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * "break" and "revert"; see script-run.h. They are about any persistent set, not the script's alone.
 */

#include "ctl/revert.h"
#include "ctl/script-run.h"

/**
 * run_break() - make a set's snapshots volumes like any other
 * @run:        it
 *
 * Return: as said in script-run.h.
 */
int run_break(ScriptRun *run) {
        _cleanup_(dict_array_done) DictArray broken = {};
        _cleanup_free_ char *id = NULL;
        int r;

        r = run_expand(run, run->command->argument, &id);
        if (r == 0)
                r = set_break(&broken, run->backup.bus, id, "", run->command->writable);
        if (r != 0)
                return r;
        progress_clear(&run->backup.progress);
        for (size_t i = 0; i < broken.n_dicts; i++)
                printf("Snapshot %s = volume %s\n", dict_get_string(&broken.dicts[i], "snapshot"),
                       dict_get_string(&broken.dicts[i], "volume"));
        (void) fflush(stdout);
        return 0;
}

/* revert_await()'s; a signal ends the script, not what LVM does. */
static int wait_in_loop(void *userdata) {
        ScriptRun *run = userdata;
        int r;

        r = sd_event_run(run->backup.event, USEC_PER_SEC);
        return r < 0 ? error_trace(r) : run->backup.signal ? -EINTR : 0;
}

static bool is_a_snapshot(const Revert *revert, const char *id) {
        for (size_t i = 0; i < revert->snapshots.n_dicts; i++)
                if (streq(dict_get_string(&revert->snapshots.dicts[i], "Id"), id))
                        return true;
        return false;
}

/**
 * run_revert() - make volumes what their snapshots are, and wait for those that nobody uses
 * @run:        it
 *
 * On Windows it is one volume. Here those of a set belong together: the id of a snapshot stands for its
 * volume alone if the set has no other.
 *
 * Return: as said in script-run.h.
 */
int run_revert(ScriptRun *run) {
        _cleanup_(revert_done) Revert revert = {};
        _cleanup_free_ char *id = NULL;
        int r;

        r = run_expand(run, run->command->argument, &id);
        if (r == 0)
                r = revert_find(&revert, run->backup.bus, id);
        if (r != 0)
                return r;
        if (revert.snapshots.n_dicts > 1 && is_a_snapshot(&revert, id)) {
                run_say(run,
                        "%s is one of %zu snapshots of a set, which are of one instant together; 'revert %s' "
                        "reverts all their volumes",
                        id, revert.snapshots.n_dicts, revert.id);
                return CTL_E_SAID;
        }
        r = revert_call(&revert, run->backup.bus, id, false);
        if (r == 0)
                r = revert_await(&revert, run->backup.bus, &run->backup.progress, wait_in_loop, run);
        return r == 0 ? revert_say_how_far(&revert, run->backup.bus, run->backup.progress.quiet) : r;
}
