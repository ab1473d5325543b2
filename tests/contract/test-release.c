/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How sessions end: C1, C5, C20–C26 and C32.
 */

#include "tests/contract/harness.h"

#include <stdio.h>

#define SECONDS(n) ((n) *USEC_PER_SEC)

static void test_C21_prepared_then_released(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness, "step abort, BackupShutdown>app(null not-completed released), "
                        "BackupShutdown>db(null not-completed released), "
                        "BackupShutdown>fs(null not-completed released), "
                        "signal BackupShutdown(null not-completed released)");
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        expect(harness, "");
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply Release ok, gone");
        assert_int_equal(harness->n_deadlines, 0);
}

static void test_C23_metadata_only_is_released_without_event(void **state) {
        Harness *harness = *state;

        to_gathered(harness, 1);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness, "reply Release ok, gone");
}

static void test_C21_by_name_also_to_the_dead(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        writer_process_gone(harness, 1, DB);
        expect_writer(harness, 1, DB, CONTRACT_WRITER_FAILED_AT_BACKUP_COMPLETE,
                      CONTRACT_FAILURE_NOT_RESPONDING);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE); /* other events: to the very process only */
        expect(harness, "BackupComplete>app, BackupComplete>fs");
        answer(harness, 1, APP, CONTRACT_EVENT_BACKUP_COMPLETE);
        answer(harness, 1, FS, CONTRACT_EVENT_BACKUP_COMPLETE);
        forget(harness);
        vanish(harness, 1);
        expect(harness, "BackupShutdown>app(A completed requester-vanished), "
                        "BackupShutdown>db(A completed requester-vanished), "
                        "BackupShutdown>fs(A completed requester-vanished), step delete auto-release, "
                        "signal BackupShutdown(A completed requester-vanished)");
}

static void test_C22_set_id_also_when_its_snapshots_are_deleted(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_DELETE_SNAPSHOTS);
        step(harness, 1, CONTRACT_STEP_DELETE);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_RELEASE); /* and nothing is deleted twice */
        expect(harness, "BackupShutdown>app(A not-completed released), BackupShutdown>db(A not-completed "
                        "released), BackupShutdown>fs(A not-completed released), "
                        "signal BackupShutdown(A not-completed released)");
}

static void test_C22_set_id_of_a_set_without_volumes(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 0);
        begin_set(harness, 1, true);
        finish_set(harness, 1);
        expect(harness, "PrepareForSnapshot>app, PrepareForSnapshot>db, PrepareForSnapshot>fs, Freeze>app, "
                        "Freeze>db, dark, Freeze>fs, Thaw>fs, light, Thaw>db, Thaw>app, window-end, "
                        "PostSnapshot>app, PostSnapshot>db, PostSnapshot>fs, set-created application, "
                        "reply DoSnapshotSet ok");
        vanish(harness, 1);
        assert_non_null(strstr(harness->log, "signal BackupShutdown(A not-completed requester-vanished)"));
        assert_null(strstr(harness->log, "step delete"));
}

static void test_C22_the_first_cause_is_told(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        call(harness, 1, CONTRACT_CALL_RELEASE); /* waits for AbortBackup */
        vanish(harness, 1);
        forget(harness);
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness,
               "reply AbortBackup ok, BackupShutdown>app(null aborted released), "
               "BackupShutdown>db(null aborted released), BackupShutdown>fs(null aborted released), "
               "signal BackupShutdown(null aborted released)");
}

static void test_C22_id_is_of_the_session_that_ended(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        to_created(harness, 2, 1);
        vanish(harness, 1);
        assert_non_null(strstr(harness->log, "signal BackupShutdown(A not-completed requester-vanished)"));
        forget(harness);
        vanish(harness, 2);
        assert_non_null(
                strstr(harness->log, "2: signal BackupShutdown(B not-completed requester-vanished)"));
}

static void test_C5_persistent_snapshots_stay(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call_input(harness, (ContractInput){.call = CONTRACT_CALL_SET_CONTEXT,
                                            .context = CONTRACT_CONTEXT_NAS_ROLLBACK});
        call(harness, 1, CONTRACT_CALL_START_SNAPSHOT_SET);
        call(harness, 1, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
        volume_prepared(harness, 1, 0, "vol0");
        forget(harness);
        begin_set(harness, 1, false);
        finish_set(harness, 1);
        expect(harness, "step end-prepare, step lock, step pre-commit, dark, step commit, light, "
                        "step post-commit, window-end, step final-commit, set-created file-system, "
                        "reply DoSnapshotSet ok");
        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness, "reply Release ok, gone");
}

static void test_C5_release_waits_for_answers_and_deletion(void **state) {
        Harness *harness = *state;
        const ContractEffect *reply;

        to_created(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        forget(harness);
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                      .session = 1,
                                      .step = CONTRACT_STEP_DELETE,
                                      .error = CONTRACT_ERROR_VOLUME_BUSY,
                                      .text = "cat has it open",
                                      .first_left = "54ab5407-0000-0000-0000-000000000002"});
        expect(harness, "reply Release ok, gone"); /* it cannot fail, but it tells what is left */
        reply = &harness->last->items[harness->last->n_items - 2];
        assert_string_equal(reply->first_left, "54ab5407-0000-0000-0000-000000000002");
}

static void test_C30_writer_that_does_not_answer_shutdown(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        answer(harness, 1, APP, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        answer(harness, 1, FS, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        forget(harness);
        pass(harness, SECONDS(120));
        expect(harness, "stop db, reply Release ok, gone");
}

static void test_C1_the_stopped_call_answers_released_first(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness, "reply AddToSnapshotSet Released, step abort");
        step_fails(harness, 1, CONTRACT_STEP_BEGIN_PREPARE, CONTRACT_ERROR_ABORTED);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply Release ok, gone");
}

static void test_C1_administrator_aborts_then_releases(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        forget(harness);
        administrator(harness, 1);
        expect(harness, "step abort, Abort>app(A aborted administrator), Abort>db(A aborted administrator), "
                        "Abort>fs(A aborted administrator), signal Abort(A aborted administrator)");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply DoSnapshotSet Released, BackupShutdown>app(null aborted administrator), "
                        "BackupShutdown>db(null aborted administrator), "
                        "BackupShutdown>fs(null aborted administrator), "
                        "signal BackupShutdown(null aborted administrator)");
        expect_text(harness, "administrator");
        call(harness, 1, CONTRACT_CALL_RELEASE); /* joins in */
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        expect(harness, "reply  ok, reply Release ok, gone");
}

static void test_C1_many_may_wait_for_the_end(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 0);
        for (size_t i = 0; i < 8; i++)
                call(harness, 1, CONTRACT_CALL_RELEASE);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_RELEASE); /* but not any number */
        expect(harness, "reply Release BadState");
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        expect(harness, "reply Release ok, reply Release ok, reply Release ok, reply Release ok, "
                        "reply Release ok, reply Release ok, reply Release ok, reply Release ok, gone");
}

static void test_C5_an_empty_set_that_was_tried_is_given_up(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
        step_fails(harness, 1, CONTRACT_STEP_BEGIN_PREPARE, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_RELEASE); /* the provider may remember the attempt */
        expect(harness, "step abort");
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply Release ok, gone");
}

static void test_C5_a_deletion_under_way_is_not_told_twice(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_DELETE_SNAPSHOTS);
        call(harness, 1, CONTRACT_CALL_CANCEL);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        forget(harness);
        step(harness, 1, CONTRACT_STEP_DELETE);
        expect(harness, "set-removed, step delete auto-release");
        step(harness, 1, CONTRACT_STEP_DELETE);
        expect(harness, "reply Release ok, gone");
}

/* C26, one place after the other. */

static void test_C26_before_prepare_for_backup(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        to_gathered(harness, 2);
        call_input(harness, (ContractInput){.session = 2,
                                            .call = CONTRACT_CALL_START_SNAPSHOT_SET,
                                            .fresh_id = SET_B,
                                            .wait = true});
        vanish(harness, 1);
        expect(harness, "step abort, 2: reply StartSnapshotSet ok"); /* the slot is free at once */
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "gone");
}

static void test_C26_waiting_for_the_slot(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        to_gathered(harness, 2);
        call_input(harness, (ContractInput){.session = 2,
                                            .call = CONTRACT_CALL_START_SNAPSHOT_SET,
                                            .fresh_id = SET_B,
                                            .wait = true});
        vanish(harness, 2);
        expect(harness, "2: reply StartSnapshotSet Released, 2: gone");
        vanish(harness, 1);
        expect(harness, "gone");
}

static void test_C26_inside_gather(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launched(harness, 1, (const TestWriter[]){{"app", CONTRACT_LEVEL_FRONT_END, NULL, 0}}, 1);
        forget(harness);
        vanish(harness, 1);
        expect(harness, "reply GatherWriterMetadata Released, gone");
        answer(harness, 1, APP, CONTRACT_EVENT_IDENTIFY);
        expect(harness, "");
        assert_int_equal(harness->n_deadlines, 0);
}

static void test_C26_inside_prepare_for_backup(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        vanish(harness, 1);
        expect(harness, "reply PrepareForBackup Released");
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        expect(harness, "");
        pass(harness, SECONDS(600)); /* fs is late */
        expect(harness, "BackupShutdown>app(null not-completed requester-vanished), "
                        "BackupShutdown>db(null not-completed requester-vanished), "
                        "BackupShutdown>fs(null not-completed requester-vanished), "
                        "signal BackupShutdown(null not-completed requester-vanished)");
}

static void test_C26_inside_the_set_before_the_point_of_no_return(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_thaw(harness, 1, CONTRACT_LEVEL_BACK_END);
        vanish(harness, 1);
        expect(harness, "step abort, Abort>app(A not-completed requester-vanished), "
                        "Abort>db(A not-completed requester-vanished), "
                        "Abort>fs(A not-completed requester-vanished), "
                        "signal Abort(A not-completed requester-vanished)");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        expect(harness, "window-end");
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness,
               "reply DoSnapshotSet Released, BackupShutdown>app(null not-completed requester-vanished), "
               "BackupShutdown>db(null not-completed requester-vanished), "
               "BackupShutdown>fs(null not-completed requester-vanished), "
               "signal BackupShutdown(null not-completed requester-vanished)");
}

static void test_C26_inside_the_set_after_it(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_post_snapshot(harness, 1);
        vanish(harness, 1);
        expect(harness, "");
        answer_all(harness, 1, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "set-created application, reply DoSnapshotSet ok, "
                        "BackupShutdown>app(A not-completed requester-vanished), "
                        "BackupShutdown>db(A not-completed requester-vanished), "
                        "BackupShutdown>fs(A not-completed requester-vanished), step delete auto-release, "
                        "signal BackupShutdown(A not-completed requester-vanished)");
}

static void test_C26_inside_backup_complete(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        forget(harness);
        vanish(harness, 1);
        expect(harness, "");
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_COMPLETE);
        assert_non_null(strstr(harness->log, "signal BackupShutdown(A completed requester-vanished)"));
}

static void test_C26_inside_abort_backup(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        forget(harness);
        vanish(harness, 1);
        expect(harness, "");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        expect(harness, "reply AbortBackup ok, BackupShutdown>app(null aborted requester-vanished), "
                        "BackupShutdown>db(null aborted requester-vanished), "
                        "BackupShutdown>fs(null aborted requester-vanished), "
                        "signal BackupShutdown(null aborted requester-vanished)");
}

static void test_C25_changes_precede_the_reply(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_post_snapshot(harness, 1);
        answer(harness, 1, APP, CONTRACT_EVENT_POST_SNAPSHOT);
        answer(harness, 1, DB, CONTRACT_EVENT_POST_SNAPSHOT);
        forget(harness);
        harness->show_states = true;
        answer(harness, 1, FS, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "set-created application, state created, reply DoSnapshotSet ok");
}

static void test_C32_lost_session(void **state) {
        Harness *harness = *state;
        ContractWriterSpec writers[] = {{.name = "app", .was_prepared = true}, {.name = "db"}};
        const ContractInput recovered = {.type = CONTRACT_INPUT_RECOVERED,
                                         .session = 1,
                                         .id = "was",
                                         .set_id = SET_A,
                                         .writers = writers,
                                         .n_writers = 2};

        (void) snprintf(harness->writers[1][0], sizeof(harness->writers[1][0]), "app");
        feed(harness, recovered);
        expect(harness, "BackupShutdown>app(A not-completed daemon-restarted), "
                        "signal BackupShutdown(A not-completed daemon-restarted)");
        expect_state(harness, 1, CONTRACT_LOST);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        call(harness, 1, CONTRACT_CALL_GET_SNAPSHOT_PROPERTIES);
        expect(harness, "reply BackupComplete SessionLost, reply GetSnapshotProperties ok");
        vanish(harness, 1); /* BackupShutdown is not sent again, but waited for */
        expect(harness, "");
        answer(harness, 1, APP, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        expect(harness, "step delete auto-release");
        step(harness, 1, CONTRACT_STEP_DELETE);
        expect(harness, "set-removed, gone");
}

static void test_C32_lost_session_that_was_completed(void **state) {
        Harness *harness = *state;
        ContractWriterSpec writers[] = {{.name = "app", .was_prepared = true}};

        (void) snprintf(harness->writers[1][0], sizeof(harness->writers[1][0]), "app");
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_RECOVERED,
                                      .session = 1,
                                      .id = "was",
                                      .set_id = SET_A,
                                      .context = CONTRACT_CONTEXT_APP_ROLLBACK,
                                      .was_completed = true,
                                      .writers = writers,
                                      .n_writers = 1});
        answer(harness, 1, APP, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        expect(harness, "BackupShutdown>app(A completed daemon-restarted), "
                        "signal BackupShutdown(A completed daemon-restarted)");
        call(harness, 1, CONTRACT_CALL_RELEASE); /* persistent: the snapshots stay */
        expect(harness, "reply Release ok, gone");
}

static void test_C32_the_crash_is_the_cause_whoever_releases(void **state) {
        Harness *harness = *state;
        ContractWriterSpec writers[] = {{.name = "app", .was_prepared = true}};

        to_prepared(harness, 2, 1);
        begin_set(harness, 2, true);
        to_freeze(harness, 2, CONTRACT_LEVEL_FRONT_END);
        (void) snprintf(harness->writers[1][0], sizeof(harness->writers[1][0]), "app");
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_RECOVERED,
                                      .session = 1,
                                      .id = "was",
                                      .writers = writers,
                                      .n_writers = 1});
        expect(harness, ""); /* C31: not in another's window */
        vanish(harness, 1);
        finish_set(harness, 2);
        assert_non_null(strstr(harness->log, "BackupShutdown>app(null not-completed daemon-restarted)"));
        assert_non_null(strstr(harness->log, "signal BackupShutdown(null not-completed daemon-restarted)"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_C21_prepared_then_released),
                TEST(test_C23_metadata_only_is_released_without_event),
                TEST(test_C21_by_name_also_to_the_dead),
                TEST(test_C22_set_id_also_when_its_snapshots_are_deleted),
                TEST(test_C22_set_id_of_a_set_without_volumes),
                TEST(test_C22_the_first_cause_is_told),
                TEST(test_C22_id_is_of_the_session_that_ended),
                TEST(test_C5_persistent_snapshots_stay),
                TEST(test_C5_release_waits_for_answers_and_deletion),
                TEST(test_C30_writer_that_does_not_answer_shutdown),
                TEST(test_C1_the_stopped_call_answers_released_first),
                TEST(test_C1_administrator_aborts_then_releases),
                TEST(test_C1_many_may_wait_for_the_end),
                TEST(test_C5_an_empty_set_that_was_tried_is_given_up),
                TEST(test_C5_a_deletion_under_way_is_not_told_twice),
                TEST(test_C26_before_prepare_for_backup),
                TEST(test_C26_waiting_for_the_slot),
                TEST(test_C26_inside_gather),
                TEST(test_C26_inside_prepare_for_backup),
                TEST(test_C26_inside_the_set_before_the_point_of_no_return),
                TEST(test_C26_inside_the_set_after_it),
                TEST(test_C26_inside_backup_complete),
                TEST(test_C26_inside_abort_backup),
                TEST(test_C25_changes_precede_the_reply),
                TEST(test_C32_lost_session),
                TEST(test_C32_lost_session_that_was_completed),
                TEST(test_C32_the_crash_is_the_cause_whoever_releases),
        };

        return cmocka_run_group_tests_name("contract: release", tests, NULL, NULL);
}
