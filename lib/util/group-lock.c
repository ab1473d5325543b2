/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * flock(2) as LVM takes it, see group-lock.h. LVM unlinks a lock's file when it lets it go: who has waited
 * for it, or has just made it, has a lock only if the path still names what is locked.
 */

#include "util/group-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "util/error.h"
#include "util/macro.h"

static int lock_open(const char *path) {
        int fd = open(path, O_CREAT | O_APPEND | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);

        return fd < 0 ? error_origin(-errno) : fd;
}

static bool is_same_file(int fd, const char *path) {
        struct stat a, b;

        return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/**
 * group_lock_try() - take a group's lock if nobody has it
 * @path:       of its file
 * @ret:        descriptor that holds the lock, until it and all copies of it are closed; close-on-exec
 *
 * Return: 0, GROUP_LOCK_E_BUSY, or a negative errno.
 */
int group_lock_try(const char *path, int *ret) {
        _cleanup_close_ int fd = lock_open(path);

        if (fd < 0)
                return error_trace(fd);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? GROUP_LOCK_E_BUSY : error_origin(-errno);
        if (!is_same_file(fd, path))
                return GROUP_LOCK_E_BUSY;
        *ret = TAKE_FD(fd);
        return 0;
}

/**
 * group_lock_wait() - take a group's lock when whoever has it lets it go
 * @path:       of its file
 *
 * Return: descriptor that holds the lock, until it is closed, close-on-exec; or a negative errno.
 */
int group_lock_wait(const char *path) {
        for (;;) {
                _cleanup_close_ int fd = lock_open(path);

                if (fd < 0)
                        return error_trace(fd);
                while (flock(fd, LOCK_EX) < 0)
                        if (errno != EINTR)
                                return error_origin(-errno);
                if (is_same_file(fd, path))
                        return TAKE_FD(fd);
        }
}
