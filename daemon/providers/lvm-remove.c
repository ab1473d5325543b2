/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ABORT, DELETE, recovery: removing an LV of ours, whatever state it is in.
 *
 * Whether it is gone is not read from what lvremove said but from a new listing: nothing there is success,
 * however that came. Half-made snapshots need a second lvremove (kernel-notes, fact 8). If LVM failed or was
 * killed while it made the snapshot, it leaves more than the LV: an origin that is suspended (lvm-origin.c),
 * or has not the table that its metadata say, which a refresh mends, and devices that nobody uses. Whether
 * it did is known (lvm_remove()'s caller has a note), or shows in that the lvremove fails: most often it did
 * not, and the three commands that mend would each take as long as the one that removes.
 */

#include <assert.h>

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-provider.h"
#include "daemon/providers/lvm-strays.h"
#include "util/error.h"

#define ATTEMPTS_MAX 2u
#define STRAYS_LIMIT (60 * USEC_PER_SEC)

struct LvmRemoval {
        Lvm *lvm;
        char vg[LVM_VG_SIZE], lv[LVM_VG_SIZE];
        char path[2 * LVM_VG_SIZE];
        char origin[2 * LVM_VG_SIZE]; /* "vg/lv", or "": there is none to mind */
        char origin_key[LVM_KEY_SIZE];
        char lock_path[LVM_LOCK_PATH_SIZE];
        char top_key[LVM_KEY_SIZE]; /* of what lies on it and must go before, or "" */
        bool suspends, half_made, only_mend;
        unsigned n_attempts;
        Child *strays;
        bool in_use;
        bool in_pool;                /* the thin device is there, and LVM wants to make it */
        char pool_key[LVM_KEY_SIZE]; /* of its pool, with */
        uint64_t thin_id;
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

static void on_strays_gone(Child *child, const ChildResult *result, void *userdata) {
        LvmRemoval *removal = userdata;

        (void) child_free(child);
        if (result->error == 0 && result->status == 0)
                removal_end(removal, CONTRACT_OK, NULL);
        else {
                (void) snprintf(removal->text, sizeof(removal->text),
                                "The snapshot is removed, but LVM has left devices behind: %.300s",
                                result->err);
                removal_end(removal, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, removal->text);
        }
}

static int strays_child(int socket_fd, void *argument) {
        return lvm_strays_remove(argument);
}

/* Return: whether the removal is over, because somebody else holds the origin. */
static bool refresh_was_refused(LvmRemoval *removal, const LvmAnswer *answer) {
        removal->command = NULL;
        if (answer->error != -EBUSY)
                return false; /* that it could not be refreshed shows in what is left */
        (void) snprintf(removal->text, sizeof(removal->text),
                        "What LVM has left of the snapshot %.128s cannot be removed yet. %.300s",
                        removal->path, answer->text);
        removal_end(removal, CONTRACT_ERROR_VOLUME_BUSY, removal->text);
        return true;
}

static void on_refreshed_after(const LvmAnswer *answer, void *userdata) {
        LvmRemoval *removal = userdata;
        LvmStrays strays = {.lock_path = removal->lock_path,
                            .vg = removal->vg,
                            .lv = removal->lv,
                            .origin_key = removal->origin_key};
        int r;

        if (refresh_was_refused(removal, answer))
                return;
        if (removal->only_mend) {
                removal_end(removal, CONTRACT_OK, NULL);
                return;
        }
        lvm_lock_path(removal->lvm, removal->vg, removal->lock_path);
        r = child_fork(&removal->strays, removal->lvm->event, strays_child, &strays, STRAYS_LIMIT,
                       on_strays_gone, removal);
        if (r < 0)
                removal_end(removal, CONTRACT_ERROR_UNEXPECTED, strerror(-r));
}

/* The origin's table as its metadata say. */
static int removal_refresh(LvmRemoval *removal, LvmCommandDone done) {
        LvmCommandSpec spec = {
                .lane = removal->vg,
                .arguments = {"lvchange", "--refresh", removal->origin},
                .limit_usec = LVM_CHANGE_LIMIT,
                .origin_key = removal->origin_key,
                .origin_name = removal->origin,
                .snapshot_lv = removal->lv,
                .suspends = true,
                .clears = !removal->only_mend,
        };

        return error_trace(lvm_command_new(&removal->command, removal->lvm, &spec, done, removal));
}

static bool removal_mends(const LvmRemoval *removal) {
        return removal->half_made && removal->origin[0];
}

static void removal_succeeded(LvmRemoval *removal) {
        int r = 0;

        removal->command = NULL;
        if (removal_mends(removal))
                r = removal_refresh(removal, on_refreshed_after);
        if (r < 0 || !removal_mends(removal))
                removal_end(removal, r < 0 ? CONTRACT_ERROR_UNEXPECTED : CONTRACT_OK,
                            r < 0 ? strerror(-r) : NULL);
}

static int removal_try(LvmRemoval *removal);

static void on_refreshed_before(const LvmAnswer *answer, void *userdata) {
        LvmRemoval *removal = userdata;
        int r;

        if (refresh_was_refused(removal, answer))
                return;
        r = removal_try(removal);
        if (r < 0)
                removal_end(removal, CONTRACT_ERROR_UNEXPECTED, strerror(-r));
}

/* First the origin is made what LVM believes it to be, where that is in doubt. */
static int removal_begin(LvmRemoval *removal) {
        if (removal_mends(removal))
                return error_trace(removal_refresh(removal, removal->only_mend ? on_refreshed_after
                                                                               : on_refreshed_before));
        return error_trace(removal_try(removal));
}

/* Only if LVM has just said that the device is in its way. */
static void note_thin(LvmRemoval *removal, const LvmReport *report) {
        const LvmVolume *snapshot = lvm_report_find(report, removal->vg, removal->lv), *pool;

        pool = snapshot && *snapshot->pool ? lvm_report_find(report, removal->vg, snapshot->pool) : NULL;
        if (!removal->in_pool || !pool)
                return;
        (void) snprintf(removal->pool_key, sizeof(removal->pool_key), "%.120s-tpool", pool->key);
        removal->thin_id = snapshot->thin_id;
}

static void on_looked(int error, const LvmReport *report, const char *text, void *userdata) {
        LvmRemoval *removal = userdata;
        int r;

        if (error == 0 && !lvm_report_find(report, removal->vg, removal->lv))
                removal_succeeded(removal);
        else if (removal->in_use)
                removal_end(removal, CONTRACT_ERROR_VOLUME_BUSY, removal->text);
        else if (removal->n_attempts < ATTEMPTS_MAX) {
                if (error == 0)
                        note_thin(removal, report);
                r = removal_begin(removal);
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
        removal->in_pool = answer->error == -EIO && strstr(answer->text, "already contain thin device");
        removal->in_use = answer->error == -EIO && strstr(answer->text, "in use");
        (void) snprintf(removal->text, sizeof(removal->text), "%.160s could not be removed. %.320s",
                        removal->path, answer->text);
        if (answer->error == -EBUSY) {
                removal_end(removal, CONTRACT_ERROR_VOLUME_BUSY, removal->text);
                return;
        }
        removal->half_made = true; /* even if the LV is gone, its origin may be suspended */
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
                .origin_key = removal->origin[0] ? removal->origin_key : NULL,
                .origin_name = removal->origin,
                .snapshot_lv = removal->lv,
                .suspends = removal->origin[0] && removal->suspends,
                .thin_pool_key = removal->origin[0] && removal->pool_key[0] ? removal->pool_key : NULL,
                .thin_id = removal->thin_id,
                .top_key = removal->top_key[0] ? removal->top_key : NULL,
        };

        removal->n_attempts++;
        return error_trace(lvm_command_new(&removal->command, removal->lvm, &spec, on_removed, removal));
}

static int removal_new(LvmRemoval **ret, Lvm *lvm, const LvmRemovalSpec *spec, LvmRemoved done,
                       void *userdata) {
        LvmRemoval *removal = calloc(1, sizeof(*removal));

        if (!removal)
                return error_origin(-ENOMEM);
        removal->lvm = lvm;
        removal->done = done;
        removal->userdata = userdata;
        removal->half_made = spec->half_made || spec->only_mend;
        removal->only_mend = spec->only_mend;
        removal->suspends = spec->suspends;
        (void) snprintf(removal->vg, sizeof(removal->vg), "%s", spec->vg);
        (void) snprintf(removal->lv, sizeof(removal->lv), "%s", spec->lv);
        (void) snprintf(removal->top_key, sizeof(removal->top_key), "%s", spec->top_key ?: "");
        lvm_lv_path(removal->path, removal->vg, removal->lv);
        if (spec->origin_key) {
                (void) snprintf(removal->origin_key, sizeof(removal->origin_key), "%s", spec->origin_key);
                lvm_lv_path(removal->origin, removal->vg, spec->origin_lv);
        }
        *ret = removal;
        return 0;
}

/**
 * lvm_removal_begin() - lvm_remove(), of which @done's owner may go away
 * @ret:        the removal, valid until @done; for lvm_removal_forget(); may be NULL
 * @lvm:        as for lvm_remove()
 * @spec:       likewise
 * @done:       likewise
 * @userdata:   likewise
 *
 * Return: as lvm_remove().
 */
int lvm_removal_begin(LvmRemoval **ret, Lvm *lvm, const LvmRemovalSpec *spec, LvmRemoved done,
                      void *userdata) {
        LvmRemoval *removal;
        int r;

        if (strncmp(spec->lv, LVM_PROVIDER_PREFIX, strlen(LVM_PROVIDER_PREFIX)) != 0)
                return error_origin(-EINVAL);
        r = removal_new(&removal, lvm, spec, done, userdata);
        if (r < 0)
                return error_trace(r);
        r = removal_begin(removal);
        if (r < 0)
                free(removal);
        else if (ret)
                *ret = removal;
        return error_trace(r);
}

/**
 * lvm_remove() - remove an LV of ours
 * @lvm:        runner
 * @spec:       which, as lvm_volume_get_snapshot() or lvm_volume_get_copy() knew it; copied
 * @done:       called once, from the event loop; VOLUME_BUSY: somebody has it open, or holds its origin
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno; -EINVAL: not a name of ours.
 */
int lvm_remove(Lvm *lvm, const LvmRemovalSpec *spec, LvmRemoved done, void *userdata) {
        return error_trace(lvm_removal_begin(NULL, lvm, spec, done, userdata));
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
                data->attempted = data->half_made = false;
                data->snapshot_key[0] = '\0';
        }
        lvm_operation_end(volume, error, text);
}

/**
 * lvm_remove_volume() - remove a volume's snapshot, whatever was made of it
 * @volume:     without a copy
 * @done:       called once; nothing there is success
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno.
 */
int lvm_remove_volume(ProviderVolume *volume, ProviderDone done, void *userdata) {
        LvmData *data = volume->data;
        LvmRemovalSpec spec;
        int r;

        if (!data || !data->attempted) {
                done(volume, CONTRACT_OK, NULL, userdata);
                return 0;
        }
        spec = (LvmRemovalSpec){.vg = data->vg,
                                .lv = data->name,
                                .origin_key = data->origin_key[0] ? data->origin_key : NULL,
                                .origin_lv = data->lv,
                                .suspends = volume->ops == &lvm_cow_ops,
                                .half_made = data->half_made};
        r = removal_new(&data->removal, volume->provider->lvm, &spec, on_volume_removed, volume);
        if (r < 0)
                return error_trace(r);
        r = lvm_operation_begin(volume, done, userdata);
        if (r == 0)
                r = removal_begin(data->removal);
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
        return error_trace(lvm_uncopy_and_remove(volume, done, userdata));
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

        /* A copy has the snapshot open. */
        if (data && data->copy_attempted)
                return error_trace(lvm_uncopy_and_remove(volume, done, userdata));
        /* This is asked again and again until it is closed: LVM need not be troubled for it. */
        if (lvm_is_open(volume)) {
                (void) snprintf(text, sizeof(text), "%.100s/%.64s, a snapshot of %.160s, is in use.",
                                data->vg, data->name, volume->name);
                done(volume, CONTRACT_ERROR_VOLUME_BUSY, text, userdata);
                return 0;
        }
        return error_trace(lvm_remove_volume(volume, done, userdata));
}
