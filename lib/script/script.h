/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The small language of the developer kit, quiesce-test-script(5): lines of words. What the test writer, the
 * test requester and the test provider are to do stands in it.
 *
 * Words are separated by blanks; "…" is one word, in it \" and \\ stand for themselves; '#' where a word
 * would begin makes the rest of the line a comment. A rule is a line WHERE WHO [first N] ACTION…: at WHERE
 * (an event, a phase, a call), if it concerns WHO, the action is carried out, the first N times or always;
 * '*' is any.
 */

#include <stdbool.h>
#include <stddef.h>

#include "util/macro.h"

#define SCRIPT_SIZE_MAX  65536u
#define SCRIPT_WORDS_MAX 64u
#define SCRIPT_ERROR_MAX 256u

typedef struct ScriptLine {
        unsigned number; /* from 1; 0: not from a file */
        char **words;    /* NULL-terminated */
        size_t n_words;  /* at least 1 */
        unsigned n_done; /* of a rule: how often it was carried out */
} ScriptLine;

typedef struct Script {
        unsigned n_references;
        ScriptLine *lines;
        size_t n_lines;
} Script;

/* error: says in which line what is wrong. */
int script_parse(Script **ret, const char *text, size_t size, char error[static SCRIPT_ERROR_MAX]);
int script_read(Script **ret, const char *path, char error[static SCRIPT_ERROR_MAX]);
int script_add(Script *script, const char *const *words, size_t n_words);
Script *script_ref(Script *script);
Script *script_unref(Script *script);
DEFINE_CLEANUP(Script *, script_unref)

/* Rules. */
int script_add_short(Script *script, const char *text, char error[static SCRIPT_ERROR_MAX]);
int script_check(const Script *script, const char *const *places, char error[static SCRIPT_ERROR_MAX]);
char **script_next(Script *script, size_t *at, const char *where, const char *who);

/* A number of times, as in "first N". */
bool script_count(const char *text, unsigned *ret);

/* Words joined by blanks, free() it; NULL if there is no memory. */
char *script_join(char *const *words);
