/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The test writer's command line, and what makes it a writer; see test-writer.h and quiesce-test-writer(1).
 */

#include "test-writer.h"

#include <libgen.h>
#include <signal.h>

#include "util/error.h"

static const char *const settings[] = {"affected", "abort",  "bus",      "component", "exclude", "keep-open",
                                       "level",    "log",    "metadata", "path",      "recover", "register",
                                       "restore",  "script", "stamp",    "times",     "tree",    "window"};
static const char *const events[] = {
        "identify",
        "prepare-for-backup",
        "prepare-for-snapshot",
        "freeze",
        "thaw",
        "post-snapshot",
        "abort",
        "backup-complete",
        "backup-shutdown",
        "pre-restore",
        "post-restore",
        "session-closed",
        NULL,
};

static void help(void) {
        printf("quiesce-test-writer [SETTING=VALUE]... [EVENT=ACTION]...\n\n"
               "A writer for tests, started by quiesced for a descriptor: at each event it does what it is told to.\n"
               "With bus=NAME it is a service on the system bus, started by whom you like.\n"
               "A developer's tool: see quiesce-test-writer(1) and quiesce-test-script(5).\n\n"
               "Settings:\n"
               "  script=FILE           rules EVENT WRITER [first N] ACTION...\n"
               "  log=FILE              append a line for each event\n"
               "  times=yes             and when those that waited were answered\n"
               "  level=LEVEL           front-end, back-end or system\n"
               "  window=SECONDS        how long it can be frozen\n"
               "  path=PATH             where its data is\n"
               "  component=TYPE:LOGICAL-PATH:NAME:FLAGS:FOLDER\n"
               "                        what it has; flags: s selectable, r also for restore; may be repeated\n"
               "  tree=yes              four components\n"
               "  exclude=FOLDER        *.tmp below it is not to be backed up\n"
               "  restore=METHOD[:never]\n"
               "  stamp=EVENT:STAMP     set the backup stamp of all components in that event\n"
               "  metadata=EVENT:TEXT   likewise the backup metadata; may be repeated\n"
               "  affected=PATH         write down in each event whether it, or that volume, is in the set\n"
               "  recover=FOLDER        write the file \"recovered\" into it in the snapshot; may be repeated\n"
               "  keep-open=yes         leave that file open for writing\n"
               "  abort=default         leave Abort to the library\n"
               "  register=NAME         take another name; never: connect and keep silent; exit: end before\n"
               "  bus=NAME              register on the system bus, owning that name, its descriptor's BusName=\n\n"
               "EVENT=ACTION, EVENT=first:N:ACTION:\n"
               "  ok  fail:CODE:TEXT  warn:TEXT  wait:FILE  delay:TIME  mark:FILE\n"
               "  hang  block  exit  die  nonsense  strange  twice  huge  stuffed\n"
               "  large  verbose  flood  fork\n"
               "CODE: InconsistentSnapshot, OutOfResources, Timeout, Retryable, NonRetryable\n\n"
               "  --help                this text\n"
               "  --version             version\n");
}

/**
 * setting_next() - the next value of a setting that may be repeated
 * @test:       the writer
 * @at:         where to begin, 0 at first; moved behind it
 * @name:       the setting
 *
 * Return: the value, or NULL.
 */
const char *setting_next(const TestWriter *test, size_t *at, const char *name) {
        size_t n = strlen(name);

        while (test->words[*at]) {
                const char *word = test->words[(*at)++];

                if (strncmp(word, name, n) == 0 && word[n] == '=')
                        return word + n + 1;
        }
        return NULL;
}

/**
 * setting() - the value of a setting
 * @test:       the writer
 * @name:       the setting
 *
 * Return: the value, or NULL.
 */
const char *setting(const TestWriter *test, const char *name) {
        size_t at = 0;

        return setting_next(test, &at, name);
}

static int complain(const char *what, const char *why) {
        (void) fprintf(stderr, "quiesce-test-writer: %s: %s\n", what, why);
        return -EINVAL;
}

static bool is_setting(const char *word) {
        for (size_t i = 0; i < ELEMENTSOF(settings); i++) {
                size_t n = strlen(settings[i]);

                if (strncmp(word, settings[i], n) == 0 && word[n] == '=')
                        return !streq(settings[i], "abort") || streq(word + n + 1, "default");
        }
        return false;
}

static int read_words(TestWriter *test) {
        const char *path = setting(test, "script");
        char why[SCRIPT_ERROR_MAX];
        int r;

        r = path ? script_read(&test->rules, path, why) : script_parse(&test->rules, "", 0, why);
        if (r >= 0)
                r = script_check(test->rules, events, why);
        if (r < 0)
                return complain(path ? path : "rules", why);
        for (char **w = test->words; *w; w++)
                if (!is_setting(*w) && script_add_short(test->rules, *w, why) < 0)
                        return complain(*w, why);
        return script_check(test->rules, events, why) < 0 ? complain("EVENT=ACTION", why) : 0;
}

static int on_event(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        TestWriter *test = userdata;

        record_event(test, event);
        record_affected(test, event);
        if (quiesce_writer_event_get_type(event) == QUIESCE_EVENT_IDENTIFY && declare(test, event) < 0)
                return quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE, "bad arguments");
        set_notes(test, event);
        recover(test, event);
        return act(test, event, quiesce_writer_event_get_type_name(event));
}

/* These two are called by the library's default Abort as well, with that event. */
static int on_thaw(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        record_event(userdata, event);
        record_affected(userdata, event);
        return act(userdata, event, "thaw");
}

static int on_post_snapshot(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        record_event(userdata, event);
        record_affected(userdata, event);
        set_notes(userdata, event);
        recover(userdata, event);
        return act(userdata, event, "post-snapshot");
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        TestWriter *test = userdata;

        quiesce_writer_abort_frozen(test->writer);
        return sd_event_exit(test->event, 0);
}

static void on_closed(QuiesceWriter *writer, int r, void *userdata) {
        TestWriter *test = userdata;
        const char *error = quiesce_writer_get_error(writer);

        if (r < 0)
                (void) complain("it cannot be a writer", error ? error : strerror(-r));
        (void) sd_event_exit(test->event, r < 0 ? 1 : 0);
}

static int set_up(TestWriter *test) {
        static const char *const levels[] = {"", "front-end", "back-end", "system"};
        const char *level = setting(test, "level"), *window = setting(test, "window");
        int r = level ? -EINVAL : 0;

        for (size_t i = 1; level && i < ELEMENTSOF(levels); i++)
                if (streq(levels[i], level))
                        r = quiesce_writer_set_level(test->writer, (QuiesceLevel) i);
        if (r < 0)
                return complain(level, "no level");
        if (window)
                r = quiesce_writer_set_freeze_window(test->writer,
                                                     strtoull(window, NULL, 10) * USEC_PER_SEC);
        if (r >= 0 && setting(test, "bus"))
                r = quiesce_writer_set_bus_name(test->writer, setting(test, "bus"));
        if (r < 0)
                return complain("bus=NAME", strerror(-r));
        if (r >= 0)
                r = quiesce_writer_attach_event(test->writer, test->event, 0);
        if (r >= 0)
                r = quiesce_writer_set_closed_callback(test->writer, on_closed);
        if (r >= 0)
                r = quiesce_writer_start(test->writer);
        return r;
}

static int serve(TestWriter *test) {
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
        const char *name = setting(test, "register");
        bool silent = streq_ptr(name, "never");
        int r;

        if (streq_ptr(setting(test, "abort"), "default"))
                callbacks.abort = NULL;
        if (silent)
                name = NULL;
        test->name = name ? name : getenv("QUIESCE_WRITER_NAME");
        if (!test->name)
                return complain(
                        "no name",
                        "it is started by quiesced for a descriptor, or says bus= and register=; see "
                        "quiesce-test-writer(1)");
        r = sd_event_new(&test->event);
        if (r >= 0)
                r = quiesce_writer_new(&test->writer, name, &callbacks, test);
        if (r >= 0)
                r = sd_event_add_signal(test->event, NULL, SIGTERM, on_signal, test);
        if (r >= 0 && !silent)
                r = set_up(test);
        if (r >= 0)
                r = sd_event_loop(test->event);
        if (r < 0 && r != -EINVAL)
                (void) complain("it cannot be a writer", strerror(-r));
        return r;
}

int main(int argc, char **argv) {
        TestWriter test = {.words = argv + 1, .directory = "."};
        _cleanup_free_ char *copy = NULL;
        sigset_t mask;
        int r;

        if (streq_ptr(argv[1], "--help") || streq_ptr(argv[1], "--version")) {
                if (streq(argv[1], "--help"))
                        help();
                else
                        printf("quiesce-test-writer (" PACKAGE_NAME ") " PACKAGE_VERSION "\n");
                return EXIT_SUCCESS;
        }
        if (streq_ptr(setting(&test, "register"), "exit"))
                return EXIT_SUCCESS;
        if (setting(&test, "script")) {
                copy = strdup(setting(&test, "script"));
                test.directory = copy ? dirname(copy) : ".";
        }
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        r = read_words(&test);
        if (r >= 0)
                r = serve(&test);
        acts_free(&test);
        (void) quiesce_writer_free(test.writer);
        (void) script_unref(test.rules);
        (void) sd_event_unref(test.event);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
