/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced-test-writer: a writer that does at each event what its arguments say.
 *
 *   quiesced-test-writer [NAME=VALUE]… [EVENT=ACTION]…
 *
 * log=FILE appends a line for each event: "NAME EVENT SESSION SET OUTCOME CAUSE GUARD PID type=TYPE", then
 * "bootable", "component-mode" and for each component that it tells "component=LOGICAL-PATH/NAME" and, in
 * brackets, what else it tells of it: [OPTIONS|PREVIOUS-STAMP|BACKUP-STAMP|SUCCEEDED], in a restore
 * [RESTORE-OPTIONS|FILE-RESTORE-STATUS|BACKUP-STAMP]; then "snapshot=VOLUME:DEVICE" of each that it is told.
 * stamp=EVENT:STAMP sets the stamp of all in that event; "NAME EVENT stamp-refused" tells that the library
 * let it not. level=, window= (seconds), path= (of its data) are what it registers and identifies with;
 * component=TYPE:LOGICAL-PATH:NAME:FLAGS:FOLDER (flags s: selectable, r: for restore; any number of times),
 * tree=yes (four components: see declare()), exclude=FOLDER and restore=METHOD[:never] what it declares.
 * abort=default leaves Abort to the library. register=never connects and keeps silent, register=NAME takes
 * another name, register=exit ends before.
 *
 * times=yes appends, once an event that was delayed is answered and before any other is, "NAME answers EVENT
 * SESSION BEFORE AFTER", in µs of CLOCK_BOOTTIME.
 *
 * EVENT is as in quiesce_writer_event_get_type_name(); ACTION is one of
 *   ok            (the default)
 *   fail:CODE:TEXT   CODE as on the bus: InconsistentSnapshot, OutOfResources, Timeout, Retryable,
 * NonRetryable warn:TEXT later:FIFO    answers when something is written to the FIFO hang          never
 * answers, but goes on hearing block         never comes back exit          ends in order kill          ends
 * by SIGKILL nonsense      answers what no writer may strange       answers an error that no writer may
 *   twice         answers two times
 *   huge          answers 100000 paths
 */

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#include "quiesce/writer-internal.h"
#include "quiesce/writer.h"
#include "util/macro.h"

static char **arg_words;
static sd_event *loop;

static const char *word(const char *key) {
        size_t n = strlen(key);

        for (char **w = arg_words; *w; w++)
                if (strncmp(*w, key, n) == 0 && (*w)[n] == '=')
                        return *w + n + 1;
        return NULL;
}

static const char *after(const char *action, const char *verb) {
        size_t n = strlen(verb);

        return strncmp(action, verb, n) == 0 ? action + n : NULL;
}

static void log_event(const QuiesceWriter *writer, const QuiesceWriterEvent *e) {
        const char *path = word("log"), *guard = quiesce_writer_event_get_guard(e);
        const char *session = quiesce_writer_event_get_session(e), *set = quiesce_writer_event_get_set(e);
        const char *outcome = quiesce_writer_event_get_outcome(e),
                   *cause = quiesce_writer_event_get_cause(e);
        QuiesceSelection selected = {.size = sizeof(selected)};
        char line[4096];
        int fd, n;

        if (!path)
                return;
        n = snprintf(line, sizeof(line), "%s %s %s %s %s %s %s %d type=%s%s%s", writer->name,
                     quiesce_writer_event_get_type_name(e), *session ? session : "-", *set ? set : "-",
                     *outcome ? outcome : "-", *cause ? cause : "-", guard ? guard : "-", getpid(),
                     quiesce_writer_event_get_backup_type(e),
                     quiesce_writer_event_is_bootable(e) ? " bootable" : "",
                     quiesce_writer_event_is_component_mode(e) ? " component-mode" : "");
        for (size_t i = 0; quiesce_writer_event_get_component(e, i, &selected) == 0 && n < 3000; i++)
                if (quiesce_writer_event_get_type(e) >= QUIESCE_EVENT_PRE_RESTORE)
                        n += snprintf(line + n, sizeof(line) - (size_t) n,
                                      " component=%.300s/%.200s[%.50s|%s|%.50s]", selected.logical_path,
                                      selected.name,
                                      selected.restore_options ? selected.restore_options : "",
                                      selected.file_restore_status ? selected.file_restore_status : "",
                                      selected.backup_stamp ? selected.backup_stamp : "");
                else
                        n += snprintf(
                                line + n, sizeof(line) - (size_t) n,
                                " component=%.300s/%.200s[%.50s|%.50s|%.50s|%d]", selected.logical_path,
                                selected.name, selected.options ? selected.options : "",
                                selected.previous_stamp ? selected.previous_stamp : "",
                                selected.backup_stamp ? selected.backup_stamp : "", selected.succeeded);
        if (quiesce_writer_event_get_current_set(e, &set) == 0)
                n += snprintf(line + n, sizeof(line) - (size_t) n, " current-set=%s", set);
        for (const char *const *s = quiesce_writer_event_get_snapshots(e); *s && n < 3000; s += 2)
                n += snprintf(line + n, sizeof(line) - (size_t) n, " snapshot=%.200s:%.300s", s[0], s[1]);
        line[n++] = '\n';
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, line, (size_t) n) != n)
                _exit(77);
        close(fd);
}

static int fail(QuiesceWriterEvent *event, const char *code_and_text) {
        static const char *const codes[] = {"",          "InconsistentSnapshot", "OutOfResources", "Timeout",
                                            "Retryable", "NonRetryable"};
        size_t n = strcspn(code_and_text, ":");

        for (size_t i = 1; i < ELEMENTSOF(codes); i++)
                if (strlen(codes[i]) == n && strncmp(codes[i], code_and_text, n) == 0)
                        return quiesce_writer_event_fail(event, (QuiesceFailure) i, "%s",
                                                         code_and_text[n] ? code_and_text + n + 1 : "");
        return -EINVAL;
}

static uint64_t now_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_BOOTTIME, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

/* Written after the answer was sent: its time is known to lie between the two. */
static void answer_now(QuiesceWriterEvent *event) {
        char line[256];
        uint64_t before;
        int fd, n;

        n = snprintf(line, sizeof(line), "%s answers %s %s ", event->writer->name,
                     quiesce_writer_event_get_type_name(event), quiesce_writer_event_get_session(event));
        before = now_usec();
        quiesce_writer_event_answer(event, 0);
        n += snprintf(line + n, sizeof(line) - (size_t) n, "%llu %llu\n", (unsigned long long) before,
                      (unsigned long long) now_usec());
        if (!word("times"))
                return;
        fd = open(word("log"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, line, (size_t) n) != n)
                _exit(77);
        close(fd);
}

static int on_delay(sd_event_source *source, uint64_t usec, void *userdata) {
        sd_event_source_disable_unref(source);
        answer_now(userdata);
        return 0;
}

static int delay(QuiesceWriterEvent *event, const char *usec) {
        sd_event_source *source = NULL;
        int r;

        r = sd_event_add_time_relative(loop, &source, CLOCK_BOOTTIME, strtoull(usec, NULL, 10), 1, on_delay,
                                       event);
        return r < 0 ? r : QUIESCE_WRITER_PENDING;
}

static int on_fifo(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        sd_event_source_disable_unref(source);
        close(fd);
        answer_now(userdata);
        return 0;
}

static int later(QuiesceWriterEvent *event, const char *fifo) {
        int fd, r;

        /* For reading and writing, so that it neither blocks nor hangs up. */
        fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = sd_event_add_io(loop, NULL, fd, EPOLLIN, on_fifo, event);
        if (r < 0)
                return r;
        return QUIESCE_WRITER_PENDING;
}

static int huge(QuiesceWriterEvent *event) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(event->message, &m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "paths");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (int i = 0; r >= 0 && i < 100000; i++)
                r = sd_bus_message_append(m, "s", "/a/path");
        for (int i = 0; r >= 0 && i < 4; i++)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_send(NULL, m, NULL);
        return r < 0 ? r : QUIESCE_WRITER_PENDING;
}

static int act(QuiesceWriterEvent *event, const char *action) {
        const char *rest;

        if (streq(action, "ok") || streq(action, "default"))
                return 0;
        if ((rest = after(action, "fail:")))
                return fail(event, rest);
        if ((rest = after(action, "warn:")))
                return quiesce_writer_event_warn(event, "%s", rest);
        if ((rest = after(action, "later:")))
                return later(event, rest);
        if ((rest = after(action, "delay:")))
                return delay(event, rest);
        if (streq(action, "hang"))
                return QUIESCE_WRITER_PENDING;
        if (streq(action, "exit"))
                exit(0);
        if (streq(action, "kill"))
                (void) raise(SIGKILL);
        if (streq(action, "block"))
                for (;;)
                        (void) pause();
        /* What follows the library does not let a writer do, so it is done behind its back. */
        if (streq(action, "nonsense"))
                return sd_bus_reply_method_return(event->message, "a{sv}", 1, "warning", "u", 7u) < 0
                               ? -EIO
                               : QUIESCE_WRITER_PENDING;
        if (streq(action, "strange"))
                return sd_bus_reply_method_errorf(event->message, "org.example.Strange", "strange") < 0
                               ? -EIO
                               : QUIESCE_WRITER_PENDING;
        if (streq(action, "twice"))
                return sd_bus_reply_method_return(event->message, "a{sv}", 0) < 0 ? -EIO : 0;
        if (streq(action, "huge"))
                return huge(event);
        fprintf(stderr, "unknown action %s\n", action);
        return -EINVAL;
}

/* TYPE:LOGICAL-PATH:NAME:FLAGS:FOLDER */
static int declare_component(QuiesceWriterEvent *event, const char *text) {
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *fields[5];
        QuiesceComponent component = {.size = sizeof(component)};
        int r;

        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                fields[i] = rest ? strsep(&rest, ":") : (char *) "";
        component.type = fields[0];
        component.logical_path = fields[1];
        component.name = fields[2];
        component.caption = "declared by a test";
        component.selectable = strchr(fields[3], 's') != NULL;
        component.selectable_for_restore = strchr(fields[3], 'r') != NULL;
        r = quiesce_writer_event_add_component(event, &component);
        if (r < 0 || !*fields[4])
                return r;
        return quiesce_writer_event_add_files(event, fields[1], fields[2], fields[4], "*",
                                              streq(fields[0], "filegroup"));
}

static int declare(QuiesceWriterEvent *event) {
        const char *restore = word("restore"), *never = restore ? strstr(restore, ":never") : NULL;
        /* A line of a descriptor is too short for them. */
        static const char *const tree[] = {
                "database::instance:s:/srv/db", "filegroup:instance:wiki:sr:/srv/db/wiki",
                "filegroup:instance/wiki:log::/srv/log", "filegroup::config::/etc/db"};
        _cleanup_free_ char *method = NULL;
        int r = 0;

        for (size_t i = 0; word("tree") && i < ELEMENTSOF(tree) && r >= 0; i++)
                r = declare_component(event, tree[i]);

        for (char **w = arg_words; *w && r >= 0; w++)
                if (after(*w, "component="))
                        r = declare_component(event, after(*w, "component="));
        if (r >= 0 && word("exclude"))
                r = quiesce_writer_event_add_exclude_files(event, word("exclude"), "*.tmp", 1);
        if (r >= 0 && restore) {
                method = strndup(restore, never ? (size_t) (never - restore) : strlen(restore));
                r = quiesce_writer_event_set_restore_method(event, method, never != NULL);
        }
        return r;
}

static void log_refused(QuiesceWriterEvent *event) {
        const char *path = word("log");
        FILE *f = path ? fopen(path, "ae") : NULL;

        if (!f || fprintf(f, "%s %s stamp-refused\n", event->writer->name,
                          quiesce_writer_event_get_type_name(event)) < 0)
                _exit(78);
        (void) fclose(f);
}

static void stamp(QuiesceWriterEvent *event) {
        const char *text = word("stamp"), *name = quiesce_writer_event_get_type_name(event);
        QuiesceSelection selected = {.size = sizeof(selected)};

        if (!text || strncmp(text, name, strlen(name)) != 0 || text[strlen(name)] != ':')
                return;
        for (size_t i = 0; quiesce_writer_event_get_component(event, i, &selected) == 0; i++)
                if (quiesce_writer_event_set_backup_stamp(event, selected.logical_path, selected.name,
                                                          text + strlen(name) + 1) < 0)
                        log_refused(event);
}

static int on_event(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        const char *action = word(quiesce_writer_event_get_type_name(event));

        log_event(writer, event);
        if (quiesce_writer_event_get_type(event) == QUIESCE_EVENT_IDENTIFY && word("path"))
                (void) quiesce_writer_event_add_path(event, word("path"));
        if (quiesce_writer_event_get_type(event) == QUIESCE_EVENT_IDENTIFY && declare(event) < 0)
                return quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE, "bad arguments");
        stamp(event);
        return act(event, action ? action : "ok");
}

/* Also called by the library's default Abort. */
static int on_thaw(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        log_event(writer, event);
        return act(event, word("thaw") ? word("thaw") : "ok");
}

static int on_post_snapshot(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        log_event(writer, event);
        stamp(event);
        return act(event, word("post-snapshot") ? word("post-snapshot") : "ok");
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        quiesce_writer_abort_frozen(userdata);
        return sd_event_exit(loop, 0);
}

static void on_closed(QuiesceWriter *writer, int r, void *userdata) {
        (void) sd_event_exit(loop, r < 0 ? 1 : 0);
}

static int set_up(QuiesceWriter *writer) {
        static const char *const levels[] = {"", "front-end", "back-end", "system"};
        const char *level = word("level"), *window = word("window");
        int r = 0;

        for (size_t i = 1; level && i < ELEMENTSOF(levels); i++)
                if (streq(levels[i], level))
                        r = quiesce_writer_set_level(writer, (QuiesceLevel) i);
        if (r >= 0 && window)
                r = quiesce_writer_set_freeze_window(writer, strtoull(window, NULL, 10) * USEC_PER_SEC);
        if (r >= 0)
                r = quiesce_writer_attach_event(writer, loop, 0);
        if (r >= 0)
                r = quiesce_writer_set_closed_callback(writer, on_closed);
        if (r >= 0)
                r = quiesce_writer_start(writer);
        return r;
}

int main(int argc, char **argv) {
        QuiesceWriterCallbacks callbacks = {
                .size = sizeof(callbacks),
                .identify = on_event,
                .prepare_backup = on_event,
                .prepare_snapshot = on_event,
                .freeze = on_event,
                .thaw = on_thaw,
                .post_snapshot = on_post_snapshot,
                .abort = on_event,
                .backup_complete = on_event,
                .backup_shutdown = on_event,
                .pre_restore = on_event,
                .post_restore = on_event,
                .session_closed = on_event,
        };
        _cleanup_(quiesce_writer_freep) QuiesceWriter *writer = NULL;
        const char *name;
        sigset_t mask;
        int r;

        arg_words = argv + 1;
        name = word("register");
        if (name && streq(name, "exit"))
                return 0;
        if (streq_ptr(word("abort"), "default"))
                callbacks.abort = NULL;
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        r = sd_event_new(&loop);
        if (r >= 0)
                r = quiesce_writer_new(&writer, name && !streq(name, "never") ? name : NULL, &callbacks,
                                       NULL);
        if (r >= 0)
                r = sd_event_add_signal(loop, NULL, SIGTERM, on_signal, writer);
        if (r >= 0 && !streq_ptr(name, "never"))
                r = set_up(writer);
        if (r >= 0)
                r = sd_event_loop(loop);
        if (r < 0)
                fprintf(stderr, "quiesced-test-writer: %s\n", strerror(-r));
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
