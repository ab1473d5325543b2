/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What quiescectl is doing, on stderr: one line drawn over and over on a terminal, plain lines elsewhere.
 */

#include "util/macro.h"

#define PROGRESS_STEPS_MAX 32u

/* What writers and volumes do in a step. */
typedef enum ProgressPart {
        PROGRESS_PART_NONE,
        PROGRESS_PART_GATHER,
        PROGRESS_PART_PREPARE,
        PROGRESS_PART_SET,
        PROGRESS_PART_COMPLETE,
} ProgressPart;

typedef struct ProgressStep {
        char text[96];
        ProgressPart part;
        uint64_t begin_usec; /* CLOCK_BOOTTIME */
} ProgressStep;

typedef struct Progress {
        bool quiet;
        bool terminal;
        bool drawn; /* the terminal's line stands there */
        char step[128], last[192];
        ProgressStep steps[PROGRESS_STEPS_MAX];
        size_t n_steps;
} Progress;

uint64_t now_usec(void);
void progress_init(Progress *progress, bool quiet);
void progress_step(Progress *progress, const char *format, ...) _printf_(2, 3);
void progress_part(Progress *progress, ProgressPart part);
void progress_phase(Progress *progress, const char *phase);
void progress_clear(Progress *progress);
void progress_say(Progress *progress, const char *format, ...) _printf_(2, 3);
