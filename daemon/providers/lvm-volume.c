/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The provider, and what it keeps of a volume: names, uuids, and the one operation that runs on it.
 */

#include <assert.h>

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-provider.h"
#include "util/error.h"

#define COW_PERCENT_DEFAULT   20u
#define SNAPSHOTS_MAX_DEFAULT 64u

/**
 * provider_lvm_configure() - what counts for all that begins from now on
 * @provider:   the provider
 * @config:     copied, but not the placements
 */
void provider_lvm_configure(Provider *provider, const ProviderLvmConfig *config) {
        provider->cow_percent = config->cow_percent > 0 ? config->cow_percent : COW_PERCENT_DEFAULT;
        provider->snapshots_max = config->snapshots_max > 0 ? config->snapshots_max : SNAPSHOTS_MAX_DEFAULT;
        provider->placements = config->placements;
        provider->grow_percent = config->grow_percent;
        provider->grow_by_percent = config->grow_by_percent;
}

/**
 * provider_lvm_new() - the provider of both tables
 * @ret:        the provider
 * @lvm:        runner, must live longer
 * @config:     defaults, or NULL
 *
 * Return: 0, or a negative errno.
 */
int provider_lvm_new(Provider **ret, Lvm *lvm, const ProviderLvmConfig *config) {
        Provider *provider = calloc(1, sizeof(*provider));

        if (!provider)
                return error_origin(-ENOMEM);
        provider->lvm = lvm;
        provider_lvm_configure(provider, config ?: &(ProviderLvmConfig){});
        *ret = provider;
        return 0;
}

/**
 * provider_lvm_free() - end it; its volumes must be gone
 * @provider:   it or NULL
 *
 * Return: NULL.
 */
Provider *provider_lvm_free(Provider *provider) {
        free(provider);
        return NULL;
}

/**
 * lvm_lv_path() - a logical volume as LVM's commands take it
 * @ret:        "vg/lv"
 * @vg:         group
 * @lv:         volume
 */
void lvm_lv_path(char ret[static 2 * LVM_VG_SIZE], const char *vg, const char *lv) {
        (void) snprintf(ret, (size_t) 2 * LVM_VG_SIZE, "%s/%s", vg, lv);
}

/* Names are at most 127 bytes long in LVM. */
static bool fits(char *to, size_t size, const char *from) {
        return (size_t) snprintf(to, size, "%s", from) < size;
}

/**
 * lvm_data_new() - what is kept of a volume
 * @ret:        it
 * @volume:     whose
 * @origin:     the origin as reported
 *
 * Return: 0, or a negative errno; -EINVAL: an id or a name is none.
 */
int lvm_data_new(LvmData **ret, const ProviderVolume *volume, const LvmVolume *origin) {
        _cleanup_free_ LvmData *data = NULL;
        int r;

        data = calloc(1, sizeof(*data));
        if (!data)
                return error_origin(-ENOMEM);
        if (!fits(data->vg, sizeof(data->vg), origin->vg) || !fits(data->lv, sizeof(data->lv), origin->lv) ||
            !fits(data->pool, sizeof(data->pool), origin->pool) ||
            !fits(data->origin_key, sizeof(data->origin_key), origin->key) ||
            !fits(data->origin_uuid, sizeof(data->origin_uuid), origin->uuid) ||
            !fits(data->vg_uuid, sizeof(data->vg_uuid), origin->vg_uuid))
                return error_origin(-EINVAL);
        if (volume->snapshot_id[0]) {
                r = lvm_snapshot_name(data->name, volume->snapshot_id);
                if (r < 0)
                        return error_trace(r);
        }
        lvm_lock_path(volume->provider->lvm, data->vg, data->lock_path);
        *ret = TAKE_PTR(data);
        return 0;
}

/**
 * lvm_volume_done() - forget a volume
 * @volume:     it; its snapshot stays
 */
void lvm_volume_done(ProviderVolume *volume) {
        LvmData *data = volume->data;

        if (!data)
                return;
        lvm_command_forget(data->command);
        lvm_removal_forget(data->removal);
        free(data);
        volume->data = NULL;
}

/**
 * lvm_is_open() - whether somebody has the snapshot's device open, or mounted, or that of its copy
 * @volume:     a volume whose snapshot counts
 *
 * Return: whether; not if it has no device now.
 */
bool lvm_is_open(const ProviderVolume *volume) {
        const LvmData *data = volume->data;

        return data && data->snapshot_key[0] &&
               (lvm_dm_is_open(data->snapshot_key) || lvm_copy_is_open(volume));
}

/**
 * lvm_is_open_besides_mount() - whether somebody has it open besides one mount
 * @volume:     a volume whose snapshot counts and is mounted
 *
 * Return: whether.
 */
bool lvm_is_open_besides_mount(const ProviderVolume *volume) {
        const LvmData *data = volume->data;

        return data && data->snapshot_key[0] &&
               (lvm_dm_count_open(data->snapshot_key) > 1 || lvm_copy_is_open(volume));
}

/**
 * lvm_volume_cancel() - end the wait of the running operation
 * @volume:     on which it runs; a command that has started is waited for: LVM killed in the middle leaves
 *              devices suspended
 */
void lvm_volume_cancel(ProviderVolume *volume) {
        LvmData *data = volume->data;

        if (data && data->command)
                lvm_command_cancel(data->command);
}

/**
 * lvm_operation_begin() - an operation begins
 * @volume:     with none running, after BEGIN_PREPARE
 * @done:       of the operation
 * @userdata:   for @done
 *
 * Return: 0.
 */
int lvm_operation_begin(ProviderVolume *volume, ProviderDone done, void *userdata) {
        LvmData *data = volume->data;

        assert(data && !data->done);
        data->done = done;
        data->userdata = userdata;
        return 0;
}

/**
 * lvm_operation_end() - it has ended
 * @volume:     on which
 * @error:      how
 * @text:       with an error: why
 */
void lvm_operation_end(ProviderVolume *volume, ContractError error, const char *text) {
        LvmData *data = volume->data;
        ProviderDone done = TAKE_PTR(data->done);

        data->command = NULL;
        done(volume, error, text, data->userdata);
}

/**
 * lvm_operation_run() - the operation's command
 * @volume:     on which; @answered gets it as userdata
 * @spec:       the command
 * @answered:   must end the operation, or run another command
 *
 * Return: 0, or a negative errno, and the operation has not begun.
 */
int lvm_operation_run(ProviderVolume *volume, const LvmCommandSpec *spec, LvmCommandDone answered) {
        LvmData *data = volume->data;
        int r;

        r = lvm_command_new(&data->command, volume->provider->lvm, spec, answered, volume);
        if (r < 0)
                data->done = NULL;
        return error_trace(r);
}

static int adopt_strings(ProviderVolume *volume, const LvmVolume *snapshot, const LvmVolume *origin) {
        volume->name = strdup(origin->name);
        volume->key = strdup(origin->key);
        volume->device = strdup(snapshot->path);
        return volume->name && volume->key && volume->device ? 0 : error_origin(-ENOMEM);
}

/**
 * provider_lvm_adopt() - a snapshot found again by its tags
 * @volume:     filled in: ops, name, key, device, size, snapshot_id, data; the rest is the caller's
 * @report:     with all LVs of its group
 * @snapshot:   the LV, one of ours
 *
 * If its origin is gone, name and key are the snapshot's own.
 *
 * Return: 0, or a negative errno; -EINVAL: it is none of ours.
 */
int provider_lvm_adopt(ProviderVolume *volume, const LvmReport *report, const LvmVolume *snapshot) {
        const LvmVolume *origin;
        LvmSnapshot said;
        LvmData *data;
        int r;

        if (!lvm_volume_get_snapshot(snapshot, &said))
                return error_origin(-EINVAL);
        origin = lvm_report_find_uuid(report, said.origin_uuid) ?: snapshot;
        memcpy(volume->snapshot_id, said.id, sizeof(volume->snapshot_id));
        volume->ops = lvm_volume_is_thin(snapshot) ? &lvm_thin_ops : &lvm_cow_ops;
        volume->size = origin->size;
        r = adopt_strings(volume, snapshot, origin);
        if (r < 0)
                return error_trace(r);
        r = lvm_data_new(&data, volume, origin);
        if (r < 0)
                return error_trace(r);
        volume->data = data;
        data->attempted = true;
        data->native = streq(snapshot->origin_uuid, said.origin_uuid);
        (void) fits(data->pool, sizeof(data->pool), snapshot->pool);
        (void) fits(data->snapshot_key, sizeof(data->snapshot_key), snapshot->key);
        data->thin_id = (uint32_t) snapshot->thin_id;
        if (*snapshot->pool) {
                const LvmVolume *pool = lvm_report_find(report, snapshot->vg, snapshot->pool);

                (void) snprintf(data->pool_key, sizeof(data->pool_key), "%.120s-tpool",
                                pool ? pool->key : "");
        }
        return 0;
}
