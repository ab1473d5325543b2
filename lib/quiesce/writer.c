/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What happens to an event, and the writer's own guard.
 *
 * From the moment a Freeze arrives its session is "frozen" here, whatever the callback answered, until a
 * Thaw or an Abort arrives. If none can arrive any more (the connection ended, the writer is told to stop)
 * or none came within the window, the library calls `abort` itself: nobody stays frozen because quiesced
 * died. A Thaw that comes after that fails, because what was to be held still was not.
 */

#include <assert.h>

#include "quiesce/writer-internal.h"
#include "util/error.h"

static FrozenSession *frozen_session_free(FrozenSession *session) {
        if (!session)
                return NULL;
        for (FrozenSession **s = &session->writer->frozen; *s; s = &(*s)->next)
                if (*s == session) {
                        *s = session->next;
                        break;
                }
        sd_event_source_disable_unref(session->window);
        free(session->id);
        free(session->set_id);
        free(session);
        return NULL;
}
DEFINE_CLEANUP(FrozenSession *, frozen_session_free)

static FrozenSession *frozen_session_find(QuiesceWriter *writer, const char *id) {
        for (FrozenSession *s = writer->frozen; s; s = s->next)
                if (streq(s->id, id))
                        return s;
        return NULL;
}

static QuiesceWriterCallback callback_of(const QuiesceWriter *writer, QuiesceWriterEventType type) {
        const QuiesceWriterCallbacks *c = &writer->callbacks;

        switch (type) {
        case QUIESCE_EVENT_IDENTIFY:
                return c->identify;
        case QUIESCE_EVENT_PREPARE_FOR_BACKUP:
                return c->prepare_backup;
        case QUIESCE_EVENT_PREPARE_FOR_SNAPSHOT:
                return c->prepare_snapshot;
        case QUIESCE_EVENT_FREEZE:
                return c->freeze;
        case QUIESCE_EVENT_THAW:
                return c->thaw;
        case QUIESCE_EVENT_POST_SNAPSHOT:
                return c->post_snapshot;
        case QUIESCE_EVENT_ABORT:
                return c->abort;
        case QUIESCE_EVENT_BACKUP_COMPLETE:
                return c->backup_complete;
        case QUIESCE_EVENT_BACKUP_SHUTDOWN:
                return c->backup_shutdown;
        case QUIESCE_EVENT_PRE_RESTORE:
                return c->pre_restore;
        case QUIESCE_EVENT_POST_RESTORE:
                return c->post_restore;
        case QUIESCE_EVENT_SESSION_CLOSED:
                return c->session_closed;
        default:
                return NULL;
        }
}

static int call(QuiesceWriter *writer, QuiesceWriterCallback callback, QuiesceWriterEvent *event) {
        return callback ? callback(writer, event, writer->userdata) : 0;
}

/* Calls what the event is for. Its answer: now, or QUIESCE_WRITER_PENDING. */
static void run_event(QuiesceWriterEvent *event) {
        QuiesceWriter *writer = event->writer;
        int r;

        if (event->type == QUIESCE_EVENT_ABORT && !writer->callbacks.abort) {
                event->aborting_by_default = true;
                r = call(writer, writer->callbacks.thaw, event);
        } else
                r = call(writer, callback_of(writer, event->type), event);
        if (r != QUIESCE_WRITER_PENDING)
                quiesce_writer_event_answer(event, r);
}

/* The guard's own Abort of a session that is frozen. */
static void guard_session(FrozenSession *session, const char *why) {
        _cleanup_(frozen_session_freep) FrozenSession *s = session;
        QuiesceWriterEvent *event;

        /* Without memory for an event the thaw below cannot be told of its session; it must come anyway. */
        if (writer_event_new(&event, s->writer, QUIESCE_EVENT_ABORT) < 0)
                abort();
        event->session = event->own_session = TAKE_PTR(s->id);
        event->set = event->own_set = TAKE_PTR(s->set_id);
        event->guard = why;
        s = frozen_session_free(s);
        run_event(event);
}

static int on_window(sd_event_source *source, uint64_t usec, void *userdata) {
        guard_session(userdata, "window");
        return 0;
}

static int frozen_session_add(QuiesceWriter *writer, QuiesceWriterEvent *event) {
        _cleanup_(frozen_session_freep) FrozenSession *s = NULL;
        uint64_t window = event->limit_usec;
        int r;

        if (frozen_session_find(writer, event->session))
                return 0;
        s = calloc(1, sizeof(*s));
        if (!s)
                return error_origin(-ENOMEM);
        s->writer = writer;
        s->id = strdup(event->session);
        s->set_id = strdup(event->set);
        if (!s->id || !s->set_id)
                return error_origin(-ENOMEM);
        if (window == UINT64_MAX || window == 0)
                window = writer->freeze_window_usec ? writer->freeze_window_usec : WRITER_FREEZE_WINDOW;
        r = sd_event_add_time_relative(writer->event, &s->window, CLOCK_BOOTTIME, window, 1, on_window, s);
        if (r < 0)
                return error_trace(r);
        s->next = writer->frozen;
        writer->frozen = TAKE_PTR(s);
        return 0;
}

/**
 * writer_dispatch() - an event has arrived
 * @writer: the writer
 * @event: taken
 *
 * What it means for the guard is remembered, then the callback is called.
 */
void writer_dispatch(QuiesceWriter *writer, QuiesceWriterEvent *event) {
        FrozenSession *session = frozen_session_find(writer, event->session);
        int r = 0;

        if (event->type == QUIESCE_EVENT_BACKUP_SHUTDOWN)
                writer_places_forget(writer, event->session);
        if (event->type == QUIESCE_EVENT_FREEZE) {
                r = frozen_session_add(writer, event);
        } else if (event->type == QUIESCE_EVENT_THAW && !session) {
                r = quiesce_writer_event_fail(
                        event, QUIESCE_FAILURE_TIMEOUT,
                        "%s: Thaw came after the writer had let go by itself (its freeze "
                        "window had passed), the set may not be consistent; back up again",
                        writer->name);
        } else if (event->type == QUIESCE_EVENT_THAW || event->type == QUIESCE_EVENT_ABORT) {
                session = frozen_session_free(session);
        }
        if (r < 0)
                quiesce_writer_event_answer(event, r);
        else
                run_event(event);
}

static void maybe_closed(QuiesceWriter *writer) {
        void (*closed)(QuiesceWriter *, int, void *) = writer->closed;

        if (!writer->ending || ((writer->events || writer->frozen) && !writer->end_limit_passed))
                return;
        writer->closed = NULL;
        writer->end_limit = sd_event_source_disable_unref(writer->end_limit);
        writer_bus_close(writer);
        if (closed)
                closed(writer, writer->end_reason, writer->userdata);
}

static int on_end_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        QuiesceWriter *writer = userdata;

        writer->end_limit_passed = true;
        maybe_closed(writer);
        return 0;
}

/**
 * writer_let_go() - nobody is there who could send a Thaw
 * @writer: the writer
 */
void writer_let_go(QuiesceWriter *writer) {
        while (writer->frozen)
                guard_session(writer->frozen, "connection");
        writer_places_forget(writer, NULL);
}

/**
 * writer_end() - the connection has ended, or is to end: nobody will send a Thaw
 * @writer: the writer
 * @r: what `closed` is told when all that was begun is done
 */
void writer_end(QuiesceWriter *writer, int r) {
        if (writer->ending)
                return;
        writer->ending = true;
        writer->end_reason = r;
        /* An event that is never answered must not keep a process that nobody talks to any more. */
        (void) sd_event_add_time_relative(writer->event, &writer->end_limit, CLOCK_BOOTTIME,
                                          WRITER_END_LIMIT, 0, on_end_limit, writer);
        writer_let_go(writer);
        maybe_closed(writer);
}

/**
 * quiesce_writer_abort_frozen() - let go of whatever is frozen
 * @writer: the writer
 *
 * For a program that must end in between: calls `abort` for every session that was sent Freeze and neither
 * Thaw nor Abort (CVssWriter::OnAbort, which VSS calls when the window has passed).
 */
_public_ void quiesce_writer_abort_frozen(QuiesceWriter *writer) {
        assert(writer);

        while (writer->frozen)
                guard_session(writer->frozen, "stop");
}

/**
 * quiesce_writer_event_answer() - answer an event
 * @event: the event, gone afterwards
 * @r: 0: good (unless quiesce_writer_event_fail() was called); negative errno: failed
 *
 * Called by the library itself unless the callback returned QUIESCE_WRITER_PENDING. For a default Abort the
 * library calls `post_snapshot` when `thaw` is answered, and answers after that.
 */
_public_ void quiesce_writer_event_answer(QuiesceWriterEvent *event, int r) {
        QuiesceWriter *writer;

        if (!event)
                return;
        writer = event->writer;
        if (event->aborting_by_default) {
                event->aborting_by_default = false;
                if (r < 0)
                        (void) quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE, "%s",
                                                         strerror(-r));
                r = call(writer, writer->callbacks.post_snapshot, event);
                if (r == QUIESCE_WRITER_PENDING)
                        return;
        }
        writer_bus_answer(event, r);
        writer_event_free(event);
        maybe_closed(writer);
}
