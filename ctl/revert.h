/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Making volumes what a set's snapshots are: what quiescectl revert and a script's revert share. Volumes
 * that nobody uses are reverted at once, and waited for; those in use when they are activated next, which is
 * said.
 *
 * Functions return 0, CTL_E_SAID, or a negative errno.
 */

#include "ctl/progress.h"
#include "ctl/table.h"

typedef struct Revert {
        char *path;          /* of the set */
        char *id;            /* likewise */
        DictArray snapshots; /* of the set, with what only those who may are told */
} Revert;

int revert_find(Revert *revert, sd_bus *bus, const char *id);
void revert_done(Revert *revert);
/* dry_run: whether it would be refused is asked; nothing is changed. */
int revert_call(const Revert *revert, sd_bus *bus, const char *id, bool dry_run);
/* wait: returns now and then, at the latest after a second; a negative errno ends the waiting. */
int revert_await(const Revert *revert, sd_bus *bus, Progress *progress, int (*wait)(void *userdata),
                 void *userdata);
int revert_say_how_far(const Revert *revert, sd_bus *bus, bool quiet);
