/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Steps: each is a row of stages, and each stage a function that is called again whenever something happened
 * until it says that it is done. Answers leave through an outbox, from the event loop.
 *
 * ABORT and DELETE go on after a failure, because what is left must go; the first failure is what is told.
 */

#include <assert.h>
#include <stdarg.h>

#include "contract/names.h"
#include "daemon/providers/mapped.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/failpoint.h"
#include "util/log.h"

#define STAGES_MAX 6u

typedef struct Stage {
        StageResult (*run)(SnapshotSet *set);
        ProviderPhase phase; /* if run is NULL */
        const char *name;    /* for failpoints */
        bool is_last;
} Stage;

static void on_gate_closed(void *userdata) {
        SnapshotSet *set = userdata;

        set->gate_closed = true;
        step_advance(set);
}

static void on_dm_gate_closed(void *userdata) {
        SnapshotSet *set = userdata;

        set->dm_gate_closed = true;
        step_advance(set);
}

static StageResult stage_close_gate(SnapshotSet *set) {
        Provider *dm = set->sets->dm_provider;

        if (!set->stage_entered) {
                set->stage_entered = true;
                set->gate_closed = false;
                set->dm_gate_closed = !dm || provider_dm_close_gate(dm, on_dm_gate_closed, set);
                if (lvm_gate_close(set->sets->lvm, on_gate_closed, set) < 0) {
                        step_fail(set, CONTRACT_ERROR_UNEXPECTED, "Out of memory.");
                        return STAGE_DONE;
                }
        }
        /* What gives its room back to a pool holds up all I/O of that pool, and is told of when it is over.
         */
        return set->gate_closed && set->dm_gate_closed && !space_is_dropping(set->sets) ? STAGE_DONE
                                                                                        : STAGE_WAIT;
}

/* The operations of the step that was overtaken. */
static StageResult stage_settle(SnapshotSet *set) {
        return set->n_operations > 0 ? STAGE_WAIT : STAGE_DONE;
}

#define PHASE(p) \
        { .phase = PROVIDER_##p, .name = #p }
#define STAGE(f) \
        { .run = f, .name = #f }

static const Stage stages[_CONTRACT_STEP_MAX][STAGES_MAX + 1] = {
        [CONTRACT_STEP_IS_VOLUME_SUPPORTED] = {PHASE(BEGIN_PREPARE), {.is_last = true}},
        [CONTRACT_STEP_BEGIN_PREPARE] = {PHASE(BEGIN_PREPARE), STAGE(stage_open_mounts), {.is_last = true}},
        [CONTRACT_STEP_END_PREPARE] = {STAGE(stage_check_together), PHASE(END_PREPARE), {.is_last = true}},
        [CONTRACT_STEP_LOCK] = {STAGE(stage_close_gate),
                                PHASE(LOCK),
                                STAGE(stage_check_mounts),
                                STAGE(stage_journal_write),
                                STAGE(stage_hold_lock),
                                {.is_last = true}},
        [CONTRACT_STEP_PRE_COMMIT] = {PHASE(PRE_COMMIT),
                                      STAGE(stage_hold_pre_commit),
                                      STAGE(stage_set_moment),
                                      {.is_last = true}},
        [CONTRACT_STEP_COMMIT] = {PHASE(COMMIT), STAGE(stage_hold_commit), {.is_last = true}},
        [CONTRACT_STEP_POST_COMMIT] = {STAGE(stage_hold_end), PHASE(POST_COMMIT), {.is_last = true}},
        [CONTRACT_STEP_FINAL_COMMIT] = {STAGE(stage_journal_remove),
                                        PHASE(PRE_FINAL_COMMIT),
                                        PHASE(POST_FINAL_COMMIT),
                                        STAGE(stage_probe),
                                        STAGE(stage_open_writable),
                                        {.is_last = true}},
        [CONTRACT_STEP_SEAL] = {STAGE(stage_seal), PHASE(SEAL), {.is_last = true}},
        [CONTRACT_STEP_ABORT] = {STAGE(stage_hold_abort),
                                 STAGE(stage_close_writable),
                                 STAGE(stage_settle),
                                 STAGE(stage_journal_remove),
                                 PHASE(ABORT),
                                 {.is_last = true}},
        [CONTRACT_STEP_DELETE] = {STAGE(stage_delete), {.is_last = true}},
};

/**
 * step_failed() - whether the running step has failed already
 * @set:        the set
 *
 * Return: true if so.
 */
bool step_failed(const SnapshotSet *set) {
        return set->answer.error != CONTRACT_OK;
}

/**
 * step_fail() - note that the running step fails
 * @set:        the set
 * @error:      not OK
 * @format:     for people, as printf(3); the first failure is the one told
 */
void step_fail(SnapshotSet *set, ContractError error, const char *format, ...) {
        va_list ap;

        assert(error != CONTRACT_OK);
        if (step_failed(set) || set->step == CONTRACT_STEP_NONE)
                return;
        set->answer.error = error;
        va_start(ap, format);
        (void) vsnprintf(set->answer.text, sizeof(set->answer.text), format, ap);
        va_end(ap);
}

static int on_deliver(sd_event_source *source, void *userdata) {
        SnapshotSet *set = userdata;

        while (set->n_outbox > 0) {
                StepAnswer answer = set->outbox[0];
                StepResult result = {.error = answer.error,
                                     .text = answer.text[0] ? answer.text : NULL,
                                     .key = answer.key,
                                     .file_systems_frozen = answer.file_systems_frozen,
                                     .n_deleted = answer.n_deleted,
                                     .first_left = answer.first_left,
                                     .need = &set->need};

                set->outbox[0] = set->outbox[1];
                set->n_outbox--;
                answer.done(set->is_question ? NULL : set, answer.step, answer.volume, &result,
                            answer.userdata);
                if (set->is_question)
                        set->is_over = true;
        }
        snapshot_set_reap(set);
        return 0;
}

/**
 * outbox_new() - what a set needs to answer
 * @set:        the set
 *
 * Made once, so that answering allocates nothing.
 *
 * Return: 0, or a negative errno.
 */
int outbox_new(SnapshotSet *set) {
        int r;

        r = sd_event_add_defer(set->sets->event, &set->deliver_source, on_deliver, set);
        if (r < 0)
                return error_trace(r);
        return error_trace(sd_event_source_set_enabled(set->deliver_source, SD_EVENT_OFF));
}

static void outbox_put(SnapshotSet *set, const StepAnswer *answer) {
        assert(set->n_outbox < ELEMENTSOF(set->outbox));
        set->outbox[set->n_outbox++] = *answer;
        (void) sd_event_source_set_enabled(set->deliver_source, SD_EVENT_ONESHOT);
}

/* What could not be removed is tried again later. */
static void abort_end(SnapshotSet *set) {
        set->is_over = true;
        for (size_t i = 0; i < set->n_volumes; i++)
                if (set->volumes[i]->state != SNAPSHOT_GONE)
                        set->volumes[i]->state = SNAPSHOT_DELETING;
        delete_linger(set);
}

static void step_end(SnapshotSet *set) {
        log_debug("set %s: step %s has ended%s", set->given.id, contract_step_to_string(set->step),
                  step_failed(set) ? " with a failure" : "");
        if (set->step == CONTRACT_STEP_BEGIN_PREPARE || set->step == CONTRACT_STEP_IS_VOLUME_SUPPORTED)
                prepare_end(set);
        else if (set->step == (set->given.writable ? CONTRACT_STEP_SEAL : CONTRACT_STEP_FINAL_COMMIT) &&
                 !step_failed(set))
                snapshot_set_note_created(set);
        else if (set->step == CONTRACT_STEP_ABORT)
                abort_end(set);
        else if (set->step == CONTRACT_STEP_DELETE) {
                set->is_over = snapshot_set_is_gone(set);
                delete_linger(set);
        }
        set->step = CONTRACT_STEP_NONE;
        outbox_put(set, &set->answer);
}

static bool step_goes_on(const SnapshotSet *set) {
        return set->step == CONTRACT_STEP_ABORT || set->step == CONTRACT_STEP_DELETE || !step_failed(set);
}

/* After a stage, before the next begins. */
static void stage_failpoint(SnapshotSet *set, const Stage *stage) {
        char place[96];
        int r;

        (void) snprintf(place, sizeof(place), "quiesced.%s.%s", contract_step_to_string(set->step),
                        stage->name);
        r = failpoint(place);
        if (r < 0)
                step_fail(set, CONTRACT_ERROR_UNEXPECTED, "Failpoint %s: %s.", place, strerror(-r));
}

/**
 * step_advance() - something has happened that a stage may have waited for
 * @set:        the set
 *
 * Callbacks that come while a stage is being run are taken in by that run.
 */
void step_advance(SnapshotSet *set) {
        if (set->advancing) {
                set->advance_again = true;
                return;
        }
        set->advancing = true;
        while (set->step != CONTRACT_STEP_NONE) {
                const Stage *stage = &stages[set->step][set->stage];
                StageResult result;

                if (stage->is_last || !step_goes_on(set)) {
                        step_end(set);
                        break;
                }
                set->advance_again = false;
                result = stage->run ? stage->run(set) : phase_run(set, stage->phase);
                if (result == STAGE_DONE) {
                        if (ENABLE_FAILPOINTS)
                                stage_failpoint(set, stage);
                        set->stage++;
                        set->stage_entered = false;
                } else if (!set->advance_again)
                        break;
        }
        set->advancing = false;
}

/* ABORT overtakes: the running step is answered before it. */
static void step_overtake(SnapshotSet *set) {
        set->answer.error = CONTRACT_ERROR_ABORTED;
        (void) snprintf(set->answer.text, sizeof(set->answer.text),
                        "The step %s was stopped because the snapshot set is given up.",
                        contract_step_to_string(set->step));
        outbox_put(set, &set->answer);
        set->step = CONTRACT_STEP_NONE;
        set->only = NULL;
        phase_cancel(set);
}

/**
 * step_prepare() - begin a step without running its first stage yet
 * @set:        the set, with no step running unless @step is ABORT
 * @step:       which
 * @volume:     comes back in the answer
 * @done:       answered once, from the event loop
 * @userdata:   for @done
 *
 * To be followed by step_advance().
 */
void step_prepare(SnapshotSet *set, ContractStep step, uint32_t volume, StepDone done, void *userdata) {
        assert(done && step > CONTRACT_STEP_NONE && step < _CONTRACT_STEP_MAX);
        if (set->step != CONTRACT_STEP_NONE) {
                assert(step == CONTRACT_STEP_ABORT);
                step_overtake(set);
        }
        set->answer = (StepAnswer){.done = done, .userdata = userdata, .step = step, .volume = volume};
        set->step = step;
        set->stage = 0;
        set->stage_entered = false;
}

/**
 * step_begin() - begin a step
 * @set:        as for step_prepare()
 * @step:       likewise
 * @volume:     likewise
 * @done:       likewise
 * @userdata:   likewise
 */
void step_begin(SnapshotSet *set, ContractStep step, uint32_t volume, StepDone done, void *userdata) {
        log_debug("set %s: step %s begins", set->given.id, contract_step_to_string(step));
        step_prepare(set, step, volume, done, userdata);
        step_advance(set);
}
