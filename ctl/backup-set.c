/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The session's middle: volumes join the set, the set is made, its snapshots are opened; see backup.h.
 */

#include "ctl/backup.h"
#include "ctl/dict.h"
#include "ctl/format.h"

/**
 * backup_add() - offer a volume to the set
 * @backup:         it
 * @volume:         how it is named
 * @ret_snapshot:   its snapshot's UUID; free() it
 * @error:          quiesced's answer
 *
 * Return: 0, also if the volume is in the set already; else a negative errno.
 */
int backup_add(Backup *backup, const QuiesceVolume *volume, char **ret_snapshot, sd_bus_error *error) {
        const size_t id_length = 36;
        QuiesceVolume with_options = *volume;
        char *id;
        int r;

        with_options.cow_size = backup->options->cow_size;
        if (!volume->provider)
                with_options.provider = backup->options->provider;
        with_options.store_on = backup->options->store_on;
        r = quiesce_backup_add_volume(backup->session, &with_options, ret_snapshot, error);
        if (r >= 0)
                return error_trace(
                        options_append(&backup->snapshots, &backup->n_snapshots, strdup(*ret_snapshot)));
        if (!sd_bus_error_has_name(error, QUIESCE_ERROR_OBJECT_ALREADY_EXISTS) ||
            strlen(error->message) < id_length)
                return r;
        /* Two mounts of one volume share a snapshot, whose id the error's text ends in. */
        id = strdup(error->message + strlen(error->message) - id_length);
        if (!id)
                return error_origin(-ENOMEM);
        sd_bus_error_free(error);
        *ret_snapshot = id;
        return 0;
}

static bool error_is_unsupported(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, QUIESCE_ERROR_VOLUME_NOT_SUPPORTED) ||
               sd_bus_error_has_name(error, QUIESCE_ERROR_VOLUME_NOT_SUPPORTED_BY_PROVIDER);
}

static int say_volume_error(const Backup *backup, const PlanVolume *volume, const sd_bus_error *error,
                            int r) {
        (void) say_bus_error(volume->path, error, r);
        if (error_is_unsupported(error) &&
            (!backup->options->provider || !streq(backup->options->provider, "external")))
                say("%s is on %s (%s): snapshots need a file system on an LVM logical volume or another "
                    "device-mapper device; 'quiescectl list volumes' shows those that can join",
                    volume->path, volume->mount->source, volume->mount->type);
        return CTL_E_SAID;
}

static int backup_add_planned(Backup *backup, Plan *plan, size_t i) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        PlanVolume *volume = &plan->volumes[i];
        const QuiesceVolume offer = {.size = sizeof(offer), .path = volume->path};
        int r;

        r = backup_add(backup, &offer, &volume->snapshot, &error);
        if (r >= 0 || r == -EINTR)
                return r < 0 ? r : 0;
        progress_clear(&backup->progress);
        if (volume->given || !error_is_unsupported(&error))
                return say_volume_error(backup, volume, &error, r);
        return error_trace(plan_volume_stays_live(plan, i, error.message));
}

/**
 * backup_add_plan() - offer all volumes of a plan to the set
 * @backup:     it
 * @plan:       finished here; tells the user what stays live
 *
 * Return: as said in backup.h; -EINTR after a signal.
 */
int backup_add_plan(Backup *backup, Plan *plan) {
        int r;

        progress_step(&backup->progress, "adding %zu volume%s", plan->n_volumes,
                      plan->n_volumes == 1 ? "" : "s");
        for (size_t i = 0; i < plan->n_volumes; i++) {
                r = backup_add_planned(backup, plan, i);
                if (r != 0)
                        return r;
        }
        plan_finish(plan);
        for (size_t i = 0; i < plan->n_entries; i++)
                if (plan->entries[i].kind == PLAN_LIVE && plan->entries[i].named) {
                        progress_clear(&backup->progress);
                        say("%s %s (%s on %s): %s", plan->entries[i].path,
                            backup->options->elsewhere ? "is left out" : "stays live",
                            plan->entries[i].mount->type, plan->entries[i].mount->source,
                            plan->entries[i].reason);
                }
        return 0;
}

static void say_writers(const DictArray *writers) {
        for (size_t i = 0; i < writers->n_dicts; i++) {
                const Dict *writer = &writers->dicts[i];
                const char *text = dict_get_string(writer, "text"),
                           *retry = dict_get_string(writer, "retry");

                if (!*dict_get_string(writer, "failure")) {
                        if (*text)
                                say("writer %s warns: %s", dict_get_string(writer, "name"), text);
                        continue;
                }
                /* Its state says where it failed, its event what it was sent last: Abort, perhaps. */
                say("writer %s %s: %s%s%s%s%s", dict_get_string(writer, "name"),
                    dict_get_string(writer, "state"), dict_get_string(writer, "failure"), *text ? ": " : "",
                    text, *retry && !streq(retry, "none") ? "; retry: " : "",
                    *retry && !streq(retry, "none") ? retry : "");
        }
}

/* What failed, and what people should know although it did not. */
static void backup_say_writers(Backup *backup) {
        _cleanup_(dict_array_done) DictArray writers = {};
        _cleanup_message_ sd_bus_message *reply = NULL;

        if (backup->options->without_writers || backup->lost)
                return;
        progress_clear(&backup->progress);
        if (quiesce_backup_gather_writer_status(backup->session, &reply, NULL) >= 0 &&
            dict_array_read(&writers, reply) >= 0)
                say_writers(&writers);
}

static int say_set_error(Backup *backup, const char *what, const sd_bus_error *error, int r) {
        if (r == -EINTR)
                return r;
        progress_clear(&backup->progress);
        (void) say_bus_error(what, error, r);
        backup_say_writers(backup);
        if (sd_bus_error_has_name(error, QUIESCE_ERROR_WRITER_VETO))
                say("mend the writer, or leave it out %s", backup->options->scripted
                                                                   ? "with 'writer exclude NAME'"
                                                                   : "of account with --ignore-writer=NAME");
        return CTL_E_SAID;
}

static void backup_say_set(Backup *backup) {
        const QuiesceSnapshotSet *set = backup->set;
        char when[FORMAT_MAX];

        progress_say(&backup->progress, "snapshot set %s made at %s, %s-consistent", set->id ? set->id : "",
                     format_time(when, set->instant_usec), set->consistency ? set->consistency : "crash");
        backup_say_writers(backup);
}

static QuiesceRequirement backup_requirement(const Backup *backup) {
        return (QuiesceRequirement){
                .size = sizeof(QuiesceRequirement),
                .require_writers = !backup->options->without_writers,
                .ignore_writers = backup->options->ignore_writers,
        };
}

/**
 * backup_prepare() - prepare the writers
 * @backup:     it; nothing happens in a context without writers
 *
 * Return: as said in backup.h; -EINTR after a signal.
 */
int backup_prepare(Backup *backup) {
        const QuiesceRequirement requirement = backup_requirement(backup);
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (backup->options->without_writers)
                return 0;
        progress_step(&backup->progress, "preparing the writers");
        progress_part(&backup->progress, PROGRESS_PART_PREPARE);
        r = quiesce_backup_prepare(backup->session, &requirement, NULL, &error);
        return r < 0 ? say_set_error(backup, "cannot prepare the writers", &error, r) : 0;
}

/**
 * backup_do_set() - make the set
 * @backup:     its writers are prepared; set is filled
 *
 * Return: as said in backup.h; -EINTR after a signal.
 */
int backup_do_set(Backup *backup) {
        QuiesceRequirement requirement = backup_requirement(backup);
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        requirement.moment_fd = backup->moment_fd;
        requirement.moment_limit_usec = backup->moment_limit_usec;
        progress_step(&backup->progress, "making the snapshot set");
        progress_part(&backup->progress, PROGRESS_PART_SET);
        r = quiesce_backup_do_snapshot_set(backup->session, &requirement, &backup->set, &error);
        if (r < 0)
                return say_set_error(backup, "no snapshot set was made", &error, r);
        backup_say_set(backup);
        return error_trace(backup_watch_space(backup));
}

/**
 * backup_make_set() - prepare the writers and make the set
 * @backup:     it; set is filled
 *
 * Return: as said in backup.h; -EINTR after a signal.
 */
int backup_make_set(Backup *backup) {
        int r;

        r = backup_prepare(backup);
        return r == 0 ? backup_do_set(backup) : r;
}

static bool is_ignored(const Backup *backup, const char *name) {
        for (const char *const *i = backup->options->ignore_writers; i && *i; i++)
                if (streq(*i, name))
                        return true;
        return false;
}

/**
 * backup_find_lost_writer() - a writer that did not stay frozen until it was thawed
 * @backup:     its set is made
 *
 * Return: its name, and what it said, free() it; NULL: there is none, or it was to be ignored.
 */
char *backup_find_lost_writer(Backup *backup) {
        _cleanup_(dict_array_done) DictArray writers = {};
        _cleanup_message_ sd_bus_message *reply = NULL;
        char *found = NULL;

        if (!backup->set || !backup->set->failed_writers || !backup->set->failed_writers[0] ||
            quiesce_backup_gather_writer_status(backup->session, &reply, NULL) < 0 ||
            dict_array_read(&writers, reply) < 0)
                return NULL;
        for (size_t i = 0; i < writers.n_dicts && !found; i++) {
                const Dict *writer = &writers.dicts[i];
                const char *state = dict_get_string(writer, "state");
                const char *name = dict_get_string(writer, "name"), *text = dict_get_string(writer, "text");

                if ((streq(state, "failed-at-freeze") || streq(state, "failed-at-thaw")) &&
                    !is_ignored(backup, name) &&
                    asprintf(&found, "%s%s%s", name, *text ? ": " : "", text) < 0)
                        return NULL;
        }
        return found;
}

static int backup_open_tree(Backup *backup, Plan *plan, PlanEntry *entry) {
        const PlanVolume *volume = &plan->volumes[entry->volume];
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = quiesce_backup_open_tree(backup->session, volume->snapshot, &entry->tree_fd, &error);
        if (r >= 0 || r == -EINTR)
                return r < 0 ? r : 0;
        progress_clear(&backup->progress);
        if (volume->given || !sd_bus_error_has_name(&error, QUIESCE_ERROR_NOT_SUPPORTED)) {
                (void) say_bus_error("cannot look into a snapshot", &error, r);
                say("it is the snapshot that %s should show (%s on %s)", entry->path, volume->mount->type,
                    volume->mount->source);
                return CTL_E_SAID;
        }
        say("%s %s (%s on %s): %s", entry->path, backup->options->elsewhere ? "is left out" : "stays live",
            volume->mount->type, volume->mount->source, error.message);
        return error_trace(plan_volume_stays_live(plan, entry->volume, error.message));
}

/**
 * backup_open_trees() - open each snapshot of a plan, once for each place it is seen at
 * @backup:     it
 * @plan:       finished anew here: what cannot be looked into stays live
 *
 * Return: as said in backup.h; -EINTR after a signal.
 */
int backup_open_trees(Backup *backup, Plan *plan) {
        int r;

        progress_step(&backup->progress, "opening the snapshots");
        for (size_t i = 0; i < plan->n_entries; i++) {
                if (plan->entries[i].kind != PLAN_SNAPSHOT)
                        continue;
                r = backup_open_tree(backup, plan, &plan->entries[i]);
                if (r != 0)
                        return r;
        }
        plan_finish(plan);
        return 0;
}
