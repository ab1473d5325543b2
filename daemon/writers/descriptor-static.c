/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a descriptor says in place of a writer: components, files, how they are put back (VSS: express
 * writers, whose whole metadata document is a file). It is checked as a writer's own answer to Identify is.
 */

#include "daemon/writers/descriptor-parser.h"

#include <assert.h>

#include "daemon/writers/words.h"
#include "util/error.h"
#include "util/texts.h"
#include "util/utf8.h"

static int get_metadata(Parser *p, WriterMetadata **ret) {
        int r = 0;

        if (!p->descriptor->metadata)
                r = writer_metadata_new(&p->descriptor->metadata);
        *ret = p->descriptor->metadata;
        return error_trace(r);
}

static void files_clear(WriterFiles *files, size_t *n_files) {
        for (size_t i = 0; i < *n_files; i++) {
                free(files[i].path);
                free(files[i].pattern);
        }
        *n_files = 0;
}

/* FOLDER [PATTERN [recursive]]; nothing takes back what was said. */
static int add_files(Parser *p, WriterFiles **files, size_t *n_files, const char *key, const char *value) {
        char **words = NULL;
        size_t n;
        int r;

        if (!*value) {
                files_clear(*files, n_files);
                return 0;
        }
        r = words_split(&words, value, 3);
        if (r < 0)
                return error_trace(r);
        if (r == WORDS_E_QUOTES)
                return parser_fail(p, "%s= has a quote or a backslash without its other half", key);
        n = words_count(words);
        if (r > 0 || n == 0 || words[0][0] != '/' || (n == 3 && !streq(words[2], "recursive")))
                r = parser_fail(
                        p, "%s=%s is not FOLDER PATTERN recursive, of which the last two may be missing",
                        key, value);
        else {
                r = writer_files_add(files, n_files, words[0], n > 1 ? words[1] : "*", n > 2);
                if (r == -E2BIG)
                        r = parser_fail(p, "%s= is given more than %u times", key, METADATA_LIST_MAX);
        }
        texts_free(words);
        return error_trace(r);
}

/**
 * parse_exclude_files() - ExcludeFiles= of [Writer]
 * @p:          the parser
 * @key:        the key
 * @value:      of it
 *
 * Return: 0, also if there is a defect; -ENOMEM.
 */
int parse_exclude_files(Parser *p, const char *key, const char *value) {
        WriterMetadata *metadata;
        int r;

        r = get_metadata(p, &metadata);
        return r < 0 ? error_trace(r)
                     : add_files(p, &metadata->exclude_files, &metadata->n_exclude_files, key, value);
}

/**
 * parse_restore() - Restore= of [Writer]
 * @p:          the parser
 * @key:        the key
 * @value:      of it
 *
 * Return: 0, also if there is a defect; -ENOMEM.
 */
int parse_restore(Parser *p, const char *key, const char *value) {
        WriterMetadata *metadata;
        int r;

        if (!streq(value, "always") && !streq(value, "never"))
                return parser_fail(p, "Restore=%s is neither always nor never", value);
        r = get_metadata(p, &metadata);
        if (r < 0)
                return error_trace(r);
        metadata->never_restored = streq(value, "never");
        return 0;
}

/**
 * parse_restore_method() - RestoreMethod= of [Writer]
 * @p:          the parser
 * @key:        the key
 * @value:      of it; descriptor_finish_static() looks at it
 *
 * Return: 0, or -ENOMEM.
 */
int parse_restore_method(Parser *p, const char *key, const char *value) {
        WriterMetadata *metadata;
        int r;

        r = get_metadata(p, &metadata);
        return error_trace(r < 0 ? r : writer_metadata_set(&metadata->restore_method, value));
}

static WriterComponent *component_at_hand(const Parser *p) {
        WriterMetadata *metadata = p->descriptor->metadata;

        assert(metadata && metadata->n_components > 0);
        return &metadata->components[metadata->n_components - 1];
}

static int parse_component_text(Parser *p, const char *key, const char *value) {
        WriterComponent *component = component_at_hand(p);

        return error_trace(writer_metadata_set(streq(key, "Name")          ? &component->name
                                               : streq(key, "Type")        ? &component->type
                                               : streq(key, "LogicalPath") ? &component->logical_path
                                                                           : &component->caption,
                                               value));
}

static int parse_component_boolean(Parser *p, const char *key, const char *value) {
        WriterComponent *component = component_at_hand(p);
        bool yes = streq(value, "yes") || streq(value, "true") || streq(value, "on") || streq(value, "1");

        if (!yes && !streq(value, "no") && !streq(value, "false") && !streq(value, "off") &&
            !streq(value, "0"))
                return parser_fail(p, "%s=%s is neither yes nor no", key, value);
        if (streq(key, "Selectable"))
                component->selectable = yes;
        else
                component->selectable_for_restore = yes;
        return 0;
}

static int parse_component_files(Parser *p, const char *key, const char *value) {
        WriterComponent *component = component_at_hand(p);

        return add_files(p, &component->files, &component->n_files, key, value);
}

static int component_begin(Parser *p) {
        WriterComponent *component = NULL;
        WriterMetadata *metadata;
        int r;

        r = get_metadata(p, &metadata);
        if (r == 0)
                r = writer_metadata_add_component(metadata, &component);
        if (r == 0)
                r = writer_metadata_set(&component->type, "filegroup");
        if (r < 0)
                return error_trace(r);
        component->selectable = true;
        p->component_sections = p->key_sections;
        p->component_seen = 0;
        return 0;
}

/**
 * parser_component_key() - a key of a section [Component]; with a new header a new component begins
 * @p:          the parser, with the key at hand
 *
 * Return: 0, also if there is a defect; -ENOMEM.
 */
int parser_component_key(Parser *p) {
        static const ParserKey keys[] = {
                {"Name", parse_component_text, false},
                {"Type", parse_component_text, false},
                {"LogicalPath", parse_component_text, false},
                {"Caption", parse_component_text, false},
                {"Selectable", parse_component_boolean, false},
                {"SelectableForRestore", parse_component_boolean, false},
                {"Files", parse_component_files, true},
        };
        int r = 0;

        if (p->component_sections != p->key_sections)
                r = component_begin(p);
        if (r == -E2BIG)
                return parser_fail(p, "there are more than %u components", METADATA_LIST_MAX);
        return error_trace(r < 0 ? r : parser_dispatch(p, keys, ELEMENTSOF(keys), &p->component_seen));
}

/**
 * descriptor_finish_static() - check the descriptor of a writer without a process, and complete its metadata
 * @d:          the descriptor; all its files have been read
 *
 * Return: 0, also if there is a defect; -ENOMEM.
 */
int descriptor_finish_static(Descriptor *d) {
        char text[CONTRACT_TEXT_MAX];
        int r = 0;

        if (d->user || d->level_set || d->freeze_window_usec > 0 || d->writable_snapshots)
                return descriptor_fail(
                        d, d->path, 0,
                        "User=, Level=, FreezeWindowSec= and WritableSnapshots= are of a process, and a "
                        "writer of Type=static has none");
        free(d->unit);
        d->unit = NULL;
        if (!d->metadata)
                r = writer_metadata_new(&d->metadata);
        if (r == 0 && d->description)
                r = writer_metadata_set(&d->metadata->description, d->description);
        for (size_t i = 0; i < d->n_paths && r == 0; i++)
                r = writer_metadata_add_path(d->metadata, d->paths[i]);
        if (r < 0)
                return error_trace(r);
        if (d->metadata->n_paths == 0 && d->metadata->n_components == 0)
                return descriptor_fail(
                        d, d->path, 0,
                        "Type=static needs Paths= or a [Component]: there is nothing else that "
                        "tells what is to be backed up");
        if (writer_metadata_check(d->metadata, text, sizeof(text)))
                return descriptor_fail(d, d->path, 0, "%s", text);
        return 0;
}
