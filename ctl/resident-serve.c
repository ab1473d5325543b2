/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The resident requester's socket: org.quiesce1.Resident, D-Bus without a bus.
 *
 * A request is only noted where it arrives, inside the event loop, and carried out from outside of it, where
 * the loop can be run while quiesced works; one after the other. It is answered when it is done.
 */

#include <sys/socket.h>
#include <systemd/sd-id128.h>

#include "ctl/resident.h"

#define PEERS_MAX 16

typedef enum RequestKind {
        REQUEST_COMPLETE,
        REQUEST_ABORT,
        REQUEST_END,
} RequestKind;

typedef struct Peer Peer;

struct Peer {
        Peer *next;
        ResidentServer *server;
        sd_bus *bus;
};

typedef struct Request Request;

struct Request {
        Request *next;
        RequestKind kind;
        sd_bus_message *call;
};

struct ResidentServer {
        Resident *resident;
        char *path;
        int listen_fd;
        sd_event_source *listen_source;
        Peer *peers;
        size_t n_peers;
        Request *requests; /* the first is the next */
};

static int note(sd_bus_message *call, Peer *peer, RequestKind kind) {
        Request *request, **end = &peer->server->requests;

        if (peer->server->resident->thaw)
                return sd_bus_reply_method_errorf(call, RESIDENT_ERROR,
                                                  "the session is frozen, and ends when it is thawed: "
                                                  "'quiescectl thaw', or 'quiescectl thaw --failed'");
        request = calloc(1, sizeof(*request));
        if (!request)
                return error_origin(-ENOMEM);
        *request = (Request){.kind = kind, .call = sd_bus_message_ref(call)};
        while (*end)
                end = &(*end)->next;
        *end = request;
        return 1;
}

static int method_complete(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return note(m, userdata, REQUEST_COMPLETE);
}

static int method_abort(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return note(m, userdata, REQUEST_ABORT);
}

static int method_end(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return note(m, userdata, REQUEST_END);
}

static int method_thaw(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Peer *peer = userdata;
        Resident *resident = peer->server->resident;

        if (!resident->thaw)
                return sd_bus_error_setf(error, RESIDENT_NOT_FROZEN,
                                         "session %s is held by 'quiescectl begin': nothing is frozen",
                                         quiesce_backup_get_id(resident->backup.session));
        return resident->thaw(resident, m, error);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Complete", NULL, NULL, method_complete, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Abort", NULL, NULL, method_abort, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Thaw", "bsb", NULL, method_thaw, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("End", NULL, NULL, method_end, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void peer_free(Peer *peer) {
        for (Peer **i = &peer->server->peers; *i; i = &(*i)->next)
                if (*i == peer) {
                        *i = peer->next;
                        break;
                }
        peer->server->n_peers--;
        (void) sd_bus_close_unref(peer->bus);
        free(peer);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        peer_free(userdata);
        return 0;
}

static int peer_start(Peer *peer, int *fd) {
        sd_id128_t id;
        int r;

        r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_new(&peer->bus);
        if (r >= 0)
                r = sd_bus_set_fd(peer->bus, *fd, *fd);
        if (r < 0)
                return error_trace(r);
        *fd = -EBADF;
        r = sd_bus_set_server(peer->bus, true, id);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(peer->bus, false);
        if (r >= 0)
                r = sd_bus_add_object_vtable(peer->bus, NULL, RESIDENT_PATH, RESIDENT_INTERFACE, vtable,
                                             peer);
        if (r >= 0)
                r = sd_bus_match_signal_async(peer->bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                              "org.freedesktop.DBus.Local", "Disconnected", on_disconnected,
                                              NULL, peer);
        if (r >= 0)
                r = sd_bus_start(peer->bus);
        if (r >= 0)
                r = sd_bus_attach_event(peer->bus, peer->server->resident->backup.event,
                                        SD_EVENT_PRIORITY_NORMAL);
        return error_trace(r < 0 ? r : 0);
}

/* The socket's mode lets in its user and root alone; that is looked at again, should that ever not hold. */
static bool is_welcome(int fd) {
        struct ucred peer;
        socklen_t n_peer = sizeof(peer);

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer) >= 0 &&
               (peer.uid == 0 || peer.uid == geteuid());
}

static int on_connection(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata) {
        ResidentServer *server = userdata;
        _cleanup_close_ int fd = -EBADF;
        Peer *peer;
        int r;

        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 || !is_welcome(fd) || server->n_peers >= PEERS_MAX)
                return 0;
        peer = calloc(1, sizeof(*peer));
        if (!peer)
                return 0;
        *peer = (Peer){.server = server, .next = server->peers};
        server->peers = peer;
        server->n_peers++;
        r = peer_start(peer, &fd);
        if (r < 0) {
                say("a request could not be read: %s", strerror(-r));
                peer_free(peer);
        }
        return 0;
}

/* Return: 0, or CTL_E_SAID with what to say. */
static int carry_out(Resident *resident, RequestKind kind, char text[static BACKUP_TEXT_MAX]) {
        Backup *backup = &resident->backup;
        Progress *progress = &backup->progress;

        text[0] = '\0';
        switch (kind) {
        case REQUEST_COMPLETE:
                /* Nobody is there to be told. */
                if (backup->options->without_writers)
                        return 0;
                progress_step(progress, "telling the writers that the backup is complete");
                return backup_try_complete(backup, text);
        case REQUEST_ABORT:
                progress_step(progress, "aborting the backup");
                return backup_try_abort(backup, text);
        case REQUEST_END:
        default:
                progress_step(progress, "releasing the session");
                return backup_try_release(backup, text);
        }
}

/**
 * resident_server_carry_out() - carry out the next request, if there is one
 * @server:     the server
 * @ret_over:   set to true if the session has been ended by it
 *
 * To be called from outside the event loop, which it runs.
 *
 * Return: whether there was one.
 */
bool resident_server_carry_out(ResidentServer *server, bool *ret_over) {
        Resident *resident = server->resident;
        Request *request = server->requests;
        char text[BACKUP_TEXT_MAX];
        int r;

        if (!request)
                return false;
        server->requests = request->next;
        r = carry_out(resident, request->kind, text);
        resident->backup.ending = false;
        if (r == 0)
                r = sd_bus_reply_method_return(request->call, NULL);
        else {
                say("%s", text);
                r = sd_bus_reply_method_errorf(request->call, RESIDENT_ERROR, "%s", text);
        }
        /* Who asked may have gone: it is done all the same. */
        if (r >= 0)
                (void) sd_bus_flush(sd_bus_message_get_bus(request->call));
        if (request->kind == REQUEST_END)
                *ret_over = true;
        sd_bus_message_unref(request->call);
        free(request);
        return true;
}

/**
 * resident_server_new() - listen, on the socket of the session
 * @ret:        the server
 * @resident:   its session is open
 *
 * Return: as said in resident.h.
 */
int resident_server_new(ResidentServer **ret, Resident *resident) {
        _cleanup_free_ char *directory = NULL;
        ResidentServer *server;
        int r;

        r = resident_socket_directory(&directory, true);
        if (r != 0)
                return r;
        server = calloc(1, sizeof(*server));
        if (!server)
                return error_origin(-ENOMEM);
        *server = (ResidentServer){.resident = resident, .listen_fd = -EBADF};
        r = resident_socket_listen(directory, quiesce_backup_get_id(resident->backup.session),
                                   &server->listen_fd, &server->path);
        if (r == 0)
                r = sd_event_add_io(resident->backup.event, &server->listen_source, server->listen_fd,
                                    EPOLLIN, on_connection, server);
        if (r < 0 || r == CTL_E_SAID) {
                (void) resident_server_free(server);
                return error_trace(r);
        }
        *ret = server;
        return 0;
}

/**
 * resident_server_free() - listen no more
 * @server:     the server or NULL
 *
 * Return: NULL.
 */
ResidentServer *resident_server_free(ResidentServer *server) {
        if (!server)
                return NULL;
        for (Request *request; (request = server->requests);) {
                server->requests = request->next;
                sd_bus_message_unref(request->call);
                free(request);
        }
        while (server->peers)
                peer_free(server->peers);
        sd_event_source_disable_unref(server->listen_source);
        fd_close(server->listen_fd);
        if (server->path)
                (void) unlink(server->path);
        free(server->path);
        free(server);
        return NULL;
}
