/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The end of a session whose quiesced ended before it: what happened until then is in the record of its set,
 * what came after it is known here. The record is read, added to, and written again.
 */

#include <time.h>

#include "daemon/records/set-store.h"
#include "daemon/session-timeline.h"
#include "util/error.h"
#include "util/log.h"

/* One that waits for its record. */
typedef struct Ending {
        SetStore *store;
        Timeline timeline;            /* what came after */
        uint64_t begin_realtime_usec; /* where that begins, CLOCK_REALTIME */
} Ending;

static void ending_free(Ending *ending) {
        timeline_done(&ending->timeline);
        free(ending);
}

static TimelineWriter *find_writer(Timeline *timeline, const char *name) {
        for (size_t i = 0; i < timeline->n_writers; i++)
                if (streq(timeline->writers[i].name, name))
                        return &timeline->writers[i];
        return NULL;
}

/* A writer's first failure is the one that is told. */
static int add_to_writer(TimelineWriter *writer, const TimelineWriter *after, uint64_t shift_usec) {
        int r = 0;

        for (size_t i = 0; i < after->events.n_items && r == 0; i++) {
                TimelineSpan span = after->events.items[i];

                span.begin_usec += shift_usec;
                r = timeline_add_span(&writer->events, &span);
        }
        if (r < 0 || writer->failure[0] || after->events.n_items == 0)
                return error_trace(r);
        r = timeline_set(&writer->state, after->state);
        if (r == 0)
                r = timeline_set(&writer->failure, after->failure);
        if (r == 0 && after->text[0])
                r = timeline_set(&writer->text, after->text);
        return error_trace(r);
}

static int add_ending(Timeline *record, const Ending *ending) {
        uint64_t shift_usec = ending->begin_realtime_usec > record->begin_usec
                                      ? ending->begin_realtime_usec - record->begin_usec
                                      : 0;
        int r;

        r = timeline_set(&record->outcome, ending->timeline.outcome);
        for (size_t i = 0; i < ending->timeline.n_writers && r == 0; i++) {
                const TimelineWriter *after = &ending->timeline.writers[i];
                TimelineWriter *writer = find_writer(record, after->name);

                if (writer)
                        r = add_to_writer(writer, after, shift_usec);
        }
        return error_trace(r);
}

/* SetStoreRead; a record that is not there, or no good, is left so: what is known here is not the half of
 * it. */
static void record_read(int r, const char *text, size_t n_text, void *userdata) {
        _cleanup_(timeline_done) Timeline record = {};
        char error[TIMELINE_ERROR_SIZE] = "";
        Ending *ending = userdata;
        char *added = NULL;

        if (r == 0)
                r = timeline_from_json(&record, text, n_text, error);
        if (r == 0)
                r = add_ending(&record, ending);
        if (r == 0)
                r = session_timeline_print(&record, &added);
        if (r == 0)
                set_store_write(ending->store, ending->timeline.set, added);
        else if (r != -ENOENT && r != -ECANCELED)
                log_warning("how the session of snapshot set %s ended is not added to its record: %s",
                            ending->timeline.set, error[0] ? error : strerror(-r));
        ending_free(ending);
}

/**
 * session_timeline_save_recovered() - add the end of a session of the last run to the record of its set
 * @session:    the session, which is gone for good
 */
void session_timeline_save_recovered(const SessionObject *session) {
        Ending *ending = calloc(1, sizeof(*ending));
        ContractSessionInfo info;
        int r = -ENOMEM;

        if (ending && session_object_get_info(session, &info)) {
                ending->store = session->manager->set_store;
                ending->begin_realtime_usec =
                        now_usec(CLOCK_REALTIME) - (now_usec(CLOCK_BOOTTIME) - info.opened_usec);
                r = session_timeline(session, true, &ending->timeline);
                if (r == 0)
                        r = set_store_read(ending->store, session->record.set_id, record_read, ending);
        }
        if (r == 0)
                return;
        log_warning("how session %s ended is not added to the record of its set: %s", session->record.id,
                    strerror(-r));
        if (ending)
                ending_free(ending);
}
