/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Mount with `writable`: what is mounted is a copy of the snapshot, made by its provider for that and thrown
 * away when it is unmounted, by whomever. So what is written there is never in the snapshot.
 *
 * A copy that is not open any more has no mount any more, in no namespace: that is looked for whenever the
 * host's mounts change. Nothing here keeps a descriptor on the mount, or it would stay open; which mount it
 * is stands in its record.
 */

#include <assert.h>
#include <fcntl.h>

#include "daemon/sets/sets-internal.h"
#include "daemon/sets/tree-child.h"
#include "util/error.h"
#include "util/log.h"

#define COPY_MOUNT_LIMIT_USEC (60 * USEC_PER_SEC)

/* A Mount or Unmount of a copy under way. */
struct CopyCall {
        SetVolume *volume;
        int directory_fd; /* Mount; or -1 */
        uint32_t uid;
        Child *child;
        ContractError error; /* of a Mount that is being undone */
        char text[CONTRACT_TEXT_MAX];
        StepDone done;
        void *userdata;
};

struct CopyWatch {
        int mountinfo_fd;
        sd_event_source *source;
};

static const char *runtime_dir(const SetVolume *volume) {
        return volume->set->sets->config.runtime_dir;
}

/**
 * copy_call_free() - forget a call without answering it
 * @call:       it or NULL
 *
 * Return: NULL.
 */
CopyCall *copy_call_free(CopyCall *call) {
        if (!call)
                return NULL;
        (void) child_free(call->child);
        (void) fd_close(call->directory_fd);
        free(call);
        return NULL;
}

static void call_answer(CopyCall *call, ContractError error, const char *text) {
        SetVolume *volume = call->volume;
        SnapshotSet *set = volume->set;
        StepResult result = {.error = error, .text = error == CONTRACT_OK ? NULL : text};

        volume->copy_call = NULL;
        call->done(set, CONTRACT_STEP_NONE, volume->given.index, &result, call->userdata);
        (void) copy_call_free(call);
        snapshot_set_reap(set);
}

/* Whether something may be done to it now, that is no step. */
static bool volume_is_free(const SetVolume *volume) {
        return volume->state == SNAPSHOT_CREATED && !volume->busy && volume->set->step == CONTRACT_STEP_NONE;
}

/* Where the snapshot is being deleted, that removes the copy, too. */
static void copy_remove(SetVolume *volume) {
        mount_records_prune(runtime_dir(volume), volume->given.snapshot_id);
        if (volume_is_free(volume))
                phase_begin(volume, PROVIDER_UNCOPY);
        else if (volume->copy_call)
                call_answer(volume->copy_call, volume->copy_call->error, volume->copy_call->text);
}

/* What the child said, in one line. */
static void call_fail(CopyCall *call, const ChildResult *result) {
        call->error = result->error < 0                      ? CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR
                      : result->status == TREE_NOT_YOURS     ? CONTRACT_ERROR_ACCESS_DENIED
                      : result->status == TREE_NOT_SUPPORTED ? CONTRACT_ERROR_NOT_SUPPORTED
                      : result->status == TREE_IN_USE        ? CONTRACT_ERROR_VOLUME_BUSY
                                                             : CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR;
        if (result->error < 0)
                (void) snprintf(call->text, sizeof(call->text),
                                "The writable copy of the snapshot of %.128s: %s.", call->volume->given.name,
                                result->error == -ETIMEDOUT ? "no answer in time"
                                                            : strerror(-result->error));
        else
                (void) snprintf(call->text, sizeof(call->text),
                                "The writable copy of the snapshot of %.128s: %.*s.",
                                call->volume->given.name, (int) strcspn(result->err, "\n"), result->err);
}

static void on_mounted(Child *child, const ChildResult *result, void *userdata) {
        CopyCall *call = userdata;
        SetVolume *volume = call->volume;
        int r;

        volume->set->n_operations_beside--;
        if (result->error < 0 || result->status != 0) {
                call_fail(call, result);
                call->child = child_free(child);
                copy_remove(volume);
                return;
        }
        r = mount_records_add(runtime_dir(volume), volume->given.snapshot_id, result->fds[0], true, false);
        if (r < 0)
                log_warning("it could not be noted that a writable copy of snapshot %s is mounted: %s",
                            volume->given.snapshot_id, strerror(-r));
        call->child = child_free(child);
        call_answer(call, CONTRACT_OK, NULL);
}

static void call_run(CopyCall *call, ChildFunction function, const TreeRequest *request, ChildDone done) {
        SnapshotSet *set = call->volume->set;
        int r;

        r = child_fork(&call->child, set->sets->event, function, (void *) request, COPY_MOUNT_LIMIT_USEC,
                       done, call);
        if (r >= 0) {
                set->n_operations_beside++;
                return;
        }
        call->error = CONTRACT_ERROR_UNEXPECTED;
        (void) snprintf(call->text, sizeof(call->text), "No process could be made: %s.", strerror(-r));
        if (call->directory_fd >= 0)
                copy_remove(call->volume);
        else
                call_answer(call, call->error, call->text);
}

static void copy_made(SetVolume *volume, ContractError error, const char *text) {
        CopyCall *call = volume->copy_call;
        TreeRequest request;

        if (error != CONTRACT_OK) {
                call_answer(call, error, text);
                return;
        }
        if (!volume_is_free(volume)) {
                call_answer(call, CONTRACT_ERROR_OBJECT_NOT_FOUND, "The snapshot is being deleted.");
                return;
        }
        request = (TreeRequest){.volume = &volume->given,
                                .directory_fd = call->directory_fd,
                                .uid = call->uid,
                                .writable = true};
        call_run(call, tree_child_open, &request, on_mounted);
}

/**
 * copy_operation_over() - COPY or UNCOPY has ended
 * @volume:     of which
 * @phase:      which of the two
 * @error:      how
 * @text:       with an error: why
 */
void copy_operation_over(SetVolume *volume, ProviderPhase phase, ContractError error, const char *text) {
        CopyCall *call = volume->copy_call;

        if (phase == PROVIDER_COPY && call)
                copy_made(volume, error, text);
        else if (call && call->error != CONTRACT_OK)
                call_answer(call, call->error, call->text);
        else if (call)
                call_answer(call, error, text);
        else if (error != CONTRACT_OK)
                log_warning("%s", text);
}

/**
 * snapshot_set_mount_writable() - mount a writable copy of a snapshot in the host's namespace
 * @set:                the set
 * @snapshot_id:        which
 * @options:            where, for whom; the descriptor stays the caller's
 * @done:               called once, from the event loop
 * @userdata:           for @done
 *
 * Return: 0; -ENOENT: no such snapshot that is created; -EOPNOTSUPP: SnapshotInfo.no_tree says why; -ENOSYS:
 * its provider makes no copies; -EBUSY: it has a copy already; -ETXTBSY: it is mounted, and its copy would
 * need its device; -EAGAIN: something else is done to it just now; or another negative errno. @done is not
 * called then.
 */
int snapshot_set_mount_writable(SnapshotSet *set, const char *snapshot_id, const MountOptions *options,
                                StepDone done, void *userdata) {
        SetVolume *volume = snapshot_set_find_volume(set, snapshot_id);
        _cleanup_(mount_records_done) MountRecords mounts = {};
        CopyCall *call;

        if (!volume || volume->state != SNAPSHOT_CREATED)
                return error_origin(-ENOENT);
        if (volume->given.no_tree)
                return error_origin(-EOPNOTSUPP);
        if (!volume->given.ops->op[PROVIDER_COPY])
                return error_origin(-ENOSYS);
        if (volume->given.copy_device || volume->copy_call)
                return error_origin(-EBUSY);
        (void) snapshot_set_get_mounts(set, snapshot_id, &mounts);
        if (mounts.n > 0 && volume->given.ops->copy_needs_device)
                return error_origin(-ETXTBSY);
        if (!volume_is_free(volume))
                return error_origin(-EAGAIN);
        call = calloc(1, sizeof(*call));
        if (!call)
                return error_origin(-ENOMEM);
        *call = (CopyCall){.volume = volume,
                           .directory_fd = fcntl(options->directory_fd, F_DUPFD_CLOEXEC, 3),
                           .uid = options->uid,
                           .done = done,
                           .userdata = userdata};
        if (call->directory_fd < 0) {
                free(call);
                return error_origin(-errno);
        }
        volume->copy_call = call;
        volume->copy_lost = false;
        volume->given.copy_size = options->copy_size;
        phase_begin(volume, PROVIDER_COPY);
        return 0;
}

static void on_unmounted(Child *child, const ChildResult *result, void *userdata) {
        CopyCall *call = userdata;
        SetVolume *volume = call->volume;

        volume->set->n_operations_beside--;
        if (result->error < 0 || result->status != 0) {
                call_fail(call, result);
                call->child = child_free(child);
                call_answer(call, call->error, call->text);
                return;
        }
        call->child = child_free(child);
        copy_remove(volume);
}

/**
 * copy_unmount() - undo snapshot_set_mount_writable()
 * @volume:     has a copy
 * @mount_id:   as which it is mounted; 0: that is not known
 * @done:       called once, from the event loop; VOLUME_BUSY: somebody has it open, and it stays mounted
 * @userdata:   for @done
 *
 * Return: 0; -EAGAIN: something else is done to it just now; or another negative errno.
 */
int copy_unmount(SetVolume *volume, uint64_t mount_id, StepDone done, void *userdata) {
        TreeRequest request = {.volume = &volume->given, .only_unused = true, .mount_id = mount_id};
        CopyCall *call;

        if (volume->copy_call || !volume_is_free(volume))
                return error_origin(-EAGAIN);
        call = calloc(1, sizeof(*call));
        if (!call)
                return error_origin(-ENOMEM);
        *call = (CopyCall){.volume = volume, .directory_fd = -EBADF, .done = done, .userdata = userdata};
        volume->copy_call = call;
        call_run(call, tree_child_unmount, &request, on_unmounted);
        return 0;
}

static void copy_look(SetVolume *volume) {
        const ProviderOps *ops = volume->given.ops;

        if (!volume->given.copy_device || volume->copy_call || !volume_is_free(volume))
                return;
        if (!ops->copy_is_open(&volume->given)) {
                copy_remove(volume);
                return;
        }
        if (volume->copy_lost || !ops->copy_is_lost(&volume->given))
                return;
        volume->copy_lost = true;
        log_warning(
                "The writable copy of the snapshot %s of %s is lost: more was written into it than its store "
                "holds. The snapshot is as it was. Unmount it, and mount it anew with a larger store "
                "(--cow-size).",
                volume->given.snapshot_id, volume->given.name);
}

/**
 * copies_look() - which copies are used no more, and which are lost
 * @sets:       all
 */
void copies_look(Sets *sets) {
        if (lvm_gate_is_closed(sets->lvm))
                return; /* sets_window_end() looks after room again, and that leads here */
        for (size_t i = 0; i < sets->n_sets; i++)
                for (size_t k = 0; k < sets->sets[i]->n_volumes; k++)
                        copy_look(sets->sets[i]->volumes[k]);
}

static int on_mountinfo(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        copies_look(userdata);
        return 0;
}

/**
 * copy_watch_new() - look after copies that somebody unmounts by himself
 * @sets:       whose
 *
 * Return: 0, or a negative errno.
 */
int copy_watch_new(Sets *sets) {
        CopyWatch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch)
                return error_origin(-ENOMEM);
        sets->copy_watch = watch;
        watch->mountinfo_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        if (watch->mountinfo_fd < 0)
                return error_origin(-errno);
        r = sd_event_add_io(sets->event, &watch->source, watch->mountinfo_fd, EPOLLPRI, on_mountinfo, sets);
        return error_trace(r < 0 ? r : 0);
}

/**
 * copy_watch_free() - look after them no more
 * @watch:      it or NULL
 *
 * Return: NULL.
 */
CopyWatch *copy_watch_free(CopyWatch *watch) {
        if (!watch)
                return NULL;
        (void) sd_event_source_disable_unref(watch->source);
        (void) fd_close(watch->mountinfo_fd);
        free(watch);
        return NULL;
}
