/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A line of a script to words, and the variables in a word; see script-parse.h.
 *
 * As on Windows a backslash is a character like any other, in quotes too: "C:\My Files\" is a word. Two
 * quotes inside quotes are one.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/script-parse.h"
#include "util/error.h"
#include "util/texts.h"

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* From *at to the word's end, which *at is moved behind. Return: false if a quote is not closed. */
static bool take_word(const char *text, size_t size, size_t *at, char *to) {
        bool quoted = false;

        for (; *at < size && (quoted || !is_blank(text[*at])); (*at)++) {
                if (text[*at] != '"')
                        *to++ = text[*at];
                else if (quoted && *at + 1 < size && text[*at + 1] == '"')
                        *to++ = text[(*at)++];
                else
                        quoted = !quoted;
        }
        *to = '\0';
        return !quoted;
}

static bool has_control_characters(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (((unsigned char) text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
                        return true;
        return false;
}

/**
 * words_split() - the words of a line
 * @ret:        NULL-terminated; texts_free() it
 * @ret_n:      how many; may be none
 * @text:       the line without its end
 * @size:       of it
 * @error:      filled in with PROGRAM_E_INVALID
 *
 * A comment has none: its first character is '#', or its first word REM.
 *
 * Return: 0; PROGRAM_E_INVALID; -ENOMEM.
 */
int words_split(char ***ret, size_t *ret_n, const char *text, size_t size,
                char error[static PROGRAM_ERROR_MAX]) {
        char **words = calloc(PROGRAM_WORDS_MAX + 1, sizeof(*words));
        const char *why = NULL;
        size_t n = 0, at = 0;

        if (!words)
                return error_origin(-ENOMEM);
        if (has_control_characters(text, size))
                why = "there is a control character in this line";
        while (!why && at < size) {
                if (is_blank(text[at])) {
                        at++;
                        continue;
                }
                if (n == 0 && text[at] == '#')
                        break;
                if (n == PROGRAM_WORDS_MAX) {
                        why = "it has too many words";
                        break;
                }
                words[n] = malloc(size - at + 1);
                if (!words[n]) {
                        texts_free(words);
                        return error_origin(-ENOMEM);
                }
                if (!take_word(text, size, &at, words[n++]))
                        why = "a quote is not closed";
                if (n == 1 && strcasecmp(words[0], "rem") == 0) {
                        free(words[--n]);
                        words[n] = NULL;
                        break;
                }
        }
        if (why) {
                texts_free(words);
                (void) snprintf(error, PROGRAM_ERROR_MAX, "%s", why);
                return PROGRAM_E_INVALID;
        }
        *ret = words;
        *ret_n = n;
        return 0;
}

/**
 * variable_next() - the next variable in a word
 * @word:       it
 * @at:         where to look from; moved behind what was found
 * @ret_begin:  where what was found begins
 * @name:       the variable's
 *
 * Return: 0: there is none; VARIABLE_E_FOUND, VARIABLE_E_PERCENT, VARIABLE_E_BROKEN.
 */
int variable_next(const char *word, size_t *at, size_t *ret_begin, char name[static PROGRAM_NAME_MAX]) {
        const char *begin = strchr(word + *at, '%'), *end;

        name[0] = '\0';
        if (!begin)
                return 0;
        *ret_begin = (size_t) (begin - word);
        end = strchr(begin + 1, '%');
        if (!end || (size_t) (end - begin) > PROGRAM_NAME_MAX) {
                *at = *ret_begin + 1;
                return VARIABLE_E_BROKEN;
        }
        *at = (size_t) (end - word) + 1;
        (void) memcpy(name, begin + 1, (size_t) (end - begin) - 1);
        name[end - begin - 1] = '\0';
        return name[0] ? VARIABLE_E_FOUND : VARIABLE_E_PERCENT;
}

/**
 * alias_is_valid() - whether a name may be an alias
 * @name:       it
 *
 * It becomes the name of an environment variable. Those that "create" sets, and PATH, are not to be had.
 *
 * Return: true if so.
 */
bool alias_is_valid(const char *name) {
        size_t length = strlen(name);

        if (length == 0 || length >= PROGRAM_NAME_MAX || isdigit((unsigned char) name[0]))
                return false;
        for (size_t i = 0; i < length; i++)
                if (!isalnum((unsigned char) name[i]) && name[i] != '_')
                        return false;
        return strncasecmp(name, "VSS_SHADOW_", strlen("VSS_SHADOW_")) != 0 && strcasecmp(name, "PATH") != 0;
}

/**
 * path_is_of_windows() - whether a path was left as it stood in the script from Windows
 * @path:       any text
 *
 * Return: true for a drive letter and for \\SERVER\SHARE.
 */
bool path_is_of_windows(const char *path) {
        if (isalpha((unsigned char) path[0]) && path[1] == ':')
                return path[2] == '\0' || path[2] == '\\' || path[2] == '/';
        return path[0] == '\\' && path[1] == '\\';
}
