/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GatherWriterMetadata: writers are started, each is sent Identify.
 *
 * The answer tells the machine only where a writer's components lie (C9); the metadata documents themselves
 * stay with the machine's user. A gather that was cancelled leaves answers on their way; the next one waits
 * for them (C12), since both use the same indices.
 */

#include "contract/machine.h"

#define TEXT_GATHER "GatherWriterMetadata: the writers could not be started"

/**
 * writer_is_enabled() - whether a session wants a writer
 * @session:    the session
 * @name:       the writer's
 *
 * Return: as EnableWriters and DisableWriters say.
 */
bool writer_is_enabled(const Session *session, const char *name) {
        for (uint32_t i = 0; i < session->n_names; i++)
                if (streq(session->names[i], name))
                        return session->names_enabled;
        return !session->names_enabled;
}

/**
 * gather_begin() - GatherWriterMetadata
 * @contract:   the machine
 * @session:    the session
 * @input:      the call, legal in this state
 */
void gather_begin(Contract *contract, Session *session, const ContractInput *input) {
        call_begin(session, input, PHASE_DRAIN);
}

static void gather_launch(Contract *contract, Session *session) {
        ContractEffect *effect;

        session->writers = (free(session->writers), NULL);
        session->n_writers = session->n_places = session->n_components = 0;
        for (uint32_t i = 0; i < session->n_names; i++)
                session->name_pointers[i] = session->names[i];
        session->launching = true;
        session_set_phase(session, PHASE_LAUNCH);
        effect = effect_add(contract, CONTRACT_EFFECT_LAUNCH_WRITERS, session);
        effect->names = session->name_pointers;
        effect->n_names = session->n_names;
        effect->names_enabled = session->names_enabled;
}

/**
 * writers_fill() - the records of a session's writers
 * @session:    the session, which takes @writers over
 * @writers:    zeroed memory for them
 * @input:      WRITERS or RECOVERED
 */
void writers_fill(Session *session, Writer *writers, const ContractInput *input) {
        session->writers = writers;
        session->n_writers = (uint32_t) input->n_writers;
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const ContractWriterSpec *spec = &input->writers[i];
                Writer *writer = &writers[i];

                text_copy(writer->name, sizeof(writer->name), spec->name);
                writer->level = spec->level;
                writer->wish_usec = spec->freeze_window_usec;
                writer->writable_snapshots = spec->writable_snapshots;
                writer->state = CONTRACT_WRITER_STABLE;
                writer->enabled = writer_is_enabled(session, spec->name);
        }
}

/**
 * gather_writers() - the answer to LAUNCH_WRITERS
 * @contract:   the machine
 * @session:    the session
 * @input:      WRITERS
 *
 * Return: 0, or -ENOMEM.
 */
int gather_writers(Contract *contract, Session *session, const ContractInput *input) {
        Writer *writers = NULL;

        if (!session->launching)
                return 0;
        if (session->phase != PHASE_LAUNCH) { /* that gather was stopped */
                session->launching = false;
                return 0;
        }
        if (input->error == CONTRACT_OK && input->n_writers > 0) {
                writers = calloc(input->n_writers, sizeof(*writers));
                if (!writers)
                        return -ENOMEM;
        }
        session->launching = false;
        if (input->error != CONTRACT_OK) {
                call_end(contract, session, input->error,
                         input->text && input->text[0] ? input->text : TEXT_GATHER ". Try again.");
                return 0;
        }
        writers_fill(session, writers, input);
        session_set_phase(session, PHASE_IDENTIFY);
        for (uint32_t i = 0; i < session->n_writers; i++) {
                const ContractWriterSpec *spec = &input->writers[i];

                if (!writers[i].enabled)
                        continue;
                if (spec->available)
                        event_request(contract, session, &writers[i], CONTRACT_EVENT_IDENTIFY);
                else
                        writer_fail(session, &writers[i], CONTRACT_EVENT_IDENTIFY,
                                    CONTRACT_FAILURE_NOT_RESPONDING, spec->text);
        }
        return 0;
}

/**
 * gather_advance() - the next move of a gather
 * @contract:   the machine
 * @session:    the session
 *
 * Return: whether anything moved.
 */
bool gather_advance(Contract *contract, Session *session) {
        switch (session->phase) {
        case PHASE_DRAIN:
                /* C31: no writer is started in anybody's freeze window. */
                if (session->launching || events_in_flight(session) || contract->window != NO_SLOT)
                        return false;
                gather_launch(contract, session);
                return true;
        case PHASE_IDENTIFY:
                if (events_in_flight(session))
                        return false;
                session_set_state(session, CONTRACT_GATHERED);
                call_end(contract, session, CONTRACT_OK, NULL);
                return true;
        default:
                return false;
        }
}
