/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Device-mapper by its raw ioctls (<linux/dm-ioctl.h>), without libdevmapper: nothing here allocates memory,
 * logs or opens a file, except dm_open(). Every device is addressed by its dm uuid. The caller brings the
 * buffer, one per thread, so that a call can be made while the root device is suspended.
 *
 * All return 0 or a negative errno, the kernel's own: -ENXIO says that there is no such device.
 */

#include <stdbool.h>
#include <stdint.h>

#include <linux/dm-ioctl.h>

#define DM_PARAMS_MAX 512u

/* Room for the ioctl's head, one target and its parameters, or a message. */
typedef union DmBuffer {
        struct dm_ioctl ioctl;
        char bytes[1024];
} DmBuffer;

typedef struct DmDevice {
        uint32_t flags; /* DM_SUSPEND_FLAG, DM_INACTIVE_PRESENT_FLAG, … */
        int32_t open_count;
        uint32_t major, minor;
        char name[DM_NAME_LEN];
} DmDevice;

/* A table of exactly one target, the only kind of interest here. */
typedef struct DmTable {
        DmDevice device;
        uint32_t n_targets; /* if not 1, what follows is empty */
        uint64_t n_sectors;
        char type[DM_MAX_TYPE_NAME];
        char params[DM_PARAMS_MAX];
} DmTable;

int dm_open(void);
int dm_arm_poll(int fd, DmBuffer *buffer);
int dm_suspend(int fd, DmBuffer *buffer, const char *uuid, uint32_t flags);
int dm_resume(int fd, DmBuffer *buffer, const char *uuid);
int dm_clear(int fd, DmBuffer *buffer, const char *uuid);
int dm_message(int fd, DmBuffer *buffer, const char *uuid, const char *message);
int dm_load(int fd, DmBuffer *buffer, const char *uuid, uint32_t flags, uint64_t n_sectors, const char *type,
            const char *params);
int dm_get_device(int fd, DmBuffer *buffer, const char *uuid, DmDevice *ret);
int dm_get_table(int fd, DmBuffer *buffer, const char *uuid, DmTable *ret);
int dm_get_status(int fd, DmBuffer *buffer, const char *uuid, DmTable *ret);
