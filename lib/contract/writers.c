/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What writers answered, and what becomes of them by it: VSS's writer states, per writer and session (C28).
 *
 * A writer's first failure sticks for the rest of the session. Limits: an answer after it, or a second one,
 * is counted and ignored; a writer that does not answer Abort or BackupShutdown has its unit stopped (C30).
 */

#include "contract/machine.h"

#include "contract/names.h"

#include <assert.h>
#include <stdio.h>

/* Handled well: state afterwards; failed: state afterwards. UNKNOWN: as it was. */
static const struct {
        ContractWriterState good, bad;
} outcomes[_CONTRACT_EVENT_MAX] = {
        [CONTRACT_EVENT_IDENTIFY] = {CONTRACT_WRITER_UNKNOWN, CONTRACT_WRITER_FAILED_AT_IDENTIFY},
        [CONTRACT_EVENT_PREPARE_FOR_BACKUP] = {CONTRACT_WRITER_STABLE,
                                               CONTRACT_WRITER_FAILED_AT_PREPARE_BACKUP},
        [CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT] = {CONTRACT_WRITER_WAITING_FOR_FREEZE,
                                                 CONTRACT_WRITER_FAILED_AT_PREPARE_SNAPSHOT},
        [CONTRACT_EVENT_FREEZE] = {CONTRACT_WRITER_WAITING_FOR_THAW, CONTRACT_WRITER_FAILED_AT_FREEZE},
        [CONTRACT_EVENT_THAW] = {CONTRACT_WRITER_WAITING_FOR_POST_SNAPSHOT, CONTRACT_WRITER_FAILED_AT_THAW},
        [CONTRACT_EVENT_POST_SNAPSHOT] = {CONTRACT_WRITER_WAITING_FOR_BACKUP_COMPLETE,
                                          CONTRACT_WRITER_FAILED_AT_POST_SNAPSHOT},
        [CONTRACT_EVENT_BACKUP_COMPLETE] = {CONTRACT_WRITER_STABLE,
                                            CONTRACT_WRITER_FAILED_AT_BACKUP_COMPLETE},
        [CONTRACT_EVENT_ABORT] = {CONTRACT_WRITER_STABLE, CONTRACT_WRITER_UNKNOWN},
        [CONTRACT_EVENT_BACKUP_SHUTDOWN] = {CONTRACT_WRITER_STABLE,
                                            CONTRACT_WRITER_FAILED_AT_BACKUPSHUTDOWN},
        [CONTRACT_EVENT_PRE_RESTORE] = {CONTRACT_WRITER_STABLE, CONTRACT_WRITER_FAILED_AT_PRE_RESTORE},
        [CONTRACT_EVENT_POST_RESTORE] = {CONTRACT_WRITER_STABLE, CONTRACT_WRITER_FAILED_AT_POST_RESTORE},
};

/**
 * writer_fail() - a writer has failed at an event
 * @session:    the session
 * @writer:     the writer; its first failure is the one that is told
 * @event:      at which
 * @failure:    how
 * @text:       for people, or NULL
 */
void writer_fail(Session *session, Writer *writer, ContractEvent event, ContractFailure failure,
                 const char *text) {
        if ((event == CONTRACT_EVENT_FREEZE || event == CONTRACT_EVENT_THAW) && writer->frozen)
                writer->abort_due = true; /* C11 b */
        /* C13: what waits behind a PreRestore that was cancelled and fails is not sent. */
        if (writer->queued == CONTRACT_EVENT_POST_RESTORE)
                writer->queued = CONTRACT_EVENT_NONE;
        session->changed = true;
        if (writer->failure != CONTRACT_FAILURE_NONE)
                return;
        writer->state = outcomes[event].bad;
        writer->failure = failure;
        text_copy(writer->text, sizeof(writer->text), text);
}

static void writer_succeed(Session *session, Writer *writer, ContractEvent event, const char *warning) {
        session->changed = true;
        if (writer->failure != CONTRACT_FAILURE_NONE)
                return;
        if (outcomes[event].good != CONTRACT_WRITER_UNKNOWN)
                writer->state = outcomes[event].good;
        if (warning && warning[0])
                text_copy(writer->text, sizeof(writer->text), warning);
}

/* What is in flight ends: answered, late, or never to be answered. */
static void event_end(Contract *contract, Session *session, Writer *writer, ContractAnswer answer) {
        ContractEvent event = writer->in_flight;

        if (event == CONTRACT_EVENT_ABORT || event == CONTRACT_EVENT_THAW)
                writer->frozen = writer->frozen && event == CONTRACT_EVENT_THAW;
        writer->in_flight = CONTRACT_EVENT_NONE;
        writer->n_aborts = 0;
        writer->duration_usec[event] = contract->now_usec - writer->sent_usec[event];
        writer->answers[event] = answer;
        deadline_disarm(contract, session, DEADLINE_ANSWER, (uint32_t) (writer - session->writers));
}

static Writer *writer_find(Session *session, const ContractInput *input) {
        return input->writer < session->n_writers ? &session->writers[input->writer] : NULL;
}

/* Identify's answer tells where all components lie, if it can be told (C9). */
static void writer_note_places(Session *session, Writer *writer, const ContractInput *input) {
        uint32_t needed = session->n_places + (uint32_t) input->n_names;

        if (!input->placed || input->failure != CONTRACT_FAILURE_NONE || needed > session->places_allocated)
                return;
        writer->placed = true;
        for (size_t i = 0; i < input->n_names; i++) {
                Place *place = &session->places[session->n_places++];

                place->writer = (uint32_t) (writer - session->writers);
                text_copy(place->key, sizeof(place->key), input->names[i]);
        }
}

/**
 * writer_answer() - a writer has answered
 * @contract:   the machine
 * @session:    the session
 * @input:      WRITER_ANSWER; to what is not in flight: counted and ignored
 */
void writer_answer(Contract *contract, Session *session, const ContractInput *input) {
        Writer *writer = writer_find(session, input);

        if (!writer)
                return;
        if (input->event == CONTRACT_EVENT_NONE || input->event != writer->in_flight) {
                writer->n_ignored++;
                return;
        }
        if (writer->n_aborts > 1) { /* the answer to the first of two */
                writer->n_aborts--;
                return;
        }
        event_end(contract, session, writer,
                  input->failure == CONTRACT_FAILURE_NONE ? CONTRACT_ANSWER_DONE : CONTRACT_ANSWER_FAILED);
        if (input->event == CONTRACT_EVENT_IDENTIFY) {
                writer_note_places(session, writer, input);
                if (!components_note(session, writer, input))
                        return;
        }
        if (input->failure != CONTRACT_FAILURE_NONE) {
                writer_fail(session, writer, input->event, input->failure, input->text);
                return;
        }
        if (input->event == CONTRACT_EVENT_THAW)
                writer->frozen = false;
        writer_succeed(session, writer, input->event, input->text);
}

/* The event a writer cannot do any more because its process is gone, nothing being in flight. */
static ContractEvent writer_next_event(const Session *session, const Writer *writer) {
        if (session->kind == CONTRACT_RESTORE)
                return writer_was_sent(writer, CONTRACT_EVENT_POST_RESTORE)  ? CONTRACT_EVENT_NONE
                       : writer_was_sent(writer, CONTRACT_EVENT_PRE_RESTORE) ? CONTRACT_EVENT_POST_RESTORE
                                                                             : CONTRACT_EVENT_PRE_RESTORE;
        switch (writer->state) {
        case CONTRACT_WRITER_WAITING_FOR_FREEZE:
        case CONTRACT_WRITER_WAITING_FOR_THAW: /* not yet sent: what broke is the freeze */
                return CONTRACT_EVENT_FREEZE;
        case CONTRACT_WRITER_WAITING_FOR_POST_SNAPSHOT:
                return CONTRACT_EVENT_POST_SNAPSHOT;
        case CONTRACT_WRITER_WAITING_FOR_BACKUP_COMPLETE:
                return CONTRACT_EVENT_BACKUP_COMPLETE;
        case CONTRACT_WRITER_STABLE:
                if (writer_was_sent(writer, CONTRACT_EVENT_BACKUP_COMPLETE) || writer->abort_sources != 0)
                        return CONTRACT_EVENT_NONE;
                return writer_was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP)
                               ? CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT
                               : CONTRACT_EVENT_PREPARE_FOR_BACKUP;
        default:
                return CONTRACT_EVENT_NONE;
        }
}

/**
 * writer_gone() - the process that took part is gone
 * @contract:   the machine
 * @session:    the session
 * @input:      WRITER_GONE; it stands for the answer to what is in flight
 */
void writer_gone(Contract *contract, Session *session, const ContractInput *input) {
        Writer *writer = writer_find(session, input);
        char text[CONTRACT_TEXT_MAX];
        ContractEvent event;

        if (!writer)
                return;
        event = writer->in_flight;
        if (event == CONTRACT_EVENT_NONE)
                event = writer->gone ? CONTRACT_EVENT_NONE : writer_next_event(session, writer);
        else
                event_end(contract, session, writer, CONTRACT_ANSWER_GONE);
        writer->gone = true;
        if (writer->queued != CONTRACT_EVENT_ABORT && !event_ends_session(writer->queued))
                writer->queued = CONTRACT_EVENT_NONE;
        deadline_disarm(contract, session, DEADLINE_WINDOW, input->writer);
        if (event == CONTRACT_EVENT_NONE)
                return;
        (void) snprintf(text, sizeof(text),
                        "its process ended before it had answered %s; see its unit's log, start it again",
                        contract_event_to_string(event));
        writer_fail(session, writer, event, CONTRACT_FAILURE_NOT_RESPONDING,
                    input->text && input->text[0] ? input->text : text);
}

static void writer_stop(Contract *contract, Session *session, const Writer *writer) {
        ContractEffect *effect = effect_add(contract, CONTRACT_EFFECT_STOP_WRITER, session);

        effect->writer = (uint32_t) (writer - session->writers);
        effect->event = writer->last_event;
}

/**
 * writer_event_late() - the limit of what is in flight has passed
 * @contract:   the machine
 * @session:    the session
 * @writer:     the writer
 */
void writer_event_late(Contract *contract, Session *session, Writer *writer) {
        ContractEvent event = writer->in_flight;
        char text[CONTRACT_TEXT_MAX];

        assert(event != CONTRACT_EVENT_NONE);
        (void) snprintf(text, sizeof(text), "it did not answer %s within %llu s; see its unit's log",
                        contract_event_to_string(event),
                        (unsigned long long) (writer->limit_usec[event] / USEC_PER_SEC));
        event_end(contract, session, writer, CONTRACT_ANSWER_LATE);
        writer_fail(session, writer, event, CONTRACT_FAILURE_TIMEOUT, text);
        if (event == CONTRACT_EVENT_ABORT || event == CONTRACT_EVENT_BACKUP_SHUTDOWN)
                writer_stop(contract, session, writer);
}

/**
 * writer_window_passed() - a writer's freeze window has passed and Thaw was not sent (C11 b)
 * @contract:   the machine
 * @session:    the session
 * @writer:     the writer
 */
void writer_window_passed(Contract *contract, Session *session, Writer *writer) {
        char text[CONTRACT_TEXT_MAX];

        if (writer->in_flight == CONTRACT_EVENT_FREEZE) {
                writer_event_late(contract, session, writer);
                return;
        }
        (void) snprintf(
                text, sizeof(text),
                "its freeze window of %llu s passed before Thaw could be sent; ask for a longer one, or "
                "make the set smaller",
                (unsigned long long) (writer->limit_usec[CONTRACT_EVENT_FREEZE] / USEC_PER_SEC));
        writer_fail(session, writer, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_TIMEOUT, text);
}

/**
 * writer_is_veto() - whether what this writer answered is a veto (C14)
 * @session:    the session
 * @writer:     the writer
 *
 * A writer that could not even be identified cannot be placed outside the set: it counts as well.
 *
 * Return: true if so, and it is not excepted.
 */
bool writer_is_veto(const Session *session, const Writer *writer) {
        if (!writer->takes_part || writer->excepted || writer->failure == CONTRACT_FAILURE_NONE)
                return false;
        return writer->state == CONTRACT_WRITER_FAILED_AT_IDENTIFY ||
               writer->state == CONTRACT_WRITER_FAILED_AT_PREPARE_BACKUP ||
               writer->state == CONTRACT_WRITER_FAILED_AT_PREPARE_SNAPSHOT ||
               writer->state == CONTRACT_WRITER_FAILED_AT_FREEZE;
}

/**
 * writers_find_veto() - the first veto that makes DoSnapshotSet fail
 * @session:    the session
 *
 * Return: the writer, or NULL if there is none or writers are not required.
 */
const Writer *writers_find_veto(const Session *session) {
        if (!session->require_writers)
                return NULL;
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (writer_is_veto(session, &session->writers[i]))
                        return &session->writers[i];
        return NULL;
}

static bool writer_is_on_set(const Session *session, const Writer *writer) {
        uint32_t index = (uint32_t) (writer - session->writers);

        for (uint32_t i = 0; i < session->n_places; i++)
                for (uint32_t j = 0; session->places[i].writer == index && j < session->n_volumes; j++)
                        if (streq(session->places[i].key, session->volumes[j].key))
                                return true;
        return false;
}

/**
 * writers_place() - settle who takes part (C9, C27)
 * @session:    the session, before PrepareForBackup or PreRestore
 *
 * In a restore: who has a component selected, and did not declare that it is never restored. In component
 * mode: who has a component selected. In volume mode: every enabled writer, except one whose components all
 * lie on volumes outside the set; a set without volumes leaves nobody out.
 */
void writers_place(Session *session) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                Writer *writer = &session->writers[i];

                if (session->kind == CONTRACT_RESTORE)
                        writer->takes_part = writer->enabled && !writer->never_restored &&
                                             writer_is_selected(session, writer);
                else if (session->component_mode)
                        writer->takes_part = writer->enabled && writer_is_selected(session, writer);
                else
                        writer->takes_part =
                                writer->enabled && (!writer->placed || session->n_volumes == 0 ||
                                                    writer_is_on_set(session, writer));
        }
}

/* Its Identify is in a queue, or it has had an event: what follows goes to that very process. */
static bool session_is_with_process(const Session *session, const char *name) {
        if (session->launching && writer_is_enabled(session, name))
                return true;
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const Writer *writer = &session->writers[i];

                if (streq(writer->name, name))
                        return !writer->gone && (writer->sent != 0 || writer->queued != CONTRACT_EVENT_NONE);
        }
        return false;
}

/**
 * contract_may_replace_writer() - whether another process may become the writer of a name
 * @contract:   the machine
 * @name:       the writer's
 *
 * From the start of its writers to its end a session's events go to the very process that it began with
 * (C21), and one that is frozen must be reached by Thaw or Abort (C18): so none takes its place meanwhile.
 * What goes by name at the end goes to whatever process is there then; a process that is gone binds nobody.
 *
 * Return: true if no session is with the process that is there.
 */
bool contract_may_replace_writer(const Contract *contract, const char *name) {
        for (size_t i = 0; i < contract->n_slots; i++)
                if (contract->sessions[i] && !contract->sessions[i]->gone &&
                    session_is_with_process(contract->sessions[i], name))
                        return false;
        return true;
}
