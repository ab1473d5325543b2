/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The few language helpers used everywhere: scope-bound release, transfer of ownership, array sizes.
 *
 * `_cleanup_(f)` calls f(&variable) when the variable leaves its scope; TAKE_PTR() and TAKE_FD() hand the
 * value on and make that call a no-op. Destructors accept NULL (or a negative descriptor) and return NULL of
 * their type.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))
#define _public_       __attribute__((visibility("default")))

/* No state leads here; why is told in quotes. Coverage does not count such a line. */
#define assert_not_reached(why) \
        do {                    \
                assert(!why);   \
                abort();        \
        } while (0)

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)
#define USEC_INFINITY UINT64_MAX

/* A time, and a limit that may be as long as one likes. */
static inline uint64_t usec_add(uint64_t at_usec, uint64_t limit_usec) {
        return limit_usec > USEC_INFINITY - at_usec ? USEC_INFINITY : at_usec + limit_usec;
}

#define TAKE_GENERIC(var, type, nullvalue)     \
        ({                                     \
                type *_take_ptr = &(var);      \
                type _take_value = *_take_ptr; \
                *_take_ptr = (nullvalue);      \
                _take_value;                   \
        })
#define TAKE_PTR(ptr) TAKE_GENERIC(ptr, __typeof__(ptr), NULL)
#define TAKE_FD(fd)   TAKE_GENERIC(fd, int, -EBADF)

/* Defines `static inline void func##p(type *p)`, for use with _cleanup_(func##p). */
#define DEFINE_CLEANUP(type, func)            \
        static inline void func##p(type *p) { \
                if (*p)                       \
                        (void) func(*p);      \
        }

static inline void freep(void *p) {
        free(*(void **) p);
}

static inline void fclosep(FILE **f) {
        if (*f)
                (void) fclose(*f);
}

/* Closes without touching errno; returns -EBADF, to be assigned to the variable it was read from. */
static inline int fd_close(int fd) {
        if (fd >= 0) {
                int saved = errno;

                (void) close(fd);
                errno = saved;
        }
        return -EBADF;
}

static inline void fd_closep(int *fd) {
        (void) fd_close(*fd);
}

#define _cleanup_free_   _cleanup_(freep)
#define _cleanup_close_  _cleanup_(fd_closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* NULL equals only NULL. */
static inline bool streq_ptr(const char *a, const char *b) {
        return a == b || (a && b && streq(a, b));
}
