/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced-writer-sqlite: the writer that holds SQLite databases still, see quiesced-writer-sqlite(8).
 *
 * A writer like any other, on quiesce/writer.h. From Freeze to Thaw it holds a write transaction open in
 * each database, so that nobody else writes; readers go on. If quiesced or the connection to it ends
 * meanwhile, the library calls Abort; if this process dies, the kernel takes the locks away.
 */

#include "util/error.h"
#include "writers.d/server/program.h"
#include "writers.d/sqlite/backup.h"

typedef struct Program {
        sd_event *event;
        SqliteConfig config;
        Backups *backups;
} Program;

static int declare_files(QuiesceWriterEvent *event, const Database *database, const char *suffix) {
        _cleanup_free_ char *folder = NULL, *name = NULL;

        if (asprintf(&folder, "/%s", database->logical_path) < 0)
                return error_origin(-ENOMEM);
        if (asprintf(&name, "%s%s", database->name, suffix) < 0)
                return error_origin(-ENOMEM);
        return quiesce_writer_event_add_files(event, database->logical_path, database->name, folder, name,
                                              0);
}

static int declare(QuiesceWriterEvent *event, const Database *database) {
        static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
        const DatabaseFacts *facts = &database->facts;
        QuiesceComponent component = {.size = sizeof(component),
                                      .type = "database",
                                      .logical_path = database->logical_path,
                                      .name = database->name,
                                      .selectable = 1};
        char caption[256];
        int r;

        if (database->problem)
                (void) snprintf(caption, sizeof(caption), "SQLite; cannot be opened");
        else
                (void) snprintf(caption, sizeof(caption),
                                "SQLite, journal mode %s, written by SQLite %u.%u.%u",
                                facts->wal ? "wal" : "rollback", facts->written_by / 1000000,
                                facts->written_by / 1000 % 1000, facts->written_by % 1000);
        component.caption = caption;
        r = quiesce_writer_event_add_component(event, &component);
        for (size_t i = 0; i < ELEMENTSOF(suffixes) && r >= 0; i++)
                r = declare_files(event, database, suffixes[i]);
        return r;
}

static int on_identify(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        const Program *program = userdata;
        _cleanup_(databases_done) Databases databases = {};
        int r;

        r = quiesce_writer_event_set_description(event, "SQLite databases");
        if (r >= 0)
                r = quiesce_writer_event_set_restore_method(event, "stop-restore-start", 0);
        if (r >= 0)
                r = databases_find(&databases, &program->config);
        if (r == -E2BIG)
                return quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                 "there are more than %u databases", DATABASES_MAX);
        for (size_t i = 0; i < databases.n_items && r >= 0; i++) {
                r = declare(event, &databases.items[i]);
                if (r < 0) /* a path that is not UTF-8, above all */
                        r = quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                      "%s cannot be a component: %s; exclude it",
                                                      databases.items[i].path, strerror(-r));
                if (r >= 0 && databases.items[i].problem)
                        r = quiesce_writer_event_warn(event, "%s", databases.items[i].problem);
        }
        if (r >= 0 && databases.problem)
                r = quiesce_writer_event_warn(event, "%s", databases.problem);
        return r;
}

static int on_prepare(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_prepare(((Program *) userdata)->backups, event);
}

static int on_freeze(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_freeze(((Program *) userdata)->backups, event);
}

static int on_thaw(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_thaw(((Program *) userdata)->backups, event);
}

static int on_post_snapshot(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_note(((Program *) userdata)->backups, event);
}

/* Abort, as often as it comes, and BackupShutdown, which may be the only one. */
static int on_end(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        backups_forget(((Program *) userdata)->backups, event);
        return 0;
}

/* What was put back is opened, which takes in its log or journal, and read through. */
static int verify(QuiesceWriterEvent *event, const QuiesceSelection *selected) {
        _cleanup_(database_done) Database database = {};
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "/%s%s%s", selected->logical_path, selected->logical_path[0] ? "/" : "",
                     selected->name) < 0)
                return error_origin(-ENOMEM);
        r = database_probe(&database, path);
        if (r == 0)
                r = database_open(&database);
        if (r == 0 && database.idle)
                return quiesce_writer_event_warn(
                        event, "%s was not checked: this writer's user is not its owner", path);
        if (r == 0)
                r = database_verify(&database);
        if (r == 0 || r < 0)
                return r;
        return quiesce_writer_event_fail(
                event, r == DATABASE_BUSY ? QUIESCE_FAILURE_RETRYABLE : QUIESCE_FAILURE_NON_RETRYABLE,
                "%s%s", database.problem ? database.problem : path,
                r == DATABASE_BUSY   ? " is in use"
                : r == DATABASE_NONE ? " is no SQLite database"
                                     : "");
}

static int on_post_restore(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        QuiesceSelection selected = {.size = sizeof(selected)};
        int r = 0;

        for (size_t i = 0; r >= 0 && quiesce_writer_event_get_component(event, i, &selected) == 0; i++)
                if (!selected.file_restore_status || streq(selected.file_restore_status, "all"))
                        r = verify(event, &selected);
        return r;
}

static int serve(Program *program) {
        QuiesceWriterCallbacks callbacks = {
                .size = sizeof(callbacks),
                .identify = on_identify,
                .prepare_snapshot = on_prepare,
                .freeze = on_freeze,
                .thaw = on_thaw,
                .post_snapshot = on_post_snapshot,
                .abort = on_end,
                .backup_shutdown = on_end,
                .post_restore = on_post_restore,
        };
        _cleanup_(quiesce_writer_freep) QuiesceWriter *writer = NULL;
        int r;

        r = backups_new(&program->backups, program->event, &program->config);
        if (r < 0)
                return error_trace(r);
        r = writer_program_start(&writer, "sqlite", QUIESCE_LEVEL_BACK_END, &callbacks, program);
        if (r >= 0)
                r = sd_event_loop(program->event);
        /* Before the writer, whose events they have. */
        program->backups = backups_free(program->backups);
        return error_trace(r);
}

int main(int argc, char **argv) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Program program = {};
        int r;

        if (argc > 2) {
                (void) fprintf(stderr, "usage: quiesced-writer-sqlite [CONFIGURATION]\n");
                return EXIT_FAILURE;
        }
        r = sqlite_config_load(&program.config, argc > 1 ? argv[1] : SYSCONFDIR "/quiesced/sqlite.conf");
        if (r == 0)
                r = sd_event_default(&event);
        program.event = event;
        if (r >= 0)
                r = serve(&program);
        if (r < 0)
                (void) fprintf(stderr, "quiesced-writer-sqlite: %s\n", strerror(-r));
        sqlite_config_done(&program.config);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
