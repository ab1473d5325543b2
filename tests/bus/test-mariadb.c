/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The MariaDB writer: the real quiesced, the real writer as an unprivileged user with the rights that its
 * manual page tells, and real servers under load. Data, InnoDB's log and binary log are on volumes of their
 * own. The test provider's copies are the snapshots: the server is stopped while they are made, as a
 * suspended device would stop its writes; what the writer has to see to is all that makes them a good
 * moment.
 */

#include <signal.h>
#include <sys/stat.h>

#include "mariadb-server.h"

static const char *const tables[] = {"i", "m", "a"}; /* InnoDB, MyISAM, Aria */

/* ── Sessions ── */

/* Writers are frozen when this returns. The provider waits again when it has copied. */
static Call *freeze(Bench *bench, Client *client) {
        bench_write(bench, "provider/script",
                    "pre-commit one-data mark reached\npre-commit one-data wait go\n"
                    "post-commit one-data mark copied\npost-commit one-data wait on\n");
        return snapshot_begin_scripted(bench, client);
}

/* Nothing of the server's is written while the copies are made. */
static void copy_while_stopped(Bench *bench, const MariadbServer *server, Call *call) {
        assert_int_equal(kill(server->pid, SIGSTOP), 0);
        bench_write(bench, "provider/go", "");
        bench_wait_file(bench, "provider/copied", "");
        assert_int_equal(kill(server->pid, SIGCONT), 0);
        bench_write(bench, "provider/on", "");
        assert_ok(call_wait(call));
}

/* What is in the copies does not count. */
static void copy(Bench *bench, Call *call) {
        bench_write(bench, "provider/on", "");
        snapshot_end(bench, call);
}

/* ── What is in a snapshot ── */

/* All tables, the server's own too; each line says OK, or what is wrong. */
static void assert_tables_good(const MariadbServer *server) {
        char command[256], line[256];
        unsigned n = 0;
        FILE *f;

        (void) snprintf(command, sizeof(command),
                        "mariadb-check --no-defaults --user=root --socket=%s --extended --all-databases",
                        server->socket);
        f = popen(command, "re");
        assert_non_null(f);
        for (; fgets(line, sizeof(line), f); n++)
                if (!strstr(line, " OK\n"))
                        fail_msg("mariadb-check: %s", line);
        assert_int_equal(pclose(f), 0);
        assert_true(n > ELEMENTSOF(tables));
}

/* The rows are 1 to n, n being what was noted when nobody could commit, or one more that was committed and
 * not yet noted. */
static void assert_rows(MYSQL *mysql, const char *table, long before, long held) {
        char question[128];
        long n;

        (void) snprintf(question, sizeof(question), "SELECT COUNT(*) FROM test.%s", table);
        n = mariadb_ask(mysql, question);
        (void) snprintf(question, sizeof(question), "SELECT MAX(n) FROM test.%s", table);
        assert_int_equal(mariadb_ask(mysql, question), n);
        if (n < before || (n != held && n != held + 1))
                fail_msg("%s has %ld rows; noted were %ld, then %ld", table, n, before, held);
}

/* A line of the backup metadata in a document, where it is a string of JSON. */
static void metadata_value(const char *document, const char *key, char value[static 128]) {
        char text[64];
        const char *at;

        (void) snprintf(text, sizeof(text), "%s=", key);
        at = strstr(document, text);
        if (!at)
                fail_msg("%s is not in: %s", key, document);
        assert_int_equal(sscanf(at + strlen(text), "%127[^\\\"]", value), 1);
}

/* How often something happens in a binary log up to a place. */
static long count_in_log(const char *path, const char *position, const char *what) {
        char command[1024];
        long n = -1;
        FILE *f;

        (void) snprintf(command, sizeof(command),
                        "mariadb-binlog --no-defaults --stop-position=%s %s | grep -c '%s'", position, path,
                        what);
        f = popen(command, "re");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%ld", &n), 1);
        (void) pclose(f);
        return n;
}

/* The place that was noted is where the log in the snapshot ends, and all that is in the tables is before
 * it. */
static void assert_position(Client *client, MYSQL *mysql, const char *document) {
        char file[128], position[128], folder[192], path[512], what[64];
        struct stat st;

        metadata_value(document, "binary-log-file", file);
        metadata_value(document, "binary-log-position", position);
        (void) snprintf(path, sizeof(path), "%s/%s", snapshot_path(client, folder, "one-binary-log"), file);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, strtol(position, NULL, 10));
        for (size_t i = 0; i < ELEMENTSOF(tables); i++) {
                char question[128];

                (void) snprintf(what, sizeof(what), "^INSERT INTO test.%s ", tables[i]);
                (void) snprintf(question, sizeof(question), "SELECT COUNT(*) FROM test.%s", tables[i]);
                assert_int_equal(count_in_log(path, position, what), mariadb_ask(mysql, question));
        }
}

/* ── Tests ── */

static void test_no_commit_is_lost_and_none_is_too_much(void **state) {
        long before[ELEMENTSOF(tables)], held[ELEMENTSOF(tables)];
        _cleanup_free_ char *document = NULL;
        Load *load[ELEMENTSOF(tables)];
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        Client *client;
        MYSQL *mysql;
        Call *call;

        mariadb_add_writer(bench, SET("one"), "");
        bench_start(bench);
        for (size_t i = 0; i < ELEMENTSOF(tables); i++)
                load[i] = load_start(bench, server, tables[i]);
        client = mariadb_prepare(bench, SET("one"), NULL);
        for (size_t i = 0; i < ELEMENTSOF(tables); i++)
                before[i] = load_count(load[i]);
        call = freeze(bench, client);
        for (size_t i = 0; i < ELEMENTSOF(tables); i++)
                held[i] = load_count(load[i]);
        copy_while_stopped(bench, server, call);
        assert_good(client, "mariadb");
        for (size_t i = 0; i < ELEMENTSOF(tables); i++) { /* they are let go */
                load_await(bench, load[i], held[i] + 5);
                load_stop(load[i]);
        }
        document = save_document(client);
        mariadb_kill(server);
        mariadb_start_snapshot(bench, client, server);
        mysql = mariadb_log_in(server);
        assert_tables_good(server);
        for (size_t i = 0; i < ELEMENTSOF(tables); i++)
                assert_rows(mysql, tables[i], before[i], held[i]);
        assert_position(client, mysql, document);
        mysql_close(mysql);
        end_session(client);
}

/* What a set may lack: the server's log, its binary log, a table's folder. */
static void test_set_without_a_server_s_volume(void **state) {
        static const char *const lacking[][2] = {{"test:one-log", "InnoDB log"},
                                                 {"test:one-binary-log", "binary log"},
                                                 {"test:one-data", "data directory"}};
        Bench *bench = *state;
        char part[64];
        Client *client;

        (void) mariadb_new(bench, "one");
        mariadb_add_writer(bench, SET("one"), "");
        bench_start(bench);
        for (size_t i = 0; i < ELEMENTSOF(lacking); i++) {
                client = mariadb_prepare(bench, SET("one"), lacking[i][0]);
                backup_ok(client, "DoSnapshotSet");
                (void) snprintf(part, sizeof(part), "the set lacks /, where %s", lacking[i][1]);
                assert_status(client, "'InconsistentSnapshot'");
                assert_status(client, part);
                end_session(client);
        }
}

/* Neither is told by a variable: a database that is a link, tables with DATA DIRECTORY. */
static void test_tables_that_lie_elsewhere(void **state) {
        char elsewhere[160], text[256], link[256];
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        MYSQL *mysql = mariadb_log_in(server);
        Client *client;

        (void) snprintf(elsewhere, sizeof(elsewhere), "%s/provider/volumes/elsewhere", bench->directory);
        assert_int_equal(mkdir(elsewhere, 0700), 0);
        mariadb_add_writer(bench, SET("one"), "");
        bench_start(bench);
        for (size_t i = 0; i < 3; i++) {
                if (i < 2)
                        (void) snprintf(text, sizeof(text),
                                        "CREATE TABLE test.e (n INT) ENGINE=%s DATA DIRECTORY='%s'",
                                        i == 0 ? "InnoDB" : "MyISAM", elsewhere);
                (void) snprintf(link, sizeof(link), "%s/linked", server->data);
                if (i < 2)
                        mariadb_run(mysql, text);
                else
                        assert_int_equal(symlink(elsewhere, link), 0);
                client = mariadb_prepare(bench, SET("one"), NULL);
                backup_ok(client, "DoSnapshotSet");
                assert_status(client, "'InconsistentSnapshot'");
                assert_status(client, i == 0   ? "where tablespace "
                                      : i == 1 ? "where table "
                                               : "where database ");
                end_session(client);
                if (i < 2)
                        mariadb_run(mysql, "DROP TABLE test.e");
        }
        mysql_close(mysql);
}

static void test_server_that_is_down(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        Client *client;

        mariadb_add_writer(bench, SET("one"), "");
        bench_start(bench);
        client = mariadb_prepare(bench, SET("one"), NULL);
        mariadb_kill(server);
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'failed-at-prepare-snapshot'");
        assert_status(client, "'Retryable'");
        assert_status(client, "one: no connection: ");
        end_session(client);
}

static void test_login_refused(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        MYSQL *mysql = mariadb_log_in(server);
        Client *client;

        mariadb_run(mysql, "DROP USER nobody@localhost");
        mariadb_add_writer(bench, SET("one"), "");
        bench_start(bench);
        client = mariadb_prepare(bench, SET("one"), NULL);
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'failed-at-prepare-snapshot'");
        assert_status(client, "'NonRetryable'");
        assert_status(client, "one: no connection: Access denied for user ");
        mysql_close(mysql);
        end_session(client);
}

/* By a password from a file; one that is wrong is not told, nor is the right one. */
static void test_password_from_a_file(void **state) {
        _cleanup_free_ char *status = NULL;
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        MYSQL *mysql = mariadb_log_in(server);
        char settings[160];
        Client *client;

        mariadb_run(mysql, "CREATE USER keeper@localhost IDENTIFIED BY 'open sesame'");
        mariadb_run(mysql, "GRANT RELOAD, PROCESS, SHOW DATABASES, BINLOG MONITOR, SLAVE MONITOR ON *.* TO "
                           "keeper@localhost");
        mysql_close(mysql);
        (void) snprintf(settings, sizeof(settings), "User=keeper\nPasswordFile=%s/password\n",
                        bench->directory);
        mariadb_add_writer(bench, SET("one"), settings);
        bench_write(bench, "password", "open barley\n");
        bench_start(bench);
        client = mariadb_prepare(bench, SET("one"), NULL);
        backup_ok(client, "DoSnapshotSet");
        status = status_of(client);
        assert_has(status, "Access denied for user 'keeper'");
        assert_null(strstr(status, "barley"));
        end_session(client);
        bench_write(bench, "password", "open sesame\n");
        client = mariadb_prepare(bench, SET("one"), NULL);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client, "mariadb");
        end_session(client);
}

/* It does not answer, neither in Identify nor later; the other one is held, and let go, all the same. */
static void test_server_that_is_stopped(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one"), *other = mariadb_new(bench, "two");
        Client *client;
        Load *load;

        mariadb_add_writer(bench, SET("one", "two"), "");
        bench_start(bench);
        load = load_start(bench, other, "i");
        client = mariadb_prepare(bench, SET("one", "two"), NULL);
        assert_int_equal(kill(server->pid, SIGSTOP), 0);
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'Timeout'");
        assert_status(client, "one: no connection: the server does not answer in time");
        load_await(bench, load, load_count(load) + 5);
        assert_int_equal(kill(server->pid, SIGCONT), 0);
        end_session(client);
}

static void test_two_servers(void **state) {
        _cleanup_free_ char *document = NULL;
        MariadbServer *server[2];
        Bench *bench = *state;
        Client *client;
        long held[2];
        Load *load[2];
        Call *call;

        mariadb_add_writer(bench, SET("one", "two"), "");
        for (size_t i = 0; i < 2; i++) {
                server[i] = mariadb_new(bench, i == 0 ? "one" : "two");
                load[i] = load_start(bench, server[i], "i");
        }
        bench_start(bench);
        client = mariadb_prepare(bench, SET("one", "two"), NULL);
        call = freeze(bench, client);
        for (size_t i = 0; i < 2; i++)
                held[i] = load_count(load[i]);
        /* Both in no time; and neither has moved meanwhile. */
        bench_write(bench, "provider/go", "");
        bench_wait_file(bench, "provider/copied", "");
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(load_count(load[i]), held[i]);
        bench_write(bench, "provider/on", "");
        assert_ok(call_wait(call));
        assert_good(client, "mariadb");
        document = save_document(client);
        assert_has(document, "binary-log-position=");
        for (size_t i = 0; i < 2; i++)
                load_await(bench, load[i], held[i] + 5);
        end_session(client);
}

/* What has to be waited for; the text names who it is, and never what it says. */
static void hold_up(Bench *bench, const char *statement, const char *then, const char *where,
                    const char *why) {
        MariadbServer *server = mariadb_new(bench, "one");
        _cleanup_free_ char *status = NULL;
        MYSQL *mysql = mariadb_log_in(server);
        char part[128];
        Client *client;
        Load *load;

        mariadb_add_writer(bench, SET("one"), "LockSec=2\n");
        bench_start(bench);
        load = load_start(bench, server, "i");
        client = mariadb_prepare(bench, SET("one"), NULL);
        if (then)
                mariadb_run(mysql, statement);
        else
                mariadb_begin(server, mysql, statement);
        backup_ok(client, "DoSnapshotSet");
        status = status_of(client);
        (void) snprintf(part, sizeof(part), why, mysql_thread_id(mysql));
        assert_has(status, where);
        assert_has(status, "'Timeout'");
        assert_has(status, part);
        assert_null(strstr(status, "secret"));
        load_await(bench, load, load_count(load) + 5);
        if (then)
                mariadb_run(mysql, then);
        mysql_close(mysql);
        end_session(client);
}

static void test_long_statement(void **state) {
        hold_up(*state, "INSERT INTO test.m (bytes) VALUES ('secret'), (SLEEP(60))", NULL,
                "'failed-at-freeze'",
                "one: BACKUP STAGE BLOCK_DDL was held up, it seems by connection %lu of root (runs for ");
}

static void test_locked_tables(void **state) {
        hold_up(*state, "LOCK TABLES test.m WRITE", "UNLOCK TABLES", "'failed-at-prepare-snapshot'",
                "one: BACKUP STAGE START was held up, it seems by connection %lu of root (idle for ");
}

/* The text is as long as a query, which is none of the server's locks: nothing is waited for. */
static void test_long_query_is_in_nobody_s_way(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        MYSQL *mysql[2] = {mariadb_log_in(server), mariadb_log_in(server)};
        Client *client;

        mariadb_add_writer(bench, SET("one"), "LockSec=2\n");
        bench_start(bench);
        mariadb_run(mysql[0], "BEGIN");
        mariadb_run(mysql[0], "INSERT INTO test.i (bytes) VALUES ('open')");
        mariadb_begin(server, mysql[1], "SELECT SLEEP(30) FROM (SELECT 1) t");
        client = mariadb_prepare(bench, SET("one"), NULL);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client, "mariadb");
        mariadb_run(mysql[0], "COMMIT");
        for (size_t i = 0; i < 2; i++)
                mysql_close(mysql[i]);
        end_session(client);
}

static void test_another_backup(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        MYSQL *mysql = mariadb_log_in(server);
        Client *client;

        mariadb_run(mysql, "BACKUP STAGE START");
        mariadb_add_writer(bench, SET("one"), "LockSec=1\n");
        bench_start(bench);
        client = mariadb_prepare(bench, SET("one"), NULL);
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'failed-at-prepare-snapshot'");
        assert_status(client, "'Timeout'");
        assert_status(client, "one: BACKUP STAGE START was held up");
        mysql_close(mysql);
        end_session(client);
}

/* What the writer died with goes with its connection. */
static void test_killed_while_it_holds(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        pid_t process;
        Client *client;
        long held;
        Load *load;
        Call *call;

        mariadb_add_writer(bench, SET("one"), "");
        bench_start(bench);
        load = load_start(bench, server, "i");
        client = mariadb_prepare(bench, SET("one"), NULL);
        process = writer_process(client);
        call = freeze(bench, client);
        held = load_count(load);
        assert_int_equal(kill(process, SIGKILL), 0);
        load_await(bench, load, held + 5);
        copy(bench, call);
        assert_status(client, "NotResponding");
        end_session(client);
}

/* Somebody kills its connection: the lock is lost, and that is told at Thaw. */
static void test_lock_is_lost(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        MYSQL *mysql = mariadb_log_in(server);
        Client *client;
        long held;
        Load *load;
        Call *call;

        mariadb_add_writer(bench, SET("one"), "");
        bench_start(bench);
        load = load_start(bench, server, "i");
        client = mariadb_prepare(bench, SET("one"), NULL);
        call = freeze(bench, client);
        held = load_count(load);
        mariadb_run(mysql, "KILL USER nobody@localhost");
        load_await(bench, load, held + 5);
        copy(bench, call);
        assert_status(client, "'failed-at-thaw'");
        assert_status(client, "one: the server was not held all the time: ");
        mysql_close(mysql);
        end_session(client);
}

static void test_server_dies_while_it_is_held(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        Client *client;
        Call *call;

        mariadb_add_writer(bench, SET("one"), "");
        bench_start(bench);
        client = mariadb_prepare(bench, SET("one"), NULL);
        call = freeze(bench, client);
        mariadb_kill(server);
        copy(bench, call);
        assert_status(client, "'failed-at-thaw'");
        assert_status(client, "one: the server was not held all the time: ");
        end_session(client);
}

static void test_aborted_while_it_holds(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        Client *client;
        long held;
        Load *load;
        Call *call;

        mariadb_add_writer(bench, SET("one"), "");
        bench_start(bench);
        load = load_start(bench, server, "m");
        client = mariadb_prepare(bench, SET("one"), NULL);
        call = freeze(bench, client);
        held = load_count(load);
        backup_ok(client, "AbortBackup");
        assert_refused(call_wait(call), "Aborted", "");
        load_await(bench, load, held + 5);
        end_session(client);
}

/* While it waits for a lock: the server lets go of what it has granted by then. */
static void test_aborted_while_it_tries(void **state) {
        Bench *bench = *state;
        MariadbServer *server = mariadb_new(bench, "one");
        MYSQL *mysql = mariadb_log_in(server);
        Client *client;
        Call *call;

        mariadb_add_writer(bench, SET("one"), "LockSec=25\n");
        bench_start(bench);
        client = mariadb_prepare(bench, SET("one"), NULL);
        mariadb_begin(server, mysql, "INSERT INTO test.m (bytes) VALUES (''), (SLEEP(60))");
        call = backup_begin(client, "DoSnapshotSet");
        mariadb_await_state(server, "Waiting for backup lock");
        backup_ok(client, "AbortBackup");
        assert_refused(call_wait(call), "Aborted", "");
        (void) load_start(bench, server, "a"); /* FLUSH would keep it out */
        mysql_close(mysql);
        end_session(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, mariadb_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_no_commit_is_lost_and_none_is_too_much),
                TEST(test_set_without_a_server_s_volume),
                TEST(test_tables_that_lie_elsewhere),
                TEST(test_server_that_is_down),
                TEST(test_login_refused),
                TEST(test_password_from_a_file),
                TEST(test_server_that_is_stopped),
                TEST(test_two_servers),
                TEST(test_long_statement),
                TEST(test_locked_tables),
                TEST(test_long_query_is_in_nobody_s_way),
                TEST(test_another_backup),
                TEST(test_killed_while_it_holds),
                TEST(test_lock_is_lost),
                TEST(test_server_dies_while_it_is_held),
                TEST(test_aborted_while_it_holds),
                TEST(test_aborted_while_it_tries),
        };

        return cmocka_run_group_tests_name("mariadb", tests, mariadb_group_setup, mariadb_group_teardown);
}
