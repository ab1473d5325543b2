/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The end of a session: one path, whoever causes it (C1, C21, C26, C32).
 *
 * The running call is stopped, what is in flight ends, BackupShutdown goes by name to every writer that was
 * sent PrepareForBackup (in a restore SessionClosed to those that were sent PreRestore), auto-release
 * snapshots go, and then the session is forgotten.
 */

#include "contract/machine.h"

/**
 * session_outcome() - how the session went, as BackupShutdown and SessionClosed carry it (C22, C27)
 * @session:    the session
 *
 * Return: the outcome as of now.
 */
ContractOutcome session_outcome(const Session *session) {
        if (session->was_aborted)
                return CONTRACT_OUTCOME_ABORTED;
        return session->was_completed ? CONTRACT_OUTCOME_COMPLETED : CONTRACT_OUTCOME_NOT_COMPLETED;
}

/* ReleaseSession is AbortBackup where it applies, then Release. */
static bool abort_applies(const Session *session) {
        return session->kind == CONTRACT_BACKUP && session->state != CONTRACT_LOST &&
               !session->was_completed && !session->was_aborted;
}

/**
 * session_release() - this session is to end
 * @contract:   the machine
 * @session:    the session
 * @cause:      the first one to come is the one that is told
 * @call:       RELEASE, or NONE: not the requester's call
 * @token:      whom to answer when all is over; 0: nobody
 *
 * An AbortBackup that runs, a BackupComplete, and a DoSnapshotSet past its point of no return run to their
 * end first.
 */
void session_release(Contract *contract, Session *session, ContractCause cause, ContractCall call,
                     uint64_t token) {
        if (token != 0 && session->n_release_tokens == SESSION_TOKENS_MAX) {
                effect_reply(contract, session, call, token, CONTRACT_ERROR_BAD_STATE,
                             "Release is running already, and many wait for it; wait for its answer.");
                return;
        }
        if (token != 0) {
                session->release_calls[session->n_release_tokens] = call;
                session->release_tokens[session->n_release_tokens++] = token;
        }
        if (session->release_requested)
                return;
        session->release_requested = true;
        if (session->state != CONTRACT_LOST) /* C32: that one ended when the daemon did */
                session->cause = cause;
        if (cause == CONTRACT_CAUSE_ADMINISTRATOR && abort_applies(session))
                session->abort_requested = session->was_aborted = true;
        session_stop(contract, session, CONTRACT_ERROR_RELEASED);
}

/**
 * release_begin() - nothing runs any more
 * @contract:   the machine
 * @session:    idle
 */
void release_begin(Contract *contract, Session *session) {
        session_set_phase(session, PHASE_RELEASE_DRAIN);
        session->n_deleted = 0;
        session->first_left[0] = '\0';
        set_give_up(contract, session);
}

/* C21: BackupShutdown to every writer that was sent PrepareForBackup; C27: SessionClosed to every one that
 * was sent PreRestore; once, and only BackupShutdown is broadcast. */
static void release_tell(Contract *contract, Session *session) {
        bool backup = session->kind == CONTRACT_BACKUP;
        ContractEvent begun = backup ? CONTRACT_EVENT_PREPARE_FOR_BACKUP : CONTRACT_EVENT_PRE_RESTORE;

        if (session->shutdown_sent || !session->prepare_sent)
                return;
        session->shutdown_sent = true;
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (writer_was_sent(&session->writers[i], begun)) {
                        event_request(contract, session, &session->writers[i],
                                      backup ? CONTRACT_EVENT_BACKUP_SHUTDOWN
                                             : CONTRACT_EVENT_SESSION_CLOSED);
                        session->signal_shutdown |= backup;
                }
}

static void release_delete(Contract *contract, Session *session) {
        bool something = session->set_touched || session->state == CONTRACT_LOST;

        if (!session_is_auto_release(session) || !session->set_created || !something ||
            set_is_deleted(session))
                return;
        session->next_snapshot[0] = '\0';
        session->step_at_release = true;
        step_start(contract, session, CONTRACT_STEP_DELETE);
}

static void release_finish(Contract *contract, Session *session) {
        deadlines_disarm_all(contract, session);
        events_drop_queued(session);
        session_set_state(session, CONTRACT_RELEASED);
        session_set_phase(session, PHASE_IDLE);
        effect_state_changed(contract, session);
        for (uint32_t i = 0; i < session->n_release_tokens; i++)
                effect_reply(contract, session, session->release_calls[i], session->release_tokens[i],
                             CONTRACT_OK, NULL);
        (void) effect_add(contract, CONTRACT_EFFECT_SESSION_GONE, session);
        session->gone = true;
}

/**
 * release_advance() - the next move of a release
 * @contract:   the machine
 * @session:    in PHASE_RELEASE_DRAIN or PHASE_RELEASE
 *
 * Return: whether anything moved.
 */
bool release_advance(Contract *contract, Session *session) {
        /* An Identify in flight is nothing to wait for (C26). */
        if (session->prepare_sent && events_in_flight(session))
                return false;
        if (session->phase == PHASE_RELEASE_DRAIN) {
                session_set_phase(session, PHASE_RELEASE);
                release_tell(contract, session);
                release_delete(contract, session);
                return true;
        }
        if (steps_wait(session))
                return false;
        release_finish(contract, session);
        return true;
}

/**
 * session_recover() - a session of a daemon that died, from its record (C32)
 * @contract:   the machine
 * @input:      RECOVERED
 *
 * Its writers get BackupShutdown now; the session stays as lost while its owner lives.
 *
 * Return: 0, -ENOMEM, or -ENOSPC.
 */
int session_recover(Contract *contract, const ContractInput *input) {
        _cleanup_free_ Writer *writers = NULL;
        Session *session;
        int r;

        if (input->n_writers > 0) {
                writers = calloc(input->n_writers, sizeof(*writers));
                if (!writers)
                        return -ENOMEM;
        }
        r = session_new(contract, input, &session);
        if (r < 0)
                return r;

        session->context = input->context;
        session->was_completed = input->was_completed;
        session->was_aborted = input->was_aborted && !input->was_completed;
        session->cause = CONTRACT_CAUSE_DAEMON_RESTARTED;
        session->set_started = session->set_created = input->set_id != NULL;
        text_copy(session->set_id, sizeof(session->set_id), input->set_id);
        writers_fill(session, TAKE_PTR(writers), input);
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (input->writers[i].was_prepared) {
                        session->writers[i].takes_part = true;
                        session->writers[i].gone = true; /* whatever process is there now, it is another */
                        session->writers[i].sent |=
                                1u << (session->kind == CONTRACT_BACKUP ? CONTRACT_EVENT_PREPARE_FOR_BACKUP
                                                                        : CONTRACT_EVENT_PRE_RESTORE);
                        session->prepare_sent = true;
                }
        session_set_state(session, CONTRACT_LOST);
        release_tell(contract, session);
        return 0;
}
