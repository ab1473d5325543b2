/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How a server is held still; see hold.h.
 *
 * MariaDB: the stages of BACKUP STAGE, as its manual wants them for storage snapshots, one by one, so that
 * it can be told which one somebody was in the way of.
 *
 * START, in PrepareForSnapshot: waits for another backup, for DDL that is under way and for LOCK TABLES,
 * which so are met before anybody is frozen. It stops nobody but other backups, so that it may be held as
 * long as the preparation of the snapshots takes. Aria keeps its log from here on.
 *
 * FLUSH, in Freeze, as all that follow: from here on statements that write to tables without transactions
 * (MyISAM, Aria, …) wait. Those that are not in use are written and closed.
 *
 * BLOCK_DDL: waits for such statements that run already; this is where a long one is met. Those tables are
 * written and marked as closed. DDL waits from here on.
 *
 * BLOCK_COMMIT: waits for commits that are under way. None is acknowledged from here on, and the binary log
 * stands still. Log and statistics tables are written.
 *
 * FLUSH and BLOCK_DDL are not done in PrepareForSnapshot: they stop every writer to such a table, and the
 * preparation may take minutes. InnoDB's clients wait only from BLOCK_COMMIT to END.
 *
 * Then what was acknowledged is in InnoDB's log, and the log in its file, but for
 * innodb_flush_log_at_trx_commit=0: there it is written once in a second. We wait for that, since FLUSH
 * ENGINE LOGS does not do it: else commits would be missing that the binary log has. So no setting of the
 * server makes a snapshot lose a commit; what is in the page cache alone (2, or sync_binlog=0) is written
 * when the file systems are frozen.
 *
 * MySQL: LOCK INSTANCE FOR BACKUP in PrepareForSnapshot, which keeps away DDL alone; in Freeze FLUSH TABLES
 * WITH READ LOCK, if there are tables of other engines than InnoDB. InnoDB alone needs nothing: the snapshot
 * is what a power cut would leave.
 */

#include "writers.d/mariadb/hold.h"

#include "util/error.h"
#include "writers.d/mariadb/blockers.h"
#include "writers.d/mariadb/positions.h"

/* What of Freeze's time is left for the positions. */
#define LOG_RESERVE_USEC (USEC_PER_SEC / 2)

/* A statement that may wait for others. Some of the server's work ignores that its time is over, so it
 * counts only if there is some left. */
static int take(Server *server, Report *report, const char *statement) {
        uint64_t before, after;
        char text[BLOCKERS_TEXT_MAX];
        int r;

        r = client_limit_waits(server, report);
        if (r < 0)
                return error_trace(r);
        before = server_remaining_usec(server);
        r = client_run(server, statement);
        after = server_remaining_usec(server);
        if (r == 0 && after > 0)
                return 0;
        if (r == 0)
                return report_fail(report, QUIESCE_FAILURE_TIMEOUT, "%s took too long", statement);
        if (!client_is_late(server) || client_is_lost(server))
                return client_fail(server, report, statement);
        blockers_tell(server, before - after, text);
        return report_fail(report, QUIESCE_FAILURE_TIMEOUT, "%s was held up%s", statement, text);
}

/* Whatever is held, by whatever of these was reached; true: all went well. */
static bool let_go(Server *server) {
        State *state = server_state(server);
        bool good = true;

        if (!state->is_held)
                return true;
        state->is_held = false;
        if (!state->is_mysql)
                return client_run(server, "BACKUP STAGE END") == 0;
        if (state->is_read_locked)
                good = client_run(server, "UNLOCK TABLES") == 0;
        state->is_read_locked = false;
        return client_run(server, "UNLOCK INSTANCE") == 0 && good;
}

/* ── MySQL ── */

/* Whether FLUSH TABLES WITH READ LOCK is needed. A user sees the tables that it has a right to: one that
 * does not even see MySQL's own sees too little to tell. */
static int look_at_engines(Server *server, Report *report) {
        State *state = server_state(server);
        _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;
        MYSQL_ROW row;
        int r;

        r = client_must_ask(server, report,
                            "SELECT SUM(table_schema = 'mysql') > 0 AND SUM(table_schema NOT IN ('mysql', "
                            "'information_schema', 'performance_schema') AND engine <> 'InnoDB') = 0 "
                            "FROM information_schema.tables WHERE table_type = 'BASE TABLE'",
                            &rows);
        if (r < 0)
                return error_trace(r);
        row = mysql_fetch_row(rows);
        state->has_other = !row || !row[0] || !streq(row[0], "1");
        return 0;
}

static int prepare_mysql(Server *server, Report *report) {
        State *state = server_state(server);
        int r;

        r = take(server, report, "LOCK INSTANCE FOR BACKUP");
        if (r == 0)
                r = look_at_engines(server, report);
        if (r == 0 && state->loses_log)
                r = report_warn(report, "innodb_flush_log_at_trx_commit is not 1: what was committed in the "
                                        "last second may be missing");
        if (r == 0 && state->loses_binary_log)
                r = report_warn(report, "sync_binlog is not 1: the binary log's end may be missing");
        return error_trace(r);
}

static int freeze_mysql(Server *server, Report *report) {
        State *state = server_state(server);
        int r = 0;

        if (state->has_other) {
                r = take(server, report, "FLUSH TABLES WITH READ LOCK");
                state->is_read_locked = r == 0;
        }
        return error_trace(r);
}

/* ── MariaDB ── */

static int read_log(Server *server, Report *report, unsigned long long *ret_end,
                    unsigned long long *ret_written) {
        _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;
        MYSQL_ROW row;
        int r;

        *ret_end = *ret_written = 0;
        r = client_must_ask(server, report,
                            "SHOW GLOBAL STATUS WHERE variable_name IN ('innodb_lsn_current', "
                            "'innodb_lsn_flushed')",
                            &rows);
        while (r == 0 && (row = mysql_fetch_row(rows)))
                *(strcasecmp(row[0], "innodb_lsn_current") == 0 ? ret_end : ret_written) =
                        strtoull(row[1] ? row[1] : "0", NULL, 10);
        return error_trace(r);
}

/* Until all that there is of InnoDB's log by now is in its file. Who lets that take longer than Freeze may
 * (innodb_flush_log_at_timeout) has been warned. */
static int await_log(Server *server, Report *report) {
        unsigned long long end, now, written;
        int r;

        r = read_log(server, report, &end, &written);
        while (r == 0 && written < end) {
                _cleanup_(mysql_free_resultp) MYSQL_RES *rows = NULL;

                if (server_remaining_usec(server) < LOG_RESERVE_USEC)
                        return report_warn(report,
                                           "innodb_flush_log_at_trx_commit is 0, and InnoDB does not write "
                                           "its log in time: the last commits may be missing");
                r = client_must_ask(server, report, "SELECT SLEEP(0.01)", &rows);
                if (r == 0)
                        r = read_log(server, report, &now, &written);
        }
        return error_trace(r);
}

static int freeze_mariadb(Server *server, Report *report) {
        static const char *const stages[] = {
                "BACKUP STAGE FLUSH",
                "BACKUP STAGE BLOCK_DDL",
                "BACKUP STAGE BLOCK_COMMIT",
        };
        const State *state = server_state(server);
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(stages) && r == 0; i++)
                r = take(server, report, stages[i]);
        if (r == 0 && state->writes_log_later)
                r = await_log(server, report);
        return error_trace(r);
}

/* ── The steps ── */

/**
 * hold_prepare() - what can be held without stopping anybody's work
 * @server:     connected
 * @report:     told if it fails
 *
 * Return: 0; -ECANCELED.
 */
int hold_prepare(Server *server, Report *report) {
        State *state = server_state(server);
        int r;

        state->is_held = true; /* also if the answer does not come */
        r = state->is_mysql ? prepare_mysql(server, report) : take(server, report, "BACKUP STAGE START");
        if (r < 0)
                (void) let_go(server);
        return error_trace(r);
}

/**
 * hold_freeze() - keep the server from acknowledging anything
 * @server:     prepared
 * @report:     told if it fails; nothing is held then
 *
 * Return: 0; -ECANCELED.
 */
int hold_freeze(Server *server, Report *report) {
        State *state = server_state(server);
        int r;

        r = state->is_mysql ? freeze_mysql(server, report) : freeze_mariadb(server, report);
        if (r == 0)
                r = positions_note(server, report);
        if (r < 0)
                (void) let_go(server);
        return error_trace(r);
}

/**
 * hold_thaw() - let the server go
 * @server:     in any state
 * @report:     told if it was not held all the time
 *
 * A lock goes with its connection: if that is still there, so was the lock.
 *
 * Return: 0; -ECANCELED.
 */
int hold_thaw(Server *server, Report *report) {
        if (let_go(server))
                return 0;
        return report_fail(report, QUIESCE_FAILURE_RETRYABLE, "the server was not held all the time: %s",
                           client_why(server));
}
