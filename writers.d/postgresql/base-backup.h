/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Mode=base-backup: a cluster between pg_backup_start and pg_backup_stop, whose snapshot gets the label that
 * the latter returns.
 *
 * Why: with it and an archive of the write-ahead log a snapshot is restored to any later point in time, and
 * the log's own volume need not be in the set.
 */

#include "writers.d/postgresql/cluster.h"

#define BASE_BACKUP "base-backup" /* the word of Mode= */

bool base_backup_is_wanted(const Server *server);
/* PrepareForSnapshot. The server forgets the backup if the connection ends before base_backup_end(). */
int base_backup_begin(Server *server, Report *report);
/* PostSnapshot: writes backup_label and tablespace_map into the snapshot, notes which log is needed. */
int base_backup_end(Server *server, Report *report);
/* Engine.folder_in_snapshot: the data directory. */
const char *base_backup_folder(Server *server);
