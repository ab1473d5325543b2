/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One SQLite database; see database.h. */

#include "writers.d/sqlite/database.h"

#include <sys/stat.h>

#include "util/error.h"

#define HEADER_SIZE 100
#define MAGIC       "SQLite format 3" /* and its NUL */

static int problem_set(Database *database, const char *what, const char *why) {
        free(database->problem);
        if (asprintf(&database->problem, "%s %s: %s", database->path, what, why) < 0) {
                database->problem = NULL;
                return error_origin(-ENOMEM);
        }
        return DATABASE_FAILED;
}

static int problem_of(Database *database, sqlite3 *connection, const char *what) {
        int code = connection ? sqlite3_extended_errcode(connection) : SQLITE_NOMEM;
        int system = connection ? sqlite3_system_errno(connection) : 0;

        return problem_set(database, what,
                           (code & 0xff) == SQLITE_CANTOPEN && system ? strerror(system)
                           : connection                               ? sqlite3_errmsg(connection)
                                                                      : "out of memory");
}

static uint32_t big_endian(const unsigned char *bytes) {
        return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8 | bytes[3];
}

/* The first bytes of the file (https://www.sqlite.org/fileformat2.html), without a lock and without a look
 * at its log. */
static int header_read(Database *database, sqlite3 *connection) {
        unsigned char header[HEADER_SIZE] = {};
        sqlite3_file *file = NULL;
        int code;

        code = sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
        if (code == SQLITE_OK && file && file->pMethods)
                code = file->pMethods->xRead(file, header, sizeof(header), 0);
        if (code == SQLITE_IOERR_SHORT_READ ||
            (code == SQLITE_OK && memcmp(header, MAGIC, sizeof(MAGIC)) != 0))
                return DATABASE_NONE;
        if (code != SQLITE_OK)
                return problem_set(database, "cannot be read", sqlite3_errstr(code));
        database->facts = (DatabaseFacts){
                .wal = header[18] == 2,
                .page_size = header[16] == 0 && header[17] == 1
                                     ? 65536
                                     : (uint32_t) header[16] << 8 | (uint32_t) header[17],
                .change_counter = big_endian(header + 24),
                .page_count = big_endian(header + 28),
                .written_by = big_endian(header + 96),
        };
        return 0;
}

/**
 * database_probe() - look whether a file is a database
 * @database:   filled in; database_done() it
 * @path:       its real path
 *
 * Return: 0; DATABASE_NONE; DATABASE_FAILED: it cannot be read, and so may be one; -ENOMEM.
 */
int database_probe(Database *database, const char *path) {
        sqlite3 *connection = NULL;
        const char *slash;
        int r;

        *database = (Database){.path = strdup(path)};
        if (!database->path)
                return error_origin(-ENOMEM);
        slash = strrchr(database->path, '/');
        database->name = slash + 1;
        database->logical_path = slash == database->path
                                         ? strdup("")
                                         : strndup(path + 1, (size_t) (slash - database->path - 1));
        if (!database->logical_path)
                return error_origin(-ENOMEM);
        if (sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY | SQLITE_OPEN_EXRESCODE, NULL) ==
            SQLITE_OK)
                r = header_read(database, connection);
        else
                r = problem_of(database, connection, "cannot be opened");
        (void) sqlite3_close(connection);
        return error_trace(r);
}

/**
 * database_done() - let it go and forget it
 * @database:   emptied
 */
void database_done(Database *database) {
        database_close(database);
        free(database->path);
        free(database->logical_path);
        free(database->problem);
        *database = (Database){};
}

/* Whether opening it would make a log or its index that belongs to us, and that those whose database it is
 * cannot open. */
static bool would_leave_files(const Database *database) {
        _cleanup_free_ char *log = NULL, *shared = NULL;
        struct stat st;

        if (!database->facts.wal || geteuid() == 0)
                return false;
        if (asprintf(&log, "%s-wal", database->path) < 0 || asprintf(&shared, "%s-shm", database->path) < 0)
                return true;
        return (access(log, F_OK) < 0 || access(shared, F_OK) < 0) &&
               (stat(database->path, &st) < 0 || st.st_uid != geteuid());
}

/**
 * database_open() - connect to it, for reading and writing
 * @database:   probed
 *
 * In WAL mode the first who opens a database makes its log, with his own user as the owner. If nobody has it
 * open and we are not its owner it is left alone and said to be idle: there is nobody to lock out, and its
 * file is whole as it is.
 *
 * Return: 0; DATABASE_FAILED; -ENOMEM.
 */
int database_open(Database *database) {
        int code;

        database->idle = would_leave_files(database);
        if (database->idle)
                return 0;
        code = sqlite3_open_v2(database->path, &database->connection,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
        if (code != SQLITE_OK)
                return error_trace(problem_of(database, database->connection, "cannot be opened"));
        if (sqlite3_db_readonly(database->connection, "main") == 1)
                return problem_set(database, "cannot be locked",
                                   "this writer's user may read it, but not write it");
        return 0;
}

static int run(Database *database, const char *sql, const char *what) {
        int code = sqlite3_exec(database->connection, sql, NULL, NULL, NULL) & 0xff;

        if (code == SQLITE_OK)
                return 0;
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
                return DATABASE_BUSY;
        return problem_of(database, database->connection, what);
}

/* The first column of the first row, as an integer. */
static int ask(Database *database, const char *sql, uint32_t *ret) {
        sqlite3_stmt *statement = NULL;
        int r = 0;

        if (sqlite3_prepare_v2(database->connection, sql, -1, &statement, NULL) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW)
                *ret = (uint32_t) sqlite3_column_int64(statement, 0);
        else
                r = problem_of(database, database->connection, "cannot be read");
        (void) sqlite3_finalize(statement);
        return r;
}

/**
 * database_checkpoint() - move what its log holds into its file
 * @database:   open
 * @truncate:   and empty the log, which readers may be in the way of; else as far as nobody is
 *
 * Return: 0, also if there is no log; DATABASE_BUSY; DATABASE_FAILED; -ENOMEM.
 */
int database_checkpoint(Database *database, bool truncate) {
        int code;

        if (database->idle)
                return 0;
        code = sqlite3_wal_checkpoint_v2(database->connection, "main",
                                         truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
                                         NULL, NULL);
        if (code == SQLITE_OK)
                return 0;
        if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED)
                return DATABASE_BUSY;
        return problem_of(database, database->connection, "cannot be checkpointed");
}

/* It is still the file that others open by that name. */
static int check_in_place(Database *database) {
        int moved = 0;

        (void) sqlite3_file_control(database->connection, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
        return moved ? problem_set(database, "was replaced by another file", "try again") : 0;
}

/**
 * database_lock() - keep all others from writing
 * @database:   open
 *
 * A write transaction without a write: in WAL mode it holds the log's write lock, else the RESERVED lock.
 * Both are POSIX locks, which go with the process. What a snapshot's restore has to know is noted.
 *
 * Return: 0; DATABASE_BUSY: somebody writes; DATABASE_FAILED; -ENOMEM.
 */
int database_lock(Database *database) {
        uint32_t page_count = 0;
        int r;

        if (database->idle || database->locked)
                return 0;
        r = run(database, "BEGIN IMMEDIATE", "cannot be locked");
        if (r != 0)
                return error_trace(r);
        database->locked = true;
        r = check_in_place(database);
        if (r == 0)
                r = header_read(database, database->connection);
        if (r == DATABASE_NONE)
                r = problem_set(database, "cannot be locked", "it is empty");
        if (r == 0)
                r = ask(database, "PRAGMA page_count", &page_count);
        if (r == 0)
                database->facts.page_count = page_count;
        else
                (void) database_unlock(database);
        return error_trace(r);
}

/**
 * database_unlock() - let others write again
 * @database:   in any state
 *
 * Return: 0; DATABASE_FAILED: it was not locked all the time.
 */
int database_unlock(Database *database) {
        bool held;

        if (!database->locked)
                return 0;
        database->locked = false;
        held = sqlite3_get_autocommit(database->connection) == 0;
        (void) sqlite3_exec(database->connection, "ROLLBACK", NULL, NULL, NULL);
        return held ? error_trace(check_in_place(database))
                    : problem_set(database, "was not locked all the time", "SQLite gave the lock up");
}

/**
 * database_close() - end the connection
 * @database:   in any state
 */
void database_close(Database *database) {
        (void) database_unlock(database);
        (void) sqlite3_close(database->connection);
        database->connection = NULL;
}

/**
 * database_verify() - whether a database that was put back is whole
 * @database:   open; what its log or journal holds is taken in
 *
 * Takes as long as reading all of it.
 *
 * Return: 0; DATABASE_BUSY; DATABASE_FAILED; -ENOMEM.
 */
int database_verify(Database *database) {
        sqlite3_stmt *statement = NULL;
        const char *said;
        int code, r = 0;

        code = sqlite3_prepare_v2(database->connection, "PRAGMA integrity_check(1)", -1, &statement, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_step(statement);
        if ((code & 0xff) == SQLITE_BUSY)
                r = DATABASE_BUSY;
        else if (code != SQLITE_ROW)
                r = problem_of(database, database->connection, "cannot be checked");
        else {
                said = (const char *) sqlite3_column_text(statement, 0);
                if (!said || !streq(said, "ok"))
                        r = problem_set(database, "is damaged", said ? said : "out of memory");
        }
        (void) sqlite3_finalize(statement);
        return error_trace(r);
}
