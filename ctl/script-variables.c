/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The aliases of a script; see script-run.h. What is no alias is looked up in the environment, as aliases
 * are environment variables to diskshadow.
 */

#include <strings.h>

#include "ctl/script-run.h"

/**
 * variables_get() - the value of a variable
 * @variables:  the aliases
 * @name:       its name
 *
 * Return: the value; NULL if it has none.
 */
const char *variables_get(const Variables *variables, const char *name) {
        for (size_t i = 0; i < variables->n_items; i++)
                if (strcasecmp(variables->items[i].name, name) == 0)
                        return variables->items[i].value;
        return getenv(name);
}

/**
 * variables_set() - give an alias a value
 * @variables:  the aliases
 * @name:       its name
 * @value:      its value
 *
 * Return: 0 or a negative errno.
 */
int variables_set(Variables *variables, const char *name, const char *value) {
        Variable added = {.name = strdup(name), .value = strdup(value)}, *items;

        items = reallocarray(variables->items, variables->n_items + 1, sizeof(*items));
        if (items)
                variables->items = items;
        if (!items || !added.name || !added.value) {
                free(added.name);
                free(added.value);
                return error_origin(-ENOMEM);
        }
        for (size_t i = 0; i < variables->n_items; i++)
                if (strcasecmp(items[i].name, name) == 0) {
                        free(items[i].value);
                        items[i].value = added.value;
                        free(added.name);
                        return 0;
                }
        items[variables->n_items++] = added;
        return 0;
}

/**
 * variables_done() - forget all aliases
 * @variables:  they
 */
void variables_done(Variables *variables) {
        for (size_t i = 0; i < variables->n_items; i++) {
                free(variables->items[i].name);
                free(variables->items[i].value);
        }
        free(variables->items);
        *variables = (Variables){};
}

/**
 * variables_expand() - a word with the values of its variables in their places
 * @variables:  the aliases
 * @text:       the word; each '%' in it was checked by program_parse()
 * @ret:        free() it
 * @name:       filled in with VARIABLES_E_UNKNOWN
 *
 * A value is not looked at for more variables, and blanks in it make no words.
 *
 * Return: 0; VARIABLES_E_UNKNOWN; a negative errno.
 */
int variables_expand(const Variables *variables, const char *text, char **ret,
                     char name[static PROGRAM_NAME_MAX]) {
        _cleanup_free_ char *expanded = NULL;
        size_t size, at = 0, from = 0, begin;
        FILE *f = open_memstream(&expanded, &size);
        int r;

        if (!f)
                return error_origin(-errno);
        while ((r = variable_next(text, &at, &begin, name)) != 0) {
                const char *value = r == VARIABLE_E_FOUND ? variables_get(variables, name) : "%";

                if (!value) {
                        (void) fclose(f);
                        return VARIABLES_E_UNKNOWN;
                }
                (void) fprintf(f, "%.*s%s", (int) (begin - from), text + from, value);
                from = at;
        }
        (void) fputs(text + from, f);
        if (fclose(f) != 0)
                return error_origin(-ENOMEM);
        *ret = TAKE_PTR(expanded);
        return 0;
}
