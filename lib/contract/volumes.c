/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Volumes and their snapshots: IsVolumeSupported, AddToSnapshotSet, GetSnapshotProperties, DeleteSnapshots.
 */

#include "contract/machine.h"

#include <stdio.h>

static Volume *volume_find(Session *session, const char *snapshot) {
        for (uint32_t i = 0; i < session->n_volumes; i++)
                if (streq(session->volumes[i].snapshot, snapshot))
                        return &session->volumes[i];
        return NULL;
}

/**
 * set_is_deleted() - whether nothing of a created set is left
 * @session:    its session
 *
 * A set without volumes is never deleted: there is nothing to delete.
 *
 * Return: true if so.
 */
bool set_is_deleted(const Session *session) {
        if (session->state == CONTRACT_LOST || session->n_volumes == 0)
                return false;
        for (uint32_t i = 0; i < session->n_volumes; i++)
                if (!session->volumes[i].deleted)
                        return false;
        return true;
}

static void volume_add(Contract *contract, Session *session, const ContractInput *input) {
        if (session->n_volumes >= CONTRACT_VOLUMES_MAX) {
                effect_reply(contract, session, input->call, input->token,
                             CONTRACT_ERROR_MAXIMUM_NUMBER_OF_VOLUMES_REACHED,
                             "AddToSnapshotSet: the set has %u volumes, and no set takes more. Make several "
                             "sets.",
                             CONTRACT_VOLUMES_MAX);
                return;
        }
        if (!input->fresh_id || input->fresh_id[0] == '\0' || strlen(input->fresh_id) >= CONTRACT_ID_MAX) {
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_INVALID_ARGUMENT,
                             "AddToSnapshotSet: the new snapshot's id is not a UUID.");
                return;
        }
        text_copy(session->new_snapshot, sizeof(session->new_snapshot), input->fresh_id);
        call_begin(session, input, PHASE_BEGIN_PREPARE);
        session->step_volume = session->n_volumes;
        step_start(contract, session, CONTRACT_STEP_BEGIN_PREPARE);
}

static void volume_properties(Contract *contract, Session *session, const ContractInput *input) {
        const Volume *volume = input->snapshot ? volume_find(session, input->snapshot) : NULL;
        bool known = session->state == CONTRACT_LOST || (volume && !volume->deleted) ||
                     (input->snapshot && streq(input->snapshot, session->set_id));

        if (session->state == CONTRACT_CREATING || !known)
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                             "GetSnapshotProperties: %s",
                             session->state == CONTRACT_CREATING
                                     ? "the snapshots are still being made; wait for DoSnapshotSet."
                                     : "this session has no such snapshot; ask with an id that "
                                       "AddToSnapshotSet answered.");
        else
                effect_reply(contract, session, input->call, input->token, CONTRACT_OK, NULL);
}

static void volume_delete(Contract *contract, Session *session, const ContractInput *input) {
        bool whole = !input->snapshot || streq(input->snapshot, session->set_id);
        const Volume *volume = whole ? NULL : volume_find(session, input->snapshot);

        if (!session->set_created || set_is_deleted(session) || (!whole && (!volume || volume->deleted))) {
                effect_reply(
                        contract, session, input->call, input->token, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                        "DeleteSnapshots: this session has no such snapshot (any more); it may have been "
                        "deleted before.");
                return;
        }
        session->n_deleted = 0;
        session->first_left[0] = '\0';
        call_begin(session, input, PHASE_DELETE);
        text_copy(session->next_snapshot, sizeof(session->next_snapshot), whole ? NULL : input->snapshot);
        session->step_at_release = false;
        step_start(contract, session, CONTRACT_STEP_DELETE);
}

/**
 * volume_call() - one of the four calls above
 * @contract:   the machine
 * @session:    the session
 * @input:      the call, legal in this state
 */
void volume_call(Contract *contract, Session *session, const ContractInput *input) {
        switch (input->call) {
        case CONTRACT_CALL_ADD_TO_SNAPSHOT_SET:
                volume_add(contract, session, input);
                break;
        case CONTRACT_CALL_GET_SNAPSHOT_PROPERTIES:
                volume_properties(contract, session, input);
                break;
        case CONTRACT_CALL_DELETE_SNAPSHOTS:
                volume_delete(contract, session, input);
                break;
        default:
                call_begin(session, input, PHASE_QUERY);
                step_start(contract, session, CONTRACT_STEP_IS_VOLUME_SUPPORTED);
                break;
        }
}

/* The volume is known now: it joins the set, unless it is in it already. */
static void volume_found(Contract *contract, Session *session, const ContractInput *input) {
        Volume *volume = &session->volumes[session->n_volumes];
        const char *key = input->key ? input->key : "";
        ContractEffect *effect;
        uint64_t token = session->token;
        char text[CONTRACT_TEXT_MAX];

        for (uint32_t i = 0; i < session->n_volumes; i++)
                if (streq(session->volumes[i].key, key)) {
                        (void) snprintf(text, sizeof(text),
                                        "AddToSnapshotSet: volume %s is in the set already, as snapshot %s.",
                                        key, session->volumes[i].snapshot);
                        call_end(contract, session, CONTRACT_ERROR_OBJECT_ALREADY_EXISTS, text);
                        return;
                }
        *volume = (Volume){};
        text_copy(volume->snapshot, sizeof(volume->snapshot), session->new_snapshot);
        text_copy(volume->key, sizeof(volume->key), key);
        session->n_volumes++;
        session->changed = true;
        call_end(contract, session, CONTRACT_OK, NULL);
        effect = effect_last_reply(contract, token);
        if (effect)
                effect->volume = session->n_volumes - 1;
}

/* Snapshots go in the order in which they were added, up to the first that could not be deleted. */
static void volumes_deleted(Contract *contract, Session *session, const ContractInput *input) {
        bool was_deleted = set_is_deleted(session);
        Volume *one = session->step_snapshot[0] ? volume_find(session, session->step_snapshot) : NULL;

        session->n_deleted = input->n_deleted;
        text_copy(session->first_left, sizeof(session->first_left), input->first_left);
        if (one) {
                one->deleted = one->deleted || input->error == CONTRACT_OK;
        } else {
                for (uint32_t i = 0; i < session->n_volumes; i++) {
                        if (input->error != CONTRACT_OK &&
                            (!input->first_left || streq(session->volumes[i].snapshot, input->first_left)))
                                break;
                        session->volumes[i].deleted = true;
                }
        }
        if (!was_deleted && (set_is_deleted(session) ||
                             (session->state == CONTRACT_LOST && !one && input->error == CONTRACT_OK))) {
                ContractEffect *effect = effect_add(contract, CONTRACT_EFFECT_SET_REMOVED, session);

                effect->set_id = session->set_id;
        }
}

/**
 * volume_step_done() - BEGIN_PREPARE, IS_VOLUME_SUPPORTED or DELETE has ended
 * @contract:   the machine
 * @session:    the session
 * @input:      STEP_DONE
 * @orphaned:   the call that asked for it was stopped; another may wait for its own step
 */
void volume_step_done(Contract *contract, Session *session, const ContractInput *input, bool orphaned) {
        switch (input->step) {
        case CONTRACT_STEP_BEGIN_PREPARE:
                if (input->error == CONTRACT_OK)
                        volume_found(contract, session, input);
                else
                        call_end(contract, session, input->error, input->text);
                break;
        case CONTRACT_STEP_DELETE:
                volumes_deleted(contract, session, input);
                if (session->phase == PHASE_DELETE && !orphaned)
                        call_end(contract, session, input->error, input->text);
                break;
        default:
                call_end(contract, session, input->error, input->text);
                break;
        }
}
