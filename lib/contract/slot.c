/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The creation slot (C3): one set at a time is made on this machine.
 *
 * Owned from StartSnapshotSet until DoSnapshotSet has ended or the set was given up. Others wait in line if
 * they ask to; an owner that makes no call loses it, sooner once somebody waits.
 */

#include "contract/machine.h"

#include <assert.h>

static void slot_take(Contract *contract, Session *session) {
        assert(contract->creator == NO_SLOT);
        contract->creator = session->slot;
        session->set_started = true;
        session->slot_since_usec = session->idle_since_usec = contract->now_usec;
        session_set_state(session, CONTRACT_OPEN);
}

/**
 * slot_call() - StartSnapshotSet
 * @contract:   the machine
 * @session:    the session
 * @input:      the call, legal in this state; fresh_id names the set
 */
void slot_call(Contract *contract, Session *session, const ContractInput *input) {
        if (!input->fresh_id || strlen(input->fresh_id) >= CONTRACT_ID_MAX) {
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_INVALID_ARGUMENT,
                             "StartSnapshotSet: the new set's id is not a UUID.");
                return;
        }
        if (contract->creator == NO_SLOT) { /* then nobody waits either */
                text_copy(session->set_id, sizeof(session->set_id), input->fresh_id);
                slot_take(contract, session);
                effect_reply(contract, session, input->call, input->token, CONTRACT_OK, NULL);
                return;
        }
        if (!input->wait) {
                const Session *owner = contract->sessions[contract->creator];

                effect_reply(
                        contract, session, input->call, input->token,
                        CONTRACT_ERROR_SNAPSHOT_SET_IN_PROGRESS,
                        "StartSnapshotSet: session %s is making a snapshot set since %llu s, and only one "
                        "can be made at a time. Try again later, or ask to wait.",
                        owner->id,
                        (unsigned long long) ((contract->now_usec - owner->slot_since_usec) / USEC_PER_SEC));
                return;
        }
        text_copy(session->set_id, sizeof(session->set_id), input->fresh_id);
        call_begin(session, input, PHASE_SLOT);
        if (contract->n_waiting == 0)
                contract->waited_since_usec = contract->now_usec;
        contract->waiting[contract->n_waiting++] = session->slot;
}

/**
 * slot_leave() - this session neither owns the slot nor waits for it any more
 * @contract:   the machine
 * @session:    the session
 */
void slot_leave(Contract *contract, Session *session) {
        for (uint16_t i = 0; i < contract->n_waiting; i++)
                if (contract->waiting[i] == session->slot) {
                        contract->n_waiting--;
                        memmove(contract->waiting + i, contract->waiting + i + 1,
                                (contract->n_waiting - i) * sizeof(contract->waiting[0]));
                        break;
                }
        if (contract->creator != session->slot)
                return;
        contract->creator = NO_SLOT;
        deadline_disarm(contract, session, DEADLINE_SLOT, NO_WRITER);
}

/**
 * slot_grant() - the first in line gets the free slot
 * @contract:   the machine
 *
 * Return: whether anybody did.
 */
bool slot_grant(Contract *contract) {
        Session *session;

        if (contract->creator != NO_SLOT || contract->n_waiting == 0)
                return false;
        session = contract->sessions[contract->waiting[0]];
        slot_leave(contract, session);
        slot_take(contract, session);
        call_end(contract, session, CONTRACT_OK, NULL);
        return true;
}

static uint64_t slot_idle_end(const Contract *contract, const Session *owner) {
        uint64_t end = usec_add(owner->idle_since_usec, contract->config.slot_idle_usec), waited;

        if (contract->n_waiting == 0)
                return end;
        waited = contract->waited_since_usec > owner->idle_since_usec ? contract->waited_since_usec
                                                                      : owner->idle_since_usec;
        waited = usec_add(waited, contract->config.slot_idle_waited_usec);
        return waited < end ? waited : end;
}

/**
 * slot_rearm() - set the owner's idle deadline to what it is by now
 * @contract:   the machine, settled
 *
 * While a call of the owner runs it is not idle.
 */
void slot_rearm(Contract *contract) {
        Session *owner;
        uint64_t end;

        if (contract->creator == NO_SLOT)
                return;
        owner = contract->sessions[contract->creator];
        end = owner->phase == PHASE_IDLE ? slot_idle_end(contract, owner) : 0;
        if (end == owner->slot_idle_usec)
                return;
        deadline_disarm(contract, owner, DEADLINE_SLOT, NO_WRITER);
        if (end > 0)
                deadline_arm(contract, owner, DEADLINE_SLOT, NO_WRITER, end);
}

/**
 * slot_passed() - the owner made no call for too long
 * @contract:   the machine
 * @session:    the owner
 */
void slot_passed(Contract *contract, Session *session) {
        assert(contract->creator == session->slot && session->phase == PHASE_IDLE);
        session->slot_lost = true;
        set_give_up(contract, session);
        session_set_state(session, CONTRACT_FAILED);
}

/**
 * set_give_up() - a set that is not created will not be
 * @contract:   the machine
 * @session:    its session
 *
 * What providers have prepared for it goes, the slot is free at once. Not while DoSnapshotSet runs: that is
 * session_give_up()'s.
 */
void set_give_up(Contract *contract, Session *session) {
        slot_leave(contract, session);
        if (!session->set_started || session->set_created || session->set_given_up)
                return;
        session->set_given_up = true;
        step_abort(contract, session);
}
