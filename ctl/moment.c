/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The socket of a moment; see moment.h.
 *
 * Its end means that the moment is over. Because quiesced may be stopped rather than dead, the time it gave
 * us is watched here, too: what is taken after it is not to be believed.
 */

#include "ctl/moment.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "util/error.h"

#define MESSAGE_MAX 480u

static void moment_lose(Moment *moment) {
        moment->io = sd_event_source_disable_unref(moment->io);
        moment->timer = sd_event_source_disable_unref(moment->timer);
        if (moment->said || moment->lost || !moment->frozen)
                return;
        moment->lost = true;
        moment->on_lost(moment->userdata);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        moment_lose(userdata);
        return 0;
}

static int on_message(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Moment *moment = userdata;
        char message[64] = "";
        ssize_t n = recv(fd, message, sizeof(message) - 1, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0 || moment->frozen || sscanf(message, "frozen %" SCNu64, &moment->left_usec) != 1 ||
            sd_event_add_time_relative(sd_event_source_get_event(source), &moment->timer, CLOCK_BOOTTIME,
                                       moment->left_usec, USEC_PER_MSEC, on_time, moment) < 0) {
                moment_lose(moment);
                return 0;
        }
        moment->frozen = true;
        moment->on_frozen(moment->userdata);
        return 0;
}

/**
 * moment_init() - get ready for a moment
 * @moment:     callbacks are set; moment_done() it in any case
 * @event:      the event loop that runs while DoSnapshotSet is waited for
 *
 * Return: 0 or a negative errno.
 */
int moment_init(Moment *moment, sd_event *event) {
        int fds[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
                return error_origin(-errno);
        moment->fd = fds[0];
        moment->peer_fd = fds[1];
        r = sd_event_add_io(event, &moment->io, moment->fd, EPOLLIN, on_message, moment);
        return error_trace(r < 0 ? r : 0);
}

/**
 * moment_done() - it is over, as far as we are concerned
 * @moment:     it; one that we have said nothing of fails by that
 */
void moment_done(Moment *moment) {
        moment->io = sd_event_source_disable_unref(moment->io);
        moment->timer = sd_event_source_disable_unref(moment->timer);
        /* A message that waits for its answer has a copy of the other end. */
        if (moment->fd > 0)
                (void) shutdown(moment->fd, SHUT_RDWR);
        moment->fd = fd_close(moment->fd);
        moment->peer_fd = fd_close(moment->peer_fd);
}

/**
 * moment_say() - say how it went
 * @moment:     in it; what is said too late or twice is dropped
 * @done:       the snapshot is taken; false: it is not
 * @text:       what it is called, or why not
 */
void moment_say(Moment *moment, bool done, const char *text) {
        char message[MESSAGE_MAX];
        int n;

        if (moment->said || moment->lost || moment->fd <= 0)
                return;
        n = snprintf(message, sizeof(message), "%s%s%s", done ? "done" : "failed", *text ? " " : "", text);
        if (n >= (int) sizeof(message))
                n = (int) sizeof(message) - 1;
        moment->said = send(moment->fd, message, (size_t) n, MSG_NOSIGNAL | MSG_DONTWAIT) == n;
        if (!moment->said)
                moment_lose(moment);
}
