/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See failpoint.h. System calls and buffers on the stack alone. */

#include "util/failpoint.h"

#if ENABLE_FAILPOINTS

#        include <errno.h>
#        include <fcntl.h>
#        include <limits.h>
#        include <stdio.h>
#        include <stdlib.h>
#        include <string.h>
#        include <unistd.h>

#        include "util/macro.h"

/* Return: a descriptor, or -EBADF: nobody wants anything of this place. */
static int open_beside(const char *place, const char *suffix, int flags) {
        const char *directory = secure_getenv("QUIESCED_FAILPOINTS");
        char path[PATH_MAX];
        int fd;

        if ((size_t) snprintf(path, sizeof(path), "%s/%s%s", directory ?: FAILPOINTS_DIRECTORY, place,
                              suffix) >= sizeof(path))
                return -EBADF;
        do
                fd = open(path, flags | O_CLOEXEC);
        while (fd < 0 && errno == EINTR);
        return fd < 0 ? -EBADF : fd;
}

static void trace(const char *place) {
        _cleanup_close_ int fd = open_beside("trace", "", O_WRONLY | O_APPEND);
        char line[128];
        int n;

        if (fd < 0)
                return;
        n = snprintf(line, sizeof(line), "%s\n", place);
        (void) !write(fd, line, (size_t) n);
}

static void stall(const char *place) {
        _cleanup_close_ int fd = open_beside(place, ".stall", O_RDONLY);
        char byte;

        while (fd >= 0 && (read(fd, &byte, 1) > 0 || errno == EINTR))
                errno = 0;
}

static int fail(const char *place) {
        _cleanup_close_ int fd = open_beside(place, ".fail", O_RDONLY);
        char text[16];
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

        if (n <= 0)
                return 0;
        text[n] = '\0';
        return -abs(atoi(text));
}

/**
 * failpoint() - between two effects
 * @place:      its name: who.what
 *
 * Return: 0, or a negative errno that a test wants.
 */
int failpoint(const char *place) {
        int e = errno, r;

        trace(place);
        stall(place);
        r = fail(place);
        errno = e;
        return r;
}

/**
 * failpoint_at() - between two effects on one of many
 * @place:      its name
 * @index:      of which; "-index" is added
 *
 * Return: as failpoint().
 */
int failpoint_at(const char *place, uint32_t index) {
        char name[96];

        (void) snprintf(name, sizeof(name), "%s-%u", place, index);
        return failpoint(name);
}

#endif
