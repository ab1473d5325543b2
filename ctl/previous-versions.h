/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Snapshots of one volume as directories, named after their instant as Samba's shadow_copy2 wants it: what
 * Windows shows as "Previous Versions".
 *
 * What is there is looked at anew each time (quiesced's objects, the directory, the kernel's mount ids), and
 * made what it ought to be: nothing is remembered, so nothing can be out of date after a crash of anybody.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "ctl/nfs-export.h"
#include "util/macro.h"

#define VERSION_NAME_SIZE 32u

typedef struct PreviousVersions {
        sd_bus *bus;
        const char *volume;    /* as the user wrote it: a path on it, its device, or "vg/lv" */
        dev_t device;          /* of that path or device; 0: it is a name */
        const char *directory; /* likewise */
        char *path;            /* of that, without links; of --nfs */
        int directory_fd;
        NfsExport nfs;   /* to whom they are shown by NFS, too; may be nobody */
        char **exported; /* names of directories that are; what was before this process is done again */
        size_t n_exported;
        bool flush;  /* something was exported no more: nfs_export_flush() in a few seconds */
        char **said; /* ids of snapshots whose failure was told */
        size_t n_said;
} PreviousVersions;

/* In version-names.c. */
void version_name(char ret[static VERSION_NAME_SIZE], uint64_t instant_usec);
bool version_is_name(const char *name);

void previous_versions_done(PreviousVersions *versions);
int previous_versions_update(PreviousVersions *versions, bool none, size_t *ret_n);
