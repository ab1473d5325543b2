/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is done to one volume: the jobs that the hold's and the guard's small threads carry out. Each may
 * block for as long as the volume's device does, and none waits for another volume.
 *
 * Outcomes are plain negative errnos (nothing may be printed while writes are held); `failure` gets the
 * words.
 */

#include "daemon/hold/hold-set.h"

typedef enum VolumeJob {
        VOLUME_NOTHING = 0,
        VOLUME_STAGE,            /* COW: park the snapshot, clear its store, load its table anew, inactive */
        VOLUME_SYNC,             /* syncfs of its mounts */
        VOLUME_SUSPEND_SNAPSHOT, /* COW: so that the commit is flat */
        VOLUME_SUSPEND,          /* the origin: from here its writes are held */
        VOLUME_RESUME,           /* the origin */
        VOLUME_THAW,             /* what the fsfreeze writer froze of it and did not thaw */
        VOLUME_LET_GO,           /* undo all of this, whatever of it was done */
} VolumeJob;

/* A failpoint of one volume, see util/failpoint.h. Return: 0, or a negative errno with words. */
int volume_failpoint(HoldSet *set, uint32_t volume, const char *place, Failure *failure);
int volume_do(HoldSet *set, uint32_t volume, VolumeJob job, DmBuffer *buffer, Failure *failure);
int volume_check_staged(HoldSet *set, uint32_t volume, bool suspended, DmBuffer *buffer, Failure *failure);
int volume_check_origin(HoldSet *set, uint32_t volume, bool suspended, DmBuffer *buffer, Failure *failure);
int volume_commit(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure);
