/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The metadata in a writer's answer to Identify (units/dbus/org.quiesce1.Writer.xml). Keys that are not
 * known are skipped, so that a newer writer may say more.
 */

#include "daemon/writers/internal.h"
#include "util/error.h"
#include "util/utf8.h"

static int read_string(sd_bus_message *m, void *field) {
        const char *value;
        int r;

        r = sd_bus_message_read(m, "s", &value);
        return error_trace(r < 0 ? r : writer_metadata_set(field, value));
}

static int read_paths(sd_bus_message *m, void *userdata) {
        const char *path;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &path)) > 0)
                r = writer_metadata_add_path(userdata, path);
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_files(sd_bus_message *m, WriterFiles **files, size_t *n_files) {
        const char *path, *pattern;
        int r, recursive;

        r = sd_bus_message_enter_container(m, 'a', "(ssb)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(ssb)", &path, &pattern, &recursive)) > 0)
                r = writer_files_add(files, n_files, path, pattern, recursive);
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_files_of_component(sd_bus_message *m, void *userdata) {
        WriterComponent *component = userdata;

        return read_files(m, &component->files, &component->n_files);
}

static int read_exclude_files(sd_bus_message *m, void *userdata) {
        WriterMetadata *metadata = userdata;

        return read_files(m, &metadata->exclude_files, &metadata->n_exclude_files);
}

static int read_component(sd_bus_message *m, WriterComponent *component) {
        const DictionaryField fields[] = {
                {"type", "s", &component->type, read_string},
                {"logical-path", "s", &component->logical_path, read_string},
                {"name", "s", &component->name, read_string},
                {"caption", "s", &component->caption, read_string},
                {"selectable", "b", &component->selectable, NULL},
                {"selectable-for-restore", "b", &component->selectable_for_restore, NULL},
                {"files", "a(ssb)", component, read_files_of_component},
        };

        return error_trace(dictionary_read(m, fields, ELEMENTSOF(fields)));
}

static int read_components(sd_bus_message *m, void *userdata) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                WriterComponent *component = NULL;

                r = writer_metadata_add_component(userdata, &component);
                if (r >= 0)
                        r = read_component(m, component);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_writer_restore(sd_bus_message *m, void *userdata) {
        WriterMetadata *metadata = userdata;
        const char *value;
        int r;

        r = sd_bus_message_read(m, "s", &value);
        if (r < 0)
                return error_trace(r);
        metadata->never_restored = streq(value, "never");
        return metadata->never_restored || streq(value, "always") ? 0 : error_origin(-EINVAL);
}

/**
 * metadata_fields() - what an answer to Identify may tell
 * @metadata:   filled in when they are read with dictionary_read(), which returns -E2BIG: too many; -EINVAL:
 *              a word that is not known
 * @fields:     METADATA_FIELDS of them
 */
void metadata_fields(WriterMetadata *metadata, DictionaryField *fields) {
        const DictionaryField all[METADATA_FIELDS] = {
                {"description", "s", &metadata->description, read_string},
                {"paths", "as", metadata, read_paths},
                {"components", "aa{sv}", metadata, read_components},
                {"exclude-files", "a(ssb)", metadata, read_exclude_files},
                {"restore-method", "s", &metadata->restore_method, read_string},
                {"writer-restore", "s", metadata, read_writer_restore},
        };

        memcpy(fields, all, sizeof(all));
}
