/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a set needs besides its volumes: LVM's locks, memory that cannot be paged out, expedited RCU.
 */

#include "daemon/hold/hold-set.h"

/* What ended a wait for locks early. */
enum {
        _RESOURCES_E_SUCCESS,
        RESOURCES_E_BUSY,        /* lock_limit_usec has passed */
        RESOURCES_E_INTERRUPTED, /* something came on the connection */
};

int resources_lock_groups(HoldSet *set, int connection_fd, Failure *failure);
void resources_unlock_groups(HoldSet *set);
int resources_lock_memory(void);
int resources_open(HoldSet *set, Failure *failure);
void resources_expedite(HoldSet *set);
void resources_relax(HoldSet *set);
