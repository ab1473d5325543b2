/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The real quiesced with the real PostgreSQL writer and real servers, for tests of it. Whatever fails, fails
 * the test.
 *
 * A server's files are in folders of the test provider's volumes "data", "wal", "fast" and "other". It runs
 * as the user postgres, and its log is a file of the bench.
 */

#include "writer-bench.h"

#define POSTGRESQL_CLUSTERS_MAX 4u

typedef struct Cluster {
        char name[16], folder[160];
        unsigned port;
        pid_t pid;
} Cluster;

/* The folder of "postgres" and its tools; "": there is none. */
extern char postgresql_programs[160];
/* Of the test that runs, in the order in which they were made. */
extern Cluster postgresql_clusters[POSTGRESQL_CLUSTERS_MAX];
extern size_t n_postgresql_clusters;

/* For all tests of a program: a cluster as initdb makes it. */
int postgresql_group_setup(void **state);
int postgresql_group_teardown(void **state);
int postgresql_setup(void **state);
int postgresql_teardown(void **state);
/* The bench; the test is skipped if there is no server to be had here. */
Bench *postgresql_begin(void **state);

/* A name in a volume, which is a folder. Returns path. */
const char *postgresql_path(Bench *bench, char path[static 160], const char *volume, const char *name);

/* Its data in the volume of its name; not started. */
Cluster *postgresql_make(Bench *bench, const char *name, unsigned port);
/* Data, log and a tablespace on a volume each, with 1000 rows in "here" and 2000 in "there"; started. */
Cluster *postgresql_make_spread(Bench *bench, const char *setting);
/* With "NAME=VALUE"; returns when it takes connections. */
void postgresql_start(Bench *bench, Cluster *cluster, const char *setting);
/* By a signal, and waits until it has ended; nothing if it does not run. */
void postgresql_stop(Cluster *cluster, int how);
/* A statement; returns the first value of its answer, or 0. */
long postgresql_sql(Bench *bench, const Cluster *cluster, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* Until no connection of the writer's is left. */
void postgresql_await_gone(Bench *bench, const Cluster *cluster);
/* What is on the snapshots of a session's set, links left out; a cluster that is not started. */
Cluster *postgresql_copy_snapshots(Bench *bench, Client *client, const Cluster *original,
                                   const char *const *volumes);

/* The writer, with a configuration, or with a section for each of the first clusters. */
void postgresql_add_writer(Bench *bench, const char *configuration);
void postgresql_add_writer_for(Bench *bench, unsigned n_sections);
