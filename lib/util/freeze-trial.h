/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A trial: a file system is frozen and thawed at once, which is the only way to see whether somebody else
 * holds it frozen.
 *
 * Whoever is killed inside FIFREEZE leaves the file system frozen when the disk answers. So a note, a file
 * named after the mount, is there from before the freeze to after the thaw and locked by who tries: one that
 * nobody has locked any more tells that its writer died, and what he froze is thawed by the next trial or by
 * quiesced at its start.
 */

#include <stdint.h>

#define FREEZE_TRIAL_DIRECTORY "/run/quiesced"
#define FREEZE_TRIAL_PREFIX    "trial-" /* the mount's id follows, as statx() tells it */

/* Waits as long as it takes; not for an event loop. Return: 0; -EBUSY: somebody else holds it frozen;
 * -EOPNOTSUPP or -ENOTTY: it knows no freezing; or another negative errno. */
int freeze_trial(int fd);
/* What the note `name` in FREEZE_TRIAL_DIRECTORY says. Return: 1, with the mount's id: who wrote it is dead;
 * 0: it is none, or he lives. */
int freeze_trial_is_orphan(const char *name, uint64_t *ret_mount_id);
/* It is thawed. */
void freeze_trial_forget(uint64_t mount_id);
