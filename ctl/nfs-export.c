/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Snapshots on NFS, by exportfs(8); see nfs-export.h. */

#include "ctl/nfs-export.h"

#include "ctl/doctor.h"
#include "util/error.h"

/* Return: 0; -EIO: it has failed, and said why; or another negative errno. */
static int run(const char *const *argv, char **ret_said) {
        _cleanup_doctor_command_ DoctorCommand command = {};

        doctor_command(&command, argv);
        if (command.status < 0)
                return error_origin(command.status);
        /* It ends well with some of its failures. */
        if (command.status == 0 && !*command.error)
                return 0;
        command.error[strcspn(command.error, "\n")] = '\0';
        if (ret_said)
                *ret_said = TAKE_PTR(command.error);
        return error_origin(-EIO);
}

/**
 * nfs_export_show() - export a snapshot's directory
 * @exports:        to whom
 * @path:           the directory, on which the snapshot is mounted
 * @snapshot_id:    UUID text
 * @ret_said:       with -EIO what exportfs(8) said, one line; free() it
 *
 * Return: 0; -ENOENT: there is no exportfs(8); -EIO: it has failed; or another negative errno.
 */
int nfs_export_show(const NfsExport *exports, const char *path, const char *snapshot_id, char **ret_said) {
        int r = 0;

        *ret_said = NULL;
        for (size_t i = 0; r == 0 && i < exports->n_clients; i++) {
                _cleanup_free_ char *place = NULL, *options = NULL;

                r = nfs_export_arguments(exports->clients[i], path, snapshot_id, &place, &options);
                if (r == 0)
                        r = run((const char *const[]){"exportfs", "-o", options, place, NULL}, ret_said);
        }
        return error_trace(r);
}

/**
 * nfs_export_hide() - export it no more, so that the server has nothing of it open
 * @exports:    to whom
 * @path:       the directory; may be exported or not
 */
void nfs_export_hide(const NfsExport *exports, const char *path) {
        for (size_t i = 0; i < exports->n_clients; i++) {
                _cleanup_free_ char *place = NULL;

                if (nfs_export_arguments(exports->clients[i], path, NULL, &place, NULL) == 0)
                        (void) run((const char *const[]){"exportfs", "-u", place, NULL}, NULL);
        }
}

/**
 * nfs_export_flush() - have the kernel's server forget what it knows of exports
 *
 * It does so with each change, but looks for what that leaves behind at once only if it did not do so within
 * the same second, or in the seconds that it is ahead by then; else half a minute later. Until then it has
 * snapshots open that are exported no more.
 */
void nfs_export_flush(void) {
        (void) run((const char *const[]){"exportfs", "-f", NULL}, NULL);
}
