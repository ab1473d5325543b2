/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What happens in the new process between fork and the command or function, for child.c alone. */

#include <stddef.h>

#include "daemon/child/child.h"

typedef struct ChildStart {
        const char *const *argv; /* or: */
        ChildFunction function;
        void *argument;
        int (*before)(void *argument);
        void *before_argument;
        int out_fd, err_fd, socket_fd; /* the child's ends */
} ChildStart;

int child_exec_fork(const ChildStart *start);
