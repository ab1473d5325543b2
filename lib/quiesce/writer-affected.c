/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whether a file lies on a volume of the set (VSS: CVssWriter::IsPathAffected, IsVolumeAffected).
 *
 * quiesced tells the numbers of all devices that stand on the set's volumes; here a path is followed to the
 * mount that it really is in, and that mount's device is looked for among them. So a writer needs neither
 * privileges nor device nodes: mountinfo and a search permission on the way are enough. The mount, not
 * st_dev, is asked: each subvolume of a btrfs has an st_dev of its own.
 */

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "quiesce/writer-internal.h"
#include "quiesce/writer-mounts.h"
#include "util/error.h"

#define BINDS_MAX 64u

/* Whether a mount shows at its place what is there without it, too, as those do that a sandbox is made of.
 */
static bool shows_the_same(const MountLine *mount, const MountLine *parent) {
        const char *place = path_below(mount->target, parent->target),
                   *root = path_below(mount->root, parent->root);

        return mount->device == parent->device && place && root && streq(place, root);
}

/* The mount as the administrator knows it. */
static const MountLine *mount_of_host(const MountLines *lines, const MountLine *mount) {
        for (unsigned i = 0; i < BINDS_MAX; i++) {
                const MountLine *parent = mount_lines_get(lines, mount->parent);

                if (!parent || parent == mount || !shows_the_same(mount, parent))
                        break;
                mount = parent;
        }
        return mount;
}

/* What is at the path, or the folder in which it would be made. A link that leads nowhere is neither. */
static int open_nearest(const char *path) {
        _cleanup_free_ char *copy = strdup(path);
        struct stat st;
        char *slash;
        int fd;

        if (!copy)
                return -ENOMEM;
        for (;;) {
                fd = open(copy, O_PATH | O_CLOEXEC);
                if (fd >= 0)
                        return fd;
                if (errno != ENOENT || lstat(copy, &st) == 0)
                        return -errno;
                slash = strrchr(copy, '/');
                if (!slash || copy[1] == '\0')
                        return -ENOENT;
                slash[slash == copy ? 1 : 0] = '\0';
        }
}

static bool is_affected_device(const QuiesceWriterEvent *event, dev_t device) {
        for (size_t i = 0; event->places && i < event->places->n_devices; i++)
                if ((dev_t) event->places->devices[i] == device)
                        return true;
        return false;
}

/* Volumes that are folders: the test provider's. */
static bool is_affected_place(const QuiesceWriterEvent *event, int fd) {
        char link[64], resolved[PATH_MAX], real[PATH_MAX];
        ssize_t n;

        if (!event->places || !event->places->directories)
                return false;
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, resolved, sizeof(resolved) - 1);
        if (n < 0)
                return false;
        resolved[n] = '\0';
        for (char **directory = event->places->directories; *directory; directory++)
                if (path_below(resolved, realpath(*directory, real) ? real : *directory))
                        return true;
        return false;
}

/* Whether this event, or one before it, tells enough to judge by it. */
static int may_judge(const QuiesceWriterEvent *event) {
        const WriterPlaces *places = event->places;

        if (event->type < QUIESCE_EVENT_PREPARE_FOR_BACKUP || event->type > QUIESCE_EVENT_POST_SNAPSHOT)
                return -ENODATA;
        if (!event->volumes || !event->volumes[0])
                return 0;
        return places && (places->n_devices > 0 || places->directories) ? 0 : -ENODATA;
}

static int keep_mount_point(QuiesceWriterEvent *event, const char *text, const char **ret) {
        char **grown, *copy;

        if (!ret)
                return 0;
        for (size_t i = 0; i < event->n_found; i++)
                if (streq(event->found[i], text)) {
                        *ret = event->found[i];
                        return 0;
                }
        copy = strdup(text);
        grown = reallocarray(event->found, event->n_found + 1, sizeof(*grown));
        if (grown)
                event->found = grown;
        if (!copy || !grown) {
                free(copy);
                return -ENOMEM;
        }
        event->found[event->n_found++] = copy;
        *ret = copy;
        return 0;
}

/**
 * quiesce_writer_event_is_path_affected() - whether a path lies on a volume of the set
 * @event:      PrepareForBackup to PostSnapshot
 * @path:       absolute; links are followed; if there is nothing, the folder counts in which it would be
 * @ret_mount_point: where its file system is mounted, the event's; what to name if it is missing; may be
 * NULL
 *
 * Mirrors CVssWriter::IsPathAffected. The path is looked up, so this takes as long as that does: not for
 * Freeze, if a disk or a server can be slow. What lies on a layered file system (overlay, FUSE) lies on none
 * of the set's volumes.
 *
 * Return: 1 if so; 0 if not; -ENODATA: not in this event, or a quiesced that is too old to tell; -EINVAL:
 * not absolute; -EACCES, -ENOENT (a link to nothing) and others: it cannot be found out.
 */
_public_ int quiesce_writer_event_is_path_affected(QuiesceWriterEvent *event, const char *path,
                                                   const char **ret_mount_point) {
        _cleanup_(mount_lines_done) MountLines lines = {};
        _cleanup_close_ int fd = -EBADF;
        const MountLine *mount;
        int r;

        if (!event || !path || path[0] != '/')
                return -EINVAL;
        r = may_judge(event);
        if (r < 0)
                return r;
        fd = open_nearest(path);
        if (fd < 0)
                return fd;
        r = mount_lines_read(&lines);
        if (r == 0)
                r = mount_lines_find(&lines, fd, &mount);
        if (r == 0)
                r = keep_mount_point(event, mount_of_host(&lines, mount)->target, ret_mount_point);
        if (r < 0)
                return r;
        return is_affected_device(event, mount->device) || is_affected_place(event, fd);
}

static bool has_string(const char *const *list, const char *text) {
        for (; list && *list; list++)
                if (streq(*list, text))
                        return true;
        return false;
}

/**
 * quiesce_writer_event_is_volume_affected() - whether a volume is in the set, or what it lies on
 * @event:      PrepareForBackup to PostSnapshot
 * @volume:     its name (vg/lv), its key as quiesce_writer_event_get_volumes() tells it, the path of its
 *              device node, or where it is mounted
 *
 * Mirrors CVssWriter::IsVolumeAffected.
 *
 * Return: as quiesce_writer_event_is_path_affected().
 */
_public_ int quiesce_writer_event_is_volume_affected(QuiesceWriterEvent *event, const char *volume) {
        struct stat st;
        int r;

        if (!event || !volume || !volume[0])
                return -EINVAL;
        r = may_judge(event);
        if (r < 0)
                return r;
        if (has_string(event->volumes, volume) ||
            (event->places && has_string((const char *const *) event->places->volume_names, volume)))
                return 1;
        if (volume[0] != '/')
                return 0;
        if (stat(volume, &st) < 0)
                return -errno;
        return S_ISBLK(st.st_mode) ? is_affected_device(event, st.st_rdev)
                                   : quiesce_writer_event_is_path_affected(event, volume, NULL);
}
