/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the writer was told, one line an event in the file log=FILE; see test-writer.h. */

#include "test-writer.h"

#include <fcntl.h>
#include <time.h>

/* A test that reads half a line, or none, would blame somebody else: what cannot be written ends the writer.
 */
static void record_line(TestWriter *test, const char *line, size_t size) {
        const char *path = setting(test, "log");
        int fd;

        if (!path)
                return;
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, line, size) != (ssize_t) size) {
                (void) fprintf(stderr, "quiesce-test-writer: %s cannot be written: %s\n", path,
                               strerror(errno));
                _exit(77);
        }
        (void) fd_close(fd);
}

static void write_component(FILE *f, const QuiesceWriterEvent *event, const QuiesceSelection *selected) {
        bool restore = quiesce_writer_event_get_type(event) >= QUIESCE_EVENT_PRE_RESTORE;
        const char *first = restore ? selected->restore_options : selected->options;
        const char *second = restore ? selected->file_restore_status : selected->previous_stamp;

        (void) fprintf(f, " component=%s/%s[%s|%s|%s", selected->logical_path, selected->name,
                       first ? first : "", second ? second : "",
                       selected->backup_stamp ? selected->backup_stamp : "");
        if (restore)
                (void) fputs("]", f);
        else
                (void) fprintf(f, "|%d]", selected->succeeded);
        if (selected->backup_metadata)
                (void) fprintf(f, "{%s}", selected->backup_metadata);
}

static const char *or_dash(const char *text) {
        return text && text[0] ? text : "-";
}

/**
 * record_event() - write down an event
 * @test:       the writer
 * @event:      the event
 */
void record_event(TestWriter *test, const QuiesceWriterEvent *event) {
        QuiesceSelection selected = {.size = sizeof(selected)};
        _cleanup_free_ char *line = NULL;
        const char *set;
        size_t size;
        FILE *f = open_memstream(&line, &size);

        if (!f)
                _exit(77);
        (void) fprintf(f, "%s %s %s %s %s %s %s %d type=%s%s%s", test->name,
                       quiesce_writer_event_get_type_name(event),
                       or_dash(quiesce_writer_event_get_session(event)),
                       or_dash(quiesce_writer_event_get_set(event)),
                       or_dash(quiesce_writer_event_get_outcome(event)),
                       or_dash(quiesce_writer_event_get_cause(event)),
                       or_dash(quiesce_writer_event_get_guard(event)), getpid(),
                       quiesce_writer_event_get_backup_type(event),
                       quiesce_writer_event_is_bootable(event) ? " bootable" : "",
                       quiesce_writer_event_is_component_mode(event) ? " component-mode" : "");
        for (size_t i = 0; quiesce_writer_event_get_component(event, i, &selected) == 0; i++)
                write_component(f, event, &selected);
        if (quiesce_writer_event_get_current_set(event, &set) == 0)
                (void) fprintf(f, " current-set=%s", set);
        for (const char *const *s = quiesce_writer_event_get_snapshots(event); *s; s += 2)
                (void) fprintf(f, " snapshot=%s:%s", s[0], s[1]);
        (void) fputc('\n', f);
        if (fclose(f) != 0)
                _exit(77);
        record_line(test, line, size);
}

/**
 * record_affected() - write down whether paths and volumes are in the set
 * @test:       the writer
 * @event:      the event
 */
void record_affected(TestWriter *test, QuiesceWriterEvent *event) {
        const char *path;
        size_t at = 0;

        while ((path = setting_next(test, &at, "affected"))) {
                _cleanup_free_ char *line = NULL;
                const char *mount_point = "-";
                int r, n;

                r = path[0] == '/' ? quiesce_writer_event_is_path_affected(event, path, &mount_point)
                                   : quiesce_writer_event_is_volume_affected(event, path);
                n = asprintf(&line, "%s affected %s %s %s %s\n", test->name,
                             quiesce_writer_event_get_type_name(event), path,
                             r < 0 ? strerrorname_np(-r)
                             : r   ? "yes"
                                   : "no",
                             mount_point);
                if (n < 0)
                        _exit(77);
                record_line(test, line, (size_t) n);
        }
}

/**
 * record_outcome() - write down how something went
 * @test:       the writer
 * @event:      the event
 * @what:       a word
 * @path:       what was done it to
 * @r:          0, or a negative errno
 */
void record_outcome(TestWriter *test, const QuiesceWriterEvent *event, const char *what, const char *path,
                    int r) {
        _cleanup_free_ char *line = NULL;
        int n;

        n = asprintf(&line, "%s %s %s %s %s\n", test->name, what, quiesce_writer_event_get_type_name(event),
                     path, r < 0 ? strerrorname_np(-r) : "ok");
        if (n < 0)
                _exit(77);
        record_line(test, line, (size_t) n);
}

/**
 * record_refused() - write down that the library let something not be said
 * @test:       the writer
 * @event:      the event
 * @what:       a word
 */
void record_refused(TestWriter *test, const QuiesceWriterEvent *event, const char *what) {
        char line[256];
        int n;

        n = snprintf(line, sizeof(line), "%.64s %s %s-refused\n", test->name,
                     quiesce_writer_event_get_type_name(event), what);
        record_line(test, line, (size_t) n);
}

static unsigned long long now_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_BOOTTIME, &ts);
        return (unsigned long long) ts.tv_sec * USEC_PER_SEC +
               (unsigned long long) ts.tv_nsec / NSEC_PER_USEC;
}

/**
 * answer_recorded() - answer an event that waited, and with times=yes write down when
 * @test:       the writer
 * @event:      the event; it is gone then
 * @r:          the answer
 */
void answer_recorded(TestWriter *test, QuiesceWriterEvent *event, int r) {
        unsigned long long before;
        char line[256];
        int n;

        n = snprintf(line, sizeof(line), "%.64s answers %s %.40s ", test->name,
                     quiesce_writer_event_get_type_name(event), quiesce_writer_event_get_session(event));
        before = now_usec();
        quiesce_writer_event_answer(event, r);
        n += snprintf(line + n, sizeof(line) - (size_t) n, "%llu %llu\n", before, now_usec());
        if (setting(test, "times"))
                record_line(test, line, (size_t) n);
}
