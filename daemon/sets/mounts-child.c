/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Forked child: opens the root of each mount on a volume, and looks what its file systems lie on as well. */

#include "daemon/sets/mounts-child.h"

#include "daemon/child/child.h"
#include "daemon/volumes/volumes.h"

/**
 * mounts_child_open() - the child's function
 * @socket_fd:  where descriptors go
 * @argument:   the Volume
 *
 * Return: 0; a mount that cannot be opened is left out. Stdout: for volume_note_beside().
 */
int mounts_child_open(int socket_fd, void *argument) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        const Volume *volume = argument;

        for (size_t i = 0; i < volume->n_mounts; i++) {
                const VolumeMount *mount = &volume->mounts[i];
                _cleanup_close_ int fd = volume_mount_open(mount->mount_point, mount->mount_id);

                if (fd >= 0)
                        (void) child_send_fd(socket_fd, (uint32_t) i, fd);
        }
        if (volume_world_new(&world, NULL) >= 0)
                volume_child_tell_beside(world, volume);
        return 0;
}
