/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What may happen in a state: every call, every answer, every death, every deadline.
 *
 * A new call of the contract is a row in c4.c; if its arguments matter, a case in call_inputs() here.
 */

#include "tests/contract/enumerate.h"
#include "util/macro.h"

#include <assert.h>

#define UNKNOWN_ID "ffffffff-0000-0000-0000-00000000000f"

static const char *const session_ids[] = {"session-0", "session-1", "session-2", "session-3"};
static const char *const set_ids[] = {"set-0", "set-1", "set-2", "set-3"};
static const char *const snapshot_ids[][4] = {
        {"snapshot-00", "snapshot-01", "snapshot-02", "snapshot-03"},
        {"snapshot-10", "snapshot-11", "snapshot-12", "snapshot-13"},
        {"snapshot-20", "snapshot-21", "snapshot-22", "snapshot-23"},
        {"snapshot-30", "snapshot-31", "snapshot-32", "snapshot-33"},
};
static const char *const keys[] = {"vol0", "vol1", "vol2"};
static const char *const elsewhere[] = {"elsewhere"}, *const last_volume[] = {"vol1"}, *const db[] = {"db"};
static const ContractComponentSpec component = {.logical_path = "", .name = "all", .selectable = true};

static void put(Inputs *inputs, const Observer *observer, ContractInput input) {
        assert(inputs->n_items < INPUTS_MAX);
        input.now_usec = observer->now_usec;
        inputs->items[inputs->n_items++] = input;
}

/* A token that tells only whose call it is, so that equal states have equal tokens. 0: enough of these wait.
 */
static uint64_t token_for(const Observer *observer, uint64_t session, ContractCall call, uint32_t most) {
        for (uint32_t i = 0; i < most; i++) {
                uint64_t token = session * 1000 + (uint64_t) call * 10 + i + 1;
                size_t j = 0;

                while (j < observer->n_tokens && observer->tokens[j].token != token)
                        j++;
                if (j == observer->n_tokens)
                        return token;
        }
        return 0;
}

static bool ends(ContractCall call) {
        return call == CONTRACT_CALL_RELEASE || call == CONTRACT_CALL_ABORT_BACKUP ||
               call == CONTRACT_CALL_NONE;
}

/* How many of one call may wait for their answers. */
static uint32_t most(const EnumerateBounds *bounds, const Observer *observer, const SeenSession *session,
                     ContractCall call) {
        if (!ends(call))
                return observer->dark ? 1 : 2; /* the second is refused */
        if (call == CONTRACT_CALL_ABORT_BACKUP)
                return bounds->repeats ? 2 : 1;
        return bounds->repeats || !session->release_asked;
}

static void put_call(Inputs *inputs, const EnumerateBounds *bounds, const Observer *observer,
                     const SeenSession *session, ContractInput input) {
        input.type = CONTRACT_INPUT_CALL;
        input.logical_path = "";
        input.component = "all";
        input.session = session->handle;
        input.token = token_for(observer, session->handle, input.call,
                                most(bounds, observer, session, input.call));
        if (!input.fresh_id)
                input.fresh_id = snapshot_ids[session->handle][session->n_volumes];
        if (!input.writer_name)
                input.writer_name = "app";
        if (input.token != 0)
                put(inputs, observer, input);
}

static void component_calls(Inputs *inputs, const EnumerateBounds *bounds, const Observer *observer,
                            const SeenSession *session, ContractInput input, uint32_t n_writers) {
        for (uint32_t i = 0; i < n_writers; i++) {
                input.writer_name = bounds->writers[i].name;
                put_call(inputs, bounds, observer, session, input);
        }
}

/* A call that is legal, with all its arguments. */
static void legal_call(Inputs *inputs, const Observer *observer, const SeenSession *session,
                       const EnumerateBounds *bounds, ContractCall call) {
        ContractInput input = {.call = call};

        switch (call) {
        case CONTRACT_CALL_SET_CONTEXT:
                for (ContractContext context = 0; context < _CONTRACT_CONTEXT_MAX; context++) {
                        input.context = context;
                        put_call(inputs, bounds, observer, session, input);
                }
                break;
        case CONTRACT_CALL_ENABLE_WRITERS:
        case CONTRACT_CALL_DISABLE_WRITERS:
                input.names = db;
                input.n_names = 1;
                put_call(inputs, bounds, observer, session, input);
                break;
        case CONTRACT_CALL_SET_BACKUP_STATE:
                put_call(inputs, bounds, observer, session, input);
                input.component_mode = true;
                put_call(inputs, bounds, observer, session, input);
                break;
        case CONTRACT_CALL_SET_SELECTED_FOR_RESTORE:
                component_calls(inputs, bounds, observer, session, input, bounds->n_writers);
                input.selected = true;
                component_calls(inputs, bounds, observer, session, input, bounds->n_writers);
                break;
        case CONTRACT_CALL_ADD_COMPONENT:
        case CONTRACT_CALL_SET_BACKUP_OPTIONS:
        case CONTRACT_CALL_SET_PREVIOUS_BACKUP_STAMP:
        case CONTRACT_CALL_SET_BACKUP_SUCCEEDED:
        case CONTRACT_CALL_SET_RESTORE_OPTIONS:
        case CONTRACT_CALL_SET_FILE_RESTORE_STATUS:
                component_calls(inputs, bounds, observer, session, input,
                                bounds->choices ? bounds->n_writers : 1);
                break;
        case CONTRACT_CALL_START_SNAPSHOT_SET:
                input.fresh_id = set_ids[session->handle];
                put_call(inputs, bounds, observer, session, input);
                input.wait = true;
                if (bounds->n_sessions > 1)
                        put_call(inputs, bounds, observer, session, input);
                break;
        case CONTRACT_CALL_PREPARE_FOR_BACKUP:
                put_call(inputs, bounds, observer, session, input);
                break;
        case CONTRACT_CALL_DO_SNAPSHOT_SET:
                put_call(inputs, bounds, observer, session, input);
                input.require_writers = true;
                put_call(inputs, bounds, observer, session, input);
                input.names = db;
                input.n_names = 1;
                put_call(inputs, bounds, observer, session, input);
                break;
        case CONTRACT_CALL_GET_SNAPSHOT_PROPERTIES:
        case CONTRACT_CALL_DELETE_SNAPSHOTS:
                input.snapshot = set_ids[session->handle];
                put_call(inputs, bounds, observer, session, input);
                input.snapshot = snapshot_ids[session->handle][0];
                put_call(inputs, bounds, observer, session, input);
                input.snapshot = UNKNOWN_ID;
                put_call(inputs, bounds, observer, session, input);
                break;
        default:
                put_call(inputs, bounds, observer, session, input);
                break;
        }
}

static bool is_left_out(const EnumerateBounds *bounds, ContractCall call) {
        switch (call) {
        case CONTRACT_CALL_IS_VOLUME_SUPPORTED:
                return !bounds->questions;
        case CONTRACT_CALL_ENABLE_WRITERS:
        case CONTRACT_CALL_DISABLE_WRITERS:
        case CONTRACT_CALL_SET_BACKUP_STATE:
        case CONTRACT_CALL_ADD_COMPONENT:
                return !bounds->choices;
        default:
                return false;
        }
}

static void call_inputs(Inputs *inputs, const EnumerateBounds *bounds, const Observer *observer,
                        const SeenSession *session) {
        ContractInput input = {.type = CONTRACT_INPUT_ADMINISTRATOR_RELEASE, .session = session->handle};

        if (!observer_may_call(observer, session))
                return;
        for (ContractCall call = CONTRACT_CALL_NONE + 1; call < _CONTRACT_CALL_MAX; call++) {
                const C4Row *row = c4_row(call);
                bool waits = session->running != CONTRACT_CALL_NONE || session->abort_asked ||
                             session->release_asked;

                if (is_left_out(bounds, call))
                        continue;
                if (c4_is_in(row, session->kind, seen_has_writers(session), session->state) &&
                    (row->meanwhile || !waits))
                        legal_call(inputs, observer, session, bounds, call);
                else
                        put_call(inputs, bounds, observer, session, (ContractInput){.call = call});
        }
        put(inputs, observer,
            (ContractInput){.type = CONTRACT_INPUT_OWNER_VANISHED, .session = session->handle});
        input.token = token_for(observer, session->handle, CONTRACT_CALL_NONE,
                                most(bounds, observer, session, CONTRACT_CALL_NONE));
        if (input.token != 0)
                put(inputs, observer, input);
}

/* Who is there when the writers have been started: everybody, or all but one, or nobody can be. */
static void launch_inputs(Inputs *inputs, const EnumerateBounds *bounds, const Observer *observer,
                          const SeenSession *session) {
        static ContractWriterSpec specs[1 << OBSERVER_WRITERS_MAX][OBSERVER_WRITERS_MAX];
        ContractInput input = {
                .type = CONTRACT_INPUT_WRITERS, .session = session->handle, .n_writers = bounds->n_writers};

        if (!session->launching)
                return;
        for (uint32_t missing = 0; missing < 1u << bounds->n_writers; missing++) {
                for (uint32_t i = 0; i < bounds->n_writers; i++) {
                        specs[missing][i] = bounds->writers[i];
                        specs[missing][i].available = !(missing & (1u << i));
                }
                input.writers = specs[missing];
                put(inputs, observer, input);
        }
        input.error = CONTRACT_ERROR_WRITER_INFRASTRUCTURE;
        put(inputs, observer, input);
}

static void answer_input(Inputs *inputs, const EnumerateBounds *bounds, const Observer *observer,
                         const SeenSession *session, uint32_t writer, ContractEvent event, bool good,
                         const char *const *places) {
        bool never = session->kind == CONTRACT_RESTORE && places; /* of a restore places say nothing */

        put(inputs, observer,
            (ContractInput){
                    .type = CONTRACT_INPUT_WRITER_ANSWER,
                    .session = session->handle,
                    .writer = writer,
                    .event = event,
                    /* what lateness is noted as, too: so both lead to one state */
                    .failure = good ? CONTRACT_FAILURE_NONE : CONTRACT_FAILURE_TIMEOUT,
                    .text = good ? NULL : "no",
                    .placed = places,
                    .names = places,
                    .n_names = places ? 1 : 0,
                    .never_restored = never,
                    .components = &component,
                    .n_components = event == CONTRACT_EVENT_IDENTIFY && good &&
                                    (bounds->choices || session->kind == CONTRACT_RESTORE),
            });
}

/* Good, bad, and one that comes late or twice; and the end of the process. */
static void writer_inputs(Inputs *inputs, const EnumerateBounds *bounds, const Observer *observer,
                          const SeenSession *session, uint32_t index) {
        const SeenWriter *writer = &session->writers[index];
        ContractEvent event = writer->in_flight;

        if (event != CONTRACT_EVENT_NONE) {
                answer_input(inputs, bounds, observer, session, index, event, true, NULL);
                answer_input(inputs, bounds, observer, session, index, event, false, NULL);
        }
        if (event == CONTRACT_EVENT_IDENTIFY)
                answer_input(inputs, bounds, observer, session, index, event, true, elsewhere);
        if (event == CONTRACT_EVENT_IDENTIFY && session->kind == CONTRACT_BACKUP) {
                answer_input(inputs, bounds, observer, session, index, event, true, last_volume);
        }
        for (ContractEvent late = _CONTRACT_EVENT_MAX - 1; late > CONTRACT_EVENT_NONE; late--)
                if (late != event && was_sent(writer, late)) {
                        answer_input(inputs, bounds, observer, session, index, late, true, NULL);
                        break;
                }
        if (!writer->gone || event != CONTRACT_EVENT_NONE)
                put(inputs, observer,
                    (ContractInput){.type = CONTRACT_INPUT_WRITER_GONE,
                                    .session = session->handle,
                                    .writer = index});
}

static void step_input(Inputs *inputs, const Observer *observer, const SeenSession *session,
                       ContractInput input) {
        input.type = CONTRACT_INPUT_STEP_DONE;
        input.session = session->handle;
        if (input.error)
                input.text = "no";
        put(inputs, observer, input);
}

static void step_inputs(Inputs *inputs, const EnumerateBounds *bounds, const Observer *observer,
                        const SeenSession *session) {
        ContractInput input = {.step = session->step};
        bool more = session->n_volumes < bounds->n_volumes;

        if (session->abort_step)
                step_input(inputs, observer, session, (ContractInput){.step = CONTRACT_STEP_ABORT});
        switch (session->step) {
        case CONTRACT_STEP_NONE: /* one that nobody asked for */
                input.step = CONTRACT_STEP_COMMIT;
                step_input(inputs, observer, session, input);
                return;
        case CONTRACT_STEP_BEGIN_PREPARE:
                input.key = keys[session->n_volumes];
                if (more)
                        step_input(inputs, observer, session, input);
                input.key = keys[0];
                if (session->n_volumes > 0)
                        step_input(inputs, observer, session, input);
                break;
        case CONTRACT_STEP_COMMIT:
                step_input(inputs, observer, session, input);
                input.file_systems_frozen = true;
                step_input(inputs, observer, session, input);
                break;
        default:
                step_input(inputs, observer, session, input);
                break;
        }
        input.error = CONTRACT_ERROR_INSUFFICIENT_STORAGE;
        for (uint32_t i = 0; session->step == CONTRACT_STEP_DELETE && i < session->n_volumes; i++) {
                input.first_left = session->snapshots[i];
                input.n_deleted = i;
                step_input(inputs, observer, session, input);
        }
        if (session->step != CONTRACT_STEP_DELETE || session->n_volumes == 0)
                step_input(inputs, observer, session, input);
}

static void deadline_inputs(Inputs *inputs, const Observer *observer) {
        for (size_t i = 0; i < observer->n_deadlines; i++)
                put(inputs, observer,
                    (ContractInput){.type = CONTRACT_INPUT_DEADLINE, .deadline = observer->deadlines[i].id});
        /* One that is not armed, or not any more: it changes nothing. */
        put(inputs, observer, (ContractInput){.type = CONTRACT_INPUT_DEADLINE, .deadline = 0x7f});
}

static void open_inputs(Inputs *inputs, const EnumerateBounds *bounds, const Observer *observer) {
        for (uint64_t handle = 1; handle <= bounds->n_sessions && !observer->dark; handle++) {
                ContractInput input = {
                        .type = CONTRACT_INPUT_OPEN, .session = handle, .id = session_ids[handle]};

                if (observer->opened & UINT64_C(1) << handle)
                        continue;
                put(inputs, observer, input);
                input.kind = CONTRACT_RESTORE;
                if (bounds->restores)
                        put(inputs, observer, input);
                break; /* which of two is opened first makes no difference */
        }
}

/* What the next daemon reads of the last one's records (C32): nothing if nothing is owed. */
static bool recovered_input(const SeenSession *session, ContractWriterSpec *specs, ContractInput *ret) {
        bool owed = session->set_created;

        for (uint32_t i = 0; i < session->n_writers; i++) {
                specs[i] = (ContractWriterSpec){
                        .name = session->writers[i].name,
                        .level = session->writers[i].level,
                        .was_prepared = was_begun(&session->writers[i]),
                };
                owed |= specs[i].was_prepared;
        }
        *ret = (ContractInput){
                .type = CONTRACT_INPUT_RECOVERED,
                .session = session->handle,
                .kind = session->kind,
                .context = session->context,
                .id = session->id,
                .set_id = session->set_created ? session->set_id : NULL,
                .was_completed = session->completed,
                .was_aborted = session->aborted,
                .writers = specs,
                .n_writers = session->n_writers,
        };
        return owed;
}

bool inputs_recover(const Observer *observer, Observer *next) {
        ContractWriterSpec specs[OBSERVER_WRITERS_MAX];
        ContractInput input;
        bool any = false;

        observer_init(next, &observer->config);
        next->history = observer->history;
        next->userdata = observer->userdata;
        next->opened = observer->opened;
        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                if (observer->sessions[i].handle != 0 &&
                    recovered_input(&observer->sessions[i], specs, &input)) {
                        input.now_usec = next->now_usec;
                        (void) observer_feed(next, &input);
                        any = true;
                }
        return any;
}

void inputs_list(const EnumerateBounds *bounds, const Observer *observer, Inputs *ret) {
        ret->n_items = 0;
        open_inputs(ret, bounds, observer);
        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++) {
                const SeenSession *session = &observer->sessions[i];

                if (session->handle == 0)
                        continue;
                call_inputs(ret, bounds, observer, session);
                launch_inputs(ret, bounds, observer, session);
                for (uint32_t j = 0; j < session->n_writers; j++)
                        writer_inputs(ret, bounds, observer, session, j);
                step_inputs(ret, bounds, observer, session);
        }
        deadline_inputs(ret, observer);
}
