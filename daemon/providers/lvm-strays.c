/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Devices that LVM has left behind when it failed or was killed while it made a snapshot: the snapshot's and
 * its store's, by their names, which only ours have; and the origin's "-real" below a snapshot-origin, if
 * nothing uses it. They keep LVM from making the origin's table anew. And the device inside a thin pool, of
 * which LVM's metadata say that it is still to be made: each command on the pool then tries, and fails.
 */

#include "daemon/providers/lvm-strays.h"

#include <inttypes.h>
#include <libdevmapper.h>

#include "daemon/providers/lvm-provider.h"
#include "util/error.h"

static void dm_task_destroyp(struct dm_task **task) {
        if (*task)
                dm_task_destroy(*task);
}

static void log_nothing(int level, const char *file, int line, int dm_errno, const char *format, ...) {
}

static struct dm_task *task_new(int type, const char *name, const char *uuid) {
        struct dm_task *task = dm_task_create(type);

        if (task && (uuid ? !dm_task_set_uuid(task, uuid) : !dm_task_set_name(task, name))) {
                dm_task_destroy(task);
                return NULL;
        }
        return task;
}

/* Return: whether there is such a device that nobody has open. */
static bool is_unused(const char *name, const char *uuid) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_INFO, name, uuid);
        struct dm_info info;

        return task && dm_task_run(task) && dm_task_get_info(task, &info) && info.exists &&
               info.open_count == 0;
}

static int stray_remove(const char *name, const char *uuid) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;

        if (!is_unused(name, uuid))
                return 0;
        task = task_new(DM_DEVICE_REMOVE, name, uuid);
        if (task && dm_task_retry_remove(task) && dm_task_run(task))
                return 0;
        (void) dprintf(STDERR_FILENO, "%s: %s. Run: dmsetup remove %s%s\n", uuid ?: name,
                       strerror(task ? dm_task_get_errno(task) : ENOMEM), uuid ? "--uuid " : "",
                       uuid ?: name);
        return 1;
}

/* device-mapper's name of an LV: a dash in the group's name is written twice. Ours have none. */
static void lv_device_name(char *ret, size_t size, const LvmStrays *strays, const char *suffix) {
        char vg[2 * LVM_VG_SIZE];
        size_t n = 0;

        for (const char *c = strays->vg; *c && n + 2 < sizeof(vg); c++) {
                vg[n++] = *c;
                if (*c == '-')
                        vg[n++] = '-';
        }
        vg[n] = '\0';
        (void) snprintf(ret, size, "%s-%s%s", vg, strays->lv, suffix);
}

/**
 * lvm_strays_delete_thin() - delete a device inside a thin pool, so that LVM can make it, and remove it
 * @pool_key:   dm uuid of the pool's device
 * @thin_id:    the device's number
 *
 * Takes as long as it has blocks of its own, all I/O of the pool standing still.
 *
 * Return: exit status; what went wrong is said on stderr.
 */
int lvm_strays_delete_thin(const char *pool_key, uint64_t thin_id) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;
        char message[32];

        dm_log_with_errno_init(log_nothing);
        (void) snprintf(message, sizeof(message), "delete %" PRIu64, thin_id);
        task = task_new(DM_DEVICE_TARGET_MSG, NULL, pool_key);
        if (task && dm_task_set_sector(task, 0) && dm_task_set_message(task, message) && dm_task_run(task))
                return 0;
        (void) dprintf(STDERR_FILENO, "%s, message \"%s\": %s.\n", pool_key, message,
                       strerror(task ? dm_task_get_errno(task) : ENOMEM));
        return 1;
}

/**
 * lvm_strays_remove() - remove what is left over
 * @strays:     of which snapshot
 *
 * Return: exit status; what could not be removed is said on stderr.
 */
int lvm_strays_remove(const LvmStrays *strays) {
        static const char *const suffixes[] = {"", "-cow"};
        char name[3 * LVM_VG_SIZE + 8], uuid[LVM_KEY_SIZE + 8];
        int status = 0;

        dm_log_with_errno_init(log_nothing);
        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                lv_device_name(name, sizeof(name), strays, suffixes[i]);
                status |= stray_remove(name, NULL);
        }
        (void) snprintf(uuid, sizeof(uuid), "%s-real", strays->origin_key);
        return status | stray_remove(NULL, uuid);
}
