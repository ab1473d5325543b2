/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Restores: their calls (C2, C4), who takes part, which events there are and which never (C27), and how a
 * restore ends, whoever causes it (C21, C26, C32).
 */

#include "tests/contract/harness.h"

#define CALL(name) CONTRACT_CALL_##name

/* Of "app" and "db" alike; what is known of "db" is what a document says. */
static const ContractComponentSpec unknown[] = {
        {"", "instance", true, false, CONTRACT_BACKED_UP_UNKNOWN},
        {"instance", "wiki", true, true, CONTRACT_BACKED_UP_UNKNOWN},
        {"instance/wiki", "log", false, false, CONTRACT_BACKED_UP_UNKNOWN},
        {"", "config", false, false, CONTRACT_BACKED_UP_UNKNOWN}};
static const ContractComponentSpec documented[] = {
        {"", "instance", true, false, CONTRACT_BACKED_UP_BY_ITSELF},
        {"instance", "wiki", true, true, CONTRACT_BACKED_UP_WITH_ANOTHER},
        {"instance/wiki", "log", false, false, CONTRACT_BACKED_UP_WITH_ANOTHER},
        {"", "config", false, false, CONTRACT_NOT_BACKED_UP}};

static void open_restore(Harness *harness) {
        feed(harness,
             (ContractInput){
                     .type = CONTRACT_INPUT_OPEN, .session = 1, .id = "restore", .kind = CONTRACT_RESTORE});
}

static void identify(Harness *harness, uint32_t writer, const ContractComponentSpec *components,
                     bool never) {
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                      .session = 1,
                                      .writer = writer,
                                      .event = CONTRACT_EVENT_IDENTIFY,
                                      .components = components,
                                      .n_components = ELEMENTSOF(unknown),
                                      .never_restored = never});
}

/* Three writers: "app" knows no document, "db" does, "fs" is never restored. */
static void to_restorable(Harness *harness) {
        static const TestWriter writers[] = {
                {"app", 0, NULL, 0}, {"db", 0, NULL, 0}, {"fs", CONTRACT_LEVEL_SYSTEM, NULL, 0}};

        open_restore(harness);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        launched(harness, 1, writers, ELEMENTSOF(writers));
        identify(harness, APP, unknown, false);
        identify(harness, DB, documented, false);
        identify(harness, FS, unknown, true);
        expect_state(harness, 1, CONTRACT_GATHERED);
        forget(harness);
}

static void on_component(Harness *harness, ContractCall which, const char *writer, const char *path,
                         const char *name) {
        call_input(harness, (ContractInput){.call = which,
                                            .writer_name = writer,
                                            .logical_path = path,
                                            .component = name,
                                            .selected = true});
}

static void select_one(Harness *harness, const char *writer, const char *path, const char *name) {
        on_component(harness, CALL(SET_SELECTED_FOR_RESTORE), writer, path, name);
}

/* "app" and "db" were sent PreRestore and have answered. */
static void to_pre_restored(Harness *harness) {
        to_restorable(harness);
        select_one(harness, "app", "", "instance");
        select_one(harness, "db", "", "instance");
        call(harness, 1, CALL(PRE_RESTORE));
        answer(harness, 1, APP, CONTRACT_EVENT_PRE_RESTORE);
        answer(harness, 1, DB, CONTRACT_EVENT_PRE_RESTORE);
        expect_state(harness, 1, CONTRACT_PRE_RESTORED);
        forget(harness);
}

static void to_post_restored(Harness *harness) {
        to_pre_restored(harness);
        call(harness, 1, CALL(POST_RESTORE));
        answer(harness, 1, APP, CONTRACT_EVENT_POST_RESTORE);
        answer(harness, 1, DB, CONTRACT_EVENT_POST_RESTORE);
        expect_state(harness, 1, CONTRACT_POST_RESTORED);
        forget(harness);
}

/* T29 */
static void test_C27_a_whole_restore(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        select_one(harness, "app", "", "instance");
        select_one(harness, "fs", "", "instance"); /* it declared "never" */
        forget(harness);
        call(harness, 1, CALL(PRE_RESTORE));
        expect(harness, "PreRestore>app");
        answer(harness, 1, APP, CONTRACT_EVENT_PRE_RESTORE);
        on_component(harness, CALL(SET_FILE_RESTORE_STATUS), "app", "", "instance");
        expect(harness, "reply PreRestore ok, reply SetFileRestoreStatus ok");
        call(harness, 1, CALL(POST_RESTORE));
        expect(harness, "PostRestore>app");
        answer(harness, 1, APP, CONTRACT_EVENT_POST_RESTORE);
        expect(harness, "reply PostRestore ok");
        expect_writer(harness, 1, APP, CONTRACT_WRITER_STABLE, CONTRACT_FAILURE_NONE);
        call(harness, 1, CALL(RELEASE));
        expect(harness, "SessionClosed>app(completed released)"); /* and no signal */
        answer(harness, 1, APP, CONTRACT_EVENT_SESSION_CLOSED);
        expect(harness, "reply Release ok, gone");
}

static void test_C2_a_restore_knows_no_abort(void **state) {
        Harness *harness = *state;

        to_pre_restored(harness);
        call(harness, 1, CALL(ABORT_BACKUP));
        expect(harness, "reply AbortBackup BadState");
        expect_text(harness, "of a restore");
        administrator(harness, 1); /* ReleaseSession: there is nothing to abort */
        expect(harness, "SessionClosed>app(not-completed administrator), "
                        "SessionClosed>db(not-completed administrator)");
}

/* C4's second row of states. */
static void test_C4_every_call_of_a_restore(void **state) {
        static const struct {
                ContractCall call;
                const char *states; /* i nitialised, g athered, r: pre-restored, R: post-restored, l ost */
        } table[] = {
                {CALL(ENABLE_WRITERS), "i"},
                {CALL(DISABLE_WRITERS), "i"},
                {CALL(GATHER_WRITER_METADATA), "i"},
                {CALL(SET_SELECTED_FOR_RESTORE), "g"},
                {CALL(SET_RESTORE_OPTIONS), "g"},
                {CALL(PRE_RESTORE), "g"},
                {CALL(SET_FILE_RESTORE_STATUS), "r"},
                {CALL(POST_RESTORE), "r"},
                {CALL(SAVE_DOCUMENT), "rR"},
                {CALL(IS_VOLUME_SUPPORTED), "igrRl"},
                {CALL(GATHER_WRITER_STATUS), "igrRl"},
                {CALL(GET_WRITER_METADATA), "igrRl"},
                {CALL(GET_WRITER_COMPONENTS), "igrRl"},
                {CALL(CANCEL), "igrRl"},
                {CALL(RELEASE), "igrRl"},
                {CALL(SET_CONTEXT), ""},
                {CALL(SET_BACKUP_STATE), ""},
                {CALL(ADD_COMPONENT), ""},
                {CALL(SET_BACKUP_OPTIONS), ""},
                {CALL(SET_PREVIOUS_BACKUP_STAMP), ""},
                {CALL(START_SNAPSHOT_SET), ""},
                {CALL(ADD_TO_SNAPSHOT_SET), ""},
                {CALL(PREPARE_FOR_BACKUP), ""},
                {CALL(DO_SNAPSHOT_SET), ""},
                {CALL(GET_SNAPSHOT_PROPERTIES), ""},
                {CALL(SET_BACKUP_SUCCEEDED), ""},
                {CALL(BACKUP_COMPLETE), ""},
                {CALL(DELETE_SNAPSHOTS), ""},
                {CALL(ABORT_BACKUP), ""},
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                for (const char *letter = "igrRl"; *letter; letter++) {
                        ContractError error = CONTRACT_OK;
                        Harness *harness;
                        uint64_t before;

                        harness_setup((void **) &harness);
                        if (*letter == 'i')
                                open_restore(harness);
                        else if (*letter == 'g')
                                to_restorable(harness);
                        else if (*letter == 'r')
                                to_pre_restored(harness);
                        else if (*letter == 'R')
                                to_post_restored(harness);
                        else
                                feed(harness, (ContractInput){.type = CONTRACT_INPUT_RECOVERED,
                                                              .session = 1,
                                                              .id = "lost",
                                                              .kind = CONTRACT_RESTORE});
                        before = contract_hash(harness->contract);
                        call(harness, 1, table[i].call);
                        for (size_t j = 0; j < harness->last->n_items; j++)
                                if (harness->last->items[j].type == CONTRACT_EFFECT_REPLY)
                                        error = harness->last->items[j].error;
                        if ((error == CONTRACT_ERROR_BAD_STATE || error == CONTRACT_ERROR_SESSION_LOST) !=
                            !strchr(table[i].states, *letter))
                                fail_msg("%s in state %c: %s", contract_call_to_string(table[i].call),
                                         *letter, harness->log);
                        if (!strchr(table[i].states, *letter))
                                assert_int_equal(contract_hash(harness->contract), before);
                        harness_teardown((void **) &harness);
                }
}

static void test_C27_nothing_selected_nothing_sent(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        call(harness, 1, CALL(PRE_RESTORE));
        call(harness, 1, CALL(POST_RESTORE));
        call(harness, 1, CALL(RELEASE));
        expect(harness, "reply PreRestore ok, reply PostRestore ok, reply Release ok, gone");
}

static void test_C27_file_restore_status_in_between_only(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        select_one(harness, "app", "", "instance");
        forget(harness);
        on_component(harness, CALL(SET_FILE_RESTORE_STATUS), "app", "", "instance");
        call(harness, 1, CALL(PRE_RESTORE));
        on_component(harness, CALL(SET_FILE_RESTORE_STATUS), "app", "", "instance"); /* it is running */
        answer(harness, 1, APP, CONTRACT_EVENT_PRE_RESTORE);
        on_component(harness, CALL(SET_FILE_RESTORE_STATUS), "app", "", "instance");
        on_component(harness, CALL(SET_FILE_RESTORE_STATUS), "app", "instance", "wiki"); /* not selected */
        expect(harness, "reply SetFileRestoreStatus BadState, PreRestore>app, "
                        "reply SetFileRestoreStatus BadState, reply PreRestore ok, "
                        "reply SetFileRestoreStatus ok, reply SetFileRestoreStatus ObjectNotFound");
        expect_text(harness, "SetSelectedForRestore");
}

/* VSS's rules without a document: what could have been chosen for backup, or is selectable for restore. */
static void test_selectability_without_a_document(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        select_one(harness, "app", "instance/wiki", "log");
        expect(harness, "reply SetSelectedForRestore InvalidArgument");
        expect_text(harness, "not selectable for restore");
        select_one(harness, "app", "", "config");
        select_one(harness, "app", "instance", "wiki");
        select_one(harness, "app", "instance", "wiki");
        select_one(harness, "app", "", "instance");
        expect(harness, "reply SetSelectedForRestore ok, reply SetSelectedForRestore ok, "
                        "reply SetSelectedForRestore ObjectAlreadyExists, "
                        "reply SetSelectedForRestore ObjectAlreadyExists");
}

/* With a document: what was backed up by itself, or with another if it is selectable for restore. */
static void test_selectability_with_a_document(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        select_one(harness, "db", "", "config");
        expect(harness, "reply SetSelectedForRestore ObjectNotFound");
        expect_text(harness, "document");
        select_one(harness, "db", "instance/wiki", "log");
        expect(harness, "reply SetSelectedForRestore InvalidArgument");
        select_one(harness, "db", "instance", "wiki");
        expect(harness, "reply SetSelectedForRestore ok");
}

static void test_a_selection_can_be_taken_back(void **state) {
        Harness *harness = *state;
        ContractInput back = {.call = CALL(SET_SELECTED_FOR_RESTORE),
                              .writer_name = "app",
                              .logical_path = "instance",
                              .component = "wiki"};

        to_restorable(harness);
        select_one(harness, "app", "instance", "wiki");
        on_component(harness, CALL(SET_RESTORE_OPTIONS), "app", "instance", "wiki");
        call_input(harness, back);
        call_input(harness, back);
        on_component(harness, CALL(SET_RESTORE_OPTIONS), "app", "instance", "wiki");
        call(harness, 1, CALL(PRE_RESTORE));
        expect(harness, "reply SetSelectedForRestore ok, reply SetRestoreOptions ok, "
                        "reply SetSelectedForRestore ok, reply SetSelectedForRestore ObjectNotFound, "
                        "reply SetRestoreOptions ObjectNotFound, reply PreRestore ok");
}

/* C13: who failed PreRestore gets no PostRestore, but hears of the end. */
static void test_C13_a_failure_in_pre_restore(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        select_one(harness, "app", "", "instance");
        select_one(harness, "db", "", "instance");
        call(harness, 1, CALL(PRE_RESTORE));
        forget(harness);
        veto(harness, 1, APP, CONTRACT_EVENT_PRE_RESTORE, CONTRACT_FAILURE_RETRYABLE);
        answer(harness, 1, DB, CONTRACT_EVENT_PRE_RESTORE);
        expect(harness, "reply PreRestore ok"); /* C14: no failure of the call */
        expect_writer(harness, 1, APP, CONTRACT_WRITER_FAILED_AT_PRE_RESTORE, CONTRACT_FAILURE_RETRYABLE);
        call(harness, 1, CALL(POST_RESTORE));
        expect(harness, "PostRestore>db");
        veto(harness, 1, DB, CONTRACT_EVENT_POST_RESTORE, CONTRACT_FAILURE_NON_RETRYABLE);
        expect_writer(harness, 1, DB, CONTRACT_WRITER_FAILED_AT_POST_RESTORE,
                      CONTRACT_FAILURE_NON_RETRYABLE);
        forget(harness);
        vanish(harness, 1);
        expect(harness, "SessionClosed>app(completed requester-vanished), "
                        "SessionClosed>db(completed requester-vanished)");
}

static void test_C30_pre_restore_has_30_minutes(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        select_one(harness, "app", "", "instance");
        call(harness, 1, CALL(PRE_RESTORE));
        forget(harness);
        pass(harness, 1799 * USEC_PER_SEC);
        expect(harness, "");
        pass(harness, USEC_PER_SEC);
        expect(harness, "reply PreRestore ok"); /* no unit is stopped for it */
        expect_writer(harness, 1, APP, CONTRACT_WRITER_FAILED_AT_PRE_RESTORE, CONTRACT_FAILURE_TIMEOUT);
}

static void test_C21_a_process_that_is_gone(void **state) {
        Harness *harness = *state;

        to_pre_restored(harness);
        writer_process_gone(harness, 1, APP);
        expect_writer(harness, 1, APP, CONTRACT_WRITER_FAILED_AT_POST_RESTORE,
                      CONTRACT_FAILURE_NOT_RESPONDING);
        call(harness, 1, CALL(POST_RESTORE));
        expect(harness, "PostRestore>db");
        answer(harness, 1, DB, CONTRACT_EVENT_POST_RESTORE);
        call(harness, 1, CALL(RELEASE));
        /* By name: whatever process of it is there now. */
        expect(harness, "reply PostRestore ok, SessionClosed>app(completed released), "
                        "SessionClosed>db(completed released)");
        answer(harness, 1, APP, CONTRACT_EVENT_SESSION_CLOSED);
        expect(harness, "");
        pass(harness, 120 * USEC_PER_SEC);
        expect(harness, "reply Release ok, gone");
}

/* C26: inside PreRestore, between, inside PostRestore; then C4: Cancel at the same places. */
static void test_C26_dies_inside_pre_restore(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        select_one(harness, "app", "", "instance");
        select_one(harness, "db", "", "instance");
        call(harness, 1, CALL(PRE_RESTORE));
        answer(harness, 1, APP, CONTRACT_EVENT_PRE_RESTORE);
        forget(harness);
        vanish(harness, 1);
        expect(harness, "reply PreRestore Released"); /* what is in flight ends first */
        answer(harness, 1, DB, CONTRACT_EVENT_PRE_RESTORE);
        expect(harness, "SessionClosed>app(not-completed requester-vanished), "
                        "SessionClosed>db(not-completed requester-vanished)");
        answer(harness, 1, APP, CONTRACT_EVENT_SESSION_CLOSED);
        answer(harness, 1, DB, CONTRACT_EVENT_SESSION_CLOSED);
        expect(harness, "gone");
}

static void test_C26_dies_between(void **state) {
        Harness *harness = *state;

        to_pre_restored(harness);
        vanish(harness, 1);
        expect(harness, "SessionClosed>app(not-completed requester-vanished), "
                        "SessionClosed>db(not-completed requester-vanished)");
}

static void test_C26_dies_inside_post_restore(void **state) {
        Harness *harness = *state;

        to_pre_restored(harness);
        call(harness, 1, CALL(POST_RESTORE));
        answer(harness, 1, DB, CONTRACT_EVENT_POST_RESTORE);
        forget(harness);
        vanish(harness, 1);
        answer(harness, 1, APP, CONTRACT_EVENT_POST_RESTORE);
        expect(harness, "reply PostRestore Released, SessionClosed>app(not-completed requester-vanished), "
                        "SessionClosed>db(not-completed requester-vanished)");
}

static void test_C26_dies_before(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        select_one(harness, "app", "", "instance");
        forget(harness);
        vanish(harness, 1);
        expect(harness, "gone");
}

static void test_C4_cancelled_pre_restore(void **state) {
        Harness *harness = *state;

        to_restorable(harness);
        select_one(harness, "app", "", "instance");
        select_one(harness, "db", "", "instance");
        call(harness, 1, CALL(PRE_RESTORE));
        forget(harness);
        call(harness, 1, CALL(CANCEL));
        expect(harness, "reply PreRestore Cancelled, reply Cancel ok");
        expect_state(harness, 1, CONTRACT_PRE_RESTORED);
        call(harness, 1, CALL(POST_RESTORE)); /* C12: one event at a time */
        expect(harness, "");
        answer(harness, 1, APP, CONTRACT_EVENT_PRE_RESTORE);
        expect(harness, "PostRestore>app");
        veto(harness, 1, DB, CONTRACT_EVENT_PRE_RESTORE, CONTRACT_FAILURE_RETRYABLE);
        expect(harness, ""); /* C13: its PostRestore is dropped */
        answer(harness, 1, APP, CONTRACT_EVENT_POST_RESTORE);
        expect(harness, "reply PostRestore ok");
}

static void test_C4_cancelled_post_restore(void **state) {
        Harness *harness = *state;

        to_pre_restored(harness);
        call(harness, 1, CALL(POST_RESTORE));
        call(harness, 1, CALL(CANCEL));
        expect(harness, "PostRestore>app, PostRestore>db, reply PostRestore Cancelled, reply Cancel ok");
        expect_state(harness, 1, CONTRACT_POST_RESTORED);
        answer(harness, 1, APP, CONTRACT_EVENT_POST_RESTORE);
        answer(harness, 1, DB, CONTRACT_EVENT_POST_RESTORE);
        call(harness, 1, CALL(RELEASE));
        expect(harness, "SessionClosed>app(not-completed released), "
                        "SessionClosed>db(not-completed released)");
}

static void test_C32_a_restore_that_was_lost(void **state) {
        Harness *harness = *state;
        const ContractWriterSpec writers[] = {{.name = "app", .was_prepared = true}, {.name = "db"}};

        (void) snprintf(harness->writers[1][0], sizeof(harness->writers[1][0]), "app");
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_RECOVERED,
                                      .session = 1,
                                      .id = "restore",
                                      .kind = CONTRACT_RESTORE,
                                      .writers = writers,
                                      .n_writers = ELEMENTSOF(writers)});
        expect(harness, "SessionClosed>app(not-completed daemon-restarted)");
        call(harness, 1, CALL(POST_RESTORE));
        expect(harness, "reply PostRestore SessionLost");
        answer(harness, 1, APP, CONTRACT_EVENT_SESSION_CLOSED);
        call(harness, 1, CALL(RELEASE));
        expect(harness, "reply Release ok, gone"); /* not told twice */
}

/* C31: neither PreRestore nor SessionClosed goes to a writer that takes part in another's freeze window. */
static void test_C31_not_in_anothers_window(void **state) {
        Harness *harness = *state;

        to_pre_restored(harness);
        to_prepared(harness, 2, 1);
        begin_set(harness, 2, false);
        to_freeze(harness, 2, CONTRACT_LEVEL_FRONT_END);
        vanish(harness, 1);
        expect(harness, "");
        call(harness, 2, CALL(ABORT_BACKUP));
        for (uint32_t i = 0; i < 3; i++)
                answer(harness, 2, i, CONTRACT_EVENT_ABORT);
        assert_non_null(strstr(harness->log, "window-end"));
        assert_non_null(strstr(harness->log, "SessionClosed>app(not-completed requester-vanished)"));
        assert_true(strstr(harness->log, "window-end") < strstr(harness->log, "SessionClosed>app"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_C27_a_whole_restore),
                TEST(test_C2_a_restore_knows_no_abort),
                cmocka_unit_test(test_C4_every_call_of_a_restore),
                TEST(test_C27_nothing_selected_nothing_sent),
                TEST(test_C27_file_restore_status_in_between_only),
                TEST(test_selectability_without_a_document),
                TEST(test_selectability_with_a_document),
                TEST(test_a_selection_can_be_taken_back),
                TEST(test_C13_a_failure_in_pre_restore),
                TEST(test_C30_pre_restore_has_30_minutes),
                TEST(test_C21_a_process_that_is_gone),
                TEST(test_C26_dies_inside_pre_restore),
                TEST(test_C26_dies_between),
                TEST(test_C26_dies_inside_post_restore),
                TEST(test_C26_dies_before),
                TEST(test_C4_cancelled_pre_restore),
                TEST(test_C4_cancelled_post_restore),
                TEST(test_C32_a_restore_that_was_lost),
                TEST(test_C31_not_in_anothers_window),
        };

        return cmocka_run_group_tests_name("contract: restore", tests, NULL, NULL);
}
