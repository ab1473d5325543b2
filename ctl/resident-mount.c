/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl begin --mount: the snapshots on the host, below one directory, as run --mount shows them.
 *
 * Who reads them is another process, so they cannot lie in a mount namespace of ours; quiesced mounts them,
 * and takes them away with the snapshots. A file system is shown as a whole, at its mount point below the
 * directory: so a PATH inside it is where the caller looks for it, too. Directories are made as needed, and
 * removed at the end, if they are empty then. No link is followed: what is in a snapshot is its users'.
 */

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "ctl/resident.h"
#include "ctl/table.h"

typedef struct MadeDirectory {
        int parent_fd;
        char *name;
} MadeDirectory;

struct ResidentMounts {
        int directory_fd;
        MadeDirectory *made;
        size_t n_made;
};

static int open_below(int at, const char *path) {
        const struct open_how how = {
                .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
        };
        long fd = syscall(SYS_openat2, at, path, &how, sizeof(how));

        return fd < 0 ? -errno : (int) fd;
}

/* parent_fd: taken, if it is made. Return: 1: made; 0: it was there; else a negative errno, not traced. */
static int make_directory(ResidentMounts *mounts, int *parent_fd, const char *name) {
        MadeDirectory *made;

        if (mkdirat(*parent_fd, name, 0755) < 0)
                return errno == EEXIST ? 0 : -errno;
        made = reallocarray(mounts->made, mounts->n_made + 1, sizeof(*made));
        if (!made)
                return -ENOMEM;
        mounts->made = made;
        made[mounts->n_made] = (MadeDirectory){.parent_fd = *parent_fd, .name = strdup(name)};
        if (!made[mounts->n_made].name)
                return -ENOMEM;
        *parent_fd = -EBADF;
        mounts->n_made++;
        return 1;
}

/* The directory at path, relative, below ours; made where it is not there. Return: descriptor or -errno. */
static int make_point(ResidentMounts *mounts, const char *path) {
        _cleanup_close_ int fd = open_below(mounts->directory_fd, ".");
        _cleanup_free_ char *copy = strdup(path);
        char *rest = copy, *name;

        if (!copy)
                return -ENOMEM;
        while (fd >= 0 && (name = strsep(&rest, "/"))) {
                int next, r;

                if (!*name)
                        continue;
                next = open_below(fd, name);
                if (next == -ENOENT) {
                        int parent_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);

                        r = parent_fd < 0 ? -errno : make_directory(mounts, &parent_fd, name);
                        fd_close(parent_fd);
                        next = r < 0 ? r : open_below(fd, name);
                }
                fd_close(fd);
                fd = next;
        }
        return TAKE_FD(fd);
}

static int mount_volume(ResidentMounts *mounts, Resident *resident, const PlanVolume *volume,
                        ResidentSnapshot *snapshot) {
        const char *point = volume->mount->point, *directory = resident->options->directory;
        _cleanup_close_ int fd = -EBADF;

        if (!streq(volume->mount->root, "/")) {
                say("%s shows only %s of its file system, and --mount shows file systems as a whole: mount "
                    "the snapshot with 'quiescectl mount' after begin, and look below %s in it",
                    point, volume->mount->root, volume->mount->root);
                return CTL_E_SAID;
        }
        if (asprintf(&snapshot->point, "%s%s", directory, streq(point, "/") ? "" : point) < 0) {
                snapshot->point = NULL;
                return error_origin(-ENOMEM);
        }
        fd = make_point(mounts, point);
        if (fd < 0) {
                say("%s: the place for the snapshot of %s cannot be made: %s", snapshot->point, point,
                    strerror(-fd));
                return CTL_E_SAID;
        }
        return snapshot_mount(resident->backup.bus, snapshot->id, fd);
}

static ResidentSnapshot *find_snapshot(Resident *resident, const char *id) {
        for (size_t i = 0; id && i < resident->n_snapshots; i++)
                if (streq(resident->snapshots[i].id, id))
                        return &resident->snapshots[i];
        return NULL;
}

/* What is mounted below another comes after it. */
static int volume_compare(const void *a, const void *b) {
        return strcmp((*(const PlanVolume *const *) a)->mount->point,
                      (*(const PlanVolume *const *) b)->mount->point);
}

/**
 * resident_mounts_make() - mount all snapshots
 * @ret:        resident_mounts_free() it after the session's end, also after an error
 * @resident:   its set is made; its snapshots' points are filled in
 *
 * Return: as said in resident.h.
 */
int resident_mounts_make(ResidentMounts **ret, Resident *resident) {
        _cleanup_free_ const PlanVolume **volumes = NULL;
        const Plan *plan = resident->plan;
        ResidentMounts *mounts;
        int r = 0;

        progress_step(&resident->backup.progress, "mounting the snapshots");
        mounts = *ret = calloc(1, sizeof(*mounts));
        volumes = calloc(plan->n_volumes + 1, sizeof(*volumes));
        if (!mounts || !volumes)
                return error_origin(-ENOMEM);
        mounts->directory_fd = open(resident->options->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (mounts->directory_fd < 0)
                return error_origin(-errno);
        for (size_t i = 0; i < plan->n_volumes; i++)
                volumes[i] = &plan->volumes[i];
        qsort(volumes, plan->n_volumes, sizeof(*volumes), volume_compare);
        for (size_t i = 0; r == 0 && i < plan->n_volumes; i++) {
                ResidentSnapshot *snapshot = find_snapshot(resident, volumes[i]->snapshot);

                if (snapshot && !snapshot->point)
                        r = mount_volume(mounts, resident, volumes[i], snapshot);
        }
        return r;
}

/**
 * resident_mounts_free() - remove the directories that were made
 * @mounts:     the snapshots have gone; or NULL
 *
 * Return: NULL.
 */
ResidentMounts *resident_mounts_free(ResidentMounts *mounts) {
        if (!mounts)
                return NULL;
        while (mounts->n_made > 0) {
                MadeDirectory *made = &mounts->made[--mounts->n_made];

                (void) unlinkat(made->parent_fd, made->name, AT_REMOVEDIR);
                fd_close(made->parent_fd);
                free(made->name);
        }
        fd_close(mounts->directory_fd);
        free(mounts->made);
        free(mounts);
        return NULL;
}
