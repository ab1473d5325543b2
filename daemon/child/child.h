/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Child processes with a deadline: a command whose output is captured, or a forked function that passes a
 * few descriptors back.
 *
 * Each child gets default signals, a process group of its own and /dev/null as input, each command a clean
 * environment, and keeps none of quiesced's connections: however long it hangs, who is at the other end sees
 * quiesced's death. One that outlives its deadline is killed with its whole group and reported as such: an
 * answer that comes after the deadline is poison, it is never looked at. The callback is called exactly
 * once, from the event loop; by then the process is gone and reaped. Nothing here needs SIGCHLD.
 */

#include <systemd/sd-event.h>

#include "util/macro.h"

#define CHILD_FDS_MAX 128u

typedef struct Child Child;

typedef struct ChildResult {
        int error;       /* 0, -ETIMEDOUT: killed at the deadline, -ENOSPC: said more than was allowed */
        int status;      /* as waitid() tells: exit code, or 128 + signal */
        const char *out; /* never NULL, ends in a NUL that is not counted */
        size_t n_out;
        const char *err; /* what it said on stderr, at most a few KiB, likewise */
        /* Of a forked function: the descriptors it sent, by the index it gave; -1: none. Those taken out of
         * the array are the callback's, the others are closed after it. */
        int *fds;
        size_t n_fds;
} ChildResult;

typedef void (*ChildDone)(Child *child, const ChildResult *result, void *userdata);

typedef struct ChildSpec {
        const char *const *argv;
        uint64_t limit_usec;
        size_t out_max; /* bytes of stdout, more is -ENOSPC; 0: nobody reads it, and what it is does not
                           matter */
        /* Runs in the child before the command, and may block. It has its memory as it was at the time of
         * the call. Not 0: the exit status, and the command is not executed. */
        int (*before)(void *argument);
        void *before_argument;
} ChildSpec;

/* Runs in the forked child; what it returns (0…255) is the exit code. What it writes to stdout and stderr is
 * captured. */
typedef int (*ChildFunction)(int socket_fd, void *argument);

int child_spawn(Child **ret, sd_event *event, const ChildSpec *spec, ChildDone done, void *userdata);
int child_fork(Child **ret, sd_event *event, ChildFunction function, void *argument, uint64_t limit_usec,
               ChildDone done, void *userdata);
/* Before its callback: the process group is killed and the callback never called. In the callback or after
 * it: memory only, but that of the result as well. */
Child *child_free(Child *child);
DEFINE_CLEANUP(Child *, child_free)

_Noreturn void child_become(const char *const *argv);

/* For forked functions: sends one descriptor with its index. Return: 0 or a negative errno. */
int child_send_fd(int socket_fd, uint32_t index, int fd);
