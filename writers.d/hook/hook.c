/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced-hook: makes a writer of a script, or of other tools' scripts.
 *
 * A script is run once per event, the event as its argument, the facts in its environment. Exit 0 is good,
 * 2 means "not handled" and is good, everything else is a failure whose text is the end of stderr. With a
 * flavour, scripts are run as the tool does that they were written for: for freeze, and what undoes it.
 *
 * A script that fails at "identify" is one that was not written for quiesced (for the QEMU guest agent,
 * say): it is run for freeze and thaw only. Whatever the script is, an Abort while frozen always ends with
 * "thaw": a script that knows no "abort" may answer anything to it.
 */

#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>

#include "util/error.h"
#include "writers.d/hook/notes.h"
#include "writers.d/hook/processes.h"
#include "writers.d/hook/run.h"
#include "writers.d/server/program.h"

#define REASON_MAX 512u

static int list_parts(Hook *hook, QuiesceWriterEvent *event, Parts *ret) {
        char reason[REASON_MAX];
        int r;

        r = parts_list(ret, hook->flavor, hook->path, hook->thaw_path, reason, sizeof(reason));
        if (r == PARTS_E_REFUSED) {
                (void) quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE, "%s", reason);
                return -EPERM;
        }
        return error_trace(r);
}

/* One run of a script that was written for us, after "identify" if we do not know it yet. */
static int begin(Hook *hook, QuiesceWriterEvent *event, bool identify, const char *argument) {
        _cleanup_(run_freep) Run *run = NULL;
        int r;

        r = run_new(&run, hook, event, NULL);
        if (!r && identify)
                r = run_add_step(run, hook->path, "identify", NULL);
        if (!r)
                r = run_add_step(run, hook->path, argument, NULL);
        return error_trace(r ? r : run_begin(TAKE_PTR(run)));
}

static int on_event(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        Hook *hook = userdata;
        QuiesceWriterEventType type = quiesce_writer_event_get_type(event);
        const char *name = quiesce_writer_event_get_type_name(event);
        bool others = hook->flavor != HOOK_FLAVOR_NONE || hook->plain;
        Parts parts = {};
        int r;

        if (others && type != QUIESCE_EVENT_IDENTIFY)
                return 0;
        r = list_parts(hook, event, &parts);
        parts_done(&parts);
        if (r || hook->flavor != HOOK_FLAVOR_NONE)
                return error_trace(r);
        /* A process that was started anew, for BackupShutdown: which kind of script is it? */
        return begin(hook, event, !hook->identified && type != QUIESCE_EVENT_IDENTIFY, name);
}

static int on_freeze(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        Hook *hook = userdata;
        const char *id = quiesce_writer_event_get_session(event);
        _cleanup_(run_freep) Run *run = NULL;
        Parts parts = {};
        Session *session;
        int r;

        session = session_find(hook->sessions, id);
        if (session)
                return error_origin(-EBUSY);
        r = list_parts(hook, event, &parts);
        if (r || parts.n_items == 0)
                return error_trace(r);
        r = session_new(&hook->sessions, id, hook->flavor, &parts);
        if (r) {
                parts_done(&parts);
                return error_trace(r);
        }
        session = session_find(hook->sessions, id);
        r = run_new(&run, hook, event, session_ref(session));
        for (size_t i = 0; !r && i < session->parts.n_items; i++)
                r = run_add_step(run, session->parts.items[i].path, "freeze", &session->parts.items[i]);
        return error_trace(r ? r : run_begin(TAKE_PTR(run)));
}

static int add_undo_steps(Run *run, bool abort) {
        Session *session = run->session;
        int r = 0;

        for (size_t i = session->parts.n_items; !r && i > 0; i--) {
                Part *part = &session->parts.items[i - 1];

                if (session_owes(session, part))
                        r = run_add_step(run, part->thaw_path, session_undo_argument(session, abort), part);
        }
        return error_trace(r);
}

/* Undoes what was frozen in the reverse order; `first` is run before, if it is not NULL. */
static int undo(Hook *hook, QuiesceWriterEvent *event, const char *first) {
        Session *session = session_find(hook->sessions, quiesce_writer_event_get_session(event));
        bool abort = quiesce_writer_event_get_type(event) == QUIESCE_EVENT_ABORT;
        _cleanup_(run_freep) Run *run = NULL;
        int r;

        if (session)
                session->released = true;
        r = run_new(&run, hook, event, session);
        if (!r && first)
                r = run_add_step(run, hook->path, first, NULL);
        if (!r && session)
                r = add_undo_steps(run, abort);
        if (r || run->n_steps > 0)
                return error_trace(r ? r : run_begin(TAKE_PTR(run)));
        run = run_free(run);
        return error_trace(notes_write(hook->sessions));
}

static int on_thaw(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        return error_trace(undo(userdata, event, NULL));
}

static int on_abort(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        Hook *hook = userdata;
        const char *session = quiesce_writer_event_get_session(event);

        /* A freeze that is still at it must not freeze after our thaw. */
        for (Run *run = hook->runs; run; run = run->next)
                if (!run->undoing && streq(quiesce_writer_event_get_session(run->event), session))
                        run_cancel(run);
        return error_trace(
                undo(hook, event, hook->plain || hook->flavor != HOOK_FLAVOR_NONE ? NULL : "abort"));
}

static int run(Hook *hook) {
        QuiesceWriterCallbacks callbacks = {
                .size = sizeof(callbacks),
                .identify = on_event,
                .prepare_backup = on_event,
                .prepare_snapshot = on_event,
                .freeze = on_freeze,
                .thaw = on_thaw,
                .post_snapshot = on_event,
                .abort = on_abort,
                .backup_complete = on_event,
                .backup_shutdown = on_event,
                .pre_restore = on_event,
                .post_restore = on_event,
                .session_closed = on_event,
        };
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(quiesce_writer_freep) QuiesceWriter *writer = NULL;
        int r;

        r = sd_event_default(&event);
        if (r < 0)
                return error_trace(r);
        hook->event = event;
        r = writer_program_start(&writer, NULL, 0, &callbacks, hook);
        return error_trace(r < 0 ? r : sd_event_loop(event));
}

static void usage(FILE *f) {
        (void) fputs(
                "usage: quiesced-hook [--flavor=FLAVOR [--thaw-hook=SCRIPT]] /PATH/OF/SCRIPT/OR/DIRECTORY\n"
                "       quiesced-hook --thaw\n"
                "Started by quiesced for a descriptor with Hook=, see quiesced-hook(8).\n",
                f);
}

/* Return: whether there is something to do; *ret_status: what to exit with if not. */
static bool parse_arguments(Hook *hook, bool *ret_thaw, int *ret_status, int argc, char **argv) {
        static const struct option options[] = {
                {"help", no_argument, NULL, 'h'},
                {"flavor", required_argument, NULL, 'f'},
                {"thaw-hook", required_argument, NULL, 't'},
                {"thaw", no_argument, NULL, 'T'},
                {},
        };
        bool good = true;
        int c;

        *ret_status = 2;
        while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
                if (c == 'h') {
                        usage(stdout);
                        *ret_status = EXIT_SUCCESS;
                        return false;
                } else if (c == 'f') {
                        hook->flavor = hook_flavor_from_string(optarg);
                        good = good && hook->flavor != HOOK_FLAVOR_NONE;
                } else if (c == 't')
                        hook->thaw_path = optarg;
                else if (c == 'T')
                        *ret_thaw = true;
                else
                        good = false;
        }
        hook->path = *ret_thaw ? NULL : argv[optind];
        good = good && (*ret_thaw ? optind == argc
                                  : optind + 1 == argc && hook->path[0] == '/' &&
                                            (!hook->thaw_path || hook->thaw_path[0] == '/'));
        if (!good)
                usage(stderr);
        return good;
}

int main(int argc, char **argv) {
        bool thaw = false;
        Hook hook = {};
        sigset_t mask;
        int r;

        if (!parse_arguments(&hook, &thaw, &r, argc, argv))
                return r;
        if (!thaw && access(hook.path, X_OK) < 0) {
                (void) fprintf(stderr, "%s cannot be executed: %m\n", hook.path);
                return EXIT_FAILURE;
        }
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        /* As those tools do that others' scripts were written for. */
        if (hook.flavor != HOOK_FLAVOR_NONE)
                (void) umask(022);
        r = processes_adopt_orphans();
        /* Before anything new is frozen, too: there may be no ExecStopPost= of ours. */
        if (!r)
                r = notes_rescue();
        if (r < 0)
                (void) fprintf(stderr,
                               "quiesced-hook: not all is thawed that a process that died had frozen: %s\n",
                               strerror(-r));
        if (!thaw && (r == 0 || r == -EREMOTEIO))
                r = run(&hook);
        if (!thaw && r < 0)
                (void) fprintf(stderr, "quiesced-hook: %s\n", strerror(-r));
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
