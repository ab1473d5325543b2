/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The walk: depth first, each state once; see enumerate.h.
 */

#include "tests/contract/enumerate.h"
#include "util/macro.h"

#include <assert.h>
#include <malloc.h>

typedef struct Node {
        Observer observer;
        uint64_t key;
        Inputs inputs;
        size_t next; /* DEATH: of the daemon, before anything else */
} Node;

#define DEATH SIZE_MAX

typedef struct Walk {
        const EnumerateBounds *bounds;
        Enumerated found;
        Seen seen, reactions;
        Node **path; /* from the first state to the one that is looked at */
        size_t n_path, allocated;
} Walk;

static void seen_grow(Seen *seen) {
        Seen grown = {.size = seen->size ? 2 * seen->size : 1u << 16};

        grown.items = calloc(grown.size, sizeof(*grown.items));
        grown.values = calloc(grown.size, sizeof(*grown.values));
        assert(grown.items && grown.values);
        for (size_t i = 0; i < seen->size; i++) {
                size_t place = seen->items[i] % grown.size;

                if (seen->items[i] == 0)
                        continue;
                while (grown.items[place] != 0)
                        place = (place + 1) % grown.size;
                grown.items[place] = seen->items[i];
                grown.values[place] = seen->values[i];
        }
        grown.n_items = seen->n_items;
        seen_done(seen);
        *seen = grown;
}

/* Open addressing. */
bool seen_add(Seen *seen, uint64_t digest, uint64_t *value) {
        size_t place;

        if (2 * seen->n_items >= seen->size)
                seen_grow(seen);
        digest += digest == 0;
        for (place = digest % seen->size; seen->items[place] != 0; place = (place + 1) % seen->size)
                if (seen->items[place] == digest) {
                        if (value)
                                *value = seen->values[place];
                        return false;
                }
        seen->items[place] = digest;
        if (value)
                seen->values[place] = *value;
        seen->n_items++;
        return true;
}

void seen_done(Seen *seen) {
        free(seen->items);
        free(seen->values);
        *seen = (Seen){};
}

/* How it came to what is wrong: the inputs from the first state on, with what the last one caused. */
static void print_path(const void *userdata) {
        const Walk *walk = userdata;

        for (size_t i = 0; i < walk->n_path; i++)
                if (walk->path[i]->next == DEATH)
                        fprintf(stderr, "> the daemon dies\n");
                else
                        observer_print_input(stderr, &walk->path[i]->inputs.items[walk->path[i]->next]);
}

static uint64_t key_of(const Observer *observer) {
        return observer->digest * UINT64_C(0x9e3779b97f4a7c15) ^ observer_hash(observer);
}

static void copy(const Observer *observer, Observer *ret) {
        *ret = *observer;
        if (contract_clone(observer->contract, &ret->contract) < 0)
                abort();
}

/* A state is entered if it is new; the walk owns the observer then. */
static bool enter(Walk *walk, const Observer *observer, uint64_t key) {
        Node *node;

        if (walk->bounds->apart ? !apart_is_new(&walk->seen, observer) : !seen_add(&walk->seen, key, NULL))
                return false;
        walk->found.n_states++;
        if (walk->n_path == walk->allocated) {
                walk->allocated += 256;
                walk->path = realloc(walk->path, walk->allocated * sizeof(*walk->path));
                assert(walk->path);
                for (size_t i = walk->n_path; i < walk->allocated; i++)
                        walk->path[i] = NULL;
        }
        if (!walk->path[walk->n_path])
                walk->path[walk->n_path] = malloc(sizeof(Node));
        node = walk->path[walk->n_path];
        assert(node);
        node->observer = *observer;
        node->key = key;
        node->next = DEATH;
        inputs_list(walk->bounds, observer, &node->inputs);
        walk->n_path++;
        if (walk->n_path > walk->found.n_depth)
                walk->found.n_depth = walk->n_path;
        return true;
}

/* C32: the daemon may die in any state. Returns whether that leads to a new one. */
static bool die(Walk *walk, const Observer *observer) {
        Observer next;

        if (inputs_recover(observer, &next)) {
                walk->found.n_transitions++;
                if (enter(walk, &next, key_of(&next)))
                        return true;
        }
        contract_free(next.contract);
        return false;
}

/* In the dark what is refused is answered later, and changes nothing: it is not gone on from. */
static bool goes_on(const Observer *observer) {
        return !(observer->dark && observer->expected.unchanged && observer->expected.decided);
}

Enumerated enumerate(const EnumerateBounds *bounds) {
        Walk walk = {.bounds = bounds};
        ContractConfig config = {};
        Observer observer;
        bool clean = false;

        /* Each input is fed to a copy: filling all its memory would take most of the time. The other tests
         * have it filled. */
        (void) mallopt(M_PERTURB, 0);
        observer_init(&observer, &config);
        observer.history = print_path;
        observer.userdata = &walk;
        (void) enter(&walk, &observer, key_of(&observer));
        while (walk.n_path > 0) {
                Node *node = walk.path[walk.n_path - 1];
                uint64_t key;

                if (node->next == DEATH) {
                        if (!die(&walk, &node->observer))
                                node->next++;
                        continue;
                }
                if (node->next == node->inputs.n_items) {
                        if (clean) {
                                observer_prove(&observer);
                                contract_free(observer.contract);
                        }
                        clean = false;
                        contract_free(node->observer.contract);
                        walk.n_path--;
                        if (walk.n_path > 0)
                                walk.path[walk.n_path - 1]->next++;
                        continue;
                }
                if (!clean)
                        copy(&node->observer, &observer);
                clean = false;
                (void) observer_feed(&observer, &node->inputs.items[node->next]);
                walk.found.n_transitions++;
                if (bounds->verify)
                        apart_verify(&walk.reactions, &node->observer, &node->inputs.items[node->next],
                                     &observer);
                key = observer.expected.unchanged && !observer.dark ? node->key : key_of(&observer);
                if (key == node->key) { /* nothing has happened: as good as new */
                        clean = true;
                } else if (goes_on(&observer) && enter(&walk, &observer, key)) {
                        continue;
                } else {
                        contract_free(observer.contract);
                }
                node->next++;
        }
        walk.found.n_effects = observer.n_effects;
        for (size_t i = 0; i < walk.allocated; i++)
                free(walk.path[i]);
        free(walk.path);
        seen_done(&walk.seen);
        seen_done(&walk.reactions);
        return walk.found;
}
