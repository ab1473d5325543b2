/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Superblocks of ext4 and xfs; see superblock.h. Offsets as in the kernel's fs/ext4/ext4.h and
 * fs/xfs/libxfs/xfs_format.h.
 */

#include "daemon/volumes/superblock.h"

#include <endian.h>
#include <string.h>
#include <sys/sysmacros.h>

#define EXT_OFFSET               1024u
#define EXT_MAGIC                0xef53u
#define EXT_COMPAT_HAS_JOURNAL   0x4u
#define EXT_INCOMPAT_JOURNAL_DEV 0x8u

static uint32_t le32_at(const uint8_t *bytes, size_t offset) {
        uint32_t value;

        memcpy(&value, bytes + offset, sizeof(value));
        return le32toh(value);
}

static uint64_t be64_at(const uint8_t *bytes, size_t offset) {
        uint64_t value;

        memcpy(&value, bytes + offset, sizeof(value));
        return be64toh(value);
}

/* As the kernel packs a device number into 32 bits. */
static dev_t device_decode(uint32_t packed) {
        return makedev((packed & 0xfff00) >> 8, (packed & 0xff) | ((packed >> 12) & 0xfff00));
}

static void parse_ext(const uint8_t *sb, Superblock *ret) {
        uint32_t compat = le32_at(sb, 92), incompat = le32_at(sb, 96), journal_inode = le32_at(sb, 224);

        memcpy(ret->uuid, sb + 104, sizeof(ret->uuid));
        ret->is_journal = incompat & EXT_INCOMPAT_JOURNAL_DEV;
        if (ret->is_journal || !(compat & EXT_COMPAT_HAS_JOURNAL) || journal_inode != 0)
                return;
        ret->journal_elsewhere = true;
        memcpy(ret->journal_uuid, sb + 208, sizeof(ret->journal_uuid));
        ret->journal_device = device_decode(le32_at(sb, 228));
}

static void parse_xfs(const uint8_t *sb, Superblock *ret) {
        memcpy(ret->uuid, sb + 32, sizeof(ret->uuid));
        ret->realtime_elsewhere = be64_at(sb, 16) > 0; /* realtime blocks */
        ret->log_elsewhere = be64_at(sb, 48) == 0;     /* where the internal log begins */
}

/**
 * superblock_parse() - what the beginning of a device tells
 * @bytes:      of it
 * @n_bytes:    how many; with fewer than SUPERBLOCK_SIZE nothing is found
 * @ret:        filled in if so
 *
 * Return: whether it is one of ext2, ext3, ext4, its journal, or xfs.
 */
bool superblock_parse(const void *bytes, size_t n_bytes, Superblock *ret) {
        const uint8_t *start = bytes, *ext = start + EXT_OFFSET;
        Superblock found = {};

        if (n_bytes < SUPERBLOCK_SIZE)
                return false;
        if (memcmp(start, "XFSB", 4) == 0)
                parse_xfs(start, &found);
        else if ((ext[56] | ext[57] << 8) == EXT_MAGIC)
                parse_ext(ext, &found);
        else
                return false;
        *ret = found;
        return true;
}
