/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writers' metadata: building, sharing, and what a good one must be like; see metadata.h. Where it comes
 * from is a writer's answer (metadata-read.c) or a saved document.
 */

#include "daemon/writers/metadata.h"

#include <assert.h>

#include "util/error.h"
#include "util/utf8.h"

#define DEFAULT_RESTORE_METHOD "restore-if-can-replace"

/**
 * writer_metadata_new() - metadata that says nothing yet
 * @ret:        one reference
 *
 * Return: 0, or -ENOMEM.
 */
int writer_metadata_new(WriterMetadata **ret) {
        _cleanup_(writer_metadata_unrefp) WriterMetadata *metadata = calloc(1, sizeof(*metadata));

        if (!metadata)
                return error_origin(-ENOMEM);
        metadata->n_ref = 1;
        metadata->description = strdup("");
        metadata->restore_method = strdup(DEFAULT_RESTORE_METHOD);
        if (!metadata->description || !metadata->restore_method)
                return error_origin(-ENOMEM);
        *ret = TAKE_PTR(metadata);
        return 0;
}

/**
 * writer_metadata_ref() - one more user
 * @metadata:   the metadata
 *
 * Return: the metadata.
 */
WriterMetadata *writer_metadata_ref(WriterMetadata *metadata) {
        assert(metadata && metadata->n_ref > 0);
        metadata->n_ref++;
        return metadata;
}

static void files_free(WriterFiles *files, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(files[i].path);
                free(files[i].pattern);
        }
        free(files);
}

/**
 * writer_metadata_unref() - one user less
 * @metadata:   the metadata, or NULL
 *
 * Return: NULL.
 */
WriterMetadata *writer_metadata_unref(WriterMetadata *metadata) {
        if (!metadata || --metadata->n_ref > 0)
                return NULL;
        for (size_t i = 0; i < metadata->n_components; i++) {
                WriterComponent *component = &metadata->components[i];

                files_free(component->files, component->n_files);
                free(component->type);
                free(component->logical_path);
                free(component->name);
                free(component->caption);
        }
        for (size_t i = 0; i < metadata->n_paths; i++)
                free(metadata->paths[i]);
        files_free(metadata->exclude_files, metadata->n_exclude_files);
        free(metadata->components);
        free(metadata->paths);
        free(metadata->description);
        free(metadata->restore_method);
        free(metadata);
        return NULL;
}

/**
 * writer_metadata_set() - set a string
 * @field:      of the metadata or of a component
 * @value:      copied
 *
 * Return: 0, or -ENOMEM.
 */
int writer_metadata_set(char **field, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return error_origin(-ENOMEM);
        free(*field);
        *field = copy;
        return 0;
}

static int grow(void **items, size_t n, size_t size) {
        void *grown;

        if (n >= METADATA_LIST_MAX)
                return error_origin(-E2BIG);
        grown = reallocarray(*items, n + 2, size);
        if (!grown)
                return error_origin(-ENOMEM);
        memset((char *) grown + n * size, 0, 2 * size);
        *items = grown;
        return 0;
}

/**
 * writer_metadata_add_path() - one more path of the writer as a whole
 * @metadata:   the metadata
 * @path:       copied
 *
 * Return: 0, -E2BIG, or -ENOMEM.
 */
int writer_metadata_add_path(WriterMetadata *metadata, const char *path) {
        int r;

        r = grow((void **) &metadata->paths, metadata->n_paths, sizeof(*metadata->paths));
        if (r == 0)
                r = writer_metadata_set(&metadata->paths[metadata->n_paths], path);
        if (r == 0)
                metadata->n_paths++;
        return error_trace(r);
}

/**
 * writer_metadata_add_component() - one more component, which says nothing yet
 * @metadata:   the metadata
 * @ret:        the component, until the next one is added
 *
 * Return: 0, -E2BIG, or -ENOMEM.
 */
int writer_metadata_add_component(WriterMetadata *metadata, WriterComponent **ret) {
        WriterComponent *component;
        int r;

        r = grow((void **) &metadata->components, metadata->n_components, sizeof(*metadata->components));
        if (r < 0)
                return error_trace(r);
        component = &metadata->components[metadata->n_components++];
        r = writer_metadata_set(&component->type, "");
        if (r == 0)
                r = writer_metadata_set(&component->logical_path, "");
        if (r == 0)
                r = writer_metadata_set(&component->name, "");
        if (r == 0)
                r = writer_metadata_set(&component->caption, "");
        *ret = component;
        return error_trace(r);
}

/**
 * writer_files_add() - one more entry of a list of files
 * @files:      the list
 * @n_files:    its length
 * @path:       of a folder; copied
 * @pattern:    of names in it; copied
 * @recursive:  whether the folders below count
 *
 * Return: 0, -E2BIG, or -ENOMEM.
 */
int writer_files_add(WriterFiles **files, size_t *n_files, const char *path, const char *pattern,
                     bool recursive) {
        WriterFiles *entry;
        int r;

        r = grow((void **) files, *n_files, sizeof(**files));
        if (r < 0)
                return error_trace(r);
        entry = &(*files)[(*n_files)++];
        entry->recursive = recursive;
        r = writer_metadata_set(&entry->path, path);
        if (r == 0)
                r = writer_metadata_set(&entry->pattern, pattern);
        return error_trace(r);
}

static bool path_is_good(const char *path) {
        return path[0] == '/' && strlen(path) < METADATA_PATH_LENGTH_MAX && utf8_is_valid(path);
}

static const char *files_check(const WriterFiles *files, size_t n, bool recursion) {
        for (size_t i = 0; i < n; i++) {
                if (!path_is_good(files[i].path))
                        return "files whose path is not absolute, too long or not UTF-8";
                if (files[i].pattern[0] == '\0' || strchr(files[i].pattern, '/') ||
                    strlen(files[i].pattern) >= CONTRACT_NAME_MAX || !utf8_is_valid(files[i].pattern))
                        return "files whose pattern is empty, too long, not UTF-8 or has a slash in it";
                if (files[i].recursive && !recursion)
                        return "files with the folders below, which only a filegroup can have";
        }
        return NULL;
}

/* "" or words joined by '/'. */
static bool logical_path_is_good(const char *path) {
        size_t n = strlen(path);

        return n == 0 || (n < CONTRACT_PATH_MAX && path[0] != '/' && path[n - 1] != '/' &&
                          !strstr(path, "//") && utf8_is_valid(path));
}

static const char *component_check(const WriterComponent *component) {
        if (!streq(component->type, "database") && !streq(component->type, "filegroup"))
                return "a type that is neither database nor filegroup";
        if (component->name[0] == '\0' || strchr(component->name, '/') ||
            strlen(component->name) >= CONTRACT_NAME_MAX || !utf8_is_valid(component->name))
                return "a name that is empty, too long, not UTF-8 or has a slash in it";
        if (!logical_path_is_good(component->logical_path))
                return "a logical path that is too long, not UTF-8 or not words joined by slashes";
        if (strlen(component->caption) >= CONTRACT_TEXT_MAX || !utf8_is_valid(component->caption))
                return "a caption that is too long or not UTF-8";
        return files_check(component->files, component->n_files, streq(component->type, "filegroup"));
}

static bool component_is_repeated(const WriterMetadata *metadata, size_t index) {
        const WriterComponent *component = &metadata->components[index];

        for (size_t i = 0; i < index; i++)
                if (streq(metadata->components[i].name, component->name) &&
                    streq(metadata->components[i].logical_path, component->logical_path))
                        return true;
        return false;
}

static bool restore_method_is_known(const char *method) {
        static const char *const methods[] = {
                "restore-if-not-there",
                "restore-if-can-replace",
                "stop-restore-start",
                "restore-stop-start",
                "restore-to-alternate-location",
                "restore-at-reboot",
                "restore-at-reboot-if-cannot-replace",
                "custom",
        };

        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                if (streq(methods[i], method))
                        return true;
        return false;
}

/**
 * writer_metadata_check() - whether metadata is as it must be
 * @metadata:   the metadata
 * @text:       for what is wrong
 * @size:       of it
 *
 * Return: NULL if it is good, else @text.
 */
const char *writer_metadata_check(const WriterMetadata *metadata, char *text, size_t size) {
        const char *wrong = NULL;

        for (size_t i = 0; i < metadata->n_paths; i++)
                if (!path_is_good(metadata->paths[i])) {
                        (void) snprintf(text, size, "a path that is not absolute, too long or not UTF-8");
                        return text;
                }
        for (size_t i = 0; i < metadata->n_components; i++) {
                wrong = component_check(&metadata->components[i]);
                if (!wrong && component_is_repeated(metadata, i))
                        wrong = "a name that another one with the same logical path has";
                if (!wrong)
                        continue;
                (void) snprintf(text, size, "component %zu (%.64s) has %s", i + 1,
                                utf8_is_valid(metadata->components[i].name) ? metadata->components[i].name
                                                                            : "",
                                wrong);
                return text;
        }
        wrong = files_check(metadata->exclude_files, metadata->n_exclude_files, true);
        if (!wrong && !restore_method_is_known(metadata->restore_method))
                wrong = "a restore method that is not known";
        if (!wrong)
                return NULL;
        (void) snprintf(text, size, "it declares %s", wrong);
        return text;
}
