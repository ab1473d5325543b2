/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table of sessions.
 *
 * A session keeps its slot from OPEN until the input after its SESSION_GONE: the strings of the last effects
 * live in it. The lowest empty slot is taken first, so equal histories give equal tables.
 */

#include "contract/machine.h"

#include <assert.h>

/**
 * session_grow() - room for more items in an array
 * @items:      the array
 * @allocated:  how many items it has room for
 * @size:       of one item, in bytes
 * @n:          how many it shall have room for
 *
 * New memory is zeroed.
 *
 * Return: 0, or -ENOMEM with the array unchanged.
 */
int session_grow(void **items, uint32_t *allocated, size_t size, uint32_t n) {
        uint32_t wanted = *allocated ? *allocated : 4;
        void *grown;

        if (n <= *allocated)
                return 0;
        while (wanted < n)
                wanted *= 2;
        grown = realloc(*items, wanted * size);
        if (!grown)
                return -ENOMEM;
        memset((char *) grown + *allocated * size, 0, (wanted - *allocated) * size);
        *items = grown;
        *allocated = wanted;
        return 0;
}

/**
 * session_new() - a session of its own slot, in state initialised
 * @contract:   the machine
 * @input:      OPEN or RECOVERED
 * @ret:        the session, owned by the machine
 *
 * Return: 0, -ENOMEM, or -ENOSPC.
 */
int session_new(Contract *contract, const ContractInput *input, Session **ret) {
        Session *session;
        uint16_t slot = 0;

        while (slot < contract->n_slots && contract->sessions[slot])
                slot++;
        if (slot == CONTRACT_SESSIONS_MAX)
                return -ENOSPC;
        session = calloc(1, sizeof(*session));
        if (!session)
                return -ENOMEM;

        session->handle = input->session;
        session->slot = slot;
        session->kind = input->kind;
        session->opened_usec = session->idle_since_usec = contract->now_usec;
        text_copy(session->id, sizeof(session->id), input->id);
        contract->sessions[slot] = session;
        if (slot == contract->n_slots)
                contract->n_slots++;
        *ret = session;
        return 0;
}

/**
 * session_free() - free a session's memory
 * @session:    the session, or NULL
 *
 * Return: NULL.
 */
Session *session_free(Session *session) {
        if (!session)
                return NULL;
        free(session->volumes);
        free(session->writers);
        free(session->places);
        free(session->components);
        free(session->names);
        free(session->name_pointers);
        free(session);
        return NULL;
}

/**
 * session_find() - the session with this handle
 * @contract:   the machine
 * @handle:     the user's
 *
 * Return: the session, or NULL if there is none or it is gone.
 */
Session *session_find(const Contract *contract, uint64_t handle) {
        for (size_t i = 0; i < contract->n_slots; i++) {
                Session *session = contract->sessions[i];

                if (session && !session->gone && session->handle == handle)
                        return session;
        }
        return NULL;
}

/**
 * session_set_state() - the one place where a session's state changes
 * @session:    the session
 * @state:      the new state
 */
void session_set_state(Session *session, ContractState state) {
        assert(session->state != CONTRACT_RELEASED);
        if (session->state == state)
                return;
        session->state = state;
        session->changed = true;
}

/**
 * session_set_phase() - the one place where what a session waits for changes
 * @session:    the session
 * @phase:      the new phase
 */
void session_set_phase(Session *session, Phase phase) {
        session->phase = phase;
        session->changed = true;
}

/**
 * session_reap() - free the sessions whose SESSION_GONE has been carried out
 * @contract:   the machine
 *
 * Not in the dark: effects that wait for its end still point into them.
 */
void session_reap(Contract *contract) {
        if (contract->dark)
                return;
        for (size_t i = 0; i < contract->n_slots; i++)
                if (contract->sessions[i] && contract->sessions[i]->gone)
                        contract->sessions[i] = session_free(contract->sessions[i]);
        while (contract->n_slots > 0 && !contract->sessions[contract->n_slots - 1])
                contract->n_slots--;
}
