/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an input means that is no call: answers, deaths, steps, deadlines.
 */

#include "tests/contract/rules.h"
#include "util/macro.h"

/* C28: VSS's states, as contract.md takes them over. UNKNOWN: stays as it was. */
static ContractWriterState state_when_good(ContractEvent event) {
        switch (event) {
        case CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT:
                return CONTRACT_WRITER_WAITING_FOR_FREEZE;
        case CONTRACT_EVENT_FREEZE:
                return CONTRACT_WRITER_WAITING_FOR_THAW;
        case CONTRACT_EVENT_THAW:
                return CONTRACT_WRITER_WAITING_FOR_POST_SNAPSHOT;
        case CONTRACT_EVENT_POST_SNAPSHOT:
                return CONTRACT_WRITER_WAITING_FOR_BACKUP_COMPLETE;
        case CONTRACT_EVENT_IDENTIFY:
                return CONTRACT_WRITER_UNKNOWN;
        default:
                return CONTRACT_WRITER_STABLE;
        }
}

static ContractWriterState state_when_failed(ContractEvent event) {
        switch (event) {
        case CONTRACT_EVENT_IDENTIFY:
                return CONTRACT_WRITER_FAILED_AT_IDENTIFY;
        case CONTRACT_EVENT_PREPARE_FOR_BACKUP:
                return CONTRACT_WRITER_FAILED_AT_PREPARE_BACKUP;
        case CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT:
                return CONTRACT_WRITER_FAILED_AT_PREPARE_SNAPSHOT;
        case CONTRACT_EVENT_FREEZE:
                return CONTRACT_WRITER_FAILED_AT_FREEZE;
        case CONTRACT_EVENT_THAW:
                return CONTRACT_WRITER_FAILED_AT_THAW;
        case CONTRACT_EVENT_POST_SNAPSHOT:
                return CONTRACT_WRITER_FAILED_AT_POST_SNAPSHOT;
        case CONTRACT_EVENT_BACKUP_COMPLETE:
                return CONTRACT_WRITER_FAILED_AT_BACKUP_COMPLETE;
        case CONTRACT_EVENT_BACKUP_SHUTDOWN:
                return CONTRACT_WRITER_FAILED_AT_BACKUPSHUTDOWN;
        case CONTRACT_EVENT_PRE_RESTORE:
                return CONTRACT_WRITER_FAILED_AT_PRE_RESTORE;
        case CONTRACT_EVENT_POST_RESTORE:
                return CONTRACT_WRITER_FAILED_AT_POST_RESTORE;
        default:
                return CONTRACT_WRITER_UNKNOWN;
        }
}

/* DoSnapshotSet fails (C11 c; C11 a if AbortBackup does it): those of C12 are owed an Abort. */
void give_up(Observer *observer, SeenSession *session, ContractError error) {
        /* From the first PostSnapshot on AbortBackup stops nothing: then it is SEAL that has failed. */
        unsigned source = session->abort_asked && !session->post ? FROM_REQUESTER : FROM_COORDINATOR;

        (void) observer;
        if (session->giving_up)
                return;
        session->giving_up = true;
        session->result = error;
        session->orphan = session->step != CONTRACT_STEP_NONE;
        for (uint32_t i = 0; i < session->n_writers && session->in_sequence; i++) {
                SeenWriter *writer = &session->writers[i];

                if (was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP) &&
                    !was_sent(writer, CONTRACT_EVENT_POST_SNAPSHOT) && !(writer->had & source))
                        writer->due |= source;
        }
}

/* Committing, or past it: from here on no veto counts (C14: an answer to Freeze, or its timing out). */
static bool past_commit(const SeenSession *session) {
        if (session->step == CONTRACT_STEP_COMMIT || step_was_done(session, CONTRACT_STEP_COMMIT))
                return true;
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (was_sent(&session->writers[i], CONTRACT_EVENT_THAW) ||
                    was_sent(&session->writers[i], CONTRACT_EVENT_POST_SNAPSHOT))
                        return true;
        return false;
}

/* A writer fails at an event: C11 b, C13, C14, C28. */
static void fail_writer(Observer *observer, SeenSession *session, uint32_t index, ContractEvent event,
                        ContractFailure failure) {
        SeenWriter *writer = &session->writers[index];

        if ((event == CONTRACT_EVENT_FREEZE || event == CONTRACT_EVENT_THAW) && writer->frozen)
                writer->due |= FROM_WRITER;
        if (writer->failed)
                return;
        writer->failed = true;
        writer->veto = event == CONTRACT_EVENT_IDENTIFY || event == CONTRACT_EVENT_PREPARE_FOR_BACKUP ||
                       event == CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT || event == CONTRACT_EVENT_FREEZE;
        observer->expected.writer_changes = true;
        observer->expected.state = state_when_failed(event);
        observer->expected.failure = failure;
        if (session->running == CONTRACT_CALL_DO_SNAPSHOT_SET && session->require && writer->takes_part &&
            writer->veto && !writer->excepted && !past_commit(session))
                give_up(observer, session, CONTRACT_ERROR_WRITER_VETO);
}

static uint32_t key_bit(const char *key) {
        return streq(key, "vol0") ? 1 : streq(key, "vol1") ? 2 : streq(key, "vol2") ? 4 : 1u << 31;
}

static void note_answer(Observer *observer, SeenSession *session, const ContractInput *input) {
        SeenWriter *writer;

        if (input->writer >= session->n_writers) {
                observer->expected.unchanged = true;
                return;
        }
        writer = &session->writers[input->writer];
        if (writer->in_flight != input->event || input->event == CONTRACT_EVENT_NONE) {
                observer->expected.ignored = observer->expected.unchanged = true;
                return;
        }
        if (writer->n_aborts > 1) { /* C16: the answer to the first of two */
                writer->n_aborts--;
                return;
        }
        writer->in_flight = CONTRACT_EVENT_NONE;
        writer->n_aborts = 0;
        if (input->failure != CONTRACT_FAILURE_NONE) {
                fail_writer(observer, session, input->writer, input->event, input->failure);
                return;
        }
        if (input->event == CONTRACT_EVENT_THAW)
                writer->frozen = false;
        if (!writer->failed && state_when_good(input->event) != CONTRACT_WRITER_UNKNOWN) {
                observer->expected.writer_changes = true;
                observer->expected.state = state_when_good(input->event);
                observer->expected.failure = CONTRACT_FAILURE_NONE;
        }
        if (input->event == CONTRACT_EVENT_IDENTIFY) {
                writer->components = input->components;
                writer->n_components = (uint32_t) input->n_components;
                writer->never = input->never_restored;
        }
        if (input->event == CONTRACT_EVENT_IDENTIFY && input->placed) {
                writer->placed = true;
                for (size_t i = 0; i < input->n_names; i++)
                        writer->places |= key_bit(input->names[i]);
        }
}

/* What a writer cannot do any more that had nothing in flight when its process ended (C21). */
static ContractEvent next_event(const SeenSession *session, const SeenWriter *writer,
                                ContractWriterState state) {
        if (session->kind == CONTRACT_RESTORE)
                return was_sent(writer, CONTRACT_EVENT_POST_RESTORE)  ? CONTRACT_EVENT_NONE
                       : was_sent(writer, CONTRACT_EVENT_PRE_RESTORE) ? CONTRACT_EVENT_POST_RESTORE
                                                                      : CONTRACT_EVENT_PRE_RESTORE;
        switch (state) {
        case CONTRACT_WRITER_WAITING_FOR_FREEZE:
        case CONTRACT_WRITER_WAITING_FOR_THAW:
                return CONTRACT_EVENT_FREEZE;
        case CONTRACT_WRITER_WAITING_FOR_POST_SNAPSHOT:
                return CONTRACT_EVENT_POST_SNAPSHOT;
        case CONTRACT_WRITER_WAITING_FOR_BACKUP_COMPLETE:
                return CONTRACT_EVENT_BACKUP_COMPLETE;
        default:
                if (state != CONTRACT_WRITER_STABLE || was_sent(writer, CONTRACT_EVENT_BACKUP_COMPLETE) ||
                    writer->had || writer->due)
                        return CONTRACT_EVENT_NONE;
                return was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP)
                               ? CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT
                               : CONTRACT_EVENT_PREPARE_FOR_BACKUP;
        }
}

static void note_gone(Observer *observer, SeenSession *session, const ContractInput *input) {
        SeenWriter *writer;
        ContractWriterInfo info;
        ContractEvent event;

        if (input->writer >= session->n_writers ||
            !contract_get_writer(observer->contract, session->handle, input->writer, &info)) {
                observer->expected.unchanged = true;
                return;
        }
        writer = &session->writers[input->writer];
        event = writer->in_flight;
        if (event == CONTRACT_EVENT_NONE && !writer->gone)
                event = next_event(session, writer, info.state);
        writer->in_flight = CONTRACT_EVENT_NONE;
        writer->n_aborts = 0;
        writer->gone = true;
        if (event != CONTRACT_EVENT_NONE)
                fail_writer(observer, session, input->writer, event, CONTRACT_FAILURE_NOT_RESPONDING);
}

static bool is_enabled(const SeenSession *session, const char *name) {
        return (session->listed && streq(name, "db")) == session->lists_enabled;
}

static void note_writers(Observer *observer, SeenSession *session, const ContractInput *input) {
        bool heard = session->launching && !session->stale;

        observer->expected.unchanged = !session->launching;
        session->launching = false;
        if (!heard)
                return;
        if (input->error != CONTRACT_OK) {
                session->stopped = true;
                session->result = input->error;
                return;
        }
        RULE(observer, "test", input->n_writers <= OBSERVER_WRITERS_MAX);
        session->n_writers = (uint32_t) input->n_writers;
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const ContractWriterSpec *spec = &input->writers[i];
                SeenWriter *writer = &session->writers[i];

                *writer = (SeenWriter){.name = spec->name,
                                       .level = spec->level,
                                       .available = spec->available,
                                       .wish_usec = spec->freeze_window_usec,
                                       .writes = spec->writable_snapshots,
                                       .enabled = is_enabled(session, spec->name)};
                writer->failed = writer->veto = writer->enabled && !writer->available;
        }
}

/* Those before the first that is left are gone; C4: it stops there. */
static void note_deleted(SeenSession *session, const ContractInput *input) {
        uint32_t before = session->deleted, all = (1u << session->n_volumes) - 1;
        bool whole = session->delete_one == 0;

        if (!whole && input->error == CONTRACT_OK)
                session->deleted |= 1u << (session->delete_one - 1);
        for (uint32_t i = 0; whole && i < session->n_volumes; i++) {
                if (input->error != CONTRACT_OK &&
                    (!input->first_left || streq(session->snapshots[i], input->first_left)))
                        break;
                session->deleted |= 1u << i;
        }
        if (session->recovered)
                session->removal_owed |= whole && input->error == CONTRACT_OK;
        else
                session->removal_owed |= before != all && session->deleted == all;
}

static void note_volume(SeenSession *session, const ContractInput *input) {
        uint32_t bit = key_bit(input->key);

        session->stopped = true;
        session->result = input->error;
        if (input->error != CONTRACT_OK)
                return;
        if (session->keys & bit) {
                session->result = CONTRACT_ERROR_OBJECT_ALREADY_EXISTS;
                return;
        }
        session->keys |= bit;
        (void) snprintf(session->snapshots[session->n_volumes++], CONTRACT_ID_MAX, "%s",
                        session->new_snapshot);
}

/* C8: whether the window of a writer that is frozen, or about to be, has less than the hold limit left. */
static bool lacks_window(const Observer *observer, const SeenSession *session) {
        uint64_t hold_usec = session->hold_limit_usec;

        for (size_t i = 0; i < observer->n_deadlines; i++) {
                const SeenWriter *writer = observer->deadlines[i].writer == NOBODY
                                                   ? NULL
                                                   : &session->writers[observer->deadlines[i].writer];

                if (observer->deadlines[i].session == session->handle && writer && writer->frozen &&
                    !writer->failed && observer->deadlines[i].at_usec < observer->now_usec + hold_usec)
                        return true;
        }
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *writer = &session->writers[i];

                if (writer->level == CONTRACT_LEVEL_SYSTEM && writer->takes_part && !writer->failed &&
                    writer->wish_usec > 0 && writer->wish_usec < hold_usec)
                        return true;
        }
        return false;
}

static void note_step(Observer *observer, SeenSession *session, const ContractInput *input) {
        bool orphan = session->orphan;

        if (input->step == CONTRACT_STEP_ABORT && session->abort_step) {
                session->abort_step = false;
                if (session->step != CONTRACT_STEP_IS_VOLUME_SUPPORTED) {
                        session->step = CONTRACT_STEP_NONE;
                        session->orphan = false;
                }
                return;
        }
        if (input->step == CONTRACT_STEP_NONE || input->step != session->step) {
                observer->expected.unchanged = true;
                return;
        }
        session->step = CONTRACT_STEP_NONE;
        session->orphan = false;
        if (input->step == CONTRACT_STEP_DELETE) {
                note_deleted(session, input);
                session->stopped = session->running == CONTRACT_CALL_DELETE_SNAPSHOTS && !orphan;
                session->result = session->stopped ? input->error : session->result;
                return;
        }
        if (orphan)
                return;
        switch (input->step) {
        case CONTRACT_STEP_IS_VOLUME_SUPPORTED:
                session->stopped = true;
                session->result = input->error;
                break;
        case CONTRACT_STEP_BEGIN_PREPARE:
                note_volume(session, input);
                break;
        default:
                if (input->error != CONTRACT_OK) {
                        give_up(observer, session, input->error);
                        break;
                }
                session->steps |= 1u << input->step;
                if (input->step == CONTRACT_STEP_PRE_COMMIT && lacks_window(observer, session))
                        give_up(observer, session, CONTRACT_ERROR_WRITER_TIMEOUT);
                if (input->step == CONTRACT_STEP_COMMIT)
                        session->all_frozen = input->file_systems_frozen;
                break;
        }
}

static void deadline_has_passed(Observer *observer, SeenSession *session, uint32_t index,
                                SeenPurpose purpose) {
        SeenWriter *writer = index == NOBODY ? NULL : &session->writers[index];
        ContractEvent event;

        if (!writer) {
                for (uint32_t i = 0; purpose == FOR_LEVEL && i < session->n_writers; i++)
                        session->writers[i].waited_for |=
                                session->writers[i].in_flight == CONTRACT_EVENT_THAW;
                if (purpose == FOR_SLOT) {
                        session->slot_lost = true;
                        session->slot = SLOT_NONE;
                        session->state = CONTRACT_FAILED;
                }
                return;
        }
        observer->expected.session = session->handle;
        observer->expected.writer = index;
        event = writer->in_flight;
        if (event == CONTRACT_EVENT_NONE) /* its window, before Thaw could be sent */
                event = CONTRACT_EVENT_FREEZE;
        writer->in_flight = CONTRACT_EVENT_NONE;
        writer->n_aborts = 0;
        writer->stops_due += event == CONTRACT_EVENT_ABORT || event == CONTRACT_EVENT_BACKUP_SHUTDOWN;
        fail_writer(observer, session, index, event, CONTRACT_FAILURE_TIMEOUT);
}

static void note_deadline(Observer *observer, const ContractInput *input) {
        SeenSession *session;
        uint32_t writer;
        SeenPurpose purpose;
        size_t i = 0;

        while (i < observer->n_deadlines && observer->deadlines[i].id != input->deadline)
                i++;
        if (i == observer->n_deadlines) { /* C30: not armed, or not any more */
                observer->expected.unchanged = true;
                return;
        }
        session = observer_session(observer, observer->deadlines[i].session);
        writer = observer->deadlines[i].writer;
        purpose = observer->deadlines[i].purpose;
        if (observer->deadlines[i].at_usec > observer->now_usec) {
                observer->expected.rearm = input->deadline;
                return;
        }
        observer->deadlines[i] = observer->deadlines[--observer->n_deadlines];
        RULE(observer, "C30", session); /* nothing is armed for a session that is gone */
        deadline_has_passed(observer, session, writer, purpose);
}

void note_input(Observer *observer, const ContractInput *input) {
        SeenSession *session = observer_session(observer, input->session);

        observer->now_usec = input->now_usec;
        observer->expected = (Expected){.writer = NOBODY, .session = input->session};
        if (input->type == CONTRACT_INPUT_DEADLINE) {
                note_deadline(observer, input);
                return;
        }
        if (!session) { /* it crossed with the session's end */
                observer->expected.unchanged = true;
                observer->expected.decided = input->token != 0;
                observer->expected.error = input->type == CONTRACT_INPUT_CALL
                                                   ? CONTRACT_ERROR_RELEASED
                                                   : CONTRACT_ERROR_OBJECT_NOT_FOUND;
                return;
        }
        switch (input->type) {
        case CONTRACT_INPUT_CALL:
                note_call(observer, session, input);
                break;
        case CONTRACT_INPUT_WRITERS:
                note_writers(observer, session, input);
                break;
        case CONTRACT_INPUT_WRITER_ANSWER:
                observer->expected.writer = input->writer;
                note_answer(observer, session, input);
                break;
        case CONTRACT_INPUT_WRITER_GONE:
                observer->expected.writer = input->writer;
                note_gone(observer, session, input);
                break;
        case CONTRACT_INPUT_STEP_DONE:
                note_step(observer, session, input);
                break;
        case CONTRACT_INPUT_OWNER_VANISHED:
                note_release(observer, session, CONTRACT_CAUSE_REQUESTER_VANISHED, input);
                break;
        case CONTRACT_INPUT_ADMINISTRATOR_RELEASE:
                note_release(observer, session, CONTRACT_CAUSE_ADMINISTRATOR, input);
                break;
        default:
                break;
        }
}
