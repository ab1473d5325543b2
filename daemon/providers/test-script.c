/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Carries out the rules of the test provider's script that match one step; see test-script.h. */

#include "daemon/providers/test-script.h"

#include <assert.h>
#include <fcntl.h>

#include "contract/names.h"
#include "script/act.h"
#include "util/error.h"

struct TestScript {
        sd_event *event;
        char *directory, *phase, *name;
        Script *script;
        size_t at; /* the line to be looked at next */
        ScriptWait *wait;
        TestScriptDone done;
        void *userdata;
};

static const char *const phases[] = {
        "begin-prepare",    "end-prepare",       "lock",  "pre-commit", "commit", "post-commit",
        "pre-final-commit", "post-final-commit", "abort", "delete",     NULL};

/**
 * test_script_free() - forget it; its callback is not called any more
 * @script:     it or NULL
 *
 * Return: NULL.
 */
TestScript *test_script_free(TestScript *script) {
        if (!script)
                return NULL;
        (void) script_wait_free(script->wait);
        (void) script_unref(script->script);
        sd_event_unref(script->event);
        free(script->directory);
        free(script->phase);
        free(script->name);
        free(script);
        return NULL;
}

/**
 * test_script_file_clear() - forget the file
 * @file:       it
 */
void test_script_file_clear(TestScriptFile *file) {
        free(file->text);
        (void) script_unref(file->script);
        *file = (TestScriptFile){};
}

static ContractError error_find(const char *name) {
        for (int i = CONTRACT_OK + 1; i < _CONTRACT_ERROR_MAX; i++)
                if (streq(contract_error_to_string((ContractError) i), name))
                        return (ContractError) i;
        return CONTRACT_OK;
}

static void script_end(TestScript *script, ContractError error, const char *text) {
        TestScriptDone done = script->done;

        script->wait = script_wait_free(script->wait);
        script->done = NULL;
        if (done)
                done(error, text, script->userdata);
}

static void script_fail(TestScript *script, char *const *action) {
        _cleanup_free_ char *text = action[1] && action[2] ? script_join(action + 2) : NULL;
        ContractError error = action[1] ? error_find(action[1]) : CONTRACT_OK;

        if (error == CONTRACT_OK)
                script_end(script, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                           "The test script names an error that is none.");
        else
                script_end(script, error, text ? text : "The test script says so.");
}

static void script_advance(void *userdata) {
        TestScript *script = userdata;
        char **action;

        script->wait = script_wait_free(script->wait);
        while ((action = script_next(script->script, &script->at, script->phase, script->name))) {
                char text[SCRIPT_ERROR_MAX];
                int r;

                if (streq(action[0], "fail")) {
                        script_fail(script, action);
                        return;
                }
                r = script_act(&script->wait, script->event, script->directory, action, script_advance,
                               script);
                if (r > 0)
                        return;
                if (r < 0) {
                        (void) snprintf(text, sizeof(text),
                                        "The test script's action %.60s at %s of %s: %s.", action[0],
                                        script->phase, script->name,
                                        r == -ENOENT ? "it is not known" : strerror(-r));
                        script_end(script, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, text);
                        return;
                }
        }
        script_end(script, CONTRACT_OK, NULL);
}

/* No file is an empty script. */
static int file_read(TestScriptFile *file, const char *path, char error[static SCRIPT_ERROR_MAX]) {
        _cleanup_free_ char *text = malloc(SCRIPT_SIZE_MAX + 1);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        _cleanup_(script_unrefp) Script *script = NULL;
        ssize_t n = 0;
        int r;

        if (!text)
                return error_origin(-ENOMEM);
        if (fd >= 0)
                n = read(fd, text, SCRIPT_SIZE_MAX + 1);
        if (n < 0)
                return error_origin(-errno);
        if (file->script && file->size == (size_t) n && memcmp(file->text, text, file->size) == 0)
                return 0;
        r = script_parse(&script, text, (size_t) n, error);
        if (r >= 0)
                r = script_check(script, phases, error);
        if (r < 0)
                return r;
        test_script_file_clear(file);
        *file = (TestScriptFile){TAKE_PTR(text), (size_t) n, TAKE_PTR(script)};
        return 0;
}

/**
 * test_script_run() - do what the script says for one step
 * @ret:        the running script; set before the callback, to be freed by whoever holds it
 * @event:      loop
 * @file:       what was read at the last step
 * @directory:  the provider's
 * @phase:      of the step
 * @name:       of the volume
 * @done:       called once, perhaps at once
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno, and @done is not called then.
 */
int test_script_run(TestScript **ret, sd_event *event, TestScriptFile *file, const char *directory,
                    const char *phase, const char *name, TestScriptDone done, void *userdata) {
        _cleanup_(test_script_freep) TestScript *script = calloc(1, sizeof(*script));
        char error[SCRIPT_ERROR_MAX] = "", text[SCRIPT_ERROR_MAX + 32];
        _cleanup_free_ char *path = NULL;
        int r;

        assert(ret && done);
        if (!script)
                return error_origin(-ENOMEM);
        script->event = sd_event_ref(event);
        script->directory = strdup(directory);
        script->phase = strdup(phase);
        script->name = strdup(name);
        if (!script->directory || !script->phase || !script->name ||
            asprintf(&path, "%s/script", directory) < 0)
                return error_origin(-ENOMEM);
        r = file_read(file, path, error);
        if (r < 0 && r != -EINVAL)
                return error_trace(r);
        script->done = done;
        script->userdata = userdata;
        if (r < 0) {
                (void) snprintf(text, sizeof(text), "The test provider's script: %s.", error);
                *ret = script;
                script_end(TAKE_PTR(script), CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, text);
                return 0;
        }
        script->script = script_ref(file->script);
        *ret = script;
        script_advance(TAKE_PTR(script));
        return 0;
}

/**
 * test_script_cancel() - end a wait
 * @script:     a script whose callback was not called yet; it is called now, with ABORTED
 */
void test_script_cancel(TestScript *script) {
        if (script->wait)
                script_end(script, CONTRACT_ERROR_ABORTED, "The wait of the test script was cancelled.");
}
