/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Forked child: opens the root of each mount on a volume, and makes sure that it is that mount and not what
 * has been mounted over it since.
 */

#include "daemon/sets/mounts-child.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/child/child.h"
#include "daemon/volumes/volumes.h"

static int mount_open(const VolumeMount *mount) {
        _cleanup_close_ int fd = -EBADF;
        struct statx st;

        fd = open(mount->mount_point, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
                return -errno;
        if (!(st.stx_mask & STATX_MNT_ID) || st.stx_mnt_id != mount->mount_id)
                return -ESTALE;
        return TAKE_FD(fd);
}

/**
 * mounts_child_open() - the child's function
 * @socket_fd:  where descriptors go
 * @argument:   the Volume
 *
 * Return: 0; a mount that cannot be opened is left out.
 */
int mounts_child_open(int socket_fd, void *argument) {
        const Volume *volume = argument;

        for (size_t i = 0; i < volume->n_mounts; i++) {
                _cleanup_close_ int fd = mount_open(&volume->mounts[i]);

                if (fd >= 0)
                        (void) child_send_fd(socket_fd, (uint32_t) i, fd);
        }
        return 0;
}
