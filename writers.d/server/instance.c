/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Instances: their memory, and where a container's folders lie on the host. */

#include "writers.d/server/instance.h"

#include <limits.h>
#include <sys/stat.h>

#include "util/error.h"
#include "util/utf8.h"

#define LINKS_MAX 16u

/**
 * instance_new() - an instance of which nothing is known but its name
 * @ret:        it
 * @name:       copied; NULL: the engine will give it one
 *
 * Return: 0, or -ENOMEM.
 */
int instance_new(Instance **ret, const char *name) {
        _cleanup_(instance_freep) Instance *instance = calloc(1, sizeof(*instance));

        if (!instance)
                return error_origin(-ENOMEM);
        instance->limit_usec = INSTANCE_LIMIT_USEC;
        if (name) {
                instance->name = strdup(name);
                if (!instance->name)
                        return error_origin(-ENOMEM);
        }
        *ret = TAKE_PTR(instance);
        return 0;
}

static int copy_text(char **ret, const char *text) {
        if (!text)
                return 0;
        *ret = strdup(text);
        return *ret ? 0 : error_origin(-ENOMEM);
}

/**
 * instance_copy() - the same again, for a thread of its own
 * @ret:        it
 * @instance:   what it is like
 *
 * Return: 0, or -ENOMEM.
 */
int instance_copy(Instance **ret, const Instance *instance) {
        _cleanup_(instance_freep) Instance *copy = NULL;
        int r;

        r = instance_new(&copy, instance->name);
        if (r == 0)
                r = copy_text(&copy->socket, instance->socket);
        if (r == 0)
                r = copy_text(&copy->host, instance->host);
        if (r == 0)
                r = copy_text(&copy->user, instance->user);
        if (r == 0)
                r = copy_text(&copy->password_file, instance->password_file);
        if (r == 0)
                r = copy_text(&copy->mode, instance->mode);
        if (r == 0)
                r = copy_text(&copy->found, instance->found);
        for (size_t i = 0; r == 0 && instance->maps && instance->maps[i]; i++)
                r = instance_add_map(copy, instance->maps[i]);
        if (r < 0)
                return error_trace(r);
        copy->port = instance->port;
        copy->limit_usec = instance->limit_usec;
        copy->discovered = instance->discovered;
        *ret = TAKE_PTR(copy);
        return 0;
}

/**
 * instance_free() - forget an instance
 * @instance:   it or NULL
 *
 * Return: NULL.
 */
Instance *instance_free(Instance *instance) {
        if (!instance)
                return NULL;
        for (size_t i = 0; instance->maps && instance->maps[i]; i++)
                free(instance->maps[i]);
        free(instance->maps);
        free(instance->name);
        free(instance->socket);
        free(instance->host);
        free(instance->user);
        free(instance->password_file);
        free(instance->mode);
        free(instance->found);
        free(instance);
        return NULL;
}

/**
 * instance_name_is_good() - whether it can be a component's name
 * @name:       the name
 *
 * Return: whether it can.
 */
bool instance_name_is_good(const char *name) {
        return name[0] && strlen(name) <= INSTANCE_NAME_MAX && !strchr(name, '/') && utf8_is_valid(name);
}

/**
 * instance_add_map() - say where a folder of the server's lies here
 * @instance:   whose server
 * @map:        "SERVER:HOST", both absolute
 *
 * Return: 0; -EINVAL: not of that form, or too many; -ENOMEM.
 */
int instance_add_map(Instance *instance, const char *map) {
        const char *colon = strchr(map, ':');
        char **grown;
        size_t n = 0;

        while (instance->maps && instance->maps[n])
                n++;
        if (map[0] != '/' || !colon || colon[1] != '/' || n >= INSTANCE_MAPS_MAX)
                return -EINVAL;
        grown = reallocarray(instance->maps, n + 2, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        instance->maps = grown;
        grown[n + 1] = NULL;
        grown[n] = strdup(map);
        return grown[n] ? 0 : error_origin(-ENOMEM);
}

/* What follows a folder in a path: "" or "/…"; NULL: it is not below it. */
static const char *below(const char *path, const char *folder, size_t n) {
        while (n > 0 && folder[n - 1] == '/')
                n--;
        return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0') ? path + n : NULL;
}

/* By the map that knows the longest part of it. */
static char *map_once(const Instance *instance, const char *path) {
        const char *rest = path, *folder = "";
        size_t longest = 0;
        char *mapped;

        for (size_t i = 0; instance->maps && instance->maps[i]; i++) {
                const char *map = instance->maps[i], *colon = strchr(map, ':');
                size_t n = (size_t) (colon - map);
                const char *found = below(path, map, n);

                if (found && n > longest) {
                        longest = n;
                        rest = found;
                        folder = colon + 1;
                }
        }
        if (streq(folder, "/")) /* "//x" would be the same, but not look so */
                folder = rest[0] ? "" : "/";
        return asprintf(&mapped, "%s%s", folder, rest) < 0 ? NULL : mapped;
}

/* Where a link of the server's leads, in the server's eyes: it was made there. */
static int follow_link(const Instance *instance, char **path, char **mapped) {
        char target[PATH_MAX], *next;
        const char *slash = strrchr(*path, '/');
        ssize_t n;

        n = readlink(*mapped, target, sizeof(target) - 1);
        if (n < 0)
                return 1; /* no link, or not ours to know: whoever looks there will say so */
        target[n] = '\0';
        if (target[0] == '/')
                next = strdup(target);
        else if (asprintf(&next, "%.*s/%s", (int) (slash - *path), *path, target) < 0)
                next = NULL;
        if (!next)
                return error_origin(-ENOMEM);
        free(*path);
        *path = next;
        free(*mapped);
        *mapped = map_once(instance, next);
        return *mapped ? 0 : error_origin(-ENOMEM);
}

/**
 * instance_map_path() - a path of the server's as the host knows it
 * @instance:   whose Map= counts
 * @path:       absolute, as the server says
 * @ret:        free() it
 *
 * With a Map= a link at the path's end is followed here, as an absolute one means a place in the server's
 * container; without, links are as good on the host and left to whoever looks.
 *
 * Return: 0; -EINVAL: not absolute; -ENOMEM.
 */
int instance_map_path(const Instance *instance, const char *path, char **ret) {
        _cleanup_free_ char *theirs = NULL, *mapped = NULL;
        int r = 0;

        if (path[0] != '/')
                return error_origin(-EINVAL);
        theirs = strdup(path);
        mapped = map_once(instance, path);
        if (!theirs || !mapped)
                return error_origin(-ENOMEM);
        for (unsigned i = 0; r == 0 && instance->maps && i < LINKS_MAX; i++)
                r = follow_link(instance, &theirs, &mapped);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(mapped);
        return 0;
}

/**
 * instances_add() - one more
 * @instances:  the row
 * @instance:   taken, if it goes well
 *
 * Return: 0; -E2BIG: there are too many; -ENOMEM.
 */
int instances_add(Instances *instances, Instance *instance) {
        Instance **grown;

        if (instances->n_items >= INSTANCES_MAX)
                return -E2BIG;
        grown = reallocarray(instances->items, instances->n_items + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        instances->items = grown;
        grown[instances->n_items++] = instance;
        return 0;
}

/**
 * instances_find() - by name
 * @instances:  the row
 * @name:       the name
 *
 * Return: it, or NULL.
 */
Instance *instances_find(const Instances *instances, const char *name) {
        for (size_t i = 0; i < instances->n_items; i++)
                if (streq(instances->items[i]->name, name))
                        return instances->items[i];
        return NULL;
}

/**
 * instances_done() - forget all
 * @instances:  emptied
 */
void instances_done(Instances *instances) {
        for (size_t i = 0; i < instances->n_items; i++)
                (void) instance_free(instances->items[i]);
        free(instances->items);
        *instances = (Instances){};
}
