/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * quiescectl script: a program of script-parse.h is carried out, command by command, in one session as
 * diskshadow has it.
 *
 * Functions return 0, CTL_E_SAID, or a negative errno; -EINTR after a signal. A command that fails has told
 * why with run_say(), or by a message of a function it called. What it leaves is run_end()'s.
 */

#include <signal.h>

#include "ctl/backup.h"
#include "ctl/script-parse.h"

typedef struct Variable {
        char *name, *value;
} Variable;

/* The aliases, by names whose case does not count. */
typedef struct Variables {
        Variable *items;
        size_t n_items;
} Variables;

/* A component of a writer. */
typedef struct ScriptComponent {
        char *writer, *logical_path, *name;
        bool selectable;
} ScriptComponent;

typedef struct ScriptComponents {
        ScriptComponent *items;
        size_t n_items;
} ScriptComponents;

typedef struct ScriptRun {
        const char *file; /* as messages name it */
        const Program *program;
        const ProgramCommand *command; /* that is carried out */
        sigset_t signal_mask;          /* as we were started with it */
        BackupOptions options;
        Backup backup;
        Variables variables;
        size_t first; /* command since the last "reset" */
        /* What was set, added or loaded since then; of the program's commands or expanded. */
        bool persistent, full, verbose, prepared, completed;
        char *metadata;  /* set metadata: the file */
        char **excluded; /* writers that are left out, NULL-terminated */
        size_t n_excluded;
        char *document;         /* load metadata: what it holds */
        ScriptComponents added; /* to the backup, or selected for the restore */
        char **exposed;         /* ids of snapshots that were exposed, NULL-terminated */
        size_t n_exposed;
        QuiesceRestore *restore;
} ScriptRun;

int script_run(ScriptRun *run);
void run_say(const ScriptRun *run, const char *format, ...) _printf_(2, 3);
int run_say_bus_error(ScriptRun *run, const char *what, const sd_bus_error *error, int r);
int run_expand(ScriptRun *run, const char *text, char **ret);

/* script-check.c */
int program_check(const Program *program, const char *file);

/* script-variables.c */
int variables_set(Variables *variables, const char *name, const char *value);
const char *variables_get(const Variables *variables, const char *name);
void variables_done(Variables *variables);
int variables_expand(const Variables *variables, const char *text, char **ret,
                     char name[static PROGRAM_NAME_MAX]);
enum {
        VARIABLES_E_UNKNOWN = 1, /* a variable has no value: name says which */
};

/* script-components.c */
int components_add(ScriptComponents *components, const char *writer, const char *logical_path,
                   const char *name, bool selectable);
int components_read(ScriptComponents *components, char ***writers, size_t *n_writers, sd_bus_message *reply);
bool component_is_below_selectable(const ScriptComponents *components, const ScriptComponent *component);
bool component_is_named(const ScriptComponent *component, const char *text);
void components_done(ScriptComponents *components);

/* script-document.c */
int document_save(ScriptRun *run);
int document_load(ScriptRun *run, const char *path);
int document_components(ScriptRun *run, ScriptComponents *ret);

/* script-writers.c: writer verify and exclude. */
int run_exclude_writers(ScriptRun *run);
bool run_excludes_component(ScriptRun *run, const ScriptComponent *component);
int run_verify_writers(ScriptRun *run, char *const *writers, const ScriptComponents *components,
                       const DictArray *status);

/* script-create.c, script-restore.c, script-exec.c, script-snapshots.c, script-sets.c: the commands. */
int run_create(ScriptRun *run);
int run_end_backup(ScriptRun *run);
int run_begin_restore(ScriptRun *run, bool simulate);
int run_end_restore(ScriptRun *run);
int run_exec(ScriptRun *run);
int run_expose(ScriptRun *run);
int run_unexpose(ScriptRun *run);
int run_delete_shadows(ScriptRun *run);
int run_break(ScriptRun *run);
int run_revert(ScriptRun *run);
int run_list(ScriptRun *run);
