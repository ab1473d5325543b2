/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The transient unit of a writer that brings none of its own: what it runs, as whom, and its sandbox. */

#include <systemd/sd-bus.h>

#include "daemon/writers/descriptor.h"

int unit_properties_append(sd_bus_message *m, const Descriptor *descriptor, const char *socket_path);
