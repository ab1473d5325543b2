/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Command after command, and what is left when one fails; see script-run.h.
 */

#include "ctl/script-run.h"

#include <stdarg.h>

#include "ctl/command.h"

/**
 * run_say() - tell the user something about a command
 * @run:        its command
 * @format:     without the line's end
 */
void run_say(const ScriptRun *run, const char *format, ...) {
        Progress *progress = (Progress *) &run->backup.progress;
        char text[1024];
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        progress_clear(progress);
        say("%s:%u: %s: %s", run->file, run->command->line, run->command->name, text);
}

/**
 * run_say_bus_error() - tell the user what quiesced answered to a command
 * @run:        its command
 * @what:       what was asked for
 * @error:      the answer; may be unset
 * @r:          negative errno, said if there is no better text
 *
 * Return: CTL_E_SAID; -EINTR if that is what @r is.
 */
int run_say_bus_error(ScriptRun *run, const char *what, const sd_bus_error *error, int r) {
        char text[512];

        if (r == -EINTR)
                return r;
        progress_clear(&run->backup.progress);
        (void) snprintf(text, sizeof(text), "%s:%u: %s: %s", run->file, run->command->line,
                        run->command->name, what);
        return say_bus_error(text, error, r);
}

/**
 * run_expand() - a word with the values of its variables
 * @run:        its aliases
 * @text:       the word
 * @ret:        free() it
 *
 * Return: as said in script-run.h.
 */
int run_expand(ScriptRun *run, const char *text, char **ret) {
        char name[PROGRAM_NAME_MAX];
        int r;

        r = variables_expand(&run->variables, text, ret, name);
        if (r != VARIABLES_E_UNKNOWN)
                return error_trace(r);
        run_say(run, "%%%s%% has no value: no alias of that name was in the document that was loaded", name);
        return CTL_E_SAID;
}

static int set_context(ScriptRun *run) {
        run->persistent = run->command->persistent;
        run->options.without_writers = run->command->without_writers;
        return 0;
}

static int set_metadata(ScriptRun *run) {
        free(run->metadata);
        run->metadata = NULL;
        return run_expand(run, run->command->argument, &run->metadata);
}

static int set_verbose(ScriptRun *run) {
        run->verbose = run->command->on;
        run->backup.progress.quiet = !run->command->on;
        return 0;
}

static int load_metadata(ScriptRun *run) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = run_expand(run, run->command->argument, &path);
        return r == 0 ? document_load(run, path) : r;
}

static int add_alias(ScriptRun *run) {
        _cleanup_free_ char *value = NULL;
        int r;

        r = run_expand(run, run->command->argument, &value);
        return r == 0 ? error_trace(variables_set(&run->variables, run->command->alias, value)) : r;
}

/* Volumes and aliases, as diskshadow's "add" lists them. */
static int list_added(ScriptRun *run) {
        for (const ProgramCommand *command = run->program->commands + run->first; command < run->command;
             command++)
                if (command->verb == PROGRAM_ADD_VOLUME)
                        printf("Volume %s%s%s\n", command->argument, command->alias ? " alias " : "",
                               command->alias ? command->alias : "");
        for (size_t i = 0; i < run->variables.n_items; i++)
                printf("Alias %s = %s\n", run->variables.items[i].name, run->variables.items[i].value);
        (void) fflush(stdout);
        return 0;
}

static void forget(ScriptRun *run) {
        variables_done(&run->variables);
        components_done(&run->added);
        run->excluded = quiesce_strv_free(run->excluded);
        run->exposed = quiesce_strv_free(run->exposed);
        run->n_excluded = run->n_exposed = 0;
        free(run->metadata);
        free(run->document);
        run->restore = quiesce_restore_free(run->restore);
        run->metadata = run->document = NULL;
        run->persistent = run->full = run->completed = false;
        run->options =
                (BackupOptions){.scripted = true, .quiet = run->options.quiet, .wait = run->options.wait};
}

/* abort: the session ends because something failed. Return: as said in script-run.h. */
static int release(ScriptRun *run, bool abort) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = 0;

        if (run->restore && quiesce_restore_get_path(run->restore)) {
                /* A signal must not keep it from being told. */
                run->backup.ending = true;
                r = quiesce_restore_release(run->restore, &error);
                if (r < 0)
                        r = say_bus_error("cannot release the restore session", &error, r);
        }
        return backup_release(&run->backup, abort && !run->completed) == 0 ? r : CTL_E_SAID;
}

static void say_unended(ScriptRun *run) {
        if (run->full && run->backup.set && !run->completed)
                run_say(run,
                        "the backup that 'begin backup' began has no 'end backup': its writers count it as "
                        "not completed");
        if (run->restore)
                run_say(run,
                        "the restore that 'begin restore' began has no 'end restore': its writers count it "
                        "as not completed");
}

/* Return: as said in script-run.h. */
static int reset(ScriptRun *run) {
        bool quiet = run->backup.progress.quiet;
        int r;

        say_unended(run);
        r = release(run, false);
        if (r != 0)
                return r;
        if (run->backup.signal)
                return -EINTR;
        backup_done(&run->backup);
        forget(run);
        run->first = (size_t) (run->command - run->program->commands) + 1;
        r = backup_init(&run->backup, &run->options);
        run->backup.progress.quiet = quiet;
        return r;
}

static int carry_out(ScriptRun *run) {
        switch (run->command->verb) {
        case PROGRAM_SET_CONTEXT:
                return set_context(run);
        case PROGRAM_SET_METADATA:
                return set_metadata(run);
        case PROGRAM_SET_VERBOSE:
                return set_verbose(run);
        case PROGRAM_LOAD_METADATA:
                return load_metadata(run);
        case PROGRAM_ADD_ALIAS:
                return add_alias(run);
        case PROGRAM_ADD:
                return list_added(run);
        case PROGRAM_BEGIN_BACKUP:
                run->full = true;
                return 0;
        case PROGRAM_END_BACKUP:
                return run_end_backup(run);
        case PROGRAM_BEGIN_RESTORE:
        case PROGRAM_SIMULATE_RESTORE:
                return run_begin_restore(run, run->command->verb == PROGRAM_SIMULATE_RESTORE);
        case PROGRAM_END_RESTORE:
                return run_end_restore(run);
        case PROGRAM_CREATE:
                return run_create(run);
        case PROGRAM_EXEC:
                return run_exec(run);
        case PROGRAM_EXPOSE:
                return run_expose(run);
        case PROGRAM_UNEXPOSE:
                return run_unexpose(run);
        case PROGRAM_DELETE_SHADOWS:
                return run_delete_shadows(run);
        case PROGRAM_BREAK:
                return run_break(run);
        case PROGRAM_REVERT:
                return run_revert(run);
        case PROGRAM_LIST_WRITERS:
        case PROGRAM_LIST_SHADOWS:
        case PROGRAM_LIST_PROVIDERS:
                return run_list(run);
        case PROGRAM_RESET:
                return reset(run);
        default: /* those that count at "create" and "begin restore" */
                return 0;
        }
}

static void echo(const ScriptRun *run) {
        (void) fputs("->", stderr);
        for (size_t i = 0; i < run->command->n_words; i++)
                (void) fprintf(stderr, " %s", run->command->words[i]);
        (void) fputc('\n', stderr);
}

static int carry_out_all(ScriptRun *run) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < run->program->n_commands; i++) {
                run->command = &run->program->commands[i];
                if (run->verbose) {
                        progress_clear(&run->backup.progress);
                        echo(run);
                }
                r = carry_out(run);
                if (r == 0 && run->backup.signal)
                        r = -EINTR;
                if (r == 0 && run->backup.lost) {
                        run_say(run, "the session was lost");
                        r = CTL_E_SAID;
                }
        }
        return r;
}

/* What a failed command leaves. */
static void say_stopped(ScriptRun *run, int r) {
        progress_clear(&run->backup.progress);
        if (run->backup.signal)
                run_say(run, "interrupted by SIG%s", sigabbrev_np(run->backup.signal));
        else if (r < 0)
                run_say(run, "%s", strerror(-r));
        else
                run_say(run, "it failed, and the script ends here");
        if (run->backup.set && run->backup.set->id && run->persistent)
                say("its snapshot set is persistent and stays: 'quiescectl delete %s' deletes it",
                    run->backup.set->id);
}

/**
 * script_run() - carry a program out, and end its session
 * @run:        file, program, options and signal_mask are set
 *
 * Return: the exit status.
 */
int script_run(ScriptRun *run) {
        int r;

        run->command = run->program->commands;
        r = backup_init(&run->backup, &run->options);
        if (r == 0)
                r = carry_out_all(run);
        if (r != 0 && run->program->n_commands > 0)
                say_stopped(run, r);
        else if (r == 0 && run->program->n_commands > 0)
                say_unended(run);
        if (run->backup.session && release(run, r != 0) != 0 && r == 0)
                r = CTL_E_SAID;
        r = r == 0 ? EXIT_SUCCESS : run->backup.signal ? EXIT_SIGNAL + run->backup.signal : EXIT_FAILURE;
        backup_done(&run->backup);
        forget(run);
        return r;
}
