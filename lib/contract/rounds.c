/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calls that are one event to all: PrepareForBackup and BackupComplete.
 *
 * Writers' failures are no failure of the call (C14): its answer names them, the session goes on.
 */

#include "contract/machine.h"

/**
 * round_begin() - PrepareForBackup or BackupComplete
 * @contract:   the machine
 * @session:    the session
 * @input:      the call, legal in this state
 */
void round_begin(Contract *contract, Session *session, const ContractInput *input) {
        if (input->call == CONTRACT_CALL_PREPARE_FOR_BACKUP) {
                if (!components_complete(contract, session, input))
                        return;
                session->require_writers = input->require_writers;
                call_begin(session, input, PHASE_PREPARE_FOR_BACKUP);
                writers_place(session);
                events_send_to_all(contract, session, CONTRACT_EVENT_PREPARE_FOR_BACKUP, ALL_LEVELS);
        } else {
                session->was_completed = true;
                call_begin(session, input, PHASE_BACKUP_COMPLETE);
                events_send_to_all(contract, session, CONTRACT_EVENT_BACKUP_COMPLETE, ALL_LEVELS);
        }
}

/**
 * round_advance() - the call ends when all have answered or are late
 * @contract:   the machine
 * @session:    the session
 *
 * Return: whether it has ended.
 */
bool round_advance(Contract *contract, Session *session) {
        if (events_in_flight(session))
                return false;
        session_set_state(session, session->phase == PHASE_PREPARE_FOR_BACKUP ? CONTRACT_PREPARED
                                                                              : CONTRACT_COMPLETED);
        call_end(contract, session, CONTRACT_OK, NULL);
        return true;
}
