/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A connection to PostgreSQL that never waits longer than its step may take.
 *
 * libpq's blocking calls know no deadline; here all is done by its asynchronous ones.
 */

#include <libpq-fe.h>

#include "writers.d/server/engine.h"

#define SQLSTATE_DENIED   "42501"
#define SQLSTATE_CANCELED "57014" /* statement_timeout, above all */

typedef struct Connection {
        PGconn *pg;
        char state[6]; /* SQLSTATE of the last query; "": none, or no answer */
} Connection;

static inline void PQclearp(PGresult **result) {
        PQclear(*result);
}

int connection_open(Connection *connection, Server *server, Report *report);
void connection_close(Connection *connection, Server *server);
/* One statement. -ECANCELED with a report; -EREMOTEIO: the server's error is in `state` and
 * connection_error(), the connection is good; the caller reports. */
int connection_ask(Connection *connection, Server *server, Report *report, const char *sql, PGresult **ret);
/* A line for people. */
const char *connection_error(const Connection *connection, char text[static 256]);
