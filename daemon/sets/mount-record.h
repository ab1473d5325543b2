/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which mounts on the host are ours, kept over a restart of quiesced: a file a snapshot below /run, with the
 * mount's id, and whether it gives way to who deletes the snapshot. An id may be given to another mount
 * later, so whoever unmounts by it looks at the device, too.
 */

#include <stdbool.h>
#include <stdint.h>

int mount_record_write(const char *runtime_dir, const char *snapshot_id, int tree_fd, bool gives_way);
bool mount_record_gives_way(const char *runtime_dir, const char *snapshot_id);
uint64_t mount_record_read(const char *runtime_dir, const char *snapshot_id);
void mount_record_forget(const char *runtime_dir, const char *snapshot_id);
