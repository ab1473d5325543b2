/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced-writer-postgresql: the writer for PostgreSQL clusters, see quiesced-writer-postgresql(8).
 *
 * PostgreSQL recovers from any instant at which all its files stand together; so nothing is held. The
 * writer sees to it that the set has all of them (data, write-ahead log, tablespaces), has a checkpoint
 * made before, so that recovery is short, and notes what a restore will have to know. The other mode, where
 * the log comes from an archive, is in base-backup.c.
 */

#include <inttypes.h>

#include "util/error.h"
#include "writers.d/postgresql/base-backup.h"

#define VERSION_OLDEST 130000
#define VERSION_IDLE   140000 /* has idle_session_timeout */
#define VERSION_GRANT  150000 /* has the role pg_checkpoint */

static int keep(char **text, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return error_origin(-ENOMEM);
        free(*text);
        *text = copy;
        return 0;
}

/* ── Connecting and looking ── */

static int name_socket(Instance *instance) {
        char *name = strrchr(instance->socket, '/');
        unsigned port;
        int end = 0;

        if (!name || sscanf(name, "/.s.PGSQL.%5u%n", &port, &end) != 1 || name[end] || port == 0 ||
            port > 65535)
                return 1;
        if (asprintf(&instance->name, "port-%u", port) < 0) {
                instance->name = NULL;
                return error_origin(-ENOMEM);
        }
        instance->port = port;
        name[name == instance->socket ? 1 : 0] = '\0';
        return 0;
}

static int check_version(Cluster *cluster, Report *report) {
        cluster->version_number = PQserverVersion(cluster->connection.pg);
        if (cluster->version_number >= VERSION_OLDEST)
                return 0;
        return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                           "PostgreSQL %d is older than %d, the oldest that is supported",
                           cluster->version_number / 10000, VERSION_OLDEST / 10000);
}

static int open_cluster(Server *server, Report *report) {
        Cluster *cluster = server_state(server);
        int r;

        r = connection_open(&cluster->connection, server, report);
        if (r == 0)
                r = check_version(cluster, report);
        /* What the administrator sets for applications that forget to answer. */
        if (r == 0 && cluster->version_number >= VERSION_IDLE)
                r = cluster_ask(server, report, "SET idle_session_timeout = 0", "SET", NULL);
        return r;
}

static void close_cluster(Server *server) {
        Cluster *cluster = server_state(server);

        connection_close(&cluster->connection, server);
        free(cluster->data);
        free(cluster->config_file);
        free(cluster->tablespaces);
        *cluster = (Cluster){};
}

static int look_settings(Server *server, Facts *facts, Report *report) {
        Cluster *cluster = server_state(server);
        _cleanup_(PQclearp) PGresult *result = NULL;
        int r;

        r = connection_ask(&cluster->connection, server, report,
                           "SELECT current_setting('server_version'), current_setting('data_directory'), "
                           "current_setting('config_file'), pg_is_in_recovery()",
                           &result);
        if (r == -EREMOTEIO && streq(cluster->connection.state, SQLSTATE_DENIED))
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "the role \"%s\" may not ask where the data are: GRANT "
                                   "pg_read_all_settings TO it",
                                   PQuser(cluster->connection.pg));
        if (r == -EREMOTEIO)
                return cluster_refused(cluster, report, "its settings cannot be read");
        if (r < 0)
                return r;
        (void) snprintf(cluster->version, sizeof(cluster->version), "%s", PQgetvalue(result, 0, 0));
        cluster->standby = PQgetvalue(result, 0, 3)[0] == 't';
        r = keep(&cluster->data, PQgetvalue(result, 0, 1));
        if (r == 0)
                r = keep(&cluster->config_file, PQgetvalue(result, 0, 2));
        if (r == 0)
                r = facts_set_version(facts, cluster->version);
        if (r == 0)
                r = facts_add_path(facts, cluster->data, NULL, true, "the data directory");
        return r;
}

/* A link, if it is elsewhere. A base backup takes the log from the archive. */
static int look_log(Server *server, Facts *facts) {
        const Cluster *cluster = server_state(server);
        _cleanup_free_ char *path = NULL;

        if (base_backup_is_wanted(server))
                return 0;
        if (asprintf(&path, "%s/pg_wal", cluster->data) < 0) {
                path = NULL;
                return error_origin(-ENOMEM);
        }
        return facts_add_path(facts, path, NULL, true, "the write-ahead log");
}

static int look_tablespace(Cluster *cluster, Facts *facts, const char *id, const char *name,
                           const char *path) {
        _cleanup_free_ char *what = NULL, *all = cluster->tablespaces;

        if (path[0] != '/') /* within the data directory: allow_in_place_tablespaces */
                return 0;
        if (asprintf(&cluster->tablespaces, "%s%s %s %s\n", all ? all : "", id, name, path) < 0) {
                cluster->tablespaces = NULL;
                return error_origin(-ENOMEM);
        }
        if (asprintf(&what, "the tablespace %s", name) < 0) {
                what = NULL;
                return error_origin(-ENOMEM);
        }
        return facts_add_path(facts, path, NULL, true, what);
}

static int look_tablespaces(Server *server, Facts *facts, Report *report) {
        Cluster *cluster = server_state(server);
        _cleanup_(PQclearp) PGresult *result = NULL;
        int r;

        r = cluster_ask(server, report,
                        "SELECT oid, spcname, pg_tablespace_location(oid) FROM pg_tablespace "
                        "WHERE pg_tablespace_location(oid) <> '' ORDER BY oid",
                        "its tablespaces cannot be read", &result);
        if (r < 0)
                return r;
        free(TAKE_PTR(cluster->tablespaces));
        for (int i = 0; i < PQntuples(result) && r == 0; i++)
                r = look_tablespace(cluster, facts, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1),
                                    PQgetvalue(result, i, 2));
        return r == -E2BIG
                       ? report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE, "there are too many tablespaces")
                       : r;
}

static int look_databases(Server *server, Facts *facts, Report *report) {
        _cleanup_(PQclearp) PGresult *result = NULL;
        int r;

        r = cluster_ask(server, report,
                        "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname",
                        "its databases cannot be read", &result);
        for (int i = 0; r == 0 && i < PQntuples(result); i++)
                r = facts_add_database(facts, PQgetvalue(result, i, 0));
        return r;
}

static int look(Server *server, Facts *facts, Report *report) {
        int r;

        r = look_settings(server, facts, report);
        if (r == 0)
                r = look_log(server, facts);
        if (r == 0)
                r = look_tablespaces(server, facts, report);
        if (r == 0)
                r = look_databases(server, facts, report);
        return r;
}

/* ── The backup ── */

/* A snapshot is to PostgreSQL what a power cut is; who has told it not to be safe from that is not safe
 * here. Torn pages are another matter: whoever switches full_page_writes off may have a file system without
 * them. */
static int check_safety(Server *server, Report *report) {
        _cleanup_(PQclearp) PGresult *result = NULL;
        int r;

        r = cluster_ask(server, report,
                        "SELECT current_setting('fsync'), current_setting('full_page_writes')",
                        "its settings cannot be read", &result);
        if (r < 0)
                return r;
        if (!streq(PQgetvalue(result, 0, 0), "on"))
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "it runs with fsync=off: a snapshot of it may not recover, as it would "
                                   "not from a power cut");
        if (!streq(PQgetvalue(result, 0, 1), "on"))
                return report_warn(report, "it runs with full_page_writes=off: a snapshot of it recovers "
                                           "only if the storage never tears a page");
        return 0;
}

static int look_control(Server *server, Report *report) {
        Cluster *cluster = server_state(server);
        _cleanup_(PQclearp) PGresult *result = NULL;
        int r;

        r = cluster_ask(server, report,
                        "SELECT system_identifier, timeline_id, redo_lsn FROM pg_control_system(), "
                        "pg_control_checkpoint()",
                        "its control data cannot be read", &result);
        if (r < 0)
                return r;
        (void) snprintf(cluster->system, sizeof(cluster->system), "%s", PQgetvalue(result, 0, 0));
        (void) snprintf(cluster->timeline, sizeof(cluster->timeline), "%s", PQgetvalue(result, 0, 1));
        (void) snprintf(cluster->redo, sizeof(cluster->redo), "%s", PQgetvalue(result, 0, 2));
        return 0;
}

/* On a standby a restartpoint. Without it recovery takes longer, and that is all: no failure. A tenth of the
 * time is left for the server to say that it was too long. */
static int checkpoint(Server *server, Report *report) {
        Cluster *cluster = server_state(server);
        uint64_t remaining = server_remaining_usec(server), limit = remaining - remaining / 10;
        char text[256];
        int r;

        r = cluster_limit(server, report, limit);
        if (r < 0)
                return r;
        r = connection_ask(&cluster->connection, server, report, "CHECKPOINT", NULL);
        if (r != -EREMOTEIO)
                return r;
        if (streq(cluster->connection.state, SQLSTATE_CANCELED))
                return report_warn(report,
                                   "its checkpoint did not end within %" PRIu64
                                   " s: what is restored will take longer to recover",
                                   limit / USEC_PER_SEC);
        if (streq(cluster->connection.state, SQLSTATE_DENIED))
                return report_warn(report,
                                   "the role \"%s\" may not make a checkpoint (%s): what is restored will "
                                   "take longer to recover",
                                   PQuser(cluster->connection.pg),
                                   cluster->version_number >= VERSION_GRANT ? "GRANT pg_checkpoint TO it"
                                                                            : "before PostgreSQL 15 that "
                                                                              "needs a superuser");
        return report_warn(report, "it makes no checkpoint: %s",
                           connection_error(&cluster->connection, text));
}

static int prepare(Server *server, Report *report) {
        int r;

        r = check_safety(server, report);
        if (r == 0)
                r = base_backup_is_wanted(server) ? base_backup_begin(server, report)
                                                  : checkpoint(server, report);
        if (r == 0)
                r = cluster_limit(server, report, 60 * USEC_PER_SEC);
        if (r == 0)
                r = look_control(server, report);
        return r;
}

static int look_position(Server *server, Report *report, const char *sql, char ret[static LSN_MAX]) {
        _cleanup_(PQclearp) PGresult *result = NULL;
        int r;

        r = cluster_ask(server, report, sql, "its place in the log cannot be read", &result);
        if (r == 0)
                (void) snprintf(ret, LSN_MAX, "%s", PQgetvalue(result, 0, 0));
        return r;
}

/* Nothing is held; but a server that does not live any more is told of now. */
static int freeze(Server *server, Report *report) {
        Cluster *cluster = server_state(server);

        return look_position(server, report,
                             "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                             "ELSE pg_current_wal_lsn() END",
                             cluster->before);
}

/* What may have been written by the instant, also if the server does not know yet that it was. */
static int thaw(Server *server, Report *report) {
        Cluster *cluster = server_state(server);

        return look_position(server, report,
                             "SELECT CASE WHEN pg_is_in_recovery() "
                             "THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) "
                             "ELSE pg_current_wal_insert_lsn() END",
                             cluster->after);
}

static void note_tablespaces(Server *server, const Cluster *cluster) {
        const char *line = cluster->tablespaces;

        while (line && *line) {
                size_t n = strcspn(line, "\n");

                (void) server_note(server, "tablespace", "%.*s", (int) n, line);
                line += n + 1;
        }
}

static int note(Server *server, Report *report) {
        const Cluster *cluster = server_state(server);

        (void) server_note(server, "mode", base_backup_is_wanted(server) ? "base-backup" : "atomic");
        (void) server_note(server, "version", "%s", cluster->version);
        (void) server_note(server, "system-identifier", "%s", cluster->system);
        (void) server_note(server, "timeline", "%s", cluster->timeline);
        (void) server_note(server, "in-recovery", "%s", cluster->standby ? "yes" : "no");
        (void) server_note(server, "redo-lsn", "%s", cluster->redo);
        (void) server_note(server, "lsn-before", "%s", cluster->before);
        (void) server_note(server, "lsn-after", "%s", cluster->after);
        (void) server_note(server, "data-directory", "%s", cluster->data);
        (void) server_note(server, "config-file", "%s", cluster->config_file);
        note_tablespaces(server, cluster);
        return base_backup_is_wanted(server) ? base_backup_end(server, report) : 0;
}

static const char *const modes[] = {"atomic", BASE_BACKUP, NULL};
static const char *const sockets[] = {"/run/postgresql/.s.PGSQL.*", "/tmp/.s.PGSQL.*", NULL};

static const Engine engine = {
        .name = "postgresql",
        .product = "PostgreSQL",
        .modes = modes,
        .sockets = sockets,
        .port = 5432,
        .state_size = sizeof(Cluster),
        .name_socket = name_socket,
        .open = open_cluster,
        .look = look,
        .prepare = prepare,
        .freeze = freeze,
        .thaw = thaw,
        .note = note,
        .folder_in_snapshot = base_backup_folder,
        .close = close_cluster,
};

int main(int argc, char **argv) {
        return server_writer_main(&engine, argc, argv);
}
