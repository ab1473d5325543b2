/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The developer kit's language: words, quotes, comments, rules and their counts, waiting. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "script/act.h"
#include "script/script.h"

static Script *parse(const char *text) {
        char error[SCRIPT_ERROR_MAX] = "";
        Script *script = NULL;

        if (script_parse(&script, text, strlen(text), error) < 0)
                fail_msg("%s: %s", text, error);
        return script;
}

static void assert_line(const Script *script, size_t i, unsigned number, const char *joined) {
        _cleanup_free_ char *text = script_join(script->lines[i].words);

        assert_int_equal(script->lines[i].number, number);
        assert_string_equal(text, joined);
}

static void test_words(void **state) {
        _cleanup_(script_unrefp) Script *script = parse(
                "# a comment\n\n  one\ttwo#no-comment  # but this\r\n\"a b\" \"q\\\"u\\\\o\" \"\"\nlast");

        assert_int_equal(script->n_lines, 3);
        assert_line(script, 0, 3, "one two#no-comment");
        assert_int_equal(script->lines[1].n_words, 3);
        assert_line(script, 1, 4, "a b q\"u\\o ");
        assert_line(script, 2, 5, "last");
}

static void test_no_script(void **state) {
        static const struct {
                const char *text;
                size_t size;
                const char *error;
        } cases[] = {
                {"ok\n\"open\nnext\n", 14, "line 2: a quote is not closed"},
                {"a\0b", 3, "it is no text"},
        };
        char error[SCRIPT_ERROR_MAX], many[300] = "";
        Script *script = NULL;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(script_parse(&script, cases[i].text, cases[i].size, error), -EINVAL);
                assert_non_null(strstr(error, cases[i].error));
        }
        for (unsigned i = 0; i <= SCRIPT_WORDS_MAX; i++)
                (void) strcat(many, "w ");
        assert_int_equal(script_parse(&script, many, strlen(many), error), -EINVAL);
        assert_non_null(strstr(error, "too many words"));
        assert_null(script);
}

static void assert_next(Script *script, size_t *at, const char *where, const char *who, const char *action) {
        char **words = script_next(script, at, where, who);
        _cleanup_free_ char *text = words ? script_join(words) : NULL;

        if (action)
                assert_string_equal(text, action);
        else
                assert_null(words);
}

static void test_rules(void **state) {
        static const char *const places[] = {"freeze", "thaw", NULL};
        _cleanup_(script_unrefp) Script *script =
                parse("freeze db first 2 fail Retryable \"not yet\"\n* * mark m\nthaw web die\n");
        char error[SCRIPT_ERROR_MAX];
        size_t at = 0;

        assert_int_equal(script_check(script, places, error), 0);
        assert_next(script, &at, "freeze", "db", "fail Retryable not yet");
        assert_next(script, &at, "freeze", "db", "mark m");
        assert_next(script, &at, "freeze", "db", NULL);
        at = 0;
        assert_next(script, &at, "freeze", "web", "mark m");
        at = 0;
        assert_next(script, &at, "freeze", "db", "fail Retryable not yet");
        at = 0;
        assert_next(script, &at, "freeze", "db", "mark m"); /* it had its two */
        at = 0;
        assert_next(script, &at, "thaw", "web", "mark m");
        assert_next(script, &at, "thaw", "web", "die");
}

static void test_bad_rules(void **state) {
        static const char *const places[] = {"freeze", NULL};
        static const struct {
                const char *text, *error;
        } cases[] = {
                {"\nfrozen * die", "line 2: frozen is nothing known here"},
                {"freeze *", "line 1: freeze needs"},
                {"freeze * first 3", "needs"},
                {"freeze * first no die", "needs"},
                {"freeze * first 0 die", "needs"},
        };
        char error[SCRIPT_ERROR_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(script_unrefp) Script *script = parse(cases[i].text);

                assert_int_equal(script_check(script, places, error), -EINVAL);
                assert_non_null(strstr(error, cases[i].error));
        }
}

static void test_short_rules(void **state) {
        _cleanup_(script_unrefp) Script *script = parse("");
        char error[SCRIPT_ERROR_MAX];

        assert_int_equal(script_add_short(script, "freeze=fail:Retryable:at 12:30: no", error), 0);
        assert_int_equal(script_add_short(script, "thaw=first:3:wait:/a:b", error), 0);
        assert_int_equal(script_add_short(script, "thaw=die", error), 0);
        assert_int_equal(script_add_short(script, "thaw", error), -EINVAL);
        assert_int_equal(script_add_short(script, "thaw=", error), -EINVAL);
        assert_int_equal(script->n_lines, 3);
        assert_line(script, 0, 0, "freeze * fail Retryable at 12:30: no");
        assert_line(script, 1, 0, "thaw * first 3 wait /a b");
        assert_line(script, 2, 0, "thaw * die");
}

static void on_done(void *userdata) {
        (*(unsigned *) userdata)++;
}

/* Begins the action; runs the loop once `then` has happened. */
static void act(const char *directory, const char *action, const char *argument, int expected) {
        char *words[] = {(char *) action, (char *) argument, NULL};
        _cleanup_(script_wait_freep) ScriptWait *wait = NULL;
        sd_event *event = NULL;
        unsigned done = 0;
        char path[128];
        int fd;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(script_act(&wait, event, directory, words, on_done, &done), expected);
        if (expected == 1) {
                assert_int_equal(sd_event_run(event, 0), 0);
                assert_int_equal(done, 0);
                (void) snprintf(path, sizeof(path), "%s/%s", directory, argument);
                if (streq(action, "wait")) {
                        fd = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);
                        assert_true(fd >= 0);
                        assert_int_equal(write(fd, "x", 1), 1);
                        (void) close(fd);
                }
                while (!done)
                        assert_true(sd_event_run(event, 10 * USEC_PER_SEC) > 0);
                assert_int_equal(done, 1);
        }
        wait = script_wait_free(wait);
        sd_event_unref(event);
}

static void test_actions(void **state) {
        char directory[] = "/tmp/quiesced-script.XXXXXX", path[128];

        assert_non_null(mkdtemp(directory));
        act(directory, "nonsense", NULL, -ENOENT);
        act(directory, "wait", NULL, -EINVAL);
        act(directory, "delay", "soon", -EINVAL);
        act(directory, "delay", "20ms", 1);
        act(directory, "wait", "file", 1);
        act(directory, "wait", "file", 0); /* it is there */
        (void) snprintf(path, sizeof(path), "%s/fifo", directory);
        assert_int_equal(mkfifo(path, 0600), 0);
        act(directory, "wait", "fifo", 1);
        act(directory, "mark", "mark", 0);
        act(directory, "wait", "mark", 0);
        assert_int_equal(remove(path), 0);
        (void) snprintf(path, sizeof(path), "%s/file", directory);
        assert_int_equal(remove(path), 0);
        (void) snprintf(path, sizeof(path), "%s/mark", directory);
        assert_int_equal(remove(path), 0);
        assert_int_equal(remove(directory), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),       cmocka_unit_test(test_no_script),
                cmocka_unit_test(test_rules),       cmocka_unit_test(test_bad_rules),
                cmocka_unit_test(test_short_rules), cmocka_unit_test(test_actions),
        };

        return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
