/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The new process's side: signals, descriptors and environment as a command may expect them, then the
 * command or the function.
 *
 * Everything that may block is allowed here, and only here: the deadline is the parent's.
 */

#include "daemon/child/child-exec.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "daemon/child/connections.h"
#include "util/error.h"

static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                          "LVM_SUPPRESS_FD_WARNINGS=1", NULL};

static void signals_reset(void) {
        sigset_t none;

        for (int i = 1; i < SIGRTMAX; i++)
                if (i != SIGKILL && i != SIGSTOP)
                        (void) signal(i, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Descriptors 0, 1 and 2 without close-on-exec; the sources are above 2 because quiesced keeps those. */
static int stdio_arrange(const ChildStart *start) {
        int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(start->out_fd, STDOUT_FILENO) < 0 ||
            dup2(start->err_fd, STDERR_FILENO) < 0)
                return -errno;
        return 0;
}

/**
 * child_become() - for the process of a forked function, or one that it has forked: become a command
 * @argv:       it, NULL-terminated; looked for in $PATH
 *
 * With the environment of any child. If it cannot be executed stderr says why, and the exit status is 127.
 */
_Noreturn void child_become(const char *const *argv) {
        execvpe(argv[0], (char *const *) argv, (char *const *) environment);
        (void) dprintf(STDERR_FILENO, "cannot execute %s: %s\n", argv[0], strerror(errno));
        _exit(127);
}

_Noreturn static void child_run(const ChildStart *start) {
        int status;

        signals_reset();
        (void) setpgid(0, 0);
        if (stdio_arrange(start) < 0)
                _exit(126);
        connections_close(start->socket_fd); /* before anything that may hang */
        if (chdir("/") < 0)
                _exit(126);
        if (start->function) {
                /* A helper serves quiesced alone. A command does not die with it: LVM killed in the middle
                 * leaves devices suspended. */
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                status = start->function(start->socket_fd, start->argument);

                (void) fflush(NULL);
                _exit(status);
        }
        status = start->before ? start->before(start->before_argument) : 0;
        if (status != 0)
                _exit(status);
        child_become(start->argv);
}

/**
 * child_exec_fork() - make the new process
 * @start:      what it is to do
 *
 * Return: its process id, or a negative errno.
 */
int child_exec_fork(const ChildStart *start) {
        pid_t pid;

        pid = fork();
        if (pid < 0)
                return error_origin(-errno);
        if (pid == 0)
                child_run(start);
        (void) setpgid(pid, pid); /* whoever is first; a deadline may pass before the child ran at all */
        return pid;
}

/**
 * child_send_fd() - pass a descriptor to the parent, in a forked function
 * @socket_fd:  as the function got it
 * @index:      below CHILD_FDS_MAX, each once
 * @fd:         the descriptor, still the caller's
 *
 * Return: 0, or a negative errno.
 */
int child_send_fd(int socket_fd, uint32_t index, int fd) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct iovec iov = {.iov_base = &index, .iov_len = sizeof(index)};
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
        if (sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0)
                return error_origin(-errno);
        return 0;
}
