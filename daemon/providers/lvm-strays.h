/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Devices of a snapshot that never counted, removed without LVM; only in a child's process, as both wait for
 * LVM's lock of the group. */

typedef struct LvmStrays {
        const char *lock_path;  /* of the group; "": unknown, and nothing is done */
        const char *vg, *lv;    /* of the snapshot */
        const char *origin_key; /* dm uuid of its origin */
} LvmStrays;

/* Return: exit status; what could not be removed is said on stderr. */
int lvm_strays_delete_thin(const char *lock_path, const char *pool_key, uint64_t thin_id);
int lvm_strays_remove(const LvmStrays *strays);

/* lvm-copy-child.c: likewise */
int lvm_copy_remove_device(const char *key);
