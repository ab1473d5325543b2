/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A folder that belongs to an instance as a whole may have other volumes mounted in it: a snapshot of the
 * outer file system has nothing of them. Read from /proc/self/mountinfo, so nothing waits for a file system.
 */

#include "writers.d/server/mounts.h"

#include <limits.h>

#include "util/error.h"
#include "util/macro.h"

/* "\040" is how mountinfo writes a blank. */
static void unescape(char *text) {
        char *to = text;

        for (const char *c = text; *c; to++)
                if (c[0] == '\\' && c[1] >= '0' && c[1] <= '3' && c[2] >= '0' && c[2] <= '7' &&
                    c[3] >= '0' && c[3] <= '7') {
                        *to = (char) ((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0'));
                        c += 4;
                } else
                        *to = *c++;
        *to = '\0';
}

static bool is_below(const char *path, const char *folder) {
        size_t n = strlen(folder);

        return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static bool is_in_memory(const char *line) {
        const char *type = strstr(line, " - ");

        return type && (strncmp(type + 3, "tmpfs ", 6) == 0 || strncmp(type + 3, "ramfs ", 6) == 0);
}

/**
 * mounts_below() - what is mounted below a folder
 * @folder:     its path
 * @found:      called for each
 * @userdata:   for @found
 *
 * Return: 0; what @found returned, if not 0; -errno: mountinfo cannot be read.
 */
int mounts_below(const char *folder, MountFound found, void *userdata) {
        _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *line = NULL;
        char real[PATH_MAX];
        size_t size = 0;
        int r = 0;

        if (!f)
                return error_origin(-errno);
        if (!realpath(folder, real))
                return 0;
        while (r == 0 && getline(&line, &size, f) > 0) {
                _cleanup_free_ char *target = NULL;

                if (is_in_memory(line) || sscanf(line, "%*s %*s %*s %*s %ms", &target) != 1)
                        continue;
                unescape(target);
                if (is_below(target, real))
                        r = found(target, userdata);
        }
        return r;
}
