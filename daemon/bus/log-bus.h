/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Levels of the log, asked for and set on the bus. */

#include "daemon/bus/bus.h"

int log_bus_register(Manager *manager);
int log_bus_method_set_level(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int log_bus_property_levels(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *reterr);
