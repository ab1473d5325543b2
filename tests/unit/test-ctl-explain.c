/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every word that the contract can answer is explained, once; and finding one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/names.h"
#include "ctl/explain.h"
#include "util/macro.h"

static size_t count(ExplanationKind kind, const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < explanations_count(); i++)
                n += explanation_at(i)->kind == kind && streq(explanation_at(i)->name, name);
        return n;
}

static size_t count_kind(ExplanationKind kind) {
        size_t n = 0;

        for (size_t i = 0; i < explanations_count(); i++)
                n += explanation_at(i)->kind == kind;
        return n;
}

/* Each once, and nothing that is not there. */
#define ASSERT_ALL_EXPLAINED(Type, from, max, to_string, kind)                           \
        do {                                                                             \
                for (int i = (from); i < (max); i++)                                     \
                        if (count(kind, to_string((Type) i)) != 1)                       \
                                fail_msg("%s has %zu explanations", to_string((Type) i), \
                                         count(kind, to_string((Type) i)));              \
                assert_int_equal(count_kind(kind), (size_t) ((max) - (from)));           \
        } while (0)

static void test_all_errors(void **state) {
        ASSERT_ALL_EXPLAINED(ContractError, CONTRACT_OK + 1, _CONTRACT_ERROR_MAX, contract_error_to_string,
                             EXPLAIN_ERROR);
        ASSERT_ALL_EXPLAINED(ContractFailure, CONTRACT_FAILURE_NONE + 1, _CONTRACT_FAILURE_MAX,
                             contract_failure_to_string, EXPLAIN_WRITER_FAILURE);
}

static void test_all_words(void **state) {
        ASSERT_ALL_EXPLAINED(ContractConsistency, 0, _CONTRACT_CONSISTENCY_MAX,
                             contract_consistency_to_string, EXPLAIN_CONSISTENCY);
        ASSERT_ALL_EXPLAINED(ContractOutcome, 0, _CONTRACT_OUTCOME_MAX, contract_outcome_to_string,
                             EXPLAIN_OUTCOME);
        ASSERT_ALL_EXPLAINED(ContractCause, 0, _CONTRACT_CAUSE_MAX, contract_cause_to_string, EXPLAIN_CAUSE);
}

/* The daemon's words that are in no enum: what its source has. */
static void test_all_words_of_the_daemon(void **state) {
        static const struct {
                const char *command;
                ExplanationKind kind;
        } sources[] = {
                {"grep -hoE 'ret->reason = \"[a-z-]+\"|volume_lose\\(volume, \"[a-z-]+\"' "
                 "%1$s/daemon/providers/*.c %1$s/daemon/sets/*.c",
                 EXPLAIN_INVALID_REASON},
                {"sed -n '/^static const char .volume_state/,/^}/p' %1$s/daemon/sets/snapshot-set.c | "
                 "grep -o '\"[a-z-][a-z-]*\"'",
                 EXPLAIN_SNAPSHOT_STATE},
                {"grep -hoE '(published_refresh|delete_tell|published_remove)\\([^;]*\"[a-z-]+\"' "
                 "%1$s/daemon/*.c %1$s/daemon/*/*.c",
                 EXPLAIN_REMOVED_REASON},
        };
        const char *srcdir = getenv("srcdir");

        for (size_t i = 0; i < ELEMENTSOF(sources); i++) {
                char command[1024], line[512];
                size_t n = 0;
                FILE *pipe;

                (void) snprintf(command, sizeof(command), sources[i].command, srcdir ? srcdir : ".");
                pipe = popen(command, "r");
                assert_non_null(pipe);
                while (fgets(line, sizeof(line), pipe)) {
                        char *end = strrchr(line, '"'), *word;

                        assert_non_null(end);
                        *end = '\0';
                        word = strrchr(line, '"');
                        assert_non_null(word);
                        n++;
                        if (count(sources[i].kind, word + 1) != 1)
                                fail_msg("%s %s is not explained",
                                         explanation_kind_to_string(sources[i].kind), word + 1);
                }
                assert_int_equal(pclose(pipe), 0);
                assert_true(n > 2);
        }
}

/* Sentences, and no more than one kind of end. */
static void test_texts(void **state) {
        for (size_t i = 0; i < explanations_count(); i++) {
                const Explanation *explanation = explanation_at(i);
                const char *texts[] = {explanation->meaning, explanation->cause, explanation->remedy};

                assert_non_null(explanation->meaning);
                for (size_t k = 0; k < ELEMENTSOF(texts); k++) {
                        if (!texts[k])
                                continue;
                        if (islower((unsigned char) texts[k][0]) && strncmp(texts[k], "quiesced", 8) != 0)
                                fail_msg("%s begins small: %s", explanation->name, texts[k]);
                        if (texts[k][strlen(texts[k]) - 1] != '.' || strstr(texts[k], "  "))
                                fail_msg("%s is no sentence: %s", explanation->name, texts[k]);
                }
                /* What has no remedy needs none. */
                if (explanation->kind <= EXPLAIN_WRITER_FAILURE)
                        assert_true(explanation->cause && explanation->remedy);
        }
}

static const Explanation *find(const char *word) {
        for (size_t i = 0; i < explanations_count(); i++)
                if (explanation_matches(explanation_at(i), word))
                        return explanation_at(i);
        return NULL;
}

static void test_find(void **state) {
        assert_string_equal(find("org.quiesce1.Error.WriterVeto")->name, "WriterVeto");
        assert_string_equal(find("WRITERVETO")->name, "WriterVeto");
        assert_string_equal(find("ORG.QUIESCE1.error.writer.timeout")->name, "Timeout");
        assert_string_equal(find("Writer.Timeout")->name, "Timeout");
        assert_string_equal(find("timeout")->name, "Timeout");
        assert_null(find("org.quiesce1.Error.Timeout"));
        assert_null(find("org.quiesce1.Error.pool-full"));
        assert_null(find("Writer.WriterVeto"));
        assert_null(find("Writer.pool-full"));
        assert_string_equal(find("Pool-Full")->name, "pool-full");
        assert_null(find(""));
        assert_null(find("org.quiesce1.Error."));
        assert_null(find("dance"));
        assert_string_equal(find("org.quiesce1.Error.Released")->name, "Released");
        assert_int_equal(find("released")->kind, EXPLAIN_ERROR);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_errors),
                cmocka_unit_test(test_all_words),
                cmocka_unit_test(test_all_words_of_the_daemon),
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_find),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
