/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading sysfs downwards: a block device's slaves, a partition's disk, a loop device's backing file.
 *
 * Freezing an outer file system before one that lies in a file of it would have the inner one's freeze wait
 * for ever for its own writes.
 */

#include "writers.d/fsfreeze/nesting.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/macro.h"

#define DEPTH_MAX 16u

typedef struct Walk {
        const char *sysfs;
        dev_t *found;
        size_t n_found;
} Walk;

static void walk_device(Walk *walk, dev_t device, unsigned depth);

static void closedirp(DIR **directory) {
        if (*directory)
                (void) closedir(*directory);
}

static bool read_line(const char *path, char *buffer, size_t size) {
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, buffer, size - 1);
        if (n <= 0)
                return false;
        if (buffer[n - 1] == '\n')
                n--;
        buffer[n] = 0;
        return true;
}

static bool read_device(const char *path, dev_t *ret) {
        unsigned major, minor;
        char text[32];

        if (!read_line(path, text, sizeof(text)) || sscanf(text, "%u:%u", &major, &minor) != 2)
                return false;
        *ret = makedev(major, minor);
        return true;
}

static void walk_backing_file(Walk *walk, const char *directory, unsigned depth) {
        char path[PATH_MAX], file[PATH_MAX];
        struct statx stx;
        dev_t device;

        if ((size_t) snprintf(path, sizeof(path), "%s/loop/backing_file", directory) >= sizeof(path) ||
            !read_line(path, file, sizeof(file)))
                return;
        if (statx(AT_FDCWD, file, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &stx) < 0)
                return;
        device = makedev(stx.stx_dev_major, stx.stx_dev_minor);
        if (walk->n_found < NESTING_MAX)
                walk->found[walk->n_found++] = device;
        walk_device(walk, device, depth);
}

static void walk_slaves(Walk *walk, const char *directory, unsigned depth) {
        _cleanup_(closedirp) DIR *slaves = NULL;
        char path[PATH_MAX];
        struct dirent *entry;
        dev_t device;

        if ((size_t) snprintf(path, sizeof(path), "%s/slaves", directory) >= sizeof(path))
                return;
        slaves = opendir(path);
        while (slaves && (entry = readdir(slaves)))
                if (entry->d_name[0] != '.' &&
                    (size_t) snprintf(path, sizeof(path), "%s/slaves/%s/dev", directory, entry->d_name) <
                            sizeof(path) &&
                    read_device(path, &device))
                        walk_device(walk, device, depth);
}

static void walk_device(Walk *walk, dev_t device, unsigned depth) {
        char directory[256], path[PATH_MAX];
        dev_t disk;

        if (depth == 0 || (size_t) snprintf(directory, sizeof(directory), "%s/dev/block/%u:%u", walk->sysfs,
                                            major(device), minor(device)) >= sizeof(directory))
                return;
        (void) snprintf(path, sizeof(path), "%s/partition", directory);
        if (access(path, F_OK) == 0) {
                (void) snprintf(path, sizeof(path), "%s/../dev", directory);
                if (read_device(path, &disk))
                        walk_device(walk, disk, depth - 1);
                return;
        }
        walk_backing_file(walk, directory, depth - 1);
        walk_slaves(walk, directory, depth - 1);
}

/**
 * nesting_find_outer() - in whose files a file system lies
 * @sysfs: where sysfs is
 * @device: of the file system
 * @ret: devices of those file systems, in no order; more than NESTING_MAX are left out
 *
 * Return: how many; what cannot be read is not there.
 */
size_t nesting_find_outer(const char *sysfs, dev_t device, dev_t ret[static NESTING_MAX]) {
        Walk walk = {.sysfs = sysfs, .found = ret};

        walk_device(&walk, device, NESTING_MAX);
        return walk.n_found;
}
