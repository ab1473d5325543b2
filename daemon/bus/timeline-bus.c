/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GetTimeline; see timeline-bus.h. That of a session which is there is made of what is known of it now; that
 * of a set whose session is over is read from its record.
 */

#include "daemon/bus/timeline-bus.h"

#include "daemon/bus/access.h"
#include "daemon/bus/delete.h"
#include "daemon/records/set-store.h"
#include "daemon/session-timeline.h"
#include "util/error.h"
#include "util/log.h"

static void reply_timeline(sd_bus_message *call, const Timeline *timeline) {
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = timeline_append(reply, timeline);
        bus_reply_send(call, reply, r);
        sd_bus_message_unref(reply);
}

static void reply_of_session(sd_bus_message *call, const SessionObject *session) {
        _cleanup_(timeline_done) Timeline timeline = {};
        int r;

        r = session_timeline(session, false, &timeline);
        if (r < 0)
                bus_reply_sent(call, r);
        else
                reply_timeline(call, &timeline);
}

static _printf_(3, 4) void reply_error(sd_bus_message *call, ContractError code, const char *format, ...) {
        char text[CONTRACT_TEXT_MAX];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        bus_reply_error(call, code, text);
}

/* One that waits for its record. */
typedef struct Reading {
        KeptCall *call;
        char set_id[CONTRACT_ID_MAX];
} Reading;

static void reply_no_record(const Reading *reading, int r) {
        if (r == -ENOENT)
                reply_error(
                        reading->call->message, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                        "GetTimeline: snapshot set %s has no record: what happened when it was made is not "
                        "known (any more).",
                        reading->set_id);
        else
                reply_error(reading->call->message, CONTRACT_ERROR_UNEXPECTED,
                            "GetTimeline: the record of snapshot set %s cannot be read: %s.",
                            reading->set_id, strerror(-r));
}

/* SetStoreRead */
static void record_read(int r, const char *text, size_t n_text, void *userdata) {
        _cleanup_(timeline_done) Timeline timeline = {};
        char error[TIMELINE_ERROR_SIZE] = "";
        Reading *reading = userdata;
        sd_bus_message *call = reading->call->message;

        if (r < 0)
                reply_no_record(reading, r);
        else {
                r = timeline_from_json(&timeline, text, n_text, error);
                if (r == 0)
                        reply_timeline(call, &timeline);
                else if (r == -ENOMEM)
                        bus_reply_sent(call, r);
                else {
                        log_warning("the record of snapshot set %s cannot be used, it stays as it is: %s",
                                    reading->set_id, error);
                        reply_error(call, CONTRACT_ERROR_INVALID_DOCUMENT,
                                    "GetTimeline: the record of snapshot set %s cannot be used: %s.",
                                    reading->set_id, error);
                }
        }
        (void) kept_call_free(reading->call);
        free(reading);
}

static int read_record(Manager *manager, KeptCall **call, const char *set_id) {
        Reading *reading = calloc(1, sizeof(*reading));
        int r;

        if (!reading)
                return error_origin(-ENOMEM);
        reading->call = *call;
        (void) snprintf(reading->set_id, sizeof(reading->set_id), "%s", set_id);
        r = set_store_read(manager->set_store, set_id, record_read, reading);
        if (r < 0)
                free(reading);
        else
                *call = NULL; /* record_read()'s */
        return error_trace(r);
}

/* SnapshotAllowed, with the id of a set */
static void of_set_allowed(Manager *manager, KeptCall **call, const char *set_id) {
        const PublishedSet *set = published_find(manager, set_id);
        const SessionObject *session = set ? session_object_find_id(manager, set->session_id) : NULL;
        int r;

        if (!set)
                bus_reply_error((*call)->message, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                                "GetTimeline: the set has been deleted meanwhile.");
        else if (session && !session->recovered)
                reply_of_session((*call)->message, session);
        else {
                r = read_record(manager, call, set_id);
                if (r < 0)
                        bus_reply_sent((*call)->message, r);
        }
}

/**
 * set_get_timeline() - SnapshotSet.GetTimeline
 * @set:        on the bus
 * @m:          the call; answered here or later
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int set_get_timeline(PublishedSet *set, sd_bus_message *m, sd_bus_error *reterr) {
        int r;

        r = options_read_none(m, reterr);
        return r < 0 ? r : snapshot_check_access(m, set, set->id, of_set_allowed, reterr);
}

/* AccessGranted; userdata: the session's id */
static void of_session_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        const SessionObject *session = session_object_find_id(manager, userdata);

        if (session && !session_object_is_unheard(session))
                reply_of_session((*call)->message, session);
        else
                bus_reply_error((*call)->message, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                                "GetTimeline: the session has ended meanwhile.");
}

/**
 * session_get_timeline() - Session.GetTimeline
 * @session:    the session
 * @m:          the call; answered here or later
 * @reterr:     what is wrong with it
 *
 * Its requester may, as may whoever may end it.
 *
 * Return: 1, or a negative errno.
 */
int session_get_timeline(SessionObject *session, sd_bus_message *m, sd_bus_error *reterr) {
        const AccessQuestion question = {.action = ACTION_ADMINISTER,
                                         .own_action = ACTION_BACKUP,
                                         .own_uid = (uint32_t) session->record.uid};
        char *id;
        int r;

        r = options_read_none(m, reterr);
        if (r < 0)
                return r;
        if (session->owner && streq(owner_get_name(session->owner), sd_bus_message_get_sender(m))) {
                reply_of_session(m, session);
                return 1;
        }
        id = strdup(session->record.id);
        if (!id)
                return error_origin(-ENOMEM);
        return access_check(session->manager, m, &question, of_session_granted, id, free, reterr);
}
