/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a server consists of: its version, where its files are, its databases. */

#include "writers.d/mariadb/client.h"

/* The engine's look(). */
int look(Server *server, Facts *facts, Report *report);

/* Folders that were told already, as tables lie there by the thousand. */
typedef struct Places {
        Facts *facts;
        const char *data; /* the data directory, of which all is told */
        char **folders;
        size_t n_folders;
} Places;

void places_done(Places *places);
/* A folder, once. */
int places_add(Places *places, const char *folder, const char *pattern, bool recursive, const char *what);
/* A file: its folder, once. */
int places_add_folder_of(Places *places, const char *path, const char *what);

/* Databases and tables that are links to elsewhere, or file systems of their own, below a folder of the
 * server's. */
int links_find(Places *places, const Instance *instance, const char *folder, Report *report);
