/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who was in the way of a lock. */

#include "writers.d/mariadb/client.h"

#define BLOCKERS_TEXT_MAX 256u

/* Right after the server has given up, having been asked for a lock waited_usec before: " by …" or "". Never
 * what a statement says: there are secrets in them. */
void blockers_tell(Server *server, uint64_t waited_usec, char text[static BLOCKERS_TEXT_MAX]);
