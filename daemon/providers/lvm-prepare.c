/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BEGIN_PREPARE, what is common to END_PREPARE, and what the hold is told.
 */

#include <assert.h>

#include "daemon/providers/lvm-provider.h"
#include "util/error.h"

/* AddToSnapshotSet comes for many volumes in a row: one listing of a group serves them all. What an older
 * one speaks against is looked at again. */
#define LISTING_AGE_MAX (30 * USEC_PER_SEC)

/* BEGIN_PREPARE: there is no LvmData yet. */
typedef struct Preparation {
        ProviderVolume *volume;
        ProviderDone done;
        void *userdata;
        bool again; /* the listing is not one that was kept */
} Preparation;

static bool check_device(const ProviderVolume *volume, LvmVerdict *verdict) {
        const Volume *origin = volume->origin;

        if (!origin || !origin->vg || !origin->lv || !origin->dm_uuid)
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "%.200s is no logical volume of LVM. Only of those a snapshot can be taken: "
                        "leave it out, or put the data on one.",
                        volume->name);
        if (origin->suspended)
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_VOLUME_BUSY,
                        "The device of %.200s is suspended by somebody. Find out by whom (dmsetup "
                        "info), and resume it.",
                        volume->name);
        if (origin->swap)
                return lvm_verdict(verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                   "%.200s is a swap area in use: while its writes are held the machine may "
                                   "stand still for ever. Leave it out.",
                                   volume->name);
        return true;
}

/* Which table: the caller's wish, else what the volume is. */
static bool choose_ops(ProviderVolume *volume, const LvmVolume *origin, LvmVerdict *verdict) {
        bool thin = lvm_volume_is_thin(origin);

        if (volume->wished_provider)
                thin = streq(volume->wished_provider, lvm_thin_ops.name);
        volume->ops = thin ? &lvm_thin_ops : &lvm_cow_ops;
        if (thin && !lvm_volume_is_thin(origin))
                return lvm_verdict(verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED_BY_PROVIDER,
                                   "%.200s is no volume of a thin pool, so that lvm-thin cannot take its "
                                   "snapshot. Use lvm-cow, or name no provider.",
                                   origin->name);
        return true;
}

/* Of a thin volume whose pool is in the report. */
static void pool_device(char ret[static LVM_KEY_SIZE], const LvmReport *report, const LvmVolume *origin) {
        const LvmVolume *pool = lvm_report_find(report, origin->vg, origin->pool);

        (void) snprintf(ret, LVM_KEY_SIZE, "%.120s-tpool", pool->key);
}

static bool check_room(ProviderVolume *volume, const LvmReport *report, const LvmVolume *origin,
                       uint64_t *ret_cow_size, LvmVerdict *verdict) {
        char pool_key[LVM_KEY_SIZE];

        if (volume->ops == &lvm_thin_ops) {
                if (!lvm_check_pool(report, origin, verdict))
                        return false;
                pool_device(pool_key, report, origin);
                if (lvm_pool_is_well(pool_key, origin->vg, origin->pool, verdict))
                        return true;
                verdict->error = CONTRACT_ERROR_VOLUME_NOT_SUPPORTED;
                return false;
        }
        *ret_cow_size = lvm_cow_size(origin, volume->cow_size, volume->provider->cow_percent);
        return lvm_check_space(origin, *ret_cow_size, verdict);
}

static bool check_all(ProviderVolume *volume, const LvmReport *report, const LvmVolume *origin,
                      uint64_t *ret_cow_size, LvmVerdict *verdict) {
        if (!origin)
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "LVM does not know %.200s: its device is there, but no logical volume is.",
                        volume->name);
        if (!volume->provider->lvm->locking_dir[0])
                return lvm_verdict(
                        verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "LVM does not tell where its locks are (lvmconfig global/locking_dir), so "
                        "that nobody can be kept from disturbing a snapshot of %.200s.",
                        volume->name);
        return lvm_check_origin(origin, verdict) && lvm_check_group(origin, verdict) &&
               choose_ops(volume, origin, verdict) &&
               /* Whether it is supported is another question than whether it is full now (T15). */
               (!volume->set || lvm_check_count(report, origin, volume->provider->snapshots_max, verdict)) &&
               check_room(volume, report, origin, ret_cow_size, verdict);
}

static int prepare(ProviderVolume *volume, const LvmReport *report, const LvmVolume *origin,
                   uint64_t cow_size) {
        LvmData *data;
        int r;

        lvm_volume_done(volume);
        r = lvm_data_new(&data, volume, origin);
        if (r < 0)
                return error_trace(r);
        volume->data = data;
        volume->size = origin->size;
        data->cow_size = volume->store_size = cow_size;
        if (cow_size > 0)
                volume->store_room = origin->vg_free;
        if (volume->ops == &lvm_thin_ops) {
                pool_device(data->pool_key, report, origin);
                data->native = (volume->set && volume->set->persistent) ||
                               lvm_volume_has_external_origin(report, origin);
        }
        return 0;
}

/* Return: whether the volume can be in the set. */
static bool prepare_by_report(ProviderVolume *volume, const LvmReport *report, LvmVerdict *verdict) {
        const LvmVolume *origin = lvm_report_find_key(report, volume->origin->dm_uuid);
        uint64_t cow_size = 0;
        int r;

        if (!check_all(volume, report, origin, &cow_size, verdict))
                return false;
        r = prepare(volume, report, origin, cow_size);
        if (r < 0)
                return lvm_verdict(verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                                   "%.200s could not be prepared: %s.", volume->name, strerror(-r));
        return true;
}

/* What the caller was told is wrong may have been put right since LVM was asked. */
static bool ask_again(Preparation *preparation);

static void on_prepared(int error, const LvmReport *report, const char *text, void *userdata) {
        _cleanup_free_ Preparation *preparation = userdata;
        ProviderVolume *volume = preparation->volume;
        LvmVerdict verdict = {};

        if (error < 0)
                (void) lvm_verdict(&verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                                   "LVM could not be asked about %.128s. %.300s", volume->name, text);
        else if (!prepare_by_report(volume, report, &verdict) && ask_again(preparation)) {
                TAKE_PTR(preparation);
                return;
        }
        preparation->done(volume, verdict.error, verdict.error == CONTRACT_OK ? NULL : verdict.text,
                          preparation->userdata);
}

static bool ask_again(Preparation *preparation) {
        ProviderVolume *volume = preparation->volume;

        if (preparation->again)
                return false;
        preparation->again = true;
        return lvm_list(volume->provider->lvm, volume->origin->vg, on_prepared, preparation) >= 0;
}

/**
 * lvm_begin_prepare() - can a snapshot be taken, and by which of the two
 * @volume:     the volume; its ops are set
 * @done:       called once
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_begin_prepare(ProviderVolume *volume, ProviderDone done, void *userdata) {
        LvmVerdict verdict = {};
        Preparation *preparation;
        int r;

        if (!check_device(volume, &verdict)) {
                done(volume, verdict.error, verdict.text, userdata);
                return 0;
        }
        preparation = calloc(1, sizeof(*preparation));
        if (!preparation)
                return error_origin(-ENOMEM);
        *preparation = (Preparation){.volume = volume, .done = done, .userdata = userdata};
        r = lvm_list_recent(volume->provider->lvm, volume->origin->vg, LISTING_AGE_MAX, on_prepared,
                            preparation);
        if (r < 0)
                free(preparation);
        return error_trace(r);
}

static bool lvm_names_alien_device(const char *text) {
        return strcasestr(text, "physical volume") && strstr(text, "not found in Volume Group");
}

/**
 * lvm_error_of() - what it means that LVM did not make something
 * @answer:     its answer, an error
 *
 * Return: the error to be told.
 */
ContractError lvm_error_of(const LvmAnswer *answer) {
        if (answer->error == -ECANCELED)
                return CONTRACT_ERROR_ABORTED;
        if (answer->error == -EBUSY)
                return CONTRACT_ERROR_VOLUME_BUSY;
        /* "Physical Volume "/dev/vdz" not found in Volume Group "one"." */
        if (answer->error == -EIO && lvm_names_alien_device(answer->text))
                return CONTRACT_ERROR_INVALID_ARGUMENT;
        /* "Insufficient free space", "insufficient suitable …", "free space in thin pool … reached
         * threshold" */
        if (answer->error == -EIO &&
            (strcasestr(answer->text, "insufficient") || strstr(answer->text, "reached threshold")))
                return CONTRACT_ERROR_INSUFFICIENT_STORAGE;
        return CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR;
}

static bool is_placed(const ProviderVolume *volume) {
        return volume->ops == &lvm_cow_ops && lvm_cow_devices(volume);
}

static void on_created(const LvmAnswer *answer, void *userdata) {
        ProviderVolume *volume = userdata;
        LvmData *data = volume->data;
        ContractError error = answer->error < 0 ? lvm_error_of(answer) : CONTRACT_OK;
        char text[CONTRACT_TEXT_MAX] = "";

        if (answer->error == -ECANCELED || answer->error == -EBUSY)
                data->attempted = false; /* it never ran */
        else
                data->half_made = error != CONTRACT_OK;
        if (error == CONTRACT_ERROR_INSUFFICIENT_STORAGE)
                (void) snprintf(text, sizeof(text),
                                "There is no room for a snapshot of %.100s (%llu bytes)%s. %.150s Extend %s "
                                "%.100s, or remove what is not needed.",
                                volume->name, (unsigned long long) data->cow_size,
                                is_placed(volume) ? " on the physical volumes it shall be on" : "",
                                answer->text, data->pool_key[0] ? "the pool in" : "the volume group",
                                data->vg);
        else if (error != CONTRACT_OK)
                (void) snprintf(text, sizeof(text), "No snapshot could be made of %.128s. %.350s",
                                volume->name, answer->text);
        if (error == CONTRACT_OK) {
                free(volume->device);
                if (asprintf(&volume->device, "/dev/%s/%s", data->vg, data->name) < 0) {
                        volume->device = NULL;
                        error = CONTRACT_ERROR_UNEXPECTED;
                }
        }
        lvm_operation_end(volume, error, text);
}

/**
 * lvm_create() - END_PREPARE: run the lvcreate
 * @volume:     an operation has begun on it
 * @spec:       lvcreate and how; name and tags are added
 *
 * Return: 0, or a negative errno.
 */
int lvm_create(ProviderVolume *volume, LvmCommandSpec *spec) {
        char tags[LVM_TAGS_AT_BIRTH][LVM_TAG_SIZE];
        LvmData *data = volume->data;
        int r;

        assert(volume->set);
        r = lvm_tags_at_birth(tags, volume->set, data->origin_uuid);
        if (r < 0) {
                data->done = NULL;
                return error_trace(r);
        }
        for (size_t i = 0; i < LVM_TAGS_AT_BIRTH; i++) {
                (void) lvm_spec_add(spec, "--addtag");
                (void) lvm_spec_add(spec, tags[i]);
        }
        (void) lvm_spec_add(spec, "--name");
        (void) lvm_spec_add(spec, data->name);
        /* Nobody would want a snapshot back that is not finished. What finishes or removes it has LVM write
         * its backup, and so that of the group as it is then. */
        (void) lvm_spec_add(spec, "--autobackup");
        (void) lvm_spec_add(spec, "n");
        spec->lane = data->vg;
        spec->limit_usec = LVM_CHANGE_LIMIT;
        spec->changes = true;
        spec->origin_key = spec->suspends ? data->origin_key : NULL;
        spec->origin_name = volume->name;
        spec->snapshot_lv = data->name;
        data->attempted = true;
        return error_trace(lvm_operation_run(volume, spec, on_created));
}

static void hold_uuid(char ret[static HOLD_UUID_MAX], const char *key, const char *suffix) {
        (void) snprintf(ret, HOLD_UUID_MAX, "%.100s%s", key, suffix);
}

/**
 * lvm_describe() - what the hold must know
 * @volume:         the volume, its snapshot made
 * @hold:           zeroed; filled in
 * @ret_lock_path:  LVM's lock of its group, the volume's
 *
 * Return: 0, or -EBADMSG if the snapshot has not been made.
 */
int lvm_describe(const ProviderVolume *volume, HoldVolume *hold, const char **ret_lock_path) {
        const LvmData *data = volume->data;

        if (!data || !data->snapshot_key[0])
                return error_origin(-EBADMSG);
        hold->index = volume->index;
        hold->depth = volume->origin ? volume->origin->depth : 0;
        hold_uuid(hold->origin_uuid, data->origin_key, "");
        if (volume->ops == &lvm_thin_ops) {
                hold->kind = HOLD_VOLUME_THIN;
                hold->thin_snapshot_id = data->thin_id;
                hold_uuid(hold->pool_uuid, data->pool_key, "");
                if (data->thick_above)
                        hold_uuid(hold->thin_origin_uuid, data->origin_key, "-real");
        } else {
                hold->kind = HOLD_VOLUME_COW;
                hold_uuid(hold->snapshot_uuid, data->snapshot_key, "");
                hold_uuid(hold->cow_uuid, data->snapshot_key, "-cow");
        }
        *ret_lock_path = data->lock_path;
        return 0;
}
