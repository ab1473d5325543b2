/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The launcher for tests: writers are children of this process, each the leader of a process group.
 *
 * It makes no unit, no sandbox and no user: User= is ignored. Who it is is told by its pid alone. It has
 * what a unit gives to undo what a process has left: a runtime directory, beside the socket, and a command
 * at the end.
 */

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/writers/launcher.h"
#include "daemon/writers/words.h"
#include "util/error.h"
#include "util/macro.h"
#include "util/texts.h"

#define STOP_LIMIT (5 * USEC_PER_SEC) /* from SIGTERM to SIGKILL */

typedef struct ForkLauncher {
        Launcher launcher;
        sd_event *event;
        char *socket_path;
} ForkLauncher;

typedef struct ForkProcess {
        Process process;
        pid_t pid; /* 0: it could not be started */
        sd_event_source *child, *timer, *failed;
        Descriptor *descriptor;
        bool ending; /* pid is the command at the end */
        char *text;
        ProcessEnded ended;
        void *userdata;
} ForkProcess;

static Process *fork_process_free(Process *process) {
        ForkProcess *p = (ForkProcess *) process;

        if (!p)
                return NULL;
        sd_event_source_disable_unref(p->child);
        sd_event_source_disable_unref(p->timer);
        sd_event_source_disable_unref(p->failed);
        if (p->pid > 0) {
                (void) kill(-p->pid, SIGTERM);
                (void) waitpid(p->pid, NULL, WNOHANG);
        }
        descriptor_unref(p->descriptor);
        free(p->text);
        free(p);
        return NULL;
}

static void process_freep(ForkProcess **p) {
        (void) fork_process_free((Process *) *p);
}

static int start_end_command(ForkProcess *p);

static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata) {
        ForkProcess *p = userdata;

        /* What it has started goes with it, as in a unit. */
        (void) kill(-p->pid, SIGKILL);
        p->pid = 0;
        if (!p->ending && start_end_command(p) == 0)
                return 0;
        p->ended(&p->process, p->text, p->userdata);
        return 0;
}

static int on_failed(sd_event_source *source, void *userdata) {
        ForkProcess *p = userdata;

        p->ended(&p->process, p->text, p->userdata);
        return 0;
}

static _Noreturn void run_child(const ForkLauncher *launcher, const Descriptor *descriptor, char **arguments,
                                int error_fd) {
        char directory[PATH_MAX];
        sigset_t none;
        int r;

        (void) setpgid(0, 0);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) setenv("QUIESCE_WRITER_NAME", descriptor->name, 1);
        (void) setenv("QUIESCE_WRITERS_SOCKET", launcher->socket_path, 1);
        (void) snprintf(directory, sizeof(directory), "%.*s/quiesced-writer-%s",
                        (int) (strrchr(launcher->socket_path, '/') - launcher->socket_path),
                        launcher->socket_path, descriptor->name);
        if (mkdir(directory, 0700) == 0 || errno == EEXIST)
                (void) setenv("RUNTIME_DIRECTORY", directory, 1);
        execv(arguments[0], arguments);
        r = errno;
        (void) !write(error_fd, &r, sizeof(r));
        _exit(203);
}

/* Return: the pid; a negative errno: of fork(); *ret_error: of execve(), or 0. */
static pid_t spawn(const ForkLauncher *launcher, const Descriptor *descriptor, char **arguments,
                   int *ret_error) {
        _cleanup_close_ int reader = -EBADF, writer = -EBADF;
        int fds[2];
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_origin(-errno);
        reader = fds[0];
        writer = fds[1];
        pid = fork();
        if (pid < 0)
                return error_origin(-errno);
        if (pid == 0)
                run_child(launcher, descriptor, arguments, writer);
        (void) setpgid(pid, pid);
        writer = fd_close(writer);
        /* Over when the child has executed: a moment, and only in tests. */
        if (read(reader, ret_error, sizeof(*ret_error)) != sizeof(*ret_error))
                *ret_error = 0;
        return pid;
}

/* Return: 0; negative: there is none, or it could not be started. */
static int start_end_command(ForkProcess *p) {
        ForkLauncher *launcher = (ForkLauncher *) p->process.launcher;
        char **arguments = NULL;
        int error = 0, r;
        pid_t pid;

        p->ending = true;
        p->timer = sd_event_source_disable_unref(p->timer);
        r = launcher_end_arguments(&arguments, p->descriptor);
        if (r || !arguments)
                return r ? error_trace(r) : -ENOENT;
        pid = spawn(launcher, p->descriptor, arguments, &error);
        texts_free(arguments);
        if (pid < 0)
                return error_trace((int) pid);
        p->pid = pid;
        p->child = sd_event_source_disable_unref(p->child);
        return error_trace(sd_event_add_child(launcher->event, &p->child, pid, WEXITED, on_child, p));
}

static int fail_later(ForkLauncher *launcher, ForkProcess *p) {
        return error_trace(sd_event_add_defer(launcher->event, &p->failed, on_failed, p));
}

static int start_child(ForkLauncher *launcher, ForkProcess *p, const Descriptor *descriptor) {
        char **arguments;
        int error = 0, r;
        pid_t pid;

        r = launcher_arguments(&arguments, descriptor);
        if (r)
                return error_trace(r);
        pid = spawn(launcher, descriptor, arguments, &error);
        if (error && asprintf(&p->text, "%s, the program of %s, cannot be executed: %s", arguments[0],
                              descriptor->path, strerror(error)) < 0)
                p->text = NULL;
        texts_free(arguments);
        if (pid < 0)
                return error_trace((int) pid);
        p->pid = pid;
        return error_trace(sd_event_add_child(launcher->event, &p->child, pid, WEXITED, on_child, p));
}

static int fork_start(Launcher *l, Process **ret, const Descriptor *descriptor, ProcessEnded ended,
                      void *userdata) {
        ForkLauncher *launcher = (ForkLauncher *) l;
        _cleanup_(process_freep) ForkProcess *p = NULL;
        int r;

        p = calloc(1, sizeof(*p));
        if (!p)
                return error_origin(-ENOMEM);
        *p = (ForkProcess){.process.launcher = l, .ended = ended, .userdata = userdata};
        p->descriptor = descriptor_ref((Descriptor *) descriptor);
        if (descriptor->kind == DESCRIPTOR_SERVICE) {
                if (asprintf(&p->text, "%s of %s needs systemd, which does not run here",
                             descriptor->service, descriptor->path) < 0)
                        p->text = NULL;
                r = fail_later(launcher, p);
        } else
                r = start_child(launcher, p, descriptor);
        if (r < 0)
                return error_trace(r);
        *ret = &TAKE_PTR(p)->process;
        return 0;
}

static int on_stop_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        ForkProcess *p = userdata;

        if (p->pid > 0)
                (void) kill(-p->pid, SIGKILL);
        return 0;
}

static void fork_stop(Process *process) {
        ForkProcess *p = (ForkProcess *) process;
        sd_event *event = ((ForkLauncher *) process->launcher)->event;

        if (p->pid <= 0 || p->timer || p->ending)
                return;
        (void) kill(p->pid, SIGTERM);
        (void) sd_event_add_time_relative(event, &p->timer, CLOCK_BOOTTIME, STOP_LIMIT, 0, on_stop_limit, p);
}

static bool fork_owns(Process *process, pid_t pid) {
        const ForkProcess *p = (const ForkProcess *) process;

        return p->pid == pid && pid > 0 && !p->ending;
}

/* As the unit's end would come. */
static void fork_stop_other(Launcher *launcher, const char *unit, pid_t pid) {
        if (pid > 1)
                (void) kill(pid, SIGTERM);
}

static int fork_set_bus(Launcher *launcher, sd_bus *bus) {
        return 0;
}

static Launcher *fork_free(Launcher *l) {
        ForkLauncher *launcher = (ForkLauncher *) l;

        if (!launcher)
                return NULL;
        sd_event_unref(launcher->event);
        free(launcher->socket_path);
        free(launcher);
        return NULL;
}

static const LauncherOps fork_ops = {
        .start = fork_start,
        .stop = fork_stop,
        .owns = fork_owns,
        .process_free = fork_process_free,
        .stop_other = fork_stop_other,
        .set_bus = fork_set_bus,
        .free = fork_free,
};

/**
 * launcher_fork_new() - the launcher without systemd
 * @ret: the launcher, freed by its ops
 * @event: the loop; SIGCHLD is blocked from now on, as sd-event wants it
 * @socket_path: where writers connect to
 *
 * Return: 0 or a negative errno.
 */
int launcher_fork_new(Launcher **ret, sd_event *event, const char *socket_path) {
        ForkLauncher *launcher;
        sigset_t mask;

        assert(socket_path);

        launcher = calloc(1, sizeof(*launcher));
        if (!launcher)
                return error_origin(-ENOMEM);
        launcher->launcher.ops = &fork_ops;
        launcher->event = sd_event_ref(event);
        launcher->socket_path = strdup(socket_path);
        if (!launcher->socket_path) {
                (void) fork_free(&launcher->launcher);
                return error_origin(-ENOMEM);
        }
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        *ret = &launcher->launcher;
        return 0;
}
