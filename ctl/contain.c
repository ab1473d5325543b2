/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl's end of a contained command; see contain.h.
 *
 * The socket tells everything: reports come through it, and its end means that the reaper is gone. The guard
 * ends after it and is waited for. The first report counts: a failed setup is also followed by the exit of
 * the process that failed.
 */

#include "ctl/contain.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "util/error.h"

struct Containment {
        int socket_fd;
        pid_t guard;
        sd_event_source *source;
        bool reported;
        ContainOutcome outcome;
        ContainEnded ended;
        void *userdata;
};

/**
 * contain_free() - kill whatever is left of the command
 * @containment:    it or NULL
 *
 * Blocks until the last descendant is gone.
 *
 * Return: NULL.
 */
Containment *contain_free(Containment *containment) {
        if (!containment)
                return NULL;
        sd_event_source_disable_unref(containment->source);
        fd_close(containment->socket_fd);
        if (containment->guard > 0)
                (void) waitpid(containment->guard, NULL, 0);
        descendants_kill();
        free(containment);
        return NULL;
}

static void containment_end(Containment *containment) {
        containment->source = sd_event_source_disable_unref(containment->source);
        (void) waitpid(containment->guard, NULL, 0);
        containment->guard = 0;
        descendants_kill();
        if (!containment->reported)
                containment->outcome.result = CONTAIN_LOST;
        containment->ended(&containment->outcome, containment->userdata);
}

static int containment_readable(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Containment *containment = userdata;
        ReaperReport message;
        ssize_t n;

        n = recv(fd, &message, sizeof(message), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n == (ssize_t) sizeof(message)) {
                if (!containment->reported)
                        containment->outcome = message.outcome;
                containment->reported = true;
                return 0;
        }
        containment_end(containment);
        return 0;
}

static int containment_fork(Containment *containment, const ContainOptions *options) {
        int fds[2];

        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return error_origin(-errno);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
                return error_origin(-errno);
        containment->socket_fd = fds[0];
        (void) fflush(NULL);
        containment->guard = fork();
        if (containment->guard == 0) {
                fd_close(fds[0]);
                guard_run(fds[1], options);
        }
        fd_close(fds[1]);
        return containment->guard < 0 ? error_origin(-errno) : 0;
}

/**
 * contain_start() - start a command
 * @ret:        the containment; contain_free() it
 * @event:      the event loop
 * @options:    the command; not needed after return
 * @ended:      called once from the event loop, after the last descendant has gone
 * @userdata:   its argument
 *
 * Return: 0 or a negative errno.
 */
int contain_start(Containment **ret, sd_event *event, const ContainOptions *options, ContainEnded ended,
                  void *userdata) {
        _cleanup_(contain_freep) Containment *containment = NULL;
        int r;

        containment = calloc(1, sizeof(*containment));
        if (!containment)
                return error_origin(-ENOMEM);
        containment->socket_fd = -EBADF;
        containment->ended = ended;
        containment->userdata = userdata;
        r = containment_fork(containment, options);
        if (r >= 0)
                r = sd_event_add_io(event, &containment->source, containment->socket_fd, EPOLLIN,
                                    containment_readable, containment);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(containment);
        return 0;
}

/**
 * contain_signal() - send the command a signal
 * @containment:    it
 * @signal:         the signal; SIGKILL takes the command's descendants along when it has ended
 */
void contain_signal(Containment *containment, int signal) {
        (void) send(containment->socket_fd, &signal, sizeof(signal), MSG_NOSIGNAL | MSG_DONTWAIT);
}
