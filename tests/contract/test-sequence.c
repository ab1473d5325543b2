/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A backup as it should go: C6; who says that it is complete (C20); when its set is known (C24).
 */

#include "tests/contract/harness.h"

static void test_C6_clean_backup_in_order(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        expect(harness, "launch");
        launched(harness, 1,
                 (const TestWriter[]){{"app", CONTRACT_LEVEL_FRONT_END, NULL, 0},
                                      {"db", CONTRACT_LEVEL_BACK_END, NULL, 0},
                                      {"fs", CONTRACT_LEVEL_SYSTEM, NULL, 0}},
                 3);
        expect(harness, "Identify>app, Identify>db, Identify>fs");
        answer_all(harness, 1, CONTRACT_EVENT_IDENTIFY);
        expect(harness, "reply GatherWriterMetadata ok");

        call(harness, 1, CONTRACT_CALL_START_SNAPSHOT_SET);
        call(harness, 1, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
        volume_prepared(harness, 1, 0, "vol0");
        expect(harness, "reply StartSnapshotSet ok, step begin-prepare, reply AddToSnapshotSet ok");

        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect(harness, "PrepareForBackup>app, PrepareForBackup>db, PrepareForBackup>fs");
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        expect(harness, "reply PrepareForBackup ok");

        begin_set(harness, 1, true);
        expect(harness,
               "step end-prepare, PrepareForSnapshot>app, PrepareForSnapshot>db, PrepareForSnapshot>fs");
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        expect(harness, "");
        answer(harness, 1, FS, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        expect(harness, "step lock");
        step(harness, 1, CONTRACT_STEP_LOCK);
        expect(harness, "Freeze>app");
        answer(harness, 1, APP, CONTRACT_EVENT_FREEZE);
        expect(harness, "Freeze>db");
        answer(harness, 1, DB, CONTRACT_EVENT_FREEZE);
        expect(harness, "step pre-commit");
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        expect(harness, "dark, Freeze>fs");
        answer(harness, 1, FS, CONTRACT_EVENT_FREEZE);
        expect(harness, "step commit");
        step(harness, 1, CONTRACT_STEP_COMMIT);
        expect(harness, "Thaw>fs");
        answer(harness, 1, FS, CONTRACT_EVENT_THAW);
        expect(harness, "light, step post-commit");
        step(harness, 1, CONTRACT_STEP_POST_COMMIT);
        expect(harness, "Thaw>db");
        answer(harness, 1, DB, CONTRACT_EVENT_THAW);
        expect(harness, "Thaw>app");
        answer(harness, 1, APP, CONTRACT_EVENT_THAW);
        expect(harness, "window-end, step final-commit");
        step(harness, 1, CONTRACT_STEP_FINAL_COMMIT);
        expect(harness, "PostSnapshot>app, PostSnapshot>db, PostSnapshot>fs");
        answer_all(harness, 1, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "set-created application, reply DoSnapshotSet ok");

        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        expect(harness, "BackupComplete>app, BackupComplete>db, BackupComplete>fs");
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_COMPLETE);
        expect(harness, "reply BackupComplete ok");

        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness, "BackupShutdown>app(A completed released), BackupShutdown>db(A completed released), "
                        "BackupShutdown>fs(A completed released), step delete auto-release, "
                        "signal BackupShutdown(A completed released)");
        step(harness, 1, CONTRACT_STEP_DELETE);
        expect(harness, "set-removed");
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        expect(harness, "reply Release ok, gone");
        assert_int_equal(harness->n_deadlines, 0);
        assert_int_equal(contract_count_sessions(harness->contract), 0);
}

static void test_C20_complete_comes_from_the_requester_alone(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        finish_set(harness, 1);
        assert_null(strstr(harness->log, "BackupComplete")); /* a snapshot is no backup */
        forget(harness);
        call(harness, 1, CONTRACT_CALL_RELEASE);
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        step(harness, 1, CONTRACT_STEP_DELETE);
        assert_null(strstr(harness->log, "BackupComplete")); /* and it is never guaranteed */
        assert_non_null(strstr(harness->log, "BackupShutdown>db(A not-completed released)"));
        assert_non_null(strstr(harness->log, "gone"));
}

static void test_C20_complete_goes_out_once(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        expect(harness, "BackupComplete>app, BackupComplete>db, BackupComplete>fs");
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_COMPLETE);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        expect(harness, "reply BackupComplete BadState");
}

/* The last input sent this event, and it carried this set. */
static void expect_set(const Harness *harness, ContractEvent event, const char *set_id) {
        bool found = false;

        for (size_t i = 0; i < harness->last->n_items; i++) {
                const ContractEffect *effect = &harness->last->items[i];

                if (effect->type != CONTRACT_EFFECT_EVENT || effect->event != event)
                        continue;
                assert_string_equal(effect->set_id, set_id);
                found = true;
        }
        assert_true(found);
}

static void test_C24_the_set_is_known_from_prepare_for_snapshot_on(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect_set(harness, CONTRACT_EVENT_PREPARE_FOR_BACKUP, NULL_ID);
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, true);
        expect_set(harness, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, SET_A);
        for (uint32_t level = 0; level < _CONTRACT_LEVEL_MAX; level++) {
                to_freeze(harness, 1, (ContractLevel) level);
                expect_set(harness, CONTRACT_EVENT_FREEZE, SET_A);
        }
        answer(harness, 1, FS, CONTRACT_EVENT_FREEZE);
        step(harness, 1, CONTRACT_STEP_COMMIT);
        expect_set(harness, CONTRACT_EVENT_THAW, SET_A);
        answer(harness, 1, FS, CONTRACT_EVENT_THAW);
        step(harness, 1, CONTRACT_STEP_POST_COMMIT);
        expect_set(harness, CONTRACT_EVENT_THAW, SET_A);
        answer(harness, 1, DB, CONTRACT_EVENT_THAW);
        expect_set(harness, CONTRACT_EVENT_THAW, SET_A);
        answer(harness, 1, APP, CONTRACT_EVENT_THAW);
        step(harness, 1, CONTRACT_STEP_FINAL_COMMIT);
        expect_set(harness, CONTRACT_EVENT_POST_SNAPSHOT, SET_A);
}

static void test_C24_an_abort_before_it_names_no_set(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        expect_set(harness, CONTRACT_EVENT_ABORT, NULL_ID);
}

/* In PostSnapshot, with db asking for writable snapshots. */
static void to_writing(Harness *harness) {
        harness->db_writes = true;
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_post_snapshot(harness, 1);
}

static void test_C24_writable_snapshots_are_sealed(void **state) {
        Harness *harness = *state;

        harness->db_writes = true;
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, true);
        to_step(harness, 1, CONTRACT_STEP_END_PREPARE);
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        expect(harness, "step lock writable");
        step(harness, 1, CONTRACT_STEP_LOCK);
        answer(harness, 1, APP, CONTRACT_EVENT_FREEZE);
        answer(harness, 1, DB, CONTRACT_EVENT_FREEZE);
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        answer(harness, 1, FS, CONTRACT_EVENT_FREEZE);
        step(harness, 1, CONTRACT_STEP_COMMIT);
        answer(harness, 1, FS, CONTRACT_EVENT_THAW);
        step(harness, 1, CONTRACT_STEP_POST_COMMIT);
        answer(harness, 1, DB, CONTRACT_EVENT_THAW);
        forget(harness);
        answer(harness, 1, APP, CONTRACT_EVENT_THAW);
        expect(harness, "window-end, step final-commit writable");
        step(harness, 1, CONTRACT_STEP_FINAL_COMMIT);
        expect(harness, "PostSnapshot>app, PostSnapshot>db, PostSnapshot>fs");
        answer(harness, 1, APP, CONTRACT_EVENT_POST_SNAPSHOT);
        answer(harness, 1, DB, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "");
        answer(harness, 1, FS, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "step seal"); /* it is waited for */
        step(harness, 1, CONTRACT_STEP_SEAL);
        expect(harness, "set-created application, reply DoSnapshotSet ok");
}

static void test_C24_what_was_made_writable_is_sealed_whoever_failed(void **state) {
        Harness *harness = *state;

        harness->db_writes = true;
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        to_freeze(harness, 1, CONTRACT_LEVEL_BACK_END);
        veto(harness, 1, DB, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_RETRYABLE);
        answer(harness, 1, DB, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        answer(harness, 1, FS, CONTRACT_EVENT_FREEZE);
        step(harness, 1, CONTRACT_STEP_COMMIT);
        answer(harness, 1, FS, CONTRACT_EVENT_THAW);
        step(harness, 1, CONTRACT_STEP_POST_COMMIT);
        forget(harness);
        answer(harness, 1, APP, CONTRACT_EVENT_THAW);
        expect(harness, "window-end, step final-commit"); /* nobody is there to write */
        step(harness, 1, CONTRACT_STEP_FINAL_COMMIT);
        answer(harness, 1, APP, CONTRACT_EVENT_POST_SNAPSHOT);
        forget(harness);
        answer(harness, 1, FS, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "step seal");
}

static void test_C24_a_set_without_volumes_has_nothing_to_seal(void **state) {
        Harness *harness = *state;

        harness->db_writes = true;
        to_prepared(harness, 1, 0);
        begin_set(harness, 1, true);
        finish_set(harness, 1);
        assert_null(strstr(harness->log, "step"));
        assert_non_null(strstr(harness->log, "reply DoSnapshotSet ok"));
}

static void test_C24_a_set_that_cannot_be_sealed_is_not_handed_out(void **state) {
        Harness *harness = *state;

        to_writing(harness);
        answer_all(harness, 1, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "step seal");
        step_fails(harness, 1, CONTRACT_STEP_SEAL, CONTRACT_ERROR_VOLUME_BUSY);
        expect(harness, "step abort"); /* C12: all have had PostSnapshot */
        step(harness, 1, CONTRACT_STEP_ABORT);
        expect(harness, "reply DoSnapshotSet VolumeBusy");
        expect_state(harness, 1, CONTRACT_FAILED);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP); /* C16 */
        expect(harness, "reply AbortBackup ok");
        call(harness, 1, CONTRACT_CALL_RELEASE);
        expect(harness,
               "BackupShutdown>app(null aborted released), BackupShutdown>db(null aborted released), "
               "BackupShutdown>fs(null aborted released), signal BackupShutdown(null aborted released)");
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        expect(harness, "reply Release ok, gone");
}

static void test_C15_abort_does_not_stop_the_seal(void **state) {
        Harness *harness = *state;

        to_writing(harness);
        answer_all(harness, 1, CONTRACT_EVENT_POST_SNAPSHOT);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        call(harness, 1, CONTRACT_CALL_CANCEL);
        expect(harness, "reply Cancel BadState");
        step(harness, 1, CONTRACT_STEP_SEAL);
        expect(harness, "set-created application, reply DoSnapshotSet ok, reply AbortBackup ok");
        expect_state(harness, 1, CONTRACT_ABORTED);
}

static void test_C26_a_dead_requester_leaves_nothing_writable(void **state) {
        Harness *harness = *state;

        to_writing(harness);
        vanish(harness, 1);
        expect(harness, "");
        answer_all(harness, 1, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "step seal");
        step(harness, 1, CONTRACT_STEP_SEAL);
        expect(harness, "set-created application, reply DoSnapshotSet ok, "
                        "BackupShutdown>app(A not-completed requester-vanished), "
                        "BackupShutdown>db(A not-completed requester-vanished), "
                        "BackupShutdown>fs(A not-completed requester-vanished), step delete auto-release, "
                        "signal BackupShutdown(A not-completed requester-vanished)");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_C6_clean_backup_in_order),
                TEST(test_C20_complete_comes_from_the_requester_alone),
                TEST(test_C20_complete_goes_out_once),
                TEST(test_C24_the_set_is_known_from_prepare_for_snapshot_on),
                TEST(test_C24_an_abort_before_it_names_no_set),
                TEST(test_C24_writable_snapshots_are_sealed),
                TEST(test_C24_what_was_made_writable_is_sealed_whoever_failed),
                TEST(test_C24_a_set_without_volumes_has_nothing_to_seal),
                TEST(test_C24_a_set_that_cannot_be_sealed_is_not_handed_out),
                TEST(test_C15_abort_does_not_stop_the_seal),
                TEST(test_C26_a_dead_requester_leaves_nothing_writable),
        };

        return cmocka_run_group_tests_name("contract: sequence", tests, NULL, NULL);
}
