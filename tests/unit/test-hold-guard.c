/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The guard alone: the hold is killed at each phase and in the middle of its window, or stopped, or the
 * guard itself is killed. Nothing stays held, and quiesced is told what has happened.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "daemon/hold/hold-runner.h"
#include "tests/unit/hold-scenario.h"
#include "util/macro.h"

#define SHORT_USEC (200 * USEC_PER_MSEC)

static Model *model;

static void begin(Scenario *s) {
        model_reset(model);
        scenario_init(s, model);
}

static void end(Scenario *s) {
        scenario_stop(s);
        scenario_assert_let_go(s);
}

static void assert_says(const Scenario *s, const char *words) {
        if (!strstr(s->report.text, words))
                fail_msg("'%s' instead of '%s'", s->report.text, words);
}

/* The hold itself, at one of its calls. */
static void die(Model *m) {
        (void) kill(getpid(), SIGKILL);
}

static void test_killed_between_steps(void **state) {
        for (uint32_t last = HOLD_LOCK; last <= HOLD_COMMIT; last++) {
                Scenario s;

                begin(&s);
                assert_int_equal(scenario_until(&s, last), 0);
                assert_int_equal(kill(s.pid, SIGKILL), 0);
                assert_int_equal(scenario_receive(&s), -EOWNERDEAD);
                assert_says(&s, "quiesced-hold was killed");
                assert_says(&s, "; its guard has let every volume go");
                end(&s);
        }
}

/* Before each of its calls to device-mapper. */
static void test_killed_at_each_call(void **state) {
        unsigned n = 1;

        do {
                Scenario s;
                int r;

                begin(&s);
                model->fault = (ModelFault){.kinds = CALL_DM, .first = n, .last = n, .meddle = die};
                r = scenario_until(&s, HOLD_END);
                if (model->n_failed > 0)
                        assert_int_equal(r, -EOWNERDEAD);
                end(&s);
                n++;
        } while (model->n_failed > 0);
        assert_true(n > 40);
}

static void test_killed_while_it_held(void **state) {
        Scenario s;

        begin(&s);
        /* Its second commit. */
        model->fault = (ModelFault){.kinds = CALL_MESSAGE, .first = 4, .last = 4, .meddle = die};
        assert_int_equal(scenario_until(&s, HOLD_END), -EOWNERDEAD);
        assert_says(&s,
                    "quiesced-hold was killed while it held vg-data, vg-thin, vg-upper, plain; its guard");
        assert_int_equal(s.report.step, HOLD_COMMIT);
        end(&s);
}

/* Everything is let go already, and only the guard not dismissed. */
static void test_killed_at_the_end(void **state) {
        Scenario s;

        begin(&s);
        model->fault = (ModelFault){.kinds = CALL_GUARD, .first = 4, .last = 4, .meddle = die};
        assert_int_equal(scenario_until(&s, HOLD_END), -ECONNRESET);
        assert_int_equal(model->n_failed, 1);
        end(&s);
}

/* Neither living nor dead: the guard lets go by its own timer, and kills it in the end. */
static void test_stopped(void **state) {
        Scenario s;

        begin(&s);
        s.begin.hold_limit_usec = SHORT_USEC;
        /* The hold's own timer never fires. */
        model->fault = (ModelFault){.kinds = CALL_TIMER, .first = 1, .last = 1};
        assert_int_equal(scenario_until(&s, HOLD_PRE_COMMIT), 0);
        assert_int_equal(kill(s.pid, SIGSTOP), 0);
        assert_int_equal(scenario_receive(&s), -ETIME);
        assert_says(&s, "the hold limit has passed; the guard has let every volume go");
        end(&s);
}

/* The hold, at a call of the guard. */
static void parent_dies(Model *m) {
        pid_t parent = getppid();

        (void) kill(parent, SIGKILL);
        while (getppid() == parent)
                (void) usleep(USEC_PER_MSEC);
}

/* It ends just while the guard waits for its own threads. */
static void test_stopped_and_killed(void **state) {
        Scenario s;

        begin(&s);
        s.begin.hold_limit_usec = SHORT_USEC;
        /* The hold's own timer never fires. */
        model->fault = (ModelFault){.kinds = CALL_TIMER, .first = 1, .last = 1};
        assert_int_equal(scenario_until(&s, HOLD_PRE_COMMIT), 0);
        model->n_calls = 0;
        model->fault = (ModelFault){.kinds = CALL_ROUND, .first = 1, .last = 1, .meddle = parent_dies};
        assert_int_equal(kill(s.pid, SIGSTOP), 0);
        assert_int_equal(scenario_receive(&s), -ETIME);
        end(&s);
}

static void test_guard_is_killed(void **state) {
        for (uint32_t last = HOLD_LOCK; last <= HOLD_COMMIT; last++) {
                Scenario s;

                begin(&s);
                assert_int_equal(scenario_until(&s, last), 0);
                assert_int_equal(kill(model->forked, SIGKILL), 0);
                assert_int_equal(scenario_receive(&s), -EOWNERDEAD);
                assert_says(&s, "the hold's guard was killed");
                end(&s);
        }
}

/* A guard that does not obey is killed by the hold, which then goes on. */
static void test_guard_is_stopped(void **state) {
        Scenario s;

        begin(&s);
        assert_int_equal(scenario_until(&s, HOLD_COMMIT), 0);
        assert_int_equal(kill(model->forked, SIGSTOP), 0);
        assert_int_equal(scenario_step(&s, HOLD_END), 0);
        end(&s);
}

/* The kernel refuses to resume: the guard says so after a second, and tries until it works. */
static void test_letting_go_fails(void **state) {
        Scenario s;

        begin(&s);
        assert_int_equal(scenario_until(&s, HOLD_PRE_COMMIT), 0);
        model->fault = (ModelFault){
                .kinds = CALL_RESUME, .first = model->n_calls, .last = UINT32_MAX, .error = EIO};
        assert_int_equal(kill(s.pid, SIGKILL), 0);
        assert_int_equal(scenario_receive(&s), -EOWNERDEAD);
        assert_says(
                &s,
                "quiesced-hold was killed; vg-data does not answer and is not let go yet, all others are");
        assert_true(model->devices[DEVICE_SNAPSHOT].suspended);
        model_lock(model);
        model->fault.kinds = 0;
        model_unlock(model);
        assert_int_equal(scenario_receive(&s), -EOWNERDEAD);
        assert_says(&s, "its guard has let every volume go");
        end(&s);
}

/* A resume does not come back. */
static void test_does_not_answer(void **state) {
        Scenario s;

        begin(&s);
        assert_int_equal(scenario_until(&s, HOLD_PRE_COMMIT), 0);
        model->fault = (ModelFault){.kinds = CALL_RESUME, .first = 1, .last = 1, .meddle = model_block};
        assert_int_equal(kill(s.pid, SIGKILL), 0);
        assert_int_equal(scenario_receive(&s), -EOWNERDEAD);
        assert_says(&s, "vg-data does not answer and is not let go yet, all others are");
        assert_int_equal(sem_post(&model->go_on), 0);
        assert_int_equal(scenario_receive(&s), -EOWNERDEAD);
        assert_says(&s, "its guard has let every volume go");
        end(&s);
}

static void test_expect(void **state) {
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(guard_expect(pair[0], GUARD_READY, 0), -ETIMEDOUT);
        assert_int_equal(send(pair[1], "?", 1, 0), 1);
        assert_int_equal(guard_expect(pair[0], GUARD_READY, 0), -EPROTO);
        (void) close(pair[1]);
        assert_int_equal(guard_expect(pair[0], GUARD_READY, 0), -EPIPE);
        (void) close(pair[0]);
}

static int set_up(void **state) {
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        model = model_new();
        return 0;
}

static int tear_down(void **state) {
        model_free(model);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_killed_between_steps),
                cmocka_unit_test(test_killed_at_each_call),
                cmocka_unit_test(test_killed_while_it_held),
                cmocka_unit_test(test_killed_at_the_end),
                cmocka_unit_test(test_stopped),
                cmocka_unit_test(test_stopped_and_killed),
                cmocka_unit_test(test_guard_is_killed),
                cmocka_unit_test(test_guard_is_stopped),
                cmocka_unit_test(test_letting_go_fails),
                cmocka_unit_test(test_does_not_answer),
                cmocka_unit_test(test_expect),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
