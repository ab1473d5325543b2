/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Databases by globs. What a glob meets and is none (a log, a journal, another file) is passed over; what
 * cannot be read is kept with its problem, as nobody knows that it is none.
 */

#include "writers.d/sqlite/find.h"

#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>

#include "util/error.h"

/* glob() gives its error function no userdata. */
static char **glob_problem;

static int on_glob_error(const char *path, int error) {
        if (error != ENOENT && error != ENOTDIR && !*glob_problem &&
            asprintf(glob_problem, "%s cannot be looked into: %s", path, strerror(error)) < 0)
                *glob_problem = NULL;
        return 0;
}

static bool has_suffix(const char *path, const char *suffix) {
        size_t n = strlen(path), n_suffix = strlen(suffix);

        return n > n_suffix && streq(path + n - n_suffix, suffix);
}

static bool is_beside_a_database(const char *path) {
        return has_suffix(path, "-wal") || has_suffix(path, "-shm") || has_suffix(path, "-journal");
}

static bool is_excluded(const SqliteConfig *config, const char *path) {
        for (size_t i = 0; i < config->n_excludes; i++)
                if (fnmatch(config->excludes[i], path, 0) == 0)
                        return true;
        return false;
}

static bool is_known(const Databases *databases, const char *path) {
        for (size_t i = 0; i < databases->n_items; i++)
                if (streq(databases->items[i].path, path))
                        return true;
        return false;
}

static int databases_add(Databases *databases, const char *path) {
        Database database, *grown;
        int r;

        if (databases->n_items >= DATABASES_MAX)
                return error_origin(-E2BIG);
        r = database_probe(&database, path);
        if (r == DATABASE_NONE || r < 0) {
                database_done(&database);
                return r < 0 ? error_trace(r) : 0;
        }
        grown = reallocarray(databases->items, databases->n_items + 1, sizeof(*grown));
        if (!grown) {
                database_done(&database);
                return error_origin(-ENOMEM);
        }
        databases->items = grown;
        grown[databases->n_items++] = database;
        return 0;
}

static int path_found(Databases *databases, const SqliteConfig *config, const char *path) {
        char real[PATH_MAX];
        struct stat st;

        if (is_beside_a_database(path) || is_excluded(config, path))
                return 0;
        if (!realpath(path, real) || stat(real, &st) < 0) {
                if (errno != ENOENT)
                        (void) on_glob_error(path, errno);
                return 0;
        }
        if (!S_ISREG(st.st_mode) || is_excluded(config, real) || is_known(databases, real))
                return 0;
        return databases_add(databases, real);
}

/**
 * databases_find() - look for the databases
 * @ret:        databases_done() it
 * @config:     says where
 *
 * Return: 0; -E2BIG: more than DATABASES_MAX; -ENOMEM.
 */
int databases_find(Databases *ret, const SqliteConfig *config) {
        Databases databases = {};
        int r = 0;

        glob_problem = &databases.problem;
        for (size_t i = 0; i < config->n_globs && r == 0; i++) {
                glob_t found = {};

                if (glob(config->globs[i], 0, on_glob_error, &found) == GLOB_NOSPACE)
                        r = error_origin(-ENOMEM);
                for (size_t j = 0; j < found.gl_pathc && r == 0; j++)
                        r = path_found(&databases, config, found.gl_pathv[j]);
                globfree(&found);
        }
        glob_problem = NULL;
        if (r < 0) {
                databases_done(&databases);
                return error_trace(r);
        }
        *ret = databases;
        return 0;
}

/**
 * databases_done() - let all go and forget them
 * @databases:  emptied
 */
void databases_done(Databases *databases) {
        for (size_t i = 0; i < databases->n_items; i++)
                database_done(&databases->items[i]);
        free(databases->items);
        free(databases->problem);
        *databases = (Databases){};
}

/**
 * databases_get() - the database of a component
 * @databases:  those that were found
 * @logical_path: the component's
 * @name:       likewise
 *
 * Return: it, or NULL.
 */
Database *databases_get(const Databases *databases, const char *logical_path, const char *name) {
        for (size_t i = 0; i < databases->n_items; i++)
                if (streq(databases->items[i].logical_path, logical_path) &&
                    streq(databases->items[i].name, name))
                        return &databases->items[i];
        return NULL;
}
