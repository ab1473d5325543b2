/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writable copies of snapshots, thrown away when they are unmounted: the snapshot itself is never written.
 *
 * A thin snapshot's copy is a snapshot of it in the same pool. A thick one cannot be snapshotted by LVM, so
 * a plain LV is made as a store, and above both a device of our own: a dm-snapshot that nobody wants back,
 * so it keeps its table of what has changed in memory alone. It is made by the process that mounts it, and
 * removed by the one that becomes lvremove.
 *
 * The LV has the snapshot's id in its name and its tag, so that whatever becomes of us, the next quiesced
 * knows what it is. It is not activated at boot.
 */

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-provider.h"
#include "util/error.h"

static bool is_thin(const ProviderVolume *volume) {
        return volume->ops == &lvm_thin_ops;
}

/* What is known of a copy when there is none. */
static void copy_forget(ProviderVolume *volume) {
        LvmData *data = volume->data;

        data->copy_attempted = data->copy_half_made = false;
        data->copy_key[0] = '\0';
        free(volume->copy_device);
        volume->copy_device = NULL;
}

/* Only a thin copy's lvcreate suspends anything: the snapshot. */
static LvmRemovalSpec copy_removal(const LvmData *data, bool thin) {
        return (LvmRemovalSpec){.vg = data->vg,
                                .lv = data->copy_name,
                                .origin_key = thin ? data->snapshot_key : NULL,
                                .origin_lv = data->name,
                                .top_key = thin || !data->copy_key[0] ? NULL : data->copy_key,
                                .half_made = data->copy_half_made};
}

/* ── COPY ────────────────────────────────────────────────────────────────────────────────────────────── */

/* A COPY that has failed, while what was made is removed. */
typedef struct Failure {
        ProviderVolume *volume;
        ContractError error;
        char text[CONTRACT_TEXT_MAX];
} Failure;

/* What could not be removed is still known, so that UNCOPY, DELETE and the next start try it again. */
static void on_failure_removed(ContractError error, const char *text, void *userdata) {
        _cleanup_free_ Failure *failure = userdata;
        LvmData *data = failure->volume->data;

        data->removal = NULL;
        if (error == CONTRACT_OK)
                copy_forget(failure->volume);
        lvm_operation_end(failure->volume, failure->error, failure->text);
}

/* Nothing is left of it. */
static void copy_fail(ProviderVolume *volume, ContractError error, const char *text) {
        LvmData *data = volume->data;
        LvmRemovalSpec spec = copy_removal(data, is_thin(volume));
        Failure *failure = data->copy_attempted ? calloc(1, sizeof(*failure)) : NULL;

        data->command = NULL;
        if (!failure) {
                lvm_operation_end(volume, error, text);
                return;
        }
        *failure = (Failure){.volume = volume, .error = error};
        (void) snprintf(failure->text, sizeof(failure->text), "%s", text);
        if (lvm_removal_begin(&data->removal, volume->provider->lvm, &spec, on_failure_removed, failure) >=
            0)
                return;
        lvm_operation_end(volume, error, failure->text);
        free(failure);
}

static int copy_name_device(ProviderVolume *volume) {
        const LvmData *data = volume->data;
        int n = is_thin(volume) ? asprintf(&volume->copy_device, "/dev/%s/%s", data->vg, data->copy_name)
                                : asprintf(&volume->copy_device, "/dev/mapper/%s", data->copy_name);

        if (n >= 0)
                return 0;
        volume->copy_device = NULL;
        return error_origin(-ENOMEM);
}

static void copy_succeed(ProviderVolume *volume) {
        if (copy_name_device(volume) < 0) {
                copy_fail(volume, CONTRACT_ERROR_UNEXPECTED, "Out of memory.");
                return;
        }
        lvm_operation_end(volume, CONTRACT_OK, NULL);
}

/* Which device it is, of a thin one. */
static void on_listed_after(int error, const LvmReport *report, const char *text, void *userdata) {
        ProviderVolume *volume = userdata;
        LvmData *data = volume->data;
        const LvmVolume *copy = error < 0 ? NULL : lvm_report_find(report, data->vg, data->copy_name);
        char why[CONTRACT_TEXT_MAX];

        if (copy) {
                (void) snprintf(data->copy_key, sizeof(data->copy_key), "%s", copy->key);
                data->copy_thin_id = (uint32_t) copy->thin_id;
                copy_succeed(volume);
                return;
        }
        (void) snprintf(why, sizeof(why),
                        "The writable copy of %.128s is gone as soon as it was made. %.300s", volume->name,
                        text ?: "");
        copy_fail(volume, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, why);
}

static void on_made(const LvmAnswer *answer, void *userdata) {
        ProviderVolume *volume = userdata;
        LvmData *data = volume->data;
        char text[CONTRACT_TEXT_MAX];

        data->command = NULL;
        if (answer->error == -ECANCELED || answer->error == -EBUSY)
                data->copy_attempted = false; /* it never ran */
        if (answer->error < 0) {
                data->copy_half_made = data->copy_attempted;
                (void) snprintf(text, sizeof(text),
                                "No writable copy could be made of the snapshot of %.128s. %.300s",
                                volume->name, answer->text);
                copy_fail(volume, lvm_error_of(answer), text);
        } else if (!is_thin(volume))
                copy_succeed(volume);
        else if (lvm_list(volume->provider->lvm, data->vg, on_listed_after, volume) < 0)
                copy_fail(volume, CONTRACT_ERROR_UNEXPECTED, "Out of memory.");
}

/* As an LV; name, tag and what all have in common are added. */
static int copy_create(ProviderVolume *volume, LvmCommandSpec *spec) {
        LvmData *data = volume->data;
        char tag[LVM_TAG_SIZE];
        static const char *const common[] = {
                "--yes", "--permission",           "rw",           "--activate", "y", "--setactivationskip",
                "y",     "--ignoreactivationskip", "--autobackup", "n",
        };
        int r;

        r = lvm_tag_copy(tag, volume->snapshot_id);
        if (r < 0)
                return error_trace(r);
        for (size_t i = 0; i < ELEMENTSOF(common); i++)
                (void) lvm_spec_add(spec, common[i]);
        (void) lvm_spec_add(spec, "--addtag");
        (void) lvm_spec_add(spec, tag);
        (void) lvm_spec_add(spec, "--name");
        (void) lvm_spec_add(spec, data->copy_name);
        spec->lane = data->vg;
        spec->limit_usec = LVM_CHANGE_LIMIT;
        spec->changes = true;
        data->copy_attempted = true;
        r = lvm_command_new(&data->command, volume->provider->lvm, spec, on_made, volume);
        if (r < 0)
                data->copy_attempted = false;
        return error_trace(r);
}

static int thin_create(ProviderVolume *volume) {
        const LvmData *data = volume->data;
        char path[2 * LVM_VG_SIZE];
        LvmCommandSpec spec = {
                .arguments = {"lvcreate", "--snapshot", path},
                .suspends = true,
                .origin_key = data->snapshot_key,
                .origin_name = path,
                .snapshot_lv = data->copy_name,
        };

        lvm_lv_path(path, data->vg, data->name);
        return error_trace(copy_create(volume, &spec));
}

static int thick_create(ProviderVolume *volume, uint64_t size) {
        const LvmData *data = volume->data;
        char text[32];
        LvmCommandSpec spec = {.arguments = {"lvcreate", "--type", "linear", "--wipesignatures", "y",
                                             "--size", text, data->vg}};

        (void) snprintf(text, sizeof(text), "%llub", (unsigned long long) size);
        for (const char *const *device = lvm_cow_devices(volume); device && *device; device++)
                (void) lvm_spec_add(&spec, *device);
        return error_trace(copy_create(volume, &spec));
}

/* Return: whether there is room for it, and its store's size. */
static bool copy_check(const ProviderVolume *volume, const LvmReport *report, uint64_t *ret_size,
                       LvmVerdict *verdict) {
        const LvmData *data = volume->data;
        const LvmVolume *snapshot = lvm_report_find(report, data->vg, data->name);
        LvmVolume like;

        if (!snapshot)
                return lvm_verdict(verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                                   "The snapshot %.64s of %.200s is gone: somebody removed it.", data->name,
                                   volume->name);
        if (!lvm_check_group(snapshot, verdict))
                return false;
        if (is_thin(volume))
                return lvm_check_pool(report, snapshot, verdict) &&
                       lvm_pool_is_well(data->pool_key, data->vg, data->pool, verdict);
        like = *snapshot; /* whose size is that of its store */
        like.size = volume->size;
        *ret_size = lvm_cow_size(&like, volume->copy_size, volume->provider->cow_percent);
        return lvm_check_space(&like, *ret_size, verdict);
}

static void on_listed_before(int error, const LvmReport *report, const char *text, void *userdata) {
        ProviderVolume *volume = userdata;
        LvmVerdict verdict = {};
        uint64_t size = 0;
        int r = 0;

        if (error < 0)
                (void) lvm_verdict(&verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                                   "LVM could not be asked about %.128s. %.300s", volume->name, text);
        else if (copy_check(volume, report, &size, &verdict))
                r = is_thin(volume) ? thin_create(volume) : thick_create(volume, size);
        if (r < 0)
                (void) lvm_verdict(&verdict, CONTRACT_ERROR_UNEXPECTED,
                                   "No command could be given to LVM: %s.", strerror(-r));
        if (verdict.error != CONTRACT_OK)
                lvm_operation_end(volume, verdict.error, verdict.text);
}

/**
 * lvm_copy() - COPY: make a writable copy of a snapshot
 * @volume:     its snapshot counts, and has none
 * @done:       called once; INSUFFICIENT_STORAGE: there is no room
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_copy(ProviderVolume *volume, ProviderDone done, void *userdata) {
        LvmData *data = volume->data;
        char hex[33];
        int r;

        r = lvm_copy_name(data->copy_name, volume->snapshot_id);
        if (r < 0)
                return error_trace(r);
        if (!is_thin(volume) && lvm_id_to_hex(hex, volume->snapshot_id) == 0)
                (void) snprintf(data->copy_key, sizeof(data->copy_key), LVM_COPY_KEY_PREFIX "%s", hex);
        r = lvm_operation_begin(volume, done, userdata);
        if (r < 0)
                return error_trace(r);
        r = lvm_list(volume->provider->lvm, data->vg, on_listed_before, volume);
        if (r < 0)
                data->done = NULL;
        return error_trace(r);
}

/* ── what the kernel says ────────────────────────────────────────────────────────────────────────────── */

/**
 * lvm_copy_is_open() - has anybody a copy open
 * @volume:     whose
 *
 * Return: whether; false if there is none.
 */
bool lvm_copy_is_open(const ProviderVolume *volume) {
        const LvmData *data = volume->data;

        return data && data->copy_key[0] && lvm_dm_is_open(data->copy_key);
}

/**
 * lvm_copy_is_lost() - was more written into a copy than its store holds
 * @volume:     of a thick snapshot
 *
 * Return: whether; false if there is none.
 */
bool lvm_copy_is_lost(const ProviderVolume *volume) {
        const LvmData *data = volume->data;
        char status[LVM_DM_TEXT_SIZE];

        return data && !is_thin(volume) && data->copy_key[0] &&
               lvm_dm_status(data->copy_key, "snapshot", status) == 0 &&
               (streq(status, "Invalid") || streq(status, "Overflow"));
}

/* ── UNCOPY ──────────────────────────────────────────────────────────────────────────────────────────── */

static void on_uncopied(ContractError error, const char *text, void *userdata) {
        ProviderVolume *volume = userdata;
        LvmData *data = volume->data;

        data->removal = NULL;
        if (error == CONTRACT_OK)
                copy_forget(volume);
        lvm_operation_end(volume, error, text);
}

/* And then the snapshot, in the same operation. */
static void on_uncopied_for_removal(ContractError error, const char *text, void *userdata) {
        ProviderVolume *volume = userdata;
        LvmData *data = volume->data;
        ProviderDone done;
        int r;

        if (error != CONTRACT_OK) {
                on_uncopied(error, text, volume);
                return;
        }
        data->removal = NULL;
        copy_forget(volume);
        done = TAKE_PTR(data->done);
        r = lvm_remove_volume(volume, done, data->userdata);
        if (r < 0)
                done(volume, CONTRACT_ERROR_UNEXPECTED, strerror(-r), data->userdata);
}

static int uncopy(ProviderVolume *volume, LvmRemoved removed, ProviderDone done, void *userdata) {
        LvmData *data = volume->data;
        LvmRemovalSpec spec = copy_removal(data, is_thin(volume));
        char text[CONTRACT_TEXT_MAX];
        int r;

        if (lvm_copy_is_open(volume)) {
                (void) snprintf(text, sizeof(text),
                                "The writable copy of the snapshot %s of %.160s is in use.",
                                volume->snapshot_id, volume->name);
                done(volume, CONTRACT_ERROR_VOLUME_BUSY, text, userdata);
                return 0;
        }
        r = lvm_operation_begin(volume, done, userdata);
        if (r >= 0)
                r = lvm_removal_begin(&data->removal, volume->provider->lvm, &spec, removed, volume);
        if (r < 0)
                data->done = NULL;
        return error_trace(r);
}

/**
 * lvm_uncopy() - UNCOPY: remove the copy
 * @volume:     with or without one
 * @done:       called once; VOLUME_BUSY: somebody has it open
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_uncopy(ProviderVolume *volume, ProviderDone done, void *userdata) {
        const LvmData *data = volume->data;

        if (data && data->copy_attempted)
                return error_trace(uncopy(volume, on_uncopied, done, userdata));
        done(volume, CONTRACT_OK, NULL, userdata);
        return 0;
}

/**
 * lvm_uncopy_and_remove() - remove the copy, if there is one, and then the snapshot
 * @volume:     the volume
 * @done:       called once; VOLUME_BUSY: somebody has the copy open
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_uncopy_and_remove(ProviderVolume *volume, ProviderDone done, void *userdata) {
        const LvmData *data = volume->data;

        if (data && data->copy_attempted)
                return error_trace(uncopy(volume, on_uncopied_for_removal, done, userdata));
        return error_trace(lvm_remove_volume(volume, done, userdata));
}

/**
 * provider_lvm_adopt_copy() - a copy found again by its tag
 * @volume:     its snapshot, adopted
 * @copy:       the LV, which lvm_volume_get_copy() knew
 *
 * Return: 0; -ENOENT: nobody has it open, and it is not adopted; or another negative errno.
 */
int provider_lvm_adopt_copy(ProviderVolume *volume, const LvmVolume *copy) {
        LvmData *data = volume->data;
        int r;

        r = lvm_copy_name(data->copy_name, volume->snapshot_id);
        if (r < 0)
                return error_trace(r);
        if (*copy->pool) {
                (void) snprintf(data->copy_key, sizeof(data->copy_key), "%s", copy->key);
                data->copy_thin_id = (uint32_t) copy->thin_id;
        } else {
                char key[LVM_COPY_KEY_SIZE];

                lvm_copy_top_key(key, copy);
                (void) snprintf(data->copy_key, sizeof(data->copy_key), "%s", key);
        }
        if (!lvm_copy_is_open(volume)) {
                copy_forget(volume);
                return -ENOENT;
        }
        data->copy_attempted = true;
        return error_trace(copy_name_device(volume));
}
