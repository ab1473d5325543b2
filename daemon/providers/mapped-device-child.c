/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libdevmapper, for provider dm; see mapped-device.h.
 *
 * New devices are born with udev's flags for what nobody is to look into, as LVM's hidden volumes are. The
 * origin gets its other table by one ioctl: with a table loaded, DM_DEV_SUSPEND without its flag suspends,
 * swaps and resumes, so that nobody who is killed leaves it suspended. Its file system is not frozen for
 * that, as nothing is snapshotted at that moment: what is in flight ends, what comes waits, some ms.
 */

#include "daemon/providers/mapped-device.h"

#include <libdevmapper.h>
#include <sys/sysmacros.h>

#include "daemon/hold/hold-dm.h"
#include "util/error.h"

#define HIDDEN_FLAGS                                                              \
        (DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG | \
         DM_UDEV_DISABLE_OTHER_RULES_FLAG)

static void dm_task_destroyp(struct dm_task **task) {
        if (*task)
                dm_task_destroy(*task);
}

/* What goes wrong is in our answer; libdevmapper would print it. */
static void log_nothing(int level, const char *file, int line, int dm_errno, const char *format, ...) {
}

static struct dm_task *task_new(int type, const char *name, const char *uuid) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;

        dm_log_with_errno_init(log_nothing);
        (void) dm_set_name_mangling_mode(DM_STRING_MANGLING_NONE);
        task = dm_task_create(type);
        if (!task || (name && !dm_task_set_name(task, name)) || (uuid && !dm_task_set_uuid(task, uuid)) ||
            !dm_task_secure_data(task))
                return NULL;
        return TAKE_PTR(task);
}

static int task_error(struct dm_task *task) {
        int e = dm_task_get_errno(task);

        return e > 0 ? -e : -EIO;
}

/* Runs it, and waits until udev has done what follows from it. */
static int task_run_with_udev(struct dm_task *task, uint16_t flags) {
        uint32_t cookie = 0;
        int r;

        if (!dm_task_set_cookie(task, &cookie, flags))
                return error_origin(-EIO);
        r = dm_task_run(task) ? 0 : task_error(task);
        (void) dm_udev_wait(cookie);
        return r;
}

/**
 * mapped_device_find() - what the kernel knows of a device
 * @uuid:       of the device
 * @ret:        filled in
 *
 * Return: 0, MAPPED_DEVICE_NOT_FOUND, or a negative errno.
 */
int mapped_device_find(const char *uuid, MappedDevice *ret) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_INFO, NULL, uuid);
        struct dm_info info = {};
        int r;

        if (!task)
                return error_origin(-ENOMEM);
        if (!dm_task_run(task)) {
                r = task_error(task);
                return r == -ENXIO ? MAPPED_DEVICE_NOT_FOUND : error_origin(r);
        }
        if (!dm_task_get_info(task, &info) || !info.exists)
                return MAPPED_DEVICE_NOT_FOUND;
        *ret = (MappedDevice){.number = makedev((unsigned) info.major, info.minor),
                              .suspended = info.suspended,
                              .staged = info.inactive_table,
                              .read_only = info.read_only,
                              .open_count = info.open_count};
        (void) snprintf(ret->name, sizeof(ret->name), "%s", dm_task_get_name(task) ?: "");
        return 0;
}

static int table_task(struct dm_task **ret, const char *uuid) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_TABLE, NULL, uuid);
        struct dm_info info = {};
        int r;

        if (!task || !dm_task_no_flush(task))
                return error_origin(-ENOMEM);
        if (!dm_task_run(task)) {
                r = task_error(task);
                return r == -ENXIO ? MAPPED_DEVICE_NOT_FOUND : error_origin(r);
        }
        if (!dm_task_get_info(task, &info) || !info.exists || !info.live_table)
                return MAPPED_DEVICE_NOT_FOUND;
        *ret = TAKE_PTR(task);
        return 0;
}

/**
 * mapped_device_each_target() - look at a device's live table
 * @uuid:               of the device
 * @call:               called for each target
 * @userdata:           for @call
 * @ret_sectors:        of 512 bytes, or NULL
 *
 * Return: 0; MAPPED_DEVICE_NOT_FOUND: no device, or none with a table; or a negative errno.
 */
int mapped_device_each_target(const char *uuid, MappedTarget call, void *userdata, uint64_t *ret_sectors) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;
        uint64_t start = 0, length = 0;
        char *type, *params;
        void *next = NULL;
        int r;

        r = table_task(&task, uuid);
        if (r != 0)
                return r < 0 ? error_trace(r) : r;
        do {
                type = params = NULL;
                next = dm_get_next_target(task, next, &start, &length, &type, &params);
                if (type)
                        call(type, params ?: "", userdata);
        } while (next);
        if (ret_sectors)
                *ret_sectors = start + length;
        return 0;
}

/* The live table of a device, key and all. */
static int targets_copy(struct dm_task *to, const char *from_uuid) {
        _cleanup_(dm_task_destroyp) struct dm_task *from = NULL;
        struct dm_info info = {};
        uint64_t start, length;
        char *type, *params;
        void *next = NULL;
        int r;

        r = table_task(&from, from_uuid);
        if (r != 0)
                return r < 0 ? error_trace(r) : error_origin(-ENXIO);
        do {
                type = params = NULL;
                next = dm_get_next_target(from, next, &start, &length, &type, &params);
                if (type && !dm_task_add_target(to, start, length, type, params ?: ""))
                        return error_origin(-ENOMEM);
        } while (next);
        if (dm_task_get_info(from, &info) && info.read_only && !dm_task_set_ro(to))
                return error_origin(-ENOMEM);
        return 0;
}

/**
 * mapped_device_create() - make a device of one target, which nobody is to look into
 * @name:       its name
 * @uuid:       its uuid
 * @read_only:  whether it takes no writes
 * @n_sectors:  its size, of 512 bytes
 * @type:       of the target
 * @params:     of the target
 *
 * Return: 0, or a negative errno; there is no such device then.
 */
int mapped_device_create(const char *name, const char *uuid, bool read_only, uint64_t n_sectors,
                         const char *type, const char *params) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_CREATE, name, uuid);

        if (!task || !dm_task_add_target(task, 0, n_sectors, type, params) ||
            (read_only && !dm_task_set_ro(task)))
                return error_origin(-ENOMEM);
        return error_trace(task_run_with_udev(task, HIDDEN_FLAGS));
}

/**
 * mapped_device_create_copy() - make a device that is what another is
 * @name:       its name
 * @uuid:       its uuid
 * @from_uuid:  the other's
 *
 * Return: 0, or a negative errno; there is no such device then.
 */
int mapped_device_create_copy(const char *name, const char *uuid, const char *from_uuid) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_CREATE, name, uuid);
        int r;

        if (!task)
                return error_origin(-ENOMEM);
        r = targets_copy(task, from_uuid);
        if (r < 0)
                return error_trace(r);
        return error_trace(task_run_with_udev(task, HIDDEN_FLAGS));
}

/* Loads a table and makes it live. After a failure what was live is, and nothing waits. */
static int table_switch(struct dm_task *load, const char *uuid) {
        _cleanup_close_ int fd = dm_open();
        DmBuffer buffer;
        int r;

        if (fd < 0)
                return error_trace(fd);
        r = dm_task_run(load) ? 0 : task_error(load);
        if (r < 0)
                return error_origin(r);
        r = dm_resume(fd, &buffer, uuid);
        if (r < 0) {
                (void) dm_clear(fd, &buffer, uuid);
                return error_origin(r);
        }
        return 0;
}

/**
 * mapped_device_switch() - give a device in use another table, of one target
 * @uuid:       of the device, which is not suspended
 * @read_only:  whether it takes no writes
 * @n_sectors:  its size, of 512 bytes
 * @type:       of the target
 * @params:     of the target
 *
 * Return: 0, or a negative errno; its table is what it was then.
 */
int mapped_device_switch(const char *uuid, bool read_only, uint64_t n_sectors, const char *type,
                         const char *params) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_RELOAD, NULL, uuid);

        if (!task || !dm_task_add_target(task, 0, n_sectors, type, params) ||
            (read_only && !dm_task_set_ro(task)))
                return error_origin(-ENOMEM);
        return error_trace(table_switch(task, uuid));
}

/**
 * mapped_device_switch_copy() - give a device in use the table that another has
 * @uuid:       of the device, which is not suspended
 * @from_uuid:  the other's
 *
 * Return: 0, or a negative errno; its table is what it was then.
 */
int mapped_device_switch_copy(const char *uuid, const char *from_uuid) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_RELOAD, NULL, uuid);
        int r;

        if (!task)
                return error_origin(-ENOMEM);
        r = targets_copy(task, from_uuid);
        if (r < 0)
                return error_trace(r);
        return error_trace(table_switch(task, uuid));
}

/**
 * mapped_device_rename() - call a hidden device something else
 * @from:       its name
 * @to:         its new name
 *
 * Return: 0, or a negative errno.
 */
int mapped_device_rename(const char *from, const char *to) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_RENAME, from, NULL);

        if (!task || !dm_task_set_newname(task, to))
                return error_origin(-ENOMEM);
        return error_trace(task_run_with_udev(task, HIDDEN_FLAGS));
}

/**
 * mapped_device_remove() - remove a device
 * @uuid:       of the device
 * @patiently:  whether to try again for some seconds if somebody looks into it
 *
 * Return: 0; MAPPED_DEVICE_NOT_FOUND; -EBUSY: somebody has it open; or another negative errno.
 */
int mapped_device_remove(const char *uuid, bool patiently) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;
        MappedDevice device = {};
        int r;

        r = mapped_device_find(uuid, &device);
        if (r != 0)
                return r < 0 ? error_trace(r) : r;
        if (device.open_count > 0 && !patiently)
                return -EBUSY;
        task = task_new(DM_DEVICE_REMOVE, device.name, NULL);
        if (!task || (patiently && !dm_task_retry_remove(task)))
                return error_origin(-ENOMEM);
        return error_trace(task_run_with_udev(task, 0));
}
