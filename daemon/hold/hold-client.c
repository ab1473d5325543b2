/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced's end of the hold; see hold-client.h for what it promises.
 *
 * Every callback is called from the event loop and is the last thing its dispatch does, because it may free
 * the client. What could call two of them (an abort while a step runs) or one at once (a step of a client
 * that has failed) goes through a deferred event source, one callback a turn.
 */

#include "daemon/hold/hold-client.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "util/error.h"
#include "util/log.h"

/* What goes out beyond the description: the steps, and an abort. Reserved, so that no step allocates. */
#define QUEUE_RESERVE 8u
#define QUEUE_MAX     (2u + HOLD_GROUPS_MAX + HOLD_VOLUMES_MAX + HOLD_MOUNTS_MAX + QUEUE_RESERVE)

typedef struct Outgoing {
        HoldMessage message;
        int fd; /* ours, or negative */
} Outgoing;

/* A step that somebody waits for. */
typedef struct Waiting {
        HoldDone done; /* NULL: nobody */
        void *userdata;
        uint32_t step;
        bool has_answer;
        HoldReport answer; /* if has_answer: to be delivered */
} Waiting;

struct HoldClient {
        int fd; /* negative: the connection has ended */
        sd_event_source *io, *timer, *defer;
        Outgoing *queue;
        size_t n_queued, n_sent;
        uint64_t limit_usec;
        Waiting step, abort;
        bool has_let_go;    /* the hold has said so: it has reported an error */
        HoldReport failure; /* error != 0: no further step can succeed */
        HoldTimes times[HOLD_VOLUMES_MAX];
};

static const char *step_name(uint32_t step) {
        switch (step) {
        case HOLD_LOCK:
                return "locking and staging the volumes";
        case HOLD_PRE_COMMIT:
                return "preparing the hold";
        case HOLD_COMMIT:
                return "holding and committing the volumes";
        case HOLD_END:
                return "ending the hold";
        case HOLD_ABORT:
                return "letting the volumes go";
        default:
                return "describing the set";
        }
}

/* --- answers ----------------------------------------------------------------------------------------- */

/* Calls the next callback that has its answer; the client may be gone afterwards. */
static void deliver(HoldClient *client) {
        Waiting *waiting = client->step.done && client->step.has_answer ? &client->step : &client->abort;
        Waiting w = *waiting;

        if (!w.done || !w.has_answer) {
                (void) sd_event_source_set_enabled(client->defer, SD_EVENT_OFF);
                return;
        }
        *waiting = (Waiting){};
        if (!client->step.done && !client->abort.done)
                (void) sd_event_source_set_enabled(client->timer, SD_EVENT_OFF);
        w.done(client, &w.answer, w.userdata);
}

static void waiting_answer(HoldClient *client, Waiting *waiting, const HoldReport *report) {
        if (!waiting->done || waiting->has_answer)
                return;
        waiting->answer = *report;
        waiting->answer.step = waiting->step;
        waiting->has_answer = true;
        (void) sd_event_source_set_enabled(client->defer, SD_EVENT_ON);
}

/* The connection is of no use any more. */
static void client_close(HoldClient *client) {
        (void) sd_event_source_set_enabled(client->io, SD_EVENT_OFF);
        client->fd = fd_close(client->fd);
}

static void report_make(HoldReport *report, int error, const char *text, uint32_t step) {
        *report = (HoldReport){.error = error, .volume = HOLD_NONE, .mount = HOLD_NONE};
        (void) snprintf(report->text, sizeof(report->text), "%s while %s", text, step_name(step));
}

/* Everybody who waits gets an answer: the connection has ended, or took too long. */
static void client_fail(HoldClient *client, int error, const char *text) {
        uint32_t step = client->step.done ? client->step.step : client->abort.step;
        HoldReport done = {.volume = HOLD_NONE, .mount = HOLD_NONE};

        client_close(client);
        if (client->failure.error == 0)
                report_make(&client->failure, error, text, step);
        waiting_answer(client, &client->step, &client->failure);
        /* A hold that has reported an error had let go, and does not end before it has. */
        waiting_answer(client, &client->abort,
                       client->has_let_go && error == -ECONNRESET ? &done : &client->failure);
}

static void on_report(HoldClient *client, const HoldReport *report) {
        HoldReport cancelled;

        log_debug("quiesced-hold: step %u has ended: %s", report->step,
                  report->error != 0 ? strerror(-report->error) : "well");
        if (report->step == HOLD_ABORT) {
                if (client->step.done && !client->step.has_answer) {
                        report_make(&cancelled, -ECANCELED, "the set was given up", client->step.step);
                        waiting_answer(client, &client->step, &cancelled);
                }
                client->has_let_go = report->error == 0;
                waiting_answer(client, &client->abort, report);
                return;
        }
        if (report->error != 0) {
                client->has_let_go = true;
                client->failure = *report;
                waiting_answer(client, &client->step, report);
        } else if (client->abort.done) {
                /* It was done just before the abort came there; nobody wants to hear that now. */
                report_make(&cancelled, -ECANCELED, "the set was given up", report->step);
                waiting_answer(client, &client->step, &cancelled);
        } else if (report->step == client->step.step)
                waiting_answer(client, &client->step, report);
}

/* --- the connection ---------------------------------------------------------------------------------- */

static int outgoing_send(int socket_fd, Outgoing *outgoing) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {.header = {
                             .cmsg_len = CMSG_LEN(sizeof(int)),
                             .cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS,
                     }};
        struct iovec iov = {.iov_base = &outgoing->message, .iov_len = sizeof(outgoing->message)};
        struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

        if (outgoing->fd >= 0) {
                memcpy(CMSG_DATA(&control.header), &outgoing->fd, sizeof(outgoing->fd));
                header.msg_control = &control;
                header.msg_controllen = sizeof(control);
        }
        return sendmsg(socket_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void client_flush(HoldClient *client) {
        int r = 0;

        while (client->n_sent < client->n_queued) {
                Outgoing *next = &client->queue[client->n_sent];

                r = outgoing_send(client->fd, next);
                if (r < 0)
                        break;
                next->fd = fd_close(next->fd);
                client->n_sent++;
        }
        if (client->n_sent == client->n_queued)
                client->n_sent = client->n_queued = 0;
        if (r < 0 && r != -EAGAIN)
                client_fail(client, -ECONNRESET, "quiesced-hold has ended");
        else
                (void) sd_event_source_set_io_events(client->io, r < 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int client_queue(HoldClient *client, const HoldMessage *message, uint32_t type, int fd) {
        Outgoing *next = &client->queue[client->n_queued];

        assert(client->n_queued < QUEUE_MAX);

        next->message = *message;
        next->message.version = HOLD_PROTOCOL_VERSION;
        next->message.type = type;
        next->fd = fd;
        client->n_queued++;
        client_flush(client);
        return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        HoldClient *client = userdata;
        HoldMessage message;
        ssize_t n;

        if (events & EPOLLOUT)
                client_flush(client);
        if (client->fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                return 0;
        n = recv(fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0 && errno == EAGAIN)
                return 0;
        if (n >= (ssize_t) sizeof(message.version) && message.version != HOLD_PROTOCOL_VERSION)
                client_fail(
                        client, -EPROTONOSUPPORT,
                        "quiesced was upgraded and still runs as it was, and quiesced-hold is of another "
                        "version: restart quiesced (systemctl restart quiesced.service), and try again; it "
                        "happened");
        else if (n != (ssize_t) sizeof(message) ||
                 (message.type != HOLD_REPORT && message.type != HOLD_TIMES))
                client_fail(client, -ECONNRESET, "quiesced-hold has ended");
        else if (message.type == HOLD_TIMES) {
                if (message.times.volume < HOLD_VOLUMES_MAX)
                        client->times[message.times.volume] = message.times;
        } else {
                message.report.text[sizeof(message.report.text) - 1] = '\0';
                on_report(client, &message.report);
        }
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        HoldClient *client = userdata;
        char text[96];

        (void) snprintf(text, sizeof(text), "quiesced-hold has not answered within %" PRIu64 " ms",
                        client->limit_usec / USEC_PER_MSEC);
        client_fail(client, -ETIMEDOUT, text);
        return 0;
}

static int on_defer(sd_event_source *source, void *userdata) {
        deliver(userdata);
        return 0;
}

/* --- for the provider of steps ------------------------------------------------------------------------ */

static int connect_to(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return error_origin(-ENAMETOOLONG);
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return error_origin(-errno);
        return TAKE_FD(fd);
}

static int client_add_sources(HoldClient *client, sd_event *event) {
        int r;

        r = sd_event_add_io(event, &client->io, client->fd, EPOLLIN, on_io, client);
        if (r < 0)
                return error_origin(r);
        r = sd_event_add_time(event, &client->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_timer, client);
        if (r < 0)
                return error_origin(r);
        r = sd_event_source_set_enabled(client->timer, SD_EVENT_OFF);
        if (r < 0)
                return error_origin(r);
        r = sd_event_add_defer(event, &client->defer, on_defer, client);
        if (r < 0)
                return error_origin(r);
        r = sd_event_source_set_enabled(client->defer, SD_EVENT_OFF);
        return error_origin(r);
}

/**
 * hold_client_new() - connects to quiesced-hold, of which one instance then serves this client alone
 * @ret:                the client, to be freed with hold_client_free()
 * @event:              the loop that callbacks come from
 * @socket_path:        normally HOLD_SOCKET_PATH
 *
 * Return: 0, or a negative errno.
 */
int hold_client_new(HoldClient **ret, sd_event *event, const char *socket_path) {
        _cleanup_(hold_client_freep) HoldClient *client = calloc(1, sizeof(*client));
        int r;

        if (!client)
                return error_origin(-ENOMEM);
        client->fd = -EBADF;
        client->queue = calloc(QUEUE_MAX, sizeof(*client->queue));
        if (!client->queue)
                return error_origin(-ENOMEM);
        client->fd = connect_to(socket_path);
        if (client->fd < 0)
                return error_trace(client->fd);
        r = client_add_sources(client, event);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(client);
        return 0;
}

/**
 * hold_client_free() - closes the connection; whatever is still held, the hold lets go by itself
 * @client:     the client, or NULL
 *
 * No callback is called any more.
 *
 * Return: NULL.
 */
HoldClient *hold_client_free(HoldClient *client) {
        if (!client)
                return NULL;
        (void) sd_event_source_disable_unref(client->io);
        (void) sd_event_source_disable_unref(client->timer);
        (void) sd_event_source_disable_unref(client->defer);
        for (size_t i = client->n_sent; i < client->n_queued; i++)
                (void) fd_close(client->queue[i].fd);
        (void) fd_close(client->fd);
        free(client->queue);
        free(client);
        return NULL;
}

static int client_describe(HoldClient *client, const HoldMessage *message, uint32_t type, int fd) {
        if (client->fd < 0 || client->step.done || client->n_queued >= QUEUE_MAX - QUEUE_RESERVE) {
                (void) fd_close(fd);
                return error_origin(client->fd < 0 ? -ECONNRESET : -EBUSY);
        }
        return client_queue(client, message, type, fd);
}

/**
 * hold_client_begin() - describes the set as a whole; the first call
 * @client:     the client
 * @begin:      counts and limits
 *
 * Return: 0, or a negative errno.
 */
int hold_client_begin(HoldClient *client, const HoldBegin *begin) {
        HoldMessage message = {.begin = *begin};

        return client_describe(client, &message, HOLD_BEGIN, -EBADF);
}

/**
 * hold_client_add_group() - describes one volume group by LVM's lock file of it
 * @client:     the client
 * @lock_path:  absolute; groups come in the order of their paths, each once
 *
 * Return: 0, or a negative errno; -ENAMETOOLONG.
 */
int hold_client_add_group(HoldClient *client, const char *lock_path) {
        HoldMessage message = {};

        if (strlen(lock_path) >= sizeof(message.group.lock_path))
                return error_origin(-ENAMETOOLONG);
        memcpy(message.group.lock_path, lock_path, strlen(lock_path));
        return client_describe(client, &message, HOLD_GROUP, -EBADF);
}

/**
 * hold_client_add_volume() - describes one volume
 * @client:     the client
 * @volume:     its devices; volumes come in the order of their indices
 *
 * Return: 0, or a negative errno.
 */
int hold_client_add_volume(HoldClient *client, const HoldVolume *volume) {
        HoldMessage message = {.volume = *volume};

        return client_describe(client, &message, HOLD_VOLUME, -EBADF);
}

/**
 * hold_client_add_mount() - describes one mounted file system
 * @client:     the client
 * @mount:      what lies below it; mounts come in the order of their indices
 * @fd:         O_RDONLY of its root; stays the caller's
 *
 * Return: 0, or a negative errno.
 */
int hold_client_add_mount(HoldClient *client, const HoldMount *mount, int fd) {
        HoldMessage message = {.mount = *mount};
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        if (copy < 0)
                return error_origin(-errno);
        return client_describe(client, &message, HOLD_MOUNT, copy);
}

static int client_set_limit(HoldClient *client, uint64_t limit_usec) {
        int r;

        client->limit_usec = limit_usec;
        r = sd_event_source_set_time_relative(client->timer, limit_usec);
        if (r < 0)
                return error_origin(r);
        r = sd_event_source_set_enabled(client->timer, SD_EVENT_ONESHOT);
        return error_origin(r);
}

static int client_step(HoldClient *client, const HoldMessage *message, uint32_t step, uint64_t limit_usec,
                       HoldDone done, void *userdata) {
        int r;

        assert(done);

        if (client->step.done || client->abort.done)
                return error_origin(-EBUSY);
        r = client_set_limit(client, limit_usec);
        if (r < 0)
                return error_trace(r);
        client->step = (Waiting){.done = done, .userdata = userdata, .step = step};
        if (client->failure.error != 0)
                waiting_answer(client, &client->step, &client->failure);
        else
                (void) client_queue(client, message, step, -EBADF);
        return 0;
}

/**
 * hold_client_lock() - takes LVM's locks, checks and stages all volumes, makes the guard
 * @client:     the client, the set described completely
 * @limit_usec: how long to wait for the answer
 * @done:       called once from the event loop
 * @userdata:   for it
 *
 * Return: 0, or a negative errno; -EBUSY: a step runs.
 */
int hold_client_lock(HoldClient *client, uint64_t limit_usec, HoldDone done, void *userdata) {
        HoldMessage message = {};

        return client_step(client, &message, HOLD_LOCK, limit_usec, done, userdata);
}

/**
 * hold_client_pre_commit() - writes out the file systems and starts the countdown
 * @client:     the client, locked
 * @limit_usec: how long to wait for the answer
 * @done:       called once from the event loop
 * @userdata:   for it
 *
 * Return: 0, or a negative errno; -EBUSY: a step runs.
 */
int hold_client_pre_commit(HoldClient *client, uint64_t limit_usec, HoldDone done, void *userdata) {
        HoldMessage message = {};

        return client_step(client, &message, HOLD_PRE_COMMIT, limit_usec, done, userdata);
}

/**
 * hold_client_commit() - suspends all volumes, commits, resumes
 * @client:     the client, after PRE_COMMIT
 * @commit:     which mounts the fsfreeze writer has frozen
 * @limit_usec: how long to wait for the answer
 * @done:       called once from the event loop
 * @userdata:   for it
 *
 * Return: 0, or a negative errno; -EBUSY: a step runs.
 */
int hold_client_commit(HoldClient *client, const HoldCommit *commit, uint64_t limit_usec, HoldDone done,
                       void *userdata) {
        HoldMessage message = {.commit = *commit};

        return client_step(client, &message, HOLD_COMMIT, limit_usec, done, userdata);
}

/**
 * hold_client_end() - thaws what the writers have left frozen and frees LVM's locks
 * @client:     the client, after COMMIT
 * @limit_usec: how long to wait for the answer
 * @done:       called once from the event loop
 * @userdata:   for it
 *
 * Return: 0, or a negative errno; -EBUSY: a step runs.
 */
int hold_client_end(HoldClient *client, uint64_t limit_usec, HoldDone done, void *userdata) {
        HoldMessage message = {};

        return client_step(client, &message, HOLD_END, limit_usec, done, userdata);
}

/**
 * hold_client_get_times() - when a volume was held
 * @client:     the client; END was answered
 * @volume:     its index, as it was described; below HOLD_VOLUMES_MAX
 *
 * Return: its times, the client's; all 0 if it was not suspended, or the hold did not tell.
 */
const HoldTimes *hold_client_get_times(const HoldClient *client, uint32_t volume) {
        assert(volume < HOLD_VOLUMES_MAX);
        return &client->times[volume];
}

/**
 * hold_client_abort() - has everything let go, whatever was done; may overtake a running step
 * @client:     the client
 * @limit_usec: how long to wait for the answer
 * @done:       called once from the event loop, after the running step's callback with -ECANCELED
 * @userdata:   for it
 *
 * Error 0 also if the hold had let go by itself before; -EINPROGRESS: it is at it, the text names the
 * volume.
 *
 * Return: 0, or a negative errno; -EBUSY: aborted before.
 */
int hold_client_abort(HoldClient *client, uint64_t limit_usec, HoldDone done, void *userdata) {
        HoldMessage message = {};
        int r;

        assert(done);

        if (client->abort.done)
                return error_origin(-EBUSY);
        r = client_set_limit(client, limit_usec);
        if (r < 0)
                return error_trace(r);
        client->abort = (Waiting){.done = done, .userdata = userdata, .step = HOLD_ABORT};
        if (client->fd < 0)
                client_fail(client, -ECONNRESET, "quiesced-hold has ended");
        else
                (void) client_queue(client, &message, HOLD_ABORT, -EBADF);
        return 0;
}
