/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The resident requester's end of the connection to the quiescectl begin that started its unit.
 *
 * It comes with that program's standard output and error, which are the resident's until the set is there:
 * so its id, progress and errors come out of begin. PID 1 is not given them, because it would keep them open
 * as long as the unit lives, and a hook that reads begin's output would wait for its end until then. The
 * connection's end before HANDOVER_TAKEN means that begin was killed, and the session is given up.
 */

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "ctl/resident.h"

struct Handover {
        Backup *backup;
        int fd;
        int saved_stdout, saved_stderr; /* the unit's own */
        sd_event_source *source;
};

static void restore_outputs(Handover *handover) {
        (void) fflush(stdout);
        (void) fflush(stderr);
        if (handover->saved_stdout >= 0)
                (void) dup2(handover->saved_stdout, STDOUT_FILENO);
        if (handover->saved_stderr >= 0)
                (void) dup2(handover->saved_stderr, STDERR_FILENO);
        handover->saved_stdout = fd_close(handover->saved_stdout);
        handover->saved_stderr = fd_close(handover->saved_stderr);
}

/**
 * handover_free() - let go of the starter
 * @handover:   it or NULL
 * @status:     exit status, if the resident has failed and has said why; 0: nothing is told
 *
 * Return: NULL.
 */
Handover *handover_free(Handover *handover, int status) {
        const unsigned char failed[] = {HANDOVER_FAILED, (unsigned char) status};

        if (!handover)
                return NULL;
        if (status != 0 && handover->fd >= 0)
                (void) send(handover->fd, failed, sizeof(failed), MSG_NOSIGNAL);
        restore_outputs(handover);
        sd_event_source_disable_unref(handover->source);
        fd_close(handover->fd);
        free(handover);
        return NULL;
}

union Control {
        struct cmsghdr header; /* alignment */
        char bytes[CMSG_SPACE(2 * sizeof(int))];
};

/**
 * handover_send_outputs() - the starter's part: give standard output and error
 * @fd:         the connection
 *
 * Return: 0 or a negative errno.
 */
int handover_send_outputs(int fd) {
        const int outputs[] = {STDOUT_FILENO, STDERR_FILENO};
        struct iovec byte = {.iov_base = (char[]){'o'}, .iov_len = 1};
        union Control control = {};
        struct msghdr message = {
                .msg_iov = &byte,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(outputs));
        memcpy(CMSG_DATA(header), outputs, sizeof(outputs));
        return sendmsg(fd, &message, MSG_NOSIGNAL) == 1 ? 0 : error_origin(-errno);
}

static int receive_outputs(Handover *handover) {
        int outputs[2];
        char byte;
        struct iovec place = {.iov_base = &byte, .iov_len = 1};
        union Control control = {};
        struct msghdr message = {
                .msg_iov = &place,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        struct cmsghdr *header;

        if (recvmsg(handover->fd, &message, MSG_CMSG_CLOEXEC) != 1)
                return error_origin(-ECONNRESET);
        header = CMSG_FIRSTHDR(&message);
        if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(outputs)))
                return error_origin(-EBADMSG);
        memcpy(outputs, CMSG_DATA(header), sizeof(outputs));
        handover->saved_stdout = dup(STDOUT_FILENO);
        handover->saved_stderr = dup(STDERR_FILENO);
        if (dup2(outputs[0], STDOUT_FILENO) < 0 || dup2(outputs[1], STDERR_FILENO) < 0)
                return error_origin(-errno);
        fd_close(outputs[0]);
        fd_close(outputs[1]);
        return 0;
}

/**
 * handover_new() - be the resident of whoever started this unit, if somebody waits for it
 * @ret:        the connection, and the starter's standard output and error in place; NULL: nobody does
 *
 * Return: 0, CTL_E_SAID or a negative errno.
 */
int handover_new(Handover **ret) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        const char *path = getenv(HANDOVER_VARIABLE);
        Handover *handover;
        int r = 0;

        *ret = NULL;
        if (!path)
                return 0;
        handover = calloc(1, sizeof(*handover));
        if (!handover)
                return error_origin(-ENOMEM);
        *handover = (Handover){.saved_stdout = -EBADF, .saved_stderr = -EBADF};
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        (void) unsetenv(HANDOVER_VARIABLE);
        handover->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (handover->fd < 0 || connect(handover->fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                r = -errno;
        if (r == 0)
                r = receive_outputs(handover);
        if (r < 0) {
                say("the 'quiescectl begin' that started this unit has gone: %s", strerror(-r));
                (void) handover_free(handover, 0);
                return CTL_E_SAID;
        }
        *ret = handover;
        return 0;
}

static int on_starter(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Handover *handover = userdata;
        char byte = 0;

        if (recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
                return 0;
        handover->source = sd_event_source_disable_unref(handover->source);
        if (byte == HANDOVER_TAKEN)
                return 0;
        say("'quiescectl begin' was stopped before it could tell that the set is there");
        backup_interrupt(handover->backup, SIGTERM);
        return 0;
}

/**
 * handover_watch() - give the backup up if the starter ends too early
 * @handover:   the connection
 * @backup:     the backup, its event loop there
 *
 * Return: 0 or a negative errno.
 */
int handover_watch(Handover *handover, Backup *backup) {
        int r;

        handover->backup = backup;
        r = sd_event_add_io(backup->event, &handover->source, handover->fd, EPOLLIN, on_starter, handover);
        return error_trace(r < 0 ? r : 0);
}

/**
 * handover_finish() - the set is there and its id told: the starter can end
 * @handover:   the connection, whose end is watched until the starter knows
 *
 * Return: 0 or a negative errno.
 */
int handover_finish(Handover *handover) {
        int r;

        restore_outputs(handover);
        r = sd_notify(0, "READY=1");
        return error_trace(r < 0 ? r : 0);
}
