/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What snapshots take up, in bytes, and how fast that grows: of each store and of each pool. space.c looks,
 * and what it sees is kept here, in memory alone: after a start growth is not known for a while.
 */

#include <assert.h>

#include "daemon/sets/sets-internal.h"
#include "util/error.h"

static uint64_t boottime_usec(const Sets *sets) {
        uint64_t usec = 0;

        (void) sd_event_now(sets->event, CLOCK_BOOTTIME, &usec);
        return usec;
}

static StoragePool *pool_get(Sets *sets, const char *key) {
        StoragePool *pools;

        for (size_t i = 0; i < sets->n_pools; i++)
                if (streq(sets->pools[i].key, key))
                        return &sets->pools[i];
        pools = reallocarray(sets->pools, sets->n_pools + 1, sizeof(*pools));
        if (!pools)
                return NULL;
        sets->pools = pools;
        pools += sets->n_pools;
        *pools = (StoragePool){.key = strdup(key)};
        if (!pools->key)
                return NULL;
        sets->n_pools++;
        return pools;
}

/**
 * storage_begin() - all are looked at now
 * @sets:       whose pools are to be told of
 */
void storage_begin(Sets *sets) {
        for (size_t i = 0; i < sets->n_pools; i++)
                sets->pools[i].seen = false;
}

/**
 * storage_note() - keep what was seen
 * @volume:     whose store or pool it is
 * @space:      as the provider tells
 *
 * Without memory nothing is kept: growth is not known then.
 */
void storage_note(SetVolume *volume, const ProviderSpace *space) {
        Sets *sets = volume->set->sets;
        uint64_t now = boottime_usec(sets);
        StoragePool *pool;

        if (!space->pool) {
                volume->used = space->used;
                volume->allocated = space->allocated;
                growth_add(&volume->growth, now, space->used, sets->config.growth_usec);
                return;
        }
        pool = pool_get(sets, space->pool);
        if (!pool || pool->seen)
                return;
        pool->seen = true;
        pool->used = space->used;
        pool->allocated = space->allocated;
        (void) snprintf(pool->name, sizeof(pool->name), "%s/%s", space->pool_group, space->pool_name);
        growth_add(&pool->growth, now, space->used, sets->config.growth_usec);
}

/**
 * storage_end() - all have been looked at
 * @sets:       forgets pools without snapshots
 */
void storage_end(Sets *sets) {
        size_t kept = 0;

        for (size_t i = 0; i < sets->n_pools; i++)
                if (sets->pools[i].seen)
                        sets->pools[kept++] = sets->pools[i];
                else
                        free(sets->pools[i].key);
        sets->n_pools = kept;
}

/**
 * storage_done() - forget all pools
 * @sets:       whose
 */
void storage_done(Sets *sets) {
        storage_begin(sets);
        storage_end(sets);
        free(sets->pools);
        sets->pools = NULL;
}

static void info_fill(StorageInfo *info, const Growth *growth, uint64_t used, uint64_t allocated) {
        info->used = used;
        info->allocated = allocated;
        info->growth_is_known = growth_per_hour(growth, &info->growth_per_hour);
        if (!info->growth_is_known ||
            !growth_full_in(info->growth_per_hour, used, allocated, &info->full_in_usec))
                info->full_in_usec = USEC_INFINITY;
}

/**
 * snapshot_set_get_storage() - what a snapshot takes up
 * @set:        the set
 * @index:      0 … n_snapshots - 1
 * @ret:        as of the last look
 *
 * Return: false if there is no such snapshot (any more), or it has no store of its own.
 */
bool snapshot_set_get_storage(const SnapshotSet *set, size_t index, StorageInfo *ret) {
        const SetVolume *volume;

        if (index >= set->n_volumes)
                return false;
        volume = set->volumes[index];
        if (volume->state == SNAPSHOT_GONE || volume->pool || volume->allocated == 0)
                return false;
        *ret = (StorageInfo){.name = volume->given.name};
        info_fill(ret, &volume->growth, volume->used, volume->allocated);
        return true;
}

/**
 * sets_look_at_space() - as space.c does by itself, but now
 * @sets:       whose snapshots and pools are looked at: short ioctls
 *
 * Not in a freeze window: what was seen last counts then.
 */
void sets_look_at_space(Sets *sets) {
        if (!lvm_gate_is_closed(sets->lvm))
                (void) space_look(sets);
}

/**
 * sets_get_pool_storage() - what a pool that snapshots lie in holds
 * @sets:       where
 * @index:      from 0
 * @ret:        as of the last look; live volumes in it included
 *
 * Return: false if there are no more.
 */
bool sets_get_pool_storage(const Sets *sets, size_t index, StorageInfo *ret) {
        if (index >= sets->n_pools)
                return false;
        *ret = (StorageInfo){.name = sets->pools[index].name};
        info_fill(ret, &sets->pools[index].growth, sets->pools[index].used, sets->pools[index].allocated);
        return true;
}

/**
 * sets_window_is_open() - whether a freeze window is on, or begins
 * @sets:       of all sets
 *
 * Return: true: LVM waits, nothing is to be begun.
 */
bool sets_window_is_open(const Sets *sets) {
        return lvm_gate_is_closed(sets->lvm);
}
