/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From a command's end to an exit status; see command.h.
 */

#include "ctl/command.h"

#include <sys/wait.h>

#include "ctl/ctl.h"

/**
 * command_status() - the exit status that a command's end is told with
 * @outcome:    how it ended; if it did not run, the user is told why
 *
 * Return: the exit status.
 */
int command_status(const ContainOutcome *outcome) {
        switch (outcome->result) {
        case CONTAIN_EXITED:
                return WIFSIGNALED(outcome->status) ? EXIT_SIGNAL + WTERMSIG(outcome->status)
                                                    : WEXITSTATUS(outcome->status);
        case CONTAIN_EXEC_FAILED:
                say("%s: cannot be run: %s", outcome->failure.text, strerror(outcome->failure.error));
                return outcome->failure.error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
        case CONTAIN_SETUP_FAILED:
                say("%s%s%s", outcome->failure.text, outcome->failure.error ? ": " : "",
                    outcome->failure.error ? strerror(outcome->failure.error) : "");
                return EXIT_OURS;
        case CONTAIN_LOST:
        default:
                say("the process that watches over the command was killed, and the command with it");
                return EXIT_OURS;
        }
}

/**
 * command_succeeded() - whether a command ended well
 * @outcome:    how it ended
 * @success:    exit statuses that mean success
 * @n_success:  how many
 *
 * Return: true if so.
 */
bool command_succeeded(const ContainOutcome *outcome, const int *success, size_t n_success) {
        if (outcome->result != CONTAIN_EXITED || !WIFEXITED(outcome->status))
                return false;
        for (size_t i = 0; i < n_success; i++)
                if (success[i] == WEXITSTATUS(outcome->status))
                        return true;
        return false;
}
