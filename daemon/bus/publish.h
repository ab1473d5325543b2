/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which snapshot sets are on the bus: those that SET_CREATED reported and those that recovery found. An
 * object appears when its set is real and not before, and leaves when the snapshot is really gone.
 */

#include "daemon/bus/bus.h"

typedef struct PublishedSnapshot {
        PublishedSet *set;
        char id[CONTRACT_ID_MAX];
        char *path;
        char *provider;
        uint64_t size;
        char shown_state[16];
} PublishedSnapshot;

struct PublishedSet {
        PublishedSet *next;
        Manager *manager;
        char id[CONTRACT_ID_MAX], session_id[CONTRACT_ID_MAX];
        char *path;
        uint32_t owner_uid;
        bool persistent;
        ContractConsistency consistency;
        uint64_t created_usec, hold_usec, freeze_usec;
        uint32_t n_made; /* snapshots, when it was made; 0: not known */
        PublishedSnapshot *snapshots;
        size_t n_snapshots;
};

void published_add(Manager *manager, SnapshotSet *set);
void published_remove(Manager *manager, const char *set_id, const char *reason);
void published_remove_snapshot(Manager *manager, const char *snapshot_id, const char *reason);
void published_refresh(Manager *manager, const char *reason);
PublishedSet *published_free_all(PublishedSet *sets);
PublishedSet *published_find(Manager *manager, const char *set_id);
PublishedSnapshot *published_find_snapshot(Manager *manager, const char *snapshot_id);
bool published_get_info(const PublishedSnapshot *snapshot, SnapshotSet **ret_set, SnapshotInfo *ret);
