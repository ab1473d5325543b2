/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The error contract of this project, after dbus-broker's.
 *
 * A function that can fail returns int. 0 is success. A negative value is a *fatal* error, a negative errno:
 * nobody but main() or a call's outermost handler looks at it, everybody in between passes it up. A positive
 * value is a *documented outcome of this one function* (an enum in its header): its caller must handle it
 * and never passes it on.
 *
 *   return error_origin(-errno);   raise
 *   return error_trace(r);         pass on
 *   return error_fold(r);          turn an outcome that cannot happen here into a fatal error, pass on the
 * rest
 *
 * All three cost nothing on success; with QUIESCED_TRACE_ERRORS=1 in the environment they print file, line
 * and function as an error travels up, so that a failing run shows its path.
 */

#include <errno.h>

int error_trace_at(int r, const char *file, int line, const char *function);

#define error_trace(_r)                                                                                    \
        ({                                                                                                 \
                int _error_r = (_r);                                                                       \
                __builtin_expect(_error_r < 0, 0) ? error_trace_at(_error_r, __FILE__, __LINE__, __func__) \
                                                  : _error_r;                                              \
        })
#define error_origin(_r) error_trace(_r)
#define error_fold(_r)                                                 \
        ({                                                             \
                int _fold_r = (_r);                                    \
                error_trace(_fold_r > 0 ? -ENOTRECOVERABLE : _fold_r); \
        })
