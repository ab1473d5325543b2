/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Forked children that look into snapshots: everything that opens a device or a path. Their argument is a
 * TreeRequest; what goes wrong they say on stderr, in words for people.
 */

#include "daemon/providers/provider.h"
#include "daemon/sets/mount-record.h"

typedef struct TreeRequest {
        const ProviderVolume *volume;
        int directory_fd; /* mount there too; or -1 */
        uint32_t uid;     /* for whom: but for root, the directory must be that user's */
        bool writable;    /* it is the volume's writable copy that is to be mounted */
        /* What is to be unmounted: these; then all of the device; or the mount of the device that has this
         * id; or (only_unused) of the copy's device, if nobody uses it, and all of them if the id is 0. */
        const MountRecord *mounts;
        size_t n_mounts;
        bool everything, only_unused;
        uint64_t mount_id;
} TreeRequest;

/* For forked children: a detached mount of a device. Return: a descriptor, or a negative errno; why is on
 * stderr. */
int tree_child_mount(const char *device, const char *type, bool writable);
/* Sends the tree's descriptor with index 0. Exit: 0 good; TREE_NOT_YOURS: it must not be mounted there. */
#define TREE_NOT_YOURS 3
/* Of opening an encrypted one: its key is not to be had, or there is no file system that can be mounted. */
#define TREE_NOT_SUPPORTED 5
/* Of unmounting: TREE_IN_USE: somebody uses it, and it stays. */
#define TREE_IN_USE 4
int tree_child_open(int socket_fd, void *argument);
/* Exit: 0 good. */
int tree_child_unmount(int socket_fd, void *argument);
/* Prints the file system's type, nothing if there is none. Exit: 0 good. */
int tree_child_probe(int socket_fd, void *argument);
int tree_child_mounted_device(const ProviderVolume *volume, bool copy, dev_t *ret);
/* Who has a snapshot or its copy open, or (mounted) sees a mount of it: "name (pid N), …". Return: whether
 * there is anybody. */
bool tree_child_print_holders(int fd, const ProviderVolume *volume, bool mounted);
/* Prints who has the snapshot, or its copy, open: "name (pid N), …". */
int tree_child_holders(int socket_fd, void *argument);
