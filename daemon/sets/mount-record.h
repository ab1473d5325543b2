/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which mounts on the host are ours, kept over a restart of quiesced: a file a snapshot below /run, with a
 * line for each of its mounts.
 *
 * Nothing keeps a descriptor on a mount, so that anybody can unmount it. An id may be given to another mount
 * later, so the device is noted, too: what is told here is there now, as mountinfo has it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MOUNT_RECORDS_MAX 64u /* of one snapshot */

typedef struct MountRecord {
        uint64_t id;  /* as in /proc/PID/mountinfo */
        dev_t device; /* likewise */
        char *mount_point;
        bool writable;  /* of the snapshot's writable copy */
        bool gives_way; /* it is no reason not to delete the snapshot */
} MountRecord;

typedef struct MountRecords {
        MountRecord *mounts;
        size_t n;
} MountRecords;

int mount_records_read(MountRecords *ret, const char *runtime_dir, const char *snapshot_id);
void mount_records_done(MountRecords *records);
int mount_records_add(const char *runtime_dir, const char *snapshot_id, int tree_fd, bool writable,
                      bool gives_way);
void mount_records_prune(const char *runtime_dir, const char *snapshot_id);
