/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ending: on SIGTERM, when the bus is lost, when something fails that must not.
 *
 * On SIGTERM sessions are released as if their requesters had died, with one exception (C32: nobody who is
 * reading is cut off): a session that only reads its created set is left to its record; the next quiesced
 * finds it and keeps the snapshots while the owner lives. What is still nothing but a record stays one.
 */

#include <systemd/sd-daemon.h>

#include "daemon/bus/bus.h"
#include "daemon/bus/register-bus.h"
#include "daemon/manager.h"
#include "daemon/records/set-store.h"
#include "daemon/session-object.h"

#include "util/log.h"

static bool session_is_left_to_record(const SessionObject *session) {
        ContractSessionInfo info;

        if (session_object_is_unheard(session))
                return true;
        return session->manager->bus && session->record.set_id[0] &&
               session_object_get_info(session, &info) && info.running == CONTRACT_CALL_NONE;
}

/* Of all sessions that are to end; a session may be gone before this returns. */
static void sessions_vanish(Manager *manager) {
        for (uint64_t handle = 1; handle <= manager->last_handle; handle++) {
                SessionObject *session = session_object_find(manager, handle);
                ContractInput input = {.type = CONTRACT_INPUT_OWNER_VANISHED, .session = handle};

                if (session && !session_is_left_to_record(session))
                        manager_feed(manager, &input);
        }
}

static void store_idle(void *userdata) {
        manager_sessions_gone(userdata);
}

/**
 * manager_sessions_gone() - leave if nobody needs us any more
 * @manager:    the manager, stopping
 */
void manager_sessions_gone(Manager *manager) {
        for (const SessionObject *session = manager->sessions; session; session = session->next)
                if (!session_is_left_to_record(session))
                        return;
        /* Sets' records and documents: each has a deadline. */
        if (set_store_is_idle(manager->set_store, store_idle, manager) &&
            set_store_is_idle(manager->document_store, store_idle, manager))
                (void) sd_event_exit(manager->event, manager->bus ? EXIT_SUCCESS : EXIT_FAILURE);
}

/**
 * manager_stop() - end sessions, then leave
 * @manager:    the manager
 *
 * A running hold is finished or given up first; in the dark this waits until it is over.
 */
void manager_stop(Manager *manager) {
        if (manager->dark) {
                manager->stop_after_dark = true;
                return;
        }
        if (manager->stopping) {
                log_notice("asked to stop a second time: leaving at once, the next start cleans up");
                (void) sd_event_exit(manager->event, EXIT_FAILURE);
                return;
        }
        manager->stopping = true;
        (void) sd_notify(0, "STOPPING=1");
        sessions_vanish(manager);
        manager_sessions_gone(manager);
}

/**
 * manager_bus_lost() - the system bus is gone: every requester has vanished
 * @manager:    the manager; quiesced leaves when all sessions have ended, and is started anew
 */
void manager_bus_lost(Manager *manager) {
        log_error("the connection to the system bus is lost: all sessions end");
        registrations_lost(manager);
        (void) writers_set_bus(manager->writers, NULL);
        bus_disconnect(manager);
        manager->stopping = true;
        sessions_vanish(manager);
        manager_sessions_gone(manager);
}

/**
 * manager_fail() - something failed without which quiesced cannot keep its promises
 * @manager:    the manager
 * @r:          negative errno
 * @what:       for the log
 *
 * quiesced leaves and is started anew; what was held is let go by the hold, the rest by recovery.
 */
void manager_fail(Manager *manager, int r, const char *what) {
        log_message(LOG_CRIT, "%s: %s; starting anew", what, strerror(-r));
        (void) sd_event_exit(manager->event, r < 0 ? r : -EIO);
}
