/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Sessions beside each other and the freeze window: C3, C7, C8, C31 and the dark.
 */

#include "tests/contract/harness.h"

#include <stdio.h>

#define SECONDS(n) ((n) *USEC_PER_SEC)

static void start_set(Harness *harness, uint64_t session, bool wait) {
        call_input(harness, (ContractInput){.session = session,
                                            .call = CONTRACT_CALL_START_SNAPSHOT_SET,
                                            .fresh_id = session == 1 ? SET_A : SET_B,
                                            .wait = wait});
}

static void test_C3_one_set_at_a_time(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        to_gathered(harness, 2);
        pass(harness, SECONDS(12));
        start_set(harness, 2, false);
        expect(harness, "2: reply StartSnapshotSet SnapshotSetInProgress");
        expect_text(harness, "session 5e551011-0000-0000-0000-000000000001");
        expect_text(harness, "since 12 s");
        call(harness, 1, CONTRACT_CALL_RELEASE);
        start_set(harness, 2, false);
        expect(harness, "reply Release ok, gone, 2: reply StartSnapshotSet ok");
}

static void test_C3_first_come_first_served(void **state) {
        Harness *harness = *state;
        ContractSessionInfo info;

        to_open(harness, 1, 0);
        to_gathered(harness, 2);
        to_gathered(harness, 3);
        start_set(harness, 3, true);
        start_set(harness, 2, true);
        expect(harness, "");
        call(harness, 2, CONTRACT_CALL_CANCEL);
        expect(harness, "2: reply StartSnapshotSet Cancelled, 2: reply Cancel ok");
        start_set(harness, 2, true);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "reply AbortBackup ok, 3: reply StartSnapshotSet ok");
        vanish(harness, 3);
        expect(harness, "3: gone, 2: reply StartSnapshotSet ok");
        assert_true(contract_get_session(harness->contract, 2, &info));
        assert_string_equal(info.set_id, SET_B);
}

static void test_C3_slot_is_free_when_the_set_is_created(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        to_gathered(harness, 2);
        start_set(harness, 2, false);
        expect(harness, "2: reply StartSnapshotSet ok");
}

static void test_C3_a_set_that_failed_frees_the_slot(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        step_fails(harness, 1, CONTRACT_STEP_END_PREPARE, CONTRACT_ERROR_INSUFFICIENT_STORAGE);
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect_state(harness, 1, CONTRACT_FAILED);
        to_gathered(harness, 2);
        call(harness, 2, CONTRACT_CALL_START_SNAPSHOT_SET);
        expect(harness, "2: reply StartSnapshotSet ok");
}

static void test_C3_idle_owner_loses_the_slot(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        pass(harness, SECONDS(1799));
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_STATUS); /* a call */
        forget(harness);
        pass(harness, SECONDS(1799));
        expect(harness, "");
        pass(harness, SECONDS(1));
        expect(harness, "step abort");
        expect_state(harness, 1, CONTRACT_FAILED);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect(harness, "reply PrepareForBackup SlotLost");
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect(harness, "reply PrepareForBackup BadState");
        step(harness, 1, CONTRACT_STEP_ABORT);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness, "reply Release ok, gone");
}

static void test_C3_idle_counts_from_the_end_of_a_call(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        pass(harness, SECONDS(500));
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        pass(harness, SECONDS(1799));
        expect_state(harness, 1, CONTRACT_PREPARED);
        pass(harness, SECONDS(1));
        expect_state(harness, 1, CONTRACT_FAILED);
}

static void test_C3_sooner_once_somebody_waits(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        to_gathered(harness, 2);
        pass(harness, SECONDS(1000));
        start_set(harness, 2, true);
        pass(harness, SECONDS(179));
        expect(harness, "");
        pass(harness, SECONDS(1));
        expect(harness, "2: reply StartSnapshotSet ok");
        expect_state(harness, 1, CONTRACT_FAILED);
        expect_state(harness, 2, CONTRACT_OPEN);
}

static void test_C3_idle_after_prepare_owes_backup_shutdown(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 0);
        pass(harness, SECONDS(1800));
        expect(harness, ""); /* no Abort: nothing of C11 has happened */
        expect_state(harness, 1, CONTRACT_FAILED);
        vanish(harness, 1);
        assert_non_null(
                strstr(harness->log, "signal BackupShutdown(null not-completed requester-vanished)"));
}

static void test_C6_freeze_waits_for_writers_and_providers(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        forget(harness);
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        expect(harness, "");
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        expect(harness, "step lock");
}

static void test_C7_next_thaw_is_not_kept_waiting(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_thaw(harness, 1, CONTRACT_LEVEL_SYSTEM);
        pass(harness, SECONDS(2));
        expect(harness, "light, step post-commit");
        step(harness, 1, CONTRACT_STEP_POST_COMMIT);
        expect(harness, "Thaw>db");
        pass(harness, SECONDS(2));
        expect(harness, "Thaw>app");
        answer(harness, 1, APP, CONTRACT_EVENT_THAW);
        answer(harness, 1, DB, CONTRACT_EVENT_THAW);
        expect(harness, ""); /* the window is over when the last Thaw of any level is answered */
        answer(harness, 1, FS, CONTRACT_EVENT_THAW);
        expect(harness, "window-end, step final-commit");
}

static void test_C7_writers_of_a_level_in_parallel(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launched(harness, 1,
                 (const TestWriter[]){{"a", CONTRACT_LEVEL_BACK_END, NULL, 0},
                                      {"b", CONTRACT_LEVEL_BACK_END, NULL, 0},
                                      {"c", CONTRACT_LEVEL_FRONT_END, NULL, 0}},
                 3);
        answer_all(harness, 1, CONTRACT_EVENT_IDENTIFY);
        start_set(harness, 1, false);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, true);
        forget(harness);
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        expect(harness, "Freeze>c");
        answer(harness, 1, 2, CONTRACT_EVENT_FREEZE);
        expect(harness, "Freeze>a, Freeze>b");
        answer(harness, 1, 1, CONTRACT_EVENT_FREEZE);
        expect(harness, "");
        answer(harness, 1, 0, CONTRACT_EVENT_FREEZE);
        expect(harness, "dark, light, Thaw>a, Thaw>b");
}

static void test_C8_no_hold_in_a_window_too_short(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        to_step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        pass(harness, SECONDS(51)); /* 9 s of app's and db's 60 are left, the hold may take 10 */
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        expect(harness,
               "step abort, Abort>app(A not-completed released), Abort>db(A not-completed released), "
               "Abort>fs(A not-completed released), signal Abort(A not-completed released)");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "window-end, reply DoSnapshotSet WriterTimeout");
        expect_text(harness, "writer app");
}

static void test_C8_just_enough_is_enough(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        to_step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        pass(harness, SECONDS(50));
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        expect(harness, "dark, Freeze>fs");
}

/* A set that suspends nothing may be held for longer, and so needs more of the windows. */
static void test_C8_a_set_with_a_limit_of_its_own(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        call_input(harness, (ContractInput){.session = 1,
                                            .call = CONTRACT_CALL_DO_SNAPSHOT_SET,
                                            .hold_limit_usec = SECONDS(30)});
        to_step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        pass(harness, SECONDS(31));
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        expect(harness,
               "step abort, Abort>app(A not-completed released), Abort>db(A not-completed released), "
               "Abort>fs(A not-completed released), signal Abort(A not-completed released)");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "window-end, reply DoSnapshotSet WriterTimeout");
        expect_text(harness, "less than 30 s left");
}

static void test_C8_a_limit_of_its_own_that_fits(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        call_input(harness, (ContractInput){.session = 1,
                                            .call = CONTRACT_CALL_DO_SNAPSHOT_SET,
                                            .hold_limit_usec = SECONDS(30)});
        to_step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        pass(harness, SECONDS(30));
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        expect(harness, "dark, Freeze>fs");
}

static void test_C8_a_wish_too_short(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launched(harness, 1, (const TestWriter[]){{"fs", CONTRACT_LEVEL_SYSTEM, NULL, SECONDS(9)}}, 1);
        answer(harness, 1, 0, CONTRACT_EVENT_IDENTIFY);
        start_set(harness, 1, false);
        call(harness, 1, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
        volume_prepared(harness, 1, 0, "vol0");
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        answer(harness, 1, 0, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, false);
        answer(harness, 1, 0, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        step(harness, 1, CONTRACT_STEP_LOCK);
        forget(harness);
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        answer(harness, 1, 0, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness,
               "step abort, Abort>fs(A not-completed released), signal Abort(A not-completed released), "
               "window-end, reply DoSnapshotSet WriterTimeout");
}

/* In the dark nothing goes to the bus; what was kept back comes in order. */
static void test_dark_keeps_replies_and_signals_back(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        open_session(harness, 2);
        begin_set(harness, 1, true);
        to_step(harness, 1, CONTRACT_STEP_COMMIT);
        call(harness, 2, CONTRACT_CALL_SET_BACKUP_STATE);
        call(harness, 2, CONTRACT_CALL_DO_SNAPSHOT_SET);
        vanish(harness, 2);
        call(harness, 2, CONTRACT_CALL_SET_CONTEXT);
        expect(harness, "");
        step(harness, 1, CONTRACT_STEP_COMMIT);
        expect(harness, "Thaw>fs");
        answer(harness, 1, FS, CONTRACT_EVENT_THAW);
        expect(harness, "light, 2: reply SetBackupState ok, 2: reply DoSnapshotSet BadState, 2: gone, "
                        "2: reply SetContext Released, step post-commit");
        expect_text(harness, "has been released");
}

static void test_dark_keeps_what_was_left_of_a_deletion(void **state) {
        Harness *harness = *state;
        const ContractEffect *reply = NULL;

        to_created(harness, 2, 1);
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        call(harness, 2, CONTRACT_CALL_DELETE_SNAPSHOTS); /* begun before the window */
        to_step(harness, 1, CONTRACT_STEP_COMMIT);
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                      .session = 2,
                                      .step = CONTRACT_STEP_DELETE,
                                      .error = CONTRACT_ERROR_VOLUME_BUSY,
                                      .text = "cat has it open",
                                      .first_left = "left"});
        expect(harness, "");
        step_fails(harness, 1, CONTRACT_STEP_COMMIT, CONTRACT_ERROR_HOLD_WRITES_TIMEOUT);
        for (size_t i = 0; i < harness->last->n_items; i++)
                if (harness->last->items[i].type == CONTRACT_EFFECT_REPLY)
                        reply = &harness->last->items[i];
        assert_non_null(reply);
        assert_int_equal(reply->error, CONTRACT_ERROR_VOLUME_BUSY);
        assert_string_equal(reply->first_left, "left");
        assert_string_equal(reply->text, "cat has it open");
}

static void test_nothing_is_committed_over_a_failed_system_writer(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        to_freeze(harness, 1, CONTRACT_LEVEL_SYSTEM);
        veto(harness, 1, FS, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_RETRYABLE);
        expect(harness, "Abort>fs(A not-completed released)"); /* it may have frozen some */
        answer(harness, 1, FS, CONTRACT_EVENT_ABORT);
        expect(harness, "step commit");
}

/* The effect that asks for LOCK, from the input that caused it. */
static bool lock_system_writers(const Harness *harness) {
        for (size_t i = 0; i < harness->last->n_items; i++)
                if (harness->last->items[i].type == CONTRACT_EFFECT_STEP &&
                    harness->last->items[i].step == CONTRACT_STEP_LOCK)
                        return harness->last->items[i].system_writers;
        fail_msg("LOCK was not asked for");
        return false;
}

/* Who lets go after a failure must not thaw what an outsider froze. */
static void test_lock_tells_whether_system_writers_freeze(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        answer(harness, 1, FS, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        assert_true(lock_system_writers(harness));
}

static void test_lock_after_a_veto_of_the_system_writer(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        veto(harness, 1, FS, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, CONTRACT_FAILURE_INCONSISTENT_SNAPSHOT);
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        assert_false(lock_system_writers(harness));
}

static void test_lock_without_writers(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call_input(harness, (ContractInput){.call = CONTRACT_CALL_SET_CONTEXT,
                                            .context = CONTRACT_CONTEXT_FILE_SHARE_BACKUP});
        call(harness, 1, CONTRACT_CALL_START_SNAPSHOT_SET);
        call(harness, 1, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
        volume_prepared(harness, 1, 0, "vol0");
        begin_set(harness, 1, false);
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        assert_false(lock_system_writers(harness));
}

/* How many of the armed deadlines wait for the light, of how many. */
static void expect_after_dark(const Harness *harness, unsigned n, unsigned of) {
        unsigned after_dark = 0;

        for (size_t i = 0; i < harness->n_deadlines; i++)
                after_dark += harness->deadlines[i].after_dark;
        assert_int_equal(harness->n_deadlines, of);
        assert_int_equal(after_dark, n);
}

/* Levels front-end and back-end are open to writers on the system bus, which is not read in the dark: their
 * answers are late only when what has come is heard. Windows pass all the same. */
static void test_C30_answers_over_the_bus_wait_for_the_light(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        forget(harness);
        expect_after_dark(harness, 0, 1); /* the slot's */
        begin_set(harness, 1, false);
        expect_after_dark(harness, 2, 3);
}

static void test_C30_windows_do_not_wait_for_the_light(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        to_freeze(harness, 1, CONTRACT_LEVEL_SYSTEM);
        expect_after_dark(harness, 0, 3);
}

static void test_C31_no_event_of_others_in_the_window(void **state) {
        Harness *harness = *state;

        to_created(harness, 2, 1);
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        call(harness, 2, CONTRACT_CALL_BACKUP_COMPLETE); /* the same three writers: it waits */
        call(harness, 2, CONTRACT_CALL_GATHER_WRITER_STATUS);
        expect(harness, "2: reply GatherWriterStatus ok"); /* needs none: answered as always */
        finish_set(harness, 1);
        assert_null(strstr(harness->log, "2: BackupComplete>app, step"));
        assert_non_null(strstr(harness->log,
                               "Thaw>app, window-end, step final-commit, 2: BackupComplete>app, "
                               "2: BackupComplete>db, 2: BackupComplete>fs"));
        forget(harness);
        pass(harness, SECONDS(599)); /* its limit starts when it is sent */
        expect(harness, "");
        answer_all(harness, 2, CONTRACT_EVENT_BACKUP_COMPLETE);
        expect(harness, "2: reply BackupComplete ok");
}

static void test_C31_other_writers_are_reached_in_the_window(void **state) {
        Harness *harness = *state;

        open_session(harness, 2);
        call(harness, 2, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launched(harness, 2, (const TestWriter[]){{"other", CONTRACT_LEVEL_FRONT_END, NULL, 0}}, 1);
        answer(harness, 2, 0, CONTRACT_EVENT_IDENTIFY);
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        call(harness, 2, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect(harness, "2: PrepareForBackup>other");
        answer(harness, 2, 0, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        vanish(harness, 2); /* by name: it might have to be started */
        expect(harness, "2: reply PrepareForBackup ok");
        finish_set(harness, 1);
        assert_non_null(strstr(harness->log,
                               "window-end, step final-commit, "
                               "2: BackupShutdown>other(null not-completed requester-vanished), "
                               "2: signal BackupShutdown(null not-completed requester-vanished)"));
}

static void test_C10_no_identify_in_the_window(void **state) {
        static const TestWriter writers[] = {{"app", CONTRACT_LEVEL_FRONT_END, NULL, 0},
                                             {"other", CONTRACT_LEVEL_FRONT_END, NULL, 0}};
        Harness *harness = *state;

        open_session(harness, 2);
        call(harness, 2, CONTRACT_CALL_GATHER_WRITER_METADATA);
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        to_freeze(harness, 1, CONTRACT_LEVEL_BACK_END);
        forget(harness);
        launched(harness, 2, writers, ELEMENTSOF(writers));
        expect(harness, "2: Identify>other"); /* app is frozen */
        finish_set(harness, 1);
        forget(harness);
        answer(harness, 2, 1, CONTRACT_EVENT_IDENTIFY);
        answer(harness, 2, 0, CONTRACT_EVENT_IDENTIFY);
        expect(harness, "2: reply GatherWriterMetadata ok");
}

static void test_C31_nothing_is_started_in_the_window(void **state) {
        Harness *harness = *state;

        to_created(harness, 3, 1);
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        open_session(harness, 2);
        call(harness, 2, CONTRACT_CALL_GATHER_WRITER_METADATA);
        call(harness, 3, CONTRACT_CALL_DELETE_SNAPSHOTS);
        expect(harness, ""); /* neither a writer nor an LVM command */
        finish_set(harness, 1);
        assert_non_null(strstr(harness->log, "window-end"));
        assert_true(strstr(harness->log, "2: launch") > strstr(harness->log, "window-end"));
        assert_true(strstr(harness->log, "3: step delete") > strstr(harness->log, "window-end"));
}

static void test_phase_and_times_for_the_display(void **state) {
        Harness *harness = *state;
        ContractSessionInfo info;
        ContractWriterInfo writer;
        uint64_t begin;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        begin = harness->now_usec;
        assert_true(contract_get_session(harness->contract, 1, &info));
        assert_string_equal(info.phase, "freeze");
        assert_int_equal(info.running, CONTRACT_CALL_DO_SNAPSHOT_SET);
        assert_int_equal(info.n_volumes, 1);
        assert_string_equal(info.set_id, SET_A);
        assert_int_equal(info.freeze_begin_usec, begin);
        assert_int_equal(info.freeze_end_usec, 0);
        assert_int_equal(info.dark_begin_usec, 0);
        assert_int_equal(info.step_end_usec[CONTRACT_STEP_LOCK], begin);
        assert_int_equal(info.step_begin_usec[CONTRACT_STEP_COMMIT], 0);
        pass(harness, SECONDS(3));
        finish_set(harness, 1);
        assert_true(contract_get_session(harness->contract, 1, &info));
        assert_int_equal(info.dark_begin_usec, begin + SECONDS(3));
        assert_int_equal(info.dark_end_usec, begin + SECONDS(3));
        assert_int_equal(info.step_begin_usec[CONTRACT_STEP_COMMIT], begin + SECONDS(3));
        assert_int_equal(info.step_end_usec[CONTRACT_STEP_COMMIT], begin + SECONDS(3));
        assert_int_equal(info.outcome, CONTRACT_OUTCOME_NOT_COMPLETED);
        assert_int_equal(info.freeze_end_usec - info.freeze_begin_usec, SECONDS(3));
        assert_int_equal(info.consistency, CONTRACT_CONSISTENCY_APPLICATION);
        assert_true(contract_get_writer(harness->contract, 1, APP, &writer));
        assert_int_equal(writer.duration_usec[CONTRACT_EVENT_FREEZE], SECONDS(3));
        assert_int_equal(writer.limit_usec[CONTRACT_EVENT_FREEZE], SECONDS(60));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_C3_one_set_at_a_time),
                TEST(test_C3_first_come_first_served),
                TEST(test_C3_slot_is_free_when_the_set_is_created),
                TEST(test_C3_a_set_that_failed_frees_the_slot),
                TEST(test_C3_idle_owner_loses_the_slot),
                TEST(test_C3_idle_counts_from_the_end_of_a_call),
                TEST(test_C3_sooner_once_somebody_waits),
                TEST(test_C3_idle_after_prepare_owes_backup_shutdown),
                TEST(test_C6_freeze_waits_for_writers_and_providers),
                TEST(test_C7_next_thaw_is_not_kept_waiting),
                TEST(test_C7_writers_of_a_level_in_parallel),
                TEST(test_C8_no_hold_in_a_window_too_short),
                TEST(test_C8_just_enough_is_enough),
                TEST(test_C8_a_set_with_a_limit_of_its_own),
                TEST(test_C8_a_limit_of_its_own_that_fits),
                TEST(test_C8_a_wish_too_short),
                TEST(test_dark_keeps_replies_and_signals_back),
                TEST(test_dark_keeps_what_was_left_of_a_deletion),
                TEST(test_nothing_is_committed_over_a_failed_system_writer),
                TEST(test_lock_tells_whether_system_writers_freeze),
                TEST(test_lock_after_a_veto_of_the_system_writer),
                TEST(test_lock_without_writers),
                TEST(test_C30_answers_over_the_bus_wait_for_the_light),
                TEST(test_C30_windows_do_not_wait_for_the_light),
                TEST(test_C31_no_event_of_others_in_the_window),
                TEST(test_C31_other_writers_are_reached_in_the_window),
                TEST(test_C10_no_identify_in_the_window),
                TEST(test_C31_nothing_is_started_in_the_window),
                TEST(test_phase_and_times_for_the_display),
        };

        return cmocka_run_group_tests_name("contract: window", tests, NULL, NULL);
}
