/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What happened within a call of writers_…() is told from the event loop: callers are never called back from
 * within their own call.
 */

#include <assert.h>
#include <stdarg.h>

#include "daemon/writers/internal.h"
#include "util/error.h"

typedef enum NoticeType {
        NOTICE_LAUNCHED,
        NOTICE_GONE,
        NOTICE_NOT_RESPONDING,
        NOTICE_GOOD,
} NoticeType;

struct Notice {
        Notice *next;
        NoticeType type;
        uint64_t session;
        uint32_t index;
        ContractEvent event;
        char *text;
        WriterMetadata *metadata;
};

static Notice *notice_free(Notice *notice) {
        if (notice) {
                free(notice->text);
                (void) writer_metadata_unref(notice->metadata);
                free(notice);
        }
        return NULL;
}
DEFINE_CLEANUP(Notice *, notice_free)

static void tell(Writers *writers, const Notice *notice) {
        WriterAnswer answer = {.failure = CONTRACT_FAILURE_NOT_RESPONDING, .text = notice->text};
        const WriterAnswer good = {.metadata = notice->metadata};
        Session *session;

        switch (notice->type) {
        case NOTICE_LAUNCHED:
                session = writers_find_session(writers, notice->session);
                if (session)
                        session_launched(session);
                break;
        case NOTICE_GONE:
                writers->config.gone(notice->session, notice->index, writers->config.userdata);
                break;
        case NOTICE_NOT_RESPONDING:
                writers->config.answered(notice->session, notice->index, notice->event, &answer,
                                         writers->config.userdata);
                break;
        case NOTICE_GOOD:
                writers->config.answered(notice->session, notice->index, notice->event, &good,
                                         writers->config.userdata);
                break;
        }
}

static int on_notices(sd_event_source *source, void *userdata) {
        Writers *writers = userdata;
        _cleanup_(notice_freep) Notice *notice = writers->notices;

        /* One at a time: what is told may change the list. */
        if (notice) {
                writers->notices = notice->next;
                if (!writers->notices)
                        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
                tell(writers, notice);
        } else
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static int add(Writers *writers, Notice *notice) {
        Notice **end = &writers->notices;
        int r;

        while (*end)
                end = &(*end)->next;
        *end = notice;
        r = sd_event_source_set_enabled(writers->notice_source, SD_EVENT_ON);
        return error_trace(r < 0 ? r : 0);
}

static int notice_new(Notice **ret, NoticeType type, uint64_t session, uint32_t index) {
        Notice *notice = NULL;

        notice = calloc(1, sizeof(*notice));
        if (!notice)
                return error_origin(-ENOMEM);
        *notice = (Notice){.type = type, .session = session, .index = index};
        *ret = notice;
        return 0;
}

/**
 * notice_launched() - the writers of a session are there, or will not come
 * @writers: the room
 * @session: the session
 *
 * Return: 0 or a negative errno.
 */
int notice_launched(Writers *writers, uint64_t session) {
        Notice *notice = NULL;
        int r;

        r = notice_new(&notice, NOTICE_LAUNCHED, session, 0);
        return error_trace(r ? r : add(writers, notice));
}

/**
 * notice_gone() - a process that took part in a session is gone
 * @writers: the room
 * @session: the session
 * @index: the writer in it
 *
 * Return: 0 or a negative errno.
 */
int notice_gone(Writers *writers, uint64_t session, uint32_t index) {
        Notice *notice = NULL;
        int r;

        r = notice_new(&notice, NOTICE_GONE, session, index);
        return error_trace(r ? r : add(writers, notice));
}

/**
 * notice_not_responding() - an event cannot be delivered, or will not be answered
 * @writers: the room
 * @session: the session
 * @index: the writer in it
 * @event: the event
 * @format: why, for people
 *
 * Return: 0 or a negative errno.
 */
int notice_not_responding(Writers *writers, uint64_t session, uint32_t index, ContractEvent event,
                          const char *format, ...) {
        Notice *notice = NULL;
        va_list arguments;
        int r;

        r = notice_new(&notice, NOTICE_NOT_RESPONDING, session, index);
        if (r)
                return error_trace(r);
        notice->event = event;
        va_start(arguments, format);
        if (vasprintf(&notice->text, format, arguments) < 0)
                notice->text = NULL;
        va_end(arguments);
        return error_trace(add(writers, notice));
}

/**
 * notice_good() - a writer without a process has had an event: there is nothing it could have to do
 * @writers: the room
 * @session: the session
 * @index: the writer in it
 * @event: the event
 * @metadata: its answer to Identify
 *
 * Return: 0 or a negative errno.
 */
int notice_good(Writers *writers, uint64_t session, uint32_t index, ContractEvent event,
                WriterMetadata *metadata) {
        Notice *notice = NULL;
        int r;

        r = notice_new(&notice, NOTICE_GOOD, session, index);
        if (r)
                return error_trace(r);
        notice->event = event;
        notice->metadata = event == CONTRACT_EVENT_IDENTIFY ? writer_metadata_ref(metadata) : NULL;
        return error_trace(add(writers, notice));
}

/**
 * notices_init() - nothing to tell yet
 * @writers: the room
 *
 * Return: 0 or a negative errno.
 */
int notices_init(Writers *writers) {
        int r;

        r = sd_event_add_defer(writers->event, &writers->notice_source, on_notices, writers);
        if (r >= 0)
                r = sd_event_source_set_enabled(writers->notice_source, SD_EVENT_OFF);
        return error_trace(r < 0 ? r : 0);
}

/**
 * notices_drop_session() - a session is released: nothing is told of it any more
 * @writers: the room
 * @session: the session
 */
void notices_drop_session(Writers *writers, uint64_t session) {
        for (Notice **n = &writers->notices; *n;) {
                Notice *notice = *n;

                if (notice->session != session) {
                        n = &notice->next;
                        continue;
                }
                *n = notice->next;
                notice_free(notice);
        }
}

/**
 * notices_done() - what has not been told never will be
 * @writers: the room
 */
void notices_done(Writers *writers) {
        while (writers->notices) {
                Notice *notice = writers->notices;

                writers->notices = notice->next;
                notice_free(notice);
        }
        writers->notice_source = sd_event_source_disable_unref(writers->notice_source);
}
