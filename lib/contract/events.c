/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Sending events to writers: who may be sent what now, and who has to wait.
 *
 * An event is first requested and then sent as soon as three rules allow it: a writer has one event of a
 * session at a time, Abort aside (C12); in a session's freeze window the writers that take part in it get
 * nothing of another session (C31); and in the dark only writers on private sockets are spoken to, which are
 * those at level system. Limits start when the event is sent.
 */

#include "contract/machine.h"

#include <assert.h>

#define NULL_ID "00000000-0000-0000-0000-000000000000"

/**
 * session_set_owed() - the set's id as BackupShutdown carries it (C22)
 * @session:    the session
 *
 * Return: the id of the set that DoSnapshotSet created, else the null id.
 */
const char *session_set_owed(const Session *session) {
        return session->set_created ? session->set_id : NULL_ID;
}

/**
 * session_set_current() - the set's id as the events of DoSnapshotSet carry it (C24)
 * @session:    the session
 *
 * Return: the id, or the null id before PrepareForSnapshot.
 */
const char *session_set_current(const Session *session) {
        return session->sequence_begun ? session->set_id : NULL_ID;
}

static const char *event_set_id(const Session *session, ContractEvent event) {
        switch (event) {
        case CONTRACT_EVENT_IDENTIFY:
        case CONTRACT_EVENT_PREPARE_FOR_BACKUP:
        case CONTRACT_EVENT_PRE_RESTORE:
        case CONTRACT_EVENT_POST_RESTORE:
        case CONTRACT_EVENT_SESSION_CLOSED:
                return NULL_ID;
        case CONTRACT_EVENT_BACKUP_COMPLETE:
        case CONTRACT_EVENT_BACKUP_SHUTDOWN:
                return session_set_owed(session);
        default:
                return session_set_current(session);
        }
}

static bool writer_in_window(const Contract *contract, const char *name) {
        const Session *owner = contract->sessions[contract->window];

        for (uint32_t i = 0; i < owner->n_writers; i++)
                if (owner->writers[i].takes_part && streq(owner->writers[i].name, name))
                        return true;
        return false;
}

static bool event_may_go(const Contract *contract, const Session *session, const Writer *writer) {
        if (writer->queued != CONTRACT_EVENT_ABORT && writer->in_flight != CONTRACT_EVENT_NONE)
                return false;
        if (contract->dark &&
            (!session_in_window(contract, session) || writer->level != CONTRACT_LEVEL_SYSTEM))
                return false;
        if (contract->window == NO_SLOT || session_in_window(contract, session))
                return true;
        /* What ends a session may start the writer's process, and nothing is started in a window. */
        return !event_ends_session(writer->queued) && !writer_in_window(contract, writer->name);
}

static uint64_t event_limit(const Contract *contract, const Writer *writer, ContractEvent event) {
        if (event == CONTRACT_EVENT_FREEZE || event == CONTRACT_EVENT_THAW)
                return writer->wish_usec > 0 ? writer->wish_usec
                                             : contract->config.event_limit_usec[CONTRACT_EVENT_FREEZE];
        return contract->config.event_limit_usec[event];
}

/* What sending it means for the writer's record and its deadlines. */
static void event_note(Contract *contract, Session *session, Writer *writer, ContractEvent event,
                       uint64_t limit_usec) {
        uint32_t index = (uint32_t) (writer - session->writers);

        writer->queued = CONTRACT_EVENT_NONE;
        writer->sent |= 1u << event;
        writer->last_event = event;
        writer->limit_usec[event] = limit_usec;
        writer->sent_usec[event] = contract->now_usec;
        writer->duration_usec[event] = 0;
        if (event == CONTRACT_EVENT_ABORT && writer->in_flight != CONTRACT_EVENT_NONE &&
            writer->in_flight != CONTRACT_EVENT_ABORT)
                writer->answers[writer->in_flight] = CONTRACT_ANSWER_OVERTAKEN;
        session->no_return = session->no_return || event == CONTRACT_EVENT_POST_SNAPSHOT;
        /* Abort to a process that is gone is sent for the record; nobody will answer. */
        if (writer->gone && !event_ends_session(event)) {
                writer->frozen = false;
                writer->answers[event] = CONTRACT_ANSWER_GONE;
                return;
        }
        writer->in_flight = event;
        writer->answers[event] = CONTRACT_ANSWER_PENDING;
        switch (event) {
        case CONTRACT_EVENT_FREEZE: /* its window is its limit: one deadline until Thaw is sent */
                writer->frozen = true;
                if (session->freeze_begin_usec == 0)
                        session->freeze_begin_usec = contract->now_usec;
                deadline_arm(contract, session, DEADLINE_WINDOW, index,
                             deadline_after(contract, limit_usec));
                return;
        case CONTRACT_EVENT_ABORT:
                writer->n_aborts++;
                break;
        case CONTRACT_EVENT_PREPARE_FOR_BACKUP:
        case CONTRACT_EVENT_PRE_RESTORE:
                session->prepare_sent = true;
                break;
        default:
                break;
        }
        deadline_disarm(contract, session, DEADLINE_WINDOW, index);
        deadline_arm(contract, session, DEADLINE_ANSWER, index, deadline_after(contract, limit_usec));
}

static void event_send(Contract *contract, Session *session, Writer *writer) {
        ContractEvent event = writer->queued;
        uint64_t limit_usec = event_limit(contract, writer, event);
        ContractEffect *effect;

        effect = effect_add(contract, CONTRACT_EFFECT_EVENT, session);
        effect->writer = (uint32_t) (writer - session->writers);
        effect->event = event;
        effect->limit_usec = limit_usec;
        effect->by_name = event_ends_session(event);
        effect->outcome = session_outcome(session);
        effect->cause = session->cause;
        effect->set_id = event_set_id(session, event);
        event_note(contract, session, writer, event, limit_usec);
}

/**
 * event_request() - send a writer an event as soon as it may be sent
 * @contract:   the machine
 * @session:    the session
 * @writer:     one of its writers
 * @event:      Abort takes the place of whatever waits
 */
void event_request(Contract *contract, Session *session, Writer *writer, ContractEvent event) {
        assert(writer->queued == CONTRACT_EVENT_NONE || event == CONTRACT_EVENT_ABORT);
        writer->queued = event;
        if (event_may_go(contract, session, writer))
                event_send(contract, session, writer);
}

static bool events_queued(const Session *session, ContractEvent event) {
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (session->writers[i].queued == event)
                        return true;
        return false;
}

/* C25: the broadcast follows the events. */
static bool events_signal(Contract *contract, Session *session, bool *due, ContractEvent event) {
        if (!*due || events_queued(session, event))
                return false;
        *due = false;
        effect_signal(contract, session, event);
        return true;
}

/**
 * events_flush() - send what waits and may go now
 * @contract:   the machine
 * @session:    the session
 *
 * Return: whether anything was sent.
 */
bool events_flush(Contract *contract, Session *session) {
        bool moved = false;

        for (uint32_t i = 0; i < session->n_writers; i++) {
                Writer *writer = &session->writers[i];

                if (writer->queued == CONTRACT_EVENT_NONE || !event_may_go(contract, session, writer))
                        continue;
                event_send(contract, session, writer);
                moved = true;
        }
        moved |= events_signal(contract, session, &session->signal_abort, CONTRACT_EVENT_ABORT);
        moved |= events_signal(contract, session, &session->signal_shutdown, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        return moved;
}

/**
 * events_drop_queued() - what was requested of a stopped call and not sent will not be
 * @session:    the session
 *
 * Except what is owed once it was begun: Abort, BackupComplete (C26: it goes to all), BackupShutdown and
 * SessionClosed.
 */
void events_drop_queued(Session *session) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                Writer *writer = &session->writers[i];

                if (writer->queued != CONTRACT_EVENT_ABORT &&
                    writer->queued != CONTRACT_EVENT_BACKUP_COMPLETE && !event_ends_session(writer->queued))
                        writer->queued = CONTRACT_EVENT_NONE;
        }
}

/* C13: who failed gets nothing more of the sequence. Who was aborted, or whose process is gone, has failed
 * or its session is over. */
static bool writer_is_eligible(const Session *session, const Writer *writer, ContractEvent event) {
        if (!writer->takes_part || writer->failure != CONTRACT_FAILURE_NONE)
                return false;
        switch (event) {
        case CONTRACT_EVENT_PREPARE_FOR_BACKUP:
        case CONTRACT_EVENT_PRE_RESTORE:
                return true;
        case CONTRACT_EVENT_POST_RESTORE:
                return writer_was_sent(writer, CONTRACT_EVENT_PRE_RESTORE);
        case CONTRACT_EVENT_THAW:
                return writer_was_sent(writer, CONTRACT_EVENT_FREEZE);
        case CONTRACT_EVENT_BACKUP_COMPLETE:
                return writer_was_sent(writer, session->set_created ? CONTRACT_EVENT_POST_SNAPSHOT
                                                                    : CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        default:
                return writer_was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        }
}

/**
 * events_send_to_all() - an event of the sequence, to all writers of some levels that are still in it
 * @contract:   the machine
 * @session:    the session
 * @event:      which
 * @levels:     a bit per level
 */
void events_send_to_all(Contract *contract, Session *session, ContractEvent event, unsigned levels) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                Writer *writer = &session->writers[i];

                if ((levels & (1u << writer->level)) && writer_is_eligible(session, writer, event))
                        event_request(contract, session, writer, event);
        }
}

/**
 * events_send_abort() - Abort to every writer of C12
 * @contract:   the machine
 * @session:    the session
 * @source:     who causes it: a writer that had one of this source gets no other (C18)
 *
 * Return: to how many.
 */
unsigned events_send_abort(Contract *contract, Session *session, AbortSource source) {
        unsigned n = 0;

        for (uint32_t i = 0; i < session->n_writers; i++) {
                Writer *writer = &session->writers[i];

                if (!writer_was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP) ||
                    writer_was_sent(writer, CONTRACT_EVENT_POST_SNAPSHOT) ||
                    (writer->abort_sources & source))
                        continue;
                writer->abort_sources |= source;
                writer->abort_due = false;
                event_request(contract, session, writer, CONTRACT_EVENT_ABORT);
                n++;
        }
        if (n > 0)
                session->signal_abort = true;
        return n;
}

/**
 * events_send_due_aborts() - the automatic Aborts (C11 b), each to its writer alone, without a broadcast
 * @contract:   the machine
 * @session:    the session
 *
 * Return: whether there was any.
 */
bool events_send_due_aborts(Contract *contract, Session *session) {
        bool moved = false;

        for (uint32_t i = 0; i < session->n_writers; i++) {
                Writer *writer = &session->writers[i];

                if (!writer->abort_due)
                        continue;
                writer->abort_due = false;
                writer->abort_sources |= ABORT_BY_WRITER;
                event_request(contract, session, writer, CONTRACT_EVENT_ABORT);
                moved = true;
        }
        return moved;
}

/**
 * events_wait() - whether an event is still to be sent or answered
 * @session:    the session
 * @event:      which
 * @levels:     a bit per level that counts
 *
 * Return: true if any writer's is.
 */
bool events_wait(const Session *session, ContractEvent event, unsigned levels) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const Writer *writer = &session->writers[i];

                if ((levels & (1u << writer->level)) &&
                    (writer->in_flight == event || writer->queued == event))
                        return true;
        }
        return false;
}

/**
 * events_in_flight() - whether any event at all is still to be sent or answered
 * @session:    the session
 *
 * Return: true if so.
 */
bool events_in_flight(const Session *session) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const Writer *writer = &session->writers[i];

                if (writer->in_flight != CONTRACT_EVENT_NONE || writer->queued != CONTRACT_EVENT_NONE ||
                    writer->abort_due)
                        return true;
        }
        return false;
}
