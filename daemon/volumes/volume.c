/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One volume with all that lies on it: the devices above it (holders, partitions, loop devices whose file is
 * on it) and the file systems mounted from any of them.
 *
 * Heights: a device with nothing above it but a file system has 0, each layer above adds one.
 */

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/volumes/lvm-name.h"
#include "daemon/volumes/world.h"
#include "util/error.h"
#include "util/log.h"
#include "util/texts.h"

static bool dev_contains(const dev_t *list, size_t n, dev_t device) {
        for (size_t i = 0; i < n; i++)
                if (list[i] == device)
                        return true;
        return false;
}

static int dev_add(dev_t **list, size_t *n, dev_t device) {
        dev_t *more;

        if (dev_contains(*list, *n, device))
                return 0;
        more = reallocarray(*list, *n + 1, sizeof(dev_t));
        if (!more)
                return error_origin(-ENOMEM);
        more[(*n)++] = device;
        *list = more;
        return 0;
}

/* Return: height of the device, all it carries having been added; or a negative errno. */
static int above_collect(Volume *volume, const VolumeWorld *world, const Device *device, unsigned layer) {
        int height = 0;
        int r;

        r = dev_add(&volume->above, &volume->n_above, device->number);
        if (r < 0)
                return error_trace(r);
        if (layer >= LAYERS_MAX)
                return error_origin(-ELOOP);
        for (size_t i = 0; i < world->n_devices; i++) {
                const Device *upper = &world->devices[i];

                if (upper == device || !world_lies_directly_on(world, upper, device))
                        continue;
                if (!volume->other_layer) {
                        volume->other_layer = strdup(upper->dm_uuid ?: upper->kernel_name);
                        if (!volume->other_layer)
                                return error_origin(-ENOMEM);
                }
                r = above_collect(volume, world, upper, layer + 1);
                if (r < 0)
                        return error_trace(r);
                height = r + 1 > height ? r + 1 : height;
        }
        return height;
}

static int device_height(const VolumeWorld *world, const Device *device, unsigned layer) {
        int height = 0;

        for (size_t i = 0; i < world->n_devices && layer < LAYERS_MAX; i++)
                if (&world->devices[i] != device &&
                    world_lies_directly_on(world, &world->devices[i], device)) {
                        int h = device_height(world, &world->devices[i], layer + 1) + 1;

                        height = h > height ? h : height;
                }
        return height;
}

/* Whether the mount's root is what one gets when one opens its mount point. */
static bool mount_is_visible(const MountNamespace *namespace, struct libmnt_fs *mount) {
        return mounts_find_path(namespace->mounts, mnt_fs_get_target(mount)) == mount;
}

static VolumeMount *mount_find(Volume *volume, dev_t device) {
        for (size_t i = 0; i < volume->n_mounts; i++)
                if (volume->mounts[i].device == device)
                        return &volume->mounts[i];
        return NULL;
}

static int mount_set(VolumeMount *m, const MountNamespace *namespace, struct libmnt_fs *mount) {
        char *mount_point;

        if (asprintf(&mount_point, "%s%s", namespace->root, mnt_fs_get_target(mount)) < 0)
                return error_origin(-ENOMEM);
        free(m->mount_point);
        m->mount_point = mount_point;
        m->mount_id = (uint64_t) mnt_fs_get_id(mount);
        return 0;
}

static int mount_add(Volume *volume, const VolumeWorld *world, const MountNamespace *namespace,
                     struct libmnt_fs *mount, const Device *device) {
        VolumeMount *m = mount_find(volume, mnt_fs_get_devno(mount)), *more;

        if (m)
                /* The whole file system is better than a part of it, and one must be able to open it. */
                return mount_is_visible(namespace, mount) && streq(mnt_fs_get_root(mount) ?: "/", "/")
                               ? error_trace(mount_set(m, namespace, mount))
                               : 0;
        if (volume->n_mounts >= VOLUME_MOUNTS_MAX)
                return error_origin(-E2BIG);
        more = reallocarray(volume->mounts, volume->n_mounts + 1, sizeof(*more));
        if (!more)
                return error_origin(-ENOMEM);
        volume->mounts = more;
        m = &volume->mounts[volume->n_mounts++];
        *m = (VolumeMount){.device = mnt_fs_get_devno(mount),
                           .direct = device->number == volume->device,
                           .depth = (uint32_t) device_height(world, device, 0)};
        m->type = strdup(mnt_fs_get_fstype(mount) ?: "");
        if (!m->type)
                return error_origin(-ENOMEM);
        if (m->direct && !volume->file_system) {
                volume->file_system = strdup(m->type);
                if (!volume->file_system)
                        return error_origin(-ENOMEM);
        }
        return error_trace(mount_set(m, namespace, mount));
}

static int mount_point_add(Volume *volume, const char *mount_point) {
        return error_trace(texts_add(&volume->mount_points, &volume->n_mount_points, mount_point));
}

/* All mounts of our own namespace. */
static int mounts_collect(Volume *volume, const VolumeWorld *world, dev_t **mounted, size_t *n_mounted) {
        const MountNamespace own = {.root = (char *) "", .mounts = world->mounts};
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *mount;
        int r = 0;

        if (!iter)
                return error_origin(-ENOMEM);
        while (r == 0 && mnt_table_next_fs(world->mounts, iter, &mount) == 0) {
                const Device *device = world_find_mount_device(world, mount);

                if (!device || !dev_contains(volume->above, volume->n_above, device->number))
                        continue;
                r = mount_add(volume, world, &own, mount, device);
                if (r == 0)
                        r = dev_add(mounted, n_mounted, device->number);
                if (r == 0 && device->number == volume->device)
                        r = mount_point_add(volume, mnt_fs_get_target(mount));
        }
        mnt_free_iter(iter);
        return error_trace(r);
}

/* The topmost device above the volume that nobody seems to have mounted, or NULL. What is mounted from the
 * volume itself device-mapper freezes, wherever that is. */
static const Device *find_unmounted(const Volume *volume, const VolumeWorld *world, const dev_t *mounted,
                                    size_t n_mounted, size_t *place) {
        while (*place < volume->n_above) {
                const Device *device = world_find_device(world, volume->above[(*place)++]);

                if (device && device->number != volume->device &&
                    !dev_contains(mounted, n_mounted, device->number) &&
                    device_height(world, device, 0) == 0)
                        return device;
        }
        return NULL;
}

/* What is mounted of these devices in another namespace. */
static int mounts_collect_there(Volume *volume, const VolumeWorld *world, const MountNamespace *namespace,
                                dev_t **mounted, size_t *n_mounted) {
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *mount;
        size_t n_before = *n_mounted;
        int r = 0;

        if (!iter)
                return error_origin(-ENOMEM);
        while (r == 0 && mnt_table_next_fs(namespace->mounts, iter, &mount) == 0) {
                const Device *device = world_find_mount_device(world, mount);

                if (!device || device->number == volume->device ||
                    !dev_contains(volume->above, volume->n_above, device->number) ||
                    dev_contains(*mounted, n_before, device->number))
                        continue;
                r = mount_add(volume, world, namespace, mount, device);
                if (r == 0)
                        r = dev_add(mounted, n_mounted, device->number);
        }
        mnt_free_iter(iter);
        return error_trace(r);
}

/* What lies on the volume and is mounted in other namespaces alone: it is frozen through their processes. */
static int mounts_collect_elsewhere(Volume *volume, VolumeWorld *world, dev_t **mounted, size_t *n_mounted) {
        const Device *device;
        size_t place = 0;
        int r;

        if (!find_unmounted(volume, world, *mounted, *n_mounted, &place))
                return 0;
        r = world_find_namespaces(world);
        for (size_t i = 0; r >= 0 && i < world->n_namespaces; i++)
                r = mounts_collect_there(volume, world, &world->namespaces[i], mounted, n_mounted);
        if (r < 0)
                return error_trace(r);
        place = 0;
        while (!volume->unreachable &&
               (device = find_unmounted(volume, world, *mounted, *n_mounted, &place))) {
                if (!world_is_live(world, device))
                        continue;
                volume->unreachable = strdup(device->dm_name ?: device->kernel_name);
                if (!volume->unreachable)
                        return error_origin(-ENOMEM);
        }
        return 0;
}

static int mounts_collect_all(Volume *volume, VolumeWorld *world) {
        _cleanup_free_ dev_t *mounted = NULL;
        size_t n_mounted = 0;
        int r;

        r = mounts_collect(volume, world, &mounted, &n_mounted);
        if (r < 0)
                return error_trace(r);
        return error_trace(mounts_collect_elsewhere(volume, world, &mounted, &n_mounted));
}

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static int beside_add(Volume *volume, dev_t device, const char *name) {
        VolumeBeside *more;

        for (size_t i = 0; i < volume->n_beside; i++)
                if (device != 0 && volume->beside[i].device == device)
                        return 0;
        more = reallocarray(volume->beside, volume->n_beside + 1, sizeof(*more));
        if (!more)
                return error_origin(-ENOMEM);
        volume->beside = more;
        more[volume->n_beside] = (VolumeBeside){.device = device, .name = strdup(name)};
        if (!more[volume->n_beside].name)
                return error_origin(-ENOMEM);
        volume->n_beside++;
        return 0;
}

/**
 * volume_note_beside() - take over what volume_child_tell_beside() told
 * @volume:     the volume
 * @told:       lines
 *
 * Return: 0; -EBADMSG: it is no such thing; or another negative errno.
 */
int volume_note_beside(Volume *volume, const char *told) {
        _cleanup_free_ char *copy = strdup(told);
        char *rest = copy, *line;
        int r;

        if (!copy)
                return error_origin(-ENOMEM);
        while ((line = strsep(&rest, "\n"))) {
                unsigned major_number, minor_number;
                int n = 0;

                if (*line == '\0')
                        continue;
                if (sscanf(line, "%u:%u %n", &major_number, &minor_number, &n) != 2 || line[n] == '\0')
                        return error_origin(-EBADMSG);
                r = beside_add(volume, makedev(major_number, minor_number), line + n);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

/* All devices of one btrfs, if this is one of them. */
static int btrfs_collect(Volume *volume, const VolumeWorld *world, const char *directory) {
        _cleanup_free_ char *path = NULL;
        _cleanup_(closedirp) DIR *d = NULL;
        const Device *self = world_find_device(world, volume->device);
        const Device *members[64];
        size_t n = 0;
        bool ours = false;
        int r;

        if (asprintf(&path, "%s/fs/btrfs/%s/devices", world->sysfs, directory) < 0)
                return error_origin(-ENOMEM);
        d = opendir(path);
        if (!d)
                return 0;
        for (struct dirent *e; (e = readdir(d)) && n < ELEMENTSOF(members);) {
                const Device *device = world_find_kernel_name(world, e->d_name);

                if (!device)
                        continue;
                ours = ours || device == self;
                members[n++] = device;
        }
        for (size_t i = 0; ours && i < n; i++)
                if (members[i] != self) {
                        r = beside_add(volume, members[i]->number,
                                       members[i]->dm_name ?: members[i]->kernel_name);
                        if (r < 0)
                                return error_trace(r);
                }
        return 0;
}

static int btrfs_collect_all(Volume *volume, const VolumeWorld *world) {
        _cleanup_free_ char *path = NULL;
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        if (asprintf(&path, "%s/fs/btrfs", world->sysfs) < 0)
                return error_origin(-ENOMEM);
        d = opendir(path);
        if (!d)
                return 0;
        for (struct dirent *e; (e = readdir(d));) {
                if (e->d_name[0] == '.')
                        continue;
                r = btrfs_collect(volume, world, e->d_name);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

static int swap_collect(Volume *volume, const VolumeWorld *world) {
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *swap;

        if (!iter)
                return error_origin(-ENOMEM);
        while (!volume->swap && mnt_table_next_fs(world->swaps, iter, &swap) == 0) {
                const char *source = mnt_fs_get_source(swap), *type = mnt_fs_get_swaptype(swap);
                const Device *device = source ? world_find_device_name(world, source) : NULL;

                if (device && type && streq(type, "partition") &&
                    dev_contains(volume->above, volume->n_above, device->number))
                        volume->swap = strdup(source);
        }
        mnt_free_iter(iter);
        return 0;
}

static int names_set(Volume *volume, const Device *device) {
        const char *name = device->dm_name ?: device->kernel_name;

        volume->vg = device->vg ? strdup(device->vg) : NULL;
        volume->lv = device->lv ? strdup(device->lv) : NULL;
        volume->dm_name = device->dm_name ? strdup(device->dm_name) : NULL;
        volume->dm_uuid = device->dm_uuid ? strdup(device->dm_uuid) : NULL;
        if (device->vg ? asprintf(&volume->name, "%s/%s", device->vg, device->lv) < 0
                       : !(volume->name = strdup(name)))
                return error_origin(-ENOMEM);
        if (asprintf(&volume->path, "/dev/%s%s", device->dm_name ? "mapper/" : "", name) < 0)
                return error_origin(-ENOMEM);
        if (device->dm_uuid ? !(volume->key = strdup(device->dm_uuid))
                            : asprintf(&volume->key, "block:%u:%u", major(device->number),
                                       minor(device->number)) < 0)
                return error_origin(-ENOMEM);
        return 0;
}

/**
 * volume_new() - all about one device
 * @ret:        the volume
 * @world:      needed only during this call
 * @number:     device number, as one of the find functions gave it
 *
 * Return: 0, -ENXIO if there is no such device, or another negative errno.
 */
int volume_new(Volume **ret, VolumeWorld *world, dev_t number) {
        _cleanup_(volume_freep) Volume *volume = calloc(1, sizeof(*volume));
        const Device *device = world_find_device(world, number);
        int r;

        if (!volume)
                return error_origin(-ENOMEM);
        if (!device)
                return error_origin(-ENXIO);
        volume->device = number;
        volume->size = device->size;
        volume->suspended = device->suspended;
        r = names_set(volume, device);
        if (r < 0)
                return error_trace(r);
        r = above_collect(volume, world, device, 0);
        if (r < 0)
                return error_trace(r);
        volume->depth = (uint32_t) r;
        r = mounts_collect_all(volume, world);
        if (r < 0)
                return error_trace(r);
        r = btrfs_collect_all(volume, world);
        if (r < 0)
                return error_trace(r);
        r = swap_collect(volume, world);
        if (r < 0)
                return error_trace(r);
        log_debug("volume %u:%u: %zu mounts, %zu devices above, %zu beside%s", major(number), minor(number),
                  volume->n_mounts, volume->n_above, volume->n_beside,
                  volume->suspended ? ", suspended" : "");
        *ret = TAKE_PTR(volume);
        return 0;
}

/**
 * volume_free() - forget it
 * @volume:     it or NULL
 *
 * Return: NULL.
 */
Volume *volume_free(Volume *volume) {
        if (!volume)
                return NULL;
        for (size_t i = 0; i < volume->n_mounts; i++) {
                free(volume->mounts[i].mount_point);
                free(volume->mounts[i].type);
        }
        for (size_t i = 0; i < volume->n_mount_points; i++)
                free(volume->mount_points[i]);
        free(volume->mounts);
        free(volume->mount_points);
        free(volume->above);
        for (size_t i = 0; i < volume->n_beside; i++)
                free(volume->beside[i].name);
        free(volume->beside);
        free(volume->name);
        free(volume->key);
        free(volume->path);
        free(volume->dm_name);
        free(volume->dm_uuid);
        free(volume->vg);
        free(volume->lv);
        free(volume->swap);
        free(volume->other_layer);
        free(volume->unreachable);
        free(volume->file_system);
        free(volume);
        return NULL;
}

/**
 * volume_carries() - whether a device lies on a volume
 * @volume:     the lower one
 * @device:     number of a device
 *
 * Return: true if @device lies on @volume (or is it).
 */
bool volume_carries(const Volume *volume, dev_t device) {
        return dev_contains(volume->above, volume->n_above, device);
}

/**
 * volume_mount_open() - open the root of a mount
 * @mount_point:        where it is
 * @mount_id:           which it is; what has been mounted over it since is not opened
 *
 * Return: a descriptor, or a negative errno; -ESTALE: it is not there any more.
 */
int volume_mount_open(const char *mount_point, uint64_t mount_id) {
        _cleanup_close_ int fd = -EBADF;
        struct statx st;

        fd = open(mount_point, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
                return -errno;
        if (!(st.stx_mask & STATX_MNT_ID) || st.stx_mnt_id != mount_id)
                return -ESTALE;
        return TAKE_FD(fd);
}
