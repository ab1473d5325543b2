/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The scripts of a hook, in the order of freeze: one, or those of a directory that its flavour would run. */

#include "util/hook-flavor.h"

#define PARTS_MAX 256u

enum {
        _PARTS_E_SUCCESS,
        PARTS_E_REFUSED, /* the text says why */
};

typedef struct Part {
        char *path;
        char *thaw_path; /* mostly the same */
        bool started;    /* "freeze" has been run */
        bool gave_up;    /* that exited with a failure by itself */
        bool undone;     /* the opposite has ended, or is not owed */
} Part;

typedef struct Parts {
        Part *items;
        size_t n_items;
} Parts;

/* thaw_hook: NULL: the same. */
int parts_list(Parts *ret, HookFlavor flavor, const char *hook, const char *thaw_hook, char *text,
               size_t size);
void parts_done(Parts *parts);
