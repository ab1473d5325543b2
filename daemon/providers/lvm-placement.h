/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* On which physical volumes the stores of thick snapshots are made: StoreOn= of quiesced.conf(5). */

#include "util/macro.h"

#define LVM_PLACEMENT_DEVICES_MAX 16u /* of one volume group */
#define LVM_PLACEMENT_DEVICE_MAX  256u

/* One volume group's. */
typedef struct LvmPlacement {
        char *group;
        char **devices; /* NULL-terminated */
} LvmPlacement;

typedef struct LvmPlacements {
        LvmPlacement *items;
        size_t n_items;
} LvmPlacements;

bool lvm_device_name_is_valid(const char *name);
int lvm_placements_add(LvmPlacements *placements, const char *text);
const char *const *lvm_placements_find(const LvmPlacements *placements, const char *group);
const char *const *lvm_placements_match(const LvmPlacements *placements, const char *name);
void lvm_placements_done(LvmPlacements *placements);
