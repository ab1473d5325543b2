/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the test provider is to do at a step, from the file "script" in its directory: rules in the developer
 * kit's language (script/script.h, quiesce-test-script(5)), PHASE VOLUME [first N] ACTION…. Beside the
 * common actions (script/act.h) there is
 *
 *   fail ERROR [TEXT…]   the step fails with org.quiesce1.Error.ERROR and that text
 *
 * Phases: begin-prepare, end-prepare, lock, pre-commit, commit, post-commit, pre-final-commit,
 * post-final-commit, abort, delete. Rules that match are carried out in order; the file is read at each
 * step, and what was counted is forgotten when it has changed. What it has wrong fails the step.
 */

#include <systemd/sd-event.h>

#include "contract/types.h"
#include "script/script.h"
#include "util/macro.h"

/* The file as it was read last; all zero at first. */
typedef struct TestScriptFile {
        char *text;
        size_t size;
        Script *script;
} TestScriptFile;

typedef struct TestScript TestScript;
/* OK: go on with the step itself. */
typedef void (*TestScriptDone)(ContractError error, const char *text, void *userdata);

/* May call back at once. The callback may free the script. */
int test_script_run(TestScript **ret, sd_event *event, TestScriptFile *file, const char *directory,
                    const char *phase, const char *name, TestScriptDone done, void *userdata);
void test_script_cancel(TestScript *script);
TestScript *test_script_free(TestScript *script);
void test_script_file_clear(TestScriptFile *file);
DEFINE_CLEANUP(TestScript *, test_script_free)
