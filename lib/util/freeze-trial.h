/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A trial: a file system is frozen and thawed at once, which is the only way to see whether somebody else
 * holds it frozen. And the freeze of a set.
 *
 * Whoever is killed inside FIFREEZE leaves the file system frozen when the disk answers. So a note, a file
 * named after the mount, is there from before the freeze to after the thaw, or to the end of the call if the
 * freeze is to stay, and locked by who freezes: one that nobody has locked any more tells that its writer
 * died, and what he froze is thawed by quiesced, which waits for his end (letting-go.h), by the next trial,
 * or by quiesced at its start.
 */

#include <stdint.h>

#define FREEZE_TRIAL_DIRECTORY "/run/quiesced"
#define FREEZE_TRIAL_PREFIX    "trial-" /* the mount's id follows, as statx() tells it */

/* Waits as long as it takes; not for an event loop. Return: 0; -EBUSY: somebody else holds it frozen;
 * -EOPNOTSUPP or -ENOTTY: it knows no freezing; or another negative errno. */
int freeze_trial(int fd);
/* FIFREEZE alone. Return: 0, or a negative errno. */
int freeze_noted(int fd);
/* What the note `name` in FREEZE_TRIAL_DIRECTORY says. Return: a descriptor, with the mount's id: who wrote
 * it is dead, and nobody else takes it as long as that is open; -EBUSY: he lives; -ENOENT: it is none. */
int freeze_note_take_orphan(const char *name, uint64_t *ret_mount_id);
/* It is thawed. */
void freeze_note_forget(uint64_t mount_id);
