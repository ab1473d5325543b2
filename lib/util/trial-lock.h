/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The lock between two who freeze file systems outside the freeze window and must not meet on one: a writer
 * that tries in PrepareForSnapshot whether somebody else holds it frozen, and an lvm command of ours that
 * suspends an origin. The trial would take LVM's freeze for a stranger's; LVM would fail on the trial's, or,
 * on newer kernels, freeze nothing any more from then on (kernel-notes, fact 1).
 */

#include <stdbool.h>

#define TRIAL_LOCK_PATH "/run/quiesced/trial.lock"

/* Not locked yet, and never waits. Return: a descriptor, close-on-exec; or a negative errno: there is no
 * such place, go on without. */
int trial_lock_open(void);

/* Waits as long as it takes; not for an event loop. The lock is that of all copies of the descriptor, also
 * of one that another process has, until the last is closed. Return: 0, or a negative errno. */
int trial_lock_wait(int fd, bool alone);

/* Both. Return: descriptor, or a negative errno. */
int trial_lock(bool alone);
