/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * lvm-thin: a snapshot in the thin pool its origin lies in.
 *
 * Before the window LVM makes an LV whose device the hold then deletes from the pool and creates anew, as a
 * snapshot, at the instant (kernel-notes, the recipe). For an auto-release set that LV is a plain thin
 * volume, which is made without touching the origin; a persistent one is made with `lvcreate -s`, so that
 * LVM knows its origin and can merge it, and so is one whose origin has an external origin of its own. It is
 * inactive until the set is finished: the kernel deletes no device that is in use.
 */

#include <inttypes.h>

#include "daemon/hold/hold-dm.h"
#include "daemon/hold/hold-table.h"
#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-provider.h"
#include "util/error.h"

static int thin_end_prepare(ProviderVolume *volume, ProviderDone done, void *userdata) {
        LvmData *data = volume->data;
        char path[2 * LVM_VG_SIZE], size[32];
        LvmCommandSpec spec = {
                .arguments = {"lvcreate", "--yes", "--activate", "n", "--setactivationskip", "y",
                              "--permission", "r"},
                .suspends = data->native,
        };
        int r;

        r = lvm_operation_begin(volume, done, userdata);
        if (r < 0)
                return error_trace(r);
        if (data->native) {
                lvm_lv_path(path, data->vg, data->lv);
                (void) lvm_spec_add(&spec, "--snapshot");
                (void) lvm_spec_add(&spec, path);
        } else {
                lvm_lv_path(path, data->vg, data->pool);
                (void) snprintf(size, sizeof(size), "%llub", (unsigned long long) volume->size);
                (void) lvm_spec_add(&spec, "--virtualsize");
                (void) lvm_spec_add(&spec, size);
                (void) lvm_spec_add(&spec, "--thinpool");
                (void) lvm_spec_add(&spec, path);
        }
        return error_trace(lvm_create(volume, &spec));
}

/**
 * lvm_pool_is_well() - what the kernel says of a pool, which LVM's report does not tell in full
 * @pool_key:   dm uuid of its -tpool device
 * @vg:         its group
 * @pool:       its name
 * @verdict:    why not; the error is the caller's to choose
 *
 * Return: whether it is plainly writable.
 */
bool lvm_pool_is_well(const char *pool_key, const char *vg, const char *pool, LvmVerdict *verdict) {
        char status[LVM_DM_TEXT_SIZE] = "";
        TablePool told = {};
        int r;

        r = lvm_dm_status(pool_key, "thin-pool", status);
        if (r == 0)
                r = table_parse_pool_status(status, &told);
        if (r != 0)
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                        "The thin pool %.128s/%.128s does not tell its state; if its group is not active, "
                        "activate it with vgchange -ay %.128s.",
                        vg, pool, vg);
        if (!told.failed && told.read_write && !told.needs_check)
                return true;
        return lvm_verdict(
                verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                "The thin pool %.128s/%.128s is not well: %s. A snapshot in it cannot be relied on. "
                "Repair or extend it, see lvmthin(7).",
                vg, pool,
                told.failed       ? "it has failed"
                : told.read_write ? "its metadata need a check"
                                  : "it is read-only or out of space");
}

static int thin_check_pool(ProviderVolume *volume, ProviderDone done, void *userdata) {
        const LvmData *data = volume->data;
        LvmVerdict verdict = {};

        (void) lvm_pool_is_well(data->pool_key, data->vg, data->pool, &verdict);
        done(volume, verdict.error, verdict.error == CONTRACT_OK ? NULL : verdict.text, userdata);
        return 0;
}

/* LVM has activated it read-only, as its metadata say, and they are to say so after a reboot, too. So its
 * table is loaded anew here, the same one, but writable. */
static int thin_make_writable(const ProviderVolume *volume) {
        const LvmData *data = volume->data;
        _cleanup_close_ int fd = dm_open();
        DmBuffer buffer;
        DmTable table;
        int r;

        if (fd < 0)
                return error_trace(fd);
        r = dm_get_table(fd, &buffer, data->snapshot_key, &table);
        if (r < 0)
                return error_origin(r);
        if (table.n_targets != 1 || !streq(table.type, "thin"))
                return error_origin(-EINVAL);
        r = dm_load(fd, &buffer, data->snapshot_key, 0, table.n_sectors, table.type, table.params);
        if (r < 0)
                return error_origin(r);
        r = dm_resume(fd, &buffer, data->snapshot_key);
        if (r < 0)
                (void) dm_clear(fd, &buffer, data->snapshot_key);
        return r < 0 ? error_origin(r) : 0;
}

static double percent(uint64_t used, uint64_t total) {
        return total > 0 ? 100.0 * (double) used / (double) total : 0;
}

/* A pool that is not there (deactivated) says nothing against its snapshots, and a full one is read no less
 * well. */
static bool thin_get_space(const ProviderVolume *volume, ProviderSpace *ret) {
        const LvmData *data = volume->data;
        char status[LVM_DM_TEXT_SIZE];
        TablePool pool;
        double metadata;

        if (!data || lvm_dm_status(data->pool_key, "thin-pool", status) != 0 ||
            table_parse_pool_status(status, &pool) < 0)
                return false;
        *ret = (ProviderSpace){.pool = data->pool_key, .pool_group = data->vg, .pool_name = data->pool};
        if (pool.data_total > 0 && lvm_dm_size(data->pool_key, &ret->allocated) == 0)
                ret->used = ret->allocated / pool.data_total * pool.data_used;
        /* thin_drop() has been there, perhaps that of a quiesced before this one. */
        if (lvm_dm_status(data->snapshot_key, "error", status) == 0) {
                ret->reason = "pool-full";
                return true;
        }
        if (pool.failed) {
                ret->reason = "pool-failed";
                return true;
        }
        ret->full = percent(pool.data_used, pool.data_total);
        metadata = percent(pool.metadata_used, pool.metadata_total);
        if (metadata > ret->full)
                ret->full = metadata;
        return true;
}

/* Its device would keep the pool from deleting it, so that is made one that answers errors. LVM does not
 * mind that the pool lacks it already when the LV is removed. */
static int drop_device(int fd, const char *pool_key, const char *key, uint32_t thin_id) {
        char message[32];
        DmBuffer buffer;
        DmTable table;
        int r;

        r = dm_get_table(fd, &buffer, key, &table);
        if (r >= 0 && table.n_targets == 1 && streq(table.type, "thin")) {
                r = dm_suspend(fd, &buffer, key, DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG);
                if (r >= 0)
                        r = dm_load(fd, &buffer, key, 0, table.n_sectors, "error", "");
                if (r >= 0)
                        r = dm_resume(fd, &buffer, key);
                if (r < 0)
                        (void) dm_resume(fd, &buffer, key);
        }
        if (r < 0 && r != -ENXIO)
                return error_origin(r);
        (void) snprintf(message, sizeof(message), "delete %" PRIu32, thin_id);
        r = dm_message(fd, &buffer, pool_key, message);
        return r < 0 && r != -ENODATA ? error_origin(r) : 0;
}

/* A copy shares its blocks. */
static int thin_drop(const ProviderVolume *volume) {
        const LvmData *data = volume->data;
        _cleanup_close_ int fd = dm_open();
        int r = 0;

        if (fd < 0)
                return error_trace(fd);
        if (data->copy_key[0])
                r = drop_device(fd, data->pool_key, data->copy_key, data->copy_thin_id);
        return error_trace(r < 0 ? r : drop_device(fd, data->pool_key, data->snapshot_key, data->thin_id));
}

const ProviderOps lvm_thin_ops = {
        .name = "lvm-thin",
        .op =
                {
                        [PROVIDER_BEGIN_PREPARE] = lvm_begin_prepare,
                        [PROVIDER_END_PREPARE] = thin_end_prepare,
                        [PROVIDER_PRE_FINAL_COMMIT] = thin_check_pool,
                        [PROVIDER_SEAL] = thin_check_pool,
                        [PROVIDER_ABORT] = lvm_abort,
                        [PROVIDER_DELETE] = lvm_delete,
                        [PROVIDER_COPY] = lvm_copy,
                        [PROVIDER_UNCOPY] = lvm_uncopy,
                        [PROVIDER_GROW] = lvm_grow_pool,
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
        .make_writable_child = thin_make_writable,
        .is_suspended = true,
        .get_space = thin_get_space,
        .is_open = lvm_is_open,
        .is_open_besides_mount = lvm_is_open_besides_mount,
        .get_revert = lvm_get_revert,
        .get_broken_name = lvm_get_broken_name,
        .drop_child = thin_drop,
        .copy_is_open = lvm_copy_is_open,
        .copy_is_lost = lvm_copy_is_lost,
        .note_consistency = lvm_note_consistency,
        .volume_done = lvm_volume_done,
};
