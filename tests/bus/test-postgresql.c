/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The PostgreSQL writer: the real quiesced, the real writer and real servers; the test provider's copies are
 * the snapshots. They are made file by file, and PostgreSQL is not held still: what is in a copy is looked
 * at only where nobody writes meanwhile. tests/vm/test-postgresql.sh looks at an instant.
 */

#include <libpq-fe.h>
#include <signal.h>
#include <sys/stat.h>

#include "postgresql-bench.h"

/* From the snapshots, with the links led to the copies. */
static Cluster *restore(Bench *bench, Client *client, const Cluster *original) {
        Cluster *cluster = postgresql_copy_snapshots(bench, client, original, SET("data", "wal", "fast"));

        shell("cd %s/restored && rm data/pg/postmaster.pid && ln -s $PWD/wal/pg_wal data/pg/pg_wal && "
              "ln -s $PWD/fast/space data/pg/pg_tblspc/$(ls -A ../provider/volumes/data/pg/pg_tblspc) && "
              "chown -R postgres: . && chmod -R go= .",
              bench->directory);
        postgresql_start(bench, cluster, "fsync=off");
        return cluster;
}

/* ── Tests ── */

static void test_whole_set(void **state) {
        Bench *bench = postgresql_begin(state);
        Cluster *cluster, *restored;
        Client *client;
        Call *call;

        cluster = postgresql_make_spread(bench, "fsync=on");
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        client = prepare_set(bench, NULL, SET("test:data", "test:wal", "test:fast"));
        call = snapshot_begin(bench, client, "commit", "data");
        snapshot_end(bench, call);
        (void) postgresql_sql(bench, cluster, "INSERT INTO here SELECT generate_series(1001, 1500)");
        (void) postgresql_sql(bench, cluster, "INSERT INTO there VALUES (0)");
        assert_status(client, "'state'='waiting-for-backup-complete'");
        restored = restore(bench, client, cluster);
        assert_int_equal(postgresql_sql(bench, restored, "SELECT count(*) FROM here"), 1000);
        assert_int_equal(postgresql_sql(bench, restored, "SELECT sum(n) FROM there"), 2001000);
        shell("%s/pg_amcheck -h %s/sockets -p %u -U postgres --install-missing --heapallindexed postgres",
              postgresql_programs, bench->directory, restored->port);
        end_session(client);
}

/* What a restore has to know goes into the backup's document. */
static void test_document(void **state) {
        _cleanup_free_ char *document = NULL;
        static const char *const expected[] = {
                "\\nversion=1",      "\\nsystem-identifier=7",
                "\\ntimeline=1\\n",  "\\nin-recovery=no\\n",
                "\\nredo-lsn=0/",    "\\nlsn-before=0/",
                "\\nlsn-after=0/",   "\\ndata-directory=/",
                "\\nconfig-file=/",  " fast /",
                "\"PostgreSQL 1",    "\"name\": \"postgres\"",
                "/data/pg/pg_wal\"", "/fast/space\"",
        };
        Bench *bench = postgresql_begin(state);
        Client *client;

        (void) postgresql_make_spread(bench, "fsync=on");
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        client = prepare_set(bench, SET("postgresql/data"), SET("test:data", "test:wal", "test:fast"));
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'state'='waiting-for-backup-complete'");
        backup_ok(client, "BackupComplete");
        document = save_document(client);
        assert_has(document, "\"backup-metadata\": \"mode=atomic\\n");
        for (size_t i = 0; i < ELEMENTSOF(expected); i++)
                assert_has(document, expected[i]);
        end_session(client);
}

static void test_set_that_lacks_something(void **state) {
        Bench *bench = postgresql_begin(state);

        (void) postgresql_make_spread(bench, "fsync=on");
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:data", "test:fast"), "'InconsistentSnapshot'",
                      "data: the set lacks /, where the write-ahead log ");
        assert_backup(bench, NULL, SET("test:data", "test:wal"), "'InconsistentSnapshot'",
                      "data: the set lacks /, where the tablespace fast ");
        assert_backup(bench, NULL, SET("test:wal"), "'InconsistentSnapshot'",
                      "data: the set lacks /, where the data directory ");
        assert_backup(bench, NULL, SET("test:fast"), "'InconsistentSnapshot'",
                      "data: the set lacks /, where the data directory ");
        assert_backup(bench, SET("postgresql/data"), SET("test:other"), "'InconsistentSnapshot'",
                      "data: the set lacks /, where the data directory ");
        /* In volume mode it is none of this backup's business. */
        assert_backup(bench, NULL, SET("test:other"), "'takes-part'=false", "");
}

static void test_server_that_is_down(void **state) {
        Bench *bench = postgresql_begin(state);
        Cluster *cluster;

        cluster = postgresql_make(bench, "data", 5401);
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:data"), "'failed-at-prepare-snapshot'",
                      ".s.PGSQL.5401\" failed");
        postgresql_start(bench, cluster, "fsync=on");
        assert_backup(bench, NULL, SET("test:data"), "'state'='waiting-for-backup-complete'", "");
        postgresql_stop(cluster, SIGINT);
        /* An earlier process of the writer was told where its files are. */
        assert_backup(bench, NULL, SET("test:data"), "'failed-at-prepare-snapshot'", "failed");
        assert_backup(bench, NULL, SET("test:other"), "'state'='waiting-for-backup-complete'", " failed: ");
        assert_backup(bench, SET("postgresql/data"), SET("test:data"), "'failed-at-prepare-snapshot'",
                      "failed");
        /* If that is lost they might be in any set. */
        bench_write(bench, "known.json", "{ \"version\": 1, \"instances\": ");
        assert_backup(bench, NULL, SET("test:other"), "'failed-at-prepare-snapshot'", "failed");
}

static void test_login_is_refused(void **state) {
        Bench *bench = postgresql_begin(state);
        char text[512];

        postgresql_start(bench, postgresql_make(bench, "data", 5401), "fsync=on");
        (void) snprintf(text, sizeof(text),
                        "[Discovery]\nDiscover=no\n[Instance data]\nSocket=%s/sockets/.s.PGSQL.5401\n"
                        "User=stranger\n",
                        bench->directory);
        postgresql_add_writer(bench, text);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:data"), "'failed-at-prepare-snapshot'", "stranger");
}

/* Nobody named it: it is no failure, but told of. It logs in as this process' user, root. */
static void test_stranger_refuses_login(void **state) {
        _cleanup_free_ char *status = NULL;
        Bench *bench = postgresql_begin(state);
        Cluster *cluster;
        Client *client;
        char text[512];

        cluster = postgresql_make(bench, "data", 5401);
        postgresql_start(bench, cluster, "fsync=on");
        (void) snprintf(text, sizeof(text), "[Discovery]\nSocket=%s/sockets/.s.PGSQL.*\n", bench->directory);
        postgresql_add_writer(bench, text);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:data"), "'state'='waiting-for-backup-complete'",
                      "port-5401 is not backed up application-consistently: ");
        /* Its socket stays, but nobody listens. */
        postgresql_stop(cluster, SIGKILL);
        (void) snprintf(text, sizeof(text), "%s/sockets/.s.PGSQL.5401", bench->directory);
        assert_int_equal(access(text, F_OK), 0);
        client = prepare_set(bench, NULL, SET("test:other"));
        status = status_of(client);
        assert_null(strstr(status, "port-5401"));
        end_session(client);
}

static void test_two_discovered_clusters(void **state) {
        _cleanup_free_ char *status = NULL;
        Bench *bench = postgresql_begin(state);
        char text[512];
        Client *client;

        for (unsigned i = 0; i < 2; i++) {
                postgresql_start(bench, postgresql_make(bench, i == 0 ? "data" : "other", 5401 + i),
                                 "fsync=on");
                (void) postgresql_sql(bench, &postgresql_clusters[i], "CREATE ROLE root SUPERUSER LOGIN");
                shell("echo 'local all root peer' >> %s/pg_hba.conf", postgresql_clusters[i].folder);
                (void) postgresql_sql(bench, &postgresql_clusters[i], "SELECT pg_reload_conf()::int");
        }
        (void) snprintf(text, sizeof(text), "[Discovery]\nSocket=%s/sockets/.s.PGSQL.*\n", bench->directory);
        postgresql_add_writer(bench, text);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:data", "test:other"), "'state'='waiting-for-backup-complete'",
                      "");
        assert_backup(bench, SET("postgresql/port-5402"), SET("test:other"),
                      "'state'='waiting-for-backup-complete'", "");
        assert_backup(bench, SET("postgresql/port-5402"), SET("test:data"), "'InconsistentSnapshot'",
                      "port-5402: the set lacks");
        client = prepare_set(bench, NULL, SET("test:data"));
        backup_ok(client, "DoSnapshotSet");
        status = status_of(client);
        assert_null(strstr(status, "port-5402"));
        end_session(client);
}

static void test_died_while_frozen(void **state) {
        Bench *bench = postgresql_begin(state);
        Client *client;
        Call *call;

        postgresql_start(bench, postgresql_make(bench, "data", 5401), "fsync=on");
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        client = prepare_set(bench, NULL, SET("test:data"));
        call = snapshot_begin(bench, client, "commit", "data");
        postgresql_stop(&postgresql_clusters[0], SIGQUIT);
        snapshot_end(bench, call);
        assert_status(client, "'failed-at-thaw'");
        assert_status(client, "data: the connection was lost: ");
        end_session(client);
}

/* It does not answer: told in time, with its name; a backup that has nothing of it is not hurt. */
static void test_server_that_hangs(void **state) {
        Bench *bench = postgresql_begin(state);
        Client *client;

        for (unsigned i = 0; i < 2; i++)
                postgresql_start(bench, postgresql_make(bench, i == 0 ? "data" : "other", 5401 + i),
                                 "fsync=on");
        postgresql_add_writer_for(bench, 2);
        bench_write(bench, "quiesced.conf", "[Events]\nIdentifySec=4s\nPrepareForSnapshotSec=4s\n");
        bench_start(bench);
        client = prepare_set(bench, NULL, SET("test:data", "test:other"));
        assert_int_equal(kill(postgresql_clusters[0].pid, SIGSTOP), 0);
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'failed-at-prepare-snapshot'");
        assert_status(client, "'Timeout'");
        assert_status(client, "data: the server did not answer in time");
        end_session(client);
        assert_backup(bench, SET("postgresql/other"), SET("test:other"),
                      "'state'='waiting-for-backup-complete'", "");
}

/* The one who writes checkpoints. */
static pid_t stop_checkpointer(Bench *bench, const Cluster *cluster) {
        pid_t pid = (pid_t) postgresql_sql(
                bench, cluster, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");

        assert_true(pid > 1);
        assert_int_equal(kill(pid, SIGSTOP), 0);
        return pid;
}

static void test_checkpoint_behind_its_limit(void **state) {
        Bench *bench = postgresql_begin(state);
        pid_t checkpointer;

        postgresql_start(bench, postgresql_make(bench, "data", 5401), "fsync=on");
        postgresql_add_writer_for(bench, 1);
        bench_write(bench, "quiesced.conf", "[Events]\nPrepareForSnapshotSec=5s\n");
        bench_start(bench);
        checkpointer = stop_checkpointer(bench, &postgresql_clusters[0]);
        assert_backup(bench, NULL, SET("test:data"), "'state'='waiting-for-backup-complete'",
                      "data: its checkpoint did not end within 1 s");
        assert_int_equal(kill(checkpointer, SIGCONT), 0);
}

static void test_aborted_at_checkpoint(void **state) {
        Bench *bench = postgresql_begin(state);
        pid_t checkpointer;
        Client *client;
        Call *call;

        postgresql_start(bench, postgresql_make(bench, "data", 5401), "fsync=on");
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        client = prepare_set(bench, NULL, SET("test:data"));
        checkpointer = stop_checkpointer(bench, &postgresql_clusters[0]);
        call = backup_begin(client, "DoSnapshotSet");
        while (postgresql_sql(bench, &postgresql_clusters[0],
                              "SELECT count(*) FROM pg_stat_activity WHERE query = 'CHECKPOINT'") == 0)
                continue;
        backup_ok(client, "AbortBackup");
        assert_refused(call_wait(call), "Aborted", "");
        assert_int_equal(kill(checkpointer, SIGCONT), 0);
        postgresql_await_gone(bench, &postgresql_clusters[0]);
        end_session(client);
}

static void test_aborted_while_frozen(void **state) {
        Bench *bench = postgresql_begin(state);
        Client *client;
        Call *call;

        postgresql_start(bench, postgresql_make(bench, "data", 5401), "fsync=on");
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        client = prepare_set(bench, NULL, SET("test:data"));
        call = snapshot_begin(bench, client, "pre-commit", "data");
        backup_ok(client, "AbortBackup");
        assert_refused(call_wait(call), "Aborted", "");
        postgresql_await_gone(bench, &postgresql_clusters[0]);
        end_session(client);
        shell("rm %s/provider/script", bench->directory);
        assert_backup(bench, NULL, SET("test:data"), "'state'='waiting-for-backup-complete'", "");
}

static void test_privileges(void **state) {
        Bench *bench = postgresql_begin(state);

        postgresql_start(bench, postgresql_make(bench, "data", 5401), "full_page_writes=off");
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:data"), "'state'='waiting-for-backup-complete'",
                      "full_page_writes=off");
        (void) postgresql_sql(bench, &postgresql_clusters[0],
                              "REVOKE pg_checkpoint FROM \"quiesced-postgresql\"");
        assert_backup(bench, NULL, SET("test:data"), "'state'='waiting-for-backup-complete'",
                      "GRANT pg_checkpoint TO it");
        (void) postgresql_sql(bench, &postgresql_clusters[0],
                              "REVOKE pg_read_all_settings FROM \"quiesced-postgresql\"");
        assert_backup(bench, NULL, SET("test:data"), "'failed-at-prepare-snapshot'",
                      "GRANT pg_read_all_settings TO it");
}

static void test_unsafe_server(void **state) {
        Bench *bench = postgresql_begin(state);

        postgresql_start(bench, postgresql_make(bench, "data", 5401), "fsync=off");
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:data"), "'failed-at-prepare-snapshot'", "fsync=off");
}

static void test_standby(void **state) {
        _cleanup_free_ char *document = NULL;
        Bench *bench = postgresql_begin(state);
        Client *client;

        (void) postgresql_make(bench, "data", 5401);
        shell("touch %s/standby.signal", postgresql_clusters[0].folder);
        postgresql_start(bench, &postgresql_clusters[0], "fsync=on");
        assert_int_equal(postgresql_sql(bench, &postgresql_clusters[0], "SELECT pg_is_in_recovery()::int"),
                         1);
        postgresql_add_writer_for(bench, 1);
        bench_start(bench);
        client = prepare_set(bench, SET("postgresql/data"), SET("test:data"));
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'state'='waiting-for-backup-complete'");
        backup_ok(client, "BackupComplete");
        document = save_document(client);
        assert_has(document, "\\nin-recovery=yes\\n");
        assert_has(document, "\\nlsn-before=0/");
        end_session(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, postgresql_setup, postgresql_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_whole_set),
                TEST(test_document),
                TEST(test_set_that_lacks_something),
                TEST(test_server_that_is_down),
                TEST(test_login_is_refused),
                TEST(test_stranger_refuses_login),
                TEST(test_two_discovered_clusters),
                TEST(test_died_while_frozen),
                TEST(test_server_that_hangs),
                TEST(test_checkpoint_behind_its_limit),
                TEST(test_aborted_at_checkpoint),
                TEST(test_aborted_while_frozen),
                TEST(test_privileges),
                TEST(test_unsafe_server),
                TEST(test_standby),
        };

        return cmocka_run_group_tests_name("postgresql", tests, postgresql_group_setup,
                                           postgresql_group_teardown);
}
