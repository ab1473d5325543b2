/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading sysfs: every block device with what it is called and what lies directly on it. Devices come and go
 * meanwhile; one that vanishes while it is read is left out.
 */

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "daemon/volumes/lvm-name.h"
#include "daemon/volumes/world.h"
#include "util/error.h"

#define SECTOR_SIZE UINT64_C(512)

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

/* The file's text without its final line break, or NULL. */
static char *read_line(const char *directory, const char *file) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        char buffer[4097];
        ssize_t n;

        if (asprintf(&path, "%s/%s", directory, file) < 0) {
                path = NULL;
                return NULL;
        }
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return NULL;
        n = read(fd, buffer, sizeof(buffer) - 1);
        if (n <= 0)
                return NULL;
        if (buffer[n - 1] == '\n')
                n--;
        return strndup(buffer, (size_t) n);
}

static uint64_t read_number(const char *directory, const char *file) {
        _cleanup_free_ char *text = read_line(directory, file);

        return text ? strtoull(text, NULL, 10) : 0;
}

static int holder_add(Device *device, const char *name) {
        char **more = reallocarray(device->holders, device->n_holders + 2, sizeof(char *));

        if (!more)
                return error_origin(-ENOMEM);
        device->holders = more;
        device->holders[device->n_holders] = strdup(name);
        if (!device->holders[device->n_holders])
                return error_origin(-ENOMEM);
        device->holders[++device->n_holders] = NULL;
        return 0;
}

static int holders_read(Device *device, const char *directory) {
        _cleanup_free_ char *path = NULL;
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        if (asprintf(&path, "%s/holders", directory) < 0)
                return error_origin(-ENOMEM);
        d = opendir(path);
        if (!d)
                return 0;
        for (struct dirent *e; (e = readdir(d));) {
                if (e->d_name[0] == '.')
                        continue;
                r = holder_add(device, e->d_name);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

/**
 * device_done() - release what a device has
 * @device:     it, not itself freed
 */
void device_done(Device *device) {
        free(device->kernel_name);
        free(device->dm_name);
        free(device->dm_uuid);
        free(device->vg);
        free(device->lv);
        free(device->backing_file);
        for (size_t i = 0; i < device->n_holders; i++)
                free(device->holders[i]);
        free(device->holders);
        *device = (Device){};
}

static int device_read_dm(Device *device, const char *directory) {
        _cleanup_free_ char *suspended = read_line(directory, "dm/suspended");
        int r;

        device->dm_name = read_line(directory, "dm/name");
        device->dm_uuid = read_line(directory, "dm/uuid");
        if (device->dm_uuid && !*device->dm_uuid) {
                free(device->dm_uuid); /* it has none: the line is empty */
                device->dm_uuid = NULL;
        }
        device->suspended = suspended && streq(suspended, "1");
        if (!device->dm_name || !lvm_uuid_is_volume(device->dm_uuid))
                return 0;
        r = lvm_name_split(device->dm_name, &device->vg, &device->lv);
        return r == -EINVAL ? 0 : error_trace(r);
}

/* Return: 0; 1: no such device any more; or a negative errno. */
static int device_read(Device *device, const char *directory, const char *name) {
        _cleanup_free_ char *number = read_line(directory, "dev");
        unsigned major_number, minor_number;
        int r;

        if (!number || sscanf(number, "%u:%u", &major_number, &minor_number) != 2)
                return 1;
        device->number = makedev(major_number, minor_number);
        device->size = read_number(directory, "size") * SECTOR_SIZE;
        device->backing_file = read_line(directory, "loop/backing_file");
        device->kernel_name = strdup(name);
        if (!device->kernel_name)
                return error_origin(-ENOMEM);
        for (char *c = device->kernel_name; *c; c++)
                if (*c == '!')
                        *c = '/';
        r = device_read_dm(device, directory);
        if (r < 0)
                return error_trace(r);
        return error_trace(holders_read(device, directory));
}

static int device_add(VolumeWorld *world, const char *directory, const char *name) {
        Device device = {};
        int r;

        if (world->n_devices == world->n_allocated) {
                size_t n = world->n_allocated ? 2 * world->n_allocated : 32;
                Device *more = reallocarray(world->devices, n, sizeof(*more));

                if (!more)
                        return error_origin(-ENOMEM);
                world->devices = more;
                world->n_allocated = n;
        }
        r = device_read(&device, directory, name);
        if (r != 0) {
                device_done(&device);
                return r > 0 ? 0 : error_trace(r);
        }
        world->devices[world->n_devices++] = device;
        return 0;
}

/* Partitions are directories of their disk's directory with a file "partition". */
static int partitions_scan(VolumeWorld *world, const char *disk_directory, size_t disk) {
        _cleanup_(closedirp) DIR *d = opendir(disk_directory);
        int r;

        if (!d)
                return 0;
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_free_ char *directory = NULL, *partition = NULL;

                if (e->d_name[0] == '.')
                        continue;
                if (asprintf(&directory, "%s/%s", disk_directory, e->d_name) < 0) {
                        directory = NULL;
                        return error_origin(-ENOMEM);
                }
                partition = read_line(directory, "partition");
                if (!partition)
                        continue;
                r = device_add(world, directory, e->d_name);
                if (r < 0)
                        return error_trace(r);
                r = holder_add(&world->devices[disk], e->d_name);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

/**
 * world_scan() - read all block devices
 * @world:      gets them
 *
 * Return: 0, or a negative errno; no sysfs is no error.
 */
int world_scan(VolumeWorld *world) {
        _cleanup_free_ char *root = NULL;
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        if (asprintf(&root, "%s/block", world->sysfs) < 0)
                return error_origin(-ENOMEM);
        d = opendir(root);
        if (!d)
                return 0;
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_free_ char *directory = NULL;
                size_t index = world->n_devices;

                if (e->d_name[0] == '.')
                        continue;
                if (asprintf(&directory, "%s/%s", root, e->d_name) < 0)
                        return error_origin(-ENOMEM);
                r = device_add(world, directory, e->d_name);
                if (r < 0)
                        return error_trace(r);
                if (world->n_devices == index)
                        continue;
                r = partitions_scan(world, directory, index);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}
