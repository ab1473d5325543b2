/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Building the command's view; see namespace.h.
 *
 * Order: the parts that stay live are cloned first, while they can still be reached; then all is put in
 * place from the outside in, each target being resolved in what has been put there before, without following
 * links: a path that a snapshot turned into a link is an error, not a surprise.
 *
 * A tree shows the whole file system. For a PATH inside it the tree is attached there for a moment, the
 * subtree is cloned from it, the tree goes, the clone takes its place: a detached tree cannot be cloned.
 */

#include "ctl/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

typedef struct View {
        int root_fd;        /* what "/" of the plan's paths means */
        bool root_replaced; /* it is not this process's root yet */
        bool make_points;   /* mount points outside any snapshot are made (below --mount's directory) */
} View;

/**
 * failure_set() - note why building failed
 * @failure:    it
 * @error:      positive errno, whose text is added; 0: none
 * @format:     what happened to which thing
 *
 * Return: -1, always.
 */
int failure_set(Failure *failure, int error, const char *format, ...) {
        va_list arguments;

        failure->error = error;
        va_start(arguments, format);
        (void) vsnprintf(failure->text, sizeof(failure->text), format, arguments);
        va_end(arguments);
        return -1;
}

static int write_file(const char *path, const char *text) {
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -1;
        n = write(fd, text, strlen(text));
        return n == (ssize_t) strlen(text) ? 0 : -1;
}

/* The caller keeps its own uid and gid in the new user namespace; all others are unknown there. */
static int write_id_maps(uid_t uid, gid_t gid, Failure *failure) {
        char map[64];

        if (write_file("/proc/self/setgroups", "deny") < 0)
                return failure_set(failure, errno, "cannot write /proc/self/setgroups");
        (void) snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
        if (write_file("/proc/self/uid_map", map) < 0)
                return failure_set(failure, errno, "cannot write /proc/self/uid_map");
        (void) snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
        if (write_file("/proc/self/gid_map", map) < 0)
                return failure_set(failure, errno, "cannot write /proc/self/gid_map");
        return 0;
}

/**
 * namespace_enter() - give this process mounts of its own
 * @ret_failure:    why not
 *
 * Without root in a user namespace of its own, in which the caller stays who it is.
 *
 * Return: 0, or -1 with the failure noted.
 */
int namespace_enter(Failure *ret_failure) {
        uid_t uid = geteuid();
        gid_t gid = getegid();

        if (uid != 0) {
                if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                        return failure_set(
                                ret_failure, errno,
                                "no user namespace for the command: the system does not let "
                                "ordinary users have one (see user_namespaces(7)); run quiescectl "
                                "as root");
                if (write_id_maps(uid, gid, ret_failure) < 0)
                        return -1;
        } else if (unshare(CLONE_NEWNS) < 0)
                return failure_set(ret_failure, errno, "no mount namespace for the command");
        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return failure_set(ret_failure, errno,
                                   "cannot make the command's mounts slaves of the host's");
        return 0;
}

/* Opens a path of the plan in what is in place so far. */
static int view_open(const View *view, const char *path) {
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };

        return (int) syscall(SYS_openat2, view->root_fd, path, &how, sizeof(how));
}

static int view_open_parent(const View *view, const char *path) {
        _cleanup_free_ char *parent = strdup(path);
        char *slash;

        if (!parent) {
                errno = ENOMEM;
                return -1;
        }
        slash = strrchr(parent, '/');
        slash[slash == parent ? 1 : 0] = '\0';
        return view_open(view, parent);
}

/* mkdir -p, and at the end a directory or an empty file, as what is to be mounted there asks. */
static int view_make_point(const View *view, const char *path, bool directory) {
        _cleanup_close_ int at = fcntl(view->root_fd, F_DUPFD_CLOEXEC, 3);
        const char *p = path + strspn(path, "/");

        while (at >= 0 && *p) {
                size_t length = strcspn(p, "/");
                _cleanup_free_ char *name = strndup(p, length);
                int next;

                p += length + strspn(p + length, "/");
                if (!name)
                        return -1;
                if (!*p && !directory)
                        next = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                else if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
                        return -1;
                else
                        next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                fd_close(at);
                at = next;
        }
        return at < 0 ? -1 : 0;
}

static int attach(int tree_fd, int target_fd) {
        return move_mount(tree_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Detaches the mount whose root this is. Leaves the working directory somewhere. */
static int detach(int tree_fd) {
        if (fchdir(tree_fd) < 0 || umount2(".", MNT_DETACH) < 0)
                return -1;
        return chdir("/");
}

static int clone_inside(int tree_fd, const char *inside) {
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
        };
        _cleanup_close_ int fd = -EBADF;

        fd = (int) syscall(SYS_openat2, tree_fd, inside, &how, sizeof(how));
        if (fd < 0)
                return -1;
        return open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

/* The part of a snapshot that an entry shows, as a detached mount. staging_fd: a directory to use for a
 * moment. */
static int entry_open_part(const PlanEntry *entry, int staging_fd, Failure *failure) {
        int part, saved;

        if (!*entry->inside)
                return fcntl(entry->tree_fd, F_DUPFD_CLOEXEC, 3);
        if (attach(entry->tree_fd, staging_fd) < 0)
                return failure_set(failure, errno, "%s: cannot attach the snapshot", entry->path);
        part = clone_inside(entry->tree_fd, entry->inside);
        saved = errno;
        if (detach(entry->tree_fd) < 0) {
                fd_close(part);
                return failure_set(failure, errno, "%s: cannot detach the snapshot", entry->path);
        }
        if (part < 0)
                return failure_set(failure, saved, "%s: cannot be found in the snapshot", entry->path);
        return part;
}

static int path_is_directory(int fd, bool *ret) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -1;
        *ret = S_ISDIR(st.st_mode);
        return 0;
}

static int view_attach_snapshot(View *view, const PlanEntry *entry, Failure *failure) {
        _cleanup_close_ int target = -EBADF, staging = -EBADF, part = -EBADF;
        bool directory;

        target = view_open(view, entry->path);
        if (target < 0 || path_is_directory(target, &directory) < 0)
                return failure_set(failure, errno, "%s: nothing to put the snapshot on", entry->path);
        staging = directory ? fcntl(target, F_DUPFD_CLOEXEC, 3) : view_open_parent(view, entry->path);
        if (staging < 0)
                return failure_set(failure, errno, "%s: cannot open its directory", entry->path);
        part = entry_open_part(entry, staging, failure);
        if (part < 0)
                return -1;
        if (attach(part, target) < 0)
                return failure_set(failure, errno, "%s: cannot attach the snapshot", entry->path);
        if (streq(entry->path, "/")) {
                fd_close(view->root_fd);
                view->root_fd = TAKE_FD(part);
                view->root_replaced = true;
        }
        return 0;
}

/* What stays live but has no place in the snapshot was mounted after its instant: it cannot be shown. */
static int view_attach_live(const View *view, const PlanEntry *entry, int live_fd, Failure *failure) {
        _cleanup_close_ int target = view_open(view, entry->path);

        if (target < 0 && errno == ENOENT) {
                (void) fprintf(stderr,
                               "quiescectl: %s: not visible to the command: no such place in the "
                               "snapshot\n",
                               entry->path);
                return 0;
        }
        if (target < 0 || attach(live_fd, target) < 0)
                return failure_set(failure, errno, "%s: cannot keep it live", entry->path);
        return 0;
}

static int entry_clone_live(const PlanEntry *entry, int *ret_fd, Failure *failure) {
        int fd;

        fd = open_tree(AT_FDCWD, entry->path,
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_NO_AUTOMOUNT);
        if (fd < 0 && errno != ENOENT)
                return failure_set(failure, errno, "%s: cannot keep it live", entry->path);
        *ret_fd = fd;
        return 0;
}

static int view_make_points(const View *view, const Plan *plan, size_t i, Failure *failure) {
        const PlanEntry *entry = &plan->entries[i];
        struct stat st;

        for (size_t k = 0; k < i; k++)
                if (plan->entries[k].kind == PLAN_SNAPSHOT &&
                    path_is_below(entry->path, plan->entries[k].path))
                        return 0;
        if (stat(entry->path, &st) < 0 || view_make_point(view, entry->path, S_ISDIR(st.st_mode)) < 0)
                return failure_set(failure, errno, "%s: cannot make its place", entry->path);
        return 0;
}

static int view_fill(View *view, const Plan *plan, const int *live_fds, Failure *failure) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < plan->n_entries; i++) {
                const PlanEntry *entry = &plan->entries[i];

                if (!entry->needed)
                        continue;
                if (entry->kind == PLAN_LIVE) {
                        if (live_fds[i] >= 0)
                                r = view_attach_live(view, entry, live_fds[i], failure);
                        continue;
                }
                if (view->make_points)
                        r = view_make_points(view, plan, i, failure);
                if (r == 0)
                        r = view_attach_snapshot(view, entry, failure);
        }
        return r;
}

static int view_init(View *view, const char *directory, Failure *failure) {
        if (directory &&
            mount("quiescectl", directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
                return failure_set(failure, errno, "%s: cannot mount there", directory);
        view->make_points = directory;
        view->root_fd = open(directory ? directory : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (view->root_fd < 0)
                return failure_set(failure, errno, "%s: cannot be opened", directory ? directory : "/");
        return 0;
}

static int view_enter(const View *view, const char *cwd, Failure *failure) {
        if (view->root_replaced && !view->make_points)
                if (fchdir(view->root_fd) < 0 || chroot(".") < 0)
                        return failure_set(failure, errno, "cannot make the snapshot the command's root");
        if (chdir(cwd) < 0)
                return failure_set(failure, errno, "%s: cannot be the command's working directory", cwd);
        return 0;
}

/**
 * namespace_build() - put the plan's entries in place
 * @plan:           the plan, finished, with a tree for each snapshot entry; used up
 * @directory:      NULL: at their own places; else below this directory
 * @cwd:            working directory of the command, looked up in the new view
 * @ret_failure:    why not
 *
 * To be called after namespace_enter().
 *
 * Return: 0, or -1 with the failure noted.
 */
int namespace_build(const Plan *plan, const char *directory, const char *cwd, Failure *ret_failure) {
        _cleanup_free_ int *live_fds = NULL;
        View view = {.root_fd = -EBADF};
        int r = 0;

        live_fds = malloc((plan->n_entries + 1) * sizeof(*live_fds));
        if (!live_fds)
                return failure_set(ret_failure, ENOMEM, "cannot build the command's view");
        for (size_t i = 0; i < plan->n_entries; i++)
                live_fds[i] = -EBADF;
        for (size_t i = 0; r == 0 && i < plan->n_entries; i++)
                if (plan->entries[i].kind == PLAN_LIVE && plan->entries[i].needed && !directory)
                        r = entry_clone_live(&plan->entries[i], &live_fds[i], ret_failure);
        if (r == 0)
                r = view_init(&view, directory, ret_failure);
        if (r == 0)
                r = view_fill(&view, plan, live_fds, ret_failure);
        if (r == 0)
                r = view_enter(&view, cwd, ret_failure);
        for (size_t i = 0; i < plan->n_entries; i++)
                fd_close(live_fds[i]);
        fd_close(view.root_fd);
        return r;
}
