/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * T4 to T11: where an Abort comes from, whom it reaches, and what is legal after it (C11 to C18).
 */

#include "bus-harness.h"

#define PREPARED "identify prepare-for-backup "
#define FROZEN   PREPARED "prepare-for-snapshot freeze "

/* A failed Freeze: that writer gets one Abort and no Thaw; the others hear of it when the requester aborts.
 */
static void test_T4_failed_freeze(void **state) {
        Client *client;
        Call *running;

        bench_add_volume(*state, "one");
        bench_stop_at(*state, "post-commit", "one");
        bench_add_writer(*state, "alpha", "freeze=fail:Retryable:no");
        bench_add_writer(*state, "beta", "level=system");
        bench_add_writer(*state, "gamma", "freeze=exit");
        client = bench_start_prepared(*state, "test:one");
        running = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(*state, "provider/reached", "");
        client_round_trip(client);
        bench_assert_story(*state, "alpha", FROZEN "abort");
        bench_assert_story(*state, "beta", FROZEN "thaw");
        backup_ok(client, "AbortBackup");
        assert_refused(call_wait(running), "Aborted", "");
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha", FROZEN "abort abort backup-shutdown");
        bench_assert_story(*state, "beta", FROZEN "thaw abort backup-shutdown");
        bench_assert_story(*state, "gamma", FROZEN "backup-shutdown"); /* of a new process */
        (void) client_free(client);
}

/* A failed Thaw is a source of Abort, too; the set is made, and its answer names the writer. */
static void test_T4_failed_thaw(void **state) {
        _cleanup_free_ char *answer = NULL;
        Client *client;

        bench_add_one(*state, "thaw=fail:NonRetryable:no");
        bench_add_writer(*state, "beta", "");
        client = bench_start_prepared(*state, "test:one");
        answer = backup_answer(client, "DoSnapshotSet");
        assert_non_null(strstr(answer, "'failed-writers'=['alpha']"));
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha", FROZEN "thaw abort backup-shutdown");
        bench_assert_story(*state, "beta", FROZEN "thaw post-snapshot backup-complete backup-shutdown");
        (void) client_free(client);
}

/* Failures of all other events cause no Abort; what comes after is not for who failed (C13). */
static void test_T5_failures_without_abort(void **state) {
        Client *client;

        bench_add_one(*state, "prepare-for-snapshot=fail:Retryable:no");
        bench_add_writer(*state, "beta", "post-snapshot=fail:Retryable:no");
        bench_add_writer(*state, "gamma", "prepare-for-backup=fail:Retryable:no");
        bench_add_writer(*state, "delta", "backup-complete=fail:Retryable:no");
        bench_add_writer(*state, "epsilon", "identify=fail:Retryable:no");
        bench_add_writer(*state, "zeta", "backup-shutdown=fail:Retryable:no");
        client = bench_start_prepared(*state, "test:one");
        client_back_up(client);
        assert_int_equal(bench_count(*state, "writers.log", " abort "), 0);
        bench_assert_story(*state, "alpha", PREPARED "prepare-for-snapshot backup-shutdown");
        bench_assert_story(*state, "beta", FROZEN "thaw post-snapshot backup-shutdown");
        bench_assert_story(*state, "gamma", PREPARED "backup-shutdown");
        bench_assert_story(*state, "delta", FROZEN "thaw post-snapshot backup-complete backup-shutdown");
        bench_assert_story(*state, "epsilon", "identify");
        bench_assert_story(*state, "zeta", FROZEN "thaw post-snapshot backup-complete backup-shutdown");
        (void) client_free(client);
}

/* A set of two volumes, the second of which is the one that fails. */
static void prepare_two(Client *client) {
        client_open_set(client);
        free(client_add(client, "test:one"));
        free(client_add(client, "test:two"));
        backup_ok(client, "PrepareForBackup");
}

/* The provider fails: Abort to all that take part, also to one that failed before; no snapshot is left. */
static void test_T6_provider_fails(void **state) {
        static const struct {
                const char *phase, *alpha;
        } cases[] = {
                {"end-prepare", PREPARED "prepare-for-snapshot abort backup-shutdown"},
                {"lock", PREPARED "prepare-for-snapshot abort backup-shutdown"},
                {"pre-commit", FROZEN "abort backup-shutdown"},
                {"commit", FROZEN "abort backup-shutdown"},
                {"post-commit", FROZEN "abort backup-shutdown"},
                {"pre-final-commit", FROZEN "thaw abort backup-shutdown"},
                {"post-final-commit", FROZEN "thaw abort backup-shutdown"},
        };

        bench_add_volume(*state, "one");
        bench_add_volume(*state, "two");
        bench_add_writer(*state, "alpha", "");
        bench_add_writer(*state, "beta", "prepare-for-backup=fail:Retryable:no");
        bench_start(*state);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Client *client = client_new(*state);
                char script[128];

                (void) snprintf(script, sizeof(script), "%s two fail UnexpectedProviderError it broke\n",
                                cases[i].phase);
                bench_write(*state, "provider/script", script);
                bench_write(*state, "provider/log", "");
                bench_write(*state, "writers.log", "");
                prepare_two(client);
                assert_refused(backup_ask(client, "DoSnapshotSet"), "UnexpectedProviderError", "it broke");
                session_ok(client, "Release");
                bench_assert_story(*state, "alpha", cases[i].alpha);
                bench_assert_story(*state, "beta", PREPARED "abort backup-shutdown");
                assert_int_equal(bench_count(*state, "provider/log", "\nabort one "), 1);
                assert_int_equal(bench_count(*state, "provider/log", "\nabort two "), 1);
                assert_int_equal(bench_count_snapshots(*state), 0);
                (void) client_free(client);
        }
}

/* The provider fails before DoSnapshotSet: nothing is to be given up, and the next try gets a new id. */
static void test_T7_provider_fails_before(void **state) {
        _cleanup_free_ char *before = NULL, *after = NULL;
        Client *client;

        bench_add_volume(*state, "one");
        bench_add_volume(*state, "two");
        bench_add_writer(*state, "alpha", "");
        bench_write(*state, "provider/script", "begin-prepare two fail UnexpectedProviderError it broke\n");
        bench_start(*state);
        client = client_new(*state);
        client_open_set(client);
        before = client_add(client, "test:one");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "s",
                                "test:two", 0),
                       "UnexpectedProviderError", "it broke");
        assert_int_equal(bench_count(*state, "provider/log", "abort "), 0);
        bench_write(*state, "provider/script", "");
        after = client_add(client, "test:two");
        assert_string_not_equal(before, after);
        backup_ok(client, "PrepareForBackup");
        backup_ok(client, "DoSnapshotSet");
        assert_int_equal(bench_count(*state, "provider/log", "abort "), 0);
        assert_int_equal(bench_count_snapshots(*state), 2);
        session_ok(client, "Release");
        assert_int_equal(bench_count_snapshots(*state), 0);
        (void) client_free(client);
}

/* The second AbortBackup is no error and sends nothing. The automatic Abort of a set that failed is a source
 * of its own: the first AbortBackup after it sends another (C16, C18). */
static void test_T8_abort_twice(void **state) {
        Client *client;

        bench_add_one(*state, "");
        client = bench_start_prepared(*state, "test:one");
        backup_ok(client, "AbortBackup");
        backup_ok(client, "AbortBackup");
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha", PREPARED "abort backup-shutdown");
        (void) client_free(client);

        bench_write(*state, "writers.log", "");
        bench_write(*state, "provider/script", "commit one fail UnexpectedProviderError it broke\n");
        client = client_new(*state);
        client_prepare(client, "test:one");
        assert_refused(backup_ask(client, "DoSnapshotSet"), "UnexpectedProviderError", "");
        bench_assert_story(*state, "alpha", FROZEN "abort");
        backup_ok(client, "AbortBackup");
        backup_ok(client, "AbortBackup");
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha", FROZEN "abort abort backup-shutdown");
        (void) client_free(client);
}

/* Before PrepareForBackup it frees the slot and sends nothing. */
static void test_T9_abort_before_anything(void **state) {
        Client *client, *other;

        bench_add_one(*state, "");
        bench_start(*state);
        client = client_new(*state);
        other = client_new(*state);
        client_open(client);
        backup_ok(client, "AbortBackup");
        session_ok(client, "Release");
        client_open_set(client);
        free(client_add(client, "test:one"));
        backup_ok(client, "AbortBackup");
        bench_assert_story(*state, "alpha", "identify");
        client_prepare(other, "test:one"); /* the slot is free */
        session_ok(client, "Release");
        assert_false(client_has_seen(client, "Abort /org/quiesce1"));
        assert_int_equal(bench_count(*state, "writers.log", "backup-shutdown"), 0);
        (void) client_free(other);
        (void) client_free(client);
}

/* After success there is nothing to abort: the writers hear of the outcome at the end. */
static void test_T10_abort_after_success(void **state) {
        char line[192];
        Client *client;

        bench_add_one(*state, "");
        client = bench_start_prepared(*state, "test:one");
        backup_ok(client, "DoSnapshotSet");
        backup_ok(client, "AbortBackup");
        assert_int_equal(bench_count_snapshots(*state), 1); /* until Release, or DeleteSnapshots */
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha", FROZEN "thaw post-snapshot backup-shutdown");
        (void) snprintf(line, sizeof(line), "alpha backup-shutdown %s %s aborted released ", client->id,
                        client->set);
        (void) bench_log_at(*state, line);
        assert_int_equal(bench_count_snapshots(*state), 0);
        (void) client_free(client);
}

/* What is legal after AbortBackup: Release, and another AbortBackup. */
static void test_T11_calls_after_abort(void **state) {
        static const char *const members[] = {"BackupComplete", "DoSnapshotSet", "PrepareForBackup",
                                              "StartSnapshotSet"};
        Client *client;

        bench_add_one(*state, "component=filegroup::a:s");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "AddComponent", "sssa{sv}", "alpha",
                           "", "a", 0));
        backup_ok(client, "StartSnapshotSet");
        free(client_add(client, "test:one"));
        backup_ok(client, "PrepareForBackup");
        backup_ok(client, "AbortBackup");
        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                assert_refused(backup_ask(client, members[i]), "BadState", "aborted");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupSucceeded", "sssba{sv}",
                                "alpha", "", "a", 1, 0),
                       "BadState", "aborted");
        backup_ok(client, "AbortBackup");
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha", PREPARED "abort backup-shutdown");
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_T4_failed_freeze),          TEST(test_T4_failed_thaw),
                TEST(test_T5_failures_without_abort), TEST(test_T6_provider_fails),
                TEST(test_T7_provider_fails_before),  TEST(test_T8_abort_twice),
                TEST(test_T9_abort_before_anything),  TEST(test_T10_abort_after_success),
                TEST(test_T11_calls_after_abort),
        };

        return cmocka_run_group_tests_name("bus-abort", tests, NULL, NULL);
}
