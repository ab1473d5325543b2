/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is done for all volumes of a set at once, a command per volume group: after END_PREPARE LVM is asked
 * what it made; at POST_FINAL_COMMIT thin snapshots are activated, and then all get the tag by which they
 * count (at SEAL, if writers write into them in between).
 *
 * Activation comes first and tags last, group after group in parallel: until the last moment nothing of a
 * set counts, and a set of which a crash left only some with the tag is known by those that lack it.
 */

#include <assert.h>

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-group.h"
#include "daemon/providers/lvm-words.h"
#include "util/error.h"
#include "util/log.h"
#include "util/texts.h"

/* ── END_PREPARE ─────────────────────────────────────────────────────────────────────────────────────── */

static bool learn(ProviderVolume *volume, const LvmReport *report, LvmVerdict *verdict) {
        const LvmVolume *snapshot, *origin;
        LvmData *data = volume->data;

        snapshot = lvm_report_find(report, data->vg, data->name);
        origin = lvm_report_find_key(report, data->origin_key);
        if (!snapshot || !origin)
                return lvm_verdict(verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                                   "%s of %.200s is gone: somebody removed it while the set was made.",
                                   origin ? "The snapshot" : "The origin of the snapshot", volume->name);
        if (snapshot->size != origin->size && volume->ops == &lvm_thin_ops)
                return lvm_verdict(verdict, CONTRACT_ERROR_VOLUME_BUSY,
                                   "%.200s changed its size while the set was made. Try again.",
                                   volume->name);
        (void) snprintf(data->snapshot_key, sizeof(data->snapshot_key), "%s", snapshot->key);
        data->thin_id = (uint32_t) snapshot->thin_id;
        data->thick_above = lvm_volume_is_thin(origin) && lvm_volume_has_thick_snapshot(report, origin);
        return true;
}

/* The device that what is written to the snapshot's store, or to the pool, goes to. */
static int store_device(const ProviderVolume *volume, dev_t *ret) {
        const LvmData *data = volume->data;
        char key[LVM_KEY_SIZE + 8];

        if (volume->ops == &lvm_thin_ops)
                return error_trace(lvm_dm_device(data->pool_key, ret));
        (void) snprintf(key, sizeof(key), "%s-cow", data->snapshot_key);
        return error_trace(lvm_dm_device(key, ret));
}

/* A store that lies on a volume of the set could not be written while that one is suspended: for ever. */
static bool check_store(const LvmGroupOperation *operation, ProviderVolume *volume, LvmVerdict *verdict) {
        dev_t device;
        int r;

        r = store_device(volume, &device);
        if (r != 0)
                return lvm_verdict(verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                                   "The store of the snapshot of %.200s has no device.", volume->name);
        for (size_t i = 0; i < operation->n_volumes; i++) {
                const Volume *other = operation->volumes[i]->origin;

                if (other && lvm_dm_lies_on(device, other->above, other->n_above))
                        return lvm_verdict(
                                verdict, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                "The store of the snapshot of %.160s lies on %.160s, which is in the "
                                "same set: both would wait for each other. Take them one after the "
                                "other.",
                                volume->name, other->name);
        }
        return true;
}

static void on_inspected(int error, const LvmReport *report, const char *text, void *userdata) {
        LvmGroup *group = userdata;
        LvmGroupOperation *operation = group->operation;

        for (size_t i = 0; i < operation->n_volumes && !lvm_group_operation_failed(operation); i++) {
                ProviderVolume *volume = operation->volumes[i];

                if (!streq(lvm_data(volume)->vg, group->vg))
                        continue;
                operation->fault = volume;
                if (error < 0)
                        (void) lvm_verdict(&operation->verdict, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                                           "LVM could not be asked what it made. %.400s", text);
                else if (learn(volume, report, &operation->verdict))
                        (void) check_store(operation, volume, &operation->verdict);
        }
        if (--operation->n_pending == 0)
                lvm_group_operation_end(operation);
}

/**
 * lvm_inspect() - END_PREPARE: learn what LVM made, and check what only the whole set can tell
 * @provider:   of all of them
 * @volumes:    whose snapshots LVM has made; copied
 * @n_volumes:  how many
 * @done:       called once
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_inspect(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                void *userdata) {
        LvmGroupOperation *operation;
        int r;

        r = lvm_group_operation_new(&operation, provider, volumes, n_volumes, done, userdata);
        if (r < 0)
                return error_trace(r);
        for (size_t g = 0; g < operation->n_groups; g++) {
                LvmGroup *group = &operation->groups[g];

                r = lvm_list(provider->lvm, group->vg, on_inspected, group);
                if (r < 0 && operation->n_pending == 0) {
                        free(operation);
                        return error_trace(r);
                }
                if (r < 0) {
                        /* Those that were asked for will end it. */
                        (void) lvm_verdict(&operation->verdict, CONTRACT_ERROR_UNEXPECTED,
                                           "LVM could not be asked about %.128s: %s.", group->vg,
                                           strerror(-r));
                        break;
                }
                operation->n_pending++;
        }
        return 0;
}

/* ── POST_FINAL_COMMIT ───────────────────────────────────────────────────────────────────────────────── */

/* The tags by which the snapshots of a group count, and the words that people say of them. */
static void tag_group(LvmGroup *group, const ProviderSet *set, char **words) {
        char instant[LVM_TAG_SIZE], n_volumes[LVM_TAG_SIZE], consistency[LVM_TAG_SIZE];
        LvmPaths paths;
        LvmCommandSpec spec = {
                .lane = group->vg,
                .arguments = {"lvchange", "--yes", "--deltag", LVM_TAG_UNFINISHED, "--addtag", LVM_TAG_FINAL,
                              "--addtag", instant, "--addtag", n_volumes, "--addtag", consistency},
                .limit_usec = LVM_CHANGE_LIMIT,
                .changes = true,
        };

        lvm_tag_instant(instant, set->instant_realtime_usec);
        lvm_tag_volumes(n_volumes, set->n_volumes);
        lvm_tag_consistency(consistency, set->consistency);
        for (; words && *words; words++) {
                (void) lvm_spec_add(&spec, "--addtag");
                (void) lvm_spec_add(&spec, *words);
        }
        if (set->persistent) {
                /* It is there again after a reboot, as its origin is. */
                (void) lvm_spec_add(&spec, "--setactivationskip");
                (void) lvm_spec_add(&spec, "n");
        }
        (void) lvm_group_add_paths(&spec, group, false, paths);
        lvm_group_run(group, &spec);
}

static void tagging_begin(LvmGroupOperation *operation) {
        const ProviderSet *set = operation->volumes[0]->set;
        char **words = NULL;
        int r;

        operation->doing = "marked as finished";
        operation->next = NULL;
        r = lvm_words_to_tags(&words, &set->description);
        if (r < 0)
                (void) lvm_verdict(&operation->verdict, CONTRACT_ERROR_UNEXPECTED,
                                   "The snapshots could not be marked as finished: %s.", strerror(-r));
        for (size_t g = 0; g < operation->n_groups && !lvm_group_operation_failed(operation); g++)
                tag_group(&operation->groups[g], set, words);
        (void) texts_free(words);
        if (operation->n_pending == 0)
                lvm_group_operation_end(operation);
}

/* C24: what writers will write into counts only when they have. */
static void activation_end(LvmGroupOperation *operation) {
        if (lvm_group_operation_failed(operation) || operation->volumes[0]->set->writable)
                lvm_group_operation_end(operation);
        else
                tagging_begin(operation);
}

/**
 * lvm_finish() - POST_FINAL_COMMIT: make them readable, and make them count unless SEAL will
 * @provider:   of all of them
 * @volumes:    whose snapshots are what they should be; copied
 * @n_volumes:  how many
 * @done:       called once
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_finish(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
               void *userdata) {
        LvmGroupOperation *operation;
        int r;

        r = lvm_group_operation_new(&operation, provider, volumes, n_volumes, done, userdata);
        if (r < 0)
                return error_trace(r);
        operation->doing = "activated";
        operation->next = activation_end;
        for (size_t g = 0; g < operation->n_groups && !lvm_group_operation_failed(operation); g++) {
                LvmPaths paths;
                LvmCommandSpec spec = {
                        .lane = operation->groups[g].vg,
                        .arguments = {"lvchange", "--yes", "--activate", "y", "--ignoreactivationskip"},
                        .limit_usec = LVM_CHANGE_LIMIT,
                        .changes = true,
                };

                if (lvm_group_add_paths(&spec, &operation->groups[g], true, paths))
                        lvm_group_run(&operation->groups[g], &spec);
        }
        if (operation->n_pending == 0)
                activation_end(operation);
        return 0;
}

/**
 * lvm_seal() - SEAL: make them count, now that no writer can write into them any more
 * @provider:   of all of them
 * @volumes:    whose snapshots are what they should be; copied
 * @n_volumes:  how many
 * @done:       called once
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_seal(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
             void *userdata) {
        LvmGroupOperation *operation;
        int r;

        r = lvm_group_operation_new(&operation, provider, volumes, n_volumes, done, userdata);
        if (r < 0)
                return error_trace(r);
        tagging_begin(operation);
        return 0;
}

static void on_noted(const LvmAnswer *answer, void *userdata) {
        if (answer->error < 0)
                log_warning(
                        "what a snapshot set is good for could not be noted in its tags, which tell more "
                        "than is true now: %s",
                        answer->text ?: strerror(-answer->error));
}

/**
 * lvm_note_consistency() - the set is good for something else than its tags say
 * @provider:   of all of them
 * @volumes:    whose snapshots count
 * @n_volumes:  how many
 * @was:        what the tags say
 *
 * The snapshots may be deleted right away: in a group, commands run in their order.
 */
void lvm_note_consistency(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                          ContractConsistency was) {
        char old[LVM_TAG_SIZE], new[LVM_TAG_SIZE];

        lvm_tag_consistency(old, was);
        lvm_tag_consistency(new, volumes[0]->set->consistency);
        for (size_t i = 0; i < n_volumes; i++) {
                const LvmData *data = lvm_data(volumes[i]);
                char path[2 * LVM_VG_SIZE];
                LvmCommandSpec spec = {
                        .lane = data->vg,
                        .arguments = {"lvchange", "--yes", "--deltag", old, "--addtag", new, path},
                        .limit_usec = LVM_CHANGE_LIMIT,
                        .changes = true,
                };
                int r;

                lvm_lv_path(path, data->vg, data->name);
                r = lvm_command_new(NULL, provider->lvm, &spec, on_noted, NULL);
                if (r < 0)
                        log_warning("LVM could not be told what %s is good for: %s", path, strerror(-r));
        }
}
