/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Superblocks: whatever a device begins with, only what was read is looked at.
 */

#include "daemon/volumes/superblock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t *copy = malloc(size > 0 ? size : 1); /* so that a read beyond it is seen */
        Superblock superblock;

        if (!copy)
                return 0;
        memcpy(copy, data, size);
        if (superblock_parse(copy, size, &superblock) && superblock.is_journal &&
            superblock.journal_elsewhere)
                abort();
        free(copy);
        return 0;
}
