/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What can become of a set that counts, as a whole and in no step: it is described anew.
 *
 * Meanwhile its volumes are busy, so a step that begins waits; one that runs keeps a change from beginning.
 * All providers work at once, and what each says is waited for, whatever the others say.
 */

#include <assert.h>

#include "daemon/sets/sets-internal.h"
#include "util/error.h"

static ProviderSetOp op_of(const SetVolume *volume, ProviderPhase phase) {
        return volume->state == SNAPSHOT_CREATED ? volume->given.ops->set_op[phase] : NULL;
}

/* What has become of the set, now that every provider has done it. */
static void change_note(SnapshotSet *set) {
        if (set->change.phase != PROVIDER_DESCRIBE || set->change.error != CONTRACT_OK)
                return;
        set_description_done(&set->given.description);
        set->given.description = set->given.wished;
        set->given.wished = (SetDescription){};
}

static void change_end(SnapshotSet *set) {
        SetChange change = set->change;
        StepResult result = {.error = change.error, .text = change.text};

        for (size_t i = 0; i < set->n_volumes; i++)
                if (set->volumes[i]->busy && set->volumes[i]->begun_phase == change.phase)
                        set->volumes[i]->busy = false;
        change_note(set);
        set->change = (SetChange){};
        set->n_operations--;
        change.done(set, CONTRACT_STEP_NONE, 0, &result, change.userdata);
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

/* Return: 0, or -EBUSY: something else is done to the set. */
static int change_begin(SnapshotSet *set, ProviderPhase phase, StepDone done, void *userdata) {
        if (!set->created || set->change.done || set->step != CONTRACT_STEP_NONE || set->n_operations > 0)
                return error_origin(-EBUSY);
        set->change = (SetChange){.done = done, .userdata = userdata, .phase = phase, .n_pending = 1};
        set->n_operations++;
        for (size_t i = 0; i < set->n_volumes; i++)
                if (op_of(set->volumes[i], phase)) {
                        set->volumes[i]->busy = true;
                        set->volumes[i]->begun_phase = phase;
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

/* A mount that was noted may have been undone by somebody else since: the device tells. */
static bool volume_is_used(const SetVolume *volume) {
        const ProviderVolume *given = &volume->given;

        return given->ops->is_open ? given->ops->is_open(given)
                                   : snapshot_set_get_mount(volume->set, given->snapshot_id) != 0;
}

/**
 * snapshot_set_check_unused() - whether a snapshot can go without anybody missing it
 * @set:            the set
 * @snapshot_id:    of one of its snapshots; NULL: all
 * @text:           why not, and what to do
 * @n_text:         its size
 *
 * Return: OK or VOLUME_BUSY.
 */
ContractError snapshot_set_check_unused(const SnapshotSet *set, const char *snapshot_id, char *text,
                                        size_t n_text) {
        if (set->given.description.locked) {
                (void) snprintf(text, n_text,
                                "Snapshot set %s is locked; unlock it first, or delete it by force.",
                                set->given.id);
                return CONTRACT_ERROR_VOLUME_BUSY;
        }
        for (size_t i = 0; i < set->n_volumes; i++) {
                const SetVolume *volume = set->volumes[i];
                const char *id = volume->given.snapshot_id;

                if (volume->state != SNAPSHOT_CREATED || (snapshot_id && !streq(id, snapshot_id)) ||
                    !volume_is_used(volume))
                        continue;
                if (snapshot_set_get_mount(set, id) != 0)
                        (void) snprintf(
                                text, n_text,
                                "Snapshot %s of %.128s is mounted; unmount it first, or delete it by "
                                "force.",
                                id, volume->given.name);
                else
                        (void) snprintf(text, n_text,
                                        "Snapshot %s of %.128s is in use; end who reads it, or delete it by "
                                        "force: it goes with the last who has it open.",
                                        id, volume->given.name);
                return CONTRACT_ERROR_VOLUME_BUSY;
        }
        return CONTRACT_OK;
}
