/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How calls end: what must have happened when one is answered, and when a session is gone.
 */

#include "tests/contract/rules.h"

#include "contract/names.h"
#include "util/macro.h"

static bool in_sequence(const SeenWriter *writer) {
        return writer->takes_part && !writer->failed;
}

static bool anything_in_flight(const SeenSession *session) {
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (session->writers[i].in_flight != CONTRACT_EVENT_NONE)
                        return true;
        return false;
}

static void slot_left(Observer *observer, SeenSession *session) {
        size_t i = 0;

        if (session->slot == SLOT_WAITS) {
                while (observer->waiting[i] != session->handle)
                        i++;
                for (observer->n_waiting--; i < observer->n_waiting; i++)
                        observer->waiting[i] = observer->waiting[i + 1];
        }
        session->slot = SLOT_NONE;
}

/* C3: first come, first served, and only once it is free. */
static void slot_granted(Observer *observer, SeenSession *session) {
        RULE(observer, "C3", observer->n_waiting > 0 && observer->waiting[0] == session->handle);
        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                RULE(observer, "C3", !observer_owns_slot(&observer->sessions[i]));
        slot_left(observer, session);
        session->slot = SLOT_OWNED;
        session->set_started = true;
        session->state = CONTRACT_OPEN;
}

static void check_gathered(Observer *observer, SeenSession *session) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *writer = &session->writers[i];

                RULE(observer, "C6",
                     !writer->enabled || !writer->available || writer->gone ||
                             was_sent(writer, CONTRACT_EVENT_IDENTIFY));
                RULE(observer, "C6", writer->in_flight == CONTRACT_EVENT_NONE);
        }
        session->state = CONTRACT_GATHERED;
}

static void check_prepared(Observer *observer, SeenSession *session) {
        RULE(observer, "C6", !anything_in_flight(session));
        for (uint32_t i = 0; i < session->n_writers; i++)
                RULE(observer, "C9", !in_sequence(&session->writers[i]) || was_begun(&session->writers[i]));
        session->state = session->kind == CONTRACT_BACKUP ? CONTRACT_PREPARED : CONTRACT_PRE_RESTORED;
}

/* C27: a restore is completed when PostRestore has ended well. */
static void check_post_restored(Observer *observer, SeenSession *session, ContractError error) {
        for (uint32_t i = 0; i < session->n_writers && error == CONTRACT_OK; i++) {
                const SeenWriter *writer = &session->writers[i];

                RULE(observer, "C27", writer->in_flight == CONTRACT_EVENT_NONE);
                RULE(observer, "C27",
                     !in_sequence(writer) || !was_begun(writer) ||
                             was_sent(writer, CONTRACT_EVENT_POST_RESTORE));
        }
        session->completed = error == CONTRACT_OK;
        session->state = CONTRACT_POST_RESTORED;
}

/* C14. */
ContractConsistency observer_consistency(const SeenSession *session) {
        uint32_t n_good = 0, n_bad = 0;

        for (uint32_t i = 0; i < session->n_writers; i++) {
                n_good += in_sequence(&session->writers[i]);
                n_bad += session->writers[i].takes_part && session->writers[i].failed;
        }
        if (n_good > 0 && n_bad == 0)
                return CONTRACT_CONSISTENCY_APPLICATION;
        return session->all_frozen ? CONTRACT_CONSISTENCY_FILE_SYSTEM : CONTRACT_CONSISTENCY_CRASH;
}

static void check_created(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        ContractSessionInfo info;

        RULE(observer, "C25", session->set_created);
        RULE(observer, "C8", session->n_volumes == 0 || step_was_done(session, CONTRACT_STEP_FINAL_COMMIT));
        RULE(observer, "C24",
             session->n_volumes == 0 || !session->writable || step_was_done(session, CONTRACT_STEP_SEAL));
        RULE(observer, "C6", !anything_in_flight(session));
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *writer = &session->writers[i];

                RULE(observer, "C6", !in_sequence(writer) || was_sent(writer, CONTRACT_EVENT_POST_SNAPSHOT));
                RULE(observer, "C18", !writer->frozen && writer->due == 0);
                RULE(observer, "C14",
                     !session->require || writer->excepted || !writer->veto || !writer->takes_part ||
                             was_sent(writer, CONTRACT_EVENT_FREEZE));
        }
        RULE(observer, "C14", effect->consistency == observer_consistency(session));
        if (contract_get_session(observer->contract, session->handle, &info))
                RULE(observer, "C14", info.consistency == effect->consistency);
        session->state = CONTRACT_CREATED;
}

/* C8, C12, C15, C18: nothing of it stays, and all who had to have been told. */
static void check_given_up(Observer *observer, SeenSession *session) {
        RULE(observer, "C8", !session->set_created);
        RULE(observer, "C8", !session->abort_step && (!session->touched || session->abort_asked_for));
        RULE(observer, "C18", observer->window != session->handle);
        RULE(observer, "C15", !anything_in_flight(session));
        RULE(observer, "C25", !session->signal_abort);
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *writer = &session->writers[i];

                RULE(observer, "C18", !writer->frozen);
                RULE(observer, "C12", !(writer->due & (FROM_COORDINATOR | FROM_WRITER)));
        }
        session->state = session->abort_asked ? CONTRACT_ABORTED : CONTRACT_FAILED;
}

static void check_completed(Observer *observer, SeenSession *session, ContractError error) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *writer = &session->writers[i];

                RULE(observer, "C20",
                     !in_sequence(writer) || error != CONTRACT_OK ||
                             was_sent(writer, CONTRACT_EVENT_BACKUP_COMPLETE));
                RULE(observer, "C20",
                     error != CONTRACT_OK || writer->in_flight != CONTRACT_EVENT_BACKUP_COMPLETE);
        }
        session->state = CONTRACT_COMPLETED;
}

/* Calls that only make sense in a backup that goes well. */
static bool follows_success(ContractCall call) {
        return call == CONTRACT_CALL_DO_SNAPSHOT_SET || call == CONTRACT_CALL_BACKUP_COMPLETE ||
               call == CONTRACT_CALL_SET_BACKUP_SUCCEEDED;
}

/* The running call ends: with what stopped it or went wrong, else well. C4: the state it leaves. */
static void check_running(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        ContractError error = effect->error;
        bool over = session->stopped || session->giving_up;

        RULE(observer, "C4", effect->call == session->running);
        RULE(observer, "C17",
             !session->aborted || error != CONTRACT_OK || session->abort_asked ||
                     !follows_success(effect->call));
        RULE(observer, "C4", error == (over ? session->result : CONTRACT_OK));
        switch (session->running) {
        case CONTRACT_CALL_GATHER_WRITER_METADATA:
                if (error == CONTRACT_OK)
                        check_gathered(observer, session);
                break;
        case CONTRACT_CALL_START_SNAPSHOT_SET:
                if (error == CONTRACT_OK)
                        slot_granted(observer, session);
                else
                        slot_left(observer, session);
                break;
        case CONTRACT_CALL_ADD_TO_SNAPSHOT_SET:
                RULE(observer, "C4", error != CONTRACT_OK || effect->volume + 1 == session->n_volumes);
                break;
        case CONTRACT_CALL_PREPARE_FOR_BACKUP:
                if (error == CONTRACT_OK) {
                        check_prepared(observer, session);
                        break;
                }
                slot_left(observer, session);
                session->state = CONTRACT_FAILED;
                break;
        case CONTRACT_CALL_PRE_RESTORE:
                if (error == CONTRACT_OK)
                        check_prepared(observer, session);
                session->state = CONTRACT_PRE_RESTORED;
                break;
        case CONTRACT_CALL_POST_RESTORE:
                check_post_restored(observer, session, error);
                break;
        case CONTRACT_CALL_DO_SNAPSHOT_SET:
                if (error == CONTRACT_OK)
                        check_created(observer, session, effect);
                else
                        check_given_up(observer, session);
                slot_left(observer, session);
                if (session->abort_asked)
                        owe_aborts(session);
                break;
        case CONTRACT_CALL_BACKUP_COMPLETE:
                check_completed(observer, session, error);
                break;
        default:
                break;
        }
        session->running = CONTRACT_CALL_NONE;
        session->stopped = session->giving_up = false;
}

/* C12: it was sent PrepareForBackup, and not PostSnapshot. */
static bool may_be_aborted(const SeenWriter *writer) {
        return was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP) &&
               !was_sent(writer, CONTRACT_EVENT_POST_SNAPSHOT);
}

/* C15: it answers when every Abort it sent is answered or late, after the call that it stopped. */
static void check_aborted(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        RULE(observer, "C15", effect->error == CONTRACT_OK && session->n_abort_calls > 0);
        RULE(observer, "C15", session->running == CONTRACT_CALL_NONE && !session->abort_step);
        RULE(observer, "C25", !session->signal_abort);
        for (uint32_t i = 0; i < session->n_writers; i++) {
                RULE(observer, "C12", session->writers[i].due == 0);
                RULE(observer, "C15", session->writers[i].in_flight != CONTRACT_EVENT_ABORT);
                RULE(observer, "C16",
                     session->completed || !may_be_aborted(&session->writers[i]) ||
                             session->writers[i].had & FROM_REQUESTER);
        }
        session->n_abort_calls--;
        session->abort_asked = session->n_abort_calls > 0;
        session->slot = SLOT_NONE;
        session->state = session->completed ? CONTRACT_COMPLETED : CONTRACT_ABORTED;
}

/* C1, C5, C18, C21, C26: all that is owed has been done. */
static void check_end(Observer *observer, const SeenSession *session) {
        uint32_t all = (1u << session->n_volumes) - 1;
        uint32_t only_metadata = 1u << CONTRACT_EVENT_IDENTIFY;
        bool left = session->recovered || (session->n_volumes > 0 && session->deleted != all);

        RULE(observer, "C1", session->release_asked && session->running == CONTRACT_CALL_NONE);
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *writer = &session->writers[i];

                RULE(observer, "C18", !writer->frozen);
                RULE(observer, "C12", writer->due == 0);
                RULE(observer, "C21", was_begun(writer) == was_ended(writer));
                RULE(observer, "C23", was_begun(writer) || !(writer->sent & ~only_metadata));
                RULE(observer, "C5",
                     writer->in_flight == CONTRACT_EVENT_NONE ||
                             writer->in_flight == CONTRACT_EVENT_IDENTIFY);
                RULE(observer, "C30", writer->stops_due == 0 || observer->dark);
        }
        RULE(observer, "C25", !session->signal_abort && !session->signal_shutdown);
        RULE(observer, "C25", !session->removal_owed);
        RULE(observer, "C5", session->step == CONTRACT_STEP_NONE && !session->abort_step);
        if (session->set_created && seen_is_auto_release(session) && left)
                RULE(observer, "C5", session->delete_asked);
        if (session->set_started && !session->set_created && session->touched)
                RULE(observer, "C26", session->abort_asked_for);
        RULE(observer, "C31", observer->window != session->handle);
        RULE(observer, "C3", session->slot != SLOT_WAITS);
}

void check_gone(Observer *observer, SeenSession *session) {
        check_end(observer, session);
        for (size_t i = 0; i < observer->n_deadlines; i++)
                RULE(observer, "C30", observer->deadlines[i].session != session->handle);
        for (size_t i = 0; i < observer->n_tokens; i++)
                RULE(observer, "C4", observer->tokens[i].session != session->handle);
        *session = (SeenSession){};
}

/* C1: what it stopped has been answered before. */
static void check_released(Observer *observer, SeenSession *session, const ContractEffect *effect) {
        RULE(observer, "C1", effect->error == CONTRACT_OK && session->n_release_calls > 0);
        for (size_t i = 0; i < observer->n_tokens; i++)
                RULE(observer, "C1",
                     observer->tokens[i].session != session->handle ||
                             observer->tokens[i].call == CONTRACT_CALL_RELEASE ||
                             observer->tokens[i].call == CONTRACT_CALL_NONE);
        session->n_release_calls--;
        check_end(observer, session);
}

/* C3, C4: the text names what was called, and who is in the way. */
static void check_text(Observer *observer, const ContractEffect *effect) {
        RULE(observer, "C4", !effect->error == !effect->text);
        if (effect->error == CONTRACT_ERROR_BAD_STATE)
                RULE(observer, "C4", strstr(effect->text, contract_call_to_string(effect->call)));
        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                if (effect->error == CONTRACT_ERROR_SNAPSHOT_SET_IN_PROGRESS && !observer->dark &&
                    observer_owns_slot(&observer->sessions[i]))
                        RULE(observer, "C3", strstr(effect->text, observer->sessions[i].id));
}

void check_reply(Observer *observer, const ContractEffect *effect) {
        SeenSession *session = observer_session(observer, effect->session);
        bool decided;
        ContractError error;
        size_t i = 0;

        while (i < observer->n_tokens && observer->tokens[i].token != effect->token)
                i++;
        RULE(observer, "C4", i < observer->n_tokens); /* every call is answered once */
        RULE(observer, "C4", observer->tokens[i].session == effect->session);
        RULE(observer, "C4", observer->tokens[i].call == effect->call);
        decided = observer->tokens[i].decided;
        error = observer->tokens[i].error;
        observer->tokens[i] = observer->tokens[--observer->n_tokens];
        check_text(observer, effect);
        if (decided) {
                RULE(observer, "C4", effect->error == error);
                RULE(observer, "C17",
                     !session || !session->aborted || error != CONTRACT_OK ||
                             !follows_success(effect->call));
                return;
        }
        RULE(observer, "C1", session);
        if (effect->call == CONTRACT_CALL_ABORT_BACKUP)
                check_aborted(observer, session, effect);
        else if (effect->call == CONTRACT_CALL_RELEASE || effect->call == CONTRACT_CALL_NONE)
                check_released(observer, session, effect);
        else
                check_running(observer, session, effect);
}
