/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Backup documents (VSS: Backup Components Document and Writer Metadata Documents, in one): what was backed
 * up, and what each writer said of itself then. The form is JSON, described in quiesce-document(5); here is
 * what it means. No I/O, no bus: text in, text out.
 *
 * A document of the same major version may say more than this quiesced knows. All of it is kept: what was
 * read is written again with it.
 */

#include <jansson.h>

#include "contract/types.h"
#include "daemon/writers/metadata.h"

/* What reading may cost: quiesced does nothing else meanwhile. A session's 8192 components, all of them
 * chosen and with words of some length, fit; tests/bench/bench-document measures how long the worst takes.
 */
#define DOCUMENT_SIZE_MAX   (8u << 20)
#define DOCUMENT_VALUES_MAX (384u << 10) /* values and keys */
#define DOCUMENT_MAJOR      1
#define DOCUMENT_MINOR      1
#define DOCUMENT_ERROR_SIZE 512u

/* A component that was selected. Strings but the first two may be NULL: not said. */
typedef struct DocumentComponent {
        char *logical_path, *name;
        char *options, *previous_stamp, *backup_stamp, *backup_metadata;
        int succeeded; /* negative: not said */
        char *restore_options, *file_restore_status;
} DocumentComponent;

typedef struct DocumentWriter {
        char *name;
        ContractLevel level;
        char *failure; /* in that backup; NULL: none */
        bool takes_part;
        WriterMetadata *metadata;
        DocumentComponent *components;
        size_t n_components;
} DocumentWriter;

typedef struct DocumentSnapshot {
        char *id, *volume, *key;
} DocumentSnapshot;

typedef struct Document {
        char *session, *set;                /* UUIDs; set: NULL if there was none */
        uint64_t saved_usec;                /* CLOCK_REALTIME */
        char *context, *type, *consistency; /* consistency: NULL if no set was created */
        bool component_mode, bootable;
        DocumentSnapshot *snapshots;
        size_t n_snapshots;
        DocumentWriter *writers;
        size_t n_writers;
        json_t *read; /* as it was read, or NULL */
} Document;

int document_new(Document **ret);
Document *document_free(Document *document);
DEFINE_CLEANUP(Document *, document_free)

/* Building one; what is added is zeroed and the document's. */
int document_add_snapshot(Document *document, DocumentSnapshot **ret);
int document_add_writer(Document *document, DocumentWriter **ret);
int document_writer_add_component(DocumentWriter *writer, DocumentComponent **ret);

const DocumentWriter *document_find_writer(const Document *document, const char *name);
const DocumentComponent *document_find_component(const DocumentWriter *writer, const char *logical_path,
                                                 const char *name);
/* What the document says of the backup of one of the writer's components. */
ContractBackedUp document_backed_up(const DocumentWriter *writer, const char *logical_path,
                                    const char *name);

/* Whether text has more values and keys than a document may have: looked at before it is parsed. */
bool document_has_too_many_values(const char *text);
/* -EBADMSG: it cannot be used, @error says where and why. */
int document_read(Document **ret, const char *text, char error[static DOCUMENT_ERROR_SIZE]);
/* @ret: to be freed; -E2BIG: larger than a document may be. */
int document_write(const Document *document, char **ret);
