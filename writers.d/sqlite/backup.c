/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The databases of one backup; see backup.h. */

#include "writers.d/sqlite/backup.h"

#include "util/error.h"

#define RETRY_USEC    (5 * USEC_PER_MSEC)
#define METADATA_SIZE 512u

typedef struct Backup Backup;

/* What is tried until it works: database_checkpoint() or database_lock(). */
typedef int (*Attempt)(Database *database);

struct Backup {
        Backup *next;
        Backups *backups;
        char *session;
        Databases databases; /* those of this backup alone */
        QuiesceWriterEvent *waiting;
        Attempt attempt;
        uint64_t until_usec; /* CLOCK_BOOTTIME */
        sd_event_source *timer;
};

struct Backups {
        sd_event *event;
        const SqliteConfig *config;
        Backup *first;
};

/**
 * backups_new() - no backup yet
 * @ret:        it
 * @event:      loop
 * @config:     outlives it
 *
 * Return: 0, or -ENOMEM.
 */
int backups_new(Backups **ret, sd_event *event, const SqliteConfig *config) {
        Backups *backups = calloc(1, sizeof(*backups));

        if (!backups)
                return error_origin(-ENOMEM);
        backups->event = sd_event_ref(event);
        backups->config = config;
        *ret = backups;
        return 0;
}

/* Who waits for it is answered by nobody else. */
static Backup *backup_free(Backup *backup) {
        QuiesceWriterEvent *waiting = backup->waiting;

        for (Backup **b = &backup->backups->first; *b; b = &(*b)->next)
                if (*b == backup) {
                        *b = backup->next;
                        break;
                }
        sd_event_source_disable_unref(backup->timer);
        databases_done(&backup->databases);
        free(backup->session);
        free(backup);
        if (waiting)
                quiesce_writer_event_answer(waiting,
                                            quiesce_writer_event_fail(waiting, QUIESCE_FAILURE_RETRYABLE,
                                                                      "the backup was aborted"));
        return NULL;
}

/**
 * backups_free() - let all go
 * @backups:    it or NULL
 *
 * Return: NULL.
 */
Backups *backups_free(Backups *backups) {
        if (!backups)
                return NULL;
        while (backups->first)
                (void) backup_free(backups->first);
        sd_event_unref(backups->event);
        free(backups);
        return NULL;
}

static Backup *backup_find(const Backups *backups, const QuiesceWriterEvent *event) {
        const char *session = quiesce_writer_event_get_session(event);

        for (Backup *b = backups->first; b; b = b->next)
                if (streq(b->session, session))
                        return b;
        return NULL;
}

/**
 * backups_forget() - the session ends, or is given up
 * @backups:    all
 * @event:      of the session
 */
void backups_forget(Backups *backups, const QuiesceWriterEvent *event) {
        Backup *backup = backup_find(backups, event);

        if (backup)
                (void) backup_free(backup);
}

static int backup_new(Backups *backups, Backup **ret, const QuiesceWriterEvent *event) {
        Backup *backup = calloc(1, sizeof(*backup));

        if (!backup)
                return error_origin(-ENOMEM);
        backup->backups = backups;
        backup->next = backups->first;
        backups->first = backup;
        backup->session = strdup(quiesce_writer_event_get_session(event));
        if (!backup->session) {
                (void) backup_free(backup);
                return error_origin(-ENOMEM);
        }
        *ret = backup;
        return 0;
}

/* ── Which databases ── */

static bool is_chosen(const QuiesceWriterEvent *event, const Database *database) {
        QuiesceSelection selected = {.size = sizeof(selected)};

        for (size_t i = 0; quiesce_writer_event_get_component(event, i, &selected) == 0; i++)
                if (streq(selected.logical_path, database->logical_path) &&
                    streq(selected.name, database->name))
                        return true;
        return false;
}

/* What was chosen and is there no more is missing in the set as much as what lies elsewhere. */
static int check_chosen(QuiesceWriterEvent *event, const Databases *databases) {
        QuiesceSelection selected = {.size = sizeof(selected)};

        for (size_t i = 0; quiesce_writer_event_get_component(event, i, &selected) == 0; i++)
                if (!databases_get(databases, selected.logical_path, selected.name))
                        return quiesce_writer_event_fail(event, QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT,
                                                         "/%s/%s is no database any more",
                                                         selected.logical_path, selected.name);
        return 0;
}

/* Its file and those that SQLite has beside it. Return: 0 if all are in the set; 1 if its file is not and
 * that is fine; what the callback returns if the event has failed. */
static int check_affected(QuiesceWriterEvent *event, const Database *database) {
        static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
        bool must = quiesce_writer_event_is_component_mode(event);

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                _cleanup_free_ char *path = NULL;
                const char *mount_point = NULL;
                int r;

                if (asprintf(&path, "%s%s", database->path, suffixes[i]) < 0)
                        return error_origin(-ENOMEM);
                r = quiesce_writer_event_is_path_affected(event, path, &mount_point);
                if (r < 0)
                        return quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                         "it cannot be found out where %s is: %s", path,
                                                         strerror(-r));
                if (r == 0 && i == 0 && !must)
                        return 1;
                if (r == 0)
                        return quiesce_writer_event_fail(event, QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT,
                                                         "the set lacks %s, where %s is; add it",
                                                         mount_point, path);
        }
        return 0;
}

static int problem_found(const Backups *backups, QuiesceWriterEvent *event, const char *problem) {
        if (backups->config->unreadable_fails)
                return quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE, "%s", problem);
        return quiesce_writer_event_warn(event, "left as it is: %s", problem);
}

/* Return: 0: it takes part, and is open; 1: it does not; else the event has failed. */
static int database_take(const Backups *backups, QuiesceWriterEvent *event, Database *database) {
        int r;

        if (quiesce_writer_event_is_component_mode(event) && !is_chosen(event, database))
                return 1;
        r = check_affected(event, database);
        if (r != 0)
                return r;
        if (!database->problem) {
                r = database_open(database);
                if (r == 0 && backups->config->checkpoint != CHECKPOINT_NONE)
                        r = database_checkpoint(database, false);
                if (r < 0)
                        return error_trace(r);
        }
        if (!database->problem)
                return 0;
        r = problem_found(backups, event, database->problem);
        return r < 0 ? r : 1;
}

/* Keeps those that take part. */
static int databases_take(Backup *backup, QuiesceWriterEvent *event) {
        Databases *databases = &backup->databases;
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; i < databases->n_items; i++) {
                if (r >= 0)
                        r = database_take(backup->backups, event, &databases->items[i]);
                if (r == 0)
                        databases->items[n++] = databases->items[i];
                else
                        database_done(&databases->items[i]);
        }
        databases->n_items = n;
        return r < 0 ? r : 0;
}

/* ── Trying until it works ── */

/* Return: the first that is busy; NULL: none; failed: the event's database that can never be. */
static const Database *attempt_all(Backup *backup, Database **failed) {
        const Database *busy = NULL;

        *failed = NULL;
        for (size_t i = 0; i < backup->databases.n_items; i++) {
                Database *database = &backup->databases.items[i];
                int r;

                if (database->settled)
                        continue;
                r = backup->attempt(database);
                if (r == DATABASE_BUSY) {
                        busy = busy ? busy : database;
                        continue;
                }
                if (r != 0) {
                        *failed = database;
                        return NULL;
                }
                database->settled = true;
        }
        return busy;
}

static void unlock_all(Backup *backup) {
        for (size_t i = 0; i < backup->databases.n_items; i++)
                (void) database_unlock(&backup->databases.items[i]);
}

static int attempt_lock(Database *database) {
        return database_lock(database);
}

static int attempt_truncate(Database *database) {
        return database_checkpoint(database, true);
}

/* What is still to be tried when the time is over is no failure of a checkpoint: it was done as far as could
 * be, and a longer log is all that comes of it. */
static int attempt_over(Backup *backup, QuiesceWriterEvent *event, const Database *busy,
                        const Database *failed) {
        size_t n_busy = 0;

        if (failed) {
                unlock_all(backup);
                return quiesce_writer_event_fail(event, QUIESCE_FAILURE_RETRYABLE, "%s",
                                                 failed->problem ? failed->problem : "out of memory");
        }
        if (!busy || backup->attempt != attempt_lock)
                return 0;
        for (size_t i = 0; i < backup->databases.n_items; i++)
                n_busy += !backup->databases.items[i].settled;
        unlock_all(backup);
        return quiesce_writer_event_fail(event, QUIESCE_FAILURE_TIMEOUT,
                                         "%s is being written by another process, whose transaction did not "
                                         "end in time (%zu of %zu databases)",
                                         busy->path, n_busy, backup->databases.n_items);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Backup *backup = userdata;
        QuiesceWriterEvent *event = backup->waiting;
        const Database *busy;
        Database *failed;
        uint64_t now;
        int r;

        busy = attempt_all(backup, &failed);
        r = sd_event_now(backup->backups->event, CLOCK_BOOTTIME, &now);
        if (busy && r >= 0 && now < backup->until_usec) {
                r = sd_event_source_set_time(source, now + RETRY_USEC);
                if (r >= 0)
                        r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
                if (r >= 0)
                        return 0;
        }
        backup->timer = sd_event_source_disable_unref(backup->timer);
        backup->waiting = NULL;
        quiesce_writer_event_answer(event, attempt_over(backup, event, busy, failed));
        return 0;
}

/* Return: what the callback does. */
static int attempt_begin(Backup *backup, QuiesceWriterEvent *event, Attempt attempt, uint64_t limit_usec) {
        uint64_t half = quiesce_writer_event_get_limit_usec(event) / 2;
        int r;

        for (size_t i = 0; i < backup->databases.n_items; i++)
                backup->databases.items[i].settled = false;
        backup->attempt = attempt;
        r = sd_event_now(backup->backups->event, CLOCK_BOOTTIME, &backup->until_usec);
        if (r >= 0)
                r = sd_event_add_time(backup->backups->event, &backup->timer, CLOCK_BOOTTIME,
                                      backup->until_usec, 1, on_retry, backup);
        if (r < 0)
                return error_trace(r);
        backup->until_usec += limit_usec < half ? limit_usec : half;
        backup->waiting = event;
        return QUIESCE_WRITER_PENDING;
}

/* ── Events ── */

/**
 * backups_prepare() - PrepareForSnapshot: find, judge, open and checkpoint the databases
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_prepare(Backups *backups, QuiesceWriterEvent *event) {
        Backup *backup = NULL;
        int r;

        backups_forget(backups, event);
        r = backup_new(backups, &backup, event);
        if (r < 0)
                return error_trace(r);
        r = databases_find(&backup->databases, backups->config);
        if (r == -E2BIG)
                (void) quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                 "there are more than %u databases", DATABASES_MAX);
        if (r == 0 && quiesce_writer_event_is_component_mode(event))
                r = check_chosen(event, &backup->databases);
        if (r == 0 && backup->databases.problem)
                r = problem_found(backups, event, backup->databases.problem);
        if (r == 0)
                r = databases_take(backup, event);
        if (r < 0) {
                (void) backup_free(backup);
                return r;
        }
        if (backups->config->checkpoint != CHECKPOINT_TRUNCATE || backup->databases.n_items == 0)
                return 0;
        return attempt_begin(backup, event, attempt_truncate, backups->config->checkpoint_usec);
}

/**
 * backups_freeze() - Freeze: keep all others from writing to the databases
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_freeze(Backups *backups, QuiesceWriterEvent *event) {
        Backup *backup = backup_find(backups, event);

        if (!backup)
                return quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                 "Freeze came without PrepareForSnapshot");
        if (backup->databases.n_items == 0)
                return 0;
        return attempt_begin(backup, event, attempt_lock, backups->config->lock_usec);
}

/**
 * backups_thaw() - Thaw: let them write again
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_thaw(Backups *backups, QuiesceWriterEvent *event) {
        Backup *backup = backup_find(backups, event);
        const Database *lost = NULL;

        for (size_t i = 0; backup && i < backup->databases.n_items; i++)
                if (database_unlock(&backup->databases.items[i]) != 0 && !lost)
                        lost = &backup->databases.items[i];
        return lost ? quiesce_writer_event_fail(event, QUIESCE_FAILURE_RETRYABLE, "%s",
                                                lost->problem ? lost->problem : "out of memory")
                    : 0;
}

static int note_database(QuiesceWriterEvent *event, const Database *database) {
        const DatabaseFacts *facts = &database->facts;
        char text[METADATA_SIZE];

        (void) snprintf(text, sizeof(text),
                        "journal-mode=%s\npage-size=%u\npage-count=%u\nchange-counter=%u\n"
                        "written-by=%u.%u.%u\nread-by=%s\nlocked=%s\n",
                        facts->wal ? "wal" : "rollback", facts->page_size, facts->page_count,
                        facts->change_counter, facts->written_by / 1000000, facts->written_by / 1000 % 1000,
                        facts->written_by % 1000, sqlite3_libversion(), database->idle ? "idle" : "yes");
        return quiesce_writer_event_set_backup_metadata(event, database->logical_path, database->name, text);
}

/**
 * backups_note() - PostSnapshot: say what a restore will have to know, and let the databases go
 * @backups:    all
 * @event:      the event
 *
 * Return: the callback's.
 */
int backups_note(Backups *backups, QuiesceWriterEvent *event) {
        Backup *backup = backup_find(backups, event);
        int r = 0;

        for (size_t i = 0; backup && i < backup->databases.n_items && r >= 0; i++)
                if (is_chosen(event, &backup->databases.items[i]))
                        r = note_database(event, &backup->databases.items[i]);
        backups_forget(backups, event);
        return r;
}
