/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is on the bus: the manager at /org/quiesce1 with the ObjectManager, and below it sessions with their
 * writers, sets, snapshots and providers.
 */

#include "daemon/bus/bus.h"
#include "daemon/bus/log-bus.h"
#include "daemon/bus/providers.h"
#include "daemon/bus/publish.h"

#include "util/error.h"
#include "util/texts.h"

/* A list of paths that grows; sd-bus frees it. */
typedef struct PathList {
        char **items;
        size_t n, allocated;
} PathList;

static int path_list_add(PathList *list, char *path) {
        if (!path)
                return -ENOMEM;
        if (list->n + 1 >= list->allocated) {
                size_t allocated = list->allocated * 2 + 16;
                char **grown = reallocarray(list->items, allocated, sizeof(*grown));

                if (!grown) {
                        free(path);
                        return -ENOMEM;
                }
                list->items = grown;
                list->allocated = allocated;
        }
        list->items[list->n++] = path;
        list->items[list->n] = NULL;
        return 0;
}

static int path_list_add_copy(PathList *list, const char *path) {
        return path_list_add(list, strdup(path));
}

static int list_sessions(const Manager *manager, PathList *list) {
        int r = 0;

        for (const SessionObject *s = manager->sessions; s && r == 0; s = s->next) {
                if (s->shown_state == _CONTRACT_STATE_MAX)
                        continue;
                r = path_list_add_copy(list, s->path);
                for (size_t i = 0; i < s->n_writers && r == 0; i++)
                        if (s->writers[i].shown)
                                r = path_list_add_copy(list, s->writers[i].path);
        }
        return r;
}

static int list_sets(const Manager *manager, PathList *list) {
        int r = 0;

        for (const PublishedSet *set = manager->published; set && r == 0; set = set->next) {
                r = path_list_add_copy(list, set->path);
                for (size_t i = 0; i < set->n_snapshots && r == 0; i++)
                        r = path_list_add_copy(list, set->snapshots[i].path);
        }
        return r;
}

static int list_providers(const Manager *manager, PathList *list) {
        const ProviderObject *provider;
        int r = 0;

        for (size_t i = 0; r == 0 && (provider = provider_objects_get(manager, i)); i++)
                r = path_list_add(list, bus_path("provider", provider->name));
        return r;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *reterr) {
        const Manager *manager = userdata;
        PathList list = {};
        int r;

        r = list_sessions(manager, &list);
        if (r == 0)
                r = list_sets(manager, &list);
        if (r == 0)
                r = list_providers(manager, &list);
        if (r < 0) {
                (void) texts_free(list.items);
                return error_origin(r);
        }
        *ret = list.items;
        return 0;
}

/**
 * bus_register() - put everything on the connection
 * @manager:    the manager; its bus is there, its name is not asked for yet
 *
 * Return: 0, or a negative errno.
 */
int bus_register(Manager *manager) {
        static const struct {
                const char *prefix, *interface;
                const sd_bus_vtable *vtable;
                sd_bus_object_find_t find;
        } objects[] = {
                {BUS_PATH "/session", BUS_INTERFACE("Session"), session_vtable, session_object_bus_find},
                {BUS_PATH "/session", BUS_INTERFACE("Backup"), backup_vtable, backup_bus_find},
                {BUS_PATH "/session", BUS_INTERFACE("Restore"), restore_vtable, restore_bus_find},
                {BUS_PATH "/session", BUS_INTERFACE("WriterState"), writer_state_vtable,
                 writer_state_bus_find},
                {BUS_PATH "/set", BUS_INTERFACE("SnapshotSet"), snapshot_set_vtable, snapshot_set_bus_find},
                {BUS_PATH "/snapshot", BUS_INTERFACE("Snapshot"), snapshot_vtable, snapshot_bus_find},
                {BUS_PATH "/provider", BUS_INTERFACE("Provider"), provider_vtable, provider_bus_find},
        };
        int r;

        r = sd_bus_add_object_manager(manager->bus, NULL, BUS_PATH);
        if (r >= 0)
                r = log_bus_register(manager);
        if (r >= 0)
                r = sd_bus_add_object_vtable(manager->bus, NULL, BUS_PATH, BUS_INTERFACE("Manager"),
                                             manager_vtable, manager);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(manager->bus, NULL, BUS_PATH, enumerate, manager);
        for (size_t i = 0; i < ELEMENTSOF(objects) && r >= 0; i++)
                r = sd_bus_add_fallback_vtable(manager->bus, NULL, objects[i].prefix, objects[i].interface,
                                               objects[i].vtable, objects[i].find, manager);
        return r < 0 ? error_origin(r) : 0;
}
