/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Carrying out the contract's effects, in order.
 *
 * Each effect goes to the room that can do it; none is judged here. Replies, signals and changes of sessions
 * never come in the dark: the contract keeps them back.
 */

#include <inttypes.h>

#include "daemon/bus/call.h"
#include "daemon/bus/component-bus.h"
#include "daemon/bus/publish.h"
#include "daemon/entries.h"
#include "daemon/inhibitor.h"
#include "daemon/keeper.h"
#include "daemon/manager.h"
#include "daemon/records/set-store.h"
#include "daemon/session-object.h"
#include "daemon/session-timeline.h"

#include "contract/names.h"
#include "util/error.h"
#include "util/failpoint.h"
#include "util/log.h"

static void carry_out_launch(Manager *manager, SessionObject *session, const ContractEffect *effect) {
        ContractInput failed = {
                .type = CONTRACT_INPUT_WRITERS,
                .session = effect->session,
                .error = CONTRACT_ERROR_WRITER_INFRASTRUCTURE,
                .text = "GatherWriterMetadata: the writers could not be started: quiesced is short of memory "
                        "or descriptors.",
        };
        int r;

        session_shown_remove_writers(session);
        writers_release(manager->writers, effect->session); /* of a gather before, that was stopped */
        r = session_object_set_writers(session, 0);
        if (r == 0)
                r = record_set_writers(&session->record, 0);
        session->record_unsaved = true;
        if (r == 0)
                r = writers_reload(manager->writers); /* what an administrator changed counts */
        if (r == 0)
                r = writers_launch(manager->writers, effect->session, effect->names, effect->n_names,
                                   effect->names_enabled);
        if (r < 0) {
                log_error("the writers of session %s could not be started: %s", session->record.id,
                          strerror(-r));
                manager_feed(manager, &failed);
        }
}

/* A restore that is completed stays so, whatever becomes of quiesced. */
static void record_post_restore(Manager *manager, const ContractEffect *effect) {
        SessionObject *session = session_object_find(manager, effect->session);

        if (!session)
                return;
        session->record.completed = true;
        session_object_save(session);
}

/* What the event added is in the set's timeline, and what its writers noted in its document, from now on. */
static void save_backup_complete(Manager *manager, const ContractEffect *effect) {
        SessionObject *session = session_object_find(manager, effect->session);

        if (!session)
                return;
        session_timeline_save(session, false);
        session_document_save(session);
}

static void carry_out_reply(Manager *manager, const ContractEffect *effect) {
        if (effect->call == CONTRACT_CALL_START_SNAPSHOT_SET && effect->error == CONTRACT_OK)
                inhibitor_take(manager, effect->session);
        if (effect->call == CONTRACT_CALL_POST_RESTORE && effect->error == CONTRACT_OK)
                record_post_restore(manager, effect);
        if (effect->call == CONTRACT_CALL_BACKUP_COMPLETE)
                save_backup_complete(manager, effect);
        if (effect->call == CONTRACT_CALL_DO_SNAPSHOT_SET || effect->call == CONTRACT_CALL_ABORT_BACKUP)
                inhibitor_drop(manager, effect->session);
        entry_reply(manager, effect);
        bus_call_reply(manager, effect);
}

static void carry_out_set_created(Manager *manager, SessionObject *session, const ContractEffect *effect) {
        SnapshotSet *set = sets_find(manager->sets, effect->set_id);
        ContractSessionInfo info;
        SetInfo made;

        (void) snprintf(session->record.set_id, sizeof(session->record.set_id), "%s", effect->set_id);
        session_object_save(session);
        if (!set) /* without volumes */
                return;
        if (session_object_get_info(session, &info))
                snapshot_set_note_outcome(set, effect->consistency,
                                          info.freeze_end_usec - info.freeze_begin_usec);
        published_add(manager, set);
        if (snapshot_set_get_info(set, &made))
                entry_set_created(&made);
        session_timeline_save(session, false);
        session_document_save(session);
}

static void carry_out_stop_writer(Manager *manager, SessionObject *session, const ContractEffect *effect) {
        int r;

        r = writers_stop(manager->writers, effect->session, effect->writer);
        if (r < 0)
                log_warning("a writer of session %s that does not answer could not be stopped, ignoring: %s",
                            session->record.id, strerror(-r));
}

static void carry_out_gone(Manager *manager, SessionObject *session) {
        session_timeline_save(session, true);
        inhibitor_drop(manager, session->handle);
        writers_release(manager->writers, session->handle);
        record_remove(&session->record, manager->config->runtime_dir);
        session_shown_remove(session);
        entry_session_released(session);
        (void) session_object_free(session);
        keeper_look_soon(manager->keeper);
        if (manager->stopping)
                manager_sessions_gone(manager);
}

static void carry_out_window_end(Manager *manager) {
        sets_window_end(manager->sets);
        keeper_go_on(manager->keeper);
        manager_lock_memory(manager, false);
        manager_pause_stores(manager, false);
}

/* Before what others see of a session. There is nothing that could fail here: a test can only stop it. */
static void effect_failpoint(const ContractEffect *effect) {
        char place[96];

        if (effect->type == CONTRACT_EFFECT_EVENT) {
                (void) snprintf(place, sizeof(place), "quiesced.event.%s",
                                contract_event_to_string(effect->event));
                (void) failpoint(place);
        } else if (effect->type == CONTRACT_EFFECT_SET_CREATED)
                (void) failpoint("quiesced.set-created");
        else if (effect->type == CONTRACT_EFFECT_SESSION_GONE)
                (void) failpoint("quiesced.session-gone");
}

/* Effects that concern a session that is there. */
static void carry_out_of_session(Manager *manager, SessionObject *session, const ContractEffect *effect) {
        if (ENABLE_FAILPOINTS)
                effect_failpoint(effect);
        switch (effect->type) {
        case CONTRACT_EFFECT_LAUNCH_WRITERS:
                carry_out_launch(manager, session, effect);
                break;
        case CONTRACT_EFFECT_EVENT:
                effect_event(manager, session, effect);
                break;
        case CONTRACT_EFFECT_STEP:
                effect_step(manager, session, effect);
                break;
        case CONTRACT_EFFECT_SIGNAL:
                bus_signal_event(manager, session, effect);
                break;
        case CONTRACT_EFFECT_STATE_CHANGED:
                session_object_save_changes(session);
                session_shown_update(session);
                break;
        case CONTRACT_EFFECT_SET_CREATED:
                carry_out_set_created(manager, session, effect);
                break;
        case CONTRACT_EFFECT_STOP_WRITER:
                carry_out_stop_writer(manager, session, effect);
                break;
        case CONTRACT_EFFECT_SESSION_GONE:
                carry_out_gone(manager, session);
                break;
        default:
                break;
        }
}

static void carry_out(Manager *manager, const ContractEffect *effect) {
        SessionObject *session;

        switch (effect->type) {
        case CONTRACT_EFFECT_REPLY:
                carry_out_reply(manager, effect);
                break;
        case CONTRACT_EFFECT_ARM:
                deadline_arm_effect(manager, effect);
                break;
        case CONTRACT_EFFECT_DISARM:
                deadline_disarm_effect(manager, effect);
                break;
        case CONTRACT_EFFECT_DARK_BEGIN:
                manager_dark_begin(manager);
                break;
        case CONTRACT_EFFECT_DARK_END:
                manager_dark_end(manager);
                break;
        case CONTRACT_EFFECT_WINDOW_END:
                carry_out_window_end(manager);
                break;
        case CONTRACT_EFFECT_SET_REMOVED:
                published_remove(manager, effect->set_id, "deleted");
                break;
        default:
                session = session_object_find(manager, effect->session);
                if (session)
                        carry_out_of_session(manager, session, effect);
                break;
        }
}

/* The contract is pure, and logs nothing itself. */
static void log_effect(Manager *manager, const ContractEffect *effect) {
        const SessionObject *session = session_object_find(manager, effect->session);
        const char *id = session ? session->record.id : "(none)";
        ContractSessionInfo info;

        if (effect->type == CONTRACT_EFFECT_EVENT)
                log_debug_of("contract", "session %s: event %s to writer %" PRIu32, id,
                             contract_event_to_string(effect->event), effect->writer);
        else if (effect->type == CONTRACT_EFFECT_STEP)
                log_debug_of("contract", "session %s: step %s", id, contract_step_to_string(effect->step));
        else if (effect->type == CONTRACT_EFFECT_STATE_CHANGED && session &&
                 session_object_get_info(session, &info))
                log_debug_of("contract", "session %s: state %s, call %s", id,
                             contract_state_to_string(info.state),
                             info.running == CONTRACT_CALL_NONE ? "none"
                                                                : contract_call_to_string(info.running));
}

/**
 * effects_carry_out() - carry out what an input caused
 * @manager:    the manager
 * @effects:    in this order
 */
void effects_carry_out(Manager *manager, const ContractEffects *effects) {
        effects_record(manager, effects);
        for (size_t i = 0; i < effects->n_items; i++) {
                log_effect(manager, &effects->items[i]);
                carry_out(manager, &effects->items[i]);
        }
}
