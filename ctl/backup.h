/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A backup session as the verbs run, begin and create lead it: step by step, telling what is done, ended by
 * a signal at any point.
 *
 * Functions return 0, CTL_E_SAID, or a negative errno. After any failure, and at the end, backup_done()
 * leaves nothing behind: what is not released by a call is released by the end of the bus connection.
 */

#include <systemd/sd-event.h>

#include "ctl/ctl.h"
#include "ctl/dict.h"
#include "ctl/plan.h"
#include "ctl/progress.h"
#include "quiesce/requester.h"

typedef struct BackupOptions {
        const char *host;
        const char *context; /* NULL: the default, "backup" */
        const char *type;    /* "full", "copy" */
        bool without_writers;
        bool wait;
        bool quiet;
        bool elsewhere; /* the command sees snapshots below a directory, and all else live */
        uint64_t cow_size;
        const char *provider;
        const char *const *store_on; /* NULL-terminated, or NULL */
        bool applications_only; /* whoever called holds the file systems still: no writer at level system */
        const char *const *ignore_writers;  /* NULL-terminated, or NULL */
        const char *name, *note;            /* of the set, or NULL */
        const char *const *labels;          /* NULL-terminated, or NULL */
        const char *const *exclude_writers; /* they take no part at all; NULL-terminated, or NULL */
        bool scripted; /* what can be done about a failure is said in a script's words */
} BackupOptions;

typedef struct Backup {
        const BackupOptions *options;
        sd_event *event;
        sd_bus *bus;
        QuiesceBackup *session;
        sd_bus_message *writers; /* what GatherWriterMetadata answered; NULL: no writer was asked */
        QuiesceSnapshotSet *set;
        char **snapshots; /* ids, NULL-terminated */
        size_t n_snapshots;
        Progress progress;
        int signal;        /* the first that asked us to end; 0: none */
        bool ending;       /* the session is being ended: a further signal ends us at once */
        bool lost;         /* quiesced, or the bus, has gone since the session was opened */
        bool disconnected; /* it was the bus: there is nobody to tell of the session's end */
        int moment_fd;     /* of a snapshot that is taken here, see moment.h; 0: none */
        uint64_t moment_limit_usec;
        /* Instead of giving up. from_terminal: all of our process group got it. */
        void (*signalled)(int signal, bool from_terminal, void *userdata);
        void *userdata;
} Backup;

int backup_init(Backup *backup, const BackupOptions *options);
int backup_begin(Backup *backup);
int backup_add(Backup *backup, const QuiesceVolume *volume, char **ret_snapshot, sd_bus_error *error);
int backup_add_plan(Backup *backup, Plan *plan);
int backup_prepare(Backup *backup);
int backup_do_set(Backup *backup);
int backup_make_set(Backup *backup);
int backup_open_trees(Backup *backup, Plan *plan);
void backup_interrupt(Backup *backup, int number);
char *backup_find_lost_writer(Backup *backup);
int backup_complete(Backup *backup);
void backup_say_timeline(Backup *backup);
int backup_release(Backup *backup, bool abort);

/* The calls that end a session, without a word: what is to be said is in text then. */
#define BACKUP_TEXT_MAX 1024
int backup_try_complete(Backup *backup, char text[static BACKUP_TEXT_MAX]);
int backup_try_abort(Backup *backup, char text[static BACKUP_TEXT_MAX]);
int backup_try_release(Backup *backup, char text[static BACKUP_TEXT_MAX]);

/* backup-space.c */
int backup_watch_space(Backup *backup);
int backup_check_snapshots(Backup *backup, char text[static BACKUP_TEXT_MAX]);
void backup_lost_text(char text[static BACKUP_TEXT_MAX], const char *of, const char *name,
                      const char *reason);

int backup_wait(void *userdata);
void backup_done(Backup *backup);
