/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The freeze window and the dark, of which there is at most one on the machine at a time.
 *
 * Window: no LVM command of ours, no writer started, no event of another session to its writers (C31). Dark:
 * only private sockets and the hold. Both are states of the machine, not of a session, because they bind
 * all.
 */

#include "contract/machine.h"

#include <assert.h>

/**
 * window_begin() - others keep still from here
 * @contract:   the machine
 * @session:    owner of the creation slot
 */
void window_begin(Contract *contract, Session *session) {
        assert(contract->window == NO_SLOT);
        contract->window = session->slot;
}

/**
 * window_end() - every Thaw and every Abort is answered or late
 * @contract:   the machine
 * @session:    whose window it is
 */
void window_end(Contract *contract, Session *session) {
        assert(session_in_window(contract, session) && !contract->dark);
        contract->window = NO_SLOT;
        if (session->freeze_begin_usec != 0) /* somebody was sent Freeze */
                session->freeze_end_usec = contract->now_usec;
        (void) effect_add(contract, CONTRACT_EFFECT_WINDOW_END, session);
}

/**
 * dark_begin() - the first Freeze at level system is about to be sent
 * @contract:   the machine
 * @session:    whose window it is
 */
void dark_begin(Contract *contract, Session *session) {
        assert(session_in_window(contract, session) && !contract->dark);
        if (session->changed) /* what happened until now may still be told */
                effect_state_changed(contract, session);
        (void) effect_add(contract, CONTRACT_EFFECT_DARK_BEGIN, session);
        contract->dark = true;
        session->dark_begin_usec = contract->now_usec;
}

/**
 * dark_end() - writes flow again: what was kept back goes out
 * @contract:   the machine
 * @session:    whose window it is
 */
void dark_end(Contract *contract, Session *session) {
        assert(session_in_window(contract, session) && contract->dark);
        deadline_disarm(contract, session, DEADLINE_DARK, NO_WRITER);
        contract->dark = false;
        session->dark_end_usec = contract->now_usec;
        (void) effect_add(contract, CONTRACT_EFFECT_DARK_END, session);
        effect_flush(contract);
}

/**
 * window_find_short() - the writer whose freeze window does not have the hold limit left (C8)
 * @contract:   the machine
 * @session:    about to enter the dark; the hold is armed, and ends after the hold limit at the latest
 *
 * Looked at here, not at COMMIT: a hold begins with the first write held, and file systems are frozen first.
 * Those about to be frozen count with their whole window.
 *
 * Return: the writer, or NULL.
 */
const Writer *window_find_short(const Contract *contract, const Session *session) {
        uint64_t hold_usec = session->hold_limit_usec;

        for (uint32_t i = 0; i < session->n_writers; i++) {
                const Writer *writer = &session->writers[i];

                if (writer->failure != CONTRACT_FAILURE_NONE || !writer->takes_part)
                        continue;
                if (writer->frozen && writer->window_end_usec > 0 &&
                    writer->window_end_usec < deadline_after(contract, hold_usec))
                        return writer;
                if (!writer->frozen && writer->level == CONTRACT_LEVEL_SYSTEM && writer->wish_usec > 0 &&
                    writer->wish_usec < hold_usec)
                        return writer;
        }
        return NULL;
}
