/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A writer's life: made, set up, started on an event loop or run to its end. */

#include <assert.h>
#include <signal.h>

#include "quiesce/writer-internal.h"
#include "util/error.h"

/**
 * quiesce_writer_new() - make a writer (CVssWriter::Initialize)
 * @ret: the writer; quiesce_writer_free() it
 * @name: its name, that of the descriptor NAME.writer; NULL: $QUIESCE_WRITER_NAME
 * @callbacks: copied; `size` must be set
 * @userdata: given to each callback
 *
 * Return: 0; -EINVAL: no callbacks, or no name; -ENOMEM.
 */
_public_ int quiesce_writer_new(QuiesceWriter **ret, const char *name,
                                const QuiesceWriterCallbacks *callbacks, void *userdata) {
        const char *socket_path = secure_getenv("QUIESCE_WRITERS_SOCKET");
        _cleanup_(quiesce_writer_freep) QuiesceWriter *writer = NULL;

        if (!name)
                name = secure_getenv("QUIESCE_WRITER_NAME");
        if (!ret || !name || !*name || !callbacks || callbacks->size < sizeof(size_t))
                return -EINVAL;
        writer = calloc(1, sizeof(*writer));
        if (!writer)
                return -ENOMEM;
        memcpy(&writer->callbacks, callbacks,
               callbacks->size < sizeof(*callbacks) ? callbacks->size : sizeof(*callbacks));
        writer->userdata = userdata;
        writer->name = strdup(name);
        writer->socket_path = strdup(socket_path && *socket_path ? socket_path : WRITER_SOCKET);
        if (!writer->name || !writer->socket_path)
                return -ENOMEM;
        *ret = TAKE_PTR(writer);
        return 0;
}

/**
 * quiesce_writer_free() - end a writer
 * @writer: the writer, or NULL
 *
 * What is frozen is let go first. Events not answered yet are gone and must not be touched any more.
 *
 * Return: NULL.
 */
_public_ QuiesceWriter *quiesce_writer_free(QuiesceWriter *writer) {
        if (!writer)
                return NULL;
        writer->closed = NULL;
        quiesce_writer_abort_frozen(writer);
        while (writer->events)
                writer_event_free(writer->events);
        writer_places_forget(writer, NULL);
        writer_bus_close(writer);
        sd_event_source_disable_unref(writer->end_limit);
        sd_event_unref(writer->event);
        free(writer->name);
        free(writer->error);
        free(writer->bus_name);
        sd_bus_unref(writer->given_bus);
        free(writer->socket_path);
        free(writer);
        return NULL;
}

/**
 * quiesce_writer_set_level() - when it is frozen (VSS_APPLICATION_LEVEL)
 * @writer: the writer, not started
 * @level: the level; a Level= in the descriptor wins
 *
 * Return: 0; -EINVAL; -EBUSY: started already.
 */
_public_ int quiesce_writer_set_level(QuiesceWriter *writer, QuiesceLevel level) {
        if (!writer || level < QUIESCE_LEVEL_FRONT_END || level > QUIESCE_LEVEL_SYSTEM)
                return -EINVAL;
        if (writer->bus)
                return -EBUSY;
        writer->level = level;
        return 0;
}

/**
 * quiesce_writer_set_freeze_window() - how long it can stay frozen (CVssWriter::Initialize, dwTimeoutFreeze)
 * @writer: the writer, not started
 * @usec: µs from Freeze sent to the last Thaw; default 60 s; a FreezeWindowSec= in the descriptor wins
 *
 * Return: 0; -EINVAL; -EBUSY: started already.
 */
_public_ int quiesce_writer_set_freeze_window(QuiesceWriter *writer, uint64_t usec) {
        if (!writer || usec == 0 || usec == UINT64_MAX)
                return -EINVAL;
        if (writer->bus)
                return -EBUSY;
        writer->freeze_window_usec = usec;
        return 0;
}

/**
 * quiesce_writer_set_socket_path() - where quiesced listens
 * @writer: the writer, not started
 * @path: an AF_UNIX path
 *
 * Return: 0; -EINVAL; -EBUSY: started already; -ENOMEM.
 */
_public_ int quiesce_writer_set_socket_path(QuiesceWriter *writer, const char *path) {
        char *copy;

        if (!writer || !path || !*path)
                return -EINVAL;
        if (writer->bus)
                return -EBUSY;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        free(writer->socket_path);
        writer->socket_path = copy;
        return 0;
}

static int check_on_bus(const QuiesceWriter *writer) {
        return writer->bus || writer_is_on_system_bus(writer) ? -EBUSY : 0;
}

/**
 * quiesce_writer_set_bus_name() - be a writer as a service on the system bus
 * @writer: the writer, not started
 * @bus_name: BusName= of its descriptor: the library connects, owns it, and registers (Manager.Register)
 *
 * Return: 0; -EINVAL: no well-known name; -EBUSY: started, or it has a bus already; -ENOMEM.
 */
_public_ int quiesce_writer_set_bus_name(QuiesceWriter *writer, const char *bus_name) {
        int r;

        if (!writer || !bus_name || bus_name[0] == ':' || !sd_bus_service_name_is_valid(bus_name))
                return -EINVAL;
        r = check_on_bus(writer);
        if (r < 0)
                return r;
        writer->bus_name = strdup(bus_name);
        return writer->bus_name ? 0 : -ENOMEM;
}

/**
 * quiesce_writer_set_bus() - be a writer on the service's own connection to the system bus
 * @writer: the writer, not started
 * @bus: referenced; owns BusName= of its descriptor before the writer is started; in the writer's event
 * loop, or in none: then the library puts it there
 *
 * The connection is one writer until it is closed: stop the writer only together with it.
 *
 * Return: 0; -EINVAL; -EBUSY: started, or it has a bus already.
 */
_public_ int quiesce_writer_set_bus(QuiesceWriter *writer, sd_bus *bus) {
        int r;

        if (!writer || !bus)
                return -EINVAL;
        r = check_on_bus(writer);
        if (r < 0)
                return r;
        writer->given_bus = sd_bus_ref(bus);
        return 0;
}

/**
 * quiesce_writer_get_error() - why it was refused
 * @writer: the writer
 *
 * Return: a sentence for people, as long as the writer lives or until the next; NULL: it was not.
 */
_public_ const char *quiesce_writer_get_error(const QuiesceWriter *writer) {
        return writer ? writer->error : NULL;
}

/**
 * quiesce_writer_attach_event() - use the caller's event loop
 * @writer: the writer, not started
 * @event: the loop, referenced
 * @priority: of what the library does in it
 *
 * Return: 0; -EINVAL; -EBUSY: it has one.
 */
_public_ int quiesce_writer_attach_event(QuiesceWriter *writer, sd_event *event, int64_t priority) {
        if (!writer || !event)
                return -EINVAL;
        if (writer->event)
                return -EBUSY;
        writer->event = sd_event_ref(event);
        writer->priority = priority;
        return 0;
}

/**
 * quiesce_writer_set_closed_callback() - be told of the connection's end
 * @writer: the writer
 * @closed: called once, when all that was frozen is let go and all events are answered, or 60 s later; the
 * writer may be freed in it
 *
 * Return: 0; -EINVAL.
 */
_public_ int quiesce_writer_set_closed_callback(QuiesceWriter *writer,
                                                void (*closed)(QuiesceWriter *, int, void *)) {
        if (!writer)
                return -EINVAL;
        writer->closed = closed;
        return 0;
}

/**
 * quiesce_writer_start() - connect and register (CVssWriter::Subscribe)
 * @writer: the writer, with an event loop
 *
 * Return: 0: Register is sent, its answer comes through the loop; -EINVAL: no event loop; -EBUSY: started
 * already; -ENOENT, -ECONNREFUSED: quiesced does not listen. On the system bus quiesced need not be there:
 * Register is sent when it is.
 */
_public_ int quiesce_writer_start(QuiesceWriter *writer) {
        if (!writer || !writer->event)
                return -EINVAL;
        if (writer->bus)
                return -EBUSY;
        return writer_bus_connect(writer);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        quiesce_writer_stop(userdata);
        return 0;
}

/**
 * quiesce_writer_stop() - end a started writer in order (CVssWriter::Unsubscribe)
 * @writer: the writer
 *
 * Calls `abort` for what is frozen; when that and all events are answered, or after 60 s, the connection is
 * closed and `closed` is called with 0. On a writer that was not started it does nothing.
 */
_public_ void quiesce_writer_stop(QuiesceWriter *writer) {
        assert(writer);

        if (!writer->bus)
                return;
        quiesce_writer_abort_frozen(writer);
        writer_end(writer, 0);
}

/* `closed` has the writer's own userdata; the loop is all that must know. */
static void on_closed(QuiesceWriter *writer, int r, void *userdata) {
        (void) sd_event_exit(writer->event, r < 0 ? -r : 0);
}

/**
 * quiesce_writer_run() - be a writer until told to stop
 * @writer: the writer, not started, with no event loop of the caller's
 *
 * Connects, registers, calls the callbacks. SIGTERM and SIGINT are blocked meanwhile and end it, as does the
 * end of the connection; what is frozen then is let go first.
 *
 * Return: 0: ended; negative errno: could not connect or was refused.
 */
_public_ int quiesce_writer_run(QuiesceWriter *writer) {
        sigset_t mask, old;
        int r;

        if (!writer)
                return -EINVAL;
        if (writer->event)
                return -EBUSY;
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &mask, &old);
        writer->closed = on_closed;
        r = sd_event_new(&writer->event);
        if (r >= 0)
                r = sd_event_add_signal(writer->event, NULL, SIGTERM, on_signal, writer);
        if (r >= 0)
                r = sd_event_add_signal(writer->event, NULL, SIGINT, on_signal, writer);
        if (r >= 0)
                r = quiesce_writer_start(writer);
        if (r >= 0)
                r = sd_event_loop(writer->event);
        writer->closed = NULL;
        quiesce_writer_abort_frozen(writer);
        writer_bus_close(writer);
        writer->end_limit = sd_event_source_disable_unref(writer->end_limit);
        writer->event = sd_event_unref(writer->event);
        (void) sigprocmask(SIG_SETMASK, &old, NULL);
        return r > 0 ? -r : r;
}
