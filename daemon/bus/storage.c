/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Manager.GetStorage; see storage.h. A row for each volume with snapshots, for each limit without, and for
 * each pool that snapshots lie in. All snapshots count, those that go with their session, too; "sets" are
 * those that limits count.
 */

#include "daemon/bus/storage.h"

#include "daemon/bus/access.h"

#include "util/error.h"

typedef struct Row {
        const char *kind, *name; /* static; the set's or the limit's */
        uint64_t used, allocated, growth_per_hour, full_in_usec;
        unsigned n_snapshots, n_sets;
        bool has_store, growth_is_known; /* of all stores */
} Row;

typedef struct Rows {
        Row *rows;
        size_t n_rows;
} Rows;

static void rows_done(Rows *rows) {
        free(rows->rows);
}

static Row *rows_add(Rows *rows, const char *kind, const char *name) {
        Row *more;

        for (size_t i = 0; i < rows->n_rows; i++)
                if (streq(rows->rows[i].kind, kind) && streq(rows->rows[i].name, name))
                        return &rows->rows[i];
        more = reallocarray(rows->rows, rows->n_rows + 1, sizeof(*more));
        if (!more)
                return NULL;
        rows->rows = more;
        more += rows->n_rows++;
        *more = (Row){.kind = kind, .name = name, .full_in_usec = USEC_INFINITY, .growth_is_known = true};
        return more;
}

static void row_take(Row *row, const StorageInfo *info) {
        row->has_store = true;
        row->used += info->used;
        row->allocated += info->allocated;
        row->growth_per_hour += info->growth_per_hour;
        row->growth_is_known = row->growth_is_known && info->growth_is_known;
        if (info->full_in_usec < row->full_in_usec)
                row->full_in_usec = info->full_in_usec; /* the first store that is */
}

/* What of the set the row is about. */
static void row_take_set(Row *row, const SnapshotSet *set, const SetInfo *info) {
        bool any = false;

        for (size_t i = 0; i < info->n_snapshots; i++) {
                SnapshotInfo snapshot;
                StorageInfo storage = {};

                if (!snapshot_set_get_snapshot(set, i, &snapshot) ||
                    !keeping_volume_is_of(snapshot.volume, row->name))
                        continue;
                any = true;
                row->n_snapshots++;
                if (snapshot_set_get_storage(set, i, &storage))
                        row_take(row, &storage);
        }
        row->n_sets += any && info->persistent;
}

static int rows_add_volumes(Rows *rows, const Manager *manager) {
        SetInfo info;

        for (size_t i = 0; i < sets_count(manager->sets); i++) {
                const SnapshotSet *set = sets_get(manager->sets, i);
                SnapshotInfo snapshot;

                if (!snapshot_set_get_info(set, &info) || !info.created)
                        continue;
                for (size_t k = 0; k < info.n_snapshots; k++)
                        if (snapshot_set_get_snapshot(set, k, &snapshot) &&
                            !rows_add(rows, "volume", snapshot.volume))
                                return error_origin(-ENOMEM);
        }
        for (size_t i = 0; i < manager->config->keeping.n_limits; i++) {
                const char *name = manager->config->keeping.limits[i].name;

                if (!rows_add(rows, strchr(name, '/') || strchr(name, ':') ? "volume" : "group", name))
                        return error_origin(-ENOMEM);
        }
        for (size_t i = 0; i < sets_count(manager->sets); i++) {
                const SnapshotSet *set = sets_get(manager->sets, i);

                for (size_t k = 0; k < rows->n_rows; k++)
                        if (snapshot_set_get_info(set, &info) && info.created)
                                row_take_set(&rows->rows[k], set, &info);
        }
        return 0;
}

static int rows_add_pools(Rows *rows, const Manager *manager) {
        StorageInfo info;

        for (size_t i = 0; sets_get_pool_storage(manager->sets, i, &info); i++) {
                Row *row = rows_add(rows, "pool", info.name);

                if (!row)
                        return error_origin(-ENOMEM);
                row_take(row, &info);
        }
        return 0;
}

static int append_limit(sd_bus_message *reply, const KeepingLimit *limit) {
        int r = 0;

        if (limit->max_size > 0)
                r = dictionary_add(reply, "limit", "t", limit->max_size);
        if (r >= 0 && limit->max_count > 0)
                r = dictionary_add(reply, "limit-count", "u", (uint32_t) limit->max_count);
        if (r >= 0 && limit->max_age_usec > 0)
                r = dictionary_add(reply, "limit-age", "t", limit->max_age_usec);
        return r;
}

static int append_use(sd_bus_message *reply, const Row *row) {
        int r;

        r = dictionary_add(reply, "used", "t", row->used);
        if (r >= 0)
                r = dictionary_add(reply, "allocated", "t", row->allocated);
        if (r >= 0 && row->growth_is_known)
                r = dictionary_add(reply, "growth-per-hour", "t", row->growth_per_hour);
        if (r >= 0 && row->full_in_usec != USEC_INFINITY)
                r = dictionary_add(reply, "full-at", "t", now_usec(CLOCK_REALTIME) + row->full_in_usec);
        return r;
}

static int append_row(sd_bus_message *reply, const Row *row, const KeepingRules *rules) {
        const KeepingLimit *limit =
                streq(row->kind, "pool") ? NULL : keeping_rules_find_limit(rules, row->name);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(reply, "kind", "s", row->kind);
        if (r >= 0)
                r = dictionary_add(reply, "name", "s", row->name);
        if (r >= 0 && !streq(row->kind, "pool"))
                r = dictionary_add(reply, "snapshots", "u", (uint32_t) row->n_snapshots);
        if (r >= 0 && !streq(row->kind, "pool"))
                r = dictionary_add(reply, "sets", "u", (uint32_t) row->n_sets);
        if (r >= 0 && row->has_store)
                r = append_use(reply, row);
        if (r >= 0 && limit)
                r = append_limit(reply, limit);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/* AccessGranted */
static void get_storage_granted(Manager *manager, KeptCall **call, Owner **owner, void *userdata) {
        _cleanup_(rows_done) Rows rows = {};
        sd_bus_message *reply = NULL;
        int r;

        sets_look_at_space(manager->sets);
        r = rows_add_volumes(&rows, manager);
        if (r >= 0)
                r = rows_add_pools(&rows, manager);
        if (r >= 0)
                r = sd_bus_message_new_method_return((*call)->message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; i < rows.n_rows && r >= 0; i++)
                r = append_row(reply, &rows.rows[i], &manager->config->keeping);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        bus_reply_send((*call)->message, reply, r);
        sd_bus_message_unref(reply);
}

/**
 * method_get_storage() - Manager.GetStorage, for sd-bus
 * @m:          the call
 * @userdata:   the manager
 * @reterr:     InvalidArgument, LimitsExceeded
 *
 * Return: 1, or a negative errno.
 */
int method_get_storage(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        int r;

        r = options_read_none(m, reterr);
        return r < 0 ? r
                     : access_check(userdata, m, &(AccessQuestion){.action = ACTION_BACKUP},
                                    get_storage_granted, NULL, NULL, reterr);
}
