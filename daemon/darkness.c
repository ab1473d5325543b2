/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The dark (contract.md, Words): from the first Freeze at level system until all writes are let go.
 *
 * What quiesced would otherwise touch may stand on a frozen file system and never answer. So the system bus
 * leaves the event loop (its socket is not read, nothing is sent; the contract keeps replies and signals
 * back until the dark is over), the log is kept in memory, and systemd gets no watchdog message. What is
 * left in the loop: the writers' private sockets, the hold, timers.
 */

#include <sys/mman.h>
#include <systemd/sd-daemon.h>

#include "daemon/bus/bus.h"
#include "daemon/keeper.h"
#include "daemon/manager.h"
#include "daemon/records/set-store.h"

#include "util/error.h"
#include "util/log.h"

/**
 * manager_dark_begin() - carry out DARK_BEGIN
 * @manager:    the manager
 */
void manager_dark_begin(Manager *manager) {
        manager->dark = true;
        if (manager->watchdog_usec > 0)
                (void) sd_event_set_watchdog(manager->event, false);
        if (manager->bus)
                (void) sd_bus_detach_event(manager->bus);
        log_hold();
}

/**
 * manager_dark_end() - carry out DARK_END
 * @manager:    the manager
 *
 * What came in on the system bus meanwhile is handled from now on, in the order in which it came.
 */
void manager_dark_end(Manager *manager) {
        int r;

        manager->dark = false;
        log_release();
        if (manager->bus) {
                r = sd_bus_attach_event(manager->bus, manager->event, BUS_PRIORITY);
                if (r < 0)
                        manager_fail(manager, r, "the system bus did not come back after the dark");
        }
        if (manager->watchdog_usec > 0)
                (void) sd_event_set_watchdog(manager->event, true);
        deadlines_after_dark(manager);
        bus_after_dark(manager);
        keeper_go_on(manager->keeper);
        if (manager->reload_after_dark)
                manager_reload_by_signal(manager);
        if (manager->stop_after_dark)
                manager_stop(manager);
}

/**
 * manager_pause_stores() - in a freeze window no file is written and nothing started
 * @manager:    the manager
 * @pause:      whether one is on
 */
void manager_pause_stores(Manager *manager, bool pause) {
        set_store_pause(manager->set_store, pause);
        set_store_pause(manager->document_store, pause);
}

/**
 * manager_lock_memory() - keep all of our memory in, or no longer
 * @manager:    the manager
 * @lock:       before file systems are frozen: true; when the set is done with: false
 *
 * A page of ours that had to come from a frozen or suspended device would stop us until it is let go.
 * Failing is logged only: the hold's processes, which matter, lock themselves.
 */
void manager_lock_memory(Manager *manager, bool lock) {
        if ((lock ? mlockall(MCL_CURRENT | MCL_FUTURE) : munlockall()) < 0)
                log_warning("memory could not be %s, ignoring: %s", lock ? "locked" : "unlocked",
                            strerror(errno));
}
