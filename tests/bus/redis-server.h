/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Real Redis servers for tests, clients of theirs, loads that note each write that is acknowledged, and the
 * writer for them. Whatever fails, fails the test.
 *
 * A server's files are in folders of the test provider's volumes "NAME-data" and, for append-only files,
 * "NAME-log". Its own log is the bench's file "NAME.said". It has a user "quiesced-redis" with just the
 * rights that the writer's manual page tells.
 */

#include <hiredis/hiredis.h>

#include "writer-bench.h"

typedef struct RedisServer {
        char name[16], data[160], log[160], socket[108], noted[160];
        pid_t pid, load;
} RedisServer;

/* For each test, instead of bench_teardown(): no server and no load is left. */
int redis_teardown(void **state);

/* With these lines of its configuration; started. "# slow" among them: its disk is slow to sync; "# small":
 * none of its files can grow beyond 64 KiB. */
RedisServer *redis_new(Bench *bench, const char *name, const char *settings);
/* No server, but something at its socket that answers INFO so, and OK to all else. */
RedisServer *redis_new_pretended(Bench *bench, const char *name, const char *answer);
/* With the files as they are; returns when it takes connections, or when its log has that text. */
void redis_start(Bench *bench, RedisServer *server, const char *settings);
void redis_start_until(Bench *bench, RedisServer *server, const char *settings, const char *until);
/* SIGKILL, its load first, both waited for; nothing if they do not run. */
void redis_stop(RedisServer *server);
/* One on the copies of the volumes of the server "one", which this session has made. The file that counts
 * with these settings is whole as Redis' own tool sees it. */
RedisServer *redis_restore(Bench *bench, Client *client, const char *settings);

redisContext *redis_log_in(const RedisServer *server); /* redisFree() it */
/* A command; returns its answer as a number. */
long redis_ask(const RedisServer *server, const char *command);

/* RPUSH of 1, 2, … to the list "log", until the server is stopped; returns when some are noted. */
void redis_load(Bench *bench, RedisServer *server);
long redis_noted(const RedisServer *server); /* how many were acknowledged */
void redis_await_noted(Bench *bench, const RedisServer *server, long n);

/* The writer, as nobody with the one capability that its unit gives, and quiesced, which is started. An
 * instance for each of the names, with these settings, by its socket if they have no "Host="; or, if they
 * have "[Discovery]", they are the whole configuration. The password is in the bench's file "password". */
void redis_add_writer(Bench *bench, const char *const *names, const char *settings);
