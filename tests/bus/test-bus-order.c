/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * T1, T2, T3, T18, T24, T27: the events of a backup and the provider's steps in one order, what may be asked
 * meanwhile, and what a writer is told when.
 *
 * Where something must not happen before something else, the test stops the first, writes a line of its own
 * into the log that both write, and lets it go: the second's line stands behind that one or the test fails.
 */

#include "bus-harness.h"

#define WHOLE                                                                         \
        "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot " \
        "backup-complete backup-shutdown"

static void add_later(Bench *bench, const char *name, const char *arguments, const char *event) {
        char fifo[128], text[256];

        (void) snprintf(text, sizeof(text), "%s %s=wait:%s", arguments, event,
                        bench_make_fifo(bench, name, fifo));
        bench_add_writer(bench, name, text);
}

static void test_T1_clean_backup(void **state) {
        Client *client;

        bench_add_one(*state, "");
        bench_add_writer(*state, "beta", "level=system");
        client = bench_start_prepared(*state, "test:one");
        client_back_up(client);
        bench_assert_story(*state, "alpha", WHOLE);
        bench_assert_story(*state, "beta", WHOLE);
        (void) client_free(client);
}

/* The next level's Freeze waits for the last answer of the level before; Thaw goes back the same way. */
static void test_T2_level_by_level(void **state) {
        Client *client;
        Call *running;

        bench_write(*state, "quiesced.conf", "[Events]\nThawLevelDelaySec=30s\n");
        add_later(*state, "front", "level=front-end", "freeze");
        bench_add_writer(*state, "quick", "level=front-end");
        add_later(*state, "back", "level=back-end", "freeze");
        add_later(*state, "system", "level=system", "thaw");
        client = bench_start_prepared(*state, NULL);
        running = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(*state, "writers.log", "quick freeze");
        bench_wait_file(*state, "writers.log", "front freeze");
        client_round_trip(client);
        bench_note(*state, "test front-answers");
        bench_let_go(*state, "front");
        bench_wait_file(*state, "writers.log", "back freeze");
        client_round_trip(client);
        bench_note(*state, "test back-answers");
        bench_let_go(*state, "back");
        bench_wait_file(*state, "writers.log", "system thaw"); /* in the dark: quiesced hears no bus */
        bench_note(*state, "test system-answers");
        bench_let_go(*state, "system");
        assert_ok(call_wait(running));
        assert_true(bench_log_at(*state, "test front-answers") < bench_log_at(*state, "back freeze"));
        assert_true(bench_log_at(*state, "test back-answers") < bench_log_at(*state, "system freeze"));
        assert_true(bench_log_at(*state, "test system-answers") < bench_log_at(*state, "back thaw"));
        assert_true(bench_log_at(*state, "back thaw") < bench_log_at(*state, "front thaw"));
        assert_true(bench_log_at(*state, "back thaw") < bench_log_at(*state, "quick thaw"));
        (void) client_free(client);
}

/* Nothing is committed before the last Freeze is answered, and no Thaw is sent before it is through. */
static void test_T3_commit_between_freeze_and_thaw(void **state) {
        Client *client;
        Call *running;

        bench_add_volume(*state, "one");
        bench_join_logs(*state);
        bench_stop_at(*state, "commit", "one");
        add_later(*state, "alpha", "level=system", "freeze");
        bench_add_writer(*state, "beta", "");
        client = bench_start_prepared(*state, "test:one");
        running = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(*state, "writers.log", "alpha freeze");
        bench_note(*state, "test last-answer");
        bench_let_go(*state, "alpha");
        bench_wait_file(*state, "provider/reached", "");
        bench_note(*state, "test commit-goes-on");
        bench_write(*state, "provider/go", "");
        assert_ok(call_wait(running));
        assert_true(bench_log_at(*state, "pre-commit one") < bench_log_at(*state, "alpha freeze"));
        assert_true(bench_log_at(*state, "test last-answer") < bench_log_at(*state, "commit one"));
        assert_true(bench_log_at(*state, "test commit-goes-on") < bench_log_at(*state, "alpha thaw"));
        assert_true(bench_log_at(*state, "alpha thaw") < bench_log_at(*state, "post-commit one"));
        assert_true(bench_log_at(*state, "post-commit one") < bench_log_at(*state, "beta thaw"));
        assert_true(bench_log_at(*state, "beta thaw") < bench_log_at(*state, "post-final-commit one"));
        (void) client_free(client);
}

#define STORM 50u

/* Identify of others while a set is frozen: it waits for the window's end, delays no Thaw, changes nothing.
 */
static void test_T18_identify_storm(void **state) {
        Client *client, *others[STORM];
        Call *running, *gathers[STORM];

        bench_write(*state, "quiesced.conf", "[Session]\nMaxPerUser=60\n");
        add_later(*state, "alpha", "", "freeze");
        client = bench_start_prepared(*state, NULL);
        running = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(*state, "writers.log", "alpha freeze");
        for (size_t i = 0; i < STORM; i++) {
                others[i] = client_new(*state);
                client_open(others[i]);
                gathers[i] = call_begin(others[i], others[i]->session, BACKUP_INTERFACE,
                                        "GatherWriterMetadata", "a{sv}", 0);
        }
        for (size_t i = 0; i < STORM; i++)
                client_round_trip(others[i]);
        bench_assert_story(*state, "alpha", "identify prepare-for-backup prepare-for-snapshot freeze");
        bench_let_go(*state, "alpha");
        assert_ok(call_wait(running));
        for (size_t i = 0; i < STORM; i++)
                assert_ok(call_wait(gathers[i]));
        assert_int_equal(bench_count(*state, "writers.log", "alpha identify"), STORM + 1);
        bench_assert_next(*state, "alpha freeze", "alpha thaw");
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        for (size_t i = 0; i < STORM; i++) {
                _cleanup_free_ char *now =
                        client_get_string(others[i], others[i]->session, SESSION_INTERFACE, "State");

                assert_string_equal(now, "gathered");
                (void) client_free(others[i]);
        }
        (void) client_free(client);
}

/* A snapshot that is being made is not there yet. */
static void test_T24_no_properties_while_creating(void **state) {
        _cleanup_free_ char *id = NULL;
        Client *client;
        Call *running;

        bench_add_volume(*state, "one");
        bench_stop_at(*state, "end-prepare", "one");
        bench_start(*state);
        client = client_new(*state);
        client_open_set(client);
        id = client_add(client, "test:one");
        backup_ok(client, "PrepareForBackup");
        running = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(*state, "provider/reached", "");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "GetSnapshotProperties", "sa{sv}",
                                id, 0),
                       "ObjectNotFound", "");
        bench_write(*state, "provider/go", "");
        assert_ok(call_wait(running));
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "GetSnapshotProperties", "sa{sv}", id,
                           0));
        (void) client_free(client);
}

/* Which set is being made, and where its snapshots are, a writer is told while it matters (C24). */
static void test_T27_C24_set_and_device_in_their_events_only(void **state) {
        static const struct {
                const char *event;
                bool set, snapshot;
        } cases[] = {
                {"identify", false, false},
                {"prepare-for-backup", false, false},
                {"prepare-for-snapshot", true, false},
                {"freeze", true, false},
                {"thaw", true, false},
                {"post-snapshot", true, true},
                {"backup-complete", false, false},
        };
        Client *client;

        bench_add_one(*state, "");
        client = bench_start_prepared(*state, "test:one");
        client_back_up(client);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *line = bench_log_line(*state, "alpha", cases[i].event);
                char current[64];

                (void) snprintf(current, sizeof(current), " current-set=%s", client->set);
                if ((strstr(line, current) != NULL) != cases[i].set ||
                    (!cases[i].set && strstr(line, " current-set=")))
                        fail_msg("the set is told, or is not: %s", line);
                assert_int_equal(strstr(line, " snapshot=test:one:/") != NULL, cases[i].snapshot);
        }
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_T1_clean_backup),
                TEST(test_T2_level_by_level),
                TEST(test_T3_commit_between_freeze_and_thaw),
                TEST(test_T18_identify_storm),
                TEST(test_T24_no_properties_while_creating),
                TEST(test_T27_C24_set_and_device_in_their_events_only),
        };

        return cmocka_run_group_tests_name("bus-order", tests, NULL, NULL);
}
