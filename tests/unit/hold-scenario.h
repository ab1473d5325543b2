/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One session of the hold, in a process of its own whose kernel is the model; the test plays quiesced and,
 * as the fsfreeze writer, freezes one mount.
 */

#include "daemon/hold/hold-protocol.h"
#include "tests/unit/hold-model.h"

typedef struct Scenario {
        Model *model;
        int fd;    /* to the hold */
        pid_t pid; /* the hold's */
        int mount_fds[N_MOUNTS];
        HoldBegin begin;
        HoldVolume volumes[N_VOLUMES];
        HoldMount mounts[N_MOUNTS];
        HoldReport report; /* the last */
        HoldTimes times[N_VOLUMES];
        unsigned n_times; /* how often times were told */
} Scenario;

extern const HoldCommit scenario_commit;

void scenario_init(Scenario *s, Model *model);
void scenario_start(Scenario *s);
void scenario_send(Scenario *s, uint32_t type, const HoldMessage *message, int fd);
void scenario_describe(Scenario *s);
int scenario_receive(Scenario *s);
int scenario_step(Scenario *s, uint32_t type);
int scenario_until(Scenario *s, uint32_t last);
void scenario_stop(Scenario *s);
void scenario_assert_let_go(Scenario *s);
