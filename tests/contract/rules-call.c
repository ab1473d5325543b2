/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a call means: whether C4 lets it through, what it begins and what it stops.
 */

#include "tests/contract/rules.h"
#include "util/macro.h"

/* That many may wait for an AbortBackup, and for a Release. */
#define ENDS_MAX 8u

/* What else a row of C4's table asks for than the state. */
static bool is_legal(const SeenSession *session, ContractCall call) {
        if (!c4_is_in(c4_row(call), session->kind, seen_has_writers(session), session->state))
                return false;
        switch (call) {
        case CONTRACT_CALL_SET_CONTEXT: /* once */
                return !session->context_set;
        case CONTRACT_CALL_DO_SNAPSHOT_SET:
                return session->set_started;
        case CONTRACT_CALL_SET_BACKUP_SUCCEEDED:
        case CONTRACT_CALL_BACKUP_COMPLETE: /* prepared only if there is no set */
                return session->state != CONTRACT_PREPARED || !session->set_started;
        default:
                return true;
        }
}

static void answer_at_once(Observer *observer, const ContractInput *input, ContractError error,
                           bool unchanged) {
        (void) input;
        observer->expected.decided = true;
        observer->expected.error = error;
        observer->expected.unchanged = unchanged;
}

static void begin(SeenSession *session, const ContractInput *input) {
        session->running = input->call;
        session->stopped = session->giving_up = false;
        session->result = CONTRACT_OK;
}

/* C15, C26: what runs is stopped; what cannot be stopped runs to its end. */
static void stop(Observer *observer, SeenSession *session, ContractError reason) {
        switch (session->running) {
        case CONTRACT_CALL_NONE:
                return;
        case CONTRACT_CALL_DO_SNAPSHOT_SET:
                if (!session->post)
                        give_up(observer, session, reason);
                return;
        case CONTRACT_CALL_BACKUP_COMPLETE:
                if (reason == CONTRACT_ERROR_RELEASED)
                        return;
                break;
        case CONTRACT_CALL_IS_VOLUME_SUPPORTED:
        case CONTRACT_CALL_ADD_TO_SNAPSHOT_SET:
        case CONTRACT_CALL_DELETE_SNAPSHOTS:
                session->orphan = session->step != CONTRACT_STEP_NONE;
                break;
        case CONTRACT_CALL_GATHER_WRITER_METADATA:
                session->stale = session->launching;
                break;
        default:
                break;
        }
        session->stopped = true;
        session->result = reason;
}

/* C11 a, C12: Abort is owed to whoever was sent PrepareForBackup and not PostSnapshot. */
void owe_aborts(SeenSession *session) {
        for (uint32_t i = 0; i < session->n_writers && !session->completed; i++) {
                SeenWriter *writer = &session->writers[i];

                if (was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP) &&
                    !was_sent(writer, CONTRACT_EVENT_POST_SNAPSHOT) && !(writer->had & FROM_REQUESTER))
                        writer->due |= FROM_REQUESTER;
        }
}

static void note_abort(Observer *observer, SeenSession *session, const ContractInput *input) {
        if (session->release_asked || session->n_abort_calls == ENDS_MAX) {
                answer_at_once(observer, input, CONTRACT_ERROR_BAD_STATE, true);
                return;
        }
        session->n_abort_calls++;
        if (session->abort_asked)
                return;
        session->abort_asked = true;
        session->aborted |= !session->completed;
        stop(observer, session, CONTRACT_ERROR_ABORTED);
        if (session->running != CONTRACT_CALL_DO_SNAPSHOT_SET) /* else when that has ended */
                owe_aborts(session);
}

void note_release(Observer *observer, SeenSession *session, ContractCause cause,
                  const ContractInput *input) {
        if (input->token != 0 && session->n_release_calls == ENDS_MAX) {
                answer_at_once(observer, input, CONTRACT_ERROR_BAD_STATE, true);
                return;
        }
        session->n_release_calls += input->token != 0;
        if (session->release_asked)
                return;
        session->release_asked = true;
        session->cause = cause;
        if (cause == CONTRACT_CAUSE_ADMINISTRATOR && session->kind == CONTRACT_BACKUP &&
            session->state != CONTRACT_LOST && !session->completed && !session->aborted)
                session->abort_asked = session->aborted = true;
        stop(observer, session, CONTRACT_ERROR_RELEASED);
        if (session->abort_asked && session->running != CONTRACT_CALL_DO_SNAPSHOT_SET)
                owe_aborts(session);
}

static void note_start(Observer *observer, SeenSession *session, const ContractInput *input) {
        bool free = true;

        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                free = free && !observer_owns_slot(&observer->sessions[i]);
        if (!free && !input->wait) {
                answer_at_once(observer, input, CONTRACT_ERROR_SNAPSHOT_SET_IN_PROGRESS, true);
                return;
        }
        (void) snprintf(session->set_id, sizeof(session->set_id), "%s", input->fresh_id);
        if (free) {
                answer_at_once(observer, input, CONTRACT_OK, false);
                session->slot = SLOT_OWNED;
                session->set_started = true;
                session->state = CONTRACT_OPEN;
                return;
        }
        begin(session, input);
        session->slot = SLOT_WAITS;
        observer->waiting[observer->n_waiting++] = session->handle;
}

static bool is_excepted(const SeenWriter *writer, const ContractInput *input) {
        for (size_t i = 0; i < input->n_names; i++)
                if (streq(input->names[i], writer->name))
                        return true;
        return false;
}

/* C9, C14, C27. */
static void note_prepare(Observer *observer, SeenSession *session, const ContractInput *input) {
        for (uint32_t i = 0; session->component_mode && i < session->n_writers; i++)
                if (lacks_component(&session->writers[i])) {
                        answer_at_once(observer, input, CONTRACT_ERROR_INVALID_ARGUMENT, true);
                        return;
                }
        begin(session, input);
        session->require = input->require_writers;
        for (uint32_t i = 0; i < session->n_writers; i++) {
                SeenWriter *writer = &session->writers[i];

                writer->takes_part =
                        writer->enabled && !(writer->never && session->kind == CONTRACT_RESTORE) &&
                        (session->kind == CONTRACT_RESTORE ? writer->selected
                         : session->component_mode         ? writer->selected
                                                           : !writer->placed || session->n_volumes == 0 ||
                                                             (writer->places & session->keys) != 0);
        }
}

static void note_do(Observer *observer, SeenSession *session, const ContractInput *input) {
        if (!seen_has_writers(session) && session->n_volumes == 0) {
                answer_at_once(observer, input, CONTRACT_ERROR_BAD_STATE, true);
                return;
        }
        begin(session, input);
        session->state = CONTRACT_CREATING;
        session->require |= input->require_writers;
        session->hold_limit_usec = input->hold_limit_usec ?: observer->config.hold_limit_usec;
        session->steps = 0;
        session->in_sequence = true;
        for (uint32_t i = 0; i < session->n_writers; i++) {
                SeenWriter *writer = &session->writers[i];

                writer->excepted |= is_excepted(writer, input);
                if (session->require && writer->takes_part && writer->veto && !writer->excepted)
                        session->in_sequence = false;
        }
        if (!session->in_sequence)
                give_up(observer, session, CONTRACT_ERROR_WRITER_VETO);
}

static void note_writer_list(SeenSession *session, const ContractInput *input) {
        bool enable = input->call == CONTRACT_CALL_ENABLE_WRITERS;

        if (enable && !session->lists_enabled) {
                session->lists_enabled = true;
                session->listed = false;
        }
        for (size_t i = 0; i < input->n_names; i++)
                if (streq(input->names[i], "db"))
                        session->listed = enable == session->lists_enabled;
}

static uint32_t volume_index(const SeenSession *session, const char *snapshot) {
        uint32_t i = 0;

        while (i < session->n_volumes && !streq(session->snapshots[i], snapshot))
                i++;
        return i;
}

static void note_delete(Observer *observer, SeenSession *session, const ContractInput *input) {
        bool whole = !input->snapshot || streq(input->snapshot, session->set_id);
        uint32_t all = (1u << session->n_volumes) - 1,
                 index = whole ? 0 : volume_index(session, input->snapshot);

        if (!session->set_created || (session->n_volumes > 0 && session->deleted == all) ||
            (!whole && (index == session->n_volumes || session->deleted & (1u << index)))) {
                answer_at_once(observer, input, CONTRACT_ERROR_OBJECT_NOT_FOUND, true);
                return;
        }
        begin(session, input);
}

static void note_properties(Observer *observer, SeenSession *session, const ContractInput *input) {
        uint32_t index = input->snapshot ? volume_index(session, input->snapshot) : session->n_volumes;
        bool known = session->state == CONTRACT_LOST ||
                     (index < session->n_volumes && !(session->deleted & (1u << index))) ||
                     (input->snapshot && streq(input->snapshot, session->set_id));

        answer_at_once(observer, input,
                       session->state == CONTRACT_CREATING || !known ? CONTRACT_ERROR_OBJECT_NOT_FOUND
                                                                     : CONTRACT_OK,
                       true);
}

static void note_add(Observer *observer, SeenSession *session, const ContractInput *input) {
        if (session->n_volumes >= CONTRACT_VOLUMES_MAX || session->n_volumes >= OBSERVER_VOLUMES_MAX) {
                /* C30; the observer's own bound is not reached by its users */
                answer_at_once(observer, input, CONTRACT_ERROR_MAXIMUM_NUMBER_OF_VOLUMES_REACHED, true);
                return;
        }
        begin(session, input);
        (void) snprintf(session->new_snapshot, sizeof(session->new_snapshot), "%s", input->fresh_id);
}

static SeenWriter *find_writer(SeenSession *session, const ContractInput *input) {
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (session->writers[i].enabled && streq(session->writers[i].name, input->writer_name))
                        return &session->writers[i];
        return NULL;
}

static void note_component_call(Observer *observer, SeenSession *session, const ContractInput *input) {
        bool changes;
        ContractError error = note_component(find_writer(session, input), input, &changes);

        answer_at_once(observer, input, error, !changes);
}

/* A call that C4 lets through. A new call is a case here and a row in c4.c. */
static void note_legal_call(Observer *observer, SeenSession *session, const ContractInput *input) {
        switch (input->call) {
        case CONTRACT_CALL_SET_CONTEXT:
                session->context = input->context;
                session->context_set = true;
                answer_at_once(observer, input, CONTRACT_OK, false);
                break;
        case CONTRACT_CALL_ENABLE_WRITERS:
        case CONTRACT_CALL_DISABLE_WRITERS:
                note_writer_list(session, input);
                answer_at_once(observer, input, CONTRACT_OK, false);
                break;
        case CONTRACT_CALL_SET_BACKUP_STATE:
                session->component_mode = input->component_mode;
                answer_at_once(observer, input, CONTRACT_OK, false);
                break;
        case CONTRACT_CALL_ADD_COMPONENT:
        case CONTRACT_CALL_SET_BACKUP_OPTIONS:
        case CONTRACT_CALL_SET_PREVIOUS_BACKUP_STAMP:
        case CONTRACT_CALL_SET_BACKUP_SUCCEEDED:
        case CONTRACT_CALL_SET_SELECTED_FOR_RESTORE:
        case CONTRACT_CALL_SET_RESTORE_OPTIONS:
        case CONTRACT_CALL_SET_FILE_RESTORE_STATUS:
                note_component_call(observer, session, input);
                break;
        case CONTRACT_CALL_GET_WRITER_METADATA:
        case CONTRACT_CALL_GET_WRITER_COMPONENTS:
                answer_at_once(observer, input,
                               find_writer(session, input) ? CONTRACT_OK : CONTRACT_ERROR_OBJECT_NOT_FOUND,
                               true);
                break;
        case CONTRACT_CALL_SAVE_DOCUMENT:
        case CONTRACT_CALL_GATHER_WRITER_STATUS:
                answer_at_once(observer, input, CONTRACT_OK, true);
                break;
        case CONTRACT_CALL_GET_SNAPSHOT_PROPERTIES:
                note_properties(observer, session, input);
                break;
        case CONTRACT_CALL_START_SNAPSHOT_SET:
                note_start(observer, session, input);
                break;
        case CONTRACT_CALL_ADD_TO_SNAPSHOT_SET:
                note_add(observer, session, input);
                break;
        case CONTRACT_CALL_PREPARE_FOR_BACKUP:
        case CONTRACT_CALL_PRE_RESTORE:
                note_prepare(observer, session, input);
                break;
        case CONTRACT_CALL_DO_SNAPSHOT_SET:
                note_do(observer, session, input);
                break;
        case CONTRACT_CALL_BACKUP_COMPLETE:
                session->completed = true;
                begin(session, input);
                break;
        case CONTRACT_CALL_DELETE_SNAPSHOTS:
                note_delete(observer, session, input);
                break;
        case CONTRACT_CALL_ABORT_BACKUP:
                note_abort(observer, session, input);
                break;
        case CONTRACT_CALL_CANCEL:
                if (session->abort_asked || session->release_asked) {
                        answer_at_once(observer, input, CONTRACT_ERROR_BAD_STATE, true);
                        break;
                }
                stop(observer, session, CONTRACT_ERROR_CANCELLED);
                answer_at_once(observer, input, CONTRACT_OK, false);
                break;
        case CONTRACT_CALL_RELEASE:
                note_release(observer, session, CONTRACT_CAUSE_RELEASED, input);
                break;
        default: /* GatherWriterMetadata, IsVolumeSupported, PostRestore */
                begin(session, input);
                break;
        }
}

void note_call(Observer *observer, SeenSession *session, const ContractInput *input) {
        const C4Row *row = c4_row(input->call);
        bool ends = input->call == CONTRACT_CALL_RELEASE || input->call == CONTRACT_CALL_ABORT_BACKUP ||
                    input->call == CONTRACT_CALL_CANCEL;

        if (!row->meanwhile &&
            (session->running != CONTRACT_CALL_NONE || session->abort_asked || session->release_asked)) {
                answer_at_once(observer, input, CONTRACT_ERROR_BAD_STATE, true);
                return;
        }
        if (session->slot_lost && !ends && !row->meanwhile) { /* C3 */
                session->slot_lost = false;
                answer_at_once(observer, input, CONTRACT_ERROR_SLOT_LOST, false);
                return;
        }
        if (!is_legal(session, input->call)) {
                answer_at_once(observer, input,
                               session->state == CONTRACT_LOST ? CONTRACT_ERROR_SESSION_LOST
                                                               : CONTRACT_ERROR_BAD_STATE,
                               true);
                return;
        }
        note_legal_call(observer, session, input);
}
