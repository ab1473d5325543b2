/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What LOCK does to volumes: finding their devices, checking that they may be stamped, and staging them.
 *
 * Everything slow or fallible belongs here, before the first write is held. LVM's locks of all groups are
 * held meanwhile, so no LVM command can undo it.
 */

#include "daemon/hold/hold-set.h"

#define STAGE_CHUNK_SECTORS_MAX 65536u

int stage_find(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure);
int stage_check_pool(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure);
int stage_volume(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure);
int stage_delete_thin(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure);
