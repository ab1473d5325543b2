/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The SQLite writer: the real quiesced and the real writer, databases under write load by processes that
 * note each commit that SQLite has acknowledged; the test provider's copies are the snapshots. They are made
 * file by file, which is an instant only if nobody writes meanwhile.
 */

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "writer-bench.h"

#define LOADS_MAX 4u

typedef struct Load {
        char database[160], noted[160];
        pid_t pid;
} Load;

static Load loads[LOADS_MAX];
static size_t n_loads;

/* ── Databases ── */

static void run(sqlite3 *db, const char *sql) {
        char *why = NULL;

        if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
                fail_msg("%s: %s", sql, why);
}

static long ask(sqlite3 *db, const char *sql) {
        sqlite3_stmt *statement;
        long value;

        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        if (sqlite3_step(statement) != SQLITE_ROW)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        value = (long) sqlite3_column_int64(statement, 0);
        (void) sqlite3_finalize(statement);
        return value;
}

static sqlite3 *open_database(const char *path) {
        sqlite3 *db;

        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
                         SQLITE_OK);
        (void) sqlite3_busy_timeout(db, 30000);
        return db;
}

/* In the volume of that name, which is a folder. */
static void path_in(Bench *bench, char path[static 160], const char *volume, const char *name) {
        (void) snprintf(path, 160, "%s/provider/volumes/%s/%s", bench->directory, volume, name);
}

static void make_database(Bench *bench, const char *volume, const char *name, const char *mode) {
        char path[160], sql[128];
        sqlite3 *db;

        path_in(bench, path, volume, name);
        db = open_database(path);
        (void) snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s", mode);
        run(db, sql);
        run(db, "CREATE TABLE t (n INTEGER PRIMARY KEY, bytes BLOB)");
        (void) sqlite3_close(db);
}

/* ── The load ── */

/* Each row is noted after its commit, with one write(). Without cmocka: it is another process. */
static void work(const Load *load) {
        int fd = open(load->noted, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        sqlite3 *db;

        if (fd < 0 || sqlite3_open_v2(load->database, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
                _exit(1);
        (void) sqlite3_busy_timeout(db, 60000);
        for (;;) {
                if (sqlite3_exec(db, "INSERT INTO t (bytes) VALUES (randomblob(3000))", NULL, NULL, NULL) !=
                            SQLITE_OK ||
                    write(fd, "+", 1) != 1)
                        _exit(2);
        }
}

static long count_noted(const Load *load) {
        return noted_count(load->noted);
}

static void await_noted(Bench *bench, const Load *load, long n) {
        noted_await(bench, load->noted, n);
}

static Load *start_load(Bench *bench, const char *volume, const char *name) {
        Load *load = &loads[n_loads++];

        path_in(bench, load->database, volume, name);
        (void) snprintf(load->noted, sizeof(load->noted), "%s/%s.noted", bench->directory, name);
        load->pid = fork();
        assert_true(load->pid >= 0);
        if (load->pid == 0)
                work(load);
        await_noted(bench, load, 5);
        return load;
}

static void stop_loads(void) {
        while (n_loads > 0) {
                Load *load = &loads[--n_loads];
                int status;

                (void) kill(load->pid, SIGKILL);
                assert_int_equal(waitpid(load->pid, &status, 0), load->pid);
                assert_true(WIFSIGNALED(status)); /* else its work failed */
        }
}

/* ── The bench ── */

static void add_writer(Bench *bench, bool as_nobody, const char *settings) {
        char text[1024];

        (void) snprintf(text, sizeof(text), "[Databases]\nPath=%s/provider/volumes/*/*.db\n%s",
                        bench->directory, settings);
        add_real_writer(bench, "sqlite", as_nobody ? AS_NOBODY : AS_ROOT, text);
}

static void add_volume(Bench *bench, const char *name) {
        char path[160];

        path_in(bench, path, name, "");
        assert_int_equal(mkdir(path, 0755), 0);
}

/* A session that has prepared the volume "one", where somebody writes into a database. */
static Client *prepare_under_load(Bench *bench, const char *name, const char *journal_mode,
                                  Load **ret_load) {
        make_database(bench, "one", name, journal_mode);
        add_writer(bench, false, "");
        bench_start(bench);
        *ret_load = start_load(bench, "one", name);
        return prepare_set(bench, NULL, SET("test:one"));
}

static int setup(void **state) {
        int r = bench_setup(state);

        add_volume(*state, "one");
        add_volume(*state, "two");
        return r;
}

static int teardown(void **state) {
        stop_loads();
        return bench_teardown(state);
}

/* The rows of a snapshot are 1 to n, n being what was noted when nobody could write, or one more that was
 * committed and not yet noted. */
static void assert_snapshot(Bench *bench, Client *client, const char *name, long before, long held) {
        char folder[192], path[256];
        sqlite3 *db;
        long n;

        (void) snprintf(path, sizeof(path), "%s/%s", snapshot_path(client, folder, "one"), name);
        db = open_database(path);
        n = ask(db, "SELECT count(*) FROM t");
        assert_int_equal(ask(db, "SELECT max(n) FROM t"), n);
        assert_true(n >= before);
        assert_true(n == held || n == held + 1);
        assert_int_equal(ask(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
                         1);
        (void) sqlite3_close(db);
}

/* Whether somebody could write now; everybody can read. */
static bool can_write(Bench *bench, const char *name) {
        char path[160];
        sqlite3 *db;
        bool can;

        path_in(bench, path, "one", name);
        db = open_database(path);
        (void) sqlite3_busy_timeout(db, 0);
        assert_int_equal(ask(db, "SELECT count(*) FROM t"), 0);
        can = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
        (void) sqlite3_close(db);
        return can;
}

/* ── Tests ── */

static void test_no_commit_is_lost_and_none_is_too_much(void **state) {
        long before[2], held[2];
        Bench *bench = *state;
        Client *client;
        Load *of[2];
        Call *call;

        make_database(bench, "one", "log.db", "wal");
        make_database(bench, "one", "journal.db", "delete");
        make_database(bench, "one", "quiet-log.db", "wal");
        make_database(bench, "one", "quiet-journal.db", "persist");
        add_writer(bench, false, "");
        bench_start(bench);
        of[0] = start_load(bench, "one", "log.db");
        of[1] = start_load(bench, "one", "journal.db");
        client = prepare_set(bench, NULL, SET("test:one"));
        for (size_t i = 0; i < 2; i++)
                before[i] = count_noted(of[i]);
        call = snapshot_begin(bench, client, "commit", "one");
        assert_false(can_write(bench, "quiet-log.db"));
        assert_false(can_write(bench, "quiet-journal.db"));
        for (size_t i = 0; i < 2; i++)
                held[i] = count_noted(of[i]);
        snapshot_end(bench, call);
        assert_true(can_write(bench, "quiet-log.db"));
        assert_true(can_write(bench, "quiet-journal.db"));
        assert_status(client, "'state'='waiting-for-backup-complete'");
        assert_snapshot(bench, client, "log.db", before[0], held[0]);
        assert_snapshot(bench, client, "journal.db", before[1], held[1]);
        for (size_t i = 0; i < 2; i++) /* they are let go */
                await_noted(bench, of[i], held[i] + 5);
        end_session(client);
}

/* What the writer died with is gone with it. */
static void test_killed_while_it_holds(void **state) {
        Bench *bench = *state;
        pid_t process;
        Client *client;
        long held;
        Load *load;
        Call *call;

        client = prepare_under_load(bench, "log.db", "wal", &load);
        process = writer_process(client);
        call = snapshot_begin(bench, client, "commit", "one");
        held = count_noted(load);
        assert_int_equal(kill(process, SIGKILL), 0);
        await_noted(bench, load, held + 5);
        snapshot_end(bench, call);
        assert_status(client, "NotResponding");
        end_session(client);
}

static void test_aborted_while_it_holds(void **state) {
        Bench *bench = *state;
        Client *client;
        long held;
        Load *load;
        Call *call;

        client = prepare_under_load(bench, "journal.db", "truncate", &load);
        call = snapshot_begin(bench, client, "pre-commit", "one");
        held = count_noted(load);
        backup_ok(client, "AbortBackup");
        assert_refused(call_wait(call), "Aborted", "");
        await_noted(bench, load, held + 5);
        end_session(client);
}

/* While it still tries: the Freeze that waits is answered, and what it has locked by then let go. */
static void test_aborted_while_it_tries(void **state) {
        char path[160], arguments[160];
        Bench *bench = *state;
        Client *client;
        sqlite3 *db;
        Load *load;
        Call *call;

        make_database(bench, "one", "busy.db", "wal");
        make_database(bench, "one", "other.db", "delete");
        add_writer(bench, false, "[Snapshot]\nLockSec=25\nCheckpointSec=1\n");
        (void) snprintf(arguments, sizeof(arguments), "level=back-end freeze=mark:%s/frozen",
                        bench->directory);
        bench_add_writer(bench, "beside", arguments);
        bench_start(bench);
        load = start_load(bench, "one", "other.db");
        path_in(bench, path, "one", "busy.db");
        db = open_database(path);
        run(db, "BEGIN IMMEDIATE");
        client = prepare_set(bench, NULL, SET("test:one"));
        call = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(bench, "frozen", "");
        backup_ok(client, "AbortBackup");
        assert_refused(call_wait(call), "Aborted", "");
        await_noted(bench, load, count_noted(load) + 5);
        (void) sqlite3_close(db);
        end_session(client);
}

/* A transaction that does not end: told in time, with the name of the database; the others are let go. */
static void test_busy_database(void **state) {
        char path[160];
        Bench *bench = *state;
        Client *client;
        sqlite3 *db;
        Load *load;

        make_database(bench, "one", "busy.db", "wal");
        make_database(bench, "one", "other.db", "delete");
        add_writer(bench, false, "[Snapshot]\nLockSec=1\nCheckpointSec=1\n");
        bench_start(bench);
        load = start_load(bench, "one", "other.db");
        path_in(bench, path, "one", "busy.db");
        db = open_database(path);
        run(db, "BEGIN IMMEDIATE");
        client = prepare_set(bench, NULL, SET("test:one"));
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'failed-at-freeze'");
        assert_status(client, "'Timeout'");
        assert_status(client, "one/busy.db is being written by another process");
        await_noted(bench, load, count_noted(load) + 5);
        run(db, "COMMIT");
        (void) sqlite3_close(db);
        end_session(client);
}

/* A session in component mode with one component, and the volume "one". */
static Client *choose(Bench *bench, const char *volume, const char *name) {
        char path[160], component[192];

        path_in(bench, path, volume, name);
        (void) snprintf(component, sizeof(component), "sqlite%s", path);
        return prepare_set(bench, SET(component), SET("test:one"));
}

static void test_set_without_a_database_s_volume(void **state) {
        Bench *bench = *state;
        Client *client;

        make_database(bench, "one", "here.db", "wal");
        make_database(bench, "two", "there.db", "wal");
        add_writer(bench, false, "");
        bench_start(bench);
        client = choose(bench, "two", "there.db");
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'InconsistentSnapshot'");
        assert_status(client, "the set lacks /, where ");
        end_session(client);
        /* In volume mode it is none of this backup's business. */
        assert_backup(bench, NULL, SET("test:one"), "'state'='waiting-for-backup-complete'", "");
}

static void test_journal_that_lies_elsewhere(void **state) {
        char link[160], target[160];
        Bench *bench = *state;

        make_database(bench, "one", "split.db", "delete");
        path_in(bench, link, "one", "split.db-journal");
        path_in(bench, target, "two", "");
        assert_int_equal(symlink(target, link), 0);
        add_writer(bench, false, "");
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:one"), "'InconsistentSnapshot'", "split.db-journal is; add it");
}

static void unreadable(Bench *bench, const char *settings, const char *state, const char *text) {
        char path[160];

        make_database(bench, "one", "secret.db", "delete");
        path_in(bench, path, "one", "secret.db");
        assert_int_equal(chmod(path, 0600), 0);
        add_writer(bench, true, settings);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:one"), state, text);
}

static void test_unreadable_is_a_failure(void **state) {
        unreadable(*state, "", "'failed-at-prepare-snapshot'",
                   "one/secret.db cannot be opened: Permission denied");
}

static void test_unreadable_is_a_warning(void **state) {
        unreadable(*state, "Unreadable=warn\n", "'waiting-for-backup-complete'", "left as it is: ");
}

/* Not a file of the writer's user beside a database of somebody else's, which he could not open then. */
static void test_idle_database_of_another_user(void **state) {
        char path[160], log[176];
        Bench *bench = *state;
        Client *client;

        make_database(bench, "one", "idle.db", "wal");
        path_in(bench, path, "one", "idle.db");
        assert_int_equal(chmod(path, 0666), 0);
        (void) snprintf(log, sizeof(log), "%s/provider/volumes/one", bench->directory);
        assert_int_equal(chmod(log, 0777), 0);
        (void) snprintf(log, sizeof(log), "%s-wal", path);
        add_writer(bench, true, "");
        bench_start(bench);
        client = prepare_set(bench, NULL, SET("test:one"));
        (void) snapshot_begin(bench, client, "commit", "one");
        assert_int_equal(access(log, F_OK), -1);
        bench_write(bench, "provider/go", "");
        end_session(client);
}

/* What is noted of a database comes back in a restore, which looks at what was put back. */
static void test_document_and_restore(void **state) {
        _cleanup_free_ char *text = NULL, *document = NULL;
        Bench *bench = *state;
        char path[160];
        Client *client;
        int fd;

        make_database(bench, "one", "kept.db", "wal");
        add_writer(bench, false, "");
        bench_start(bench);
        client = choose(bench, "one", "kept.db");
        backup_ok(client, "DoSnapshotSet");
        backup_ok(client, "BackupComplete");
        document = save_document(client);
        assert_has(document, "\"backup-metadata\": \"journal-mode=wal\\npage-size=4096\\npage-count=2\\n");
        assert_has(document, "SQLite, journal mode wal, written by SQLite 3.");
        assert_has(document, "kept.db-wal");
        session_ok(client, "Release");

        path_in(bench, path, "one", "kept.db");
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        for (int i = 0; i < 2; i++) { /* whole; then the table's root page is not what it was */
                client_open_restore(client, document);
                assert_ok(call_ask(client, client->session, RESTORE_INTERFACE, "GatherWriterMetadata",
                                   "a{sv}", 0));
                path_in(bench, path, "one", "");
                path[strlen(path) - 1] = '\0';
                assert_ok(call_ask(client, client->session, RESTORE_INTERFACE, "SetSelectedForRestore",
                                   "sssba{sv}", "sqlite", path + 1, "kept.db", 1, 0));
                assert_ok(call_ask(client, client->session, RESTORE_INTERFACE, "PreRestore", "a{sv}", 0));
                if (i == 1)
                        assert_int_equal(pwrite(fd, "nonsense", 8, 4096), 8);
                assert_ok(call_ask(client, client->session, RESTORE_INTERFACE, "PostRestore", "a{sv}", 0));
                free(text);
                text = status_of(client);
                assert_true(!strstr(text, "kept.db is damaged") == (i == 0));
                session_ok(client, "Release");
        }
        (void) close(fd);
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_no_commit_is_lost_and_none_is_too_much),
                TEST(test_killed_while_it_holds),
                TEST(test_aborted_while_it_holds),
                TEST(test_aborted_while_it_tries),
                TEST(test_busy_database),
                TEST(test_set_without_a_database_s_volume),
                TEST(test_journal_that_lies_elsewhere),
                TEST(test_unreadable_is_a_failure),
                TEST(test_unreadable_is_a_warning),
                TEST(test_idle_database_of_another_user),
                TEST(test_document_and_restore),
        };

        return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
