/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For log.c: whether a line of a source file is to be logged. */

#include <stdbool.h>

bool log_is_wanted(const char *place, int priority);
