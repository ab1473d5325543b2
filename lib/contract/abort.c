/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Stopping: Cancel, AbortBackup, and giving a set up (C11–C18).
 *
 * Whoever wants a call to end stops it in the same way; only DoSnapshotSet takes its time, because writes
 * are let go first, then what it made is removed and the writers are told.
 */

#include "contract/machine.h"

#include "contract/names.h"

#include <stdio.h>

/* What the stopped call answers. */
static void stop_text(const Session *session, ContractError reason, char *text, size_t size) {
        const char *why = reason == CONTRACT_ERROR_ABORTED     ? "AbortBackup was called"
                          : reason == CONTRACT_ERROR_CANCELLED ? "Cancel was called"
                          : session->cause == CONTRACT_CAUSE_ADMINISTRATOR
                                  ? "an administrator released the session"
                          : session->cause == CONTRACT_CAUSE_REQUESTER_VANISHED ? "its requester vanished"
                                                                                : "the session was released";

        (void) snprintf(text, size, "%s was stopped: %s.", contract_call_to_string(session->running), why);
}

/**
 * session_stop() - stop the running call
 * @contract:   the machine
 * @session:    the session
 * @reason:     ABORTED, CANCELLED or RELEASED: what the call answers
 *
 * Afterwards the session is idle, gives its set up, or lets a call run to its end that cannot be stopped:
 * DoSnapshotSet from the first PostSnapshot on, BackupComplete for a release (C26), AbortBackup, Release.
 */
void session_stop(Contract *contract, Session *session, ContractError reason) {
        AbortSource source = session->abort_requested ? ABORT_BY_REQUESTER : ABORT_BY_COORDINATOR;
        char text[CONTRACT_TEXT_MAX];

        stop_text(session, reason, text, sizeof(text));
        switch (session->phase) {
        case PHASE_IDLE:
        case PHASE_GIVE_UP:
        case PHASE_ABORT:
        case PHASE_RELEASE_DRAIN:
        case PHASE_RELEASE:
                return;
        case PHASE_SEQUENCE:
                if (!session->no_return)
                        session_give_up(contract, session, source, reason, text);
                return;
        case PHASE_BACKUP_COMPLETE: /* an event sent cannot be unsent */
                if (reason == CONTRACT_ERROR_RELEASED)
                        return;
                session_set_state(session, CONTRACT_COMPLETED);
                break;
        case PHASE_PREPARE_FOR_BACKUP:
                events_drop_queued(session);
                session_set_state(session, CONTRACT_FAILED);
                set_give_up(contract, session);
                break;
        case PHASE_PRE_RESTORE:
        case PHASE_POST_RESTORE: /* likewise; who was not sent it is out of it */
                events_drop_queued(session);
                session_set_state(session, session->phase == PHASE_PRE_RESTORE ? CONTRACT_PRE_RESTORED
                                                                               : CONTRACT_POST_RESTORED);
                break;
        case PHASE_SLOT:
                slot_leave(contract, session);
                break;
        default: /* a gather, a query, a volume, a deletion: what is under way ends unheard */
                events_drop_queued(session);
                session->step_queued = CONTRACT_STEP_NONE;
                session->step_orphaned = session->step != CONTRACT_STEP_NONE;
                break;
        }
        call_end(contract, session, reason, text);
}

/**
 * session_give_up() - DoSnapshotSet fails: nothing of the set stays
 * @contract:   the machine
 * @session:    in PHASE_SEQUENCE; after the first PostSnapshot only because SEAL has failed
 * @source:     C11 a or c
 * @error:      what DoSnapshotSet will answer
 * @text:       likewise, for people
 *
 * First of all ABORT is asked for, which lets writes go. It is dark until they are: until the commit that
 * was overtaken has answered, or the hold limit, which others enforce, has passed.
 */
void session_give_up(Contract *contract, Session *session, AbortSource source, ContractError error,
                     const char *text) {
        session->result.error = error;
        text_copy(session->result.text, sizeof(session->result.text), text);
        session_set_phase(session, PHASE_GIVE_UP);
        session->set_given_up = true;
        session->dark_guard_over = false;

        step_abort(contract, session);
        deadline_disarm(contract, session, DEADLINE_LEVEL, NO_WRITER);
        if (contract->dark && session->step == CONTRACT_STEP_COMMIT)
                deadline_arm(contract, session, DEADLINE_DARK, NO_WRITER,
                             deadline_after(contract, session->hold_limit_usec));
        else if (contract->dark)
                dark_end(contract, session);
        if (session->sequence_begun)
                (void) events_send_abort(contract, session, source);
}

/**
 * give_up_advance() - the next move of giving a set up
 * @contract:   the machine
 * @session:    in PHASE_GIVE_UP
 *
 * Return: whether anything moved.
 */
bool give_up_advance(Contract *contract, Session *session) {
        bool in_window = session_in_window(contract, session);

        if (contract->dark && in_window) {
                if (session->step == CONTRACT_STEP_COMMIT && !session->dark_guard_over)
                        return false;
                dark_end(contract, session);
                return true;
        }
        if (events_in_flight(session))
                return false;
        if (in_window) {
                window_end(contract, session);
                return true;
        }
        if (steps_wait(session))
                return false;
        slot_leave(contract, session);
        session_set_state(session, session->abort_requested ? CONTRACT_ABORTED : CONTRACT_FAILED);
        call_end(contract, session, session->result.error, session->result.text);
        return true;
}

/**
 * abort_call() - AbortBackup (C15)
 * @contract:   the machine
 * @session:    the session, in any state but lost and released
 * @input:      the call
 */
void abort_call(Contract *contract, Session *session, const ContractInput *input) {
        bool full = session->n_abort_tokens == SESSION_TOKENS_MAX;

        if (session->release_requested || full) {
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_BAD_STATE,
                             "AbortBackup is not legal now: %s is running already; wait for its answer.",
                             full ? "AbortBackup" : "Release");
                return;
        }
        session->abort_tokens[session->n_abort_tokens++] = input->token;
        if (session->abort_requested)
                return;
        session->abort_requested = true;
        session->was_aborted = session->was_aborted || !session->was_completed;
        session_stop(contract, session, CONTRACT_ERROR_ABORTED);
}

/**
 * abort_begin() - the running call has ended, now AbortBackup does its own
 * @contract:   the machine
 * @session:    idle
 *
 * After BackupComplete it changes nothing; after DoSnapshotSet the writers have had PostSnapshot and get no
 * Abort; before PrepareForBackup there is nobody to tell.
 */
void abort_begin(Contract *contract, Session *session) {
        session_set_phase(session, PHASE_ABORT);
        if (session->was_completed)
                return;
        set_give_up(contract, session);
        (void) events_send_abort(contract, session, ABORT_BY_REQUESTER);
}

/**
 * abort_advance() - AbortBackup answers when every Abort is answered or late
 * @contract:   the machine
 * @session:    in PHASE_ABORT
 *
 * Return: whether it has.
 */
bool abort_advance(Contract *contract, Session *session) {
        if (events_wait(session, CONTRACT_EVENT_ABORT, ALL_LEVELS) || session->abort_step ||
            session->abort_step_queued)
                return false;
        session_set_phase(session, PHASE_IDLE);
        session->abort_requested = false;
        session_set_state(session, session->was_completed ? CONTRACT_COMPLETED : CONTRACT_ABORTED);
        for (uint32_t i = 0; i < session->n_abort_tokens; i++)
                effect_reply(contract, session, CONTRACT_CALL_ABORT_BACKUP, session->abort_tokens[i],
                             CONTRACT_OK, NULL);
        session->n_abort_tokens = 0;
        memset(session->abort_tokens, 0, sizeof(session->abort_tokens));
        return true;
}

/**
 * cancel_call() - Cancel stops the running call and nothing else
 * @contract:   the machine
 * @session:    the session
 * @input:      the call
 *
 * It answers at once; a DoSnapshotSet that it stops answers when the set is given up.
 */
void cancel_call(Contract *contract, Session *session, const ContractInput *input) {
        if (session->abort_requested || session->release_requested) {
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_BAD_STATE,
                             "Cancel is not legal now: %s is running and cannot be cancelled.",
                             session->release_requested ? "Release" : "AbortBackup");
                return;
        }
        session_stop(contract, session, CONTRACT_ERROR_CANCELLED);
        effect_reply(contract, session, input->call, input->token, CONTRACT_OK, NULL);
}
