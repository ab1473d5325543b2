/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The writers of what is restored: which of their components it concerns, PreRestore before, PostRestore
 * after; see restore.h.
 *
 * A component is concerned if a folder of its lies in a path that is restored, or such a path in it.
 */

#include "bus/dictionary.h"
#include "ctl/restore.h"

/* While metadata are read: the writer, or the component, that is being read. */
typedef struct Reading {
        Restore *restore;
        char *writer, *logical_path, *name;
        bool concerned;
        RestoreComponent *found; /* of the writer */
        size_t n_found;
} Reading;

static void reading_done(Reading *reading) {
        for (size_t i = 0; i < reading->n_found; i++) {
                free(reading->found[i].logical_path);
                free(reading->found[i].name);
        }
        free(reading->found);
        free(reading->writer);
        free(reading->logical_path);
        free(reading->name);
}

static int read_text(sd_bus_message *m, void *value) {
        char **text = value;
        const char *read;
        int r;

        r = sd_bus_message_read_basic(m, 's', &read);
        if (r < 0)
                return error_trace(r);
        free(*text);
        *text = strdup(read);
        return *text ? 0 : error_origin(-ENOMEM);
}

static bool is_concerned(const Restore *restore, const char *folder) {
        for (size_t i = 0; i < restore->n_files; i++)
                if (path_is_below(restore->files[i].path, folder) ||
                    path_is_below(folder, restore->files[i].path))
                        return true;
        return false;
}

/* Patterns are not looked at: a writer is told rather once too often. */
static int read_files(sd_bus_message *m, void *value) {
        Reading *reading = value;
        const char *folder, *pattern;
        int r, recursive;

        r = sd_bus_message_enter_container(m, 'a', "(ssb)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(ssb)", &folder, &pattern, &recursive)) > 0)
                reading->concerned |= is_concerned(reading->restore, folder);
        return r < 0 ? error_trace(r) : sd_bus_message_exit_container(m);
}

static int note_component(Reading *reading) {
        RestoreComponent *more;

        if (!reading->concerned || !reading->name)
                return 0;
        more = reallocarray(reading->found, reading->n_found + 1, sizeof(*more));
        if (!more)
                return error_origin(-ENOMEM);
        reading->found = more;
        more = &more[reading->n_found++];
        more->writer = NULL;
        more->logical_path = TAKE_PTR(reading->logical_path);
        more->name = TAKE_PTR(reading->name);
        return 0;
}

static int read_components(sd_bus_message *m, void *value) {
        Reading *reading = value;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        for (;;) {
                const DictionaryField fields[] = {
                        {"logical-path", "s", &reading->logical_path, read_text},
                        {"name", "s", &reading->name, read_text},
                        {"files", "a(ssb)", reading, read_files},
                };

                reading->concerned = false;
                if (r >= 0)
                        r = dictionary_read(m, fields, ELEMENTSOF(fields));
                if (r > 0 && note_component(reading) < 0)
                        r = error_origin(-ENOMEM);
                if (r <= 0)
                        break;
        }
        return r < 0 ? error_trace(r) : sd_bus_message_exit_container(m);
}

/* The order of a dictionary's keys is nobody's promise: the name may come last. */
static int take_found(Restore *restore, Reading *reading) {
        RestoreComponent *more;

        if (reading->n_found == 0 || !reading->writer)
                return 0;
        more = reallocarray(restore->components, restore->n_components + reading->n_found, sizeof(*more));
        if (!more)
                return error_origin(-ENOMEM);
        restore->components = more;
        while (reading->n_found > 0) {
                RestoreComponent *component = &more[restore->n_components++];

                *component = reading->found[--reading->n_found];
                component->writer = strdup(reading->writer);
                if (!component->writer)
                        return error_origin(-ENOMEM);
        }
        return 0;
}

static int read_metadata(Restore *restore, sd_bus_message *reply) {
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
        while (r >= 0) {
                _cleanup_(reading_done) Reading reading = {.restore = restore};
                const DictionaryField fields[] = {
                        {"name", "s", &reading.writer, read_text},
                        {"components", "aa{sv}", &reading, read_components},
                };

                r = dictionary_read(reply, fields, ELEMENTSOF(fields));
                if (r <= 0)
                        break;
                r = take_found(restore, &reading);
        }
        return error_trace(r);
}

static bool is_ignored(const Restore *restore, const char *name) {
        for (const char *const *ignored = restore->ignore_writers; *ignored; ignored++)
                if (streq(*ignored, name))
                        return true;
        return false;
}

/* Return: whether a writer failed that is not to be ignored. */
static bool say_failed(const Restore *restore, char **failed, const char *event) {
        bool any = false;

        for (char **name = failed; name && *name; name++) {
                say("writer %s failed at %s", *name, event);
                any |= !is_ignored(restore, *name);
        }
        return any;
}

/* What is included with another component is restored with that, and not selected by itself. */
static int select_components(Restore *restore) {
        size_t n = 0;

        for (size_t i = 0; i < restore->n_components; i++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                RestoreComponent component = restore->components[i];
                bool included;
                int r;

                r = quiesce_restore_select(restore->session, component.writer, component.logical_path,
                                           component.name, true, &error);
                included = sd_bus_error_has_name(&error, QUIESCE_ERROR_INVALID_ARGUMENT) ||
                           sd_bus_error_has_name(&error, QUIESCE_ERROR_OBJECT_ALREADY_EXISTS);
                if (r < 0 && !included)
                        return r == -EINTR ? r : say_bus_error(component.writer, &error, r);
                if (r < 0) {
                        free(component.writer);
                        free(component.logical_path);
                        free(component.name);
                } else
                        restore->components[n++] = component;
                if (n <= i)
                        restore->components[i] = (RestoreComponent){};
        }
        restore->n_components = n;
        return 0;
}

static int pre_restore(Restore *restore) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        char **failed = NULL;
        bool refused;
        int r;

        r = quiesce_restore_pre_restore(restore->session, &failed, &error);
        refused = r >= 0 && say_failed(restore, failed, "PreRestore");
        quiesce_strv_free(failed);
        if (refused)
                say("nothing was restored; --ignore-writer=NAME restores although that one has failed");
        return r >= 0 ? refused ? CTL_E_SAID : 0 : r == -EINTR ? r : say_bus_error("PreRestore", &error, r);
}

/**
 * restore_tell_writers() - find the writers concerned, and have them make way
 * @restore:    its files are known
 *
 * Return: as said in restore.h.
 */
int restore_tell_writers(Restore *restore) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        if (restore->without_writers)
                return 0;
        progress_step(&restore->backup.progress, "asking the writers");
        r = quiesce_restore_new(&restore->session, restore->backup.bus);
        if (r < 0)
                return error_trace(r);
        quiesce_restore_set_wait(restore->session, backup_wait, &restore->backup);
        r = quiesce_restore_open(restore->session, NULL, &error);
        if (r >= 0)
                r = quiesce_restore_gather_writer_metadata(restore->session, &reply, &error);
        progress_clear(&restore->backup.progress);
        if (r < 0)
                return r == -EINTR ? r : say_bus_error("cannot open a restore session", &error, r);
        r = read_metadata(restore, reply);
        if (r == 0)
                r = select_components(restore);
        return r != 0 ? r : pre_restore(restore);
}

/* Which of a component's files are in which path is not looked at: if one failed, some files did. */
static int tell_status(Restore *restore, bool all) {
        for (size_t i = 0; i < restore->n_components; i++) {
                const RestoreComponent *component = &restore->components[i];
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                int r;

                r = quiesce_restore_set_file_status(restore->session, component->writer,
                                                    component->logical_path, component->name,
                                                    all ? "all" : "failed", &error);
                if (r < 0)
                        return r == -EINTR ? r : say_bus_error(component->writer, &error, r);
        }
        return 0;
}

/**
 * restore_end_writers() - tell the writers how it went, and let them take their files up again
 * @restore:    copied
 *
 * Return: as said in restore.h.
 */
int restore_end_writers(Restore *restore) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        char **failed = NULL;
        bool all = true, any;
        int r;

        if (!restore->session)
                return 0;
        for (size_t i = 0; i < restore->n_files; i++)
                all &= restore->files[i].restored;
        r = tell_status(restore, all);
        if (r != 0)
                return r;
        r = quiesce_restore_post_restore(restore->session, &failed, &error);
        any = r >= 0 && say_failed(restore, failed, "PostRestore");
        quiesce_strv_free(failed);
        if (r >= 0)
                r = quiesce_restore_release(restore->session, &error);
        return r >= 0 ? any ? CTL_E_SAID : 0 : r == -EINTR ? r : say_bus_error("PostRestore", &error, r);
}
