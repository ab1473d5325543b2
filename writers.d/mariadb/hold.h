/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How a server is held still: the engine's prepare(), freeze() and thaw(). */

#include "writers.d/mariadb/client.h"

int hold_prepare(Server *server, Report *report);
int hold_freeze(Server *server, Report *report);
int hold_thaw(Server *server, Report *report);
