/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Looking explanations up; see explain.h.
 */

#include "ctl/explain.h"

#include <assert.h>
#include <strings.h>

#include "util/macro.h"

#define ERROR_PREFIX  "org.quiesce1.Error."
#define WRITER_PREFIX "Writer."

static const struct {
        const char *name, *prefix;
} kinds[_EXPLAIN_KIND_MAX] = {
        [EXPLAIN_ERROR] = {"error", ERROR_PREFIX},
        [EXPLAIN_WRITER_FAILURE] = {"writer-failure", ERROR_PREFIX WRITER_PREFIX},
        [EXPLAIN_CONSISTENCY] = {"consistency", ""},
        [EXPLAIN_OUTCOME] = {"outcome", ""},
        [EXPLAIN_CAUSE] = {"cause", ""},
        [EXPLAIN_SNAPSHOT_STATE] = {"snapshot-state", ""},
        [EXPLAIN_INVALID_REASON] = {"invalid-reason", ""},
        [EXPLAIN_REMOVED_REASON] = {"removed-reason", ""},
};

/**
 * explanation_kind_to_string() - what sort of word it is
 * @kind:       the kind
 *
 * Return: its name.
 */
const char *explanation_kind_to_string(ExplanationKind kind) {
        assert(kind < _EXPLAIN_KIND_MAX);
        return kinds[kind].name;
}

/**
 * explanation_kind_prefix() - what stands before the word on the bus
 * @kind:       the kind
 *
 * Return: the prefix, or "".
 */
const char *explanation_kind_prefix(ExplanationKind kind) {
        assert(kind < _EXPLAIN_KIND_MAX);
        return kinds[kind].prefix;
}

/**
 * explanations_count() - how many there are
 *
 * Return: that.
 */
size_t explanations_count(void) {
        return n_explanations_errors + n_explanations_words;
}

/**
 * explanation_at() - one of them
 * @index:      less than explanations_count()
 *
 * Return: it.
 */
const Explanation *explanation_at(size_t index) {
        assert(index < explanations_count());
        return index < n_explanations_errors ? &explanations_errors[index]
                                             : &explanations_words[index - n_explanations_errors];
}

static const char *after_prefix(const char *word, const char *prefix) {
        size_t n = strlen(prefix);

        return strncasecmp(word, prefix, n) == 0 ? word + n : word;
}

/**
 * explanation_matches() - whether a word is this one
 * @explanation:    this one
 * @word:           in any case; an error with "org.quiesce1.Error." before it, a writer's failure with
 *                  "Writer." after that, or without
 *
 * Return: 1 if so, else 0.
 */
int explanation_matches(const Explanation *explanation, const char *word) {
        const char *rest = after_prefix(word, ERROR_PREFIX);
        const char *of_writer = after_prefix(rest, WRITER_PREFIX);

        if (rest != word && explanation->kind > EXPLAIN_WRITER_FAILURE)
                return 0;
        if (of_writer != rest && explanation->kind != EXPLAIN_WRITER_FAILURE)
                return 0;
        if (rest != word && of_writer == rest && explanation->kind == EXPLAIN_WRITER_FAILURE)
                return 0;
        return strcasecmp(of_writer, explanation->name) == 0;
}
