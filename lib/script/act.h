/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The actions that mean the same wherever they stand in a script:
 *
 *   wait FILE    until FILE exists; if it is a FIFO, until something is written to it
 *   delay TIME   that long: "500ms", "2s", "100us", "1min"
 *   mark FILE    make FILE, to tell that the place was reached
 *   die          this process kills itself with SIGKILL
 */

#include <systemd/sd-event.h>

#include "util/macro.h"

typedef struct ScriptWait ScriptWait;
typedef void (*ScriptWaitDone)(void *userdata);

/* Return: 1: @done is called later, unless *ret is freed before; 0: it is done; -ENOENT: none of these
 * actions; -EINVAL: its argument is wrong; another negative errno. directory: what FILE is relative to. */
int script_act(ScriptWait **ret, sd_event *event, const char *directory, char *const *action,
               ScriptWaitDone done, void *userdata);
ScriptWait *script_wait_free(ScriptWait *wait);
DEFINE_CLEANUP(ScriptWait *, script_wait_free)

int script_parse_usec(const char *text, uint64_t *ret);
