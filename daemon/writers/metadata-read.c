/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The metadata in a writer's answer to Identify (units/dbus/org.quiesce1.Writer.xml). Keys that are not
 * known are skipped, so that a newer writer may say more.
 */

#include "daemon/writers/internal.h"
#include "util/error.h"
#include "util/utf8.h"

static int read_string(sd_bus_message *m, char **field) {
        const char *value;
        int r;

        r = sd_bus_message_read(m, "v", "s", &value);
        return error_trace(r < 0 ? r : writer_metadata_set(field, value));
}

static int read_boolean(sd_bus_message *m, bool *field) {
        int r, value;

        r = sd_bus_message_read(m, "v", "b", &value);
        if (r >= 0)
                *field = value;
        return error_trace(r);
}

static int read_paths(sd_bus_message *m, WriterMetadata *metadata) {
        const char *path;
        int r;

        r = sd_bus_message_enter_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &path)) > 0)
                r = writer_metadata_add_path(metadata, path);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_files(sd_bus_message *m, WriterFiles **files, size_t *n_files) {
        const char *path, *pattern;
        int r, recursive;

        r = sd_bus_message_enter_container(m, 'v', "a(ssb)");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "(ssb)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(ssb)", &path, &pattern, &recursive)) > 0)
                r = writer_files_add(files, n_files, path, pattern, recursive);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_component_entry(sd_bus_message *m, WriterComponent *component) {
        const char *key;
        int r;

        r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return error_trace(r);
        if (streq(key, "type"))
                return read_string(m, &component->type);
        if (streq(key, "logical-path"))
                return read_string(m, &component->logical_path);
        if (streq(key, "name"))
                return read_string(m, &component->name);
        if (streq(key, "caption"))
                return read_string(m, &component->caption);
        if (streq(key, "selectable"))
                return read_boolean(m, &component->selectable);
        if (streq(key, "selectable-for-restore"))
                return read_boolean(m, &component->selectable_for_restore);
        if (streq(key, "files"))
                return read_files(m, &component->files, &component->n_files);
        return sd_bus_message_skip(m, "v");
}

/* The entries of an a{sv} that has been entered. */
static int read_component(sd_bus_message *m, WriterComponent *component) {
        int r;

        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_component_entry(m, component);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return error_trace(r);
        }
        return error_trace(r);
}

static int read_components(sd_bus_message *m, WriterMetadata *metadata) {
        WriterComponent *component;
        int r;

        r = sd_bus_message_enter_container(m, 'v', "aa{sv}");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'a', "{sv}")) > 0) {
                r = writer_metadata_add_component(metadata, &component);
                if (r >= 0)
                        r = read_component(m, component);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_writer_restore(sd_bus_message *m, WriterMetadata *metadata) {
        const char *value;
        int r;

        r = sd_bus_message_read(m, "v", "s", &value);
        if (r < 0)
                return error_trace(r);
        metadata->never_restored = streq(value, "never");
        return metadata->never_restored || streq(value, "always") ? 0 : error_origin(-EINVAL);
}

/**
 * metadata_read_entry() - one value of an answer to Identify
 * @metadata:   filled in
 * @m:          the answer, at the value
 * @key:        its key
 *
 * Return: 0 or more; -ENXIO: of a wrong type; -E2BIG: too many; -EINVAL: a word that is not known; another
 * negative errno.
 */
int metadata_read_entry(WriterMetadata *metadata, sd_bus_message *m, const char *key) {
        if (streq(key, "description"))
                return read_string(m, &metadata->description);
        if (streq(key, "paths"))
                return read_paths(m, metadata);
        if (streq(key, "components"))
                return read_components(m, metadata);
        if (streq(key, "exclude-files"))
                return read_files(m, &metadata->exclude_files, &metadata->n_exclude_files);
        if (streq(key, "restore-method"))
                return read_string(m, &metadata->restore_method);
        if (streq(key, "writer-restore"))
                return read_writer_restore(m, metadata);
        return sd_bus_message_skip(m, "v");
}
