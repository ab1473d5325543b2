/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Commands of units that PID 1 makes for us: properties of StartTransientUnit, org.freedesktop.systemd1(5).
 *
 * Arguments reach the program as they are given, "$" included, and the unit keeps them over a daemon-reload.
 */

#include <systemd/sd-bus.h>

int transient_exec_append(sd_bus_message *m, const char *property, const char *program,
                          const char *const *arguments);
