/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The child process; see guard.h. It is forked by one of several threads, so it makes system calls alone. */

#include "writers.d/redis/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"

#define PATIENCE_MSEC 5000

/* What other threads had open would keep other servers' guards from seeing the writer's end. */
static void close_others(unsigned a, unsigned b) {
        unsigned low = a < b ? a : b, high = a < b ? b : a;

        if (low > 0)
                (void) close_range(0, low - 1, 0);
        if (high > low + 1)
                (void) close_range(low + 1, high - 1, 0);
        (void) close_range(high + 1, ~0u, 0);
}

/* Signals are blocked, as in all threads of servers: systemd's SIGTERM, when the writer has died, is none
 * for the guard. The server reads what was sent before it sees the end; its answer is waited for, as TCP
 * would forget what was sent if the answer met nobody. */
static _Noreturn void guard_run(int pipe, int socket) {
        static const char let_go[] = "CLIENT UNPAUSE\r\n";
        struct pollfd item = {.fd = socket, .events = POLLIN};
        char text[512];
        ssize_t n;

        (void) setsid(); /* nor is what ends the writer's process group */
        close_others((unsigned) pipe, (unsigned) socket);
        do
                n = read(pipe, text, 1);
        while (n < 0 && errno == EINTR);
        (void) !send(socket, let_go, sizeof(let_go) - 1, MSG_NOSIGNAL);
        (void) shutdown(socket, SHUT_WR);
        do
                n = poll(&item, 1, PATIENCE_MSEC) > 0 ? recv(socket, text, sizeof(text), 0) : 0;
        while (n > 0);
        _exit(0);
}

/**
 * guard_start() - a child process that lets the server go when this process ends
 * @guard:      guard_end() it
 * @socket:     of a connection that is logged in
 *
 * Return: 0, or a negative errno.
 */
int guard_start(Guard *guard, int socket) {
        int ends[2];
        pid_t pid;

        guard_end(guard);
        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_origin(-errno);
        pid = fork();
        if (pid == 0)
                guard_run(ends[0], socket);
        (void) close(ends[0]);
        if (pid < 0) {
                int r = -errno;

                (void) close(ends[1]);
                return error_origin(r);
        }
        *guard = (Guard){.pid = pid, .pipe = ends[1]};
        return 0;
}

/**
 * guard_end() - end the child process; the server is not let go by it
 * @guard:      it, or none
 */
void guard_end(Guard *guard) {
        if (guard->pid <= 0)
                return;
        (void) kill(guard->pid, SIGKILL);
        while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        (void) close(guard->pipe);
        *guard = (Guard){};
}
