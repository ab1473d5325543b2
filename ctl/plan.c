/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plan of a command's view; see plan.h. Text in, text out: nothing is opened here.
 */

#include "ctl/plan.h"

#include <errno.h>

#include "util/error.h"

/* A tmpfs here is the system's own scratch space, not somebody's data. */
static const char *const scratch[] = {"/dev", "/proc", "/run", "/sys", "/tmp", "/var/tmp"};
/* What stays live when the root itself is shown from a snapshot. */
static const char *const live_of_root[] = {"/run", "/tmp", "/var/tmp"};

/**
 * plan_free() - free a plan and close its trees
 * @plan:       the plan or NULL
 *
 * Return: NULL.
 */
Plan *plan_free(Plan *plan) {
        if (!plan)
                return NULL;
        for (size_t i = 0; i < plan->n_entries; i++) {
                free(plan->entries[i].path);
                free(plan->entries[i].inside);
                free(plan->entries[i].reason);
                fd_close(plan->entries[i].tree_fd);
        }
        for (size_t i = 0; i < plan->n_volumes; i++)
                free(plan->volumes[i].snapshot);
        free(plan->entries);
        free(plan->volumes);
        free(plan);
        return NULL;
}

static PlanEntry *plan_find(Plan *plan, const char *path) {
        for (size_t i = 0; i < plan->n_entries; i++)
                if (streq(plan->entries[i].path, path))
                        return &plan->entries[i];
        return NULL;
}

static int plan_add(Plan *plan, PlanKind kind, const char *path, const Mount *mount, PlanEntry **ret) {
        PlanEntry *entries, *entry;

        entries = reallocarray(plan->entries, plan->n_entries + 1, sizeof(*entries));
        if (!entries)
                return error_origin(-ENOMEM);
        plan->entries = entries;
        entry = &entries[plan->n_entries++];
        *entry = (PlanEntry){
                .path = strdup(path),
                .inside = path_inside_mount(mount, path),
                .mount = mount,
                .kind = kind,
                .tree_fd = -1,
        };
        if (!entry->path || !entry->inside)
                return error_origin(-ENOMEM);
        *ret = entry;
        return 0;
}

static int entry_set_reason(PlanEntry *entry, const char *reason) {
        free(entry->reason);
        entry->reason = strdup(reason);
        entry->named = true;
        return entry->reason ? 0 : error_origin(-ENOMEM);
}

static bool is_below_any(const char *path, const char *const *directories, size_t n_directories) {
        for (size_t i = 0; i < n_directories; i++)
                if (path_is_below(path, directories[i]))
                        return true;
        return false;
}

static int plan_add_given(Plan *plan, const MountTable *table, const PlanOptions *options) {
        const Mount *mount;
        PlanEntry *entry;
        int r;

        for (size_t i = 0; i < options->n_paths; i++) {
                if (plan_find(plan, options->paths[i]))
                        continue;
                mount = mount_table_resolve(table, options->paths[i]);
                if (!mount)
                        return error_origin(-ENODEV);
                r = plan_add(plan, PLAN_SNAPSHOT, options->paths[i], mount, &entry);
                if (r < 0)
                        return error_trace(r);
                entry->given = true;
        }
        return 0;
}

static int plan_add_live_path(Plan *plan, const MountTable *table, const char *path) {
        PlanEntry *entry;
        const Mount *mount;
        int r;

        if (plan_find(plan, path))
                return 0;
        mount = mount_table_resolve(table, path);
        if (!mount)
                return error_origin(-ENODEV);
        r = plan_add(plan, PLAN_LIVE, path, mount, &entry);
        if (r < 0)
                return error_trace(r);
        entry->asked = true;
        return 0;
}

static int plan_add_live(Plan *plan, const MountTable *table, const PlanOptions *options) {
        int r;

        for (size_t i = 0; i < options->n_live; i++) {
                r = plan_add_live_path(plan, table, options->live[i]);
                if (r < 0)
                        return error_trace(r);
        }
        if (!plan_find(plan, "/") || options->no_view)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(live_of_root); i++) {
                r = plan_add_live_path(plan, table, live_of_root[i]);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

/* Whether what lies below path was asked to stay live: the nearest path around it decides. */
static bool plan_is_live(const Plan *plan, const char *path) {
        const PlanEntry *nearest = NULL;

        for (size_t i = 0; i < plan->n_entries; i++) {
                const PlanEntry *entry = &plan->entries[i];

                if ((entry->given || entry->asked) && path_is_below(path, entry->path) &&
                    (!nearest || strlen(entry->path) > strlen(nearest->path)))
                        nearest = entry;
        }
        return nearest && nearest->kind == PLAN_LIVE;
}

static bool plan_is_covered(const Plan *plan, const char *path) {
        for (size_t i = 0; i < plan->n_entries; i++)
                if (plan->entries[i].given && path_is_below(path, plan->entries[i].path))
                        return true;
        return false;
}

static int plan_add_mount(Plan *plan, const Mount *mount, const PlanOptions *options) {
        bool asked = options->one_file_system || plan_is_live(plan, mount->point);
        bool block = mount_is_block(mount);
        PlanEntry *entry;
        int r;

        r = plan_add(plan, block && !asked ? PLAN_SNAPSHOT : PLAN_LIVE, mount->point, mount, &entry);
        if (r < 0 || block || asked || mount->kernel ||
            (streq(mount->type, "tmpfs") && is_below_any(mount->point, scratch, ELEMENTSOF(scratch))))
                return error_trace(r);
        return error_trace(entry_set_reason(entry, "it lies on no block device"));
}

static int plan_add_mounts(Plan *plan, const MountTable *table, const PlanOptions *options) {
        int r;

        for (size_t i = 0; i < table->n_mounts; i++) {
                const Mount *mount = &table->mounts[i];

                if (!plan_is_covered(plan, mount->point) || plan_find(plan, mount->point) ||
                    mount_table_resolve(table, mount->point) != mount)
                        continue;
                r = plan_add_mount(plan, mount, options);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

/* '/' sorts before every other byte, so that a directory comes right before what lies in it. */
static int path_compare(const char *a, const char *b) {
        for (; *a && *a == *b; a++, b++)
                ;
        if (*a == *b)
                return 0;
        if (*a == '\0' || *b == '\0')
                return *a == '\0' ? -1 : 1;
        if (*a == '/' || *b == '/')
                return *a == '/' ? -1 : 1;
        return (unsigned char) *a < (unsigned char) *b ? -1 : 1;
}

static int entry_compare(const void *a, const void *b) {
        return path_compare(((const PlanEntry *) a)->path, ((const PlanEntry *) b)->path);
}

/* The entry around entry i: the last one before it that it lies below. */
static const PlanEntry *plan_around(const Plan *plan, size_t i) {
        for (size_t k = i; k-- > 0;)
                if (plan->entries[k].path && path_is_below(plan->entries[i].path, plan->entries[k].path))
                        return &plan->entries[k];
        return NULL;
}

/* A path of the caller's that a snapshot around it shows already is no entry of its own. */
static void plan_drop_doubles(Plan *plan) {
        size_t n = 0;

        for (size_t i = 0; i < plan->n_entries; i++) {
                const PlanEntry *around = plan_around(plan, i);
                PlanEntry *entry = &plan->entries[i];

                if (entry->kind == PLAN_SNAPSHOT && around && around->kind == PLAN_SNAPSHOT &&
                    around->mount == entry->mount) {
                        free(entry->path);
                        free(entry->inside);
                        entry->path = entry->inside = NULL;
                }
        }
        for (size_t i = 0; i < plan->n_entries; i++)
                if (plan->entries[i].path)
                        plan->entries[n++] = plan->entries[i];
        plan->n_entries = n;
}

static int plan_collect_volumes(Plan *plan, const PlanOptions *options) {
        plan->volumes = calloc(plan->n_entries + 1, sizeof(*plan->volumes));
        if (!plan->volumes)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < plan->n_entries; i++) {
                PlanEntry *entry = &plan->entries[i];
                size_t v = 0;

                if (entry->kind != PLAN_SNAPSHOT)
                        continue;
                while (v < plan->n_volumes && plan->volumes[v].mount->device != entry->mount->device)
                        v++;
                if (v == plan->n_volumes)
                        plan->volumes[plan->n_volumes++] =
                                (PlanVolume){.mount = entry->mount, .path = entry->path};
                plan->volumes[v].given |= entry->given && !options->lenient;
                entry->volume = v;
        }
        return 0;
}

/**
 * plan_new() - plan what is seen at the caller's paths and below
 * @ret:        the plan; plan_free() it
 * @table:      the mounts; must outlive the plan
 * @options:    paths and wishes
 *
 * Return: 0 or a negative errno.
 */
int plan_new(Plan **ret, const MountTable *table, const PlanOptions *options) {
        _cleanup_(plan_freep) Plan *plan = NULL;
        int r;

        plan = calloc(1, sizeof(*plan));
        if (!plan)
                return error_origin(-ENOMEM);
        r = plan_add_given(plan, table, options);
        if (r >= 0)
                r = plan_add_live(plan, table, options);
        if (r >= 0)
                r = plan_add_mounts(plan, table, options);
        if (r < 0)
                return error_trace(r);
        qsort(plan->entries, plan->n_entries, sizeof(*plan->entries), entry_compare);
        plan_drop_doubles(plan);
        r = plan_collect_volumes(plan, options);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(plan);
        return 0;
}

/**
 * plan_volume_stays_live() - note that a volume cannot be shown from a snapshot
 * @plan:       the plan
 * @volume:     its index
 * @reason:     why, for people
 *
 * Return: 0 or a negative errno.
 */
int plan_volume_stays_live(Plan *plan, size_t volume, const char *reason) {
        int r;

        for (size_t i = 0; i < plan->n_entries; i++) {
                PlanEntry *entry = &plan->entries[i];

                if (entry->kind != PLAN_SNAPSHOT || entry->volume != volume)
                        continue;
                entry->kind = PLAN_LIVE;
                r = entry_set_reason(entry, reason);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

/**
 * plan_finish() - decide which entries must be put in place
 * @plan:       the plan
 *
 * A live entry is needed only right above a snapshot: elsewhere what is around it, live itself, shows it.
 */
void plan_finish(Plan *plan) {
        for (size_t i = 0; i < plan->n_entries; i++) {
                const PlanEntry *around = plan_around(plan, i);
                PlanEntry *entry = &plan->entries[i];

                entry->needed = entry->kind == PLAN_SNAPSHOT || (around && around->kind == PLAN_SNAPSHOT);
        }
}
