/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The caller's mounts, and which of them a path lies on.
 *
 * Read from mountinfo alone: no path is opened, so a dead network file system somewhere cannot block us, and
 * every rule can be tested with a file.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/macro.h"

typedef struct Mount {
        int id, parent_id;
        dev_t device;
        char *point;  /* where it is mounted */
        char *root;   /* which directory of its file system is seen there; "/": all of it */
        char *type;   /* ext4, xfs … */
        char *source; /* /dev/vg/lv, server:/path … */
        bool kernel;  /* proc, sysfs and the like: no data anybody would back up */
} Mount;

typedef struct MountTable {
        Mount *mounts;
        size_t n_mounts;
} MountTable;

int mount_table_new(MountTable **ret, const char *file);
MountTable *mount_table_free(MountTable *table);
DEFINE_CLEANUP(MountTable *, mount_table_free)
int mount_table_add(MountTable *table, const char *point, dev_t device, const char *type,
                    const char *source);

const Mount *mount_table_resolve(const MountTable *table, const char *path);
bool mount_is_block(const Mount *mount);

bool path_is_below(const char *path, const char *directory);
char *path_inside_mount(const Mount *mount, const char *path);
