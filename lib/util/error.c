/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Printing the path of a fatal error, for those who debug; see error.h for the contract.
 */

#include "util/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * error_trace_at() - note one step of a fatal error's way up
 * @r:          the negative errno that travels
 * @file:       where it was raised or passed on
 * @line:       likewise
 * @function:   likewise
 *
 * Prints to stderr only if QUIESCED_TRACE_ERRORS is set in the environment.
 *
 * Return: @r, unchanged.
 */
int error_trace_at(int r, const char *file, int line, const char *function) {
        if (getenv("QUIESCED_TRACE_ERRORS"))
                (void) fprintf(stderr, "error %d (%s) at %s:%d %s()\n", r, strerror(-r), file, line,
                               function);
        return r;
}
