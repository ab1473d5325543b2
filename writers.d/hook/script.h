/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One run of a script: started, watched, and killed with all that it has started when its time is up.
 *
 * What it prints goes to us, never straight to the journal: journald may stand still while file systems are
 * frozen, and a script that waits for it would too.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define SCRIPT_OUTPUT_MAX 65536u
#define SCRIPT_MARK       "QUIESCE_INVOCATION=" /* in the environment of all that a run has started */

typedef struct Script Script;

typedef struct ScriptResult {
        int exit_status; /* -1: died of a signal */
        int signal;
        bool timed_out;
        bool killed;        /* by script_kill() */
        const char *output; /* the first SCRIPT_OUTPUT_MAX bytes of stdout, as a string */
        const char *errors; /* of stderr likewise */
} ScriptResult;

/* The script is gone after this call. */
typedef void (*ScriptDone)(const ScriptResult *result, void *userdata);

/* arguments, environment: NULL-terminated. */
int script_run(Script **ret, sd_event *event, const char *const *arguments, const char *const *environment,
               uint64_t limit_usec, ScriptDone done, void *userdata);
/* It is to end at once; `done` follows from the event loop. */
void script_kill(Script *script);
/* Waits for what scripts have left in the background and has ended since; looks through /proc. */
void script_reap_orphans(void);
