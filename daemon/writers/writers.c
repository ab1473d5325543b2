/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The writers' room as the daemon sees it: sessions, and who takes part in each.
 *
 * A session is launched when each of its writers has registered or failed, or the limit has passed. From
 * then on a writer is (session, index). Which process that means is remembered per session: if it is gone,
 * its events fail, except those that go by name.
 */

#include "daemon/writers/writers.h"

#include <assert.h>

#include "contract/names.h"
#include "daemon/writers/internal.h"
#include "daemon/writers/words.h"
#include "util/error.h"
#include "util/log.h"

#define LIMIT_PUT_OFF (100 * USEC_PER_MSEC)

static Session *session_free(Session *session) {
        if (!session)
                return NULL;
        for (Session **s = &session->writers->sessions; *s; s = &(*s)->next)
                if (*s == session) {
                        *s = session->next;
                        break;
                }
        sd_event_source_disable_unref(session->launch_timer);
        for (size_t i = 0; i < session->n_participants; i++) {
                if (session->participants[i].writer)
                        writer_unuse(session->participants[i].writer);
                free(session->participants[i].name);
                free(session->participants[i].problem);
        }
        free(session->participants);
        free(session);
        return NULL;
}
DEFINE_CLEANUP(Session *, session_free)

/**
 * writers_find_session() - a session by its handle
 * @writers: the room
 * @handle: the handle
 *
 * Return: the session, or NULL.
 */
Session *writers_find_session(const Writers *writers, uint64_t handle) {
        for (Session *s = writers->sessions; s; s = s->next)
                if (s->handle == handle)
                        return s;
        return NULL;
}

/**
 * writers_find_descriptor() - a descriptor by its writer's name
 * @writers: the room
 * @name: the name
 *
 * Return: the descriptor, until the next writers_reload(); or NULL.
 */
Descriptor *writers_find_descriptor(const Writers *writers, const char *name) {
        for (size_t i = 0; i < writers->descriptors.n_items; i++)
                if (streq(writers->descriptors.items[i]->name, name))
                        return writers->descriptors.items[i];
        return NULL;
}

static int session_new(Session **ret, Writers *writers, uint64_t handle, size_t n_max) {
        _cleanup_(session_freep) Session *session = NULL;

        assert(!writers_find_session(writers, handle));
        session = calloc(1, sizeof(*session));
        if (!session)
                return error_origin(-ENOMEM);
        *session = (Session){.writers = writers, .handle = handle, .next = writers->sessions};
        writers->sessions = session;
        session->participants = calloc(n_max + 1, sizeof(*session->participants));
        if (!session->participants)
                return error_origin(-ENOMEM);
        *ret = TAKE_PTR(session);
        return 0;
}

static int session_add(Session *session, const char *name, Descriptor *descriptor) {
        Participant *p = &session->participants[session->n_participants];
        int r;

        *p = (Participant){};
        p->name = strdup(name);
        if (!p->name)
                return error_origin(-ENOMEM);
        session->n_participants++;
        if (descriptor) {
                r = writer_get(session->writers, &p->writer, descriptor);
                if (r)
                        return error_trace(r);
                p->writer->n_users++;
        }
        return 0;
}

static bool session_is_settled(const Session *session) {
        for (size_t i = 0; i < session->n_participants; i++)
                if (!session->participants[i].settled)
                        return false;
        return true;
}

static void settle(Session *session, Participant *p, const char *problem) {
        if (p->settled)
                return;
        p->settled = true;
        if (problem)
                p->problem = strdup(problem);
        else
                p->instance = p->writer->instance;
        if (session_is_settled(session))
                (void) notice_launched(session->writers, session->handle);
}

/**
 * sessions_writer_settled() - a writer has registered, or will not
 * @writer: the writer
 * @problem: NULL: it has
 */
void sessions_writer_settled(Writer *writer, const char *problem) {
        for (Session *s = writer->writers->sessions; s; s = s->next)
                for (size_t i = 0; i < s->n_participants; i++)
                        if (s->participants[i].writer == writer)
                                settle(s, &s->participants[i], problem);
}

/**
 * sessions_have_instance() - whether any session is with a writer's running process
 * @writer: the writer
 *
 * Return: true if so.
 */
bool sessions_have_instance(const Writer *writer) {
        for (const Session *s = writer->writers->sessions; s; s = s->next)
                for (size_t i = 0; i < s->n_participants; i++)
                        if (s->participants[i].writer == writer && s->participants[i].instance != 0 &&
                            s->participants[i].instance == writer->instance)
                                return true;
        return false;
}

/**
 * sessions_writer_gone() - a writer's process is gone: the sessions in which it took part are told
 * @writer: the writer, its instance still set
 */
void sessions_writer_gone(Writer *writer) {
        for (Session *s = writer->writers->sessions; s; s = s->next)
                for (size_t i = 0; i < s->n_participants; i++) {
                        Participant *p = &s->participants[i];

                        if (p->writer != writer || p->instance == 0 || p->instance != writer->instance)
                                continue;
                        p->instance = 0;
                        (void) notice_gone(s->writers, s->handle, (uint32_t) i);
                }
}

static void fill_spec(ContractWriterSpec *spec, const Participant *p) {
        const Descriptor *d = p->writer->descriptor;

        *spec = (ContractWriterSpec){.name = p->name, .available = p->instance != 0, .text = p->problem};
        spec->level = d->level_set            ? d->level
                      : p->writer->level >= 0 ? (ContractLevel) p->writer->level
                                              : CONTRACT_LEVEL_FRONT_END;
        spec->freeze_window_usec =
                d->freeze_window_usec ? d->freeze_window_usec : p->writer->freeze_window_usec;
        spec->writable_snapshots = d->writable_snapshots;
        if (!spec->available && !spec->text)
                spec->text = "the writer ended right after it had registered";
}

/**
 * session_launched() - all of a session's writers have settled: tell the daemon, once
 * @session: the session
 */
void session_launched(Session *session) {
        Writers *writers = session->writers;
        _cleanup_free_ ContractWriterSpec *specs = NULL;

        if (session->launched)
                return;
        session->launched = true;
        session->launch_timer = sd_event_source_disable_unref(session->launch_timer);
        specs = calloc(session->n_participants + 1, sizeof(*specs));
        for (size_t i = 0; specs && i < session->n_participants; i++)
                fill_spec(&specs[i], &session->participants[i]);
        if (!specs)
                log_error("out of memory, going on without writers");
        writers->config.launched(session->handle, specs, specs ? session->n_participants : 0,
                                 writers->config.userdata);
}

/**
 * writers_put_off_limit() - in the dark nobody reads the system bus, where a Register may lie
 * @writers: the room
 * @source: a timer that has come
 *
 * Return: whether it comes again, a little later, after all that has come then.
 */
bool writers_put_off_limit(const Writers *writers, sd_event_source *source) {
        return writers->bus && !sd_bus_get_event(writers->bus) &&
               sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE) >= 0 &&
               sd_event_source_set_time_relative(source, LIMIT_PUT_OFF) >= 0 &&
               sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) >= 0;
}

static int on_launch_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        Session *session = userdata;

        if (writers_put_off_limit(session->writers, source))
                return 0;
        for (size_t i = 0; i < session->n_participants; i++) {
                Participant *p = &session->participants[i];
                _cleanup_free_ char *text = NULL;

                if (p->settled)
                        continue;
                if (asprintf(&text,
                             "writer %s (%s) did not register within %" PRIu64 " s; see the journal of %s",
                             p->name, p->writer->descriptor->path,
                             session->writers->config.launch_limit_usec / USEC_PER_SEC,
                             writer_log_name(p->writer)) < 0)
                        text = NULL;
                settle(session, p, text ? text : "did not register in time");
        }
        return 0;
}

static bool is_enabled(const char *name, const char *const *names, size_t n_names, bool names_enabled) {
        for (size_t i = 0; i < n_names; i++)
                if (streq(names[i], name))
                        return names_enabled;
        return !names_enabled;
}

static int launch_participants(Session *session) {
        Writers *writers = session->writers;
        int r;

        if (session->n_participants == 0)
                return error_trace(notice_launched(writers, session->handle));
        r = sd_event_add_time_relative(writers->event, &session->launch_timer, CLOCK_BOOTTIME,
                                       writers->config.launch_limit_usec, 0, on_launch_limit, session);
        if (r < 0)
                return error_trace(r);
        for (size_t i = 0; i < session->n_participants; i++) {
                Participant *p = &session->participants[i];

                if (p->writer->descriptor->error)
                        settle(session, p, p->writer->descriptor->error);
                else if (p->writer->state == WRITER_RUNNING)
                        settle(session, p, NULL);
                else
                        (void) writer_want(p->writer); /* a failure has settled it */
        }
        return 0;
}

/**
 * writers_launch() - start the writers of a session
 * @writers: the writers
 * @session: its handle; must not be known yet
 * @names: writers' names
 * @n_names: how many
 * @names_enabled: they are the only ones enabled; false: they are disabled
 *
 * config.launched is called, later, when each has registered, failed or taken too long.
 *
 * Return: 0 or a negative errno: nothing was begun.
 */
int writers_launch(Writers *writers, uint64_t session, const char *const *names, size_t n_names,
                   bool names_enabled) {
        _cleanup_(session_freep) Session *s = NULL;
        int r;

        assert(writers);

        r = session_new(&s, writers, session, writers->descriptors.n_items);
        for (size_t i = 0; !r && i < writers->descriptors.n_items; i++) {
                Descriptor *d = writers->descriptors.items[i];

                if (is_enabled(d->name, names, n_names, names_enabled))
                        r = session_add(s, d->name, d);
        }
        if (!r)
                r = launch_participants(s);
        if (r)
                return error_trace(r);
        TAKE_PTR(s);
        return 0;
}

/**
 * writers_adopt() - a session of a daemon that died
 * @writers: the writers
 * @session: its handle; must not be known yet
 * @names: its writers, in their order
 * @n_names: how many
 *
 * Return: 0 or a negative errno.
 */
int writers_adopt(Writers *writers, uint64_t session, const char *const *names, size_t n_names) {
        _cleanup_(session_freep) Session *s = NULL;
        int r;

        assert(writers);

        r = session_new(&s, writers, session, n_names);
        for (size_t i = 0; !r && i < n_names; i++) {
                r = session_add(s, names[i], writers_find_descriptor(writers, names[i]));
                if (!r)
                        s->participants[i].settled = true;
        }
        if (r)
                return error_trace(r);
        s->launched = true;
        TAKE_PTR(s);
        return 0;
}

static Participant *find_participant(const Writers *writers, uint64_t session, uint32_t index) {
        Session *s = writers_find_session(writers, session);

        return s && index < s->n_participants ? &s->participants[index] : NULL;
}

static int send_by_name(Writers *writers, uint64_t session, uint32_t index, Writer *writer,
                        const WriterEvent *event) {
        int r;

        if (writer->state == WRITER_RUNNING && writer->connection)
                return error_trace(connection_send(writer->connection, session, index, event));
        r = writer_queue(writer, session, index, event);
        return error_trace(r ? r : writer_want(writer));
}

/**
 * writers_send() - send an event
 * @writers: the writers
 * @session: the session
 * @writer: index in the session
 * @event: the event; needed during the call only
 *
 * config.answered or config.gone is called, later, once; what cannot be sent is answered NOT_RESPONDING.
 *
 * Return: 0; -ENOENT: no such writer; -ENOMEM.
 */
int writers_send(Writers *writers, uint64_t session, uint32_t writer, const WriterEvent *event) {
        Participant *p;

        assert(writers && event && event->event > CONTRACT_EVENT_NONE && event->event < _CONTRACT_EVENT_MAX);

        p = find_participant(writers, session, writer);
        if (!p)
                return error_origin(-ENOENT);
        log_debug("writer %s: event %s", p->name, contract_event_to_string(event->event));
        if (!p->writer)
                return error_trace(notice_not_responding(writers, session, writer, event->event,
                                                         "writer %s has no descriptor any more", p->name));
        if (p->writer->descriptor->kind == DESCRIPTOR_STATIC)
                return error_trace(notice_good(writers, session, writer, event->event,
                                               p->writer->descriptor->metadata));
        if (event->by_name)
                return error_trace(send_by_name(writers, session, writer, p->writer, event));
        if (p->writer->connection && p->instance != 0 && p->instance == p->writer->instance)
                return error_trace(connection_send(p->writer->connection, session, writer, event));
        return error_trace(notice_not_responding(
                writers, session, writer, event->event, "%s",
                p->problem ? p->problem : "the writer's process that took part in this session is gone"));
}

/**
 * writers_stop() - stop a writer that does not answer (C30)
 * @writers: the writers
 * @session: the session
 * @writer: index in the session
 *
 * Return: 0; -ENOENT: no such writer.
 */
int writers_stop(Writers *writers, uint64_t session, uint32_t writer) {
        Participant *p;

        assert(writers);

        p = find_participant(writers, session, writer);
        if (!p)
                return error_origin(-ENOENT);
        if (!p->writer)
                return 0;
        log_warning("writer %s does not answer, stopping %s", p->name, writer_log_name(p->writer));
        if (p->writer->connection && writer_is_on_bus(p->writer))
                writers->launcher->ops->stop_other(writers->launcher, writer_get_unit(p->writer),
                                                   connection_get_pid(p->writer->connection));
        else
                writer_stop(p->writer);
        return 0;
}

/**
 * writers_release() - a session is gone
 * @writers: the writers
 * @session: the session; unknown ones are fine
 *
 * Nothing is told of it any more; writers that no other session has are stopped.
 */
void writers_release(Writers *writers, uint64_t session) {
        Session *s;

        assert(writers);

        s = writers_find_session(writers, session);
        if (!s)
                return;
        notices_drop_session(writers, session);
        for (Writer *w = writers->writer_list; w; w = w->next)
                writer_drop_queued(w, session);
        for (Connection *c = writers->connections; c; c = connection_next(c))
                connection_drop_session(c, session);
        session_free(s);
}

/**
 * writers_get_unit() - what runs a writer
 * @writers: the writers
 * @session: the session
 * @writer: index in the session
 *
 * Return: the unit's name, or NULL.
 */
const char *writers_get_unit(const Writers *writers, uint64_t session, uint32_t writer) {
        const Participant *p = find_participant(writers, session, writer);

        return p && p->writer ? writer_get_unit(p->writer) : NULL;
}

/**
 * writers_get_process() - which process takes part in a session (C29)
 * @writers: the writers
 * @session: the session
 * @writer: index in the session
 *
 * Return: its pid; 0: there is none, or it is gone.
 */
pid_t writers_get_process(const Writers *writers, uint64_t session, uint32_t writer) {
        const Participant *p = find_participant(writers, session, writer);

        if (!p || !p->writer || !p->writer->connection || p->instance == 0 ||
            p->instance != p->writer->instance)
                return 0;
        return connection_get_pid(p->writer->connection);
}

/**
 * writers_busy() - whether a session has a writer running
 * @writers: the writers
 *
 * Return: also true while one is starting or stopping; a service on the bus that no session has does not
 * count.
 */
bool writers_busy(const Writers *writers) {
        for (const Writer *w = writers->writer_list; w; w = w->next)
                if (w->state != WRITER_STOPPED && (w->n_users > 0 || !writer_is_idle(w)))
                        return true;
        return false;
}
