/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One event's scripts, run one after the other, and its answer. */

#include "quiesce/writer.h"
#include "writers.d/hook/script.h"
#include "writers.d/hook/session.h"

typedef struct Run Run;

typedef struct Hook {
        sd_event *event;
        HookFlavor flavor;
        const char *path, *thaw_path; /* thaw_path: NULL: the same */
        bool identified;
        bool plain; /* a script that knows freeze and thaw only */
        Run *runs;
        Session *sessions;
} Hook;

typedef struct Step {
        const char *path, *argument;
        Part *part; /* of the run's session, or NULL */
} Step;

struct Run {
        Run *next;
        Hook *hook;
        QuiesceWriterEvent *event;
        Session *session; /* a reference, or NULL */
        Step *steps;
        size_t n_steps, step;
        Script *script;
        char **environment;
        uint64_t deadline; /* µs of CLOCK_BOOTTIME; UINT64_MAX: none */
        bool undoing;      /* a Thaw or an Abort: every step is to be tried */
        bool cancelled;
        bool failed;
};

int run_new(Run **ret, Hook *hook, QuiesceWriterEvent *event, Session *session);
int run_add_step(Run *run, const char *path, const char *argument, Part *part);
int run_begin(Run *run);
void run_cancel(Run *run);
Run *run_free(Run *run);
DEFINE_CLEANUP(Run *, run_free)
