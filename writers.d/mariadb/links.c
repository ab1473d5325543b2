/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What lies elsewhere although it is below the data directory: a database that is a link, a table of
 * MyISAM's or Aria's with DATA DIRECTORY or INDEX DIRECTORY, which are links, or a file system that is
 * mounted there.
 *
 * Why: no server tells of these but table by table, to who may see each table; the folders tell of all.
 * That takes the right to look into folders that are the server's alone (CAP_DAC_READ_SEARCH).
 */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "util/error.h"
#include "writers.d/mariadb/look.h"
#include "writers.d/server/instance.h"

DEFINE_CLEANUP(DIR *, closedir)

typedef struct Walk {
        Places *places;
        const Instance *instance;
        Report *report;
        size_t n_folders; /* that were looked into */
} Walk;

static int join(char **ret, const char *folder, const char *name) {
        int r = name[0] == '/' ? asprintf(ret, "%s", name) : asprintf(ret, "%s/%s", folder, name);

        if (r < 0) {
                *ret = NULL;
                return error_origin(-ENOMEM);
        }
        return 0;
}

static int walk_folder(Walk *walk, const char *folder, unsigned depth);

/* What is not there now, or is neither file nor folder, is of no server's data. */
static int link_found(Walk *walk, int fd, const char *folder, const char *name, unsigned depth) {
        _cleanup_free_ char *target = NULL, *here = NULL;
        char text[4096];
        struct stat st;
        ssize_t n;
        int r;

        n = readlinkat(fd, name, text, sizeof(text) - 1);
        if (n < 0)
                return 0;
        text[n] = '\0';
        r = join(&target, folder, text);
        if (r == 0)
                r = instance_map_path(walk->instance, target, &here);
        if (r < 0)
                return error_trace(r);
        if (stat(here, &st) < 0)
                return errno == ENOENT ? 0
                                       : report_warn(walk->report, "the link %s/%s cannot be followed: %m",
                                                     folder, name);
        if (S_ISDIR(st.st_mode) && depth > 0) {
                r = places_add(walk->places, target, "*", true, "database");
                return error_trace(r < 0 ? r : walk_folder(walk, target, depth - 1));
        }
        return S_ISREG(st.st_mode) ? error_trace(places_add_folder_of(walk->places, target, "table")) : 0;
}

/* Tables are many: what the folder tells to be a file is not looked at. */
static int entry_found(Walk *walk, int fd, const char *folder, const struct dirent *entry, unsigned depth) {
        _cleanup_free_ char *path = NULL;
        struct stat st;
        int r;

        if (entry->d_type == DT_REG || streq(entry->d_name, ".") || streq(entry->d_name, "..") ||
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        if (S_ISLNK(st.st_mode))
                return link_found(walk, fd, folder, entry->d_name, depth);
        if (!S_ISDIR(st.st_mode) || depth == 0)
                return 0;
        r = join(&path, folder, entry->d_name);
        return error_trace(r < 0 ? r : walk_folder(walk, path, depth - 1));
}

static int walk_folder(Walk *walk, const char *folder, unsigned depth) {
        _cleanup_free_ char *here = NULL;
        _cleanup_(closedirp) DIR *directory = NULL;
        const struct dirent *entry;
        int r;

        r = instance_map_path(walk->instance, folder, &here);
        if (r < 0)
                return error_trace(r);
        directory = opendir(here);
        if (!directory && errno == ENOENT && walk->n_folders == 0)
                return report_fail(walk->report, QUIESCE_FAILURE_NON_RETRYABLE,
                                   "its data directory %s is not here: Map= tells where a container's is",
                                   here);
        if (!directory)
                return errno == ENOENT
                               ? 0
                               : report_warn(walk->report,
                                             "%s cannot be looked into for links that lead elsewhere: %m",
                                             here);
        walk->n_folders++;
        while (r == 0 && (entry = readdir(directory)))
                r = entry_found(walk, dirfd(directory), folder, entry, depth);
        return error_trace(r);
}

/**
 * links_find() - places that links below a folder lead to
 * @places:     they are added
 * @instance:   whose Map= counts
 * @folder:     the data directory, as the server knows it
 * @report:     warned if something cannot be looked into; told if the folder is not there
 *
 * Return: 0; -ECANCELED; another negative errno.
 */
int links_find(Places *places, const Instance *instance, const char *folder, Report *report) {
        Walk walk = {.places = places, .instance = instance, .report = report};

        return error_trace(walk_folder(&walk, folder, 1));
}
