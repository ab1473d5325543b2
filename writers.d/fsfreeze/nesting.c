/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading sysfs downwards: a block device's slaves, a partition's disk, a loop device's backing file.
 *
 * Freezing an outer file system before one that lies in a file of it would have the inner one's freeze wait
 * for ever for its own writes. So a backing file that was removed meanwhile must be placed, too: its folder
 * tells. The mount's device counts, not st_dev, as each subvolume of a btrfs has an st_dev of its own.
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
        Nested *nested;
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

/* What mountinfo tells of a mount. */
static bool find_mount_device(uint64_t id, dev_t *ret) {
        _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *line = NULL;
        unsigned major_number, minor_number;
        unsigned long long line_id;
        size_t size = 0;

        while (f && getline(&line, &size, f) > 0)
                if (sscanf(line, "%llu %*u %u:%u", &line_id, &major_number, &minor_number) == 3 &&
                    line_id == id) {
                        *ret = makedev(major_number, minor_number);
                        return true;
                }
        return false;
}

/* The file system of a file; of one that is there no more, that of its folder. Changes `file`. */
static bool find_file_system(char *file, dev_t *ret) {
        struct statx stx;
        char *slash;

        while (statx(AT_FDCWD, file, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_MNT_ID, &stx) <
               0) {
                slash = strrchr(file, '/');
                if (errno != ENOENT || !slash || streq(file, "/"))
                        return false;
                slash[slash == file ? 1 : 0] = '\0';
        }
        if (!(stx.stx_mask & STATX_MNT_ID) || !find_mount_device(stx.stx_mnt_id, ret))
                *ret = makedev(stx.stx_dev_major, stx.stx_dev_minor);
        return true;
}

static void walk_backing_file(Walk *walk, const char *directory, unsigned depth) {
        char path[PATH_MAX], file[PATH_MAX];
        dev_t device;

        if ((size_t) snprintf(path, sizeof(path), "%s/loop/backing_file", directory) >= sizeof(path) ||
            !read_line(path, file, sizeof(file)) || !find_file_system(file, &device))
                return;
        if (walk->nested->n_outer < NESTING_MAX)
                walk->nested->outer[walk->nested->n_outer++] = device;
        walk_device(walk, device, depth);
}

/* Each entry of a folder is a device. */
static void walk_directory(Walk *walk, const char *directory, const char *name, unsigned depth) {
        _cleanup_(closedirp) DIR *entries = NULL;
        char path[PATH_MAX];
        struct dirent *entry;
        dev_t device;

        if ((size_t) snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
                return;
        entries = opendir(path);
        while (entries && (entry = readdir(entries)))
                if (entry->d_name[0] != '.' &&
                    (size_t) snprintf(path, sizeof(path), "%s/%s/%s/dev", directory, name, entry->d_name) <
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
        walk_directory(walk, directory, "slaves", depth - 1);
}

/**
 * nesting_find_outer() - in whose files a file system lies
 * @nested:             its device is set; n_outer and outer are filled in, in no order; more than
 *                      NESTING_MAX are left out, and what cannot be read is not there
 * @sysfs:              where sysfs is
 * @devices_directory:  below it, the file system's block devices, if it has a number of its own; else NULL
 */
void nesting_find_outer(Nested *nested, const char *sysfs, const char *devices_directory) {
        Walk walk = {.sysfs = sysfs, .nested = nested};

        nested->n_outer = 0;
        if (devices_directory)
                walk_directory(&walk, sysfs, devices_directory, NESTING_MAX);
        else
                walk_device(&walk, nested->device, NESTING_MAX);
}

/* Those on which a file system lies are deeper than it. Return: whether that was new. */
static bool push_down(Nested *items, size_t n_items, const Nested *inner, unsigned *max) {
        bool changed = false;

        for (size_t i = 0; i < inner->n_outer; i++)
                for (size_t k = 0; k < n_items; k++) {
                        if (items[k].device != inner->outer[i] || items[k].device == inner->device ||
                            items[k].depth > inner->depth)
                                continue;
                        items[k].depth = inner->depth + 1;
                        if (items[k].depth > *max)
                                *max = items[k].depth;
                        changed = true;
                }
        return changed;
}

/**
 * nesting_order() - which of them is frozen first, and which are one
 * @items:      the set's file systems
 * @n_items:    how many
 *
 * Return: the greatest depth.
 */
unsigned nesting_order(Nested *items, size_t n_items) {
        bool again = true;
        unsigned max = 0;

        for (size_t i = 0; i < n_items; i++) {
                items[i].depth = 0;
                for (items[i].same_as = 0; items[items[i].same_as].device != items[i].device;
                     items[i].same_as++)
                        ;
        }
        /* As many rounds as there are depths; a circle cannot be, but must not hang us. */
        for (unsigned n = 0; again && n < NESTING_MAX; n++) {
                again = false;
                for (size_t i = 0; i < n_items; i++)
                        again |= push_down(items, n_items, &items[i], &max);
        }
        return max;
}
