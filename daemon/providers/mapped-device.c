/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What sysfs tells of block devices and their neighbours, for provider dm; see mapped-device.h. */

#include "daemon/providers/mapped-device.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

/**
 * mapped_device_read() - what sysfs says of a block device
 * @number:     of the device
 * @attribute:  below its directory, such as "dm/uuid"
 * @ret:        the text without its line break
 * @size:       room for it
 *
 * Return: whether there is such a text, and not an empty one.
 */
bool mapped_device_read(dev_t number, const char *attribute, char *ret, size_t size) {
        _cleanup_close_ int fd = -EBADF;
        char path[128];
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(number), minor(number),
                        attribute);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, ret, size - 1) : -1;
        if (n <= 0)
                return false;
        ret[n] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        return ret[0] != '\0';
}

static bool number_read(int directory_fd, const char *name, dev_t *ret) {
        _cleanup_close_ int fd = -EBADF;
        char path[300], text[32];
        unsigned major_number, minor_number;
        ssize_t n;

        (void) snprintf(path, sizeof(path), "%.255s/dev", name);
        fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
        if (n <= 0)
                return false;
        text[n] = '\0';
        if (sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
                return false;
        *ret = makedev(major_number, minor_number);
        return true;
}

/**
 * mapped_device_list() - the neighbours of a block device
 * @number:     of the device
 * @which:      "holders": what lies on it; "slaves": what it lies on
 * @ret:        their numbers
 * @size:       room for them
 *
 * Return: how many there are, those without room too.
 */
size_t mapped_device_list(dev_t number, const char *which, dev_t *ret, size_t size) {
        char path[64];
        size_t n = 0;
        DIR *directory;
        dev_t found;

        (void) snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(number), minor(number), which);
        directory = opendir(path);
        if (!directory)
                return 0;
        for (struct dirent *entry; (entry = readdir(directory));) {
                if (entry->d_name[0] == '.' || !number_read(dirfd(directory), entry->d_name, &found))
                        continue;
                if (n < size)
                        ret[n] = found;
                n++;
        }
        (void) closedir(directory);
        return n;
}
