/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See program.h. */

#include "writers.d/server/program.h"

#include <signal.h>

#include "util/error.h"

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        quiesce_writer_stop(userdata);
        return 0;
}

static void on_closed(QuiesceWriter *writer, int r, void *userdata) {
        sd_event *event = NULL;

        if (r < 0)
                (void) fprintf(stderr, "quiesced does not let this writer in: %s\n", strerror(-r));
        if (sd_event_default(&event) < 0) /* it is there already: the writer is in it */
                abort();
        (void) sd_event_exit(event, r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        sd_event_unref(event);
}

static int set_up_signals(sd_event *event, QuiesceWriter *writer) {
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, writer);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_signal, writer);
        return error_trace(r < 0 ? r : 0);
}

/**
 * writer_program_start() - be a writer
 * @ret:        quiesce_writer_free() it, before what `userdata` is
 * @name:       if the environment does not say it; NULL: it does
 * @level:      if the descriptor does not say it; 0: it does
 * @callbacks:  the writer's
 * @userdata:   for them
 *
 * Return: 0, or a negative errno.
 */
int writer_program_start(QuiesceWriter **ret, const char *name, QuiesceLevel level,
                         const QuiesceWriterCallbacks *callbacks, void *userdata) {
        _cleanup_(quiesce_writer_freep) QuiesceWriter *writer = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        const char *named = getenv("QUIESCE_WRITER_NAME");
        int r;

        r = sd_event_default(&event);
        if (r >= 0)
                r = quiesce_writer_new(&writer, named ? named : name, callbacks, userdata);
        if (r >= 0)
                r = set_up_signals(event, writer);
        if (r >= 0 && level != 0)
                r = quiesce_writer_set_level(writer, level);
        if (r >= 0)
                r = quiesce_writer_attach_event(writer, event, 0);
        if (r >= 0)
                r = quiesce_writer_set_closed_callback(writer, on_closed);
        if (r >= 0)
                r = quiesce_writer_start(writer);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(writer);
        return 0;
}
