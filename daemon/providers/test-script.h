/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the test provider is to do at a step, from the file "script" in its directory. Each line is
 *
 *   PHASE NAME ACTION [ARGUMENT…]      '*' stands for any phase or name; '#' begins a comment line
 *
 *   fail ERROR [TEXT…]   the step fails with org.quiesce1.Error.ERROR and that text
 *   wait FILE            the step goes on when DIR/FILE exists
 *   mark FILE            DIR/FILE is made (to tell that the step was reached)
 *   die                  this process kills itself
 *
 * Phases: begin-prepare, end-prepare, lock, pre-commit, commit, post-commit, pre-final-commit,
 * post-final-commit, abort, delete. Lines that match are carried out in order; the file is read at each
 * step.
 */

#include <systemd/sd-event.h>

#include "contract/types.h"
#include "util/macro.h"

typedef struct TestScript TestScript;
/* OK: go on with the step itself. */
typedef void (*TestScriptDone)(ContractError error, const char *text, void *userdata);

/* May call back at once. The callback may free the script. */
int test_script_run(TestScript **ret, sd_event *event, const char *directory, const char *phase,
                    const char *name, TestScriptDone done, void *userdata);
void test_script_cancel(TestScript *script);
TestScript *test_script_free(TestScript *script);
DEFINE_CLEANUP(TestScript *, test_script_free)
