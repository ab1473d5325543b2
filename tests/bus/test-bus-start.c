/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The start: quiesced is there for callers when it knows what there is (LVM tells which sets exist), or when
 * LVM has not answered for long. LVM is a program that answers when the test says so.
 */

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bus-harness.h"

#define SET_ID      "00000000-0000-4000-8000-00000000000a"
#define SNAPSHOT_ID "00000000-0000-4000-8000-00000000000b"
#define WAIT_SHORT  "[Snapshots]\nLVMWaitSec=100ms\n"

static const char lvm[] = "#!/bin/sh\n"
                          "here=${0%/*}\n"
                          "[ \"$1\" = lvs ] || exit 0\n"
                          "[ -e \"$here/free\" ] || read -r go < \"$here/go\"\n"
                          "cat \"$here/report\"\n";

/* A persistent snapshot, finished, whose origin is gone. */
static const char report[] =
        "{\"report\": [{\"lv\": [{\"lv_uuid\": \"aFiZUT-X0Af-vRZx-1YWH-SYfX-76C0-USt2EG\","
        " \"lv_name\": \"quiesced_0000000000004000800000000000000b\", \"vg_name\": \"vg\","
        " \"vg_uuid\": \"RDdqZr-cU8k-3ZVx-ru6A-6pRW-h5lu-iTjlx6\", \"lv_attr\": \"Vri---tz-k\","
        " \"lv_size\": \"104857600\", \"origin\": \"\", \"origin_uuid\": \"\", \"pool_lv\": \"pool\","
        " \"thin_id\": \"6\", \"lv_tags\": \"quiesced.final,"
        "quiesced.set=0000000000004000800000000000000a,"
        "quiesced.session=0000000000004000800000000000000c,quiesced.uid=0,quiesced.persistent,"
        "quiesced.origin=Ab1X6a99PjtS6dC1dkj2WGCt4uOuIMfm,quiesced.instant=1,quiesced.volumes=1,quiesced.consistency=file-system\","
        " \"lv_path\": \"/dev/vg/quiesced_0000000000004000800000000000000b\", \"segtype\": \"thin\","
        " \"data_percent\": \"\", \"metadata_percent\": \"\", \"lv_health_status\": \"\", \"lv_merging\": \"\","
        " \"lv_allocation_locked\": \"\", \"chunk_size\": \"0\", \"vg_attr\": \"wz--n-\","
        " \"vg_free\": \"0\", \"vg_extent_size\": \"4194304\", \"devices\": \"\", \"lv_active\": \"\"}]}]}\n";

static void lvm_is(Bench *bench, const char *text) {
        char path[192];

        bench_write(bench, "provider/report", text);
        bench_write(bench, "provider/lvm", lvm);
        (void) snprintf(path, sizeof(path), "%s/lvm", bench->provider);
        assert_int_equal(chmod(path, 0755), 0);
        (void) snprintf(path, sizeof(path), "%s/go", bench->provider);
        assert_int_equal(mkfifo(path, 0600), 0);
}

/* Waits until it is being asked. Return: for lvm_answers(). */
static int lvm_asked(Bench *bench) {
        char path[192];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/go", bench->provider);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

/* This question, and each that follows. */
static void lvm_answers(Bench *bench, int fd) {
        bench_write(bench, "provider/free", "");
        (void) close(fd);
}

static bool has_name(Client *client) {
        sd_bus_message *reply = NULL;
        int owned = -1;

        assert_true(sd_bus_call_method(client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s",
                                       QUIESCE_NAME) >= 0);
        assert_true(sd_bus_message_read(reply, "b", &owned) > 0);
        sd_bus_message_unref(reply);
        return owned;
}

static bool sets_known(Client *client) {
        int known = -1;

        assert_true(sd_bus_get_property_trivial(client->bus, QUIESCE_NAME, QUIESCE_PATH, MANAGER_INTERFACE,
                                                "SetsKnown", NULL, 'b', &known) >= 0);
        return known;
}

/* Who finds quiesced there finds its sets. */
static void test_ready_with_sets(void **state) {
        _cleanup_free_ char *set = NULL, *snapshot = NULL, *consistency = NULL;
        Bench *bench = *state;
        Client *client;
        int asked;

        lvm_is(bench, report);
        bench_spawn(bench);
        asked = lvm_asked(bench);
        client = client_new(bench);
        assert_false(has_name(client));
        lvm_answers(bench, asked);
        bench_await_ready(bench);
        assert_true(has_name(client));
        set = client_path_of(client, "GetSnapshotSet", SET_ID);
        snapshot = client_path_of(client, "GetSnapshot", SNAPSHOT_ID);
        consistency = client_get_string(client, set, "org.quiesce1.SnapshotSet", "Consistency");
        assert_string_equal(consistency, "file-system");
        assert_true(sets_known(client));
        (void) client_free(client);
}

/* LVM's answer does not come: quiesced is there all the same, and says why it knows no sets. */
static void test_lvm_hangs(void **state) {
        _cleanup_free_ char *set = NULL;
        Bench *bench = *state;
        Client *client;
        int asked;

        bench_write(bench, "quiesced.conf", WAIT_SHORT);
        lvm_is(bench, report);
        bench_spawn(bench);
        asked = lvm_asked(bench);
        bench_await_ready(bench);
        bench_wait_file(bench, "quiesced.log", "LVM has not told");
        client = client_new(bench);
        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "GetSnapshotSet", "s", SET_ID),
                       "ObjectNotFound", "LVM has not told");
        assert_refused(
                call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "DeleteSnapshots", "sa{sv}", SET_ID, 0),
                "ObjectNotFound", "LVM has not told");
        assert_false(sets_known(client));
        lvm_answers(bench, asked);
        client_wait_seen(client, "InterfacesAdded /org/quiesce1 /org/quiesce1/set/");
        client_wait_seen(client, "PropertiesChanged /org/quiesce1 org.quiesce1.Manager SetsKnown");
        assert_true(sets_known(client));
        set = client_path_of(client, "GetSnapshotSet", SET_ID);
        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "GetSnapshotSet", "s", ID_NIL),
                       "ObjectNotFound", "ObjectManager");
        (void) client_free(client);
}

/* LVM fails: the same, at once. Whoever asks then has it asked again; a set that is being made meanwhile is
 * not what was left over. */
static void test_lvm_fails(void **state) {
        _cleanup_free_ char *set = NULL;
        Bench *bench = *state;
        Client *client, *other;
        Call *call;

        bench_add_volume(bench, "one");
        bench_start(bench);
        client = client_new(bench);
        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "GetSnapshotSet", "s", SET_ID),
                       "ObjectNotFound", "LVM could not tell");
        assert_false(sets_known(client));
        other = client_new(bench);
        client_prepare(other, "test:one");
        bench_write(bench, "provider/script", "post-commit one mark reached\npost-commit one wait goon\n");
        call = backup_begin(other, "DoSnapshotSet");
        bench_wait_file(bench, "provider/reached", "");
        lvm_is(bench, report);
        bench_write(bench, "provider/free", "");
        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "GetSnapshotSet", "s", SET_ID),
                       "ObjectNotFound", "LVM could not tell");
        bench_write(bench, "provider/goon", "");
        assert_ok(call_wait(call));
        client_wait_seen(client, "PropertiesChanged /org/quiesce1 org.quiesce1.Manager SetsKnown");
        assert_true(sets_known(client));
        set = client_path_of(client, "GetSnapshotSet", SET_ID);
        assert_int_equal(bench_count_snapshots(bench), 1);
        session_ok(other, "Release");
        (void) client_free(other);
        (void) client_free(client);
}

static Client *read_set(Bench *bench) {
        Client *client = client_new(bench);

        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        return client;
}

/* A session of the last run is known at once, too. */
static void test_ready_with_sessions(void **state) {
        _cleanup_free_ char *path = NULL, *now = NULL;
        Bench *bench = *state;
        Client *client;

        bench_add_volume(bench, "one");
        bench_start(bench);
        client = read_set(bench);
        bench_kill(bench);
        bench_start(bench);
        path = client_path_of(client, "GetSession", client->id);
        now = client_get_string(client, path, SESSION_INTERFACE, "State");
        assert_string_equal(now, "lost");
        session_ok(client, "Release");
        (void) client_free(client);
}

/* Stopped before LVM has told which sets there are: what is in the records is left to the next start. */
static void test_stopped_before(void **state) {
        _cleanup_free_ char *now = NULL;
        Bench *bench = *state;
        Client *client;
        int asked;

        bench_add_one(bench, "");
        bench_start(bench);
        client = read_set(bench);
        bench_kill(bench);
        lvm_is(bench, report);
        bench_spawn(bench);
        asked = lvm_asked(bench);
        assert_int_equal(bench_stop(bench), 0);
        assert_int_equal(bench_count(bench, "writers.log", "backup-shutdown"), 0);
        assert_int_equal(bench_count_snapshots(bench), 1);
        lvm_answers(bench, asked);
        bench_start(bench);
        now = client_get_string(client, client->session, SESSION_INTERFACE, "State");
        assert_string_equal(now, "lost");
        session_ok(client, "Release");
        assert_int_equal(bench_count(bench, "writers.log", "daemon-restarted"), 1);
        (void) client_free(client);
}

/* A second one with the same runtime directory would thaw what the first one holds. */
static void test_second_one(void **state) {
        Bench *bench = *state;
        pid_t first;
        int status;

        bench_start(bench);
        first = bench->daemon_pid;
        bench_spawn(bench);
        assert_int_equal(waitpid(bench->daemon_pid, &status, 0), bench->daemon_pid);
        bench->daemon_pid = first;
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
        bench_wait_file(bench, "quiesced.log", "another quiesced");
}

/* A set that is made while quiesced still looks for what an earlier one left is not taken for such: given
 * up, it is nowhere. */
static void test_set_amid_recovery(void **state) {
        Bench *bench = *state;
        Client *client;
        char id[37];
        Call *call;

        bench_add_one(bench, "");
        bench_write(bench, "quiesced.conf", WAIT_SHORT);
        bench_write(bench, "provider/script", "post-commit one fail UnexpectedProviderError it broke\n");
        lvm_is(bench, "{\"report\": [{\"lv\": []}]}\n");
        client = bench_start_prepared(bench, "test:one");
        call = backup_begin(client, "DoSnapshotSet");
        lvm_answers(bench, lvm_asked(bench));
        assert_refused(call_wait(call), "UnexpectedProviderError", "it broke");
        (void) snprintf(id, sizeof(id), "%s", client->set);
        session_ok(client, "Release");
        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "GetSnapshotSet", "s", id),
                       "ObjectNotFound", id);
        (void) client_free(client);
}

static void reload(Bench *bench, Client *client, const char *configuration, const char *wrong) {
        sd_bus_message *reply;

        bench_write(bench, "quiesced.conf", configuration);
        reply = call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "Reload", "a{sv}", 0);
        if (wrong)
                assert_refused(reply, "InvalidArgument", wrong);
        else
                assert_ok(reply);
}

/* Whether so many sessions may be open is seen by opening one more, which ends with its connection. */
static void assert_may_open(Bench *bench, bool may) {
        Client *client = client_new(bench);
        sd_bus_message *reply = call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenBackup", "a{sv}", 0);

        if (may)
                assert_ok(reply);
        else
                assert_refused(reply, "LimitsExceeded", "");
        (void) client_free(client);
}

/* The configuration is read again when that is asked for, on the bus or by a signal: as a whole or not. */
static void test_reload(void **state) {
        Bench *bench = *state;
        Client *client;

        bench_write(bench, "quiesced.conf", "[Session]\nMaxPerUser=1\n");
        bench_start(bench);
        client = client_new(bench);
        client_open(client);
        assert_may_open(bench, false);
        reload(bench, client, "[Session]\nMaxPerUser=2\nMaxPerUser=0\n",
               "quiesced.conf: [Session] MaxPerUser=0 is not a valid value. The configuration stays as it was");
        reload(bench, client, "[Session]\nMaxPerUser=2\nMostPerUser=3\n",
               "[Session] MostPerUser= is not known");
        bench_wait_file(bench, "quiesced.log", "The configuration is not read again, and stays as it was");
        assert_may_open(bench, false);
        reload(bench, client, "[Session]\nMaxPerUser=2\n[Hold]\nLimitSec=4s\n", NULL);
        bench_wait_file(bench, "quiesced.log",
                        "[Hold] LimitSec= has changed, which counts when quiesced is started");
        assert_may_open(bench, true);
        bench_write(bench, "quiesced.conf", "[Session]\nMaxPerUser=1\n");
        assert_int_equal(kill(bench->daemon_pid, SIGHUP), 0);
        bench_await_ready(bench);
        assert_may_open(bench, false);
        session_ok(client, "Release");
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_ready_with_sets),     TEST(test_lvm_hangs),      TEST(test_lvm_fails),
                TEST(test_ready_with_sessions), TEST(test_stopped_before), TEST(test_second_one),
                TEST(test_set_amid_recovery),   TEST(test_reload),
        };

        return cmocka_run_group_tests_name("bus-start", tests, NULL, NULL);
}
