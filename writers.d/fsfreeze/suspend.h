/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which file systems are better frozen by the suspend of the volume that they lie on than by FIFREEZE. */

#include <stdbool.h>

#include "quiesce/writer.h"

bool suspend_is_certain(const char *release);
bool suspend_freezes(const QuiesceFileSystem *file_system);
