/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may call what when: C1, C4, C5, C17 and C24, and the calls that need no writer.
 */

#include "tests/contract/c4.h"
#include "tests/contract/harness.h"

#include <stdio.h>

#define CALL(name) CONTRACT_CALL_##name

static void to_state(Harness *harness, ContractState wanted) {
        switch (wanted) {
        case CONTRACT_INITIALISED:
                open_session(harness, 1);
                break;
        case CONTRACT_GATHERED:
                to_gathered(harness, 1);
                break;
        case CONTRACT_OPEN:
                to_open(harness, 1, 1);
                break;
        case CONTRACT_PREPARED:
                to_prepared(harness, 1, 1);
                break;
        case CONTRACT_CREATED:
                to_created(harness, 1, 1);
                break;
        case CONTRACT_COMPLETED:
                to_created(harness, 1, 1);
                call(harness, 1, CALL(BACKUP_COMPLETE));
                answer_all(harness, 1, CONTRACT_EVENT_BACKUP_COMPLETE);
                break;
        case CONTRACT_FAILED:
                to_prepared(harness, 1, 1);
                begin_set(harness, 1, false);
                step_fails(harness, 1, CONTRACT_STEP_END_PREPARE, CONTRACT_ERROR_INSUFFICIENT_STORAGE);
                answer_all(harness, 1, CONTRACT_EVENT_ABORT);
                step(harness, 1, CONTRACT_STEP_ABORT);
                break;
        case CONTRACT_ABORTED:
                to_created(harness, 1, 1);
                call(harness, 1, CALL(ABORT_BACKUP));
                break;
        case CONTRACT_LOST:
                feed(harness, (ContractInput){.type = CONTRACT_INPUT_RECOVERED,
                                              .session = 1,
                                              .id = "recovered",
                                              .set_id = SET_A});
                break;
        default:
                fail();
        }
        expect_state(harness, 1, wanted);
        forget(harness);
}

static const ContractState all_states[] = {
        CONTRACT_INITIALISED, CONTRACT_GATHERED, CONTRACT_OPEN,    CONTRACT_PREPARED, CONTRACT_CREATED,
        CONTRACT_COMPLETED,   CONTRACT_FAILED,   CONTRACT_ABORTED, CONTRACT_LOST,
};

/* C4's table (c4.c), for a backup whose snapshot set has been started. */
static bool is_legal(ContractCall which, ContractState state) {
        if (state == CONTRACT_PREPARED &&
            (which == CALL(BACKUP_COMPLETE) || which == CALL(SET_BACKUP_SUCCEEDED)))
                return false;
        return c4_is_in(c4_row(which), CONTRACT_BACKUP, true, state);
}

static ContractError first_error(const Harness *harness) {
        for (size_t i = 0; i < harness->last->n_items; i++)
                if (harness->last->items[i].type == CONTRACT_EFFECT_REPLY)
                        return harness->last->items[i].error;
        return CONTRACT_OK;
}

static void check_call(ContractCall which, ContractState state) {
        bool legal = is_legal(which, state), refused;
        Harness *harness;
        uint64_t before;

        assert_int_equal(harness_setup((void **) &harness), 0);
        to_state(harness, state);
        before = contract_hash(harness->contract);
        call(harness, 1, which);
        refused = first_error(harness) ==
                  (state == CONTRACT_LOST ? CONTRACT_ERROR_SESSION_LOST : CONTRACT_ERROR_BAD_STATE);
        if (refused == legal)
                fail_msg("%s in state %s: %s", contract_call_to_string(which),
                         contract_state_to_string(state), harness->log);
        if (refused) /* nothing has changed, and the text helps */
                assert_int_equal(contract_hash(harness->contract), before);
        if (refused && state != CONTRACT_LOST) {
                expect_text(harness, contract_call_to_string(which));
                expect_text(harness, contract_state_to_string(state));
                expect_text(harness, "Release");
        }
        harness_teardown((void **) &harness);
}

static void test_C4_every_call_in_every_state(void **state) {
        (void) state;
        for (ContractCall which = CONTRACT_CALL_NONE + 1; which < _CONTRACT_CALL_MAX; which++)
                for (size_t i = 0; i < ELEMENTSOF(all_states); i++)
                        check_call(which, all_states[i]);
}

static void test_C4_bad_state_names_the_legal_calls(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        call(harness, 1, CALL(DO_SNAPSHOT_SET));
        expect(harness, "reply DoSnapshotSet BadState");
        assert_string_equal(
                harness->text,
                "DoSnapshotSet is not legal in state open. Legal now: SetBackupState, "
                "AddComponent, SetBackupOptions, SetPreviousBackupStamp, IsVolumeSupported, "
                "AddToSnapshotSet, PrepareForBackup, AbortBackup, GatherWriterStatus, GetWriterMetadata, GetWriterComponents, "
                "Cancel and Release.");
}

static void test_C4_set_context_only_once(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call_input(harness, (ContractInput){.call = CALL(SET_CONTEXT)});
        call_input(harness, (ContractInput){.call = CALL(SET_CONTEXT)});
        expect(harness, "reply SetContext ok, reply SetContext BadState");
        expect_text(harness, "set already");
}

static void test_C4_gather_only_once(void **state) {
        Harness *harness = *state;

        to_gathered(harness, 1);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        expect(harness, "reply GatherWriterMetadata BadState");
}

static void test_C4_failed_gather_may_be_called_again(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITERS,
                                      .session = 1,
                                      .error = CONTRACT_ERROR_WRITER_INFRASTRUCTURE,
                                      .text = "no bus"});
        expect(harness, "launch, reply GatherWriterMetadata WriterInfrastructure");
        expect_state(harness, 1, CONTRACT_INITIALISED);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        expect(harness, "launch");
}

static void test_C4_one_call_at_a_time(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        call(harness, 1, CALL(ADD_TO_SNAPSHOT_SET));
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        expect(harness, "step begin-prepare, reply PrepareForBackup BadState");
        expect_text(harness, "AddToSnapshotSet is still running");
        call(harness, 1, CALL(GATHER_WRITER_STATUS));
        expect(harness, "reply GatherWriterStatus ok");
        volume_prepared(harness, 1, 0, "vol0");
        expect(harness, "reply AddToSnapshotSet ok");
}

static void test_C4_what_only_notes_something_waits_too(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        forget(harness);
        call(harness, 1, CALL(SET_BACKUP_STATE));
        call(harness, 1, CALL(DISABLE_WRITERS));
        call(harness, 1, CALL(GATHER_WRITER_STATUS));
        expect(harness, "reply SetBackupState BadState, reply DisableWriters BadState, "
                        "reply GatherWriterStatus ok");
}

static void test_C4_without_writers_there_is_no_round(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call_input(harness, (ContractInput){.call = CALL(SET_CONTEXT),
                                            .context = CONTRACT_CONTEXT_FILE_SHARE_BACKUP});
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        call(harness, 1, CALL(START_SNAPSHOT_SET));
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        expect_text(harness, "has no writers");
        call(harness, 1, CALL(ADD_COMPONENT));
        call(harness, 1, CALL(BACKUP_COMPLETE));
        expect(harness,
               "reply SetContext ok, reply GatherWriterMetadata BadState, reply StartSnapshotSet ok, "
               "reply PrepareForBackup BadState, reply AddComponent BadState, "
               "reply BackupComplete BadState");
        call(harness, 1, CALL(DO_SNAPSHOT_SET));
        expect(harness, "reply DoSnapshotSet BadState");
        expect_text(harness, "AddToSnapshotSet first");
}

static void test_C4_a_backup_without_a_set(void **state) {
        Harness *harness = *state;

        to_gathered(harness, 1);
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        forget(harness);
        call(harness, 1, CALL(DO_SNAPSHOT_SET));
        expect(harness, "reply DoSnapshotSet BadState");
        expect_text(harness, "no snapshot set was started");
        call(harness, 1, CALL(BACKUP_COMPLETE));
        expect(harness, "BackupComplete>app, BackupComplete>db, BackupComplete>fs");
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_COMPLETE);
        call(harness, 1, CALL(RELEASE));
        expect(harness, "reply BackupComplete ok, BackupShutdown>app(null completed released), "
                        "BackupShutdown>db(null completed released), BackupShutdown>fs(null completed "
                        "released), signal BackupShutdown(null completed released)");
}

static void test_C4_set_not_created_forbids_backup_complete(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        call(harness, 1, CALL(BACKUP_COMPLETE));
        expect(harness, "reply BackupComplete BadState");
        expect_text(harness, "not created yet");
}

static void test_C1_a_session_is_never_used_again(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CALL(RELEASE));
        expect(harness, "reply Release ok, gone");
        call(harness, 1, CALL(SET_CONTEXT));
        expect(harness, "reply SetContext Released");
        administrator(harness, 1);
        expect(harness, "reply  ObjectNotFound");
}

static void test_C30_no_more_than_64_volumes(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 64);
        call(harness, 1, CALL(ADD_TO_SNAPSHOT_SET));
        expect(harness, "reply AddToSnapshotSet MaximumNumberOfVolumesReached");
        expect_state(harness, 1, CONTRACT_OPEN);
}

static void test_the_same_volume_twice(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 1);
        call(harness, 1, CALL(ADD_TO_SNAPSHOT_SET));
        volume_prepared(harness, 1, 1, "vol0");
        expect(harness, "step begin-prepare, reply AddToSnapshotSet ObjectAlreadyExists");
        expect_text(harness, "vol0");
        call(harness, 1, CALL(ADD_TO_SNAPSHOT_SET));
        for (size_t i = 0; i < harness->last->n_items; i++)
                if (harness->last->items[i].type == CONTRACT_EFFECT_STEP)
                        assert_int_equal(harness->last->items[i].volume, 1);
        step_fails(harness, 1, CONTRACT_STEP_BEGIN_PREPARE, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED);
        expect(harness, "step begin-prepare, reply AddToSnapshotSet VolumeNotSupported");
        expect_state(harness, 1, CONTRACT_OPEN);
}

static void test_C4_cancelled_volume_is_not_in_the_set(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 0);
        call(harness, 1, CALL(ADD_TO_SNAPSHOT_SET));
        call(harness, 1, CALL(CANCEL));
        expect(harness, "step begin-prepare, reply AddToSnapshotSet Cancelled, reply Cancel ok");
        call(harness, 1, CALL(ADD_TO_SNAPSHOT_SET)); /* waits for the step that nobody wants any more */
        expect(harness, "");
        volume_prepared(harness, 1, 0, "vol0");
        expect(harness, "step begin-prepare");
        volume_prepared(harness, 1, 0, "vol0");
        expect(harness, "reply AddToSnapshotSet ok");
        expect_state(harness, 1, CONTRACT_OPEN);

        call(harness, 1, CALL(ADD_TO_SNAPSHOT_SET));
        call(harness, 1, CALL(CANCEL));
        volume_prepared(harness, 1, 1, "vol1"); /* found, and not wanted */
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, false);
        for (size_t i = 0; i < harness->last->n_items; i++)
                if (harness->last->items[i].type == CONTRACT_EFFECT_STEP)
                        assert_int_equal(harness->last->items[i].volume, 1); /* that many are in the set */
}

static void test_is_volume_supported_is_asked_of_the_providers(void **state) {
        Harness *harness = *state;

        open_session(harness, 1);
        call(harness, 1, CALL(IS_VOLUME_SUPPORTED));
        step(harness, 1, CONTRACT_STEP_IS_VOLUME_SUPPORTED);
        call(harness, 1, CALL(IS_VOLUME_SUPPORTED));
        step_fails(harness, 1, CONTRACT_STEP_IS_VOLUME_SUPPORTED, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED);
        expect(harness, "step is-volume-supported, reply IsVolumeSupported ok, "
                        "step is-volume-supported, reply IsVolumeSupported VolumeNotSupported");
}

static void test_C4_properties_while_creating(void **state) {
        Harness *harness = *state;

        to_prepared(harness, 1, 1);
        begin_set(harness, 1, false);
        forget(harness);
        call_input(harness, (ContractInput){.call = CALL(GET_SNAPSHOT_PROPERTIES), .snapshot = SET_A});
        expect(harness, "reply GetSnapshotProperties ObjectNotFound");
        expect_text(harness, "still being made");
        finish_set(harness, 1);
        forget(harness);
        call_input(harness, (ContractInput){.call = CALL(GET_SNAPSHOT_PROPERTIES), .snapshot = SET_A});
        call_input(harness, (ContractInput){.call = CALL(GET_SNAPSHOT_PROPERTIES), .snapshot = SET_B});
        expect(harness, "reply GetSnapshotProperties ok, reply GetSnapshotProperties ObjectNotFound");
}

static void test_C4_delete_stops_at_the_first_it_cannot(void **state) {
        Harness *harness = *state;
        const ContractEffect *reply;

        to_created(harness, 1, 2);
        call_input(harness, (ContractInput){.call = CALL(DELETE_SNAPSHOTS), .snapshot = SET_A});
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                      .session = 1,
                                      .step = CONTRACT_STEP_DELETE,
                                      .error = CONTRACT_ERROR_VOLUME_BUSY,
                                      .text = "cat has it open",
                                      .n_deleted = 1,
                                      .first_left = "54ab5407-0000-0000-0000-000000000003"});
        expect(harness, "step delete, reply DeleteSnapshots VolumeBusy");
        reply = &harness->last->items[harness->last->n_items - 1];
        assert_int_equal(reply->n_deleted, 1);
        assert_string_equal(reply->first_left, "54ab5407-0000-0000-0000-000000000003");
        expect_state(harness, 1, CONTRACT_CREATED); /* C5: it does not end the session */

        call_input(harness, (ContractInput){.call = CALL(DELETE_SNAPSHOTS), .snapshot = SET_A});
        step(harness, 1, CONTRACT_STEP_DELETE);
        expect(harness, "step delete, set-removed, reply DeleteSnapshots ok");
        call_input(harness, (ContractInput){.call = CALL(DELETE_SNAPSHOTS), .snapshot = SET_A});
        expect(harness, "reply DeleteSnapshots ObjectNotFound");
}

static void test_C4_delete_one_snapshot(void **state) {
        Harness *harness = *state;
        ContractInput one = {.call = CALL(DELETE_SNAPSHOTS)};
        char id[CONTRACT_ID_MAX];

        to_open(harness, 2, 1);
        (void) snprintf(id, sizeof(id), "%s", "cccccccc-0000-0000-0000-000000000003");
        call_input(harness,
                   (ContractInput){.session = 2, .call = CALL(ADD_TO_SNAPSHOT_SET), .fresh_id = id});
        volume_prepared(harness, 2, 1, "other");
        call(harness, 2, CALL(PREPARE_FOR_BACKUP));
        answer_all(harness, 2, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 2, true);
        finish_set(harness, 2);
        expect_state(harness, 2, CONTRACT_CREATED);
        forget(harness);

        one.session = 2;
        one.snapshot = id;
        call_input(harness, one);
        for (size_t i = 0; i < harness->last->n_items; i++)
                if (harness->last->items[i].type == CONTRACT_EFFECT_STEP)
                        assert_string_equal(harness->last->items[i].snapshot, id);
        step(harness, 2, CONTRACT_STEP_DELETE);
        expect(harness, "2: step delete, 2: reply DeleteSnapshots ok"); /* the set still has one */
        call_input(harness, one);
        expect(harness, "2: reply DeleteSnapshots ObjectNotFound");
        one.call = CALL(GET_SNAPSHOT_PROPERTIES);
        call_input(harness, one);
        expect(harness, "2: reply GetSnapshotProperties ObjectNotFound");
}

static void test_C4_a_deletion_is_answered_by_its_own_step(void **state) {
        static const char *const ids[] = {"dddddddd-0000-0000-0000-000000000001",
                                          "dddddddd-0000-0000-0000-000000000002"};
        ContractInput one = {.session = 1, .call = CALL(DELETE_SNAPSHOTS)};
        Harness *harness = *state;

        to_open(harness, 1, 0);
        for (uint32_t i = 0; i < ELEMENTSOF(ids); i++) {
                call_input(harness, (ContractInput){.call = CALL(ADD_TO_SNAPSHOT_SET), .fresh_id = ids[i]});
                volume_prepared(harness, 1, i, ids[i]);
        }
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, true);
        finish_set(harness, 1);
        forget(harness);

        one.snapshot = ids[0];
        call_input(harness, one);
        call(harness, 1, CALL(CANCEL));
        expect(harness, "step delete, reply DeleteSnapshots Cancelled, reply Cancel ok");
        one.snapshot = ids[1];
        call_input(harness, one);
        step(harness, 1, CONTRACT_STEP_DELETE); /* of the first: nobody waits for it */
        expect(harness, "step delete");
        assert_string_equal(harness->last->items[harness->last->n_items - 1].snapshot, ids[1]);
        step(harness, 1, CONTRACT_STEP_DELETE);
        expect(harness, "set-removed, reply DeleteSnapshots ok");
}

/* A stopped deletion went on; the next one, which waited for it, finds nothing any more. */
static void test_C5_what_is_deleted_stays_deleted(void **state) {
        ContractInput one = {.session = 1, .call = CALL(DELETE_SNAPSHOTS), .snapshot = "only"};
        Harness *harness = *state;

        to_open(harness, 1, 0);
        call_input(harness, (ContractInput){.call = CALL(ADD_TO_SNAPSHOT_SET), .fresh_id = "only"});
        volume_prepared(harness, 1, 0, "vol0");
        call(harness, 1, CALL(PREPARE_FOR_BACKUP));
        answer_all(harness, 1, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        begin_set(harness, 1, true);
        finish_set(harness, 1);
        forget(harness);

        call_input(harness, one);
        call(harness, 1, CALL(CANCEL));
        call_input(harness, one);
        step(harness, 1, CONTRACT_STEP_DELETE);
        expect(harness,
               "step delete, reply DeleteSnapshots Cancelled, reply Cancel ok, set-removed, step delete");
        step_fails(harness, 1, CONTRACT_STEP_DELETE, CONTRACT_ERROR_OBJECT_NOT_FOUND);
        expect(harness, "reply DeleteSnapshots ObjectNotFound");
        call(harness, 1, CALL(RELEASE));
        forget(harness);
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        expect(harness, "reply Release ok, gone"); /* nothing was left to delete */
}

static void test_sessions_can_be_listed(void **state) {
        Harness *harness = *state;
        ContractSessionInfo info;
        ContractWriterInfo writer;

        open_session(harness, 1);
        open_session(harness, 2);
        open_session(harness, 3);
        vanish(harness, 2);
        assert_int_equal(contract_count_sessions(harness->contract), 2);
        assert_true(contract_get_session_at(harness->contract, 0, &info));
        assert_int_equal(info.session, 1);
        assert_true(contract_get_session_at(harness->contract, 1, &info));
        assert_int_equal(info.session, 3);
        assert_false(contract_get_session_at(harness->contract, 2, &info));
        assert_false(contract_get_session(harness->contract, 9, &info));
        assert_false(contract_get_writer(harness->contract, 1, 0, &writer));
        /* While its last effects are carried out it can still be read. */
        assert_true(contract_get_session(harness->contract, 2, &info));
        assert_int_equal(info.state, CONTRACT_RELEASED);
        call(harness, 1, CALL(CANCEL));
        assert_false(contract_get_session(harness->contract, 2, &info));
}

static void test_ids_and_names_are_bounded(void **state) {
        Harness *harness = *state;
        static const char too_long[] = "0123456789012345678901234567890123456789";
        const char *names[1025];

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                names[i] = "n";
        open_session(harness, 1);
        call_input(harness, (ContractInput){.call = CALL(DISABLE_WRITERS),
                                            .names = names,
                                            .n_names = ELEMENTSOF(names)});
        expect(harness, "reply DisableWriters LimitsExceeded");
        call_input(harness,
                   (ContractInput){.call = CALL(SET_CONTEXT), .context = CONTRACT_CONTEXT_NAS_ROLLBACK});
        call_input(harness, (ContractInput){.call = CALL(START_SNAPSHOT_SET), .fresh_id = too_long});
        call_input(harness, (ContractInput){.call = CALL(START_SNAPSHOT_SET), .fresh_id = SET_A});
        call_input(harness, (ContractInput){.call = CALL(ADD_TO_SNAPSHOT_SET), .fresh_id = too_long});
        expect(harness,
               "reply SetContext ok, reply StartSnapshotSet InvalidArgument, reply StartSnapshotSet ok, "
               "reply AddToSnapshotSet InvalidArgument");
}

static void test_C17_after_an_abort(void **state) {
        Harness *harness = *state;

        to_created(harness, 1, 1);
        call(harness, 1, CALL(ABORT_BACKUP));
        call(harness, 1, CALL(BACKUP_COMPLETE));
        call(harness, 1, CALL(SET_BACKUP_SUCCEEDED));
        call(harness, 1, CALL(DO_SNAPSHOT_SET));
        expect(harness,
               "reply AbortBackup ok, reply BackupComplete BadState, reply SetBackupSucceeded BadState, "
               "reply DoSnapshotSet BadState");
        call(harness, 1, CALL(RELEASE));
        answer_all(harness, 1, CONTRACT_EVENT_BACKUP_SHUTDOWN);
        step(harness, 1, CONTRACT_STEP_DELETE);
        assert_non_null(strstr(harness->log, "reply Release ok, gone"));
}

static void test_begin_prepare_names_set_snapshot_and_call(void **state) {
        Harness *harness = *state;
        uint64_t token;

        to_open(harness, 1, 0);
        token = call_input(harness, (ContractInput){.call = CALL(ADD_TO_SNAPSHOT_SET), .fresh_id = SET_B});
        for (size_t i = 0; i < harness->last->n_items; i++) {
                const ContractEffect *effect = &harness->last->items[i];

                if (effect->type != CONTRACT_EFFECT_STEP)
                        continue;
                assert_string_equal(effect->set_id, SET_A);
                assert_string_equal(effect->snapshot, SET_B);
                assert_int_equal(effect->token, token);
        }
        expect(harness, "step begin-prepare");
}

static void test_the_reply_tells_the_volumes_index(void **state) {
        Harness *harness = *state;

        to_open(harness, 1, 2);
        call(harness, 1, CALL(ADD_TO_SNAPSHOT_SET));
        volume_prepared(harness, 1, 2, "vol2");
        for (size_t i = 0; i < harness->last->n_items; i++)
                if (harness->last->items[i].type == CONTRACT_EFFECT_REPLY)
                        assert_int_equal(harness->last->items[i].volume, 2);
        expect(harness, "step begin-prepare, reply AddToSnapshotSet ok");
}

static void test_the_configuration_counts(void **state) {
        Harness *harness = *state;
        ContractConfig config;

        contract_config_default(&config);
        assert_int_equal(config.event_limit_usec[CONTRACT_EVENT_BACKUP_SHUTDOWN], 120 * USEC_PER_SEC);
        config.slot_idle_usec = 5 * USEC_PER_SEC;
        contract_free(harness->contract);
        assert_int_equal(contract_new(&harness->contract, &config), 0);
        harness->show_states = true;
        open_session(harness, 1);
        expect(harness, "state initialised");
        harness->show_states = false;
        to_open(harness, 2, 0);
        pass(harness, 5 * USEC_PER_SEC);
        expect_state(harness, 2, CONTRACT_FAILED);
}

static void test_a_limit_may_be_infinite(void **state) {
        Harness *harness = *state;
        ContractConfig config;

        contract_config_default(&config);
        config.event_limit_usec[CONTRACT_EVENT_IDENTIFY] = USEC_INFINITY;
        contract_free(harness->contract);
        assert_int_equal(contract_new(&harness->contract, &config), 0);
        open_session(harness, 1);
        call(harness, 1, CALL(GATHER_WRITER_METADATA));
        launched(harness, 1, &(TestWriter){.name = "app"}, 1);
        assert_int_equal(harness->n_deadlines, 1);
        assert_int_equal(harness->deadlines[0].at_usec, USEC_INFINITY);
        answer(harness, 1, APP, CONTRACT_EVENT_IDENTIFY);
        expect(harness, "launch, Identify>app, reply GatherWriterMetadata ok");
}

/* Whatever time it is: a long limit does not pass at once. */
static void test_the_slot_may_be_kept_for_ever(void **state) {
        Harness *harness = *state;
        ContractConfig config;

        contract_config_default(&config);
        config.slot_idle_usec = config.slot_idle_waited_usec = USEC_INFINITY - 1;
        contract_free(harness->contract);
        assert_int_equal(contract_new(&harness->contract, &config), 0);
        to_open(harness, 1, 0);
        assert_int_equal(harness->n_deadlines, 1);
        assert_int_equal(harness->deadlines[0].at_usec, USEC_INFINITY);
        pass(harness, 365 * 24 * 3600 * USEC_PER_SEC);
        expect_state(harness, 1, CONTRACT_OPEN);
}

/* It crossed with the end of what it answers, or of the session; only a caller is told. */
static void test_what_comes_too_late_changes_nothing(void **state) {
        Harness *harness = *state;
        uint64_t before;

        to_gathered(harness, 1);
        before = contract_hash(harness->contract);
        launched(harness, 1, &(TestWriter){.name = "app"}, 1);
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_ADMINISTRATOR_RELEASE, .session = 9});
        administrator(harness, 9);
        expect(harness, "9: reply  ObjectNotFound");
        assert_int_equal(contract_hash(harness->contract), before);
}

/* Mistakes of the machine's user, which no requester and no writer can make. */
static const ContractInput malformed[] = {
        {.type = _CONTRACT_INPUT_MAX},
        {.type = CONTRACT_INPUT_OPEN, .session = 0, .id = "x"},
        {.type = CONTRACT_INPUT_OPEN, .session = 2},
        {.type = CONTRACT_INPUT_OPEN, .session = 2, .id = "x", .context = _CONTRACT_CONTEXT_MAX},
        {.type = CONTRACT_INPUT_CALL, .session = 1},
        {.type = CONTRACT_INPUT_CALL, .session = 1, .token = 1, .call = _CONTRACT_CALL_MAX},
        {.type = CONTRACT_INPUT_CALL, .session = 1, .token = 1, .call = CALL(DISABLE_WRITERS), .n_names = 1},
        {.type = CONTRACT_INPUT_CALL,
         .session = 1,
         .token = 1,
         .call = CALL(DISABLE_WRITERS),
         .names = (const char *const[]){NULL},
         .n_names = 1},
        {.type = CONTRACT_INPUT_WRITERS, .session = 1, .n_writers = 1},
        {.type = CONTRACT_INPUT_WRITERS, .session = 1, .n_writers = CONTRACT_WRITERS_MAX + 1},
        {.type = CONTRACT_INPUT_WRITERS,
         .session = 1,
         .writers = &(const ContractWriterSpec){.name = NULL},
         .n_writers = 1},
        {.type = CONTRACT_INPUT_WRITERS,
         .session = 1,
         .writers = &(const ContractWriterSpec){.name = "w", .level = _CONTRACT_LEVEL_MAX},
         .n_writers = 1},
        {.type = CONTRACT_INPUT_WRITER_ANSWER, .session = 1, .event = _CONTRACT_EVENT_MAX},
        {.type = CONTRACT_INPUT_WRITER_ANSWER, .session = 1, .n_components = 1},
        {.type = CONTRACT_INPUT_WRITER_ANSWER,
         .session = 1,
         .components = &(const ContractComponentSpec){.logical_path = "", .name = ""},
         .n_components = 1},
        {.type = CONTRACT_INPUT_WRITER_ANSWER,
         .session = 1,
         .components = &(const ContractComponentSpec){.logical_path = NULL, .name = "c"},
         .n_components = 1},
        {.type = CONTRACT_INPUT_STEP_DONE, .session = 1, .step = _CONTRACT_STEP_MAX},
        {.type = CONTRACT_INPUT_STEP_DONE, .session = 1, .error = _CONTRACT_ERROR_MAX},
};

static void test_malformed_inputs_change_nothing(void **state) {
        Harness *harness = *state;
        const ContractEffects *effects;
        uint64_t before;

        to_open(harness, 1, 1);
        before = contract_hash(harness->contract);
        for (size_t i = 0; i < ELEMENTSOF(malformed); i++)
                if (contract_input(harness->contract, &malformed[i], &effects) != -EINVAL)
                        fail_msg("input %zu was taken", i);
        assert_int_equal(
                contract_input(harness->contract,
                               &(ContractInput){.type = CONTRACT_INPUT_OPEN, .session = 1, .id = "x"},
                               &effects),
                -EEXIST);
        assert_int_equal(contract_hash(harness->contract), before);
}

static void test_no_more_sessions_than_there_is_room_for(void **state) {
        Harness *harness = *state;
        const ContractEffects *effects;

        for (uint64_t i = 1; i <= CONTRACT_SESSIONS_MAX; i++)
                open_session(harness, i);
        assert_int_equal(
                contract_input(harness->contract,
                               &(ContractInput){.type = CONTRACT_INPUT_OPEN, .session = 9999, .id = "x"},
                               &effects),
                -ENOSPC);
        assert_int_equal(contract_count_sessions(harness->contract), CONTRACT_SESSIONS_MAX);
        vanish(harness, 7);
        open_session(harness, 9999);
        assert_int_equal(contract_count_sessions(harness->contract), CONTRACT_SESSIONS_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_C4_every_call_in_every_state),
                TEST(test_C4_bad_state_names_the_legal_calls),
                TEST(test_C4_set_context_only_once),
                TEST(test_C4_gather_only_once),
                TEST(test_C4_failed_gather_may_be_called_again),
                TEST(test_C4_one_call_at_a_time),
                TEST(test_C4_what_only_notes_something_waits_too),
                TEST(test_C4_without_writers_there_is_no_round),
                TEST(test_C4_a_backup_without_a_set),
                TEST(test_C4_set_not_created_forbids_backup_complete),
                TEST(test_C1_a_session_is_never_used_again),
                TEST(test_C30_no_more_than_64_volumes),
                TEST(test_the_same_volume_twice),
                TEST(test_C4_cancelled_volume_is_not_in_the_set),
                TEST(test_is_volume_supported_is_asked_of_the_providers),
                TEST(test_C4_properties_while_creating),
                TEST(test_C4_delete_stops_at_the_first_it_cannot),
                TEST(test_C4_delete_one_snapshot),
                TEST(test_C4_a_deletion_is_answered_by_its_own_step),
                TEST(test_C5_what_is_deleted_stays_deleted),
                TEST(test_sessions_can_be_listed),
                TEST(test_ids_and_names_are_bounded),
                TEST(test_C17_after_an_abort),
                TEST(test_begin_prepare_names_set_snapshot_and_call),
                TEST(test_the_reply_tells_the_volumes_index),
                TEST(test_the_configuration_counts),
                TEST(test_a_limit_may_be_infinite),
                TEST(test_the_slot_may_be_kept_for_ever),
                TEST(test_what_comes_too_late_changes_nothing),
                TEST(test_malformed_inputs_change_nothing),
                TEST(test_no_more_sessions_than_there_is_room_for),
        };

        return cmocka_run_group_tests_name("contract: calls", tests, NULL, NULL);
}
