/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writing into the snapshots in PostSnapshot (VSS: auto-recovery).
 *
 * quiesced hands over a descriptor of a writable mount of each snapshot. A path of the live system is
 * followed there to the mount that it really is in; that mount's device tells which snapshot it is, and
 * where the mount begins in its file system, what the folder is called in the snapshot.
 */

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "quiesce/writer-internal.h"
#include "quiesce/writer-mounts.h"
#include "util/error.h"

/* One a{sv} of trees. */
static int read_tree(sd_bus_message *m, WriterTree *tree) {
        const DictionaryField fields[] = {
                {"device", "t", &tree->device, NULL},
                {"directory", "ay", &tree->directory, dictionary_read_path},
                {"descriptor", "h", &tree->fd, NULL},
        };
        int r;

        r = dictionary_read(m, fields, ELEMENTSOF(fields));
        if (r < 0)
                return error_trace(r);
        return tree->fd >= 0 ? 0 : error_origin(-EBADMSG);
}

/**
 * writer_trees_read() - read the detail "trees"
 * @m: the message, which stands at it
 * @userdata: the event
 *
 * Return: >= 0, or a negative errno: malformed.
 */
int writer_trees_read(sd_bus_message *m, void *userdata) {
        QuiesceWriterEvent *event = userdata;
        int r;

        event->told_trees = true;
        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                WriterTree *grown;

                if (event->n_trees >= WRITER_STRINGS_MAX)
                        return error_origin(-E2BIG);
                grown = reallocarray(event->trees, event->n_trees + 1, sizeof(*grown));
                if (!grown)
                        return error_origin(-ENOMEM);
                event->trees = grown;
                grown[event->n_trees++] = (WriterTree){.fd = -EBADF};
                r = read_tree(m, &grown[event->n_trees - 1]);
        }
        return error_trace(r < 0 ? r : sd_bus_message_exit_container(m));
}

/**
 * writer_trees_free() - forget an event's trees; their descriptors are the message's
 * @event: the event
 */
void writer_trees_free(QuiesceWriterEvent *event) {
        for (size_t i = 0; i < event->n_trees; i++)
                free(event->trees[i].directory);
        free(event->trees);
        event->trees = NULL;
        event->n_trees = 0;
}

/* Where what a descriptor is of lies in this mount namespace. */
static int path_of(int fd, char ret[static PATH_MAX]) {
        char link[64];
        ssize_t n;

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, ret, PATH_MAX - 1);
        if (n < 0)
                return -errno;
        ret[n] = '\0';
        return ret[0] == '/' ? 0 : -EXDEV; /* it is in no place of this namespace */
}

/* Volumes that are folders: the test provider's. */
static const WriterTree *tree_of_directory(const QuiesceWriterEvent *event, const char *path,
                                           const char **ret_rest) {
        char real[PATH_MAX];

        for (size_t i = 0; i < event->n_trees; i++) {
                const char *directory = event->trees[i].directory;

                if (!directory)
                        continue;
                *ret_rest = path_below(path, realpath(directory, real) ? real : directory);
                if (*ret_rest)
                        return &event->trees[i];
        }
        return NULL;
}

static const WriterTree *tree_of_device(const QuiesceWriterEvent *event, dev_t device) {
        for (size_t i = 0; i < event->n_trees; i++)
                if (!event->trees[i].directory && (dev_t) event->trees[i].device == device)
                        return &event->trees[i];
        return NULL;
}

/* Return: 0, the tree, and the folder's name in it, to be freed; or a negative errno. */
static int find_in_trees(const QuiesceWriterEvent *event, int fd, const WriterTree **ret, char **ret_path) {
        _cleanup_(mount_lines_done) MountLines lines = {};
        const MountLine *mount;
        const char *rest;
        char path[PATH_MAX];
        int r;

        r = path_of(fd, path);
        if (r < 0)
                return r;
        *ret = tree_of_directory(event, path, &rest);
        if (*ret) {
                *ret_path = strdup(rest);
                return *ret_path ? 0 : -ENOMEM;
        }
        r = mount_lines_read(&lines);
        if (r == 0)
                r = mount_lines_find(&lines, fd, &mount);
        if (r < 0)
                return r;
        *ret = tree_of_device(event, mount->device);
        rest = path_below(path, mount->target);
        if (!*ret || !rest)
                return -EXDEV;
        return asprintf(ret_path, "%s/%s", mount->root, rest) < 0 ? -ENOMEM : 0;
}

/* The name is the kernel's own, so no part of it is a link, and one that is in the snapshot is not followed.
 * Part by part: openat2() would do it at once, but is kept from units with RestrictSUIDSGID=. */
static int open_below(int root_fd, char *path) {
        _cleanup_close_ int fd = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char *rest = NULL;

        for (const char *part = strtok_r(path, "/", &rest); part && fd >= 0;
             part = strtok_r(NULL, "/", &rest)) {
                int next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                (void) fd_close(fd);
                fd = next;
        }
        return fd < 0 ? -errno : TAKE_FD(fd);
}

/**
 * quiesce_writer_event_open_in_snapshot() - a folder as it is in the snapshot, to write into
 * @event:      PostSnapshot
 * @path:       of the folder in the live system, absolute; links are followed there
 * @ret:        an O_PATH descriptor of the same folder in the snapshot; the caller's to close
 *
 * Only for a writer whose descriptor says WritableSnapshots=yes. What is written is part of the snapshot,
 * and of nothing else. All files must be closed when the event is answered: what is still open for writing
 * then makes the whole set fail; from then on the folder is read-only. The path must be there in the live
 * system, too, and is looked up there.
 *
 * Return: 0; -ENODATA: another event, or the writer's descriptor does not ask for it, or a quiesced that is
 * too old; -EXDEV: the folder lies on no volume whose snapshot can be written into (it is not in the set, is
 * encrypted, or its file system cannot be mounted); -ENOENT: there is no such folder, or was none when the
 * snapshot was taken; -ENOTDIR: it is no folder, or a link in the snapshot; -EINVAL: not absolute; -EACCES
 * and others: it cannot be opened.
 */
_public_ int quiesce_writer_event_open_in_snapshot(QuiesceWriterEvent *event, const char *path, int *ret) {
        _cleanup_free_ char *there = NULL;
        _cleanup_close_ int fd = -EBADF;
        const WriterTree *tree;
        int r;

        if (!event || !path || path[0] != '/' || !ret)
                return -EINVAL;
        if (event->type != QUIESCE_EVENT_POST_SNAPSHOT || !event->told_trees)
                return -ENODATA;
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = find_in_trees(event, fd, &tree, &there);
        if (r < 0)
                return r;
        r = open_below(tree->fd, there);
        if (r < 0)
                return r;
        *ret = r;
        return 0;
}
