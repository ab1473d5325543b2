/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * In children's processes: the device that a thick snapshot's copy is, above the snapshot and its store; see
 * lvm-copy.c. udev is waited for, so that its node is there, and gone, when they have ended.
 */

#include <libdevmapper.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-provider.h"
#include "daemon/providers/lvm-strays.h"
#include "util/error.h"

#define SECTOR_SIZE        512u
#define COPY_CHUNK_SECTORS 8u /* of the store: as LVM's snapshots */

static void dm_task_destroyp(struct dm_task **task) {
        if (*task)
                dm_task_destroy(*task);
}

static void log_nothing(int level, const char *file, int line, int dm_errno, const char *format, ...) {
}

/* snapshot, not persistent: its table of exceptions is in memory, and the store needs no head. */
static int device_create(const ProviderVolume *volume, dev_t snapshot, dev_t store) {
        const LvmData *data = volume->data;
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;
        char table[128];
        uint32_t cookie = 0;
        bool made;

        dm_log_with_errno_init(log_nothing);
        (void) snprintf(table, sizeof(table), "%u:%u %u:%u N %u", major(snapshot), minor(snapshot),
                        major(store), minor(store), COPY_CHUNK_SECTORS);
        task = dm_task_create(DM_DEVICE_CREATE);
        if (!task || !dm_task_set_name(task, data->copy_name) || !dm_task_set_uuid(task, data->copy_key) ||
            !dm_task_add_target(task, 0, volume->size / SECTOR_SIZE, "snapshot", table) ||
            !dm_task_set_cookie(task, &cookie, 0))
                return -ENOMEM;
        made = dm_task_run(task);
        (void) dm_udev_wait(cookie);
        if (made)
                return 0;
        return dm_task_get_errno(task) > 0 ? -dm_task_get_errno(task) : -EIO;
}

/**
 * lvm_copy_make_device() - make the device of a thick snapshot's copy: for forked children
 * @volume:     COPY has made its store
 *
 * Return: 0, or a negative errno, and stderr says why.
 */
int lvm_copy_make_device(const ProviderVolume *volume) {
        const LvmData *data = volume->data;
        char path[3 * LVM_VG_SIZE];
        struct stat store;
        dev_t snapshot;
        int r;

        (void) snprintf(path, sizeof(path), "/dev/%s/%s", data->vg, data->copy_name);
        if (stat(path, &store) < 0)
                r = -errno;
        else
                r = lvm_dm_device(data->snapshot_key, &snapshot) == 0
                            ? device_create(volume, snapshot, store.st_rdev)
                            : -ENXIO;
        if (r < 0)
                (void) dprintf(STDERR_FILENO, "no device could be made above the snapshot and %s: %s\n",
                               path, strerror(-r));
        return r;
}

static struct dm_task *task_new(int type, const char *uuid) {
        struct dm_task *task = dm_task_create(type);

        if (!task || dm_task_set_uuid(task, uuid))
                return task;
        dm_task_destroy(task);
        return NULL;
}

/**
 * lvm_copy_remove_device() - remove the device that a copy of a snapshot is, so that its store can be
 * removed
 * @key:        its dm uuid
 *
 * Return: exit status; what went wrong is said on stderr.
 */
int lvm_copy_remove_device(const char *key) {
        _cleanup_(dm_task_destroyp) struct dm_task *info_task = NULL, *task = NULL;
        struct dm_info info = {};
        uint32_t cookie = 0;

        dm_log_with_errno_init(log_nothing);
        info_task = task_new(DM_DEVICE_INFO, key);
        if (!info_task || !dm_task_run(info_task) || !dm_task_get_info(info_task, &info) || !info.exists)
                return 0;
        task = task_new(DM_DEVICE_REMOVE, key);
        if (info.open_count == 0 && task && dm_task_retry_remove(task) &&
            dm_task_set_cookie(task, &cookie, 0) && dm_task_run(task)) {
                (void) dm_udev_wait(cookie);
                return 0;
        }
        if (cookie)
                (void) dm_udev_wait(cookie);
        (void) dprintf(STDERR_FILENO, "%s: %s.\n", key,
                       info.open_count > 0 ? "It is in use"
                                           : strerror(task ? dm_task_get_errno(task) : ENOMEM));
        return 1;
}
