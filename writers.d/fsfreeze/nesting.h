/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which file system lies in a file of which other: the inner one must be frozen first. */

#include <stddef.h>
#include <sys/types.h>

#define NESTING_MAX 16u

/* The file systems in whose files this one lies, through loop devices and whatever is between. */
size_t nesting_find_outer(const char *sysfs, dev_t device, dev_t ret[static NESTING_MAX]);
