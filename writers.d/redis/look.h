/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a server consists of: its version, where its files are, its databases. */

#include "writers.d/redis/client.h"

/* The engine's look(). */
int look(Server *server, Facts *facts, Report *report);
