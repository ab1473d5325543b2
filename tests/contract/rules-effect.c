/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What may be done: every event, step and signal is held against the rules.
 */

#include "tests/contract/rules.h"
#include "util/macro.h"

#define NULL_ID "00000000-0000-0000-0000-000000000000"

static bool in_sequence(const SeenWriter *writer) {
        return writer->takes_part && !writer->failed;
}

/* All that are still in the sequence and on one of these levels were sent the event, and it is over. */
static bool all_answered(const SeenSession *session, ContractEvent event, ContractLevel from,
                         ContractLevel below) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *writer = &session->writers[i];

                if (writer->level >= from && writer->level < below &&
                    ((in_sequence(writer) && !was_sent(writer, event)) || writer->in_flight == event))
                        return false;
        }
        return true;
}

static bool step_is_over(const SeenSession *session, ContractStep step) {
        return session->n_volumes == 0 || step_was_done(session, step);
}

/* C6, C7, and the dark. */
static void check_freeze(Observer *observer, const SeenSession *session, const SeenWriter *writer) {
        if (observer->window == 0)
                observer->window = session->handle;
        RULE(observer, "C31", observer->window == session->handle);
        RULE(observer, "C6",
             all_answered(session, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, 0, _CONTRACT_LEVEL_MAX));
        RULE(observer, "C6", step_is_over(session, CONTRACT_STEP_END_PREPARE));
        RULE(observer, "C31", step_is_over(session, CONTRACT_STEP_LOCK));
        RULE(observer, "C7", all_answered(session, CONTRACT_EVENT_FREEZE, 0, writer->level));
        RULE(observer, "C7", (writer->level == CONTRACT_LEVEL_SYSTEM) == observer->dark);
        if (writer->level == CONTRACT_LEVEL_SYSTEM)
                RULE(observer, "C8", step_is_over(session, CONTRACT_STEP_PRE_COMMIT));
}

/* C7: in reverse; C8: after the resume. */
static void check_thaw(Observer *observer, const SeenSession *session, const SeenWriter *writer) {
        RULE(observer, "C6", writer->frozen);
        RULE(observer, "C8", step_is_over(session, CONTRACT_STEP_COMMIT));
        if (session->n_volumes == 0)
                RULE(observer, "C6", all_answered(session, CONTRACT_EVENT_FREEZE, 0, _CONTRACT_LEVEL_MAX));
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *other = &session->writers[i];

                if (other->level <= writer->level || !in_sequence(other))
                        continue;
                RULE(observer, "C7", was_sent(other, CONTRACT_EVENT_THAW));
                RULE(observer, "C7", other->in_flight != CONTRACT_EVENT_THAW || other->waited_for);
        }
}

static void check_post_snapshot(Observer *observer, const SeenSession *session) {
        RULE(observer, "C6", observer->window == 0);
        RULE(observer, "C6", step_is_over(session, CONTRACT_STEP_FINAL_COMMIT));
        for (uint32_t i = 0; i < session->n_writers; i++) {
                RULE(observer, "C6", !session->writers[i].frozen);
                RULE(observer, "C7", session->writers[i].in_flight != CONTRACT_EVENT_THAW);
        }
}

static ContractOutcome outcome_of(const SeenSession *session) {
        return session->aborted     ? CONTRACT_OUTCOME_ABORTED
               : session->completed ? CONTRACT_OUTCOME_COMPLETED
                                    : CONTRACT_OUTCOME_NOT_COMPLETED;
}

/* C22: which set, how, and why. */
static void check_shutdown(Observer *observer, const SeenSession *session, const ContractEffect *effect) {
        RULE(observer, "C22",
             effect->set_id && streq(effect->set_id, session->set_created ? session->set_id : NULL_ID));
        RULE(observer, "C22", effect->outcome == outcome_of(session));
        RULE(observer, "C22",
             effect->cause == (session->recovered ? CONTRACT_CAUSE_DAEMON_RESTARTED : session->cause));
}

/* BackupShutdown, or SessionClosed: once, to those that were told of the beginning, when all else is over.
 */
static void check_shutdown_event(Observer *observer, const SeenSession *session, const SeenWriter *writer,
                                 const ContractEffect *effect) {
        RULE(observer, "C21", session->release_asked || session->recovered);
        RULE(observer, "C21", was_begun(writer));
        RULE(observer, "C18", !writer->frozen && writer->due == 0);
        RULE(observer, "C26",
             session->recovered || session->running == CONTRACT_CALL_NONE || observer->dark);
        for (uint32_t i = 0; i < session->n_writers; i++)
                RULE(observer, "C26",
                     session->writers[i].in_flight == CONTRACT_EVENT_NONE ||
                             ends_session(session->writers[i].in_flight));
        check_shutdown(observer, session, effect);
}

static void check_abort(Observer *observer, const SeenSession *session, const SeenWriter *writer,
                        const ContractEffect *effect) {
        RULE(observer, "C2", session->kind == CONTRACT_BACKUP);
        RULE(observer, "C11", writer->due != 0); /* C18: and each source sends one */
        RULE(observer, "C14", !was_sent(writer, CONTRACT_EVENT_POST_SNAPSHOT));
        if (writer->due & (FROM_COORDINATOR | FROM_REQUESTER) && session->giving_up && session->touched)
                RULE(observer, "C26", session->abort_asked_for); /* writes are let go first */
        RULE(observer, "C22", effect->outcome == outcome_of(session));
        RULE(observer, "C24",
             effect->set_id && streq(effect->set_id, session->in_sequence ? session->set_id : NULL_ID));
}

static bool runs(const SeenSession *session, ContractCall call) {
        return session->running == call && !session->stopped && !session->giving_up;
}

/* What each event needs, in the order of C6. */
static void check_order(Observer *observer, const SeenSession *session, const SeenWriter *writer,
                        const ContractEffect *effect) {
        switch (effect->event) {
        case CONTRACT_EVENT_IDENTIFY:
                RULE(observer, "C6", runs(session, CONTRACT_CALL_GATHER_WRITER_METADATA));
                RULE(observer, "C10", writer->available);
                break;
        case CONTRACT_EVENT_PREPARE_FOR_BACKUP:
                RULE(observer, "C6", runs(session, CONTRACT_CALL_PREPARE_FOR_BACKUP));
                RULE(observer, "C24", streq(effect->set_id, NULL_ID));
                break;
        case CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT:
                RULE(observer, "C6", was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP));
                RULE(observer, "C14", session->in_sequence);
                break;
        case CONTRACT_EVENT_FREEZE:
                RULE(observer, "C6", was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT));
                check_freeze(observer, session, writer);
                break;
        case CONTRACT_EVENT_THAW:
                check_thaw(observer, session, writer);
                break;
        case CONTRACT_EVENT_POST_SNAPSHOT:
                RULE(observer, "C6", was_sent(writer, CONTRACT_EVENT_THAW));
                check_post_snapshot(observer, session);
                break;
        case CONTRACT_EVENT_BACKUP_COMPLETE:
                RULE(observer, "C20", session->completed);
                RULE(observer, "C17", !session->aborted);
                RULE(observer, "C13",
                     was_sent(writer, session->set_created ? CONTRACT_EVENT_POST_SNAPSHOT
                                                           : CONTRACT_EVENT_PREPARE_FOR_BACKUP));
                break;
        case CONTRACT_EVENT_ABORT:
                check_abort(observer, session, writer, effect);
                break;
        case CONTRACT_EVENT_BACKUP_SHUTDOWN:
        case CONTRACT_EVENT_SESSION_CLOSED:
                check_shutdown_event(observer, session, writer, effect);
                break;
        case CONTRACT_EVENT_PRE_RESTORE:
                RULE(observer, "C27", runs(session, CONTRACT_CALL_PRE_RESTORE) && !writer->never);
                break;
        case CONTRACT_EVENT_POST_RESTORE:
                RULE(observer, "C27", runs(session, CONTRACT_CALL_POST_RESTORE));
                RULE(observer, "C27", was_sent(writer, CONTRACT_EVENT_PRE_RESTORE));
                break;
        default:
                break;
        }
        if (effect->event >= CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT &&
            effect->event <= CONTRACT_EVENT_POST_SNAPSHOT) {
                RULE(observer, "C6", runs(session, CONTRACT_CALL_DO_SNAPSHOT_SET));
                RULE(observer, "C24", effect->set_id && streq(effect->set_id, session->set_id));
        }
}

/* C31, and the dark. */
static void check_window(Observer *observer, const SeenSession *session, const SeenWriter *writer,
                         ContractEvent event) {
        SeenSession *owner = observer->window ? observer_session(observer, observer->window) : NULL;

        if (observer->dark)
                RULE(observer, "dark", owner == session && writer->level == CONTRACT_LEVEL_SYSTEM);
        if (!owner || owner == session)
                return;
        RULE(observer, "C31", !ends_session(event)); /* may start the writer */
        for (uint32_t i = 0; i < owner->n_writers; i++)
                RULE(observer, "C31",
                     !owner->writers[i].takes_part || !streq(owner->writers[i].name, writer->name));
}

static void note_sent(Observer *observer, SeenSession *session, SeenWriter *writer,
                      const ContractEffect *effect) {
        ContractEvent event = effect->event;
        bool nobody = writer->gone && !ends_session(event);

        writer->sent |= 1u << event;
        writer->in_flight = nobody ? CONTRACT_EVENT_NONE : event;
        if (!nobody) {
                observer->expected.sent_to = writer;
                observer->expected.sent_session = session->handle;
                observer->expected.sent_writer = effect->writer;
                observer->expected.sent_limit_usec = effect->limit_usec;
        }
        switch (event) {
        case CONTRACT_EVENT_FREEZE:
                writer->frozen = true;
                break;
        case CONTRACT_EVENT_POST_SNAPSHOT:
                session->post = true;
                break;
        case CONTRACT_EVENT_ABORT:
                session->signal_abort |= (writer->due & (FROM_COORDINATOR | FROM_REQUESTER)) != 0;
                session->abort_outcome = effect->outcome;
                writer->had |= writer->due;
                writer->due = 0;
                writer->frozen = false;
                writer->n_aborts += !nobody;
                break;
        case CONTRACT_EVENT_BACKUP_SHUTDOWN:
                session->signal_shutdown = true;
                break;
        default:
                break;
        }
}

static void check_event(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        SeenWriter *writer = &session->writers[effect->writer];
        ContractEvent event = effect->event;
        bool ends = event == CONTRACT_EVENT_ABORT || ends_session(event);
        bool restores = event == CONTRACT_EVENT_PRE_RESTORE || event == CONTRACT_EVENT_POST_RESTORE ||
                        event == CONTRACT_EVENT_SESSION_CLOSED;
        uint64_t limit = observer->config.event_limit_usec[event];

        RULE(observer, "C6", effect->writer < session->n_writers);
        RULE(observer, "C6", event == CONTRACT_EVENT_ABORT || !was_sent(writer, event));
        RULE(observer, "C1", !was_ended(writer));
        RULE(observer, "C12", writer->in_flight == CONTRACT_EVENT_NONE || event == CONTRACT_EVENT_ABORT);
        RULE(observer, "C13", !writer->failed || ends);
        RULE(observer, "C18", (writer->had == 0 && writer->due == 0) || ends);
        RULE(observer, "C21", !writer->gone || ends);
        RULE(observer, "C21", effect->by_name == ends_session(event));
        RULE(observer, "C9", writer->enabled || session->recovered);
        RULE(observer, "C9", writer->takes_part || event == CONTRACT_EVENT_IDENTIFY);
        RULE(observer, "C27",
             event == CONTRACT_EVENT_IDENTIFY || restores == (session->kind == CONTRACT_RESTORE));
        if (event == CONTRACT_EVENT_FREEZE || event == CONTRACT_EVENT_THAW)
                limit = writer->wish_usec ? writer->wish_usec
                                          : observer->config.event_limit_usec[CONTRACT_EVENT_FREEZE];
        RULE(observer, "C30", effect->limit_usec == limit);
        RULE(observer, "C32", !session->recovered || ends_session(event));
        check_order(observer, session, writer, effect);
        check_window(observer, session, writer, event);
        note_sent(observer, session, writer, effect);
}

/* C24: somebody will get PostSnapshot, as far as is known, who asks for writable snapshots. */
static bool somebody_writes(const SeenSession *session) {
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (session->writers[i].writes && in_sequence(&session->writers[i]))
                        return true;
        return false;
}

/* The steps of a set, in the order of C6 and C8. */
static void check_set_step(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        static const ContractStep before[_CONTRACT_STEP_MAX] = {
                [CONTRACT_STEP_LOCK] = CONTRACT_STEP_END_PREPARE,
                [CONTRACT_STEP_PRE_COMMIT] = CONTRACT_STEP_LOCK,
                [CONTRACT_STEP_COMMIT] = CONTRACT_STEP_PRE_COMMIT,
                [CONTRACT_STEP_POST_COMMIT] = CONTRACT_STEP_COMMIT,
                [CONTRACT_STEP_FINAL_COMMIT] = CONTRACT_STEP_POST_COMMIT,
                [CONTRACT_STEP_SEAL] = CONTRACT_STEP_FINAL_COMMIT,
        };

        RULE(observer, "C8", runs(session, CONTRACT_CALL_DO_SNAPSHOT_SET) && session->in_sequence);
        RULE(observer, "C8", !step_was_done(session, effect->step));
        RULE(observer, "C8",
             before[effect->step] == CONTRACT_STEP_NONE || step_was_done(session, before[effect->step]));
        RULE(observer, "C8", effect->volume == session->n_volumes && session->n_volumes > 0);
        switch (effect->step) {
        case CONTRACT_STEP_LOCK:
                RULE(observer, "C6",
                     all_answered(session, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, 0, _CONTRACT_LEVEL_MAX));
                RULE(observer, "C31", observer->window == 0);
                RULE(observer, "C24", effect->writable == somebody_writes(session));
                observer->window = session->handle;
                session->writable = effect->writable;
                break;
        case CONTRACT_STEP_PRE_COMMIT:
                RULE(observer, "C7", all_answered(session, CONTRACT_EVENT_FREEZE, 0, CONTRACT_LEVEL_SYSTEM));
                break;
        case CONTRACT_STEP_COMMIT:
                RULE(observer, "dark", observer->dark);
                RULE(observer, "C8", all_answered(session, CONTRACT_EVENT_FREEZE, 0, _CONTRACT_LEVEL_MAX));
                for (uint32_t i = 0; i < session->n_writers; i++) /* what it froze may be frozen still */
                        RULE(observer, "C8",
                             session->writers[i].in_flight != CONTRACT_EVENT_ABORT ||
                                     session->writers[i].level != CONTRACT_LEVEL_SYSTEM);
                break;
        case CONTRACT_STEP_POST_COMMIT:
                RULE(observer, "dark", !observer->dark);
                break;
        case CONTRACT_STEP_FINAL_COMMIT:
                RULE(observer, "C31", observer->window == 0);
                RULE(observer, "C14", effect->consistency == observer_consistency(session));
                RULE(observer, "C24", effect->writable == somebody_writes(session));
                break;
        case CONTRACT_STEP_SEAL: /* nobody writes any more, and it is waited for: see check_created() */
                RULE(observer, "C24", session->writable);
                RULE(observer, "C14", effect->consistency == observer_consistency(session));
                RULE(observer, "C24",
                     all_answered(session, CONTRACT_EVENT_POST_SNAPSHOT, 0, _CONTRACT_LEVEL_MAX));
                break;
        default:
                break;
        }
}

/* C5: what is deleted at the end of a session, and what is not. */
static void check_delete(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        uint32_t all = (1u << session->n_volumes) - 1;

        session->delete_one = 0;
        for (uint32_t i = 0; effect->snapshot && i < session->n_volumes; i++)
                if (streq(effect->snapshot, session->snapshots[i]))
                        session->delete_one = i + 1;
        RULE(observer, "C5", !effect->snapshot == !session->delete_one);
        RULE(observer, "C5", session->set_created && session->running != CONTRACT_CALL_DO_SNAPSHOT_SET);
        if (!effect->auto_release) {
                RULE(observer, "C5", runs(session, CONTRACT_CALL_DELETE_SNAPSHOTS));
                return;
        }
        RULE(observer, "C5", session->release_asked && seen_is_auto_release(session) && !effect->snapshot);
        RULE(observer, "C5",
             session->recovered || session->n_volumes == 0 || session->deleted != all ||
                     session->delete_asked == false);
        for (uint32_t i = 0; i < session->n_writers && !session->recovered; i++) /* they are told first */
                RULE(observer, "C5",
                     !was_sent(&session->writers[i], CONTRACT_EVENT_PREPARE_FOR_BACKUP) ||
                             was_sent(&session->writers[i], CONTRACT_EVENT_BACKUP_SHUTDOWN));
        session->delete_asked = true;
}

static bool token_is_owed(const Observer *observer, uint64_t token) {
        for (size_t i = 0; i < observer->n_tokens; i++)
                if (observer->tokens[i].token == token)
                        return true;
        return false;
}

static void check_step(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        RULE(observer, "C4", effect->token == 0 || token_is_owed(observer, effect->token));
        RULE(observer, "C31", observer->window == 0 || observer->window == session->handle);
        RULE(observer, "C8",
             effect->step == CONTRACT_STEP_IS_VOLUME_SUPPORTED ||
                     (effect->set_id && streq(effect->set_id, session->set_id)));
        RULE(observer, "C8", !session->abort_step);
        if (effect->step == CONTRACT_STEP_ABORT) {
                RULE(observer, "C15",
                     session->set_started && !session->set_created && session->touched &&
                             !session->abort_asked_for);
                session->abort_step = session->abort_asked_for = true;
                session->orphan = session->step != CONTRACT_STEP_NONE;
                return;
        }
        RULE(observer, "C8", session->step == CONTRACT_STEP_NONE);
        switch (effect->step) {
        case CONTRACT_STEP_IS_VOLUME_SUPPORTED:
                RULE(observer, "C4", runs(session, CONTRACT_CALL_IS_VOLUME_SUPPORTED));
                break;
        case CONTRACT_STEP_BEGIN_PREPARE:
                RULE(observer, "C4", runs(session, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET));
                RULE(observer, "C3", session->slot == SLOT_OWNED);
                RULE(observer, "C4",
                     effect->volume == session->n_volumes && streq(effect->snapshot, session->new_snapshot));
                session->touched = true;
                break;
        case CONTRACT_STEP_DELETE:
                check_delete(observer, session, effect);
                break;
        default:
                check_set_step(observer, session, effect);
                break;
        }
        session->step = effect->step;
        session->orphan = false;
}

/* How long deadlines are that are no limit of an event. */
static void check_time(const Observer *observer, const SeenSession *session, SeenPurpose purpose,
                       uint64_t at_usec) {
        uint64_t now_usec = observer->now_usec;

        if (purpose == FOR_LEVEL)
                RULE(observer, "C7", at_usec == now_usec + observer->config.thaw_level_delay_usec);
        else if (purpose == FOR_DARK)
                RULE(observer, "C30", at_usec == now_usec + session->hold_limit_usec);
        else if (observer->n_waiting > 0)
                RULE(observer, "C3", at_usec <= now_usec + observer->config.slot_idle_waited_usec);
        else
                RULE(observer, "C3", at_usec <= now_usec + observer->config.slot_idle_usec);
}

/* C30: the limit of an event begins when it is sent; everything armed is armed once. */
static void check_deadline(Observer *observer, const ContractEffect *effect) {
        SeenSession *session = observer_session(observer, effect->session);
        Expected *expected = &observer->expected;
        size_t i = 0;

        while (i < observer->n_deadlines && observer->deadlines[i].id != effect->deadline)
                i++;
        if (effect->type == CONTRACT_EFFECT_DISARM) {
                RULE(observer, "C30", i < observer->n_deadlines);
                observer->deadlines[i] = observer->deadlines[--observer->n_deadlines];
                return;
        }
        if (expected->rearm == effect->deadline) {
                RULE(observer, "C30", i < observer->n_deadlines);
                RULE(observer, "C30", observer->deadlines[i].at_usec == effect->at_usec);
                expected->rearm = 0;
                return;
        }
        RULE(observer, "C30", i == observer->n_deadlines && i < OBSERVER_DEADLINES_MAX);
        observer->deadlines[i].id = effect->deadline;
        observer->deadlines[i].at_usec = effect->at_usec;
        observer->deadlines[i].session = effect->session;
        observer->deadlines[i].writer = NOBODY;
        observer->deadlines[i].purpose = session->running == CONTRACT_CALL_DO_SNAPSHOT_SET
                                                 ? (session->giving_up ? FOR_DARK : FOR_LEVEL)
                                                 : FOR_SLOT;
        if (expected->sent_to && expected->sent_session == effect->session) {
                RULE(observer, "C30", effect->at_usec == observer->now_usec + expected->sent_limit_usec);
                observer->deadlines[i].writer = expected->sent_writer;
                observer->deadlines[i].purpose = FOR_ANSWER;
                expected->sent_to = NULL;
        } else {
                check_time(observer, session, observer->deadlines[i].purpose, effect->at_usec);
        }
        observer->n_deadlines++;
}

static void check_dark(Observer *observer, const ContractEffect *effect) {
        if (!observer->dark)
                return;
        switch (effect->type) {
        case CONTRACT_EFFECT_EVENT:
        case CONTRACT_EFFECT_ARM:
        case CONTRACT_EFFECT_DISARM:
        case CONTRACT_EFFECT_DARK_END:
                break;
        case CONTRACT_EFFECT_STEP:
                RULE(observer, "dark",
                     effect->step == CONTRACT_STEP_COMMIT || effect->step == CONTRACT_STEP_ABORT);
                break;
        default:
                RULE(observer, "dark", !observer->dark); /* it would go to the bus or to PID 1 */
        }
}

/* What whoever reads the session's properties now will see (C25). */
static void note_shown(Observer *observer, SeenSession *session) {
        ContractSessionInfo info;

        RULE(observer, "C25", contract_get_session(observer->contract, session->handle, &info));
        session->shown_state = info.state;
        session->shown_running = info.running;
        session->shown_phase = info.phase;
        session->shown_volumes = info.n_volumes;
}

/* C25: after the events; before the reply is check_reply()'s. */
static void check_signal(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        bool abort = effect->event == CONTRACT_EVENT_ABORT,
             *owed = abort ? &session->signal_abort : &session->signal_shutdown;

        RULE(observer, "C25", abort || effect->event == CONTRACT_EVENT_BACKUP_SHUTDOWN);
        RULE(observer, "C25", *owed);
        *owed = false;
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *writer = &session->writers[i];

                if (abort)
                        RULE(observer, "C25", !(writer->due & (FROM_COORDINATOR | FROM_REQUESTER)));
                else
                        RULE(observer, "C25",
                             !was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP) ||
                                     was_sent(writer, CONTRACT_EVENT_BACKUP_SHUTDOWN));
        }
        if (!abort) {
                check_shutdown(observer, session, effect);
                return;
        }
        RULE(observer, "C25", effect->outcome == session->abort_outcome);
        RULE(observer, "C25",
             effect->set_id && streq(effect->set_id, session->in_sequence ? session->set_id : NULL_ID));
}

static void check_dark_and_window(Observer *observer, SeenSession *session, ContractEffectType type) {
        switch (type) {
        case CONTRACT_EFFECT_DARK_BEGIN:
                if (observer->window == 0)
                        observer->window = session->handle;
                RULE(observer, "dark", !observer->dark && observer->window == session->handle);
                observer->dark = true;
                break;
        case CONTRACT_EFFECT_DARK_END:
                RULE(observer, "dark", observer->dark && observer->window == session->handle);
                RULE(observer, "dark",
                     !session->n_volumes || session->step != CONTRACT_STEP_COMMIT || session->giving_up);
                observer->dark = false;
                break;
        default:
                RULE(observer, "C31", observer->window == session->handle || observer->window == 0);
                for (uint32_t i = 0; i < session->n_writers; i++) {
                        RULE(observer, "C18", !session->writers[i].frozen);
                        RULE(observer, "C31",
                             session->writers[i].in_flight != CONTRACT_EVENT_THAW &&
                                     session->writers[i].in_flight != CONTRACT_EVENT_ABORT);
                }
                observer->window = 0;
                break;
        }
}

/* Effects that tell of the session as a whole. */
static void check_session_effect(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        switch (effect->type) {
        case CONTRACT_EFFECT_LAUNCH_WRITERS:
                RULE(observer, "C31", !session->launching && observer->window == 0);
                RULE(observer, "C10", runs(session, CONTRACT_CALL_GATHER_WRITER_METADATA));
                RULE(observer, "C9", effect->names_enabled == session->lists_enabled);
                for (uint32_t i = 0; i < session->n_writers; i++)
                        RULE(observer, "C12", session->writers[i].in_flight == CONTRACT_EVENT_NONE);
                session->launching = true;
                session->stale = false;
                session->n_writers = 0;
                break;
        case CONTRACT_EFFECT_SET_CREATED:
                RULE(observer, "C8", !session->set_created && runs(session, CONTRACT_CALL_DO_SNAPSHOT_SET));
                RULE(observer, "C8", effect->set_id && streq(effect->set_id, session->set_id));
                session->set_created = true;
                break;
        case CONTRACT_EFFECT_SET_REMOVED:
                RULE(observer, "C25", session->removal_owed);
                session->removal_owed = false;
                break;
        case CONTRACT_EFFECT_STATE_CHANGED:
                note_shown(observer, session);
                break;
        case CONTRACT_EFFECT_STOP_WRITER:
                RULE(observer, "C30", session->writers[effect->writer].stops_due > 0);
                RULE(observer, "C30",
                     effect->event == CONTRACT_EVENT_ABORT ||
                             effect->event == CONTRACT_EVENT_BACKUP_SHUTDOWN);
                session->writers[effect->writer].stops_due--;
                break;
        default:
                check_gone(observer, session);
                break;
        }
}

void check_effect(Observer *observer, const ContractEffect *effect) {
        SeenSession *session = observer_session(observer, effect->session);

        check_dark(observer, effect);
        if (observer->expected.sent_to) /* nothing comes between an event and its limit but a disarming */
                RULE(observer, "C30",
                     effect->type == CONTRACT_EFFECT_ARM || effect->type == CONTRACT_EFFECT_DISARM);
        if (effect->type == CONTRACT_EFFECT_REPLY) {
                check_reply(observer, effect);
                return;
        }
        RULE(observer, "C1", session && effect->session != 0); /* nothing after SESSION_GONE */
        switch (effect->type) {
        case CONTRACT_EFFECT_EVENT:
                check_event(observer, session, effect);
                break;
        case CONTRACT_EFFECT_STEP:
                check_step(observer, session, effect);
                break;
        case CONTRACT_EFFECT_ARM:
        case CONTRACT_EFFECT_DISARM:
                check_deadline(observer, effect);
                break;
        case CONTRACT_EFFECT_SIGNAL:
                check_signal(observer, session, effect);
                break;
        case CONTRACT_EFFECT_DARK_BEGIN:
        case CONTRACT_EFFECT_DARK_END:
        case CONTRACT_EFFECT_WINDOW_END:
                check_dark_and_window(observer, session, effect->type);
                break;
        default:
                check_session_effect(observer, session, effect);
                break;
        }
}
