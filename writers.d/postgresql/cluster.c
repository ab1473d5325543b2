/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See cluster.h. */

#include "writers.d/postgresql/cluster.h"

#include <inttypes.h>

/**
 * cluster_refused() - report that the server refused a statement
 * @cluster:    connected
 * @report:     told
 * @what:       what cannot be done
 *
 * Return: -ECANCELED.
 */
int cluster_refused(const Cluster *cluster, Report *report, const char *what) {
        char text[256];

        return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE, "%s: %s", what,
                           connection_error(&cluster->connection, text));
}

/**
 * cluster_ask() - carry out a statement without which the step has failed
 * @server:     connected
 * @report:     told what is in the way
 * @sql:        one statement
 * @what:       what cannot be done if it is refused
 * @ret:        PQclear() it; NULL: not wanted
 *
 * Return: 0; -ECANCELED: as reported; or another negative errno.
 */
int cluster_ask(Server *server, Report *report, const char *sql, const char *what, PGresult **ret) {
        Cluster *cluster = server_state(server);
        int r;

        r = connection_ask(&cluster->connection, server, report, sql, ret);
        return r == -EREMOTEIO ? cluster_refused(cluster, report, what) : r;
}

/**
 * cluster_limit() - how long the server works on a statement from now on
 * @server:     connected
 * @report:     told if that fails
 * @usec:       µs, rounded to ms, at least one
 *
 * Return: as cluster_ask().
 */
int cluster_limit(Server *server, Report *report, uint64_t usec) {
        char sql[64];

        (void) snprintf(sql, sizeof(sql), "SET statement_timeout = %" PRIu64,
                        usec / USEC_PER_MSEC > 0 ? usec / USEC_PER_MSEC : 1);
        return cluster_ask(server, report, sql, "SET", NULL);
}
