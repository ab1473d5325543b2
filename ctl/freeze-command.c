/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl freeze with a command, which takes the snapshot elsewhere while everything is frozen.
 *
 * The command is started by what quiesced says over the moment's socket, inside the call of DoSnapshotSet.
 * Whatever becomes of it, what is frozen is thawed: by quiesced, which hears of its end, or by those that
 * froze, when the time is over. Then the command is killed, as what it goes on to take is worth nothing.
 */

#include <sys/wait.h>

#include "ctl/command.h"
#include "ctl/format.h"
#include "ctl/freeze.h"

typedef struct Freeze {
        const FreezeOptions *options;
        Resident resident; /* no resident at all: what it shares with one is the way to the volumes */
        Moment moment;
        Outputs outputs;
        Containment *command;
        bool ended; /* the command, if it was started */
        ContainOutcome outcome;
} Freeze;

/* In the command's process. */
static int freeze_setup(void *userdata, Failure *ret_failure) {
        Freeze *freeze = userdata;
        char limit[32];
        int r;

        (void) snprintf(limit, sizeof(limit), "%" PRIu64, freeze->moment.left_usec);
        r = outputs_give(&freeze->outputs, freeze->options->id_output);
        if (r < 0)
                return failure_set(ret_failure, -r, "cannot set the command's output");
        if (setenv("QUIESCE_SESSION", quiesce_backup_get_id(freeze->resident.backup.session), 1) < 0 ||
            setenv("QUIESCE_LIMIT_USEC", limit, 1) < 0)
                return failure_set(ret_failure, errno, "cannot set the command's environment");
        return 0;
}

/* The last line that is not empty; text is changed. */
static const char *last_line(char *text) {
        size_t n = strlen(text);

        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
                text[--n] = '\0';
        return strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
}

static void say_done(Freeze *freeze) {
        _cleanup_free_ char *text =
                freeze->options->id_output ? outputs_read(&freeze->outputs, STDOUT_FILENO) : NULL;
        const char *id = freeze->options->id ?: "";

        moment_say(&freeze->moment, true, text ? last_line(text) : id);
}

static void say_failed(Freeze *freeze) {
        const ContainOutcome *outcome = &freeze->outcome;
        char text[128];

        if (freeze->resident.backup.signal)
                (void) snprintf(text, sizeof(text), "interrupted by SIG%s",
                                sigabbrev_np(freeze->resident.backup.signal));
        else if (outcome->result != CONTAIN_EXITED)
                (void) snprintf(text, sizeof(text), "the command did not run to its end");
        else if (WIFSIGNALED(outcome->status))
                (void) snprintf(text, sizeof(text), "the command died of SIG%s",
                                sigabbrev_np(WTERMSIG(outcome->status)));
        else
                (void) snprintf(text, sizeof(text), "the command ended with %d",
                                WEXITSTATUS(outcome->status));
        moment_say(&freeze->moment, false, text);
}

static bool freeze_succeeded(const Freeze *freeze) {
        const FreezeOptions *options = freeze->options;

        return freeze->ended && !freeze->resident.backup.signal && !freeze->moment.lost &&
               command_succeeded(&freeze->outcome, options->success, options->n_success);
}

static void command_ended(const ContainOutcome *outcome, void *userdata) {
        Freeze *freeze = userdata;

        freeze->outcome = *outcome;
        freeze->ended = true;
        if (freeze_succeeded(freeze))
                say_done(freeze);
        else
                say_failed(freeze);
}

static void on_frozen(void *userdata) {
        Freeze *freeze = userdata;
        const ContainOptions options = {
                .argv = freeze->options->command,
                .setup = freeze_setup,
                .userdata = freeze,
                .signal_mask = &freeze->options->signal_mask,
        };
        int r;

        r = outputs_hold(&freeze->outputs);
        if (r >= 0)
                r = contain_start(&freeze->command, freeze->resident.backup.event, &options, command_ended,
                                  freeze);
        if (r < 0)
                moment_say(&freeze->moment, false, "the command could not be started");
}

static void on_lost(void *userdata) {
        Freeze *freeze = userdata;

        if (freeze->command && !freeze->ended)
                contain_signal(freeze->command, SIGKILL);
}

static void on_signalled(int number, bool from_terminal, void *userdata) {
        Freeze *freeze = userdata;

        if (!freeze->command || freeze->ended)
                return;
        if (freeze->resident.backup.signal)
                contain_signal(freeze->command, SIGKILL);
        else if (!from_terminal)
                contain_signal(freeze->command, number);
}

/* Return: as said in backup.h; the moment is over, and the command has ended. */
static int freeze_make_set(Freeze *freeze) {
        Backup *backup = &freeze->resident.backup;
        int r, q = 0;

        freeze->moment.on_frozen = on_frozen;
        freeze->moment.on_lost = on_lost;
        freeze->moment.userdata = freeze;
        r = moment_init(&freeze->moment, backup->event);
        if (r < 0)
                return error_trace(r);
        backup->moment_fd = freeze->moment.peer_fd;
        backup->moment_limit_usec = freeze->options->limit_usec;
        backup->signalled = on_signalled;
        backup->userdata = freeze;
        r = backup_make_set(backup);
        /* A signal lets the command end by itself; if quiesced has answered, nothing is frozen any more. */
        if (freeze->command && !freeze->ended && r != -EINTR)
                contain_signal(freeze->command, SIGKILL);
        while (freeze->command && !freeze->ended && q >= 0)
                q = sd_event_run(backup->event, UINT64_MAX);
        backup->signalled = NULL;
        freeze->command = contain_free(freeze->command);
        moment_done(&freeze->moment);
        outputs_release(&freeze->outputs);
        return r;
}

/* Return: the exit status. */
static int freeze_finish(Freeze *freeze) {
        _cleanup_free_ char *lost = backup_find_lost_writer(&freeze->resident.backup);
        Backup *backup = &freeze->resident.backup;
        char frozen[FORMAT_MAX];
        bool good = !lost;

        if (lost)
                say("the freeze was lost before the command ended, what it has taken is not consistent: "
                    "writer %s",
                    lost);
        progress_say(&backup->progress, "writers were frozen for %s",
                     format_duration(frozen, backup->set->freeze_usec));
        if (good && freeze->options->complete)
                good = backup_complete(backup) == 0;
        if (backup_release(backup, !good) != 0 || !good)
                return EXIT_OURS;
        return command_status(&freeze->outcome);
}

/* Return: the exit status. */
static int freeze_failed(Freeze *freeze, int r) {
        Backup *backup = &freeze->resident.backup;
        int status = EXIT_OURS;

        progress_clear(&backup->progress);
        if (r < 0 && r != -EINTR)
                say("cannot go on: %s", strerror(-r));
        if (backup->signal)
                say("interrupted by SIG%s", sigabbrev_np(backup->signal));
        else if (freeze->moment.lost)
                say("the freeze was lost before the command ended: it was killed, and what it has taken is "
                    "not consistent");
        else if (freeze->ended) {
                status = command_status(&freeze->outcome);
                status = status == 0 || freeze_succeeded(freeze) ? EXIT_OURS : status;
        }
        (void) backup_release(backup, true);
        return backup->signal ? EXIT_SIGNAL + backup->signal : status;
}

/**
 * freeze_command() - freeze, run the command, thaw
 * @options:    of the command line
 *
 * Return: the exit status.
 */
int freeze_command(const FreezeOptions *options) {
        Freeze freeze = {.options = options, .resident.options = &options->begin};
        int r;

        r = resident_begin(&freeze.resident);
        if (r == 0)
                r = freeze_make_set(&freeze);
        r = r == 0 ? freeze_finish(&freeze) : freeze_failed(&freeze, r);
        resident_done(&freeze.resident);
        return r;
}
