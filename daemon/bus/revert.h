/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What an administrator makes of a persistent set for good: SnapshotSet.Break and SnapshotSet.Revert. Who
 * made the set may not by that alone: a revert takes what everybody has written since.
 */

#include "daemon/bus/bus.h"

int method_break(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_revert(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
