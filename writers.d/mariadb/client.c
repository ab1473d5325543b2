/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The connection to a server; see client.h. */

#include "writers.d/mariadb/client.h"

#include <assert.h>
#include <errmsg.h>
#include <fcntl.h>
#include <mysqld_error.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>

#include "util/error.h"

#define OLDEST_MARIADB 100500ul /* BACKUP STAGE, and the privileges that the manual page names */
#define OLDEST_MYSQL   80000ul  /* LOCK INSTANCE FOR BACKUP */
/* What is kept back of a step's time, to ask who was in the way: at most this, or a quarter. */
#define RESERVE_USEC (USEC_PER_SEC / 2)
/* Of MySQL, which libmariadb's header does not have. */
#define ER_MYSQL_QUERY_TIMEOUT 3024u

/* ── Waiting ── */

/* Until the library can go on, at most as long as the step has time. Returns what happened, in the library's
 * words: MYSQL_WAIT_TIMEOUT makes it give up, and the connection is of no use then. */
static int await(Server *server, State *state, int wanted) {
        struct pollfd item = {.fd = mysql_get_socket(state->mysql)};
        uint64_t remaining = server_remaining_usec(server);
        int milliseconds, n, happened = 0;

        if (state->socket < 0 && item.fd >= 0) {
                state->socket = fcntl(item.fd, F_DUPFD_CLOEXEC, 3);
                server_set_socket(server, state->socket);
        }
        item.events = (short) ((wanted & MYSQL_WAIT_READ ? POLLIN : 0) |
                               (wanted & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                               (wanted & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
        do {
                milliseconds = (int) (server_remaining_usec(server) / USEC_PER_MSEC);
                n = poll(&item, 1, milliseconds + 1);
                remaining = server_remaining_usec(server);
        } while (remaining > 0 && (n == 0 || (n < 0 && errno == EINTR)));
        if (n <= 0) {
                state->is_late = true;
                return MYSQL_WAIT_TIMEOUT;
        }
        if (item.revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
                happened |= MYSQL_WAIT_READ;
        if (item.revents & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
                happened |= MYSQL_WAIT_WRITE;
        if (item.revents & POLLPRI)
                happened |= MYSQL_WAIT_EXCEPT;
        return happened & wanted;
}

/* ── Statements ── */

/**
 * client_run() - carry out a statement that has no rows to tell
 * @server:     in any state
 * @statement:  the statement
 *
 * Return: 0; CLIENT_E_FAILED.
 */
int client_run(Server *server, const char *statement) {
        State *state = server_state(server);
        int status, failed = 1;

        if (!state->mysql || state->is_late)
                return CLIENT_E_FAILED;
        status = mysql_real_query_start(&failed, state->mysql, statement, strlen(statement));
        while (status != 0)
                status = mysql_real_query_cont(&failed, state->mysql, await(server, state, status));
        return failed ? CLIENT_E_FAILED : 0;
}

/**
 * client_ask() - carry out a statement and take all its rows
 * @server:     in any state
 * @statement:  the statement
 * @ret:        the rows; mysql_free_result() them
 *
 * Return: 0; CLIENT_E_FAILED.
 */
int client_ask(Server *server, const char *statement, MYSQL_RES **ret) {
        State *state = server_state(server);
        MYSQL_RES *rows = NULL;
        int status;

        if (client_run(server, statement) != 0)
                return CLIENT_E_FAILED;
        status = mysql_store_result_start(&rows, state->mysql);
        while (status != 0)
                status = mysql_store_result_cont(&rows, state->mysql, await(server, state, status));
        if (!rows)
                return CLIENT_E_FAILED;
        *ret = rows;
        return 0;
}

/**
 * client_must_run() - carry out a statement without which the step has failed
 * @server:     in any state
 * @report:     told what the statement is and why it failed; so it must hold no secret
 * @statement:  the statement
 *
 * Return: 0; -ECANCELED.
 */
int client_must_run(Server *server, Report *report, const char *statement) {
        return client_run(server, statement) == 0 ? 0 : client_fail(server, report, statement);
}

/**
 * client_must_ask() - the same with rows
 * @server:     in any state
 * @report:     told what the statement is and why it failed
 * @statement:  the statement
 * @ret:        the rows; mysql_free_result() them
 *
 * Return: 0; -ECANCELED.
 */
int client_must_ask(Server *server, Report *report, const char *statement, MYSQL_RES **ret) {
        return client_ask(server, statement, ret) == 0 ? 0 : client_fail(server, report, statement);
}

/**
 * client_value() - a value by the name of its column
 * @rows:       where the row is from
 * @row:        the row
 * @column:     the name
 *
 * Return: the value; "" if it is NULL, or there is no such column.
 */
const char *client_value(MYSQL_RES *rows, MYSQL_ROW row, const char *column) {
        MYSQL_FIELD *fields = mysql_fetch_fields(rows);

        for (unsigned i = 0; i < mysql_num_fields(rows); i++)
                if (strcasecmp(fields[i].name, column) == 0)
                        return row[i] ? row[i] : "";
        return "";
}

/**
 * client_limit_waits() - let the server itself give up in time
 * @server:     connected
 * @report:     told if that fails
 *
 * A statement that the server gives up leaves a connection that can still ask who was in the way, and let
 * go. MySQL knows whole seconds alone.
 *
 * Return: 0; -ECANCELED.
 */
int client_limit_waits(Server *server, Report *report) {
        State *state = server_state(server);
        uint64_t usec = server_remaining_usec(server), limit = server_instance(server)->limit_usec;
        unsigned long seconds;
        char text[128];

        usec = usec < limit ? usec : limit;
        usec -= usec / 4 < RESERVE_USEC ? usec / 4 : RESERVE_USEC;
        seconds = (unsigned long) (usec / USEC_PER_SEC);
        if (state->is_mysql)
                (void) snprintf(text, sizeof(text), "SET SESSION lock_wait_timeout = %lu",
                                seconds ? seconds : 1);
        else /* 0 would be no limit at all */
                (void) snprintf(text, sizeof(text),
                                "SET SESSION lock_wait_timeout = %lu, max_statement_time = %lu.%03lu",
                                seconds + 1, seconds,
                                (unsigned long) (usec % USEC_PER_SEC / USEC_PER_MSEC) + 1);
        return client_must_run(server, report, text);
}

/* ── What went wrong ── */

/**
 * client_is_late() - whether a statement failed because its time was over
 * @server:     after CLIENT_E_FAILED
 *
 * Return: true: the server gave up waiting, or we gave up the server.
 */
bool client_is_late(Server *server) {
        State *state = server_state(server);

        if (state->is_late)
                return true;
        switch (state->mysql ? mysql_errno(state->mysql) : 0) {
        case ER_LOCK_WAIT_TIMEOUT:
        case ER_STATEMENT_TIMEOUT:
        case ER_MYSQL_QUERY_TIMEOUT:
                return true;
        default:
                return false;
        }
}

/**
 * client_is_lost() - whether the connection is of no use any more
 * @server:     after CLIENT_E_FAILED
 *
 * Return: true: whatever the server held for it is let go, or will be as soon as the server notices.
 */
bool client_is_lost(Server *server) {
        State *state = server_state(server);

        if (!state->mysql || state->is_late)
                return true;
        switch (mysql_errno(state->mysql)) {
        case CR_SERVER_GONE_ERROR:
        case CR_SERVER_LOST:
        case CR_SERVER_LOST_EXTENDED:
        case CR_COMMANDS_OUT_OF_SYNC:
        case ER_SERVER_SHUTDOWN:
        case ER_CONNECTION_KILLED:
                return true;
        default:
                return false;
        }
}

/**
 * client_why() - what the server or the library said last
 * @server:     after CLIENT_E_FAILED
 *
 * Return: the text, as long as nothing else is done with the connection.
 */
const char *client_why(Server *server) {
        State *state = server_state(server);

        if (state->is_late)
                return "the server does not answer in time";
        if (!state->mysql)
                return "there is no connection";
        return mysql_error(state->mysql)[0] ? mysql_error(state->mysql) : "the server said nothing";
}

static QuiesceFailure failure_of(Server *server) {
        State *state = server_state(server);

        if (client_is_late(server))
                return QUIESCE_FAILURE_TIMEOUT;
        switch (state->mysql ? mysql_errno(state->mysql) : CR_SERVER_LOST) {
        case CR_CONNECTION_ERROR:
        case CR_CONN_HOST_ERROR:
        case CR_SERVER_GONE_ERROR:
        case CR_SERVER_LOST:
        case CR_SERVER_LOST_EXTENDED:
        case ER_CON_COUNT_ERROR:
        case ER_CONNECTION_KILLED:
        case ER_QUERY_INTERRUPTED:
        case ER_SERVER_SHUTDOWN:
                return QUIESCE_FAILURE_RETRYABLE;
        case CR_OUT_OF_MEMORY:
        case ER_OUT_OF_RESOURCES:
        case ER_OUTOFMEMORY:
                return QUIESCE_FAILURE_OUT_OF_RESOURCES;
        default:
                return QUIESCE_FAILURE_NON_RETRYABLE;
        }
}

/**
 * client_fail() - report that a statement failed
 * @server:     after CLIENT_E_FAILED
 * @report:     told
 * @what:       what failed
 *
 * Return: -ECANCELED.
 */
int client_fail(Server *server, Report *report, const char *what) {
        return report_fail(report, failure_of(server), "%s: %s", what, client_why(server));
}

/* ── The connection ── */

/* Nothing but what a login needs: no password in clear text and no file of ours for a server that asks. */
static void set_options(MYSQL *mysql, bool local) {
        unsigned protocol = local ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP, no = 0;

        (void) mysql_optionsv(mysql, MYSQL_OPT_NONBLOCK, 0);
        (void) mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
        (void) mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &no);
        (void) mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
        (void) mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH,
                              "mysql_native_password,client_ed25519,caching_sha2_password");
        (void) mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "quiesced");
}

static int read_own_name(char text[static 64]) {
        struct passwd entry, *found = NULL;
        char buffer[1024];

        if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) != 0 || !found)
                return error_origin(-ESRCH);
        (void) snprintf(text, 64, "%s", entry.pw_name);
        return 0;
}

static int log_in(Server *server, Report *report) {
        const Instance *instance = server_instance(server);
        State *state = server_state(server);
        char own_name[64], *password = NULL;
        MYSQL *done = NULL;
        int status, r;

        r = instance->user ? 0 : read_own_name(own_name);
        if (r == 0)
                r = server_read_password(server, report, &password);
        if (r < 0)
                return error_trace(r);
        status = mysql_real_connect_start(&done, state->mysql, instance->socket ? NULL : instance->host,
                                          instance->user ? instance->user : own_name, password, NULL,
                                          instance->socket ? 0 : instance->port, instance->socket, 0);
        while (status != 0)
                status = mysql_real_connect_cont(&done, state->mysql, await(server, state, status));
        if (password)
                explicit_bzero(password, strlen(password));
        free(password);
        if (!done)
                return client_fail(server, report, "no connection");
        return 0;
}

/* Which server it is, and what its defaults must not do to a connection that holds it. */
static int greet(Server *server, Report *report) {
        State *state = server_state(server);
        unsigned long version = mysql_get_server_version(state->mysql);

        state->is_mysql = !mariadb_connection(state->mysql);
        if (version < (state->is_mysql ? OLDEST_MYSQL : OLDEST_MARIADB))
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "it is %s %s: MariaDB 10.5 or MySQL 8.0, or later, is needed",
                                   state->is_mysql ? "MySQL" : "MariaDB",
                                   mysql_get_server_info(state->mysql));
        return client_must_run(server, report,
                               state->is_mysql ? "SET SESSION wait_timeout = 86400"
                                               : "SET SESSION wait_timeout = 86400, max_statement_time = 0");
}

/**
 * client_connect() - connect and log in
 * @server:     not connected
 * @report:     told what is in the way
 *
 * Return: 0; -ECANCELED; another negative errno.
 */
int client_connect(Server *server, Report *report) {
        State *state = server_state(server);
        int r;

        assert(!state->mysql);
        *state = (State){.mysql = mysql_init(NULL), .socket = -1};
        if (!state->mysql)
                return error_origin(-ENOMEM);
        set_options(state->mysql, server_instance(server)->socket);
        r = log_in(server, report);
        if (r == 0)
                r = greet(server, report);
        return error_trace(r);
}

/**
 * client_close() - end the connection, whatever state it is in
 * @server:     in any state
 *
 * The library would say good-bye and may wait with it: the socket is shut before.
 */
void client_close(Server *server) {
        State *state = server_state(server);

        if (!state->mysql)
                return;
        server_set_socket(server, -1);
        if (state->socket >= 0) {
                (void) shutdown(state->socket, SHUT_RDWR);
                (void) close(state->socket);
        }
        mysql_close(state->mysql);
        *state = (State){};
}
