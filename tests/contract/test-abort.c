/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Abort: where it comes from, whom it reaches (C11–C18).
 */

#include "tests/contract/harness.h"

#include <stdio.h>

#define SECONDS(n) ((n) *USEC_PER_SEC)

static void prepared_and_begun(Harness *harness, bool require_writers) {
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, require_writers);
        forget(harness);
}

static void test_C12_automatic_abort_reaches_that_writer_alone(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        veto(harness, 1, APP, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_RETRYABLE);
        expect(harness, "Abort>app(A not-completed released), Freeze>db"); /* and no broadcast */
        expect_writer(harness, 1, APP, CONTRACT_WRITER_FAILED_AT_FREEZE, CONTRACT_FAILURE_RETRYABLE);
        answer(harness, 1, APP, CONTRACT_EVENT_ABORT);
        answer(harness, 1, DB, CONTRACT_EVENT_FREEZE);
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        answer(harness, 1, FS, CONTRACT_EVENT_FREEZE);
        step(harness, 1, CONTRACT_STEP_COMMIT);
        answer(harness, 1, FS, CONTRACT_EVENT_THAW);
        step(harness, 1, CONTRACT_STEP_POST_COMMIT);
        forget(harness);
        answer(harness, 1, DB, CONTRACT_EVENT_THAW); /* no Thaw for the one that vetoed */
        expect(harness, "window-end, step final-commit");
        step(harness, 1, CONTRACT_STEP_FINAL_COMMIT);
        expect(harness, "PostSnapshot>db, PostSnapshot>fs");
        answer(harness, 1, DB, CONTRACT_EVENT_POST_SNAPSHOT);
        answer(harness, 1, FS, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "set-created file-system, reply DoSnapshotSet ok");
}

static void test_C12_the_others_learn_when_the_requester_aborts(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        veto(harness, 1, APP, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_RETRYABLE);
        answer(harness, 1, APP, CONTRACT_EVENT_ABORT);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "step abort, Abort>app(A aborted released), Abort>db(A aborted released), "
                        "Abort>fs(A aborted released), signal Abort(A aborted released)");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        expect(harness, "window-end");
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply DoSnapshotSet Aborted, reply AbortBackup ok");
        expect_state(harness, 1, CONTRACT_ABORTED);
}

static void test_C11_freeze_not_answered_in_time(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_freeze(harness, 1, CONTRACT_LEVEL_BACK_END);
        pass(harness, SECONDS(59));
        answer(harness, 1, DB, CONTRACT_EVENT_NONE);
        expect(harness, "");
        pass(harness, SECONDS(1)); /* both windows, opened in the same second */
        expect(harness,
               "Abort>app(A not-completed released), Abort>db(A not-completed released), step pre-commit");
        expect_writer(harness, 1, DB, CONTRACT_WRITER_FAILED_AT_FREEZE, CONTRACT_FAILURE_TIMEOUT);
        expect_writer(harness, 1, APP, CONTRACT_WRITER_FAILED_AT_FREEZE, CONTRACT_FAILURE_TIMEOUT);
        answer(harness, 1, DB, CONTRACT_EVENT_FREEZE); /* too late: counted and ignored */
        expect(harness, "");
}

static void test_C11_thaw_not_answered_in_time(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_thaw(harness, 1, CONTRACT_LEVEL_FRONT_END);
        pass(harness, SECONDS(60));
        expect(harness, "Abort>app(A not-completed released)");
        expect_writer(harness, 1, APP, CONTRACT_WRITER_FAILED_AT_THAW, CONTRACT_FAILURE_TIMEOUT);
        answer(harness, 1, APP, CONTRACT_EVENT_ABORT);
        expect(harness, "window-end, step final-commit");
        step(harness, 1, CONTRACT_STEP_FINAL_COMMIT);
        expect(harness, "PostSnapshot>db, PostSnapshot>fs");
}

static void test_C11_thaw_in_time_is_never_failed_by_its_timer(void **state) {
        Harness *harness = *state;
        uint64_t id;

        prepared_and_begun(harness, false);
        to_thaw(harness, 1, CONTRACT_LEVEL_FRONT_END);
        assert_int_equal(harness->n_deadlines, 1);
        id = harness->deadlines[0].id;
        harness->now_usec += SECONDS(60);
        answer(harness, 1, APP, CONTRACT_EVENT_THAW);
        expect(harness, "window-end, step final-commit");
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_DEADLINE, .deadline = id}); /* it raced */
        expect(harness, "");
        expect_writer(harness, 1, APP, CONTRACT_WRITER_WAITING_FOR_POST_SNAPSHOT, CONTRACT_FAILURE_NONE);
}

static void test_C11_connection_ends_while_frozen(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        writer_process_gone(harness, 1, DB);
        expect(harness, "Abort>db(A not-completed released)"); /* for the record: nobody answers it */
        expect_writer(harness, 1, DB, CONTRACT_WRITER_FAILED_AT_FREEZE, CONTRACT_FAILURE_NOT_RESPONDING);
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        expect(harness, "dark, Freeze>fs");
}

static void test_C11_provider_failure_reaches_all(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        step_fails(harness, 1, CONTRACT_STEP_END_PREPARE, CONTRACT_ERROR_INSUFFICIENT_STORAGE);
        expect(harness,
               "step abort, Abort>app(A not-completed released), Abort>db(A not-completed released), "
               "Abort>fs(A not-completed released), signal Abort(A not-completed released)");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply DoSnapshotSet InsufficientStorage");
        expect_text(harness, "the disk is full");
        expect_state(harness, 1, CONTRACT_FAILED);
}

static void test_C12_abort_reaches_those_that_failed_prepare(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        veto(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP, CONTRACT_FAILURE_RETRYABLE);
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        answer(harness, 1, FS, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, false);
        veto(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, CONTRACT_FAILURE_RETRYABLE);
        forget(harness);
        step_fails(harness, 1, CONTRACT_STEP_END_PREPARE, CONTRACT_ERROR_PROVIDER_VETO);
        expect(harness,
               "step abort, Abort>app(A not-completed released), Abort>db(A not-completed released), "
               "Abort>fs(A not-completed released), signal Abort(A not-completed released)");
}

static void test_C12_failing_commit_lets_writes_go_first(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_step(harness, 1, CONTRACT_STEP_COMMIT);
        step_fails(harness, 1, CONTRACT_STEP_COMMIT, CONTRACT_ERROR_HOLD_WRITES_TIMEOUT);
        expect(harness, "step abort, light, Abort>app(A not-completed released), "
                        "Abort>db(A not-completed released), Abort>fs(A not-completed released), "
                        "signal Abort(A not-completed released)");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        expect(harness, "window-end"); /* without waiting for the removal */
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply DoSnapshotSet HoldWritesTimeout");
}

static void test_C13_prepare_failures_cause_no_abort(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        veto(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, CONTRACT_FAILURE_OUT_OF_RESOURCES);
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        answer(harness, 1, FS, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        step(harness, 1, CONTRACT_STEP_LOCK);
        expect(harness, "step lock, Freeze>db"); /* app is out of the sequence */
}

static void test_C13_failed_post_snapshot_gets_no_backup_complete(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, true);
        to_post_snapshot(harness, 1);
        veto(harness, 1, APP, CONTRACT_EVENT_POST_SNAPSHOT, CONTRACT_FAILURE_NON_RETRYABLE);
        answer(harness, 1, DB, CONTRACT_EVENT_POST_SNAPSHOT);
        answer(harness, 1, FS, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "set-created file-system, reply DoSnapshotSet ok");
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        expect(harness, "BackupComplete>db, BackupComplete>fs");
        answer(harness, 1, DB, CONTRACT_EVENT_BACKUP_COMPLETE);
        answer(harness, 1, FS, CONTRACT_EVENT_BACKUP_COMPLETE);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness, "BackupShutdown>app(A completed released), BackupShutdown>db(A completed released), "
                        "BackupShutdown>fs(A completed released), step delete auto-release, "
                        "signal BackupShutdown(A completed released)");
}

static void test_C14_required_writer_that_failed_prepare(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        veto(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_BACKUP, CONTRACT_FAILURE_NON_RETRYABLE);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        answer(harness, 1, FS, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        begin_set(harness, 1, true);
        expect(harness, "step abort"); /* no event was sent, so no automatic Abort */
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply DoSnapshotSet WriterVeto");
        expect_text(harness, "writer db failed-at-prepare-backup (NonRetryable): the disk is on fire");
        expect_state(harness, 1, CONTRACT_FAILED);
}

static void test_C14_later_veto_of_a_required_writer(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, true);
        to_freeze(harness, 1, CONTRACT_LEVEL_SYSTEM);
        veto(harness, 1, FS, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_RETRYABLE);
        expect(harness, "step abort, light, Abort>app(A not-completed released), "
                        "Abort>db(A not-completed released), Abort>fs(A not-completed released), "
                        "signal Abort(A not-completed released)");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "window-end, reply DoSnapshotSet WriterVeto");
        expect_text(harness, "writer fs");
}

static void test_C14_excepted_writer_is_no_veto(void **state) {
        Harness *harness = *state;
        static const char *const names[] = {"app"};

        to_prepared(harness, 1, 1);
        call_input(harness, (ContractInput){.call = CONTRACT_CALL_DO_SNAPSHOT_SET,
                                            .require_writers = true,
                                            .names = names,
                                            .n_names = 1});
        forget(harness);
        veto(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, CONTRACT_FAILURE_RETRYABLE);
        expect(harness, "");
        veto(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, CONTRACT_FAILURE_RETRYABLE);
        expect(harness,
               "step abort, Abort>app(A not-completed released), Abort>db(A not-completed released), "
               "Abort>fs(A not-completed released), signal Abort(A not-completed released)");
}

static void test_C14_a_warning_is_no_veto(void **state) {
        Harness *harness = *state;
        ContractWriterInfo info;

        prepared_and_begun(harness, true);
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                      .session = 1,
                                      .writer = DB,
                                      .event = CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT,
                                      .text = "few buffers left"});
        expect(harness, "");
        assert_true(contract_get_writer(harness->contract, 1, DB, &info));
        assert_string_equal(info.text, "few buffers left");
        expect_writer(harness, 1, DB, CONTRACT_WRITER_WAITING_FOR_FREEZE, CONTRACT_FAILURE_NONE);
        finish_set(harness, 1);
        assert_non_null(strstr(harness->log, "set-created application"));
}

static void test_C15_before_prepare_for_backup_no_event(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "step abort");
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply AbortBackup ok");
        to_gathered(harness, 2);
        call(harness, 2, CONTRACT_CALL_START_SNAPSHOT_SET); /* the slot is free */
        expect(harness, "2: reply StartSnapshotSet ok");
        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness, "reply Release ok, gone");
}

static void test_C15_in_prepared(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "step abort, Abort>app(null aborted released), Abort>db(null aborted released), "
                        "Abort>fs(null aborted released), signal Abort(null aborted released)");
        step(harness, 1, CONTRACT_STEP_ABORT);
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        expect(harness, "reply AbortBackup ok");
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP); /* C18: a second one sends nothing */
        expect(harness, "reply AbortBackup ok");
}

static void test_C15_stops_prepare_for_backup(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP); /* C12: Abort does not wait for what is in flight */
        expect(harness, "step abort, reply PrepareForBackup Aborted, Abort>app(null aborted released), "
                        "Abort>db(null aborted released), Abort>fs(null aborted released), "
                        "signal Abort(null aborted released)");
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_BACKUP); /* overtaken */
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply AbortBackup ok");
        expect_state(harness, 1, CONTRACT_ABORTED);
}

static void test_C15_past_the_point_of_no_return(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, true);
        to_post_snapshot(harness, 1);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "");
        answer_all(harness, 1, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "set-created application, reply DoSnapshotSet ok, reply AbortBackup ok");
        expect_state(harness, 1, CONTRACT_ABORTED);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness, "BackupShutdown>app(A aborted released), BackupShutdown>db(A aborted released), "
                        "BackupShutdown>fs(A aborted released), step delete auto-release, "
                        "signal BackupShutdown(A aborted released)");
}

static void test_C15_after_final_commit_is_before_the_point(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, true);
        to_step(harness, 1, CONTRACT_STEP_FINAL_COMMIT);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "step abort, Abort>app(A aborted released), Abort>db(A aborted released), "
                        "Abort>fs(A aborted released), signal Abort(A aborted released)");
}

static void test_C15_after_backup_complete_it_changes_nothing(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_COMPLETE);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "reply AbortBackup ok");
        expect_state(harness, 1, CONTRACT_COMPLETED);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        assert_non_null(strstr(harness->log, "signal BackupShutdown(A completed released)"));
}

static void test_C15_after_backup_complete_without_a_set(void **state) {
        Harness *harness = *state;

        to_gathered(harness, 1);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_COMPLETE);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP); /* no PostSnapshot was sent, and yet no Abort */
        expect(harness, "reply AbortBackup ok");
        expect_state(harness, 1, CONTRACT_COMPLETED);
}

static void test_C15_question_about_a_volume_outlives_the_abort(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_IS_VOLUME_SUPPORTED);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "step is-volume-supported, reply IsVolumeSupported Aborted, step abort, "
                        "reply AbortBackup ok");
        call(harness, 1, CONTRACT_CALL_IS_VOLUME_SUPPORTED); /* must not take the old answer for its own */
        expect(harness, "");
        step_fails(harness, 1, CONTRACT_STEP_IS_VOLUME_SUPPORTED, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED);
        expect(harness, "step is-volume-supported");
        step(harness, 1, CONTRACT_STEP_IS_VOLUME_SUPPORTED);
        expect(harness, "reply IsVolumeSupported ok");
}

static void test_C14_no_veto_once_committed(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, true);
        to_step(harness, 1, CONTRACT_STEP_POST_COMMIT);
        writer_process_gone(harness, 1, DB);
        expect(harness, "Abort>db(A not-completed released)"); /* it fails alone, the set stands */
        expect_writer(harness, 1, DB, CONTRACT_WRITER_FAILED_AT_FREEZE, CONTRACT_FAILURE_NOT_RESPONDING);
        step(harness, 1, CONTRACT_STEP_POST_COMMIT);
        answer(harness, 1, APP, CONTRACT_EVENT_THAW);
        step(harness, 1, CONTRACT_STEP_FINAL_COMMIT);
        answer(harness, 1, APP, CONTRACT_EVENT_POST_SNAPSHOT);
        answer(harness, 1, FS, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "Thaw>app, window-end, step final-commit, PostSnapshot>app, PostSnapshot>fs, "
                        "set-created file-system, reply DoSnapshotSet ok");
}

static void test_C15_inside_commit_writes_go_before_writers(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_step(harness, 1, CONTRACT_STEP_COMMIT);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP); /* fs is on a private socket, the others must wait */
        expect(harness, "step abort, Abort>fs(A aborted released)");
        answer(harness, 1, FS, CONTRACT_EVENT_ABORT);
        expect(harness, "");
        step(harness, 1, CONTRACT_STEP_COMMIT); /* overtaken; whatever it says, writes flow */
        expect(harness, "light, Abort>app(A aborted released), Abort>db(A aborted released), "
                        "signal Abort(A aborted released)");
        step(harness, 1, CONTRACT_STEP_ABORT);
        answer(harness, 1, APP, CONTRACT_EVENT_ABORT);
        answer(harness, 1, DB, CONTRACT_EVENT_ABORT);
        expect(harness, "window-end, reply DoSnapshotSet Aborted, reply AbortBackup ok");
}

static void test_C15_a_commit_that_never_answers_keeps_nobody_in_the_dark(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_step(harness, 1, CONTRACT_STEP_COMMIT);
        call(harness, 1, CONTRACT_CALL_CANCEL);
        expect(harness, "step abort, Abort>fs(A not-completed released)");
        pass(harness, SECONDS(10)); /* the hold limit, which others enforce */
        expect(harness, "light, reply Cancel ok, Abort>app(A not-completed released), "
                        "Abort>db(A not-completed released), signal Abort(A not-completed released)");
}

static void test_C16_abort_after_a_failed_set(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        step_fails(harness, 1, CONTRACT_STEP_END_PREPARE, CONTRACT_ERROR_PROVIDER_VETO);
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "Abort>app(A aborted released), Abort>db(A aborted released), "
                        "Abort>fs(A aborted released), signal Abort(A aborted released)");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        expect(harness, "reply AbortBackup ok");
        expect_state(harness, 1, CONTRACT_ABORTED);
}

/* Everything that is waited for is answered or late, until nothing happens any more. */
static void drain(Harness *harness) {
        for (uint32_t round = 0; round < 20; round++) {
                for (ContractStep which = CONTRACT_STEP_NONE + 1; which < _CONTRACT_STEP_MAX; which++)
                        step(harness, 1, which);
                pass(harness, SECONDS(700));
        }
}

static const char *const names[] = {"app", "db", "fs"};

static bool log_has(const Harness *harness, const char *event, uint32_t writer) {
        char word[64];

        (void) snprintf(word, sizeof(word), "%s>%s", event, names[writer]);
        return strstr(harness->log, word);
}

static void die(Harness *harness, uint32_t death) {
        switch (death) {
        case 0:
                vanish(harness, 1);
                break;
        case 1:
                administrator(harness, 1);
                break;
        case 2:
                call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
                break;
        case 3:
                call(harness, 1, CONTRACT_CALL_CANCEL);
                break;
        case 4: /* of the step that runs, or of none */
                for (ContractStep which = CONTRACT_STEP_NONE + 1; which < _CONTRACT_STEP_MAX; which++)
                        step_fails(harness, 1, which, CONTRACT_ERROR_PROVIDER_VETO);
                break;
        case 5: /* nobody answers */
                break;
        default: /* a writer's process */
                writer_process_gone(harness, 1, death - 6);
                break;
        }
}

static void freeze_and_die(ContractStep at_step, ContractEvent at_event, ContractLevel level,
                           uint32_t death) {
        void *state;
        Harness *harness;
        bool frozen[3];

        assert_int_equal(harness_setup(&state), 0);
        harness = state;
        prepared_and_begun(harness, false);
        if (at_event == CONTRACT_EVENT_NONE)
                to_step(harness, 1, at_step);
        else if (at_event == CONTRACT_EVENT_FREEZE)
                to_freeze(harness, 1, level);
        else
                to_thaw(harness, 1, level);
        for (uint32_t i = 0; i < 3; i++) {
                ContractWriterInfo info;

                assert_true(contract_get_writer(harness->contract, 1, i, &info));
                frozen[i] = info.limit_usec[CONTRACT_EVENT_FREEZE] > 0 &&
                            info.limit_usec[CONTRACT_EVENT_THAW] == 0;
        }
        die(harness, death);
        drain(harness);
        vanish(harness, 1);
        drain(harness);
        assert_int_equal(contract_count_sessions(harness->contract), 0);
        for (uint32_t i = 0; i < 3; i++)
                if ((frozen[i] || log_has(harness, "Freeze", i)) && !log_has(harness, "Thaw", i) &&
                    !log_has(harness, "Abort", i))
                        fail_msg("%s stays frozen: death %u: %s", names[i], (unsigned) death, harness->log);
        assert_int_equal(harness_teardown(&state), 0);
}

static void test_C18_freeze_is_followed_by_thaw_or_abort_whatever_dies(void **state) {
        (void) state;
        for (uint32_t death = 0; death < 6 + 3; death++) {
                for (ContractLevel level = 0; level < _CONTRACT_LEVEL_MAX; level++) {
                        freeze_and_die(CONTRACT_STEP_NONE, CONTRACT_EVENT_FREEZE, level, death);
                        freeze_and_die(CONTRACT_STEP_NONE, CONTRACT_EVENT_THAW, level, death);
                }
                freeze_and_die(CONTRACT_STEP_PRE_COMMIT, CONTRACT_EVENT_NONE, 0, death);
                freeze_and_die(CONTRACT_STEP_COMMIT, CONTRACT_EVENT_NONE, 0, death);
                freeze_and_die(CONTRACT_STEP_POST_COMMIT, CONTRACT_EVENT_NONE, 0, death);
        }
}

static void test_C18_each_source_aborts_once(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        veto(harness, 1, APP, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_RETRYABLE);
        expect(harness, "Abort>app(A not-completed released), Freeze>db"); /* the writer itself */
        answer(harness, 1, APP, CONTRACT_EVENT_ABORT);
        answer(harness, 1, DB, CONTRACT_EVENT_FREEZE);
        forget(harness);
        step_fails(harness, 1, CONTRACT_STEP_PRE_COMMIT, CONTRACT_ERROR_PROVIDER_VETO);
        expect(harness, "step abort, Abort>app(A not-completed released), "
                        "Abort>db(A not-completed released), Abort>fs(A not-completed released), "
                        "signal Abort(A not-completed released)"); /* the provider */
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_ABORT);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness,
               "Abort>app(A aborted released), Abort>db(A aborted released), "
               "Abort>fs(A aborted released), signal Abort(A aborted released)"); /* the requester */
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "reply AbortBackup ok");
}

static void test_C18_after_an_abort_only_aborts_and_shutdown(void **state) {
        Harness *harness = *state;

        prepared_and_begun(harness, false);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        veto(harness, 1, APP, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_RETRYABLE);
        answer(harness, 1, APP, CONTRACT_EVENT_ABORT);
        forget(harness);
        drain(harness); /* the others do not answer, which is theirs alone */
        expect_state(harness, 1, CONTRACT_CREATED);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        drain(harness);
        assert_null(strstr(harness->log, ">app"));
        call(harness, 1, CONTRACT_CALL_RELEASE);
        assert_true(log_has(harness, "BackupShutdown", APP));
}

static void test_C15_cancel_leaves_the_state_of_the_table(void **state) {
        Harness *harness = *state;

        to_gathered(harness, 1);
        call(harness, 1, CONTRACT_CALL_CANCEL); /* with no call running it does nothing */
        expect(harness, "reply Cancel ok");

        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_CANCEL);
        expect(harness, "reply PrepareForBackup Cancelled, reply Cancel ok");
        expect_state(harness, 1, CONTRACT_FAILED);
        call(harness, 1, CONTRACT_CALL_RELEASE); /* plain Release is enough */
        expect(harness, "");
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        expect(harness, "BackupShutdown>app(null not-completed released), "
                        "BackupShutdown>db(null not-completed released), "
                        "BackupShutdown>fs(null not-completed released), "
                        "signal BackupShutdown(null not-completed released)");
}

static void test_C15_cancelled_gather_may_be_called_again(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launched(harness, 1, (const TestWriter[]){{"app", CONTRACT_LEVEL_FRONT_END, NULL, 0}}, 1);
        call(harness, 1, CONTRACT_CALL_CANCEL);
        expect(harness, "launch, Identify>app, reply GatherWriterMetadata Cancelled, reply Cancel ok");
        expect_state(harness, 1, CONTRACT_INITIALISED);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        expect(harness, ""); /* C12: the last Identify is not answered yet */
        answer(harness, 1, APP, CONTRACT_EVENT_IDENTIFY);
        expect(harness, "launch");
}

static void test_C15_gather_cancelled_while_writers_start(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        call(harness, 1, CONTRACT_CALL_CANCEL);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        expect(harness, "launch, reply GatherWriterMetadata Cancelled, reply Cancel ok");
        launched(harness, 1, NULL, 0); /* what the first one started */
        expect(harness, "launch");
        launched(harness, 1, (const TestWriter[]){{"app", CONTRACT_LEVEL_FRONT_END, NULL, 0}}, 1);
        expect(harness, "Identify>app");
}

static void test_C15_cancel_of_backup_complete(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_CANCEL);
        expect(harness, "reply BackupComplete Cancelled, reply Cancel ok");
        expect_state(harness, 1, CONTRACT_COMPLETED); /* an event sent cannot be unsent */
}

static void test_C15_abort_and_release_cannot_be_cancelled(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_CANCEL);
        expect(harness, "reply Cancel BadState");
        expect_text(harness, "AbortBackup is running and cannot be cancelled");
        answer_all(harness, 1, CONTRACT_EVENT_ABORT);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_CANCEL);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect(harness, "reply Cancel BadState, reply AbortBackup BadState");
        expect_text(harness, "Release is running");
}

static void test_C30_writer_that_does_not_answer_abort(void **state) {
        Harness *harness = *state;
        ContractWriterInfo info;

        to_prepared(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        answer(harness, 1, APP, CONTRACT_EVENT_ABORT);
        answer(harness, 1, FS, CONTRACT_EVENT_ABORT);
        forget(harness);
        pass(harness, SECONDS(60));
        expect(harness, "stop db, reply AbortBackup ok");
        assert_true(contract_get_writer(harness->contract, 1, DB, &info));
        assert_int_equal(info.last_event, CONTRACT_EVENT_ABORT);
        answer(harness, 1, DB, CONTRACT_EVENT_ABORT); /* counted and ignored */
        expect(harness, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_C12_automatic_abort_reaches_that_writer_alone),
                TEST(test_C12_the_others_learn_when_the_requester_aborts),
                TEST(test_C11_freeze_not_answered_in_time),
                TEST(test_C11_thaw_not_answered_in_time),
                TEST(test_C11_thaw_in_time_is_never_failed_by_its_timer),
                TEST(test_C11_connection_ends_while_frozen),
                TEST(test_C11_provider_failure_reaches_all),
                TEST(test_C12_abort_reaches_those_that_failed_prepare),
                TEST(test_C12_failing_commit_lets_writes_go_first),
                TEST(test_C13_prepare_failures_cause_no_abort),
                TEST(test_C13_failed_post_snapshot_gets_no_backup_complete),
                TEST(test_C14_required_writer_that_failed_prepare),
                TEST(test_C14_later_veto_of_a_required_writer),
                TEST(test_C14_excepted_writer_is_no_veto),
                TEST(test_C14_a_warning_is_no_veto),
                TEST(test_C15_before_prepare_for_backup_no_event),
                TEST(test_C15_in_prepared),
                TEST(test_C15_stops_prepare_for_backup),
                TEST(test_C15_past_the_point_of_no_return),
                TEST(test_C15_after_final_commit_is_before_the_point),
                TEST(test_C15_after_backup_complete_it_changes_nothing),
                TEST(test_C15_after_backup_complete_without_a_set),
                TEST(test_C15_question_about_a_volume_outlives_the_abort),
                TEST(test_C14_no_veto_once_committed),
                TEST(test_C15_inside_commit_writes_go_before_writers),
                TEST(test_C15_a_commit_that_never_answers_keeps_nobody_in_the_dark),
                TEST(test_C16_abort_after_a_failed_set),
                TEST(test_C15_cancel_leaves_the_state_of_the_table),
                TEST(test_C15_cancelled_gather_may_be_called_again),
                TEST(test_C15_gather_cancelled_while_writers_start),
                TEST(test_C15_cancel_of_backup_complete),
                TEST(test_C15_abort_and_release_cannot_be_cancelled),
                TEST(test_C30_writer_that_does_not_answer_abort),
                TEST(test_C18_freeze_is_followed_by_thaw_or_abort_whatever_dies),
                TEST(test_C18_each_source_aborts_once),
                TEST(test_C18_after_an_abort_only_aborts_and_shutdown),
        };

        return cmocka_run_group_tests_name("contract: abort", tests, NULL, NULL);
}
