/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The connection to a server; see client.h. */

#include "writers.d/redis/client.h"

#include <assert.h>
#include <ctype.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>

#include "util/error.h"

/* ── Waiting ── */

static uint64_t remaining_usec(const Server *server, const State *state) {
        struct timespec now;
        uint64_t usec;

        if (state->own_until_usec == 0)
                return server_remaining_usec(server);
        (void) clock_gettime(CLOCK_BOOTTIME, &now);
        usec = (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / NSEC_PER_USEC;
        return state->own_until_usec > usec ? state->own_until_usec - usec : 0;
}

_printf_(2, 3) static int lost(State *state, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(state->why, sizeof(state->why), format, arguments);
        va_end(arguments);
        state->is_refused = false;
        return CLIENT_E_FAILED;
}

/* Until the socket is ready, at most as long as the step has time: the connection is of no use then. */
static int await(Server *server, short events) {
        State *state = server_state(server);
        struct pollfd item = {.fd = state->context->fd, .events = events};
        uint64_t remaining;
        int n;

        do {
                remaining = remaining_usec(server, state);
                n = remaining == 0 ? 0 : poll(&item, 1, (int) (remaining / USEC_PER_MSEC) + 1);
        } while ((n < 0 && errno == EINTR) || (n == 0 && remaining > 0));
        if (n > 0)
                return 0;
        state->is_late = n == 0;
        return lost(state, "%s", n == 0 ? "the server does not answer in time" : strerror(errno));
}

/**
 * client_pass_time() - wait before the server is asked again
 * @server:     connected
 * @msec:       how long; less if the connection ends
 */
void client_pass_time(Server *server, unsigned msec) {
        State *state = server_state(server);
        struct pollfd item = {.fd = state->context ? state->context->fd : -1, .events = POLLIN};

        (void) poll(&item, 1, (int) msec);
}

/* ── Commands ── */

/* Passwords are among it. */
static int send_bytes(Server *server, const char *bytes, size_t n_bytes) {
        State *state = server_state(server);

        if (!state->context || state->is_late)
                return state->is_late ? CLIENT_E_FAILED : lost(state, "there is no connection");
        while (n_bytes > 0) {
                ssize_t n = send(state->context->fd, bytes, n_bytes, MSG_NOSIGNAL);

                if (n < 0 && errno == EAGAIN) {
                        if (await(server, POLLOUT) != 0)
                                return CLIENT_E_FAILED;
                } else if (n < 0 && errno != EINTR)
                        return lost(state, "the connection was lost: %s", strerror(errno));
                else if (n > 0) {
                        bytes += n;
                        n_bytes -= (size_t) n;
                }
        }
        return 0;
}

static int send_words(Server *server, int n_words, const char **words) {
        char *bytes = NULL;
        int n, r;

        n = redisFormatCommandArgv(&bytes, n_words, words, NULL);
        if (n < 0)
                return lost(server_state(server), "no memory");
        r = send_bytes(server, bytes, (size_t) n);
        explicit_bzero(bytes, (size_t) n);
        redisFreeCommand(bytes);
        return r;
}

/**
 * client_send() - have a command carried out, without waiting for its answer
 * @server:     in any state
 * @command:    words with blanks between
 *
 * Return: 0; CLIENT_E_FAILED.
 */
int client_send(Server *server, const char *command) {
        char text[128], *rest = text, *word;
        const char *words[8];
        int n = 0;

        assert(strlen(command) < sizeof(text));
        (void) strcpy(text, command);
        while ((word = strsep(&rest, " ")) && n < (int) ELEMENTSOF(words))
                words[n++] = word;
        return send_words(server, n, words);
}

/**
 * client_receive() - the next answer
 * @server:     in any state
 * @ret:        free it; NULL: not wanted
 *
 * Return: 0; CLIENT_E_REFUSED: it was an error; CLIENT_E_FAILED.
 */
int client_receive(Server *server, redisReply **ret) {
        State *state = server_state(server);
        _cleanup_(redis_reply_freep) redisReply *reply = NULL;
        void *got = NULL;

        if (!state->context || state->is_late)
                return state->is_late ? CLIENT_E_FAILED : lost(state, "there is no connection");
        for (;;) {
                if (redisGetReplyFromReader(state->context, &got) != REDIS_OK)
                        return lost(state, "the connection was lost: %s", state->context->errstr);
                if (got)
                        break;
                if (await(server, POLLIN) != 0)
                        return CLIENT_E_FAILED;
                if (redisBufferRead(state->context) != REDIS_OK)
                        return lost(state, "the connection was lost: %s", state->context->errstr);
        }
        reply = got;
        if (reply->type == REDIS_REPLY_ERROR) {
                (void) lost(state, "%s", reply->str);
                state->is_refused = true;
                return CLIENT_E_REFUSED;
        }
        if (ret)
                *ret = TAKE_PTR(reply);
        return 0;
}

/**
 * client_ask() - have a command carried out
 * @server:     in any state
 * @command:    words with blanks between
 * @ret:        free it; NULL: not wanted
 *
 * Return: 0; CLIENT_E_REFUSED; CLIENT_E_FAILED.
 */
int client_ask(Server *server, const char *command, redisReply **ret) {
        int r;

        r = client_send(server, command);
        return r != 0 ? r : client_receive(server, ret);
}

/**
 * client_must_ask() - have a command carried out without which the step has failed
 * @server:     in any state
 * @report:     told what the command is and why it failed
 * @command:    words with blanks between
 * @ret:        free it; NULL: not wanted
 *
 * Return: 0; -ECANCELED.
 */
int client_must_ask(Server *server, Report *report, const char *command, redisReply **ret) {
        return client_ask(server, command, ret) == 0 ? 0 : client_fail(server, report, command);
}

/* ── What went wrong ── */

static bool begins(const char *text, const char *with) {
        return strncmp(text, with, strlen(with)) == 0;
}

static QuiesceFailure failure_of(const State *state) {
        static const char *const passing[] = {"LOADING", "BUSY", "TRYAGAIN", "ERR max number of clients"};

        if (state->is_late)
                return QUIESCE_FAILURE_TIMEOUT;
        if (!state->is_refused)
                return QUIESCE_FAILURE_RETRYABLE;
        for (size_t i = 0; i < ELEMENTSOF(passing); i++)
                if (begins(state->why, passing[i]))
                        return QUIESCE_FAILURE_RETRYABLE;
        return QUIESCE_FAILURE_NON_RETRYABLE;
}

/* As ACL SETUSER wants it: "config|get". Of these two a part alone is needed. */
static void name_right(const char *command, char text[static 64]) {
        size_t n = strcspn(command, " ");

        if (begins(command, "CONFIG ") || begins(command, "CLIENT "))
                n += 1 + strcspn(command + n + 1, " ");
        (void) snprintf(text, 64, "%.*s", (int) n, command);
        for (char *c = text; *c; c++)
                *c = (char) (*c == ' ' ? '|' : tolower((unsigned char) *c));
}

/**
 * client_fail() - report that a command failed
 * @server:     after an outcome that is not 0
 * @report:     told
 * @command:    the command
 *
 * Return: -ECANCELED.
 */
int client_fail(Server *server, Report *report, const char *command) {
        const State *state = server_state(server);
        const char *user = server_instance(server)->user;
        char right[64];

        if (!state->is_refused || !begins(state->why, "NOPERM"))
                return report_fail(report, failure_of(state), "%s: %s", command, state->why);
        name_right(command, right);
        return report_fail(report, failure_of(state), "%s: %s: ACL SETUSER %s +%s", command, state->why,
                           user ? user : "default", right);
}

/* ── INFO ── */

/**
 * client_value() - a value of INFO
 * @info:       its answer
 * @key:        the key
 * @text:       for the value, cut if need be
 * @size:       of @text
 *
 * Return: @text; "" if there is no such key.
 */
const char *client_value(const redisReply *info, const char *key, char *text, size_t size) {
        const char *line = info && info->str ? info->str : "";
        size_t n = strlen(key);

        text[0] = '\0';
        while (*line && !(strncmp(line, key, n) == 0 && line[n] == ':')) {
                line += strcspn(line, "\n");
                line += *line == '\n';
        }
        if (*line)
                (void) snprintf(text, size, "%.*s", (int) strcspn(line + n + 1, "\r\n"), line + n + 1);
        return text;
}

/**
 * client_is() - whether INFO has that value
 * @info:       its answer
 * @key:        the key
 * @value:      the value
 *
 * Return: whether it has.
 */
bool client_is(const redisReply *info, const char *key, const char *value) {
        char text[128];

        return streq(client_value(info, key, text, sizeof(text)), value);
}

/* ── The connection ── */

static int reach(Server *server) {
        const Instance *instance = server_instance(server);
        State *state = server_state(server);
        socklen_t size = sizeof(int);
        int problem = 0;

        state->context = instance->socket ? redisConnectUnixNonBlock(instance->socket)
                                          : redisConnectNonBlock(instance->host, (int) instance->port);
        if (!state->context)
                return lost(state, "no memory");
        if (state->context->err)
                return lost(state, "%s", state->context->errstr);
        if (state->own_until_usec == 0)
                server_set_socket(server, state->context->fd);
        if (await(server, POLLOUT) != 0)
                return CLIENT_E_FAILED;
        if (getsockopt(state->context->fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0)
                problem = errno;
        if (problem != 0)
                return lost(state, "%s", strerror(problem));
        state->context->flags |= REDIS_CONNECTED; /* which its own calls would find out as well */
        return 0;
}

/* Without a password it is whoever the server takes one for that does not log in. */
static int log_in(Server *server, Report *report) {
        const Instance *instance = server_instance(server);
        char *password = NULL;
        const char *words[3];
        int n = 0, r;

        r = server_read_password(server, report, &password);
        if (r < 0 || !password)
                return error_trace(r);
        words[n++] = "AUTH";
        if (instance->user)
                words[n++] = instance->user;
        words[n++] = password;
        r = send_words(server, n, words);
        explicit_bzero(password, strlen(password));
        free(password);
        if (r == 0)
                r = client_receive(server, NULL);
        return r == 0 ? 0 : client_fail(server, report, "AUTH");
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

        assert(!state->context);
        state->is_late = state->is_refused = false;
        if (reach(server) != 0)
                return client_fail(server, report, "no connection");
        return error_trace(log_in(server, report));
}

/**
 * client_close() - end the connection, whatever state it is in
 * @server:     in any state
 *
 * What is known of the server is kept. The guard has the socket, too.
 */
void client_close(Server *server) {
        State *state = server_state(server);

        guard_end(&state->guard);
        if (!state->context)
                return;
        if (state->own_until_usec == 0)
                server_set_socket(server, -1);
        redisFree(state->context);
        state->context = NULL;
}
