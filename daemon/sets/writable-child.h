/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Forked children that make snapshots writable for writers in PostSnapshot, and read-only again: see
 * writable.c. Their argument is a WritableRequest; what goes wrong they say on stderr, in words for people.
 */

#include "daemon/providers/provider.h"

#define WRITABLE_EXIT_BUSY 2

typedef struct WritableRequest {
        const ProviderVolume *volumes[CONTRACT_VOLUMES_MAX];
        int fds[CONTRACT_VOLUMES_MAX]; /* to be sealed: of their mounts; negative: it has none */
        size_t n_volumes;
} WritableRequest;

/* Sends the descriptors of the mounts, by the volumes' places in the request; one that cannot be mounted is
 * left out, with a line on stderr. Exit: 0. */
int writable_child_open(int socket_fd, void *argument);
/* Exit: 0 good; WRITABLE_EXIT_BUSY: somebody still writes; else not 0. */
int writable_child_seal(int socket_fd, void *argument);
