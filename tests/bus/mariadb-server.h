/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Real MariaDB servers for tests, and clients that write to them and note each commit that is acknowledged.
 *
 * A server's files are in folders of the test provider's volumes. What is waited for is the server's own
 * notification that it is ready, or a file that grows.
 */

#include <mysql.h>

#include "writer-bench.h"

typedef struct MariadbServer {
        char name[32];
        char data[192], log[192], binary_log[192], socket[108]; /* binary_log "": none */
        pid_t pid;
} MariadbServer;

typedef struct Load {
        char statement[128], noted[160], socket[108];
        pid_t pid;
} Load;

/* For all tests of a program: an empty data directory, which is slow to make. */
int mariadb_group_setup(void **state);
int mariadb_group_teardown(void **state);
/* For each test, instead of bench_teardown(): no server and no load is left. */
int mariadb_teardown(void **state);

/* In three volumes, "NAME-data", "NAME-log", "NAME-binary-log", with a user for the writer; started. */
MariadbServer *mariadb_new(Bench *bench, const char *name);
/* With the files as they are. */
void mariadb_start(Bench *bench, MariadbServer *server);
void mariadb_kill(MariadbServer *server);
/* On the copies of its volumes, which were made by this session, after it was killed. */
void mariadb_start_snapshot(Bench *bench, Client *client, MariadbServer *server);

/* The writer, as nobody with the one capability that its unit gives; settings: lines for each instance. */
void mariadb_add_writer(Bench *bench, const char *const *names, const char *settings);
/* A session with these servers chosen, and their volumes in the set but for one, or NULL. */
Client *mariadb_prepare(Bench *bench, const char *const *names, const char *without);

MYSQL *mariadb_log_in(const MariadbServer *server);
void mariadb_run(MYSQL *mysql, const char *statement);
long mariadb_ask(MYSQL *mysql, const char *statement);
char *mariadb_ask_text(MYSQL *mysql, const char *statement); /* free() it */
/* Until some connection is in that state. No file tells it, and no server: it is asked again and again. */
void mariadb_await_state(const MariadbServer *server, const char *state);
/* Begins a statement that sleeps, and waits until it does so. */
void mariadb_begin(const MariadbServer *server, MYSQL *mysql, const char *statement);

/* Rows for test.TABLE, each noted after its commit. */
Load *load_start(Bench *bench, const MariadbServer *server, const char *table);
void load_stop(Load *load);
long load_count(const Load *load);
void load_await(Bench *bench, const Load *load, long n); /* until n are noted */
