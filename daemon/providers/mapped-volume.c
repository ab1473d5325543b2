/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Provider dm: its operations. Each is a job (mapped-*-child.c) that waits in the queue for the gate. What
 * the hold is told is what it is told of a thick snapshot of LVM's: an origin that is a snapshot-origin, the
 * snapshot's device, the store's. It parks and stamps it, in one instant with all others.
 */

#include "daemon/providers/mapped.h"

#include <assert.h>
#include <sys/sysmacros.h>

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/mapped-provider.h"
#include "util/error.h"
#include "util/log.h"

#define TARGET_SNAPSHOT "snapshot"

static void store_give(MappedData *data) {
        for (MappedData **link = &data->provider->takers; *link; link = &(*link)->next_taker)
                if (*link == data) {
                        *link = data->next_taker;
                        break;
                }
        data->store = 0;
}

/**
 * mapped_data_new() - what is kept of a volume
 * @ret:                it
 * @provider:           whose
 * @ids:                of the snapshot; NULL: only a question
 * @origin_uuid:        dm uuid, or "" if the origin is gone
 *
 * Return: 0, or a negative errno.
 */
int mapped_data_new(MappedData **ret, Provider *provider, const MappedIds *ids, const char *origin_uuid) {
        _cleanup_free_ MappedData *data = calloc(1, sizeof(*data));
        int r;

        if (!data)
                return error_origin(-ENOMEM);
        data->provider = provider;
        if ((size_t) snprintf(data->origin_uuid, sizeof(data->origin_uuid), "%s", origin_uuid) >=
            sizeof(data->origin_uuid))
                return error_origin(-EINVAL);
        for (MappedPart part = 0; ids && part < _MAPPED_PART_MAX; part++) {
                r = mapped_uuid(data->uuids[part], ids, part);
                if (r < 0)
                        return error_trace(r);
                data->ids = *ids;
        }
        *ret = TAKE_PTR(data);
        return 0;
}

/**
 * mapped_volume_done() - forget a volume
 * @volume:     it; its snapshot stays
 */
void mapped_volume_done(ProviderVolume *volume) {
        MappedData *data = TAKE_PTR(volume->data);

        if (!data)
                return;
        mapped_work_forget(data->work);
        store_give(data);
        free(data);
}

static void volume_cancel(ProviderVolume *volume) {
        MappedData *data = mapped_data_of(volume);

        if (data && data->work)
                mapped_work_cancel(data->work);
}

/**
 * mapped_operation_end() - an operation's answer
 * @volume:     whose
 * @error:      of its job
 * @text:       why, if there is an error
 */
void mapped_operation_end(ProviderVolume *volume, ContractError error, const char *text) {
        MappedData *data = mapped_data_of(volume);
        ProviderDone done = TAKE_PTR(data->done);

        data->work = NULL;
        done(volume, error, error == CONTRACT_OK ? NULL : text, data->userdata);
}

/**
 * mapped_operation_begin() - an operation that is a job
 * @volume:     with none running
 * @job:        runs in a child
 * @argument:   for it; copied
 * @answered:   gets its answer and the volume, and ends with mapped_operation_end()
 * @done:       of the operation
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int mapped_operation_begin(ProviderVolume *volume, ChildFunction job, const MappedArgument *argument,
                           MappedDone answered, ProviderDone done, void *userdata) {
        MappedData *data = mapped_data_of(volume);
        int r;

        assert(!data->done);
        r = mapped_work_new(&data->work, data->provider, job, argument, answered, volume);
        if (r < 0)
                return error_trace(r);
        data->done = done;
        data->userdata = userdata;
        return 0;
}

/* ── END_PREPARE to SEAL ─────────────────────────────────────────────────────────────────────────────── */

static void on_made(ContractError error, const char *text, const char *told, void *userdata) {
        ProviderVolume *volume = userdata;
        char name[MAPPED_NAME_SIZE];

        if (error == CONTRACT_OK) {
                (void) mapped_name(name, volume->snapshot_id, MAPPED_SNAPSHOT);
                free(volume->device);
                if (asprintf(&volume->device, "/dev/mapper/%s", name) < 0) {
                        volume->device = NULL;
                        error = CONTRACT_ERROR_UNEXPECTED;
                }
        }
        mapped_operation_end(volume, error, text);
}

static int volume_end_prepare(ProviderVolume *volume, ProviderDone done, void *userdata) {
        MappedData *data = mapped_data_of(volume);
        MappedArgument argument = {.make = {.ids = data->ids,
                                            .lock_path = data->provider->lock_path,
                                            .origin_uuid = data->origin_uuid,
                                            .origin_name = volume->name,
                                            .store = data->store,
                                            .store_size = data->store_size}};

        data->attempted = true;
        return error_trace(
                mapped_operation_begin(volume, mapped_job_make, &argument, on_made, done, userdata));
}

static int volume_describe(const ProviderVolume *volume, HoldVolume *ret, const char **ret_lock_path) {
        const MappedData *data = volume->data;

        if (!data || !data->attempted)
                return error_origin(-EBADMSG);
        *ret = (HoldVolume){.index = volume->index,
                            .kind = HOLD_VOLUME_COW,
                            .depth = volume->origin ? volume->origin->depth : 0};
        memcpy(ret->origin_uuid, data->origin_uuid, sizeof(ret->origin_uuid));
        memcpy(ret->snapshot_uuid, data->uuids[MAPPED_SNAPSHOT], sizeof(ret->snapshot_uuid));
        memcpy(ret->cow_uuid, data->uuids[MAPPED_COW], sizeof(ret->cow_uuid));
        *ret_lock_path = data->provider->lock_path;
        return 0;
}

/* Whether what is written to the origin is still copied. */
static bool origin_is_ours(const MappedData *data) {
        char params[LVM_DM_TEXT_SIZE], expected[32];
        dev_t real;

        if (lvm_dm_device(data->uuids[MAPPED_REAL], &real) != 0)
                return false;
        (void) snprintf(expected, sizeof(expected), "%u:%u", major(real), minor(real));
        return lvm_dm_table(data->origin_uuid, "snapshot-origin", params) == 0 && streq(params, expected);
}

static bool volume_get_space(const ProviderVolume *volume, ProviderSpace *ret) {
        const MappedData *data = volume->data;
        char status[LVM_DM_TEXT_SIZE];
        unsigned long long used, total;
        int r;

        if (!data || !data->attempted)
                return false;
        *ret = (ProviderSpace){};
        r = lvm_dm_status(data->uuids[MAPPED_SNAPSHOT], TARGET_SNAPSHOT, status);
        if (r == LVM_DM_NOT_FOUND)
                ret->reason = "device-gone";
        else if (r < 0)
                return false;
        else if (sscanf(status, "%llu/%llu", &used, &total) != 2 || used > total)
                ret->reason = "store-lost";
        else if (!origin_is_ours(data))
                ret->reason = "origin-changed";
        else if (total > 0) {
                ret->full = 100.0 * (double) used / (double) total;
                ret->used = used * LVM_DM_SECTOR;
                ret->allocated = total * LVM_DM_SECTOR;
        }
        return true;
}

static int volume_check_live(ProviderVolume *volume, ProviderDone done, void *userdata) {
        char text[CONTRACT_TEXT_MAX] = "";
        ContractError error = CONTRACT_OK;
        ProviderSpace space;

        if (!volume_get_space(volume, &space)) {
                error = CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR;
                (void) snprintf(text, sizeof(text), "The snapshot of %.200s cannot be looked at.",
                                volume->name);
        } else if (space.reason && streq(space.reason, "store-lost")) {
                error = CONTRACT_ERROR_INSUFFICIENT_STORAGE;
                (void) snprintf(text, sizeof(text),
                                "The snapshot of %.200s is lost: more was written than its store of %llu "
                                "bytes can hold (name a larger one), or the store's disk has failed (the "
                                "kernel's log tells).",
                                volume->name, (unsigned long long) mapped_data_of(volume)->store_size);
        } else if (space.reason) {
                error = CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR;
                (void) snprintf(text, sizeof(text),
                                "The snapshot of %.200s is lost (%s): somebody has changed or removed its "
                                "devices.",
                                volume->name, space.reason);
        }
        done(volume, error, error == CONTRACT_OK ? NULL : text, userdata);
        return 0;
}

/* ── ABORT, DELETE ───────────────────────────────────────────────────────────────────────────────────── */

static void on_removed(ContractError error, const char *text, const char *told, void *userdata) {
        ProviderVolume *volume = userdata;
        MappedData *data = mapped_data_of(volume);

        if (error == CONTRACT_OK) {
                data->attempted = false;
                store_give(data);
        }
        mapped_operation_end(volume, error, text);
}

static int volume_remove(ProviderVolume *volume, bool patiently, ProviderDone done, void *userdata) {
        MappedData *data = mapped_data_of(volume);
        MappedArgument argument;

        if (!data || !data->attempted) {
                done(volume, CONTRACT_OK, NULL, userdata);
                return 0;
        }
        argument.removal = (MappedRemoval){
                .ids = data->ids, .lock_path = data->provider->lock_path, .patiently = patiently};
        return error_trace(
                mapped_operation_begin(volume, mapped_job_remove, &argument, on_removed, done, userdata));
}

static int volume_abort(ProviderVolume *volume, ProviderDone done, void *userdata) {
        return error_trace(volume_remove(volume, true, done, userdata));
}

static bool volume_is_open(const ProviderVolume *volume) {
        const MappedData *data = volume->data;

        return data && data->attempted && lvm_dm_is_open(data->uuids[MAPPED_SNAPSHOT]);
}

static bool volume_is_open_besides_mount(const ProviderVolume *volume) {
        const MappedData *data = volume->data;

        return data && data->attempted && lvm_dm_count_open(data->uuids[MAPPED_SNAPSHOT]) > 1;
}

static int volume_delete(ProviderVolume *volume, ProviderDone done, void *userdata) {
        char text[CONTRACT_TEXT_MAX];

        if (volume_is_open(volume)) {
                (void) snprintf(text, sizeof(text), "%.160s, a snapshot of %.160s, is in use.",
                                volume->device, volume->name);
                done(volume, CONTRACT_ERROR_VOLUME_BUSY, text, userdata);
                return 0;
        }
        /* DELETE tries again by itself. */
        return error_trace(volume_remove(volume, false, done, userdata));
}

const ProviderOps provider_dm_ops = {
        .name = PROVIDER_DM_NAME,
        .op =
                {
                        [PROVIDER_BEGIN_PREPARE] = mapped_volume_begin_prepare,
                        [PROVIDER_END_PREPARE] = volume_end_prepare,
                        [PROVIDER_PRE_FINAL_COMMIT] = volume_check_live,
                        [PROVIDER_SEAL] = volume_check_live,
                        [PROVIDER_ABORT] = volume_abort,
                        [PROVIDER_DELETE] = volume_delete,
                },
        .set_op =
                {
                        [PROVIDER_POST_FINAL_COMMIT] = mapped_volumes_finish,
                        [PROVIDER_SEAL] = mapped_volumes_seal,
                },
        .cancel = volume_cancel,
        .describe_hold = volume_describe,
        .is_suspended = true,
        .get_space = volume_get_space,
        .is_open = volume_is_open,
        .is_open_besides_mount = volume_is_open_besides_mount,
        .note_consistency = mapped_volumes_note_consistency,
        .volume_done = mapped_volume_done,
};
