/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Finding a volume's devices by uuid and checking that they fit each other: what LOCK does before it changes
 * anything; see hold-stage.h. The tables that the kernel shows are the truth; what quiesced sent only says
 * where to look.
 */

#include <errno.h>
#include <time.h>

#include "daemon/hold/hold-stage.h"

/* udev may be looking at a fresh snapshot just now; nothing tells when it is done. */
#define OPEN_WAIT_USEC (2 * USEC_PER_SEC)
#define OPEN_POLL_USEC (20 * USEC_PER_MSEC)

static bool device_is(const DmDevice *device, const TableDevice *expected) {
        return device->major == expected->major && device->minor == expected->minor;
}

/* A device that is in nobody's hands: neither suspended nor about to get another table. */
static int check_untouched(const DmDevice *device, uint32_t volume, Failure *failure) {
        if (device->flags & DM_SUSPEND_FLAG)
                return failure_say(failure, -EBUSY, volume, HOLD_NONE,
                                   "%s is suspended by someone else, see dmsetup info", device->name);
        if (device->flags & DM_INACTIVE_PRESENT_FLAG)
                return failure_say(failure, -EBUSY, volume, HOLD_NONE,
                                   "%s has a table waiting that somebody else has loaded, see dmsetup clear",
                                   device->name);
        return 0;
}

static int get_table(HoldSet *set, uint32_t volume, const char *what, const char *uuid, DmBuffer *buffer,
                     DmTable *ret, Failure *failure) {
        int r = dm_get_table(set->control_fd, buffer, uuid, ret);

        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "volume %u: cannot find the %s %s", volume,
                                   what, uuid);
        return 0;
}

static int fail_form(uint32_t volume, const DmTable *table, const char *expected, Failure *failure) {
        return failure_say(failure, -EINVAL, volume, HOLD_NONE, "%s is no %s but '%s %s'",
                           table->device.name, expected, table->type, table->params);
}

static int wait_not_open(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        struct timespec pause = {.tv_nsec = OPEN_POLL_USEC * NSEC_PER_USEC};
        uint64_t until = boottime_usec() + OPEN_WAIT_USEC;
        DmDevice device;
        int r;

        for (;;) {
                r = dm_get_device(set->control_fd, buffer, v->given.snapshot_uuid, &device);
                if (r < 0)
                        return failure_set(failure, r, volume, HOLD_NONE, "cannot look at the snapshot %s",
                                           v->target_name);
                if (device.open_count == 0)
                        return 0;
                if (hold_set_given_up(set))
                        return -ECANCELED;
                if (boottime_usec() >= until)
                        return failure_say(failure, -EBUSY, volume, HOLD_NONE,
                                           "the snapshot %s of %s is open (%d times) before it is made",
                                           v->target_name, v->origin_name, device.open_count);
                (void) nanosleep(&pause, NULL);
        }
}

static int check_cow_fits(HoldSet *set, uint32_t volume, const DmTable *snapshot, const DmTable *cow,
                          const TableDevice *real, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        TableSnapshot parsed;

        if (snapshot->n_targets == 1 && streq(snapshot->type, "error"))
                return failure_say(failure, -EBUSY, volume, HOLD_NONE,
                                   "the snapshot %s is parked already, by a set that was never finished",
                                   v->target_name);
        if (!streq(snapshot->type, "snapshot") || table_parse_snapshot(snapshot->params, &parsed) < 0 ||
            !parsed.persistent || parsed.chunk_sectors > STAGE_CHUNK_SECTORS_MAX)
                return fail_form(volume, snapshot, "persistent snapshot", failure);
        if (parsed.origin.major != real->major || parsed.origin.minor != real->minor)
                return failure_say(failure, -EINVAL, volume, HOLD_NONE, "%s is no snapshot of %s",
                                   v->target_name, v->origin_name);
        if (!device_is(&cow->device, &parsed.cow))
                return failure_say(failure, -EINVAL, volume, HOLD_NONE, "%s is not the store of %s",
                                   cow->device.name, v->target_name);
        if (snapshot->n_sectors != v->n_sectors)
                return failure_say(failure, -EINVAL, volume, HOLD_NONE, "%s and %s differ in size",
                                   v->target_name, v->origin_name);
        v->cow = parsed.cow;
        v->chunk_sectors = parsed.chunk_sectors;
        return 0;
}

static int find_cow(HoldSet *set, uint32_t volume, const DmTable *origin, DmBuffer *buffer,
                    Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        DmTable snapshot, cow;
        TableDevice real;
        int r;

        if (!streq(origin->type, "snapshot-origin") || table_parse_device(origin->params, &real) < 0)
                return fail_form(volume, origin, "origin of a thick snapshot", failure);
        r = get_table(set, volume, "snapshot", v->given.snapshot_uuid, buffer, &snapshot, failure);
        if (r < 0)
                return r;
        memcpy(v->target_name, snapshot.device.name, sizeof(v->target_name));
        r = get_table(set, volume, "store", v->given.cow_uuid, buffer, &cow, failure);
        if (r < 0)
                return r;
        r = check_untouched(&snapshot.device, volume, failure);
        if (r < 0)
                return r;
        r = check_cow_fits(set, volume, &snapshot, &cow, &real, failure);
        if (r < 0)
                return r;
        memcpy(v->snapshot_params, snapshot.params, sizeof(v->snapshot_params));
        v->readonly_flag = v->given.writable ? 0 : snapshot.device.flags & DM_READONLY_FLAG;
        return wait_not_open(set, volume, buffer, failure);
}

/**
 * stage_check_pool() - whether a volume's thin pool can take a snapshot and will not run full meanwhile
 * @set:        the set
 * @volume:     which; a thick one has no pool
 * @buffer:     this thread's
 * @failure:    gets the words if not
 *
 * The pool's answer to a message is no proof, and a volume on a pool that waits for space cannot be frozen:
 * so its status is asked.
 *
 * Return: 0, or a negative errno; -EROFS, -ENOSPC: not in a state for it.
 */
int stage_check_pool(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        DmTable status;
        TablePool pool;
        int r;

        if (v->given.kind != HOLD_VOLUME_THIN)
                return 0;
        r = dm_get_status(set->control_fd, buffer, v->given.pool_uuid, &status);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "volume %u: cannot find the thin pool %s",
                                   volume, v->given.pool_uuid);
        memcpy(v->target_name, status.device.name, sizeof(v->target_name));
        if (!streq(status.type, "thin-pool") || table_parse_pool_status(status.params, &pool) < 0)
                return fail_form(volume, &status, "thin pool", failure);
        if (pool.failed || !pool.read_write || pool.needs_check)
                return failure_say(failure, -EROFS, volume, HOLD_NONE,
                                   "thin pool %s of %s is not plainly writable (%s)", v->target_name,
                                   v->origin_name, status.params);
        if (!table_pool_has_room(&pool, set->begin.pool_margin))
                return failure_say(failure, -ENOSPC, volume, HOLD_NONE,
                                   "thin pool %s of %s is nearly full (%s), extend it", v->target_name,
                                   v->origin_name, status.params);
        return 0;
}

static int find_thin(HoldSet *set, uint32_t volume, const DmTable *origin, DmBuffer *buffer,
                     Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        DmTable below;
        DmDevice pool;
        TableThin thin;
        int r;

        if (v->given.thin_origin_uuid[0] != '\0') {
                r = get_table(set, volume, "thin device", v->given.thin_origin_uuid, buffer, &below,
                              failure);
                if (r < 0)
                        return r;
                origin = &below;
        }
        if (!streq(origin->type, "thin") || table_parse_thin(origin->params, &thin) < 0)
                return fail_form(volume, origin, "thin device", failure);
        r = dm_get_device(set->control_fd, buffer, v->given.pool_uuid, &pool);
        if (r < 0)
                return failure_set(failure, r, volume, HOLD_NONE, "volume %u: cannot find the thin pool %s",
                                   volume, v->given.pool_uuid);
        if (!device_is(&pool, &thin.pool) || thin.id == v->given.thin_snapshot_id)
                return failure_say(failure, -EINVAL, volume, HOLD_NONE,
                                   "%s (device %u) and its snapshot (device %u) do not share thin pool %s",
                                   v->origin_name, thin.id, v->given.thin_snapshot_id, pool.name);
        v->thin_origin_id = thin.id;
        (void) snprintf(v->thin_create, sizeof(v->thin_create), "create_snap %u %u",
                        v->given.thin_snapshot_id, thin.id);
        return stage_check_pool(set, volume, buffer, failure);
}

/**
 * stage_find() - finds the devices of one volume and checks them; changes nothing
 * @set:        the set
 * @volume:     which
 * @buffer:     this thread's
 * @failure:    gets the words if it fails
 *
 * Return: 0, or a negative errno.
 */
int stage_find(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        SetVolume *v = &set->volumes[volume];
        DmTable origin;
        int r;

        if (!hold_set_is_suspended(set, volume))
                return 0;
        r = get_table(set, volume, "origin", v->given.origin_uuid, buffer, &origin, failure);
        if (r < 0)
                return r;
        memcpy(v->origin_name, origin.device.name, sizeof(v->origin_name));
        v->n_sectors = origin.n_sectors;
        r = check_untouched(&origin.device, volume, failure);
        if (r < 0)
                return r;
        if (v->given.kind == HOLD_VOLUME_THIN)
                return find_thin(set, volume, &origin, buffer, failure);
        return find_cow(set, volume, &origin, buffer, failure);
}
