/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ending a script with all that it has started, whichever way that has detached itself. */

#include <stdbool.h>
#include <sys/types.h>

int processes_adopt_orphans(void);
void processes_kill(pid_t script, const char *mark, bool (*is_script)(pid_t pid));
void processes_reap(bool (*is_script)(pid_t pid));
