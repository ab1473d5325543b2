/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Forked child: opens the root of each mount on a volume. */

#include "daemon/sets/mounts-child.h"

#include "daemon/child/child.h"
#include "daemon/volumes/volumes.h"

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
                const VolumeMount *mount = &volume->mounts[i];
                _cleanup_close_ int fd = volume_mount_open(mount->mount_point, mount->mount_id);

                if (fd >= 0)
                        (void) child_send_fd(socket_fd, (uint32_t) i, fd);
        }
        return 0;
}
