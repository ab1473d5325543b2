/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The file systems on a set's volumes: a descriptor on each, opened by a forked child because opening may
 * block, and the one list in which writers and the hold know them by index.
 *
 * A file system that lies on two volumes of the set, one above the other, is listed with the upper one.
 */

#include <assert.h>

#include "daemon/sets/mounts-child.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"

#define OPEN_LIMIT_USEC (20 * USEC_PER_SEC)

/**
 * set_volume_close_mounts() - the file systems may be unmounted again
 * @volume:     whose
 */
void set_volume_close_mounts(SetVolume *volume) {
        for (size_t i = 0; volume->mount_fds && i < volume->given.origin->n_mounts; i++)
                (void) fd_close(volume->mount_fds[i]);
        free(volume->mount_fds);
        volume->mount_fds = NULL;
}

/* Whether suspending the volume freezes that file system. */
static bool mount_is_direct(const SetVolume *volume, const VolumeMount *mount) {
        return volume->given.ops->is_suspended && mount->direct;
}

/* device-mapper freezes what is mounted directly; what is above another device must be reached by us. */
static void mounts_check(SnapshotSet *set, const SetVolume *volume) {
        const Volume *origin = volume->given.origin;

        for (size_t i = 0; i < origin->n_mounts; i++)
                if (volume->mount_fds[i] < 0 && !mount_is_direct(volume, &origin->mounts[i]))
                        step_fail(set, CONTRACT_ERROR_VOLUME_BUSY,
                                  "The file system at %.200s on %s cannot be opened to be frozen; is "
                                  "something mounted over it? Unmount that, or leave the volume out.",
                                  origin->mounts[i].mount_point, origin->name);
        if (origin->unreachable)
                step_fail(
                        set, CONTRACT_ERROR_VOLUME_BUSY,
                        "The file system on %s, which lies on %s, is mounted in a mount namespace that has "
                        "no process any more, and cannot be opened to be frozen. Unmount it, or leave the "
                        "volume out.",
                        origin->unreachable, origin->name);
}

static void on_opened(Child *child, const ChildResult *result, void *userdata) {
        SnapshotSet *set = userdata;
        SetVolume *volume = set->only;

        assert(volume && set->step == CONTRACT_STEP_BEGIN_PREPARE); /* what overtakes frees the child */
        for (size_t i = 0; i < volume->given.origin->n_mounts; i++)
                volume->mount_fds[i] = TAKE_FD(result->fds[i]);
        if (volume_note_beside(volume->given.origin, result->out) < 0)
                step_fail(set, CONTRACT_ERROR_UNEXPECTED, "What %s lies on could not be found out.",
                          volume->given.name);
        set->helper = child_free(child);
        mounts_check(set, volume);
        step_advance(set);
}

static int mounts_open(SnapshotSet *set, SetVolume *volume) {
        size_t n = volume->given.origin->n_mounts;
        Child *child;
        int r;

        volume->mount_fds = calloc(n + 1, sizeof(int));
        if (!volume->mount_fds)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n; i++)
                volume->mount_fds[i] = -EBADF;
        r = child_fork(&child, set->sets->event, mounts_child_open, volume->given.origin, OPEN_LIMIT_USEC,
                       on_opened, set);
        if (r < 0)
                return error_trace(r);
        set->helper = child;
        return 0;
}

/**
 * stage_open_mounts() - open the file systems on the volume that is to join
 * @set:        the set
 *
 * Return: whether that is over.
 */
StageResult stage_open_mounts(SnapshotSet *set) {
        SetVolume *volume = set->only;
        int r;

        if (!set->stage_entered) {
                set->stage_entered = true;
                if (!volume->given.origin)
                        return STAGE_DONE;
                r = mounts_open(set, volume);
                if (r < 0) {
                        step_fail(set, CONTRACT_ERROR_UNEXPECTED, "The file systems on %s: %s.",
                                  volume->given.name, strerror(-r));
                        return STAGE_DONE;
                }
        }
        return set->helper ? STAGE_WAIT : STAGE_DONE;
}

/* Whether the volume is the uppermost of the set's on which that file system lies. */
static bool mount_is_listed(const SnapshotSet *set, const SetVolume *volume, const VolumeMount *mount) {
        for (size_t i = 0; i < set->n_volumes; i++) {
                const Volume *other = set->volumes[i]->given.origin;

                if (set->volumes[i] == volume || !other ||
                    !volume_carries(volume->given.origin, other->device))
                        continue;
                for (size_t k = 0; k < other->n_mounts; k++)
                        if (other->mounts[k].device == mount->device)
                                return false;
        }
        return true;
}

/**
 * mounts_next() - walk the set's file systems, in the order of their indices
 * @set:        the set
 * @place:      {} at first; moved on
 * @ret:        the next one
 *
 * Return: false at the end.
 */
bool mounts_next(const SnapshotSet *set, MountPlace *place, SetMount *ret) {
        for (; place->volume < set->n_volumes; place->volume++, place->mount = 0) {
                const SetVolume *volume = set->volumes[place->volume];
                const Volume *origin = volume->given.origin;

                while (origin && volume->mount_fds && place->mount < origin->n_mounts) {
                        size_t i = place->mount++;

                        if (volume->mount_fds[i] < 0 || !mount_is_listed(set, volume, &origin->mounts[i]))
                                continue;
                        *ret = (SetMount){.index = place->index++,
                                          .volume = volume,
                                          .mount = &origin->mounts[i],
                                          .direct = mount_is_direct(volume, &origin->mounts[i]),
                                          .fd = volume->mount_fds[i]};
                        return true;
                }
        }
        return false;
}

/**
 * snapshot_set_count_file_systems() - how many file systems lie on the set's volumes
 * @set:        the set
 *
 * Return: their number.
 */
size_t snapshot_set_count_file_systems(const SnapshotSet *set) {
        MountPlace place = {};
        SetMount mount;
        size_t n = 0;

        while (mounts_next(set, &place, &mount))
                n++;
        return n;
}

/**
 * snapshot_set_get_file_system() - one of them
 * @set:        the set
 * @index:      0 … snapshot_set_count_file_systems() - 1
 * @ret:        filled in; everything in it stays the set's
 *
 * Return: false if there is no such file system.
 */
bool snapshot_set_get_file_system(const SnapshotSet *set, size_t index, SetFileSystem *ret) {
        MountPlace place = {};
        SetMount mount;

        while (mounts_next(set, &place, &mount)) {
                if (mount.index != index)
                        continue;
                *ret = (SetFileSystem){.index = mount.index,
                                       .mount_point = mount.mount->mount_point,
                                       .type = mount.mount->type,
                                       .device = mount.mount->device,
                                       .fd = mount.fd,
                                       .direct = mount.direct};
                return true;
        }
        return false;
}

/**
 * snapshot_set_note_frozen() - what writers have frozen, before COMMIT
 * @set:        the set
 * @indices:    of file systems, as snapshot_set_get_file_system() counts them
 * @n_indices:  how many; those out of range are ignored
 */
void snapshot_set_note_frozen(SnapshotSet *set, const uint32_t *indices, size_t n_indices) {
        for (size_t i = 0; i < n_indices; i++)
                if (indices[i] < HOLD_MOUNTS_MAX) {
                        set->frozen[indices[i] / 8] |= (uint8_t) (1u << (indices[i] % 8));
                        set->any_frozen = true;
                }
}

/**
 * snapshot_set_note_writers_freeze() - whether what is frozen from LOCK on is ours to thaw
 * @set:                the set, before LOCK
 * @writers_freeze:     a writer at level system freezes, and none of the file systems is frozen yet
 */
void snapshot_set_note_writers_freeze(SnapshotSet *set, bool writers_freeze) {
        set->writers_freeze = writers_freeze;
}

static bool mount_is_known(const SnapshotSet *set, dev_t device) {
        MountPlace place = {};
        SetMount mount;

        while (mounts_next(set, &place, &mount))
                if (mount.mount->device == device)
                        return true;
        return false;
}

/**
 * stage_check_mounts() - LOCK: nothing was mounted since BEGIN_PREPARE that nobody would freeze
 * @set:        the set
 *
 * Return: STAGE_DONE.
 */
StageResult stage_check_mounts(SnapshotSet *set) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;

        for (size_t i = 0; i < set->n_volumes; i++) {
                const Volume *origin = set->volumes[i]->given.origin;
                _cleanup_(volume_freep) Volume *now = NULL;

                if (!origin)
                        continue;
                if ((!world && volume_world_new(&world, NULL) < 0) ||
                    volume_new(&now, world, origin->device) < 0) {
                        step_fail(set, CONTRACT_ERROR_VOLUME_BUSY,
                                  "The volume %s has gone. Start a new snapshot set.", origin->name);
                        break;
                }
                for (size_t k = 0; k < now->n_mounts; k++)
                        if (!mount_is_direct(set->volumes[i], &now->mounts[k]) &&
                            !mount_is_known(set, now->mounts[k].device))
                                step_fail(
                                        set, CONTRACT_ERROR_VOLUME_BUSY,
                                        "%.200s was mounted on %s while the set was prepared. Start again.",
                                        now->mounts[k].mount_point, origin->name);
        }
        return STAGE_DONE;
}
