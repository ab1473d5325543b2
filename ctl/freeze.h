/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * quiescectl freeze: writers are frozen while somebody takes the snapshot elsewhere (provider "external"):
 * a command (freeze-command.c), or whoever calls "quiescectl thaw" (resident-freeze.c).
 */

#include <signal.h>

#include "ctl/moment.h"
#include "ctl/resident.h"

typedef struct FreezeOptions {
        BeginOptions begin;
        char **command; /* argv, points into main()'s; NULL: --detach or --foreground */
        int *success;
        size_t n_success;
        uint64_t limit_usec;
        const char *id; /* what the snapshot is called, or NULL */
        bool id_output; /* the command's last line is that */
        bool complete;  /* success means that the data is safe */
        bool detach;
        sigset_t signal_mask; /* as it was when we were started */
} FreezeOptions;

int freeze_command(const FreezeOptions *options);
int resident_freeze(Resident *resident, int *ret_status);
