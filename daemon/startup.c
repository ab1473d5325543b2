/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Starting: first what a dead quiesced may have left held is let go, then the bus name and READY=1, then
 * what it owed is paid (C32): sets without an owner are removed, writers get BackupShutdown, and a session
 * whose owner still lives stays as lost.
 */

#include <systemd/sd-daemon.h>
#include <time.h>

#include "daemon/bus/bus.h"
#include "daemon/bus/publish.h"
#include "daemon/manager.h"
#include "daemon/session-object.h"

#include "util/error.h"
#include "util/log.h"

static void owner_vanished(Owner *owner, void *userdata) {
        SessionObject *session = userdata;
        ContractInput input = {.type = CONTRACT_INPUT_OWNER_VANISHED, .session = session->handle};

        manager_feed(session->manager, &input);
}

static void owner_known(Owner *owner, int r, void *userdata) {
        if (r < 0)
                owner_vanished(owner, userdata);
        else
                owner_set_vanished(owner, owner_vanished, userdata);
}

/* Finds out whether the owner of a lost session still lives. */
static void recovered_watch_owner(SessionObject *session) {
        Manager *manager = session->manager;
        int r = -ESRCH;

        if (manager->bus && session->record.owner && session->record.bus && manager->bus_guid &&
            streq(session->record.bus, manager->bus_guid))
                r = owner_new(&session->owner, manager->owners, session->record.owner, owner_known, session);
        if (r < 0)
                owner_vanished(NULL, session);
}

static int recovered_adopt(SessionObject *session, ContractWriterSpec *specs) {
        const char *names[CONTRACT_WRITERS_MAX];
        size_t n = session->record.n_writers;
        int r;

        for (size_t i = 0; i < n; i++) {
                names[i] = session->record.writers[i].name;
                specs[i] = (ContractWriterSpec){
                        .name = names[i],
                        .level = session->record.writers[i].level,
                        .available = true,
                        .was_prepared = session->record.writers[i].prepared,
                };
        }
        r = session_object_set_writers(session, n);
        if (r < 0)
                return error_trace(r);
        return error_trace(writers_adopt(session->manager->writers, session->handle, names, n));
}

static void recovered_feed(SessionObject *session) {
        ContractWriterSpec specs[CONTRACT_WRITERS_MAX];
        const SessionRecord *record = &session->record;
        ContractSessionInfo info;
        ContractInput input = {
                .type = CONTRACT_INPUT_RECOVERED,
                .session = session->handle,
                .kind = record->kind,
                .id = record->id,
                .context = record->context,
                .writers = specs,
                .n_writers = record->n_writers,
                .set_id = record->set_id[0] ? record->set_id : NULL,
                .was_completed = record->completed,
                .was_aborted = record->aborted,
        };
        int r;

        r = recovered_adopt(session, specs);
        if (r < 0) {
                manager_fail(session->manager, r, "a session of the last run could not be taken over");
                return;
        }
        log_notice("session %s was lost when quiesced ended", record->id);
        manager_feed(session->manager, &input);
        if (!session_object_get_info(session, &info))
                return;
        session_shown_add(session);
        session_shown_update(session);
        recovered_watch_owner(session);
}

static void record_found(SessionRecord *record, void *userdata) {
        SessionObject *session;

        if (session_object_new(userdata, &session, record->id, (uint32_t) record->uid) < 0) {
                record_done(record);
                return;
        }
        record_done(&session->record);
        session->record = *record;
}

/* Sets that a recovered session still owns are the contract's to delete. */
static bool keep_set(const char *set_id, void *userdata) {
        Manager *manager = userdata;

        for (const SessionObject *s = manager->sessions; s; s = s->next)
                if (streq(s->record.set_id, set_id))
                        return true;
        return false;
}

static void sets_recovered(int r, void *userdata) {
        Manager *manager = userdata;
        SessionObject *session, *next;
        SnapshotSet *set;

        if (r < 0)
                log_error("what is left of earlier snapshot sets could not be found out: %s", strerror(-r));
        for (size_t i = 0; i < sets_count(manager->sets); i++) {
                set = sets_get(manager->sets, i);
                if (set)
                        published_add(manager, set);
        }
        for (session = manager->sessions; session; session = next) {
                next = session->next; /* feeding one frees at most that one */
                if (session->shown_state == _CONTRACT_STATE_MAX && session->recovered)
                        recovered_feed(session);
        }
}

/**
 * manager_start() - let go what may be held, connect to the bus
 * @manager:    the manager
 *
 * Return: 0, or a negative errno.
 */
int manager_start(Manager *manager) {
        int r;

        r = sets_recover_held(manager->sets);
        if (r < 0)
                log_error("what was held when quiesced ended could not be let go by itself: %s",
                          strerror(-r));
        r = records_read(manager->config->runtime_dir, record_found, manager);
        if (r < 0)
                return error_trace(r);
        for (SessionObject *session = manager->sessions; session; session = session->next)
                session->recovered = true;
        return error_trace(bus_connect(manager));
}

/**
 * manager_name_granted() - the bus name is ours: be there for callers, then pay what is owed
 * @manager:    the manager
 */
void manager_name_granted(Manager *manager) {
        int r;

        r = writers_set_bus(manager->writers, manager->bus);
        if (r < 0) {
                manager_fail(manager, r, "the writers did not take the system bus");
                return;
        }
        (void) sd_notify(0, "READY=1");
        r = sets_recover(manager->sets, keep_set, sets_recovered, manager);
        if (r < 0)
                sets_recovered(r, manager);
}
