/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl run --dry-run: all that a backup does before the first writer is frozen, told as tables or
 * JSON.
 *
 * The session is real: the writers are started, gathered and prepared, and each volume is looked at as
 * AddToSnapshotSet looks at it. Then the backup is aborted. So what would make a set fail before Freeze
 * makes this fail, too; and what several volumes need together is added up here, as no call does before the
 * set.
 */

#include "ctl/dry-run.h"

#include <fcntl.h>

#include "bus/dictionary.h"
#include "ctl/format.h"
#include "ctl/json.h"

static const Column volume_columns[] = {
        {"VOLUME", "volume", COLUMN_STRING, 0},
        {"SIZE", "size", COLUMN_SIZE, 0},
        {"PROVIDER", "provider", COLUMN_STRING, 0},
        {"FSTYPE", "file-system", COLUMN_STRING, 0},
        {"MOUNTPOINTS", "mount-points", COLUMN_LIST, 0},
        {"STORE", "cow-size", COLUMN_SIZE, 0},
        {"FREE", "free", COLUMN_SIZE, 0},
};

/* What of GatherWriterStatus is known before Freeze. */
static const Column writer_columns[] = {
        {"WRITER", "name", COLUMN_STRING, 0},
        {"LEVEL", "level", COLUMN_STRING, 0},
        {"FAILURE", "failure", COLUMN_STRING, 0},
        {"TEXT", "text", COLUMN_STRING, COLUMN_TRUNCATE},
        {"UNIT", "unit", COLUMN_STRING, COLUMN_HIDDEN},
        {"DURATIONS", "durations", COLUMN_TIMES, COLUMN_HIDDEN},
};

/* A volume group that stores of snapshots would be made in. */
typedef struct Group {
        const char *name; /* in a volume's row, up to the slash */
        int name_length;
        uint64_t needed, room;
} Group;

typedef struct DryRun {
        DictArray volumes, writers;
        Group *groups; /* as many as volumes at most */
        size_t n_groups;
} DryRun;

static int call_is_supported(Backup *backup, const char *path, sd_bus_message **ret_reply,
                             sd_bus_error *error) {
        const BackupOptions *options = backup->options;
        _cleanup_message_ sd_bus_message *call = NULL;
        _cleanup_close_ int fd = -EBADF;
        size_t n_store_on = 0;
        int r;

        fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return error_origin(-errno);
        r = quiesce_backup_new_call(backup->session, &call, QUIESCE_BUS_BACKUP, "IsVolumeSupported");
        if (r >= 0)
                r = sd_bus_message_append(call, "v", "h", fd);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && options->cow_size > 0)
                r = sd_bus_message_append(call, "{sv}", "cow-size", "t", options->cow_size);
        if (r >= 0 && options->provider)
                r = sd_bus_message_append(call, "{sv}", "provider", "s", options->provider);
        while (options->store_on && options->store_on[n_store_on])
                n_store_on++;
        if (r >= 0 && n_store_on > 0)
                r = dictionary_add_strings(call, "store-on", options->store_on, n_store_on);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r < 0 ? error_trace(r) : quiesce_backup_call(backup->session, call, ret_reply, error);
}

/* Where in the caller's view its file system is. */
static int add_mounts(Dict *row, const Plan *plan, size_t volume) {
        _cleanup_free_ char **points = calloc(plan->n_entries + 1, sizeof(*points));
        size_t n = 0;
        int r;

        if (!points)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < plan->n_entries; i++) {
                const PlanEntry *entry = &plan->entries[i];
                bool known = entry->kind != PLAN_SNAPSHOT || entry->volume != volume;

                for (size_t k = 0; !known && k < n; k++)
                        known = streq(points[k], entry->mount->point);
                if (!known)
                        points[n++] = entry->mount->point;
        }
        r = dict_add_list(row, "mount-points", points);
        if (r >= 0)
                r = dict_add_string(row, "file-system", plan->volumes[volume].mount->type);
        return error_trace(r);
}

static int look_at_volume(DryRun *dry, Backup *backup, const Plan *plan, size_t volume) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *path = plan->volumes[volume].path;
        _cleanup_(dict_done) Dict row = {};
        int r, supported;

        r = call_is_supported(backup, path, &reply, &error);
        if (r == -EINTR)
                return r;
        if (r < 0)
                return say_bus_error(path, &error, r);
        r = sd_bus_message_read(reply, "b", &supported);
        if (r >= 0)
                r = dict_read(&row, reply);
        if (r < 0)
                return error_trace(r);
        /* It could join a moment ago. */
        if (!supported) {
                say("%s: %s", path, dict_get_string(&row, "reason"));
                return CTL_E_SAID;
        }
        r = add_mounts(&row, plan, volume);
        return error_trace(r < 0 ? r : dict_array_add(&dry->volumes, &row));
}

static void add_to_group(DryRun *dry, const Dict *row) {
        const char *volume = dict_get_string(row, "volume");
        int length = (int) strcspn(volume, "/");
        size_t i = 0;

        /* One of provider dm has a store of its own. */
        if (!dict_get(row, "cow-size") || volume[length] != '/')
                return;
        while (i < dry->n_groups && (dry->groups[i].name_length != length ||
                                     strncmp(dry->groups[i].name, volume, (size_t) length) != 0))
                i++;
        if (i == dry->n_groups)
                dry->groups[dry->n_groups++] =
                        (Group){.name = volume, .name_length = length, .room = dict_get_number(row, "free")};
        dry->groups[i].needed += dict_get_number(row, "cow-size");
}

static int look_at_volumes(DryRun *dry, Backup *backup, const Plan *plan) {
        int r = 0;

        progress_step(&backup->progress, "looking at the volumes");
        for (size_t i = 0; r == 0 && i < plan->n_volumes; i++)
                if (plan->volumes[i].snapshot)
                        r = look_at_volume(dry, backup, plan, i);
        if (r != 0)
                return r;
        dry->groups = calloc(dry->volumes.n_dicts + 1, sizeof(*dry->groups));
        if (!dry->groups)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < dry->volumes.n_dicts; i++)
                add_to_group(dry, &dry->volumes.dicts[i]);
        return 0;
}

static int look_at_writers(DryRun *dry, Backup *backup) {
        _cleanup_(dict_array_done) DictArray all = {};
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = quiesce_backup_gather_writer_status(backup->session, &reply, &error);
        if (r < 0)
                return r == -EINTR ? r : say_bus_error("cannot ask for the writers", &error, r);
        r = dict_array_read(&all, reply);
        for (size_t i = 0; r >= 0 && i < all.n_dicts; i++)
                if (dict_get_number(&all.dicts[i], "takes-part"))
                        r = dict_array_add(&dry->writers, &all.dicts[i]);
        return error_trace(r);
}

static json_t *steps_to_json(const Progress *progress) {
        json_t *steps = json_array();

        for (size_t i = 0; i + 1 < progress->n_steps; i++) {
                json_t *step = json_object();
                uint64_t usec = progress->steps[i + 1].begin_usec - progress->steps[i].begin_usec;

                (void) json_object_set_new(step, "step", json_string(progress->steps[i].text));
                (void) json_object_set_new(step, "took", json_integer((json_int_t) usec));
                (void) json_array_append_new(steps, step);
        }
        return steps;
}

static json_t *groups_to_json(const DryRun *dry) {
        json_t *groups = json_array();

        for (size_t i = 0; i < dry->n_groups; i++) {
                const Group *group = &dry->groups[i];
                json_t *object = json_object();

                (void) json_object_set_new(object, "group",
                                           json_stringn(group->name, (size_t) group->name_length));
                (void) json_object_set_new(object, "needed", json_integer((json_int_t) group->needed));
                (void) json_object_set_new(object, "free", json_integer((json_int_t) group->room));
                (void) json_array_append_new(groups, object);
        }
        return groups;
}

static int print_json(const DryRun *dry, const Backup *backup) {
        json_t *document = json_object();

        (void) json_object_set_new(
                document, "volumes",
                json_from_rows(volume_columns, ELEMENTSOF(volume_columns), &dry->volumes));
        (void) json_object_set_new(
                document, "writers",
                json_from_rows(writer_columns, ELEMENTSOF(writer_columns), &dry->writers));
        (void) json_object_set_new(document, "groups", groups_to_json(dry));
        (void) json_object_set_new(document, "steps", steps_to_json(&backup->progress));
        return error_trace(json_print(document));
}

static int print_text(const DryRun *dry) {
        const Options options = {};
        int r;

        (void) puts("Volumes in the set, and the file systems that would be frozen:");
        r = table_print(volume_columns, ELEMENTSOF(volume_columns), &dry->volumes, &options);
        if (r < 0)
                return error_trace(r);
        (void) puts(dry->writers.n_dicts > 0 ? "\nWriters that would be frozen:"
                                             : "\nNo writer takes part.");
        if (dry->writers.n_dicts > 0)
                r = table_print(writer_columns, ELEMENTSOF(writer_columns), &dry->writers, &options);
        if (dry->n_groups > 0)
                (void) puts("\nSpace for the snapshots' stores:");
        for (size_t i = 0; i < dry->n_groups; i++) {
                char needed[FORMAT_MAX], room[FORMAT_MAX];

                printf("volume group %.*s: %s needed, %s free\n", dry->groups[i].name_length,
                       dry->groups[i].name, format_size(needed, dry->groups[i].needed),
                       format_size(room, dry->groups[i].room));
        }
        return fflush(stdout) == 0 ? error_trace(r) : error_origin(-EIO);
}

static bool writer_is_ignored(const Backup *backup, const char *name) {
        const char *const *ignored = backup->options->ignore_writers;

        for (size_t i = 0; ignored && ignored[i]; i++)
                if (streq(ignored[i], name))
                        return true;
        return false;
}

/* What would make the set fail. Return: 0 or CTL_E_SAID. */
static int judge(const DryRun *dry, const Backup *backup) {
        int r = 0;

        for (size_t i = 0; i < dry->writers.n_dicts; i++) {
                const Dict *writer = &dry->writers.dicts[i];
                const char *name = dict_get_string(writer, "name");

                if (!*dict_get_string(writer, "failure") || writer_is_ignored(backup, name))
                        continue;
                say("no set would be made: writer %s failed at %s: %s: %s; mend it, or leave it out of "
                    "account with --ignore-writer=%s",
                    name, dict_get_string(writer, "event"), dict_get_string(writer, "failure"),
                    dict_get_string(writer, "text"), name);
                r = CTL_E_SAID;
        }
        for (size_t i = 0; i < dry->n_groups; i++) {
                const Group *group = &dry->groups[i];
                char needed[FORMAT_MAX], room[FORMAT_MAX];

                if (group->needed <= group->room)
                        continue;
                say("no set would be made: the snapshots' stores need %s together, and the volume group "
                    "%.*s has %s free; extend it, or wish for smaller stores with --cow-size",
                    format_size(needed, group->needed), group->name_length, group->name,
                    format_size(room, group->room));
                r = CTL_E_SAID;
        }
        return r;
}

static int look_and_tell(DryRun *dry, Backup *backup, const Plan *plan, bool json) {
        int r;

        r = look_at_volumes(dry, backup, plan);
        if (r == 0)
                r = backup_prepare(backup);
        if (r == 0)
                r = look_at_writers(dry, backup);
        if (r != 0)
                return r;
        progress_step(&backup->progress, "telling");
        progress_clear(&backup->progress);
        r = json ? print_json(dry, backup) : print_text(dry);
        return r < 0 ? error_trace(r) : judge(dry, backup);
}

/**
 * dry_run() - look at what the set would be, and tell
 * @backup:     its volumes are added; to be aborted and released after that in any case
 * @plan:       they
 * @json:       as JSON
 *
 * Return: 0: the set would be made, as far as can be told; else as said in backup.h; -EINTR after a signal.
 */
int dry_run(Backup *backup, Plan *plan, bool json) {
        DryRun dry = {};
        int r;

        r = look_and_tell(&dry, backup, plan, json);
        dict_array_done(&dry.volumes);
        dict_array_done(&dry.writers);
        free(dry.groups);
        return r;
}
