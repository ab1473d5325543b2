/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One writer: its process and its connection.
 *
 * stopped → starting (process launched) → running (it has registered) → stopping → stopped. A process that
 * ends, or a connection that ends, takes the other along. One process serves all sessions; it is stopped
 * after the last of them.
 *
 * A service on the system bus registers when it likes and stays registered: running has no process of ours
 * then. While it is wanted and has not registered its "process" is the waiting (launcher-bus.c).
 */

#include <assert.h>

#include "daemon/writers/internal.h"
#include "util/error.h"
#include "util/log.h"

/* An event by name for a writer that is not there yet. Only events that end a session are sent by name; they
 * carry words, no file systems. */
struct QueuedEvent {
        QueuedEvent *next;
        Writer *writer;
        uint64_t session;
        uint32_t index;
        WriterEvent event;
        char *session_id, *set_id;
        sd_event_source *limit;
};

static QueuedEvent *queued_event_free(QueuedEvent *queued) {
        if (!queued)
                return NULL;
        for (QueuedEvent **q = &queued->writer->queue; *q; q = &(*q)->next)
                if (*q == queued) {
                        *q = queued->next;
                        break;
                }
        sd_event_source_disable_unref(queued->limit);
        free(queued->session_id);
        free(queued->set_id);
        free(queued);
        return NULL;
}
DEFINE_CLEANUP(QueuedEvent *, queued_event_free)

/**
 * writer_is_on_bus() - whether it is a service on the system bus
 * @writer: the writer
 *
 * Return: as its descriptor says.
 */
bool writer_is_on_bus(const Writer *writer) {
        return writer->descriptor->kind == DESCRIPTOR_BUS;
}

/**
 * writer_is_idle() - whether a registered service takes part in nothing
 * @writer: a writer
 *
 * Return: true if it is on the bus, registered, and neither a session nor an event is with that process.
 */
bool writer_is_idle(const Writer *writer) {
        return writer_is_on_bus(writer) && writer->connection &&
               !connection_has_pending(writer->connection) && !sessions_have_instance(writer);
}

/**
 * writer_forget() - forget that a service has registered
 * @writer: one on the bus that is registered; a session that had it nevertheless is told that it is gone
 */
void writer_forget(Writer *writer) {
        assert(writer_is_on_bus(writer) && writer->connection);
        sessions_writer_gone(writer);
        writer->connection = connection_free(writer->connection);
        writer->instance = 0;
        writer->state = WRITER_STOPPED;
        writer->level = -1;
        writer->freeze_window_usec = 0;
}

/**
 * writer_get_unit() - what runs it
 * @writer: the writer
 *
 * Return: a unit; NULL: there is none, or it is not known.
 */
const char *writer_get_unit(const Writer *writer) {
        return writer->descriptor->unit ? writer->descriptor->unit : writer->bus_unit;
}

/**
 * writer_log_name() - whose log tells of it
 * @writer: one with a process
 *
 * Return: its unit, or its name on the bus.
 */
const char *writer_log_name(const Writer *writer) {
        const char *unit = writer_get_unit(writer);

        return unit ? unit : writer->descriptor->bus_name;
}

static void set_descriptor(Writer *writer, Descriptor *descriptor) {
        descriptor_ref(descriptor);
        descriptor_unref(writer->descriptor);
        writer->descriptor = descriptor;
        descriptor_unref(writer->renewed);
        writer->renewed = NULL;
}

/* What a service on the bus was registered for holds for weeks: what has been written since counts, unless a
 * session is with it. */
static void renew_descriptor(Writer *writer, Descriptor *descriptor) {
        if (writer->descriptor == descriptor)
                return;
        if (writer->state == WRITER_STOPPING) {
                descriptor_unref(writer->renewed);
                writer->renewed = descriptor_ref(descriptor);
        } else if (writer_is_idle(writer)) {
                if (descriptor->error || !streq_ptr(writer->descriptor->bus_name, descriptor->bus_name))
                        writer_forget(writer);
                set_descriptor(writer, descriptor);
        } else if (writer->state == WRITER_STOPPED)
                set_descriptor(writer, descriptor);
}

/**
 * writer_get() - the writer of a descriptor, made if there is none
 * @writers: the room
 * @ret: the writer, the room's
 * @descriptor: referenced; takes the place of that of a writer that does not run, or is idle on the bus
 *
 * Return: 0 or -ENOMEM.
 */
int writer_get(Writers *writers, Writer **ret, Descriptor *descriptor) {
        Writer *writer;

        for (writer = writers->writer_list; writer; writer = writer->next)
                if (streq(writer->descriptor->name, descriptor->name)) {
                        renew_descriptor(writer, descriptor);
                        *ret = writer;
                        return 0;
                }
        writer = calloc(1, sizeof(*writer));
        if (!writer)
                return error_origin(-ENOMEM);
        *writer = (Writer){.writers = writers, .level = -1, .next = writers->writer_list};
        writer->descriptor = descriptor_ref(descriptor);
        writers->writer_list = writer;
        *ret = writer;
        return 0;
}

/**
 * writer_free() - forget a writer; its process is told to stop
 * @writer: the writer, without connections; or NULL
 *
 * Return: NULL.
 */
Writer *writer_free(Writer *writer) {
        if (!writer)
                return NULL;
        for (Writer **w = &writer->writers->writer_list; *w; w = &(*w)->next)
                if (*w == writer) {
                        *w = writer->next;
                        break;
                }
        while (writer->queue)
                queued_event_free(writer->queue);
        if (writer->process)
                writer->process = writer->process->launcher->ops->process_free(writer->process);
        descriptor_unref(writer->descriptor);
        descriptor_unref(writer->renewed);
        free(writer->bus_unit);
        free(writer);
        return NULL;
}

/* It will not come: whoever waits for it is told. */
static void fail_waiting(Writer *writer, const char *text) {
        while (writer->queue) {
                QueuedEvent *queued = writer->queue;

                (void) notice_not_responding(writer->writers, queued->session, queued->index,
                                             queued->event.event, "%s", text);
                queued_event_free(queued);
        }
        sessions_writer_settled(writer, text);
}

static void drop_connection(Writer *writer) {
        Connection *next;

        /* Not only the registered one: also what has connected and not yet said its name. */
        for (Connection *c = writer->writers->connections; c; c = next) {
                next = connection_next(c);
                if (connection_get_writer(c) == writer)
                        connection_free(c);
        }
        if (writer->instance != 0)
                sessions_writer_gone(writer);
        writer->connection = NULL;
        writer->instance = 0;
}

/* text: the launcher's, or NULL: the process ran and ended. Return: to be freed; or NULL. */
static char *why_not_started(const Writer *writer, const char *text) {
        const Descriptor *d = writer->descriptor;
        char *problem = NULL;
        int n;

        if (text)
                n = asprintf(&problem, "writer %s was not started: %s", d->name, text);
        else if (d->hook && access(d->hook, X_OK) < 0)
                n = asprintf(&problem,
                             "writer %s was not started: %s, the script of %s, cannot be executed: %s",
                             d->name, d->hook, d->path, strerror(errno));
        else if (d->bus_name)
                n = asprintf(&problem, "writer %s (%s) was not waited for any longer", d->name, d->path);
        else
                n = asprintf(&problem, "writer %s (%s) ended before it registered; see the journal of %s",
                             d->name, d->path, d->unit);
        return n < 0 ? NULL : problem;
}

static void on_process_ended(Process *process, const char *text, void *userdata) {
        Writer *writer = userdata;
        bool starting = writer->state == WRITER_STARTING, again = writer->wanted_again;
        _cleanup_free_ char *problem = NULL;

        assert(writer->process == process);

        if (starting)
                problem = why_not_started(writer, text);
        drop_connection(writer);
        writer->process = process->launcher->ops->process_free(process);
        writer->state = WRITER_STOPPED;
        writer->wanted_again = false;
        writer->level = -1;
        writer->freeze_window_usec = 0;
        if (writer->renewed)
                set_descriptor(writer, writer->renewed);
        if (starting) {
                log_warning("%s", problem ? problem : "out of memory");
                fail_waiting(writer, problem ? problem : "out of memory");
        } else if (again && (writer->n_users > 0 || writer->queue))
                (void) writer_want(writer);
}

/**
 * writer_want() - start a writer unless it runs or is starting
 * @writer: the writer; one without a process runs at once
 *
 * A failure is told to those who wait for it.
 *
 * Return: 0 or a negative errno.
 */
int writer_want(Writer *writer) {
        Launcher *launcher =
                writer_is_on_bus(writer) ? writer->writers->bus_launcher : writer->writers->launcher;
        int r;

        switch (writer->state) {
        case WRITER_STOPPED:
                break;
        case WRITER_STOPPING:
                writer->wanted_again = true;
                return 0;
        default:
                return 0;
        }
        if (writer->descriptor->error) {
                fail_waiting(writer, writer->descriptor->error);
                return 0;
        }
        if (writer->descriptor->kind == DESCRIPTOR_STATIC) {
                writer->state = WRITER_RUNNING;
                writer->instance = ++writer->writers->last_instance;
                sessions_writer_settled(writer, NULL);
                return 0;
        }
        r = launcher->ops->start(launcher, &writer->process, writer->descriptor, on_process_ended, writer);
        if (r < 0) {
                fail_waiting(writer, strerror(-r));
                return error_trace(r);
        }
        writer->state = WRITER_STARTING;
        return 0;
}

/**
 * writer_stop() - stop a writer's process
 * @writer: the writer; whoever it takes part for is told that it is gone. A service on the bus that has
 *          registered is left alone.
 */
void writer_stop(Writer *writer) {
        if (writer_is_on_bus(writer) && writer->connection)
                return;
        if (writer->state == WRITER_STARTING)
                fail_waiting(writer, "the writer was stopped before it had registered");
        if (writer->state == WRITER_RUNNING && !writer->process) {
                writer->state = WRITER_STOPPED;
                writer->instance = 0;
                writer->level = -1;
                writer->freeze_window_usec = 0;
        }
        if (writer->state == WRITER_STARTING || writer->state == WRITER_RUNNING) {
                writer->state = WRITER_STOPPING;
                writer->process->launcher->ops->stop(writer->process);
        }
}

/**
 * writer_unuse() - a session less has this writer; after the last it is stopped
 * @writer: the writer
 */
void writer_unuse(Writer *writer) {
        assert(writer->n_users > 0);
        if (--writer->n_users == 0) {
                writer->wanted_again = false;
                writer_stop(writer);
        }
}

/**
 * writer_registered() - a process has said its name
 * @writer: the writer
 * @connection: its connection
 *
 * Return: whether it is the one that was waited for.
 */
bool writer_registered(Writer *writer, Connection *connection) {
        /* A service on the bus comes unasked, too. */
        if ((writer->state != WRITER_STARTING && !writer_is_on_bus(writer)) || writer->connection)
                return false;
        if (writer_is_on_bus(writer) && writer->process)
                writer->process = writer->process->launcher->ops->process_free(writer->process);
        writer->wanted_again = false;
        writer->state = WRITER_RUNNING;
        writer->connection = connection;
        writer->instance = ++writer->writers->last_instance;
        sessions_writer_settled(writer, NULL);
        while (writer->queue) {
                QueuedEvent *queued = writer->queue;

                (void) connection_send(connection, queued->session, queued->index, &queued->event);
                queued_event_free(queued);
        }
        return true;
}

/**
 * writer_connection_ended() - the registered connection is gone: what is left of its process is of no use
 * @writer: the writer
 */
void writer_connection_ended(Writer *writer) {
        sessions_writer_gone(writer);
        writer->connection = NULL;
        writer->instance = 0;
        writer_stop(writer);
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        QueuedEvent *queued = userdata;
        Writer *writer = queued->writer;

        if (writers_put_off_limit(writer->writers, source))
                return 0;
        (void) notice_not_responding(
                writer->writers, queued->session, queued->index, queued->event.event,
                "writer %s was started again for this event and did not register in time; "
                "see the journal of %s",
                writer->descriptor->name, writer_log_name(writer));
        queued_event_free(queued);
        return 0;
}

/**
 * writer_queue() - keep an event until the writer is there, at most until its limit
 * @writer: the writer
 * @session: the session
 * @index: the writer in it
 * @event: an event by name; its words are copied
 *
 * Return: 0 or a negative errno.
 */
int writer_queue(Writer *writer, uint64_t session, uint32_t index, const WriterEvent *event) {
        _cleanup_(queued_event_freep) QueuedEvent *queued = NULL;
        QueuedEvent **end = &writer->queue;
        int r;

        queued = calloc(1, sizeof(*queued));
        if (!queued)
                return error_origin(-ENOMEM);
        *queued = (QueuedEvent){.writer = writer, .session = session, .index = index};
        queued->event = (WriterEvent){.event = event->event,
                                      .limit_usec = event->limit_usec,
                                      .by_name = true,
                                      .outcome = event->outcome,
                                      .cause = event->cause,
                                      .persistent = event->persistent};
        queued->session_id = strdup(event->session_id ? event->session_id : "");
        queued->set_id = event->set_id ? strdup(event->set_id) : NULL;
        if (!queued->session_id || (event->set_id && !queued->set_id))
                return error_origin(-ENOMEM);
        queued->event.session_id = queued->session_id;
        queued->event.set_id = queued->set_id;
        if (event->limit_usec > 0 && event->limit_usec != USEC_INFINITY) {
                r = sd_event_add_time_relative(writer->writers->event, &queued->limit, CLOCK_BOOTTIME,
                                               event->limit_usec, 0, on_limit, queued);
                if (r < 0)
                        return error_trace(r);
        }
        while (*end)
                end = &(*end)->next;
        *end = TAKE_PTR(queued);
        return 0;
}

/**
 * writer_drop_queued() - a session is released: its waiting events go
 * @writer: the writer
 * @session: the session
 */
void writer_drop_queued(Writer *writer, uint64_t session) {
        QueuedEvent *next;

        for (QueuedEvent *q = writer->queue; q; q = next) {
                next = q->next;
                if (q->session == session)
                        queued_event_free(q);
        }
}
