/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * T15, T25, T26: what is noted with snapshots, how many volumes a set takes, deleting what cannot be
 * deleted, and what stays after Release and after a restart of quiesced.
 */

#include <glob.h>

#include "bus-harness.h"

#define VOLUMES_MAX 64u

static void open_with_context(Client *client, const char *context) {
        client_open(client);
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}", context, 0));
}

static char *add_volume(Client *client, unsigned i) {
        char name[32];

        (void) snprintf(name, sizeof(name), "test:v%u", i);
        return client_add(client, name);
}

static sd_bus_message *delete_set(Client *client, const char *id) {
        return call_ask(client, client->session, BACKUP_INTERFACE, "DeleteSnapshots", "sa{sv}", id, 0);
}

/* The 65th volume is refused, whether it is supported or not; the set is made of the 64. */
static void test_T15_volumes_of_a_set(void **state) {
        char name[32];
        sd_bus_message *m;
        Client *client;
        int supported;

        for (unsigned i = 0; i <= VOLUMES_MAX; i++) {
                (void) snprintf(name, sizeof(name), "v%u", i);
                bench_add_volume(*state, name);
        }
        bench_start(*state);
        client = client_new(*state);
        open_with_context(client, "file-share-backup");
        backup_ok(client, "StartSnapshotSet");
        for (unsigned i = 0; i < VOLUMES_MAX; i++)
                free(add_volume(client, i));
        (void) snprintf(name, sizeof(name), "test:v%u", VOLUMES_MAX);
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "s",
                                name, 0),
                       "MaximumNumberOfVolumesReached", "64");
        m = call_ask(client, client->session, BACKUP_INTERFACE, "IsVolumeSupported", "va{sv}", "s", name, 0);
        assert_true(sd_bus_message_read(m, "b", &supported) > 0);
        assert_true(supported);
        sd_bus_message_unref(m);
        backup_ok(client, "DoSnapshotSet");
        assert_int_equal(bench_count_snapshots(*state), VOLUMES_MAX);
        session_ok(client, "Release");
        assert_int_equal(bench_count_snapshots(*state), 0);
        (void) client_free(client);
}

/* One snapshot that cannot be deleted: it stops there, says how many went and which did not, and goes on
 * when it is asked again. (One that is in use is waited for: tests/vm/test-providers.sh.) */
static void test_T25_deletion_that_stops(void **state) {
        _cleanup_free_ char *set = NULL, *answer = NULL;
        char *ids[3], text[128];
        sd_bus_message *m;
        Client *client;

        bench_add_volume(*state, "v0");
        bench_add_volume(*state, "v1");
        bench_add_volume(*state, "v2");
        bench_write(*state, "provider/script", "delete v1 fail UnexpectedProviderError it broke\n");
        bench_start(*state);
        client = client_new(*state);
        open_with_context(client, "nas-rollback");
        backup_ok(client, "StartSnapshotSet");
        for (unsigned i = 0; i < 3; i++)
                ids[i] = add_volume(client, i);
        m = backup_ask(client, "DoSnapshotSet");
        set = reply_get_string(m, "set");
        sd_bus_message_unref(m);
        (void) snprintf(text, sizeof(text), "1 of 3 snapshots deleted; %s of test:v1 is not: it broke",
                        ids[1]);
        assert_refused(delete_set(client, set), "UnexpectedProviderError", text);
        assert_int_equal(bench_count_snapshots(*state), 2);
        bench_write(*state, "provider/script", "");
        m = delete_set(client, set);
        answer = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_string_equal(answer, "2''");
        assert_int_equal(bench_count_snapshots(*state), 0);
        session_ok(client, "Release");
        (void) client_free(client);
        for (unsigned i = 0; i < 3; i++)
                free(ids[i]);
}

/* Auto-release snapshots go with their session, persistent ones stay, whoever ends. (That quiesced finds
 * them again is tried with LVM, whose tags it reads: tests/vm/test-providers.sh and test-run.sh.) */
static void test_T26_auto_release_and_persistent(void **state) {
        Client *client;

        bench_add_volume(*state, "v0");
        bench_start(*state);
        client = client_new(*state);
        open_with_context(client, "file-share-backup");
        backup_ok(client, "StartSnapshotSet");
        free(add_volume(client, 0));
        backup_ok(client, "DoSnapshotSet");
        assert_int_equal(bench_count_snapshots(*state), 1);
        session_ok(client, "Release");
        assert_int_equal(bench_count_snapshots(*state), 0);

        open_with_context(client, "nas-rollback");
        backup_ok(client, "StartSnapshotSet");
        free(add_volume(client, 0));
        backup_ok(client, "DoSnapshotSet");
        session_ok(client, "Release");
        assert_int_equal(bench_count_snapshots(*state), 1);
        (void) client_free(client);
        assert_int_equal(bench_stop(*state), 0);
        assert_int_equal(bench_count_snapshots(*state), 1);
        bench_start(*state);
        bench_kill(*state);
        assert_int_equal(bench_count_snapshots(*state), 1);
}

/* What the set is good for stands with its snapshots, and is mended if a writer fails after that. */
static void test_consistency_is_noted(void **state) {
        _cleanup_free_ char *snapshot = NULL, *noted = NULL, *expected = NULL, *consistency = NULL;
        Bench *bench = *state;
        sd_bus_message *m;
        Client *client;

        bench_add_volume(bench, "v0");
        bench_add_writer(bench, "alpha", "post-snapshot=fail:Retryable:no");
        bench_start(bench);
        client = client_new(bench);
        client_open_set(client);
        snapshot = add_volume(client, 0);
        backup_ok(client, "PrepareForBackup");
        m = backup_ask(client, "DoSnapshotSet");
        consistency = reply_get_string(m, "consistency");
        sd_bus_message_unref(m);
        session_ok(client, "Release");
        noted = bench_read(bench, "provider/tags");
        assert_true(asprintf(&expected, "v0 %s application\nv0 %s %s\n", snapshot, snapshot, consistency) >=
                    0);
        assert_string_equal(noted, expected);
        assert_string_not_equal(consistency, "application");
        (void) client_free(client);
}

/* Takes the one snapshot's folder away, as a kernel that drops it would. */
static void lose_snapshot(Bench *bench, const char *snapshot) {
        char pattern[256], lost[512];
        glob_t found;

        (void) snprintf(pattern, sizeof(pattern), "%s/provider/snapshots/*%s", bench->directory, snapshot);
        assert_int_equal(glob(pattern, 0, NULL, &found), 0);
        assert_int_equal(found.gl_pathc, 1);
        (void) snprintf(lost, sizeof(lost), "%s/provider/lost", bench->directory);
        assert_int_equal(rename(found.gl_pathv[0], lost), 0);
        globfree(&found);
}

/* Marks are told when they are passed, once; a snapshot that is lost says so, with when and why, and stays
 * until its owner lets it go. (Real stores and pools: tests/vm/test-space.sh.) */
static void test_room(void **state) {
        _cleanup_free_ char *snapshot = NULL, *path = NULL, *text = NULL, *properties = NULL;
        char pattern[160];
        sd_bus_message *m;
        Client *client;

        bench_add_volume(*state, "v0");
        bench_write(*state, "quiesced.conf", "[Space]\nCheckSec=20ms\nWarnPercent=60\nGrowPercent=100\n");
        bench_start(*state);
        client = client_new(*state);
        open_with_context(client, "file-share-backup");
        backup_ok(client, "StartSnapshotSet");
        snapshot = add_volume(client, 0);
        backup_ok(client, "DoSnapshotSet");
        bench_write(*state, "provider/full", "61");
        /* Behind the set's id: an id may begin with these digits. */
        (void) snprintf(pattern, sizeof(pattern), "%s 61", client->set);
        client_wait_seen(client, pattern);
        bench_write(*state, "provider/full", "96");
        (void) snprintf(pattern, sizeof(pattern), "%s 96", client->set);
        client_wait_seen(client, pattern);
        path = client_path_of(client, "GetSnapshot", snapshot);
        text = client_get_string(client, path, QUIESCE_NAME ".Snapshot", "State");
        assert_string_equal(text, "created");
        m = call_ask(client, client->session, BACKUP_INTERFACE, "GetSnapshotProperties", "sa{sv}", snapshot,
                     0);
        properties = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_non_null(strstr(properties, "'full-percent'=96"));
        assert_null(strstr(properties, "invalid-reason"));
        assert_false(client_has_seen(client, "SnapshotInvalid"));

        lose_snapshot(*state, snapshot);
        (void) snprintf(pattern, sizeof(pattern), "SnapshotInvalid /org/quiesce1 %s", snapshot);
        client_wait_seen(client, pattern);
        assert_true(client_has_seen(client, "store-lost"));
        free(text);
        text = client_get_string(client, path, QUIESCE_NAME ".Snapshot", "State");
        assert_string_equal(text, "invalid");
        m = call_ask(client, client->session, BACKUP_INTERFACE, "GetSnapshotProperties", "sa{sv}", snapshot,
                     0);
        free(properties);
        properties = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_non_null(strstr(properties, "'invalid-reason'='store-lost'"));
        assert_non_null(strstr(properties, "'invalid-usec'="));
        session_ok(client, "Release");
        assert_null(strstr(properties, "'invalid-usec'=0"));
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_consistency_is_noted),
                TEST(test_T15_volumes_of_a_set),
                TEST(test_T25_deletion_that_stops),
                TEST(test_room),
                TEST(test_T26_auto_release_and_persistent),
        };

        return cmocka_run_group_tests_name("bus-snapshots", tests, NULL, NULL);
}
