/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A command that does not outlive us, with all its descendants.
 *
 * Between quiescectl and the command stand two processes of ours, the guard and below it the reaper. All
 * three adopt what their descendants leave behind (PR_SET_CHILD_SUBREAPER). When the command ends, or
 * quiescectl dies however suddenly, the reaper kills all descendants of the command and ends after the last.
 * If the reaper is killed, the guard does that; if both are, quiescectl does. So any two of the three may be
 * killed at the same moment. If all three are, the kernel still takes the command (PR_SET_PDEATHSIG).
 *
 * HACKING.md says why it is neither a PID namespace nor a cgroup.
 */

#include <systemd/sd-event.h>

#include "ctl/namespace.h"

typedef struct Containment Containment;

typedef struct ContainOptions {
        char **argv; /* NULL-terminated; argv[0] is looked up in PATH, in the new view */
        int (*setup)(void *userdata, Failure *ret_failure); /* in the command's process, before exec */
        void *userdata;
        const sigset_t *signal_mask; /* the command's */
} ContainOptions;

typedef enum ContainResult {
        CONTAIN_EXITED,       /* the command ran; status is that of waitpid() */
        CONTAIN_SETUP_FAILED, /* failure says why */
        CONTAIN_EXEC_FAILED,  /* failure.error says why */
        CONTAIN_LOST,         /* somebody killed the reaper; the command was killed */
} ContainResult;

typedef struct ContainOutcome {
        ContainResult result;
        int status;
        Failure failure;
} ContainOutcome;

typedef void (*ContainEnded)(const ContainOutcome *outcome, void *userdata);

int contain_start(Containment **ret, sd_event *event, const ContainOptions *options, ContainEnded ended,
                  void *userdata);
Containment *contain_free(Containment *containment);
DEFINE_CLEANUP(Containment *, contain_free)

void contain_signal(Containment *containment, int signal);

/* In reaper.c. */
typedef struct ReaperReport {
        ContainOutcome outcome;
} ReaperReport;
void guard_run(int socket_fd, const ContainOptions *options) __attribute__((noreturn));
void descendants_kill(void);
