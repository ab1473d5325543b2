/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Finding: from a mount point, a device's name, a path or a descriptor to the block device below it.
 * Names are compared as strings; see volumes.h.
 */

#include "daemon/volumes/world.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/error.h"

/**
 * volume_world_new() - look at the machine as it is now
 * @ret:        what is seen
 * @sources:    where to look instead, for tests; or NULL
 *
 * Return: 0, or a negative errno.
 */
int volume_world_new(VolumeWorld **ret, const VolumeSources *sources) {
        _cleanup_(volume_world_freep) VolumeWorld *world = calloc(1, sizeof(*world));
        int r;

        if (!world)
                return error_origin(-ENOMEM);
        world->sysfs = strdup(sources ? sources->sysfs : "/sys");
        world->proc = strdup(sources ? sources->proc : "/proc");
        world->dev = strdup(sources ? sources->dev : "/dev");
        world->mounts = mnt_new_table();
        world->swaps = mnt_new_table();
        if (!world->sysfs || !world->proc || !world->dev || !world->mounts || !world->swaps)
                return error_origin(-ENOMEM);
        r = mnt_table_parse_file(world->mounts, sources ? sources->mountinfo : "/proc/self/mountinfo");
        if (r < 0)
                return error_trace(r);
        r = mnt_table_parse_swaps(world->swaps, sources ? sources->swaps : NULL);
        if (r < 0 && r != -ENOENT)
                return error_trace(r);
        r = world_scan(world);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(world);
        return 0;
}

/**
 * volume_world_free() - forget it
 * @world:      it or NULL
 *
 * Return: NULL.
 */
VolumeWorld *volume_world_free(VolumeWorld *world) {
        if (!world)
                return NULL;
        for (size_t i = 0; i < world->n_devices; i++)
                device_done(&world->devices[i]);
        free(world->devices);
        mnt_unref_table(world->mounts);
        mnt_unref_table(world->swaps);
        world_forget_namespaces(world);
        free(world->sysfs);
        free(world->proc);
        free(world->dev);
        free(world);
        return NULL;
}

/**
 * world_find_device() - by number
 * @world:      the world
 * @number:     device number
 *
 * Return: the device, or NULL.
 */
const Device *world_find_device(const VolumeWorld *world, dev_t number) {
        for (size_t i = 0; i < world->n_devices; i++)
                if (world->devices[i].number == number)
                        return &world->devices[i];
        return NULL;
}

/**
 * world_find_kernel_name() - by the kernel's name
 * @world:      the world
 * @name:       "dm-3"
 *
 * Return: the device, or NULL.
 */
const Device *world_find_kernel_name(const VolumeWorld *world, const char *name) {
        for (size_t i = 0; i < world->n_devices; i++)
                if (streq(world->devices[i].kernel_name, name))
                        return &world->devices[i];
        return NULL;
}

static bool device_is_logical(const Device *device, const char *name) {
        size_t n;

        if (!device->vg)
                return false;
        n = strlen(device->vg);
        return strncmp(name, device->vg, n) == 0 && name[n] == '/' && streq(name + n + 1, device->lv);
}

/**
 * world_find_device_name() - by a name that people use
 * @world:      the world
 * @name:       /dev/VG/LV, /dev/mapper/NAME, /dev/NAME or VG/LV
 *
 * Return: the device, or NULL.
 */
const Device *world_find_device_name(const VolumeWorld *world, const char *name) {
        bool in_dev = strncmp(name, "/dev/", 5) == 0;
        const char *rest = in_dev ? name + 5 : name;
        bool in_mapper = in_dev && strncmp(rest, "mapper/", 7) == 0;

        for (size_t i = 0; i < world->n_devices; i++) {
                const Device *device = &world->devices[i];

                if (device_is_logical(device, rest) || (in_dev && streq(device->kernel_name, rest)) ||
                    (in_mapper && device->dm_name && streq(device->dm_name, rest + 7)))
                        return device;
        }
        return NULL;
}

/**
 * world_find_mount_device() - what a file system lies on
 * @world:      the world
 * @mount:      one of its mounts
 *
 * btrfs gives its files device numbers of its own, so there the source's name tells.
 *
 * Return: the device, or NULL if it has none.
 */
const Device *world_find_mount_device(const VolumeWorld *world, struct libmnt_fs *mount) {
        const char *source = mnt_fs_get_srcpath(mount), *type = mnt_fs_get_fstype(mount);
        const Device *device = world_find_device(world, mnt_fs_get_devno(mount));

        if (device || !source || !type || major(mnt_fs_get_devno(mount)) != 0 || !streq(type, "btrfs"))
                return device;
        return world_find_device_name(world, source);
}

static bool path_is_below(const char *path, const char *directory) {
        size_t n = strlen(directory);

        if (streq(directory, "/"))
                return path[0] == '/';
        return strncmp(path, directory, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/**
 * world_find_mount_of_path() - the mount that shows a path
 * @world:      the world
 * @path:       absolute, without symbolic links as far as the caller knows
 *
 * The longest mount point wins, of equal ones the last mounted.
 *
 * Return: borrowed, or NULL.
 */
struct libmnt_fs *world_find_mount_of_path(const VolumeWorld *world, const char *path) {
        return mounts_find_path(world->mounts, path);
}

/**
 * mounts_find_path() - the mount of a table that shows a path
 * @mounts:     a namespace's
 * @path:       as that namespace has it
 *
 * Return: borrowed, or NULL.
 */
struct libmnt_fs *mounts_find_path(struct libmnt_table *mounts, const char *path) {
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *fs, *best = NULL;
        size_t best_length = 0;

        if (!iter)
                return NULL;
        while (mnt_table_next_fs(mounts, iter, &fs) == 0) {
                const char *target = mnt_fs_get_target(fs);

                if (target && path_is_below(path, target) && (!best || strlen(target) >= best_length)) {
                        best = fs;
                        best_length = strlen(target);
                }
        }
        mnt_free_iter(iter);
        return best;
}

static int find_of_mount(const VolumeWorld *world, struct libmnt_fs *mount, dev_t *ret) {
        const Device *device;

        if (!mount)
                return VOLUME_NOT_FOUND;
        device = world_find_mount_device(world, mount);
        if (!device)
                return VOLUME_NOT_ON_DEVICE;
        *ret = device->number;
        return 0;
}

/**
 * volume_world_find_name() - by what a caller calls it
 * @world:      the world
 * @name:       a mount point or a device's name
 * @ret:        device number
 *
 * Return: 0; VOLUME_NOT_FOUND; VOLUME_NOT_ON_DEVICE; or a negative errno.
 */
int volume_world_find_name(const VolumeWorld *world, const char *name, dev_t *ret) {
        _cleanup_free_ char *path = strdup(name);
        const Device *device;
        struct libmnt_fs *mount;
        size_t n;

        if (!path)
                return error_origin(-ENOMEM);
        device = world_find_device_name(world, name);
        if (device) {
                *ret = device->number;
                return 0;
        }
        for (n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
                path[n - 1] = '\0';
        mount = world_find_mount_of_path(world, path);
        if (!mount || !streq(mnt_fs_get_target(mount), path))
                return VOLUME_NOT_FOUND;
        return find_of_mount(world, mount, ret);
}

/**
 * volume_world_find_path() - what a file lies on
 * @world:      the world
 * @path:       absolute path; compared with mount points, nothing else
 * @ret:        device number
 *
 * Return: 0; VOLUME_NOT_FOUND; VOLUME_NOT_ON_DEVICE.
 */
int volume_world_find_path(const VolumeWorld *world, const char *path, dev_t *ret) {
        return find_of_mount(world, world_find_mount_of_path(world, path), ret);
}

static struct libmnt_fs *find_mount_id(struct libmnt_table *mounts, uint64_t id) {
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *fs, *found = NULL;

        if (!iter)
                return NULL;
        while (!found && mnt_table_next_fs(mounts, iter, &fs) == 0)
                if ((uint64_t) mnt_fs_get_id(fs) == id)
                        found = fs;
        mnt_free_iter(iter);
        return found;
}

/**
 * volume_world_find_fd() - what a descriptor's file lies on
 * @world:      the world
 * @fd:         any descriptor, O_PATH too; of a block device: that device
 * @ret:        device number
 *
 * Asks the kernel for what it knows already: a server that does not answer is not waited for.
 *
 * Return: 0; VOLUME_NOT_FOUND; VOLUME_NOT_ON_DEVICE; or a negative errno.
 */
int volume_world_find_fd(const VolumeWorld *world, int fd, dev_t *ret) {
        struct libmnt_fs *mount;
        struct statx st;
        const Device *device;

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &st) < 0)
                return error_origin(-errno);
        if (S_ISBLK(st.stx_mode))
                device = world_find_device(world, makedev(st.stx_rdev_major, st.stx_rdev_minor));
        else {
                mount = st.stx_mask & STATX_MNT_ID ? find_mount_id(world->mounts, st.stx_mnt_id) : NULL;
                if (mount)
                        return find_of_mount(world, mount, ret);
                /* mounted in another namespace only */
                device = world_find_device(world, makedev(st.stx_dev_major, st.stx_dev_minor));
                if (!device)
                        return VOLUME_NOT_ON_DEVICE;
        }
        if (!device)
                return VOLUME_NOT_FOUND;
        *ret = device->number;
        return 0;
}

/* The loop device's file, if it is on that device. */
static bool loop_lies_on(const VolumeWorld *world, const Device *loop, const Device *below) {
        struct libmnt_fs *mount;

        if (!loop->backing_file)
                return false;
        mount = world_find_mount_of_path(world, loop->backing_file);
        return mount && world_find_mount_device(world, mount) == below;
}

/**
 * world_lies_directly_on() - whether there is no layer in between
 * @world:      the world
 * @device:     the upper one: a holder, a partition, a loop device
 * @below:      the lower one
 *
 * Return: true if so.
 */
bool world_lies_directly_on(const VolumeWorld *world, const Device *device, const Device *below) {
        for (size_t i = 0; i < below->n_holders; i++)
                if (streq(below->holders[i], device->kernel_name))
                        return true;
        return loop_lies_on(world, device, below);
}

/* Return: the one device below, NULL if there is none or more than one. */
static const Device *find_below(const VolumeWorld *world, const Device *device) {
        const Device *below = NULL;

        for (size_t i = 0; i < world->n_devices; i++) {
                if (&world->devices[i] == device ||
                    !world_lies_directly_on(world, device, &world->devices[i]))
                        continue;
                if (below)
                        return NULL;
                below = &world->devices[i];
        }
        return below;
}

/**
 * volume_world_find_logical() - the logical volume that carries a device
 * @world:      the world
 * @device:     what a file system is mounted from
 *
 * Goes down through what lies on one device alone, such as LUKS.
 *
 * Return: its number; @device itself if it is one, or if there is none below it.
 */
dev_t volume_world_find_logical(const VolumeWorld *world, dev_t device) {
        const Device *d = world_find_device(world, device);

        for (unsigned layer = 0; d && !d->vg && layer < LAYERS_MAX; layer++)
                d = find_below(world, d);
        return d && d->vg ? d->number : device;
}

/**
 * volume_world_count_logical() - how many logical volumes are active
 * @world:      the world
 *
 * Return: their number.
 */
size_t volume_world_count_logical(const VolumeWorld *world) {
        size_t n = 0;

        for (size_t i = 0; i < world->n_devices; i++)
                n += world->devices[i].vg != NULL;
        return n;
}

/**
 * volume_world_get_logical() - one of them
 * @world:      the world
 * @index:      0 … volume_world_count_logical() - 1
 *
 * Return: device number.
 */
dev_t volume_world_get_logical(const VolumeWorld *world, size_t index) {
        for (size_t i = 0; i < world->n_devices; i++)
                if (world->devices[i].vg && index-- == 0)
                        return world->devices[i].number;
        assert(false);
        return 0;
}

/**
 * volume_world_find_mount() - where a mount is, in whatever namespace
 * @world:      the world
 * @mount_id:   as statx() tells it
 * @ret:        a path that can be opened; free() it
 *
 * Return: 0; -ENOENT: there is no such mount any more; or another negative errno.
 */
int volume_world_find_mount(VolumeWorld *world, uint64_t mount_id, char **ret) {
        struct libmnt_fs *mount = find_mount_id(world->mounts, mount_id);
        const char *root = "";
        int r;

        if (!mount) {
                r = world_find_namespaces(world);
                if (r < 0)
                        return error_trace(r);
        }
        for (size_t i = 0; !mount && i < world->n_namespaces; i++) {
                mount = find_mount_id(world->namespaces[i].mounts, mount_id);
                root = world->namespaces[i].root;
        }
        if (!mount)
                return -ENOENT;
        return asprintf(ret, "%s%s", root, mnt_fs_get_target(mount)) < 0 ? error_origin(-ENOMEM) : 0;
}
