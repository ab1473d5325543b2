/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The methods of the manager that open a session. */

#include "daemon/bus/bus.h"

int method_open_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_open_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
