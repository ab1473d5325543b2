/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A requester in one page: requester VOLUME… takes a snapshot set of these volumes (mount points, or
 * vg/lv), lists what is in the root of each snapshot, and tells the writers that the backup is complete.
 *
 *   cc requester.c $(pkg-config --cflags --libs libquiesce libsystemd) -o requester
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <quiesce/requester.h>

/* Here a backup would read all that is below `tree`: the root of a read-only mount that nobody else sees. */
static int list_snapshot(QuiesceBackup *backup, const char *snapshot, sd_bus_error *error) {
        int tree, root, r;
        DIR *d;

        r = quiesce_backup_open_tree(backup, snapshot, &tree, error);
        if (r < 0)
                return r;
        root = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void) close(tree);
        d = root < 0 ? NULL : fdopendir(root);
        if (!d)
                return -errno;
        for (struct dirent *e; (e = readdir(d));)
                if (e->d_name[0] != '.')
                        printf("%s: %s\n", snapshot, e->d_name);
        (void) closedir(d);
        return 0;
}

/* All volumes are snapshotted at one instant, with their applications quiet. */
static int take_set(QuiesceBackup *backup, char *const *volumes, char **snapshots, sd_bus_error *error) {
        const QuiesceRequirement all = {.size = sizeof(all), .require_writers = true};
        QuiesceSnapshotSet *set = NULL;
        int r;

        r = quiesce_backup_open(backup, error);
        if (r >= 0)
                r = quiesce_backup_set_state(backup, "full", false, error);
        if (r >= 0)
                r = quiesce_backup_gather_writer_metadata(backup, NULL, error);
        if (r >= 0)
                r = quiesce_backup_start_snapshot_set(backup, NULL, NULL, error);
        for (size_t i = 0; r >= 0 && volumes[i]; i++)
                r = quiesce_backup_add_volume(
                        backup, &(QuiesceVolume){.size = sizeof(QuiesceVolume), .name = volumes[i]},
                        &snapshots[i], error);
        if (r >= 0)
                r = quiesce_backup_prepare(backup, &all, NULL, error);
        if (r >= 0)
                r = quiesce_backup_do_snapshot_set(backup, &all, &set, error);
        if (r >= 0)
                printf("set %s: %s consistent, writes were held for %.1f ms\n", set->id, set->consistency,
                       (double) set->hold_usec / 1000);
        (void) quiesce_snapshot_set_free(set);
        return r;
}

int main(int argc, char **argv) {
        char **snapshots = calloc((size_t) argc, sizeof(char *));
        sd_bus_error error = SD_BUS_ERROR_NULL;
        QuiesceBackup *backup = NULL;
        sd_bus *bus = NULL;
        int r;

        r = snapshots ? sd_bus_open_system(&bus) : -1;
        if (r >= 0)
                r = quiesce_backup_new(&backup, bus);
        if (r >= 0)
                r = take_set(backup, argv + 1, snapshots, &error);
        for (int i = 0; r >= 0 && i < argc - 1; i++)
                r = list_snapshot(backup, snapshots[i], &error);
        if (r >= 0) /* the data is safe: applications may drop their logs */
                r = quiesce_backup_complete(backup, &error);
        if (r < 0) {
                (void) fprintf(stderr, "requester: %s\n", error.message ? error.message : strerror(-r));
                if (backup)
                        (void) quiesce_backup_abort(backup, NULL);
        }
        if (backup) /* the snapshots go with the session */
                (void) quiesce_backup_release(backup, NULL);
        (void) quiesce_backup_free(backup);
        (void) sd_bus_flush_close_unref(bus);
        sd_bus_error_free(&error);
        for (int i = 0; snapshots && i < argc - 1; i++)
                free(snapshots[i]);
        free(snapshots);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
