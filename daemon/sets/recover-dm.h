/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Recovery's part that is about provider dm: for recover.c alone. */

#include "daemon/providers/mapped.h"
#include "daemon/sets/sets-internal.h"

typedef struct RecoverDm {
        Sets *sets;
        MappedSnapshot *snapshots;
        bool *goes; /* likewise many */
        size_t n_snapshots, next;
} RecoverDm;

int recover_dm_find(RecoverDm *recovery, Sets *sets);
void recover_dm_done(RecoverDm *recovery);
bool recover_dm_is_finished(const RecoverDm *recovery, const char *set_id);
int recover_dm_look(RecoverDm *recovery, bool (*is_kept)(const char *set_id, void *userdata),
                    void *userdata);
bool recover_dm_remove_next(RecoverDm *recovery, MappedRemoved removed, void *userdata);
