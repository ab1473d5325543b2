/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Device-mapper's own answers. Status is asked without flush: with it the kernel would commit a thin pool's
 * metadata first, and wait for the disk.
 */

#include "daemon/providers/lvm-dm.h"

#include <dirent.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <sys/sysmacros.h>

#include "util/error.h"

#define LAYERS_MAX 32u

static void dm_taskp(struct dm_task **task) {
        if (*task)
                dm_task_destroy(*task);
}

/* What goes wrong is in our answer; libdevmapper would print it. */
static void log_nothing(int level, const char *file, int line, int dm_errno, const char *format, ...) {
}

static int task_run(struct dm_task **ret, int type, const char *uuid) {
        _cleanup_(dm_taskp) struct dm_task *task = NULL;
        struct dm_info info = {};

        dm_log_with_errno_init(log_nothing);
        task = dm_task_create(type);
        /* A table may have a key in it. */
        if (!task || !dm_task_set_uuid(task, uuid) || !dm_task_no_flush(task) || !dm_task_secure_data(task))
                return error_origin(-ENOMEM);
        if (!dm_task_run(task)) {
                int e = dm_task_get_errno(task);

                return e == ENXIO ? LVM_DM_NOT_FOUND : error_origin(e > 0 ? -e : -EIO);
        }
        if (!dm_task_get_info(task, &info) || !info.exists)
                return LVM_DM_NOT_FOUND;
        *ret = TAKE_PTR(task);
        return 0;
}

static int target_line(int type_of_task, const char *uuid, const char *target,
                       char ret[static LVM_DM_TEXT_SIZE]) {
        _cleanup_(dm_taskp) struct dm_task *task = NULL;
        char *type = NULL, *params = NULL;
        uint64_t start, length;
        int r;

        r = task_run(&task, type_of_task, uuid);
        if (r != 0)
                return r < 0 ? error_trace(r) : r;
        (void) dm_get_next_target(task, NULL, &start, &length, &type, &params);
        if (!type || !params || !streq(type, target))
                return LVM_DM_NOT_FOUND;
        (void) snprintf(ret, LVM_DM_TEXT_SIZE, "%s", params);
        return 0;
}

/**
 * lvm_dm_status() - the status line of a device with one target
 * @uuid:       of the device
 * @target:     the type it must have
 * @ret:        the line
 *
 * Return: 0, LVM_DM_NOT_FOUND, or a negative errno.
 */
int lvm_dm_status(const char *uuid, const char *target, char ret[static LVM_DM_TEXT_SIZE]) {
        return error_trace(target_line(DM_DEVICE_STATUS, uuid, target, ret));
}

/**
 * lvm_dm_table() - the table of a device with one target
 * @uuid:       of the device
 * @target:     the type it must have; none that has a key in its table
 * @ret:        the target's parameters
 *
 * Return: 0, LVM_DM_NOT_FOUND, or a negative errno.
 */
int lvm_dm_table(const char *uuid, const char *target, char ret[static LVM_DM_TEXT_SIZE]) {
        return error_trace(target_line(DM_DEVICE_TABLE, uuid, target, ret));
}

/**
 * lvm_dm_size() - the size of a device with one target
 * @uuid:       of the device
 * @ret:        bytes
 *
 * Return: 0, LVM_DM_NOT_FOUND, or a negative errno.
 */
int lvm_dm_size(const char *uuid, uint64_t *ret) {
        _cleanup_(dm_taskp) struct dm_task *task = NULL;
        char *type = NULL, *params = NULL;
        uint64_t start, length;
        int r;

        r = task_run(&task, DM_DEVICE_STATUS, uuid);
        if (r != 0)
                return r < 0 ? error_trace(r) : r;
        (void) dm_get_next_target(task, NULL, &start, &length, &type, &params);
        if (!type)
                return LVM_DM_NOT_FOUND;
        *ret = length * LVM_DM_SECTOR;
        return 0;
}

/**
 * lvm_dm_device() - the number of a device
 * @uuid:       of the device
 * @ret:        its number
 *
 * Return: 0, LVM_DM_NOT_FOUND, or a negative errno.
 */
int lvm_dm_device(const char *uuid, dev_t *ret) {
        _cleanup_(dm_taskp) struct dm_task *task = NULL;
        struct dm_info info = {};
        int r;

        r = task_run(&task, DM_DEVICE_INFO, uuid);
        if (r != 0)
                return r < 0 ? error_trace(r) : r;
        if (!dm_task_get_info(task, &info))
                return error_origin(-EIO);
        *ret = makedev(info.major, info.minor);
        return 0;
}

/**
 * lvm_dm_count_open() - how often a device is open; a mount counts once, whoever has files open in it
 * @uuid:       of the device
 *
 * Return: how often; 0 also if there is none, or it cannot be told.
 */
unsigned lvm_dm_count_open(const char *uuid) {
        _cleanup_(dm_taskp) struct dm_task *task = NULL;
        struct dm_info info = {};

        if (task_run(&task, DM_DEVICE_INFO, uuid) != 0 || !dm_task_get_info(task, &info))
                return 0;
        return info.open_count > 0 ? (unsigned) info.open_count : 0;
}

/**
 * lvm_dm_is_open() - has anybody a device open
 * @uuid:       of the device
 *
 * Return: whether; false if there is none, or it cannot be told.
 */
bool lvm_dm_is_open(const char *uuid) {
        return lvm_dm_count_open(uuid) > 0;
}

static bool device_read(int directory_fd, const char *name, dev_t *ret) {
        _cleanup_close_ int fd = -EBADF;
        char path[300], text[32];
        unsigned major_number, minor_number;
        ssize_t n;

        (void) snprintf(path, sizeof(path), "%.255s/dev", name);
        fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return false;
        text[n] = '\0';
        if (sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
                return false;
        *ret = makedev(major_number, minor_number);
        return true;
}

static bool lies_on(dev_t device, const dev_t *devices, size_t n_devices, unsigned layer) {
        char path[64];
        bool found = false;
        DIR *directory;

        for (size_t i = 0; i < n_devices; i++)
                if (devices[i] == device)
                        return true;
        (void) snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(device), minor(device));
        directory = layer < LAYERS_MAX ? opendir(path) : NULL;
        if (!directory)
                return false;
        for (struct dirent *entry = readdir(directory); entry && !found; entry = readdir(directory)) {
                dev_t below;

                if (entry->d_name[0] != '.' && device_read(dirfd(directory), entry->d_name, &below))
                        found = lies_on(below, devices, n_devices, layer + 1);
        }
        (void) closedir(directory);
        return found;
}

/**
 * lvm_dm_lies_on() - does a device lie on one of these
 * @device:     the device
 * @devices:    those
 * @n_devices:  how many
 *
 * Return: whether it is one of them or anything below it is.
 */
bool lvm_dm_lies_on(dev_t device, const dev_t *devices, size_t n_devices) {
        return lies_on(device, devices, n_devices, 0);
}
