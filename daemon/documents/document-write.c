/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Documents as JSON; quiesce-document(5) describes it. Each function gives NULL when memory is short, and
 * takes NULL from the one before, so that only the last result is looked at.
 */

#include "daemon/documents/document.h"

#include "contract/names.h"
#include "util/error.h"

/* Keys whose value is NULL are left out. */
static void set_text(json_t *object, const char *key, const char *value, bool *failed) {
        if (value && json_object_set_new(object, key, json_string(value)) < 0)
                *failed = true;
}

static void set_new(json_t *object, const char *key, json_t *value, bool *failed) {
        if (json_object_set_new(object, key, value) < 0)
                *failed = true;
}

static void append_new(json_t *array, json_t *value, bool *failed) {
        if (json_array_append_new(array, value) < 0)
                *failed = true;
}

static json_t *files_to_json(const WriterFiles *files, size_t n, bool *failed) {
        json_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                append_new(array,
                           json_pack("{s:s, s:s, s:b}", "path", files[i].path, "pattern", files[i].pattern,
                                     "recursive", (int) files[i].recursive),
                           failed);
        return array;
}

static json_t *declared_to_json(const WriterComponent *component, bool *failed) {
        return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:o}", "type", component->type, "logical-path",
                         component->logical_path, "name", component->name, "caption", component->caption,
                         "selectable", (int) component->selectable, "selectable-for-restore",
                         (int) component->selectable_for_restore, "files",
                         files_to_json(component->files, component->n_files, failed));
}

static json_t *metadata_to_json(const WriterMetadata *metadata, bool *failed) {
        json_t *paths = json_array(), *components = json_array();

        for (size_t i = 0; i < metadata->n_paths; i++)
                append_new(paths, json_string(metadata->paths[i]), failed);
        for (size_t i = 0; i < metadata->n_components; i++)
                append_new(components, declared_to_json(&metadata->components[i], failed), failed);
        return json_pack("{s:s, s:o, s:o, s:o, s:s, s:s}", "description", metadata->description, "paths",
                         paths, "components", components, "exclude-files",
                         files_to_json(metadata->exclude_files, metadata->n_exclude_files, failed),
                         "restore-method", metadata->restore_method, "writer-restore",
                         metadata->never_restored ? "never" : "always");
}

static json_t *selected_to_json(const DocumentComponent *component, bool *failed) {
        json_t *object = json_object();

        set_text(object, "logical-path", component->logical_path, failed);
        set_text(object, "name", component->name, failed);
        set_text(object, "options", component->options, failed);
        set_text(object, "previous-stamp", component->previous_stamp, failed);
        set_text(object, "backup-stamp", component->backup_stamp, failed);
        set_text(object, "backup-metadata", component->backup_metadata, failed);
        if (component->succeeded >= 0)
                set_new(object, "succeeded", json_boolean(component->succeeded), failed);
        set_text(object, "restore-options", component->restore_options, failed);
        set_text(object, "file-restore-status", component->file_restore_status, failed);
        return object;
}

static json_t *writer_to_json(const DocumentWriter *writer, bool *failed) {
        json_t *object = json_object(), *components = json_array();

        set_text(object, "name", writer->name, failed);
        set_text(object, "level", contract_level_to_string(writer->level), failed);
        set_text(object, "failure", writer->failure, failed);
        set_new(object, "takes-part", json_boolean(writer->takes_part), failed);
        set_new(object, "metadata", metadata_to_json(writer->metadata, failed), failed);
        for (size_t i = 0; i < writer->n_components; i++)
                append_new(components, selected_to_json(&writer->components[i], failed), failed);
        set_new(object, "components", components, failed);
        return object;
}

static json_t *document_to_json(const Document *document, bool *failed) {
        json_t *object = json_object(), *snapshots = json_array(), *writers = json_array();

        set_text(object, "document", "org.quiesce1.backup", failed);
        set_new(object, "version", json_pack("{s:i, s:i}", "major", DOCUMENT_MAJOR, "minor", DOCUMENT_MINOR),
                failed);
        set_text(object, "session", document->session, failed);
        set_text(object, "set", document->set, failed);
        set_new(object, "saved-usec", json_integer((json_int_t) document->saved_usec), failed);
        set_text(object, "context", document->context, failed);
        set_text(object, "type", document->type, failed);
        set_text(object, "consistency", document->consistency, failed);
        set_new(object, "component-mode", json_boolean(document->component_mode), failed);
        set_new(object, "bootable", json_boolean(document->bootable), failed);
        for (size_t i = 0; i < document->n_snapshots; i++)
                append_new(snapshots,
                           json_pack("{s:s, s:s, s:s}", "id", document->snapshots[i].id, "volume",
                                     document->snapshots[i].volume, "key", document->snapshots[i].key),
                           failed);
        set_new(object, "snapshots", snapshots, failed);
        for (size_t i = 0; i < document->n_writers; i++)
                append_new(writers, writer_to_json(&document->writers[i], failed), failed);
        set_new(object, "writers", writers, failed);
        return object;
}

/* What was read and is not known here goes along, wherever it stood. A minor version that is newer stays. */
static void keep_unknown(json_t *written, json_t *read, bool *failed) {
        const char *key;
        json_t *value;
        size_t i;

        if (json_is_object(written) && json_is_object(read))
                json_object_foreach(read, key, value) {
                        json_t *known = json_object_get(written, key);

                        if (known && !streq(key, "version"))
                                keep_unknown(known, value, failed);
                        else if (json_object_set(written, key, value) < 0)
                                *failed = true;
                }
        else if (json_is_array(written) && json_is_array(read) &&
                 json_array_size(written) == json_array_size(read))
                json_array_foreach(read, i, value)
                        keep_unknown(json_array_get(written, i), value, failed);
}

/**
 * document_write() - a document as text
 * @document:   the document
 * @ret:        the text, to be freed
 *
 * Return: 0; -E2BIG: larger than a document may be; -ENOMEM.
 */
int document_write(const Document *document, char **ret) {
        bool failed = false;
        char *text;
        json_t *json;

        json = document_to_json(document, &failed);
        if (document->read)
                keep_unknown(json, document->read, &failed);
        text = failed ? NULL : json_dumps(json, JSON_INDENT(2));
        json_decref(json);
        if (!text)
                return error_origin(-ENOMEM);
        if (strlen(text) > DOCUMENT_SIZE_MAX || document_has_too_many_values(text)) {
                free(text);
                return error_origin(-E2BIG);
        }
        *ret = text;
        return 0;
}
