/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Deadlines: the machine has no clock, it asks to be told.
 *
 * A deadline's id is made of whose it is and what it is for, so that equal states have equal ids. What is
 * armed is remembered with the time it is armed for: a message that a deadline has passed which is not armed
 * any more, or is armed for later by now, changes nothing. (A writer whose Thaw came in time can never be
 * failed by a timer that fired in the same moment.)
 */

#include "contract/machine.h"

#include <assert.h>

/**
 * contract_config_default() - C30's limits
 * @config:     filled in
 */
void contract_config_default(ContractConfig *config) {
        static const uint64_t seconds[_CONTRACT_EVENT_MAX] = {
                [CONTRACT_EVENT_IDENTIFY] = 30,
                [CONTRACT_EVENT_PREPARE_FOR_BACKUP] = 600,
                [CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT] = 600,
                [CONTRACT_EVENT_FREEZE] = 60,
                [CONTRACT_EVENT_THAW] = 60,
                [CONTRACT_EVENT_POST_SNAPSHOT] = 600,
                [CONTRACT_EVENT_BACKUP_COMPLETE] = 600,
                [CONTRACT_EVENT_ABORT] = 60,
                [CONTRACT_EVENT_BACKUP_SHUTDOWN] = 120,
                [CONTRACT_EVENT_PRE_RESTORE] = 1800,
                [CONTRACT_EVENT_POST_RESTORE] = 1800,
                [CONTRACT_EVENT_SESSION_CLOSED] = 120,
        };

        *config = (ContractConfig){
                .hold_limit_usec = 10 * USEC_PER_SEC,
                .thaw_level_delay_usec = 2 * USEC_PER_SEC,
                .slot_idle_usec = 1800 * USEC_PER_SEC,
                .slot_idle_waited_usec = 180 * USEC_PER_SEC,
        };
        for (size_t i = 0; i < _CONTRACT_EVENT_MAX; i++)
                config->event_limit_usec[i] = seconds[i] * USEC_PER_SEC;
}

static uint64_t deadline_id(const Session *session, DeadlineKind kind, uint32_t writer) {
        return (uint64_t) session->slot << 32 | (uint64_t) writer << 8 | (uint64_t) kind;
}

/* Where it is remembered; NULL: there is no such deadline. */
static uint64_t *deadline_place(Session *session, DeadlineKind kind, uint32_t writer) {
        bool of_writer = writer < session->n_writers, of_session = writer == NO_WRITER;

        switch (kind) {
        case DEADLINE_ANSWER:
                return of_writer ? &session->writers[writer].answer_due_usec : NULL;
        case DEADLINE_WINDOW:
                return of_writer ? &session->writers[writer].window_end_usec : NULL;
        case DEADLINE_LEVEL:
                return of_session ? &session->level_delay_usec : NULL;
        case DEADLINE_SLOT:
                return of_session ? &session->slot_idle_usec : NULL;
        case DEADLINE_DARK:
                return of_session ? &session->dark_guard_usec : NULL;
        default:
                return NULL;
        }
}

/**
 * deadline_after() - the time that is a limit away from now
 * @contract:       the machine
 * @limit_usec:     in µs; as long as one likes
 *
 * Return: in µs on the machine's clock, never 0.
 */
uint64_t deadline_after(const Contract *contract, uint64_t limit_usec) {
        uint64_t at_usec = usec_add(contract->now_usec, limit_usec);

        return at_usec > 0 ? at_usec : 1;
}

/**
 * deadline_arm() - ask to be told when a time has come
 * @contract:   the machine
 * @session:    whose
 * @kind:       what for
 * @writer:     index, or NO_WRITER
 * @at_usec:    when; not 0
 */
void deadline_arm(Contract *contract, Session *session, DeadlineKind kind, uint32_t writer,
                  uint64_t at_usec) {
        uint64_t *place = deadline_place(session, kind, writer);
        ContractEffect *effect;

        assert(place && at_usec > 0);
        deadline_disarm(contract, session, kind, writer);
        *place = at_usec;
        effect = effect_add(contract, CONTRACT_EFFECT_ARM, session);
        effect->deadline = deadline_id(session, kind, writer);
        effect->at_usec = at_usec;
        effect->after_dark =
                kind == DEADLINE_ANSWER && session->writers[writer].level != CONTRACT_LEVEL_SYSTEM;
}

/**
 * deadline_disarm() - ask not to be told any more
 * @contract:   the machine
 * @session:    whose
 * @kind:       what for
 * @writer:     index, or NO_WRITER
 */
void deadline_disarm(Contract *contract, Session *session, DeadlineKind kind, uint32_t writer) {
        uint64_t *place = deadline_place(session, kind, writer);
        ContractEffect *effect;

        if (!place || *place == 0)
                return;
        *place = 0;
        effect = effect_add(contract, CONTRACT_EFFECT_DISARM, session);
        effect->deadline = deadline_id(session, kind, writer);
}

/**
 * deadlines_disarm_all() - no answer is waited for any more
 * @contract:   the machine
 * @session:    the session, which neither owns the slot nor makes a set
 */
void deadlines_disarm_all(Contract *contract, Session *session) {
        assert(session->level_delay_usec == 0 && session->slot_idle_usec == 0 &&
               session->dark_guard_usec == 0);
        for (uint32_t i = 0; i < session->n_writers; i++)
                deadline_disarm(contract, session, DEADLINE_ANSWER, i);
}

static void deadline_act(Contract *contract, Session *session, DeadlineKind kind, uint32_t writer) {
        switch (kind) {
        case DEADLINE_ANSWER:
                writer_event_late(contract, session, &session->writers[writer]);
                break;
        case DEADLINE_WINDOW:
                writer_window_passed(contract, session, &session->writers[writer]);
                break;
        case DEADLINE_LEVEL:
                session->level_delay_over = true;
                break;
        case DEADLINE_SLOT:
                slot_passed(contract, session);
                break;
        case DEADLINE_DARK:
                session->dark_guard_over = true;
                break;
        }
}

/**
 * deadline_passed() - the user says that a deadline has passed
 * @contract:   the machine
 * @input:      DEADLINE
 */
void deadline_passed(Contract *contract, const ContractInput *input) {
        DeadlineKind kind = (DeadlineKind) (input->deadline & 0xff);
        uint32_t writer = (uint32_t) (input->deadline >> 8) & NO_WRITER;
        uint64_t slot = input->deadline >> 32, *place, at_usec;
        Session *session = slot < contract->n_slots ? contract->sessions[slot] : NULL;

        place = session && !session->gone ? deadline_place(session, kind, writer) : NULL;
        if (!place || *place == 0)
                return;
        at_usec = *place;
        *place = 0;
        if (contract->now_usec < at_usec)
                deadline_arm(contract, session, kind, writer, at_usec); /* too early */
        else
                deadline_act(contract, session, kind, writer);
}
