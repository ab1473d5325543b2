/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From a mount's device down to the logical volume, in sysfs alone; see origin.h. */

#include "ctl/origin.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#define LAYERS_MAX 16u
#define UUID_SIZE  256u

/* The first line of a small file. Return: whether there is one. */
static bool line_read(int directory_fd, const char *name, char *ret, size_t size) {
        _cleanup_close_ int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return false;
        n = read(fd, ret, size - 1);
        if (n <= 0)
                return false;
        ret[n] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        return true;
}

static bool directory_lies_on(int directory_fd, const char *key, unsigned layer);

/* Whether one of the devices below is it, or lies on it. */
static bool slaves_lie_on(int directory_fd, const char *key, unsigned layer) {
        int slaves_fd = openat(directory_fd, "slaves", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool found = false;
        DIR *slaves;

        if (slaves_fd < 0)
                return false;
        slaves = fdopendir(slaves_fd);
        if (!slaves) {
                (void) fd_close(slaves_fd);
                return false;
        }
        for (struct dirent *entry = readdir(slaves); entry && !found; entry = readdir(slaves)) {
                _cleanup_close_ int slave = -EBADF;

                if (entry->d_name[0] == '.')
                        continue;
                slave = openat(slaves_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                found = slave >= 0 && directory_lies_on(slave, key, layer + 1);
        }
        (void) closedir(slaves);
        return found;
}

static bool directory_lies_on(int directory_fd, const char *key, unsigned layer) {
        char uuid[UUID_SIZE];

        if (layer >= LAYERS_MAX)
                return false;
        if (line_read(directory_fd, "dm/uuid", uuid, sizeof(uuid)) && streq(uuid, key))
                return true;
        return slaves_lie_on(directory_fd, key, layer);
}

static int device_open(const char *sysfs, dev_t device) {
        char path[512];

        (void) snprintf(path, sizeof(path), "%.400s/dev/block/%u:%u", sysfs, major(device), minor(device));
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/**
 * device_lies_on() - whether a device is a certain one of device-mapper's, or lies on it (as LUKS does)
 * @sysfs:      "/sys", or a folder that looks like it
 * @device:     the device
 * @key:        device-mapper's uuid of the other
 *
 * A snapshot of it is not: what a snapshot lies on is the origin's inner device, which has a uuid of its
 * own.
 *
 * Return: true if so; false also if it cannot be told.
 */
bool device_lies_on(const char *sysfs, dev_t device, const char *key) {
        _cleanup_close_ int fd = device_open(sysfs, device);

        return fd >= 0 && directory_lies_on(fd, key, 0);
}
