/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See postgresql-bench.h. */

#include "postgresql-bench.h"

#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

char postgresql_programs[160];
static char template[64]; /* a cluster as initdb makes it */
static const struct passwd *owner;
Cluster postgresql_clusters[POSTGRESQL_CLUSTERS_MAX];
size_t n_postgresql_clusters;

/* ── Servers ── */

int postgresql_group_setup(void **state) {
        char path[] = "/tmp/quiesced-postgresql.XXXXXX";
        glob_t found = {};

        owner = getpwnam("postgres");
        if (owner && glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) == 0)
                (void) snprintf(postgresql_programs, sizeof(postgresql_programs), "%.*s",
                                (int) (strlen(found.gl_pathv[found.gl_pathc - 1]) - strlen("/postgres")),
                                found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
        if (!postgresql_programs[0] || geteuid() != 0)
                return 0;
        if (!mkdtemp(path))
                return -1;
        (void) snprintf(template, sizeof(template), "%s", path);
        shell("chown postgres: %s", template);
        shell("setpriv --reuid=postgres --regid=postgres --clear-groups --reset-env %s/initdb -D %s/data -N "
              "-U postgres --no-locale -E UTF8 -A reject > /dev/null",
              postgresql_programs, template);
        shell("printf 'local all postgres trust\\nlocal all \"quiesced-postgresql\" trust\\nlocal all nobody "
              "peer\\n' > %s/data/pg_hba.conf",
              template);
        shell("printf '%%s\\n' 'CREATE ROLE \"quiesced-postgresql\" LOGIN' "
              "'GRANT pg_checkpoint, pg_read_all_settings TO \"quiesced-postgresql\"' "
              "'CREATE ROLE nobody LOGIN' | setpriv --reuid=postgres --regid=postgres --clear-groups "
              "--reset-env %s/postgres --single -D %s/data postgres > /dev/null 2>&1",
              postgresql_programs, template);
        return 0;
}

int postgresql_group_teardown(void **state) {
        if (template[0])
                shell("rm -rf %s", template);
        return 0;
}

/* In the volume of that name, which is a folder. */
const char *postgresql_path(Bench *bench, char path[static 160], const char *volume, const char *name) {
        (void) snprintf(path, 160, "%s/provider/volumes/%s/%s", bench->directory, volume, name);
        return path;
}

void postgresql_start(Bench *bench, Cluster *cluster, const char *setting) {
        char log[64], log_path[160], sockets[160], port[16];

        (void) snprintf(log, sizeof(log), "%s.%u.log", cluster->name, cluster->port);
        (void) snprintf(log_path, sizeof(log_path), "%s/%s", bench->directory, log);
        (void) snprintf(sockets, sizeof(sockets), "unix_socket_directories=%s/sockets", bench->directory);
        (void) snprintf(port, sizeof(port), "%u", cluster->port);
        (void) unlink(log_path);
        cluster->pid = fork();
        assert_true(cluster->pid >= 0);
        if (cluster->pid == 0) {
                char program[192];
                int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);

                (void) snprintf(program, sizeof(program), "%s/postgres", postgresql_programs);
                if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
                    setgid(owner->pw_gid) < 0 || setuid(owner->pw_uid) < 0)
                        _exit(1);
                (void) execl(program, program, "-D", cluster->folder, "-p", port, "-c", sockets, "-c",
                             "listen_addresses=", "-c", "autovacuum=off", "-c", setting, NULL);
                _exit(1);
        }
        bench_wait_file(bench, log, "ready to accept");
}

void postgresql_stop(Cluster *cluster, int how) {
        int status;

        if (cluster->pid <= 0)
                return;
        (void) kill(cluster->pid, SIGCONT);
        (void) kill(cluster->pid, how);
        assert_int_equal(waitpid(cluster->pid, &status, 0), cluster->pid);
        cluster->pid = 0;
}

/* Its data in the volume of its name. */
Cluster *postgresql_make(Bench *bench, const char *name, unsigned port) {
        Cluster *cluster = &postgresql_clusters[n_postgresql_clusters++];

        *cluster = (Cluster){.port = port};
        (void) snprintf(cluster->name, sizeof(cluster->name), "%s", name);
        (void) postgresql_path(bench, cluster->folder, name, "pg");
        shell("cp -a %s/data %s", template, cluster->folder);
        return cluster;
}

static PGconn *login(Bench *bench, const Cluster *cluster) {
        char text[256];
        PGconn *pg;

        (void) snprintf(text, sizeof(text), "host=%s/sockets port=%u user=postgres dbname=postgres",
                        bench->directory, cluster->port);
        pg = PQconnectdb(text);
        if (PQstatus(pg) != CONNECTION_OK)
                fail_msg("%s", PQerrorMessage(pg));
        return pg;
}

/* The first value of the answer, or 0. */
__attribute__((format(printf, 3, 4))) long postgresql_sql(Bench *bench, const Cluster *cluster,
                                                          const char *format, ...) {
        PGconn *pg = login(bench, cluster);
        char text[512];
        va_list arguments;
        PGresult *result;
        long value = 0;

        va_start(arguments, format);
        (void) vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        result = PQexec(pg, text);
        if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0)
                value = atol(PQgetvalue(result, 0, 0));
        else if (PQresultStatus(result) != PGRES_COMMAND_OK)
                fail_msg("%s: %s", text, PQerrorMessage(pg));
        PQclear(result);
        PQfinish(pg);
        return value;
}

/* Data, log and a tablespace on a volume each. */
Cluster *postgresql_make_spread(Bench *bench, const char *setting) {
        Cluster *cluster = postgresql_make(bench, "data", 5401);
        char wal[160], fast[160];

        shell("mv %s/pg_wal %s", cluster->folder, postgresql_path(bench, wal, "wal", "pg_wal"));
        shell("ln -s %s %s/pg_wal", wal, cluster->folder);
        shell("install -d -o postgres -g postgres -m 700 %s", postgresql_path(bench, fast, "fast", "space"));
        postgresql_start(bench, cluster, setting);
        (void) postgresql_sql(bench, cluster, "CREATE TABLESPACE fast LOCATION '%s'", fast);
        (void) postgresql_sql(bench, cluster, "CREATE TABLE here (n int)");
        (void) postgresql_sql(bench, cluster, "CREATE TABLE there (n int) TABLESPACE fast");
        (void) postgresql_sql(bench, cluster, "INSERT INTO here SELECT generate_series(1, 1000)");
        (void) postgresql_sql(bench, cluster, "INSERT INTO there SELECT generate_series(1, 2000)");
        return cluster;
}

/* ── The bench ── */

void postgresql_add_writer(Bench *bench, const char *configuration) {
        char as[128];

        (void) snprintf(as, sizeof(as), AS_ROOT " STATE_DIRECTORY=%s", bench->directory);
        add_real_writer(bench, "postgresql", as, configuration);
}

/* No discovery, and a section for each of the clusters. */
void postgresql_add_writer_for(Bench *bench, unsigned n_sections) {
        char text[1024];
        size_t n = (size_t) snprintf(text, sizeof(text), "[Discovery]\nDiscover=no\n");

        for (unsigned i = 0; i < n_sections; i++)
                n += (size_t) snprintf(
                        text + n, sizeof(text) - n,
                        "[Instance %s]\nSocket=%s/sockets\nPort=%u\nUser=quiesced-postgresql\n",
                        postgresql_clusters[i].name, bench->directory, postgresql_clusters[i].port);
        postgresql_add_writer(bench, text);
}

int postgresql_setup(void **state) {
        static const char *const volumes[] = {"data", "wal", "fast", "other"};
        char path[160];
        Bench *bench;
        int r;

        r = bench_setup(state);
        bench = *state;
        for (size_t i = 0; i < ELEMENTSOF(volumes); i++)
                assert_int_equal(mkdir(postgresql_path(bench, path, volumes[i], ""), 0755), 0);
        if (owner)
                shell("install -d -o postgres -g postgres %s/sockets", bench->directory);
        return r;
}

int postgresql_teardown(void **state) {
        while (n_postgresql_clusters > 0)
                postgresql_stop(&postgresql_clusters[--n_postgresql_clusters], SIGQUIT);
        return bench_teardown(state);
}

/* Whether there is a server to be had here; else the test is skipped. */
Bench *postgresql_begin(void **state) {
        if (!template[0])
                skip();
        return *state;
}

/* What is on the snapshots, links left out; a cluster that is not started yet. */
Cluster *postgresql_copy_snapshots(Bench *bench, Client *client, const Cluster *original,
                                   const char *const *volumes) {
        Cluster *cluster = &postgresql_clusters[n_postgresql_clusters++];
        char path[192];

        *cluster = (Cluster){.name = "restored", .port = original->port + 100};
        (void) snprintf(cluster->folder, sizeof(cluster->folder), "%s/restored/data/pg", bench->directory);
        shell("mkdir %s/restored", bench->directory);
        for (; *volumes; volumes++)
                shell("cp -a %s %s/restored/%s", snapshot_path(client, path, *volumes), bench->directory,
                      *volumes);
        return cluster;
}

/* No connection of the writer's is left. The server ends it when it sees it, so this asks until it has. */
void postgresql_await_gone(Bench *bench, const Cluster *cluster) {
        while (postgresql_sql(bench, cluster,
                              "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'quiesced'") >
               0)
                continue;
}
