/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A writer in one page: writer FILE keeps a file quiet while snapshots are taken. The application that
 * writes it holds a lock on it (flock) for each record; the writer holds that lock from Freeze to Thaw, so
 * that every snapshot has whole records only. /etc/quiesced/writers.d/journal.writer:
 *
 *   [Writer]
 *   Exec=/usr/local/libexec/journal-writer /srv/journal
 *   User=journal
 *
 * Its sandbox lets it write nowhere; /etc/systemd/system/quiesced-writer-journal.service.d/journal.conf:
 *
 *   [Service]
 *   ReadWritePaths=/srv
 *
 *   cc writer.c $(pkg-config --cflags --libs libquiesce) -o writer
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <quiesce/writer.h>

typedef struct Journal {
        const char *path;
        int fd; /* open, and locked, while frozen */
} Journal;

/* Where its data is: a set without that volume is no concern of this writer. */
static int identify(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        const Journal *journal = userdata;

        (void) writer;
        return quiesce_writer_event_add_path(event, journal->path);
}

static int freeze(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        Journal *journal = userdata;

        (void) writer;
        journal->fd = open(journal->path, O_RDWR | O_CLOEXEC);
        if (journal->fd >= 0 && flock(journal->fd, LOCK_EX) >= 0 && fsync(journal->fd) >= 0)
                return 0;
        return quiesce_writer_event_fail(event, QUIESCE_FAILURE_RETRYABLE, "%s cannot be locked: %m",
                                         journal->path);
}

/* Abort is handled by this as well, unless a handler of its own is given. */
static int thaw(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        Journal *journal = userdata;

        (void) writer;
        (void) event;
        if (journal->fd >= 0)
                (void) close(journal->fd); /* and the lock with it */
        journal->fd = -1;
        return 0;
}

/* Never earlier: a snapshot is no backup. */
static int backup_complete(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        const Journal *journal = userdata;

        (void) writer;
        (void) event;
        return truncate(journal->path, 0) < 0 ? -errno : 0;
}

int main(int argc, char **argv) {
        const QuiesceWriterCallbacks callbacks = {
                .size = sizeof(callbacks),
                .identify = identify,
                .freeze = freeze,
                .thaw = thaw,
                .backup_complete = backup_complete,
        };
        Journal journal = {.path = argc > 1 ? argv[1] : "", .fd = -1};
        QuiesceWriter *writer = NULL;
        int r;

        r = quiesce_writer_new(&writer, NULL, &callbacks, &journal);
        if (r >= 0)
                r = quiesce_writer_run(writer);
        (void) quiesce_writer_free(writer);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
