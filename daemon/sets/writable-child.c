/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Forked children: a detached mount of a snapshot that can be written into, and its end; see
 * writable-child.h.
 *
 * A mount that somebody has a file open for writing in cannot be made read-only: that is how it is known
 * that all have finished. First the mount, which writers have a descriptor of, then the file system, which
 * writes out what it has, at last the device, so that nobody mounts it writable again.
 */

#include "daemon/sets/writable-child.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "daemon/child/child.h"
#include "daemon/sets/tree-child.h"

static int volume_open(const ProviderVolume *volume) {
        int r = 0;

        if (volume->ops->open_writable_child)
                r = volume->ops->open_writable_child(volume);
        else if (volume->ops->make_writable_child)
                r = volume->ops->make_writable_child(volume);
        if (r < 0) {
                (void) dprintf(STDERR_FILENO, "%s: %s\n", volume->name, strerror(-r));
                return r;
        }
        return volume->ops->open_writable_child
                       ? r
                       : tree_child_mount(volume->device, volume->file_system, true);
}

/**
 * writable_child_open() - mount snapshots so that they can be written into
 * @socket_fd:  gets the descriptors of the mounts
 * @argument:   a WritableRequest
 *
 * Return: exit status.
 */
int writable_child_open(int socket_fd, void *argument) {
        const WritableRequest *request = argument;

        for (size_t i = 0; i < request->n_volumes; i++) {
                _cleanup_close_ int fd = volume_open(request->volumes[i]);

                if (fd >= 0 && child_send_fd(socket_fd, (uint32_t) i, fd) < 0)
                        return 1;
        }
        return 0;
}

static int seal_mount(int fd) {
        struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

        return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int seal_file_system(int fd) {
        _cleanup_close_ int context = fspick(fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);

        if (context < 0 || fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
            fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
                return -errno;
        return 0;
}

/*
 * The device stays so until it goes, or LVM loads its table anew, which is read-only as LVM's metadata say.
 * A folder's mount is of a file system that is not the snapshot's: that one is left alone, whatever else is
 * wrong.
 */
static int seal_device(const char *path, int fd, bool mount_is_sealed) {
        _cleanup_close_ int device = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st, mounted;
        int r = 0, on = 1;

        if (device < 0 || fstat(device, &st) < 0)
                return -errno;
        if (!S_ISBLK(st.st_mode))
                return -ENOTBLK;
        if (mount_is_sealed && fstat(fd, &mounted) == 0 && mounted.st_dev == st.st_rdev)
                r = seal_file_system(fd);
        if (ioctl(device, BLKROSET, &on) < 0 && r == 0)
                r = -errno;
        return r;
}

static int seal(const ProviderVolume *volume, int fd) {
        int r = fd >= 0 ? seal_mount(fd) : 0, q;

        if (volume->ops->open_writable_child || !volume->device)
                return r;
        q = seal_device(volume->device, fd, fd >= 0 && r == 0);
        return r < 0 ? r : q;
}

/**
 * writable_child_seal() - nobody can write into these snapshots any more
 * @socket_fd:  unused
 * @argument:   a WritableRequest
 *
 * After a failure it goes on with the others; their devices end read-only in any case.
 *
 * Return: exit status.
 */
int writable_child_seal(int socket_fd, void *argument) {
        const WritableRequest *request = argument;
        int status = 0;

        for (size_t i = 0; i < request->n_volumes; i++) {
                const ProviderVolume *volume = request->volumes[i];
                int r = seal(volume, request->fds[i]);

                if (r == 0)
                        continue;
                if (status == 0)
                        status = r == -EBUSY ? WRITABLE_EXIT_BUSY : 1;
                if (r == -EBUSY)
                        (void) dprintf(STDERR_FILENO,
                                       "a writer still has a file in the snapshot of %s open for writing\n",
                                       volume->name);
                else
                        (void) dprintf(STDERR_FILENO,
                                       "the snapshot of %s cannot be made read-only again: %s\n",
                                       volume->name, strerror(-r));
        }
        return status;
}
