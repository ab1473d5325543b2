/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Timelines of sessions; see session-timeline.h. Called outside of the dark only.
 */

#include "daemon/session-timeline.h"

#include <time.h>

#include "contract/names.h"
#include "daemon/bus/publish.h"
#include "daemon/records/set-store.h"
#include "util/error.h"
#include "util/log.h"

/* What goes into one: the session as of one moment. */
typedef struct Maker {
        const SessionObject *session;
        ContractSessionInfo info;
        uint64_t now_usec; /* CLOCK_BOOTTIME, as all times until they are in the timeline */
        Timeline *timeline;
} Maker;

/* end_usec: 0: it has not ended, it has lasted until now. */
static int add_span(const Maker *maker, TimelineSpans *spans, const char *name, uint64_t begin_usec,
                    uint64_t end_usec, uint64_t limit_usec, const char *outcome) {
        TimelineSpan span = {.limit_usec = limit_usec};

        if (begin_usec < maker->info.opened_usec)
                return 0; /* it has not begun */
        if (end_usec == 0)
                end_usec = maker->now_usec;
        span.begin_usec = begin_usec - maker->info.opened_usec;
        span.duration_usec = end_usec > begin_usec ? end_usec - begin_usec : 0;
        (void) snprintf(span.name, sizeof(span.name), "%s", name);
        (void) snprintf(span.outcome, sizeof(span.outcome), "%s", outcome);
        return error_trace(timeline_add_span(spans, &span));
}

static int add_events(const Maker *maker, TimelineWriter *writer, const ContractWriterInfo *info) {
        int r = 0;

        for (ContractEvent event = CONTRACT_EVENT_NONE + 1; event < _CONTRACT_EVENT_MAX && r == 0; event++) {
                uint64_t begin = info->sent_usec[event], end = begin + info->duration_usec[event];

                if (info->answers[event] == CONTRACT_ANSWER_NONE)
                        continue;
                if (info->answers[event] == CONTRACT_ANSWER_PENDING)
                        end = 0;
                /* Not answered, but no longer waited for: until when is not kept, Abort's begin tells it. */
                if (info->answers[event] == CONTRACT_ANSWER_OVERTAKEN)
                        end = info->sent_usec[CONTRACT_EVENT_ABORT];
                r = add_span(maker, &writer->events, contract_event_to_string(event), begin, end,
                             info->limit_usec[event], contract_answer_to_string(info->answers[event]));
        }
        return error_trace(r);
}

static int add_writer(const Maker *maker, uint32_t index, const ContractWriterInfo *info) {
        const SessionObject *session = maker->session;
        TimelineWriter *writer;
        int r;

        r = timeline_add_writer(maker->timeline, &writer);
        if (r == 0)
                r = timeline_set(&writer->name, info->name);
        if (r == 0)
                r = timeline_set(&writer->level, contract_level_to_string(info->level));
        if (r == 0)
                r = timeline_set(&writer->unit,
                                 writers_get_unit(session->manager->writers, session->handle, index));
        if (r == 0)
                r = timeline_set(&writer->state, contract_writer_state_to_string(info->state));
        if (r == 0 && info->failure != CONTRACT_FAILURE_NONE)
                r = timeline_set(&writer->failure, contract_failure_to_string(info->failure));
        if (r == 0)
                r = timeline_set(&writer->text, info->text);
        if (r < 0)
                return error_trace(r);
        writer->takes_part = info->takes_part;
        return error_trace(add_events(maker, writer, info));
}

static int add_volume(const Maker *maker, SnapshotSet *set, size_t index, const SnapshotInfo *info,
                      uint64_t limit_usec) {
        TimelineVolume *volume;
        SnapshotTimes t;
        int r;

        r = timeline_add_volume(maker->timeline, &volume);
        if (r == 0)
                r = timeline_set(&volume->name, info->volume);
        if (r == 0)
                r = timeline_set(&volume->snapshot, info->id);
        if (r == 0)
                r = timeline_set(&volume->provider, info->provider);
        if (r < 0 || !snapshot_set_get_snapshot_times(set, index, &t))
                return error_trace(r);
        r = add_span(maker, &volume->times, "hold", t.suspend_begin_usec, t.resumed_usec, limit_usec, "");
        if (r == 0)
                r = add_span(maker, &volume->times, "suspend", t.suspend_begin_usec, t.suspended_usec, 0,
                             "");
        if (r == 0)
                r = add_span(maker, &volume->times, "commit", t.commit_begin_usec, t.committed_usec, 0, "");
        if (r == 0)
                r = add_span(maker, &volume->times, "resume", t.resume_begin_usec, t.resumed_usec, 0, "");
        return error_trace(r);
}

static int add_set(const Maker *maker, const char *set_id) {
        SnapshotSet *set = set_id ? sets_find(maker->session->manager->sets, set_id) : NULL;
        SetTimes times = {};
        SnapshotInfo snapshot;
        SetInfo info;
        int r = 0;

        if (!set || !snapshot_set_get_info(set, &info))
                return 0;
        if (snapshot_set_get_times(set, &times))
                r = add_span(maker, &maker->timeline->windows, "hold", times.hold_begin_usec,
                             times.hold_end_usec, times.hold_limit_usec, "");
        for (size_t i = 0; i < info.n_snapshots && r == 0; i++)
                if (snapshot_set_get_snapshot(set, i, &snapshot))
                        r = add_volume(maker, set, i, &snapshot, times.hold_limit_usec);
        return error_trace(r);
}

static int add_windows_and_steps(const Maker *maker) {
        const ContractSessionInfo *info = &maker->info;
        TimelineSpans *windows = &maker->timeline->windows;
        int r;

        r = add_span(maker, windows, "freeze", info->freeze_begin_usec, info->freeze_end_usec, 0, "");
        if (r == 0)
                r = add_span(maker, windows, "dark", info->dark_begin_usec, info->dark_end_usec, 0, "");
        for (ContractStep step = CONTRACT_STEP_END_PREPARE; step <= CONTRACT_STEP_SEAL && r == 0; step++)
                r = add_span(maker, &maker->timeline->steps, contract_step_to_string(step),
                             info->step_begin_usec[step], info->step_end_usec[step], 0, "");
        return error_trace(r);
}

static int set_texts(const Maker *maker, const char *set_id, bool ended) {
        const SessionObject *session = maker->session;
        Timeline *timeline = maker->timeline;
        int r;

        r = timeline_set(&timeline->set, set_id);
        if (r == 0)
                r = timeline_set(&timeline->session, session->record.id);
        if (r == 0)
                r = timeline_set(&timeline->context, contract_context_to_string(maker->info.context));
        if (r == 0)
                r = timeline_set(&timeline->backup_type, session->backup_type);
        if (r == 0 && session->record.set_id[0])
                r = timeline_set(&timeline->consistency,
                                 contract_consistency_to_string(maker->info.consistency));
        if (r == 0 && ended)
                r = timeline_set(&timeline->outcome, contract_outcome_to_string(maker->info.outcome));
        timeline->uid = (uint32_t) session->record.uid;
        timeline->begin_usec = session->record.since_usec;
        return error_trace(r);
}

/**
 * session_timeline() - what happened in a session so far
 * @session:    the session, known to the contract
 * @ended:      it is gone for good: its outcome is told
 * @timeline:   empty; filled in
 *
 * Return: 0, or a negative errno; -ENOENT: the contract does not know it (any more).
 */
int session_timeline(const SessionObject *session, bool ended, Timeline *timeline) {
        Maker maker = {.session = session, .now_usec = now_usec(CLOCK_BOOTTIME), .timeline = timeline};
        ContractWriterInfo writer;
        const char *set_id;
        int r;

        if (!session_object_get_info(session, &maker.info))
                return error_origin(-ENOENT);
        set_id = session->record.set_id[0] ? session->record.set_id : maker.info.set_id;
        r = set_texts(&maker, set_id, ended);
        if (r == 0)
                r = add_windows_and_steps(&maker);
        for (uint32_t i = 0;
             r == 0 && contract_get_writer(session->manager->contract, session->handle, i, &writer); i++)
                r = add_writer(&maker, i, &writer);
        if (r == 0)
                r = add_set(&maker, set_id);
        return error_trace(r < 0 ? r : timeline_set_texts(timeline));
}

/**
 * session_timeline_print() - a timeline as its record has it
 * @timeline:   it, with all its strings set
 * @ret:        JSON text; free() it
 *
 * Return: 0; -EFBIG: it is larger than a record may be; -ENOMEM.
 */
int session_timeline_print(const Timeline *timeline, char **ret) {
        json_t *json = timeline_to_json(timeline);

        *ret = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
        json_decref(json);
        if (!*ret)
                return error_origin(-ENOMEM);
        if (strlen(*ret) <= TIMELINE_SIZE_MAX)
                return 0;
        free(*ret);
        *ret = NULL;
        return error_origin(-EFBIG);
}

/**
 * session_timeline_save() - keep a session's timeline beside its set
 * @session:    the session; nothing happens if it has no set that others can see
 * @ended:      it is gone for good
 *
 * What happened in a session of the last run before is not known here, but in its record.
 */
void session_timeline_save(const SessionObject *session, bool ended) {
        _cleanup_(timeline_done) Timeline timeline = {};
        _cleanup_free_ char *text = NULL;
        int r;

        if (!published_find(session->manager, session->record.set_id))
                return;
        if (session->recovered) {
                if (ended)
                        session_timeline_save_recovered(session);
                return;
        }
        r = session_timeline(session, ended, &timeline);
        if (r == 0)
                r = session_timeline_print(&timeline, &text);
        if (r < 0)
                log_warning("the record of snapshot set %s could not be made, ignoring: %s",
                            session->record.set_id, strerror(-r));
        else
                set_store_write(session->manager->set_store, session->record.set_id, TAKE_PTR(text));
}
