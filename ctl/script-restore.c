/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * "begin restore", "end restore" and "simulate restore"; see script-run.h. Everything is restored that was
 * backed up, but for what "writer exclude" leaves out; the files are put back by "exec" between the two.
 */

#include "ctl/script-run.h"

static int open_session(ScriptRun *run, sd_bus_message **ret_writers) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = quiesce_restore_new(&run->restore, run->backup.bus);
        if (r < 0)
                return error_trace(r);
        quiesce_restore_set_wait(run->restore, backup_wait, &run->backup);
        progress_step(&run->backup.progress, "opening a restore session");
        r = quiesce_restore_open(run->restore, run->document, &error);
        if (r >= 0)
                r = quiesce_restore_gather_writer_metadata(run->restore, ret_writers, &error);
        return r < 0 ? run_say_bus_error(run, "cannot open a restore session", &error, r) : 0;
}

static int select_components(ScriptRun *run, const ScriptComponents *all) {
        for (size_t i = 0; i < all->n_items; i++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                const ScriptComponent *component = &all->items[i];
                int r;

                if (run_excludes_component(run, component))
                        continue;
                r = quiesce_restore_select(run->restore, component->writer, component->logical_path,
                                           component->name, true, &error);
                if (r < 0) {
                        r = run_say_bus_error(run, component->writer, &error, r);
                        if (r == CTL_E_SAID)
                                say("'writer exclude %s' restores the others without it", component->writer);
                        return r;
                }
                r = components_add(&run->added, component->writer, component->logical_path, component->name,
                                   true);
                if (r < 0)
                        return error_trace(r);
        }
        if (run->added.n_items > 0)
                return 0;
        run_say(run, "there is nothing to restore: the document has no component that was backed up%s",
                all->n_items > 0 ? " and is not left out" : "");
        return CTL_E_SAID;
}

/* Writers that have something to be restored. */
static int selected_writers(const ScriptRun *run, char ***writers) {
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; r == 0 && i < run->added.n_items; i++)
                r = options_append(writers, &n, strdup(run->added.items[i].writer));
        return error_trace(r);
}

static int choose(ScriptRun *run) {
        ScriptComponents all = {};
        char **writers = NULL;
        int r;

        r = document_components(run, &all);
        if (r == 0)
                r = run_exclude_writers(run);
        if (r == 0)
                r = select_components(run, &all);
        if (r == 0)
                r = selected_writers(run, &writers);
        if (r == 0)
                r = run_verify_writers(run, writers, &run->added, NULL);
        components_done(&all);
        quiesce_strv_free(writers);
        return r;
}

static void say_status(ScriptRun *run, const char *event, const DictArray *status, const char *writer) {
        for (size_t i = 0; i < status->n_dicts; i++) {
                const char *text = dict_get_string(&status->dicts[i], "text");

                if (streq(dict_get_string(&status->dicts[i], "name"), writer))
                        run_say(run, "writer %s failed %s: %s%s%s", writer, event,
                                dict_get_string(&status->dicts[i], "failure"), *text ? ": " : "", text);
        }
}

/* Takes the names. */
static int say_failed(ScriptRun *run, const char *event, char **failed) {
        _cleanup_(dict_array_done) DictArray status = {};
        _cleanup_message_ sd_bus_message *reply = NULL;
        bool any = failed && failed[0];

        if (any && quiesce_restore_gather_writer_status(run->restore, &reply, NULL) >= 0)
                (void) dict_array_read(&status, reply);
        for (size_t i = 0; any && failed[i]; i++)
                say_status(run, event, &status, failed[i]);
        quiesce_strv_free(failed);
        return any ? CTL_E_SAID : 0;
}

static int release(ScriptRun *run) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = quiesce_restore_release(run->restore, &error);
        run->restore = quiesce_restore_free(run->restore);
        components_done(&run->added);
        return r < 0 ? run_say_bus_error(run, "cannot release the session", &error, r) : 0;
}

/**
 * run_begin_restore() - have the writers make way for their files
 * @run:        a document is loaded
 * @simulate:   go no further than to find out that all of it could be restored
 *
 * Return: as said in script-run.h.
 */
int run_begin_restore(ScriptRun *run, bool simulate) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        char **failed = NULL;
        int r;

        r = open_session(run, NULL);
        if (r == 0)
                r = choose(run);
        if (r != 0)
                return r;
        if (simulate) {
                progress_say(&run->backup.progress,
                             "%zu component%s could be restored; no writer was told anything",
                             run->added.n_items, run->added.n_items == 1 ? "" : "s");
                return release(run);
        }
        progress_step(&run->backup.progress, "preparing the writers for the restore");
        r = quiesce_restore_pre_restore(run->restore, &failed, &error);
        if (r < 0)
                return run_say_bus_error(run, "cannot prepare the writers", &error, r);
        return say_failed(run, "PreRestore", failed);
}

/**
 * run_end_restore() - the files are back
 * @run:        begun
 *
 * Return: as said in script-run.h.
 */
int run_end_restore(ScriptRun *run) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        char **failed = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < run->added.n_items; i++)
                r = quiesce_restore_set_file_status(run->restore, run->added.items[i].writer,
                                                    run->added.items[i].logical_path,
                                                    run->added.items[i].name, "all", &error);
        progress_step(&run->backup.progress, "telling the writers that their files are back");
        if (r >= 0)
                r = quiesce_restore_post_restore(run->restore, &failed, &error);
        if (r < 0)
                return run_say_bus_error(run, "the writers cannot be told that their files are back", &error,
                                         r);
        r = say_failed(run, "PostRestore", failed);
        return r == 0 ? release(run) : r;
}
