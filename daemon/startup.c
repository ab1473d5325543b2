/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Starting: first what a dead quiesced may have left held is let go. Then LVM tells which sets there are,
 * the bus name is asked for, and what the dead one owed is paid (C32): writers get BackupShutdown, and a
 * session whose owner still lives stays as lost. With the name comes READY=1, and sets without an owner are
 * removed.
 *
 * So whoever finds quiesced there finds all that it has. A bus that starts a service waits 25 s for its
 * name: before that, quiesced goes on without LVM's answer, and what depends on it follows when it comes.
 */

#include <fcntl.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "daemon/bus/bus.h"
#include "daemon/bus/publish.h"
#include "daemon/keeper.h"
#include "daemon/manager.h"
#include "daemon/message-ids.h"
#include "daemon/records/set-store.h"
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
        log_entry(LOG_NOTICE,
                  (&(LogEntry){.message_id = MESSAGE_SESSION_LOST,
                               .session = record->id,
                               .set = record->set_id[0] ? record->set_id : NULL}),
                  "session %s was lost when quiesced ended", record->id);
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

/* From now on there may be calls. */
static void manager_ask_name(Manager *manager) {
        int r;

        if (manager->name_asked || manager->stopping)
                return;
        manager->name_asked = true;
        manager->start_timer = sd_event_source_disable_unref(manager->start_timer);
        r = writers_set_bus(manager->writers, manager->bus);
        if (r < 0) {
                manager_fail(manager, r, "the writers did not take the system bus");
                return;
        }
        r = bus_request_name(manager);
        if (r < 0)
                manager_fail(manager, r, "the bus could not be asked for a name");
}

static int lvm_is_late(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *manager = userdata;

        log_error(
                "LVM has not told within %u s which snapshots there are: quiesced goes on without them, and "
                "what depends on them follows when LVM answers",
                (unsigned) (manager->config->lvm_wait_usec / USEC_PER_SEC));
        manager_ask_name(manager);
        return 0;
}

/* What could not be removed has been logged one by one. */
static void left_over_removed(int r, void *userdata) {
}

static void left_over_remove(Manager *manager) {
        if (manager->name_ours && manager->sets_told)
                sets_remove_left_over(manager->sets, left_over_removed, manager);
}

/* A set that went while no quiesced was there has left its record behind; or its disk will come again. */
static void remove_stray_records(Manager *manager) {
        char(*ids)[CONTRACT_ID_MAX] = NULL;
        size_t n = 0;

        for (const PublishedSet *set = manager->published; set; set = set->next)
                n++;
        ids = calloc(n + 1, sizeof(*ids));
        if (!ids) /* the next start does it */
                return;
        n = 0;
        for (const PublishedSet *set = manager->published; set; set = set->next)
                memcpy(ids[n++], set->id, CONTRACT_ID_MAX);
        set_store_keep(manager->set_store, (const char(*)[CONTRACT_ID_MAX]) ids, n);
        set_store_keep(manager->document_store, (const char(*)[CONTRACT_ID_MAX]) ids, n);
        free(ids);
}

static void sets_found(int r, void *userdata) {
        Manager *manager = userdata;
        SessionObject *session, *next;
        bool again = manager->sets_told;
        SnapshotSet *set;

        if (manager->stopping) /* what is a record stays one */
                return;
        manager->sets_told = true;
        manager->sets_error = r;
        if (r < 0 && !again)
                log_error("what is left of earlier snapshot sets could not be found out: %s", strerror(-r));
        manager_ask_name(manager);
        for (size_t i = 0; i < sets_count(manager->sets); i++) {
                set = sets_get(manager->sets, i);
                if (set)
                        published_add(manager, set);
        }
        if (r >= 0)
                remove_stray_records(manager);
        for (session = manager->sessions; session; session = next) {
                next = session->next; /* feeding one frees at most that one */
                if (session_object_is_unheard(session))
                        recovered_feed(session);
        }
        if (r >= 0 || !again)
                (void) sd_bus_emit_properties_changed(manager->bus, BUS_PATH, BUS_INTERFACE("Manager"),
                                                      "SetsKnown", NULL);
        left_over_remove(manager);
        keeper_look_soon(manager->keeper);
}

/* Recovery lets go what a dead quiesced held: it must not meet a living one. Not flock(): a child that hangs
 * would keep it. */
static int instance_lock(Manager *manager) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/lock", manager->config->runtime_dir) < 0) {
                path = NULL;
                return error_origin(-ENOMEM);
        }
        manager->instance_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (manager->instance_fd < 0) {
                log_error("%s cannot be opened: %s", path, strerror(errno));
                return error_origin(-errno);
        }
        if (fcntl(manager->instance_fd, F_SETLK, &lock) == 0)
                return 0;
        log_error("another quiesced is there: %s is locked", path);
        return error_origin(-errno);
}

/**
 * manager_start() - let go what may be held, connect to the bus, ask LVM what there is
 * @manager:    the manager
 *
 * Return: 0, or a negative errno.
 */
int manager_start(Manager *manager) {
        int r;

        r = instance_lock(manager);
        if (r < 0)
                return error_trace(r);
        r = sets_recover_held(manager->sets);
        if (r < 0)
                log_error("what was held when quiesced ended could not be let go by itself: %s",
                          strerror(-r));
        r = records_read(manager->config->runtime_dir, record_found, manager);
        if (r < 0)
                return error_trace(r);
        for (SessionObject *session = manager->sessions; session; session = session->next)
                session->recovered = true;
        r = bus_connect(manager);
        if (r < 0)
                return error_trace(r);
        r = sd_event_add_time_relative(manager->event, &manager->start_timer, CLOCK_BOOTTIME,
                                       manager->config->lvm_wait_usec, 0, lvm_is_late, manager);
        if (r < 0)
                return error_origin(r);
        r = sets_recover(manager->sets, keep_set, sets_found, manager);
        if (r < 0)
                sets_found(r, manager);
        return 0;
}

/**
 * manager_name_granted() - the bus name is ours: say so, then remove what belongs to nobody
 * @manager:    the manager
 */
void manager_name_granted(Manager *manager) {
        manager->name_ours = true;
        (void) sd_notify(0, "READY=1");
        left_over_remove(manager);
        keeper_look_soon(manager->keeper);
}

/**
 * manager_ask_lvm_again() - somebody asks for what LVM could not tell: perhaps it can now
 * @manager:    the manager
 *
 * Without effect unless LVM has failed; one question at a time. What it tells is shown when it has.
 */
void manager_ask_lvm_again(Manager *manager) {
        int r;

        if (manager->sets_error >= 0 || !manager->name_ours || manager->stopping)
                return;
        r = sets_recover(manager->sets, keep_set, sets_found, manager);
        if (r < 0 && r != -EALREADY)
                log_error("LVM could not be asked again which snapshots there are: %s", strerror(-r));
}

/**
 * manager_get_not_told() - why a set or a session of the last run may be there and not be found
 * @manager:    the manager
 *
 * Return: the rest of a sentence, without its full stop; NULL: LVM has told which sets there are.
 */
const char *manager_get_not_told(const Manager *manager) {
        if (!manager->sets_told)
                return " that is known yet: LVM has not told since quiesced was started which snapshots there "
                       "are. Try again when it does; 'journalctl -u quiesced' and lvs(8) show whether";
        if (manager->sets_error < 0)
                return " that is known: LVM could not tell which snapshots there are when quiesced was "
                       "started; 'journalctl -u quiesced' tells why. It is being asked again: when that is "
                       "mended, try again";
        return NULL;
}
