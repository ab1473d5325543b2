/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All instances there are now: those of the configuration, and those whose sockets are found. */

#include "writers.d/server/config.h"

typedef struct Discovery {
        Instances instances;
        char *problem; /* a socket that had to be left alone, for people; NULL: none */
} Discovery;

int discover(Discovery *ret, const ServerConfig *config, const Engine *engine);
void discovery_done(Discovery *discovery);
/* Nobody listens: the server that made the socket is gone. */
bool socket_is_dead(const char *path);
