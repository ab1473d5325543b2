/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every reachable state of two sessions at once, which share two writers and one volume: who owns the
 * creation slot and who waits for it (C3), what has to wait in somebody's freeze window (C31) and in the
 * dark, each BackupShutdown with its own id (C22). Deaths of requesters, writers and the daemon included.
 *
 * What is cut off is what test-enumerate.c cuts off of three writers; in the dark a session that is not the
 * one in its window makes one call at most, as the daemon does not read the bus then. The product of both
 * sessions' states is not walked: each session is walked in all its states beside all that it can notice of
 * the other (apart.c, which says why that is enough). The first test checks that claim where it is small.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/contract/enumerate.h"

static const ContractWriterSpec writers[] = {
        {.name = "db", .level = CONTRACT_LEVEL_BACK_END, .writable_snapshots = true},
        {.name = "fs", .level = CONTRACT_LEVEL_SYSTEM},
};

static void walk(const EnumerateBounds *bounds) {
        Enumerated found = enumerate(bounds);

        print_message("two sessions, %u writers, %u volumes: walked %llu states, %llu transitions\n",
                      (unsigned) bounds->n_writers, (unsigned) bounds->n_volumes,
                      (unsigned long long) found.n_states, (unsigned long long) found.n_transitions);
        assert_true(found.n_states > 10000); /* it has gone somewhere */
}

static void test_sessions_meet_in_slot_window_and_dark_only(void **state) {
        (void) state;
        walk(&(EnumerateBounds){.n_sessions = 2,
                                .n_volumes = 0,
                                .n_writers = 1,
                                .writers = writers,
                                .apart = true,
                                .verify = true});
}

static void test_two_writers_and_one_volume(void **state) {
        (void) state;
        walk(&(EnumerateBounds){.n_sessions = 2,
                                .n_volumes = 1,
                                .n_writers = 2,
                                .writers = writers,
                                .restores = true,
                                .apart = true});
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sessions_meet_in_slot_window_and_dark_only),
                cmocka_unit_test(test_two_writers_and_one_volume),
        };

        return cmocka_run_group_tests_name("contract: every state of two sessions", tests, NULL, NULL);
}
