/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is mounted below a folder, as this process sees it. */

/* Return: 0 to go on; anything else ends the search and is its result. */
typedef int (*MountFound)(const char *mount_point, void *userdata);

/* Each mount point below the folder, links in its name followed; file systems in memory left out, as nothing
 * in them outlives the machine anyway. Returns 0, also if there is no such folder; what `found` returned; or
 * a negative errno: mountinfo cannot be read. */
int mounts_below(const char *folder, MountFound found, void *userdata);
