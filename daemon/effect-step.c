/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * STEP: what the providers and the hold are asked to do, and how it ended.
 */

#include "daemon/bus/call.h"
#include "daemon/bus/publish.h"
#include "daemon/manager.h"
#include "daemon/records/set-store.h"
#include "daemon/session-object.h"

#include "contract/names.h"
#include "util/error.h"

/* A step under way: whose it is, wherever the set may be by then. */
struct PendingStep {
        PendingStep *next;
        Manager *manager;
        uint64_t session;
        ContractStep step;
        uint32_t volume;
};

static void pending_step_remove(PendingStep *step) {
        for (PendingStep **place = &step->manager->steps; *place; place = &(*place)->next)
                if (*place == step) {
                        *place = step->next;
                        break;
                }
        free(step);
}

/**
 * pending_steps_free() - forget all steps under way
 * @steps:      the first, or NULL
 *
 * Return: NULL.
 */
PendingStep *pending_steps_free(PendingStep *steps) {
        while (steps) {
                PendingStep *next = steps->next;

                free(steps);
                steps = next;
        }
        return NULL;
}

static int pending_step_new(Manager *manager, PendingStep **ret, const ContractEffect *effect) {
        PendingStep *step = calloc(1, sizeof(*step));

        if (!step)
                return error_origin(-ENOMEM);
        *step = (PendingStep){
                .manager = manager,
                .session = effect->session,
                .step = effect->step,
                .volume = effect->volume,
                .next = manager->steps,
        };
        manager->steps = step;
        *ret = step;
        return 0;
}

static void step_report(Manager *manager, uint64_t session, ContractStep step, uint32_t volume,
                        const StepResult *result) {
        ContractInput input = {
                .type = CONTRACT_INPUT_STEP_DONE,
                .session = session,
                .step = step,
                .volume = volume,
                .error = result->error,
                .text = result->text,
                .key = result->key,
                .file_systems_frozen = result->file_systems_frozen,
                .n_deleted = result->n_deleted,
                .first_left = result->first_left,
        };

        manager_feed(manager, &input);
}

/* A volume whose call was cancelled is not in the set: nothing of it stays open. */
static void step_settle_volumes(SnapshotSet *set, const PendingStep *step) {
        SessionObject *session = session_object_find(step->manager, step->session);
        ContractSessionInfo info;

        if (session && session_object_get_info(session, &info))
                snapshot_set_trim(set, (uint32_t) info.n_volumes);
}

/* The contract does not carry it: the call that asked answers it. */
static void keep_need(const PendingStep *step, const StepResult *result) {
        BusCall *call =
                bus_call_find_running(step->manager, step->session, CONTRACT_CALL_IS_VOLUME_SUPPORTED);

        if (call && result->need)
                call->need = *result->need;
}

/* StepDone */
static void step_done(SnapshotSet *set, ContractStep reported, uint32_t volume, const StepResult *result,
                      void *userdata) {
        PendingStep *pending = userdata, step = *pending;

        pending_step_remove(pending);
        if (step.step == CONTRACT_STEP_IS_VOLUME_SUPPORTED)
                keep_need(&step, result);
        step_report(step.manager, step.session, step.step, step.volume, result);
        if (step.step == CONTRACT_STEP_BEGIN_PREPARE)
                step_settle_volumes(set, &step);
        if (step.step == CONTRACT_STEP_DELETE)
                published_refresh(step.manager, "deleted");
}

static int step_set(Manager *manager, SessionObject *session, const char *set_id, SnapshotSet **ret) {
        ContractSessionInfo info;
        int r;

        if (!session_object_get_info(session, &info) || !set_id)
                return error_origin(-ENOENT);
        r = sets_new_set(manager->sets, ret, set_id, session->record.id, (uint32_t) session->record.uid,
                         info.context == CONTRACT_CONTEXT_NAS_ROLLBACK ||
                                 info.context == CONTRACT_CONTEXT_APP_ROLLBACK);
        if (r < 0)
                return error_trace(r);
        return error_trace(snapshot_set_describe(*ret, &session->description));
}

static int step_begin_prepare(Manager *manager, SessionObject *session, SnapshotSet *set,
                              const ContractEffect *effect) {
        BusCall *call = bus_call_find_running(manager, effect->session, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
        PendingStep *step;
        int r;

        if (!call)
                return error_origin(-ENOENT);
        if (!set) {
                r = step_set(manager, session, effect->set_id, &set);
                if (r < 0)
                        return error_trace(r);
        }
        r = pending_step_new(manager, &step, effect);
        if (r < 0)
                return error_trace(r);
        r = snapshot_set_begin_prepare(set, effect->volume, call->fresh_id, &call->volume, &call->options,
                                       step_done, step);
        if (r < 0)
                pending_step_remove(step);
        return error_trace(r);
}

static int step_is_supported(Manager *manager, const ContractEffect *effect) {
        BusCall *call = bus_call_find_running(manager, effect->session, CONTRACT_CALL_IS_VOLUME_SUPPORTED);
        PendingStep *step;
        int r;

        if (!call)
                return error_origin(-ENOENT);
        r = pending_step_new(manager, &step, effect);
        if (r < 0)
                return error_trace(r);
        r = sets_is_volume_supported(manager->sets, &call->volume, &call->options, step_done, step);
        if (r < 0)
                pending_step_remove(step);
        return error_trace(r);
}

/* What came with the call and its step needs. */
static int step_note_moment(Manager *manager, SnapshotSet *set, const ContractEffect *effect) {
        BusCall *call = bus_call_find_running(manager, effect->session, CONTRACT_CALL_DO_SNAPSHOT_SET);

        if (!call || call->moment_fd < 0)
                return 0;
        return error_trace(snapshot_set_note_moment(set, call->moment_fd, call->moment_limit_usec));
}

static int step_of_set(Manager *manager, SnapshotSet *set, const ContractEffect *effect) {
        PendingStep *step;
        int r;

        if (!set)
                return error_origin(-ENOENT);
        if (effect->step == CONTRACT_STEP_END_PREPARE) {
                snapshot_set_trim(set, effect->volume);
                r = step_note_moment(manager, set, effect);
                if (r < 0)
                        return error_trace(r);
        }
        if (effect->step == CONTRACT_STEP_LOCK || effect->step == CONTRACT_STEP_FINAL_COMMIT)
                snapshot_set_note_writers_write(set, effect->writable);
        if (effect->step == CONTRACT_STEP_FINAL_COMMIT || effect->step == CONTRACT_STEP_SEAL)
                snapshot_set_note_consistency(set, effect->consistency);
        if (effect->step == CONTRACT_STEP_LOCK) {
                snapshot_set_note_writers_freeze(set, effect->system_writers);
                manager_lock_memory(manager, true);
                manager_pause_stores(manager, true);
        }
        r = pending_step_new(manager, &step, effect);
        if (r < 0)
                return error_trace(r);
        r = snapshot_set_step(set, effect->step, effect->snapshot, step_done, step);
        if (r < 0)
                pending_step_remove(step);
        return error_trace(r);
}

static int step_begin(Manager *manager, SessionObject *session, SnapshotSet *set,
                      const ContractEffect *effect) {
        switch (effect->step) {
        case CONTRACT_STEP_BEGIN_PREPARE:
                return step_begin_prepare(manager, session, set, effect);
        case CONTRACT_STEP_IS_VOLUME_SUPPORTED:
                return step_is_supported(manager, effect);
        default:
                return step_of_set(manager, set, effect);
        }
}

/**
 * effect_step() - carry out STEP
 * @manager:    the manager
 * @session:    the session
 * @effect:     the effect; a step that cannot be begun has failed
 *
 * A set that is not there any more (its last snapshot went by itself) has nothing to delete or to give up.
 */
void effect_step(Manager *manager, SessionObject *session, const ContractEffect *effect) {
        SnapshotSet *set = effect->set_id ? sets_find(manager->sets, effect->set_id) : NULL;
        char text[CONTRACT_TEXT_MAX];
        StepResult failed = {.error = CONTRACT_ERROR_UNEXPECTED, .text = text}, nothing = {};
        bool removes = effect->step == CONTRACT_STEP_ABORT || effect->step == CONTRACT_STEP_DELETE;
        int r;

        if (!set && removes) {
                step_report(manager, effect->session, effect->step, effect->volume, &nothing);
                return;
        }
        r = step_begin(manager, session, set, effect);
        if (r < 0) {
                (void) snprintf(text, sizeof(text), "Step %s could not be begun: %s. Release and try again.",
                                contract_step_to_string(effect->step), strerror(-r));
                step_report(manager, effect->session, effect->step, effect->volume, &failed);
        }
}
