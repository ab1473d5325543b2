/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Runs the lines of the test provider's script that match one step; see test-script.h. Waiting is done with
 * inotify, so that a test decides when a step goes on and never has to guess.
 */

#include "daemon/providers/test-script.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>

#include "contract/names.h"
#include "util/error.h"

#define SCRIPT_SIZE_MAX 65536u

struct TestScript {
        sd_event *event;
        sd_event_source *watch;
        char *directory, *phase, *name;
        char *text, *next; /* the file, and the line to be looked at next */
        char *awaited;     /* the file waited for */
        TestScriptDone done;
        void *userdata;
};

/**
 * test_script_free() - forget it; its callback is not called any more
 * @script:     it or NULL
 *
 * Return: NULL.
 */
TestScript *test_script_free(TestScript *script) {
        if (!script)
                return NULL;
        (void) sd_event_source_disable_unref(script->watch);
        sd_event_unref(script->event);
        free(script->directory);
        free(script->phase);
        free(script->name);
        free(script->text);
        free(script->awaited);
        free(script);
        return NULL;
}

static int path_below(const TestScript *script, const char *file, char **ret) {
        if (asprintf(ret, "%s/%s", script->directory, file) < 0)
                return error_origin(-ENOMEM);
        return 0;
}

static ContractError error_find(const char *name) {
        for (int i = CONTRACT_OK + 1; i < _CONTRACT_ERROR_MAX; i++)
                if (streq(contract_error_to_string((ContractError) i), name))
                        return (ContractError) i;
        return CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR;
}

static void script_end(TestScript *script, ContractError error, const char *text) {
        TestScriptDone done = script->done;

        script->watch = sd_event_source_disable_unref(script->watch);
        script->done = NULL;
        if (done)
                done(error, text, script->userdata);
}

static void script_advance(TestScript *script);

static int on_directory_changed(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        TestScript *script = userdata;

        if (access(script->awaited, F_OK) < 0)
                return 0;
        script->watch = sd_event_source_disable_unref(script->watch);
        script_advance(script);
        return 0;
}

/* The watch stands before the file is looked for, so that it cannot come unseen. Return: true if it waits.
 */
static bool script_wait(TestScript *script, const char *file) {
        free(script->awaited);
        script->awaited = NULL;
        if (path_below(script, file, &script->awaited) < 0)
                return false;
        if (sd_event_add_inotify(script->event, &script->watch, script->directory,
                                 IN_CREATE | IN_MOVED_TO | IN_ATTRIB, on_directory_changed, script) < 0)
                return false;
        if (access(script->awaited, F_OK) < 0)
                return true;
        script->watch = sd_event_source_disable_unref(script->watch);
        return false;
}

static void script_mark(TestScript *script, const char *file) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (path_below(script, file, &path) == 0)
                fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static bool word_matches(const char *word, const char *value) {
        return word && (streq(word, "*") || streq(word, value));
}

/* Carries out one line. Return: true if the script goes on with the next. */
static bool script_do_line(TestScript *script, char *line) {
        char *rest = line;
        const char *phase = strsep(&rest, " "), *name = rest ? strsep(&rest, " ") : NULL;
        const char *action = rest ? strsep(&rest, " ") : NULL;

        if (line[0] == '#' || !word_matches(phase, script->phase) || !word_matches(name, script->name) ||
            !action)
                return true;
        if (streq(action, "die"))
                (void) kill(getpid(), SIGKILL);
        if (streq(action, "wait") && rest)
                return !script_wait(script, rest);
        if (streq(action, "mark") && rest)
                script_mark(script, rest);
        if (streq(action, "fail") && rest) {
                const char *error = strsep(&rest, " ");

                script_end(script, error_find(error), rest ?: "The test script says so.");
                return false;
        }
        return true;
}

static void script_advance(TestScript *script) {
        while (script->next) {
                char *line = strsep(&script->next, "\n");

                if (!script_do_line(script, line))
                        return;
        }
        script_end(script, CONTRACT_OK, NULL);
}

static char *script_read(const char *path) {
        _cleanup_free_ char *text = calloc(1, SCRIPT_SIZE_MAX + 1);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (!text)
                return NULL;
        if (fd >= 0 && read(fd, text, SCRIPT_SIZE_MAX) < 0)
                text[0] = '\0';
        return TAKE_PTR(text);
}

/**
 * test_script_run() - do what the script says for one step
 * @ret:        the running script; set before the callback, to be freed by whoever holds it
 * @event:      loop
 * @directory:  the provider's
 * @phase:      of the step
 * @name:       of the volume
 * @done:       called once, perhaps at once
 * @userdata:   for @done
 *
 * Return: 0, or a negative errno, and @done is not called then.
 */
int test_script_run(TestScript **ret, sd_event *event, const char *directory, const char *phase,
                    const char *name, TestScriptDone done, void *userdata) {
        _cleanup_(test_script_freep) TestScript *script = calloc(1, sizeof(*script));
        _cleanup_free_ char *path = NULL;
        int r;

        assert(ret && done);
        if (!script)
                return error_origin(-ENOMEM);
        script->event = sd_event_ref(event);
        script->directory = strdup(directory);
        script->phase = strdup(phase);
        script->name = strdup(name);
        if (!script->directory || !script->phase || !script->name)
                return error_origin(-ENOMEM);
        r = path_below(script, "script", &path);
        if (r < 0)
                return error_trace(r);
        script->text = script->next = script_read(path);
        if (!script->text)
                return error_origin(-ENOMEM);
        script->done = done;
        script->userdata = userdata;
        *ret = script;
        script_advance(TAKE_PTR(script));
        return 0;
}

/**
 * test_script_cancel() - end a wait
 * @script:     a script whose callback was not called yet; it is called now, with ABORTED
 */
void test_script_cancel(TestScript *script) {
        if (script->watch)
                script_end(script, CONTRACT_ERROR_ABORTED, "The wait of the test script was cancelled.");
}
