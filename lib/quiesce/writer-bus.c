/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The writer's end of the connection: D-Bus, peer to peer, over quiesced's listening socket; or over the
 * system bus, where quiesced is found by writer-system-bus.c.
 *
 * The writer speaks first (Register); only then does quiesced call org.quiesce1.Writer here. An sd-bus
 * server that sends first on a new connection hangs more often than not.
 */

#include <assert.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "quiesce/writer-internal.h"
#include "util/error.h"

#define ERROR_PREFIX "org.quiesce1.Error.Writer."

static const char *const failure_names[] = {
        [QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT] = ERROR_PREFIX "InconsistentSnapshot",
        [QUIESCE_FAILURE_OUT_OF_RESOURCES] = ERROR_PREFIX "OutOfResources",
        [QUIESCE_FAILURE_TIMEOUT] = ERROR_PREFIX "Timeout",
        [QUIESCE_FAILURE_RETRYABLE] = ERROR_PREFIX "Retryable",
        [QUIESCE_FAILURE_NON_RETRYABLE] = ERROR_PREFIX "NonRetryable",
};

/* In the order of QuiesceWriterEventType: what each method's arguments are before `details`. */
static const struct {
        const char *member;
        unsigned n_ids;     /* session, set */
        bool tells_the_end; /* outcome, cause */
} events[EVENT_MAX] = {
        [QUIESCE_EVENT_IDENTIFY] = {"Identify", 0, false},
        [QUIESCE_EVENT_PREPARE_FOR_BACKUP] = {"PrepareForBackup", 2, false},
        [QUIESCE_EVENT_PREPARE_FOR_SNAPSHOT] = {"PrepareForSnapshot", 2, false},
        [QUIESCE_EVENT_FREEZE] = {"Freeze", 2, false},
        [QUIESCE_EVENT_THAW] = {"Thaw", 2, false},
        [QUIESCE_EVENT_POST_SNAPSHOT] = {"PostSnapshot", 2, false},
        [QUIESCE_EVENT_ABORT] = {"Abort", 2, false},
        [QUIESCE_EVENT_BACKUP_COMPLETE] = {"BackupComplete", 2, false},
        [QUIESCE_EVENT_BACKUP_SHUTDOWN] = {"BackupShutdown", 2, true},
        [QUIESCE_EVENT_PRE_RESTORE] = {"PreRestore", 1, false},
        [QUIESCE_EVENT_POST_RESTORE] = {"PostRestore", 1, false},
        [QUIESCE_EVENT_SESSION_CLOSED] = {"SessionClosed", 1, true},
};

static int read_event(QuiesceWriterEvent *event, sd_bus_message *m) {
        int r = 0;

        if (events[event->type].n_ids > 0)
                r = sd_bus_message_read_basic(m, 's', &event->session);
        if (r >= 0 && events[event->type].n_ids > 1)
                r = sd_bus_message_read_basic(m, 's', &event->set);
        if (r >= 0 && events[event->type].tells_the_end)
                r = sd_bus_message_read(m, "ss", &event->outcome, &event->cause);
        return error_trace(r < 0 ? r : writer_event_read_details(event, m));
}

static int on_event(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        QuiesceWriter *writer = userdata;
        _cleanup_(writer_event_freep) QuiesceWriterEvent *event = NULL;
        QuiesceWriterEventType type = EVENT_NONE;
        int r;

        for (size_t i = 1; i < EVENT_MAX; i++)
                if (streq_ptr(sd_bus_message_get_member(m), events[i].member))
                        type = (QuiesceWriterEventType) i;
        assert(type != EVENT_NONE);
        /* On the bus anybody may try who may send to this service at all. */
        if (writer_is_on_system_bus(writer) && !streq_ptr(sd_bus_message_get_sender(m), writer->host))
                return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED,
                                         "only quiesced, where this writer has registered, may call it");
        r = writer_event_new(&event, writer, type);
        if (r)
                return error_trace(r);
        event->message = sd_bus_message_ref(m);
        r = read_event(event, m);
        if (r < 0)
                return sd_bus_error_set_errnof(error, r, "malformed event %s: %s", events[type].member,
                                               strerror(-r));
        writer_dispatch(writer, TAKE_PTR(event));
        return 1;
}

#define EVENT_METHOD(name, in, out) SD_BUS_METHOD(name, in, out, on_event, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        EVENT_METHOD("Identify", "a{sv}", "a{sv}"),
        EVENT_METHOD("PrepareForBackup", "ssa{sv}", "a{sv}"),
        EVENT_METHOD("PrepareForSnapshot", "ssa{sv}", "a{sv}"),
        EVENT_METHOD("Freeze", "ssa{sv}", "a{sv}"),
        EVENT_METHOD("Thaw", "ssa{sv}", "a{sv}"),
        EVENT_METHOD("PostSnapshot", "ssa{sv}", "a{sv}"),
        EVENT_METHOD("Abort", "ssa{sv}", "a{sv}"),
        EVENT_METHOD("BackupComplete", "ssa{sv}", "a{sv}"),
        EVENT_METHOD("BackupShutdown", "ssssa{sv}", ""),
        EVENT_METHOD("PreRestore", "sa{sv}", "a{sv}"),
        EVENT_METHOD("PostRestore", "sa{sv}", "a{sv}"),
        EVENT_METHOD("SessionClosed", "sssa{sv}", ""),
        SD_BUS_VTABLE_END,
};

static int append_good_answer(QuiesceWriterEvent *event, sd_bus_message *reply) {
        int r;

        if (events[event->type].tells_the_end)
                return 0;
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0 && event->warning)
                r = sd_bus_message_append(reply, "{sv}", "warning", "s", event->warning);
        if (r >= 0 && event->description)
                r = sd_bus_message_append(reply, "{sv}", "description", "s", event->description);
        if (r >= 0 && event->n_paths > 0) {
                r = dictionary_open_array(reply, "paths", "as");
                for (size_t i = 0; r >= 0 && i < event->n_paths; i++)
                        r = sd_bus_message_append(reply, "s", event->paths[i]);
                if (r >= 0)
                        r = dictionary_close_array(reply);
        }
        if (r >= 0 && event->type == QUIESCE_EVENT_IDENTIFY)
                r = writer_declaration_append(&event->declaration, reply);
        if (r >= 0)
                r = writer_notes_append(event, reply);
        if (r >= 0 && event->frozen) {
                r = dictionary_open_array(reply, "frozen", "au");
                for (size_t i = 0; r >= 0 && i < event->n_frozen; i++)
                        r = sd_bus_message_append(reply, "u", event->frozen[i]);
                if (r >= 0)
                        r = dictionary_close_array(reply);
        }
        return error_trace(r < 0 ? r : sd_bus_message_close_container(reply));
}

/**
 * writer_bus_answer() - send the answer that an event holds
 * @event: the event
 * @r: as a callback returns it
 *
 * An answer that cannot be sent is as good as none: quiesced then finds the writer not responding.
 */
void writer_bus_answer(QuiesceWriterEvent *event, int r) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        if (!event->message || !event->writer->bus)
                return;
        if (r < 0 || event->failure) {
                QuiesceFailure failure = event->failure ? event->failure : QUIESCE_FAILURE_NON_RETRYABLE;

                (void) sd_bus_reply_method_errorf(event->message, failure_names[failure], "%s",
                                                  event->text ? event->text : strerror(-r));
                return;
        }
        r = sd_bus_message_new_method_return(event->message, &reply);
        if (r >= 0)
                r = append_good_answer(event, reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                (void) sd_bus_reply_method_errorf(event->message,
                                                  failure_names[QUIESCE_FAILURE_NON_RETRYABLE],
                                                  "the answer could not be sent: %s", strerror(-r));
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        writer_end(userdata, 0);
        return 0;
}

static int on_registered(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        QuiesceWriter *writer = userdata;

        if (sd_bus_message_is_method_error(m, NULL))
                writer_bus_refused(writer, m);
        return 0;
}

/**
 * writer_bus_refused() - it cannot be a writer
 * @writer: the writer, which ends
 * @reply: the error
 */
void writer_bus_refused(QuiesceWriter *writer, sd_bus_message *reply) {
        static const struct {
                const char *name;
                int error;
        } errors[] = {
                {"org.quiesce1.Error.AccessDenied", EACCES},
                {"org.quiesce1.Error.BadState", EBUSY},
                {"org.quiesce1.Error.ObjectNotFound", ENOENT},
                {"org.quiesce1.Error.InvalidArgument", EINVAL},
                {"org.quiesce1.Error.LimitsExceeded", EUSERS},
        };
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        int error = sd_bus_message_get_errno(reply);

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                if (streq_ptr(e->name, errors[i].name))
                        error = errors[i].error;
        free(writer->error);
        writer->error = strdup(e->message ? e->message : e->name);
        writer_end(writer, error > 0 ? -error : -EIO);
}

/**
 * writer_bus_register() - send Register
 * @writer: the writer
 * @destination: whom, on the system bus; NULL: the other end
 * @path: where it is
 * @interface: whose Register
 * @registered: gets the answer
 *
 * Return: 0 or a negative errno.
 */
int writer_bus_register(QuiesceWriter *writer, const char *destination, const char *path,
                        const char *interface, sd_bus_message_handler_t registered) {
        static const char *const levels[] = {[QUIESCE_LEVEL_FRONT_END] = "front-end",
                                             [QUIESCE_LEVEL_BACK_END] = "back-end",
                                             [QUIESCE_LEVEL_SYSTEM] = "system"};
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        writer->registered_slot = sd_bus_slot_unref(writer->registered_slot);
        r = sd_bus_message_new_method_call(writer->bus, &m, destination, path, interface, "Register");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", writer->name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && writer->level)
                r = sd_bus_message_append(m, "{sv}", "level", "s", levels[writer->level]);
        if (r >= 0 && writer->freeze_window_usec > 0)
                r = sd_bus_message_append(m, "{sv}", "freeze-window-usec", "t", writer->freeze_window_usec);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_call_async(writer->bus, &writer->registered_slot, m, registered, writer,
                                      destination ? UINT64_MAX : 0);
        return error_trace(r < 0 ? r : 0);
}

static int connect_socket(const char *path) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if ((size_t) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >=
            sizeof(address.sun_path))
                return error_origin(-ENAMETOOLONG);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_origin(-errno);
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return error_origin(-errno);
        return TAKE_FD(fd);
}

/**
 * writer_bus_connect() - connect and send Register; the rest comes through the event loop
 * @writer: the writer
 *
 * Return: 0 or a negative errno.
 */
int writer_bus_connect(QuiesceWriter *writer) {
        int fd, r;

        if (writer_is_on_system_bus(writer))
                return error_trace(writer_system_bus_connect(writer));
        fd = connect_socket(writer->socket_path);
        if (fd < 0)
                return error_trace(fd);
        r = sd_bus_new(&writer->bus);
        if (r < 0) {
                fd_close(fd);
                return error_trace(r);
        }
        r = sd_bus_set_fd(writer->bus, fd, fd);
        if (r < 0) {
                fd_close(fd);
                return error_trace(r);
        }
        r = sd_bus_negotiate_fds(writer->bus, true);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(writer->bus, false);
        if (r >= 0)
                r = writer_bus_start(writer);
        if (r >= 0)
                r = sd_bus_start(writer->bus);
        if (r >= 0)
                r = sd_bus_attach_event(writer->bus, writer->event, (int) writer->priority);
        if (r >= 0)
                r = writer_bus_register(writer, NULL, WRITER_HOST_OBJECT, WRITER_HOST_INTERFACE,
                                        on_registered);
        return error_trace(r < 0 ? r : 0);
}

/**
 * writer_bus_start() - be ready to be called, and to see the connection's end
 * @writer: the writer, with a bus
 *
 * Return: >= 0 or a negative errno.
 */
int writer_bus_start(QuiesceWriter *writer) {
        int r;

        r = sd_bus_add_object_vtable(writer->bus, &writer->vtable_slot, WRITER_OBJECT, WRITER_INTERFACE,
                                     vtable, writer);
        if (r >= 0)
                r = sd_bus_match_signal_async(
                        writer->bus, &writer->disconnected_slot, "org.freedesktop.DBus.Local", NULL,
                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL, writer);
        return error_trace(r);
}

/**
 * writer_bus_close() - flush what is written; nothing comes from the connection any more
 * @writer: the writer
 */
void writer_bus_close(QuiesceWriter *writer) {
        writer->registered_slot = sd_bus_slot_unref(writer->registered_slot);
        writer->disconnected_slot = sd_bus_slot_unref(writer->disconnected_slot);
        writer->vtable_slot = sd_bus_slot_unref(writer->vtable_slot);
        writer_system_bus_close(writer);
        writer->bus = sd_bus_flush_close_unref(writer->bus);
}
