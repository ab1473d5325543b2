/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Manager.GetStorage: what snapshots take up, of volumes, volume groups and pools, and how fast it grows. */

#include "daemon/bus/bus.h"

int method_get_storage(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
