/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Manager.Prune: the rules for snapshot sets, applied now or only told. For administrators. */

#include "daemon/bus/bus.h"

int method_prune(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
