/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where the binary log and replication stand; see positions.h. Read while nothing can be committed, they are
 * just those of the data in the snapshot: what follows them is not in it.
 *
 * The exception is a MySQL server that is not read locked: what was committed after that is in the snapshot,
 * too. The key is another one then, lest somebody takes it for exact.
 */

#include "writers.d/mariadb/positions.h"

#include "util/error.h"

#define REPLICAS_MAX 16u

/* A column of an answer; NULL: no such thing in the note. */
typedef struct Column {
        const char *key, *mariadb, *mysql;
} Column;

static const Column replica_columns[] = {
        {"source-host", "Master_Host", "Source_Host"},
        {"source-port", "Master_Port", "Source_Port"},
        {"source-log-file", "Relay_Master_Log_File", "Relay_Source_Log_File"},
        {"source-log-position", "Exec_Master_Log_Pos", "Exec_Source_Log_Pos"},
        {"gtid", "Gtid_Slave_Pos", "Executed_Gtid_Set"},
        {"using-gtid", "Using_Gtid", "Auto_Position"},
};

/* What is too long is left out: the snapshot is good without. */
static int note(Server *server, Report *report, const char *key, const char *name, const char *value) {
        int r = server_note(server, key, "%s%s%s", name, name[0] ? ": " : "", value);

        return r == -E2BIG ? report_warn(report, "%s is too long to be noted", key) : error_trace(r);
}

static int note_binary_log(Server *server, Report *report) {
        _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;
        MYSQL_ROW row;
        int r;

        r = client_must_ask(server, report, "SHOW MASTER STATUS", &rows);
        if (r < 0)
                return error_trace(r);
        row = mysql_fetch_row(rows);
        if (!row) /* no binary log */
                return 0;
        r = note(server, report, "binary-log-file", "", client_value(rows, row, "File"));
        if (r >= 0)
                r = note(server, report, "binary-log-position", "", client_value(rows, row, "Position"));
        return error_trace(r);
}

/* The same in one row by names that MariaDB has as variables. */
static int note_gtids(Server *server, Report *report) {
        _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;
        MYSQL_ROW row;
        int r;

        r = client_must_ask(server, report,
                            "SELECT @@global.gtid_binlog_pos AS 'gtid-binary-log', "
                            "@@global.gtid_current_pos AS 'gtid-current', @@global.gtid_slave_pos AS "
                            "'gtid-replica', @@global.gtid_domain_id AS 'gtid-domain'",
                            &rows);
        row = r == 0 ? mysql_fetch_row(rows) : NULL;
        for (unsigned i = 0; row && i < mysql_num_fields(rows) && r >= 0; i++)
                if (row[i] && row[i][0])
                        r = note(server, report, mysql_fetch_field_direct(rows, i)->name, "", row[i]);
        return error_trace(r);
}

static int note_replica(Server *server, Report *report, MYSQL_RES *rows, MYSQL_ROW row) {
        const State *state = server_state(server);
        const char *name = client_value(rows, row, state->is_mysql ? "Channel_Name" : "Connection_name");
        char key[64];
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(replica_columns) && r >= 0; i++) {
                const Column *column = &replica_columns[i];
                const char *value =
                        client_value(rows, row, state->is_mysql ? column->mysql : column->mariadb);

                (void) snprintf(key, sizeof(key), "replica-%s", column->key);
                if (value[0]) /* which one it is of, if there are several with names */
                        r = note(server, report, key, name, value);
        }
        return error_trace(r);
}

static int note_replicas(Server *server, Report *report) {
        const State *state = server_state(server);
        _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;
        MYSQL_ROW row;
        int r;

        r = client_must_ask(server, report,
                            state->is_mysql ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS", &rows);
        for (unsigned i = 0; r >= 0 && i < REPLICAS_MAX && (row = mysql_fetch_row(rows)); i++)
                r = note_replica(server, report, rows, row);
        return error_trace(r);
}

/* A consistent look at all of them; SHOW MASTER STATUS is gone in 8.4. */
static int note_mysql(Server *server, Report *report) {
        const State *state = server_state(server);
        _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;
        bool exact = state->is_read_locked;
        MYSQL_ROW row;
        int r;

        r = client_must_ask(server, report,
                            "SELECT local->>'$.binary_log_file', local->>'$.binary_log_position', "
                            "local->>'$.gtid_executed' FROM performance_schema.log_status",
                            &rows);
        row = r == 0 ? mysql_fetch_row(rows) : NULL;
        if (row && row[0])
                r = note(server, report, exact ? "binary-log-file" : "binary-log-file-or-later", "", row[0]);
        if (row && row[1] && r >= 0)
                r = note(server, report, exact ? "binary-log-position" : "binary-log-position-or-later", "",
                         row[1]);
        if (row && row[2] && row[2][0] && r >= 0)
                r = note(server, report, exact ? "gtid-executed" : "gtid-executed-or-more", "", row[2]);
        return error_trace(r);
}

/**
 * positions_note() - note them for the backup's document
 * @server:     held
 * @report:     told if they cannot be read
 *
 * Return: 0; -ECANCELED; another negative errno.
 */
int positions_note(Server *server, Report *report) {
        const State *state = server_state(server);
        int r;

        r = note(server, report, "server", "", mysql_get_server_info(state->mysql));
        if (r >= 0 && state->is_mysql)
                r = note_mysql(server, report);
        if (r >= 0 && !state->is_mysql)
                r = note_binary_log(server, report);
        if (r >= 0 && !state->is_mysql)
                r = note_gtids(server, report);
        if (r >= 0)
                r = note_replicas(server, report);
        return error_trace(r);
}
