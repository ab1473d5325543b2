/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See connection.h. */

#include "writers.d/postgresql/connection.h"

#include <poll.h>

#include "util/error.h"

/* Return: 0; -ECANCELED: the time is over, as reported. */
static int await(const Connection *connection, const Server *server, Report *report, short events) {
        struct pollfd fd = {.fd = PQsocket(connection->pg), .events = events};
        uint64_t remaining;
        int r;

        do {
                remaining = server_remaining_usec(server);
                r = remaining == 0 ? 0 : poll(&fd, 1, (int) (remaining / USEC_PER_MSEC) + 1);
        } while ((r < 0 && errno == EINTR) || (r == 0 && remaining > 0));
        if (r > 0)
                return 0;
        return r == 0 ? report_fail(report, QUIESCE_FAILURE_TIMEOUT, "the server did not answer in time")
                      : error_origin(-errno);
}

/**
 * connection_error() - what libpq says of the last failure
 * @connection: the connection
 * @text:       for it
 *
 * Return: @text: its first line, without "ERROR:".
 */
const char *connection_error(const Connection *connection, char text[static 256]) {
        const char *message = connection->pg ? PQerrorMessage(connection->pg) : "out of memory";

        if (strncmp(message, "ERROR:", 6) == 0)
                message += 6 + strspn(message + 6, " ");
        (void) snprintf(text, 256, "%.*s", (int) strcspn(message, "\n"), message);
        return text;
}

static int start(Connection *connection, Server *server, Report *report) {
        const Instance *instance = server_instance(server);
        _cleanup_free_ char *password = NULL;
        char port[16];
        int r;

        r = server_read_password(server, report, &password);
        if (r < 0)
                return r;
        (void) snprintf(port, sizeof(port), "%u", instance->port ? instance->port : 5432u);
        const char *const keys[] = {
                "host", "port", "user", "password", "dbname", "application_name", "client_encoding", NULL};
        const char *const values[] = {instance->socket ? instance->socket : instance->host,
                                      port,
                                      instance->user,
                                      password,
                                      "postgres",
                                      "quiesced",
                                      "UTF8",
                                      NULL};
        connection->pg = PQconnectStartParams(keys, values, 0);
        if (password)
                explicit_bzero(password, strlen(password));
        return connection->pg ? 0 : error_origin(-ENOMEM);
}

/**
 * connection_open() - connect and log in
 * @connection: zero; connection_close() it, also after a failure
 * @server:     says where and who
 * @report:     of the step
 *
 * Return: 0; -ECANCELED: as reported; or another negative errno.
 */
int connection_open(Connection *connection, Server *server, Report *report) {
        PostgresPollingStatusType next = PGRES_POLLING_WRITING;
        char text[256];
        int r;

        r = start(connection, server, report);
        while (r == 0 && next != PGRES_POLLING_OK) {
                if (next == PGRES_POLLING_FAILED || PQstatus(connection->pg) == CONNECTION_BAD)
                        return report_fail(report, QUIESCE_FAILURE_RETRYABLE, "%s",
                                           connection_error(connection, text));
                server_set_socket(server, PQsocket(connection->pg));
                r = await(connection, server, report, next == PGRES_POLLING_READING ? POLLIN : POLLOUT);
                if (r == 0)
                        next = PQconnectPoll(connection->pg);
        }
        if (r == 0)
                server_set_socket(server, PQsocket(connection->pg));
        return r;
}

/**
 * connection_close() - end the connection, whatever state it is in
 * @connection: empty afterwards
 * @server:     whose it is
 */
void connection_close(Connection *connection, Server *server) {
        server_set_socket(server, -1);
        PQfinish(connection->pg);
        *connection = (Connection){};
}

static int lost(const Connection *connection, Report *report) {
        char text[256];

        return report_fail(report, QUIESCE_FAILURE_RETRYABLE, "the connection was lost: %s",
                           connection_error(connection, text));
}

static int flush(const Connection *connection, const Server *server, Report *report) {
        int r;

        while ((r = PQflush(connection->pg)) > 0) {
                r = await(connection, server, report, POLLIN | POLLOUT);
                if (r == 0 && !PQconsumeInput(connection->pg))
                        return lost(connection, report);
                if (r < 0)
                        return r;
        }
        return r < 0 ? lost(connection, report) : 0;
}

/* The next result, NULL being the last one's. */
static int receive(const Connection *connection, const Server *server, Report *report, PGresult **ret) {
        int r;

        while (PQisBusy(connection->pg)) {
                r = await(connection, server, report, POLLIN);
                if (r < 0)
                        return r;
                if (!PQconsumeInput(connection->pg))
                        return lost(connection, report);
        }
        *ret = PQgetResult(connection->pg);
        return 0;
}

/**
 * connection_ask() - have the server carry out a statement
 * @connection: open
 * @server:     whose it is; its step's time counts
 * @report:     of the step
 * @sql:        one statement
 * @ret:        PQclear() it; NULL: not wanted
 *
 * Return: 0; -ECANCELED: it was not answered, as reported; -EREMOTEIO: it was refused.
 */
int connection_ask(Connection *connection, Server *server, Report *report, const char *sql, PGresult **ret) {
        _cleanup_(PQclearp) PGresult *result = NULL;
        int r;

        connection->state[0] = '\0';
        if (!connection->pg || PQsetnonblocking(connection->pg, 1) < 0 ||
            !PQsendQueryParams(connection->pg, sql, 0, NULL, NULL, NULL, NULL, 0))
                return lost(connection, report);
        r = flush(connection, server, report);
        for (bool more = true; r == 0 && more;) {
                PGresult *next = NULL;

                r = receive(connection, server, report, &next);
                more = next;
                if (next && result)
                        PQclear(next);
                else if (next)
                        result = next;
        }
        if (r < 0)
                return r;
        if (!result || PQstatus(connection->pg) == CONNECTION_BAD)
                return lost(connection, report);
        if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
                const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

                (void) snprintf(connection->state, sizeof(connection->state), "%s", state ? state : "");
                return -EREMOTEIO;
        }
        if (ret)
                *ret = TAKE_PTR(result);
        return 0;
}
