/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which snapshot has a path, and copying it back; see restore.h.
 *
 * The snapshots are seen through detached mounts, which are in no namespace: cp(1) reads them by their
 * descriptors below /proc/self/fd. A file is removed before it is written, so that who has it open, or is
 * running it, keeps what he has; what was made since the set was stays.
 */

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>

#include "ctl/command.h"
#include "ctl/origin.h"
#include "ctl/restore.h"
#include "ctl/table.h"

static const char *volume_of(const Restore *restore, size_t snapshot) {
        return dict_get_string(&restore->snapshots.dicts[snapshot], "volume");
}

/* What is not there any more is looked for in its folder. Return: NULL: that is not there, or no memory. */
static char *resolve(const char *path) {
        _cleanup_free_ char *whole = realpath(path, NULL), *copy = NULL, *folder = NULL;
        const char *name;
        char *joined;

        if (whole || errno != ENOENT)
                return TAKE_PTR(whole);
        copy = strdup(path);
        if (!copy)
                return NULL;
        name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        folder = realpath(dirname(copy), NULL);
        if (!folder || !*name || asprintf(&joined, "%s/%s", streq(folder, "/") ? "" : folder, name) < 0)
                return NULL;
        return joined;
}

/* Return: n_dicts: none. */
static size_t find_snapshot(const Restore *restore, const Mount *mount) {
        size_t i = 0;

        while (i < restore->snapshots.n_dicts &&
               !device_lies_on("/sys", mount->device, dict_get_string(&restore->snapshots.dicts[i], "key")))
                i++;
        return i;
}

static int add_file(Restore *restore, const MountTable *table, char *path) {
        const Mount *mount = mount_table_resolve(table, path);
        RestoreFile *more = reallocarray(restore->files, restore->n_files + 1, sizeof(*more));

        if (!more || !mount) {
                free(path);
                return error_origin(-ENOMEM);
        }
        restore->files = more;
        more[restore->n_files] = (RestoreFile){.path = path,
                                               .inside = path_inside_mount(mount, path),
                                               .snapshot = find_snapshot(restore, mount)};
        if (!more[restore->n_files++].inside)
                return error_origin(-ENOMEM);
        if (more[restore->n_files - 1].snapshot < restore->snapshots.n_dicts)
                return 0;
        say("%s lies on %s, of which the set has no snapshot; 'quiescectl list' shows of what there are",
            path, mount->source);
        return CTL_E_SAID;
}

/* What has a file system and is mounted nowhere. */
static void say_left_out(const Restore *restore) {
        for (size_t i = 0; !restore->common.quiet && i < restore->snapshots.n_dicts; i++) {
                size_t k = 0;

                while (k < restore->n_files && restore->files[k].snapshot != i)
                        k++;
                if (k == restore->n_files && !*dict_get_string(&restore->snapshots.dicts[i], "open-tree"))
                        say("%s is not mounted anywhere now, and is left out", volume_of(restore, i));
        }
}

/* All that is mounted of the set's volumes. */
static int add_all(Restore *restore, const MountTable *table) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < table->n_mounts; i++) {
                const Mount *mount = &table->mounts[i];
                char *path;

                if (mount_table_resolve(table, mount->point) != mount ||
                    find_snapshot(restore, mount) == restore->snapshots.n_dicts)
                        continue;
                path = strdup(mount->point);
                r = path ? add_file(restore, table, path) : error_origin(-ENOMEM);
        }
        if (r == 0 && restore->n_files == 0) {
                say("no volume of the set is mounted now, so there is nowhere to restore to");
                return CTL_E_SAID;
        }
        if (r == 0)
                say_left_out(restore);
        return r;
}

/**
 * restore_find_files() - find each path in a snapshot
 * @restore:    its snapshots are known
 * @paths:      the caller's; what is not there any more is looked for where it was
 * @n_paths:    0: all that is mounted of the set's volumes
 *
 * Return: as said in restore.h.
 */
int restore_find_files(Restore *restore, char **paths, size_t n_paths) {
        _cleanup_(mount_table_freep) MountTable *table = NULL;
        int r;

        r = mount_table_new(&table, NULL);
        if (r >= 0 && n_paths == 0)
                return add_all(restore, table);
        for (size_t i = 0; r == 0 && i < n_paths; i++) {
                char *path = resolve(paths[i]);

                if (path)
                        r = add_file(restore, table, path);
                else {
                        say("%s: %s", paths[i], strerror(errno));
                        r = CTL_E_SAID;
                }
        }
        return error_trace(r);
}

static int open_tree(Restore *restore, size_t index) {
        const char *path = restore->snapshots.dicts[index].name;
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int fd, r;

        r = sd_bus_message_new_method_call(restore->backup.bus, &call, QUIESCE_BUS_NAME, path,
                                           QUIESCE_BUS_SNAPSHOT, "OpenTree");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = quiesce_backup_call(restore->backup.session, call, &reply, &error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0 && r != -EINTR)
                return say_bus_error(volume_of(restore, index), &error, r);
        if (r < 0)
                return r;
        restore->tree_fds[index] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return restore->tree_fds[index] < 0 ? error_origin(-errno) : 0;
}

/* What a snapshot has not cannot come back from it; it is told before anything is done. */
static int check_file(const Restore *restore, const RestoreFile *file) {
        const char *inside = *file->inside ? file->inside : ".";

        if (faccessat(restore->tree_fds[file->snapshot], inside, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        if (errno == ENOENT)
                say("%s is not in the snapshot of %s", file->path, volume_of(restore, file->snapshot));
        else
                say("%s: the snapshot of %s cannot be read there: %s", file->path,
                    volume_of(restore, file->snapshot), strerror(errno));
        return CTL_E_SAID;
}

/**
 * restore_open_trees() - open the snapshots that are needed, and look whether they have all
 * @restore:    its files are known
 *
 * Return: as said in restore.h.
 */
int restore_open_trees(Restore *restore) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < restore->n_files; i++)
                if (restore->tree_fds[restore->files[i].snapshot] < 0)
                        r = open_tree(restore, restore->files[i].snapshot);
        for (size_t i = 0; r == 0 && i < restore->n_files; i++)
                r = check_file(restore, &restore->files[i]);
        return r;
}

/* --- cp ------------------------------------------------------------------------------------------------ */

typedef struct Copy {
        int tree_fd;
        bool ended;
        ContainOutcome outcome;
} Copy;

/* In the command's process. */
static int copy_setup(void *userdata, Failure *ret_failure) {
        const Copy *copy = userdata;

        return fcntl(copy->tree_fd, F_SETFD, 0) < 0
                       ? failure_set(ret_failure, errno, "cannot hand the snapshot to cp")
                       : 0;
}

static void copy_ended(const ContainOutcome *outcome, void *userdata) {
        Copy *copy = userdata;

        copy->outcome = *outcome;
        copy->ended = true;
}

static int copy_file(Restore *restore, RestoreFile *file) {
        _cleanup_(contain_freep) Containment *command = NULL;
        Copy copy = {.tree_fd = restore->tree_fds[file->snapshot]};
        _cleanup_free_ char *from = NULL;
        char *argv[] = {(char *) "cp",
                        (char *) "--archive",
                        (char *) "--remove-destination",
                        (char *) "--no-target-directory",
                        (char *) "--",
                        NULL,
                        file->path,
                        NULL};
        const ContainOptions options = {
                .argv = argv, .setup = copy_setup, .userdata = &copy, .signal_mask = &restore->signal_mask};
        int r;

        if (asprintf(&from, "/proc/self/fd/%d/%s", copy.tree_fd, *file->inside ? file->inside : ".") < 0)
                return error_origin(-ENOMEM);
        argv[5] = from;
        r = contain_start(&command, restore->backup.event, &options, copy_ended, &copy);
        while (r >= 0 && !copy.ended) {
                r = sd_event_run(restore->backup.event, UINT64_MAX);
                if (r >= 0 && restore->backup.signal && !copy.ended)
                        contain_signal(command, restore->backup.signal);
        }
        if (r < 0)
                return error_trace(r);
        file->restored = command_status(&copy.outcome) == 0;
        return restore->backup.signal ? -EINTR : file->restored ? 0 : CTL_E_SAID;
}

/**
 * restore_copy() - bring all files back
 * @restore:    its trees are open; each of its files tells afterwards whether it is restored
 *
 * One that cannot be does not keep the others from it.
 *
 * Return: as said in restore.h.
 */
int restore_copy(Restore *restore) {
        bool said = false;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < restore->n_files; i++) {
                RestoreFile *file = &restore->files[i];

                progress_step(&restore->backup.progress, "restoring %s", file->path);
                r = copy_file(restore, file);
                progress_clear(&restore->backup.progress);
                if (r == CTL_E_SAID)
                        say("%s was not restored, or not wholly", file->path);
                said |= r == CTL_E_SAID;
        }
        return r < 0 ? r : said ? CTL_E_SAID : 0;
}
