/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The command line of quiescectl run, read and checked as far as that goes without quiesced. */

#include <signal.h>

#include "ctl/backup.h"

typedef struct RunOptions {
        BackupOptions backup;
        PlanOptions plan;
        char *directory; /* NULL: snapshots at their own places */
        char **command;  /* argv of the command, points into main()'s */
        char **ignore;   /* NULL-terminated array of n_ignore names */
        size_t n_ignore;
        char **store_on; /* likewise */
        size_t n_store_on;
        bool timeline;
        bool dry;  /* no set, no command */
        bool json; /* of a dry run */
        int *success;
        size_t n_success;
        sigset_t signal_mask; /* as it was when we were started */
} RunOptions;

enum {
        _RUN_OPTIONS_E_SUCCESS,
        RUN_OPTIONS_E_DONE,  /* help was asked for and given */
        RUN_OPTIONS_E_WRONG, /* the user has been told what is wrong */
};

int run_options_parse(RunOptions *options, int argc, char **argv);
void run_options_done(RunOptions *options);
