/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every reachable state of one session, and every input possible in each: complete for three writers on
 * different levels and two volumes.
 *
 * Inputs are all calls, in and out of order; answers, good, bad and late; the deaths of the requester, of a
 * writer and of the daemon (with what it leaves behind for the next one); failing steps; passing deadlines;
 * the administrator. They are tried in every state, so any two at one instant come in both orders. All rules
 * are checked on every path (rules.h). States are known by contract_hash() together with what the observer
 * will judge by; both leave out only what can decide nothing any more.
 *
 * What is cut off, so that it fits:
 * - Time. Every limit is nothing long and any armed deadline may pass at any moment. How long limits are,
 * and a window too short for the hold (C8), is tested in test-window and test-writers.
 * - Values. A writer fails with one code, a step with one error, an argument is right or wrong in one way.
 * - In the dark a call that is refused is not gone on from: its answer waits, and nothing else has changed.
 * - The walk of three writers has one AbortBackup, Release or ReleaseSession unanswered at a time (each may
 *   come again after its answer), asks no question about volumes, and chooses who takes part by places
 * alone, not by EnableWriters, DisableWriters and components. All of that is in the walk of one writer and
 * one volume, and the choices in that of two and one: what they settle is one bit per writer, from
 *   PrepareForBackup on; a question shares nothing with the rest but the order of steps.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/contract/enumerate.h"

static const ContractWriterSpec writers[] = {
        {.name = "app", .level = CONTRACT_LEVEL_FRONT_END},
        {.name = "db", .level = CONTRACT_LEVEL_BACK_END, .writable_snapshots = true},
        {.name = "fs", .level = CONTRACT_LEVEL_SYSTEM},
};

static void walk(const EnumerateBounds *bounds) {
        Enumerated found = enumerate(bounds);

        print_message("%u writers, %u volumes: walked %llu states, %llu transitions\n",
                      (unsigned) bounds->n_writers, (unsigned) bounds->n_volumes,
                      (unsigned long long) found.n_states, (unsigned long long) found.n_transitions);
        assert_true(found.n_states > 10000); /* it has gone somewhere */
}

static void test_one_writer_and_all_else(void **state) {
        (void) state;
        walk(&(EnumerateBounds){.n_sessions = 1,
                                .n_volumes = 1,
                                .n_writers = 1,
                                .writers = writers + 1,
                                .restores = true,
                                .questions = true,
                                .choices = true,
                                .repeats = true});
}

static void test_two_writers_and_all_choices(void **state) {
        (void) state;
        walk(&(EnumerateBounds){.n_sessions = 1,
                                .n_volumes = 1,
                                .n_writers = 2,
                                .writers = writers + 1,
                                .restores = true,
                                .choices = true});
}

static void test_three_writers_and_two_volumes(void **state) {
        (void) state;
        walk(&(EnumerateBounds){
                .n_sessions = 1, .n_volumes = 2, .n_writers = 3, .writers = writers, .restores = true});
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_writer_and_all_else),
                cmocka_unit_test(test_two_writers_and_all_choices),
                cmocka_unit_test(test_three_writers_and_two_volumes),
        };

        return cmocka_run_group_tests_name("contract: every state of one session", tests, NULL, NULL);
}
