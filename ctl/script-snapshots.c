/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * "expose", "unexpose", "delete shadows" and "list"; see script-run.h. They are about any snapshots, not the
 * script's alone.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>

#include "ctl/kinds.h"
#include "ctl/mounts.h"
#include "ctl/origin.h"
#include "ctl/script-run.h"

static bool is_id(const char *text) {
        sd_id128_t id;

        return sd_id128_from_string(text, &id) >= 0;
}

/**
 * run_expose() - mount a snapshot on a directory of the host
 * @run:        it
 *
 * Return: as said in script-run.h.
 */
int run_expose(ScriptRun *run) {
        _cleanup_free_ char *id = NULL, *directory = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = run_expand(run, run->command->argument, &id);
        if (r == 0)
                r = run_expand(run, run->command->directory, &directory);
        if (r != 0)
                return r;
        fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                run_say(run, "%s: %s", directory, strerror(errno));
                return CTL_E_SAID;
        }
        r = snapshot_mount(run->backup.bus, id, fd);
        if (r != 0)
                return r;
        progress_say(&run->backup.progress, "snapshot %s is exposed at %s", id, directory);
        return error_trace(options_append(&run->exposed, &run->n_exposed, TAKE_PTR(id)));
}

/**
 * run_unexpose() - undo that, of a snapshot or at a directory
 * @run:        it
 *
 * Return: as said in script-run.h.
 */
int run_unexpose(ScriptRun *run) {
        _cleanup_free_ char *what = NULL;
        int r;

        r = run_expand(run, run->command->argument, &what);
        if (r != 0)
                return r;
        return is_id(what) ? snapshot_unmount(run->backup.bus, what, 0)
                           : unmount_directory(run->backup.bus, what, NULL);
}

/* What the script has exposed itself it may delete, as on Windows; what is mounted is not deleted else.
 * id: of a snapshot or set. Return: as said in script-run.h. */
static int unexpose_own(ScriptRun *run, const char *id) {
        _cleanup_(dict_array_done) DictArray snapshots = {};
        int r;

        if (run->n_exposed == 0)
                return 0;
        r = kind_read_all(&snapshots, run->backup.bus, kind_find("snapshots"));
        for (size_t i = 0; r == 0 && i < snapshots.n_dicts; i++) {
                const char *snapshot = dict_get_string(&snapshots.dicts[i], "Id");

                if (!streq(snapshot, id) && !streq(dict_get_string(&snapshots.dicts[i], "Set"), id))
                        continue;
                for (size_t j = 0; r == 0 && j < run->n_exposed; j++)
                        if (streq(run->exposed[j], snapshot))
                                r = snapshot_unmount(run->backup.bus, snapshot, 0);
        }
        return r;
}

/* Return: as said in script-run.h. */
static int delete_one(ScriptRun *run, const char *id) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        const char *left;
        uint32_t deleted;
        int r;

        r = unexpose_own(run, id);
        if (r != 0)
                return r;
        r = sd_bus_message_new_method_call(run->backup.bus, &call, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                           QUIESCE_BUS_MANAGER, "DeleteSnapshots");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", id, 0);
        if (r >= 0)
                r = sd_bus_call(run->backup.bus, call, UINT64_MAX, &error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "us", &deleted, &left);
        if (r < 0)
                return run_say_bus_error(run, id, &error, r);
        if (*left) {
                run_say(run, "%s: %u snapshot%s deleted; the first that could not be is %s", id, deleted,
                        deleted == 1 ? "" : "s", left);
                return CTL_E_SAID;
        }
        progress_say(&run->backup.progress, "%s: %u snapshot%s deleted", id, deleted,
                     deleted == 1 ? "" : "s");
        return 0;
}

/*
 * What a script has for a volume: its name, its device or a path on it. The last two are told by the device,
 * as it is now: where the volume was mounted at a snapshot may be unknown, or another's by now.
 */
typedef struct VolumeName {
        const char *text;
        dev_t device; /* 0: it is no path, or leads nowhere */
} VolumeName;

/* Return: 0 or a negative errno. */
static int volume_name_read(VolumeName *volume, const char *text) {
        _cleanup_(mount_table_freep) MountTable *table = NULL;
        _cleanup_free_ char *real = text[0] == '/' ? realpath(text, NULL) : NULL;
        const Mount *mount;
        struct stat st;
        int r;

        *volume = (VolumeName){.text = text};
        if (!real || stat(real, &st) < 0)
                return 0;
        if (S_ISBLK(st.st_mode)) {
                volume->device = st.st_rdev;
                return 0;
        }
        r = mount_table_new(&table, NULL);
        if (r < 0)
                return error_trace(r);
        mount = mount_table_resolve(table, real);
        if (mount)
                volume->device = mount->device;
        return 0;
}

static bool is_of_volume(const Dict *snapshot, const VolumeName *volume) {
        const char *name = dict_get_string(snapshot, "volume");

        if (volume->device != 0 && device_lies_on("/sys", volume->device, dict_get_string(snapshot, "key")))
                return true;
        /* A volume that is not active has no device. */
        return streq(name, volume->text) || (volume->device == 0 && strncmp(volume->text, "/dev/", 5) == 0 &&
                                             streq(name, volume->text + 5));
}

/* Somebody else's backup may be reading it. */
static bool is_in_use(const ScriptRun *run, const DictArray *sessions, const Dict *snapshot) {
        const char *session = dict_get_string(snapshot, "Session"), *own = NULL;

        if (quiesce_backup_get_path(run->backup.session))
                own = quiesce_backup_get_id(run->backup.session);
        for (size_t i = 0; i < sessions->n_dicts; i++)
                if (streq(dict_get_string(&sessions->dicts[i], "Id"), session))
                        return !streq_ptr(session, own);
        return false;
}

/* text: the volume; NULL: all. */
static int delete_of_volume(ScriptRun *run, const char *text, bool oldest) {
        _cleanup_(dict_array_done) DictArray snapshots = {}, sessions = {};
        const Dict *first = NULL;
        VolumeName volume = {};
        size_t found = 0;
        int r = 0;

        if (text)
                r = volume_name_read(&volume, text);
        if (r == 0)
                r = kind_read_all(&snapshots, run->backup.bus, kind_find("snapshots"));
        if (r == 0)
                r = kind_read_all(&sessions, run->backup.bus, kind_find("sessions"));
        for (size_t i = 0; r == 0 && i < snapshots.n_dicts; i++) {
                const Dict *snapshot = &snapshots.dicts[i];

                if (text && !is_of_volume(snapshot, &volume))
                        continue;
                if (is_in_use(run, &sessions, snapshot)) {
                        run_say(run, "%s stays: session %s uses it", dict_get_string(snapshot, "Id"),
                                dict_get_string(snapshot, "Session"));
                        continue;
                }
                found++;
                if (oldest && (!first || dict_get_number(snapshot, "CreatedUSec") <
                                                 dict_get_number(first, "CreatedUSec")))
                        first = snapshot;
                if (!oldest)
                        r = delete_one(run, dict_get_string(snapshot, "Id"));
        }
        if (r == 0 && first)
                r = delete_one(run, dict_get_string(first, "Id"));
        if (r != 0 || found > 0)
                return r;
        /* Nothing to do is good; a wrong name is not. */
        if (text && text[0] == '/' && volume.device == 0) {
                run_say(run, "%s is no path here, nor has a volume of this name a snapshot", text);
                return CTL_E_SAID;
        }
        progress_say(&run->backup.progress, "there is no snapshot%s%s to delete", text ? " of " : "",
                     text ? text : "");
        return 0;
}

/**
 * run_delete_shadows() - delete snapshots
 * @run:        it
 *
 * Return: as said in script-run.h.
 */
int run_delete_shadows(ScriptRun *run) {
        _cleanup_free_ char *what = NULL, *id = NULL;
        int r = 0;

        if (run->command->argument)
                r = run_expand(run, run->command->argument, &what);
        if (r != 0)
                return r;
        switch (run->command->which) {
        case PROGRAM_OF_VOLUME:
                /* Scripts for Windows have an alias there. */
                if (is_id(what))
                        return delete_one(run, what);
                return delete_of_volume(run, what, false);
        case PROGRAM_OLDEST:
                return delete_of_volume(run, what, true);
        case PROGRAM_EXPOSED:
                r = unmount_directory(run->backup.bus, what, &id);
                return r == 0 ? delete_one(run, id) : r;
        case PROGRAM_OF_SET:
        case PROGRAM_ID:
                return delete_one(run, what);
        case PROGRAM_ALL:
        default:
                return delete_of_volume(run, NULL, false);
        }
}

/* Of the rows those that have a value. */
static void keep_rows(DictArray *rows, const char *key, const char *value) {
        size_t n = 0;

        for (size_t i = 0; i < rows->n_dicts; i++) {
                Dict row = rows->dicts[i];

                rows->dicts[i] = (Dict){};
                if (streq(dict_get_string(&row, key), value))
                        rows->dicts[n++] = row;
                else
                        dict_done(&row);
        }
        rows->n_dicts = n;
}

/**
 * run_list() - list writers, snapshots or providers
 * @run:        it
 *
 * Return: as said in script-run.h.
 */
int run_list(ScriptRun *run) {
        const Kind *kind = kind_find(run->command->verb == PROGRAM_LIST_WRITERS   ? "writers"
                                     : run->command->verb == PROGRAM_LIST_SHADOWS ? "snapshots"
                                                                                  : "providers");
        _cleanup_(dict_array_done) DictArray rows = {};
        _cleanup_free_ char *what = NULL;
        const Options options = {};
        int r = 0;

        if (run->command->argument)
                r = run_expand(run, run->command->argument, &what);
        if (r == 0)
                r = kind_read_all(&rows, run->backup.bus, kind);
        if (r != 0)
                return r;
        if (what)
                keep_rows(&rows, run->command->which == PROGRAM_OF_SET ? "Set" : "Id", what);
        progress_clear(&run->backup.progress);
        if (rows.n_dicts == 0)
                printf("no %s\n", kind->name);
        r = rows.n_dicts > 0 ? table_print(kind->columns, kind->n_columns, &rows, &options) : 0;
        (void) fflush(stdout);
        return error_trace(r);
}
