/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The parent's side of a child process: starting it, collecting what it says, its deadline, its end.
 *
 * A child is over when its process is gone *and* its pipes are drained: the process is the truth, so pipes
 * that a stray grandchild keeps open are drained once more after the exit and then closed.
 */

#include "daemon/child/child.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/child/child-exec.h"
#include "util/error.h"
#include "util/log.h"

#define CHILD_ERR_MAX  UINT64_C(16384)
#define CHILD_OUT_MIN  UINT64_C(4096)
#define CHILD_FORK_OUT UINT64_C(65536)

typedef struct Capture {
        int fd;
        sd_event_source *source;
        char *text;
        size_t n_text, n_allocated, max;
        bool overflow, unread;
} Capture;

struct Child {
        pid_t pid;
        int pidfd;
        sd_event_source *exit_source, *deadline_source, *socket_source;
        Capture out, err;
        int socket_fd;
        int fds[CHILD_FDS_MAX];
        bool timed_out, over;
        ChildDone done;
        void *userdata;
};

static void capture_done(Capture *capture) {
        capture->source = sd_event_source_disable_unref(capture->source);
        capture->fd = fd_close(capture->fd);
        free(capture->text);
        capture->text = NULL;
}

static void child_destroy(Child *child) {
        child->exit_source = sd_event_source_disable_unref(child->exit_source);
        child->deadline_source = sd_event_source_disable_unref(child->deadline_source);
        child->socket_source = sd_event_source_disable_unref(child->socket_source);
        capture_done(&child->out);
        capture_done(&child->err);
        child->socket_fd = fd_close(child->socket_fd);
        child->pidfd = fd_close(child->pidfd);
        for (size_t i = 0; i < CHILD_FDS_MAX; i++)
                child->fds[i] = fd_close(child->fds[i]);
        free(child);
}

static void child_kill(const Child *child) {
        /* The group is the child's own from before it ran anything; it cannot be another's while we have not
         * reaped it. */
        (void) kill(-child->pid, SIGKILL);
        (void) kill(child->pid, SIGKILL);
}

/**
 * child_free() - end a child
 * @child:      the child or NULL
 *
 * One that still runs is killed and reaped in the background; its callback is not called.
 *
 * Return: NULL.
 */
Child *child_free(Child *child) {
        if (!child)
                return NULL;
        child->done = NULL;
        if (child->over || child->pid <= 0)
                child_destroy(child);
        else
                child_kill(child); /* the exit source destroys it */
        return NULL;
}

static int capture_append(Capture *capture, const char *data, size_t n) {
        size_t room = capture->max - capture->n_text;

        if (n > room) {
                capture->overflow = true;
                n = room;
        }
        if (capture->n_text + n + 1 > capture->n_allocated) {
                size_t size = 2 * (capture->n_text + n + 1);
                char *text = realloc(capture->text, size);

                if (!text)
                        return -ENOMEM;
                capture->text = text;
                capture->n_allocated = size;
        }
        memcpy(capture->text + capture->n_text, data, n);
        capture->n_text += n;
        capture->text[capture->n_text] = '\0';
        return 0;
}

/* Reads what is there. Return: true if there may be more later. */
static bool capture_read(Capture *capture) {
        char buffer[16384];

        for (;;) {
                ssize_t n = read(capture->fd, buffer, sizeof(buffer));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN;
                if (n == 0)
                        return false;
                if (capture_append(capture, buffer, (size_t) n) < 0) {
                        capture->overflow = true;
                        return false;
                }
        }
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Capture *capture = userdata;

        if (!capture_read(capture))
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

/* Return: true if there may be more later. */
static bool child_receive_fd(Child *child) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        uint32_t index = UINT32_MAX;
        struct iovec iov = {.iov_base = &index, .iov_len = sizeof(index)};
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        int fd = -EBADF;
        ssize_t n;

        n = recvmsg(child->socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0)
                return false;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        if (n != sizeof(index) || index >= CHILD_FDS_MAX || child->fds[index] >= 0) {
                (void) fd_close(fd);
                return true;
        }
        child->fds[index] = fd;
        return true;
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        if (!child_receive_fd(userdata))
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        Child *child = userdata;

        child->timed_out = true;
        child_kill(child);
        return 0;
}

/* The socket is drained after the exit: a bounded number of messages, the peer being gone. */
static void child_drain(Child *child) {
        if (child->out.fd >= 0)
                (void) capture_read(&child->out);
        if (child->err.fd >= 0)
                (void) capture_read(&child->err);
        for (unsigned i = 0; child->socket_fd >= 0 && i < CHILD_FDS_MAX; i++)
                if (!child_receive_fd(child))
                        break;
}

static int on_exit_seen(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Child *child = userdata;
        siginfo_t info = {};
        ChildResult result = {};

        if (waitid(P_PIDFD, (id_t) child->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
                return 0;
        child->over = true;
        if (!child->done) {
                child_destroy(child);
                return 0;
        }
        child_drain(child);
        child->exit_source = sd_event_source_disable_unref(child->exit_source);
        child->deadline_source = sd_event_source_disable_unref(child->deadline_source);
        child->socket_source = sd_event_source_disable_unref(child->socket_source);
        child->out.source = sd_event_source_disable_unref(child->out.source);
        child->err.source = sd_event_source_disable_unref(child->err.source);

        result.error = child->timed_out                            ? -ETIMEDOUT
                       : child->out.overflow && !child->out.unread ? -ENOSPC
                                                                   : 0;
        result.status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        result.out = child->out.text ?: "";
        result.n_out = child->out.n_text;
        result.err = child->err.text ?: "";
        result.fds = child->fds;
        result.n_fds = CHILD_FDS_MAX;
        child->done(child, &result, child->userdata);
        return 0;
}

static int capture_watch(Capture *capture, sd_event *event) {
        return error_trace(
                sd_event_add_io(event, &capture->source, capture->fd, EPOLLIN, on_output, capture));
}

static int child_watch(Child *child, sd_event *event, uint64_t limit_usec) {
        int r;

        child->pidfd = pidfd_open(child->pid, 0);
        if (child->pidfd < 0)
                return error_origin(-errno);
        r = sd_event_add_io(event, &child->exit_source, child->pidfd, EPOLLIN, on_exit_seen, child);
        if (r < 0)
                return error_trace(r);
        /* What is written must have been read before the exit is looked at. */
        r = sd_event_source_set_priority(child->exit_source, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r < 0)
                return error_trace(r);
        r = sd_event_add_time_relative(event, &child->deadline_source, CLOCK_MONOTONIC, limit_usec,
                                       USEC_PER_MSEC, on_deadline, child);
        if (r < 0)
                return error_trace(r);
        r = capture_watch(&child->out, event);
        if (r < 0)
                return error_trace(r);
        r = capture_watch(&child->err, event);
        if (r < 0)
                return error_trace(r);
        if (child->socket_fd < 0)
                return 0;
        return error_trace(
                sd_event_add_io(event, &child->socket_source, child->socket_fd, EPOLLIN, on_socket, child));
}

static int pipe_new(int *ret_read, int *ret_write) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_origin(-errno);
        if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
                int r = -errno;

                (void) fd_close(fds[0]);
                (void) fd_close(fds[1]);
                return error_origin(r);
        }
        *ret_read = fds[0];
        *ret_write = fds[1];
        return 0;
}

static Child *child_new(size_t out_max, ChildDone done, void *userdata) {
        Child *child = calloc(1, sizeof(*child));

        if (!child)
                return NULL;
        child->pidfd = child->socket_fd = child->out.fd = child->err.fd = -EBADF;
        for (size_t i = 0; i < CHILD_FDS_MAX; i++)
                child->fds[i] = -EBADF;
        child->out.max = out_max < CHILD_OUT_MIN ? CHILD_OUT_MIN : out_max;
        child->out.unread = out_max == 0;
        child->err.max = CHILD_ERR_MAX;
        child->done = done;
        child->userdata = userdata;
        return child;
}

static int child_start(Child **ret, sd_event *event, size_t out_max, uint64_t limit_usec, ChildStart *start,
                       ChildDone done, void *userdata) {
        _cleanup_(child_freep) Child *child = NULL;
        _cleanup_close_ int out = -EBADF, err = -EBADF, peer = -EBADF;
        int pair[2];
        int r;

        assert(done && limit_usec > 0);
        child = child_new(out_max, done, userdata);
        if (!child)
                return error_origin(-ENOMEM);
        r = pipe_new(&child->out.fd, &out);
        if (r < 0)
                return error_trace(r);
        r = pipe_new(&child->err.fd, &err);
        if (r < 0)
                return error_trace(r);
        if (start->function) {
                if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                        return error_origin(-errno);
                child->socket_fd = pair[0];
                peer = pair[1];
        }
        start->out_fd = out;
        start->err_fd = err;
        start->socket_fd = peer;
        r = child_exec_fork(start);
        if (r < 0)
                return error_trace(r);
        child->pid = r;
        r = child_watch(child, event, limit_usec);
        if (r < 0) {
                /* Without an event source nobody would reap it: a freshly killed child of ours ends at once.
                 */
                child_kill(child);
                (void) waitpid(child->pid, NULL, WNOHANG);
                child->pid = 0;
                return error_trace(r);
        }
        *ret = TAKE_PTR(child);
        return 0;
}

/**
 * child_spawn() - run a command
 * @ret:        the child, valid until child_free(); the callback may free it
 * @event:      loop
 * @spec:       command and limits, needed only during this call
 * @done:       called once when it is over
 * @userdata:   for @done
 *
 * A command that cannot be executed ends with status 127 and says why on stderr.
 *
 * Return: 0, or a negative errno if no process could be made.
 */
int child_spawn(Child **ret, sd_event *event, const ChildSpec *spec, ChildDone done, void *userdata) {
        ChildStart start = {
                .argv = spec->argv, .before = spec->before, .before_argument = spec->before_argument};

        assert(spec->argv && spec->argv[0]);
        log_debug("%s is started.", spec->argv[0]);
        return error_trace(child_start(ret, event, spec->out_max, spec->limit_usec, &start, done, userdata));
}

/**
 * child_fork() - run a function in a forked process
 * @ret:        the child, as child_spawn()'s
 * @event:      loop
 * @function:   what to run; may block, may send descriptors with child_send_fd()
 * @argument:   for @function, of the parent's memory at the time of this call
 * @limit_usec: its deadline, in µs from now
 * @done:       called once when it is over
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno if no process could be made.
 */
int child_fork(Child **ret, sd_event *event, ChildFunction function, void *argument, uint64_t limit_usec,
               ChildDone done, void *userdata) {
        ChildStart start = {.function = function, .argument = argument};

        assert(function);
        return error_trace(child_start(ret, event, CHILD_FORK_OUT, limit_usec, &start, done, userdata));
}
