/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The record of a session, /run/quiesced/sessions/<id>.json: what quiesced owes if it dies (C32).
 *
 * It is written, atomically, before the first thing happens that is owed for: before PrepareForBackup is
 * sent to a writer (or PreRestore), before a set is reported. The next quiesced reads it, sends
 * BackupShutdown (or SessionClosed) to the writers named in it, and keeps the snapshots for an owner that
 * still lives. It lies in /run: after a reboot nothing of it is true any more. A record that cannot be read
 * is logged and removed.
 */

#include <sys/types.h>

#include "contract/types.h"
#include "util/macro.h"

typedef struct RecordWriter {
        char *name;
        ContractLevel level;
        bool prepared; /* it was sent PrepareForBackup, or PreRestore */
} RecordWriter;

typedef struct SessionRecord {
        char id[CONTRACT_ID_MAX];
        ContractKind kind;
        char *owner; /* unique name on the bus `bus` */
        char *bus;   /* the bus's GUID: after its restart names mean nothing */
        uid_t uid;
        uint64_t since_usec; /* CLOCK_REALTIME */
        ContractContext context;
        char set_id[CONTRACT_ID_MAX]; /* of a created set, or "" */
        bool completed;               /* BackupComplete was sent, or PostRestore has ended */
        bool aborted;                 /* AbortBackup was called before that */
        RecordWriter *writers;
        size_t n_writers;
        char *written; /* as last written, or NULL */
} SessionRecord;

void record_done(SessionRecord *record);
int record_set_writers(SessionRecord *record, size_t n_writers);
int record_write(SessionRecord *record, const char *runtime_dir);
void record_remove(SessionRecord *record, const char *runtime_dir);
/* Each record is given to `found`, which takes over what is in it. */
int record_parse(SessionRecord *record, const char *text, size_t n_text);
int records_read(const char *runtime_dir, void (*found)(SessionRecord *record, void *userdata),
                 void *userdata);
