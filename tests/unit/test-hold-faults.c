/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every call that the hold makes fails once, in a set that goes all through otherwise: then the step fails
 * in words that name the device, or the call did not matter, and in both cases nothing stays held and no
 * table is left that could become a snapshot at a wrong instant.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/prctl.h>

#include "tests/unit/hold-scenario.h"
#include "util/macro.h"

/* Without them a set is made all the same. */
#define CALLS_THAT_MAY_FAIL (CALL_RCU | CALL_LOCK | CALL_GUARD | CALL_POLL)

static Model *model;

/* Each volume within what the set as a whole reports; the last is a file system only. */
static void assert_times(const Scenario *s) {
        const HoldReport *r = &s->report;

        assert_int_equal(s->n_times, N_VOLUMES);
        for (unsigned i = 0; i + 1 < N_VOLUMES; i++) {
                const HoldTimes *t = &s->times[i];

                assert_true(r->suspend_begin_usec <= t->suspend_begin_usec);
                assert_true(t->suspend_begin_usec <= t->suspended_usec);
                assert_true(t->suspended_usec <= r->suspended_usec);
                assert_true(r->suspended_usec <= t->commit_begin_usec);
                assert_true(t->commit_begin_usec <= t->committed_usec);
                assert_true(t->committed_usec <= r->committed_usec);
                assert_true(r->committed_usec <= t->resume_begin_usec);
                assert_true(t->resume_begin_usec <= t->resumed_usec);
                assert_true(t->resumed_usec <= r->resumed_usec);
        }
        assert_int_equal(s->times[N_VOLUMES - 1].suspend_begin_usec, 0);
        assert_int_equal(s->times[N_VOLUMES - 1].commit_begin_usec, 0);
        assert_int_equal(s->times[N_VOLUMES - 1].resume_begin_usec, 0);
}

/* The reference: a set of all kinds of volumes. */
static void test_good(void **state) {
        Scenario s;

        model_reset(model);
        model->fault = (ModelFault){.kinds = CALL_ANY, .first = UINT32_MAX};
        scenario_init(&s, model);
        assert_int_equal(scenario_until(&s, HOLD_COMMIT), 0);
        assert_true(s.report.suspended_usec > 0 && s.report.resumed_usec >= s.report.committed_usec);
        assert_string_equal(model->devices[DEVICE_SNAPSHOT].live.type, "snapshot");
        assert_true(model->thin_exists[3] && model->thin_exists[4]);
        assert_true(model->mounts[MOUNT_THIN].frozen && model->mounts[MOUNT_PLAIN].frozen);
        assert_int_equal(s.n_times, 0);
        assert_int_equal(scenario_step(&s, HOLD_END), 0);
        assert_times(&s);
        scenario_stop(&s);
        scenario_assert_let_go(&s);
        print_message("%u calls\n", model->n_calls);
        assert_true(model->n_calls > 100);
}

static void assert_told(const Scenario *s, int r, unsigned n) {
        if (r == 0) {
                if (model->failed_kinds & ~(uint32_t) CALLS_THAT_MAY_FAIL && model->fault.error != EINVAL &&
                    model->fault.error != ENODATA)
                        fail_msg("call %u (%x) failed, and nobody says so", n, model->failed_kinds);
                return;
        }
        /* Before the connection is served, nobody can be told. */
        if (r == -ECONNRESET)
                assert_true((model->failed_kinds &
                             ~(uint32_t) (CALL_MEMORY | CALL_SIGNAL | CALL_DESCRIPTOR)) == 0);
        else if (s->report.text[0] == '\0')
                fail_msg("call %u (%x) failed with %i and no words", n, model->failed_kinds, r);
        else if (model->failed_kinds & CALL_DM && !model_names(model, s->report.text))
                fail_msg("call %u (%x): '%s' names no device", n, model->failed_kinds, s->report.text);
}

/* Until a set makes fewer calls than n. Fails length of them. */
static void each_call_fails(uint32_t kinds, int error, unsigned length) {
        unsigned n = 1;

        do {
                Scenario s;
                int r;

                model_reset(model);
                model->fault =
                        (ModelFault){.kinds = kinds, .first = n, .last = n + length - 1, .error = error};
                scenario_init(&s, model);
                r = scenario_until(&s, HOLD_END);
                scenario_stop(&s);
                if (getenv("HOLD_TEST_VERBOSE"))
                        print_message("%u: %x %i %s\n", n, model->failed_kinds, r, s.report.text);
                assert_told(&s, r, n);
                scenario_assert_let_go(&s);
                n++;
        } while (model->n_failed > 0);
        assert_true(n > 3);
}

static void test_each_call_fails(void **state) {
        each_call_fails(CALL_ANY, EIO, 1);
        /* The hold's own, whose number among all does not depend on how fast its guard is. */
        each_call_fails(CALL_PROCESS, EMFILE, 1);
}

/* Letting go is among what fails then, and is repeated. */
static void test_some_calls_fail(void **state) {
        each_call_fails(CALL_DM | CALL_THAW, EIO, 5);
}

/* What the kernel says of a device that somebody else has changed, holds, or has removed. */
static void test_each_dm_call_says(void **state) {
        each_call_fails(CALL_DM, EINVAL, 1);
        each_call_fails(CALL_DM, EBUSY, 1);
        each_call_fails(CALL_QUERY | CALL_SUSPEND | CALL_LOAD | CALL_MESSAGE, ENXIO, 1);
}

/* A signal comes while the hold or its guard waits. */
static void test_each_wait_is_interrupted(void **state) {
        unsigned n = 1;

        do {
                Scenario s;

                model_reset(model);
                model->fault = (ModelFault){.kinds = CALL_POLL, .first = n, .last = n, .error = EINTR};
                scenario_init(&s, model);
                (void) scenario_until(&s, HOLD_END);
                scenario_stop(&s);
                scenario_assert_let_go(&s);
                n++;
        } while (model->n_failed > 0);
        assert_true(n > 12);
}

/* A hold that cannot wait ends, if it has not begun. */
static void test_cannot_wait(void **state) {
        Scenario s;

        model_reset(model);
        model->fault = (ModelFault){.kinds = CALL_POLL, .first = 1, .last = 1, .error = ENOMEM};
        scenario_init(&s, model);
        assert_int_equal(scenario_until(&s, HOLD_END), -ECONNRESET);
        scenario_stop(&s);
        scenario_assert_let_go(&s);
}

static int set_up(void **state) {
        /* The guard is the hold's child, and is to be waited for as well. */
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
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_each_call_fails),
                cmocka_unit_test(test_some_calls_fail),
                cmocka_unit_test(test_each_dm_call_says),
                cmocka_unit_test(test_each_wait_is_interrupted),
                cmocka_unit_test(test_cannot_wait),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
