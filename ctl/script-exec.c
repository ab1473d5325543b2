/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * "exec": a program with the aliases in its environment; see script-run.h. It is contained as the command of
 * quiescectl run is: nothing of it outlives us.
 */

#include <sys/wait.h>

#include "ctl/command.h"
#include "ctl/script-run.h"

typedef struct Exec {
        ScriptRun *run;
        Containment *command;
        ContainOutcome outcome;
        bool ended;
} Exec;

/* In the program's process. */
static int exec_setup(void *userdata, Failure *ret_failure) {
        const Exec *exec = userdata;
        const Variables *variables = &exec->run->variables;

        for (size_t i = 0; i < variables->n_items; i++)
                if (setenv(variables->items[i].name, variables->items[i].value, 1) < 0)
                        return failure_set(ret_failure, errno, "cannot set the program's environment");
        return 0;
}

static void exec_ended(const ContainOutcome *outcome, void *userdata) {
        Exec *exec = userdata;

        exec->outcome = *outcome;
        exec->ended = true;
}

static void exec_signalled(int number, bool from_terminal, void *userdata) {
        Exec *exec = userdata;

        if (!exec->command)
                return;
        /* The second is meant. */
        if (exec->run->backup.signal)
                contain_signal(exec->command, SIGKILL);
        else if (!from_terminal)
                contain_signal(exec->command, number);
}

/* Return: its argv, quiesce_strv_free() it; NULL: *ret says why. */
static char **exec_arguments(ScriptRun *run, int *ret) {
        char **argv = NULL;
        size_t n = 0;

        *ret = 0;
        for (char **word = run->command->arguments; *ret == 0 && *word; word++) {
                char *expanded = NULL;

                *ret = run_expand(run, *word, &expanded);
                if (*ret == 0)
                        *ret = options_append(&argv, &n, expanded);
        }
        return *ret == 0 ? argv : quiesce_strv_free(argv);
}

static int exec_judge(ScriptRun *run, const ContainOutcome *outcome, const char *file) {
        if (outcome->result == CONTAIN_EXEC_FAILED) {
                run_say(run, "%s cannot be run: %s", file, strerror(outcome->failure.error));
                return CTL_E_SAID;
        }
        if (outcome->result != CONTAIN_EXITED)
                (void) command_status(outcome);
        else if (WIFSIGNALED(outcome->status))
                run_say(run, "%s died of SIG%s", file, sigabbrev_np(WTERMSIG(outcome->status)));
        else if (WEXITSTATUS(outcome->status) != 0)
                run_say(run, "%s ended with %d", file, WEXITSTATUS(outcome->status));
        else
                return 0;
        return CTL_E_SAID;
}

/**
 * run_exec() - run a program and wait for its end
 * @run:        it
 *
 * Return: as said in script-run.h; CTL_E_SAID unless it ended with 0.
 */
int run_exec(ScriptRun *run) {
        Exec exec = {.run = run};
        ContainOptions options = {
                .setup = exec_setup,
                .userdata = &exec,
                .signal_mask = &run->signal_mask,
        };
        Backup *backup = &run->backup;
        int r;

        options.argv = exec_arguments(run, &r);
        if (!options.argv)
                return r;
        progress_step(&backup->progress, "running %s", options.argv[0]);
        progress_clear(&backup->progress);
        (void) fflush(stdout);
        r = contain_start(&exec.command, backup->event, &options, exec_ended, &exec);
        if (r >= 0) {
                backup->signalled = exec_signalled;
                backup->userdata = &exec;
                while (r >= 0 && !exec.ended)
                        r = sd_event_run(backup->event, UINT64_MAX);
                backup->signalled = NULL;
                exec.command = contain_free(exec.command);
        }
        r = r < 0 ? error_trace(r) : exec_judge(run, &exec.outcome, options.argv[0]);
        quiesce_strv_free(options.argv);
        return r;
}
