/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The listening socket: only processes that quiesced has started are let in.
 *
 * Who connects is told by the kernel (SO_PEERCRED), whose process that is by the launcher (the unit, or the
 * child's pid), and that is asked at once, before a byte of the peer's is read: a stranger is not even
 * heard, so nobody can fill our memory or wait for a pid to be used again.
 */

#include <assert.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/writers/internal.h"
#include "util/error.h"
#include "util/log.h"

#define BACKLOG           64
#define STRANGER_INTERVAL (10 * USEC_PER_SEC)

static Writer *find_owner(Writers *writers, pid_t pid) {
        for (Writer *w = writers->writer_list; w; w = w->next)
                if (w->state == WRITER_STARTING && w->process &&
                    w->process->launcher->ops->owns(w->process, pid))
                        return w;
        return NULL;
}

/* Anybody may try, as often as he likes: told at most every 10 s. */
static void tell_of_stranger(Writers *writers, const struct ucred *peer) {
        uint64_t now = 0;

        (void) sd_event_now(writers->event, CLOCK_BOOTTIME, &now);
        if (writers->stranger_usec != 0 && now - writers->stranger_usec < STRANGER_INTERVAL)
                return;
        writers->stranger_usec = now;
        log_notice("process %d (user %u) tried to be a writer, but no writer that was just started is this "
                   "process; only quiesced starts writers",
                   peer->pid, peer->uid);
}

static int on_connection(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata) {
        Writers *writers = userdata;
        _cleanup_close_ int fd = -EBADF;
        struct ucred peer;
        socklen_t n_peer = sizeof(peer);
        Writer *writer;
        int r;

        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return 0; /* gone again, or no descriptors: the next one may work */
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer) < 0)
                return 0;
        writer = find_owner(writers, peer.pid);
        if (!writer) {
                tell_of_stranger(writers, &peer);
                return 0;
        }
        r = connection_new(writers, writer, peer.pid, TAKE_FD(fd));
        if (r < 0)
                log_warning("connection of writer %s failed: %s", writer->descriptor->name, strerror(-r));
        return 0;
}

static int bind_socket(Writers *writers) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if ((size_t) snprintf(address.sun_path, sizeof(address.sun_path), "%s", writers->socket_path) >=
            sizeof(address.sun_path))
                return error_origin(-ENAMETOOLONG);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_origin(-errno);
        (void) unlink(writers->socket_path);
        if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return error_origin(-errno);
        writers->unlink_socket = true;
        /* As quiesced.socket makes it: writers run as their applications do. */
        if (chmod(writers->socket_path, 0666) < 0)
                return error_origin(-errno);
        if (listen(fd, BACKLOG) < 0)
                return error_origin(-errno);
        writers->listen_fd = TAKE_FD(fd);
        return 0;
}

/**
 * server_init() - listen, on the descriptor that was given, or else on the path
 * @writers: the room
 *
 * Return: 0 or a negative errno.
 */
int server_init(Writers *writers) {
        int r;

        if (writers->listen_fd < 0) {
                r = bind_socket(writers);
                if (r)
                        return error_trace(r);
        } else if (fcntl(writers->listen_fd, F_SETFL, O_NONBLOCK) < 0)
                return error_origin(-errno);
        r = sd_event_add_io(writers->event, &writers->listen_source, writers->listen_fd, EPOLLIN,
                            on_connection, writers);
        return error_trace(r < 0 ? r : 0);
}

/**
 * server_done() - listen no more
 * @writers: the room
 */
void server_done(Writers *writers) {
        writers->listen_source = sd_event_source_disable_unref(writers->listen_source);
        writers->listen_fd = fd_close(writers->listen_fd);
        if (writers->unlink_socket)
                (void) unlink(writers->socket_path);
}
