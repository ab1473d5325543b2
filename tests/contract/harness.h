/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Feeding the contract and reading what it does, as one line of words.
 *
 * Every input helper appends what it caused to a log; expect() compares the log with a line and empties it.
 * Words: "Freeze>db" an event, "step commit", "step lock writable", "launch", "reply DoSnapshotSet ok" or "…
 * BadState", "dark" and "light", "window-end", "signal Abort …", "set-created application", "stop db",
 * "gone"; joined by ", ". What concerns another session than the first begins with its number. Armed
 * deadlines are kept, not logged; changes of state are logged only if asked for.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "contract/contract.h"
#include "contract/names.h"
#include "util/macro.h"

#define SET_A     "aaaaaaaa-0000-0000-0000-000000000001"
#define SET_B     "bbbbbbbb-0000-0000-0000-000000000002"
#define NULL_ID   "00000000-0000-0000-0000-000000000000"
#define DEADLINES 256

typedef struct Harness {
        Contract *contract;
        uint64_t now_usec, next_token;
        char log[16384];
        char text[CONTRACT_TEXT_MAX]; /* of the last reply with an error */
        char writers[4][4][32];       /* names by session and index */
        struct {
                uint64_t id, at_usec, session;
                bool after_dark;
        } deadlines[DEADLINES];
        size_t n_deadlines;
        const ContractEffects *last;
        bool show_states;
        bool db_writes; /* asks for writable snapshots */
} Harness;

typedef struct TestWriter {
        const char *name;
        ContractLevel level;
        const char *unavailable; /* why, or NULL */
        uint64_t window_usec;
} TestWriter;

int harness_setup(void **state);
int harness_teardown(void **state);

void feed(Harness *harness, ContractInput input);
void expect(Harness *harness, const char *line);
void forget(Harness *harness);
void expect_text(Harness *harness, const char *part);
void expect_state(Harness *harness, uint64_t session, ContractState state);
void expect_writer(Harness *harness, uint64_t session, uint32_t writer, ContractWriterState state,
                   ContractFailure failure);

void open_session(Harness *harness, uint64_t session);
uint64_t call(Harness *harness, uint64_t session, ContractCall call);
uint64_t call_input(Harness *harness, ContractInput input);
void launched(Harness *harness, uint64_t session, const TestWriter *writers, size_t n);
void answer(Harness *harness, uint64_t session, uint32_t writer, ContractEvent event);
void veto(Harness *harness, uint64_t session, uint32_t writer, ContractEvent event, ContractFailure failure);
void writer_process_gone(Harness *harness, uint64_t session, uint32_t writer);
void step(Harness *harness, uint64_t session, ContractStep step);
void step_fails(Harness *harness, uint64_t session, ContractStep step, ContractError error);
void volume_prepared(Harness *harness, uint64_t session, uint32_t volume, const char *key);
void vanish(Harness *harness, uint64_t session);
uint64_t administrator(Harness *harness, uint64_t session);
void pass(Harness *harness, uint64_t usec);

/* Shortcuts to a state; the log is empty afterwards. The writers are front-end "app", back-end "db" and
 * system "fs", indices 0, 1, 2; the volumes have keys "vol0", "vol1" … */
enum { APP, DB, FS };
void to_gathered(Harness *harness, uint64_t session);
void to_open(Harness *harness, uint64_t session, uint32_t n_volumes);
void to_prepared(Harness *harness, uint64_t session, uint32_t n_volumes);
void to_created(Harness *harness, uint64_t session, uint32_t n_volumes);
void answer_all(Harness *harness, uint64_t session, ContractEvent event);
void begin_set(Harness *harness, uint64_t session, bool require_writers);
/* DoSnapshotSet runs and waits for what is named: a step, or the answers to an event of one level. */
void to_step(Harness *harness, uint64_t session, ContractStep step);
void to_freeze(Harness *harness, uint64_t session, ContractLevel level);
void to_thaw(Harness *harness, uint64_t session, ContractLevel level);
void to_post_snapshot(Harness *harness, uint64_t session);
void finish_set(Harness *harness, uint64_t session);
