/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What writers declare that can be backed up and restored by itself; see script-run.h.
 */

#include "ctl/script-run.h"

/**
 * components_done() - free them
 * @components: they
 */
void components_done(ScriptComponents *components) {
        for (size_t i = 0; i < components->n_items; i++) {
                free(components->items[i].writer);
                free(components->items[i].logical_path);
                free(components->items[i].name);
        }
        free(components->items);
        *components = (ScriptComponents){};
}

/**
 * components_add() - one more
 * @components:    they
 * @writer:        whose
 * @logical_path:  of it; "": at the top
 * @name:          its name
 * @selectable:    whether it can be chosen by itself
 *
 * Return: 0 or a negative errno.
 */
int components_add(ScriptComponents *components, const char *writer, const char *logical_path,
                   const char *name, bool selectable) {
        ScriptComponent added = {
                .writer = strdup(writer),
                .logical_path = strdup(logical_path),
                .name = strdup(name),
                .selectable = selectable,
        };
        ScriptComponent *items;

        items = reallocarray(components->items, components->n_items + 1, sizeof(*items));
        if (items)
                components->items = items;
        if (!items || !added.writer || !added.logical_path || !added.name) {
                free(added.writer);
                free(added.logical_path);
                free(added.name);
                return error_origin(-ENOMEM);
        }
        items[components->n_items++] = added;
        return 0;
}

/* One of "components", a{sv}. */
static int read_component(ScriptComponents *components, const char *writer, sd_bus_message *m) {
        const char *key, *path = "", *name = "";
        int r, selectable = false;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0 && streq(key, "logical-path"))
                        r = sd_bus_message_read(m, "v", "s", &path);
                else if (r >= 0 && streq(key, "name"))
                        r = sd_bus_message_read(m, "v", "s", &name);
                else if (r >= 0 && streq(key, "selectable"))
                        r = sd_bus_message_read(m, "v", "b", &selectable);
                else if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : components_add(components, writer, path, name, selectable));
}

static int read_components(ScriptComponents *components, const char *writer, sd_bus_message *m) {
        int r;

        r = sd_bus_message_enter_container(m, 'v', "aa{sv}");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0)
                r = read_component(components, writer, m);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : 0);
}

/* A writer, a{sv}; its name comes first. */
static int read_writer(ScriptComponents *components, char ***writers, size_t *n_writers, sd_bus_message *m) {
        const char *key, *name = "";
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0 && streq(key, "name"))
                        r = sd_bus_message_read(m, "v", "s", &name);
                else if (r >= 0 && streq(key, "components"))
                        r = read_components(components, name, m);
                else if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : options_append(writers, n_writers, strdup(name)));
}

/**
 * components_read() - what GatherWriterMetadata answered
 * @components: all components of all writers are added; components_done() it in any case
 * @writers:    their names are added, NULL-terminated; quiesce_strv_free() it in any case
 * @n_writers:  how many
 * @reply:      the answer, aa{sv}
 *
 * Return: 0 or a negative errno.
 */
int components_read(ScriptComponents *components, char ***writers, size_t *n_writers,
                    sd_bus_message *reply) {
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0)
                r = read_writer(components, writers, n_writers, reply);
        return error_trace(r < 0 ? r : 0);
}

static bool leads_through(const char *path, const ScriptComponent *above) {
        size_t n_path = strlen(above->logical_path), n_name = strlen(above->name);

        if (n_path > 0) {
                if (strncmp(path, above->logical_path, n_path) != 0 || path[n_path] != '/')
                        return false;
                path += n_path + 1;
        }
        return strncmp(path, above->name, n_name) == 0 && (path[n_name] == '\0' || path[n_name] == '/');
}

/**
 * component_is_below_selectable() - whether a component goes with another, and is not added by itself
 * @components: all of its writer's, and perhaps of others
 * @component:  it
 *
 * Return: true if so.
 */
bool component_is_below_selectable(const ScriptComponents *components, const ScriptComponent *component) {
        for (size_t i = 0; i < components->n_items; i++) {
                const ScriptComponent *above = &components->items[i];

                if (above->selectable && streq(above->writer, component->writer) &&
                    leads_through(component->logical_path, above))
                        return true;
        }
        return false;
}

/**
 * component_is_named() - whether a script means a component
 * @component:  it
 * @text:       "WRITER:NAME" or "WRITER:LOGICAL-PATH/NAME"
 *
 * Return: true if so.
 */
bool component_is_named(const ScriptComponent *component, const char *text) {
        size_t n_writer = strlen(component->writer), n_path = strlen(component->logical_path);

        if (strncmp(text, component->writer, n_writer) != 0 || text[n_writer] != ':')
                return false;
        text += n_writer + 1;
        if (n_path > 0) {
                if (strncmp(text, component->logical_path, n_path) != 0 || text[n_path] != '/')
                        return false;
                text += n_path + 1;
        }
        return streq(text, component->name);
}
