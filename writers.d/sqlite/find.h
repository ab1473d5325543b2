/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The databases that the configuration means, as they are now. */

#include "writers.d/sqlite/config.h"
#include "writers.d/sqlite/database.h"

#define DATABASES_MAX 1000u /* a writer declares 1024 components at most */

typedef struct Databases {
        Database *items;
        size_t n_items;
        char *problem; /* a folder that cannot be looked into, the first, or NULL */
} Databases;

/* -E2BIG: more than DATABASES_MAX. */
int databases_find(Databases *ret, const SqliteConfig *config);
void databases_done(Databases *databases);
Database *databases_get(const Databases *databases, const char *logical_path, const char *name);
