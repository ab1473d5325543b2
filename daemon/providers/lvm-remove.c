/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ABORT, DELETE, recovery: removing an LV of ours, whatever state it is in.
 *
 * Whether it is gone is not read from what lvremove said but from a new listing: nothing there is success,
 * however that came. Half-made snapshots need a second lvremove (kernel-notes, fact 8). If an lvm was killed
 * over the volume, its origin may be left suspended: a refresh resumes it.
 */

#include <assert.h>

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-provider.h"
#include "util/error.h"

#define ATTEMPTS_MAX 2u

struct LvmRemoval {
        Lvm *lvm;
        char vg[LVM_VG_SIZE], lv[LVM_VG_SIZE];
        char path[2 * LVM_VG_SIZE];
        char origin[2 * LVM_VG_SIZE]; /* "vg/lv" to be refreshed afterwards, or "" */
        unsigned n_attempts;
        bool in_use;
        char text[CONTRACT_TEXT_MAX];
        LvmCommand *command;
        LvmRemoved done;
        void *userdata;
};

static void removal_end(LvmRemoval *removal, ContractError error, const char *text) {
        LvmRemoved done = removal->done;
        void *userdata = removal->userdata;

        if (done)
                done(error, text, userdata);
        free(removal);
}

static void on_refreshed(const LvmAnswer *answer, void *userdata) {
        LvmRemoval *removal = userdata;

        if (answer->error == 0)
                removal_end(removal, CONTRACT_OK, NULL);
        else {
                char text[CONTRACT_TEXT_MAX];

                (void) snprintf(
                        text, sizeof(text),
                        "The snapshot is removed, but %.160s may still be suspended by a command that "
                        "was killed. %.220s",
                        removal->origin, answer->text);
                removal_end(removal, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, text);
        }
}

static void removal_succeeded(LvmRemoval *removal) {
        LvmCommandSpec spec = {
                .lane = removal->vg,
                .arguments = {"lvchange", "--refresh", removal->origin},
                .limit_usec = LVM_CHANGE_LIMIT,
        };
        int r = 0;

        removal->command = NULL;
        if (removal->origin[0])
                r = lvm_command_new(&removal->command, removal->lvm, &spec, on_refreshed, removal);
        if (!removal->origin[0] || r < 0)
                removal_end(removal, r < 0 ? CONTRACT_ERROR_UNEXPECTED : CONTRACT_OK,
                            r < 0 ? strerror(-r) : NULL);
}

static int removal_try(LvmRemoval *removal);

static void on_looked(int error, const LvmReport *report, const char *text, void *userdata) {
        LvmRemoval *removal = userdata;
        int r;

        if (error == 0 && !lvm_report_find(report, removal->vg, removal->lv))
                removal_succeeded(removal);
        else if (removal->in_use)
                removal_end(removal, CONTRACT_ERROR_VOLUME_BUSY, removal->text);
        else if (removal->n_attempts < ATTEMPTS_MAX) {
                r = removal_try(removal);
                if (r < 0)
                        removal_end(removal, CONTRACT_ERROR_UNEXPECTED, strerror(-r));
        } else
                removal_end(removal, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, removal->text);
}

static void on_removed(const LvmAnswer *answer, void *userdata) {
        LvmRemoval *removal = userdata;
        int r;

        removal->command = NULL;
        if (answer->error == 0) {
                removal_succeeded(removal);
                return;
        }
        removal->in_use = answer->error == -EIO && strstr(answer->text, "in use");
        (void) snprintf(removal->text, sizeof(removal->text), "%.160s could not be removed. %.320s",
                        removal->path, answer->text);
        /* All groups: if this one is gone altogether, that is no failure. */
        r = lvm_list(removal->lvm, NULL, on_looked, removal);
        if (r < 0)
                removal_end(removal, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, removal->text);
}

static int removal_try(LvmRemoval *removal) {
        LvmCommandSpec spec = {
                .lane = removal->vg,
                .arguments = {"lvremove", "--force", "--yes", removal->path},
                .limit_usec = LVM_CHANGE_LIMIT,
                .changes = true,
                .suspends = true,
        };

        removal->n_attempts++;
        return error_trace(lvm_command_new(&removal->command, removal->lvm, &spec, on_removed, removal));
}

static int removal_new(LvmRemoval **ret, Lvm *lvm, const char *vg, const char *lv, LvmRemoved done,
                       void *userdata) {
        LvmRemoval *removal = calloc(1, sizeof(*removal));

        if (!removal)
                return error_origin(-ENOMEM);
        removal->lvm = lvm;
        removal->done = done;
        removal->userdata = userdata;
        (void) snprintf(removal->vg, sizeof(removal->vg), "%s", vg);
        (void) snprintf(removal->lv, sizeof(removal->lv), "%s", lv);
        lvm_lv_path(removal->path, removal->vg, removal->lv);
        *ret = removal;
        return 0;
}

/**
 * lvm_remove() - remove an LV of ours
 * @lvm:        runner
 * @vg:         its group
 * @lv:         its name, as lvm_volume_get_snapshot() knew it
 * @done:       called once, from the event loop; VOLUME_BUSY: somebody has it open
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno; -EINVAL: not a name of ours.
 */
int lvm_remove(Lvm *lvm, const char *vg, const char *lv, LvmRemoved done, void *userdata) {
        LvmRemoval *removal;
        int r;

        if (strncmp(lv, LVM_PROVIDER_PREFIX, strlen(LVM_PROVIDER_PREFIX)) != 0)
                return error_origin(-EINVAL);
        r = removal_new(&removal, lvm, vg, lv, done, userdata);
        if (r < 0)
                return error_trace(r);
        r = removal_try(removal);
        if (r < 0)
                free(removal);
        return error_trace(r);
}

/**
 * lvm_removal_forget() - its user goes away
 * @removal:    it or NULL; goes on to its end, and tells nobody
 */
void lvm_removal_forget(LvmRemoval *removal) {
        if (removal)
                removal->done = NULL;
}

static void on_volume_removed(ContractError error, const char *text, void *userdata) {
        ProviderVolume *volume = userdata;
        LvmData *data = volume->data;

        data->removal = NULL;
        if (error == CONTRACT_OK) {
                data->attempted = data->poisoned = false;
                data->snapshot_key[0] = '\0';
        }
        lvm_operation_end(volume, error, text);
}

static int remove_volume(ProviderVolume *volume, ProviderDone done, void *userdata) {
        LvmData *data = volume->data;
        int r;

        if (!data || !data->attempted) {
                done(volume, CONTRACT_OK, NULL, userdata);
                return 0;
        }
        r = removal_new(&data->removal, volume->provider->lvm, data->vg, data->name, on_volume_removed,
                        volume);
        if (r < 0)
                return error_trace(r);
        if (data->poisoned)
                lvm_lv_path(data->removal->origin, data->vg, data->lv);
        r = lvm_operation_begin(volume, done, userdata);
        if (r == 0)
                r = removal_try(data->removal);
        if (r < 0) {
                data->done = NULL;
                free(TAKE_PTR(data->removal));
        }
        return error_trace(r);
}

/**
 * lvm_abort() - ABORT: remove whatever was made
 * @volume:     the volume
 * @done:       called once; nothing there is success
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_abort(ProviderVolume *volume, ProviderDone done, void *userdata) {
        return error_trace(remove_volume(volume, done, userdata));
}

/**
 * lvm_delete() - DELETE: remove a snapshot that counts
 * @volume:     the volume
 * @done:       called once; VOLUME_BUSY: somebody has it open
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_delete(ProviderVolume *volume, ProviderDone done, void *userdata) {
        const LvmData *data = volume->data;
        char text[CONTRACT_TEXT_MAX];

        /* This is asked again and again until it is closed: LVM need not be troubled for it. */
        if (data && data->snapshot_key[0] && lvm_dm_is_open(data->snapshot_key)) {
                (void) snprintf(text, sizeof(text), "%.100s/%.64s, a snapshot of %.160s, is in use.",
                                data->vg, data->name, volume->name);
                done(volume, CONTRACT_ERROR_VOLUME_BUSY, text, userdata);
                return 0;
        }
        return error_trace(remove_volume(volume, done, userdata));
}
