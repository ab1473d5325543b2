/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The instances of one backup, from PrepareForSnapshot to PostSnapshot or Abort, whichever is first; and
 * Identify, which is the first half of a PrepareForSnapshot with another answer.
 */

#include <systemd/sd-event.h>

#include "writers.d/server/config.h"

typedef struct Backups Backups;

int backups_new(Backups **ret, sd_event *event, const Engine *engine, const ServerConfig *config);
Backups *backups_free(Backups *backups);
/* A folder in which what instances say of themselves is kept for the next process, see remembered.h. */
int backups_remember(Backups *backups, const char *directory);
DEFINE_CLEANUP(Backups *, backups_free)

/* Each returns what the callback of that event does. */
int backups_identify(Backups *backups, QuiesceWriterEvent *event);
int backups_prepare(Backups *backups, QuiesceWriterEvent *event);
int backups_freeze(Backups *backups, QuiesceWriterEvent *event);
int backups_thaw(Backups *backups, QuiesceWriterEvent *event);
int backups_note(Backups *backups, QuiesceWriterEvent *event);
/* Abort and BackupShutdown, as often as they come. */
int backups_end(Backups *backups, QuiesceWriterEvent *event);
