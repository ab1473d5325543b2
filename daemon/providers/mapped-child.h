/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What provider dm does to devices: jobs, each a forked child's, because it may wait for a disk or for udev.
 * A job answers by its exit status, a ContractError, and says why on stderr.
 */

#include "daemon/providers/lvm-placement.h"
#include "daemon/providers/mapped-device.h"
#include "daemon/providers/mapped-names.h"
#include "daemon/volumes/volumes.h"

#define MAPPED_STORES_MAX 16u /* that one volume may take in turn */

/* BEGIN_PREPARE: can it be an origin, and which store. On stdout: "MAJOR:MINOR BYTES ROOM". */
typedef struct MappedLook {
        const Volume *origin;
        bool for_set;                           /* not only a question */
        uint64_t wished_size;                   /* bytes, or 0 */
        unsigned percent;                       /* of the origin: the least without a wish */
        bool allow_plaintext;                   /* stores of encrypted origins */
        const char *const *names;               /* of stores, NULL-terminated; NULL: */
        const LvmPlacements *stores;            /* what is configured when the job starts; or NULL */
        const struct MappedData *const *takers; /* the first volume that has a store, when the job starts */
} MappedLook;

/* END_PREPARE: all three devices, and the origin's other table. */
typedef struct MappedMake {
        MappedIds ids;
        const char *lock_path; /* of the hold's lock: one that lives is waited for */
        const char *origin_uuid, *origin_name;
        dev_t store;
        uint64_t store_size; /* bytes */
} MappedMake;

/* ABORT, DELETE, recovery: whatever there is. */
typedef struct MappedRemoval {
        MappedIds ids;
        const char *lock_path;
        bool patiently; /* who looks into it is waited for, some seconds */
} MappedRemoval;

/* The final mark, on a row of snapshots. */
typedef struct MappedMarking {
        const MappedIds *ids;
        size_t n_ids;
        MappedMark mark;
} MappedMarking;

/* All of them child_fork()'s functions. */
int mapped_job_look(int socket_fd, void *look);
int mapped_job_make(int socket_fd, void *make);
int mapped_job_mark(int socket_fd, void *marking);
int mapped_job_remove(int socket_fd, void *removal);
