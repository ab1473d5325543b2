/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl freeze --detach: the resident requester stays inside DoSnapshotSet, all frozen, until somebody
 * says "quiescectl thaw", or the time is over.
 *
 * From "frozen" to the thaw it writes nothing and needs no page it does not have: the caller may have frozen
 * file systems itself meanwhile, as the QEMU guest agent does. So the id is told before anything is frozen;
 * that the caller can go on is told by READY=1 (or a line "frozen" with --foreground).
 */

#include <signal.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>

#include "ctl/command.h"
#include "ctl/format.h"
#include "ctl/freeze.h"

typedef struct Frozen {
        Resident *resident;
        Moment moment;
        Outputs outputs;
        sd_bus_message *thaw; /* answered when everything is thawed */
        bool failed;          /* the caller of thaw says that it has no snapshot */
        bool complete;
} Frozen;

static int on_thaw(Resident *resident, sd_bus_message *call, sd_bus_error *error) {
        Frozen *frozen = resident->thaw_userdata;
        int failed, complete, r;
        const char *text;

        r = sd_bus_message_read(call, "bsb", &failed, &text, &complete);
        if (r < 0)
                return error_trace(r);
        if (!frozen->moment.frozen || frozen->thaw)
                return sd_bus_error_setf(error, RESIDENT_ERROR, "it is %s",
                                         frozen->thaw ? "being thawed already" : "not frozen yet");
        frozen->thaw = sd_bus_message_ref(call);
        frozen->failed = failed;
        frozen->complete = complete || frozen->resident->options->freeze->complete;
        if (*text == '\0' && !failed && frozen->resident->options->freeze->id)
                text = frozen->resident->options->freeze->id;
        moment_say(&frozen->moment, !failed, text);
        return 1;
}

static void on_frozen(void *userdata) {
        Frozen *frozen = userdata;
        Resident *resident = frozen->resident;

        if (resident->handover)
                (void) handover_finish(resident->handover);
        else {
                (void) puts("frozen");
                (void) fflush(stdout);
                (void) sd_notify(0, "READY=1");
        }
        if (outputs_hold(&frozen->outputs) < 0)
                moment_say(&frozen->moment, false, "short of memory");
}

/* What the time's passing means shows in DoSnapshotSet's answer. */
static void on_lost(void *userdata) {
}

/* After the moment, whatever became of it. Return: NULL: all is well; else what is wrong. */
static char *find_fault(const Frozen *frozen, int r) {
        Backup *backup = &frozen->resident->backup;
        _cleanup_free_ char *lost = r == 0 ? backup_find_lost_writer(backup) : NULL;
        _cleanup_free_ char *said = r != 0 ? outputs_read(&frozen->outputs, STDERR_FILENO) : NULL;
        char *text;
        int n;

        if (r == 0 && !lost)
                return NULL;
        if (lost)
                n = asprintf(&text,
                             "the freeze was lost before it was thawed, the snapshot is not consistent: "
                             "writer %s",
                             lost);
        else
                n = asprintf(&text, "%s%.*s",
                             frozen->moment.lost
                                     ? "the freeze was lost before it was thawed, the snapshot is not "
                                       "consistent; "
                                     : "",
                             said ? (int) strcspn(said, "\n") : 0, said ? said : "");
        return n < 0 ? NULL : text;
}

/* Return: the exit status. */
static int finish(Frozen *frozen, int r) {
        Backup *backup = &frozen->resident->backup;
        _cleanup_free_ char *fault = find_fault(frozen, r);
        bool good = r == 0 && !fault;

        moment_done(&frozen->moment);
        outputs_release(&frozen->outputs);
        if (fault && r == 0)
                say("%s", fault);
        if (good && frozen->complete)
                good = backup_complete(backup) == 0;
        if (backup_release(backup, !good) != 0)
                good = false;
        if (frozen->thaw && (good || frozen->failed))
                (void) sd_bus_reply_method_return(frozen->thaw, NULL);
        else if (frozen->thaw)
                (void) sd_bus_reply_method_errorf(
                        frozen->thaw, RESIDENT_ERROR, "%s",
                        fault ? fault : "it was thawed, but the writers could not be told all");
        if (frozen->thaw)
                (void) sd_bus_flush(sd_bus_message_get_bus(frozen->thaw));
        sd_bus_message_unref(frozen->thaw);
        if (backup->signal)
                return EXIT_SIGNAL + backup->signal;
        return good || (frozen->failed && frozen->thaw) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/**
 * resident_freeze() - freeze, and stay so until thaw is said
 * @resident:   its volumes have been added
 * @ret_status: the exit status, if it was frozen at all
 *
 * Return: as said in resident.h, if it was not.
 */
int resident_freeze(Resident *resident, int *ret_status) {
        Backup *backup = &resident->backup;
        Frozen frozen = {.resident = resident,
                         .moment = {.on_frozen = on_frozen, .on_lost = on_lost, .userdata = &frozen}};
        int r;

        resident->thaw = on_thaw;
        resident->thaw_userdata = &frozen;
        r = resident_server_new(&resident->server, resident);
        if (r == 0)
                r = moment_init(&frozen.moment, backup->event);
        if (r == 0)
                r = puts(quiesce_backup_get_id(backup->session)) < 0 || fflush(stdout) != 0
                            ? error_origin(-EIO)
                            : 0;
        if (r != 0) {
                moment_done(&frozen.moment);
                return r;
        }
        (void) mlockall(MCL_CURRENT);
        backup->moment_fd = frozen.moment.peer_fd;
        backup->moment_limit_usec = resident->options->freeze->limit_usec;
        r = backup_make_set(backup);
        progress_clear(&backup->progress);
        if (frozen.moment.frozen) {
                if (r == -EINTR)
                        moment_done(&frozen.moment);
                *ret_status = finish(&frozen, r);
                r = 0;
        } else
                moment_done(&frozen.moment);
        resident->server = resident_server_free(resident->server);
        return r;
}
