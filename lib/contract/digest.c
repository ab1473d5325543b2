/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Digesting a machine's state, for tests that walk all states.
 *
 * The digest covers what decides the machine's further effects, and only that: two machines of the same
 * digest answer every further input with the same effects, apart from the words of texts. Times count as
 * distance from now. What can decide nothing any more is left out: statistics; what only readers see of a
 * writer that has failed (how, at which event); what an earlier stage of the session needed (who is enabled
 * once the writers are gathered, where components lie once it is settled who takes part); and of a writer
 * that was sent BackupShutdown all but that. A new field of the session or of a writer belongs here, with
 * the states in which it counts.
 */

#include "contract/machine.h"

/* FNV-1a, by words where it can. */
static void add(uint64_t *hash, uint64_t value) {
        *hash = (*hash ^ value) * UINT64_C(0x100000001b3);
        *hash ^= *hash >> 29;
}

static void add_string(uint64_t *hash, const char *s) {
        size_t length = strlen(s);

        for (; length > 0; length -= length < 8 ? length : 8, s += 8) {
                uint64_t word = 0;

                memcpy(&word, s, length < 8 ? length : 8);
                add(hash, word);
        }
        add(hash, UINT64_MAX);
}

/* 0: never; what is over is over, however long. */
static void add_time(uint64_t *hash, const Contract *contract, uint64_t at_usec) {
        add(hash, at_usec == 0 ? 0 : at_usec <= contract->now_usec ? 1 : at_usec - contract->now_usec + 1);
}

static void add_bits(uint64_t *hash, const bool *flags, size_t n) {
        uint64_t bits = 0;

        for (size_t i = 0; i < n; i++)
                bits |= (uint64_t) flags[i] << i;
        add(hash, bits);
}

/* Neither PrepareForBackup nor PreRestore has settled yet who takes part. */
static bool session_is_placing(const Session *session) {
        return session->phase != PHASE_PREPARE_FOR_BACKUP && session->phase != PHASE_PRE_RESTORE &&
               (session->state == CONTRACT_INITIALISED || session->state == CONTRACT_GATHERED ||
                session->state == CONTRACT_OPEN);
}

/* A veto may still count (C14). */
static bool session_is_vetoing(const Session *session) {
        return session_is_placing(session) || session->phase == PHASE_PREPARE_FOR_BACKUP ||
               session->state == CONTRACT_PREPARED || session->phase == PHASE_SEQUENCE;
}

/* No event of the sequence can follow: only Abort, and what is owed at the end. */
static bool session_is_over(const Session *session) {
        return session->phase == PHASE_GIVE_UP || session->phase == PHASE_ABORT ||
               session_is_releasing(session) || session->state == CONTRACT_FAILED ||
               session->state == CONTRACT_ABORTED || session->state == CONTRACT_COMPLETED ||
               session->state == CONTRACT_LOST;
}

/* There is no set and will be none: nothing is deleted at release. */
static bool session_is_without_set(const Session *session) {
        return !session->set_created && (session->set_given_up || session_is_over(session));
}

static bool writer_has_veto(const Writer *writer) {
        return writer->state == CONTRACT_WRITER_FAILED_AT_IDENTIFY ||
               writer->state == CONTRACT_WRITER_FAILED_AT_PREPARE_BACKUP ||
               writer->state == CONTRACT_WRITER_FAILED_AT_PREPARE_SNAPSHOT ||
               writer->state == CONTRACT_WRITER_FAILED_AT_FREEZE;
}

/* Where the components lie. */
static void add_places(uint64_t *hash, const Session *session, const Writer *writer) {
        uint32_t index = (uint32_t) (writer - session->writers);

        for (uint32_t i = 0; i < session->n_places; i++)
                if (session->places[i].writer == index)
                        add_string(hash, session->places[i].key);
}

/* Which components there are, and what may still be set of them. */
static void add_components(uint64_t *hash, const Session *session, const Writer *writer) {
        add(hash, writer->n_components);
        for (uint32_t i = 0; i < writer->n_components; i++) {
                const Component *component = &session->components[writer->first_component + i];

                add_string(hash, component->path);
                add_string(hash, component->name);
                add(hash,
                    (uint64_t) component->selectable | (uint64_t) component->selectable_for_restore << 1 |
                            (uint64_t) component->selected << 2 | (uint64_t) component->backed_up << 3);
        }
}

static bool writer_was_told_the_end(const Writer *writer) {
        return writer_was_sent(writer, CONTRACT_EVENT_BACKUP_SHUTDOWN) ||
               writer_was_sent(writer, CONTRACT_EVENT_SESSION_CLOSED);
}

/* A source of C11 that has not sent it an Abort yet may still do so. */
static bool writer_may_be_aborted(const Session *session, const Writer *writer) {
        return writer->frozen || writer->abort_due || writer->queued == CONTRACT_EVENT_ABORT ||
               (!session->was_completed && writer_was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_BACKUP) &&
                !writer_was_sent(writer, CONTRACT_EVENT_POST_SNAPSHOT) &&
                !(writer->abort_sources & ABORT_BY_REQUESTER));
}

/* How it stands in the sequence: by its state while it is in it, and by whether it has failed. */
static void add_standing(uint64_t *hash, const Session *session, const Writer *writer) {
        bool failed = writer->failure != CONTRACT_FAILURE_NONE, vetoing = session_is_vetoing(session);
        uint32_t sent = writer->sent;

        if (failed || session_is_over(session)) /* it gets nothing more but Abort and BackupShutdown */
                sent &= 1u << CONTRACT_EVENT_PREPARE_FOR_BACKUP | 1u << CONTRACT_EVENT_POST_SNAPSHOT |
                        1u << CONTRACT_EVENT_PRE_RESTORE;
        if (session_is_over(session) && !writer->frozen)
                failed = true;
        add(hash, sent | (uint64_t) failed << 32 | (failed ? 0 : (uint64_t) writer->state << 33) |
                          (uint64_t) (vetoing && writer->excepted) << 40 |
                          (uint64_t) (vetoing && writer_has_veto(writer)) << 41);
}

/* C24, up to FINAL_COMMIT; what may have been made writable by then is the session's to know. */
static bool writer_may_want_to_write(const Session *session, const Writer *writer) {
        return writer->writable_snapshots && writer->failure == CONTRACT_FAILURE_NONE &&
               !session->no_return && !session_is_over(session);
}

static void add_writer(uint64_t *hash, const Contract *contract, const Session *session,
                       const Writer *writer) {
        bool over = session_is_over(session);

        add_string(hash, writer->name);
        if (!over)
                add_components(hash, session, writer);
        if (!session_is_placing(session) && !writer->takes_part)
                return; /* it gets no events */
        add_time(hash, contract, writer->answer_due_usec);
        add_time(hash, contract, writer->window_end_usec);
        if (writer_was_told_the_end(writer)) {
                add(hash, (uint64_t) writer->in_flight | 1u << 8);
                return;
        }
        add_standing(hash, session, writer);
        add(hash, (uint64_t) writer->level | (uint64_t) writer->in_flight << 8 |
                          (uint64_t) writer->queued << 16 | (uint64_t) writer->n_aborts << 24 |
                          (uint64_t) (writer->abort_sources & ABORT_BY_REQUESTER) << 32 |
                          (uint64_t) (over ? 0 : writer->abort_sources & ABORT_BY_COORDINATOR) << 33 |
                          (uint64_t) (!over && writer->abort_sources != 0) << 40);
        add_bits(hash,
                 (const bool[]){writer->enabled, writer->takes_part, writer->frozen, writer->abort_due,
                                writer->gone && (!over || writer_may_be_aborted(session, writer)),
                                session_is_placing(session) && writer->placed,
                                session_is_placing(session) && writer->never_restored,
                                writer_may_want_to_write(session, writer)},
                 8);
        add(hash, writer->wish_usec);
        if (session_is_placing(session))
                add_places(hash, session, writer);
}

static void add_flags(uint64_t *hash, const Session *session) {
        bool fresh = session->state == CONTRACT_INITIALISED, placing = session_is_placing(session);
        bool making = session->phase == PHASE_SEQUENCE;
        const bool flags[] = {
                session->launching,
                session->prepare_sent,
                session->sequence_begun,
                session->set_started,
                session->set_created,
                session->set_given_up,
                session->set_touched,
                session->slot_lost,
                session->abort_requested,
                session->was_aborted,
                session->release_requested,
                session->was_completed,
                session->shutdown_sent,
                session->signal_abort,
                session->signal_shutdown,
                session->step_orphaned,
                session->abort_step,
                session->abort_step_queued,
                fresh && session->context_set,
                fresh && session->names_enabled,
                placing && session->component_mode,
                making && session->stage_entered,
                making && session->no_return,
                making && session->frozen_by_commit,
                making && session->writable,
                making && session->level_delay_over,
                session->phase == PHASE_GIVE_UP && session->dark_guard_over,
                session_is_vetoing(session) && session->require_writers,
        };

        add_bits(hash, flags, ELEMENTSOF(flags));
        for (uint32_t i = 0; fresh && i < session->n_names; i++)
                add_string(hash, session->names[i]);
}

static void add_calls(uint64_t *hash, const Session *session) {
        add(hash, (uint64_t) session->running);
        add(hash, session->token);
        add(hash, session->n_abort_tokens);
        for (uint32_t i = 0; i < session->n_abort_tokens; i++)
                add(hash, session->abort_tokens[i]);
        add(hash, session->n_release_tokens);
        for (uint32_t i = 0; i < session->n_release_tokens; i++) {
                add(hash, session->release_tokens[i]);
                add(hash, (uint64_t) session->release_calls[i]);
        }
        add(hash, session->release_requested || session->shutdown_sent ? (uint64_t) session->cause : 0);
        add(hash, session->phase == PHASE_GIVE_UP ? (uint64_t) session->result.error : 0);
        add(hash, session->phase == PHASE_SEQUENCE ? session->hold_limit_usec : 0);
}

/* The steps of a set that nobody waits for are alike but for their names. */
static ContractStep step_kind(const Session *session) {
        switch (session->step) {
        case CONTRACT_STEP_COMMIT: /* in the dark it is waited for */
        case CONTRACT_STEP_DELETE:
        case CONTRACT_STEP_IS_VOLUME_SUPPORTED:
        case CONTRACT_STEP_NONE:
                return session->step;
        default:
                return session->step_orphaned ? CONTRACT_STEP_BEGIN_PREPARE : session->step;
        }
}

static void add_set(uint64_t *hash, const Session *session) {
        if (session->step != CONTRACT_STEP_NONE || session->step_queued != CONTRACT_STEP_NONE) {
                add(hash, (uint64_t) step_kind(session) | (uint64_t) session->step_queued << 8 |
                                  (uint64_t) session->step_volume << 16 |
                                  (uint64_t) session->step_at_release << 32);
                add_string(hash, session->step == CONTRACT_STEP_DELETE ? session->step_snapshot : "");
                add_string(hash, session->step_queued == CONTRACT_STEP_DELETE ? session->next_snapshot : "");
                add_string(hash, session->new_snapshot);
        }
        if (session->phase == PHASE_DELETE || session_is_releasing(session)) {
                add_string(hash, session->first_left);
                add(hash, session->n_deleted);
        }
        if (session->set_started || session->phase == PHASE_SLOT)
                add_string(hash, session->set_id);
        add(hash, session->n_volumes);
        for (uint32_t i = 0; i < session->n_volumes; i++) {
                add_string(hash, session->volumes[i].snapshot);
                add(hash, session->volumes[i].deleted);
                if (session_is_placing(session))
                        add_string(hash, session->volumes[i].key);
        }
}

static void add_session(uint64_t *hash, const Contract *contract, const Session *session) {
        add(hash, session->handle);
        add(hash, (uint64_t) session->kind | (uint64_t) session_has_writers(session) << 1 |
                          (uint64_t) (session_is_auto_release(session) && !session_is_without_set(session))
                                  << 2 |
                          (uint64_t) session->state << 16 | (uint64_t) session->phase << 24 |
                          (session->phase == PHASE_SEQUENCE ? (uint64_t) session->stage << 32 : 0));
        add_calls(hash, session);
        add_flags(hash, session);
        add_set(hash, session);
        add(hash, session->n_writers);
        for (uint32_t i = 0; i < session->n_writers; i++)
                add_writer(hash, contract, session, &session->writers[i]);
        add_time(hash, contract, session->level_delay_usec);
        add_time(hash, contract, session->slot_idle_usec);
        add_time(hash, contract, session->dark_guard_usec);
}

/* When an idle owner will lose the slot, and when it would if somebody waited (C3). */
static void add_slot(uint64_t *hash, const Contract *contract) {
        const Session *owner = contract->creator == NO_SLOT ? NULL : contract->sessions[contract->creator];

        add(hash, (uint64_t) contract->creator | (uint64_t) contract->n_waiting << 16);
        for (uint16_t i = 0; i < contract->n_waiting; i++)
                add(hash, contract->waiting[i]);
        if (!owner)
                return;
        add_time(hash, contract, usec_add(owner->idle_since_usec, contract->config.slot_idle_usec));
        add_time(hash, contract, usec_add(owner->idle_since_usec, contract->config.slot_idle_waited_usec));
        if (contract->n_waiting > 0)
                add_time(hash, contract,
                         usec_add(contract->waited_since_usec, contract->config.slot_idle_waited_usec));
}

/* What is kept back in the dark; that something has changed may be told once or twice. */
static void add_deferred(uint64_t *hash, const EffectStore *store, uint64_t session) {
        for (size_t i = store->n_flushed; i < store->n_deferred; i++) {
                const ContractEffect *effect = &store->deferred[i].effect;

                if (effect->type == CONTRACT_EFFECT_STATE_CHANGED || (session && effect->session != session))
                        continue;
                add(hash, (uint64_t) effect->type | (uint64_t) effect->error << 8 |
                                  (uint64_t) effect->event << 16 | (uint64_t) effect->writer << 24);
                add(hash, effect->session);
                add(hash, effect->token);
        }
}

/**
 * contract_hash() - a digest of the state
 * @contract:   the machine
 *
 * Return: 64 bits; no cryptography.
 */
uint64_t contract_hash(const Contract *contract) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        add(&hash, (uint64_t) contract->window | (uint64_t) contract->dark << 16);
        add_slot(&hash, contract);
        add_deferred(&hash, &contract->effects, 0);
        for (size_t i = 0; i < contract->n_slots; i++)
                if (contract->sessions[i] && !contract->sessions[i]->gone) {
                        add(&hash, i);
                        add_session(&hash, contract, contract->sessions[i]);
                }
        return hash;
}

/**
 * contract_hash_session() - a digest of one session's own state
 * @contract:   the machine
 * @session:    handle
 *
 * What it shares with others is left out: who owns the creation slot or waits for it, whose freeze window it
 * is, and the dark.
 *
 * Return: 64 bits, also if there is no such session (any more).
 */
uint64_t contract_hash_session(const Contract *contract, uint64_t session) {
        const Session *found = session_find(contract, session);
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        add_deferred(&hash, &contract->effects, session);
        if (found)
                add_session(&hash, contract, found);
        return hash;
}
