/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The databases of one backup, from PrepareForSnapshot to PostSnapshot or Abort, whichever is first.
 *
 * All databases are tried in turn and tried again from the event loop until all are done or the time is
 * over: no call waits, so that an Abort or a passed window is seen at once.
 */

#include "quiesce/writer.h"
#include "writers.d/sqlite/find.h"

typedef struct Backups Backups;

int backups_new(Backups **ret, sd_event *event, const SqliteConfig *config);
Backups *backups_free(Backups *backups);
DEFINE_CLEANUP(Backups *, backups_free)

/* Each returns what the callback of that event does. */
int backups_prepare(Backups *backups, QuiesceWriterEvent *event);
int backups_freeze(Backups *backups, QuiesceWriterEvent *event);
int backups_thaw(Backups *backups, QuiesceWriterEvent *event);
int backups_note(Backups *backups, QuiesceWriterEvent *event);
/* Lets all go that is held for this session; nothing there is good. */
void backups_forget(Backups *backups, const QuiesceWriterEvent *event);
