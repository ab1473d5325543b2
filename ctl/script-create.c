/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * "create" and "end backup"; see script-run.h.
 *
 * All that concerns quiesced is done at "create", so that the machine's one slot for creation is held as
 * short as by quiescectl create. As diskshadow does, all components of all writers are added, so that the
 * document tells a restore what there is; who takes part is not a matter of components (volume mode), or the
 * writer of the file systems, which has none, would be missing.
 */

#include <sys/stat.h>

#include "ctl/script-run.h"

static int add_components(ScriptRun *run, const ScriptComponents *all) {
        for (size_t i = 0; i < all->n_items; i++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                const ScriptComponent *component = &all->items[i];
                int r;

                if (component_is_below_selectable(all, component) || run_excludes_component(run, component))
                        continue;
                r = quiesce_backup_add_component(run->backup.session, component->writer,
                                                 component->logical_path, component->name, &error);
                if (r < 0)
                        return run_say_bus_error(run, component->writer, &error, r);
                r = components_add(&run->added, component->writer, component->logical_path, component->name,
                                   true);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

static int add_volume(ScriptRun *run, const ProgramCommand *command, size_t number) {
        _cleanup_free_ char *path = NULL, *provider = NULL, *snapshot = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        QuiesceVolume volume = {.size = sizeof(volume)};
        const ProgramCommand *creating = run->command;
        char name[PROGRAM_NAME_MAX];
        struct stat st;
        int r;

        /* What is wrong with the volume is told with its own line. */
        run->command = command;
        r = run_expand(run, command->argument, &path);
        if (r == 0 && command->provider)
                r = run_expand(run, command->provider, &provider);
        if (r == 0) {
                /* As quiescectl create names it. */
                *(stat(path, &st) < 0 || S_ISBLK(st.st_mode) ? &volume.name : &volume.path) = path;
                volume.provider = provider;
                r = backup_add(&run->backup, &volume, &snapshot, &error);
                if (r < 0)
                        r = run_say_bus_error(run, path, &error, r);
        }
        run->command = creating;
        if (r != 0)
                return r;
        (void) snprintf(name, sizeof(name), "VSS_SHADOW_%zu", number);
        r = variables_set(&run->variables, name, snapshot);
        if (r == 0 && command->alias)
                r = variables_set(&run->variables, command->alias, snapshot);
        return error_trace(r);
}

static int add_volumes(ScriptRun *run) {
        size_t number = 0;
        int r = 0;

        progress_step(&run->backup.progress, "adding the volumes");
        for (const ProgramCommand *command = run->program->commands + run->first;
             r == 0 && command < run->command; command++)
                if (command->verb == PROGRAM_ADD_VOLUME)
                        r = add_volume(run, command, ++number);
        return r;
}

static int verify_status(ScriptRun *run, char *const *writers, const ScriptComponents *all) {
        _cleanup_(dict_array_done) DictArray status = {};
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = quiesce_backup_gather_writer_status(run->backup.session, &reply, &error);
        if (r < 0)
                return run_say_bus_error(run, "cannot ask who takes part", &error, r);
        r = dict_array_read(&status, reply);
        return r < 0 ? error_trace(r) : run_verify_writers(run, writers, all, &status);
}

/* From the session's beginning to the writers that are prepared. */
static int prepare(ScriptRun *run) {
        ScriptComponents all = {};
        char **writers = NULL;
        size_t n_writers = 0;
        int r;

        r = backup_begin(&run->backup);
        if (r == 0 && run->backup.writers)
                r = components_read(&all, &writers, &n_writers, run->backup.writers);
        if (r == 0)
                r = run_verify_writers(run, writers, &all, NULL);
        if (r == 0)
                r = add_components(run, &all);
        if (r == 0)
                r = add_volumes(run);
        if (r == 0)
                r = backup_prepare(&run->backup);
        if (r == 0 && !run->options.without_writers)
                r = verify_status(run, writers, &all);
        components_done(&all);
        quiesce_strv_free(writers);
        return r;
}

/* As diskshadow tells them: one alias a snapshot. */
static int print_aliases(ScriptRun *run) {
        char name[PROGRAM_NAME_MAX];
        size_t number = 0;
        int r;

        for (const ProgramCommand *command = run->program->commands + run->first; command < run->command;
             command++) {
                if (command->verb != PROGRAM_ADD_VOLUME)
                        continue;
                (void) snprintf(name, sizeof(name), "VSS_SHADOW_%zu", ++number);
                printf("Alias %s for snapshot ID %s set as environment variable.\n",
                       command->alias ? command->alias : name, variables_get(&run->variables, name));
        }
        r = variables_set(&run->variables, "VSS_SHADOW_SET", run->backup.set->id);
        if (r < 0)
                return error_trace(r);
        printf("Alias VSS_SHADOW_SET for snapshot set ID %s set as environment variable.\n",
               run->backup.set->id);
        return fflush(stdout) < 0 ? error_origin(-errno) : 0;
}

/**
 * run_create() - make the set
 * @run:        it
 *
 * Return: as said in script-run.h.
 */
int run_create(ScriptRun *run) {
        BackupOptions *options = &run->options;
        int r;

        options->context = run->persistent ? options->without_writers ? "nas-rollback" : "app-rollback"
                           : options->without_writers ? "file-share-backup"
                                                      : NULL;
        options->type = run->full ? "full" : "copy";
        r = run_exclude_writers(run);
        options->exclude_writers = (const char *const *) run->excluded;
        if (r == 0)
                r = prepare(run);
        if (r == 0)
                r = backup_do_set(&run->backup);
        if (r == 0)
                r = print_aliases(run);
        if (r == 0)
                r = document_save(run);
        if (r == 0 && run->verbose)
                backup_say_timeline(&run->backup);
        return r;
}

static bool takes_part(const DictArray *status, const char *writer) {
        for (size_t i = 0; i < status->n_dicts; i++)
                if (streq(dict_get_string(&status->dicts[i], "name"), writer))
                        return dict_get_number(&status->dicts[i], "takes-part");
        return false;
}

static int set_succeeded(ScriptRun *run) {
        _cleanup_(dict_array_done) DictArray status = {};
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = quiesce_backup_gather_writer_status(run->backup.session, &reply, &error);
        if (r >= 0)
                r = dict_array_read(&status, reply);
        for (size_t i = 0; r >= 0 && i < run->added.n_items; i++) {
                const ScriptComponent *component = &run->added.items[i];

                if (takes_part(&status, component->writer))
                        r = quiesce_backup_set_succeeded(run->backup.session, component->writer,
                                                         component->logical_path, component->name, true,
                                                         &error);
        }
        return r < 0 ? run_say_bus_error(run, "the writers cannot be told that their files were copied",
                                         &error, r)
                     : 0;
}

/**
 * run_end_backup() - the data is safe, as far as the script knows
 * @run:        its set is made
 *
 * Return: as said in script-run.h.
 */
int run_end_backup(ScriptRun *run) {
        int r;

        if (run->options.without_writers) {
                run->completed = true;
                return 0;
        }
        r = set_succeeded(run);
        if (r == 0)
                r = backup_complete(&run->backup);
        if (r != 0)
                return r;
        run->completed = true;
        return document_save(run);
}
