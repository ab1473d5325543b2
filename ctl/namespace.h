/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The command's own view of the mounts.
 *
 * Called in the process that will become the command, after fork: everything it mounts is seen by that
 * process and its children alone and goes with the last of them. The mounts of the host stay as they are,
 * and what is mounted on the host later still arrives here: they are made slaves, never private.
 */

#include "ctl/plan.h"

typedef struct Failure {
        int error; /* errno, or 0 if the text says it all */
        char text[512];
} Failure;

int failure_set(Failure *failure, int error, const char *format, ...) _printf_(3, 4);

int namespace_enter(Failure *ret_failure);
int namespace_build(const Plan *plan, const char *directory, const char *cwd, Failure *ret_failure);
