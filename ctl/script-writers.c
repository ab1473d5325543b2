/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * "writer verify" and "writer exclude" when it comes to them: at "create" and "begin restore"; see
 * script-run.h. A failure is told with the line that asked for it.
 */

#include "ctl/kinds.h"
#include "ctl/script-run.h"

/* The next command of a verb since the last "reset", before the one that is carried out. NULL: no more. */
static const ProgramCommand *next_of(const ScriptRun *run, size_t *at, ProgramVerb verb) {
        const ProgramCommand *end = run->command;

        for (; &run->program->commands[*at] < end; (*at)++)
                if (run->program->commands[*at].verb == verb)
                        return &run->program->commands[(*at)++];
        return NULL;
}

static int say_of(ScriptRun *run, const ProgramCommand *asked, const char *what, const char *then) {
        const ProgramCommand *command = run->command;

        run->command = asked;
        run_say(run, "%s %s", what, then);
        run->command = command;
        return CTL_E_SAID;
}

static bool has_name(char *const *names, const char *name) {
        for (size_t i = 0; names && names[i]; i++)
                if (streq(names[i], name))
                        return true;
        return false;
}

/* A misspelt name would let a writer take part that was to be left out: so it is told. */
static int say_unknown(ScriptRun *run, const ProgramCommand *asked, const char *name) {
        _cleanup_(dict_array_done) DictArray writers = {};
        int r;

        r = kind_read_all(&writers, run->backup.bus, kind_find("writers"));
        if (r != 0)
                return r;
        for (size_t i = 0; i < writers.n_dicts; i++)
                if (streq(dict_get_string(&writers.dicts[i], "name"), name))
                        return 0;
        (void) say_of(run, asked, name, "is no writer here, so there is nothing to leave out");
        return 0;
}

/**
 * run_exclude_writers() - which writers are left out
 * @run:        excluded is filled
 *
 * Return: as said in script-run.h.
 */
int run_exclude_writers(ScriptRun *run) {
        const ProgramCommand *command;
        size_t at = run->first;
        int r = 0;

        while (r == 0 && (command = next_of(run, &at, PROGRAM_WRITER_EXCLUDE))) {
                char *name = NULL;

                r = run_expand(run, command->argument, &name);
                if (r == 0 && !strchr(name, ':')) {
                        r = say_unknown(run, command, name);
                        if (r == 0)
                                r = options_append(&run->excluded, &run->n_excluded, TAKE_PTR(name));
                }
                free(name);
        }
        return error_trace(r);
}

/**
 * run_excludes_component() - whether a component is left out, or its writer
 * @run:        it
 * @component:  it
 *
 * Return: true if so.
 */
bool run_excludes_component(ScriptRun *run, const ScriptComponent *component) {
        const ProgramCommand *command;
        size_t at = run->first;

        while ((command = next_of(run, &at, PROGRAM_WRITER_EXCLUDE))) {
                _cleanup_free_ char *name = NULL;

                if (run_expand(run, command->argument, &name) == 0 &&
                    (component_is_named(component, name) || streq(component->writer, name)))
                        return true;
        }
        return false;
}

/* status: of GatherWriterStatus; NULL: it is too early to tell who takes part. */
static int verify(ScriptRun *run, const ProgramCommand *command, char *const *writers,
                  const ScriptComponents *components, const DictArray *status) {
        _cleanup_free_ char *name = NULL;
        char *colon;
        int r;

        r = run_expand(run, command->argument, &name);
        if (r != 0)
                return r;
        colon = strchr(name, ':');
        if (colon) {
                bool found = false;

                for (size_t i = 0; i < components->n_items && !found; i++)
                        found = component_is_named(&components->items[i], name) &&
                                !run_excludes_component(run, &components->items[i]);
                if (!found)
                        return say_of(run, command, name,
                                      "is no component that takes part: its writer does not declare it, or "
                                      "it is left out, or was not backed up");
                *colon = '\0';
        }
        if (has_name(run->excluded, name))
                return say_of(run, command, name, "does not take part: 'writer exclude' leaves it out");
        if (!has_name(writers, name))
                return say_of(
                        run, command, name,
                        "is no writer that takes part; 'quiescectl list writers' tells which there are");
        for (size_t i = 0; status && i < status->n_dicts; i++)
                if (streq(dict_get_string(&status->dicts[i], "name"), name) &&
                    dict_get_number(&status->dicts[i], "takes-part"))
                        return 0;
        return status ? say_of(run, command, name,
                               "does not take part: none of its data is on the volumes of the set")
                      : 0;
}

/**
 * run_verify_writers() - whether all take part that are to
 * @run:        it
 * @writers:    names of those that there are, NULL-terminated
 * @components: what they declare, or what was backed up
 * @status:     of GatherWriterStatus, once it is settled who takes part; NULL before
 *
 * Return: as said in script-run.h.
 */
int run_verify_writers(ScriptRun *run, char *const *writers, const ScriptComponents *components,
                       const DictArray *status) {
        const ProgramCommand *command;
        size_t at = run->first;
        int r = 0;

        while (r == 0 && (command = next_of(run, &at, PROGRAM_WRITER_VERIFY)))
                r = verify(run, command, writers, components, status);
        return error_trace(r);
}
