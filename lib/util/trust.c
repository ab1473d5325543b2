/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program that freezes an application runs with that application's rights, often root's: whoever can
 * change it, or what lies on the way to it, has them too.
 *
 * So the way is walked component by component, links included: everything on it must belong to root and be
 * writable by nobody else. In a directory with the sticky bit others may make entries of their own, but not
 * replace root's. The kernel walks the same way again when it is executed, and only root can have changed
 * it.
 */

#include "util/trust.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "util/error.h"
#include "util/macro.h"

#define LINKS_MAX 40u /* as the kernel */

static int _printf_(3, 4) refuse(char *text, size_t size, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(text, size, format, arguments);
        va_end(arguments);
        return TRUST_E_REFUSED;
}

static int check_one(const char *path, const struct stat *st, char *text, size_t size) {
        bool sticky = S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX;

        if (st->st_uid != 0)
                return refuse(text, size,
                              "%s belongs to user %u, not to root; chown root it if you trust it", path,
                              st->st_uid);
        if (!S_ISLNK(st->st_mode) && st->st_mode & 022 && !sticky)
                return refuse(text, size, "others than root may write %s; chmod go-w it if you trust it",
                              path);
        return 0;
}

/* In the place of the link `done` comes what it says, before what is left. */
static int follow(char *done, char *left) {
        char target[PATH_MAX], joined[2 * PATH_MAX];
        ssize_t n;

        n = readlink(done, target, sizeof(target) - 1);
        if (n < 0)
                return error_origin(-errno);
        target[n] = 0;
        (void) snprintf(joined, sizeof(joined), "%s/%s", target, left);
        if (strlen(joined) >= PATH_MAX)
                return error_origin(-ENAMETOOLONG);
        strcpy(left, joined);
        *(target[0] == '/' ? done : strrchr(done, '/')) = 0;
        return 0;
}

/* The next component of `left` moves to `done`. Return: whether there was one. */
static bool step(char *done, char *left) {
        size_t skip = strspn(left, "/"), n = strcspn(left + skip, "/"), length = strlen(done);
        char *name = left + skip;

        if (n == 0)
                return false;
        if (n == 2 && strncmp(name, "..", 2) == 0) {
                if (length > 0)
                        *strrchr(done, '/') = 0;
        } else if (n != 1 || name[0] != '.') {
                done[length] = '/';
                memcpy(done + length + 1, name, n);
                done[length + 1 + n] = 0;
        }
        memmove(left, name + n, strlen(name + n) + 1);
        return true;
}

/**
 * trust_check() - whether only root can change what a path leads to
 * @path: absolute
 * @text: why not, for people
 * @size: of text, in bytes
 *
 * Return: 0, TRUST_E_REFUSED; a negative errno: it could not be looked at.
 */
int trust_check(const char *path, char *text, size_t size) {
        /* What is done has been looked at, so it is shorter than PATH_MAX; one more component fits. */
        char done[2 * PATH_MAX] = "", left[PATH_MAX];
        unsigned links = 0;
        struct stat st;
        int r;

        assert(path[0] == '/');

        if (strlen(path) >= sizeof(left))
                return error_origin(-ENAMETOOLONG);
        strcpy(left, path);
        if (lstat("/", &st) < 0)
                return error_origin(-errno);
        r = check_one("/", &st, text, size);
        while (!r && step(done, left)) {
                if (lstat(*done ? done : "/", &st) < 0)
                        return error_origin(-errno);
                r = check_one(*done ? done : "/", &st, text, size);
                if (!r && S_ISLNK(st.st_mode))
                        r = links++ < LINKS_MAX ? follow(done, left) : error_origin(-ELOOP);
        }
        return error_trace(r);
}
