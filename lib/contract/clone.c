/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Copying a machine, for tests that walk all states.
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
