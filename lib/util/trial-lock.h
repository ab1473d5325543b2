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

/* Waits as long as it takes; not for an event loop. The descriptor is the lock, and is inherited by what is
 * executed if asked. Return: descriptor, or a negative errno: there is no such place, go on without. */
int trial_lock(bool alone, bool inherited);
