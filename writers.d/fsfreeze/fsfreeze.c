/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced-writer-fsfreeze: the writer at level system that holds file systems still.
 *
 * It is a writer like any other, on quiesce/writer.h. From Freeze to Thaw it touches no disk: it is locked
 * in memory, opens nothing, logs nothing. If quiesced or the connection dies while it has frozen, the
 * library calls Abort and it thaws; if it dies itself, the hold thaws, whose descriptors of the same mounts
 * are older than the freeze.
 */

#include <sys/mman.h>
#include <sys/prctl.h>

#include "util/error.h"
#include "util/macro.h"
#include "writers.d/fsfreeze/config.h"
#include "writers.d/fsfreeze/freezing.h"
#include "writers.d/server/program.h"

#ifndef PR_SET_IO_FLUSHER
#        define PR_SET_IO_FLUSHER 57
#endif

typedef struct Program {
        sd_event *event;
        Freezing *freezing;
} Program;

static int on_prepare(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        freezing_prepare(((Program *) userdata)->freezing, event);
        return QUIESCE_WRITER_PENDING;
}

static int on_freeze(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        freezing_freeze(((Program *) userdata)->freezing, event);
        return QUIESCE_WRITER_PENDING;
}

static int on_thaw(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        freezing_thaw(((Program *) userdata)->freezing, event);
        return QUIESCE_WRITER_PENDING;
}

static int on_abort(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        freezing_abort(((Program *) userdata)->freezing, event);
        return QUIESCE_WRITER_PENDING;
}

static int on_end(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        freezing_forget(((Program *) userdata)->freezing, quiesce_writer_event_get_session(event));
        return 0;
}

static int on_identify(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return quiesce_writer_event_set_description(event, "File systems of the set's volumes (FIFREEZE)");
}

/* What can be had of it: in tests without root there is less. */
static void stay_in_memory(void) {
        if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
                (void) fprintf(stderr, "cannot lock the memory, a freeze of the root may hang: %m\n");
        /* Memory must not be found by writing to what is frozen. Needs CAP_SYS_RESOURCE. */
        (void) prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

static int run(const char *config_path) {
        QuiesceWriterCallbacks callbacks = {
                .size = sizeof(callbacks),
                .identify = on_identify,
                .prepare_snapshot = on_prepare,
                .freeze = on_freeze,
                .thaw = on_thaw,
                .abort = on_abort,
                .backup_shutdown = on_end,
        };
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(quiesce_writer_freep) QuiesceWriter *writer = NULL;
        FsfreezeConfig config;
        Program program;
        int r;

        r = fsfreeze_config_load(&config, config_path);
        if (r >= 0)
                r = sd_event_default(&event);
        if (r < 0)
                return error_trace(r);
        program.event = event;
        r = freezing_new(&program.freezing, event, config.refuse);
        if (!r)
                r = writer_program_start(&writer, "fsfreeze", QUIESCE_LEVEL_SYSTEM, &callbacks, &program);
        if (r < 0)
                return error_trace(r);
        stay_in_memory();
        return error_trace(sd_event_loop(event));
}

int main(int argc, char **argv) {
        int r;

        if (argc > 2) {
                (void) fprintf(stderr, "usage: quiesced-writer-fsfreeze [CONFIGURATION]\n");
                return EXIT_FAILURE;
        }
        r = run(argc == 2 ? argv[1] : SYSCONFDIR "/quiesced/fsfreeze.conf");
        if (r < 0)
                (void) fprintf(stderr, "quiesced-writer-fsfreeze: %s\n", strerror(-r));
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
