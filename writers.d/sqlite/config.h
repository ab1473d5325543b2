/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What sqlite.conf says: which databases there are, and how they are treated. */

#include "util/macro.h"

typedef enum CheckpointMode {
        CHECKPOINT_NONE,
        CHECKPOINT_PASSIVE,
        CHECKPOINT_TRUNCATE,
} CheckpointMode;

typedef struct SqliteConfig {
        char **globs; /* of databases */
        size_t n_globs;
        char **excludes; /* of databases that are none of ours */
        size_t n_excludes;
        bool unreadable_fails; /* a database that cannot be opened: a veto, else a warning */
        CheckpointMode checkpoint;
        uint64_t checkpoint_usec; /* how long may be waited for readers */
        uint64_t lock_usec;       /* how long for other writers, all databases together */
} SqliteConfig;

/* -EINVAL: a line that is not understood; it has been told of on stderr. A file that is not there is empty.
 */
int sqlite_config_load(SqliteConfig *ret, const char *path);
void sqlite_config_done(SqliteConfig *config);
