/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Mode=base-backup of the PostgreSQL writer: the label in the snapshot, an archive, and a point in time.
 * That the copies of the test provider are made file by file is what a base backup is for.
 */

#include <signal.h>

#include "postgresql-bench.h"

/* A cluster with an archive, spread over volumes of which the log's is in no set. */
static Cluster *make_archived_cluster(Bench *bench) {
        Cluster *cluster;

        shell("install -d -o postgres %s/archive", bench->directory);
        cluster = postgresql_make_spread(bench, "archive_mode=on");
        shell("echo \"archive_command='cp %%p %s/archive/%%f'\" >> %s/postgresql.conf", bench->directory,
              cluster->folder);
        (void) postgresql_sql(bench, cluster, "SELECT pg_reload_conf()::int");
        return cluster;
}

static void add_base_backup_writer(Bench *bench, bool writable) {
        char text[1024];

        (void) snprintf(text, sizeof(text),
                        "[Discovery]\nDiscover=no\n[Instance data]\nSocket=%s/sockets\nPort=%u\n"
                        "User=quiesced-postgresql\nMode=base-backup\n",
                        bench->directory, postgresql_clusters[0].port);
        postgresql_add_writer(bench, text);
        (void) snprintf(text, sizeof(text),
                        "[Writer]\nExec=%s/postgresql\n %s/postgresql.conf\nUser=root\nLevel=back-end\n%s",
                        bench->directory, bench->directory, writable ? "WritableSnapshots=yes\n" : "");
        bench_write(bench, "writers.d/postgresql.writer", text);
}

static void grant_base_backup(Bench *bench, const Cluster *cluster) {
        (void) postgresql_sql(
                bench, cluster,
                "GRANT EXECUTE ON FUNCTION pg_backup_start, pg_backup_stop TO \"quiesced-postgresql\"");
}

/* The same of a base backup: the log comes from the archive, and the server makes its links by the map. */
static Cluster *restore_base_backup(Bench *bench, Client *client, const Cluster *original,
                                    const char *target) {
        Cluster *cluster = postgresql_copy_snapshots(bench, client, original, SET("data", "fast"));

        shell("cd %s/restored && rm data/pg/postmaster.pid && mkdir data/pg/pg_wal && touch "
              "data/pg/recovery.signal && sed -i 's|provider/volumes/fast|restored/fast|' "
              "data/pg/tablespace_map && chown -R postgres: . && chmod -R go= .",
              bench->directory);
        shell("printf '%%s\\n' \"restore_command='cp %s/archive/%%f %%p'\" \"archive_mode=off\" "
              "\"hot_standby=off\" \"recovery_target_action=promote\" \"%s\" >> %s/postgresql.conf",
              bench->directory, target, cluster->folder);
        postgresql_start(bench, cluster, "fsync=off");
        return cluster;
}

/* All that is written until the restore point is there after the restore, and nothing of later. */
static void test_base_backup_to_a_point_in_time(void **state) {
        _cleanup_free_ char *document = NULL;
        Bench *bench = postgresql_begin(state);
        Cluster *cluster, *restored;
        Client *client;

        cluster = make_archived_cluster(bench);
        grant_base_backup(bench, cluster);
        add_base_backup_writer(bench, true);
        bench_start(bench);
        client = prepare_set(bench, SET("postgresql/data"), SET("test:data", "test:fast"));
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'state'='waiting-for-backup-complete'");
        shell("! test -e %s/backup_label", cluster->folder);
        backup_ok(client, "BackupComplete");
        document = save_document(client);
        assert_has(document, "mode=base-backup\\n");
        assert_has(document, "\\nwal-first=0000000100000000000000");
        assert_has(document, "\\nwal-last=0000000100000000000000");

        (void) postgresql_sql(bench, cluster, "INSERT INTO there SELECT generate_series(1, 70)");
        (void) postgresql_sql(bench, cluster, "SELECT 1 FROM pg_create_restore_point('here')");
        (void) postgresql_sql(bench, cluster, "INSERT INTO there SELECT generate_series(1, 500)");
        postgresql_stop(cluster, SIGTERM); /* the archive gets the rest */

        restored = restore_base_backup(bench, client, cluster, "recovery_target_name = 'here'");
        assert_int_equal(postgresql_sql(bench, restored, "SELECT count(*) FROM here"), 1000);
        assert_int_equal(postgresql_sql(bench, restored, "SELECT count(*) FROM there"), 2070);
        shell("test -e %s/backup_label.old && test -e %s/tablespace_map.old", restored->folder,
              restored->folder);
        end_session(client);
}

static void test_base_backup_is_refused(void **state) {
        Bench *bench = postgresql_begin(state);
        Cluster *cluster;

        cluster = postgresql_make_spread(bench, "archive_mode=off");
        add_base_backup_writer(bench, true);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:data", "test:fast"), "'failed-at-prepare-snapshot'",
                      "archive_mode=off");
        postgresql_stop(cluster, SIGINT);
        postgresql_start(bench, cluster, "archive_mode=on");
        assert_backup(bench, NULL, SET("test:data", "test:fast"), "'failed-at-prepare-snapshot'",
                      "GRANT EXECUTE ON FUNCTION pg_backup_start, pg_backup_stop TO it");
        grant_base_backup(bench, cluster);
        assert_backup(bench, NULL, SET("test:data"), "'InconsistentSnapshot'",
                      "data: the set lacks /, where the tablespace fast ");
}

static void test_base_backup_without_writable_snapshots(void **state) {
        Bench *bench = postgresql_begin(state);

        grant_base_backup(bench, make_archived_cluster(bench));
        add_base_backup_writer(bench, false);
        bench_start(bench);
        assert_backup(bench, NULL, SET("test:data", "test:fast"), "'failed-at-post-snapshot'",
                      "lacks WritableSnapshots=yes");
        /* The server has forgotten it. */
        postgresql_await_gone(bench, &postgresql_clusters[0]);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, postgresql_setup, postgresql_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_base_backup_to_a_point_in_time),
                TEST(test_base_backup_is_refused),
                TEST(test_base_backup_without_writable_snapshots),
        };

        return cmocka_run_group_tests_name("postgresql", tests, postgresql_group_setup,
                                           postgresql_group_teardown);
}
