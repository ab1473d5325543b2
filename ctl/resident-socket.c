/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The sockets of resident requesters: a file each, named after the session, in a directory of their user's.
 *
 * Root's are in /run/quiescectl, others' in quiescectl below their own runtime directory. Only that user and
 * root can connect: the kernel sees to it by the sockets' mode, and the resident looks at who it is again. A
 * socket gets its name only when it is listening, so one that refuses is one whose process was killed.
 */

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-id128.h>

#include "ctl/resident.h"

static int address_set(struct sockaddr_un *address, const char *path) {
        *address = (struct sockaddr_un){.sun_family = AF_UNIX};
        return (size_t) snprintf(address->sun_path, sizeof(address->sun_path), "%s", path) <
                               sizeof(address->sun_path)
                       ? 0
                       : -ENAMETOOLONG;
}

/* Not traced: that nobody listens is no error of ours. */
static int try_connect(const char *path, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un address;
        int r;

        r = address_set(&address, path);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Those that a killed process has left. */
static void sweep(const char *directory) {
        struct dirent *entry;
        DIR *dir;

        dir = opendir(directory);
        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *path = NULL;
                int fd;

                if (entry->d_name[0] == '.' || asprintf(&path, "%s/%s", directory, entry->d_name) < 0)
                        continue;
                if (try_connect(path, &fd) == 0)
                        (void) close(fd);
                else if (errno == ECONNREFUSED)
                        (void) unlink(path);
        }
        if (dir)
                (void) closedir(dir);
}

/**
 * resident_socket_directory() - where this user's sockets are
 * @ret:        free() it
 * @make:       make it, if it is not there
 *
 * Return: as said in resident.h.
 */
int resident_socket_directory(char **ret, bool make) {
        const char *given = getenv("QUIESCECTL_RUNTIME_DIR"), *own = getenv("XDG_RUNTIME_DIR");
        _cleanup_free_ char *directory = NULL;
        struct stat st;
        int r;

        if (given && *given)
                r = asprintf(&directory, "%s", given);
        else if (geteuid() == 0)
                r = asprintf(&directory, "/run/quiescectl");
        else if (own && *own)
                r = asprintf(&directory, "%s/quiescectl", own);
        else
                r = asprintf(&directory, "/run/user/%u/quiescectl", geteuid());
        if (r < 0)
                return error_origin(-ENOMEM);
        if (make && mkdir(directory, 0700) < 0 && errno != EEXIST) {
                say("%s: the directory for begin's sockets cannot be made: %s%s", directory, strerror(errno),
                    geteuid() == 0 ? "" : "; without a login session, 'loginctl enable-linger' gives one");
                return CTL_E_SAID;
        }
        if (make && (lstat(directory, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())) {
                say("%s: the directory for begin's sockets must be a directory of user %u's own", directory,
                    geteuid());
                return CTL_E_SAID;
        }
        *ret = TAKE_PTR(directory);
        return 0;
}

/**
 * resident_socket_listen() - listen on a socket in a directory
 * @directory:  it
 * @name:       of the socket
 * @ret_fd:     the socket
 * @ret_path:   to be unlinked; free() it
 *
 * Return: as said in resident.h.
 */
int resident_socket_listen(const char *directory, const char *name, int *ret_fd, char **ret_path) {
        _cleanup_free_ char *path = NULL, *unready = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un address;
        int r;

        sweep(directory);
        if (asprintf(&path, "%s/%s", directory, name) < 0 ||
            asprintf(&unready, "%s/.%s.new", directory, name) < 0)
                return error_origin(-ENOMEM);
        r = address_set(&address, unready);
        if (r == 0) {
                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                        r = -errno;
        }
        if (r == 0 && (chmod(unready, 0600) < 0 || listen(fd, SOMAXCONN) < 0 || rename(unready, path) < 0)) {
                r = -errno;
                (void) unlink(unready);
        }
        if (r < 0) {
                say("%s: cannot listen there: %s", path, strerror(-r));
                return CTL_E_SAID;
        }
        *ret_fd = TAKE_FD(fd);
        *ret_path = TAKE_PTR(path);
        return 0;
}

/* The directory's owner must be who listens, or root would speak to whom a user's link leads to. */
static int connect_checked(const char *path, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        struct ucred peer;
        socklen_t n_peer = sizeof(peer);
        struct stat st;
        int r;

        r = try_connect(path, &fd);
        if (r < 0)
                return r;
        if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) ||
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer) < 0 || peer.uid != st.st_uid)
                return -EPERM;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Root may speak to everybody's. Return: 0 or a negative errno, not traced. */
static int connect_users(const char *id, int *ret_fd) {
        _cleanup_free_ char *pattern = NULL;
        int r = -ENOENT;
        glob_t found;

        if (asprintf(&pattern, "/run/user/*/quiescectl/%s", id) < 0)
                return -ENOMEM;
        if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
                return -ENOENT;
        for (size_t i = 0; r < 0 && i < found.gl_pathc; i++)
                r = connect_checked(found.gl_pathv[i], ret_fd);
        globfree(&found);
        return r;
}

/**
 * resident_socket_connect() - reach the process that holds a session
 * @id:         the session's
 * @ret_fd:     the connection
 *
 * Return: as said in resident.h.
 */
int resident_socket_connect(const char *id, int *ret_fd) {
        _cleanup_free_ char *directory = NULL, *path = NULL;
        sd_id128_t uuid;
        int r;

        if (sd_id128_from_string(id, &uuid) < 0) {
                say("%s: that is no session's id; 'quiescectl begin' and 'freeze --detach' print it", id);
                return CTL_E_SAID;
        }
        r = resident_socket_directory(&directory, false);
        if (r != 0)
                return r;
        if (asprintf(&path, "%s/%s", directory, id) < 0)
                return error_origin(-ENOMEM);
        r = connect_checked(path, ret_fd);
        if (r == -ECONNREFUSED)
                (void) unlink(path);
        if (r < 0 && geteuid() == 0)
                r = connect_users(id, ret_fd);
        if (r >= 0)
                return 0;
        if (r == -EACCES || r == -EPERM)
                say("session %s: only the user who began it and root may do that", id);
        else
                say("session %s is held by no 'quiescectl begin' or 'freeze --detach' of yours: it was ended, its time (--ttl) was "
                    "over, or its process was stopped; then its snapshots are gone, too",
                    id);
        return CTL_E_SAID;
}

/**
 * resident_socket_list() - whose sockets there are in this user's directory
 * @ret_ids:    of sessions, perhaps of dead processes; NULL-terminated; free with quiesce_strv_free()
 *
 * Return: as said in resident.h.
 */
int resident_socket_list(char ***ret_ids) {
        _cleanup_free_ char *directory = NULL;
        struct dirent *entry;
        char **ids = NULL;
        size_t n_ids = 0;
        sd_id128_t uuid;
        DIR *dir;
        int r;

        r = resident_socket_directory(&directory, false);
        if (r != 0)
                return r;
        dir = opendir(directory);
        while (r == 0 && dir && (entry = readdir(dir)))
                if (sd_id128_from_string(entry->d_name, &uuid) >= 0)
                        r = options_append(&ids, &n_ids, strdup(entry->d_name));
        if (dir)
                (void) closedir(dir);
        if (r < 0)
                quiesce_strv_free(ids);
        else
                *ret_ids = ids;
        return r;
}
