/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The crew: one small thread per volume, made before anything is held, in the hold and in its guard.
 *
 * A volume's device may not answer, and then the call that asked it stands still beyond any signal. With a
 * thread per volume nobody else waits for it: the others are let go in time, and the stuck one undoes its
 * own volume when its call comes back and finds the set given up.
 */

#include "daemon/hold/hold-volume.h"

typedef struct Crew Crew;

int crew_new(Crew **ret, HoldSet *set, int wake_fd);
void crew_post(Crew *crew, uint32_t volume, VolumeJob job);
int crew_wait(Crew *crew, Failure *failure);
void crew_let_go(Crew *crew);
bool crew_is_idle(Crew *crew, uint32_t *ret_busy_volume);
bool crew_has_let_go(Crew *crew, Failure *failure);
