/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading scripts: text to lines of words; see script.h. Promise: any bytes are a script or an error. */

#include "script/script.h"

#include <fcntl.h>

#include "util/error.h"

static void line_clear(ScriptLine *line) {
        for (size_t i = 0; i < line->n_words; i++)
                free(line->words[i]);
        free(line->words);
        *line = (ScriptLine){};
}

/**
 * script_ref() - keep a script
 * @script:     it
 *
 * Return: it.
 */
Script *script_ref(Script *script) {
        script->n_references++;
        return script;
}

/**
 * script_unref() - let a script go
 * @script:     it or NULL
 *
 * Return: NULL.
 */
Script *script_unref(Script *script) {
        if (!script || --script->n_references > 0)
                return NULL;
        for (size_t i = 0; i < script->n_lines; i++)
                line_clear(&script->lines[i]);
        free(script->lines);
        free(script);
        return NULL;
}

static int add_word(ScriptLine *line, char *word) {
        char **words = reallocarray(line->words, line->n_words + 2, sizeof(*words));

        if (!words || !word) {
                free(word);
                line->words = words ? words : line->words;
                return error_origin(-ENOMEM);
        }
        line->words = words;
        line->words[line->n_words++] = word;
        line->words[line->n_words] = NULL;
        return 0;
}

static int add_line(Script *script, ScriptLine *line) {
        ScriptLine *lines = reallocarray(script->lines, script->n_lines + 1, sizeof(*lines));

        if (!lines)
                return error_origin(-ENOMEM);
        script->lines = lines;
        script->lines[script->n_lines++] = *line;
        *line = (ScriptLine){};
        return 0;
}

/* A word in quotes; @at is behind the first and is moved behind the last. */
static int quoted(const char **at, const char *end, char **ret) {
        char *word = malloc((size_t) (end - *at) + 1), *to = word;

        if (!word)
                return error_origin(-ENOMEM);
        for (; *at < end && **at != '"'; (*at)++) {
                if (**at == '\\' && *at + 1 < end && ((*at)[1] == '"' || (*at)[1] == '\\'))
                        (*at)++;
                *to++ = **at;
        }
        *to = '\0';
        if (*at == end) {
                free(word);
                return -EINVAL;
        }
        (*at)++;
        *ret = word;
        return 0;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
}

static int parse_line(ScriptLine *line, const char *at, const char *end, const char **why) {
        while (at < end) {
                const char *begin = at;
                char *word = NULL;
                int r;

                if (is_blank(*at)) {
                        at++;
                        continue;
                }
                if (*at == '#')
                        return 0;
                *why = "it has too many words";
                if (line->n_words >= SCRIPT_WORDS_MAX)
                        return -EINVAL;
                if (*at == '"') {
                        at++;
                        *why = "a quote is not closed";
                        r = quoted(&at, end, &word);
                        if (r < 0)
                                return r;
                } else {
                        while (at < end && !is_blank(*at))
                                at++;
                        word = strndup(begin, (size_t) (at - begin));
                }
                r = add_word(line, word);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * script_parse() - read a script from memory
 * @ret:        the script; end with script_unref()
 * @text:       any bytes
 * @size:       how many
 * @error:      filled in with -EINVAL
 *
 * Return: 0; -EINVAL: it is none; -ENOMEM.
 */
int script_parse(Script **ret, const char *text, size_t size, char error[static SCRIPT_ERROR_MAX]) {
        _cleanup_(script_unrefp) Script *script = calloc(1, sizeof(*script));
        const char *end = text + size;
        unsigned number = 0;

        if (!script)
                return error_origin(-ENOMEM);
        script->n_references = 1;
        if (size > SCRIPT_SIZE_MAX || (size > 0 && memchr(text, '\0', size))) {
                (void) snprintf(error, SCRIPT_ERROR_MAX, "it is no text of at most %u bytes",
                                SCRIPT_SIZE_MAX);
                return -EINVAL;
        }
        for (const char *at = text, *next; at < end; at = next) {
                const char *newline = memchr(at, '\n', (size_t) (end - at)), *why = "";
                ScriptLine line = {.number = number + 1};
                int r;

                number++;
                next = newline ? newline + 1 : end;
                r = parse_line(&line, at, newline ? newline : end, &why);
                if (r >= 0 && line.n_words > 0)
                        r = add_line(script, &line);
                line_clear(&line);
                if (r == -EINVAL)
                        (void) snprintf(error, SCRIPT_ERROR_MAX, "line %u: %s", number, why);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(script);
        return 0;
}

/**
 * script_read() - read a script from a file
 * @ret:        the script; end with script_unref()
 * @path:       "-": standard input
 * @error:      filled in with any error
 *
 * Return: 0, or a negative errno.
 */
int script_read(Script **ret, const char *path, char error[static SCRIPT_ERROR_MAX]) {
        _cleanup_free_ char *text = malloc(SCRIPT_SIZE_MAX + 1);
        _cleanup_fclose_ FILE *file = streq(path, "-") ? fdopen(dup(STDIN_FILENO), "r") : fopen(path, "re");
        char why[SCRIPT_ERROR_MAX];
        size_t n;
        int r;

        if (!text || !file) {
                r = text ? -errno : -ENOMEM;
                (void) snprintf(error, SCRIPT_ERROR_MAX, "%.60s cannot be read: %s", path, strerror(-r));
                return error_origin(r);
        }
        n = fread(text, 1, SCRIPT_SIZE_MAX + 1, file);
        if (ferror(file)) {
                (void) snprintf(error, SCRIPT_ERROR_MAX, "%.60s cannot be read", path);
                return error_origin(-EIO);
        }
        r = script_parse(ret, text, n, why);
        if (r < 0)
                (void) snprintf(error, SCRIPT_ERROR_MAX, "%.60s: %.180s", path,
                                r == -EINVAL ? why : strerror(-r));
        return error_trace(r);
}

/**
 * script_add() - add a line
 * @script:     the script
 * @words:      its words
 * @n_words:    how many; 1 at least
 *
 * Return: 0; -ENOMEM.
 */
int script_add(Script *script, const char *const *words, size_t n_words) {
        ScriptLine line = {};
        int r = 0;

        for (size_t i = 0; i < n_words && r >= 0; i++)
                r = add_word(&line, strdup(words[i]));
        if (r >= 0)
                r = add_line(script, &line);
        line_clear(&line);
        return error_trace(r);
}

/**
 * script_join() - a text from words
 * @words:      NULL-terminated
 *
 * Return: them with a blank between each two, free() it; NULL if there is no memory.
 */
char *script_join(char *const *words) {
        size_t size = 1;
        char *text, *to;

        for (size_t i = 0; words[i]; i++)
                size += strlen(words[i]) + 1;
        text = to = malloc(size);
        if (!text)
                return NULL;
        *to = '\0';
        for (size_t i = 0; words[i]; i++)
                to += snprintf(to, size - (size_t) (to - text), "%s%s", i > 0 ? " " : "", words[i]);
        return text;
}
