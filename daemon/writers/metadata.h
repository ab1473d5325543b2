/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A writer's metadata document (VSS): what it said of itself when it answered Identify. Never changed after
 * that, so whoever needs it takes a reference.
 */

#include "contract/types.h"
#include "util/macro.h"

#define METADATA_LIST_MAX        1024u /* paths, components, files of one component */
#define METADATA_PATH_LENGTH_MAX 4096u
#define METADATA_SIZE_MAX        (2u << 20) /* bytes of all text that an answer to Identify has */
#define METADATA_STAMP_MAX       4096u      /* bytes of a stamp, or of options */
#define METADATA_BACKUP_MAX      16384u     /* bytes of a component's backup metadata */
#define METADATA_NOTES_MAX       262144u    /* bytes of all that one answer notes of components */

/* Files by a folder, a pattern of names in it, and whether the folders below count. */
typedef struct WriterFiles {
        char *path, *pattern;
        bool recursive;
} WriterFiles;

typedef struct WriterComponent {
        char *type; /* "database", "filegroup" */
        char *logical_path, *name, *caption;
        bool selectable, selectable_for_restore;
        WriterFiles *files;
        size_t n_files;
} WriterComponent;

typedef struct WriterMetadata {
        unsigned n_ref;
        char *description;
        char **paths; /* NULL-terminated, or NULL */
        size_t n_paths;
        WriterComponent *components;
        size_t n_components;
        WriterFiles *exclude_files; /* beat all includes */
        size_t n_exclude_files;
        char *restore_method;
        bool never_restored; /* it takes part in no restore (VSS_WRE_NEVER) */
} WriterMetadata;

int writer_metadata_new(WriterMetadata **ret);
WriterMetadata *writer_metadata_ref(WriterMetadata *metadata);
WriterMetadata *writer_metadata_unref(WriterMetadata *metadata);
DEFINE_CLEANUP(WriterMetadata *, writer_metadata_unref)

/* Building it; all return 0, -E2BIG beyond METADATA_LIST_MAX, or -ENOMEM. */
int writer_metadata_set(char **field, const char *value);
int writer_metadata_add_path(WriterMetadata *metadata, const char *path);
int writer_metadata_add_component(WriterMetadata *metadata, WriterComponent **ret);
int writer_files_add(WriterFiles **files, size_t *n_files, const char *path, const char *pattern,
                     bool recursive);
/* NULL: good; else what is wrong with it, for people, in the given place. */
const char *writer_metadata_check(const WriterMetadata *metadata, char *text, size_t size);
