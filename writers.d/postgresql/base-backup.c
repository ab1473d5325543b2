/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See base-backup.h; PostgreSQL's manual, "Making a Base Backup Using the Low Level API". */

#include "writers.d/postgresql/base-backup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "util/error.h"

#define VERSION_RENAMED 150000 /* pg_start_backup() became pg_backup_start() */

/**
 * base_backup_is_wanted() - whether an instance has Mode=base-backup
 * @server:     the instance's
 *
 * Return: whether it has.
 */
bool base_backup_is_wanted(const Server *server) {
        const char *mode = server_instance(server)->mode;

        return mode && streq(mode, BASE_BACKUP);
}

/**
 * base_backup_folder() - where in the snapshot base_backup_end() writes
 * @server:     looked at
 *
 * Return: the data directory, as the server knows it; NULL: nothing is written.
 */
const char *base_backup_folder(Server *server) {
        const Cluster *cluster = server_state(server);

        return base_backup_is_wanted(server) ? cluster->data : NULL;
}

/* Without the log from the archive nothing starts from a base backup. */
static int check_archive(Server *server, Report *report) {
        _cleanup_(PQclearp) PGresult *result = NULL;
        int r;

        r = cluster_ask(server, report,
                        "SELECT current_setting('archive_mode') = 'off', pg_is_in_recovery() AND "
                        "current_setting('archive_mode') <> 'always'",
                        "its settings cannot be read", &result);
        if (r < 0)
                return r;
        if (PQgetvalue(result, 0, 0)[0] == 't')
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "it runs with archive_mode=off, and Mode=base-backup needs an archive of "
                                   "the log: without it nothing that is restored would start");
        if (PQgetvalue(result, 0, 1)[0] == 't')
                return report_warn(report, "it is a standby, and archives nothing itself "
                                           "(archive_mode=always would): its primary's archive is needed");
        return 0;
}

/* What the server says to its start: it may be too long, as it makes a checkpoint, or not allowed. */
static int start_failed(Server *server, Report *report, uint64_t limit) {
        const Cluster *cluster = server_state(server);

        if (streq(cluster->connection.state, SQLSTATE_CANCELED))
                return report_fail(report, QUIESCE_FAILURE_TIMEOUT,
                                   "the checkpoint that begins a base backup did not end within %" PRIu64
                                   " s",
                                   limit / USEC_PER_SEC);
        if (streq(cluster->connection.state, SQLSTATE_DENIED))
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "the role \"%s\" may not make a base backup: GRANT EXECUTE ON FUNCTION "
                                   "%s TO it",
                                   PQuser(cluster->connection.pg),
                                   cluster->version_number >= VERSION_RENAMED
                                           ? "pg_backup_start, pg_backup_stop"
                                           : "pg_start_backup(text, boolean, boolean), "
                                             "pg_stop_backup(boolean, boolean)");
        return cluster_refused(cluster, report, "a base backup cannot be begun");
}

/**
 * base_backup_begin() - tell the server that a base backup begins
 * @server:     connected
 * @report:     told what is in the way
 *
 * A tenth of the time is left for the server to say that it was too long.
 *
 * Return: 0; -ECANCELED: as reported; or another negative errno.
 */
int base_backup_begin(Server *server, Report *report) {
        Cluster *cluster = server_state(server);
        uint64_t remaining = server_remaining_usec(server), limit = remaining - remaining / 10;
        int r;

        r = check_archive(server, report);
        if (r == 0)
                r = cluster_limit(server, report, limit);
        if (r < 0)
                return r;
        r = connection_ask(&cluster->connection, server, report,
                           cluster->version_number >= VERSION_RENAMED
                                   ? "SELECT pg_backup_start('quiesced', true)"
                                   : "SELECT pg_start_backup('quiesced', true, false)",
                           NULL);
        return r == -EREMOTEIO ? start_failed(server, report, limit) : r;
}

/* ── Into the snapshot ── */

static int write_all(int fd, const char *text) {
        size_t n_text = strlen(text);

        for (size_t n_written = 0; n_written < n_text;) {
                ssize_t n = write(fd, text + n_written, n_text - n_written);

                if (n < 0 && errno != EINTR)
                        return -errno;
                n_written += n > 0 ? (size_t) n : 0;
        }
        return 0;
}

/* The server will rename it, for which it must own it. */
static int write_file(int folder_fd, const char *name, const char *text) {
        _cleanup_close_ int fd = -EBADF;
        struct stat folder;
        int r;

        if (fstat(folder_fd, &folder) < 0)
                return -errno;
        fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text);
        if (r == 0 && (fchown(fd, folder.st_uid, folder.st_gid) < 0 || fsync(fd) < 0))
                r = -errno;
        return r;
}

static int write_snapshot(Server *server, Report *report, const char *label, const char *map) {
        const Cluster *cluster = server_state(server);
        const char *why = NULL, *name = "backup_label";
        int fd = server_snapshot_fd(server, &why), r;

        if (fd < 0)
                return report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "backup_label cannot be written into the snapshot of %s: %s",
                                   cluster->data, why);
        r = write_file(fd, name, label);
        if (r == 0 && map[0]) {
                name = "tablespace_map";
                r = write_file(fd, name, map);
        }
        return r == 0 ? 0
                      : report_fail(report, QUIESCE_FAILURE_NON_RETRYABLE,
                                    "%s cannot be written into the snapshot of %s: %s", name, cluster->data,
                                    r == -EACCES || r == -EPERM
                                            ? "the writer's unit lacks CAP_DAC_OVERRIDE or CAP_CHOWN, see "
                                              "quiesced-writer-postgresql(8)"
                                            : strerror(-r));
}

/* "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)" */
static void note_first_log(Server *server, const char *label) {
        const char *name = strstr(label, "(file ");

        if (name)
                (void) server_note(server, "wal-first", "%.*s",
                                   (int) strcspn(name + strlen("(file "), ")\n"), name + strlen("(file "));
}

/**
 * base_backup_end() - end the base backup, and make the snapshot one
 * @server:     connected, thawed
 * @report:     told what is in the way
 *
 * The archive is not waited for: that it has the log up to "wal-last" is what a restore needs, not what the
 * snapshot does.
 *
 * Return: 0; -ECANCELED: as reported; or another negative errno.
 */
int base_backup_end(Server *server, Report *report) {
        const Cluster *cluster = server_state(server);
        _cleanup_(PQclearp) PGresult *result = NULL;
        char sql[192];
        int r;

        (void) snprintf(sql, sizeof(sql),
                        "SELECT lsn, labelfile, spcmapfile, "
                        "CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_walfile_name(lsn) END FROM %s",
                        cluster->version_number >= VERSION_RENAMED ? "pg_backup_stop(false)"
                                                                   : "pg_stop_backup(false, false)");
        r = cluster_ask(server, report, sql, "the base backup cannot be ended", &result);
        if (r == 0)
                r = write_snapshot(server, report, PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2));
        if (r < 0)
                return r;
        note_first_log(server, PQgetvalue(result, 0, 1));
        (void) server_note(server, "stop-lsn", "%s", PQgetvalue(result, 0, 0));
        if (PQgetvalue(result, 0, 3)[0]) /* a standby knows no names of the log's files */
                (void) server_note(server, "wal-last", "%s", PQgetvalue(result, 0, 3));
        return 0;
}
