/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Room for snapshots that exist: LVM's own way of extending what runs full, `lvextend --use-policies`, as
 * dmeventd(8) would call it. Called from here instead, because it must not come while a set is made: it
 * reloads the origin.
 *
 * A store is quiesced's, so quiesced.conf(5) says when and by how much. A pool is the administrator's, so
 * what lvm.conf(5) says of it counts, and that may be that it is not extended.
 */

#include "daemon/providers/lvm-provider.h"
#include "util/error.h"

static void on_grown(const LvmAnswer *answer, void *userdata) {
        ProviderVolume *volume = userdata;
        const LvmData *data = volume->data;
        ContractError error = CONTRACT_OK;
        char text[CONTRACT_TEXT_MAX] = "";

        if (answer->error < 0) {
                error = CONTRACT_ERROR_INSUFFICIENT_STORAGE;
                (void) snprintf(
                        text, sizeof(text), "%s %.100s/%.100s cannot be extended. %.250s",
                        data->pool[0] && volume->ops == &lvm_thin_ops ? "The thin pool" : "The store of",
                        data->vg, volume->ops == &lvm_thin_ops ? data->pool : data->name, answer->text);
        }
        lvm_operation_end(volume, error, text);
}

static int grow(ProviderVolume *volume, LvmCommandSpec *spec, const char *lv, ProviderDone done,
                void *userdata) {
        LvmData *data = volume->data;
        char path[2 * LVM_VG_SIZE];
        int r;

        r = lvm_operation_begin(volume, done, userdata);
        if (r < 0)
                return error_trace(r);
        lvm_lv_path(path, data->vg, lv);
        (void) lvm_spec_add(spec, path);
        for (const char *const *device = volume->ops == &lvm_cow_ops ? lvm_cow_devices(volume) : NULL;
             device && *device; device++)
                (void) lvm_spec_add(spec, *device);
        spec->lane = data->vg;
        spec->limit_usec = LVM_CHANGE_LIMIT;
        spec->changes = true;
        return error_trace(lvm_operation_run(volume, spec, on_grown));
}

/**
 * lvm_grow_store() - GROW of a thick snapshot
 * @volume:     its snapshot counts
 * @done:       called once; INSUFFICIENT_STORAGE: LVM did not
 * @userdata:   for @done
 *
 * LVM makes no store larger than can be used.
 *
 * Return: 0, or a negative errno.
 */
int lvm_grow_store(ProviderVolume *volume, ProviderDone done, void *userdata) {
        LvmData *data = volume->data;
        char policy[160];
        LvmCommandSpec spec = {
                .arguments = {"lvextend", "--use-policies", "--config", policy},
                .suspends = true,
                .origin_key = data->origin_key,
                .origin_name = volume->name,
                .snapshot_lv = data->name,
        };

        (void) snprintf(policy, sizeof(policy),
                        "activation { snapshot_autoextend_threshold=%u snapshot_autoextend_percent=%u }",
                        volume->provider->grow_percent, volume->provider->grow_by_percent);
        return error_trace(grow(volume, &spec, data->name, done, userdata));
}

/**
 * lvm_grow_pool() - GROW of a thin snapshot: of the pool it lies in, as lvm.conf(5) allows
 * @volume:     its snapshot counts
 * @done:       called once; INSUFFICIENT_STORAGE: LVM did not
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_grow_pool(ProviderVolume *volume, ProviderDone done, void *userdata) {
        const LvmData *data = volume->data;
        LvmCommandSpec spec = {.arguments = {"lvextend", "--use-policies"}};

        return error_trace(grow(volume, &spec, data->pool, done, userdata));
}
