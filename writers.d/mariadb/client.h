/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The one connection to a server, and what is kept of the server between the steps.
 *
 * How: libmariadb's calls that can be suspended; in between we wait for the socket ourselves, never longer
 * than the step has time. So a server that is stopped, or does not answer, is left in time, and the frame
 * knows the socket as soon as there is one.
 */

#include <mysql.h>

#include "writers.d/server/engine.h"

/* Outcomes. */
enum {
        _CLIENT_E_SUCCESS,

        CLIENT_E_FAILED, /* the server said no, or says nothing: client_fail() tells what */
};

typedef struct State {
        MYSQL *mysql; /* NULL: not connected */
        int socket;   /* the same as the library's, which closes its own when it likes */
        bool is_mysql;
        bool is_late;          /* the connection was given up, because the step's time was over */
        bool is_held;          /* a lock is held, or was asked for: it goes with the connection */
        bool is_read_locked;   /* MySQL: by FLUSH TABLES WITH READ LOCK */
        bool has_other;        /* MySQL: tables of other engines than InnoDB, or nobody knows */
        bool loses_log;        /* innodb_flush_log_at_trx_commit is not 1 */
        bool writes_log_later; /* it is 0 */
        bool loses_binary_log; /* sync_binlog is not 1 */
} State;

DEFINE_CLEANUP(MYSQL_RES *, mysql_free_result)

/* Logs in. -ECANCELED: it was reported why not. */
int client_connect(Server *server, Report *report);
void client_close(Server *server);

int client_run(Server *server, const char *statement);
/* *ret: all rows; free it. */
int client_ask(Server *server, const char *statement, MYSQL_RES **ret);
/* The same, and it is reported if it failed. */
int client_must_run(Server *server, Report *report, const char *statement);
int client_must_ask(Server *server, Report *report, const char *statement, MYSQL_RES **ret);

/* The value in a row's column of that name; "" if there is none. */
const char *client_value(MYSQL_RES *rows, MYSQL_ROW row, const char *column);

/* From here on no statement waits in the server for longer than the step has time, less what is needed to
 * ask why. */
int client_limit_waits(Server *server, Report *report);
/* After CLIENT_E_FAILED: whether that is since the time was over. */
bool client_is_late(Server *server);
bool client_is_lost(Server *server);
/* Why: what the server or the library said. */
const char *client_why(Server *server);
/* Reports it, as what it was done for. Returns -ECANCELED. */
int client_fail(Server *server, Report *report, const char *what);
