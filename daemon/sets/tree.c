/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Looking into snapshots: OpenTree, Mount, Unmount, and finding out what file system is on them. All of it
 * is done by forked children (tree-child.c), each with a deadline.
 */

#include <assert.h>
#include <fcntl.h>

#include "daemon/sets/sets-internal.h"
#include "daemon/sets/tree-child.h"
#include "util/error.h"
#include "util/log.h"

#define TREE_LIMIT_USEC  (60 * USEC_PER_SEC)
#define PROBE_LIMIT_USEC (30 * USEC_PER_SEC)

typedef struct TreeCall {
        SnapshotSet *set;
        char snapshot_id[CONTRACT_ID_MAX];
        Child *child;
        bool attach, gives_way;
        TreeOpened opened; /* OpenTree */
        StepDone done;     /* Mount, Unmount */
        void *userdata;
} TreeCall;

/* The text of a failure: what the child said, in one line. */
static void tree_reason(const ChildResult *result, char *text, size_t size) {
        if (result->error == -ETIMEDOUT)
                (void) snprintf(text, size, "The snapshot could not be looked into in time.");
        else
                (void) snprintf(text, size, "The snapshot could not be looked into: %.*s.",
                                (int) strcspn(result->err, "\n"), result->err);
}

static const char *runtime_dir(const SetVolume *volume) {
        return volume->set->sets->config.runtime_dir;
}

static void note_attached(SetVolume *volume, int tree_fd, bool gives_way) {
        int r = mount_records_add(runtime_dir(volume), volume->given.snapshot_id, tree_fd, false, gives_way);

        if (r < 0)
                log_warning(
                        "it could not be noted that snapshot %s is mounted: %s; quiesced will not unmount "
                        "it by itself",
                        volume->given.snapshot_id, strerror(-r));
}

static void tree_call_answer(TreeCall *call, const ChildResult *result) {
        SetVolume *volume = snapshot_set_find_volume(call->set, call->snapshot_id);
        bool good = result->error == 0 && result->status == 0 && volume;
        StepResult answer = {.error = good ? CONTRACT_OK : CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR};
        char text[CONTRACT_TEXT_MAX];

        tree_reason(result, text, sizeof(text));
        if (result->error == 0 && result->status == TREE_NOT_YOURS)
                answer.error = CONTRACT_ERROR_ACCESS_DENIED;
        if (result->error == 0 && result->status == TREE_NOT_SUPPORTED)
                answer.error = CONTRACT_ERROR_NOT_SUPPORTED;
        if (call->opened) {
                call->opened(good                                           ? 0
                             : answer.error == CONTRACT_ERROR_NOT_SUPPORTED ? -EOPNOTSUPP
                                                                            : -EIO,
                             good ? TAKE_FD(result->fds[0]) : -EBADF, good ? NULL : text, call->userdata);
                return;
        }
        if (good && call->attach)
                note_attached(volume, result->fds[0], call->gives_way);
        else if (good)
                mount_records_prune(runtime_dir(volume), volume->given.snapshot_id);
        else
                answer.text = text;
        call->done(call->set, CONTRACT_STEP_NONE, volume ? volume->given.index : 0, &answer, call->userdata);
}

static void on_tree(Child *child, const ChildResult *result, void *userdata) {
        _cleanup_free_ TreeCall *call = userdata;
        SnapshotSet *set = call->set;

        set->n_operations_beside--;
        tree_call_answer(call, result);
        (void) child_free(child);
        snapshot_set_reap(set);
}

/* The request is looked at in the child, as it is now. */
static int tree_call_begin(SnapshotSet *set, const char *snapshot_id, ChildFunction function,
                           TreeRequest request, TreeCall given) {
        const SetVolume *volume = snapshot_set_find_volume(set, snapshot_id);
        _cleanup_free_ TreeCall *call = NULL;
        int r;

        if (!volume || volume->state != SNAPSHOT_CREATED || volume->detaching)
                return error_origin(-ENOENT);
        if (volume->given.no_tree)
                return error_origin(-EOPNOTSUPP);
        call = malloc(sizeof(*call));
        if (!call)
                return error_origin(-ENOMEM);
        *call = given;
        call->set = set;
        (void) snprintf(call->snapshot_id, sizeof(call->snapshot_id), "%s", snapshot_id);
        request.volume = &volume->given;
        r = child_fork(&call->child, set->sets->event, function, &request, TREE_LIMIT_USEC, on_tree, call);
        if (r < 0)
                return error_trace(r);
        set->n_operations_beside++;
        call = NULL; /* the callback's */
        return 0;
}

/**
 * snapshot_set_open_tree() - a detached read-only mount of a snapshot's file system
 * @set:                the set
 * @snapshot_id:        which
 * @done:               called once, from the event loop; the descriptor is its own
 * @userdata:           for @done
 *
 * Return: 0; -ENOENT: no such snapshot that is created; -EOPNOTSUPP: SnapshotInfo.no_tree says why; or
 * another negative errno. @done is not called then.
 */
int snapshot_set_open_tree(SnapshotSet *set, const char *snapshot_id, TreeOpened done, void *userdata) {
        assert(set && snapshot_id && done);
        return error_trace(tree_call_begin(set, snapshot_id, tree_child_open,
                                           (TreeRequest){.directory_fd = -EBADF},
                                           (TreeCall){.opened = done, .userdata = userdata}));
}

/**
 * snapshot_set_mount() - mount a snapshot in the host's namespace
 * @set:                the set
 * @snapshot_id:        which
 * @options:            where, for whom; the descriptor stays the caller's
 * @done:               called once, from the event loop
 * @userdata:           for @done
 *
 * Return: as snapshot_set_open_tree(); -EUSERS if it is mounted MOUNT_RECORDS_MAX times already; -ETXTBSY:
 * its copy has its device.
 */
int snapshot_set_mount(SnapshotSet *set, const char *snapshot_id, const MountOptions *options, StepDone done,
                       void *userdata) {
        _cleanup_(mount_records_done) MountRecords mounts = {};
        const SetVolume *volume;

        assert(set && snapshot_id && options->directory_fd >= 0 && done);
        volume = snapshot_set_find_volume(set, snapshot_id);
        if (volume && volume->given.ops->copy_needs_device &&
            (volume->given.copy_device || volume->copy_call))
                return error_origin(-ETXTBSY);
        if (snapshot_set_get_mounts(set, snapshot_id, &mounts) == 0 && mounts.n >= MOUNT_RECORDS_MAX)
                return error_origin(-EUSERS);
        return error_trace(
                tree_call_begin(set, snapshot_id, tree_child_open,
                                (TreeRequest){.directory_fd = options->directory_fd, .uid = options->uid},
                                (TreeCall){.attach = true,
                                           .gives_way = options->gives_way,
                                           .done = done,
                                           .userdata = userdata}));
}

/* Which one is meant: that of an id, the only one, or the only one that somebody would miss. Return: it;
 * NULL: none is known; *ret_several: it is more than one. */
static const MountRecord *choose_mount(const MountRecords *mounts, uint64_t id, bool *ret_several) {
        const MountRecord *chosen = NULL;
        size_t n = 0;

        *ret_several = false;
        for (size_t i = 0; i < mounts->n; i++) {
                const MountRecord *mount = &mounts->mounts[i];

                if (id != 0 ? mount->id == id : mounts->n == 1 || !mount->gives_way) {
                        chosen = mount;
                        n++;
                }
        }
        *ret_several = id == 0 && mounts->n > 1 && n != 1;
        return *ret_several ? NULL : chosen;
}

/**
 * snapshot_set_unmount() - undo one snapshot_set_mount() or snapshot_set_mount_writable()
 * @set:                the set
 * @snapshot_id:        which
 * @mount_id:           which mount of it, be it one that is not noted; 0: the only one, or of several the
 * only one that does not give way; if none is known, whatever is mounted of its device
 * @done:               called once, from the event loop
 * @userdata:           for @done
 *
 * Return: as snapshot_set_open_tree(); -ENOTUNIQ: there are several, and @mount_id is 0.
 */
int snapshot_set_unmount(SnapshotSet *set, const char *snapshot_id, uint64_t mount_id, StepDone done,
                         void *userdata) {
        SetVolume *volume = snapshot_set_find_volume(set, snapshot_id);
        _cleanup_(mount_records_done) MountRecords mounts = {};
        TreeRequest request = {.directory_fd = -EBADF, .mount_id = mount_id};
        const MountRecord *mount;
        bool several;
        int r;

        assert(set && snapshot_id && done);
        r = snapshot_set_get_mounts(set, snapshot_id, &mounts);
        if (r < 0)
                return error_trace(r);
        mount = choose_mount(&mounts, mount_id, &several);
        if (several)
                return error_origin(-ENOTUNIQ);
        if (volume && volume->given.copy_device && (mount ? mount->writable : mount_id == 0))
                return error_trace(copy_unmount(volume, mount ? mount->id : 0, done, userdata));
        if (mount) {
                request.mounts = mount;
                request.n_mounts = 1;
        } else
                request.everything = mount_id == 0;
        return error_trace(tree_call_begin(set, snapshot_id, tree_child_unmount, request,
                                           (TreeCall){.done = done, .userdata = userdata}));
}

/**
 * snapshot_set_get_mounts() - as what a snapshot is mounted on the host
 * @set:                the set
 * @snapshot_id:        which
 * @ret:                all that are there of snapshot_set_mount() and snapshot_set_mount_writable(), be it
 * an earlier quiesced's; mount_records_done() it, also after an error
 *
 * Return: 0, or a negative errno.
 */
int snapshot_set_get_mounts(const SnapshotSet *set, const char *snapshot_id, MountRecords *ret) {
        return error_trace(mount_records_read(ret, set->sets->config.runtime_dir, snapshot_id));
}

static void no_tree_set(ProviderVolume *given, const char *reason) {
        free(given->no_tree);
        given->no_tree = strdup(reason);
}

/* Why nobody can look into it, if nobody can. What is not known shows when somebody tries. */
static void tree_judge(ProviderVolume *given) {
        const char *type = given->file_system;

        if (!type || given->no_tree)
                return;
        if (streq(type, ""))
                no_tree_set(given, "The volume has no file system.");
        else if (streq(type, "LVM2_member") || streq(type, "linux_raid_member") || streq(type, "swap"))
                no_tree_set(given, "What is on the volume is no file system.");
        else if (streq(type, "btrfs"))
                no_tree_set(given, "The kernel cannot mount a btrfs and its copy at the same time.");
}

static void probe_next(SnapshotSet *set);

static void on_probed(Child *child, const ChildResult *result, void *userdata) {
        SnapshotSet *set = userdata;
        ProviderVolume *given = &set->volumes[set->probed]->given;

        if (result->error == 0 && result->status == 0)
                given->file_system = strdup(result->out);
        set->helper = child_free(child);
        tree_judge(given);
        set->probed++;
        probe_next(set);
        if (!set->helper)
                step_advance(set);
}

/* What was mounted is known; the rest is asked for, one after another. */
static void probe_next(SnapshotSet *set) {
        for (; set->probed < set->n_volumes; set->probed++) {
                ProviderVolume *given = &set->volumes[set->probed]->given;
                TreeRequest request = {.volume = given};
                Child *child;

                if (given->ops->open_tree_child)
                        continue; /* it has no device */
                if (!given->file_system && given->device &&
                    child_fork(&child, set->sets->event, tree_child_probe, &request, PROBE_LIMIT_USEC,
                               on_probed, set) >= 0) {
                        set->helper = child;
                        return;
                }
                tree_judge(given);
        }
}

/**
 * tree_probe_adopted() - what is on the snapshots of a set that was found again
 * @set:        the set; it may be used meanwhile
 */
void tree_probe_adopted(SnapshotSet *set) {
        set->probed = 0;
        probe_next(set);
}

/**
 * stage_probe() - FINAL_COMMIT: what is on the snapshots
 * @set:        the set
 *
 * Return: whether that is known.
 */
StageResult stage_probe(SnapshotSet *set) {
        if (!set->stage_entered) {
                set->stage_entered = true;
                set->probed = 0;
                probe_next(set);
        }
        return set->helper ? STAGE_WAIT : STAGE_DONE;
}

static void on_beside(Child *child, const ChildResult *result, void *userdata) {
        SetVolume *volume = userdata;
        SnapshotSet *set = volume->set;

        if (volume->detaching) {
                volume->detaching = false;
                mount_records_prune(runtime_dir(volume), volume->given.snapshot_id);
        } else if (result->error == 0 && result->n_out > 0)
                (void) snprintf(volume->last_text, sizeof(volume->last_text),
                                "The snapshot %s of %s is open in %.256s; it goes when they close it.",
                                volume->given.snapshot_id, volume->given.name, result->out);
        set->helper = child_free(child);
        step_advance(set);
}

/**
 * tree_detach() - DELETE: undo all its mounts, of this quiesced or of one before it, once
 * @volume:     it; may be mounted or not
 *
 * Return: whether step_advance() will be called when it is over.
 */
bool tree_detach(SetVolume *volume) {
        _cleanup_(mount_records_done) MountRecords mounts = {};
        TreeRequest request = {.volume = &volume->given};

        if (volume->detached)
                return false;
        volume->detached = true;
        (void) snapshot_set_get_mounts(volume->set, volume->given.snapshot_id, &mounts);
        request.mounts = mounts.mounts;
        request.n_mounts = mounts.n;
        /* Whatever is not noted of a copy is looked for by its device. */
        request.everything = volume->given.copy_device;
        if (mounts.n == 0 && !request.everything)
                return false;
        volume->detaching = true;
        if (child_fork(&volume->set->helper, volume->set->sets->event, tree_child_unmount, &request,
                       TREE_LIMIT_USEC, on_beside, volume) >= 0)
                return true;
        volume->detaching = false;
        return false;
}

/**
 * tree_name_holders() - DELETE: who has the snapshot open, into last_text
 * @volume:     with a device
 *
 * Return: as tree_detach().
 */
bool tree_name_holders(SetVolume *volume) {
        TreeRequest request = {.volume = &volume->given};

        if (!volume->given.device)
                return false;
        return child_fork(&volume->set->helper, volume->set->sets->event, tree_child_holders, &request,
                          PROBE_LIMIT_USEC, on_beside, volume) >= 0;
}
