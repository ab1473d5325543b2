/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rules: lines WHERE WHO [first N] ACTION…; see script.h. */

#include "script/script.h"

#include "util/error.h"

enum { WHERE, WHO, ACTION };

/**
 * script_count() - a number of times
 * @text:       decimal
 * @ret:        1 to 999999
 *
 * Return: false if it is no such number.
 */
bool script_count(const char *text, unsigned *ret) {
        char *end;
        unsigned long n;

        if (text[0] < '0' || text[0] > '9')
                return false;
        errno = 0;
        n = strtoul(text, &end, 10);
        *ret = (unsigned) n;
        return *end == '\0' && errno == 0 && n > 0 && n < 1000000;
}

/* Where the action's words begin; limit: how often, 0 for always. NULL if it is no rule. */
static char **rule_action(const ScriptLine *line, unsigned *limit) {
        *limit = 0;
        if (line->n_words <= ACTION)
                return NULL;
        if (!streq(line->words[ACTION], "first"))
                return line->words + ACTION;
        if (line->n_words <= ACTION + 2 || !script_count(line->words[ACTION + 1], limit))
                return NULL;
        return line->words + ACTION + 2;
}

static bool word_matches(const char *word, const char *value) {
        return streq(word, "*") || streq(word, value);
}

/**
 * script_next() - the next rule that applies
 * @script:     the rules
 * @at:         where to begin, 0 at first; moved behind the rule
 * @where:      what happens
 * @who:        whom it concerns
 *
 * A rule with "first N" that is answered counts as carried out.
 *
 * Return: the words of its action, NULL-terminated, the script's; NULL if there is no more.
 */
char **script_next(Script *script, size_t *at, const char *where, const char *who) {
        while (*at < script->n_lines) {
                ScriptLine *line = &script->lines[(*at)++];
                char **action;
                unsigned limit;

                action = rule_action(line, &limit);
                if (!action || !word_matches(line->words[WHERE], where) ||
                    !word_matches(line->words[WHO], who) || (limit > 0 && line->n_done >= limit))
                        continue;
                line->n_done++;
                return action;
        }
        return NULL;
}

/**
 * script_check() - whether all lines are rules of known places
 * @script:     the script
 * @places:     NULL-terminated
 * @error:      filled in with -EINVAL
 *
 * Return: 0; -EINVAL.
 */
int script_check(const Script *script, const char *const *places, char error[static SCRIPT_ERROR_MAX]) {
        for (size_t i = 0; i < script->n_lines; i++) {
                const ScriptLine *line = &script->lines[i];
                bool known = streq(line->words[WHERE], "*");
                unsigned limit;

                for (size_t j = 0; places[j] && !known; j++)
                        known = streq(places[j], line->words[WHERE]);
                if (known && rule_action(line, &limit))
                        continue;
                (void) snprintf(error, SCRIPT_ERROR_MAX, "line %u: %.60s %s", line->number,
                                line->words[WHERE],
                                known ? "needs WHO [first N] ACTION behind it" : "is nothing known here");
                return error_origin(-EINVAL);
        }
        return 0;
}

/**
 * script_add_short() - add a rule as a word of a command line
 * @script:     the rules
 * @text:       WHERE=[first:N:]ACTION[:ARGUMENT[:LAST]], for any WHO; LAST may have more colons
 * @error:      filled in with -EINVAL
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int script_add_short(Script *script, const char *text, char error[static SCRIPT_ERROR_MAX]) {
        _cleanup_free_ char *copy = strdup(text);
        const char *words[7] = {};
        size_t n = 0, most;
        char *rest = copy;

        if (!copy)
                return error_origin(-ENOMEM);
        words[n++] = strsep(&rest, "=");
        words[n++] = "*";
        if (!rest || !rest[0]) {
                (void) snprintf(error, SCRIPT_ERROR_MAX, "%.60s: it must be WHERE=ACTION", text);
                return error_origin(-EINVAL);
        }
        most = n + (strncmp(rest, "first:", 6) == 0 ? 4 : 2);
        while (rest && n < most)
                words[n++] = strsep(&rest, ":");
        if (rest)
                words[n++] = rest;
        return error_trace(script_add(script, words, n));
}
