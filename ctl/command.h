/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How a command that ran contained ended, for run's and freeze's own exit status. */

#include "ctl/contain.h"

enum {
        EXIT_OURS = 125,       /* quiescectl failed */
        EXIT_CANNOT_RUN = 126, /* as env(1) */
        EXIT_NOT_FOUND = 127,
        EXIT_SIGNAL = 128,
};

int command_status(const ContainOutcome *outcome);
bool command_succeeded(const ContainOutcome *outcome, const int *success, size_t n_success);
