/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trees of ordinary files and directories: copy, remove, and the names of snapshots; see test-files.h.
 * Anything that is neither is left out. Nothing follows a symbolic link.
 */

#include "daemon/providers/test-files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "util/error.h"

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static bool is_dot(const char *name) {
        return streq(name, ".") || streq(name, "..");
}

static int directory_open(int directory_fd, const char *path, DIR **ret) {
        int fd = openat(directory_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        *ret = fdopendir(fd);
        if (!*ret) {
                int r = -errno;

                (void) fd_close(fd);
                return r;
        }
        return 0;
}

static int file_copy(int directory_fd, const char *from, const char *to, mode_t mode) {
        _cleanup_close_ int in = -EBADF, out = -EBADF;
        char buffer[65536];

        in = openat(directory_fd, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (in < 0)
                return error_origin(-errno);
        out = openat(directory_fd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
        if (out < 0)
                return error_origin(-errno);
        for (;;) {
                ssize_t n = read(in, buffer, sizeof(buffer));

                if (n == 0)
                        return 0;
                if (n < 0)
                        return error_origin(-errno);
                for (ssize_t done = 0, m; done < n; done += m) {
                        m = write(out, buffer + done, (size_t) (n - done));
                        if (m < 0)
                                return error_origin(-errno);
                }
        }
}

static int tree_copy(int directory_fd, const char *from, const char *to) {
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        r = directory_open(directory_fd, from, &d);
        if (r < 0)
                return error_trace(r);
        if (mkdirat(directory_fd, to, 0755) < 0)
                return error_origin(-errno);
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_free_ char *a = NULL, *b = NULL;

                if (is_dot(e->d_name))
                        continue;
                if (asprintf(&a, "%s/%s", from, e->d_name) < 0 || asprintf(&b, "%s/%s", to, e->d_name) < 0)
                        return error_origin(-ENOMEM);
                r = test_files_copy(directory_fd, a, b);
                if (r < 0 && r != -ENOENT) /* gone since it was listed: nobody need hold still for a copy */
                        return error_trace(r);
        }
        return 0;
}

/**
 * test_files_copy() - copy a file or tree
 * @directory_fd:       where both names start
 * @from:               an existing file or directory; what is removed below it meanwhile is left out
 * @to:                 must not exist
 *
 * Return: 0, or a negative errno.
 */
int test_files_copy(int directory_fd, const char *from, const char *to) {
        struct stat st;

        if (fstatat(directory_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return error_origin(-errno);
        if (S_ISREG(st.st_mode))
                return error_trace(file_copy(directory_fd, from, to, st.st_mode));
        if (S_ISDIR(st.st_mode))
                return error_trace(tree_copy(directory_fd, from, to));
        return 0;
}

/**
 * test_files_remove() - remove a file or tree
 * @directory_fd:       where the name starts
 * @path:               what; nothing there is success
 *
 * Return: 0, or a negative errno.
 */
int test_files_remove(int directory_fd, const char *path) {
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        if (unlinkat(directory_fd, path, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return error_origin(-errno);
        r = directory_open(directory_fd, path, &d);
        if (r < 0)
                return error_trace(r);
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_free_ char *below = NULL;

                if (is_dot(e->d_name))
                        continue;
                if (asprintf(&below, "%s/%s", path, e->d_name) < 0)
                        return error_origin(-ENOMEM);
                r = test_files_remove(directory_fd, below);
                if (r < 0)
                        return error_trace(r);
        }
        if (unlinkat(directory_fd, path, AT_REMOVEDIR) < 0)
                return error_origin(-errno);
        return 0;
}

static bool snapshot_is_left_over(const char *name, bool (*keep)(const char *set_id, void *userdata),
                                  void *userdata) {
        static const char auto_release[] = "auto-release.";
        char set_id[37] = "";

        if (strncmp(name, "unfinished.", strlen("unfinished.")) == 0)
                return true;
        if (strncmp(name, auto_release, strlen(auto_release)) != 0)
                return false;
        (void) snprintf(set_id, sizeof(set_id), "%s", name + strlen(auto_release));
        return !keep || !keep(set_id, userdata);
}

/**
 * test_files_recover() - remove snapshots that are unfinished or nobody's
 * @directory_fd:       of the test provider
 * @keep:               whether an auto-release set is still wanted, or NULL
 * @userdata:           for @keep
 *
 * Return: 0, or a negative errno.
 */
int test_files_recover(int directory_fd, bool (*keep)(const char *set_id, void *userdata), void *userdata) {
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        r = directory_open(directory_fd, "snapshots", &d);
        if (r < 0)
                return error_trace(r);
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_free_ char *path = NULL;

                if (is_dot(e->d_name) || !snapshot_is_left_over(e->d_name, keep, userdata))
                        continue;
                if (asprintf(&path, "snapshots/%s", e->d_name) < 0)
                        return error_origin(-ENOMEM);
                r = test_files_remove(directory_fd, path);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}
