/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See known.h. If there is no room or no memory, something is not known: nothing depends on it. */

#include "writers.d/server/known.h"

#include "util/error.h"

/* A section that names another server now is another instance. */
static bool is_same(const Instance *a, const Instance *b) {
        return streq(a->name, b->name) && streq_ptr(a->socket, b->socket) && streq_ptr(a->host, b->host) &&
               a->port == b->port;
}

static size_t find(const Known *known, const Instance *instance) {
        size_t i = 0;

        while (i < known->instances.n_items && !is_same(known->instances.items[i], instance))
                i++;
        return i;
}

/**
 * known_learn() - an instance has told what it consists of
 * @known:      what is known
 * @instance:   which; copied
 * @facts:      emptied
 */
void known_learn(Known *known, const Instance *instance, Facts *facts) {
        _cleanup_(instance_freep) Instance *copy = NULL;
        size_t i = find(known, instance);

        if (i == known->instances.n_items) {
                if (instance_copy(&copy, instance) < 0 || instances_add(&known->instances, copy) < 0) {
                        facts_done(facts);
                        return;
                }
                TAKE_PTR(copy);
        }
        facts_done(&known->facts[i]);
        known->facts[i] = *facts;
        known->facts[i].instance = known->instances.items[i];
        *facts = (Facts){.instance = facts->instance};
}

/**
 * known_find() - what an instance consisted of
 * @known:      what is known
 * @instance:   which
 *
 * Return: it; NULL: never asked.
 */
const Facts *known_find(const Known *known, const Instance *instance) {
        size_t i = find(known, instance);

        return i < known->instances.n_items ? &known->facts[i] : NULL;
}

/**
 * known_done() - forget all
 * @known:      emptied
 */
void known_done(Known *known) {
        for (size_t i = 0; i < known->instances.n_items; i++)
                facts_done(&known->facts[i]);
        instances_done(&known->instances);
}
