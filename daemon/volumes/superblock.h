/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a superblock tells of other devices that its file system lies on as well: a journal, a log, realtime
 * data. Pure: bytes in, facts out.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/macro.h"

#define SUPERBLOCK_SIZE 2048u /* that much of a device's beginning is looked at */

typedef struct Superblock {
        bool is_journal;         /* a journal of other ext file systems, and not one itself */
        bool journal_elsewhere;  /* ext: on the journal device with this UUID … */
        bool log_elsewhere;      /* xfs: only the mount's options name it */
        bool realtime_elsewhere; /* xfs: likewise */
        uint8_t uuid[16], journal_uuid[16];
        dev_t journal_device; /* … which had this number when it was mounted last; a hint */
} Superblock;

/* Return: whether it is one of ext2, ext3, ext4, its journal, or xfs. */
bool superblock_parse(const void *bytes, size_t n_bytes, Superblock *ret);
