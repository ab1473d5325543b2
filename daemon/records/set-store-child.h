/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a child of the store does: it may block. For set-store.c alone. */

#include "contract/types.h"

typedef enum SetStoreWhat {
        SET_STORE_WRITE,
        SET_STORE_REMOVE,
        SET_STORE_READ, /* sends a memory file with the text, as index 0 */
        SET_STORE_KEEP, /* removes the records of sets that have been missing for long */
} SetStoreWhat;

typedef struct SetStoreRequest {
        SetStoreWhat what;
        const char *folder;
        size_t size_max;
        char id[CONTRACT_ID_MAX];
        char *text;                    /* WRITE */
        char (*keep)[CONTRACT_ID_MAX]; /* KEEP */
        size_t n_keep;
} SetStoreRequest;

int set_store_child(int socket_fd, void *argument);
