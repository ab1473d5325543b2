/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Running scripts, see script.h.
 *
 * A script may leave something in the background that holds an application's lock until thaw. That is its
 * business: it is left alone, and its output is read and dropped from then on so that it never gets SIGPIPE.
 * Only a script that is killed takes everything along, see processes.c. If we die, it dies at once, so that
 * it does not go on freezing while what it has frozen is undone.
 */

#include "writers.d/hook/script.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-id128.h>

#include "util/error.h"
#include "util/macro.h"
#include "writers.d/hook/processes.h"

/* One of its pipes; it outlives the script as long as somebody has the other end. */
typedef struct Output {
        Script *script; /* NULL: what still comes is dropped */
        sd_event_source *source;
        int fd;
        char text[SCRIPT_OUTPUT_MAX + 1];
        size_t n;
} Output;

struct Script {
        Script *next;
        sd_event *event;
        pid_t pid;
        char mark[sizeof(SCRIPT_MARK) + SD_ID128_STRING_MAX];
        sd_event_source *child, *limit;
        Output *output, *errors;
        bool timed_out, killed;
        ScriptDone done;
        void *userdata;
};

static Script *running; /* those that have not ended */

static bool is_script(pid_t pid) {
        for (const Script *s = running; s; s = s->next)
                if (s->pid == pid)
                        return true;
        return false;
}

static Output *output_free(Output *output) {
        if (!output)
                return NULL;
        sd_event_source_disable_unref(output->source);
        fd_close(output->fd);
        free(output);
        return NULL;
}
DEFINE_CLEANUP(Output *, output_free)

/* Reads what is there. Return: whether more may come. */
static bool output_read(Output *output) {
        char dropped[4096];
        ssize_t n;

        for (;;) {
                if (output->script && output->n < SCRIPT_OUTPUT_MAX)
                        n = read(output->fd, output->text + output->n, SCRIPT_OUTPUT_MAX - output->n);
                else
                        n = read(output->fd, dropped, sizeof(dropped));
                if (n <= 0)
                        return n < 0 && (errno == EAGAIN || errno == EINTR);
                if (output->script && output->n < SCRIPT_OUTPUT_MAX)
                        output->n += (size_t) n;
        }
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Output *output = userdata;

        if (output_read(output))
                return 0;
        if (output->script)
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        else
                output_free(output);
        return 0;
}

/* The script has ended: its output is complete, what comes from its background is dropped. */
static void output_detach(Output *output) {
        if (!output)
                return;
        output->script = NULL;
        if (sd_event_source_get_enabled(output->source, NULL) <= 0 || !output_read(output))
                output_free(output);
}

static int output_new(Output **ret, Script *script, int *ret_fd) {
        _cleanup_(output_freep) Output *output = NULL;
        int fds[2], r;

        output = calloc(1, sizeof(*output));
        if (!output)
                return error_origin(-ENOMEM);
        output->fd = -EBADF;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_origin(-errno);
        output->script = script;
        output->fd = fds[0];
        *ret_fd = fds[1];
        (void) fcntl(output->fd, F_SETFL, O_NONBLOCK);
        r = sd_event_add_io(script->event, &output->source, output->fd, EPOLLIN, on_output, output);
        if (r < 0) {
                *ret_fd = fd_close(*ret_fd);
                return error_trace(r);
        }
        *ret = TAKE_PTR(output);
        return 0;
}

static Script *script_free(Script *script) {
        if (!script)
                return NULL;
        for (Script **s = &running; *s; s = &(*s)->next)
                if (*s == script) {
                        *s = script->next;
                        break;
                }
        sd_event_source_disable_unref(script->child);
        sd_event_source_disable_unref(script->limit);
        output_detach(script->output);
        output_detach(script->errors);
        free(script);
        return NULL;
}
DEFINE_CLEANUP(Script *, script_free)

static void kill_all(const Script *script) {
        processes_kill(script->pid, script->mark, is_script);
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata) {
        _cleanup_(script_freep) Script *script = userdata;
        ScriptResult result = {.timed_out = script->timed_out, .killed = script->killed};

        (void) output_read(script->output);
        (void) output_read(script->errors);
        script->output->text[script->output->n] = 0;
        script->errors->text[script->errors->n] = 0;
        result.exit_status = info->si_code == CLD_EXITED ? info->si_status : -1;
        result.signal = info->si_code == CLD_EXITED ? 0 : info->si_status;
        result.output = script->output->text;
        result.errors = script->errors->text;
        script->done(&result, script->userdata);
        return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        Script *script = userdata;

        script->timed_out = true;
        kill_all(script);
        return 0;
}

static _Noreturn void run_child(pid_t parent, const char *const *arguments, char **environment, int output,
                                int errors) {
        sigset_t none;
        int null;

        (void) setsid();
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(127);
        null = open("/dev/null", O_RDONLY);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
            dup2(errors, STDERR_FILENO) < 0)
                _exit(127);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) signal(SIGPIPE, SIG_DFL);
        execve(arguments[0], (char *const *) arguments, environment);
        dprintf(STDERR_FILENO, "cannot be executed: %s\n", strerror(errno));
        _exit(127);
}

static int fork_script(Script *script, const char *const *arguments, const char *const *environment) {
        _cleanup_close_ int output = -EBADF, errors = -EBADF;
        _cleanup_free_ char **marked = NULL;
        pid_t parent = getpid();
        size_t n = 0;
        int r;

        while (environment[n])
                n++;
        marked = calloc(n + 2, sizeof(*marked));
        if (!marked)
                return error_origin(-ENOMEM);
        memcpy(marked, environment, n * sizeof(*marked));
        marked[n] = script->mark;
        r = output_new(&script->output, script, &output);
        if (!r)
                r = output_new(&script->errors, script, &errors);
        if (r)
                return error_trace(r);
        script->pid = fork();
        if (script->pid < 0)
                return error_origin(-errno);
        if (script->pid > 0) {
                script->next = running;
                running = script;
        } else
                run_child(parent, arguments, marked, output, errors);
        return 0;
}

/**
 * script_run() - start a script
 * @ret: it; valid until `done` is called
 * @event: the loop; SIGCHLD must be blocked
 * @arguments: the script's path, then its arguments
 * @environment: all of it, the mark is added
 * @limit_usec: µs; then it is killed with all that it has started
 * @done: called when the script itself has ended
 * @userdata: for done
 *
 * Return: 0 or a negative errno: nothing was started.
 */
int script_run(Script **ret, sd_event *event, const char *const *arguments, const char *const *environment,
               uint64_t limit_usec, ScriptDone done, void *userdata) {
        _cleanup_(script_freep) Script *script = NULL;
        sd_id128_t id;
        int r;

        assert(ret && event && arguments && arguments[0] && environment && done);

        r = sd_id128_randomize(&id);
        if (r < 0)
                return error_trace(r);
        script = calloc(1, sizeof(*script));
        if (!script)
                return error_origin(-ENOMEM);
        *script = (Script){.event = event, .done = done, .userdata = userdata};
        (void) snprintf(script->mark, sizeof(script->mark), SCRIPT_MARK SD_ID128_FORMAT_STR,
                        SD_ID128_FORMAT_VAL(id));
        r = fork_script(script, arguments, environment);
        if (r)
                return error_trace(r);
        r = sd_event_add_child(event, &script->child, script->pid, WEXITED, on_child, script);
        if (r >= 0 && limit_usec != UINT64_MAX)
                r = sd_event_add_time_relative(event, &script->limit, CLOCK_BOOTTIME, limit_usec, 0,
                                               on_limit, script);
        if (r < 0) {
                kill_all(script);
                return error_trace(r);
        }
        *ret = TAKE_PTR(script);
        return 0;
}

/**
 * script_kill() - end a script and all that it has started
 * @script: the script
 */
void script_kill(Script *script) {
        assert(script);
        script->killed = true;
        kill_all(script);
}

/**
 * script_reap_orphans() - wait for what scripts have left in the background and has ended since
 */
void script_reap_orphans(void) {
        processes_reap(is_script);
}
