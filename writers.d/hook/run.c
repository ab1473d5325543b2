/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Running one event's scripts, one after the other.
 *
 * A freeze ends with the first script that fails; what undoes it tries all. All have together what quiesced
 * gives for the event: each freeze may take what is left of it, each thaw its share of what is left, so that
 * one that hangs does not keep the others from being run.
 */

#include "writers.d/hook/run.h"

#include <assert.h>
#include <sys/socket.h>

#include "util/error.h"
#include "util/texts.h"
#include "writers.d/hook/environment.h"
#include "writers.d/hook/notes.h"

#define NOT_HANDLED     2
#define TEMPORARY       75 /* EX_TEMPFAIL */
#define MARGIN_MAX      (1 * USEC_PER_SEC)
#define GUARD_LIMIT     (20 * USEC_PER_SEC) /* for the Aborts that nobody has sent */
#define STEP_LIMIT_MIN  (1 * USEC_PER_MSEC)
#define UNDO_LIMIT_MIN  (1 * USEC_PER_SEC) /* also when the event's time is over */
#define ERROR_LINES_MAX 400u

static int run_step(Run *run);

/**
 * run_new() - nothing yet to be run for an event
 * @ret: the run; run_free() it until it has begun
 * @hook: whose
 * @event: answered by the run once it has begun
 * @session: a reference, taken; or NULL
 *
 * Return: 0 or -ENOMEM.
 */
int run_new(Run **ret, Hook *hook, QuiesceWriterEvent *event, Session *session) {
        QuiesceWriterEventType type = quiesce_writer_event_get_type(event);
        Run *run;

        run = calloc(1, sizeof(*run));
        if (!run) {
                (void) session_unref(session);
                return error_origin(-ENOMEM);
        }
        *run = (Run){.hook = hook,
                     .event = event,
                     .session = session,
                     .next = hook->runs,
                     .undoing = type == QUIESCE_EVENT_THAW || type == QUIESCE_EVENT_ABORT};
        hook->runs = run;
        *ret = run;
        return 0;
}

static bool owes(const Session *session) {
        for (size_t i = 0; i < session->parts.n_items; i++)
                if (session_owes(session, &session->parts.items[i]))
                        return true;
        return false;
}

/**
 * run_free() - forget a run
 * @run: without a running script; or NULL
 *
 * Return: NULL.
 */
Run *run_free(Run *run) {
        if (!run)
                return NULL;
        for (Run **r = &run->hook->runs; *r; r = &(*r)->next)
                if (*r == run) {
                        *r = run->next;
                        break;
                }
        /* A thaw that could not be run stays noted, for who comes after us. */
        if (run->session && !(run->undoing && owes(run->session)))
                (void) session_unref(run->session);
        texts_free(run->environment);
        free(run->steps);
        free(run);
        return NULL;
}

/**
 * run_add_step() - one more script, after the others
 * @run: the run
 * @path: of the script; lives as long as the run or its session
 * @argument: a constant
 * @part: of the run's session, whose freeze or thaw this is; or NULL
 *
 * Return: 0 or -ENOMEM.
 */
int run_add_step(Run *run, const char *path, const char *argument, Part *part) {
        Step *steps;

        steps = reallocarray(run->steps, run->n_steps + 1, sizeof(*steps));
        if (!steps)
                return error_origin(-ENOMEM);
        run->steps = steps;
        run->steps[run->n_steps++] = (Step){.path = path, .argument = argument, .part = part};
        return 0;
}

/* The end of what it printed. */
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
        for (const Session *s = hook->sessions; s; s = s->next)
                if (!s->released)
                        return;
        if (!*text)
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
                                (void) fprintf(stderr, "ignoring %s: not an absolute path in UTF-8\n", line);
                        else if (strncmp(line, "description=", 12) == 0)
                                (void) quiesce_writer_event_set_description(event, line + 12);
                }
                s += n + (s[n] == '\n');
        }
}

/* Others' scripts know no "not handled": 2 is the shell's failure. */
static bool is_good(const Run *run, const ScriptResult *result) {
        bool ours = run->hook->flavor == HOOK_FLAVOR_NONE && !run->hook->plain;

        return result->exit_status == 0 || (ours && result->exit_status == NOT_HANDLED);
}

/* What a script's end means for the event: the first failure is told. */
static void judge(Run *run, const ScriptResult *result) {
        const Step *step = &run->steps[run->step];
        QuiesceFailure failure = QUIESCE_FAILURE_NON_RETRYABLE;
        char errors[ERROR_LINES_MAX], how[64];

        if (is_good(run, result) || run->failed)
                return;
        run->failed = true;
        last_lines(result->errors, errors, sizeof(errors));
        if (result->timed_out) {
                failure = QUIESCE_FAILURE_TIMEOUT;
                (void) snprintf(how, sizeof(how), "took too long and was killed");
        } else if (result->killed) {
                failure = QUIESCE_FAILURE_RETRYABLE;
                (void) snprintf(how, sizeof(how), "was stopped by an Abort");
        } else if (result->exit_status < 0) {
                (void) snprintf(how, sizeof(how), "died of signal %d", result->signal);
        } else {
                if (result->exit_status == TEMPORARY)
                        failure = QUIESCE_FAILURE_RETRYABLE;
                (void) snprintf(how, sizeof(how), "exited with status %d", result->exit_status);
        }
        (void) quiesce_writer_event_fail(run->event, failure, "%s %s %s%s%s", step->path, step->argument,
                                         how, *errors ? ": " : "", errors);
}

/* Notes what is owed now. Return: whether the freeze ends here. */
static bool note_end(Run *run, const ScriptResult *result) {
        Part *part = run->steps[run->step].part;

        if (!part)
                return false;
        if (run->undoing)
                part->undone = true;
        else
                part->gave_up = result->exit_status > 0 && !result->killed && !result->timed_out;
        /* What cannot be noted is thawed once too often if we die. */
        (void) notes_write(run->hook->sessions);
        return !run->undoing && (run->failed || run->cancelled);
}

static void run_answer(Run *run, int r) {
        QuiesceWriterEvent *event = run->event;
        Hook *hook = run->hook;

        run_free(run);
        /* Nobody waits for it now. */
        if (!hook->sessions)
                script_reap_orphans();
        quiesce_writer_event_answer(event, r);
}

/* Nothing of a script handles an Abort: do what the library would. */
static int add_default_abort(Run *run) {
        int r = 0;

        if (run->n_steps == 1)
                r = run_add_step(run, run->hook->path, "thaw", NULL);
        return error_trace(r ? r : run_add_step(run, run->hook->path, "post-snapshot", NULL));
}

static void on_script(const ScriptResult *result, void *userdata) {
        Run *run = userdata;
        Hook *hook = run->hook;
        const char *argument = run->steps[run->step].argument;
        bool identify = streq(argument, "identify");
        int r = 0;

        run->script = NULL;
        pass_on(hook, result->errors);
        if (identify && result->exit_status > 0 && result->exit_status != NOT_HANDLED)
                hook->plain = true;
        else
                judge(run, result);
        if (identify && !run->failed && quiesce_writer_event_get_type(run->event) == QUIESCE_EVENT_IDENTIFY)
                read_identity(run->event, result->output);
        hook->identified = hook->identified || identify;
        if (note_end(run, result) || (identify && hook->plain)) {
                run_answer(run, run->failed || run->cancelled ? -ECANCELED : 0);
                return;
        }
        if (streq(argument, "abort") && result->exit_status == NOT_HANDLED)
                r = add_default_abort(run);
        if (!r && ++run->step < run->n_steps) {
                r = run_step(run);
                if (r == 0)
                        return;
        }
        run_answer(run, r < 0 ? r : run->failed ? -ECANCELED : 0);
}

static uint64_t now(const Hook *hook) {
        uint64_t usec = 0;

        (void) sd_event_now(hook->event, CLOCK_BOOTTIME, &usec);
        return usec;
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

static uint64_t step_limit(const Run *run) {
        uint64_t from = now(run->hook), left, least = run->undoing ? UNDO_LIMIT_MIN : STEP_LIMIT_MIN;

        if (run->deadline == UINT64_MAX)
                return UINT64_MAX;
        left = run->deadline > from ? run->deadline - from : 0;
        if (run->undoing)
                left /= run->n_steps - run->step;
        return left > least ? left : least;
}

static int run_script(Run *run) {
        const Step *step = &run->steps[run->step];
        const char *arguments[] = {step->path, step->argument, NULL};
        int r;

        if (step->part && !run->undoing) {
                step->part->started = true;
                r = notes_write(run->hook->sessions);
                if (r) {
                        step->part->started = false;
                        return error_trace(r);
                }
        }
        run->environment = texts_free(run->environment);
        r = environment_new(&run->environment, run->event, step->argument);
        if (r)
                return error_trace(r);
        return error_trace(script_run(&run->script, run->hook->event, arguments,
                                      (const char *const *) run->environment, step_limit(run), on_script,
                                      run));
}

/* Starts the script at hand; one that cannot be run does not keep other thaws from being tried. */
static int run_step(Run *run) {
        int r, first = 0;

        do {
                const Step *step = &run->steps[run->step];

                r = run_script(run);
                if (!r)
                        return 0;
                if (!run->failed)
                        (void) quiesce_writer_event_fail(run->event, QUIESCE_FAILURE_OUT_OF_RESOURCES,
                                                         "%s could not be run: %s", step->path,
                                                         strerror(-r));
                run->failed = true;
                first = first ? first : r;
        } while (run->undoing && ++run->step < run->n_steps);
        return error_trace(first);
}

/**
 * run_begin() - run the scripts, then answer the event
 * @run: with at least one step; taken, on failure too
 *
 * Return: QUIESCE_WRITER_PENDING, or a negative errno: nothing runs, the event is not answered.
 */
int run_begin(Run *run) {
        uint64_t limit = limit_of(run->event);
        int r;

        assert(run->n_steps > 0);

        run->deadline = limit == UINT64_MAX ? UINT64_MAX : now(run->hook) + limit;
        r = run_step(run);
        if (r) {
                run_free(run);
                return error_trace(r);
        }
        return QUIESCE_WRITER_PENDING;
}

/**
 * run_cancel() - end it at once
 * @run: the run; its script is killed with all that it has started, the event is answered as failed
 */
void run_cancel(Run *run) {
        run->cancelled = true;
        if (run->script)
                script_kill(run->script);
}
