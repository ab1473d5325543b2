/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What backup.c and identify.c share: one session's crew, and the event that waits for it. */

#include "writers.d/server/backup.h"
#include "writers.d/server/crew.h"
#include "writers.d/server/known.h"

#define LOOK_USEC (15 * USEC_PER_SEC) /* how long connecting and asking should take */

typedef struct Backup Backup;
struct Backup {
        Backup *next;
        Backups *backups;
        char *session; /* "": an Identify */
        Crew *crew;
        QuiesceWriterEvent *waiting;
        uint64_t until_usec; /* the end of half the event's limit */
        char warning[REPORT_TEXT_MAX];
        bool ending; /* everybody is letting go */
};

struct Backups {
        sd_event *event;
        const Engine *engine;
        const ServerConfig *config;
        Backup *first;
        Known known;
        char *remembered; /* the file in which it stays; NULL: nowhere */
};

int backup_new(Backups *backups, Backup **ret, const QuiesceWriterEvent *event);
Backup *backup_free(Backup *backup);
/* Has all do a step, and the event wait for it. Returns what the callback does. */
int backup_begin(Backup *backup, QuiesceWriterEvent *event, ServerStep step, uint64_t wish_usec,
                 CrewDone done);
/* Answers the event that waits. */
void backup_answer(Backup *backup, int r);
/* All that discovery finds, or what the requester chose of it. */
int backup_add_instances(Backup *backup, QuiesceWriterEvent *event);
/* What a step told of a server that has failed, or NULL: it has not. */
const char *server_failure(const Server *server, QuiesceFailure *ret);
bool is_chosen(const QuiesceWriterEvent *event, const char *name);
