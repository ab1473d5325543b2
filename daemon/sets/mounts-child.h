/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Runs in a forked child: opening may block. @argument is a Volume; sends a descriptor for each mount, and
 * tells on stdout what volume_note_beside() takes. */
int mounts_child_open(int socket_fd, void *argument);
