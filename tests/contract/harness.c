/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Feeding the contract and reading what it does; see harness.h.
 */

#include "tests/contract/harness.h"

#include <stdio.h>

int harness_setup(void **state) {
        Harness *harness = calloc(1, sizeof(*harness));

        if (!harness)
                return -1;
        harness->now_usec = 1000 * USEC_PER_SEC;
        if (contract_new(&harness->contract, NULL) < 0) {
                free(harness);
                return -1;
        }
        *state = harness;
        return 0;
}

int harness_teardown(void **state) {
        Harness *harness = *state;

        contract_free(harness->contract);
        free(harness);
        return 0;
}

static void note_deadline(Harness *harness, const ContractEffect *effect) {
        size_t i = 0;

        while (i < harness->n_deadlines && harness->deadlines[i].id != effect->deadline)
                i++;
        if (effect->type == CONTRACT_EFFECT_DISARM) {
                assert_true(i < harness->n_deadlines);
                harness->deadlines[i] = harness->deadlines[--harness->n_deadlines];
                return;
        }
        assert_true(i == harness->n_deadlines && i < DEADLINES);
        harness->deadlines[i].id = effect->deadline;
        harness->deadlines[i].at_usec = effect->at_usec;
        harness->deadlines[i].session = effect->session;
        harness->deadlines[i].after_dark = effect->after_dark;
        harness->n_deadlines++;
}

static const char *writer_name(const Harness *harness, const ContractEffect *effect) {
        return effect->session < 4 && effect->writer < 4 ? harness->writers[effect->session][effect->writer]
                                                         : "?";
}

static const char *set_word(const char *set_id) {
        return !set_id                  ? "no-set"
               : streq(set_id, NULL_ID) ? "null"
               : streq(set_id, SET_A)   ? "A"
               : streq(set_id, SET_B)   ? "B"
                                        : set_id;
}

static void print_event(const Harness *harness, const ContractEffect *effect, char *word, size_t size) {
        bool ends = effect->event == CONTRACT_EVENT_ABORT || effect->event == CONTRACT_EVENT_BACKUP_SHUTDOWN;
        bool signal = effect->type == CONTRACT_EFFECT_SIGNAL;

        if (!signal)
                assert_true(effect->by_name == (effect->event == CONTRACT_EVENT_BACKUP_SHUTDOWN ||
                                                effect->event == CONTRACT_EVENT_SESSION_CLOSED));
        if (effect->event == CONTRACT_EVENT_SESSION_CLOSED)
                (void) snprintf(word, size, "%s>%s(%s %s)", contract_event_to_string(effect->event),
                                writer_name(harness, effect), contract_outcome_to_string(effect->outcome),
                                contract_cause_to_string(effect->cause));
        else if (ends)
                (void) snprintf(word, size, "%s%s%s%s(%s %s %s)", signal ? "signal " : "",
                                contract_event_to_string(effect->event), signal ? "" : ">",
                                signal ? "" : writer_name(harness, effect), set_word(effect->set_id),
                                contract_outcome_to_string(effect->outcome),
                                contract_cause_to_string(effect->cause));
        else
                (void) snprintf(word, size, "%s>%s", contract_event_to_string(effect->event),
                                writer_name(harness, effect));
}

static void print_state(const Harness *harness, const ContractEffect *effect, char *word, size_t size) {
        ContractSessionInfo info;

        assert_true(contract_get_session(harness->contract, effect->session, &info));
        (void) snprintf(word, size, "state %s", contract_state_to_string(info.state));
}

static void print_effect(Harness *harness, const ContractEffect *effect, char *word, size_t size) {
        switch (effect->type) {
        case CONTRACT_EFFECT_REPLY:
                if (effect->text)
                        (void) snprintf(harness->text, sizeof(harness->text), "%s", effect->text);
                (void) snprintf(word, size, "reply %s %s", contract_call_to_string(effect->call),
                                effect->error ? contract_error_to_string(effect->error) : "ok");
                break;
        case CONTRACT_EFFECT_LAUNCH_WRITERS:
                (void) snprintf(word, size, "launch");
                break;
        case CONTRACT_EFFECT_EVENT:
        case CONTRACT_EFFECT_SIGNAL:
                print_event(harness, effect, word, size);
                break;
        case CONTRACT_EFFECT_STEP:
                (void) snprintf(word, size, "step %s%s%s", contract_step_to_string(effect->step),
                                effect->auto_release ? " auto-release" : "",
                                effect->writable ? " writable" : "");
                break;
        case CONTRACT_EFFECT_DARK_BEGIN:
                (void) snprintf(word, size, "dark");
                break;
        case CONTRACT_EFFECT_DARK_END:
                (void) snprintf(word, size, "light");
                break;
        case CONTRACT_EFFECT_WINDOW_END:
                (void) snprintf(word, size, "window-end");
                break;
        case CONTRACT_EFFECT_SET_CREATED:
                (void) snprintf(word, size, "set-created %s",
                                contract_consistency_to_string(effect->consistency));
                break;
        case CONTRACT_EFFECT_SET_REMOVED:
                (void) snprintf(word, size, "set-removed");
                break;
        case CONTRACT_EFFECT_STOP_WRITER:
                (void) snprintf(word, size, "stop %s", writer_name(harness, effect));
                break;
        case CONTRACT_EFFECT_SESSION_GONE:
                (void) snprintf(word, size, "gone");
                break;
        case CONTRACT_EFFECT_STATE_CHANGED:
                print_state(harness, effect, word, size);
                break;
        default:
                fail_msg("effect %d", effect->type);
        }
}

static void log_effect(Harness *harness, const ContractEffect *effect) {
        size_t length = strlen(harness->log);
        char word[512], number[24] = "";

        if (effect->type == CONTRACT_EFFECT_ARM || effect->type == CONTRACT_EFFECT_DISARM) {
                note_deadline(harness, effect);
                return;
        }
        if (effect->type == CONTRACT_EFFECT_STATE_CHANGED && !harness->show_states)
                return;
        print_effect(harness, effect, word, sizeof(word));
        if (effect->session != 1)
                (void) snprintf(number, sizeof(number), "%u: ", (unsigned) effect->session);
        assert_true(length + strlen(word) + 32 < sizeof(harness->log));
        (void) snprintf(harness->log + length, sizeof(harness->log) - length, "%s%s%s",
                        length > 0 ? ", " : "", number, word);
}

/* One input, its effects into the log. */
void feed(Harness *harness, ContractInput input) {
        input.now_usec = harness->now_usec;
        assert_int_equal(contract_input(harness->contract, &input, &harness->last), 0);
        for (size_t i = 0; i < harness->last->n_items; i++)
                log_effect(harness, &harness->last->items[i]);
}

/* All that happened since the last time. */
void expect(Harness *harness, const char *line) {
        assert_string_equal(harness->log, line);
        harness->log[0] = '\0';
}

void forget(Harness *harness) {
        harness->log[0] = '\0';
}

/* The last error's text says this. */
void expect_text(Harness *harness, const char *part) {
        if (!strstr(harness->text, part))
                fail_msg("\"%s\" is not in \"%s\"", part, harness->text);
}

void expect_state(Harness *harness, uint64_t session, ContractState state) {
        ContractSessionInfo info;

        assert_true(contract_get_session(harness->contract, session, &info));
        assert_string_equal(contract_state_to_string(info.state), contract_state_to_string(state));
}

void expect_writer(Harness *harness, uint64_t session, uint32_t writer, ContractWriterState state,
                   ContractFailure failure) {
        ContractWriterInfo info;

        assert_true(contract_get_writer(harness->contract, session, writer, &info));
        assert_string_equal(contract_writer_state_to_string(info.state),
                            contract_writer_state_to_string(state));
        assert_string_equal(contract_failure_to_string(info.failure), contract_failure_to_string(failure));
}

void open_session(Harness *harness, uint64_t session) {
        char id[CONTRACT_ID_MAX];

        (void) snprintf(id, sizeof(id), "5e551011-0000-0000-0000-%012u", (unsigned) session);
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_OPEN, .session = session, .id = id});
}

/* A call with arguments; returns its token. */
uint64_t call_input(Harness *harness, ContractInput input) {
        input.type = CONTRACT_INPUT_CALL;
        if (input.session == 0)
                input.session = 1;
        input.token = ++harness->next_token;
        feed(harness, input);
        return input.token;
}

uint64_t call(Harness *harness, uint64_t session, ContractCall which) {
        char id[CONTRACT_ID_MAX];

        (void) snprintf(id, sizeof(id), "54ab5407-0000-0000-0000-%012u", (unsigned) harness->next_token);
        return call_input(harness, (ContractInput){
                                           .session = session,
                                           .call = which,
                                           .fresh_id = which == CONTRACT_CALL_START_SNAPSHOT_SET
                                                               ? (session == 1 ? SET_A : SET_B)
                                                               : id,
                                   });
}

void launched(Harness *harness, uint64_t session, const TestWriter *writers, size_t n) {
        ContractWriterSpec specs[4] = {};

        for (size_t i = 0; i < n; i++) {
                specs[i].name = writers[i].name;
                specs[i].level = writers[i].level;
                specs[i].available = !writers[i].unavailable;
                specs[i].text = writers[i].unavailable;
                specs[i].freeze_window_usec = writers[i].window_usec;
                specs[i].writable_snapshots = harness->db_writes && streq(writers[i].name, "db");
                (void) snprintf(harness->writers[session][i], sizeof(harness->writers[session][i]), "%s",
                                writers[i].name);
        }
        feed(harness,
             (ContractInput){
                     .type = CONTRACT_INPUT_WRITERS, .session = session, .writers = specs, .n_writers = n});
}

void answer(Harness *harness, uint64_t session, uint32_t writer, ContractEvent event) {
        veto(harness, session, writer, event, CONTRACT_FAILURE_NONE);
}

void veto(Harness *harness, uint64_t session, uint32_t writer, ContractEvent event,
          ContractFailure failure) {
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_WRITER_ANSWER,
                                      .session = session,
                                      .writer = writer,
                                      .event = event,
                                      .failure = failure,
                                      .text = failure ? "the disk is on fire" : NULL});
}

void writer_process_gone(Harness *harness, uint64_t session, uint32_t writer) {
        feed(harness,
             (ContractInput){.type = CONTRACT_INPUT_WRITER_GONE, .session = session, .writer = writer});
}

void step(Harness *harness, uint64_t session, ContractStep which) {
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                      .session = session,
                                      .step = which,
                                      .file_systems_frozen = true});
}

void step_fails(Harness *harness, uint64_t session, ContractStep which, ContractError error) {
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                      .session = session,
                                      .step = which,
                                      .error = error,
                                      .text = "the disk is full"});
}

void volume_prepared(Harness *harness, uint64_t session, uint32_t volume, const char *key) {
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_STEP_DONE,
                                      .session = session,
                                      .step = CONTRACT_STEP_BEGIN_PREPARE,
                                      .volume = volume,
                                      .key = key});
}

void vanish(Harness *harness, uint64_t session) {
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_OWNER_VANISHED, .session = session});
}

uint64_t administrator(Harness *harness, uint64_t session) {
        feed(harness, (ContractInput){.type = CONTRACT_INPUT_ADMINISTRATOR_RELEASE,
                                      .session = session,
                                      .token = ++harness->next_token});
        return harness->next_token;
}

/* Time passes; what is due is told, in order. */
void pass(Harness *harness, uint64_t usec) {
        uint64_t end_usec = harness->now_usec + usec;

        for (;;) {
                size_t first = harness->n_deadlines;

                for (size_t i = 0; i < harness->n_deadlines; i++)
                        if (harness->deadlines[i].at_usec <= end_usec &&
                            (first == harness->n_deadlines ||
                             harness->deadlines[i].at_usec < harness->deadlines[first].at_usec))
                                first = i;
                if (first == harness->n_deadlines)
                        break;
                if (harness->now_usec < harness->deadlines[first].at_usec)
                        harness->now_usec = harness->deadlines[first].at_usec;
                uint64_t id = harness->deadlines[first].id;
                harness->deadlines[first] = harness->deadlines[--harness->n_deadlines];
                feed(harness, (ContractInput){.type = CONTRACT_INPUT_DEADLINE, .deadline = id});
        }
        harness->now_usec = end_usec;
}

static const TestWriter three_writers[] = {
        {.name = "app", .level = CONTRACT_LEVEL_FRONT_END},
        {.name = "db", .level = CONTRACT_LEVEL_BACK_END},
        {.name = "fs", .level = CONTRACT_LEVEL_SYSTEM},
};

void answer_all(Harness *harness, uint64_t session, ContractEvent event) {
        for (uint32_t i = 0; i < ELEMENTSOF(three_writers); i++)
                answer(harness, session, i, event);
}

void to_gathered(Harness *harness, uint64_t session) {
        open_session(harness, session);
        call(harness, session, CONTRACT_CALL_GATHER_WRITER_METADATA);
        launched(harness, session, three_writers, ELEMENTSOF(three_writers));
        answer_all(harness, session, CONTRACT_EVENT_IDENTIFY);
        expect_state(harness, session, CONTRACT_GATHERED);
        forget(harness);
}

void to_open(Harness *harness, uint64_t session, uint32_t n_volumes) {
        char key[16];

        to_gathered(harness, session);
        call(harness, session, CONTRACT_CALL_START_SNAPSHOT_SET);
        for (uint32_t i = 0; i < n_volumes; i++) {
                (void) snprintf(key, sizeof(key), "vol%u", (unsigned) i);
                call(harness, session, CONTRACT_CALL_ADD_TO_SNAPSHOT_SET);
                volume_prepared(harness, session, i, key);
        }
        expect_state(harness, session, CONTRACT_OPEN);
        forget(harness);
}

void to_prepared(Harness *harness, uint64_t session, uint32_t n_volumes) {
        to_open(harness, session, n_volumes);
        call(harness, session, CONTRACT_CALL_PREPARE_FOR_BACKUP);
        answer_all(harness, session, CONTRACT_EVENT_PREPARE_FOR_BACKUP);
        expect_state(harness, session, CONTRACT_PREPARED);
        forget(harness);
}

void begin_set(Harness *harness, uint64_t session, bool require_writers) {
        call_input(harness, (ContractInput){.session = session,
                                            .call = CONTRACT_CALL_DO_SNAPSHOT_SET,
                                            .require_writers = require_writers});
}

void to_created(Harness *harness, uint64_t session, uint32_t n_volumes) {
        to_prepared(harness, session, n_volumes);
        begin_set(harness, session, true);
        finish_set(harness, session);
        expect_state(harness, session, CONTRACT_CREATED);
        forget(harness);
}

/* The whole of DoSnapshotSet as a list of what it waits for; the writers are the three. */
static const struct {
        ContractStep step;
        ContractEvent event;
        uint32_t writer;
} awaited[] = {
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, APP},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, DB},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, FS},
        {CONTRACT_STEP_END_PREPARE, CONTRACT_EVENT_NONE, 0},
        {CONTRACT_STEP_LOCK, CONTRACT_EVENT_NONE, 0},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_FREEZE, APP},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_FREEZE, DB},
        {CONTRACT_STEP_PRE_COMMIT, CONTRACT_EVENT_NONE, 0},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_FREEZE, FS},
        {CONTRACT_STEP_COMMIT, CONTRACT_EVENT_NONE, 0},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_THAW, FS},
        {CONTRACT_STEP_POST_COMMIT, CONTRACT_EVENT_NONE, 0},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_THAW, DB},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_THAW, APP},
        {CONTRACT_STEP_FINAL_COMMIT, CONTRACT_EVENT_NONE, 0},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_POST_SNAPSHOT, APP},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_POST_SNAPSHOT, DB},
        {CONTRACT_STEP_NONE, CONTRACT_EVENT_POST_SNAPSHOT, FS},
};

static void run_until(Harness *harness, uint64_t session, ContractStep until_step, ContractEvent until_event,
                      uint32_t until_writer) {
        for (size_t i = 0; i < ELEMENTSOF(awaited); i++) {
                bool is_step = awaited[i].step != CONTRACT_STEP_NONE;

                if (is_step ? awaited[i].step == until_step
                            : awaited[i].event == until_event && awaited[i].writer == until_writer)
                        return;
                if (is_step)
                        step(harness, session, awaited[i].step);
                else
                        answer(harness, session, awaited[i].writer, awaited[i].event);
        }
}

void to_step(Harness *harness, uint64_t session, ContractStep which) {
        run_until(harness, session, which, CONTRACT_EVENT_NONE, 0);
        forget(harness);
}

void to_freeze(Harness *harness, uint64_t session, ContractLevel level) {
        run_until(harness, session, CONTRACT_STEP_NONE, CONTRACT_EVENT_FREEZE, (uint32_t) level);
        forget(harness);
}

void to_thaw(Harness *harness, uint64_t session, ContractLevel level) {
        run_until(harness, session, CONTRACT_STEP_NONE, CONTRACT_EVENT_THAW, (uint32_t) level);
        forget(harness);
}

void to_post_snapshot(Harness *harness, uint64_t session) {
        run_until(harness, session, CONTRACT_STEP_NONE, CONTRACT_EVENT_POST_SNAPSHOT, APP);
        forget(harness);
}

void finish_set(Harness *harness, uint64_t session) {
        run_until(harness, session, CONTRACT_STEP_NONE, CONTRACT_EVENT_NONE, 0);
}
