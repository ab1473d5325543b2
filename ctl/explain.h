/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the words mean that quiesced answers with: its errors, and those of states, outcomes and causes. The
 * texts are data, so that a test can see that no word is without.
 */

#include <stddef.h>

typedef enum ExplanationKind {
        EXPLAIN_ERROR,          /* org.quiesce1.Error.NAME */
        EXPLAIN_WRITER_FAILURE, /* org.quiesce1.Error.Writer.NAME */
        EXPLAIN_CONSISTENCY,    /* of a set */
        EXPLAIN_OUTCOME,        /* of a session: BackupShutdown tells */
        EXPLAIN_CAUSE,          /* of its end: likewise */
        EXPLAIN_SNAPSHOT_STATE, /* Snapshot.State */
        EXPLAIN_INVALID_REASON, /* Snapshot.InvalidReason */
        EXPLAIN_REMOVED_REASON, /* SnapshotRemoved tells */
        _EXPLAIN_KIND_MAX,
} ExplanationKind;

/* Whole sentences. cause: NULL where the meaning says it all; likewise remedy. */
typedef struct Explanation {
        ExplanationKind kind;
        const char *name;
        const char *meaning;
        const char *cause;
        const char *remedy;
} Explanation;

extern const Explanation explanations_errors[];
extern const size_t n_explanations_errors;
extern const Explanation explanations_words[];
extern const size_t n_explanations_words;

const char *explanation_kind_to_string(ExplanationKind kind); /* "writer-failure" */
const char *explanation_kind_prefix(ExplanationKind kind);    /* "org.quiesce1.Error.", "" */
size_t explanations_count(void);
const Explanation *explanation_at(size_t index);
int explanation_matches(const Explanation *explanation, const char *word);
