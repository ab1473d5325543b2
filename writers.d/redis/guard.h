/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What lets a server go if the writer is killed while it is paused.
 *
 * Why: the pause is the server's, not the connection's, and would go on until its own end.
 *
 * How: a child process that has the connection's socket, and does nothing until the writer's end, which it
 * sees at a pipe. It is there before Freeze.
 */

#include <sys/types.h>

typedef struct Guard {
        pid_t pid; /* 0: none */
        int pipe;  /* its end is the writer's */
} Guard;

int guard_start(Guard *guard, int socket);
/* It is not needed any more. */
void guard_end(Guard *guard);
