/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Manager.Register: a service on the system bus becomes a writer. */

#include "daemon/bus/bus.h"

int method_register(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
void registrations_free(Manager *manager);
void registrations_lost(Manager *manager);
