/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writers: who takes part (C9), how Identify fails (C10, C13), states (C28),
 * what a status tells (C29), late answers (C30), names.
 */

#include "tests/contract/harness.h"

#include <stdio.h>

#define SECONDS(n) ((n) *USEC_PER_SEC)

static void gather(Harness *harness, const TestWriter *writers, size_t n) {
        open_session(harness, 1);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launched(harness, 1, writers, n);
        forget(harness);
}

static void answer_placed(Harness *harness, uint32_t writer, const char *key) {
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                      .session = 1,
                                      .writer = writer,
                                      .event = CONTRACT_EVENT_IDENTIFY,
                                      .placed = true,
                                      .names = &key,
                                      .n_names = 1});
}

static void test_C9_writer_outside_the_set_takes_no_part(void **state) {
        Harness *harness = *state;

        gather(harness,
               (const TestWriter[]){{"in", 0, NULL, 0}, {"out", 0, NULL, 0}, {"anywhere", 0, NULL, 0}}, 3);
        answer_placed(harness, 0, "vol0");
        answer_placed(harness, 1, "elsewhere");
        answer(harness, 1, 2, CONTRACT_EVENT_IDENTIFY);
        call(harness, 1, CONTRACT_CALL_START_SNAPSHOT_SET);
        call(harness, 1, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
        volume_prepared(harness, 1, 0, "vol0");
        forget(harness);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect(harness, "PrepareForBackup>in, PrepareForBackup>anywhere");
        answer(harness, 1, 0, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        answer(harness, 1, 2, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_RELEASE); /* no BackupShutdown either */
        expect(harness, "step abort, BackupShutdown>in(null not-completed released), "
                        "BackupShutdown>anywhere(null not-completed released), "
                        "signal BackupShutdown(null not-completed released)");
}

static void test_C9_who_takes_no_part_harms_nothing(void **state) {
        Harness *harness = *state;

        gather(harness,
               (const TestWriter[]){{"out", CONTRACT_LEVEL_SYSTEM, NULL, SECONDS(1)},
                                    {"gone", CONTRACT_LEVEL_FRONT_END, NULL, 0},
                                    {"in", CONTRACT_LEVEL_FRONT_END, NULL, 0}},
               3);
        answer_placed(harness, 0, "elsewhere");
        answer_placed(harness, 1, "elsewhere");
        answer_placed(harness, 2, "vol0");
        call(harness, 1, CONTRACT_CALL_START_SNAPSHOT_SET);
        call(harness, 1, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
        volume_prepared(harness, 1, 0, "vol0");
        forget(harness);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect(harness, "PrepareForBackup>in");
        answer(harness, 1, 2, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        writer_process_gone(harness, 1, 1);
        begin_set(harness, 1, true); /* its death is no veto, out's short window no obstacle */
        answer(harness, 1, 2, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        step(harness, 1, CONTRACT_STEP_LOCK);
        answer(harness, 1, 2, CONTRACT_EVENT_FREEZE);
        step(harness, 1, CONTRACT_STEP_PRE_COMMIT);
        step(harness, 1, CONTRACT_STEP_COMMIT);
        step(harness, 1, CONTRACT_STEP_POST_COMMIT);
        answer(harness, 1, 2, CONTRACT_EVENT_THAW);
        step(harness, 1, CONTRACT_STEP_FINAL_COMMIT);
        forget(harness);
        answer(harness, 1, 2, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "set-created application, reply DoSnapshotSet ok");
}

static void test_C9_a_set_without_volumes_leaves_nobody_out(void **state) {
        Harness *harness = *state;

        gather(harness, (const TestWriter[]){{"out", 0, NULL, 0}}, 1);
        answer_placed(harness, 0, "elsewhere");
        call(harness, 1, CONTRACT_CALL_START_SNAPSHOT_SET);
        forget(harness);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect(harness, "PrepareForBackup>out");
}

static void names_call(Harness *harness, ContractCall which, const char *name) {
        call_input(harness, (ContractInput){.call = which, .names = &name, .n_names = 1});
}

static const ContractEffect *launch_effect(const Harness *harness) {
        for (size_t i = 0; i < harness->last->n_items; i++)
                if (harness->last->items[i].type == CONTRACT_EFFECT_LAUNCH_WRITERS)
                        return &harness->last->items[i];
        fail_msg("no launch");
        return NULL;
}

static void test_C9_disabled_writers_get_no_events(void **state) {
        Harness *harness = *state;
        const ContractEffect *launch;

        open_session(harness, 1);
        names_call(harness, CONTRACT_CALL_DISABLE_WRITERS, "db");
        names_call(harness, CONTRACT_CALL_DISABLE_WRITERS, "db");
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launch = launch_effect(harness);
        assert_int_equal(launch->n_names, 1);
        assert_string_equal(launch->names[0], "db");
        assert_false(launch->names_enabled);
        forget(harness);
        /* Even if they are listed. */
        launched(harness, 1, (const TestWriter[]){{"app", 0, NULL, 0}, {"db", 0, NULL, 0}}, 2);
        expect(harness, "Identify>app");
        answer(harness, 1, 0, CONTRACT_EVENT_IDENTIFY);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect(harness, "reply GatherWriterMetadata ok, PrepareForBackup>app");
}

static void test_C9_first_enable_turns_the_others_off(void **state) {
        Harness *harness = *state;
        const ContractEffect *launch;

        open_session(harness, 1);
        names_call(harness, CONTRACT_CALL_DISABLE_WRITERS, "db");
        names_call(harness, CONTRACT_CALL_ENABLE_WRITERS, "db");
        names_call(harness, CONTRACT_CALL_ENABLE_WRITERS, "app");
        names_call(harness, CONTRACT_CALL_DISABLE_WRITERS, "db");
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launch = launch_effect(harness);
        assert_int_equal(launch->n_names, 1);
        assert_string_equal(launch->names[0], "app");
        assert_true(launch->names_enabled);
}

static void test_a_name_too_long_is_refused(void **state) {
        Harness *harness = *state;
        char name[CONTRACT_NAME_MAX + 1];

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        open_session(harness, 1);
        names_call(harness, CONTRACT_CALL_DISABLE_WRITERS, name);
        names_call(harness, CONTRACT_CALL_DISABLE_WRITERS, "");
        expect(harness, "reply DisableWriters InvalidArgument, reply DisableWriters InvalidArgument");
}

static void test_C13_identify_failures_do_not_fail_the_gather(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launched(harness, 1,
                 (const TestWriter[]){{"app", CONTRACT_LEVEL_FRONT_END, NULL, 0},
                                      {"db", CONTRACT_LEVEL_BACK_END, "no such program", 0},
                                      {"fs", CONTRACT_LEVEL_SYSTEM, NULL, 0}},
                 3);
        expect(harness, "launch, Identify>app, Identify>fs");
        expect_writer(harness, 1, DB, CONTRACT_WRITER_FAILED_AT_IDENTIFY, CONTRACT_FAILURE_NOT_RESPONDING);
        answer(harness, 1, APP, CONTRACT_EVENT_IDENTIFY);
        expect(harness, "");
        pass(harness, SECONDS(30));
        expect(harness, "reply GatherWriterMetadata ok");
        expect_writer(harness, 1, FS, CONTRACT_WRITER_FAILED_AT_IDENTIFY, CONTRACT_FAILURE_TIMEOUT);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        expect(harness, "PrepareForBackup>app");
}

static void test_C14_a_writer_that_could_not_start_is_missing_from_application(void **state) {
        Harness *harness = *state;

        gather(harness, (const TestWriter[]){{"app", 0, NULL, 0}, {"db", 0, "no such program", 0}}, 2);
        answer(harness, 1, APP, CONTRACT_EVENT_IDENTIFY);
        call(harness, 1, CONTRACT_CALL_START_SNAPSHOT_SET);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        begin_set(harness, 1, true);
        expect(harness, "reply DoSnapshotSet WriterVeto");
        expect_text(harness, "db failed-at-identify (NotResponding): no such program");
}

static void test_C28_states_along_a_backup(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        expect_writer(harness, 1, APP, CONTRACT_WRITER_STABLE, CONTRACT_FAILURE_NONE);
        begin_set(harness, 1, true);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        expect_writer(harness, 1, APP, CONTRACT_WRITER_WAITING_FOR_FREEZE, CONTRACT_FAILURE_NONE);
        answer(harness, 1, APP, CONTRACT_EVENT_FREEZE);
        expect_writer(harness, 1, APP, CONTRACT_WRITER_WAITING_FOR_THAW, CONTRACT_FAILURE_NONE);
        finish_set(harness, 1);
        expect_writer(harness, 1, APP, CONTRACT_WRITER_WAITING_FOR_BACKUP_COMPLETE, CONTRACT_FAILURE_NONE);
        call(harness, 1, CONTRACT_CALL_BACKUP_COMPLETE);
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_COMPLETE);
        expect_writer(harness, 1, APP, CONTRACT_WRITER_STABLE, CONTRACT_FAILURE_NONE);
}

static void test_C28_one_failed_backup_does_not_taint_the_next(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 0);
        begin_set(harness, 1, false);
        veto(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, CONTRACT_FAILURE_INCONSISTENT_SNAPSHOT);
        expect_writer(harness, 1, DB, CONTRACT_WRITER_FAILED_AT_PREPARE_SNAPSHOT,
                      CONTRACT_FAILURE_INCONSISTENT_SNAPSHOT);
        to_gathered(harness, 2);
        expect_writer(harness, 2, DB, CONTRACT_WRITER_STABLE, CONTRACT_FAILURE_NONE);
}

static void test_C29_a_status_tells_all(void **state) {
        Harness *harness = *state;
        ContractWriterInfo info;

        to_open(harness, 1, 1);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        pass(harness, SECONDS(3));
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, false);
        pass(harness, SECONDS(7));
        veto(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, CONTRACT_FAILURE_OUT_OF_RESOURCES);

        assert_true(contract_get_writer(harness->contract, 1, DB, &info));
        assert_string_equal(info.name, "db");
        assert_int_equal(info.level, CONTRACT_LEVEL_BACK_END);
        assert_int_equal(info.state, CONTRACT_WRITER_FAILED_AT_PREPARE_SNAPSHOT);
        assert_int_equal(info.failure, CONTRACT_FAILURE_OUT_OF_RESOURCES); /* and with it the retry class */
        assert_string_equal(info.text, "the disk is on fire");
        assert_int_equal(info.last_event, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        assert_int_equal(info.duration_usec[CONTRACT_EVENT_PREPARE_FOR_BACKUP], SECONDS(3));
        assert_int_equal(info.limit_usec[CONTRACT_EVENT_PREPARE_FOR_BACKUP], SECONDS(600));
        assert_int_equal(info.duration_usec[CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT], SECONDS(7));
        assert_int_equal(info.limit_usec[CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT], SECONDS(600));
        assert_int_equal(info.limit_usec[CONTRACT_EVENT_FREEZE], 0); /* was not sent */
        assert_int_equal(info.sent_usec[CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT],
                         harness->now_usec - SECONDS(7));
        assert_int_equal(info.sent_usec[CONTRACT_EVENT_PREPARE_FOR_BACKUP], harness->now_usec - SECONDS(10));
        assert_int_equal(info.answers[CONTRACT_EVENT_PREPARE_FOR_BACKUP], CONTRACT_ANSWER_DONE);
        assert_int_equal(info.answers[CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT], CONTRACT_ANSWER_FAILED);
        assert_int_equal(info.answers[CONTRACT_EVENT_FREEZE], CONTRACT_ANSWER_NONE);
        assert_true(contract_get_writer(harness->contract, 1, APP, &info));
        assert_int_equal(info.duration_usec[CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT], 0); /* is not answered */
        assert_int_equal(info.answers[CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT], CONTRACT_ANSWER_PENDING);
        assert_null(info.text);
}

static void test_C29_what_was_late_took_its_limit(void **state) {
        Harness *harness = *state;
        ContractWriterInfo info;

        to_open(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        pass(harness, SECONDS(1000));
        assert_true(contract_get_writer(harness->contract, 1, APP, &info));
        assert_int_equal(info.failure, CONTRACT_FAILURE_TIMEOUT);
        assert_int_equal(info.duration_usec[CONTRACT_EVENT_PREPARE_FOR_BACKUP], SECONDS(600));
        assert_int_equal(info.answers[CONTRACT_EVENT_PREPARE_FOR_BACKUP], CONTRACT_ANSWER_LATE);
}

static void test_C29_what_abort_overtook_and_what_nobody_could_answer(void **state) {
        Harness *harness = *state;
        ContractWriterInfo info;

        to_open(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        writer_process_gone(harness, 1, DB);
        assert_true(contract_get_writer(harness->contract, 1, DB, &info));
        assert_int_equal(info.answers[CONTRACT_EVENT_PREPARE_FOR_BACKUP], CONTRACT_ANSWER_GONE);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        assert_true(contract_get_writer(harness->contract, 1, DB, &info));
        assert_int_equal(info.answers[CONTRACT_EVENT_ABORT], CONTRACT_ANSWER_GONE);
        assert_true(contract_get_writer(harness->contract, 1, APP, &info));
        assert_int_equal(info.answers[CONTRACT_EVENT_PREPARE_FOR_BACKUP], CONTRACT_ANSWER_OVERTAKEN);
        assert_int_equal(info.answers[CONTRACT_EVENT_ABORT], CONTRACT_ANSWER_PENDING);
        assert_int_equal(info.sent_usec[CONTRACT_EVENT_ABORT], harness->now_usec);
}

static void test_C30_late_and_second_answers_are_ignored(void **state) {
        Harness *harness = *state;
        ContractWriterInfo info;

        to_open(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        veto(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP, CONTRACT_FAILURE_RETRYABLE);
        expect_writer(harness, 1, APP, CONTRACT_WRITER_STABLE, CONTRACT_FAILURE_NONE);
        answer(harness, 1, FS, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        pass(harness, SECONDS(600));
        expect(harness, "reply PrepareForBackup ok"); /* writers' failures are no failure of the call */
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        expect_writer(harness, 1, DB, CONTRACT_WRITER_FAILED_AT_PREPARE_BACKUP, CONTRACT_FAILURE_TIMEOUT);
        assert_true(contract_get_writer(harness->contract, 1, DB, &info));
        assert_int_equal(info.n_ignored, 1);
        assert_true(contract_get_writer(harness->contract, 1, APP, &info));
        assert_int_equal(info.n_ignored, 1);
}

static void test_C28_the_first_failure_is_the_one_that_is_told(void **state) {
        Harness *harness = *state;
        ContractWriterInfo info;

        to_prepared(harness, 1, 0);
        begin_set(harness, 1, false);
        veto(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, CONTRACT_FAILURE_INCONSISTENT_SNAPSHOT);
        call(harness, 1, CONTRACT_CALL_ABORT_BACKUP);
        veto(harness, 1, DB, CONTRACT_EVENT_ABORT, CONTRACT_FAILURE_NON_RETRYABLE);
        expect_writer(harness, 1, DB, CONTRACT_WRITER_FAILED_AT_PREPARE_SNAPSHOT,
                      CONTRACT_FAILURE_INCONSISTENT_SNAPSHOT);
        answer(harness, 1, APP, CONTRACT_EVENT_ABORT);
        expect_writer(harness, 1, APP, CONTRACT_WRITER_STABLE, CONTRACT_FAILURE_NONE);
        assert_true(contract_get_writer(harness->contract, 1, DB, &info));
        assert_string_equal(info.text, "the disk is on fire");
}

static void test_C30_a_timer_that_fires_early_is_armed_again(void **state) {
        Harness *harness = *state;
        uint64_t id, at_usec;

        to_open(harness, 1, 0);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        id = harness->deadlines[0].id;
        at_usec = harness->deadlines[0].at_usec;
        harness->deadlines[0] = harness->deadlines[--harness->n_deadlines]; /* it fired */
        harness->now_usec = at_usec - 1;
        forget(harness);
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_DEADLINE, .deadline = id});
        expect_writer(harness, 1, APP, CONTRACT_WRITER_STABLE, CONTRACT_FAILURE_NONE);
        pass(harness, 1);
        expect(harness, "reply PrepareForBackup ok");
        expect_writer(harness, 1, APP, CONTRACT_WRITER_FAILED_AT_PREPARE_BACKUP, CONTRACT_FAILURE_TIMEOUT);
}

static void test_C30_the_writers_own_window(void **state) {
        Harness *harness = *state;
        bool seen = false;

        gather(harness, (const TestWriter[]){{"app", CONTRACT_LEVEL_FRONT_END, NULL, SECONDS(20)}}, 1);
        answer(harness, 1, APP, CONTRACT_EVENT_IDENTIFY);
        call(harness, 1, CONTRACT_CALL_START_SNAPSHOT_SET);
        call(harness, 1, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, false);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        for (size_t i = 0; i < harness->last->n_items; i++)
                if (harness->last->items[i].event == CONTRACT_EVENT_FREEZE) {
                        assert_int_equal(harness->last->items[i].limit_usec, SECONDS(20));
                        seen = true;
                }
        assert_true(seen);
        forget(harness);
        pass(harness, SECONDS(20));
        assert_non_null(strstr(harness->log, "Abort>app(A not-completed released)"));
}

static void test_C14_required_from_prepare_for_backup_on(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        call_input(harness,
                   (ContractInput){.call = CONTRACT_CALL_PREPARE_FOR_BACKUP, .require_writers = true});
        veto(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_BACKUP, CONTRACT_FAILURE_RETRYABLE);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        answer(harness, 1, FS, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        begin_set(harness, 1, false);
        expect(harness, "reply DoSnapshotSet WriterVeto");
}

/* As many as there may be, all sent and all late at once: the list of effects holds them. */
static void test_C30_256_writers(void **state) {
        Harness *harness = *state;
        static ContractWriterSpec specs[CONTRACT_WRITERS_MAX];
        static char names[CONTRACT_WRITERS_MAX][16];
        const ContractEffects *effects;
        size_t n_events = 0;
        ContractInput input = {
                .type = CONTRACT_INPUT_WRITERS,
                .session = 1,
                .writers = specs,
                .n_writers = CONTRACT_WRITERS_MAX,
                .now_usec = harness->now_usec,
        };

        for (size_t i = 0; i < CONTRACT_WRITERS_MAX; i++) {
                (void) snprintf(names[i], sizeof(names[i]), "writer%zu", i);
                specs[i] = (ContractWriterSpec){.name = names[i], .available = true};
        }
        open_session(harness, 1);
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA);
        assert_int_equal(contract_input(harness->contract, &input, &effects), 0);
        for (size_t i = 0; i < effects->n_items; i++)
                n_events += effects->items[i].type == CONTRACT_EFFECT_EVENT;
        assert_int_equal(n_events, CONTRACT_WRITERS_MAX);
        for (uint32_t i = 0; i < CONTRACT_WRITERS_MAX; i++) {
                input = (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                        .session = 1,
                                        .writer = i,
                                        .event = CONTRACT_EVENT_IDENTIFY};
                assert_int_equal(contract_input(harness->contract, &input, &effects), 0);
        }
        input = (ContractInput){.type = CONTRACT_INPUT_CALL,
                                .session = 1,
                                .token = 99,
                                .call = CONTRACT_CALL_PREPARE_FOR_BACKUP};
        assert_int_equal(contract_input(harness->contract, &input, &effects), 0);
        input = (ContractInput){
                .type = CONTRACT_INPUT_CALL, .session = 1, .token = 100, .call = CONTRACT_CALL_ABORT_BACKUP};
        assert_int_equal(contract_input(harness->contract, &input, &effects), 0);
        n_events = 0;
        for (size_t i = 0; i < effects->n_items; i++)
                n_events += effects->items[i].type == CONTRACT_EFFECT_EVENT &&
                            effects->items[i].event == CONTRACT_EVENT_ABORT;
        assert_int_equal(n_events, CONTRACT_WRITERS_MAX);
}

static void test_C14_consistency(void **state) {
        static const struct {
                bool vetoed, file_systems_frozen;
                ContractConsistency consistency;
        } cases[] = {
                {false, true, CONTRACT_CONSISTENCY_APPLICATION},
                {true, true, CONTRACT_CONSISTENCY_FILE_SYSTEM},
                {true, false, CONTRACT_CONSISTENCY_CRASH},
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Harness *harness;
                ContractSessionInfo info;

                assert_int_equal(harness_setup((void **) &harness), 0);
                to_prepared(harness, 1, 1);
                begin_set(harness, 1, false);
                if (cases[i].vetoed)
                        veto(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT,
                             CONTRACT_FAILURE_RETRYABLE);
                to_step(harness, 1, CONTRACT_STEP_COMMIT);
                feed(harness, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                              .session = 1,
                                              .step = CONTRACT_STEP_COMMIT,
                                              .file_systems_frozen = cases[i].file_systems_frozen});
                finish_set(harness, 1);
                finish_set(harness, 1);
                assert_true(contract_get_session(harness->contract, 1, &info));
                assert_int_equal(info.state, CONTRACT_CREATED);
                assert_int_equal(info.consistency, cases[i].consistency);
                harness_teardown((void **) &harness);
        }
}

static void test_names_are_complete_and_distinct(void **state) {
        (void) state;
        for (ContractError error = 0; error < _CONTRACT_ERROR_MAX; error++)
                for (ContractError other = 0; other < error; other++)
                        assert_string_not_equal(contract_error_to_string(error),
                                                contract_error_to_string(other));
        assert_string_equal(contract_kind_to_string(CONTRACT_BACKUP), "backup");
        assert_string_equal(contract_kind_to_string(CONTRACT_RESTORE), "restore");
        for (ContractCall which = 0; which < _CONTRACT_CALL_MAX; which++)
                assert_non_null(contract_call_to_string(which));
        for (ContractContext context = 0; context < _CONTRACT_CONTEXT_MAX; context++)
                assert_int_equal(contract_context_from_string(contract_context_to_string(context)), context);
        for (ContractLevel level = 0; level < _CONTRACT_LEVEL_MAX; level++)
                assert_int_equal(contract_level_from_string(contract_level_to_string(level)), level);
        for (ContractFailure failure = 1; failure < _CONTRACT_FAILURE_MAX; failure++)
                assert_int_equal(contract_failure_from_string(contract_failure_to_string(failure)), failure);
        assert_true(contract_failure_from_string("") < 0);
        assert_true(contract_level_from_string("middle") < 0);
        assert_true(contract_context_from_string(NULL) < 0);
}

/* C18, C21: the process that a session began with stays the writer until the session has ended. */
static void test_C21_nobody_takes_the_place_of_who_takes_part(void **state) {
        Harness *harness = *state;

        assert_true(contract_may_replace_writer(harness->contract, "app"));
        open_session(harness, 1);
        names_call(harness, CONTRACT_CALL_DISABLE_WRITERS, "db");
        assert_true(contract_may_replace_writer(harness->contract, "app"));
        call(harness, 1, CONTRACT_CALL_GATHER_WRITER_METADATA); /* they are being started */
        assert_false(contract_may_replace_writer(harness->contract, "app"));
        assert_true(contract_may_replace_writer(harness->contract, "db"));
        launched(harness, 1,
                 (const TestWriter[]){{"app", 0, NULL, 0}, {"none", 0, "nobody owns its name", 0}}, 2);
        assert_false(contract_may_replace_writer(harness->contract, "app"));
        assert_true(contract_may_replace_writer(harness->contract, "none")); /* it may come at last */
        answer(harness, 1, APP, CONTRACT_EVENT_IDENTIFY);
        assert_false(contract_may_replace_writer(harness->contract, "app"));
        call(harness, 1, CONTRACT_CALL_RELEASE);
        assert_true(contract_may_replace_writer(harness->contract, "app"));
}

static void test_C21_in_all_of_a_backup(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        assert_false(contract_may_replace_writer(harness->contract, "app"));
        begin_set(harness, 1, true);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        veto(harness, 1, APP, CONTRACT_EVENT_FREEZE, CONTRACT_FAILURE_RETRYABLE);
        assert_false(contract_may_replace_writer(harness->contract, "app")); /* it is sent Abort */
        vanish(harness, 1);
        assert_false(contract_may_replace_writer(harness->contract, "db"));
        writer_process_gone(harness, 1, DB); /* BackupShutdown goes to whoever is there */
        assert_true(contract_may_replace_writer(harness->contract, "db"));
        assert_false(contract_may_replace_writer(harness->contract, "fs"));
}

/* It waits for somebody's window to be over: nothing was sent to it. */
static void test_C31_nobody_takes_the_place_of_who_waits_for_identify(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        open_session(harness, 2);
        call(harness, 2, CONTRACT_CALL_GATHER_WRITER_METADATA);
        begin_set(harness, 1, true);
        to_freeze(harness, 1, CONTRACT_LEVEL_FRONT_END);
        launched(harness, 2, (const TestWriter[]){{"other", 0, NULL, 0}}, 1);
        assert_false(contract_may_replace_writer(harness->contract, "other"));
        assert_true(contract_may_replace_writer(harness->contract, "stranger"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_C9_writer_outside_the_set_takes_no_part),
                TEST(test_C9_who_takes_no_part_harms_nothing),
                TEST(test_C9_a_set_without_volumes_leaves_nobody_out),
                TEST(test_C9_disabled_writers_get_no_events),
                TEST(test_C9_first_enable_turns_the_others_off),
                TEST(test_a_name_too_long_is_refused),
                TEST(test_C13_identify_failures_do_not_fail_the_gather),
                TEST(test_C14_a_writer_that_could_not_start_is_missing_from_application),
                TEST(test_C28_states_along_a_backup),
                TEST(test_C28_one_failed_backup_does_not_taint_the_next),
                TEST(test_C30_late_and_second_answers_are_ignored),
                TEST(test_C28_the_first_failure_is_the_one_that_is_told),
                TEST(test_C30_a_timer_that_fires_early_is_armed_again),
                TEST(test_C30_the_writers_own_window),
                TEST(test_C14_required_from_prepare_for_backup_on),
                TEST(test_C30_256_writers),
                cmocka_unit_test(test_C14_consistency),
                cmocka_unit_test(test_names_are_complete_and_distinct),
                TEST(test_C21_nobody_takes_the_place_of_who_takes_part),
                TEST(test_C21_in_all_of_a_backup),
                TEST(test_C31_nobody_takes_the_place_of_who_waits_for_identify),
                TEST(test_C29_a_status_tells_all),
                TEST(test_C29_what_was_late_took_its_limit),
                TEST(test_C29_what_abort_overtook_and_what_nobody_could_answer),
        };

        return cmocka_run_group_tests_name("contract: writers", tests, NULL, NULL);
}
