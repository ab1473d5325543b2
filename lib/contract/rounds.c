/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calls that are one event to all: PrepareForBackup and BackupComplete of a backup, PreRestore and
 * PostRestore of a restore (C27).
 *
 * Writers' failures are no failure of the call (C14): its answer names them, the session goes on.
 */

#include "contract/machine.h"

#include <assert.h>

typedef struct Round {
        ContractCall call;
        Phase phase;
        ContractEvent event;
        ContractState end;
} Round;

static const Round rounds[] = {
        {CONTRACT_CALL_PREPARE_FOR_BACKUP, PHASE_PREPARE_FOR_BACKUP, CONTRACT_EVENT_PREPARE_FOR_BACKUP,
         CONTRACT_PREPARED},
        {CONTRACT_CALL_BACKUP_COMPLETE, PHASE_BACKUP_COMPLETE, CONTRACT_EVENT_BACKUP_COMPLETE,
         CONTRACT_COMPLETED},
        {CONTRACT_CALL_PRE_RESTORE, PHASE_PRE_RESTORE, CONTRACT_EVENT_PRE_RESTORE, CONTRACT_PRE_RESTORED},
        {CONTRACT_CALL_POST_RESTORE, PHASE_POST_RESTORE, CONTRACT_EVENT_POST_RESTORE,
         CONTRACT_POST_RESTORED},
};

static const Round *round_of(ContractCall call) {
        for (size_t i = 0; i < ELEMENTSOF(rounds); i++)
                if (rounds[i].call == call)
                        return &rounds[i];
        assert_not_reached("a call that is a round");
}

/**
 * round_begin() - one of these calls
 * @contract:   the machine
 * @session:    the session
 * @input:      the call, legal in this state
 */
void round_begin(Contract *contract, Session *session, const ContractInput *input) {
        const Round *round = round_of(input->call);

        if (input->call == CONTRACT_CALL_PREPARE_FOR_BACKUP) {
                if (!components_complete(contract, session, input))
                        return;
                session->require_writers = input->require_writers;
        }
        if (input->call == CONTRACT_CALL_BACKUP_COMPLETE) /* an event sent cannot be unsent */
                session->was_completed = true;
        call_begin(session, input, round->phase);
        if (input->call == CONTRACT_CALL_PREPARE_FOR_BACKUP || input->call == CONTRACT_CALL_PRE_RESTORE)
                writers_place(session);
        events_send_to_all(contract, session, round->event, ALL_LEVELS);
}

/**
 * round_advance() - the call ends when all have answered or are late
 * @contract:   the machine
 * @session:    the session
 *
 * A restore is completed by that, not before: whoever dies inside PostRestore has not completed it (C26).
 *
 * Return: whether it has ended.
 */
bool round_advance(Contract *contract, Session *session) {
        if (events_in_flight(session))
                return false;
        if (session->running == CONTRACT_CALL_POST_RESTORE)
                session->was_completed = true;
        session_set_state(session, round_of(session->running)->end);
        call_end(contract, session, CONTRACT_OK, NULL);
        return true;
}
