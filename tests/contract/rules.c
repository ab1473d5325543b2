/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The observer: one input through the machine, and what must hold afterwards; see rules.h.
 */

#include "tests/contract/rules.h"

#include "contract/names.h"
#include "util/macro.h"

void observer_init(Observer *observer, const ContractConfig *config) {
        *observer = (Observer){.config = *config, .now_usec = 1000 * USEC_PER_SEC};
        if (contract_new(&observer->contract, config) < 0)
                abort();
        observer->digest = contract_hash(observer->contract);
}

_Noreturn void observer_fail(const Observer *observer, const char *rule, const char *condition,
                             const char *file, int line) {
        if (observer->history)
                observer->history(observer->userdata);
        fprintf(stderr, "%s:%d: %s does not hold: %s\n", file, line, rule, condition);
        abort();
}

SeenSession *observer_session(Observer *observer, uint64_t handle) {
        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                if (handle != 0 && observer->sessions[i].handle == handle)
                        return &observer->sessions[i];
        return NULL;
}

/* C3: from StartSnapshotSet until DoSnapshotSet has ended; a dead, released or aborted owner frees it at
 * once. */
bool observer_owns_slot(const SeenSession *session) {
        if (session->handle == 0 || session->slot != SLOT_OWNED)
                return false;
        return session->running != CONTRACT_CALL_NONE || !(session->abort_asked || session->release_asked);
}

bool observer_may_call(const Observer *observer, const SeenSession *session) {
        if (!observer->dark || observer->window == session->handle)
                return true;
        for (size_t i = 0; i < observer->n_tokens; i++)
                if (observer->tokens[i].session == session->handle)
                        return false;
        return !session->abort_asked && !session->release_asked;
}

void observer_print_input(FILE *stream, const ContractInput *input) {
        static const char *const types[_CONTRACT_INPUT_MAX] = {
                "open",      "call",     "writers",        "answer",        "gone",
                "step done", "deadline", "owner vanished", "administrator", "recovered",
        };

        fprintf(stream, "> %u: %s %s%s%s writer %u%s%s\n", (unsigned) input->session, types[input->type],
                contract_call_to_string(input->call), contract_event_to_string(input->event),
                contract_step_to_string(input->step), (unsigned) input->writer,
                input->type == CONTRACT_INPUT_OPEN && input->kind == CONTRACT_RESTORE ? " restore" : "",
                input->failure || input->error ? " FAILS" : "");
}

void observer_print_effect(FILE *stream, const ContractEffect *effect) {
        static const char *const types[_CONTRACT_EFFECT_MAX] = {
                "reply",      "launch", "event", "step",    "arm",         "disarm",      "dark", "light",
                "window-end", "signal", "state", "created", "set removed", "stop writer", "gone",
        };

        fprintf(stream, "  < %u: %s %s%s%s%s%s writer %u\n", (unsigned) effect->session, types[effect->type],
                contract_call_to_string(effect->call), effect->error ? " " : "",
                contract_error_to_string(effect->error), contract_event_to_string(effect->event),
                contract_step_to_string(effect->step), (unsigned) effect->writer);
}

/* A new session, as OPEN or RECOVERED tells of it. */
static void note_open(Observer *observer, const ContractInput *input) {
        SeenSession *session = observer->sessions;

        while (session->handle != 0)
                session++;
        observer->opened |= UINT64_C(1) << (input->session % 64);
        *session = (SeenSession){.handle = input->session, .kind = input->kind, .context = input->context};
        (void) snprintf(session->id, sizeof(session->id), "%s", input->id);
        if (input->type == CONTRACT_INPUT_OPEN) {
                session->context = CONTRACT_CONTEXT_BACKUP;
                return;
        }
        session->recovered = true;
        session->state = CONTRACT_LOST;
        session->completed = input->was_completed;
        session->aborted = input->was_aborted && !input->was_completed;
        session->set_started = session->set_created = input->set_id;
        (void) snprintf(session->set_id, sizeof(session->set_id), "%s", input->set_id ? input->set_id : "");
        session->n_writers = (uint32_t) input->n_writers;
        for (uint32_t i = 0; i < session->n_writers; i++)
                session->writers[i] = (SeenWriter){
                        .name = input->writers[i].name,
                        .level = input->writers[i].level,
                        .enabled = true,
                        .gone = input->writers[i].was_prepared,
                        .takes_part = input->writers[i].was_prepared,
                };
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (input->writers[i].was_prepared)
                        session->writers[i].sent =
                                1u << (session->kind == CONTRACT_BACKUP ? CONTRACT_EVENT_PREPARE_FOR_BACKUP
                                                                        : CONTRACT_EVENT_PRE_RESTORE);
}

static bool is_outstanding(const Observer *observer, const SeenSession *session) {
        if (session->step != CONTRACT_STEP_NONE || session->abort_step || session->launching)
                return true;
        for (uint32_t i = 0; i < session->n_writers; i++)
                if (session->writers[i].in_flight != CONTRACT_EVENT_NONE)
                        return true;
        for (uint32_t i = 0; session->slot == SLOT_WAITS && i < OBSERVER_SESSIONS_MAX; i++)
                if (observer_owns_slot(&observer->sessions[i]))
                        return true;
        return observer->window != 0 && observer->window != session->handle;
}

/* C28 and C30 of the writer that the input concerned; all others are as they were. */
static void check_writer(Observer *observer, const ContractWriterInfo *before, const SeenSession *session,
                         uint32_t index) {
        const Expected *expected = &observer->expected;
        bool mine = session->handle == expected->session && index == expected->writer;
        ContractWriterInfo after;

        RULE(observer, "C29", contract_get_writer(observer->contract, session->handle, index, &after));
        if (!before->name || !streq(before->name, after.name)) /* gathered just now */
                return;
        /* It may be gone, which is told in the light. */
        if (observer->dark && observer->window != session->handle && session->release_asked)
                return;
        if (mine && expected->writer_changes) {
                RULE(observer, "C28", after.state == expected->state);
                RULE(observer, "C28", after.failure == expected->failure);
        } else {
                RULE(observer, "C28", after.state == before->state && after.failure == before->failure);
        }
        RULE(observer, "C30", after.n_ignored == before->n_ignored + (mine && expected->ignored));
        for (ContractEvent event = CONTRACT_EVENT_NONE + 1; event < _CONTRACT_EVENT_MAX; event++)
                RULE(observer, "C29",
                     !was_sent(&session->writers[index], event) || session->recovered ||
                             after.limit_usec[event] > 0 || observer->config.event_limit_usec[event] == 0);
}

/* ReleaseSession is AbortBackup where it applies, then Release (C1): nobody is answered in between. */
static void conclude_abort(SeenSession *session) {
        bool over = session->abort_asked && session->release_asked && session->n_abort_calls == 0 &&
                    session->running == CONTRACT_CALL_NONE && !session->abort_step &&
                    (!session->set_started || session->set_created || !session->touched ||
                     session->abort_asked_for);

        for (uint32_t i = 0; i < session->n_writers; i++)
                over = over && session->writers[i].due == 0 &&
                       session->writers[i].in_flight != CONTRACT_EVENT_ABORT;
        if (!over)
                return;
        session->abort_asked = false;
        session->state = session->completed ? CONTRACT_COMPLETED : CONTRACT_ABORTED;
}

/* What must hold when all that follows from an input has been done. */
static void check_session(Observer *observer, SeenSession *session) {
        ContractSessionInfo info;

        RULE(observer, "C1", contract_get_session(observer->contract, session->handle, &info));
        RULE(observer, "C1", info.phase && info.id && streq(info.id, session->id));
        if (observer->dark) /* what was decided waits for the light */
                return;
        conclude_abort(session);
        RULE(observer, "C25",
             info.state == session->shown_state && info.running == session->shown_running &&
                     streq(info.phase, session->shown_phase) && info.n_volumes == session->shown_volumes);
        RULE(observer, "C4", info.state == session->state);
        RULE(observer, "C32", !session->recovered || info.state == CONTRACT_LOST || session->release_asked);
        RULE(observer, "C4", info.n_volumes == session->n_volumes || session->recovered);
        RULE(observer, "C4", !session->stopped); /* a stopped call was answered */
        RULE(observer, "C1",
             (session->running == CONTRACT_CALL_NONE && !session->abort_asked && !session->release_asked) ||
                     is_outstanding(observer, session));
        RULE(observer, "C25", !session->removal_owed);
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const SeenWriter *writer = &session->writers[i];

                RULE(observer, "C30", writer->stops_due == 0);
                RULE(observer, "C21",
                     writer->gone || writer->sent == 0 ||
                             !contract_may_replace_writer(observer->contract, writer->name));
        }
}

static void check_after(Observer *observer) {
        bool owned = false;

        RULE(observer, "C30", observer->expected.rearm == 0 && !observer->expected.sent_to);
        for (size_t i = 0; i < observer->n_tokens && !observer->dark; i++)
                RULE(observer, "C4", !observer->tokens[i].decided);
        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                if (observer->sessions[i].handle != 0) {
                        check_session(observer, &observer->sessions[i]);
                        owned |= observer_owns_slot(&observer->sessions[i]);
                }
        RULE(observer, "C3", owned || observer->n_waiting == 0 || observer->dark);
}

static void owe_reply(Observer *observer, const ContractInput *input) {
        RULE(observer, "test", observer->n_tokens < OBSERVER_TOKENS_MAX);
        observer->tokens[observer->n_tokens].token = input->token;
        observer->tokens[observer->n_tokens].session = input->session;
        observer->tokens[observer->n_tokens].call =
                input->type == CONTRACT_INPUT_CALL ? input->call : CONTRACT_CALL_NONE;
        observer->tokens[observer->n_tokens].decided = observer->expected.decided;
        observer->tokens[observer->n_tokens].error = observer->expected.error;
        observer->n_tokens++;
}

/* C4, C30: a call that is refused, an answer that comes late: nothing changes but that it is answered. The
 * owner of the slot is not idle any more, which is a change; in the dark the reply waits. */
static bool is_to_change_nothing(const Observer *observer) {
        return observer->expected.unchanged && !observer->dark && observer->config.slot_idle_usec == 0;
}

void observer_prove(Observer *observer) {
        if (observer->unproven)
                RULE(observer, "C4", observer->digest == contract_hash(observer->contract));
        observer->unproven = false;
}

static void feed_writers(Observer *observer, const ContractInput *input, const ContractEffects **effects) {
        ContractWriterInfo before[OBSERVER_SESSIONS_MAX][OBSERVER_WRITERS_MAX];
        uint64_t handles[OBSERVER_SESSIONS_MAX];
        bool refused = observer->expected.unchanged && observer->expected.decided;

        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++) {
                handles[i] = refused ? 0 : observer->sessions[i].handle;
                for (uint32_t j = 0; handles[i] != 0 && j < observer->sessions[i].n_writers; j++)
                        if (!contract_get_writer(observer->contract, handles[i], j, &before[i][j]))
                                before[i][j].name = NULL;
        }
        RULE(observer, "test", contract_input(observer->contract, input, effects) == 0);
        for (size_t i = 0; i < (*effects)->n_items; i++)
                check_effect(observer, &(*effects)->items[i]);
        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                for (uint32_t j = 0; handles[i] != 0 && handles[i] == observer->sessions[i].handle &&
                                     j < observer->sessions[i].n_writers;
                     j++)
                        check_writer(observer, &before[i][j], &observer->sessions[i], j);
}

const ContractEffects *observer_feed(Observer *observer, const ContractInput *input) {
        const ContractEffects *effects;
        bool unchanged;

        note_input(observer, input);
        if (input->type == CONTRACT_INPUT_OPEN || input->type == CONTRACT_INPUT_RECOVERED) {
                observer->expected.unchanged = false;
                note_open(observer, input);
        } else if (input->token != 0) {
                owe_reply(observer, input);
        }
        unchanged = is_to_change_nothing(observer);
        if (!unchanged)
                observer_prove(observer);
        feed_writers(observer, input, &effects);
        observer->n_effects += effects->n_items;
        check_after(observer);
        observer->unproven = unchanged;
        if (unchanged)
                RULE(observer, "C4", effects->n_items == (input->token != 0));
        else
                observer->digest = contract_hash(observer->contract);
        return effects;
}

/* ── Digest ─────────────────────────────────────────────────────────────────────────────────────────── */

static void add(uint64_t *hash, uint64_t value) {
        *hash = (*hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
        *hash ^= *hash >> 32;
}

/* Before PrepareForBackup settles who takes part. */
static bool is_placing(const SeenSession *session) {
        return session->running != CONTRACT_CALL_PREPARE_FOR_BACKUP &&
               session->running != CONTRACT_CALL_PRE_RESTORE &&
               (session->state == CONTRACT_INITIALISED || session->state == CONTRACT_GATHERED ||
                session->state == CONTRACT_OPEN);
}

/* No event of the sequence can follow. */
static bool is_over(const SeenSession *session) {
        return session->giving_up || session->state == CONTRACT_FAILED ||
               session->state == CONTRACT_ABORTED || session->state == CONTRACT_COMPLETED ||
               session->state == CONTRACT_LOST ||
               (session->running == CONTRACT_CALL_NONE && (session->abort_asked || session->release_asked));
}

/* Who has been told of the end will be told nothing; who has failed only Abort and BackupShutdown. */
static void add_writer(uint64_t *hash, const SeenSession *session, const SeenWriter *writer) {
        uint32_t sent = writer->sent,
                 ends = 1u << CONTRACT_EVENT_BACKUP_SHUTDOWN | 1u << CONTRACT_EVENT_SESSION_CLOSED;
        bool placing = is_placing(session), over = is_over(session);
        bool making = session->running == CONTRACT_CALL_DO_SNAPSHOT_SET && !session->giving_up;
        bool vetoing = placing || session->running == CONTRACT_CALL_PREPARE_FOR_BACKUP ||
                       session->state == CONTRACT_PREPARED || making;
        bool may_be_aborted = writer->frozen || writer->due != 0 ||
                              (!session->completed && !was_sent(writer, CONTRACT_EVENT_POST_SNAPSHOT) &&
                               !(writer->had & FROM_REQUESTER));

        if (!over)
                add(hash, (uint64_t) (writer->n_components > 0) |
                                  (uint64_t) (placing && writer->never) << 1 |
                                  (uint64_t) writer->selected << 2);
        if (!placing && !writer->takes_part) {
                add(hash, 0);
                return;
        }
        if (was_ended(writer)) {
                add(hash, ends | (uint64_t) writer->in_flight << 32 | (uint64_t) writer->stops_due << 41);
                return;
        }
        if (writer->failed || over)
                sent &= ends | 1u << CONTRACT_EVENT_PREPARE_FOR_BACKUP | 1u << CONTRACT_EVENT_POST_SNAPSHOT |
                        1u << CONTRACT_EVENT_PRE_RESTORE | (making ? 1u << CONTRACT_EVENT_THAW : 0);
        add(hash,
            sent | (uint64_t) writer->in_flight << 32 | (uint64_t) writer->n_aborts << 40 |
                    (uint64_t) writer->due << 44 |
                    (uint64_t) (writer->had & (over ? FROM_REQUESTER : FROM_REQUESTER | FROM_COORDINATOR))
                            << 48 |
                    (uint64_t) (!over && writer->had != 0) << 52 |
                    (uint64_t) (writer->gone && (!over || may_be_aborted)) << 53 |
                    (uint64_t) (writer->failed && (!over || writer->frozen)) << 54 |
                    (uint64_t) writer->frozen << 55 | (uint64_t) writer->takes_part << 56 |
                    (uint64_t) writer->stops_due << 61 | (uint64_t) (vetoing && writer->veto) << 58 |
                    (uint64_t) (writer->in_flight == CONTRACT_EVENT_THAW && writer->waited_for) << 57 |
                    (uint64_t) (vetoing && writer->excepted) << 59 | (uint64_t) writer->enabled << 60);
        if (placing)
                add(hash, writer->places | (uint64_t) writer->placed << 32 |
                                  (uint64_t) (session->running == CONTRACT_CALL_GATHER_WRITER_METADATA &&
                                              writer->available)
                                          << 33);
}

/* The steps of a set that nobody waits for are alike but for their names. */
static ContractStep step_kind(const SeenSession *session) {
        bool alike = session->orphan && session->step != CONTRACT_STEP_COMMIT &&
                     session->step != CONTRACT_STEP_DELETE &&
                     session->step != CONTRACT_STEP_IS_VOLUME_SUPPORTED;

        return alike ? CONTRACT_STEP_BEGIN_PREPARE : session->step;
}

static void add_set(uint64_t *hash, const SeenSession *session) {
        bool making = session->running == CONTRACT_CALL_DO_SNAPSHOT_SET && !session->giving_up;
        bool before = !session->set_created &&
                      (session->state == CONTRACT_INITIALISED || session->state == CONTRACT_GATHERED ||
                       session->state == CONTRACT_OPEN || session->state == CONTRACT_PREPARED || making);

        add(hash, (uint64_t) session->slot | (uint64_t) session->set_started << 2 |
                          (uint64_t) session->set_created << 3 | (uint64_t) session->removal_owed << 4 |
                          (uint64_t) session->in_sequence << 5 |
                          (uint64_t) (before && session->require) << 6 |
                          (uint64_t) (making && session->post) << 7 |
                          (uint64_t) (making && session->all_frozen) << 8 |
                          (uint64_t) (making && session->writable) << 9 | (uint64_t) session->orphan << 10 |
                          (uint64_t) session->abort_step << 11 | (uint64_t) session->delete_asked << 12 |
                          (uint64_t) (!session->set_created && session->abort_asked_for) << 13 |
                          (uint64_t) (!session->set_created && session->touched) << 14 |
                          (uint64_t) session->signal_abort << 15 |
                          (session->signal_abort ? (uint64_t) session->abort_outcome << 17 : 0) |
                          (uint64_t) session->signal_shutdown << 16 | (uint64_t) session->n_volumes << 20 |
                          (uint64_t) session->deleted << 24 | (uint64_t) step_kind(session) << 32 |
                          (uint64_t) session->delete_one << 40);
        add(hash, making ? session->steps : 0);
        add(hash, making ? session->hold_limit_usec : 0);
        add(hash, before && !making ? session->keys : 0);
}

static uint64_t hash_session(const SeenSession *session) {
        uint64_t hash = 1;
        bool fresh = session->state == CONTRACT_INITIALISED;

        bool no_set = !session->set_created && is_over(session);

        add(&hash, (uint64_t) session->kind | (uint64_t) seen_has_writers(session) << 2 |
                           (uint64_t) (seen_is_auto_release(session) && !no_set) << 3 |
                           (uint64_t) session->state << 6 | (uint64_t) session->running << 12 |
                           (uint64_t) (fresh && session->context_set) << 20 |
                           (uint64_t) session->recovered << 21 | (uint64_t) session->stopped << 22 |
                           (uint64_t) session->giving_up << 23 | (uint64_t) session->n_abort_calls << 24 |
                           (uint64_t) session->n_release_calls << 28 |
                           (uint64_t) session->abort_asked << 32 | (uint64_t) session->release_asked << 33 |
                           (uint64_t) session->aborted << 34 | (uint64_t) session->completed << 35 |
                           (uint64_t) session->slot_lost << 36 | (uint64_t) session->launching << 37 |
                           (uint64_t) session->stale << 38 | (uint64_t) (fresh && session->listed) << 39 |
                           (uint64_t) (fresh && session->lists_enabled) << 40 |
                           (uint64_t) (session->component_mode && is_placing(session)) << 45 |
                           (uint64_t) (session->release_asked ? session->cause : 0) << 41 |
                           (uint64_t) (session->stopped || session->giving_up ? session->result : 0) << 48);
        add_set(&hash, session);
        for (uint32_t i = 0; i < session->n_writers; i++)
                add_writer(&hash, session, &session->writers[i]);
        return hash;
}

static uint64_t mix(uint64_t a, uint64_t b) {
        uint64_t hash = a;

        add(&hash, b);
        add(&hash, a);
        return hash;
}

static uint64_t hash_waiting(const Observer *observer, uint64_t session) {
        uint64_t set = 0; /* in no order */

        for (size_t i = 0; i < observer->n_tokens; i++)
                if (session == 0 || observer->tokens[i].session == session)
                        set += mix(observer->tokens[i].token,
                                   observer->tokens[i].decided ? 1 + observer->tokens[i].error : 0);
        for (size_t i = 0; i < observer->n_deadlines; i++)
                if (session == 0 || observer->deadlines[i].session == session)
                        set += mix(observer->deadlines[i].session << 8 | observer->deadlines[i].purpose,
                                   observer->deadlines[i].writer);
        return set;
}

uint64_t observer_hash_session(const Observer *observer, const SeenSession *session) {
        return mix(hash_session(session), hash_waiting(observer, session->handle));
}

uint64_t observer_hash_outside(const Observer *observer, const SeenSession *session) {
        bool in_window = observer->window == session->handle;
        uint64_t hash = 1;

        add(&hash, (uint64_t) session->slot | (uint64_t) observer_owns_slot(session) << 2 |
                           (uint64_t) in_window << 3 | (uint64_t) (in_window && observer->dark) << 4);
        for (uint32_t i = 0; in_window && i < session->n_writers; i++)
                add(&hash, session->writers[i].takes_part);
        return hash;
}

uint64_t observer_hash(const Observer *observer) {
        uint64_t hash = observer->opened, set = observer->window << 1 | observer->dark;

        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                if (observer->sessions[i].handle != 0)
                        set += mix(observer->sessions[i].handle, hash_session(&observer->sessions[i]));
        for (size_t i = 0; i < observer->n_waiting; i++)
                add(&hash, observer->waiting[i]);
        add(&hash, set + hash_waiting(observer, 0));
        return hash;
}
