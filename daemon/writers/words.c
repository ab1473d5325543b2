/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* NULL-terminated arrays of words; no shell is ever asked what a line means. */

#include "daemon/writers/words.h"

#include <assert.h>

#include "util/error.h"
#include "util/macro.h"
#include "util/texts.h"

/**
 * words_count() - how many words
 * @words: the array, or NULL
 *
 * Return: their number.
 */
size_t words_count(char **words) {
        size_t n = 0;

        while (words && words[n])
                n++;
        return n;
}

/* One word from *text, which moves behind it; buffer holds at least strlen(*text) + 1. */
static int take_word(const char **text, char *buffer) {
        const char *s = *text;
        char quote = 0;

        for (; *s && (quote || (*s != ' ' && *s != '\t')); s++) {
                if (*s == '\\' && quote != '\'') {
                        if (!*++s)
                                return WORDS_E_QUOTES;
                } else if (*s == quote) {
                        quote = 0;
                        continue;
                } else if (!quote && (*s == '"' || *s == '\'')) {
                        quote = *s;
                        continue;
                }
                *buffer++ = *s;
        }
        *buffer = 0;
        *text = s;
        return quote ? WORDS_E_QUOTES : 0;
}

/**
 * words_split() - the words of a line
 * @ret: NULL-terminated array, texts_free() it
 * @text: words separated by blanks; "…" and '…' hold blanks together, a backslash takes the next byte as it
 * is (not within '…')
 * @max: most words
 *
 * Return: 0; WORDS_E_QUOTES; WORDS_E_TOO_MANY; -ENOMEM.
 */
int words_split(char ***ret, const char *text, size_t max) {
        _cleanup_(texts_freep) char **words = NULL;
        _cleanup_free_ char *buffer = NULL;
        size_t n = 0;
        int r;

        assert(ret && text);

        buffer = malloc(strlen(text) + 1);
        words = calloc(max + 1, sizeof(*words));
        if (!buffer || !words)
                return error_origin(-ENOMEM);
        for (;;) {
                text += strspn(text, " \t");
                if (!*text)
                        break;
                if (n == max)
                        return WORDS_E_TOO_MANY;
                r = take_word(&text, buffer);
                if (r)
                        return r;
                words[n] = strdup(buffer);
                if (!words[n++])
                        return error_origin(-ENOMEM);
        }
        *ret = TAKE_PTR(words);
        return 0;
}

/**
 * words_join() - add an array to another
 * @to: the array that grows; NULL: empty
 * @from: taken, on failure too
 *
 * Return: 0 or -ENOMEM.
 */
int words_join(char ***to, char **from) {
        size_t n_to = words_count(*to), n_from = words_count(from);
        char **joined;

        joined = reallocarray(*to, n_to + n_from + 1, sizeof(*joined));
        if (!joined) {
                texts_free(from);
                return error_origin(-ENOMEM);
        }
        memcpy(joined + n_to, from, (n_from + 1) * sizeof(*joined));
        free(from);
        *to = joined;
        return 0;
}
