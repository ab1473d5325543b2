/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The processes between quiescectl and its command; see contain.h.
 *
 * The reaper holds nothing but one socket to quiescectl. What it reads there are signals for the command;
 * end of file means that quiescectl is dead. The guard holds nothing at all and waits for the reaper's end.
 * All their own signals are blocked: a Ctrl-C at the terminal is for the command.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "ctl/contain.h"

/* PIDs of this process's children as text; ret_text: free() it. */
static ssize_t children_read(char **ret_text) {
        _cleanup_fclose_ FILE *file = NULL;
        char path[64];
        size_t size = 0;

        (void) snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
        file = fopen(path, "re");
        return file ? getdelim(ret_text, &size, '\0', file) : -1;
}

static void children_kill(void) {
        _cleanup_free_ char *text = NULL;
        char *p, *end;

        if (children_read(&text) <= 0)
                return;
        for (p = text;; p = end) {
                long pid = strtol(p, &end, 10);

                if (end == p || pid <= 0)
                        return;
                (void) kill((pid_t) pid, SIGKILL);
        }
}

/**
 * descendants_kill() - kill and reap every descendant of this process
 *
 * This process must be a subreaper, so that the children of what it kills become its own: it goes on until
 * none is left. Every new child comes from a death that is reaped here first, so none is missed.
 */
void descendants_kill(void) {
        for (;;) {
                children_kill();
                if (waitpid(-1, NULL, 0) < 0 && errno != EINTR)
                        return;
        }
}

static void report(int socket_fd, const ContainOutcome *outcome) {
        ReaperReport message = {.outcome = *outcome};

        (void) send(socket_fd, &message, sizeof(message), MSG_NOSIGNAL);
}

/* The command's process, up to exec. */
static void command_run(int socket_fd, const ContainOptions *options, pid_t reaper) {
        ContainOutcome outcome = {.result = CONTAIN_SETUP_FAILED};

        if (options->setup && options->setup(options->userdata, &outcome.failure) < 0) {
                report(socket_fd, &outcome);
                _exit(EXIT_FAILURE);
        }
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != reaper)
                _exit(EXIT_FAILURE);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) sigprocmask(SIG_SETMASK, options->signal_mask, NULL);
        (void) execvp(options->argv[0], options->argv);
        outcome.result = CONTAIN_EXEC_FAILED;
        (void) failure_set(&outcome.failure, errno, "%s", options->argv[0]);
        report(socket_fd, &outcome);
        _exit(EXIT_FAILURE);
}

/* A descriptor kept open here would keep alive what should end with quiescectl: its bus connection above
 * all. */
static void close_all_but(int a, int b) {
        int low = a < b ? a : b, high = a < b ? b : a;

        if (low > 3)
                (void) close_range(3, (unsigned) low - 1, 0);
        if (high > low + 1)
                (void) close_range((unsigned) low + 1, (unsigned) high - 1, 0);
        (void) close_range((unsigned) high + 1, ~0U, 0);
}

/* Our command line is quiescectl's until we say otherwise: a kill by its text should not take both. */
static void take_title(const char *title) {
        _cleanup_fclose_ FILE *file = fopen("/proc/self/stat", "re");
        _cleanup_free_ char *line = NULL;
        unsigned long start, end;
        size_t size = 0;
        char *p;

        if (!file || getline(&line, &size, file) <= 0 || !(p = strrchr(line, ')')))
                return;
        /* proc(5): arg_start and arg_end are the fields 48 and 49; the one after ") " is the third. */
        for (int field = 3; p && field <= 48; field++)
                p = strchr(p + 1, ' ');
        if (!p || sscanf(p, "%lu %lu", &start, &end) != 2 || start == 0 || end <= start)
                return;
        memset((char *) start, 0, end - start);
        (void) snprintf((char *) start, end - start, "%s", title);
}

/* Ends when the command has ended or quiescectl is dead. Return: whether *ret_status is set. */
static bool wait_for_command(int socket_fd, int signal_fd, pid_t command, int *ret_status) {
        struct pollfd fds[] = {{.fd = socket_fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
        struct signalfd_siginfo info;
        int number, status;
        ssize_t n;
        pid_t pid;

        for (;;) {
                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return false;
                if (fds[0].revents) {
                        n = recv(socket_fd, &number, sizeof(number), MSG_DONTWAIT);
                        if (n == sizeof(number))
                                (void) kill(command, number);
                        else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
                                return false;
                }
                if (fds[1].revents && read(signal_fd, &info, sizeof(info)) < 0 && errno != EAGAIN)
                        return false;
                while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                        if (pid == command) {
                                *ret_status = status;
                                return true;
                        }
        }
}

static void be_watcher(const char *name, sigset_t *ret_all) {
        (void) sigfillset(ret_all);
        (void) sigprocmask(SIG_SETMASK, ret_all, NULL);
        (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
        (void) prctl(PR_SET_NAME, name);
}

/* What is sent to quiescectl's process group or session, or found by its command line, must not reach this
 * process. The command has been started by now: it stays in them, at the terminal. */
static void be_apart(const char *name) {
        (void) setsid();
        take_title(name);
}

static void fork_failed(int socket_fd) {
        ContainOutcome outcome = {.result = CONTAIN_SETUP_FAILED};

        (void) failure_set(&outcome.failure, errno, "cannot start a process for the command");
        report(socket_fd, &outcome);
        _exit(EXIT_FAILURE);
}

static void reaper_run(int socket_fd, const ContainOptions *options) __attribute__((noreturn));
static void reaper_run(int socket_fd, const ContainOptions *options) {
        static const char name[] = "quiesce-reaper";
        ContainOutcome outcome = {.result = CONTAIN_EXITED};
        pid_t reaper = getpid(), command;
        sigset_t all;
        int signal_fd;

        be_watcher(name, &all);
        signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
        command = signal_fd < 0 ? -1 : fork();
        if (command == 0)
                command_run(socket_fd, options, reaper);
        if (command < 0)
                fork_failed(socket_fd);
        be_apart(name);
        close_all_but(socket_fd, signal_fd);
        if (wait_for_command(socket_fd, signal_fd, command, &outcome.status))
                report(socket_fd, &outcome);
        descendants_kill();
        _exit(EXIT_SUCCESS);
}

/**
 * guard_run() - be the guard, in a process just forked from quiescectl, and start the reaper
 * @socket_fd:  to quiescectl, SOCK_SEQPACKET
 * @options:    the command
 */
void guard_run(int socket_fd, const ContainOptions *options) {
        static const char name[] = "backup-guard";
        pid_t reaper, pid;
        sigset_t all;

        be_watcher(name, &all);
        reaper = fork();
        if (reaper == 0)
                reaper_run(socket_fd, options);
        if (reaper < 0)
                fork_failed(socket_fd);
        be_apart(name);
        (void) close_range(3, ~0U, 0);
        do
                pid = waitpid(-1, NULL, 0);
        while (pid != reaper && (pid > 0 || errno == EINTR));
        descendants_kill();
        _exit(EXIT_SUCCESS);
}
