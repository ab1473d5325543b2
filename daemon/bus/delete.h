/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Deleting snapshots from outside a session: Manager.DeleteSnapshots, SnapshotSet.Delete, Snapshot.Delete.
 *
 * The owner of the session may. Other processes of its user need the authorisation to back up, everybody
 * else that to administer. While the session lives, the contract decides whether it may be done now; a set
 * whose session is over is deleted at once. What is locked, mounted or in use is deleted only by force
 * (option "force").
 */

#include "daemon/bus/call.h"
#include "daemon/bus/kept-call.h"

/* m: stands at the options. counts: the answer is "us"; otherwise it is empty. */
int delete_snapshots(Manager *manager, sd_bus_message *m, const char *id, bool counts, sd_bus_error *reterr);
/* A set whose session is over, whoever wants it deleted; all deletions of such go through this. */
typedef void (*SetDeleted)(const StepResult *result, void *userdata);
typedef struct SetDeletion {
        Manager *manager;
        const char *reason; /* a word for SnapshotRemoved; static */
        SetDeleted done;
        void *userdata;
} SetDeletion;
int set_deletion_begin(SetDeletion *deletion, const char *set_id, const char *snapshot);

/* Likewise for reading: OpenTree and the like. The call is taken over with TAKE_PTR, or left. */
typedef void (*SnapshotAllowed)(Manager *manager, KeptCall **call, const char *snapshot_id);
int snapshot_check_access(sd_bus_message *m, const PublishedSet *set, const char *snapshot_id,
                          SnapshotAllowed allowed, sd_bus_error *reterr);
