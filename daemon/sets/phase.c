/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One operation of all providers on all volumes of a set: started at once, waited for together, then the
 * set operations one after another. All that was started is waited for, also after a failure, because what
 * runs must be over before anything else is done to the same volume.
 */

#include <assert.h>

#include "contract/names.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/log.h"

static SetVolume *volume_of(ProviderVolume *given) {
        return given ? given->owner : NULL;
}

/* What belongs to a step that was overtaken is only counted. */
static void operation_over(SnapshotSet *set, SetVolume *volume, ContractStep begun, ContractError error,
                           const char *text) {
        assert(set->n_operations > 0);
        set->n_operations--;
        if (error != CONTRACT_OK && begun == set->step) {
                if (volume && !step_failed(set))
                        set->answer.volume = volume->given.index;
                step_fail(set, error, "%s", text ?: "A provider failed and did not say why.");
        }
        step_advance(set);
}

static void volume_note(SetVolume *volume, ProviderPhase phase, ContractError error, const char *text) {
        volume->last_error = error;
        (void) snprintf(volume->last_text, sizeof(volume->last_text), "%s", text ?: "");
        if (error != CONTRACT_OK)
                return;
        if (phase == PROVIDER_BEGIN_PREPARE)
                volume->prepared = true;
        else if (phase == PROVIDER_ABORT || phase == PROVIDER_DELETE)
                volume->state = SNAPSHOT_GONE;
}

/* Of a snapshot's copy, see copy.c. */
static bool phase_is_beside(ProviderPhase phase) {
        return phase == PROVIDER_COPY || phase == PROVIDER_UNCOPY;
}

static void on_volume_done(ProviderVolume *given, ContractError error, const char *text, void *userdata) {
        SetVolume *volume = userdata;
        SnapshotSet *set = volume->set;
        ContractStep begun = volume->begun_step;
        ProviderPhase phase = volume->begun_phase;
        bool lingers;

        assert(volume->busy);
        volume->busy = false;
        volume_note(volume, volume->begun_phase, error, text);
        lingers = volume->lingers;
        volume->lingers = false;
        if (lingers && volume->state == SNAPSHOT_GONE)
                delete_tell(volume, volume->invalid_reason ?: "released");
        if (volume->begun_phase == PROVIDER_GROW) {
                if (error != CONTRACT_OK)
                        log_warning("%s", text);
                space_look_soon(set->sets);
        }
        /* DELETE looks at last_error by itself; GROW is no part of a step. */
        if (phase_is_beside(phase)) {
                operation_over(set, volume, begun, CONTRACT_OK, NULL);
                copy_operation_over(volume, phase, error, text);
                return;
        }
        if (volume->begun_phase == PROVIDER_DELETE || volume->begun_phase == PROVIDER_GROW)
                error = CONTRACT_OK;
        operation_over(set, volume, begun, error, text);
}

static void on_set_done(ProviderVolume *given, ContractError error, const char *text, void *userdata) {
        SnapshotSet *set = userdata;

        operation_over(set, volume_of(given), set->begun_step, error, text);
}

/**
 * phase_begin() - start one operation on one volume
 * @volume:     with none running
 * @phase:      which; a provider without it has done it
 */
void phase_begin(SetVolume *volume, ProviderPhase phase) {
        ProviderOp op = volume->given.ops->op[phase];
        SnapshotSet *set = volume->set;
        int r;

        if (!op) {
                volume_note(volume, phase, CONTRACT_OK, NULL);
                return;
        }
        assert(!volume->busy);
        volume->busy = true;
        volume->begun_step = set->step;
        volume->begun_phase = phase;
        set->n_operations++;
        r = op(&volume->given, on_volume_done, volume);
        if (r < 0)
                on_volume_done(&volume->given, CONTRACT_ERROR_UNEXPECTED, strerror(-r), volume);
}

static bool phase_concerns(const SnapshotSet *set, const SetVolume *volume) {
        if (set->only)
                return volume == set->only;
        return volume->state != SNAPSHOT_GONE;
}

/* The function is called for the first volume that has it. */
static bool set_op_is_first(const SnapshotSet *set, size_t index, ProviderPhase phase) {
        ProviderSetOp op = set->volumes[index]->given.ops->set_op[phase];

        for (size_t i = 0; i < index; i++)
                if (phase_concerns(set, set->volumes[i]) && set->volumes[i]->given.ops->set_op[phase] == op)
                        return false;
        return op && phase_concerns(set, set->volumes[index]);
}

static void phase_begin_set_op(SnapshotSet *set, size_t first, ProviderPhase phase) {
        ProviderSetOp op = set->volumes[first]->given.ops->set_op[phase];
        ProviderVolume *volumes[CONTRACT_VOLUMES_MAX];
        size_t n = 0;
        int r;

        for (size_t i = first; i < set->n_volumes; i++)
                if (phase_concerns(set, set->volumes[i]) && set->volumes[i]->given.ops->set_op[phase] == op)
                        volumes[n++] = &set->volumes[i]->given;
        set->n_operations++;
        set->begun_step = set->step;
        r = op(volumes[0]->provider, volumes, n, on_set_done, set);
        if (r < 0)
                on_set_done(NULL, CONTRACT_ERROR_UNEXPECTED, strerror(-r), set);
}

/**
 * phase_run() - a stage: one phase of all providers
 * @set:        the set; only set->only if that is not NULL
 * @phase:      which
 *
 * Return: whether it is over.
 */
StageResult phase_run(SnapshotSet *set, ProviderPhase phase) {
        if (!set->stage_entered) {
                set->stage_entered = true;
                set->next_set_op = 0;
                for (size_t i = 0; i < set->n_volumes; i++)
                        if (phase_concerns(set, set->volumes[i]))
                                phase_begin(set->volumes[i], phase);
        }
        while (set->n_operations == 0 && set->next_set_op < set->n_volumes && !step_failed(set)) {
                size_t i = set->next_set_op++;

                if (set_op_is_first(set, i, phase))
                        phase_begin_set_op(set, i, phase);
        }
        return set->n_operations == 0 ? STAGE_DONE : STAGE_WAIT;
}

/**
 * phase_cancel() - end what waits long, because the set is given up
 * @set:        the set
 */
void phase_cancel(SnapshotSet *set) {
        for (size_t i = 0; i < set->n_volumes; i++) {
                SetVolume *volume = set->volumes[i];

                if (volume->given.ops->cancel)
                        volume->given.ops->cancel(&volume->given);
        }
}

/**
 * phase_note_consistency() - have providers note what the set is good for after all
 * @set:        the set, whose given.consistency tells it
 * @was:        what they have noted
 */
void phase_note_consistency(SnapshotSet *set, ContractConsistency was) {
        for (size_t i = 0; i < set->n_volumes; i++) {
                ProviderVolume *volumes[CONTRACT_VOLUMES_MAX], *first = &set->volumes[i]->given;
                bool noted = set->volumes[i]->state != SNAPSHOT_CREATED || !first->ops->note_consistency;
                size_t n = 0;

                for (size_t k = 0; k < i && !noted; k++)
                        noted = set->volumes[k]->state == SNAPSHOT_CREATED &&
                                set->volumes[k]->given.ops->note_consistency == first->ops->note_consistency;
                if (noted)
                        continue;
                for (size_t k = i; k < set->n_volumes; k++)
                        if (set->volumes[k]->state == SNAPSHOT_CREATED &&
                            set->volumes[k]->given.ops->note_consistency == first->ops->note_consistency)
                                volumes[n++] = &set->volumes[k]->given;
                first->ops->note_consistency(first->provider, volumes, n, was);
        }
}
