/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Staging: the new table of a thick snapshot is loaded and waits inactive, the thin device that LVM made is
 * deleted so that its id is free; see hold-stage.h.
 *
 * A thick snapshot is *parked* first, its table an `error` target: a second `snapshot` table on the same
 * store while the old one is live would make the kernel hand the exceptions over. An all-zero header makes
 * the constructor start a new store; the first metadata area, the second chunk, is cleared too, because
 * after a power cut an old one could survive under the new header.
 */

#include "daemon/hold/hold-stage.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/hold/hold-volume.h"

#define SECTOR_SIZE UINT64_C(512)
#define ZEROS_SIZE  65536u

static char zeros[ZEROS_SIZE] __attribute__((aligned(4096)));

static int cow_clear(int fd, uint32_t chunk_sectors) {
        uint64_t end = 2 * chunk_sectors * SECTOR_SIZE;

        for (uint64_t offset = 0; offset < end;) {
                uint64_t left = end - offset;
                ssize_t n = pwrite(fd, zeros, left < ZEROS_SIZE ? left : ZEROS_SIZE, (off_t) offset);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -ENOSPC;
                offset += (uint64_t) n;
        }
        return 0;
}

/* By number: the kernel names its nodes dm-<minor>, and the node's own number is the proof. */
static int cow_open(const TableDevice *device) {
        _cleanup_close_ int fd = -EBADF;
        char path[32];
        struct stat st;

        (void) snprintf(path, sizeof(path), "/dev/dm-%u", device->minor);
        fd = open(path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISBLK(st.st_mode) || major(st.st_rdev) != device->major || minor(st.st_rdev) != device->minor)
                return -ENODEV;
        return TAKE_FD(fd);
}

static int snapshot_park(HoldSet *set, SetVolume *v, DmBuffer *buffer) {
        const char *uuid = v->given.snapshot_uuid;
        int r;

        r = dm_suspend(set->control_fd, buffer, uuid, DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG);
        if (r < 0)
                return r;
        r = dm_load(set->control_fd, buffer, uuid, v->readonly_flag, v->n_sectors, "error", "");
        if (r < 0)
                return r;
        return dm_resume(set->control_fd, buffer, uuid);
}

/**
 * stage_volume() - parks one thick snapshot, clears its store and loads its table anew, inactive
 * @set:        the set
 * @volume:     which; a thin one has nothing to do here
 * @buffer:     this thread's
 * @failure:    gets the words if it fails
 *
 * Return: 0, or a negative errno; the set must then be let go.
 */
int stage_volume(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (v->given.kind != HOLD_VOLUME_COW)
                return 0;
        fd = cow_open(&v->cow);
        if (fd < 0)
                return failure_set(failure, fd, volume, HOLD_NONE, "cannot open the store of %s",
                                   v->target_name);
        atomic_store(&v->touched, true);
        r = snapshot_park(set, v, buffer);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot park the snapshot %s",
                                   v->target_name);
        r = volume_failpoint(set, volume, "hold.parked", failure);
        if (r < 0)
                return r; /* GCOVR_EXCL_LINE: only with failpoints */
        r = cow_clear(fd, v->chunk_sectors);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot clear the store of %s",
                                   v->target_name);
        r = volume_failpoint(set, volume, "hold.cleared", failure);
        if (r < 0)
                return r; /* GCOVR_EXCL_LINE: only with failpoints */
        if (hold_set_given_up(set))
                return -ECANCELED;
        r = dm_load(set->control_fd, buffer, v->given.snapshot_uuid, v->readonly_flag, v->n_sectors,
                    "snapshot", v->snapshot_params);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "cannot stage the snapshot %s",
                                   v->target_name);
        /* The constructor has written its header through the page of nobody, unflushed. */
        if (fsync(fd) < 0)
                return failure_set(failure, -errno, volume, HOLD_NONE, "cannot write the store of %s",
                                   v->target_name);
        atomic_store(&v->staged, true);
        return 0;
}

/**
 * stage_delete_thin() - deletes the thin device that LVM made for the snapshot, so that COMMIT can create it
 * @set:        the set
 * @volume:     which; a thick one has nothing to do here
 * @buffer:     this thread's
 * @failure:    gets the words if it fails
 *
 * Takes as long as the device has blocks of its own, all I/O of the pool standing still, hence not in the
 * window. One that was deleted ahead of time is fine.
 *
 * Return: 0, or a negative errno; -EBUSY: the snapshot LV is active.
 */
int stage_delete_thin(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        char message[32];
        int r;

        if (v->given.kind != HOLD_VOLUME_THIN)
                return 0;
        (void) snprintf(message, sizeof(message), "delete %u", v->given.thin_snapshot_id);
        r = dm_message(set->control_fd, buffer, v->given.pool_uuid, message);
        if (r < 0 && r != -ENODATA)
                return failure_set(failure, r, volume, HOLD_NONE,
                                   "cannot free device %u of thin pool %s for the snapshot of %s",
                                   v->given.thin_snapshot_id, v->target_name, v->origin_name);
        atomic_store(&v->staged, true);
        return 0;
}
