/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * REVERT: the origins become what their snapshots are: LVM merges the snapshots into them.
 *
 * Nothing of it can be undone, so first all is looked at that LVM would refuse, for all volumes; only then
 * it is asked, one volume after the other in a group. An origin that nobody has open is reverted at once
 * (LVM's lvmpolld looks after a thick one until it is done, over a restart of the machine, too); one that is
 * in use when it is activated next. A snapshot that was merged is no more.
 */

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-group.h"
#include "util/error.h"

static void run_next(LvmGroup *group) {
        const LvmGroupOperation *operation = group->operation;

        for (size_t i = 0; i < operation->n_volumes; i++) {
                ProviderVolume *volume = operation->volumes[i];
                LvmData *data = lvm_data(volume);
                char path[2 * LVM_VG_SIZE], origin[2 * LVM_VG_SIZE];
                LvmCommandSpec spec = {
                        .lane = group->vg,
                        .arguments = {"lvconvert", "--yes", "--merge", "--background", path},
                        .limit_usec = LVM_CHANGE_LIMIT,
                        .changes = true,
                        .origin_key = data->origin_key,
                        .origin_name = origin,
                        .snapshot_lv = data->name,
                        .suspends = true,
                };

                if (data->merge_begun || !streq(data->vg, group->vg))
                        continue;
                data->merge_begun = true;
                lvm_lv_path(path, data->vg, data->name);
                lvm_lv_path(origin, data->vg, data->lv);
                lvm_group_run(group, &spec);
                return;
        }
}

/* What LVM has done at once, it tells by what is not there any more. */
static void on_merged(int r, const LvmReport *report, const char *text, void *userdata) {
        LvmGroupOperation *operation = userdata;

        for (size_t i = 0; r >= 0 && i < operation->n_volumes; i++) {
                LvmData *data = lvm_data(operation->volumes[i]);

                data->is_merged = !lvm_report_find(report, data->vg, data->name);
        }
        lvm_group_operation_end(operation);
}

static void merging_end(LvmGroupOperation *operation) {
        if (lvm_group_operation_failed(operation) ||
            lvm_list(operation->provider->lvm, NULL, on_merged, operation) < 0)
                lvm_group_operation_end(operation);
}

/* A command for each group, until there is nothing left to be done in any. */
static void merge_all(LvmGroupOperation *operation) {
        for (size_t g = 0; g < operation->n_groups && !lvm_group_operation_failed(operation); g++)
                run_next(&operation->groups[g]);
        if (operation->n_pending == 0)
                merging_end(operation);
}

static bool check_volume(ProviderVolume *volume, const LvmReport *report, LvmVerdict *verdict) {
        const LvmVolume *snapshot, *origin;
        LvmData *data = lvm_data(volume);

        data->merge_begun = data->is_merged = false;
        snapshot = lvm_report_find(report, data->vg, data->name);
        origin = lvm_report_find_uuid(report, data->origin_uuid);
        if (!snapshot || !origin)
                return lvm_verdict(verdict, CONTRACT_ERROR_OBJECT_NOT_FOUND, "The %s %.200s is gone.",
                                   origin ? "snapshot of" : "volume", volume->name);
        if (!streq(snapshot->origin_uuid, data->origin_uuid))
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_NOT_SUPPORTED,
                        "LVM does not know the snapshot of %.200s as one of it, and cannot merge it; "
                        "copy what is needed from the snapshot.",
                        volume->name);
        /* Of a thick one it is the size of its store, and LVM resizes no origin of such. */
        if (volume->ops == &lvm_thin_ops && snapshot->size != origin->size)
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_NOT_SUPPORTED,
                        "%.200s has another size than when the snapshot was made; make it the same "
                        "size, or copy what is needed from the snapshot.",
                        volume->name);
        if (origin->attributes[0] == 'O')
                return lvm_verdict(verdict, CONTRACT_ERROR_VOLUME_BUSY,
                                   "%.200s is being reverted already, or will be when it is activated next; "
                                   "wait until that is over.",
                                   volume->name);
        return lvm_check_group(origin, verdict);
}

static bool check_all(LvmGroupOperation *operation, const LvmReport *report) {
        for (size_t i = 0; i < operation->n_volumes; i++) {
                operation->fault = operation->volumes[i];
                if (!check_volume(operation->volumes[i], report, &operation->verdict))
                        return false;
        }
        return true;
}

static void check(LvmGroupOperation *operation, const LvmReport *report) {
        (void) check_all(operation, report);
}

static void begin(LvmGroupOperation *operation, const LvmReport *report) {
        if (!check_all(operation, report))
                return;
        operation->doing = "merged into their origins (what was said of others before holds)";
        operation->next = merge_all;
        for (size_t g = 0; g < operation->n_groups && !lvm_group_operation_failed(operation); g++)
                run_next(&operation->groups[g]);
}

/**
 * lvm_check_revert_set() - CHECK_REVERT: what LVM would refuse, as far as it can be known before
 * @provider:   of all of them
 * @volumes:    whose snapshots count, and nobody has open; copied
 * @n_volumes:  how many
 * @done:       called once
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_check_revert_set(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                         ProviderDone done, void *userdata) {
        return error_trace(lvm_group_operation_look(provider, volumes, n_volumes, check, done, userdata));
}

/**
 * lvm_revert_set() - REVERT: have LVM merge the snapshots into their origins
 * @provider:   of all of them
 * @volumes:    whose snapshots count, and nobody has open; copied
 * @n_volumes:  how many
 * @done:       called once; after a failure of LVM's some may have been begun, which goes on
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_revert_set(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                   void *userdata) {
        return error_trace(lvm_group_operation_look(provider, volumes, n_volumes, begin, done, userdata));
}

/* A thick snapshot has its own device until the merge begins, and the origin another table from then on. */
static void cow_get_revert(const LvmData *data, ProviderRevert *ret) {
        unsigned long long used, total, metadata;
        char status[LVM_DM_TEXT_SIZE];

        if (lvm_dm_status(data->origin_key, "snapshot-merge", status) == 0) {
                if (sscanf(status, "%llu/%llu %llu", &used, &total, &metadata) == 3 && used > metadata &&
                    total > 0)
                        ret->left = 100.0 * (double) (used - metadata) / (double) total;
        } else
                ret->waits = lvm_dm_status(data->snapshot_key, "snapshot", status) == 0;
}

/**
 * lvm_get_revert() - how far the merge of a snapshot is
 * @volume:     the volume, after REVERT
 * @ret:        filled in; a thin volume is reverted in no time when it is activated, and waits until then
 *
 * Return: false if it is over.
 */
bool lvm_get_revert(const ProviderVolume *volume, ProviderRevert *ret) {
        const LvmData *data = volume->data;

        *ret = (ProviderRevert){.waits = volume->ops == &lvm_thin_ops};
        if (volume->ops == &lvm_cow_ops)
                cow_get_revert(data, ret);
        if (ret->waits)
                ret->left = 100.0;
        return !data->is_merged;
}
