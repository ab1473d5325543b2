/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is owed to the application if we die, as a file in $RUNTIME_DIRECTORY. */

#include "writers.d/hook/session.h"

int notes_write(const Session *sessions);
/* The process that comes after ours: ExecStopPost= of the unit. */
int notes_rescue(void);
