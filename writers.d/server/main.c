/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The main program of a writer of database servers: the configuration, and each event to backup.h. */

#include <signal.h>

#include "util/error.h"
#include "writers.d/server/backup.h"
#include "writers.d/server/program.h"

static int on_identify(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_identify(userdata, event);
}

static int on_prepare(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_prepare(userdata, event);
}

static int on_freeze(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_freeze(userdata, event);
}

static int on_thaw(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_thaw(userdata, event);
}

static int on_post_snapshot(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_note(userdata, event);
}

/* Abort, as often as it comes, and BackupShutdown, which may be the only one. */
static int on_end(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return backups_end(userdata, event);
}

static int serve(const Engine *engine, const ServerConfig *config) {
        QuiesceWriterCallbacks callbacks = {
                .size = sizeof(callbacks),
                .identify = on_identify,
                .prepare_snapshot = on_prepare,
                .freeze = on_freeze,
                .thaw = on_thaw,
                .post_snapshot = on_post_snapshot,
                .abort = on_end,
                .backup_shutdown = on_end,
        };
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(quiesce_writer_freep) QuiesceWriter *writer = NULL;
        _cleanup_(backups_freep) Backups *backups = NULL;  /* goes before the writer, whose events it has */
        const char *directory = getenv("STATE_DIRECTORY"); /* StateDirectory= of the unit */
        int r;

        r = sd_event_default(&event);
        if (r >= 0)
                r = backups_new(&backups, event, engine, config);
        if (r == 0 && directory && directory[0] == '/')
                r = backups_remember(backups, directory);
        if (r == 0)
                r = writer_program_start(&writer, engine->name, QUIESCE_LEVEL_BACK_END, &callbacks, backups);
        if (r == 0)
                r = sd_event_loop(event);
        return error_trace(r);
}

/**
 * server_writer_main() - be the writer of one kind of server
 * @engine:     the kind
 * @argc:       main()'s
 * @argv:       main()'s: the configuration, if it is not where it should be
 *
 * Return: an exit status.
 */
int server_writer_main(const Engine *engine, int argc, char **argv) {
        _cleanup_free_ char *path = NULL;
        ServerConfig config = {};
        int r;

        if (argc > 2) {
                (void) fprintf(stderr, "usage: quiesced-writer-%s [CONFIGURATION]\n", engine->name);
                return EXIT_FAILURE;
        }
        if (asprintf(&path, SYSCONFDIR "/quiesced/%s.conf", engine->name) < 0)
                path = NULL;
        (void) signal(SIGPIPE, SIG_IGN); /* a server that is gone is a failed write, in any thread */
        r = path ? server_config_load(&config, engine, argc > 1 ? argv[1] : path) : -ENOMEM;
        if (r == 0)
                r = serve(engine, &config);
        if (r < 0)
                (void) fprintf(stderr, "quiesced-writer-%s: %s\n", engine->name, strerror(-r));
        server_config_done(&config);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
