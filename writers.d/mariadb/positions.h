/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the binary log and replication stand while the server is held. */

#include "writers.d/mariadb/client.h"

int positions_note(Server *server, Report *report);
