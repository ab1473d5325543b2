/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * DoSnapshotSet: the sequence (C6–C8).
 *
 * The table below is the sequence. A stage sends its event to the writers of its levels that are still in it
 * and asks for its step, both at once; it is left when all have answered (or are late) and the step is done.
 * A stage without writers takes no time; in a set without volumes the steps are skipped. What goes wrong
 * leaves the table for abort.c.
 */

#include "contract/machine.h"

#include "contract/names.h"

#include <assert.h>
#include <stdio.h>

typedef enum StageFlag {
        STAGE_OPENS_WINDOW = 1 << 0,  /* on entering: others keep still (C31) */
        STAGE_BEGINS_DARK = 1 << 1,   /* on entering, if every window still has the hold limit left (C8) */
        STAGE_ENDS_DARK = 1 << 2,     /* on leaving */
        STAGE_CLOSES_WINDOW = 1 << 3, /* on leaving; waits for every Thaw and Abort of any level */
        STAGE_NEXT_IN_TIME = 1 << 4,  /* C7: the next level's Thaw waits no longer than the level delay */
        STAGE_IF_WRITABLE = 1 << 5,   /* C24: of a set that was made so that writers can write into it */
} StageFlag;

typedef struct Stage {
        const char *phase; /* for the progress display */
        uint32_t percent;
        ContractEvent event;
        unsigned levels;
        ContractStep step;
        unsigned flags;
} Stage;

#define FRONT_END (1u << CONTRACT_LEVEL_FRONT_END)
#define BACK_END  (1u << CONTRACT_LEVEL_BACK_END)
#define SYSTEM    (1u << CONTRACT_LEVEL_SYSTEM)

enum { STAGE_COMMIT = 6 };

/* clang-format off */
static const Stage stages[] = {
        { "prepare-for-snapshot",  0, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT, ALL_LEVELS, CONTRACT_STEP_END_PREPARE, 0 },
        { "lock",                 40, CONTRACT_EVENT_NONE,          0,          CONTRACT_STEP_LOCK, STAGE_OPENS_WINDOW },
        { "freeze",               50, CONTRACT_EVENT_FREEZE,        FRONT_END,  CONTRACT_STEP_NONE, 0 },
        { "freeze",               55, CONTRACT_EVENT_FREEZE,        BACK_END,   CONTRACT_STEP_NONE, 0 },
        { "flush",                60, CONTRACT_EVENT_NONE,          0,          CONTRACT_STEP_PRE_COMMIT, 0 },
        { "freeze",               65, CONTRACT_EVENT_FREEZE,        SYSTEM,     CONTRACT_STEP_NONE, STAGE_BEGINS_DARK },
        { "commit",               70, CONTRACT_EVENT_NONE,          0,          CONTRACT_STEP_COMMIT, 0 },
        { "thaw",                 72, CONTRACT_EVENT_THAW,          SYSTEM,     CONTRACT_STEP_NONE, STAGE_ENDS_DARK | STAGE_NEXT_IN_TIME },
        { "post-commit",          74, CONTRACT_EVENT_NONE,          0,          CONTRACT_STEP_POST_COMMIT, 0 },
        { "thaw",                 76, CONTRACT_EVENT_THAW,          BACK_END,   CONTRACT_STEP_NONE, STAGE_NEXT_IN_TIME },
        { "thaw",                 78, CONTRACT_EVENT_THAW,          FRONT_END,  CONTRACT_STEP_NONE, STAGE_CLOSES_WINDOW },
        { "final-commit",         80, CONTRACT_EVENT_NONE,          0,          CONTRACT_STEP_FINAL_COMMIT, 0 },
        { "post-snapshot",        90, CONTRACT_EVENT_POST_SNAPSHOT, ALL_LEVELS, CONTRACT_STEP_NONE, 0 },
        { "seal",                 95, CONTRACT_EVENT_NONE,          0,          CONTRACT_STEP_SEAL, STAGE_IF_WRITABLE },
};
/* clang-format on */

/**
 * snapshot_set_phase() - where DoSnapshotSet is
 * @session:    in PHASE_SEQUENCE
 *
 * Return: a static word.
 */
const char *snapshot_set_phase(const Session *session) {
        return stages[session->stage].phase;
}

/**
 * snapshot_set_progress() - how far DoSnapshotSet is
 * @session:    in PHASE_SEQUENCE
 *
 * Return: percent.
 */
uint32_t snapshot_set_progress(const Session *session) {
        return stages[session->stage].percent;
}

/* What a veto of a required writer is answered with. */
static void snapshot_set_veto(Contract *contract, Session *session, const Writer *writer) {
        char text[CONTRACT_TEXT_MAX];

        (void) snprintf(
                text, sizeof(text),
                "DoSnapshotSet: writer %s %s (%s)%s%.200s. The set was given up because all writers are "
                "required; mend the writer, or except it by name.",
                writer->name, contract_writer_state_to_string(writer->state),
                contract_failure_to_string(writer->failure), writer->text[0] ? ": " : "", writer->text);
        session_give_up(contract, session, ABORT_BY_COORDINATOR, CONTRACT_ERROR_WRITER_VETO, text);
}

/**
 * snapshot_set_begin() - DoSnapshotSet
 * @contract:   the machine
 * @session:    the session
 * @input:      the call, legal in this state; names are excepted from require_writers
 */
void snapshot_set_begin(Contract *contract, Session *session, const ContractInput *input) {
        if (!session_has_writers(session) && session->n_volumes == 0) {
                effect_reply(
                        contract, session, input->call, input->token, CONTRACT_ERROR_BAD_STATE,
                        "DoSnapshotSet is not legal for a set without volumes and without writers: there is "
                        "nothing to do. Add a volume with AddToSnapshotSet first.");
                return;
        }
        for (uint32_t i = 0; i < session->n_writers; i++)
                for (size_t j = 0; j < input->n_names; j++)
                        if (streq(session->writers[i].name, input->names[j]))
                                session->writers[i].excepted = true;
        session->require_writers = session->require_writers || input->require_writers;
        session->hold_limit_usec =
                input->hold_limit_usec > 0 ? input->hold_limit_usec : contract->config.hold_limit_usec;

        call_begin(session, input, PHASE_SEQUENCE);
        session_set_state(session, CONTRACT_CREATING);
        /* C14: after a veto in PrepareForBackup no event of the set is sent, not even Abort. */
        session->sequence_begun = !writers_find_veto(session);
}

static void stage_enter(Contract *contract, Session *session, const Stage *stage) {
        session->stage_entered = true;
        session->level_delay_over = false;
        session->changed = true;
        if (stage->flags & STAGE_OPENS_WINDOW)
                window_begin(contract, session);
        if (stage->flags & STAGE_BEGINS_DARK)
                dark_begin(contract, session);
        if (stage->step != CONTRACT_STEP_NONE && session->n_volumes > 0)
                step_start(contract, session, stage->step);
        if (stage->event != CONTRACT_EVENT_NONE)
                events_send_to_all(contract, session, stage->event, stage->levels);
        if ((stage->flags & STAGE_NEXT_IN_TIME) && events_wait(session, stage->event, stage->levels))
                deadline_arm(contract, session, DEADLINE_LEVEL, NO_WRITER,
                             deadline_after(contract, contract->config.thaw_level_delay_usec));
}

static bool stage_is_complete(const Session *session, const Stage *stage) {
        if (steps_wait(session))
                return false;
        if (stage->flags & STAGE_CLOSES_WINDOW)
                return !events_in_flight(session);
        if ((stage->flags & STAGE_NEXT_IN_TIME) && session->level_delay_over)
                return true;
        /* A system writer that failed may have frozen file systems; nothing is committed over them. */
        if ((stage->flags & STAGE_BEGINS_DARK) && events_wait(session, CONTRACT_EVENT_ABORT, stage->levels))
                return false;
        return stage->event == CONTRACT_EVENT_NONE || !events_wait(session, stage->event, stage->levels);
}

static bool stage_is_last(const Session *session) {
        unsigned next = session->stage + 1;

        return next == ELEMENTSOF(stages) ||
               ((stages[next].flags & STAGE_IF_WRITABLE) && !session->writable);
}

static void stage_leave(Contract *contract, Session *session, const Stage *stage) {
        deadline_disarm(contract, session, DEADLINE_LEVEL, NO_WRITER);
        if (stage->flags & STAGE_ENDS_DARK)
                dark_end(contract, session);
        if (stage->flags & STAGE_CLOSES_WINDOW)
                window_end(contract, session);
        session->stage++;
        session->stage_entered = false;
}

/**
 * snapshot_set_judge() - what the set is good for (C14)
 * @session:    the session, its volumes committed
 *
 * Return: application only if every writer that takes part did all it was asked to so far.
 */
ContractConsistency snapshot_set_judge(const Session *session) {
        bool application = false;

        for (uint32_t i = 0; i < session->n_writers; i++) {
                const Writer *writer = &session->writers[i];

                if (!writer->takes_part)
                        continue;
                application = writer->failure == CONTRACT_FAILURE_NONE;
                if (!application)
                        break;
        }
        if (application)
                return CONTRACT_CONSISTENCY_APPLICATION;
        return session->frozen_by_commit ? CONTRACT_CONSISTENCY_FILE_SYSTEM : CONTRACT_CONSISTENCY_CRASH;
}

static void snapshot_set_finish(Contract *contract, Session *session) {
        ContractEffect *effect;

        session->consistency = snapshot_set_judge(session);
        session->set_created = true;
        session_set_state(session, CONTRACT_CREATED);
        effect = effect_add(contract, CONTRACT_EFFECT_SET_CREATED, session);
        effect->set_id = session->set_id;
        effect->consistency = session->consistency;
        slot_leave(contract, session);
        call_end(contract, session, CONTRACT_OK, NULL);
}

/**
 * snapshot_set_check() - whether a writer has made the coordinator fail
 * @contract:   the machine
 * @session:    in PHASE_SEQUENCE
 *
 * Vetoes count until the volumes are committed; a window too short is looked for before the dark (C8).
 *
 * Return: true if the set was given up.
 */
bool snapshot_set_check(Contract *contract, Session *session) {
        const Stage *stage = &stages[session->stage];
        const Writer *writer = session->stage < STAGE_COMMIT ? writers_find_veto(session) : NULL;
        char text[CONTRACT_TEXT_MAX];

        if (writer) {
                snapshot_set_veto(contract, session, writer);
                return true;
        }
        if (!(stage->flags & STAGE_BEGINS_DARK) || session->stage_entered || session->n_volumes == 0)
                return false;
        writer = window_find_short(contract, session);
        if (!writer)
                return false;
        (void) snprintf(
                text, sizeof(text),
                "DoSnapshotSet: the freeze window of writer %s has less than %llu s left, which is what "
                "holding writes may take; nothing was held and the set was given up. Let it ask for a "
                "longer window, or find what made freezing slow.",
                writer->name, (unsigned long long) (session->hold_limit_usec / USEC_PER_SEC));
        session_give_up(contract, session, ABORT_BY_COORDINATOR, CONTRACT_ERROR_WRITER_TIMEOUT, text);
        return true;
}

/**
 * snapshot_set_advance() - the next move of DoSnapshotSet
 * @contract:   the machine
 * @session:    in PHASE_SEQUENCE
 *
 * Return: whether anything moved.
 */
bool snapshot_set_advance(Contract *contract, Session *session) {
        const Stage *stage = &stages[session->stage];

        static_assert(ELEMENTSOF(stages) > STAGE_COMMIT, "the sequence has a commit");
        assert(stages[STAGE_COMMIT].step == CONTRACT_STEP_COMMIT);
        if (!session->stage_entered) {
                stage_enter(contract, session, stage);
                return true;
        }
        if (!stage_is_complete(session, stage))
                return false;
        if (stage_is_last(session))
                snapshot_set_finish(contract, session);
        else
                stage_leave(contract, session, stage);
        return true;
}

/**
 * snapshot_set_step_done() - a step of the sequence has ended
 * @contract:   the machine
 * @session:    in PHASE_SEQUENCE
 * @input:      STEP_DONE
 */
void snapshot_set_step_done(Contract *contract, Session *session, const ContractInput *input) {
        assert(session->phase == PHASE_SEQUENCE);
        if (input->error != CONTRACT_OK) {
                session_give_up(contract, session, ABORT_BY_COORDINATOR, input->error, input->text);
                return;
        }
        if (input->step == CONTRACT_STEP_COMMIT)
                session->frozen_by_commit = input->file_systems_frozen;
}
