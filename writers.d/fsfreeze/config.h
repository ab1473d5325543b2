/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What fsfreeze.conf says: what is done about a file system that knows no freezing. */

#include <stdbool.h>

typedef struct FsfreezeConfig {
        bool refuse; /* a set that has such a file system is refused, else it is named and skipped */
} FsfreezeConfig;

/* -EINVAL: a line that is not understood; it has been told of on stderr. A file that is not there is empty.
 */
int fsfreeze_config_load(FsfreezeConfig *ret, const char *path);
