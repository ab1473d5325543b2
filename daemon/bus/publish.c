/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Sets and snapshots on the bus; see publish.h.
 */

#include "daemon/bus/publish.h"

#include "daemon/records/set-store.h"
#include "util/error.h"
#include "util/log.h"

static PublishedSet *published_free(PublishedSet *set) {
        if (!set)
                return NULL;
        for (size_t i = 0; i < set->n_snapshots; i++) {
                free(set->snapshots[i].path);
                free(set->snapshots[i].provider);
        }
        free(set->snapshots);
        free(set->path);
        free(set);
        return NULL;
}

/**
 * published_free_all() - forget all, at the end
 * @sets:       the first, or NULL
 *
 * Return: NULL.
 */
PublishedSet *published_free_all(PublishedSet *sets) {
        while (sets) {
                PublishedSet *next = sets->next;

                (void) published_free(sets);
                sets = next;
        }
        return NULL;
}

/**
 * published_find() - a set on the bus
 * @manager:    the manager
 * @set_id:     UUID text
 *
 * Return: the set, or NULL.
 */
PublishedSet *published_find(Manager *manager, const char *set_id) {
        for (PublishedSet *set = manager->published; set; set = set->next)
                if (streq(set->id, set_id))
                        return set;
        return NULL;
}

/**
 * published_find_snapshot() - a snapshot on the bus
 * @manager:        the manager
 * @snapshot_id:    UUID text
 *
 * Return: the snapshot, or NULL.
 */
PublishedSnapshot *published_find_snapshot(Manager *manager, const char *snapshot_id) {
        for (PublishedSet *set = manager->published; set; set = set->next)
                for (size_t i = 0; i < set->n_snapshots; i++)
                        if (streq(set->snapshots[i].id, snapshot_id))
                                return &set->snapshots[i];
        return NULL;
}

/**
 * published_get_info() - what is true of a snapshot now
 * @snapshot:   on the bus
 * @ret_set:    its set in the sets room
 * @ret:        strings live until the event loop goes on
 *
 * Return: false if it is gone.
 */
bool published_get_info(const PublishedSnapshot *snapshot, SnapshotSet **ret_set, SnapshotInfo *ret) {
        SnapshotSet *set = sets_find(snapshot->set->manager->sets, snapshot->set->id);
        SetInfo info;

        if (!set || !snapshot_set_get_info(set, &info))
                return false;
        /* The index of a snapshot that is gone stays empty. */
        for (size_t i = 0; i < info.n_snapshots; i++)
                if (snapshot_set_get_snapshot(set, i, ret) && streq(ret->id, snapshot->id)) {
                        *ret_set = set;
                        return true;
                }
        return false;
}

static int published_fill_snapshots(PublishedSet *published, SnapshotSet *set, size_t n) {
        SnapshotInfo info;

        published->snapshots = calloc(n > 0 ? n : 1, sizeof(*published->snapshots));
        if (!published->snapshots)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n && snapshot_set_get_snapshot(set, i, &info); i++) {
                PublishedSnapshot *snapshot = &published->snapshots[published->n_snapshots++];

                snapshot->set = published;
                (void) snprintf(snapshot->id, sizeof(snapshot->id), "%s", info.id);
                snapshot->size = info.size;
                (void) snprintf(snapshot->shown_state, sizeof(snapshot->shown_state), "%s", info.state);
                snapshot->path = bus_path("snapshot", info.id);
                snapshot->provider = strdup(info.provider);
                if (!snapshot->path || !snapshot->provider)
                        return error_origin(-ENOMEM);
        }
        return 0;
}

static int published_new(Manager *manager, PublishedSet **ret, SnapshotSet *set) {
        PublishedSet *published;
        SetInfo info;

        if (!snapshot_set_get_info(set, &info))
                return error_origin(-ENOENT);
        published = calloc(1, sizeof(*published));
        if (!published)
                return error_origin(-ENOMEM);
        published->manager = manager;
        (void) snprintf(published->id, sizeof(published->id), "%s", info.id);
        (void) snprintf(published->session_id, sizeof(published->session_id), "%s",
                        info.session_id ? info.session_id : "");
        published->owner_uid = info.owner_uid;
        published->persistent = info.persistent;
        published->consistency = info.consistency;
        published->created_usec = info.instant_realtime_usec;
        published->hold_usec = info.hold_usec;
        published->freeze_usec = info.freeze_usec;
        published->n_made = (uint32_t) info.n_made;
        published->path = bus_path("set", info.id);
        if (!published->path || published_fill_snapshots(published, set, info.n_snapshots) < 0) {
                (void) published_free(published);
                return error_origin(-ENOMEM);
        }
        *ret = published;
        return 0;
}

/**
 * published_add() - a set is real: it appears on the bus
 * @manager:    the manager
 * @set:        the set; nothing happens if it is there already, or does not count yet
 */
void published_add(Manager *manager, SnapshotSet *set) {
        PublishedSet *published = NULL;
        SetInfo info;
        int r;

        if (!snapshot_set_get_info(set, &info) || !info.created || published_find(manager, info.id))
                return;
        r = published_new(manager, &published, set);
        if (r < 0) {
                log_error("set %s could not be put on the bus: %s", info.id, strerror(-r));
                return;
        }
        published->next = manager->published;
        manager->published = published;
        if (!manager->bus)
                return;
        (void) sd_bus_emit_object_added(manager->bus, published->path);
        for (size_t i = 0; i < published->n_snapshots; i++)
                (void) sd_bus_emit_object_added(manager->bus, published->snapshots[i].path);
}

/* Takes the snapshot at @index off the bus and out of its set. */
static void snapshot_leave(Manager *manager, PublishedSet *set, size_t index, const char *reason) {
        PublishedSnapshot *snapshot = &set->snapshots[index];

        bus_signal_snapshot_removed(manager, snapshot->id, set->id, reason);
        if (manager->bus)
                (void) sd_bus_emit_object_removed(manager->bus, snapshot->path);
        free(snapshot->path);
        free(snapshot->provider);
        set->n_snapshots--;
        memmove(snapshot, snapshot + 1, (set->n_snapshots - index) * sizeof(*snapshot));
}

static void set_leave(Manager *manager, PublishedSet *set, const char *reason) {
        /* What is not there any more without our doing may have gone with its disk, and come again. */
        bool is_gone = !streq(reason, SETS_REMOVED_ELSEWHERE);

        if (is_gone)
                set_store_remove(manager->set_store, set->id);
        if (is_gone && set->persistent)
                set_store_remove(manager->document_store, set->id);
        if (manager->bus)
                (void) sd_bus_emit_object_removed(manager->bus, set->path);
        for (PublishedSet **place = &manager->published; *place; place = &(*place)->next)
                if (*place == set) {
                        *place = set->next;
                        break;
                }
        (void) published_free(set);
}

static void set_shrunk(Manager *manager, PublishedSet *set, const char *reason) {
        if (set->n_snapshots == 0)
                set_leave(manager, set, reason);
        else if (manager->bus)
                (void) sd_bus_emit_properties_changed(manager->bus, set->path, BUS_INTERFACE("SnapshotSet"),
                                                      "Snapshots", NULL);
}

/**
 * published_remove() - a set is gone
 * @manager:    the manager
 * @set_id:     UUID text; nothing happens if it is not on the bus
 * @reason:     a word for SnapshotRemoved
 */
void published_remove(Manager *manager, const char *set_id, const char *reason) {
        PublishedSet *set = published_find(manager, set_id);

        if (!set)
                return;
        while (set->n_snapshots > 0)
                snapshot_leave(manager, set, set->n_snapshots - 1, reason);
        set_leave(manager, set, reason);
}

/**
 * published_remove_snapshot() - a snapshot is gone
 * @manager:        the manager
 * @snapshot_id:    UUID text; nothing happens if it is not on the bus
 * @reason:         a word for SnapshotRemoved
 */
void published_remove_snapshot(Manager *manager, const char *snapshot_id, const char *reason) {
        PublishedSnapshot *snapshot = published_find_snapshot(manager, snapshot_id);
        PublishedSet *set;

        if (!snapshot)
                return;
        set = snapshot->set;
        snapshot_leave(manager, set, (size_t) (snapshot - set->snapshots), reason);
        set_shrunk(manager, set, reason);
}

/* Shows a snapshot's state, and with it its set's, if it is another than before. */
static void snapshot_show(PublishedSnapshot *snapshot, const SnapshotInfo *info) {
        sd_bus *bus = snapshot->set->manager->bus;

        if (streq(snapshot->shown_state, info->state))
                return;
        (void) snprintf(snapshot->shown_state, sizeof(snapshot->shown_state), "%s", info->state);
        if (!bus)
                return;
        (void) sd_bus_emit_properties_changed(bus, snapshot->path, BUS_INTERFACE("Snapshot"), "State",
                                              "InvalidReason", "InvalidUSec", NULL);
        (void) sd_bus_emit_properties_changed(bus, snapshot->set->path, BUS_INTERFACE("SnapshotSet"),
                                              "State", NULL);
}

/**
 * published_refresh() - show what has changed, take off the bus what is not there any more
 * @manager:    the manager
 * @reason:     a word for SnapshotRemoved
 */
void published_refresh(Manager *manager, const char *reason) {
        PublishedSet *next;

        for (PublishedSet *set = manager->published; set; set = next) {
                size_t before = set->n_snapshots;

                next = set->next;
                for (size_t i = set->n_snapshots; i > 0; i--) {
                        SnapshotInfo info;
                        SnapshotSet *found;

                        if (published_get_info(&set->snapshots[i - 1], &found, &info))
                                snapshot_show(&set->snapshots[i - 1], &info);
                        else
                                snapshot_leave(manager, set, i - 1, reason);
                }
                if (set->n_snapshots < before)
                        set_shrunk(manager, set, reason);
        }
}
