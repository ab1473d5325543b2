/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is kept of a cluster from step to step, and how it is asked. */

#include "writers.d/postgresql/connection.h"

#define LSN_MAX 32u

typedef struct Cluster {
        Connection connection;
        char version[64];
        int version_number;
        char *data, *config_file;
        char *tablespaces; /* lines "OID NAME PATH" */
        bool standby;
        char system[32], timeline[16];
        char redo[LSN_MAX]; /* where recovery begins, at least */
        char before[LSN_MAX], after[LSN_MAX];
} Cluster;

/* A statement that has no other outcome than an answer; what: for people, what cannot be done without. */
int cluster_ask(Server *server, Report *report, const char *sql, const char *what, PGresult **ret);
/* The server's own words on a statement that it refused. Returns -ECANCELED. */
int cluster_refused(const Cluster *cluster, Report *report, const char *what);
/* From here on no statement runs longer. */
int cluster_limit(Server *server, Report *report, uint64_t usec);
