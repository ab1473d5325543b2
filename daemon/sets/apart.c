/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Calls in processes of their own; see apart.h. They are nobody's children, as whoever made them may be done
 * long before them, and share a pipe, whose end tells that all are over.
 */

#include "daemon/sets/apart.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "daemon/child/connections.h"
#include "util/log.h"
#include "util/macro.h"

/* The process that makes the call. */
static _Noreturn void make_call(int write_fd, void (*call)(const void *argument), const void *argument) {
        connections_close(write_fd);
        log_drop();
        call(argument);
        /* Who logs may have to wait for a journald whose disk is held. */
        (void) close(write_fd);
        log_release();
        (void) fflush(stderr);
        _exit(EXIT_SUCCESS);
}

/**
 * apart_begin() - nothing is called yet
 * @apart:      filled; without a pipe the calls are made here, one after the other
 */
void apart_begin(Apart *apart) {
        int fds[2];

        *apart = (Apart){-EBADF, -EBADF};
        if (pipe2(fds, O_CLOEXEC) < 0)
                return;
        *apart = (Apart){fds[0], fds[1]};
}

/**
 * apart_do() - makes a call, and does not wait for it
 * @apart:      begun
 * @call:       what to call; what it logs is printed later
 * @argument:   for it, as it is now
 *
 * If no process can be made, it is made here.
 */
void apart_do(Apart *apart, void (*call)(const void *argument), const void *argument) {
        pid_t pid = apart->write_fd >= 0 ? fork() : -1;

        if (pid < 0) {
                call(argument);
                return;
        }
        if (pid == 0) {
                pid = fork();
                if (pid <= 0)
                        make_call(apart->write_fd, call, argument);
                _exit(EXIT_SUCCESS);
        }
        /* It has only to fork, and does not block: the calls are its child's. */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

/**
 * apart_end() - waits until all calls have returned
 * @apart:              begun
 * @timeout_msec:       for how long; -1: as long as it takes
 *
 * Return: false if one has not.
 */
bool apart_end(Apart *apart, int timeout_msec) {
        struct pollfd p = {.fd = apart->read_fd};
        bool over = true;

        apart->write_fd = fd_close(apart->write_fd);
        if (apart->read_fd >= 0)
                over = poll(&p, 1, timeout_msec) > 0;
        apart->read_fd = fd_close(apart->read_fd);
        return over;
}
