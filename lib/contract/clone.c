/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Copying a machine and digesting its state, for tests that walk all states.
 *
 * The digest covers what decides the machine's further behaviour: times count as distance from now, and
 * statistics (durations, when a session was opened) not at all. Two machines of the same digest answer every
 * further input alike, apart from the words of texts.
 */

#include "contract/machine.h"

static void *copy(const void *items, size_t n, size_t size, bool *failed) {
        void *copied;

        if (!items || n == 0)
                return NULL;
        copied = malloc(n * size);
        if (!copied) {
                *failed = true;
                return NULL;
        }
        return memcpy(copied, items, n * size);
}

static Session *session_clone(const Session *session) {
        bool failed = false;
        Session *clone = copy(session, 1, sizeof(*session), &failed);

        if (!clone)
                return NULL;
        clone->volumes = copy(session->volumes, session->volumes_allocated, sizeof(Volume), &failed);
        clone->writers = copy(session->writers, session->n_writers, sizeof(Writer), &failed);
        clone->places = copy(session->places, session->places_allocated, sizeof(Place), &failed);
        clone->components =
                copy(session->components, session->components_allocated, sizeof(Component), &failed);
        clone->names = copy(session->names, session->names_allocated, sizeof(Name), &failed);
        clone->name_pointers =
                copy(session->name_pointers, session->names_allocated, sizeof(const char *), &failed);
        return failed ? session_free(clone) : clone;
}

/* What is kept back names sets by pointers into their sessions. */
static void deferred_repoint(Contract *clone, const Contract *contract) {
        for (size_t i = 0; i < clone->effects.n_deferred; i++)
                for (size_t j = 0; j < clone->n_slots; j++)
                        if (contract->sessions[j] &&
                            clone->effects.deferred[i].effect.set_id == contract->sessions[j]->set_id)
                                clone->effects.deferred[i].effect.set_id = clone->sessions[j]->set_id;
}

/**
 * contract_clone() - an independent copy
 * @contract:   the machine
 * @ret:        the copy, to be freed with contract_free(); it has no effects of its own yet
 *
 * Return: 0, or -ENOMEM.
 */
int contract_clone(const Contract *contract, Contract **ret) {
        Contract *clone = malloc(sizeof(*clone));
        bool failed = !clone;

        if (failed)
                return -ENOMEM;
        *clone = *contract;
        clone->effects = (EffectStore){};
        for (size_t i = 0; i < contract->n_slots; i++) {
                clone->sessions[i] = contract->sessions[i] ? session_clone(contract->sessions[i]) : NULL;
                failed |= contract->sessions[i] && !clone->sessions[i];
        }
        clone->effects.n_deferred = clone->effects.deferred_allocated = contract->effects.n_deferred;
        clone->effects.n_flushed = contract->effects.n_flushed;
        clone->effects.deferred =
                copy(contract->effects.deferred, contract->effects.n_deferred, sizeof(Deferred), &failed);
        if (failed) {
                contract_free(clone);
                return -ENOMEM;
        }
        deferred_repoint(clone, contract);
        *ret = clone;
        return 0;
}

/* FNV-1a, by words where it can. */
static void add(uint64_t *hash, uint64_t value) {
        *hash = (*hash ^ value) * UINT64_C(0x100000001b3);
        *hash ^= *hash >> 29;
}

static void add_string(uint64_t *hash, const char *s) {
        for (; *s; s++)
                add(hash, (unsigned char) *s);
        add(hash, 256);
}

static void add_time(uint64_t *hash, const Contract *contract, uint64_t at_usec) {
        add(hash, at_usec == 0 ? 0 : at_usec - contract->now_usec + 1);
}

static void add_writer(uint64_t *hash, const Contract *contract, const Writer *writer) {
        add_string(hash, writer->name);
        add(hash, (uint64_t) writer->level | (uint64_t) writer->state << 4 |
                          (uint64_t) writer->failure << 10 | (uint64_t) writer->in_flight << 16 |
                          (uint64_t) writer->queued << 22 | (uint64_t) writer->last_event << 28 |
                          (uint64_t) writer->n_aborts << 34 | (uint64_t) writer->abort_sources << 40 |
                          (uint64_t) writer->enabled << 46 | (uint64_t) writer->gone << 47 |
                          (uint64_t) writer->takes_part << 48 | (uint64_t) writer->placed << 49 |
                          (uint64_t) writer->excepted << 50 | (uint64_t) writer->frozen << 51 |
                          (uint64_t) writer->abort_due << 52 | (uint64_t) writer->never_restored << 53);
        add(hash, writer->sent);
        add(hash, (uint64_t) writer->first_component << 32 | writer->n_components);
        add(hash, writer->wish_usec);
        add_time(hash, contract, writer->answer_due_usec);
        add_time(hash, contract, writer->window_end_usec);
}

static void add_flags(uint64_t *hash, const Session *session) {
        const bool flags[] = {
                session->stage_entered,     session->context_set,
                session->launching,         session->prepare_sent,
                session->sequence_begun,    session->no_return,
                session->require_writers,   session->frozen_by_commit,
                session->level_delay_over,  session->dark_guard_over,
                session->set_started,       session->set_created,
                session->set_given_up,      session->slot_lost,
                session->abort_requested,   session->was_aborted,
                session->release_requested, session->was_completed,
                session->shutdown_sent,     session->signal_abort,
                session->signal_shutdown,   session->gone,
                session->step_at_release,   session->step_orphaned,
                session->abort_step,        session->abort_step_queued,
                session->names_enabled,     session->set_touched,
                session->component_mode,
        };
        uint64_t bits = 0;

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                bits |= (uint64_t) flags[i] << i;
        add(hash, bits);
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
        add(hash, (uint64_t) session->cause);
        add(hash, (uint64_t) session->result.error);
}

static void add_set(uint64_t *hash, const Session *session) {
        add(hash, (uint64_t) session->step | (uint64_t) session->step_queued << 8 |
                          (uint64_t) session->step_volume << 16);
        add_string(hash, session->step_snapshot);
        add_string(hash, session->set_id);
        add_string(hash, session->new_snapshot);
        add_string(hash, session->first_left);
        add(hash, session->n_deleted);
        add(hash, session->n_volumes);
        for (uint32_t i = 0; i < session->n_volumes; i++) {
                add_string(hash, session->volumes[i].snapshot);
                add_string(hash, session->volumes[i].key);
                add(hash, session->volumes[i].deleted);
        }
}

static void add_session(uint64_t *hash, const Contract *contract, const Session *session) {
        add(hash, session->handle);
        add_string(hash, session->id);
        add(hash, (uint64_t) session->kind | (uint64_t) session->context << 8 |
                          (uint64_t) session->state << 16 | (uint64_t) session->phase << 24 |
                          (uint64_t) session->stage << 32 | (uint64_t) session->consistency << 40);
        add_calls(hash, session);
        add_flags(hash, session);
        add_set(hash, session);
        add(hash, session->n_writers);
        for (uint32_t i = 0; i < session->n_writers; i++)
                add_writer(hash, contract, &session->writers[i]);
        for (uint32_t i = 0; i < session->n_places; i++) {
                add(hash, session->places[i].writer);
                add_string(hash, session->places[i].key);
        }
        for (uint32_t i = 0; i < session->n_components; i++) {
                const Component *component = &session->components[i];

                add_string(hash, component->path);
                add_string(hash, component->name);
                add(hash,
                    (uint64_t) component->selectable | (uint64_t) component->selectable_for_restore << 1 |
                            (uint64_t) component->selected << 2 | (uint64_t) component->backed_up << 3);
        }
        for (uint32_t i = 0; i < session->n_names; i++)
                add_string(hash, session->names[i]);
        add_time(hash, contract, session->level_delay_usec);
        add_time(hash, contract, session->slot_idle_usec);
        add_time(hash, contract, session->dark_guard_usec);
}

/**
 * contract_hash() - a digest of the state
 * @contract:   the machine
 *
 * Return: 64 bits; no cryptography.
 */
uint64_t contract_hash(const Contract *contract) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        add(&hash, (uint64_t) contract->creator | (uint64_t) contract->window << 16 |
                           (uint64_t) contract->dark << 32 | (uint64_t) contract->n_waiting << 40);
        for (uint16_t i = 0; i < contract->n_waiting; i++)
                add(&hash, contract->waiting[i]);
        if (contract->n_waiting > 0)
                add_time(&hash, contract, contract->waited_since_usec);
        if (contract->creator != NO_SLOT)
                add_time(&hash, contract, contract->sessions[contract->creator]->idle_since_usec);
        add(&hash, contract->effects.n_deferred - contract->effects.n_flushed);
        for (size_t i = 0; i < contract->n_slots; i++)
                if (contract->sessions[i])
                        add_session(&hash, contract, contract->sessions[i]);
                else
                        add(&hash, UINT64_MAX);
        return hash;
}
