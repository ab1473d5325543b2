/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl explain: what an error or a word of quiesced's means, what usually causes it, what to do. It
 * asks nobody: it works where quiesced does not.
 */

#include "ctl/explain.h"
#include "ctl/json.h"
#include "ctl/screen.h"
#include "ctl/wrap.h"

#define EXPLAIN_INDENT 9

static const char usage[] =
        "\nUsage:\n"
        " quiescectl explain [options] [WORD...]\n"
        "\n"
        "Explain errors, failures of writers, outcomes, causes and states (default: list\n"
        "all that can be explained).\n"
        "\n"
        "Options:\n"
        " -J, --json      use JSON output format\n"
        "     --no-pager  don't pipe output into a pager\n"
        " -h, --help      display this help\n"
        " -V, --version   display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        {"json", no_argument, NULL, OPTION_JSON}, OPTIONS_PAGER, OPTIONS_ALWAYS, {}};

static void print_explanation(const Explanation *explanation) {
        printf("%s%s%s (%s)\n", screen_color(SCREEN_TITLE), explanation->name, screen_color(SCREEN_NORMAL),
               explanation_kind_to_string(explanation->kind));
        print_wrapped(EXPLAIN_INDENT, SCREEN_NORMAL, "", explanation->meaning);
        if (explanation->cause)
                print_wrapped(EXPLAIN_INDENT, SCREEN_NORMAL, "Cause:", explanation->cause);
        if (explanation->remedy)
                print_wrapped(EXPLAIN_INDENT, SCREEN_NORMAL, "Do:", explanation->remedy);
}

static json_t *text_or_null(const char *text) {
        return text ? json_string(text) : json_null();
}

static json_t *explanation_to_json(const Explanation *explanation) {
        json_t *object = json_object();
        char name[128];

        (void) snprintf(name, sizeof(name), "%s%s", explanation_kind_prefix(explanation->kind),
                        explanation->name);
        (void) json_object_set_new(object, "name", json_string(name));
        (void) json_object_set_new(object, "kind",
                                   json_string(explanation_kind_to_string(explanation->kind)));
        (void) json_object_set_new(object, "meaning", json_string(explanation->meaning));
        (void) json_object_set_new(object, "cause", text_or_null(explanation->cause));
        (void) json_object_set_new(object, "remedy", text_or_null(explanation->remedy));
        return object;
}

/* Of all kinds, as a word may be several. Return: how many there were. */
static size_t explain_word(const char *word, json_t *array, bool *first) {
        size_t n = 0;

        for (size_t i = 0; i < explanations_count(); i++) {
                const Explanation *explanation = explanation_at(i);

                if (word && !explanation_matches(explanation, word))
                        continue;
                n++;
                if (array) {
                        (void) json_array_append_new(array, explanation_to_json(explanation));
                        continue;
                }
                if (!*first)
                        (void) putchar('\n');
                *first = false;
                print_explanation(explanation);
        }
        return n;
}

static void list_words(void) {
        ExplanationKind kind = _EXPLAIN_KIND_MAX;

        for (size_t i = 0; i < explanations_count(); i++) {
                const Explanation *explanation = explanation_at(i);

                if (explanation->kind != kind)
                        printf("%s%s\n", i == 0 ? "" : "\n", explanation_kind_to_string(explanation->kind));
                kind = explanation->kind;
                printf("  %s\n", explanation->name);
        }
}

static int explain(char **words, size_t n_words, const Options *options) {
        json_t *document = options->json ? json_object() : NULL, *array = NULL;
        bool said = false, first = true;
        int r = 0;

        if (document) {
                array = json_array();
                (void) json_object_set_new(document, "explanations", array);
        }
        screen_open(options);
        if (n_words == 0 && document)
                (void) explain_word(NULL, array, &first);
        else if (n_words == 0)
                list_words();
        for (size_t i = 0; i < n_words; i++)
                if (explain_word(words[i], array, &first) == 0) {
                        say("%s: there is no explanation of it; 'quiescectl explain' lists what can be explained",
                            words[i]);
                        said = true;
                }
        if (options->json)
                r = json_print(document);
        return r < 0 ? error_trace(r) : said ? EXIT_FAILURE : EXIT_SUCCESS;
}

/**
 * verb_explain() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_explain(int argc, char **argv) {
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "JhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("explain");
        }
        return explain(argv + optind, (size_t) (argc - optind), &options);
}
