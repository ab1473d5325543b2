/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Descriptors: the files NAME.writer that say who is a writer and how its process is started. Format and
 * search order are in quiesced.writer(5).
 *
 * A descriptor with a defect stays in the list with `error` set: people see it, sessions get the writer as
 * unavailable, the others are not stopped by it.
 */

#include "contract/types.h"
#include "daemon/writers/metadata.h"
#include "util/hook-flavor.h"
#include "util/macro.h"

#define DESCRIPTOR_SIZE_MAX 65536u
#define DESCRIPTOR_NAME_MAX 64u
#define DESCRIPTOR_LIST_MAX 64u /* entries of Paths=, arguments of Exec= */
#define DESCRIPTORS_MAX     CONTRACT_WRITERS_MAX

typedef enum DescriptorKind {
        DESCRIPTOR_NO_KIND,
        DESCRIPTOR_SERVICE,
        DESCRIPTOR_EXEC,
        DESCRIPTOR_HOOK,
        DESCRIPTOR_STATIC, /* no process: all that is to be known of it is in the descriptor */
        DESCRIPTOR_BUS,    /* a service on the system bus, which registers by itself */
} DescriptorKind;

typedef struct Descriptor {
        unsigned n_ref;
        char *name;
        char *path; /* of the file NAME.writer */
        char *description;
        char *service;
        char **exec; /* argv, NULL-terminated */
        char *hook;
        char *bus_name; /* well-known, on the system bus */
        char *thaw_hook;
        HookFlavor flavor;
        char *user;
        char **paths; /* NULL-terminated */
        size_t n_paths;
        char **blocks_revert; /* paths and volumes, NULL-terminated; NULL: none */
        size_t n_blocks_revert;
        ContractLevel level;
        bool level_set;
        bool is_static;
        bool writable_snapshots;     /* C24: it writes into them in PostSnapshot */
        WriterMetadata *metadata;    /* of a static writer; or NULL */
        uint64_t freeze_window_usec; /* 0: not set */
        DescriptorKind kind;
        char *unit;  /* NULL: static, or on the bus */
        char *error; /* "FILE:LINE: what", or NULL: usable */
} Descriptor;

typedef struct Descriptors {
        Descriptor **items; /* in order of names */
        size_t n_items;
} Descriptors;

int descriptor_new(Descriptor **ret, const char *name, const char *path);
Descriptor *descriptor_ref(Descriptor *descriptor);
Descriptor *descriptor_unref(Descriptor *descriptor);
DEFINE_CLEANUP(Descriptor *, descriptor_unref)

/* What is written in one file, the main one or a drop-in. A defect goes to descriptor->error. */
int descriptor_parse(Descriptor *descriptor, const char *path, const char *text, size_t n_text);
/* After the last file: is it complete, which unit is it? */
int descriptor_finish(Descriptor *descriptor);
int descriptor_fail(Descriptor *descriptor, const char *path, unsigned line, const char *format, ...)
        _printf_(4, 5);
const char *descriptor_kind_to_string(DescriptorKind kind);

int descriptors_load(Descriptors *ret, const char *const *directories);
void descriptors_done(Descriptors *descriptors);
