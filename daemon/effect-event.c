/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * EVENT: what a writer is told, gathered from the contract, the set and the session.
 */

#include <assert.h>

#include "daemon/manager.h"
#include "daemon/records/set-store.h"
#include "daemon/session-object.h"

#include "contract/names.h"
#include "util/error.h"
#include "util/log.h"

/* Arrays that live during the call of writers_send() only. What goes with every event is in here itself:
 * Thaw and Abort are owed, whether there is memory or not. */
typedef struct EventFacts {
        SnapshotSet *set;
        const char *volumes[CONTRACT_VOLUMES_MAX], *volume_names[CONTRACT_VOLUMES_MAX];
        WriterFileSystem *file_systems;
        SetPlaces places;
        const char **snapshots;
        WriterTree *trees;
        WriterSelection *selection;
} EventFacts;

static void event_facts_done(EventFacts *facts) {
        free(facts->file_systems);
        free(facts->snapshots);
        free(facts->trees);
        set_places_done(&facts->places);
        free(facts->selection);
}

/* Which events tell of components: those in which a writer has to do with data, none within the freeze
 * window. */
static bool event_tells_selection(ContractEvent event) {
        switch (event) {
        case CONTRACT_EVENT_PREPARE_FOR_BACKUP:
        case CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT:
        case CONTRACT_EVENT_POST_SNAPSHOT:
        case CONTRACT_EVENT_BACKUP_COMPLETE:
        case CONTRACT_EVENT_PRE_RESTORE:
        case CONTRACT_EVENT_POST_RESTORE:
                return true;
        default:
                return false;
        }
}

static int facts_add_selection(EventFacts *facts, WriterEvent *event, const WriterObject *writer) {
        const SessionObject *session = writer->session;
        ContractComponentInfo info;

        if (!event_tells_selection(event->event) || !writer->metadata || writer->metadata->n_components == 0)
                return 0;
        facts->selection = calloc(writer->metadata->n_components, sizeof(*facts->selection));
        if (!facts->selection)
                return error_origin(-ENOMEM);
        for (uint32_t i = 0; i < writer->metadata->n_components; i++) {
                const WriterComponent *component = &writer->metadata->components[i];

                if (!contract_get_component(session->manager->contract, session->handle, writer->index, i,
                                            &info) ||
                    !info.selected)
                        continue;
                facts->selection[event->n_selection++] = (WriterSelection){
                        .type = component->type,
                        .logical_path = component->logical_path,
                        .name = component->name,
                        .options = writer->notes[i].options,
                        .previous_stamp = writer->notes[i].previous_stamp,
                        .backup_stamp = writer->notes[i].backup_stamp,
                        .backup_metadata = writer->notes[i].backup_metadata,
                        .succeeded = writer->notes[i].succeeded,
                        .restore_options = writer->notes[i].restore_options,
                        .file_restore_status = writer->notes[i].file_restore_status,
                };
        }
        event->selection = facts->selection;
        return 0;
}

static void facts_add_volumes(EventFacts *facts, WriterEvent *event, size_t n) {
        SnapshotInfo snapshot;

        assert(n <= CONTRACT_VOLUMES_MAX);
        for (size_t i = 0; i < n; i++)
                if (snapshot_set_get_snapshot(facts->set, i, &snapshot)) {
                        facts->volume_names[event->n_volumes] = snapshot.volume;
                        facts->volumes[event->n_volumes++] = snapshot.key;
                }
        event->volumes = facts->volumes;
}

/* Which events tell where the volumes are: those with a set that is not yet, or just, made. Freeze and Thaw
 * are left out, although a writer may ask in them, too: the set stays as it was in PrepareForBackup, and
 * nothing is made or sent in the freeze window that was told before. */
static bool event_tells_places(ContractEvent event) {
        switch (event) {
        case CONTRACT_EVENT_PREPARE_FOR_BACKUP:
        case CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT:
        case CONTRACT_EVENT_POST_SNAPSHOT:
                return true;
        default:
                return false;
        }
}

static int facts_add_places(EventFacts *facts, WriterEvent *event) {
        int r;

        if (!event_tells_places(event->event))
                return 0;
        r = snapshot_set_find_places(facts->set, &facts->places);
        if (r < 0)
                return error_trace(r);
        event->volume_names = facts->volume_names;
        event->devices = facts->places.devices;
        event->n_devices = facts->places.n_devices;
        event->mount_points = (const char *const *) facts->places.mount_points;
        event->n_mount_points = facts->places.n_mount_points;
        event->directories = (const char *const *) facts->places.directories;
        event->n_directories = facts->places.n_directories;
        return 0;
}

static int facts_add_snapshots(EventFacts *facts, WriterEvent *event, size_t n) {
        SnapshotInfo snapshot;

        facts->snapshots = calloc(2 * n, sizeof(*facts->snapshots));
        if (!facts->snapshots)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n; i++)
                if (snapshot_set_get_snapshot(facts->set, i, &snapshot) && snapshot.device[0]) {
                        facts->snapshots[event->n_snapshots++] = snapshot.key;
                        facts->snapshots[event->n_snapshots++] = snapshot.device;
                }
        event->snapshots = facts->snapshots;
        return 0;
}

/* C24: there are some only if a writer asked for them; who did not is not told by writers_send(). */
static int facts_add_trees(EventFacts *facts, WriterEvent *event, size_t n) {
        SetTree tree;

        if (!snapshot_set_get_tree(facts->set, 0, &tree))
                return 0;
        facts->trees = calloc(n, sizeof(*facts->trees));
        if (!facts->trees)
                return error_origin(-ENOMEM);
        while (event->n_trees < n && snapshot_set_get_tree(facts->set, event->n_trees, &tree))
                facts->trees[event->n_trees++] = (WriterTree){.volume = tree.key,
                                                              .device = tree.device,
                                                              .directory = tree.directory,
                                                              .fd = tree.fd};
        event->trees = facts->trees;
        return 0;
}

static int facts_add_file_systems(EventFacts *facts, WriterEvent *event) {
        size_t n = snapshot_set_count_file_systems(facts->set);
        SetFileSystem file_system;

        if (n == 0)
                return 0;
        facts->file_systems = calloc(n, sizeof(*facts->file_systems));
        if (!facts->file_systems)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n; i++)
                if (snapshot_set_get_file_system(facts->set, i, &file_system))
                        facts->file_systems[event->n_file_systems++] = (WriterFileSystem){
                                .index = file_system.index,
                                .mount_point = file_system.mount_point,
                                .type = file_system.type,
                                .device = file_system.device,
                                .fd = file_system.fd,
                                .direct = file_system.direct,
                        };
        event->file_systems = facts->file_systems;
        return 0;
}

/* The set's part of an event: volumes with every one, all else only where it is due, which is outside of the
 * freeze window. */
static int facts_gather(EventFacts *facts, WriterEvent *event, ContractLevel level) {
        SetInfo info;
        int r;

        if (!facts->set || !snapshot_set_get_info(facts->set, &info) || info.n_snapshots == 0)
                return 0;
        facts_add_volumes(facts, event, info.n_snapshots);
        r = facts_add_places(facts, event);
        if (r == 0 && event->event == CONTRACT_EVENT_POST_SNAPSHOT)
                r = facts_add_snapshots(facts, event, info.n_snapshots);
        if (r == 0 && event->event == CONTRACT_EVENT_POST_SNAPSHOT)
                r = facts_add_trees(facts, event, info.n_snapshots);
        if (r == 0 && event->event == CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT && level == CONTRACT_LEVEL_SYSTEM)
                r = facts_add_file_systems(facts, event);
        return r;
}

/* What must be on record before the writer hears of it. Return: whether there is anything. */
static bool event_record(SessionObject *session, const ContractEffect *effect) {
        if ((effect->event == CONTRACT_EVENT_PREPARE_FOR_BACKUP ||
             effect->event == CONTRACT_EVENT_PRE_RESTORE) &&
            effect->writer < session->record.n_writers)
                session->record.writers[effect->writer].prepared = true;
        else if (effect->event == CONTRACT_EVENT_BACKUP_COMPLETE)
                session->record.completed = true;
        else
                return false;
        return true;
}

/**
 * effects_record() - write down what is about to be sent
 * @manager:    the manager
 * @effects:    about to be carried out
 *
 * Once for all writers that get an event now: a record written for each of many would take longer than the
 * event.
 */
void effects_record(Manager *manager, const ContractEffects *effects) {
        SessionObject *unsaved = NULL;

        for (size_t i = 0; i < effects->n_items; i++) {
                const ContractEffect *effect = &effects->items[i];
                SessionObject *session;

                if (effect->type != CONTRACT_EFFECT_EVENT)
                        continue;
                session = session_object_find(manager, effect->session);
                if (!session || !event_record(session, effect))
                        continue;
                if (unsaved && unsaved != session)
                        session_object_save(unsaved);
                unsaved = session;
        }
        if (unsaved)
                session_object_save(unsaved);
}

static int event_send(Manager *manager, SessionObject *session, const ContractEffect *effect) {
        _cleanup_(event_facts_done) EventFacts facts = {};
        ContractWriterInfo writer;
        ContractSessionInfo info;
        WriterEvent event = {
                .event = effect->event,
                .session_id = session->record.id,
                .set_id = effect->set_id,
                .limit_usec = effect->limit_usec,
                .by_name = effect->by_name,
                .outcome = effect->outcome,
                .cause = effect->cause,
                .backup_type = session->backup_type,
                .bootable = session->bootable,
        };
        int r;

        if (!session_object_get_info(session, &info) ||
            !contract_get_writer(manager->contract, effect->session, effect->writer, &writer))
                return error_origin(-ENOENT);
        event.persistent = info.context == CONTRACT_CONTEXT_NAS_ROLLBACK ||
                           info.context == CONTRACT_CONTEXT_APP_ROLLBACK;
        event.component_mode = info.component_mode;
        if (info.set_id)
                facts.set = sets_find(manager->sets, info.set_id);
        r = facts_gather(&facts, &event, writer.level);
        if (r == 0 && effect->writer < session->n_writers)
                r = facts_add_selection(&facts, &event, &session->writers[effect->writer]);
        if (r < 0)
                return error_trace(r);
        return error_trace(writers_send(manager->writers, effect->session, effect->writer, &event));
}

/**
 * effect_event() - carry out EVENT
 * @manager:    the manager
 * @session:    the session
 * @effect:     the effect; one that cannot be sent is answered for the writer: it has failed
 */
void effect_event(Manager *manager, SessionObject *session, const ContractEffect *effect) {
        char text[CONTRACT_TEXT_MAX];
        ContractInput failed = {
                .type = CONTRACT_INPUT_WRITER_ANSWER,
                .session = effect->session,
                .writer = effect->writer,
                .event = effect->event,
                .failure = CONTRACT_FAILURE_NOT_RESPONDING,
                .text = text,
        };
        int r;

        if (effect->event == CONTRACT_EVENT_FREEZE) /* of a set without volumes, which needs no step LOCK */
                manager_pause_stores(manager, true);
        r = event_send(manager, session, effect);
        if (r < 0) {
                (void) snprintf(text, sizeof(text), "%s could not be sent: %s",
                                contract_event_to_string(effect->event), strerror(-r));
                manager_feed(manager, &failed);
        }
}
