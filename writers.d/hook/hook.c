/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced-hook: makes a writer of a script.
 *
 * The script is run once per event, the event as its argument, the facts in its environment. Exit 0 is good,
 * 2 means "not handled" and is good, everything else is a failure whose text is the end of stderr.
 *
 * A script that fails at "identify" is one that was not written for quiesced (for the QEMU guest agent,
 * say): it is run for freeze and thaw only. Whatever the script is, an Abort while frozen always ends with
 * "thaw": a script that knows no "abort" may answer anything to it.
 */

#include <assert.h>
#include <signal.h>
#include <sys/socket.h>

#include "quiesce/writer.h"
#include "util/error.h"
#include "util/macro.h"
#include "writers.d/hook/environment.h"
#include "writers.d/hook/script.h"

#define STEPS_MAX       4u
#define NOT_HANDLED     2
#define TEMPORARY       75 /* EX_TEMPFAIL */
#define MARGIN_MAX      (1 * USEC_PER_SEC)
#define GUARD_LIMIT     (20 * USEC_PER_SEC) /* for the Aborts that nobody has sent */
#define ERROR_LINES_MAX 400u

DEFINE_CLEANUP(QuiesceWriter *, quiesce_writer_free)

typedef struct Run Run;
typedef struct FrozenSession FrozenSession;

typedef struct Hook {
        sd_event *event;
        const char *path;
        bool identified;
        bool plain; /* only freeze and thaw */
        Run *runs;
        FrozenSession *frozen;
} Hook;

/* One event's scripts, one after the other. */
struct Run {
        Run *next;
        Hook *hook;
        QuiesceWriterEvent *event;
        const char *steps[STEPS_MAX];
        size_t step;
        Script *script;
        char **environment;
};

/* "freeze" was run for it, "thaw" was not. */
struct FrozenSession {
        FrozenSession *next;
        char *id;
};

static int run_step(Run *run);

static FrozenSession **find_frozen(Hook *hook, const char *id) {
        FrozenSession **s = &hook->frozen;

        while (*s && !streq((*s)->id, id))
                s = &(*s)->next;
        return s;
}

static int note_frozen(Hook *hook, const char *id) {
        FrozenSession **s = find_frozen(hook, id), *new_session;

        if (*s)
                return 0;
        new_session = calloc(1, sizeof(*new_session));
        if (new_session)
                new_session->id = strdup(id);
        if (!new_session || !new_session->id) {
                free(new_session);
                return error_origin(-ENOMEM);
        }
        *s = new_session;
        return 0;
}

static bool forget_frozen(Hook *hook, const char *id) {
        FrozenSession **s = find_frozen(hook, id), *session = *s;

        if (!session)
                return false;
        *s = session->next;
        free(session->id);
        free(session);
        return true;
}

static Run *run_free(Run *run) {
        if (!run)
                return NULL;
        for (Run **r = &run->hook->runs; *r; r = &(*r)->next)
                if (*r == run) {
                        *r = run->next;
                        break;
                }
        environment_free(run->environment);
        free(run);
        return NULL;
}

/* The end of what it printed, in one line. */
static void last_lines(const char *errors, char *buffer, size_t size) {
        size_t n = strlen(errors);

        while (n > 0 && strchr(" \t\r\n", errors[n - 1]))
                n--;
        if (n >= size) {
                errors += n - size + 1;
                n = size - 1;
        }
        memcpy(buffer, errors, n);
        buffer[n] = 0;
}

/* Into the journal, unless that would wait. */
static void pass_on(const Hook *hook, const char *text) {
        if (!*text || hook->frozen)
                return;
        if (send(STDERR_FILENO, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ENOTSOCK)
                (void) !write(STDERR_FILENO, text, strlen(text));
}

/* path=… and description=… of identify. */
static void read_identity(QuiesceWriterEvent *event, const char *output) {
        char line[4200];

        for (const char *s = output; *s;) {
                size_t n = strcspn(s, "\n");

                if (n < sizeof(line)) {
                        memcpy(line, s, n);
                        line[n] = 0;
                        if (strncmp(line, "path=", 5) == 0 &&
                            quiesce_writer_event_add_path(event, line + 5) < 0)
                                fprintf(stderr, "ignoring %s: not an absolute path in UTF-8\n", line);
                        else if (strncmp(line, "description=", 12) == 0)
                                (void) quiesce_writer_event_set_description(event, line + 12);
                }
                s += n + (s[n] == '\n');
        }
}

/* What a script's end means for the event. Return: whether it failed. */
static bool judge(Run *run, const ScriptResult *result) {
        const char *step = run->steps[run->step], *path = run->hook->path;
        char errors[ERROR_LINES_MAX];

        last_lines(result->errors, errors, sizeof(errors));
        if (result->exit_status == 0 || result->exit_status == NOT_HANDLED)
                return false;
        if (result->timed_out)
                (void) quiesce_writer_event_fail(run->event, QUIESCE_FAILURE_TIMEOUT,
                                                 "%s %s took too long and was killed: %s", path, step,
                                                 errors);
        else if (result->killed)
                (void) quiesce_writer_event_fail(run->event, QUIESCE_FAILURE_RETRYABLE,
                                                 "%s %s was stopped by an Abort", path, step);
        else if (result->exit_status < 0)
                (void) quiesce_writer_event_fail(run->event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                 "%s %s died of signal %d: %s", path, step, result->signal,
                                                 errors);
        else
                (void) quiesce_writer_event_fail(
                        run->event,
                        result->exit_status == TEMPORARY ? QUIESCE_FAILURE_RETRYABLE
                                                         : QUIESCE_FAILURE_NON_RETRYABLE,
                        "%s %s exited with status %d: %s", path, step, result->exit_status, errors);
        return true;
}

static void run_answer(Run *run, int r) {
        QuiesceWriterEvent *event = run->event;

        run_free(run);
        quiesce_writer_event_answer(event, r);
}

static void add_step(Run *run, const char *step) {
        for (size_t i = 0; i < STEPS_MAX; i++)
                if (!run->steps[i]) {
                        run->steps[i] = step;
                        return;
                }
        assert(false);
}

static void on_script(const ScriptResult *result, void *userdata) {
        Run *run = userdata;
        Hook *hook = run->hook;
        const char *step = run->steps[run->step];
        bool identify = streq(step, "identify");
        int r = 0;

        run->script = NULL;
        pass_on(hook, result->errors);
        if (identify && result->exit_status > 0 && result->exit_status != NOT_HANDLED)
                hook->plain = true;
        else if (judge(run, result))
                r = -ECANCELED;
        else if (identify && quiesce_writer_event_get_type(run->event) == QUIESCE_EVENT_IDENTIFY)
                read_identity(run->event, result->output);
        hook->identified = hook->identified || identify;
        if (identify && hook->plain) {
                run_answer(run, 0);
                return;
        }
        /* Nothing of it handles an Abort: do what the library would. */
        if (streq(step, "abort") && result->exit_status == NOT_HANDLED) {
                if (!run->steps[1])
                        add_step(run, "thaw");
                add_step(run, "post-snapshot");
        }
        if (++run->step < STEPS_MAX && run->steps[run->step]) {
                r = run_step(run);
                if (r == 0)
                        return;
        }
        run_answer(run, r);
}

static uint64_t limit_of(const QuiesceWriterEvent *event) {
        uint64_t limit = quiesce_writer_event_get_limit_usec(event), margin;

        if (quiesce_writer_event_get_guard(event))
                return GUARD_LIMIT;
        if (limit == UINT64_MAX)
                return limit;
        /* Our answer is to be there before quiesced stops waiting for it. */
        margin = limit / 20 < MARGIN_MAX ? limit / 20 : MARGIN_MAX;
        return limit - margin;
}

static int run_step(Run *run) {
        const char *arguments[] = {run->hook->path, run->steps[run->step], NULL};
        int r;

        environment_free(run->environment);
        run->environment = NULL;
        r = environment_new(&run->environment, run->event, run->steps[run->step]);
        if (!r)
                r = script_run(&run->script, run->hook->event, arguments,
                               (const char *const *) run->environment, limit_of(run->event), on_script, run);
        if (r < 0)
                (void) quiesce_writer_event_fail(run->event, QUIESCE_FAILURE_OUT_OF_RESOURCES,
                                                 "%s could not be run: %s", run->hook->path, strerror(-r));
        return error_trace(r);
}

static int begin(Hook *hook, QuiesceWriterEvent *event, const char *first, const char *second) {
        Run *run;
        int r;

        run = calloc(1, sizeof(*run));
        if (!run)
                return error_origin(-ENOMEM);
        *run = (Run){.hook = hook, .event = event, .steps = {first, second}, .next = hook->runs};
        hook->runs = run;
        r = run_step(run);
        if (r) {
                run_free(run);
                return error_trace(r);
        }
        return QUIESCE_WRITER_PENDING;
}

static int on_event(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        Hook *hook = userdata;

        if (hook->plain && quiesce_writer_event_get_type(event) != QUIESCE_EVENT_IDENTIFY)
                return 0;
        /* A process that was started anew, for BackupShutdown: which kind of script is it? */
        if (!hook->identified && quiesce_writer_event_get_type(event) != QUIESCE_EVENT_IDENTIFY)
                return begin(hook, event, "identify", quiesce_writer_event_get_type_name(event));
        return begin(hook, event, quiesce_writer_event_get_type_name(event), NULL);
}

static int on_freeze(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        Hook *hook = userdata;
        int r;

        r = note_frozen(hook, quiesce_writer_event_get_session(event));
        return r ? r : begin(hook, event, "freeze", NULL);
}

static int on_thaw(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        Hook *hook = userdata;

        (void) forget_frozen(hook, quiesce_writer_event_get_session(event));
        return begin(hook, event, "thaw", NULL);
}

static int on_abort(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        Hook *hook = userdata;
        const char *session = quiesce_writer_event_get_session(event);
        bool frozen = forget_frozen(hook, session);

        /* A freeze that is still at it must not freeze after our thaw. */
        for (Run *run = hook->runs; run; run = run->next)
                if (run->script && streq(quiesce_writer_event_get_session(run->event), session) &&
                    quiesce_writer_event_get_type(run->event) != QUIESCE_EVENT_ABORT)
                        script_kill(run->script);
        if (hook->plain)
                return frozen ? begin(hook, event, "thaw", NULL) : 0;
        return begin(hook, event, "abort", frozen ? "thaw" : NULL);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        quiesce_writer_stop(userdata);
        return 0;
}

static void on_closed(QuiesceWriter *writer, int r, void *userdata) {
        Hook *hook = userdata;

        if (r < 0)
                fprintf(stderr, "quiesced does not let this writer in: %s\n", strerror(-r));
        (void) sd_event_exit(hook->event, r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int set_up_signals(sd_event *event, QuiesceWriter *writer) {
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, writer);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_signal, writer);
        return error_trace(r < 0 ? r : 0);
}

static int run(const char *path) {
        QuiesceWriterCallbacks callbacks = {
                .size = sizeof(callbacks),
                .identify = on_event,
                .prepare_backup = on_event,
                .prepare_snapshot = on_event,
                .freeze = on_freeze,
                .thaw = on_thaw,
                .post_snapshot = on_event,
                .abort = on_abort,
                .backup_complete = on_event,
                .backup_shutdown = on_event,
                .pre_restore = on_event,
                .post_restore = on_event,
                .session_closed = on_event,
        };
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(quiesce_writer_freep) QuiesceWriter *writer = NULL;
        Hook hook = {.path = path};
        int r;

        r = sd_event_new(&event);
        if (r < 0)
                return error_trace(r);
        hook.event = event;
        r = quiesce_writer_new(&writer, NULL, &callbacks, &hook);
        if (!r)
                r = set_up_signals(event, writer);
        if (!r)
                r = quiesce_writer_attach_event(writer, event, 0);
        if (!r)
                r = quiesce_writer_set_closed_callback(writer, on_closed);
        if (!r)
                r = quiesce_writer_start(writer);
        return error_trace(r < 0 ? r : sd_event_loop(event));
}

int main(int argc, char **argv) {
        int r;

        if (argc != 2 || argv[1][0] != '/') {
                fprintf(stderr, "usage: quiesced-hook /PATH/OF/SCRIPT\n"
                                "Started by quiesced for a descriptor with Hook=, see quiesced-hook(8).\n");
                return argc == 2 && streq(argv[1], "--help") ? EXIT_SUCCESS : 2;
        }
        if (access(argv[1], X_OK) < 0) {
                fprintf(stderr, "%s cannot be executed: %m\n", argv[1]);
                return EXIT_FAILURE;
        }
        r = run(argv[1]);
        if (r < 0)
                fprintf(stderr, "quiesced-hook: %s\n", strerror(-r));
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
