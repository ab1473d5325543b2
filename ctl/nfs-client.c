/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* To whom snapshots are shown by NFS, what of it is text; see nfs-export.h. */

#include "ctl/nfs-export.h"

#include "util/error.h"
#include "util/macro.h"
#include "util/texts.h"

/* nohide: it is seen below the share that its directory lies in, if that has the same clients. */
#define EXPORT_OPTIONS "ro,nohide,no_subtree_check,fsid="

/**
 * nfs_export_add_client() - to whom snapshots are shown
 * @exports:    nfs_export_done() it
 * @client:     as in exports(5)
 *
 * Return: 0; -EINVAL: it is not built like that, or names an fsid itself; or another negative errno.
 */
int nfs_export_add_client(NfsExport *exports, const char *client) {
        size_t n = strlen(client), n_host = strcspn(client, "()");
        bool with_options = client[n_host] == '(' && n > n_host + 2 &&
                            n_host + 1 + strcspn(client + n_host + 1, "()") == n - 1 && client[n - 1] == ')';

        if (n_host == 0 || client[0] == '-' || strpbrk(client, " \t\n\"\\") || strstr(client, "fsid") ||
            (n_host < n && !with_options))
                return error_origin(-EINVAL);
        return texts_add(&exports->clients, &exports->n_clients, client);
}

/**
 * nfs_export_done() - free what it holds
 * @exports:    it
 */
void nfs_export_done(NfsExport *exports) {
        for (size_t i = 0; i < exports->n_clients; i++)
                free(exports->clients[i]);
        free(exports->clients);
        *exports = (NfsExport){};
}

/**
 * nfs_export_arguments() - what exportfs(8) is to be told
 * @client:         one that nfs_export_add_client() has taken
 * @path:           of the directory
 * @snapshot_id:    UUID text; NULL: the place alone is asked for
 * @ret_place:      "host:path"; free() it
 * @ret_options:    for option -o; free() it; untouched without an id
 *
 * Return: 0, or -ENOMEM.
 */
int nfs_export_arguments(const char *client, const char *path, const char *snapshot_id, char **ret_place,
                         char **ret_options) {
        _cleanup_free_ char *place = NULL;
        int n_host = (int) strcspn(client, "(");
        const char *more = client[n_host] ? client + n_host + 1 : "";

        if (asprintf(&place, "%.*s:%s", n_host, client, path) < 0) {
                place = NULL;
                return error_origin(-ENOMEM);
        }
        if (snapshot_id && asprintf(ret_options, EXPORT_OPTIONS "%s%s%.*s", snapshot_id, *more ? "," : "",
                                    (int) strcspn(more, ")"), more) < 0)
                return error_origin(-ENOMEM);
        *ret_place = TAKE_PTR(place);
        return 0;
}
