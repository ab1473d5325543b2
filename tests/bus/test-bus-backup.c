/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whole backups over the bus: the events that real writer processes get, the order of signals and answers
 * (C25), vetoes, AbortBackup in DoSnapshotSet, volumes that cannot be in a set.
 */

#include "bus-harness.h"

static void test_happy_path(void **state) {
        _cleanup_free_ char *one = NULL, *two = NULL, *set = NULL, *consistency = NULL, *state_now = NULL;
        char text[256];
        sd_bus_message *m;
        Client *client;

        bench_add_volume(*state, "one");
        bench_add_volume(*state, "two");
        bench_add_writer(*state, "front", "level=front-end");
        bench_add_writer(*state, "back", "level=back-end");
        bench_start(*state);
        client = client_new(*state);
        client_open_set(client);
        one = client_add(client, "test:one");
        two = client_add(client, "test:two");
        assert_string_not_equal(one, two);
        backup_ok(client, "PrepareForBackup");
        m = backup_ask(client, "DoSnapshotSet");
        assert_null(sd_bus_message_get_error(m));
        set = reply_get_string(m, "set");
        consistency = reply_get_string(m, "consistency");
        sd_bus_message_unref(m);
        assert_string_equal(consistency, "application");

        /* The session's change and the set's objects are told before the call is answered. */
        (void) snprintf(text, sizeof(text), "org.quiesce1.Snapshot Id %s", one);
        assert_true(client_seen_at(client, text) < client_seen_at(client, "reply DoSnapshotSet"));
        (void) snprintf(text, sizeof(text), "org.quiesce1.SnapshotSet Id %s", set);
        assert_true(client_seen_at(client, text) < client_seen_at(client, "reply DoSnapshotSet"));
        assert_true(client_seen_at(client, "State created") < client_seen_at(client, "reply DoSnapshotSet"));
        state_now = client_get_string(client, client->session, SESSION_INTERFACE, "State");
        assert_string_equal(state_now, "created");

        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        (void) snprintf(text, sizeof(text), "BackupShutdown /org/quiesce1 %s %s completed released",
                        client->id, set);
        assert_true(client_seen_at(client, text) < client_seen_at(client, "reply Release"));
        (void) snprintf(text, sizeof(text), "SnapshotRemoved /org/quiesce1 %s %s", two, set);
        assert_true(client_seen_at(client, text) < client_seen_at(client, "reply Release"));
        assert_true(client_seen_at(client, "InterfacesRemoved /org/quiesce1 /org/quiesce1/set/") <
                    client_seen_at(client, "reply Release"));

        bench_assert_story(
                *state, "front",
                "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot backup-complete "
                "backup-shutdown");
        bench_assert_story(
                *state, "back",
                "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot backup-complete "
                "backup-shutdown");
        assert_true(bench_log_at(*state, "front freeze") < bench_log_at(*state, "back freeze"));
        assert_true(bench_log_at(*state, "back thaw") < bench_log_at(*state, "front thaw"));

        /* C25: whatever was told to everybody, no path and no volume was in it. */
        assert_false(client_has_seen(client, ((Bench *) *state)->directory));
        assert_false(client_has_seen(client, "test:one"));
        (void) client_free(client);
}

static void test_content_and_properties(void **state) {
        _cleanup_free_ char *one = NULL, *device = NULL, *content = NULL, *path = NULL, *set = NULL,
                            *snapshot = NULL;
        sd_bus_message *m;
        Client *client;

        bench_add_volume(*state, "one");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}",
                           "file-share-backup", 0));
        backup_ok(client, "StartSnapshotSet");
        one = client_add(client, "test:one");
        m = backup_ask(client, "DoSnapshotSet");
        assert_null(sd_bus_message_get_error(m));
        sd_bus_message_unref(m);

        m = call_ask(client, client->session, BACKUP_INTERFACE, "GetSnapshotProperties", "sa{sv}", one, 0);
        assert_null(sd_bus_message_get_error(m));
        device = reply_get_string(m, "device");
        set = reply_get_string(m, "set");
        sd_bus_message_unref(m);
        path = strdup(device + strlen(((Bench *) *state)->directory) + 1);
        content = bench_read(*state, path);
        assert_string_equal(content, "one");
        snapshot = client_path_of(client, "GetSnapshot", one);
        assert_refused(call_ask(client, snapshot, "org.quiesce1.Snapshot", "OpenTree", "a{sv}", 0),
                       "NotSupported", "a file has no tree");

        m = call_ask(client, client->session, BACKUP_INTERFACE, "DeleteSnapshots", "sa{sv}", set, 0);
        assert_null(sd_bus_message_get_error(m));
        sd_bus_message_unref(m);
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "GetSnapshotProperties", "sa{sv}",
                                one, 0),
                       "ObjectNotFound", "");
        assert_true(client_seen_at(client, "SnapshotRemoved") <
                    client_seen_at(client, "reply DeleteSnapshots"));
        session_ok(client, "Release");
        (void) client_free(client);
}

static void test_C29_a_status_tells_all(void **state) {
        static const char *const parts[] = {
                "'name'='good', 'level'='front-end', 'state'='waiting-for-backup-complete', 'failure'=''",
                "'name'='ill', 'level'='front-end', 'state'='failed-at-prepare-snapshot', "
                "'failure'='OutOfResources', 'text'='no.room', 'retry'='later', 'event'='PrepareForSnapshot'",
                "'takes-part'=true, 'unit'='quiesced-writer-good.service', 'process'=",
                "'limits'={'Identify'=30000000, 'PrepareForBackup'=600000000, 'PrepareForSnapshot'=600000000, "
                "'Freeze'=60000000, 'Thaw'=60000000, 'PostSnapshot'=600000000}",
                "'durations'={'Identify'=",
        };
        _cleanup_free_ char *status = NULL;
        char text[128];
        sd_bus_message *m;
        Client *client;
        int process;

        bench_add_writer(*state, "good", "");
        bench_add_writer(*state, "ill", "prepare-for-snapshot=fail:OutOfResources:no.room");
        bench_start(*state);
        client = client_new(*state);
        client_open_set(client);
        backup_ok(client, "PrepareForBackup");
        backup_ok(client, "DoSnapshotSet");
        m = call_ask(client, client->session, SESSION_INTERFACE, "GatherWriterStatus", "a{sv}", 0);
        status = reply_to_text(m);
        sd_bus_message_unref(m);
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (!strstr(status, parts[i]))
                        fail_msg("\"%s\" is not in: %s", parts[i], status);
        assert_int_equal(sscanf(strstr(status, "'process'="), "'process'=%d,", &process), 1);
        (void) snprintf(text, sizeof(text), "good identify - - - - - %d ", process); /* it said so itself */
        (void) bench_log_at(*state, text);
        session_ok(client, "Release");
        (void) client_free(client);
}

/* A set without volumes is legal with writers: all events, a real set id (C4). */
static void test_without_volumes(void **state) {
        _cleanup_free_ char *set = NULL;
        sd_bus_message *m;
        Client *client;

        bench_add_writer(*state, "alpha", "");
        client = bench_start_prepared(*state, NULL);
        m = backup_ask(client, "DoSnapshotSet");
        assert_null(sd_bus_message_get_error(m));
        set = reply_get_string(m, "set");
        sd_bus_message_unref(m);
        assert_string_equal(set, client->set);
        session_ok(client, "Release");
        bench_assert_story(
                *state, "alpha",
                "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot backup-shutdown");
        (void) client_free(client);
}

static void test_veto(void **state) {
        _cleanup_free_ char *consistency = NULL;
        sd_bus_message *m;
        Client *client;

        bench_add_one(*state, "freeze=fail:Retryable:no");
        bench_add_writer(*state, "beta", "");
        client = bench_start_prepared(*state, "test:one");
        m = backup_ask(client, "DoSnapshotSet");
        assert_null(sd_bus_message_get_error(m));
        consistency = reply_get_string(m, "consistency");
        assert_string_not_equal(consistency, "application");
        sd_bus_message_unref(m);
        session_ok(client, "Release");
        (void) client_free(client);

        client = client_new(*state);
        client_prepare(client, "test:one");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "DoSnapshotSet", "a{sv}", 1,
                                "require-writers", "b", 1),
                       "WriterVeto", "alpha");
        session_ok(client, "Release");
        assert_true(client_has_seen(client, "Abort /org/quiesce1"));
        (void) client_free(client);
}

static void test_required_writer_ignored(void **state) {
        sd_bus_message *m;
        Client *client;

        bench_add_one(*state, "freeze=fail:Retryable:no");
        client = bench_start_prepared(*state, "test:one");
        m = call_ask(client, client->session, BACKUP_INTERFACE, "DoSnapshotSet", "a{sv}", 2,
                     "require-writers", "b", 1, "ignore-writers", "as", 1, "alpha");
        assert_null(sd_bus_message_get_error(m));
        sd_bus_message_unref(m);
        (void) client_free(client);
}

static void test_abort_in_do_snapshot_set(void **state) {
        _cleanup_free_ char *state_now = NULL;
        char shutdown[128];
        Call *running, *abort;
        Client *client;

        bench_add_one(*state, "");
        bench_stop_at(*state, "end-prepare", "one");
        client = bench_start_prepared(*state, "test:one");
        running = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(*state, "provider/reached", "");
        assert_refused(backup_ask(client, "PrepareForBackup"), "BadState", "DoSnapshotSet");
        abort = backup_begin(client, "AbortBackup");
        assert_refused(call_wait(running), "Aborted", "");
        assert_ok(call_wait(abort));
        assert_true(client_seen_at(client, "reply DoSnapshotSet") <
                    client_seen_at(client, "reply AbortBackup"));
        assert_true(client_seen_at(client, "Abort /org/quiesce1") <
                    client_seen_at(client, "reply AbortBackup"));
        (void) snprintf(shutdown, sizeof(shutdown), "alpha backup-shutdown %s " ID_NIL " aborted released",
                        client->id);
        state_now = client_get_string(client, client->session, SESSION_INTERFACE, "State");
        assert_string_equal(state_now, "aborted");
        assert_refused(backup_ask(client, "DoSnapshotSet"), "BadState", "aborted");
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha",
                           "identify prepare-for-backup prepare-for-snapshot abort backup-shutdown");
        (void) bench_log_at(*state, shutdown);
        (void) client_free(client);
}

static void test_same_volume_twice(void **state) {
        _cleanup_free_ char *one = NULL;
        Client *client;

        bench_add_volume(*state, "one");
        bench_start(*state);
        client = client_new(*state);
        client_open_set(client);
        one = client_add(client, "test:one");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "s",
                                "test:one", 0),
                       "ObjectAlreadyExists", one);
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "s",
                                "test:none", 0),
                       "VolumeNotSupported", "none");
        (void) client_free(client);
}

/* A volume whose AddToSnapshotSet was cancelled is not in the set, even if the provider had got it. */
static void test_cancelled_volume(void **state) {
        _cleanup_free_ char *one = NULL;
        Client *client;
        Call *running;

        bench_add_volume(*state, "one");
        bench_add_volume(*state, "two");
        bench_stop_at(*state, "begin-prepare", "two");
        bench_start(*state);
        client = client_new(*state);
        client_open_set(client);
        one = client_add(client, "test:one");
        running = call_begin(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "s",
                             "test:two", 0);
        bench_wait_file(*state, "provider/reached", "");
        session_ok(client, "Cancel");
        assert_refused(call_wait(running), "Cancelled", "");
        bench_write(*state, "provider/go", "");
        backup_ok(client, "PrepareForBackup");
        backup_ok(client, "DoSnapshotSet");
        assert_int_equal(bench_count(*state, "provider/log", "\ncommit one "), 1);
        assert_int_equal(bench_count(*state, "provider/log", "\ncommit two "), 0);
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_happy_path),
                TEST(test_content_and_properties),
                TEST(test_C29_a_status_tells_all),
                TEST(test_without_volumes),
                TEST(test_veto),
                TEST(test_required_writer_ignored),
                TEST(test_abort_in_do_snapshot_set),
                TEST(test_same_volume_twice),
                TEST(test_cancelled_volume),
        };

        return cmocka_run_group_tests_name("bus-backup", tests, NULL, NULL);
}
