/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How a server's data come to the snapshot: the engine's prepare(), freeze() and thaw(). */

#include "writers.d/redis/client.h"

int hold_prepare(Server *server, Report *report);
int hold_freeze(Server *server, Report *report);
int hold_thaw(Server *server, Report *report);
/* The same, and forgets the server. */
void hold_close(Server *server);
