/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * lvm-cow: a copy-on-write snapshot, `lvcreate -s` with a store of its own, of any origin LVM allows.
 *
 * LVM makes it before the window, at an instant of its own; the hold parks it and stamps it anew
 * (kernel-notes, the recipe). It is made read-only, and the hold keeps that flag, unless writers will write
 * into it; without monitoring, because dmeventd would extend the store, which reloads the origin at any
 * moment.
 */

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-provider.h"
#include "util/error.h"

/**
 * lvm_cow_devices() - where a store is to be made
 * @volume:     prepared
 *
 * Return: the requester's wish, else what is configured for the group: physical volumes, NULL-terminated;
 * NULL: where LVM likes.
 */
const char *const *lvm_cow_devices(const ProviderVolume *volume) {
        const LvmData *data = volume->data;

        if (volume->wished_devices)
                return (const char *const *) volume->wished_devices;
        return lvm_placements_find(volume->provider->placements, data->vg);
}

static int cow_end_prepare(ProviderVolume *volume, ProviderDone done, void *userdata) {
        LvmData *data = volume->data;
        char origin[2 * LVM_VG_SIZE], size[32];
        LvmCommandSpec spec = {
                .arguments = {"lvcreate", "--snapshot", "--yes", "--monitor", "n", "--permission", "r",
                              "--size", size},
                .suspends = true,
        };
        int r;

        r = lvm_operation_begin(volume, done, userdata);
        if (r < 0)
                return error_trace(r);
        lvm_lv_path(origin, data->vg, data->lv);
        (void) snprintf(size, sizeof(size), "%llub", (unsigned long long) data->cow_size);
        (void) lvm_spec_add(&spec, origin);
        for (const char *const *device = lvm_cow_devices(volume); device && *device; device++)
                (void) lvm_spec_add(&spec, *device);
        return error_trace(lvm_create(volume, &spec));
}

/* "16/65536 16": live. "Invalid", "Overflow", "Merge failed", "Unknown": not. */
static bool status_is_live(const char *status) {
        unsigned long long used, total;

        return sscanf(status, "%llu/%llu", &used, &total) == 2 && used <= total;
}

static int cow_check_live(ProviderVolume *volume, ProviderDone done, void *userdata) {
        const LvmData *data = volume->data;
        char status[LVM_DM_TEXT_SIZE] = "";
        LvmVerdict verdict = {};
        int r;

        r = lvm_dm_status(data->snapshot_key, "snapshot", status);
        if (r < 0)
                return error_trace(r);
        if (r == LVM_DM_NOT_FOUND)
                (void) lvm_verdict(
                        &verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                        "The snapshot %.64s of %.200s has no device any more: somebody removed or "
                        "deactivated it.",
                        data->name, volume->name);
        else if (!status_is_live(status))
                (void) lvm_verdict(
                        &verdict, CONTRACT_ERROR_INSUFFICIENT_STORAGE,
                        "The snapshot of %.200s is lost (\"%.32s\"): more was written than its store "
                        "of %llu bytes can hold (wish for a larger one), or the store's disk has failed "
                        "(the kernel's log tells).",
                        volume->name, status, (unsigned long long) data->cow_size);
        done(volume, verdict.error, verdict.error == CONTRACT_OK ? NULL : verdict.text, userdata);
        return 0;
}

/* A device that is not there (deactivated) says nothing against the snapshot. */
static bool cow_get_space(const ProviderVolume *volume, ProviderSpace *ret) {
        const LvmData *data = volume->data;
        char status[LVM_DM_TEXT_SIZE];
        unsigned long long used, total;

        if (!data || !data->snapshot_key[0] || lvm_dm_status(data->snapshot_key, "snapshot", status) != 0)
                return false;
        *ret = (ProviderSpace){};
        if (!status_is_live(status))
                ret->reason = "store-lost";
        else if (sscanf(status, "%llu/%llu", &used, &total) == 2 && total > 0) {
                ret->full = 100.0 * (double) used / (double) total;
                ret->used = used * LVM_DM_SECTOR;
                ret->allocated = total * LVM_DM_SECTOR;
        }
        return true;
}

const ProviderOps lvm_cow_ops = {
        .name = "lvm-cow",
        .op =
                {
                        [PROVIDER_BEGIN_PREPARE] = lvm_begin_prepare,
                        [PROVIDER_END_PREPARE] = cow_end_prepare,
                        [PROVIDER_PRE_FINAL_COMMIT] = cow_check_live,
                        [PROVIDER_SEAL] = cow_check_live,
                        [PROVIDER_ABORT] = lvm_abort,
                        [PROVIDER_DELETE] = lvm_delete,
                        [PROVIDER_COPY] = lvm_copy,
                        [PROVIDER_UNCOPY] = lvm_uncopy,
                        [PROVIDER_GROW] = lvm_grow_store,
                },
        .set_op =
                {
                        [PROVIDER_END_PREPARE] = lvm_inspect,
                        [PROVIDER_POST_FINAL_COMMIT] = lvm_finish,
                        [PROVIDER_SEAL] = lvm_seal,
                        [PROVIDER_DESCRIBE] = lvm_describe_set,
                        [PROVIDER_BREAK] = lvm_break_set,
                        [PROVIDER_CHECK_REVERT] = lvm_check_revert_set,
                        [PROVIDER_REVERT] = lvm_revert_set,
                },
        .cancel = lvm_volume_cancel,
        .describe_hold = lvm_describe,
        .is_suspended = true,
        .get_space = cow_get_space,
        .is_open = lvm_is_open,
        .is_open_besides_mount = lvm_is_open_besides_mount,
        .get_revert = lvm_get_revert,
        .get_broken_name = lvm_get_broken_name,
        .copy_is_open = lvm_copy_is_open,
        .copy_is_lost = lvm_copy_is_lost,
        .make_copy_child = lvm_copy_make_device,
        .copy_needs_device = true,
        .note_consistency = lvm_note_consistency,
        .volume_done = lvm_volume_done,
};
