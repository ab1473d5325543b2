/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A world around the contract that does anything at any time, and checks that the contract bears it.
 *
 * The world knows what is outstanding (events, steps, launches, calls, deadlines) and chooses the next
 * input: a good or a bad answer, a legal or a senseless call, a death, a deadline. What it chooses is driven
 * by a function that gives numbers, so that a random walk and a fuzzer share it. Limits are the real ones.
 * An observer (rules.h) holds every effect against the rules; a broken one ends the program with the
 * history. In the dark the bus brings no more than quiesced lets it (observer_may_call()).
 */

#include "contract/contract.h"

typedef uint32_t (*WorldChoice)(void *userdata, uint32_t n); /* below n */

typedef struct World World;

typedef struct WorldStatistics {
        uint64_t n_inputs, n_effects, n_sessions, n_created, n_given_up;
        uint64_t calls[_CONTRACT_STATE_MAX][_CONTRACT_CALL_MAX];
} WorldStatistics;

World *world_new(WorldChoice choose, void *userdata, WorldStatistics *statistics);
World *world_free(World *world);
/* One input of the world's choice. */
void world_step(World *world);
/* Every requester dies and everything outstanding is answered: all must be over then. */
void world_end(World *world);
uint64_t world_hash(const World *world);
