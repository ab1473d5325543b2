/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Several sessions at once, without walking the product of all their states.
 *
 * Sessions meet in four things only: the creation slot and the line before it (C3), the freeze window and
 * the names of the writers taking part in it (C31), and the dark. What a session does depends on its own
 * state and on these; what it does to others is a change of these. So a state need not be gone on from if
 * each of its sessions, in its own state and beside the same slot, window and dark, was gone on from before:
 * whatever comes of it has been seen, session by session.
 *
 * That is a claim about the machine, so it is checked where the walk is small enough: a session in the same
 * state, beside the same, must answer the same input with the same next state; and one that gets no input
 * must go on alike when what it can notice changes alike.
 */

#include "tests/contract/enumerate.h"
#include "util/macro.h"

static uint64_t mix(uint64_t a, uint64_t b) {
        a = (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);
        return (a ^ a >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
}

static uint64_t outside_of(const Observer *observer, const SeenSession *session) {
        if (session->handle == 0)
                return 0;
        return mix(session->handle, observer_hash_outside(observer, session));
}

/* What can be noticed of all others. */
static uint64_t outside_beside(const Observer *observer, const SeenSession *session) {
        uint64_t outside = observer->opened;

        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                if (&observer->sessions[i] != session)
                        outside += outside_of(observer, &observer->sessions[i]);
        return outside;
}

static uint64_t own_state(const Observer *observer, const SeenSession *session) {
        return mix(contract_hash_session(observer->contract, session->handle),
                   observer_hash_session(observer, session));
}

bool apart_is_new(Seen *seen, const Observer *observer) {
        bool new = false;

        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++) {
                const SeenSession *session = &observer->sessions[i];

                if (session->handle != 0)
                        new |= seen_add(seen,
                                        mix(own_state(observer, session), outside_beside(observer, session)),
                                        NULL);
        }
        return new || seen_add(seen, outside_beside(observer, NULL), NULL);
}

/* An input by all that is in it; its strings and arrays are the walk's constants. */
static uint64_t digest_of(const ContractInput *input) {
        const uint64_t parts[] = {
                input->type,
                input->kind,
                input->call,
                input->token,
                input->context,
                input->component_mode,
                (uintptr_t) input->names,
                input->n_names,
                (uintptr_t) input->fresh_id,
                input->wait,
                input->require_writers,
                input->hold_limit_usec,
                (uintptr_t) input->snapshot,
                (uintptr_t) input->writer_name,
                input->selected,
                (uintptr_t) input->writers,
                input->writer,
                input->event,
                input->failure,
                input->never_restored,
                input->step,
                input->error,
                (uintptr_t) input->key,
                input->file_systems_frozen,
                input->n_deleted,
                input->deadline & UINT32_MAX,
        };
        uint64_t digest = 1;

        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                digest = mix(digest, parts[i]);
        return digest;
}

static const SeenSession *session_with(const Observer *observer, uint64_t handle) {
        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++)
                if (observer->sessions[i].handle == handle)
                        return &observer->sessions[i];
        return NULL;
}

static uint64_t owner_of(const Observer *observer, const ContractInput *input) {
        for (size_t i = 0; input->type == CONTRACT_INPUT_DEADLINE && i < observer->n_deadlines; i++)
                if (observer->deadlines[i].id == input->deadline)
                        return observer->deadlines[i].session;
        return input->session;
}

void apart_verify(Seen *seen, const Observer *before, const ContractInput *input, const Observer *after) {
        uint64_t owner = owner_of(before, input);

        for (uint32_t i = 0; i < OBSERVER_SESSIONS_MAX; i++) {
                const SeenSession *session = &before->sessions[i], *then;
                uint64_t question, answer, first;

                if (session->handle == 0)
                        continue;
                then = session_with(after, session->handle);
                question = mix(own_state(before, session), outside_beside(before, session));
                question = session->handle == owner ? mix(question, digest_of(input))
                                                    : mix(question, 1 + outside_beside(after, then));
                answer = first = then ? own_state(after, then) : 0;
                if (!seen_add(seen, question, &first))
                        RULE(after, "apart", first == answer);
        }
}
