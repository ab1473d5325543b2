/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One connection of a writer's process: it registers, gets events, answers them.
 *
 * quiesced is the D-Bus server here and speaks second: until Register has come nothing is sent. The
 * contract's deadlines say when an answer is late; the calls here have no time-out of their own. When the
 * connection ends, whatever it owed is told once: as gone to the sessions that it took part in, as not
 * responding where an event had been sent by name.
 *
 * A writer that is a service on the system bus has a connection here, too: the bus is everybody's, so it is
 * made when the service has registered (registration.c), speaks to its unique name alone, takes answers of
 * nobody else, and ends when that name has left the bus.
 */

#include <assert.h>

#include "contract/names.h"
#include "daemon/writers/internal.h"
#include "util/error.h"
#include "util/log.h"

/* An event sent and not answered. */
struct PendingEvent {
        PendingEvent *next;
        Connection *connection;
        uint64_t session;
        uint32_t index;
        ContractEvent event;
        sd_bus_slot *slot;
};

struct Connection {
        Connection *next;
        Writers *writers;
        Writer *writer;
        sd_bus *bus;
        char *peer; /* its unique name on the system bus; NULL: a private socket */
        sd_bus_slot *vtable_slot, *disconnected_slot, *filter_slot;
        PendingEvent *pending;
        uint64_t n_sent, n_other; /* events; messages that were no answer to one */
        pid_t pid;
        bool registered;
};

/* Of messages that are no answer a writer may send this many, and one more for each event: it may answer
 * twice, or late. Whoever needs more is in a loop, or wants us to be. */
#define OTHER_MESSAGES_MAX 64u

static PendingEvent *pending_event_free(PendingEvent *pending) {
        if (!pending)
                return NULL;
        for (PendingEvent **p = &pending->connection->pending; *p; p = &(*p)->next)
                if (*p == pending) {
                        *p = pending->next;
                        break;
                }
        sd_bus_slot_unref(pending->slot);
        free(pending);
        return NULL;
}
DEFINE_CLEANUP(PendingEvent *, pending_event_free)

/**
 * connection_next() - the next of the room's connections
 * @connection: one of them
 *
 * Return: the next, or NULL.
 */
Connection *connection_next(Connection *connection) {
        return connection->next;
}

/**
 * connection_get_pid() - the process at the other end
 * @connection: the connection
 *
 * Return: as it was when it connected.
 */
pid_t connection_get_pid(const Connection *connection) {
        return connection->pid;
}

/**
 * connection_get_peer() - who is at the other end, on the system bus
 * @connection: the connection
 *
 * Return: a unique name; NULL: it is a private socket.
 */
const char *connection_get_peer(const Connection *connection) {
        return connection->peer;
}

/**
 * connection_has_pending() - whether an event is not answered
 * @connection: the connection
 *
 * Return: true if so.
 */
bool connection_has_pending(const Connection *connection) {
        return connection->pending != NULL;
}

/**
 * connection_get_writer() - whose process is at the other end
 * @connection: the connection
 *
 * Return: the writer, registered or not.
 */
Writer *connection_get_writer(Connection *connection) {
        return connection->writer;
}

/* Whether the session's participant is the process at this end. */
static bool takes_part(const Connection *connection, const PendingEvent *pending) {
        const Session *session = writers_find_session(connection->writers, pending->session);

        return session && pending->index < session->n_participants &&
               session->participants[pending->index].instance == connection->writer->instance;
}

/**
 * connection_free() - close a connection
 * @connection: the connection, or NULL
 *
 * Events by name that it still owed an answer to are told as not responded to.
 *
 * Return: NULL.
 */
Connection *connection_free(Connection *connection) {
        Connection *c = connection;

        if (!c)
                return NULL;
        for (Connection **i = &c->writers->connections; *i; i = &(*i)->next)
                if (*i == c) {
                        *i = c->next;
                        break;
                }
        while (c->pending) {
                PendingEvent *pending = c->pending;

                if (!takes_part(c, pending))
                        (void) notice_not_responding(
                                c->writers, pending->session, pending->index, pending->event,
                                "writer %s ended before it had answered %s; see the "
                                "journal of %s",
                                c->writer->descriptor->name, contract_event_to_string(pending->event),
                                writer_log_name(c->writer));
                pending_event_free(pending);
        }
        sd_bus_slot_unref(c->vtable_slot);
        sd_bus_slot_unref(c->disconnected_slot);
        sd_bus_slot_unref(c->filter_slot);
        if (c->peer)
                sd_bus_unref(c->bus);
        else
                sd_bus_close_unref(c->bus);
        free(c->peer);
        free(c);
        return NULL;
}

/**
 * connection_ended() - the process at the other end is gone
 * @connection: the connection, freed; sessions that had that process are told
 */
void connection_ended(Connection *connection) {
        Writer *writer = connection->writer;
        bool registered = connection->registered;

        (void) connection_free(connection);
        if (registered)
                writer_connection_ended(writer);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        connection_ended(userdata);
        return 0;
}

/* Sees what is no answer that we wait for, before anybody answers it. */
static int on_other_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Connection *c = userdata;

        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", NULL) > 0 ||
            ++c->n_other <= OTHER_MESSAGES_MAX + c->n_sent)
                return 0;
        log_warning("writer %s has sent %" PRIu64 " messages that nobody asked for, closing its connection",
                    c->writer->descriptor->name, c->n_other);
        connection_ended(c);
        return 1;
}

static int read_options(Connection *c, sd_bus_message *m) {
        const char *level = NULL;
        uint64_t window = 0;
        const DictionaryField fields[] = {
                {.key = "level", .type = "s", .value = &level},
                {.key = "freeze-window-usec", .type = "t", .value = &window},
        };
        int r;

        r = dictionary_read(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return error_trace(r);
        c->writer->level = level ? contract_level_from_string(level) : -1;
        c->writer->freeze_window_usec = window;
        return level && c->writer->level < 0 ? error_origin(-EINVAL) : 0;
}

static int on_register(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Connection *c = userdata;
        const char *name;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return error_trace(r);
        if (!streq(name, c->writer->descriptor->name))
                return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED,
                                         "this process was started as writer %s and cannot be another one",
                                         c->writer->descriptor->name);
        if (c->registered)
                return sd_bus_error_setf(error, "org.quiesce1.Error.BadState",
                                         "writer %s has registered already", name);
        r = read_options(c, m);
        if (r < 0)
                return sd_bus_error_setf(
                        error, SD_BUS_ERROR_INVALID_ARGS,
                        "level is none of front-end, back-end, system, or an option has a wrong type");
        r = sd_bus_reply_method_return(m, "");
        if (r < 0)
                return error_trace(r);
        if (!writer_registered(c->writer, c)) {
                log_warning("writer %s registered a second time, ignoring", name);
                return 1;
        }
        c->registered = true;
        return 1;
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_NAMES("Register", "sa{sv}", SD_BUS_PARAM(name) SD_BUS_PARAM(options), "", ,
                                 on_register, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int start_server(Connection *c, int fd) {
        sd_id128_t id;
        int r;

        r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_new(&c->bus);
        if (r >= 0)
                r = sd_bus_set_fd(c->bus, fd, fd);
        if (r < 0) {
                fd_close(fd);
                return error_trace(r);
        }
        r = sd_bus_set_server(c->bus, true, id);
        if (r >= 0)
                r = sd_bus_negotiate_fds(c->bus, true);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(c->bus, false);
        if (r >= 0)
                r = sd_bus_add_object_vtable(c->bus, &c->vtable_slot, "/org/quiesce1/WriterHost",
                                             "org.quiesce1.WriterHost", vtable, c);
        if (r >= 0)
                r = sd_bus_match_signal_async(c->bus, &c->disconnected_slot, "org.freedesktop.DBus.Local",
                                              NULL, "org.freedesktop.DBus.Local", "Disconnected",
                                              on_disconnected, NULL, c);
        if (r >= 0)
                r = sd_bus_add_filter(c->bus, &c->filter_slot, on_other_message, c);
        if (r >= 0)
                r = sd_bus_start(c->bus);
        if (r >= 0)
                r = sd_bus_attach_event(c->bus, c->writers->event, SD_EVENT_PRIORITY_NORMAL);
        return error_trace(r < 0 ? r : 0);
}

/**
 * connection_new() - a process of a writer has connected
 * @writers: the room, which gets the connection
 * @writer: whose process it is
 * @pid: that process
 * @fd: the accepted socket, taken
 *
 * Return: 0 or a negative errno: it is closed.
 */
int connection_new(Writers *writers, Writer *writer, pid_t pid, int fd) {
        Connection *c;
        int r;

        c = calloc(1, sizeof(*c));
        if (!c) {
                fd_close(fd);
                return error_origin(-ENOMEM);
        }
        *c = (Connection){.writers = writers, .writer = writer, .pid = pid, .next = writers->connections};
        writers->connections = c;
        r = start_server(c, fd);
        if (r)
                (void) connection_free(c);
        return error_trace(r);
}

/**
 * connection_new_on_bus() - a service on the system bus has registered
 * @ret: the connection, the room's
 * @writers: the room, which has the bus
 * @writer: which it is
 * @peer: its unique name
 * @pid: its process, as the bus says; 0: unknown
 *
 * Return: 0 or a negative errno.
 */
int connection_new_on_bus(Connection **ret, Writers *writers, Writer *writer, const char *peer, pid_t pid) {
        Connection *c;

        assert(writers->bus && peer);

        c = calloc(1, sizeof(*c));
        if (!c)
                return error_origin(-ENOMEM);
        *c = (Connection){.writers = writers, .writer = writer, .pid = pid, .registered = true};
        c->peer = strdup(peer);
        if (!c->peer) {
                free(c);
                return error_origin(-ENOMEM);
        }
        c->bus = sd_bus_ref(writers->bus);
        c->next = writers->connections;
        writers->connections = c;
        *ret = c;
        return 0;
}

static void tell_nonsense(PendingEvent *pending, const char *what) {
        Writer *writer = pending->connection->writer;
        Writers *writers = pending->connection->writers;
        char text[CONTRACT_TEXT_MAX];
        WriterAnswer answer = {.failure = CONTRACT_FAILURE_NOT_RESPONDING, .text = text};
        uint64_t session = pending->session;
        uint32_t index = pending->index;
        ContractEvent event = pending->event;

        (void) snprintf(
                text, sizeof(text), "writer %s gave no usable answer to %s: %s; see the journal of %s",
                writer->descriptor->name, contract_event_to_string(event), what, writer_log_name(writer));
        pending_event_free(pending);
        writers->config.answered(session, index, event, &answer, writers->config.userdata);
}

/* The bus itself answers for one that has left it; what else it answers (it may not be called, say) is an
 * answer that no writer may give. */
static bool has_left_bus(sd_bus_message *m) {
        return streq_ptr(sd_bus_message_get_sender(m), "org.freedesktop.DBus") &&
               (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY) ||
                sd_bus_message_is_method_error(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
                sd_bus_message_is_method_error(m, SD_BUS_ERROR_SERVICE_UNKNOWN));
}

static bool is_strangers(const Connection *c, sd_bus_message *m) {
        const char *sender = sd_bus_message_get_sender(m);

        return c->peer && !streq_ptr(sender, c->peer) && !streq_ptr(sender, "org.freedesktop.DBus");
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        PendingEvent *pending = userdata;
        Connection *c = pending->connection;
        Writers *writers = c->writers;
        uint64_t session = pending->session;
        uint32_t index = pending->index;
        ContractEvent event = pending->event;
        Answer answer = {};
        int r;

        /* sd-bus answers what is pending itself when the connection ends: on_disconnected() tells that. */
        if (!sd_bus_is_open(c->bus))
                return 0;
        if (c->peer && has_left_bus(m)) {
                connection_ended(c);
                return 0;
        }
        if (is_strangers(c, m)) {
                tell_nonsense(pending, "another connection to the bus answered for it");
                return 0;
        }
        r = answer_read(&answer, m, c->writer, event);
        if (r < 0) {
                tell_nonsense(pending, answer.text ? answer.text : strerror(-r));
                answer_done(&answer);
                return 0;
        }
        pending_event_free(pending);
        writers->config.answered(session, index, event, &answer.answer, writers->config.userdata);
        answer_done(&answer);
        return 0;
}

/**
 * connection_send() - send an event
 * @c: a registered connection
 * @session: the session
 * @index: the writer in it
 * @event: the event; needed during the call only
 *
 * Its answer comes through config.answered. A message that cannot be made or sent is told the same way.
 *
 * Return: 0 or -ENOMEM.
 */
int connection_send(Connection *c, uint64_t session, uint32_t index, const WriterEvent *event) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(pending_event_freep) PendingEvent *pending = NULL;
        int r;

        r = message_new_event(&m, c->bus, c->peer, c->writer, event);
        if (r < 0)
                return error_trace(notice_not_responding(
                        c->writers, session, index, event->event,
                        "%s could not be put into a message for writer %s: %s",
                        contract_event_to_string(event->event), c->writer->descriptor->name, strerror(-r)));
        pending = calloc(1, sizeof(*pending));
        if (!pending)
                return error_origin(-ENOMEM);
        *pending = (PendingEvent){.connection = c,
                                  .session = session,
                                  .index = index,
                                  .event = event->event,
                                  .next = c->pending};
        c->pending = pending;
        r = sd_bus_call_async(c->bus, &pending->slot, m, on_answer, pending, UINT64_MAX);
        if (r < 0)
                return error_trace(notice_not_responding(
                        c->writers, session, index, event->event, "%s could not be sent to writer %s: %s",
                        contract_event_to_string(event->event), c->writer->descriptor->name, strerror(-r)));
        c->n_sent++;
        TAKE_PTR(pending);
        return 0;
}

/**
 * connection_drop_session() - a session is released
 * @connection: the connection
 * @session: the session; answers to its events are of no interest any more
 */
void connection_drop_session(Connection *connection, uint64_t session) {
        PendingEvent *next;

        for (PendingEvent *p = connection->pending; p; p = next) {
                next = p->next;
                if (p->session == session)
                        pending_event_free(p);
        }
}
