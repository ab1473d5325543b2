/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Provider dm: its operations. Each is a job (mapped-child.c) that waits in the queue for the gate. What the
 * hold is told is what it is told of a thick snapshot of LVM's: an origin that is a snapshot-origin, the
 * snapshot's device, the store's. It parks and stamps it, in one instant with all others.
 */

#include "daemon/providers/mapped.h"

#include <assert.h>
#include <fnmatch.h>
#include <sys/sysmacros.h>

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/mapped-provider.h"
#include "util/error.h"
#include "util/log.h"

#define TARGET_SNAPSHOT "snapshot"

static MappedData *data_of(const ProviderVolume *volume) {
        return volume->data;
}

static void store_take(MappedData *data, dev_t store) {
        data->store = store;
        data->next_taker = data->provider->takers;
        data->provider->takers = data;
}

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
        MappedData *data = data_of(volume);

        if (data && data->work)
                mapped_work_cancel(data->work);
}

static void operation_end(ProviderVolume *volume, ContractError error, const char *text) {
        MappedData *data = data_of(volume);
        ProviderDone done = TAKE_PTR(data->done);

        data->work = NULL;
        done(volume, error, error == CONTRACT_OK ? NULL : text, data->userdata);
}

static int operation_begin(ProviderVolume *volume, ChildFunction job, const MappedArgument *argument,
                           MappedDone answered, ProviderDone done, void *userdata) {
        MappedData *data = data_of(volume);
        int r;

        assert(!data->done);
        r = mapped_work_new(&data->work, data->provider, job, argument, answered, volume);
        if (r < 0)
                return error_trace(r);
        data->done = done;
        data->userdata = userdata;
        return 0;
}

/* ── BEGIN_PREPARE ───────────────────────────────────────────────────────────────────────────────────── */

/* The first line of the configuration that fits the device's name. */
static const char *const *stores_configured(const ProviderVolume *volume) {
        const LvmPlacements *stores = volume->provider->config.stores;

        for (size_t i = 0; stores && i < stores->n_items; i++)
                if (fnmatch(stores->items[i].group, volume->origin->dm_name, 0) == 0)
                        return (const char *const *) stores->items[i].devices;
        return NULL;
}

static bool is_among(const char *name, const char *const *names) {
        for (; names && *names; names++)
                if (streq(name, *names))
                        return true;
        return false;
}

/* A store is overwritten: who is not root may wish for one that the administrator has named for it. */
static bool check_wished(const ProviderVolume *volume, char text[static CONTRACT_TEXT_MAX]) {
        for (char **name = volume->wished_devices; name && *name; name++)
                if (volume->set && volume->set->owner_uid != 0 &&
                    !is_among(*name, stores_configured(volume))) {
                        (void) snprintf(text, CONTRACT_TEXT_MAX,
                                        "%.128s is no store for %.128s: one that Store= of [Dm] in "
                                        "quiesced.conf does not name only root may name.",
                                        *name, volume->name);
                        return false;
                }
        return true;
}

static ContractError check_volume(const ProviderVolume *volume, char text[static CONTRACT_TEXT_MAX]) {
        const Volume *origin = volume->origin;
        const char *reason = NULL;

        text[0] = '\0';
        if (!origin || !origin->dm_name)
                (void) snprintf(text, CONTRACT_TEXT_MAX,
                                "%.200s is no device of device-mapper, so that provider dm cannot take a "
                                "snapshot of it.",
                                volume->name);
        else if (!mapped_volume_is_supported(origin->dm_uuid, &reason))
                (void) snprintf(text, CONTRACT_TEXT_MAX, "No snapshot can be taken of %.200s: %s.",
                                origin->name,
                                reason ?: "it is a snapshot made by quiesced; name its origin");
        else if (origin->swap)
                (void) snprintf(text, CONTRACT_TEXT_MAX,
                                "%.200s is a swap area in use: while its writes are held the machine may "
                                "stand still for ever. Leave it out.",
                                volume->name);
        if (text[0])
                return CONTRACT_ERROR_VOLUME_NOT_SUPPORTED;
        if (volume->set && volume->set->persistent) {
                (void) snprintf(text, CONTRACT_TEXT_MAX,
                                "%.200s is of provider dm, whose snapshots cannot be persistent: after a "
                                "restart its device is written to before anybody could go on copying what "
                                "changes. Use context backup or file-share-backup, or put LVM below it.",
                                volume->name);
                return CONTRACT_ERROR_NOT_SUPPORTED;
        }
        if (origin->suspended) {
                (void) snprintf(text, CONTRACT_TEXT_MAX,
                                "The device of %.200s is suspended by somebody. Find out by whom (dmsetup "
                                "info), and resume it.",
                                volume->name);
                return CONTRACT_ERROR_VOLUME_BUSY;
        }
        return check_wished(volume, text) ? CONTRACT_OK : CONTRACT_ERROR_ACCESS_DENIED;
}

/* "MAJOR:MINOR BYTES ROOM" */
static void on_looked(ContractError error, const char *text, const char *told, void *userdata) {
        unsigned major_number, minor_number;
        unsigned long long size, room;
        ProviderVolume *volume = userdata;
        MappedData *data = data_of(volume);

        if (error == CONTRACT_OK &&
            sscanf(told, "%u:%u %llu %llu", &major_number, &minor_number, &size, &room) != 4) {
                error = CONTRACT_ERROR_UNEXPECTED;
                text = "It was not told which store there is.";
        }
        if (error == CONTRACT_OK) {
                volume->store_size = data->store_size = size;
                volume->store_room = room;
                volume->store_device = makedev(major_number, minor_number);
                if (volume->set)
                        store_take(data, volume->store_device);
        }
        operation_end(volume, error, text);
}

static int volume_begin_prepare(ProviderVolume *volume, ProviderDone done, void *userdata) {
        char text[CONTRACT_TEXT_MAX];
        MappedArgument argument = {};
        ContractError error;
        MappedIds ids;
        int r;

        error = check_volume(volume, text);
        if (error != CONTRACT_OK) {
                done(volume, error, text, userdata);
                return 0;
        }
        mapped_volume_done(volume);
        memcpy(ids.snapshot, volume->snapshot_id, sizeof(ids.snapshot));
        if (volume->set) {
                memcpy(ids.set, volume->set->id, sizeof(ids.set));
                memcpy(ids.session, volume->set->session_id, sizeof(ids.session));
        }
        r = mapped_data_new((MappedData **) &volume->data, volume->provider, volume->set ? &ids : NULL,
                            volume->origin->dm_uuid);
        if (r < 0)
                return error_trace(r);
        argument.look =
                (MappedLook){.origin = volume->origin,
                             .for_set = volume->set,
                             .wished_size = volume->cow_size,
                             .percent = volume->provider->config.cow_percent,
                             .allow_plaintext = volume->provider->config.allow_plaintext,
                             .names = volume->wished_devices ? (const char *const *) volume->wished_devices
                                                             : stores_configured(volume),
                             .takers = volume->provider->takers};
        return error_trace(operation_begin(volume, mapped_job_look, &argument, on_looked, done, userdata));
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
        operation_end(volume, error, text);
}

static int volume_end_prepare(ProviderVolume *volume, ProviderDone done, void *userdata) {
        MappedData *data = data_of(volume);
        MappedArgument argument = {.make = {.ids = data->ids,
                                            .lock_path = data->provider->lock_path,
                                            .origin_uuid = data->origin_uuid,
                                            .origin_name = volume->name,
                                            .store = data->store,
                                            .store_size = data->store_size}};

        data->attempted = true;
        return error_trace(operation_begin(volume, mapped_job_make, &argument, on_made, done, userdata));
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
        else if (total > 0)
                ret->full = 100.0 * (double) used / (double) total;
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
                                volume->name, (unsigned long long) data_of(volume)->store_size);
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

/* ── The final mark ──────────────────────────────────────────────────────────────────────────────────── */

typedef struct Marking {
        MappedIds ids[CONTRACT_VOLUMES_MAX];
        ProviderVolume *first;
        ProviderDone done; /* NULL: noted anew */
        void *userdata;
} Marking;

static void on_marked(ContractError error, const char *text, const char *told, void *userdata) {
        _cleanup_free_ Marking *marking = userdata;

        if (marking->done)
                marking->done(error == CONTRACT_OK ? NULL : marking->first, error,
                              error == CONTRACT_OK ? NULL : text, marking->userdata);
        else if (error != CONTRACT_OK)
                log_warning("what a snapshot set is good for could not be noted anew: %s", text);
}

static int mark(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                void *userdata) {
        const ProviderSet *set = volumes[0]->set;
        _cleanup_free_ Marking *marking = calloc(1, sizeof(*marking));
        MappedArgument argument = {};
        int r;

        if (!marking)
                return error_origin(-ENOMEM);
        assert(n_volumes <= CONTRACT_VOLUMES_MAX);
        *marking = (Marking){.first = volumes[0], .done = done, .userdata = userdata};
        for (size_t i = 0; i < n_volumes; i++)
                marking->ids[i] = data_of(volumes[i])->ids;
        argument.marking = (MappedMarking){.ids = marking->ids,
                                           .n_ids = n_volumes,
                                           .mark = {.owner_uid = set->owner_uid,
                                                    .n_volumes = set->n_volumes,
                                                    .instant_realtime_usec = set->instant_realtime_usec,
                                                    .consistency = set->consistency}};
        r = mapped_work_new(NULL, provider, mapped_job_mark, &argument, on_marked, marking);
        if (r < 0)
                return error_trace(r);
        TAKE_PTR(marking);
        return 0;
}

/* C24: what writers will write into counts only when they have. */
static int volumes_finish(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                          ProviderDone done, void *userdata) {
        if (volumes[0]->set->writable) {
                done(NULL, CONTRACT_OK, NULL, userdata);
                return 0;
        }
        return error_trace(mark(provider, volumes, n_volumes, done, userdata));
}

static int volumes_seal(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                        ProviderDone done, void *userdata) {
        return error_trace(mark(provider, volumes, n_volumes, done, userdata));
}

static void volumes_note_consistency(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                                     ContractConsistency was) {
        if (mark(provider, volumes, n_volumes, NULL, NULL) < 0)
                log_warning("what a snapshot set is good for could not be noted anew: out of memory");
}

/* ── ABORT, DELETE ───────────────────────────────────────────────────────────────────────────────────── */

static void on_removed(ContractError error, const char *text, const char *told, void *userdata) {
        ProviderVolume *volume = userdata;
        MappedData *data = data_of(volume);

        if (error == CONTRACT_OK) {
                data->attempted = false;
                store_give(data);
        }
        operation_end(volume, error, text);
}

static int volume_abort(ProviderVolume *volume, ProviderDone done, void *userdata) {
        MappedData *data = data_of(volume);
        MappedArgument argument;

        if (!data || !data->attempted) {
                done(volume, CONTRACT_OK, NULL, userdata);
                return 0;
        }
        argument.removal = (MappedRemoval){.ids = data->ids, .lock_path = data->provider->lock_path};
        return error_trace(
                operation_begin(volume, mapped_job_remove, &argument, on_removed, done, userdata));
}

static bool volume_is_open(const ProviderVolume *volume) {
        const MappedData *data = volume->data;

        return data && data->attempted && lvm_dm_is_open(data->uuids[MAPPED_SNAPSHOT]);
}

static int volume_delete(ProviderVolume *volume, ProviderDone done, void *userdata) {
        char text[CONTRACT_TEXT_MAX];

        if (volume_is_open(volume)) {
                (void) snprintf(text, sizeof(text), "%.160s, a snapshot of %.160s, is in use.",
                                volume->device, volume->name);
                done(volume, CONTRACT_ERROR_VOLUME_BUSY, text, userdata);
                return 0;
        }
        return error_trace(volume_abort(volume, done, userdata));
}

const ProviderOps provider_dm_ops = {
        .name = PROVIDER_DM_NAME,
        .op =
                {
                        [PROVIDER_BEGIN_PREPARE] = volume_begin_prepare,
                        [PROVIDER_END_PREPARE] = volume_end_prepare,
                        [PROVIDER_PRE_FINAL_COMMIT] = volume_check_live,
                        [PROVIDER_SEAL] = volume_check_live,
                        [PROVIDER_ABORT] = volume_abort,
                        [PROVIDER_DELETE] = volume_delete,
                },
        .set_op =
                {
                        [PROVIDER_POST_FINAL_COMMIT] = volumes_finish,
                        [PROVIDER_SEAL] = volumes_seal,
                },
        .cancel = volume_cancel,
        .describe_hold = volume_describe,
        .is_suspended = true,
        .get_space = volume_get_space,
        .is_open = volume_is_open,
        .note_consistency = volumes_note_consistency,
        .volume_done = mapped_volume_done,
};
