/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Device-mapper's ioctls on buffers that are there already; see hold-dm.h. Errors are returned plainly,
 * without error_origin(): these calls run while writes are held, where nothing may be printed.
 */

#include "daemon/hold/hold-dm.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "util/error.h"
#include "util/macro.h"

#define DM_SWAP_FLAGS (DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG)

static void buffer_prepare(DmBuffer *buffer, const char *uuid, uint32_t flags) {
        size_t n = strnlen(uuid, DM_UUID_LEN);

        assert(n > 0 && n < DM_UUID_LEN);

        memset(buffer, 0, sizeof(*buffer));
        buffer->ioctl.version[0] = DM_VERSION_MAJOR;
        buffer->ioctl.data_size = sizeof(*buffer);
        buffer->ioctl.data_start = sizeof(buffer->ioctl);
        buffer->ioctl.flags = flags;
        memcpy(buffer->ioctl.uuid, uuid, n);
}

static void *buffer_data(DmBuffer *buffer) {
        return buffer->bytes + sizeof(buffer->ioctl);
}

static int buffer_call(int fd, DmBuffer *buffer, unsigned long request) {
        return ioctl(fd, request, buffer) < 0 ? -errno : 0;
}

/**
 * dm_open() - opens device-mapper's control device and checks its interface version
 *
 * Return: a descriptor, or a negative errno.
 */
int dm_open(void) {
        _cleanup_close_ int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
        struct dm_ioctl version = {.version = {DM_VERSION_MAJOR}, .data_size = sizeof(version)};

        if (fd < 0 || ioctl(fd, DM_VERSION, &version) < 0)
                return error_origin(-errno);
        return TAKE_FD(fd);
}

/**
 * dm_arm_poll() - DM_DEV_ARM_POLL: from now on poll() tells of the next event of any device
 * @fd:         dm_open()'s, which becomes readable then
 * @buffer:     this thread's
 *
 * Return: 0, or a negative errno.
 */
int dm_arm_poll(int fd, DmBuffer *buffer) {
        memset(buffer, 0, sizeof(*buffer));
        buffer->ioctl.version[0] = DM_VERSION_MAJOR;
        buffer->ioctl.version[1] = 37; /* since when there is this call */
        buffer->ioctl.data_size = sizeof(*buffer);
        buffer->ioctl.data_start = sizeof(buffer->ioctl);
        return buffer_call(fd, buffer, DM_DEV_ARM_POLL);
}

/**
 * dm_suspend() - DM_DEV_SUSPEND: holds a device's I/O
 * @fd:         dm_open()'s
 * @buffer:     this thread's
 * @uuid:       the device
 * @flags:      DM_SKIP_LOCKFS_FLAG, DM_NOFLUSH_FLAG, or 0: the file system is frozen, what is in flight is
 *              written
 *
 * May block for as long as the device does not answer. A signal interrupts it once the file system is
 * frozen.
 *
 * Return: 0, or a negative errno.
 */
int dm_suspend(int fd, DmBuffer *buffer, const char *uuid, uint32_t flags) {
        buffer_prepare(buffer, uuid, DM_SUSPEND_FLAG | flags);
        return buffer_call(fd, buffer, DM_DEV_SUSPEND);
}

/**
 * dm_resume() - DM_DEV_SUSPEND without its flag: activates the inactive table, if any, lets I/O go
 * @fd:         dm_open()'s
 * @buffer:     this thread's
 * @uuid:       the device; one that is not suspended and has no inactive table is left as it is
 *
 * Return: 0, or a negative errno.
 */
int dm_resume(int fd, DmBuffer *buffer, const char *uuid) {
        buffer_prepare(buffer, uuid, DM_SWAP_FLAGS);
        return buffer_call(fd, buffer, DM_DEV_SUSPEND);
}

/**
 * dm_clear() - DM_TABLE_CLEAR: drops the inactive table, if any
 * @fd:         dm_open()'s
 * @buffer:     this thread's
 * @uuid:       the device
 *
 * Return: 0, or a negative errno.
 */
int dm_clear(int fd, DmBuffer *buffer, const char *uuid) {
        buffer_prepare(buffer, uuid, 0);
        return buffer_call(fd, buffer, DM_TABLE_CLEAR);
}

/**
 * dm_message() - DM_TARGET_MSG: speaks to the target at sector 0
 * @fd:         dm_open()'s
 * @buffer:     this thread's
 * @uuid:       the device
 * @message:    such as "create_snap 2 1"
 *
 * Return: 0, or a negative errno. 0 from a thin pool does not prove that its commit succeeded.
 */
int dm_message(int fd, DmBuffer *buffer, const char *uuid, const char *message) {
        struct dm_target_msg *data = buffer_data(buffer);
        size_t n = strlen(message);

        assert(n < sizeof(*buffer) - sizeof(buffer->ioctl) - sizeof(*data));

        buffer_prepare(buffer, uuid, 0);
        memcpy(data->message, message, n + 1);
        return buffer_call(fd, buffer, DM_TARGET_MSG);
}

/**
 * dm_load() - DM_TABLE_LOAD: gives a device an inactive table of one target
 * @fd:         dm_open()'s
 * @buffer:     this thread's
 * @uuid:       the device
 * @flags:      DM_READONLY_FLAG or 0
 * @n_sectors:  its size, of 512 bytes
 * @type:       of the target
 * @params:     of the target
 *
 * Return: 0, or a negative errno.
 */
int dm_load(int fd, DmBuffer *buffer, const char *uuid, uint32_t flags, uint64_t n_sectors, const char *type,
            const char *params) {
        struct dm_target_spec *spec = buffer_data(buffer);
        size_t n = strlen(params);

        assert(n < DM_PARAMS_MAX && strlen(type) < DM_MAX_TYPE_NAME);

        buffer_prepare(buffer, uuid, flags);
        buffer->ioctl.target_count = 1;
        spec->length = n_sectors;
        spec->next = (uint32_t) ((sizeof(*spec) + n + 1 + 7) & ~(size_t) 7);
        memcpy(spec->target_type, type, strlen(type) + 1);
        memcpy(spec + 1, params, n + 1);
        return buffer_call(fd, buffer, DM_TABLE_LOAD);
}

static void device_read(const DmBuffer *buffer, DmDevice *ret) {
        *ret = (DmDevice){
                .flags = buffer->ioctl.flags,
                .open_count = buffer->ioctl.open_count,
                .major = major(buffer->ioctl.dev),
                .minor = minor(buffer->ioctl.dev),
        };
        memcpy(ret->name, buffer->ioctl.name, sizeof(ret->name));
        ret->name[sizeof(ret->name) - 1] = '\0';
}

/**
 * dm_get_device() - DM_DEV_STATUS: a device's name, numbers and flags
 * @fd:         dm_open()'s
 * @buffer:     this thread's
 * @uuid:       the device
 * @ret:        what the kernel says
 *
 * Return: 0, or a negative errno.
 */
int dm_get_device(int fd, DmBuffer *buffer, const char *uuid, DmDevice *ret) {
        int r;

        buffer_prepare(buffer, uuid, 0);
        r = buffer_call(fd, buffer, DM_DEV_STATUS);
        if (r < 0)
                return r;
        device_read(buffer, ret);
        return 0;
}

static int get_table(int fd, DmBuffer *buffer, const char *uuid, uint32_t flags, DmTable *ret) {
        const struct dm_target_spec *spec = buffer_data(buffer);
        int r;

        /* NOFLUSH: a thin pool's status would otherwise wait for a commit of its metadata. */
        buffer_prepare(buffer, uuid, flags | DM_NOFLUSH_FLAG);
        r = buffer_call(fd, buffer, DM_TABLE_STATUS);
        if (r < 0)
                return r;
        memset(ret, 0, sizeof(*ret));
        device_read(buffer, &ret->device);
        ret->n_targets = buffer->ioctl.target_count;
        if (ret->n_targets != 1)
                return 0;
        if (buffer->ioctl.flags & DM_BUFFER_FULL_FLAG)
                return -EMSGSIZE;
        ret->n_sectors = spec->sector_start + spec->length;
        memcpy(ret->type, spec->target_type, sizeof(ret->type));
        ret->type[sizeof(ret->type) - 1] = '\0';
        strncpy(ret->params, (const char *) (spec + 1), sizeof(ret->params) - 1);
        return 0;
}

/**
 * dm_get_table() - DM_TABLE_STATUS with DM_STATUS_TABLE_FLAG: a device's live table
 * @fd:         dm_open()'s
 * @buffer:     this thread's
 * @uuid:       the device
 * @ret:        the table
 *
 * Return: 0, or a negative errno; -EMSGSIZE: the parameters are longer than any of ours.
 */
int dm_get_table(int fd, DmBuffer *buffer, const char *uuid, DmTable *ret) {
        return get_table(fd, buffer, uuid, DM_STATUS_TABLE_FLAG, ret);
}

/**
 * dm_get_status() - DM_TABLE_STATUS: the status of a device's live table
 * @fd:         dm_open()'s
 * @buffer:     this thread's
 * @uuid:       the device
 * @ret:        like dm_get_table(), but params is the status
 *
 * Return: 0, or a negative errno.
 */
int dm_get_status(int fd, DmBuffer *buffer, const char *uuid, DmTable *ret) {
        return get_table(fd, buffer, uuid, 0, ret);
}
