/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rules every effect is held against, whatever happened before.
 */

#include "tests/contract/world-check.h"

#include "contract/names.h"
#include "util/macro.h"

#include <stdarg.h>
#include <stdio.h>

#define NULL_ID "00000000-0000-0000-0000-000000000000"

_Noreturn void world_fail(const World *world, const char *condition, const char *file, int line) {
        fprintf(stderr, "%s\n%s:%d: does not hold: %s\n", world->history ? world->history : "", file, line,
                condition);
        abort();
}

static void _printf_(2, 3) history_add(World *world, const char *format, ...) {
        va_list arguments;
        int n;

        if (!world->history)
                world->history = calloc(1, WORLD_HISTORY_MAX);
        if (!world->history || world->history_length + 512 > WORLD_HISTORY_MAX)
                return;
        va_start(arguments, format);
        n = vsnprintf(world->history + world->history_length, 512, format, arguments);
        va_end(arguments);
        world->history_length += n < 512 ? (size_t) n : 511;
}

static WorldSession *session_of(World *world, uint64_t handle) {
        for (uint32_t i = 0; i < WORLD_SESSIONS_MAX; i++)
                if (world->sessions[i].handle == handle)
                        return &world->sessions[i];
        return NULL;
}

size_t world_count_sessions(const World *world) {
        size_t n = 0;

        for (uint32_t i = 0; i < WORLD_SESSIONS_MAX; i++)
                n += world->sessions[i].handle != 0;
        return n;
}

bool world_owe_reply(World *world, ContractInput *input) {
        if (world->n_tokens == WORLD_TOKENS_MAX)
                return false;
        input->token = ++world->n_tokens_made;
        world->tokens[world->n_tokens].token = input->token;
        world->tokens[world->n_tokens].session = input->session;
        world->tokens[world->n_tokens].call = input->call;
        world->tokens[world->n_tokens].component_mode = input->component_mode;
        world->tokens[world->n_tokens].selected = input->selected;
        world->n_tokens++;
        return true;
}

/* An answer to what is in flight ends it; so does the end of the process. */
static void note_writer(World *world, const ContractInput *input) {
        WorldSession *session = session_of(world, input->session);
        WorldWriter *writer;

        if (!session || input->writer >= session->n_writers)
                return;
        writer = &session->writers[input->writer];
        if (input->type == CONTRACT_INPUT_WRITER_GONE)
                writer->gone = true;
        else if (writer->in_flight != input->event || input->event == CONTRACT_EVENT_NONE)
                return;
        else if (writer->n_aborts > 1) {
                writer->n_aborts--;
                return;
        }
        if (writer->in_flight == CONTRACT_EVENT_THAW && input->type == CONTRACT_INPUT_WRITER_ANSWER &&
            input->failure == CONTRACT_FAILURE_NONE)
                writer->frozen = false;
        writer->in_flight = CONTRACT_EVENT_NONE;
        writer->n_aborts = writer->n_aborts_late = 0;
}

void world_note_input(World *world, const ContractInput *input) {
        WorldSession *session = session_of(world, input->session);
        ContractSessionInfo info;

        history_add(world, "> %u: input %d %s %s %s writer %u%s\n", (unsigned) input->session,
                    (int) input->type, contract_call_to_string(input->call),
                    contract_event_to_string(input->event), contract_step_to_string(input->step),
                    (unsigned) input->writer, input->failure || input->error ? " FAILS" : "");
        switch (input->type) {
        case CONTRACT_INPUT_CALL:
                if (contract_get_session(world->contract, input->session, &info))
                        world->statistics->calls[info.state][input->call]++;
                break;
        case CONTRACT_INPUT_WRITER_ANSWER:
                if (session && input->writer < session->n_writers &&
                    input->event == CONTRACT_EVENT_IDENTIFY &&
                    session->writers[input->writer].in_flight == input->event && !input->failure)
                        session->writers[input->writer].never_restored = input->never_restored;
                note_writer(world, input);
                break;
        case CONTRACT_INPUT_WRITER_GONE:
                note_writer(world, input);
                break;
        case CONTRACT_INPUT_STEP_DONE:
                if (!session || input->step == CONTRACT_STEP_NONE)
                        break;
                if (input->step == CONTRACT_STEP_ABORT) {
                        session->abort_step = false;
                        if (session->step != CONTRACT_STEP_IS_VOLUME_SUPPORTED)
                                session->step = CONTRACT_STEP_NONE;
                        break;
                }
                session->committed |= input->step == CONTRACT_STEP_COMMIT && !input->error;
                session->step = CONTRACT_STEP_NONE;
                break;
        default:
                break;
        }
}

/* What a call on a component that succeeded means for its writer. */
static void note_component(World *world, WorldSession *session, const ContractEffect *effect,
                           ContractCall which, bool selected) {
        WorldWriter *writer = &session->writers[effect->writer];
        ContractComponentInfo info;

        CHECK(world, effect->writer < session->n_writers);
        CHECK(world, contract_get_component(world->contract, effect->session, effect->writer,
                                            effect->component, &info));
        if (which == CONTRACT_CALL_ADD_COMPONENT ||
            (which == CONTRACT_CALL_SET_SELECTED_FOR_RESTORE && selected))
                writer->n_selected++;
        else if (which == CONTRACT_CALL_SET_SELECTED_FOR_RESTORE)
                writer->n_selected--;
        CHECK(world, info.selected == (which != CONTRACT_CALL_SET_SELECTED_FOR_RESTORE || selected));
        CHECK(world, writer->n_selected >= info.selected);
}

/* What a call that succeeded chose. */
static void note_success(World *world, const ContractEffect *effect, ContractCall which, bool component_mode,
                         bool selected) {
        WorldSession *session = session_of(world, effect->session);

        if (!session)
                return;
        switch (which) {
        case CONTRACT_CALL_SET_BACKUP_STATE:
                session->component_mode = component_mode;
                break;
        case CONTRACT_CALL_POST_RESTORE:
                session->post_restored = true;
                break;
        case CONTRACT_CALL_ADD_COMPONENT:
        case CONTRACT_CALL_SET_BACKUP_OPTIONS:
        case CONTRACT_CALL_SET_PREVIOUS_BACKUP_STAMP:
        case CONTRACT_CALL_SET_BACKUP_SUCCEEDED:
        case CONTRACT_CALL_SET_SELECTED_FOR_RESTORE:
        case CONTRACT_CALL_SET_RESTORE_OPTIONS:
        case CONTRACT_CALL_SET_FILE_RESTORE_STATUS:
                note_component(world, session, effect, which, selected);
                break;
        default:
                break;
        }
}

static void check_reply(World *world, const ContractEffect *effect) {
        size_t i = 0;

        while (i < world->n_tokens && world->tokens[i].token != effect->token)
                i++;
        CHECK(world, i < world->n_tokens); /* every call is answered once */
        if (effect->error == CONTRACT_OK)
                note_success(world, effect, world->tokens[i].call, world->tokens[i].component_mode,
                             world->tokens[i].selected);
        world->tokens[i] = world->tokens[--world->n_tokens];
        CHECK(world, !effect->error == !effect->text);
        CHECK(world, !effect->text || effect->text[0] != '\0');
}

/* Writers on other levels must not be in a Freeze while this one is frozen out of turn. */
static void check_freeze(World *world, const WorldSession *session, const WorldWriter *writer) {
        if (world->window == 0)
                world->window = session->handle;
        CHECK(world, world->window == session->handle);
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (session->writers[i].level < writer->level)
                        CHECK(world, session->writers[i].in_flight != CONTRACT_EVENT_FREEZE);
        CHECK(world, (writer->level == CONTRACT_LEVEL_SYSTEM) == world->dark);
}

/* The order of C6, C12, C13, C18, C21, for one writer. */
static bool ends_session(ContractEvent event) {
        return event == CONTRACT_EVENT_BACKUP_SHUTDOWN || event == CONTRACT_EVENT_SESSION_CLOSED;
}

/* C2, C27: a restore knows its own three events, and a backup none of them. */
static void check_kind(World *world, const WorldSession *session, const WorldWriter *writer,
                       const ContractEffect *effect) {
        ContractEvent event = effect->event;
        bool of_restore = event == CONTRACT_EVENT_PRE_RESTORE || event == CONTRACT_EVENT_POST_RESTORE ||
                          event == CONTRACT_EVENT_SESSION_CLOSED;

        if (event == CONTRACT_EVENT_IDENTIFY)
                return;
        CHECK(world, of_restore == (session->kind == CONTRACT_RESTORE));
        if (!of_restore) {
                CHECK(world,
                      session->recovered || !session->component_mode || writer->n_selected > 0); /* C9 */
                return;
        }
        CHECK(world, !writer->never_restored && strcmp(effect->set_id, NULL_ID) == 0);
        CHECK(world, session->recovered || writer->n_selected > 0);
        CHECK(world, event == CONTRACT_EVENT_PRE_RESTORE || writer->owed_shutdown);
        if (event == CONTRACT_EVENT_SESSION_CLOSED)
                CHECK(world, effect->outcome == (session->post_restored ? CONTRACT_OUTCOME_COMPLETED
                                                                        : CONTRACT_OUTCOME_NOT_COMPLETED));
}

static void check_order(World *world, const WorldSession *session, const WorldWriter *writer,
                        const ContractEffect *effect) {
        ContractEvent event = effect->event;
        bool late = world->now_usec >= writer->due_usec ||
                    (writer->n_aborts > 0 && writer->n_aborts <= writer->n_aborts_late);

        CHECK(world, event != CONTRACT_EVENT_ABORT
                             ? (writer->sent & (1u << event)) == 0
                             : (writer->sent & (1u << CONTRACT_EVENT_POST_SNAPSHOT)) == 0);
        CHECK(world, writer->in_flight == CONTRACT_EVENT_NONE || event == CONTRACT_EVENT_ABORT || late);
        CHECK(world,
              !writer->aborted || event == CONTRACT_EVENT_ABORT || event == CONTRACT_EVENT_BACKUP_SHUTDOWN);
        CHECK(world, !writer->gone || event == CONTRACT_EVENT_ABORT || ends_session(event) ||
                             event == CONTRACT_EVENT_IDENTIFY);
        CHECK(world, !writer->told_shutdown);
        CHECK(world, event == CONTRACT_EVENT_IDENTIFY || event == CONTRACT_EVENT_PREPARE_FOR_BACKUP ||
                             event == CONTRACT_EVENT_PRE_RESTORE || writer->owed_shutdown);
        check_kind(world, session, writer, effect);
        CHECK(world, effect->by_name == ends_session(event));
        CHECK(world, effect->limit_usec > 0);
        switch (event) {
        case CONTRACT_EVENT_FREEZE:
                check_freeze(world, session, writer);
                break;
        case CONTRACT_EVENT_THAW:
                CHECK(world, writer->frozen && (session->committed || session->step == CONTRACT_STEP_NONE));
                break;
        case CONTRACT_EVENT_POST_SNAPSHOT:
                CHECK(world, world->window == 0 && !writer->frozen);
                break;
        case CONTRACT_EVENT_BACKUP_SHUTDOWN:
                CHECK(world, effect->set_id && strcmp(effect->set_id, session->set_created ? session->set_id
                                                                                           : NULL_ID) == 0);
                CHECK(world, !writer->frozen);
                break;
        default:
                break;
        }
}

/* C31, and the dark. */
static void check_window(World *world, const WorldSession *session, const WorldWriter *writer,
                         ContractEvent event) {
        WorldSession *owner = world->window ? session_of(world, world->window) : NULL;

        if (world->dark)
                CHECK(world, owner == session && writer->level == CONTRACT_LEVEL_SYSTEM);
        if (!owner || owner == session)
                return;
        CHECK(world, !ends_session(event));
        for (uint32_t i = 0; i < owner->n_writers; i++)
                if (owner->writers[i].sent & (1u << CONTRACT_EVENT_PREPARE_FOR_BACKUP))
                        CHECK(world, !streq(owner->writers[i].name, writer->name));
}

static void check_event(World *world, WorldSession *session, const ContractEffect *effect) {
        WorldWriter *writer = &session->writers[effect->writer];

        CHECK(world, effect->writer < session->n_writers);
        check_order(world, session, writer, effect);
        check_window(world, session, writer, effect->event);
        writer->sent |= 1u << effect->event;
        if (writer->n_aborts > 0 && world->now_usec >= writer->due_usec)
                writer->n_aborts_late = writer->n_aborts;
        writer->in_flight = effect->event;
        writer->due_usec = world->now_usec + effect->limit_usec;
        switch (effect->event) {
        case CONTRACT_EVENT_PREPARE_FOR_BACKUP:
        case CONTRACT_EVENT_PRE_RESTORE:
                writer->owed_shutdown = true;
                break;
        case CONTRACT_EVENT_FREEZE:
                writer->frozen = true;
                break;
        case CONTRACT_EVENT_ABORT:
                writer->aborted = true;
                writer->frozen = false;
                writer->n_aborts++;
                if (writer->gone)
                        writer->in_flight = CONTRACT_EVENT_NONE;
                break;
        case CONTRACT_EVENT_BACKUP_SHUTDOWN:
        case CONTRACT_EVENT_SESSION_CLOSED:
                writer->told_shutdown = true;
                break;
        default:
                break;
        }
}

static bool token_is_owed(const World *world, uint64_t token) {
        for (size_t i = 0; i < world->n_tokens; i++)
                if (world->tokens[i].token == token)
                        return true;
        return false;
}

static void check_step(World *world, WorldSession *session, const ContractEffect *effect) {
        CHECK(world, session->kind == CONTRACT_BACKUP || effect->step == CONTRACT_STEP_IS_VOLUME_SUPPORTED);
        CHECK(world, effect->token == 0 || token_is_owed(world, effect->token));
        CHECK(world, effect->step == CONTRACT_STEP_IS_VOLUME_SUPPORTED ||
                             (effect->set_id && effect->set_id[0] != '\0'));
        if (effect->step == CONTRACT_STEP_LOCK) {
                CHECK(world, world->window == 0);
                world->window = session->handle;
        }
        CHECK(world, world->window == 0 || world->window == session->handle);
        if (effect->step == CONTRACT_STEP_ABORT) {
                CHECK(world, !session->abort_step && !session->set_created);
                session->abort_step = true;
                world->statistics->n_given_up++;
                return;
        }
        CHECK(world, session->step == CONTRACT_STEP_NONE && !session->abort_step);
        if (effect->step == CONTRACT_STEP_COMMIT) {
                CHECK(world, world->dark);
                for (uint32_t i = 0; i < session->n_writers; i++) {
                        const WorldWriter *writer = &session->writers[i];
                        bool late = world->now_usec >= writer->due_usec;

                        CHECK(world, writer->in_flight != CONTRACT_EVENT_FREEZE || late);
                        CHECK(world, writer->in_flight != CONTRACT_EVENT_ABORT || late ||
                                             writer->level != CONTRACT_LEVEL_SYSTEM);
                }
        }
        session->step = effect->step;
}

static void check_deadline(World *world, const ContractEffect *effect) {
        size_t i = 0;

        while (i < world->n_deadlines && world->deadlines[i].id != effect->deadline)
                i++;
        if (effect->type == CONTRACT_EFFECT_DISARM) {
                CHECK(world, i < world->n_deadlines);
                world->deadlines[i] = world->deadlines[--world->n_deadlines];
                return;
        }
        CHECK(world, i == world->n_deadlines && i < WORLD_DEADLINES_MAX);
        world->deadlines[i].id = effect->deadline;
        world->deadlines[i].at_usec = effect->at_usec;
        world->deadlines[i].session = effect->session;
        world->n_deadlines++;
}

static void check_gone(World *world, WorldSession *session) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const WorldWriter *writer = &session->writers[i];

                CHECK(world, !writer->frozen);
                CHECK(world, writer->owed_shutdown == writer->told_shutdown);
        }
        CHECK(world, session->step == CONTRACT_STEP_NONE && !session->abort_step);
        CHECK(world, world->window != session->handle);
        for (size_t i = 0; i < world->n_deadlines; i++)
                CHECK(world, world->deadlines[i].session != session->handle);
        *session = (WorldSession){};
}

static void check_dark(World *world, const ContractEffect *effect) {
        if (!world->dark)
                return;
        switch (effect->type) {
        case CONTRACT_EFFECT_EVENT:
        case CONTRACT_EFFECT_ARM:
        case CONTRACT_EFFECT_DISARM:
        case CONTRACT_EFFECT_DARK_END:
                break;
        case CONTRACT_EFFECT_STEP:
                CHECK(world, effect->step == CONTRACT_STEP_COMMIT || effect->step == CONTRACT_STEP_ABORT);
                break;
        default:
                CHECK(world, !world->dark); /* anything else would go to the bus or to PID 1 */
        }
}

/* What whoever reads the session's properties now will see. */
static void note_shown(World *world, WorldSession *session) {
        ContractSessionInfo info;

        CHECK(world, contract_get_session(world->contract, session->handle, &info));
        session->shown_state = info.state;
        session->shown_running = info.running;
        session->shown_phase = info.phase;
        session->shown_volumes = info.n_volumes;
}

void world_check_effect(World *world, const ContractEffect *effect) {
        WorldSession *session = session_of(world, effect->session);

        history_add(world, "  < %u: effect %d %s %s %s %s writer %u\n", (unsigned) effect->session,
                    (int) effect->type, contract_call_to_string(effect->call),
                    contract_error_to_string(effect->error), contract_event_to_string(effect->event),
                    contract_step_to_string(effect->step), (unsigned) effect->writer);
        check_dark(world, effect);
        if (effect->type == CONTRACT_EFFECT_REPLY) {
                check_reply(world, effect);
                CHECK(world, session || effect->error == CONTRACT_ERROR_RELEASED ||
                                     effect->error == CONTRACT_ERROR_OBJECT_NOT_FOUND);
                return;
        }
        CHECK(world, session && effect->session != 0); /* nothing after SESSION_GONE */
        switch (effect->type) {
        case CONTRACT_EFFECT_LAUNCH_WRITERS:
                CHECK(world, !session->launching && world->window == 0);
                session->launching = true;
                break;
        case CONTRACT_EFFECT_EVENT:
                check_event(world, session, effect);
                break;
        case CONTRACT_EFFECT_STEP:
                check_step(world, session, effect);
                break;
        case CONTRACT_EFFECT_ARM:
        case CONTRACT_EFFECT_DISARM:
                check_deadline(world, effect);
                break;
        case CONTRACT_EFFECT_DARK_BEGIN:
                CHECK(world, !world->dark);
                if (world->window == 0)
                        world->window = session->handle;
                CHECK(world, world->window == session->handle);
                world->dark = true;
                break;
        case CONTRACT_EFFECT_DARK_END:
                CHECK(world, world->dark && world->window == session->handle);
                world->dark = false;
                break;
        case CONTRACT_EFFECT_WINDOW_END:
                CHECK(world, world->window == session->handle || world->window == 0);
                for (uint32_t i = 0; i < session->n_writers; i++)
                        CHECK(world, !session->writers[i].frozen);
                world->window = 0;
                break;
        case CONTRACT_EFFECT_SET_CREATED:
                CHECK(world, !session->set_created && effect->set_id);
                session->set_created = true;
                (void) snprintf(session->set_id, sizeof(session->set_id), "%s", effect->set_id);
                world->statistics->n_created++;
                break;
        case CONTRACT_EFFECT_STATE_CHANGED:
                note_shown(world, session);
                break;
        case CONTRACT_EFFECT_SESSION_GONE:
                check_gone(world, session);
                break;
        default:
                break;
        }
}

/* What the getters say must agree with what was seen. */
void world_check_state(World *world) {
        ContractSessionInfo info;

        for (uint32_t i = 0; i < WORLD_SESSIONS_MAX; i++) {
                const WorldSession *session = &world->sessions[i];

                if (session->handle == 0)
                        continue;
                CHECK(world, contract_get_session(world->contract, session->handle, &info));
                CHECK(world, info.phase && info.id && streq(info.id, session->id));
                if (!world->dark) /* every change was told */
                        CHECK(world, info.state == session->shown_state &&
                                             info.running == session->shown_running &&
                                             streq(info.phase, session->shown_phase) &&
                                             info.n_volumes == session->shown_volumes);
                CHECK(world, info.state != CONTRACT_CREATED || session->set_created || world->dark);
                CHECK(world,
                      info.running != CONTRACT_CALL_DO_SNAPSHOT_SET || info.state == CONTRACT_CREATING);
        }
}
