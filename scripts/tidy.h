/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What clang-tidy is told beside the sources (scripts/test tidy), as it looks at one file at a time: errno
 * is not 0 where it is read, and error_trace() returns what it was given. Else each "return
 * error_origin(-errno)" might be a success to it.
 */

#include "util/error.h"

static inline int *errno_of_failure(void) {
        int *place = __errno_location();

        if (*place <= 0)
                __builtin_unreachable();
        return place;
}

#undef errno
#define errno (*errno_of_failure())

#undef error_trace
#define error_trace(_r)           \
        ({                        \
                int _same = (_r); \
                _same;            \
        })
