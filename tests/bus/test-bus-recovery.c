/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * C24: a real writer writes into the snapshot in PostSnapshot, through libquiesce, and nobody does later.
 * The volumes are folders of the test provider's; real ones: tests/vm/test-recovery.sh.
 */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus-harness.h"

static void add_folder(Bench *bench, const char *name) {
        char path[160];

        (void) snprintf(path, sizeof(path), "%s/provider/volumes/%s", bench->directory, name);
        assert_int_equal(mkdir(path, 0755), 0);
        (void) snprintf(path, sizeof(path), "%s/provider/volumes/%s/data", bench->directory, name);
        assert_int_equal(mkdir(path, 0755), 0);
}

/* A writer that asks for it, and does what its other words say. */
static void add_writer(Bench *bench, const char *name, const char *folder, const char *arguments) {
        char path[64], text[1024];

        (void) snprintf(path, sizeof(path), "writers.d/%s.writer", name);
        (void) snprintf(text, sizeof(text),
                        "[Writer]\nUser=root\nWritableSnapshots=yes\nExec=%s/writer log=%s\n"
                        " recover=%s/provider/volumes/%s %s\n",
                        bench->directory, bench->writers_log, bench->directory, folder, arguments);
        bench_write(bench, path, text);
}

static void assert_recovers(Bench *bench, const char *name, const char *event, const char *folder,
                            const char *how) {
        char line[320];

        (void) snprintf(line, sizeof(line), "%s recovers %s %s/provider/volumes/%s %s\n", name, event,
                        bench->directory, folder, how);
        if (bench_count(bench, "writers.log", line) != 1) {
                _cleanup_free_ char *log = bench_read(bench, "writers.log");

                fail_msg("\"%s\" is not in, or not once: %s", line, log);
        }
}

static unsigned count_descriptors(const Bench *bench) {
        char path[64];
        unsigned n = 0;
        DIR *directory;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd", bench->daemon_pid);
        directory = opendir(path);
        assert_non_null(directory);
        while (readdir(directory))
                n++;
        (void) closedir(directory);
        return n;
}

/* The snapshot as its requester reads it. */
static int open_snapshot(Client *client, const char *id) {
        _cleanup_free_ char *path = client_path_of(client, "GetSnapshot", id);
        sd_bus_message *m;
        int tree, fd;

        m = call_ask(client, path, "org.quiesce1.Snapshot", "OpenTree", "a{sv}", 0);
        assert_true(sd_bus_message_read(m, "h", &tree) > 0);
        fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        sd_bus_message_unref(m);
        return fd;
}

static char *prepare(Client *client, const char *volume) {
        char *id;

        client_open_set(client);
        id = client_add(client, volume);
        backup_ok(client, "PrepareForBackup");
        return id;
}

static void test_C24_written_into_the_snapshot_alone(void **state) {
        _cleanup_free_ char *snapshot = NULL, *live = NULL;
        _cleanup_close_ int fd = -EBADF;
        Bench *bench = *state;
        char arguments[256], text[16] = "";
        Client *client;
        int file;

        add_folder(bench, "one");
        (void) snprintf(arguments, sizeof(arguments), "recover=%s/provider/volumes/two", bench->directory);
        add_folder(bench, "two");
        add_writer(bench, "db", "one/data", arguments);
        bench_start(bench);
        client = client_new(bench);
        snapshot = prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        assert_recovers(bench, "db", "post-snapshot", "one/data", "ok");
        assert_recovers(bench, "db", "post-snapshot", "two", "EXDEV"); /* it is not in the set */
        live = bench_read(bench, "provider/volumes/one/data/recovered");
        assert_string_equal(live, "");
        fd = open_snapshot(client, snapshot);
        file = openat(fd, "data/recovered", O_RDONLY | O_CLOEXEC);
        assert_true(file >= 0);
        assert_int_equal(read(file, text, sizeof(text) - 1), 3);
        assert_string_equal(text, "db\n");
        (void) close(file);
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        /* What it still has open is read-only by now. */
        assert_recovers(bench, "db", "backup-complete", "one/data", "EROFS");
        assert_int_equal(bench_count_snapshots(bench), 0);
        (void) client_free(client);
}

static void test_C24_who_has_not_asked_gets_none(void **state) {
        Bench *bench = *state;
        char arguments[256];
        Client *client;

        add_folder(bench, "one");
        (void) snprintf(arguments, sizeof(arguments), "recover=%s/provider/volumes/one", bench->directory);
        bench_add_writer(bench, "alpha", arguments);
        bench_start(bench);
        client = client_new(bench);
        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        assert_recovers(bench, "alpha", "post-snapshot", "one", "ENODATA");
        assert_int_equal(bench_count(bench, "provider/log", "seal"), 0); /* and all is as without it */
        session_ok(client, "Release");
        (void) client_free(client);
}

static void test_C24_nor_does_it_beside_one_that_has(void **state) {
        Bench *bench = *state;
        char arguments[256];
        Client *client;

        add_folder(bench, "one");
        (void) snprintf(arguments, sizeof(arguments), "recover=%s/provider/volumes/one", bench->directory);
        bench_add_writer(bench, "alpha", arguments);
        add_writer(bench, "db", "one", "");
        bench_start(bench);
        client = client_new(bench);
        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        assert_recovers(bench, "alpha", "post-snapshot", "one", "ENODATA");
        assert_recovers(bench, "db", "post-snapshot", "one", "ok");
        assert_int_equal(bench_count(bench, "provider/log", "seal"), 1);
        session_ok(client, "Release");
        (void) client_free(client);
}

/* Who goes on writing makes the set fail by the volume's name; no Abort for those that have had
 * PostSnapshot. */
static void test_C24_what_is_still_written_into_is_not_handed_out(void **state) {
        Bench *bench = *state;
        unsigned n = 0;
        Client *client;

        add_folder(bench, "one");
        add_writer(bench, "db", "one/data", "keep-open=yes");
        bench_start(bench);
        client = client_new(bench);
        for (unsigned i = 0; i < 2; i++) {
                client_prepare(client, "test:one");
                assert_refused(backup_ask(client, "DoSnapshotSet"), "VolumeBusy", "test:one");
                assert_int_equal(bench_count_snapshots(bench), 0);
                if (i > 0)
                        assert_int_equal(count_descriptors(bench), n); /* no mount stays */
                n = count_descriptors(bench);
                session_ok(client, "Release");
                client_round_trip(client);
        }
        assert_int_equal(bench_count(bench, "writers.log", "db abort"), 0);
        assert_int_equal(bench_count(bench, "writers.log", "db backup-shutdown"), 2);
        (void) client_free(client);
}

/* The set is for nobody, but PostSnapshot was sent: it is sealed, and then deleted. */
static void test_C26_a_requester_that_dies_in_post_snapshot(void **state) {
        Bench *bench = *state;
        char fifo[128], arguments[192];
        Client *client;

        add_folder(bench, "one");
        (void) snprintf(arguments, sizeof(arguments), "post-snapshot=wait:%s",
                        bench_make_fifo(bench, "fifo", fifo));
        add_writer(bench, "db", "one", arguments);
        bench_start(bench);
        client = client_new(bench);
        client_prepare(client, "test:one");
        (void) backup_begin(client, "DoSnapshotSet");
        bench_wait_file(bench, "writers.log", "db recovers post-snapshot");
        (void) client_free(client);
        bench_let_go(bench, "fifo");
        bench_wait_file(bench, "writers.log", "db backup-shutdown");
        bench_wait_file(bench, "provider/log", "delete one");
        assert_int_equal(bench_count(bench, "provider/log", "seal one"), 1);
}

/* What a killed quiesced leaves in PostSnapshot counts for nobody, persistent or not. */
static void test_C32_quiesced_killed_in_post_snapshot(void **state) {
        Bench *bench = *state;
        char fifo[128], arguments[192];
        Client *client;

        add_folder(bench, "one");
        (void) snprintf(arguments, sizeof(arguments), "post-snapshot=wait:%s",
                        bench_make_fifo(bench, "fifo", fifo));
        add_writer(bench, "db", "one", arguments);
        bench_start(bench);
        client = client_new(bench);
        client_open(client);
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}", "app-rollback",
                           0));
        backup_ok(client, "GatherWriterMetadata");
        client_start_set(client);
        free(client_add(client, "test:one"));
        backup_ok(client, "PrepareForBackup");
        (void) backup_begin(client, "DoSnapshotSet");
        bench_wait_file(bench, "writers.log", "db recovers post-snapshot");
        assert_int_equal(bench_count_snapshots(bench), 1);
        bench_kill(bench);
        bench_let_go(bench, "fifo");
        bench_start(bench);
        assert_int_equal(bench_count_snapshots(bench), 0);
        (void) client_free(client);
}

/* AbortBackup in PostSnapshot stops nothing (C15): the set is made, and sealed. */
static void test_C15_an_abort_in_post_snapshot(void **state) {
        Bench *bench = *state;
        char fifo[128], arguments[192];
        Call *creating, *aborting;
        Client *client;

        add_folder(bench, "one");
        (void) snprintf(arguments, sizeof(arguments), "post-snapshot=wait:%s",
                        bench_make_fifo(bench, "fifo", fifo));
        add_writer(bench, "db", "one", arguments);
        bench_start(bench);
        client = client_new(bench);
        client_prepare(client, "test:one");
        creating = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(bench, "writers.log", "db recovers post-snapshot");
        aborting = backup_begin(client, "AbortBackup");
        client_round_trip(client);
        bench_let_go(bench, "fifo");
        assert_ok(call_wait(creating));
        assert_ok(call_wait(aborting));
        assert_int_equal(bench_count(bench, "provider/log", "seal one"), 1);
        session_ok(client, "Release");
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_C24_written_into_the_snapshot_alone),
                TEST(test_C24_who_has_not_asked_gets_none),
                TEST(test_C24_nor_does_it_beside_one_that_has),
                TEST(test_C24_what_is_still_written_into_is_not_handed_out),
                TEST(test_C26_a_requester_that_dies_in_post_snapshot),
                TEST(test_C32_quiesced_killed_in_post_snapshot),
                TEST(test_C15_an_abort_in_post_snapshot),
        };

        return cmocka_run_group_tests_name("bus-recovery", tests, NULL, NULL);
}
