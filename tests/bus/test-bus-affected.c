/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What writers are told of where the set's volumes are: a real writer asks libquiesce of paths in each event
 * whether they are in a set of the test provider's. Real volumes: tests/unit/test-affected.c for mounts,
 * tests/vm/test-affected.sh for devices.
 */

#include <sys/stat.h>
#include <unistd.h>

#include "bus-harness.h"

static void add_directory(Bench *bench, const char *name) {
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/provider/volumes/%s", bench->directory, name);
        assert_int_equal(mkdir(path, 0755), 0);
}

static void assert_line(Bench *bench, const char *event, const char *path, const char *what) {
        char line[512];

        (void) snprintf(line, sizeof(line), "db affected %s %s %s", event, path, what);
        if (bench_count(bench, "writers.log", line) != 1) {
                _cleanup_free_ char *log = bench_read(bench, "writers.log");

                fail_msg("\"%s\" is not in, or not once: %s", line, log);
        }
}

static void test_paths_and_volumes_in_each_event(void **state) {
        static const char *const asked[] = {"prepare-for-backup", "prepare-for-snapshot", "freeze", "thaw",
                                            "post-snapshot"};
        char in[128], out[128], link[128], target[128], arguments[768];
        Bench *bench = *state;
        Client *client;

        add_directory(bench, "one");
        add_directory(bench, "two");
        (void) snprintf(in, sizeof(in), "%s/provider/volumes/one/not/yet", bench->directory);
        (void) snprintf(out, sizeof(out), "%s/provider/volumes/two/db", bench->directory);
        (void) snprintf(link, sizeof(link), "%s/provider/volumes/one/link", bench->directory);
        (void) snprintf(target, sizeof(target), "%s/provider/volumes/two", bench->directory);
        assert_int_equal(symlink(target, link), 0);
        (void) snprintf(arguments, sizeof(arguments),
                        "\n affected=%s\n affected=%s\n affected=%s affected=test:one affected=test:two", in,
                        out, link);
        bench_add_writer(bench, "db", arguments);
        bench_start(bench);
        client = client_new(bench);
        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        for (size_t i = 0; i < ELEMENTSOF(asked); i++) {
                assert_line(bench, asked[i], in, "yes /");
                assert_line(bench, asked[i], out, "no /");
                assert_line(bench, asked[i], link, "no /");
                assert_line(bench, asked[i], "test:one", "yes");
                assert_line(bench, asked[i], "test:two", "no");
        }
        assert_line(bench, "identify", in, "ENODATA");
        assert_line(bench, "backup-complete", in, "ENODATA");
        assert_line(bench, "backup-shutdown", "test:one", "ENODATA");
        (void) client_free(client);
}

/* A writer without libquiesce, on a connection of the test's: answers everything, keeps the details' text.
 */
static int on_raw_event(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Bench *bench = userdata;
        _cleanup_free_ char *details = NULL, *line = NULL;
        const char *member = sd_bus_message_get_member(m),
                   *signature = sd_bus_message_get_signature(m, true);

        for (; *signature == 's'; signature++)
                assert_true(sd_bus_message_skip(m, "s") >= 0);
        details = reply_to_text(m);
        assert_true(asprintf(&line, "raw %s %s", member, details) >= 0);
        bench_note(bench, line);
        return sd_bus_reply_method_return(m, streq(member, "BackupShutdown") ? "" : "a{sv}", 0);
}

/* Nothing that was told before is made and sent in the freeze window. */
static void test_the_window_tells_nothing_twice(void **state) {
        static const struct {
                const char *event;
                bool tells;
        } events[] = {{"PrepareForBackup", true}, {"PrepareForSnapshot", true},
                      {"Freeze", false},          {"Thaw", false},
                      {"PostSnapshot", true},     {"BackupComplete", false}};
        static const char *const keys[] = {"volume-names", "directories"};
        Bench *bench = *state;
        Client *client, *raw;

        add_directory(bench, "one");
        bench_write(bench, "writers.d/raw.writer", "[Writer]\nBusName=org.example.Raw\n");
        bench_start(bench);
        raw = client_new_deaf(bench);
        assert_true(sd_bus_add_object(raw->bus, NULL, "/org/quiesce1/Writer", on_raw_event, bench) >= 0);
        assert_true(sd_bus_request_name(raw->bus, "org.example.Raw", 0) >= 0);
        assert_ok(call_ask(raw, QUIESCE_PATH, MANAGER_INTERFACE, "Register", "sa{sv}", "raw", 0));
        client = client_new(bench);
        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        for (size_t i = 0; i < ELEMENTSOF(events); i++) {
                _cleanup_free_ char *line = bench_log_line(bench, "raw", events[i].event);

                assert_non_null(strstr(line, "'volumes'=['test:one']"));
                for (size_t k = 0; k < ELEMENTSOF(keys); k++)
                        if (!strstr(line, keys[k]) == events[i].tells)
                                fail_msg("%s is %sin: %s", keys[k], events[i].tells ? "not " : "", line);
        }
        (void) client_free(client);
        (void) client_free(raw);
}

/* C9 holds for the test provider's volumes as for others: who has all its files elsewhere gets nothing. */
static void test_C9_placed_on_a_volume_of_the_provider(void **state) {
        char arguments[768];
        Bench *bench = *state;
        Client *client;

        add_directory(bench, "one");
        add_directory(bench, "two");
        (void) snprintf(arguments, sizeof(arguments), "path=%s/provider/volumes/one/db", bench->directory);
        bench_add_writer(bench, "in", arguments);
        (void) snprintf(arguments, sizeof(arguments), "path=%s/provider/volumes/two/db", bench->directory);
        bench_add_writer(bench, "out", arguments);
        bench_start(bench);
        client = client_new(bench);
        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        session_ok(client, "Release");
        bench_assert_story(bench, "in",
                           "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot "
                           "backup-shutdown");
        bench_assert_story(bench, "out", "identify");
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_paths_and_volumes_in_each_event),
                TEST(test_the_window_tells_nothing_twice),
                TEST(test_C9_placed_on_a_volume_of_the_provider),
        };

        return cmocka_run_group_tests_name("bus-affected", tests, NULL, NULL);
}
