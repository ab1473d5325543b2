/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Components: who declares them, which may be chosen (VSS's selectability and logical paths), and who takes
 * part then (C4, C9).
 */

#include "tests/contract/harness.h"

#include <stdio.h>

#define CALL(name) CONTRACT_CALL_##name

/* What "db" declares:
 *   instance            selectable
 *   instance/wiki         selectable, also for restore
 *   instance/wiki/log     not selectable
 *   config              not selectable: belongs to every backup
 *   instances           selectable; its name only begins like the first's */
static const ContractComponentSpec declared[] = {
        {"", "instance", true, false},          {"instance", "wiki", true, true},
        {"instance/wiki", "log", false, false}, {"", "config", false, false},
        {"", "instances", true, false},
};

/* "db" answers Identify with them, "app" with one, "fs" with none. */
static void to_chosen_from(Harness *harness, bool component_mode) {
        static const TestWriter writers[] = {{"app", CONTRACT_LEVEL_FRONT_END, NULL, 0},
                                             {"db", CONTRACT_LEVEL_BACK_END, NULL, 0},
                                             {"fs", CONTRACT_LEVEL_SYSTEM, NULL, 0}};
        static const ContractComponentSpec of_app[] = {{"", "files", true, false}};

        open_session(harness, 1);
        call_input(harness,
                   (ContractInput){.call = CALL(SET_BACKUP_STATE), .component_mode = component_mode});
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        launched(harness, 1, writers, ELEMENTSOF(writers));
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                      .session = 1,
                                      .writer = APP,
                                      .event = CONTRACT_EVENT_IDENTIFY,
                                      .components = of_app,
                                      .n_components = ELEMENTSOF(of_app)});
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                      .session = 1,
                                      .writer = DB,
                                      .event = CONTRACT_EVENT_IDENTIFY,
                                      .components = declared,
                                      .n_components = ELEMENTSOF(declared)});
        answer(harness, 1, FS, CONTRACT_EVENT_IDENTIFY);
        expect_state(harness, 1, CONTRACT_GATHERED);
        forget(harness);
}

static void add(Harness *harness, const char *writer, const char *path, const char *name) {
        call_input(harness, (ContractInput){.call = CALL(ADD_COMPONENT),
                                            .writer_name = writer,
                                            .logical_path = path,
                                            .component = name});
}

static bool is_selected(Harness *harness, uint32_t writer, uint32_t component) {
        ContractComponentInfo info;

        assert_true(contract_get_component(harness->contract, 1, writer, component, &info));
        return info.selected;
}

static void test_C9_component_mode_only_who_has_one_selected(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "db", "", "config");
        add(harness, "db", "instance", "wiki");
        expect(harness, "reply AddComponent ok, reply AddComponent ok");
        assert_int_equal(harness->last->items[harness->last->n_items - 1].writer, DB);
        assert_int_equal(harness->last->items[harness->last->n_items - 1].component, 1);
        call(harness, 1, CALL(START_SNAPSHOT_SET));
        call(harness, 1, CALL(ADD_TO_SNAPSHOT_SET));
        volume_prepared(harness, 1, 0, "vol0");
        forget(harness);
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        expect(harness, "PrepareForBackup>db");
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, true);
        expect(harness, "reply PrepareForBackup ok, step end-prepare, PrepareForSnapshot>db");
        call(harness, 1, CALL(RELEASE));
        answer(harness, 1, DB, CONTRACT_EVENT_ABORT);
        step(harness, 1, CONTRACT_STEP_END_PREPARE);
        step(harness, 1, CONTRACT_STEP_ABORT);
        answer(harness, 1, DB, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        /* Nobody else hears of it: no Abort, no BackupShutdown. */
        expect(harness, "step abort, Abort>db(A not-completed released), "
                        "signal Abort(A not-completed released), "
                        "reply DoSnapshotSet Released, "
                        "BackupShutdown>db(null not-completed released), "
                        "signal BackupShutdown(null not-completed released), "
                        "reply Release ok, gone");
}

static void test_C9_component_mode_with_nothing_selected(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        call(harness, 1, CALL(BACKUP_COMPLETE));
        call(harness, 1, CALL(RELEASE));
        expect(harness, "reply PrepareForBackup ok, reply BackupComplete ok, reply Release ok, gone");
}

static void test_C9_volume_mode_is_not_bound_by_what_is_selected(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "app", "", "files");
        call_input(harness, (ContractInput){.call = CALL(SET_BACKUP_STATE)}); /* the last word counts */
        forget(harness);
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        expect(harness, "PrepareForBackup>app, PrepareForBackup>db, PrepareForBackup>fs");
}

/* A writer that is not selected is no obstacle, even if its process ended. */
static void test_C14_who_is_not_selected_harms_nothing(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "app", "", "files");
        call(harness, 1, CALL(START_SNAPSHOT_SET));
        writer_process_gone(harness, 1, DB);
        forget(harness);
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, true);
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT);
        answer(harness, 1, APP, CONTRACT_EVENT_FREEZE);
        answer(harness, 1, APP, CONTRACT_EVENT_THAW);
        forget(harness);
        answer(harness, 1, APP, CONTRACT_EVENT_POST_SNAPSHOT);
        expect(harness, "set-created application, reply DoSnapshotSet ok");
}

static void test_C4_add_component_of_what_is_not_there(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "wiki", "", "files");
        expect(harness, "reply AddComponent ObjectNotFound");
        expect_text(harness, "wiki");
        add(harness, "db", "instance", "shop");
        expect(harness, "reply AddComponent ObjectNotFound");
        expect_text(harness, "instance/shop");
        add(harness, "fs", "", "files");
        expect(harness, "reply AddComponent ObjectNotFound");
        add(harness, "db", "instance/wiki", "");
        expect(harness, "reply AddComponent ObjectNotFound");
        call(harness, 1, CALL(ADD_COMPONENT)); /* without any argument */
        expect(harness, "reply AddComponent ObjectNotFound");
}

static void test_C4_add_component_twice(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "db", "", "instance");
        add(harness, "db", "", "instance");
        expect(harness, "reply AddComponent ok, reply AddComponent ObjectAlreadyExists");
        expect_text(harness, "added before");
}

/* Not selectable below a selectable one: only with it. */
static void test_selectability_implicit_only(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "db", "instance/wiki", "log");
        expect(harness, "reply AddComponent InvalidArgument");
        expect_text(harness, "included with instance");
        assert_false(is_selected(harness, DB, 2));
}

/* Selectable below a selectable one: with it or by itself, not both. */
static void test_selectability_one_includes_the_other(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "db", "", "instance");
        forget(harness);
        add(harness, "db", "instance", "wiki");
        expect(harness, "reply AddComponent ObjectAlreadyExists");
        expect_text(harness, "beside instance,");
        add(harness, "db", "", "instances"); /* no relation, whatever it is called */
        add(harness, "db", "", "config");
        expect(harness, "reply AddComponent ok, reply AddComponent ok");
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        expect(harness, "PrepareForBackup>db");
}

static void test_selectability_the_other_way_round(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "db", "instance", "wiki");
        forget(harness);
        add(harness, "db", "", "instance");
        expect(harness, "reply AddComponent ObjectAlreadyExists");
        expect_text(harness, "beside instance/wiki,");
        assert_true(is_selected(harness, DB, 1));
        assert_false(is_selected(harness, DB, 0));
}

/* Not selectable and below nothing selectable: belongs to every backup of its writer. */
static void test_selectability_what_must_be_added(void **state) {
        Harness *harness = *state;
        uint64_t before;

        to_chosen_from(harness, true);
        add(harness, "db", "", "instance");
        forget(harness);
        before = contract_hash(harness->contract);
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        expect(harness, "reply PrepareForBackup InvalidArgument");
        expect_text(harness, "component config of writer db");
        assert_int_equal(contract_hash(harness->contract), before);
        add(harness, "db", "", "config");
        forget(harness);
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        expect(harness, "PrepareForBackup>db");
}

static void set(Harness *harness, ContractCall which, const char *path, const char *name) {
        call_input(harness,
                   (ContractInput){
                           .call = which, .writer_name = "db", .logical_path = path, .component = name});
}

static void test_C4_options_and_stamps_before_prepare(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "db", "instance", "wiki");
        add(harness, "db", "", "config");
        forget(harness);
        set(harness, CALL(SET_BACKUP_OPTIONS), "instance", "wiki");
        set(harness, CALL(SET_PREVIOUS_BACKUP_STAMP), "instance", "wiki");
        assert_int_equal(harness->last->items[0].writer, DB);
        assert_int_equal(harness->last->items[0].component, 1);
        expect(harness, "reply SetBackupOptions ok, reply SetPreviousBackupStamp ok");
        /* Only of what was added, not of what it includes. */
        set(harness, CALL(SET_BACKUP_OPTIONS), "instance/wiki", "log");
        expect(harness, "reply SetBackupOptions ObjectNotFound");
        expect_text(harness, "was not added");
        set(harness, CALL(SET_PREVIOUS_BACKUP_STAMP), "", "instances");
        expect(harness, "reply SetPreviousBackupStamp ObjectNotFound");
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        answer(harness, 1, DB, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        set(harness, CALL(SET_BACKUP_OPTIONS), "instance", "wiki");
        set(harness, CALL(SET_PREVIOUS_BACKUP_STAMP), "instance", "wiki");
        expect(harness, "reply SetBackupOptions BadState, reply SetPreviousBackupStamp BadState");
}

/* Neither within the freeze window nor when there is nothing to note it in any more; no restore's. */
static void test_T30_which_events_take_notes(void **state) {
        for (int event = 0; event < _CONTRACT_EVENT_MAX; event++)
                assert_int_equal(contract_event_takes_notes((ContractEvent) event),
                                 event == CONTRACT_EVENT_PREPARE_FOR_BACKUP ||
                                         event == CONTRACT_EVENT_POST_SNAPSHOT);
}

static void test_C4_backup_succeeded_when_there_is_something_to_copy(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "app", "", "files");
        call(harness, 1, CALL(START_SNAPSHOT_SET));
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        call_input(harness, (ContractInput){.call = CALL(SET_BACKUP_SUCCEEDED),
                                            .writer_name = "app",
                                            .component = "files"});
        expect(harness, "reply SetBackupSucceeded BadState"); /* the set is not created */
        begin_set(harness, 1, false);
        for (ContractEvent event = CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT;
             event <= CONTRACT_EVENT_POST_SNAPSHOT; event++)
                answer(harness, 1, APP, event);
        expect_state(harness, 1, CONTRACT_CREATED);
        forget(harness);
        call_input(harness, (ContractInput){.call = CALL(SET_BACKUP_SUCCEEDED),
                                            .writer_name = "app",
                                            .component = "files"});
        set(harness, CALL(SET_BACKUP_SUCCEEDED), "", "instance"); /* was not added */
        expect(harness, "reply SetBackupSucceeded ok, reply SetBackupSucceeded ObjectNotFound");
        call(harness, 1, CALL(BACKUP_COMPLETE));
        answer(harness, 1, APP, CONTRACT_EVENT_BACKUP_COMPLETE);
        forget(harness);
        call(harness, 1, CALL(SET_BACKUP_SUCCEEDED));
        expect(harness, "reply SetBackupSucceeded BadState");
}

static void test_C4_backup_succeeded_without_a_set(void **state) {
        Harness *harness = *state;

        to_chosen_from(harness, true);
        add(harness, "app", "", "files");
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        answer(harness, 1, APP, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        call_input(harness, (ContractInput){.call = CALL(SET_BACKUP_SUCCEEDED),
                                            .writer_name = "app",
                                            .component = "files"});
        expect(harness, "reply SetBackupSucceeded ok");
}

static void test_C4_writer_metadata_in_every_state_before_release(void **state) {
        Harness *harness = *state;
        const ContractInput metadata = {.call = CALL(GET_WRITER_METADATA), .writer_name = "db"};
        const ContractInput components = {.call = CALL(GET_WRITER_COMPONENTS), .writer_name = "db"};

        open_session(harness, 1);
        call_input(harness, metadata);
        expect(harness, "reply GetWriterMetadata ObjectNotFound");
        expect_text(harness, "GatherWriterMetadata");
        call(harness, 1, CALL(RELEASE));
        forget(harness);

        harness_teardown(state);
        harness_setup(state);
        harness = *state;
        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        forget(harness);
        call_input(harness, metadata); /* while another call runs */
        call_input(harness, components);
        expect(harness, "reply GetWriterMetadata ok, reply GetWriterComponents ok");
        assert_int_equal(harness->last->items[0].writer, DB);
}

static void test_identify_that_failed_declares_nothing(void **state) {
        Harness *harness = *state;
        static const TestWriter writers[] = {{"db", CONTRACT_LEVEL_BACK_END, NULL, 0}};
        ContractComponentInfo info;

        open_session(harness, 1);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        launched(harness, 1, writers, 1);
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                      .session = 1,
                                      .event = CONTRACT_EVENT_IDENTIFY,
                                      .failure = CONTRACT_FAILURE_RETRYABLE,
                                      .components = declared,
                                      .n_components = ELEMENTSOF(declared)});
        assert_false(contract_get_component(harness->contract, 1, 0, 0, &info));
        /* A second answer declares nothing either. */
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                      .session = 1,
                                      .event = CONTRACT_EVENT_IDENTIFY,
                                      .components = declared,
                                      .n_components = ELEMENTSOF(declared)});
        assert_false(contract_get_component(harness->contract, 1, 0, 0, &info));
}

/* What a gather found that was cancelled is forgotten with it. */
static void test_C4_a_second_gather_declares_anew(void **state) {
        Harness *harness = *state;
        static const TestWriter writers[] = {{"db", 0, NULL, 0}, {"slow", 0, NULL, 0}};
        ContractComponentInfo info;

        open_session(harness, 1);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        launched(harness, 1, writers, 2);
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                      .session = 1,
                                      .event = CONTRACT_EVENT_IDENTIFY,
                                      .components = declared,
                                      .n_components = ELEMENTSOF(declared)});
        call(harness, 1, CALL(CANCEL));
        answer(harness, 1, 1, CONTRACT_EVENT_IDENTIFY);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        launched(harness, 1, writers, 1);
        answer(harness, 1, 0, CONTRACT_EVENT_IDENTIFY);
        expect_state(harness, 1, CONTRACT_GATHERED);
        assert_false(contract_get_component(harness->contract, 1, 0, 0, &info));
}

/* More than a session has room for: the writer that came too late has failed, the others are as they were.
 */
static void test_too_many_components(void **state) {
        Harness *harness = *state;
        ContractComponentSpec *many = calloc(CONTRACT_COMPONENTS_MAX, sizeof(*many));
        ContractWriterSpec specs[9] = {};
        char names[9][8];
        const ContractEffects *effects;
        ContractInput input = {.type = CONTRACT_INPUT_WRITER_ANSWER,
                               .session = 1,
                               .event = CONTRACT_EVENT_IDENTIFY,
                               .components = many,
                               .n_components = CONTRACT_COMPONENTS_MAX};

        for (size_t i = 0; i < CONTRACT_COMPONENTS_MAX; i++)
                many[i] = (ContractComponentSpec){"", "same", true, false};
        for (size_t i = 0; i < ELEMENTSOF(specs); i++) {
                (void) snprintf(names[i], sizeof(names[i]), "w%zu", i);
                specs[i] = (ContractWriterSpec){.name = names[i], .available = true};
        }
        open_session(harness, 1);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITERS,
                                      .session = 1,
                                      .writers = specs,
                                      .n_writers = ELEMENTSOF(specs)});
        for (input.writer = 0; input.writer < ELEMENTSOF(specs); input.writer++)
                feed(harness, input);
        expect_state(harness, 1, CONTRACT_GATHERED);
        expect_writer(harness, 1, 7, CONTRACT_WRITER_STABLE, CONTRACT_FAILURE_NONE);
        expect_writer(harness, 1, 8, CONTRACT_WRITER_FAILED_AT_IDENTIFY, CONTRACT_FAILURE_OUT_OF_RESOURCES);
        input.n_components = CONTRACT_COMPONENTS_MAX + 1; /* no correct user feeds that */
        assert_int_equal(contract_input(harness->contract, &input, &effects), -EINVAL);
        free(many);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_C9_component_mode_only_who_has_one_selected),
                TEST(test_C9_component_mode_with_nothing_selected),
                TEST(test_C9_volume_mode_is_not_bound_by_what_is_selected),
                TEST(test_C14_who_is_not_selected_harms_nothing),
                TEST(test_C4_add_component_of_what_is_not_there),
                TEST(test_C4_add_component_twice),
                TEST(test_selectability_implicit_only),
                TEST(test_selectability_one_includes_the_other),
                TEST(test_selectability_the_other_way_round),
                TEST(test_selectability_what_must_be_added),
                TEST(test_C4_options_and_stamps_before_prepare),
                TEST(test_T30_which_events_take_notes),
                TEST(test_C4_backup_succeeded_when_there_is_something_to_copy),
                TEST(test_C4_backup_succeeded_without_a_set),
                TEST(test_C4_writer_metadata_in_every_state_before_release),
                TEST(test_identify_that_failed_declares_nothing),
                TEST(test_C4_a_second_gather_declares_anew),
                TEST(test_too_many_components),
        };

        return cmocka_run_group_tests_name("contract: components", tests, NULL, NULL);
}
