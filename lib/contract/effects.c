/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The list of effects an input has, and what is kept back of it while it is dark.
 *
 * In the dark nothing may go to the system bus, to PID 1 or to a file (see "dark" in the contract's words):
 * replies, signals, changes of objects and stopping of units wait, in order, until DARK_END. Memory for the
 * longest possible list is reserved beforehand, so that adding never fails.
 */

#include "contract/machine.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* No input has more effects than this: a writer may be told that its event is late, be sent an Abort and a
 * BackupShutdown, each with its deadlines. */
#define EFFECTS_PER_WRITER   16u
#define EFFECTS_PER_SESSION  64u
#define EFFECTS_BASE         64u
#define DEFERRED_PER_WRITER  2u
#define DEFERRED_PER_SESSION 32u
#define TEXTS_PER_SESSION    4u

/**
 * text_copy() - copy a string into a fixed place, cut if too long
 * @target:     the place
 * @size:       its size in bytes
 * @source:     the string; NULL is ""
 *
 * The rest of the place is zeroed.
 */
void text_copy(char *target, size_t size, const char *source) {
        size_t length = source ? strlen(source) : 0;

        length = length < size ? length : size - 1;
        if (length > 0)
                memmove(target, source, length);
        memset(target + length, 0, size - length);
}

static int reserve(void **items, size_t *allocated, size_t size, size_t n) {
        void *grown;

        if (n <= *allocated)
                return 0;
        n += n / 2;
        grown = realloc(*items, n * size);
        if (!grown)
                return -ENOMEM;
        *items = grown;
        *allocated = n;
        return 0;
}

/* What was kept back and is carried out by now makes room. */
static void deferred_trim(EffectStore *store) {
        if (store->n_flushed == 0)
                return;
        store->n_deferred -= store->n_flushed;
        memmove(store->deferred, store->deferred + store->n_flushed,
                store->n_deferred * sizeof(store->deferred[0]));
        store->n_flushed = 0;
}

/**
 * effects_reserve() - an empty list with room for all that an input can cause
 * @contract:   the machine
 * @input:      the input about to be handled
 *
 * Return: 0, or -ENOMEM.
 */
int effects_reserve(Contract *contract, const ContractInput *input) {
        EffectStore *store = &contract->effects;
        size_t n_sessions = 0, n_writers = input->n_writers, n;
        int r;

        for (size_t i = 0; i < contract->n_slots; i++)
                if (contract->sessions[i]) {
                        n_sessions++;
                        n_writers += contract->sessions[i]->n_writers;
                }
        n = EFFECTS_BASE + EFFECTS_PER_SESSION * n_sessions + EFFECTS_PER_WRITER * n_writers;
        deferred_trim(store);
        r = reserve((void **) &store->deferred, &store->deferred_allocated, sizeof(store->deferred[0]),
                    store->n_deferred + DEFERRED_PER_SESSION * (n_sessions + 1) +
                            DEFERRED_PER_WRITER * n_writers);
        if (r < 0)
                return r;
        r = reserve((void **) &store->items, &store->items_allocated, sizeof(store->items[0]),
                    n + store->n_deferred);
        if (r < 0)
                return r;
        r = reserve((void **) &store->texts, &store->texts_allocated, sizeof(store->texts[0]),
                    TEXTS_PER_SESSION * (n_sessions + 1));
        if (r < 0)
                return r;
        store->n_items = store->n_texts = 0;
        return 0;
}

static bool effect_waits_for_light(ContractEffectType type) {
        switch (type) {
        case CONTRACT_EFFECT_REPLY:
        case CONTRACT_EFFECT_SIGNAL:
        case CONTRACT_EFFECT_STATE_CHANGED:
        case CONTRACT_EFFECT_SET_CREATED:
        case CONTRACT_EFFECT_SET_REMOVED:
        case CONTRACT_EFFECT_STOP_WRITER:
        case CONTRACT_EFFECT_SESSION_GONE:
                return true;
        default:
                return false;
        }
}

/**
 * effect_add() - one more effect, now or when the dark is over
 * @contract:   the machine
 * @type:       which
 * @session:    whose, or NULL
 *
 * Return: the effect, to be filled in at once; its text is set with effect_reply() only.
 */
ContractEffect *effect_add(Contract *contract, ContractEffectType type, const Session *session) {
        EffectStore *store = &contract->effects;
        ContractEffect *effect;

        if (contract->dark && effect_waits_for_light(type)) {
                assert(store->n_deferred < store->deferred_allocated);
                memset(&store->deferred[store->n_deferred], 0, sizeof(store->deferred[0]));
                effect = &store->deferred[store->n_deferred++].effect;
        } else {
                assert(store->n_items < store->items_allocated);
                effect = &store->items[store->n_items++];
                memset(effect, 0, sizeof(*effect));
        }
        effect->type = type;
        effect->session = session ? session->handle : 0;
        return effect;
}

/**
 * effect_flush() - carry out what was kept back, now that the dark is over
 * @contract:   the machine, no longer dark
 */
void effect_flush(Contract *contract) {
        EffectStore *store = &contract->effects;

        assert(!contract->dark);
        for (; store->n_flushed < store->n_deferred; store->n_flushed++) {
                Deferred *deferred = &store->deferred[store->n_flushed];

                if (deferred->effect.text)
                        deferred->effect.text = deferred->text;
                if (deferred->effect.first_left)
                        deferred->effect.first_left = deferred->first_left;
                assert(store->n_items < store->items_allocated);
                store->items[store->n_items++] = deferred->effect;
        }
}

/* Where the text of an effect just added belongs. */
static char *effect_text(Contract *contract, const ContractEffect *effect) {
        EffectStore *store = &contract->effects;

        if (store->n_deferred > 0 && effect == &store->deferred[store->n_deferred - 1].effect)
                return store->deferred[store->n_deferred - 1].text;
        assert(store->n_texts < store->texts_allocated);
        return store->texts[store->n_texts++];
}

/**
 * effect_state_changed() - the session's properties have changed
 * @contract:   the machine
 * @session:    the session
 */
void effect_state_changed(Contract *contract, Session *session) {
        session->changed = false;
        (void) effect_add(contract, CONTRACT_EFFECT_STATE_CHANGED, session);
}

/* What DeleteSnapshots and Release tell about snapshots they could not delete. */
static void effect_list_left(Contract *contract, ContractEffect *effect, const Session *session) {
        EffectStore *store = &contract->effects;

        effect->n_deleted = session->n_deleted;
        if (!session->first_left[0])
                return;
        effect->first_left = session->first_left;
        if (store->n_deferred > 0 && effect == &store->deferred[store->n_deferred - 1].effect)
                text_copy(store->deferred[store->n_deferred - 1].first_left, CONTRACT_ID_MAX,
                          session->first_left);
}

/**
 * effect_reply() - answer a call
 * @contract:   the machine
 * @session:    whose call; its changes are told first (C25)
 * @call:       which
 * @token:      the caller's; 0: nobody waits, nothing is sent
 * @error:      CONTRACT_OK or what went wrong
 * @format:     the text for people that goes with an error, or NULL
 */
void effect_reply(Contract *contract, Session *session, ContractCall call, uint64_t token,
                  ContractError error, const char *format, ...) {
        ContractEffect *effect;
        char *text;
        va_list arguments;

        session->idle_since_usec = contract->now_usec;
        if (session->changed)
                effect_state_changed(contract, session);
        if (token == 0)
                return;
        effect = effect_add(contract, CONTRACT_EFFECT_REPLY, session);
        effect->token = token;
        effect->call = call;
        effect->error = error;
        if (call == CONTRACT_CALL_DO_SNAPSHOT_SET && error == CONTRACT_OK)
                effect->consistency = session->consistency;
        if (call == CONTRACT_CALL_DELETE_SNAPSHOTS || call == CONTRACT_CALL_RELEASE ||
            call == CONTRACT_CALL_NONE)
                effect_list_left(contract, effect, session);
        if (error == CONTRACT_OK || !format)
                return;
        text = effect_text(contract, effect);
        va_start(arguments, format);
        (void) vsnprintf(text, CONTRACT_TEXT_MAX, format, arguments);
        va_end(arguments);
        effect->text = text;
}

/**
 * effect_last_reply() - the reply just added, to say more in it
 * @contract:   the machine
 * @token:      the call's
 *
 * Return: the effect, or NULL if nobody waits for that reply.
 */
ContractEffect *effect_last_reply(Contract *contract, uint64_t token) {
        EffectStore *store = &contract->effects;
        ContractEffect *effect = NULL;

        if (contract->dark && store->n_deferred > store->n_flushed)
                effect = &store->deferred[store->n_deferred - 1].effect;
        else if (!contract->dark && store->n_items > 0)
                effect = &store->items[store->n_items - 1];
        return effect && effect->type == CONTRACT_EFFECT_REPLY && effect->token == token ? effect : NULL;
}

/**
 * effect_reply_stranger() - answer a call on a session that is not there (any more)
 * @contract:   the machine
 * @input:      any input; only one that carries a token is answered
 */
void effect_reply_stranger(Contract *contract, const ContractInput *input) {
        ContractEffect *effect;
        char *text;

        if (input->type != CONTRACT_INPUT_CALL && input->type != CONTRACT_INPUT_ADMINISTRATOR_RELEASE)
                return;
        if (input->token == 0)
                return;
        effect = effect_add(contract, CONTRACT_EFFECT_REPLY, NULL);
        effect->session = input->session;
        effect->token = input->token;
        effect->call = input->type == CONTRACT_INPUT_CALL ? input->call : CONTRACT_CALL_NONE;
        effect->error = input->type == CONTRACT_INPUT_CALL ? CONTRACT_ERROR_RELEASED
                                                           : CONTRACT_ERROR_OBJECT_NOT_FOUND;
        text = effect_text(contract, effect);
        text_copy(text, CONTRACT_TEXT_MAX,
                  input->type == CONTRACT_INPUT_CALL
                          ? "This session has been released; open a new one."
                          : "There is no such session; it may have been released meanwhile.");
        effect->text = text;
}

/**
 * effect_signal() - broadcast an Abort or a BackupShutdown (C25)
 * @contract:   the machine
 * @session:    the session
 * @event:      which
 */
void effect_signal(Contract *contract, Session *session, ContractEvent event) {
        ContractEffect *effect = effect_add(contract, CONTRACT_EFFECT_SIGNAL, session);

        effect->event = event;
        effect->outcome = session_outcome(session);
        effect->cause = session->cause;
        effect->set_id =
                event == CONTRACT_EVENT_ABORT ? session_set_current(session) : session_set_owed(session);
}
