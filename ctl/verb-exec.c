/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl exec: a command looks at a set that was made earlier, in a view of its own as run's command
 * has.
 *
 * There is no session: the frame of one (signals, event loop, bus) is used without opening it. The command's
 * view keeps the snapshots busy as long as it runs, so nobody deletes them meanwhile; that their room runs
 * out is told as in run.
 */

#include <sys/wait.h>

#include "ctl/command.h"
#include "ctl/exec.h"
#include "ctl/format.h"

typedef struct Exec {
        ExecOptions options;
        Backup backup;
        ExecView view;
        char *cwd;
        Containment *command;
        bool ended;
        ContainOutcome outcome;
} Exec;

static int set_environment(const Exec *exec, Failure *failure) {
        const Dict *snapshot = &exec->view.snapshots[0].properties;
        char instant[FORMAT_MAX];

        if (setenv("QUIESCE_SET", dict_get_string(snapshot, "set"), 1) < 0 ||
            setenv("QUIESCE_INSTANT", format_time(instant, dict_get_number(snapshot, "created-usec")), 1) <
                    0)
                return failure_set(failure, errno, "cannot set the command's environment");
        return 0;
}

/* In the command's process. */
static int exec_setup(void *userdata, Failure *ret_failure) {
        Exec *exec = userdata;

        if (set_environment(exec, ret_failure) < 0 || namespace_enter(ret_failure) < 0)
                return -1;
        return namespace_build(exec->view.plan, NULL, exec->cwd, ret_failure);
}

/* As run: that of a Ctrl-C has reached the command already, and a second one kills it. */
static void exec_signalled(int number, bool from_terminal, void *userdata) {
        Exec *exec = userdata;

        if (!exec->command)
                return;
        if (exec->backup.signal)
                contain_signal(exec->command, SIGKILL);
        else if (!from_terminal)
                contain_signal(exec->command, number);
}

static void exec_ended(const ContainOutcome *outcome, void *userdata) {
        Exec *exec = userdata;

        exec->outcome = *outcome;
        exec->ended = true;
}

/* So that the user hears at once of a snapshot of this set that is lost. */
static int exec_watch_space(Exec *exec) {
        QuiesceSnapshotSet *set = calloc(1, sizeof(*set));

        if (!set)
                return error_origin(-ENOMEM);
        exec->backup.set = set;
        set->id = strdup(dict_get_string(&exec->view.snapshots[0].properties, "set"));
        return set->id ? error_trace(backup_watch_space(&exec->backup)) : error_origin(-ENOMEM);
}

static int exec_command(Exec *exec) {
        const ContainOptions options = {
                .argv = exec->options.command,
                .setup = exec_setup,
                .userdata = exec,
                .signal_mask = &exec->options.signal_mask,
        };
        Backup *backup = &exec->backup;
        Plan *plan = exec->view.plan;
        int r;

        progress_clear(&backup->progress);
        r = contain_start(&exec->command, backup->event, &options, exec_ended, exec);
        if (r < 0)
                return error_trace(r);
        backup->signalled = exec_signalled;
        backup->userdata = exec;
        /* The trees are the command's now. */
        for (size_t i = 0; i < plan->n_entries; i++)
                plan->entries[i].tree_fd = fd_close(plan->entries[i].tree_fd);
        while (r >= 0 && !exec->ended)
                r = sd_event_run(backup->event, UINT64_MAX);
        backup->signalled = NULL;
        exec->command = contain_free(exec->command);
        return error_trace(r < 0 ? r : 0);
}

/* Return: the exit status. */
static int exec_finish(Exec *exec) {
        char text[BACKUP_TEXT_MAX];
        int status = command_status(&exec->outcome);
        const char *lost, *reason = "";

        lost = exec_view_find_lost(&exec->view, exec->backup.bus, &reason);
        if (lost) {
                backup_lost_text(text, "of ", lost, reason);
                say("%s", text);
                return EXIT_OURS;
        }
        return exec->backup.signal && status == 0 ? EXIT_SIGNAL + exec->backup.signal : status;
}

static int exec_all(Exec *exec) {
        Backup *backup = &exec->backup;
        int r;

        exec->view.options = &exec->options;
        exec->cwd = getcwd(NULL, 0);
        if (!exec->cwd) {
                say("the working directory cannot be told: %s", strerror(errno));
                return EXIT_OURS;
        }
        r = backup_init(backup, &exec->options.backup);
        if (r == 0)
                r = exec_view_read(&exec->view, backup->bus);
        if (r == 0)
                r = exec_view_plan(&exec->view);
        if (r == 0)
                r = exec_watch_space(exec);
        if (r == 0)
                r = exec_view_open(&exec->view, backup);
        if (r == 0)
                r = exec_command(exec);
        if (r == 0)
                return exec_finish(exec);
        if (r < 0 && r != -EINTR)
                say("cannot go on: %s", strerror(-r));
        if (backup->signal)
                say("interrupted by SIG%s", sigabbrev_np(backup->signal));
        return backup->signal ? EXIT_SIGNAL + backup->signal : EXIT_OURS;
}

/**
 * verb_exec() - the verb
 * @argc:       of the verb
 * @argv:       likewise; argv[0] is "exec"
 *
 * Return: the exit status.
 */
int verb_exec(int argc, char **argv) {
        Exec exec = {};
        int r;

        r = exec_options_parse(&exec.options, argc, argv);
        if (r == 0) {
                r = exec_all(&exec);
                exec_view_done(&exec.view);
                free(exec.cwd);
                backup_done(&exec.backup);
        } else {
                if (r < 0)
                        say("cannot go on: %s", strerror(-r));
                r = r == EXEC_OPTIONS_E_DONE ? EXIT_SUCCESS : EXIT_OURS;
        }
        exec_options_done(&exec.options);
        return r;
}
