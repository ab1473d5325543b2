/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The ways in which a set ends before its END: messages that quiesced never sends, an abort, the end of the
 * connection, a signal, a deadline, at each phase; LVM's lock that is not to be had. Nothing stays held.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>

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

/* Waits for what others do in the model. */
static void wait_for(bool (*is_so)(const Model *m)) {
        bool so = false;

        while (!so) {
                model_lock(model);
                so = is_so(model);
                model_unlock(model);
                (void) usleep(USEC_PER_MSEC);
        }
}

/* --- messages -------------------------------------------------------------------------------------------
 */

/* After each step that has gone well, whatever is not the next one. */
static void test_order(void **state) {
        static const uint32_t allowed[] = {HOLD_LOCK, HOLD_PRE_COMMIT, HOLD_COMMIT, HOLD_END};

        for (uint32_t last = HOLD_MOUNT; last < HOLD_END; last++)
                for (uint32_t type = HOLD_BEGIN; type <= HOLD_REPORT + 1; type++) {
                        Scenario s;

                        if (type == allowed[last - HOLD_MOUNT] || type == HOLD_ABORT)
                                continue;
                        begin(&s);
                        assert_int_equal(scenario_until(&s, last), 0);
                        assert_true(scenario_step(&s, type) < 0);
                        if (!strstr(s.report.text, "is malformed or out of order"))
                                fail_msg("%u after %u: '%s'", type, last, s.report.text);
                        end(&s);
                }
}

static void test_incomplete(void **state) {
        Scenario s;

        begin(&s);
        scenario_start(&s);
        assert_int_equal(scenario_step(&s, HOLD_LOCK), -EPROTO);
        end(&s);
}

static void test_not_of_this_version(void **state) {
        HoldMessage message = {.version = HOLD_PROTOCOL_VERSION + 1, .type = HOLD_LOCK};
        Scenario s;

        begin(&s);
        scenario_start(&s);
        assert_int_equal(send(s.fd, &message, sizeof(message), 0), sizeof(message));
        assert_int_equal(scenario_receive(&s), -EPROTONOSUPPORT);
        end(&s);
        begin(&s);
        scenario_start(&s);
        assert_int_equal(send(s.fd, &message, 6, 0), 6);
        assert_int_equal(scenario_receive(&s), -EPROTONOSUPPORT);
        end(&s);
}

/* Frozen, says COMMIT, is a mount that was never said to be the fsfreeze writer's. */
static void test_wrong_mount_frozen(void **state) {
        static const unsigned wrong[] = {MOUNT_ABOVE, N_MOUNTS};

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                HoldMessage message = {.commit.frozen = {(uint8_t) (1u << wrong[i])}};
                Scenario s;

                begin(&s);
                assert_int_equal(scenario_until(&s, HOLD_PRE_COMMIT), 0);
                scenario_send(&s, HOLD_COMMIT, &message, -EBADF);
                assert_int_equal(scenario_receive(&s), -EINVAL);
                end(&s);
        }
}

/* --- given up from outside ------------------------------------------------------------------------------
 */

static void test_abort(void **state) {
        for (uint32_t last = HOLD_MOUNT; last <= HOLD_END; last++) {
                Scenario s;

                begin(&s);
                assert_int_equal(scenario_until(&s, last), 0);
                assert_int_equal(scenario_step(&s, HOLD_ABORT), 0);
                assert_int_equal(s.report.step, HOLD_ABORT);
                assert_string_equal(model_held(model), "");
                /* Nothing is left to give up, and that is no failure; a hold that had not begun has ended.
                 */
                assert_int_equal(scenario_step(&s, HOLD_ABORT), last < HOLD_LOCK ? -ECONNRESET : 0);
                end(&s);
        }
}

static void test_end_of_connection(void **state) {
        for (uint32_t last = HOLD_MOUNT; last <= HOLD_END; last++) {
                Scenario s;

                begin(&s);
                assert_int_equal(scenario_until(&s, last), 0);
                end(&s);
        }
}

static bool signals_are_taken(const Model *m) {
        return m->n_calls >= 3;
}

static void test_signal(void **state) {
        Scenario s;

        for (uint32_t last = HOLD_MOUNT; last <= HOLD_END; last++) {
                begin(&s);
                model->fault = (ModelFault){.kinds = CALL_DESCRIPTOR, .first = UINT32_MAX};
                assert_int_equal(scenario_until(&s, last), 0);
                /* Before, a signal ends it without more ado. */
                wait_for(signals_are_taken);
                assert_int_equal(kill(s.pid, SIGTERM), 0);
                if (last == HOLD_LOCK) {
                        assert_int_equal(scenario_receive(&s), -EINTR);
                        assert_string_equal(s.report.text, "quiesced-hold was told to stop");
                } else if (last == HOLD_MOUNT || last == HOLD_END)
                        assert_int_equal(scenario_receive(&s), -ECONNRESET);
                else
                        /* What is held ends by itself. */
                        assert_int_equal(scenario_step(&s, HOLD_ABORT), 0);
                end(&s);
        }
}

/* Nobody waits for ten minutes here; LOCK may or may not be done before they are over. */
static void test_staged_and_forgotten(void **state) {
        Scenario s;
        int r;

        begin(&s);
        model->hurries = true;
        r = scenario_until(&s, HOLD_LOCK);
        if (r == 0)
                r = scenario_receive(&s);
        assert_int_equal(r, -ETIME);
        assert_string_equal(s.report.text, "a staged set was not committed");
        end(&s);
}

/* --- the deadline ---------------------------------------------------------------------------------------
 */

static void test_deadline(void **state) {
        Scenario s;

        begin(&s);
        s.begin.hold_limit_usec = SHORT_USEC;
        assert_int_equal(scenario_until(&s, HOLD_PRE_COMMIT), 0);
        assert_int_equal(scenario_receive(&s), -ETIME);
        assert_int_equal(s.report.step, 0);
        assert_true(strstr(s.report.text, "the hold limit has passed") != NULL);
        end(&s);
}

static bool snapshot_is_not_held(const Model *m) {
        return !m->devices[DEVICE_SNAPSHOT].suspended && !m->devices[DEVICE_SNAPSHOT].inactive.present;
}

/* A suspend that does not come back: all others are let go, and it is, once it does. */
static void test_does_not_answer(void **state) {
        Scenario s;

        begin(&s);
        s.begin.hold_limit_usec = SHORT_USEC;
        model->fault = (ModelFault){.kinds = CALL_SUSPEND, .first = 3, .last = 3, .meddle = model_block};
        assert_int_equal(scenario_until(&s, HOLD_COMMIT), -ETIME);
        assert_true(strstr(s.report.text, "the hold limit has passed while vg-data was waited for") != NULL);
        assert_true(strstr(s.report.text, "vg-data does not answer and is not let go yet, all others are") !=
                    NULL);
        assert_int_equal(s.report.volume, 0);
        assert_int_equal(scenario_step(&s, HOLD_ABORT), -EINPROGRESS);
        assert_int_equal(sem_post(&model->go_on), 0);
        end(&s);
}

/* Given up between two calls of a step, which then goes no further. */
static void given_up_in(uint32_t kind, unsigned n, uint32_t step, bool (*is_let_go)(const Model *m)) {
        Scenario s;

        begin(&s);
        /* What several threads do is blocked in all of them, up to the n-th. */
        model->fault = (ModelFault){
                .kinds = kind, .first = kind == CALL_SYNC ? 1 : n, .last = n, .meddle = model_block};
        if (step == HOLD_LOCK) {
                scenario_start(&s);
                scenario_describe(&s);
        } else
                assert_int_equal(scenario_until(&s, step - 1), 0);
        scenario_send(&s, step, &(HoldMessage){}, -EBADF);
        for (unsigned i = model->fault.first; i <= n; i++)
                assert_int_equal(sem_wait(&model->blocked), 0);
        scenario_send(&s, HOLD_ABORT, &(HoldMessage){}, -EBADF);
        if (is_let_go)
                wait_for(is_let_go);
        else
                /* After a second it is told that a volume is waited for. */
                assert_int_equal(scenario_receive(&s), -ECANCELED);
        for (unsigned i = model->fault.first; i <= n; i++)
                assert_int_equal(sem_post(&model->go_on), 0);
        if (is_let_go) {
                assert_int_equal(scenario_receive(&s), -ECANCELED);
                assert_int_equal(s.report.step, step);
        }
        end(&s);
}

static void test_given_up_meanwhile(void **state) {
        given_up_in(CALL_MESSAGE, 1, HOLD_LOCK, snapshot_is_not_held);
        given_up_in(CALL_STORE, 4, HOLD_LOCK, NULL);
        given_up_in(CALL_STORE, 3, HOLD_LOCK, NULL);
        given_up_in(CALL_SYNC, 3, HOLD_PRE_COMMIT, NULL);
}

static void test_given_up_while_open(void **state) {
        Scenario s;

        begin(&s);
        model->devices[DEVICE_SNAPSHOT].open_count = 1;
        model->fault = (ModelFault){.kinds = CALL_QUERY, .first = 4, .last = 4, .meddle = model_block};
        scenario_start(&s);
        scenario_describe(&s);
        scenario_send(&s, HOLD_LOCK, &(HoldMessage){}, -EBADF);
        assert_int_equal(sem_wait(&model->blocked), 0);
        assert_int_equal(sem_post(&model->go_on), 0);
        scenario_send(&s, HOLD_ABORT, &(HoldMessage){}, -EBADF);
        assert_int_equal(scenario_receive(&s), -ECANCELED);
        assert_int_equal(s.report.step, HOLD_LOCK);
        assert_int_equal(scenario_receive(&s), 0);
        end(&s);
}

/* The kernel refuses to resume for more than a second: it is told, and tried until it works. */
static void test_letting_go_fails(void **state) {
        Scenario s;

        begin(&s);
        assert_int_equal(scenario_until(&s, HOLD_PRE_COMMIT), 0);
        model->fault = (ModelFault){
                .kinds = CALL_RESUME, .first = model->n_calls, .last = UINT32_MAX, .error = EIO};
        assert_int_equal(scenario_step(&s, HOLD_ABORT), -ECANCELED);
        assert_true(strstr(s.report.text, "vg-data does not answer and is not let go yet") != NULL);
        assert_true(model->devices[DEVICE_SNAPSHOT].suspended);
        assert_int_equal(scenario_step(&s, HOLD_ABORT), -EINPROGRESS);
        model_lock(model);
        model->fault.kinds = 0;
        model_unlock(model);
        end(&s);
}

/* The guard was first to see the deadline pass: the step that comes then is told so. */
static void test_guard_is_first(void **state) {
        Scenario s;

        begin(&s);
        s.begin.hold_limit_usec = SHORT_USEC;
        /* The hold's own timer never fires. */
        model->fault = (ModelFault){.kinds = CALL_TIMER, .first = 1, .last = 1};
        assert_int_equal(scenario_until(&s, HOLD_PRE_COMMIT), 0);
        wait_for(snapshot_is_not_held);
        /* The guard is not dismissed by word, and sees nevertheless that all is over. */
        model_lock(model);
        model->n_calls = 0;
        model->fault = (ModelFault){.kinds = CALL_GUARD, .first = 1, .last = 1, .error = EPIPE};
        model_unlock(model);
        assert_int_equal(scenario_step(&s, HOLD_COMMIT), -ETIME);
        assert_string_equal(s.report.text, "the hold limit has passed");
        end(&s);
        assert_int_equal(model->n_failed, 2);
}

/* Woken for nothing: by a message or a signal that is not to be had yet. */
static void test_nothing_to_receive(void **state) {
        Scenario s;

        begin(&s);
        model->fault = (ModelFault){.kinds = CALL_RECEIVE, .first = 1, .last = 3, .error = EAGAIN};
        assert_int_equal(scenario_until(&s, HOLD_LOCK), 0);
        model_lock(model);
        model->fault.first = model->n_calls + 1;
        model->fault.last = model->n_calls + 1;
        model_unlock(model);
        assert_int_equal(kill(s.pid, SIGTERM), 0);
        assert_int_equal(scenario_receive(&s), -EINTR);
        assert_int_equal(model->n_failed, 4);
        end(&s);
}

/* --- LVM's lock -----------------------------------------------------------------------------------------
 */

static void test_lock_is_held(void **state) {
        int fd = open(model->lock_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        Scenario s;

        assert_int_equal(flock(fd, LOCK_EX), 0);
        begin(&s);
        s.begin.lock_limit_usec = SHORT_USEC;
        assert_int_equal(scenario_until(&s, HOLD_LOCK), -EWOULDBLOCK);
        assert_true(strstr(s.report.text, "an LVM command holds") &&
                    strstr(s.report.text, model->lock_path));
        scenario_stop(&s);
        /* Whatever comes from quiesced ends the wait. */
        begin(&s);
        s.begin.lock_limit_usec = 10 * USEC_PER_SEC;
        scenario_start(&s);
        scenario_describe(&s);
        scenario_send(&s, HOLD_LOCK, &(HoldMessage){}, -EBADF);
        scenario_send(&s, HOLD_ABORT, &(HoldMessage){}, -EBADF);
        assert_int_equal(scenario_receive(&s), -ECANCELED);
        assert_true(strstr(s.report.text, "stopped while waiting for") != NULL);
        scenario_stop(&s);
        assert_int_equal(flock(fd, LOCK_UN), 0);
        (void) close(fd);
        scenario_assert_let_go(&s);
}

static void lock_is_removed(Model *m) {
        (void) unlink(m->lock_path);
}

/* LVM removes a lock file as it frees it. */
static void test_lock_is_removed(void **state) {
        Scenario s;

        begin(&s);
        model->fault = (ModelFault){.kinds = CALL_LOCK, .first = 1, .last = 1, .meddle = lock_is_removed};
        assert_int_equal(scenario_until(&s, HOLD_END), 0);
        end(&s);
}

static void test_rcu_is_normal(void **state) {
        FILE *file;
        Scenario s;

        begin(&s);
        file = fopen(model->rcu_normal_path, "we");
        (void) fputs("1\n", file);
        (void) fclose(file);
        model->fault = (ModelFault){.kinds = CALL_RCU, .first = 2, .last = UINT32_MAX, .error = EIO};
        assert_int_equal(scenario_until(&s, HOLD_END), 0);
        end(&s);
        assert_int_equal(model->n_failed, 0);
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
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_incomplete),
                cmocka_unit_test(test_not_of_this_version),
                cmocka_unit_test(test_wrong_mount_frozen),
                cmocka_unit_test(test_abort),
                cmocka_unit_test(test_end_of_connection),
                cmocka_unit_test(test_signal),
                cmocka_unit_test(test_staged_and_forgotten),
                cmocka_unit_test(test_deadline),
                cmocka_unit_test(test_does_not_answer),
                cmocka_unit_test(test_given_up_meanwhile),
                cmocka_unit_test(test_given_up_while_open),
                cmocka_unit_test(test_letting_go_fails),
                cmocka_unit_test(test_guard_is_first),
                cmocka_unit_test(test_nothing_to_receive),
                cmocka_unit_test(test_lock_is_held),
                cmocka_unit_test(test_lock_is_removed),
                cmocka_unit_test(test_rcu_is_normal),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
