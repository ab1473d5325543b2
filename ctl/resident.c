/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The resident requester from its first call to its last; see resident.h.
 *
 * A quiesced that is restarted meanwhile does not end it: the session is lost then, but its snapshots can be
 * read as long as we are there, so we stay for whoever reads them.
 */

#include "ctl/resident.h"

#include <signal.h>
#include <systemd/sd-daemon.h>

#include "ctl/format.h"
#include "ctl/freeze.h"

static int on_ttl(sd_event_source *source, uint64_t usec, void *userdata) {
        Resident *resident = userdata;

        resident->expired = true;
        return 0;
}

static int make_plan(Resident *resident) {
        int r;

        if (resident->options->plan.n_paths == 0)
                return 0;
        r = mount_table_new(&resident->table, NULL);
        if (r >= 0)
                r = plan_new(&resident->plan, resident->table, &resident->options->plan);
        return error_trace(r);
}

static int note_snapshot(Resident *resident, const char *id) {
        ResidentSnapshot *snapshots;

        for (size_t i = 0; i < resident->n_snapshots; i++)
                if (streq(resident->snapshots[i].id, id))
                        return 0;
        snapshots = reallocarray(resident->snapshots, resident->n_snapshots + 1, sizeof(*snapshots));
        if (!snapshots)
                return error_origin(-ENOMEM);
        resident->snapshots = snapshots;
        snapshots[resident->n_snapshots] = (ResidentSnapshot){.id = strdup(id)};
        if (!snapshots[resident->n_snapshots].id)
                return error_origin(-ENOMEM);
        resident->n_snapshots++;
        return 0;
}

static int add_name(Resident *resident, const char *name) {
        const QuiesceVolume volume = {.size = sizeof(volume), .name = name};
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *snapshot = NULL;
        int r;

        r = backup_add(&resident->backup, &volume, &snapshot, &error);
        if (r >= 0)
                return error_trace(note_snapshot(resident, snapshot));
        if (r == -EINTR)
                return r;
        progress_clear(&resident->backup.progress);
        return say_bus_error(name, &error, r);
}

static int add_volumes(Resident *resident) {
        int r = 0;

        if (resident->plan)
                r = backup_add_plan(&resident->backup, resident->plan);
        for (size_t i = 0; r == 0 && resident->plan && i < resident->plan->n_volumes; i++)
                if (resident->plan->volumes[i].snapshot)
                        r = note_snapshot(resident, resident->plan->volumes[i].snapshot);
        for (size_t i = 0; r == 0 && i < resident->options->n_names; i++)
                r = add_name(resident, resident->options->names[i]);
        return r;
}

static int start_clock(Resident *resident) {
        int r;

        r = sd_event_add_time_relative(resident->backup.event, NULL, CLOCK_BOOTTIME,
                                       resident->options->ttl_usec, 0, on_ttl, resident);
        return error_trace(r < 0 ? r : 0);
}

/**
 * resident_begin() - open the session, and add the volumes to a set that is to be made
 * @resident:   its options, and who waits for it; resident_done() it in any case
 *
 * Return: as said in resident.h.
 */
int resident_begin(Resident *resident) {
        int r;

        r = make_plan(resident);
        if (r == 0)
                r = backup_init(&resident->backup, &resident->options->backup);
        if (r == 0 && resident->handover)
                r = handover_watch(resident->handover, &resident->backup);
        if (r == 0)
                r = backup_begin(&resident->backup);
        if (r == 0)
                r = add_volumes(resident);
        if (r == 0 && resident->options->freeze && resident->n_snapshots == 0) {
                say("none of this lies on a block device: there is nothing to freeze");
                return CTL_E_SAID;
        }
        return r;
}

/* Everything else until the caller can go on. */
static int make(Resident *resident) {
        int r;

        r = backup_make_set(&resident->backup);
        if (r == 0 && resident->options->directory)
                r = resident_mounts_make(&resident->mounts, resident);
        if (r == 0)
                r = resident_server_new(&resident->server, resident);
        if (r == 0)
                r = start_clock(resident);
        if (r == 0)
                r = resident_print(resident);
        progress_clear(&resident->backup.progress);
        if (r == 0 && resident->handover)
                r = handover_finish(resident->handover);
        return r;
}

static void say_expired(Resident *resident) {
        char took[FORMAT_MAX];

        say("session %s was not ended within %s (--ttl): it is released, and its snapshots go; unless "
            "'quiescectl complete' came before, the backup counts as not completed",
            quiesce_backup_get_id(resident->backup.session),
            format_duration(took, resident->options->ttl_usec));
}

/* Until somebody ends it, or something does. Return: the exit status. */
static int hold(Resident *resident) {
        Backup *backup = &resident->backup;
        bool over = false;
        int r = 0;

        while (r >= 0 && !over && !resident->expired && !backup->signal && !backup->disconnected)
                if (!resident_server_carry_out(resident->server, &over))
                        r = sd_event_run(backup->event, UINT64_MAX);
        (void) sd_notify(0, "STOPPING=1");
        if (over)
                return EXIT_SUCCESS;
        if (r < 0)
                say("cannot wait for requests: %s", strerror(-r));
        if (resident->expired)
                say_expired(resident);
        if (backup_release(backup, backup->signal != 0) != 0 || r < 0 || resident->expired)
                return EXIT_FAILURE;
        return backup->disconnected ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int failed(Resident *resident, int r) {
        Backup *backup = &resident->backup;

        progress_clear(&backup->progress);
        if (r < 0 && r != -EINTR)
                say("cannot go on: %s", strerror(-r));
        if (backup->signal)
                say("interrupted by SIG%s", sigabbrev_np(backup->signal));
        (void) backup_release(backup, true);
        return backup->signal ? 128 + backup->signal : EXIT_FAILURE;
}

/**
 * resident_done() - leave nothing behind
 * @resident:   it
 */
void resident_done(Resident *resident) {
        resident->server = resident_server_free(resident->server);
        backup_done(&resident->backup);
        resident->mounts = resident_mounts_free(resident->mounts);
        plan_free(resident->plan);
        mount_table_free(resident->table);
        for (size_t i = 0; i < resident->n_snapshots; i++) {
                free(resident->snapshots[i].id);
                free(resident->snapshots[i].point);
        }
        free(resident->snapshots);
}

/**
 * resident_run() - make the set, tell its caller, and hold the session until it is ended
 * @options:    of the command line
 *
 * Return: the exit status.
 */
int resident_run(const BeginOptions *options) {
        Resident resident = {.options = options};
        int r, status = EXIT_FAILURE;

        r = handover_new(&resident.handover);
        if (r == 0)
                r = resident_begin(&resident);
        if (r == 0 && options->freeze)
                r = resident_freeze(&resident, &status);
        else if (r == 0)
                r = make(&resident);
        if (r != 0)
                status = failed(&resident, r);
        else if (!options->freeze) {
                if (!resident.handover)
                        (void) sd_notify(0, "READY=1");
                resident.backup.progress.terminal = isatty(STDERR_FILENO);
                status = hold(&resident);
        }
        resident_done(&resident);
        (void) handover_free(resident.handover, r == 0 ? 0 : status);
        return status;
}
