/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writing into snapshots: recover=FOLDER, keep-open=yes; see test-writer.h.
 *
 * The folder stays open after PostSnapshot, to see that nobody can write into it any more.
 */

#include "test-writer.h"

#include <fcntl.h>
#include <unistd.h>

#include "util/error.h"

#define FILE_NAME "recovered"

typedef struct Recovered Recovered;
struct Recovered {
        Recovered *next;
        const char *path; /* the setting's */
        char session[64];
        int folder_fd, file_fd;
};

/* Return: a descriptor, or a negative errno. */
static int write_file(const TestWriter *test, int folder_fd) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(folder_fd, FILE_NAME, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 || dprintf(fd, "%s\n", test->name) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static void recover_folder(TestWriter *test, QuiesceWriterEvent *event, const char *path) {
        Recovered *recovered = calloc(1, sizeof(*recovered));
        int r;

        if (!recovered)
                _exit(77);
        *recovered =
                (Recovered){.next = test->recovered, .path = path, .folder_fd = -EBADF, .file_fd = -EBADF};
        (void) snprintf(recovered->session, sizeof(recovered->session), "%s",
                        quiesce_writer_event_get_session(event));
        test->recovered = recovered;
        r = quiesce_writer_event_open_in_snapshot(event, path, &recovered->folder_fd);
        if (r == 0)
                r = recovered->file_fd = write_file(test, recovered->folder_fd);
        if (r >= 0 && !streq_ptr(setting(test, "keep-open"), "yes"))
                recovered->file_fd = fd_close(recovered->file_fd);
        record_outcome(test, event, "recovers", path, r);
}

/* It may be written into no more. */
static void try_again(TestWriter *test, const QuiesceWriterEvent *event, const Recovered *recovered) {
        int fd = recovered->folder_fd < 0 ? recovered->folder_fd : write_file(test, recovered->folder_fd);

        record_outcome(test, event, "recovers", recovered->path, fd);
        if (fd >= 0)
                (void) fd_close(fd);
}

/**
 * recover() - write into the snapshots, or try to when it is too late
 * @test:       the writer
 * @event:      the event
 */
void recover(TestWriter *test, QuiesceWriterEvent *event) {
        QuiesceWriterEventType type = quiesce_writer_event_get_type(event);
        const char *path;
        size_t at = 0;

        while (type == QUIESCE_EVENT_POST_SNAPSHOT && (path = setting_next(test, &at, "recover")))
                recover_folder(test, event, path);
        if (type != QUIESCE_EVENT_BACKUP_COMPLETE && type != QUIESCE_EVENT_BACKUP_SHUTDOWN)
                return;
        for (Recovered **place = &test->recovered; *place;) {
                Recovered *recovered = *place;

                if (!streq(recovered->session, quiesce_writer_event_get_session(event))) {
                        place = &recovered->next;
                        continue;
                }
                if (type == QUIESCE_EVENT_BACKUP_COMPLETE) {
                        try_again(test, event, recovered);
                        place = &recovered->next;
                        continue;
                }
                *place = recovered->next;
                (void) fd_close(recovered->file_fd);
                (void) fd_close(recovered->folder_fd);
                free(recovered);
        }
}
