/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The metadata in a writer's answer to Identify (units/dbus/org.quiesce1.Writer.xml). Keys that are not
 * known are skipped, so that a newer writer may say more.
 */

#include "daemon/writers/internal.h"
#include "util/error.h"
#include "util/utf8.h"

/* A text is copied only if there is room for it: each session keeps what each writer said. */
static int take_room(MetadataRoom *room, const char *text) {
        size_t n = strlen(text) + 1;

        if (n > room->left)
                return error_origin(-E2BIG);
        room->left -= n;
        return 0;
}

static int read_string(sd_bus_message *m, MetadataRoom *room, char **field) {
        const char *value;
        int r;

        r = sd_bus_message_read(m, "s", &value);
        if (r >= 0)
                r = take_room(room, value);
        return error_trace(r < 0 ? r : writer_metadata_set(field, value));
}

static int read_description(sd_bus_message *m, void *room) {
        return read_string(m, room, &((MetadataRoom *) room)->metadata->description);
}

static int read_restore_method(sd_bus_message *m, void *room) {
        return read_string(m, room, &((MetadataRoom *) room)->metadata->restore_method);
}

static int read_paths(sd_bus_message *m, void *userdata) {
        MetadataRoom *room = userdata;
        const char *path;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &path)) > 0) {
                r = take_room(room, path);
                if (r >= 0)
                        r = writer_metadata_add_path(room->metadata, path);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_files(sd_bus_message *m, MetadataRoom *room, WriterFiles **files, size_t *n_files) {
        const char *path, *pattern;
        int r, recursive;

        r = sd_bus_message_enter_container(m, 'a', "(ssb)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(ssb)", &path, &pattern, &recursive)) > 0) {
                r = take_room(room, path);
                if (r >= 0)
                        r = take_room(room, pattern);
                if (r >= 0)
                        r = writer_files_add(files, n_files, path, pattern, recursive);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_exclude_files(sd_bus_message *m, void *userdata) {
        MetadataRoom *room = userdata;

        return read_files(m, room, &room->metadata->exclude_files, &room->metadata->n_exclude_files);
}

/* A component and the room for its texts. */
typedef struct ComponentRoom {
        WriterComponent *component;
        MetadataRoom *room;
} ComponentRoom;

static int read_type(sd_bus_message *m, void *userdata) {
        ComponentRoom *c = userdata;

        return read_string(m, c->room, &c->component->type);
}

static int read_logical_path(sd_bus_message *m, void *userdata) {
        ComponentRoom *c = userdata;

        return read_string(m, c->room, &c->component->logical_path);
}

static int read_name(sd_bus_message *m, void *userdata) {
        ComponentRoom *c = userdata;

        return read_string(m, c->room, &c->component->name);
}

static int read_caption(sd_bus_message *m, void *userdata) {
        ComponentRoom *c = userdata;

        return read_string(m, c->room, &c->component->caption);
}

static int read_files_of_component(sd_bus_message *m, void *userdata) {
        ComponentRoom *c = userdata;

        return read_files(m, c->room, &c->component->files, &c->component->n_files);
}

static int read_component(sd_bus_message *m, MetadataRoom *room, WriterComponent *component) {
        ComponentRoom c = {.component = component, .room = room};
        const DictionaryField fields[] = {
                {"type", "s", &c, read_type},
                {"logical-path", "s", &c, read_logical_path},
                {"name", "s", &c, read_name},
                {"caption", "s", &c, read_caption},
                {"selectable", "b", &component->selectable, NULL},
                {"selectable-for-restore", "b", &component->selectable_for_restore, NULL},
                {"files", "a(ssb)", &c, read_files_of_component},
        };

        return error_trace(dictionary_read(m, fields, ELEMENTSOF(fields)));
}

static int read_components(sd_bus_message *m, void *userdata) {
        MetadataRoom *room = userdata;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                WriterComponent *component = NULL;

                r = writer_metadata_add_component(room->metadata, &component);
                if (r >= 0)
                        r = read_component(m, room, component);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

static int read_writer_restore(sd_bus_message *m, void *userdata) {
        WriterMetadata *metadata = ((MetadataRoom *) userdata)->metadata;
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
 * @room:       its metadata are filled in when they are read with dictionary_read(), which returns -E2BIG:
 * too many, or too long in all; -EINVAL: a word that is not known
 * @fields:     METADATA_FIELDS of them
 */
void metadata_fields(MetadataRoom *room, DictionaryField *fields) {
        const DictionaryField all[METADATA_FIELDS] = {
                {"description", "s", room, read_description},
                {"paths", "as", room, read_paths},
                {"components", "aa{sv}", room, read_components},
                {"exclude-files", "a(ssb)", room, read_exclude_files},
                {"restore-method", "s", room, read_restore_method},
                {"writer-restore", "s", room, read_writer_restore},
        };

        memcpy(fields, all, sizeof(all));
}
