/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl run: a backup command sees snapshots at the places of the live data.
 *
 * The session is opened, the set made, the command run in its own view, and the session ended as the command
 * ended: BackupComplete only if it succeeded. The plan is made before the first call to quiesced, so that
 * what is wrong with the command line costs nobody anything.
 */

#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "ctl/backup.h"
#include "ctl/command.h"
#include "ctl/dry-run.h"
#include "ctl/format.h"
#include "ctl/verb-run.h"

typedef struct Run {
        const RunOptions *options;
        Backup backup;
        MountTable *table;
        Plan *plan;
        char *cwd;
        Containment *command;
        bool ended;
        ContainOutcome outcome;
        uint64_t started_usec;
} Run;

static int set_environment(Run *run, Failure *failure) {
        const QuiesceSnapshotSet *set = run->backup.set;
        char instant[FORMAT_MAX];

        if (setenv("QUIESCE_SESSION", quiesce_backup_get_id(run->backup.session), 1) < 0 ||
            setenv("QUIESCE_SET", set->id ? set->id : "", 1) < 0 ||
            setenv("QUIESCE_INSTANT", format_time(instant, set->instant_usec), 1) < 0)
                return failure_set(failure, errno, "cannot set the command's environment");
        return 0;
}

/* In the command's process. */
static int run_setup(void *userdata, Failure *ret_failure) {
        Run *run = userdata;

        if (set_environment(run, ret_failure) < 0 || namespace_enter(ret_failure) < 0)
                return -1;
        return namespace_build(run->plan, run->options->directory, run->cwd, ret_failure);
}

/* borg and others take a second SIGINT for "at once", so that of a Ctrl-C is not sent on: the command has
 * it. */
static void run_signalled(int number, bool from_terminal, void *userdata) {
        Run *run = userdata;

        if (!run->command)
                return;
        if (run->backup.signal) {
                contain_signal(run->command, SIGKILL);
                return;
        }
        if (!from_terminal)
                contain_signal(run->command, number);
        progress_say(&run->backup.progress, "SIG%s: waiting for the command to end; once more kills it",
                     sigabbrev_np(number));
}

static void run_ended(const ContainOutcome *outcome, void *userdata) {
        Run *run = userdata;

        run->outcome = *outcome;
        run->ended = true;
}

static int run_command(Run *run) {
        const ContainOptions options = {
                .argv = run->options->command,
                .setup = run_setup,
                .userdata = run,
                .signal_mask = &run->options->signal_mask,
        };
        Backup *backup = &run->backup;
        int r;

        progress_step(&backup->progress, "running %s", run->options->command[0]);
        progress_clear(&backup->progress);
        run->started_usec = now_usec();
        r = contain_start(&run->command, backup->event, &options, run_ended, run);
        if (r < 0)
                return error_trace(r);
        backup->signalled = run_signalled;
        backup->userdata = run;
        /* The trees are the command's now; kept here they would keep the snapshots busy. */
        for (size_t i = 0; i < run->plan->n_entries; i++)
                run->plan->entries[i].tree_fd = fd_close(run->plan->entries[i].tree_fd);
        while (r >= 0 && !run->ended)
                r = sd_event_run(backup->event, UINT64_MAX);
        backup->signalled = NULL;
        run->command = contain_free(run->command);
        return error_trace(r < 0 ? r : 0);
}

static void run_say_end(Run *run, bool completed) {
        const char *result = completed ? "backup complete" : "backup not complete";
        const QuiesceSnapshotSet *set = run->backup.set;
        Progress *progress = &run->backup.progress;
        char frozen[FORMAT_MAX], held[FORMAT_MAX], took[FORMAT_MAX];
        int status = run->outcome.status;

        (void) format_duration(took, now_usec() - run->started_usec);
        if (run->outcome.result != CONTAIN_EXITED)
                progress_say(progress, "the command did not run to its end: %s", result);
        else if (WIFSIGNALED(status))
                progress_say(progress, "the command died of SIG%s after %s: %s",
                             sigabbrev_np(WTERMSIG(status)), took, result);
        else
                progress_say(progress, "the command ended with %d after %s: %s", WEXITSTATUS(status), took,
                             result);
        progress_say(progress, "writers were frozen for %s, writes were held for %s",
                     format_duration(frozen, set->freeze_usec), format_duration(held, set->hold_usec));
}

/* After the command: the session ends as it ended. Return: the exit status. */
static int run_finish(Run *run) {
        int status = command_status(&run->outcome);
        bool succeeded = !run->backup.signal &&
                         command_succeeded(&run->outcome, run->options->success, run->options->n_success);
        bool completed = false;

        if (succeeded && run->backup.lost)
                say("the session was lost before the command ended: the writers are not told that the backup "
                    "is complete");
        else if (succeeded)
                completed = backup_complete(&run->backup) == 0;
        if (run->options->timeline)
                backup_say_timeline(&run->backup);
        run_say_end(run, completed);
        if (backup_release(&run->backup, run->backup.signal != 0) != 0 || (succeeded && !completed))
                return EXIT_OURS;
        if (run->backup.signal && status == 0)
                return EXIT_SIGNAL + run->backup.signal;
        return status;
}

/* Everything before the command. Return: as said in backup.h. */
static int run_snapshot(Run *run) {
        int r;

        r = backup_begin(&run->backup);
        if (r == 0)
                r = backup_add_plan(&run->backup, run->plan);
        if (r == 0)
                r = backup_make_set(&run->backup);
        if (r == 0)
                r = backup_open_trees(&run->backup, run->plan);
        return r;
}

static int run_plan(Run *run) {
        int r;

        run->cwd = getcwd(NULL, 0);
        if (!run->cwd) {
                say("the working directory cannot be told: %s", strerror(errno));
                return CTL_E_SAID;
        }
        r = mount_table_new(&run->table, NULL);
        if (r >= 0)
                r = plan_new(&run->plan, run->table, &run->options->plan);
        return error_trace(r);
}

static int run_failed(Run *run, int r) {
        progress_clear(&run->backup.progress);
        if (r < 0 && r != -EINTR)
                say("cannot go on: %s", strerror(-r));
        if (run->backup.signal)
                say("interrupted by SIG%s", sigabbrev_np(run->backup.signal));
        (void) backup_release(&run->backup, true);
        return run->backup.signal ? EXIT_SIGNAL + run->backup.signal : EXIT_OURS;
}

/* Return: the exit status. */
static int run_dry(Run *run) {
        Backup *backup = &run->backup;
        int r;

        r = backup_begin(backup);
        if (r == 0)
                r = backup_add_plan(backup, run->plan);
        if (r == 0)
                r = dry_run(backup, run->plan, run->options->json);
        if (r != 0)
                return run_failed(run, r);
        if (run->options->timeline)
                backup_say_timeline(backup);
        progress_say(&backup->progress, "nothing was frozen, and no snapshot made");
        return backup_release(backup, true) == 0 ? EXIT_SUCCESS : EXIT_OURS;
}

static int run_all(Run *run) {
        const RunOptions *options = run->options;
        int r;

        r = run_plan(run);
        if (r == 0)
                r = backup_init(&run->backup, &options->backup);
        if (r == 0 && options->dry)
                return run_dry(run);
        if (r == 0)
                r = run_snapshot(run);
        if (r == 0)
                r = run_command(run);
        return r != 0 ? run_failed(run, r) : run_finish(run);
}

/**
 * verb_run() - the verb
 * @argc:       of the verb
 * @argv:       likewise; argv[0] is "run"
 *
 * Return: the exit status.
 */
int verb_run(int argc, char **argv) {
        RunOptions options = {};
        Run run = {.options = &options};
        int r;

        r = run_options_parse(&options, argc, argv);
        if (r == 0) {
                r = run_all(&run);
                plan_free(run.plan);
                mount_table_free(run.table);
                free(run.cwd);
                backup_done(&run.backup);
        } else
                r = r == RUN_OPTIONS_E_DONE ? EXIT_SUCCESS : EXIT_OURS;
        run_options_done(&options);
        return r;
}
