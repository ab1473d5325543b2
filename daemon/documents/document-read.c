/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading a document. It is somebody else's: each value is looked at, and what is wrong is told with its
 * place ("writers[2].metadata.components[0].name"). The first defect ends it. Keys that are not known are
 * let be; document->read keeps them.
 */

#include <inttypes.h>
#include <stdarg.h>

#include "daemon/documents/document.h"

#include "contract/names.h"
#include "util/error.h"
#include "util/utf8.h"

#define SNAPSHOTS_MAX CONTRACT_VOLUMES_MAX

/* Where in the document one is; @wrong is set once. */
typedef struct Reader {
        char place[256];
        char *error;
        int r; /* 0, -EBADMSG or -ENOMEM */
} Reader;

static void _printf_(2, 3) wrong(Reader *reader, const char *format, ...) {
        char what[256];
        va_list arguments;

        if (reader->r < 0)
                return;
        va_start(arguments, format);
        (void) vsnprintf(what, sizeof(what), format, arguments);
        va_end(arguments);
        (void) snprintf(reader->error, DOCUMENT_ERROR_SIZE, "%s%s%s", reader->place,
                        reader->place[0] ? " " : "", what);
        utf8_clean(reader->error, DOCUMENT_ERROR_SIZE - 1);
        reader->r = -EBADMSG;
}

/* Deeper in the document; returns what place_leave() goes back to. */
static size_t _printf_(2, 3) place_enter(Reader *reader, const char *format, ...) {
        size_t n = strlen(reader->place);
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(reader->place + n, sizeof(reader->place) - n, format, arguments);
        va_end(arguments);
        return n;
}

static void place_leave(Reader *reader, size_t n) {
        if (reader->r == 0) /* else it is told already */
                reader->place[n] = '\0';
}

static const char *dot(const Reader *reader) {
        return reader->place[0] ? "." : "";
}

/* A value of an object; NULL: it is not there, which is wrong if it is required. */
static json_t *get(Reader *reader, json_t *object, const char *key, bool required) {
        json_t *value;

        if (reader->r < 0)
                return NULL;
        if (!json_is_object(object)) {
                wrong(reader, "is not an object");
                return NULL;
        }
        value = json_object_get(object, key);
        if (!value && required) {
                (void) place_enter(reader, "%s%s", dot(reader), key);
                wrong(reader, "is missing");
        }
        return value;
}

static void read_string(Reader *reader, json_t *object, const char *key, bool required, size_t max,
                        char **ret) {
        json_t *value = get(reader, object, key, required);
        size_t n;
        int r;

        if (!value)
                return;
        n = place_enter(reader, "%s%s", dot(reader), key);
        if (!json_is_string(value))
                wrong(reader, "is not a string");
        else if (json_string_length(value) > max)
                wrong(reader, "is longer than %zu bytes", max);
        else {
                r = writer_metadata_set(ret, json_string_value(value));
                if (r < 0)
                        reader->r = r;
        }
        place_leave(reader, n);
}

static void read_boolean(Reader *reader, json_t *object, const char *key, bool *ret) {
        json_t *value = get(reader, object, key, true);
        size_t n;

        if (!value)
                return;
        n = place_enter(reader, "%s%s", dot(reader), key);
        if (!json_is_boolean(value))
                wrong(reader, "is neither true nor false");
        else
                *ret = json_is_true(value);
        place_leave(reader, n);
}

static int64_t read_integer(Reader *reader, json_t *object, const char *key) {
        json_t *value = get(reader, object, key, true);
        int64_t result = 0;
        size_t n;

        if (!value)
                return 0;
        n = place_enter(reader, "%s%s", dot(reader), key);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
                wrong(reader, "is not a number that is whole and not negative");
        else
                result = json_integer_value(value);
        place_leave(reader, n);
        return result;
}

/* Each item of an array in turn, with its place. */
typedef void (*ReadItem)(Reader *reader, json_t *item, void *userdata);

static void read_array(Reader *reader, json_t *object, const char *key, size_t max, ReadItem read_item,
                       void *userdata) {
        json_t *array = get(reader, object, key, true), *item;
        size_t i, n;

        if (!array)
                return;
        n = place_enter(reader, "%s%s", dot(reader), key);
        if (!json_is_array(array))
                wrong(reader, "is not an array");
        else if (json_array_size(array) > max)
                wrong(reader, "has more than %zu items", max);
        else
                json_array_foreach(array, i, item) {
                        size_t inner = place_enter(reader, "[%zu]", i);

                        read_item(reader, item, userdata);
                        if (reader->r < 0)
                                return;
                        place_leave(reader, inner);
                }
        place_leave(reader, n);
}

static void note(Reader *reader, int r) {
        if (r < 0 && reader->r == 0)
                reader->r = r;
}

typedef struct FilesTarget {
        WriterFiles **files;
        size_t *n_files;
} FilesTarget;

static void read_files_item(Reader *reader, json_t *item, void *userdata) {
        FilesTarget *target = userdata;
        _cleanup_free_ char *path = NULL, *pattern = NULL;
        bool recursive = false;

        read_string(reader, item, "path", true, METADATA_PATH_LENGTH_MAX, &path);
        read_string(reader, item, "pattern", true, CONTRACT_NAME_MAX, &pattern);
        read_boolean(reader, item, "recursive", &recursive);
        if (reader->r == 0)
                note(reader, writer_files_add(target->files, target->n_files, path, pattern, recursive));
}

static void read_path_item(Reader *reader, json_t *item, void *userdata) {
        if (!json_is_string(item))
                wrong(reader, "is not a string");
        else
                note(reader, writer_metadata_add_path(userdata, json_string_value(item)));
}

static void read_declared_item(Reader *reader, json_t *item, void *userdata) {
        WriterComponent *component;
        FilesTarget target;
        int r;

        r = writer_metadata_add_component(userdata, &component);
        if (r < 0) {
                note(reader, r);
                return;
        }
        target = (FilesTarget){&component->files, &component->n_files};
        read_string(reader, item, "type", true, CONTRACT_NAME_MAX, &component->type);
        read_string(reader, item, "logical-path", true, CONTRACT_PATH_MAX, &component->logical_path);
        read_string(reader, item, "name", true, CONTRACT_NAME_MAX, &component->name);
        read_string(reader, item, "caption", true, CONTRACT_TEXT_MAX, &component->caption);
        read_boolean(reader, item, "selectable", &component->selectable);
        read_boolean(reader, item, "selectable-for-restore", &component->selectable_for_restore);
        read_array(reader, item, "files", METADATA_LIST_MAX, read_files_item, &target);
}

static void read_metadata(Reader *reader, json_t *writer, WriterMetadata *metadata) {
        json_t *json = get(reader, writer, "metadata", true);
        FilesTarget target = {&metadata->exclude_files, &metadata->n_exclude_files};
        _cleanup_free_ char *writer_restore = NULL;
        char text[256];
        size_t n;

        if (!json)
                return;
        n = place_enter(reader, "%smetadata", dot(reader));
        read_string(reader, json, "description", true, CONTRACT_TEXT_MAX, &metadata->description);
        read_array(reader, json, "paths", METADATA_LIST_MAX, read_path_item, metadata);
        read_array(reader, json, "components", METADATA_LIST_MAX, read_declared_item, metadata);
        read_array(reader, json, "exclude-files", METADATA_LIST_MAX, read_files_item, &target);
        read_string(reader, json, "restore-method", true, CONTRACT_NAME_MAX, &metadata->restore_method);
        read_string(reader, json, "writer-restore", true, CONTRACT_NAME_MAX, &writer_restore);
        if (reader->r == 0) {
                metadata->never_restored = streq(writer_restore, "never");
                if (!metadata->never_restored && !streq(writer_restore, "always"))
                        wrong(reader, "has a writer-restore that is neither always nor never");
                else if (writer_metadata_check(metadata, text, sizeof(text)))
                        wrong(reader, "is not what a writer may say: %s", text);
        }
        place_leave(reader, n);
}

static bool is_declared(const WriterMetadata *metadata, const DocumentComponent *selected) {
        for (size_t i = 0; i < metadata->n_components; i++)
                if (streq(metadata->components[i].name, selected->name) &&
                    streq(metadata->components[i].logical_path, selected->logical_path))
                        return true;
        return false;
}

static void read_selected_item(Reader *reader, json_t *item, void *userdata) {
        DocumentWriter *writer = userdata;
        DocumentComponent *component;
        bool succeeded = false;
        int r;

        r = document_writer_add_component(writer, &component);
        if (r < 0) {
                note(reader, r);
                return;
        }
        read_string(reader, item, "logical-path", true, CONTRACT_PATH_MAX, &component->logical_path);
        read_string(reader, item, "name", true, CONTRACT_NAME_MAX, &component->name);
        read_string(reader, item, "options", false, METADATA_STAMP_MAX, &component->options);
        read_string(reader, item, "previous-stamp", false, METADATA_STAMP_MAX, &component->previous_stamp);
        read_string(reader, item, "backup-stamp", false, METADATA_STAMP_MAX, &component->backup_stamp);
        read_string(reader, item, "backup-metadata", false, METADATA_BACKUP_MAX,
                    &component->backup_metadata);
        read_string(reader, item, "restore-options", false, METADATA_STAMP_MAX, &component->restore_options);
        read_string(reader, item, "file-restore-status", false, CONTRACT_NAME_MAX,
                    &component->file_restore_status);
        if (get(reader, item, "succeeded", false)) {
                read_boolean(reader, item, "succeeded", &succeeded);
                component->succeeded = succeeded;
        }
        if (reader->r == 0 && !is_declared(writer->metadata, component))
                wrong(reader, "is not among the components that its writer declared");
}

static void read_writer_item(Reader *reader, json_t *item, void *userdata) {
        Document *document = userdata;
        _cleanup_free_ char *level = NULL;
        DocumentWriter *writer;
        int r, l;

        r = document_add_writer(document, &writer);
        if (r == 0)
                r = writer_metadata_new(&writer->metadata);
        if (r < 0) {
                note(reader, r);
                return;
        }
        read_string(reader, item, "name", true, CONTRACT_NAME_MAX - 1, &writer->name);
        read_string(reader, item, "level", true, CONTRACT_NAME_MAX, &level);
        read_string(reader, item, "failure", false, CONTRACT_NAME_MAX, &writer->failure);
        read_boolean(reader, item, "takes-part", &writer->takes_part);
        read_metadata(reader, item, writer->metadata);
        read_array(reader, item, "components", METADATA_LIST_MAX, read_selected_item, writer);
        if (reader->r < 0)
                return;
        l = contract_level_from_string(level);
        if (l < 0)
                wrong(reader, "has a level that is none of front-end, back-end, system");
        else
                writer->level = (ContractLevel) l;
        if (writer->name[0] == '\0')
                wrong(reader, "has an empty name");
        if (document_find_writer(document, writer->name) != writer)
                wrong(reader, "has a name that another writer has, %s", writer->name);
}

static void read_snapshot_item(Reader *reader, json_t *item, void *userdata) {
        DocumentSnapshot *snapshot;
        int r;

        r = document_add_snapshot(userdata, &snapshot);
        if (r < 0) {
                note(reader, r);
                return;
        }
        read_string(reader, item, "id", true, CONTRACT_ID_MAX, &snapshot->id);
        read_string(reader, item, "volume", true, METADATA_PATH_LENGTH_MAX, &snapshot->volume);
        read_string(reader, item, "key", true, METADATA_PATH_LENGTH_MAX, &snapshot->key);
}

/* Whether it is a document of ours at all, and of a version that is known. */
static void read_head(Reader *reader, json_t *json) {
        _cleanup_free_ char *kind = NULL;
        json_t *version;
        int64_t major;
        size_t n;

        read_string(reader, json, "document", true, CONTRACT_NAME_MAX, &kind);
        if (reader->r < 0)
                return;
        if (!streq(kind, "org.quiesce1.backup")) {
                (void) place_enter(reader, "document");
                wrong(reader, "is \"%.64s\", not \"org.quiesce1.backup\"", kind);
                return;
        }
        version = get(reader, json, "version", true);
        n = place_enter(reader, "version");
        major = read_integer(reader, version, "major");
        (void) read_integer(reader, version, "minor");
        if (reader->r == 0 && major > DOCUMENT_MAJOR)
                wrong(reader,
                      "is %" PRId64 ", and this quiesced reads documents of version %d; use a newer one",
                      major, DOCUMENT_MAJOR);
        else if (reader->r == 0 && major < DOCUMENT_MAJOR)
                wrong(reader, "is %" PRId64 ", which no quiesced has ever written", major);
        place_leave(reader, n);
}

static void read_body(Reader *reader, json_t *json, Document *document) {
        read_string(reader, json, "session", true, CONTRACT_ID_MAX, &document->session);
        read_string(reader, json, "set", false, CONTRACT_ID_MAX, &document->set);
        document->saved_usec = (uint64_t) read_integer(reader, json, "saved-usec");
        read_string(reader, json, "context", true, CONTRACT_NAME_MAX, &document->context);
        read_string(reader, json, "type", true, CONTRACT_NAME_MAX, &document->type);
        read_string(reader, json, "consistency", false, CONTRACT_NAME_MAX, &document->consistency);
        read_boolean(reader, json, "component-mode", &document->component_mode);
        read_boolean(reader, json, "bootable", &document->bootable);
        read_array(reader, json, "snapshots", SNAPSHOTS_MAX, read_snapshot_item, document);
        read_array(reader, json, "writers", CONTRACT_WRITERS_MAX, read_writer_item, document);
}

/**
 * document_has_too_many_values() - whether parsing it would take too long, and too much memory
 * @text:       JSON, or any text
 *
 * Counted is what stands before a value or behind a key: brackets, commas, colons.
 *
 * Return: true for more than DOCUMENT_VALUES_MAX.
 */
bool document_has_too_many_values(const char *text) {
        bool in_string = false;
        size_t n = 0;

        for (const char *c = text; *c; c++) {
                if (*c == '"')
                        in_string = !in_string;
                else if (in_string && *c == '\\' && c[1])
                        c++;
                else if (!in_string)
                        n += *c == ',' || *c == ':' || *c == '[' || *c == '{';
        }
        return n > DOCUMENT_VALUES_MAX;
}

/**
 * document_read() - a document from its text
 * @ret:        the document
 * @text:       JSON
 * @error:      where and why, if it cannot be used
 *
 * Return: 0, -EBADMSG, or -ENOMEM.
 */
int document_read(Document **ret, const char *text, char error[static DOCUMENT_ERROR_SIZE]) {
        _cleanup_(document_freep) Document *document = NULL;
        Reader reader = {.error = error};
        json_error_t syntax;
        size_t size = strlen(text);
        int r;

        error[0] = '\0';
        if (size > DOCUMENT_SIZE_MAX) {
                wrong(&reader, "it has %zu bytes; a document has at most %u", size, DOCUMENT_SIZE_MAX);
                return error_origin(reader.r);
        }
        if (document_has_too_many_values(text)) {
                wrong(&reader, "it has more values and keys than the %u that a document may have",
                      DOCUMENT_VALUES_MAX);
                return error_origin(reader.r);
        }
        r = document_new(&document);
        if (r < 0)
                return error_trace(r);
        document->read = json_loadb(text, size, JSON_REJECT_DUPLICATES, &syntax);
        if (!document->read) {
                wrong(&reader, "it is not JSON: line %d, column %d: %s", syntax.line, syntax.column,
                      syntax.text);
                return error_origin(reader.r);
        }
        read_head(&reader, document->read);
        if (reader.r == 0)
                read_body(&reader, document->read, document);
        if (reader.r < 0)
                return error_origin(reader.r);
        *ret = TAKE_PTR(document);
        return 0;
}
