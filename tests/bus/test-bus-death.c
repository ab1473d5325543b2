/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced dies, alone or with the requester, or its bus (C32): writers get what they are owed, who reads is
 * not cut off, nothing of an unfinished set stays. The requester's death is in test-bus-killed.c.
 */

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bus-harness.h"

/* A second requester can make a set: the slot is free and quiesced is well. */
static void assert_well(Bench *bench) {
        Client *client = client_new(bench);

        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        session_ok(client, "Release");
        (void) client_free(client);
}

/* quiesced is killed; the owner lives: writers are told, the snapshots stay until it lets go (C32). (That
 * they go then is tried with LVM: the test provider does not find its sets again.) */
static void test_daemon_killed_owner_reads(void **state) {
        _cleanup_free_ char *now = NULL;
        Client *client;
        char signal[320];

        bench_add_one(*state, "");
        client = bench_start_prepared(*state, "test:one");
        backup_ok(client, "DoSnapshotSet");
        bench_kill(*state);
        assert_int_equal(bench_count_snapshots(*state), 1);
        bench_start(*state);
        (void) snprintf(signal, sizeof(signal),
                        "BackupShutdown /org/quiesce1 %s %s not-completed daemon-restarted", client->id,
                        client->set);
        client_wait_seen(client, signal);
        bench_wait_file(*state, "writers.log", "not-completed daemon-restarted");
        now = client_get_string(client, client->session, SESSION_INTERFACE, "State");
        assert_string_equal(now, "lost");
        assert_refused(backup_ask(client, "BackupComplete"), "SessionLost", "");
        assert_int_equal(bench_count_snapshots(*state), 1);
        session_ok(client, "Release");
        assert_int_equal(bench_count(*state, "writers.log", "backup-shutdown"), 1);
        assert_well(*state);
        (void) client_free(client);
}

/* Both die. */
static void test_daemon_and_owner_killed(void **state) {
        Client *client, *watcher;

        bench_add_one(*state, "");
        bench_start(*state);
        watcher = client_new(*state);
        client = client_new(*state);
        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        bench_kill(*state);
        (void) client_free(client);
        bench_start(*state);
        client_wait_seen(watcher, "not-completed daemon-restarted");
        client_wait_seen(watcher, "InterfacesRemoved /org/quiesce1 /org/quiesce1/session/");
        assert_well(*state);
        (void) client_free(watcher);
}

/* Killed in the middle of DoSnapshotSet: nothing of the set stays. */
static void test_daemon_killed_at_step(void **state) {
        Client *client;

        bench_add_one(*state, "");
        bench_stop_at(*state, "commit", "one");
        client = bench_start_prepared(*state, "test:one");
        (void) backup_begin(client, "DoSnapshotSet");
        bench_wait_file(*state, "provider/reached", "");
        bench_kill(*state);
        bench_write(*state, "provider/script", "");
        bench_start(*state);
        client_wait_seen(client, "not-completed daemon-restarted");
        session_ok(client, "Release");
        assert_int_equal(bench_count_snapshots(*state), 0);
        assert_well(*state);
        (void) client_free(client);
}

/* A record that could not be written is written as soon as that goes. */
static void test_record_not_written(void **state) {
        char path[192], file[128];
        Bench *bench = *state;
        Client *client;

        bench_add_one(bench, "");
        bench_write(bench, "provider/script", "end-prepare one fail UnexpectedProviderError it broke\n");
        bench_start(bench);
        client = client_new(bench);
        client_open_set(client);
        free(client_add(client, "test:one"));
        (void) snprintf(path, sizeof(path), "%s/sessions/.new", bench->runtime);
        assert_int_equal(mkdir(path, 0700), 0); /* where the new one is written first */
        backup_ok(client, "PrepareForBackup");
        bench_wait_file(bench, "quiesced.log", "could not be written");
        assert_int_equal(rmdir(path), 0);
        assert_refused(backup_ask(client, "DoSnapshotSet"), "UnexpectedProviderError", "it broke");
        (void) snprintf(file, sizeof(file), "run/sessions/%s.json", client->id);
        assert_int_equal(bench_count(bench, file, "\"prepared\": true"), 1);
        bench_kill(bench);
        bench_start(bench);
        session_ok(client, "Release");
        assert_int_equal(bench_count(bench, "writers.log", "backup-shutdown"), 1);
        (void) client_free(client);
}

/* SIGTERM: sessions end; one that only reads is left for the next start. */
static void test_daemon_stopped(void **state) {
        _cleanup_free_ char *now = NULL;
        Client *reader, *other;

        bench_add_one(*state, "");
        reader = bench_start_prepared(*state, "test:one");
        backup_ok(reader, "DoSnapshotSet");
        other = client_new(*state);
        client_prepare(other, "test:one");
        assert_int_equal(bench_stop(*state), 0);
        assert_int_equal(bench_count(*state, "writers.log", "backup-shutdown"), 1);
        assert_int_equal(bench_count_snapshots(*state), 1);
        bench_start(*state);
        client_wait_seen(reader, "daemon-restarted");
        now = client_get_string(reader, reader->session, SESSION_INTERFACE, "State");
        assert_string_equal(now, "lost");
        session_ok(reader, "Release");
        (void) client_free(reader);
        (void) client_free(other);
}

/* The bus goes: quiesced ends, so that it is started anew. */
static void test_bus_lost(void **state) {
        Bench *bench = *state;
        Client *client;
        int status;

        bench_add_one(bench, "");
        client = bench_start_prepared(bench, "test:one");
        assert_int_equal(kill(bench->bus_pid, SIGKILL), 0);
        assert_int_equal(waitpid(bench->bus_pid, &status, 0), bench->bus_pid);
        bench->bus_pid = 0;
        assert_int_equal(waitpid(bench->daemon_pid, &status, 0), bench->daemon_pid);
        bench->daemon_pid = 0;
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
        assert_int_equal(bench_count(bench, "writers.log", "not-completed requester-vanished"), 1);
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_daemon_killed_owner_reads),
                TEST(test_daemon_and_owner_killed),
                TEST(test_daemon_killed_at_step),
                TEST(test_record_not_written),
                TEST(test_daemon_stopped),
                TEST(test_bus_lost),
        };

        return cmocka_run_group_tests_name("bus-death", tests, NULL, NULL);
}
