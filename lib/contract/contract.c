/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The machine: inputs come in, are handed to whom they concern, and what follows from them is settled.
 *
 * Handlers note what happened. Then settle() asks every session to advance, again and again, until nothing
 * moves: so whatever becomes possible by an input (a level has answered, the slot is free, the window is
 * over) happens in the same input, in a fixed order, and no handler has to know who waits for it.
 */

#include "contract/machine.h"

#include <assert.h>

/**
 * contract_new() - a machine without sessions
 * @ret:        the machine, to be freed with contract_free()
 * @config:     limits, copied; NULL: contract_config_default()
 *
 * Return: 0, or -ENOMEM.
 */
int contract_new(Contract **ret, const ContractConfig *config) {
        Contract *contract = calloc(1, sizeof(*contract));

        if (!contract)
                return -ENOMEM;
        if (config)
                contract->config = *config;
        else
                contract_config_default(&contract->config);
        contract->creator = contract->window = NO_SLOT;
        *ret = contract;
        return 0;
}

/**
 * contract_free() - forget everything, without any effect
 * @contract:   the machine, or NULL
 *
 * Return: NULL.
 */
Contract *contract_free(Contract *contract) {
        if (!contract)
                return NULL;
        for (size_t i = 0; i < contract->n_slots; i++)
                session_free(contract->sessions[i]);
        free(contract->effects.items);
        free(contract->effects.texts);
        free(contract->effects.deferred);
        free(contract);
        return NULL;
}

/* What this session waits for has come: one move. Order matters only where it is said. */
static bool session_advance(Contract *contract, Session *session) {
        /* A veto that makes the coordinator fail is looked for before the writer's own Abort is sent: it is
         * then covered by the Abort to all. */
        if (session->phase == PHASE_SEQUENCE && snapshot_set_check(contract, session))
                return true;
        if (events_send_due_aborts(contract, session))
                return true;
        if (events_flush(contract, session) || steps_flush(contract, session))
                return true;

        switch (session->phase) {
        case PHASE_DRAIN:
        case PHASE_LAUNCH:
        case PHASE_IDENTIFY:
                return gather_advance(contract, session);
        case PHASE_PREPARE_FOR_BACKUP:
        case PHASE_BACKUP_COMPLETE:
        case PHASE_PRE_RESTORE:
        case PHASE_POST_RESTORE:
                return round_advance(contract, session);
        case PHASE_SEQUENCE:
                return snapshot_set_advance(contract, session);
        case PHASE_GIVE_UP:
                return give_up_advance(contract, session);
        case PHASE_ABORT:
                return abort_advance(contract, session);
        case PHASE_RELEASE_DRAIN:
        case PHASE_RELEASE:
                return release_advance(contract, session);
        case PHASE_IDLE:
                if (session->abort_requested)
                        abort_begin(contract, session);
                else if (session->release_requested)
                        release_begin(contract, session);
                else
                        return false;
                return true;
        default: /* an answer is awaited, which is an input */
                return false;
        }
}

static void settle(Contract *contract) {
        bool moved;

        do {
                moved = false;
                for (size_t i = 0; i < contract->n_slots; i++) {
                        Session *session = contract->sessions[i];

                        while (session && !session->gone && session_advance(contract, session))
                                moved = true;
                }
                moved |= slot_grant(contract);
        } while (moved);

        for (size_t i = 0; i < contract->n_slots; i++)
                if (contract->sessions[i] && contract->sessions[i]->changed)
                        effect_state_changed(contract, contract->sessions[i]);
        slot_rearm(contract);
}

static int session_open(Contract *contract, const ContractInput *input) {
        Session *session;
        int r;

        r = session_new(contract, input, &session);
        if (r < 0)
                return r;
        effect_state_changed(contract, session);
        return 0;
}

/* Inputs that concern a session which is there. */
static int session_input(Contract *contract, Session *session, const ContractInput *input) {
        switch (input->type) {
        case CONTRACT_INPUT_CALL:
                session_call(contract, session, input);
                return 0;
        case CONTRACT_INPUT_WRITERS:
                return gather_writers(contract, session, input);
        case CONTRACT_INPUT_WRITER_ANSWER:
                writer_answer(contract, session, input);
                return 0;
        case CONTRACT_INPUT_WRITER_GONE:
                writer_gone(contract, session, input);
                return 0;
        case CONTRACT_INPUT_STEP_DONE:
                step_done(contract, session, input);
                return 0;
        case CONTRACT_INPUT_OWNER_VANISHED:
                session_release(contract, session, CONTRACT_CAUSE_REQUESTER_VANISHED, CONTRACT_CALL_NONE, 0);
                return 0;
        case CONTRACT_INPUT_ADMINISTRATOR_RELEASE:
                session_release(contract, session, CONTRACT_CAUSE_ADMINISTRATOR, CONTRACT_CALL_NONE,
                                input->token);
                return 0;
        default: /* GCOVR_EXCL_LINE */
                assert_not_reached("validated before");
        }
}

static int dispatch(Contract *contract, const ContractInput *input) {
        Session *session;
        int r;

        switch (input->type) {
        case CONTRACT_INPUT_OPEN:
                return session_open(contract, input);
        case CONTRACT_INPUT_RECOVERED:
                return session_recover(contract, input);
        case CONTRACT_INPUT_DEADLINE:
                deadline_passed(contract, input);
                return 0;
        default:
                session = session_find(contract, input->session);
                if (!session) {
                        /* It crossed with the session's end: only a caller still waits for something. */
                        effect_reply_stranger(contract, input);
                        return 0;
                }
                r = session_reserve(session, input);
                return r < 0 ? r : session_input(contract, session, input);
        }
}

/**
 * contract_input() - feed one input
 * @contract:   the machine
 * @input:      what happened; strings are copied
 * @ret:        what is to be done about it, in this order; valid until the next call on this machine
 *
 * Return: 0; -ENOMEM; -EINVAL: malformed; -EEXIST: a handle that is in use; -ENOSPC: more than
 * CONTRACT_SESSIONS_MAX sessions. The machine is unchanged after an error.
 */
int contract_input(Contract *contract, const ContractInput *input, const ContractEffects **ret) {
        int r;

        r = input_validate(contract, input);
        if (r < 0)
                return r;
        session_reap(contract);
        r = effects_reserve(contract, input);
        if (r < 0)
                return r;

        if (input->now_usec > contract->now_usec)
                contract->now_usec = input->now_usec;
        r = dispatch(contract, input);
        if (r < 0)
                return r;
        settle(contract);

        contract->effects.public.items = contract->effects.items;
        contract->effects.public.n_items = contract->effects.n_items;
        *ret = &contract->effects.public;
        return 0;
}
