/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Snapshots that an NFS server shows, by exportfs(8).
 *
 * The server knows a file system by its UUID, and a snapshot has that of its volume: without a number of its
 * own (fsid) it gives out the live files in the snapshot's place, and nobody notices. So each is exported by
 * itself, with its own id as that number, which stays the same for as long as the snapshot is there.
 */

#include <stddef.h>

typedef struct NfsExport {
        char **clients; /* as in exports(5): "host" or "host(options)" */
        size_t n_clients;
} NfsExport;

/* nfs-client.c: text alone. */
int nfs_export_add_client(NfsExport *exports, const char *client);
int nfs_export_arguments(const char *client, const char *path, const char *snapshot_id, char **ret_place,
                         char **ret_options);
void nfs_export_done(NfsExport *exports);

/* nfs-export.c: runs exportfs(8). */
int nfs_export_show(const NfsExport *exports, const char *path, const char *snapshot_id, char **ret_said);
void nfs_export_hide(const NfsExport *exports, const char *path);
void nfs_export_flush(void);
