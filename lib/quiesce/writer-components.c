/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Components: what a writer declares in Identify (VSS: IVssCreateWriterMetadata), and what later events tell
 * of those that a requester chose (VSS: IVssWriterComponents).
 *
 * What can be seen to be wrong is refused here; the rest (names that are there twice, patterns) quiesced
 * finds, and the writer fails at Identify with the reason.
 */

#include <assert.h>

#include "quiesce/writer-internal.h"
#include "util/error.h"
#include "util/utf8.h"

static void files_free(DeclaredFiles *files, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(files[i].path);
                free(files[i].pattern);
        }
        free(files);
}

/**
 * writer_declaration_done() - free what was declared
 * @declaration: emptied
 */
void writer_declaration_done(Declaration *declaration) {
        for (size_t i = 0; i < declaration->n_components; i++) {
                DeclaredComponent *component = &declaration->components[i];

                files_free(component->files, component->n_files);
                free(component->type);
                free(component->logical_path);
                free(component->name);
                free(component->caption);
        }
        files_free(declaration->exclude_files, declaration->n_exclude_files);
        free(declaration->components);
        free(declaration->restore_method);
        *declaration = (Declaration){};
}

/* Room for one more, zeroed. */
static int grow(void **items, size_t n, size_t size) {
        void *grown;

        if (n >= WRITER_STRINGS_MAX)
                return -E2BIG;
        grown = reallocarray(*items, n + 1, size);
        if (!grown)
                return -ENOMEM;
        memset((char *) grown + n * size, 0, size);
        *items = grown;
        return 0;
}

static int add_files(DeclaredFiles **files, size_t *n, const char *path, const char *pattern,
                     int recursive) {
        DeclaredFiles *entry;
        int r;

        if (!path || path[0] != '/' || !utf8_is_valid(path) || !pattern || !utf8_is_valid(pattern))
                return -EINVAL;
        r = grow((void **) files, *n, sizeof(**files));
        if (r < 0)
                return r;
        entry = &(*files)[(*n)++];
        entry->path = strdup(path);
        entry->pattern = strdup(pattern);
        entry->recursive = recursive;
        return entry->path && entry->pattern ? 0 : -ENOMEM;
}

/**
 * quiesce_writer_event_add_component() - declare a component
 * @event: Identify
 * @component: copied
 *
 * Mirrors IVssCreateWriterMetadata::AddComponent.
 *
 * Return: 0; -EINVAL: not an Identify, size is not set, no name or type, or not UTF-8; -E2BIG; -ENOMEM.
 */
_public_ int quiesce_writer_event_add_component(QuiesceWriterEvent *event,
                                                const QuiesceComponent *component) {
        QuiesceComponent known = {};
        DeclaredComponent *declared;
        Declaration *declaration;
        int r;

        if (!event || event->type != QUIESCE_EVENT_IDENTIFY || !component ||
            component->size < sizeof(size_t))
                return -EINVAL;
        memcpy(&known, component, component->size < sizeof(known) ? component->size : sizeof(known));
        if (!known.type || !known.name || !known.name[0] || !utf8_is_valid(known.type) ||
            !utf8_is_valid(known.name) || (known.logical_path && !utf8_is_valid(known.logical_path)) ||
            (known.caption && !utf8_is_valid(known.caption)))
                return -EINVAL;
        declaration = &event->declaration;
        r = grow((void **) &declaration->components, declaration->n_components,
                 sizeof(*declaration->components));
        if (r < 0)
                return r;
        declared = &declaration->components[declaration->n_components++];
        declared->type = strdup(known.type);
        declared->logical_path = strdup(known.logical_path ? known.logical_path : "");
        declared->name = strdup(known.name);
        declared->caption = strdup(known.caption ? known.caption : "");
        declared->selectable = known.selectable != 0;
        declared->selectable_for_restore = known.selectable_for_restore != 0;
        return declared->type && declared->logical_path && declared->name && declared->caption ? 0 : -ENOMEM;
}

/**
 * quiesce_writer_event_add_files() - files of a component
 * @event: Identify
 * @logical_path: the component's; NULL: ""
 * @name: the component's
 * @path: a folder, absolute; UTF-8
 * @pattern: of names in it, with '*' and '?'
 * @recursive: whether the folders below count; not in a database
 *
 * Mirrors AddFilesToFileGroup, AddDatabaseFiles and AddDatabaseLogFiles of IVssCreateWriterMetadata.
 *
 * Return: 0; -EINVAL: not an Identify, or a path or pattern that cannot be one; -ENOENT: the component was
 * not declared; -E2BIG; -ENOMEM.
 */
_public_ int quiesce_writer_event_add_files(QuiesceWriterEvent *event, const char *logical_path,
                                            const char *name, const char *path, const char *pattern,
                                            int recursive) {
        if (!event || event->type != QUIESCE_EVENT_IDENTIFY || !name)
                return -EINVAL;
        for (size_t i = 0; i < event->declaration.n_components; i++) {
                DeclaredComponent *component = &event->declaration.components[i];

                if (streq(component->name, name) &&
                    streq(component->logical_path, logical_path ? logical_path : ""))
                        return add_files(&component->files, &component->n_files, path, pattern, recursive);
        }
        return -ENOENT;
}

/**
 * quiesce_writer_event_add_exclude_files() - files that belong to no component, whatever else is said
 * @event: Identify
 * @path: a folder, absolute; UTF-8
 * @pattern: of names in it, with '*' and '?'
 * @recursive: whether the folders below count
 *
 * Mirrors IVssCreateWriterMetadata::AddExcludeFiles.
 *
 * Return: 0; -EINVAL: not an Identify, or a path or pattern that cannot be one; -E2BIG; -ENOMEM.
 */
_public_ int quiesce_writer_event_add_exclude_files(QuiesceWriterEvent *event, const char *path,
                                                    const char *pattern, int recursive) {
        if (!event || event->type != QUIESCE_EVENT_IDENTIFY)
                return -EINVAL;
        return add_files(&event->declaration.exclude_files, &event->declaration.n_exclude_files, path,
                         pattern, recursive);
}

/**
 * quiesce_writer_event_set_restore_method() - how this writer's files are restored
 * @event: Identify
 * @method: one of those that the header lists
 * @never: whether it takes part in no restore
 *
 * Mirrors IVssCreateWriterMetadata::SetRestoreMethod.
 *
 * Return: 0; -EINVAL: not an Identify; -ENOMEM.
 */
_public_ int quiesce_writer_event_set_restore_method(QuiesceWriterEvent *event, const char *method,
                                                     int never) {
        char *copy;

        if (!event || event->type != QUIESCE_EVENT_IDENTIFY || !method || !utf8_is_valid(method))
                return -EINVAL;
        copy = strdup(method);
        if (!copy)
                return -ENOMEM;
        free(event->declaration.restore_method);
        event->declaration.restore_method = copy;
        event->declaration.never_restored = never;
        return 0;
}

static int append_files(sd_bus_message *m, const char *key, const DeclaredFiles *files, size_t n) {
        int r;

        if (n == 0)
                return 0;
        r = dictionary_open_array(m, key, "a(ssb)");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append(m, "(ssb)", files[i].path, files[i].pattern, files[i].recursive);
        return r >= 0 ? dictionary_close_array(m) : r;
}

static int append_component(sd_bus_message *m, const DeclaredComponent *component) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}", "type", "s", component->type,
                                          "logical-path", "s", component->logical_path, "name", "s",
                                          component->name, "caption", "s", component->caption, "selectable",
                                          "b", component->selectable, "selectable-for-restore", "b",
                                          component->selectable_for_restore);
        if (r >= 0)
                r = append_files(m, "files", component->files, component->n_files);
        return r >= 0 ? sd_bus_message_close_container(m) : r;
}

/**
 * writer_declaration_append() - what was declared, into the answer to Identify
 * @declaration: it
 * @reply: the answer, in its a{sv}
 *
 * Return: >= 0, or a negative errno.
 */
int writer_declaration_append(const Declaration *declaration, sd_bus_message *reply) {
        int r = 0;

        if (declaration->n_components > 0) {
                r = dictionary_open_array(reply, "components", "aa{sv}");
                for (size_t i = 0; i < declaration->n_components && r >= 0; i++)
                        r = append_component(reply, &declaration->components[i]);
                if (r >= 0)
                        r = dictionary_close_array(reply);
        }
        if (r >= 0)
                r = append_files(reply, "exclude-files", declaration->exclude_files,
                                 declaration->n_exclude_files);
        if (r >= 0 && declaration->restore_method)
                r = sd_bus_message_append(reply, "{sv}{sv}", "restore-method", "s",
                                          declaration->restore_method, "writer-restore", "s",
                                          declaration->never_restored ? "never" : "always");
        return error_trace(r);
}

static int read_flag(sd_bus_message *m, void *flag) {
        return sd_bus_message_read_basic(m, 'b', flag);
}

/* One element of the array, if there is one more: 1. */
static int read_selected(sd_bus_message *m, QuiesceSelection *ret) {
        QuiesceSelection selected = {
                .size = sizeof(selected), .type = "", .logical_path = "", .name = "", .succeeded = -1};
        const DictionaryField fields[] = {
                {"type", "s", &selected.type, NULL},
                {"logical-path", "s", &selected.logical_path, NULL},
                {"name", "s", &selected.name, NULL},
                {"options", "s", &selected.options, NULL},
                {"previous-stamp", "s", &selected.previous_stamp, NULL},
                {"backup-stamp", "s", &selected.backup_stamp, NULL},
                {"backup-metadata", "s", &selected.backup_metadata, NULL},
                {"restore-options", "s", &selected.restore_options, NULL},
                {"file-restore-status", "s", &selected.file_restore_status, NULL},
                {"succeeded", "b", &selected.succeeded, read_flag},
        };
        int r;

        r = dictionary_read(m, fields, ELEMENTSOF(fields));
        *ret = selected;
        return error_trace(r);
}

/**
 * writer_selection_read() - read the detail `components`
 * @m: the message, in the variant
 * @userdata: the event
 *
 * Return: >= 0, or a negative errno: malformed.
 */
int writer_selection_read(sd_bus_message *m, void *userdata) {
        QuiesceWriterEvent *event = userdata;
        QuiesceSelection selected;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = read_selected(m, &selected)) > 0) {
                r = grow((void **) &event->selection, event->n_selection, sizeof(*event->selection));
                if (r < 0)
                        return error_origin(r);
                event->selection[event->n_selection++] = selected;
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

/**
 * quiesce_writer_event_count_components() - how many components of this writer were chosen
 * @event: PrepareForBackup, PrepareForSnapshot, PostSnapshot, BackupComplete, PreRestore or PostRestore
 *
 * Mirrors IVssWriterComponents::GetComponentCount.
 *
 * Return: their number; 0 in other events.
 */
_public_ size_t quiesce_writer_event_count_components(const QuiesceWriterEvent *event) {
        assert(event);
        return event->n_selection;
}

/**
 * quiesce_writer_event_get_component() - one component that was chosen
 * @event: the event
 * @i: which, from 0
 * @ret: filled in; its member `size` tells how much of it the caller knows
 *
 * Mirrors IVssWriterComponents::GetComponent. What a chosen one includes by its logical path is not listed.
 *
 * Return: 0; -ENOENT: there is no such; -EINVAL: size is not set.
 */
_public_ int quiesce_writer_event_get_component(const QuiesceWriterEvent *event, size_t i,
                                                QuiesceSelection *ret) {
        size_t size;

        if (!event || !ret || ret->size < sizeof(size_t))
                return -EINVAL;
        if (i >= event->n_selection)
                return -ENOENT;
        size = ret->size < sizeof(*ret) ? ret->size : sizeof(*ret);
        memcpy(ret, &event->selection[i], size);
        ret->size = size;
        return 0;
}

/**
 * writer_notes_free() - forget what was noted of components
 * @event: the event
 */
void writer_notes_free(QuiesceWriterEvent *event) {
        for (size_t i = 0; event->notes && i < event->n_selection; i++) {
                free(event->notes[i].stamp);
                free(event->notes[i].metadata);
        }
        free(event->notes);
        event->notes = NULL;
}

/* Where to note something of a component, in an event that takes notes. */
static int note_find(QuiesceWriterEvent *event, const char *logical_path, const char *name,
                     ComponentNote **ret) {
        if (!event ||
            (event->type != QUIESCE_EVENT_PREPARE_FOR_BACKUP &&
             event->type != QUIESCE_EVENT_POST_SNAPSHOT) ||
            !name)
                return -EINVAL;
        if (!event->notes)
                event->notes = calloc(event->n_selection + 1, sizeof(*event->notes));
        if (!event->notes)
                return -ENOMEM;
        for (size_t i = 0; i < event->n_selection; i++)
                if (streq(event->selection[i].name, name) &&
                    streq(event->selection[i].logical_path, logical_path ? logical_path : "")) {
                        *ret = &event->notes[i];
                        return 0;
                }
        return -ENOENT;
}

static int note_set(char **field, const char *text, size_t max) {
        char *copy;

        if (!text || !utf8_is_valid(text))
                return -EINVAL;
        if (strlen(text) > max)
                return -E2BIG;
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

/**
 * quiesce_writer_event_set_backup_stamp() - a word to get back with the next backup of a component
 * @event: PrepareForBackup or PostSnapshot
 * @logical_path: of a component that was chosen; NULL: ""
 * @name: likewise
 * @stamp: at most 4096 bytes of UTF-8; a second one replaces the first
 *
 * Mirrors IVssComponent::SetBackupStamp.
 *
 * Return: 0; -EINVAL: another event, or no text; -ENOENT: that component was not chosen; -E2BIG; -ENOMEM.
 */
_public_ int quiesce_writer_event_set_backup_stamp(QuiesceWriterEvent *event, const char *logical_path,
                                                   const char *name, const char *stamp) {
        ComponentNote *note;
        int r;

        r = note_find(event, logical_path, name, &note);
        return r < 0 ? r : note_set(&note->stamp, stamp, WRITER_STAMP_MAX);
}

/**
 * quiesce_writer_event_set_backup_metadata() - what a restore of a component will have to know
 * @event: PrepareForBackup or PostSnapshot
 * @logical_path: of a component that was chosen; NULL: ""
 * @name: likewise
 * @text: at most 16384 bytes of UTF-8; it replaces what was set before, in an earlier event too
 *
 * Mirrors IVssComponent::SetBackupMetadata. It is kept in the backup's document. All stamps and metadata of
 * one answer may have 262144 bytes.
 *
 * Return: 0; -EINVAL: another event, or no text; -ENOENT: that component was not chosen; -E2BIG; -ENOMEM.
 */
_public_ int quiesce_writer_event_set_backup_metadata(QuiesceWriterEvent *event, const char *logical_path,
                                                      const char *name, const char *text) {
        ComponentNote *note;
        int r;

        r = note_find(event, logical_path, name, &note);
        return r < 0 ? r : note_set(&note->metadata, text, WRITER_METADATA_MAX);
}

static int note_append(sd_bus_message *reply, const QuiesceSelection *selected, const ComponentNote *note) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}", "logical-path", "s", selected->logical_path,
                                          "name", "s", selected->name);
        if (r >= 0 && note->stamp)
                r = sd_bus_message_append(reply, "{sv}", "backup-stamp", "s", note->stamp);
        if (r >= 0 && note->metadata)
                r = sd_bus_message_append(reply, "{sv}", "backup-metadata", "s", note->metadata);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/**
 * writer_notes_append() - what was noted of components, into the answer
 * @event: the event
 * @reply: the answer, in its a{sv}
 *
 * Return: >= 0, or a negative errno.
 */
int writer_notes_append(const QuiesceWriterEvent *event, sd_bus_message *reply) {
        int r;

        if (!event->notes)
                return 0;
        r = dictionary_open_array(reply, "components", "aa{sv}");
        for (size_t i = 0; i < event->n_selection && r >= 0; i++)
                if (event->notes[i].stamp || event->notes[i].metadata)
                        r = note_append(reply, &event->selection[i], &event->notes[i]);
        return error_trace(r >= 0 ? dictionary_close_array(reply) : r);
}
