/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Carrying out the rules of an event, one after the other until one answers; see test-writer.h. Where one
 * waits, the event is answered later.
 */

#include "test-writer.h"

#include "util/error.h"

/* An event whose rules are not through yet. */
typedef struct Doing {
        struct Doing *next;
        TestWriter *test;
        QuiesceWriterEvent *event;
        const char *where;
        size_t at;
        ScriptWait *wait;
} Doing;

static Doing *doing_free(Doing *doing) {
        for (Doing **place = &doing->test->doings; *place; place = &(*place)->next)
                if (*place == doing) {
                        *place = doing->next;
                        break;
                }
        (void) script_wait_free(doing->wait);
        free(doing);
        return NULL;
}

static int fail(QuiesceWriterEvent *event, char *const *action) {
        static const char *const codes[] = {"",          "InconsistentSnapshot", "OutOfResources", "Timeout",
                                            "Retryable", "NonRetryable"};
        _cleanup_free_ char *text = action[1] ? script_join(action + 2) : NULL;

        for (size_t i = 1; text && i < ELEMENTSOF(codes); i++)
                if (streq(codes[i], action[1]))
                        return quiesce_writer_event_fail(event, (QuiesceFailure) i, "%s", text);
        return quiesce_writer_event_fail(event, QUIESCE_FAILURE_NON_RETRYABLE,
                                         "the test script names a failure that is none");
}

static int warn(QuiesceWriterEvent *event, char *const *action) {
        _cleanup_free_ char *text = script_join(action + 1);

        return text ? quiesce_writer_event_warn(event, "%s", text) : -ENOMEM;
}

/* An action that ends the event's rules. Return: the answer; -ENOENT if it is none. */
static int answer(QuiesceWriterEvent *event, char *const *action) {
        if (streq(action[0], "ok"))
                return 0;
        if (streq(action[0], "fail"))
                return fail(event, action);
        if (streq(action[0], "hang"))
                return QUIESCE_WRITER_PENDING;
        if (streq(action[0], "exit"))
                exit(EXIT_SUCCESS);
        if (streq(action[0], "block"))
                for (;;)
                        (void) pause();
        return answer_nonsense(event, action[0]);
}

static void on_waited(void *userdata);

/* Return: the answer; *waits: none yet. */
static int carry_out(Doing *doing, bool *waits) {
        char **action;
        int r;

        *waits = false;
        while ((action = script_next(doing->test->rules, &doing->at, doing->where, doing->test->name))) {
                if (streq(action[0], "warn")) {
                        r = warn(doing->event, action);
                        if (r < 0)
                                return r;
                        continue;
                }
                r = script_act(&doing->wait, doing->test->event, doing->test->directory, action, on_waited,
                               doing);
                if (r > 0) {
                        *waits = true;
                        return 0;
                }
                if (r == -ENOENT)
                        r = answer(doing->event, action);
                else if (r == 0)
                        continue;
                if (r == -ENOENT || r == -EINVAL)
                        return quiesce_writer_event_fail(doing->event, QUIESCE_FAILURE_NON_RETRYABLE,
                                                         "the test script's action \"%s\" is wrong",
                                                         action[0]);
                return r;
        }
        return 0;
}

static void on_waited(void *userdata) {
        Doing *doing = userdata;
        bool waits;
        int r;

        doing->wait = script_wait_free(doing->wait);
        r = carry_out(doing, &waits);
        if (waits)
                return;
        if (r != QUIESCE_WRITER_PENDING)
                answer_recorded(doing->test, doing->event, r);
        (void) doing_free(doing);
}

/**
 * act() - do what the rules say
 * @test:       the writer
 * @event:      what it was asked
 * @where:      which event's rules count, a constant
 *
 * Return: for the library, as of a callback.
 */
int act(TestWriter *test, QuiesceWriterEvent *event, const char *where) {
        Doing *doing = calloc(1, sizeof(*doing));
        bool waits;
        int r;

        if (!doing)
                return error_origin(-ENOMEM);
        doing->test = test;
        doing->event = event;
        doing->where = where;
        doing->next = test->doings;
        test->doings = doing;
        r = carry_out(doing, &waits);
        if (waits)
                return QUIESCE_WRITER_PENDING;
        (void) doing_free(doing);
        return r;
}

/**
 * acts_free() - forget the events whose rules wait, at the end
 * @test:       the writer
 */
void acts_free(TestWriter *test) {
        while (test->doings)
                (void) doing_free(test->doings);
}
