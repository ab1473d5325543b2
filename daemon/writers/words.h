/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lists of words as descriptors write them: separated by blanks, quoted like a shell's but nothing expanded.
 */

#include <stddef.h>

enum {
        _WORDS_E_SUCCESS,
        WORDS_E_QUOTES,   /* a quote or backslash without its other half */
        WORDS_E_TOO_MANY, /* more than the caller allows */
};

int words_split(char ***ret, const char *text, size_t max);
int words_join(char ***to, char **from);
size_t words_count(char **words);
