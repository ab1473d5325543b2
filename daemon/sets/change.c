/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What can become of a set that counts, as a whole and in no step: it is described anew, broken (see
 * revert.c) or its volumes are reverted to it.
 *
 * Meanwhile its volumes are busy, so a step that begins waits; one that runs keeps a change from beginning.
 * All providers work at once, and what each says is waited for, whatever the others say.
 */

#include <assert.h>

#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/texts.h"

static ProviderSetOp op_of(const SetVolume *volume, ProviderPhase phase) {
        return volume->state == SNAPSHOT_CREATED ? volume->given.ops->set_op[phase] : NULL;
}

static void note_broken(SnapshotSet *set) {
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < set->n_volumes; i++) {
                const ProviderVolume *given = &set->volumes[i]->given;

                if (!op_of(set->volumes[i], PROVIDER_BREAK))
                        continue;
                r = texts_add(&set->change.broken, &n, given->snapshot_id);
                if (r >= 0)
                        r = texts_add(&set->change.broken, &n, given->ops->get_broken_name(given));
        }
        for (size_t i = 0; i < set->n_volumes; i++)
                if (op_of(set->volumes[i], PROVIDER_BREAK)) {
                        set->volumes[i]->state = SNAPSHOT_GONE;
                        delete_tell(set->volumes[i], "broken");
                }
}

/* Some may be reverted already. */
static void note_reverting(SnapshotSet *set) {
        for (size_t i = 0; i < set->n_volumes; i++) {
                SetVolume *volume = set->volumes[i];
                ProviderRevert revert;

                if (!op_of(volume, PROVIDER_REVERT))
                        continue;
                volume->state = SNAPSHOT_REVERTING;
                if (!volume->given.ops->get_revert(&volume->given, &revert))
                        watch_tell_gone(volume);
        }
}

/* What has become of the set, now that every provider has done it. */
static void change_note(SnapshotSet *set) {
        ProviderPhase phase = set->change.phase;

        /* Some snapshots may have been changed all the same, or are gone by now: LVM tells. */
        if (set->change.error != CONTRACT_OK ||
            (phase != PROVIDER_DESCRIBE && phase != PROVIDER_CHECK_REVERT))
                watch_look(set->sets);
        if (set->change.error != CONTRACT_OK || phase == PROVIDER_CHECK_REVERT)
                return;
        if (phase == PROVIDER_DESCRIBE) {
                set_description_done(&set->given.description);
                set->given.description = set->given.wished;
                set->given.wished = (SetDescription){};
        } else if (phase == PROVIDER_BREAK)
                note_broken(set);
        else
                note_reverting(set);
}

static void change_end(SnapshotSet *set) {
        SetChange change;
        StepResult result;

        for (size_t i = 0; i < set->n_volumes; i++)
                if (set->volumes[i]->busy && set->volumes[i]->begun_phase == set->change.phase)
                        set->volumes[i]->busy = false;
        change_note(set);
        change = set->change;
        result = (StepResult){
                .error = change.error, .text = change.text, .broken = (const char *const *) change.broken};
        set->change = (SetChange){};
        set->n_operations--;
        change.done(set, CONTRACT_STEP_NONE, 0, &result, change.userdata);
        (void) texts_free(change.broken);
        step_advance(set);
        snapshot_set_reap(set);
}

static void on_changed(ProviderVolume *given, ContractError error, const char *text, void *userdata) {
        SnapshotSet *set = userdata;
        SetChange *change = &set->change;

        if (error != CONTRACT_OK && change->error == CONTRACT_OK) {
                change->error = error;
                (void) snprintf(change->text, sizeof(change->text), "%s",
                                text ?: "A provider failed and did not say why.");
        }
        if (--change->n_pending == 0)
                change_end(set);
}

static void change_run(SnapshotSet *set, size_t first) {
        ProviderSetOp op = op_of(set->volumes[first], set->change.phase);
        ProviderVolume *volumes[CONTRACT_VOLUMES_MAX];
        size_t n = 0;
        int r;

        for (size_t i = first; i < set->n_volumes; i++)
                if (op_of(set->volumes[i], set->change.phase) == op)
                        volumes[n++] = &set->volumes[i]->given;
        set->change.n_pending++;
        r = op(volumes[0]->provider, volumes, n, on_changed, set);
        if (r < 0)
                on_changed(NULL, CONTRACT_ERROR_UNEXPECTED, strerror(-r), set);
}

static bool op_is_first(const SnapshotSet *set, size_t index) {
        ProviderSetOp op = op_of(set->volumes[index], set->change.phase);

        for (size_t i = 0; op && i < index; i++)
                if (op_of(set->volumes[i], set->change.phase) == op)
                        return false;
        return op;
}

/**
 * change_begin() - have all providers of a set do something with it
 * @set:        the set, which counts
 * @phase:      DESCRIBE, BREAK, CHECK_REVERT or REVERT; a provider without it has done it
 * @done:       called once, perhaps at once
 * @userdata:   for @done
 *
 * Return: 0, or -EBUSY: something else is done to the set.
 */
int change_begin(SnapshotSet *set, ProviderPhase phase, StepDone done, void *userdata) {
        if (!set->created || set->change.done || set->step != CONTRACT_STEP_NONE || set->n_operations > 0)
                return error_origin(-EBUSY);
        set->change = (SetChange){.done = done, .userdata = userdata, .phase = phase, .n_pending = 1};
        set->n_operations++;
        for (size_t i = 0; i < set->n_volumes; i++)
                if (op_of(set->volumes[i], phase)) {
                        set->volumes[i]->busy = true;
                        set->volumes[i]->begun_phase = phase;
                        set->volumes[i]->breaking = phase == PROVIDER_BREAK;
                }
        for (size_t i = 0; i < set->n_volumes; i++)
                if (op_is_first(set, i))
                        change_run(set, i);
        /* Nobody ends it while it is being begun. */
        on_changed(NULL, CONTRACT_OK, NULL, set);
        return 0;
}

/**
 * snapshot_set_describe() - what people say of a set that is being made
 * @set:            the set, before FINAL_COMMIT
 * @description:    valid; copied
 *
 * Return: 0, or -ENOMEM.
 */
int snapshot_set_describe(SnapshotSet *set, const SetDescription *description) {
        assert(!set->created);
        set_description_done(&set->given.description);
        return error_trace(set_description_copy(&set->given.description, description));
}

/**
 * snapshot_set_get_description() - what people say of a set
 * @set:        the set
 *
 * Return: it; the set's.
 */
const SetDescription *snapshot_set_get_description(const SnapshotSet *set) {
        return &set->given.description;
}

/**
 * snapshot_set_describe_anew() - say something else of a set that counts
 * @set:            the set
 * @description:    valid; copied
 * @done:           called once, perhaps at once
 * @userdata:       for @done
 *
 * Return: 0; -EBUSY: something else is done to the set; or another negative errno. @done is not called then.
 */
int snapshot_set_describe_anew(SnapshotSet *set, const SetDescription *description, StepDone done,
                               void *userdata) {
        SetDescription wished;
        int r;

        r = set_description_copy(&wished, description);
        if (r < 0)
                return error_trace(r);
        if (set->change.done) {
                set_description_done(&wished);
                return error_origin(-EBUSY);
        }
        set_description_done(&set->given.wished);
        set->given.wished = wished;
        return error_trace(change_begin(set, PROVIDER_DESCRIBE, done, userdata));
}
