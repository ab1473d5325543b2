/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The checks of BEGIN_PREPARE. LVM refuses most of this by itself, but only when the snapshot is made, and
 * in words that name neither the remedy nor the caller's volume.
 */

#include "daemon/providers/lvm-check.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>

#define COW_SIZE_MIN     UINT64_C(67108864) /* small volumes change faster than their size tells */
#define COW_CHUNK_SIZE   UINT64_C(4096)     /* LVM's default */
#define COW_RECORD_SIZE  UINT64_C(16)       /* of the kernel's exception store, per chunk */
#define POOL_PERCENT_MAX 98.0

typedef enum Standing {
        STANDING_GOOD,
        STANDING_HIDDEN, /* LVM's own business: not shown to anybody */
        STANDING_NEVER,
        STANDING_BUSY,
} Standing;

/**
 * lvm_verdict() - say why not
 * @verdict:    where
 * @error:      what the call will answer
 * @format:     what is wrong with which thing, and what to do
 *
 * Return: false.
 */
bool lvm_verdict(LvmVerdict *verdict, ContractError error, const char *format, ...) {
        va_list args;

        verdict->error = error;
        va_start(args, format);
        (void) vsnprintf(verdict->text, sizeof(verdict->text), format, args);
        va_end(args);
        return false;
}

static Standing standing_of_type(const LvmVolume *volume, const char **ret_reason) {
        switch (volume->attributes[0]) {
        case 'O':
                *ret_reason = "a snapshot is being merged into it, or will be when it is activated next; "
                              "wait until the merge is over, or deactivate and activate it";
                return STANDING_BUSY;
        case 'c':
                *ret_reason = "it is being converted (lvconvert); wait until that is over";
                return STANDING_BUSY;
        case 's':
        case 'S':
                *ret_reason = "it is a snapshot itself, and LVM takes no copy-on-write snapshot of one";
                return STANDING_NEVER;
        case 'v':
                if (streq(volume->segment, "vdo"))
                        return STANDING_GOOD;
                *ret_reason = "it is a virtual volume, of which LVM takes no snapshot";
                return STANDING_NEVER;
        case '-':
        case 'o':
        case 'V':
        case 'C':
        case 'g':
        case 'r':
        case 'R':
        case 'm':
        case 'M':
                return STANDING_GOOD;
        default: /* pools, and parts of other volumes */
                return STANDING_HIDDEN;
        }
}

static Standing volume_standing(const LvmVolume *volume, const char **ret_reason) {
        char copy_of[CONTRACT_ID_MAX];
        LvmSnapshot snapshot;
        Standing standing;

        if (!*volume->path || volume->attributes[4] == 'h' || lvm_volume_get_snapshot(volume, &snapshot) ||
            lvm_volume_get_copy(volume, copy_of))
                return STANDING_HIDDEN;
        standing = standing_of_type(volume, ret_reason);
        if (standing != STANDING_GOOD)
                return standing;
        if (volume->attributes[8] == 'p') {
                *ret_reason = "a physical volume of it is missing; bring it back, see vgreduce(8)";
                return STANDING_NEVER;
        }
        if (volume->attributes[4] == 's' || volume->attributes[4] == 'S') {
                *ret_reason = "its device is suspended by somebody; see dmsetup(8), info and resume";
                return STANDING_BUSY;
        }
        if (*volume->move) {
                *ret_reason = "it is being moved (pvmove); wait until that is over";
                return STANDING_BUSY;
        }
        if (!volume->active) {
                *ret_reason = "it is not active here; activate it (lvchange -ay)";
                return STANDING_NEVER;
        }
        return STANDING_GOOD;
}

/**
 * lvm_volume_get_provider() - can it be an origin at all
 * @volume:     an LV as reported
 * @ret_reason: why not, a static text that follows the volume's name, or NULL
 *
 * Return: the operations that fit best; NULL: none, and if there is no reason either, nobody should see it.
 */
const ProviderOps *lvm_volume_get_provider(const LvmVolume *volume, const char **ret_reason) {
        *ret_reason = NULL;
        if (volume_standing(volume, ret_reason) != STANDING_GOOD)
                return NULL;
        return lvm_volume_is_thin(volume) ? &lvm_thin_ops : &lvm_cow_ops;
}

/**
 * lvm_volume_is_thin() - whether it lies in a thin pool
 * @volume:     an LV as reported
 *
 * Return: whether.
 */
bool lvm_volume_is_thin(const LvmVolume *volume) {
        return streq(volume->segment, "thin");
}

/**
 * lvm_check_origin() - may this volume be an origin now
 * @origin:     an LV as reported
 * @verdict:    why not
 *
 * Return: whether.
 */
bool lvm_check_origin(const LvmVolume *origin, LvmVerdict *verdict) {
        const char *reason = NULL;
        char copy_of[CONTRACT_ID_MAX];
        LvmSnapshot snapshot;
        Standing standing;

        standing = volume_standing(origin, &reason);
        if (standing == STANDING_GOOD)
                return true;
        if (standing == STANDING_BUSY)
                return lvm_verdict(verdict, CONTRACT_ERROR_VOLUME_BUSY,
                                   "No snapshot can be taken of %.200s now: %s.", origin->name, reason);
        if (lvm_volume_get_snapshot(origin, &snapshot))
                reason = "it is a snapshot made by quiesced; name its origin";
        else if (lvm_volume_get_copy(origin, copy_of))
                reason = "it is the writable copy of a snapshot, and goes when that is unmounted; name the "
                         "snapshot's origin";
        else if (standing == STANDING_HIDDEN)
                reason = "it is a part of another volume; name that";
        return lvm_verdict(verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                           "No snapshot can be taken of %.200s: %s.", origin->name, reason);
}

/**
 * lvm_check_group() - may its volume group be changed from here
 * @origin:     an LV as reported
 * @verdict:    why not
 *
 * Return: whether.
 */
bool lvm_check_group(const LvmVolume *origin, LvmVerdict *verdict) {
        const char *a = origin->vg_attributes;

        if (a[5] == 's' || a[5] == 'c')
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_VOLUME_BUSY,
                        "The volume group %.128s of %.128s is shared with other machines, and "
                        "that this machine alone uses it cannot be seen from here. Take it out of "
                        "sharing (vgchange --lock-type none) for the time of the backup.",
                        origin->vg, origin->lv);
        if (a[0] != 'w' || a[2] == 'x')
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "The volume group %.128s of %.128s is %s. Make it writable first, see %s.",
                        origin->vg, origin->lv, a[2] == 'x' ? "exported" : "read-only",
                        a[2] == 'x' ? "vgimport(8)" : "vgchange(8), permission");
        if (a[3] == 'p')
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "The volume group %.128s of %.128s lacks a physical volume, and LVM makes "
                        "no snapshot in it. Bring the disk back or take it out, see vgreduce(8).",
                        origin->vg, origin->lv);
        return true;
}

/**
 * lvm_check_count() - has it fewer snapshots of ours than are allowed
 * @report:     with all LVs of its group
 * @origin:     the volume
 * @max:        how many it may have
 * @verdict:    why not
 *
 * Return: whether.
 */
bool lvm_check_count(const LvmReport *report, const LvmVolume *origin, unsigned max, LvmVerdict *verdict) {
        LvmSnapshot snapshot;
        unsigned n = 0;

        for (size_t i = 0; i < report->n_volumes; i++)
                if (lvm_volume_get_snapshot(&report->volumes[i], &snapshot) &&
                    streq(snapshot.origin_uuid, origin->uuid))
                        n++;
        if (n < max)
                return true;
        return lvm_verdict(
                verdict, CONTRACT_ERROR_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED,
                "%.200s has %u snapshots of quiesced, and %u is the most it may have. Delete some "
                "(quiescectl list snapshots, quiescectl delete), or allow more.",
                origin->name, n, max);
}

/* What a COW store can use at most, all of the origin changed: LVM makes none larger. */
static uint64_t cow_size_max(const LvmVolume *origin) {
        uint64_t chunks = origin->size / COW_CHUNK_SIZE + 1;
        uint64_t areas = chunks / (COW_CHUNK_SIZE / COW_RECORD_SIZE) + 1;

        return (1 + areas + chunks) * COW_CHUNK_SIZE;
}

static uint64_t round_up(uint64_t size, uint64_t unit) {
        return unit == 0 ? size : (size + unit - 1) / unit * unit;
}

/**
 * lvm_cow_size() - how large a COW store is to be
 * @origin:     the volume
 * @wished:     bytes, or 0: the default
 * @percent:    of the origin: the default
 *
 * Return: bytes, whole extents, never more than can be used.
 */
uint64_t lvm_cow_size(const LvmVolume *origin, uint64_t wished, unsigned percent) {
        uint64_t size = wished, max = round_up(cow_size_max(origin), origin->extent_size);

        if (size == 0) {
                size = origin->size / 100 * percent;
                if (size < COW_SIZE_MIN)
                        size = COW_SIZE_MIN;
        }
        if (size > max)
                size = max;
        return round_up(size, origin->extent_size);
}

/**
 * lvm_check_space() - is there room for a COW store
 * @origin:     the volume
 * @cow_size:   bytes, as lvm_cow_size() says
 * @verdict:    why not
 *
 * Return: whether.
 */
bool lvm_check_space(const LvmVolume *origin, uint64_t cow_size, LvmVerdict *verdict) {
        if (cow_size <= origin->vg_free)
                return true;
        return lvm_verdict(
                verdict, CONTRACT_ERROR_INSUFFICIENT_STORAGE,
                "The volume group %.128s has no room for a snapshot of %.128s: its store needs %" PRIu64
                " bytes, %" PRIu64
                " are free. Add a disk (vgextend), remove what is not needed, or wish for "
                "a smaller store.",
                origin->vg, origin->lv, cow_size, origin->vg_free);
}

static const char *pool_ailment(const LvmVolume *pool) {
        switch (pool->attributes[8]) {
        case 'F':
                return "has failed";
        case 'D':
                return "is out of data space";
        case 'M':
                return "has read-only metadata (see lvconvert(8), repair)";
        case 'p':
                return "lacks a physical volume";
        default:
                return NULL;
        }
}

/**
 * lvm_check_pool() - is the pool of a thin volume well, with room
 * @report:     with all LVs of its group
 * @origin:     the thin volume
 * @verdict:    why not
 *
 * Return: whether.
 */
bool lvm_check_pool(const LvmReport *report, const LvmVolume *origin, LvmVerdict *verdict) {
        const LvmVolume *pool = lvm_report_find(report, origin->vg, origin->pool);
        const char *ailment;

        if (!pool)
                return lvm_verdict(verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                   "LVM does not tell the thin pool of %.200s.", origin->name);
        ailment = pool_ailment(pool);
        if (ailment)
                return lvm_verdict(verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                   "The thin pool %.160s of %.128s %s. Repair it first.", pool->name,
                                   origin->lv, ailment);
        if (pool->data_percent < POOL_PERCENT_MAX && pool->metadata_percent < POOL_PERCENT_MAX)
                return true;
        return lvm_verdict(
                verdict, CONTRACT_ERROR_INSUFFICIENT_STORAGE,
                "The thin pool %.160s of %.128s has no room for a snapshot: data %.1f %%, metadata "
                "%.1f %% full, %.0f %% is the most. Extend it (lvextend, --poolmetadatasize) or "
                "remove what is not needed.",
                pool->name, origin->lv, pool->data_percent, pool->metadata_percent, POOL_PERCENT_MAX);
}

/**
 * lvm_volume_has_external_origin() - does a thin volume read what it has not from a volume outside its pool
 * @report:     with all LVs of its group
 * @volume:     the thin volume
 *
 * Only LVM can make a snapshot of such a one: a plain thin volume would lack that origin.
 *
 * Return: whether.
 */
bool lvm_volume_has_external_origin(const LvmReport *report, const LvmVolume *volume) {
        const LvmVolume *origin =
                *volume->origin ? lvm_report_find(report, volume->vg, volume->origin) : NULL;

        return *volume->origin && (!origin || !streq(origin->pool, volume->pool));
}

/**
 * lvm_volume_has_thick_snapshot() - is its own device hidden below a snapshot-origin
 * @report:     with all LVs of its group
 * @volume:     the volume
 *
 * Return: whether.
 */
bool lvm_volume_has_thick_snapshot(const LvmReport *report, const LvmVolume *volume) {
        for (size_t i = 0; i < report->n_volumes; i++) {
                const LvmVolume *other = &report->volumes[i];

                if (streq(other->origin_uuid, volume->uuid) && !lvm_volume_is_thin(other))
                        return true;
        }
        return false;
}
