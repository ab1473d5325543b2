/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The jobs that hold one volume, stamp it and let it go, each a few ioctls on devices named by uuid; see
 * hold-volume.h. Letting go is idempotent and may be done by the hold and its guard at the same time.
 */

#include "daemon/hold/hold-volume.h"

#include <assert.h>
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "daemon/hold/hold-stage.h"
#include "util/failpoint.h"

#define SNAPSHOT_SUSPEND_FLAGS (DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG)

static bool mount_is_at(const HoldSet *set, uint32_t mount, uint32_t volume, uint32_t depth) {
        const HoldMount *given = &set->mounts[mount].given;

        return given->volume == volume && given->depth == depth;
}

static int volume_sync(HoldSet *set, uint32_t volume, Failure *failure) {
        /* What lies above writes into what lies below: from the top down. */
        for (uint32_t depth = 0; depth < HOLD_DEPTH_MAX; depth++)
                for (uint32_t i = 0; i < set->n_mounts; i++) {
                        if (!mount_is_at(set, i, volume, depth))
                                continue;
                        if (hold_set_given_up(set))
                                return -ECANCELED;
                        if (syncfs(set->mounts[i].fd) < 0)
                                return failure_set(failure, -errno, volume, i,
                                                   "cannot write out file system %u of %s before the hold",
                                                   i, hold_set_volume_name(set, volume));
                }
        return 0;
}

static int volume_suspend_snapshot(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        int r;

        if (v->given.kind != HOLD_VOLUME_COW)
                return 0;
        r = dm_suspend(set->control_fd, buffer, v->given.snapshot_uuid, SNAPSHOT_SUSPEND_FLAGS);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot suspend the snapshot %s",
                                   v->target_name);
        return 0;
}

static int volume_suspend(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        uint32_t flags = hold_set_skips_lockfs(set, volume) ? DM_SKIP_LOCKFS_FLAG : 0;
        int r;

        if (!hold_set_is_suspended(set, volume))
                return 0;
        /* The kernel answers 0 for one that is suspended already, and then it would not be ours to resume.
         */
        r = volume_check_origin(set, volume, false, buffer, failure);
        if (r < 0)
                return r;
        atomic_store(&v->suspended, true);
        v->times.suspend_begin_usec = boottime_usec();
        r = dm_suspend(set->control_fd, buffer, v->given.origin_uuid, flags);
        if (r == -EBUSY)
                return failure_say(failure, r, volume, HOLD_NONE,
                                   "cannot suspend %s, is its file system frozen by someone else?",
                                   v->origin_name);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot suspend %s", v->origin_name);
        v->times.suspended_usec = boottime_usec();
        return 0;
}

/* EINVAL: somebody else has resumed it between the kernel's look at it and its lock; or had a table loaded
 * that does not fit, which the kernel has dropped by now. The first does not matter to who wants it resumed;
 * a second call finds nothing to do, or does it. */
static int resume_for_good(HoldSet *set, DmBuffer *buffer, const char *uuid) {
        int r;

        r = dm_resume(set->control_fd, buffer, uuid);
        return r == -EINVAL ? dm_resume(set->control_fd, buffer, uuid) : r;
}

static int volume_resume(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        int r;

        if (!hold_set_is_suspended(set, volume))
                return 0;
        r = resume_for_good(set, buffer, v->given.origin_uuid);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot resume %s", v->origin_name);
        return 0;
}

/* The job; letting go resumes as well, perhaps at the same time, and leaves no times. */
static int volume_end(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        int r;

        if (hold_set_is_suspended(set, volume))
                v->times.resume_begin_usec = boottime_usec();
        r = volume_resume(set, volume, buffer, failure);
        if (r == 0 && hold_set_is_suspended(set, volume))
                v->times.resumed_usec = boottime_usec();
        return r;
}

/* EINVAL says that it is not frozen, which is what was wanted. */
static int mount_thaw(HoldSet *set, uint32_t mount, Failure *failure) {
        uint32_t volume = set->mounts[mount].given.volume;

        if (ioctl(set->mounts[mount].fd, FITHAW, 0) < 0 && errno != EINVAL)
                return failure_set(failure, -errno, volume, mount, "cannot thaw file system %u of %s", mount,
                                   hold_set_volume_name(set, volume));
        return 0;
}

/*
 * Whether letting go thaws a mount: what the fsfreeze writer may have frozen, but never what device-mapper
 * freezes during a suspend. FITHAW would wait inside the kernel for a suspend that is stuck, undo its freeze
 * the moment it is complete, and the resume, finding it thawed, would leave the block device counted as
 * frozen for good: no later suspend freezes that file system, and once unmounted it cannot be mounted again.
 *
 * Before COMMIT no suspend is under way, and after giving up none begins: `committing` is set before a
 * suspend looks at `given_up`, and read here after that was set.
 */
static bool mount_may_be_ours(const HoldSet *set, uint32_t mount) {
        const HoldMount *given = &set->mounts[mount].given;

        return given->may_freeze &&
               (!atomic_load(&set->committing) || !given->direct || hold_set_is_frozen(set, mount));
}

/* From the bottom up: thawing what lies above writes to what lies below. The first failure is told. */
static int mounts_thaw(HoldSet *set, uint32_t volume, bool only_told, Failure *failure) {
        int r = 0, q;

        for (uint32_t depth = HOLD_DEPTH_MAX; depth > 0; depth--)
                for (uint32_t i = 0; i < set->n_mounts; i++) {
                        if (!mount_is_at(set, i, volume, depth - 1) || !mount_may_be_ours(set, i) ||
                            (only_told && !hold_set_is_frozen(set, i)))
                                continue;
                        q = mount_thaw(set, i, failure);
                        r = r < 0 ? r : q;
                }
        return r;
}

/* A device that is not there any more needs no letting go. */
static int forgive_missing(int r) {
        return r == -ENXIO ? 0 : r;
}

static int snapshot_let_go(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        int r;

        /* Cleared first, or the resume would make the staged table live, at a wrong instant. */
        r = forgive_missing(dm_clear(set->control_fd, buffer, v->given.snapshot_uuid));
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot clear the staged table of %s",
                                   v->target_name);
        r = forgive_missing(resume_for_good(set, buffer, v->given.snapshot_uuid));
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot resume the snapshot %s",
                                   v->target_name);
        return 0;
}

/* Every part is tried, whatever became of the one before; the first failure is told. */
static int volume_let_go(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        int r = 0, q;

        (void) failpoint_at("hold.letting-go", volume);
        if (atomic_load(&v->touched))
                r = snapshot_let_go(set, volume, buffer, failure);
        if (atomic_load(&v->suspended)) {
                q = forgive_missing(volume_resume(set, volume, buffer, failure));
                r = r < 0 ? r : q;
        }
        if (atomic_load(&set->armed)) {
                q = mounts_thaw(set, volume, false, failure);
                r = r < 0 ? r : q;
        }
        return r;
}

/**
 * volume_failpoint() - between two effects on a volume
 * @set:        the set
 * @volume:     which
 * @place:      the failpoint's name, to which the volume's number is added
 * @failure:    gets the words if a test wants it to fail
 *
 * Return: 0, or a negative errno.
 */
int volume_failpoint(HoldSet *set, uint32_t volume, const char *place, Failure *failure) {
        int r = failpoint_at(place, volume);

        return r < 0 ? failure_set(failure, r, volume, HOLD_NONE, "failpoint %s", place) : 0;
}

static int volume_change(HoldSet *set, uint32_t volume, VolumeJob job, DmBuffer *buffer, Failure *failure) {
        switch (job) {
        case VOLUME_STAGE:
                return stage_volume(set, volume, buffer, failure);
        case VOLUME_SYNC:
                return volume_sync(set, volume, failure);
        case VOLUME_SUSPEND_SNAPSHOT:
                return volume_suspend_snapshot(set, volume, buffer, failure);
        case VOLUME_SUSPEND:
                return volume_suspend(set, volume, buffer, failure);
        case VOLUME_RESUME:
                return volume_end(set, volume, buffer, failure);
        case VOLUME_THAW:
        case VOLUME_NOTHING:
        case VOLUME_LET_GO:
                break;
        }
        assert(job == VOLUME_THAW);
        return mounts_thaw(set, volume, true, failure);
}

/**
 * volume_do() - carries out one job on one volume
 * @set:        the set
 * @volume:     which
 * @job:        what to do
 * @buffer:     this thread's
 * @failure:    gets the words if it fails
 *
 * Everything but letting go and thawing is refused once the set is given up.
 *
 * Return: 0, or a negative errno; -ECANCELED without words: given up.
 */
int volume_do(HoldSet *set, uint32_t volume, VolumeJob job, DmBuffer *buffer, Failure *failure) {
        static const char *const places[] = {
                [VOLUME_STAGE] = "hold.staged",
                [VOLUME_SYNC] = "hold.synced",
                [VOLUME_SUSPEND_SNAPSHOT] = "hold.snapshot-suspended",
                [VOLUME_SUSPEND] = "hold.suspended",
                [VOLUME_RESUME] = "hold.resumed",
                [VOLUME_THAW] = "hold.thawed",
        };
        int r;

        assert(volume < set->n_volumes && job != VOLUME_NOTHING);

        if (job == VOLUME_LET_GO)
                return volume_let_go(set, volume, buffer, failure);
        if (hold_set_given_up(set))
                return -ECANCELED;
        r = volume_change(set, volume, job, buffer, failure);
        return r < 0 ? r : volume_failpoint(set, volume, places[job], failure);
}

/**
 * volume_check_staged() - whether a snapshot still waits with its staged table
 * @set:        the set
 * @volume:     which; a thin one has nothing to look at
 * @suspended:  its device must be suspended, too
 * @buffer:     this thread's
 * @failure:    gets the words if not
 *
 * No lock keeps `dmsetup` out, and a resume's own answer does not show what it activated: only the flags do.
 *
 * Return: 0, or a negative errno; -ESTALE: somebody has changed it.
 */
int volume_check_staged(HoldSet *set, uint32_t volume, bool suspended, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        uint32_t want = DM_INACTIVE_PRESENT_FLAG | (suspended ? DM_SUSPEND_FLAG : 0);
        DmDevice device;
        int r;

        if (v->given.kind != HOLD_VOLUME_COW)
                return 0;
        r = dm_get_device(set->control_fd, buffer, v->given.snapshot_uuid, &device);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot look at the snapshot %s",
                                   v->target_name);
        if ((device.flags & want) != want)
                return failure_say(failure, -ESTALE, volume, HOLD_NONE,
                                   "somebody has changed the snapshot %s of %s while the set was made",
                                   v->target_name, v->origin_name);
        return 0;
}

/**
 * volume_check_origin() - whether an origin is suspended, or not, as it should be
 * @set:        the set
 * @volume:     which
 * @suspended:  what it should be
 * @buffer:     this thread's
 * @failure:    gets the words if it is not
 *
 * Return: 0, or a negative errno; -ESTALE: somebody has resumed it; -EBUSY: somebody has suspended it.
 */
int volume_check_origin(HoldSet *set, uint32_t volume, bool suspended, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        DmDevice device;
        int r;

        if (!hold_set_is_suspended(set, volume))
                return 0;
        r = dm_get_device(set->control_fd, buffer, v->given.origin_uuid, &device);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot look at %s",
                                   hold_set_volume_name(set, volume));
        if (suspended && !(device.flags & DM_SUSPEND_FLAG))
                return failure_say(failure, -ESTALE, volume, HOLD_NONE,
                                   "somebody has resumed %s while the set was held", v->origin_name);
        if (!suspended && (device.flags & DM_SUSPEND_FLAG))
                return failure_say(failure, -EBUSY, volume, HOLD_NONE,
                                   "%s is suspended by someone else, see dmsetup info", v->origin_name);
        return 0;
}

/* That nothing is staged any more is not enough: the table could have been cleared, or another one loaded.
 */
static int volume_check_committed(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        DmTable table;
        int r;

        r = dm_get_table(set->control_fd, buffer, v->given.snapshot_uuid, &table);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot look at the snapshot %s",
                                   v->target_name);
        if (table.device.flags & (DM_INACTIVE_PRESENT_FLAG | DM_SUSPEND_FLAG) ||
            !streq(table.type, "snapshot"))
                return failure_say(failure, -ESTALE, volume, HOLD_NONE,
                                   "somebody has changed the snapshot %s of %s at its commit",
                                   v->target_name, v->origin_name);
        return 0;
}

/**
 * volume_commit() - makes the snapshot of one volume, which is suspended
 * @set:        the set
 * @volume:     which
 * @buffer:     this thread's
 * @failure:    gets the words if it fails
 *
 * COW: its suspended snapshot device is resumed and so gets the staged table. THIN: one message to the pool.
 *
 * Return: 0, or a negative errno.
 */
int volume_commit(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        int r;

        if (!hold_set_is_suspended(set, volume))
                return 0;
        v->times.commit_begin_usec = boottime_usec();
        if (v->given.kind == HOLD_VOLUME_THIN)
                r = dm_message(set->control_fd, buffer, v->given.pool_uuid, v->thin_create);
        else
                r = dm_resume(set->control_fd, buffer, v->given.snapshot_uuid);
        if (r == -EINVAL && v->given.kind != HOLD_VOLUME_THIN)
                return failure_say(failure, -ESTALE, volume, HOLD_NONE,
                                   "somebody has changed the snapshot %s of %s at its commit",
                                   v->target_name, v->origin_name);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot commit the snapshot of %s on %s",
                                   v->origin_name, v->target_name);
        v->times.committed_usec = boottime_usec();
        if (v->given.kind == HOLD_VOLUME_COW)
                return volume_check_committed(set, volume, buffer, failure);
        return 0;
}
