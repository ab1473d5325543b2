/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Forked children: a detached mount of a snapshot, its way into the host's tree and out again, and what file
 * system is on it; see tree-child.h.
 */

#include "daemon/sets/tree-child.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "daemon/child/child.h"
#include "daemon/sets/plain.h"

#define SNAPSHOT_ATTRIBUTES (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define COPY_ATTRIBUTES     (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define WRITABLE_ATTRIBUTES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static void blkid_free_probep(blkid_probe *probe) {
        if (*probe)
                blkid_free_probe(*probe);
}

/* Return: 0, with the type or NULL if there is none; or a negative errno. */
static int probe_type(const char *device, char **ret) {
        _cleanup_(blkid_free_probep) blkid_probe probe = blkid_new_probe_from_filename(device);
        const char *type = NULL;

        if (!probe)
                return -errno;
        (void) blkid_probe_enable_superblocks(probe, 1);
        (void) blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE);
        if (blkid_do_safeprobe(probe) < 0)
                return -EIO;
        if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL) < 0)
                type = NULL;
        *ret = type ? strdup(type) : NULL;
        return 0;
}

/* What the kernel says in words on a file system context comes before the number. */
static void tell_context(int context_fd, const char *device, const char *type, int error) {
        char said[256] = "";
        ssize_t n = read(context_fd, said, sizeof(said) - 1);

        if (n > 0)
                said[n] = '\0';
        (void) dprintf(STDERR_FILENO, "%s cannot be mounted as %s: %s%s%.200s\n", device, type,
                       strerror(error), n > 0 ? ": " : "", n > 2 ? said + 2 : "");
}

/* A snapshot of an xfs carries the origin's uuid, and its log may not be replayed on a device that is read
 * only. An ext4 that was made just now would fill the store of its snapshot with zeros. */
static const char *const *mount_flags(const char *type, bool writable) {
        static const char *const xfs_read_only[] = {"nouuid", "norecovery", NULL};
        static const char *const xfs_writable[] = {"nouuid", NULL};
        static const char *const ext4_writable[] = {"noinit_itable", NULL};
        static const char *const none[] = {NULL};

        if (streq(type, "xfs"))
                return writable ? xfs_writable : xfs_read_only;
        return writable && streq(type, "ext4") ? ext4_writable : none;
}

static int context_make(int context_fd, const char *device, const char *type, bool writable) {
        const char *const *flags = mount_flags(type, writable);

        if (fsconfig(context_fd, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
            (!writable && fsconfig(context_fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0))
                return -errno;
        for (; *flags; flags++)
                if (fsconfig(context_fd, FSCONFIG_SET_FLAG, *flags, NULL, 0) < 0)
                        return -errno;
        if (fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        return 0;
}

static int device_mount(const char *device, const char *type, bool writable, unsigned attributes) {
        _cleanup_close_ int context = fsopen(type, FSOPEN_CLOEXEC);
        int fd, r;

        if (context < 0) {
                (void) dprintf(STDERR_FILENO, "this kernel knows no file system %s: %s\n", type,
                               strerror(errno));
                return -errno;
        }
        r = context_make(context, device, type, writable);
        if (r < 0) {
                tell_context(context, device, type, -r);
                return r;
        }
        fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
        if (fd < 0) {
                r = -errno;
                tell_context(context, device, type, -r);
                return r;
        }
        return fd;
}

/**
 * tree_child_mount() - a detached mount of a snapshot
 * @device:     its node
 * @type:       of its file system
 * @writable:   for writers in PostSnapshot; nothing in it can be executed then
 *
 * Return: a descriptor, or a negative errno; then stderr says why.
 */
int tree_child_mount(const char *device, const char *type, bool writable) {
        return device_mount(device, type, writable, writable ? WRITABLE_ATTRIBUTES : SNAPSHOT_ATTRIBUTES);
}

/**
 * tree_child_mounted_device() - the device that mounts of a snapshot are of
 * @volume:     of which; if it is encrypted, what is open above it
 * @copy:       those of its writable copy
 * @ret:        the device
 *
 * Return: 0; -ENOTBLK: of the test provider, which has none; or another negative errno.
 */
int tree_child_mounted_device(const ProviderVolume *volume, bool copy, dev_t *ret) {
        const PlainRequest plain = {.snapshot_id = volume->snapshot_id, .writable = copy};
        const char *device = copy ? volume->copy_device : volume->device;
        char path[sizeof("/dev/mapper/") + PLAIN_NAME_MAX] = "/dev/mapper/";
        struct stat st;

        plain_name(path + strlen(path), &plain);
        if (stat(path, &st) < 0 && stat(device, &st) < 0)
                return -errno;
        if (!S_ISBLK(st.st_mode))
                return -ENOTBLK;
        *ret = st.st_rdev;
        return 0;
}

static PlainRequest plain_request(const ProviderVolume *volume, bool writable) {
        return (PlainRequest){.device = writable ? volume->copy_device : volume->device,
                              .origin_key = volume->key,
                              .snapshot_id = volume->snapshot_id,
                              .writable = writable};
}

static bool is_encrypted(const ProviderVolume *volume) {
        return streq_ptr(volume->file_system, "crypto_LUKS");
}

/* What is in it, seen with the volume's key as it is now. Return: 0, -EOPNOTSUPP or another negative errno;
 * stderr says why. */
static int encrypted_probe(const char *device, char **ret_type) {
        const char *why = NULL;
        int r;

        r = probe_type(device, ret_type);
        if (r < 0)
                (void) dprintf(STDERR_FILENO, "%s cannot be read: %s\n", device, strerror(-r));
        else if (!*ret_type)
                why = "with the key that the encrypted volume has now there is no file system in the snapshot; "
                      "the volume was encrypted anew since, or has none";
        else if (streq(*ret_type, "btrfs"))
                why = "the kernel cannot mount a btrfs and its copy at the same time";
        if (!why)
                return r;
        (void) dprintf(STDERR_FILENO, "%s\n", why);
        return -EOPNOTSUPP;
}

/* With the volume's own key, if that is to be had. */
static int encrypted_open_tree(const ProviderVolume *volume, bool writable) {
        const PlainRequest request = plain_request(volume, writable);
        _cleanup_free_ char *device = NULL, *type = NULL;
        _cleanup_close_ int held = -EBADF;
        int r;

        r = plain_child_open(&request, &device, &held);
        if (r < 0)
                return r;
        r = encrypted_probe(device, &type);
        if (r >= 0)
                r = device_mount(device, type, writable, writable ? COPY_ATTRIBUTES : SNAPSHOT_ATTRIBUTES);
        plain_child_leave(&request);
        return r;
}

static int volume_open_tree(const ProviderVolume *volume, bool writable) {
        _cleanup_free_ char *probed = NULL;
        const char *type = volume->file_system;
        int r;

        if (writable && volume->ops->make_copy_child) {
                r = volume->ops->make_copy_child(volume);
                if (r < 0)
                        return r;
        }
        if (volume->ops->open_tree_child) {
                r = volume->ops->open_tree_child(volume);
                if (r < 0)
                        (void) dprintf(STDERR_FILENO, "%s\n", strerror(-r));
                return r;
        }
        if (access(volume->device, F_OK) < 0 && errno == ENOENT) {
                (void) dprintf(STDERR_FILENO,
                               "its device %s is not there; activate its volume group first, "
                               "with vgchange -ay\n",
                               volume->device);
                return -ENOENT;
        }
        if (!type) {
                r = probe_type(volume->device, &probed);
                type = probed;
                if (r < 0 || !type) {
                        (void) dprintf(STDERR_FILENO, "%s has no file system\n", volume->device);
                        return -EINVAL;
                }
        }
        if (streq(type, "crypto_LUKS"))
                return encrypted_open_tree(volume, writable);
        return writable ? device_mount(volume->copy_device, type, true, COPY_ATTRIBUTES)
                        : tree_child_mount(volume->device, type, false);
}

/* What is mounted hides what is there, for everybody: a user may do that to what is his alone, and not to
 * what the kernel shows him of himself. The descriptor is the directory, whatever becomes of its path. */
static bool may_mount_there(const TreeRequest *request) {
        struct statfs fs;
        struct stat st;

        if (request->uid == 0)
                return true;
        return fstat(request->directory_fd, &st) >= 0 && S_ISDIR(st.st_mode) && st.st_uid == request->uid &&
               fstatfs(request->directory_fd, &fs) >= 0 && fs.f_type != PROC_SUPER_MAGIC &&
               fs.f_type != SYSFS_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC;
}

/**
 * tree_child_open() - open a snapshot's tree, and attach it if asked
 * @socket_fd:  gets the descriptor of the mount
 * @argument:   a TreeRequest
 *
 * Return: exit status.
 */
int tree_child_open(int socket_fd, void *argument) {
        const TreeRequest *request = argument;
        _cleanup_close_ int fd = -EBADF;

        if (request->directory_fd >= 0 && !may_mount_there(request)) {
                (void) dprintf(STDERR_FILENO,
                               "the directory to mount it on does not belong to user %" PRIu32
                               ", and only root mounts on those of others\n",
                               request->uid);
                return TREE_NOT_YOURS;
        }
        fd = volume_open_tree(request->volume, request->writable);
        if (fd < 0)
                return fd == -ENOKEY || fd == -EOPNOTSUPP ? TREE_NOT_SUPPORTED : 1;
        if (request->directory_fd >= 0 &&
            move_mount(fd, "", request->directory_fd, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
                (void) dprintf(STDERR_FILENO, "it cannot be attached to that directory: %s\n",
                               strerror(errno));
                return 1;
        }
        return child_send_fd(socket_fd, 0, fd) < 0 ? 1 : 0;
}

/* The mount of this id at this point, if nobody uses it: by its name in its directory, as a descriptor on it
 * would be a use. What is mounted there since is left alone. */
static int unmount_unused(const ProviderVolume *volume, const char *mount_point, uint64_t id) {
        const char *name = strrchr(mount_point, '/') + 1;
        _cleanup_free_ char *directory = strndup(mount_point, (size_t) (name - mount_point));
        struct statx stx;

        if (!directory || chdir(directory) < 0)
                return 1;
        if (statx(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID,
                  &stx) < 0)
                return 1;
        if (id != 0 && stx.stx_mnt_id != id)
                return 0;
        if (umount2(name, UMOUNT_NOFOLLOW) >= 0 || errno == EINVAL)
                return 0;
        if (errno != EBUSY) {
                (void) dprintf(STDERR_FILENO, "%s cannot be unmounted: %s\n", mount_point, strerror(errno));
                return 1;
        }
        (void) dprintf(STDERR_FILENO, "%s is in use by ", mount_point);
        if (!tree_child_print_holders(STDERR_FILENO, volume, false))
                (void) dprintf(STDERR_FILENO, "a process");
        (void) dprintf(STDERR_FILENO, "; close it, then unmount it\n");
        return TREE_IN_USE;
}

static int unmount_all_unused(const TreeRequest *request) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        _cleanup_(volume_freep) Volume *volume = NULL;
        dev_t device;
        int r;

        r = tree_child_mounted_device(request->volume, true, &device);
        if (r < 0)
                return r == -ENOENT ? 0 : 1;
        if (volume_world_new(&world, NULL) < 0 || volume_new(&volume, world, device) < 0)
                return 1;
        for (size_t i = volume->n_mount_points; r == 0 && i-- > 0;)
                r = unmount_unused(request->volume, volume->mount_points[i], request->mount_id);
        if (r == 0 && is_encrypted(request->volume)) {
                const PlainRequest plain = plain_request(request->volume, true);

                if (plain_child_close(&plain) < 0) {
                        (void) dprintf(STDERR_FILENO,
                                       "it is unmounted here, and somebody else has it open still\n");
                        r = TREE_IN_USE;
                }
        }
        return r;
}

/* Only when nobody remembers the tree: every mount of the device in the host's namespace. A device that is
 * not there, as its group was deactivated, is mounted nowhere. */
static int unmount_device(const ProviderVolume *snapshot) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        _cleanup_(volume_freep) Volume *volume = NULL;
        dev_t device;
        int r;

        r = tree_child_mounted_device(snapshot, snapshot->copy_device, &device);
        if (r < 0)
                return r == -ENOTBLK || r == -ENOENT ? 0 : 1;
        if (volume_world_new(&world, NULL) < 0 || volume_new(&volume, world, device) < 0)
                return 1;
        for (size_t i = volume->n_mount_points; i-- > 0;)
                if (umount2(volume->mount_points[i], MNT_DETACH | UMOUNT_NOFOLLOW) < 0) {
                        (void) dprintf(STDERR_FILENO, "%s cannot be unmounted: %s\n",
                                       volume->mount_points[i], strerror(errno));
                        return 1;
                }
        return 0;
}

static int unmount_fd(int fd) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        /* EINVAL: somebody unmounted it already. */
        if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL) {
                (void) dprintf(STDERR_FILENO, "it cannot be unmounted: %s\n", strerror(errno));
                return 1;
        }
        return 0;
}

/* Whatever is mounted there since is left alone. Return: 1: it was that of the id, and is unmounted; 0: it
 * is another; -1: it cannot be unmounted. */
static int unmount_at(const char *mount_point, uint64_t id) {
        _cleanup_close_ int fd = open(mount_point, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        struct statx stx;

        if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) < 0 ||
            stx.stx_mnt_id != id)
                return 0;
        return unmount_fd(fd) == 0 ? 1 : -1;
}

/* One that nobody has noted: of the device, nothing else. */
static int unmount_id(const ProviderVolume *snapshot, uint64_t id) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        _cleanup_(volume_freep) Volume *volume = NULL;
        dev_t device;
        int r;

        r = tree_child_mounted_device(snapshot, false, &device);
        if (r < 0)
                return r == -ENOENT ? 0 : 1;
        if (volume_world_new(&world, NULL) < 0 || volume_new(&volume, world, device) < 0)
                return 1;
        for (size_t i = volume->n_mount_points; r >= 0 && i-- > 0;)
                r = unmount_at(volume->mount_points[i], id);
        return r < 0;
}

/* As they were found a moment ago. All are tried. */
static int unmount_noted(const MountRecord *mounts, size_t n) {
        int status = 0;

        for (size_t i = n; i-- > 0;) {
                int r = unmount_at(mounts[i].mount_point, mounts[i].id);

                if (r == 0)
                        (void) dprintf(STDERR_FILENO,
                                       "something else is mounted over it on %s; unmount that first\n",
                                       mounts[i].mount_point);
                if (r <= 0)
                        status = 1;
        }
        return status;
}

/**
 * tree_child_unmount() - take a snapshot's mount out of the host's tree
 * @socket_fd:  unused
 * @argument:   a TreeRequest
 *
 * Return: exit status.
 */
int tree_child_unmount(int socket_fd, void *argument) {
        const TreeRequest *request = argument;
        int status = 0;

        if (request->only_unused)
                return unmount_all_unused(request);
        if (request->n_mounts > 0)
                status = unmount_noted(request->mounts, request->n_mounts);
        else if (request->mount_id != 0)
                return unmount_id(request->volume, request->mount_id);
        return request->everything ? unmount_device(request->volume) : status;
}

/**
 * tree_child_probe() - what is on a snapshot
 * @socket_fd:  unused
 * @argument:   a TreeRequest
 *
 * Return: exit status.
 */
int tree_child_probe(int socket_fd, void *argument) {
        const TreeRequest *request = argument;
        _cleanup_free_ char *type = NULL;

        if (probe_type(request->volume->device, &type) < 0)
                return 1;
        (void) dprintf(STDOUT_FILENO, "%s", type ?: "");
        return 0;
}
