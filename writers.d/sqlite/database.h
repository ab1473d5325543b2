/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One SQLite database: found, opened, checkpointed, locked against writers, let go.
 *
 * Nothing here opens the file by itself: closing any descriptor of a file drops all POSIX locks that the
 * process has on it, and SQLite's are such. All goes through SQLite, which knows. None of it waits for
 * another process: what is busy is said to be, and tried again by the caller.
 */

#include <sqlite3.h>

#include "util/macro.h"

typedef struct DatabaseFacts {
        bool wal; /* else a rollback journal */
        uint32_t page_size, page_count, change_counter;
        uint32_t written_by; /* SQLITE_VERSION_NUMBER of who wrote last */
} DatabaseFacts;

typedef struct Database {
        char *path;         /* the real one, as SQLite takes it */
        char *logical_path; /* of its component: the folder without its leading slash */
        const char *name;   /* likewise: the last word of path */
        char *problem;      /* why it cannot be opened, or NULL */
        DatabaseFacts facts;
        sqlite3 *connection;
        bool idle;    /* in WAL mode and nobody has it open: see database_open() */
        bool locked;  /* nobody else writes */
        bool settled; /* the caller's: nothing is left to try */
} Database;

enum {
        _DATABASE_SUCCESS,
        DATABASE_BUSY,   /* somebody else is in the way; try again */
        DATABASE_NONE,   /* what is there is no SQLite database */
        DATABASE_FAILED, /* problem says why */
};

int database_probe(Database *database, const char *path);
void database_done(Database *database);

int database_open(Database *database);
int database_checkpoint(Database *database, bool truncate);
int database_lock(Database *database);
int database_unlock(Database *database);
void database_close(Database *database);

/* Of a database that was put back: whether it is whole. */
int database_verify(Database *database);
