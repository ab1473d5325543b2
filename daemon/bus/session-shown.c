/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the bus shows of a session and its writers, brought up to date after changes: only what differs from
 * what was shown is sent, and mere progress at most ten times a second.
 */

#include <time.h>

#include "daemon/bus/bus.h"
#include "daemon/entries.h"

#include "util/log.h"

#define PROGRESS_INTERVAL_USEC (100 * USEC_PER_MSEC)
#define SESSION_INTERFACE      BUS_INTERFACE("Session")

static void session_note_shown(SessionObject *session, const ContractSessionInfo *info) {
        session->shown_state = info->state;
        session->shown_running = info->running;
        session->shown_progress = info->progress_percent;
        (void) snprintf(session->shown_phase, sizeof(session->shown_phase), "%s",
                        info->phase ? info->phase : "");
        (void) snprintf(session->shown_set, sizeof(session->shown_set), "%s",
                        info->set_id ? info->set_id : "");
        session->shown_usec = now_usec(CLOCK_BOOTTIME);
}

static void session_show(SessionObject *session, const ContractSessionInfo *info) {
        const char *names[6];
        size_t n = 0;

        if (session->shown_state != info->state)
                names[n++] = "State";
        if (session->shown_running != info->running)
                names[n++] = "RunningCall";
        if (!streq(session->shown_phase, info->phase ? info->phase : ""))
                names[n++] = "Phase";
        if (session->shown_progress != info->progress_percent)
                names[n++] = "Progress";
        if (!streq(session->shown_set, info->set_id ? info->set_id : ""))
                names[n++] = "SnapshotSet";
        names[n] = NULL;
        session_note_shown(session, info);
        if (n > 0)
                (void) sd_bus_emit_properties_changed_strv(session->manager->bus, session->path,
                                                           SESSION_INTERFACE, (char **) names);
}

static void writer_show(WriterObject *writer) {
        Manager *manager = writer->session->manager;
        ContractWriterInfo info;
        const char *names[5];
        size_t n = 0;

        if (!contract_get_writer(manager->contract, writer->session->handle, writer->index, &info))
                return;
        if (writer->state != info.state)
                names[n++] = "State";
        if (writer->failure != info.failure)
                names[n++] = "Failure";
        if (writer->last_event != info.last_event)
                names[n++] = "LastEvent";
        if (writer->takes_part != info.takes_part)
                names[n++] = "TakesPart";
        names[n] = NULL;
        writer->state = info.state;
        if (writer->failure != info.failure && info.failure != CONTRACT_FAILURE_NONE)
                entry_writer_failed(writer->session, &info);
        writer->failure = info.failure;
        writer->last_event = info.last_event;
        writer->takes_part = info.takes_part;
        if (n > 0)
                (void) sd_bus_emit_properties_changed_strv(manager->bus, writer->path,
                                                           BUS_INTERFACE("WriterState"), (char **) names);
}

static int progress_due(sd_event_source *source, uint64_t usec, void *userdata) {
        SessionObject *session = userdata;

        session->progress_source = sd_event_source_disable_unref(session->progress_source);
        session_shown_update(session);
        return 0;
}

/* Whether what changed is progress only and was shown just now; if so it is shown a little later. */
static bool progress_waits(SessionObject *session, const ContractSessionInfo *info) {
        uint64_t due = session->shown_usec + PROGRESS_INTERVAL_USEC;

        if (session->shown_state != info->state || session->shown_running != info->running ||
            !streq(session->shown_set, info->set_id ? info->set_id : ""))
                return false;
        if (now_usec(CLOCK_BOOTTIME) >= due)
                return false;
        if (!session->progress_source)
                (void) sd_event_add_time(session->manager->event, &session->progress_source, CLOCK_BOOTTIME,
                                         due, 0, progress_due, session);
        return true;
}

/**
 * session_shown_update() - show what has changed
 * @session:    the session; in the dark nothing is shown until bus_after_dark()
 */
void session_shown_update(SessionObject *session) {
        Manager *manager = session->manager;
        ContractSessionInfo info;

        if (!manager->bus || manager->dark || session->shown_state == _CONTRACT_STATE_MAX ||
            !session_object_get_info(session, &info))
                return;
        for (size_t i = 0; i < session->n_writers; i++)
                if (!session->writers[i].shown) {
                        session->writers[i].shown = true;
                        (void) sd_bus_emit_object_added(manager->bus, session->writers[i].path);
                }
        if (progress_waits(session, &info))
                return;
        for (size_t i = 0; i < session->n_writers; i++)
                writer_show(&session->writers[i]);
        session_show(session, &info);
}

/**
 * session_shown_add() - the session appears on the bus
 * @session:    the session, known to the contract
 */
void session_shown_add(SessionObject *session) {
        Manager *manager = session->manager;
        ContractSessionInfo info;

        if (!session_object_get_info(session, &info))
                return;
        session_note_shown(session, &info);
        if (manager->bus)
                (void) sd_bus_emit_object_added(manager->bus, session->path);
}

/**
 * session_shown_remove_writers() - the session's writers leave the bus
 * @session:    the session
 */
void session_shown_remove_writers(SessionObject *session) {
        for (size_t i = 0; i < session->n_writers; i++) {
                if (session->writers[i].shown && session->manager->bus)
                        (void) sd_bus_emit_object_removed(session->manager->bus, session->writers[i].path);
                session->writers[i].shown = false;
        }
}

/**
 * session_shown_remove() - the session leaves the bus
 * @session:    the session
 */
void session_shown_remove(SessionObject *session) {
        session_shown_remove_writers(session);
        if (session->manager->bus && session->shown_state != _CONTRACT_STATE_MAX)
                (void) sd_bus_emit_object_removed(session->manager->bus, session->path);
}
