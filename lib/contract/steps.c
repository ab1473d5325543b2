/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Steps: what providers and the hold are asked to do, one at a time in a session.
 *
 * A step that runs LVM is not begun in another session's freeze window (C31). ABORT alone may overtake; the
 * step it overtook still answers, first, and nobody listens. A step whose call was stopped goes on as an
 * orphan: the next one waits for it.
 */

#include "contract/machine.h"

#include <assert.h>

static bool step_may_run(const Contract *contract, const Session *session) {
        return contract->window == NO_SLOT || session_in_window(contract, session);
}

/* One that failed does not freeze; what it found frozen is somebody else's. */
static bool system_writers_freeze(const Session *session) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const Writer *writer = &session->writers[i];

                if (writer->level == CONTRACT_LEVEL_SYSTEM && writer->failure == CONTRACT_FAILURE_NONE &&
                    writer_was_sent(writer, CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT))
                        return true;
        }
        return false;
}

/* C24: one that failed gets no PostSnapshot, in which it could write. */
static bool writers_want_to_write(const Session *session) {
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const Writer *writer = &session->writers[i];

                if (writer->writable_snapshots && writer->takes_part &&
                    writer->failure == CONTRACT_FAILURE_NONE)
                        return true;
        }
        return false;
}

static void step_send(Contract *contract, Session *session) {
        ContractEffect *effect = effect_add(contract, CONTRACT_EFFECT_STEP, session);

        session->step = session->step_queued;
        session->step_queued = CONTRACT_STEP_NONE;
        session->step_orphaned = false;
        session->step_begin_usec[session->step] = contract->now_usec;
        session->step_end_usec[session->step] = 0;
        effect->step = session->step;
        effect->volume =
                session->step == CONTRACT_STEP_BEGIN_PREPARE ? session->step_volume : session->n_volumes;
        effect->token = session->token;
        effect->set_id = session->set_id;
        effect->system_writers = session->step == CONTRACT_STEP_LOCK && system_writers_freeze(session);
        if (session->step == CONTRACT_STEP_LOCK)
                effect->writable = session->writable = writers_want_to_write(session);
        else if (session->step == CONTRACT_STEP_FINAL_COMMIT)
                effect->writable = session->writable && writers_want_to_write(session);
        if (session->step == CONTRACT_STEP_FINAL_COMMIT || session->step == CONTRACT_STEP_SEAL)
                effect->consistency = snapshot_set_judge(session);
        effect->auto_release = session->step == CONTRACT_STEP_DELETE && session->step_at_release;
        if (session->step == CONTRACT_STEP_BEGIN_PREPARE) {
                session->set_touched = true;
                effect->snapshot = session->new_snapshot;
        } else if (session->step == CONTRACT_STEP_DELETE) {
                text_copy(session->step_snapshot, sizeof(session->step_snapshot), session->next_snapshot);
                effect->snapshot = session->step_snapshot[0] ? session->step_snapshot : NULL;
        }
}

static void step_abort_send(Contract *contract, Session *session) {
        ContractEffect *effect = effect_add(contract, CONTRACT_EFFECT_STEP, session);

        session->abort_step_queued = false;
        session->abort_step = true;
        session->step_orphaned = true;
        effect->step = CONTRACT_STEP_ABORT;
        effect->set_id = session->set_id;
}

/**
 * step_start() - ask for a step, as soon as it may run
 * @contract:   the machine
 * @session:    whose; step_volume, next_snapshot and step_at_release say on what
 * @step:       any but ABORT
 */
void step_start(Contract *contract, Session *session, ContractStep step) {
        assert(session->step_queued == CONTRACT_STEP_NONE && step != CONTRACT_STEP_ABORT);
        session->step_queued = step;
        (void) steps_flush(contract, session);
}

/**
 * step_abort() - have all of the set removed, writes let go first
 * @contract:   the machine
 * @session:    its session
 *
 * Nothing is asked for if no provider ever was.
 */
void step_abort(Contract *contract, Session *session) {
        if (session->step_queued != CONTRACT_STEP_NONE)
                session->step_queued = CONTRACT_STEP_NONE; /* never sent */
        if (!session->set_touched || session->abort_step || session->abort_step_queued)
                return;
        session->abort_step_queued = true;
        (void) steps_flush(contract, session);
}

/**
 * steps_flush() - send what waits and may run now
 * @contract:   the machine
 * @session:    the session
 *
 * Return: whether anything was sent.
 */
bool steps_flush(Contract *contract, Session *session) {
        if (!step_may_run(contract, session))
                return false;
        if (session->abort_step_queued) {
                step_abort_send(contract, session);
                return true;
        }
        if (session->step_queued == CONTRACT_STEP_NONE || session->step != CONTRACT_STEP_NONE ||
            session->abort_step)
                return false;
        step_send(contract, session);
        return true;
}

/**
 * steps_wait() - whether any step is under way or to come
 * @session:    the session
 *
 * Return: true if so.
 */
bool steps_wait(const Session *session) {
        return session->step != CONTRACT_STEP_NONE || session->step_queued != CONTRACT_STEP_NONE ||
               session->abort_step || session->abort_step_queued;
}

/**
 * step_done() - a step has ended
 * @contract:   the machine
 * @session:    whose
 * @input:      STEP_DONE; one that was not asked for is ignored
 */
void step_done(Contract *contract, Session *session, const ContractInput *input) {
        bool orphaned = session->step_orphaned;

        if (input->step == CONTRACT_STEP_ABORT && session->abort_step) {
                session->abort_step = false;
                if (session->step == CONTRACT_STEP_IS_VOLUME_SUPPORTED)
                        return;                     /* no step of the set: it ends by itself */
                session->step = CONTRACT_STEP_NONE; /* what ABORT overtook is over as well */
                session->step_orphaned = false;
                return;
        }
        if (input->step == CONTRACT_STEP_NONE || input->step != session->step)
                return;
        session->step_end_usec[session->step] = contract->now_usec;
        session->step = CONTRACT_STEP_NONE;
        session->step_orphaned = false;

        switch (input->step) {
        case CONTRACT_STEP_IS_VOLUME_SUPPORTED:
        case CONTRACT_STEP_BEGIN_PREPARE:
                if (!orphaned)
                        volume_step_done(contract, session, input, orphaned);
                break;
        case CONTRACT_STEP_DELETE: /* what is deleted is deleted, whoever still listens */
                volume_step_done(contract, session, input, orphaned);
                break;
        default:
                if (!orphaned)
                        snapshot_set_step_done(contract, session, input);
                break;
        }
}
