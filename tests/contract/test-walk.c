/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A long random walk through the contract, the same every time, and what it has seen.
 *
 * CONTRACT_WALK_SEED and CONTRACT_WALK_EPISODES in the environment make it another or a longer one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "contract/names.h"
#include "tests/contract/world.h"
#include "util/macro.h"

#define EPISODES    3000u
#define EPISODE_MAX 300u
#define SEEN_SIZE   (1u << 22)

static uint32_t random_choice(void *userdata, uint32_t n) {
        uint64_t *seed = userdata;

        *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t) ((*seed >> 33) % n);
}

/* A set of digests, open addressing. Returns whether it was new. */
static bool remember(uint64_t *seen, uint64_t digest) {
        digest += digest == 0;
        for (size_t i = digest % SEEN_SIZE;; i = (i + 1) % SEEN_SIZE) {
                if (seen[i] == digest)
                        return false;
                if (seen[i] != 0)
                        continue;
                seen[i] = digest;
                return true;
        }
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
        const char *value = getenv(name);

        return value ? strtoull(value, NULL, 10) : otherwise;
}

/* Every call was made in every state that a session can be seen in. */
static void check_coverage(const WorldStatistics *statistics) {
        for (ContractState state = CONTRACT_INITIALISED; state < _CONTRACT_STATE_MAX; state++)
                for (ContractCall which = CONTRACT_CALL_NONE + 1; which < _CONTRACT_CALL_MAX; which++)
                        if (state != CONTRACT_RELEASED && statistics->calls[state][which] == 0)
                                fail_msg("%s was never called in state %s", contract_call_to_string(which),
                                         contract_state_to_string(state));
}

static void test_walk_keeps_every_rule(void **state) {
        uint64_t seed = number_from_environment("CONTRACT_WALK_SEED", 1);
        uint64_t episodes = number_from_environment("CONTRACT_WALK_EPISODES", EPISODES);
        uint64_t *states = calloc(SEEN_SIZE, sizeof(*states)),
                 *transitions = calloc(SEEN_SIZE, sizeof(*states));
        uint64_t n_states = 0, n_transitions = 0;
        WorldStatistics statistics = {};

        assert_non_null(states);
        assert_non_null(transitions);
        for (uint64_t episode = 0; episode < episodes; episode++) {
                World *world = world_new(random_choice, &seed, &statistics);
                uint64_t before = world_hash(world);

                for (uint32_t i = 0; i < EPISODE_MAX; i++) {
                        uint64_t after;

                        world_step(world);
                        after = world_hash(world);
                        if (n_states < SEEN_SIZE / 2)
                                n_states += remember(states, after);
                        if (n_transitions < SEEN_SIZE / 2)
                                n_transitions += remember(transitions, before * 31 ^ after);
                        before = after;
                }
                world_end(world);
                world_free(world);
        }
        print_message("walked %llu inputs, %llu effects: %llu states, %llu transitions; %llu sessions, %llu "
                      "sets created, %llu given up\n",
                      (unsigned long long) statistics.n_inputs, (unsigned long long) statistics.n_effects,
                      (unsigned long long) n_states, (unsigned long long) n_transitions,
                      (unsigned long long) statistics.n_sessions, (unsigned long long) statistics.n_created,
                      (unsigned long long) statistics.n_given_up);
        free(states);
        free(transitions);
        if (episodes >= EPISODES)
                check_coverage(&statistics);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_walk_keeps_every_rule),
        };

        return cmocka_run_group_tests_name("contract: walk", tests, NULL, NULL);
}
