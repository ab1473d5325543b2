/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libdevmapper, quietly; see dm.h. What it would print goes nowhere: the callers know better what to say.
 */

#include "daemon/volumes/dm.h"

#include <libdevmapper.h>

#include "util/error.h"

static _printf_(5, 6) void log_nothing(int level, const char *file, int line, int dm_errno,
                                       const char *format, ...) {
}

static void dm_task_destroyp(struct dm_task **task) {
        if (*task)
                dm_task_destroy(*task);
}

/* Return: 0, with what the kernel says of the device; or a negative errno. */
static int run(int type, const char *uuid, struct dm_info *ret) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;

        dm_log_with_errno_init(log_nothing);
        task = dm_task_create(type);
        if (!task)
                return error_origin(-ENOMEM);
        if (!dm_task_set_uuid(task, uuid))
                return error_origin(-EINVAL);
        if (!dm_task_run(task))
                return -(dm_task_get_errno(task) ?: EIO);
        if (ret && !dm_task_get_info(task, ret))
                return error_origin(-EIO);
        return 0;
}

static int inform(const char *uuid, struct dm_info *ret) {
        int r;

        r = run(DM_DEVICE_INFO, uuid, ret);
        if (r < 0)
                return r;
        return ret->exists ? 0 : -ENXIO;
}

/**
 * dm_clear_uuid() - drop a device's inactive table
 * @uuid:       the device's
 *
 * Return: 0, also if there was none; -ENXIO: no such device; or another negative errno.
 */
int dm_clear_uuid(const char *uuid) {
        struct dm_info info;
        int r;

        r = inform(uuid, &info);
        if (r < 0)
                return r;
        return info.inactive_table ? run(DM_DEVICE_CLEAR, uuid, NULL) : 0;
}

/**
 * dm_resume_uuid() - resume a device that is suspended
 * @uuid:       the device's
 *
 * Return: 1 if it was suspended, 0 if not, -ENXIO if there is no such device, or another negative errno.
 */
int dm_resume_uuid(const char *uuid) {
        struct dm_info info;
        int r;

        r = inform(uuid, &info);
        if (r < 0 || !info.suspended)
                return r;
        r = run(DM_DEVICE_RESUME, uuid, NULL);
        return r < 0 ? r : 1;
}

/**
 * dm_uuid_is_suspended() - whether a device holds all I/O
 * @uuid:       the device's
 *
 * Return: 1 if so; 0 if not, or if there is no such device; or a negative errno.
 */
int dm_uuid_is_suspended(const char *uuid) {
        struct dm_info info;
        int r;

        r = inform(uuid, &info);
        if (r == -ENXIO)
                return 0;
        return r < 0 ? r : info.suspended;
}
