/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The manager's broadcast signals (C25): ids, outcome and cause, never a path.
 */

#include "daemon/bus/bus.h"
#include "daemon/bus/publish.h"
#include "daemon/entries.h"

#include "contract/names.h"
#include "util/log.h"

static void signal_warn(const char *name, int r) {
        if (r < 0 && r != -ENOTCONN)
                log_warning("signal %s could not be sent, ignoring: %s", name, strerror(-r));
}

/**
 * bus_signal_event() - carry out SIGNAL
 * @manager:    the manager
 * @session:    the session
 * @effect:     Abort or BackupShutdown
 */
void bus_signal_event(Manager *manager, SessionObject *session, const ContractEffect *effect) {
        const char *set_id = effect->set_id ? effect->set_id : BUS_ID_NIL;
        int r;

        entry_signal(session, effect);
        if (!manager->bus)
                return;
        if (effect->event == CONTRACT_EVENT_ABORT)
                r = sd_bus_emit_signal(manager->bus, BUS_PATH, BUS_INTERFACE("Manager"), "Abort", "ssa{sv}",
                                       session->record.id, set_id, 0);
        else
                r = sd_bus_emit_signal(manager->bus, BUS_PATH, BUS_INTERFACE("Manager"), "BackupShutdown",
                                       "ssssa{sv}", session->record.id, set_id,
                                       contract_outcome_to_string(effect->outcome),
                                       contract_cause_to_string(effect->cause), 0);
        signal_warn(contract_event_to_string(effect->event), r);
}

/**
 * bus_signal_space_low() - what a snapshot is stored in runs full
 * @manager:    the manager
 * @snapshot:   UUID text
 * @set:        likewise
 * @full:       percent
 */
void bus_signal_space_low(Manager *manager, const char *snapshot, const char *set, double full) {
        entry_space_low(set, snapshot, full);
        if (manager->bus)
                signal_warn("SpaceLow",
                            sd_bus_emit_signal(manager->bus, BUS_PATH, BUS_INTERFACE("Manager"), "SpaceLow",
                                               "ssua{sv}", snapshot, set, (uint32_t) full, 0));
}

/**
 * bus_signal_snapshot_invalid() - a snapshot does not hold its instant any more
 * @manager:    the manager
 * @snapshot:   UUID text
 * @set:        likewise
 * @reason:     a word
 */
void bus_signal_snapshot_invalid(Manager *manager, const char *snapshot, const char *set,
                                 const char *reason) {
        entry_snapshot_invalid(set, snapshot, reason);
        if (manager->bus)
                signal_warn("SnapshotInvalid",
                            sd_bus_emit_signal(manager->bus, BUS_PATH, BUS_INTERFACE("Manager"),
                                               "SnapshotInvalid", "sssa{sv}", snapshot, set, reason, 0));
}

/**
 * bus_signal_snapshot_removed() - a snapshot is gone
 * @manager:    the manager
 * @snapshot:   UUID text
 * @set:        likewise
 * @reason:     a word
 */
void bus_signal_snapshot_removed(Manager *manager, const char *snapshot, const char *set,
                                 const char *reason) {
        entry_snapshot_removed(set, snapshot, reason);
        if (manager->bus)
                signal_warn("SnapshotRemoved",
                            sd_bus_emit_signal(manager->bus, BUS_PATH, BUS_INTERFACE("Manager"),
                                               "SnapshotRemoved", "sssa{sv}", snapshot, set, reason, 0));
}

/**
 * bus_after_dark() - show what changed by itself in the dark
 * @manager:    the manager
 */
void bus_after_dark(Manager *manager) {
        for (SessionObject *session = manager->sessions; session; session = session->next)
                session_shown_update(session);
        published_refresh(manager, "deleted");
}
