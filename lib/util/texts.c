/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lists of texts that grow one by one; whoever has one frees it. */

#include "util/texts.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"

/**
 * texts_add() - add a copy of a text to a list
 * @texts:      the list; NULL: empty; with a NULL behind the last afterwards
 * @n:          how many there are
 * @text:       the text
 *
 * Return: 0, or -ENOMEM: the list holds what it held.
 */
int texts_add(char ***texts, size_t *n, const char *text) {
        char **grown = reallocarray(*texts, *n + 2, sizeof(*grown));

        if (!grown)
                return error_origin(-ENOMEM);
        *texts = grown;
        grown[*n] = strdup(text);
        if (!grown[*n])
                return error_origin(-ENOMEM);
        grown[++*n] = NULL;
        return 0;
}

/**
 * texts_free() - free a list and its texts
 * @texts:      NULL-terminated, or NULL
 *
 * Return: NULL.
 */
char **texts_free(char **texts) {
        for (char **text = texts; text && *text; text++)
                free(*text);
        free(texts);
        return NULL;
}
