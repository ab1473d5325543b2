/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calls that only note something: context, enabled writers, backup state; and those that only read.
 */

#include "contract/machine.h"

#define NAMES_MAX 1024u

/**
 * session_reserve() - memory that an input will need, before anything is changed
 * @session:    the session
 * @input:      the input
 *
 * Return: 0, or -ENOMEM.
 */
int session_reserve(Session *session, const ContractInput *input) {
        uint32_t allocated = session->names_allocated;
        int r;

        if (input->type == CONTRACT_INPUT_CALL && input->call == CONTRACT_CALL_ADD_TO_SNAPSHOT_SET)
                return session_grow((void **) &session->volumes, &session->volumes_allocated,
                                    sizeof(session->volumes[0]), session->n_volumes + 1);
        if (input->type == CONTRACT_INPUT_WRITER_ANSWER) {
                r = components_reserve(session, input);
                if (r < 0 || input->event != CONTRACT_EVENT_IDENTIFY || input->n_names > NAMES_MAX)
                        return r;
                return session_grow((void **) &session->places, &session->places_allocated,
                                    sizeof(session->places[0]), session->n_places + input->n_names);
        }
        if (input->type != CONTRACT_INPUT_CALL || input->n_names > NAMES_MAX ||
            (input->call != CONTRACT_CALL_ENABLE_WRITERS && input->call != CONTRACT_CALL_DISABLE_WRITERS))
                return 0;
        r = session_grow((void **) &session->name_pointers, &allocated, sizeof(session->name_pointers[0]),
                         session->n_names + input->n_names);
        if (r < 0)
                return r;
        return session_grow((void **) &session->names, &session->names_allocated, sizeof(session->names[0]),
                            session->n_names + input->n_names);
}

static uint32_t names_find(const Session *session, const char *name) {
        uint32_t i = 0;

        while (i < session->n_names && !streq(session->names[i], name))
                i++;
        return i;
}

static void names_add(Session *session, const char *name) {
        if (names_find(session, name) == session->n_names)
                text_copy(session->names[session->n_names++], CONTRACT_NAME_MAX, name);
}

static void names_remove(Session *session, const char *name) {
        uint32_t i = names_find(session, name);

        if (i == session->n_names)
                return;
        memmove(session->names + i, session->names + i + 1,
                (session->n_names - i - 1) * sizeof(session->names[0]));
        session->n_names--;
}

/* VSS: the first EnableWriters turns everything else off; DisableWriters alone leaves everything else on. */
static void setup_writers(Contract *contract, Session *session, const ContractInput *input) {
        bool enable = input->call == CONTRACT_CALL_ENABLE_WRITERS;

        for (size_t i = 0; i < input->n_names; i++)
                if (input->names[i][0] == '\0' || strlen(input->names[i]) >= CONTRACT_NAME_MAX) {
                        effect_reply(contract, session, input->call, input->token,
                                     CONTRACT_ERROR_INVALID_ARGUMENT,
                                     "A writer's name has 1 to %u bytes; \"%.64s\" has not.",
                                     CONTRACT_NAME_MAX - 1, input->names[i]);
                        return;
                }
        if (input->n_names > NAMES_MAX || session->n_names + input->n_names > NAMES_MAX) {
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_LIMITS_EXCEEDED,
                             "A session takes at most %u names of writers.", NAMES_MAX);
                return;
        }
        if (enable && !session->names_enabled) {
                session->n_names = 0;
                session->names_enabled = true;
        }
        for (size_t i = 0; i < input->n_names; i++)
                if (enable == session->names_enabled)
                        names_add(session, input->names[i]);
                else
                        names_remove(session, input->names[i]);
        effect_reply(contract, session, input->call, input->token, CONTRACT_OK, NULL);
}

/**
 * setup_call() - SetContext, EnableWriters, DisableWriters, SetBackupState; GatherWriterStatus, SaveDocument
 * @contract:   the machine
 * @session:    the session
 * @input:      the call, legal in this state
 */
void setup_call(Contract *contract, Session *session, const ContractInput *input) {
        switch (input->call) {
        case CONTRACT_CALL_SET_CONTEXT:
                session->context = input->context;
                session->context_set = true;
                session->changed = true;
                effect_reply(contract, session, input->call, input->token, CONTRACT_OK, NULL);
                break;
        case CONTRACT_CALL_ENABLE_WRITERS:
        case CONTRACT_CALL_DISABLE_WRITERS:
                setup_writers(contract, session, input);
                break;
        case CONTRACT_CALL_SET_BACKUP_STATE:
                session->component_mode = input->component_mode;
                effect_reply(contract, session, input->call, input->token, CONTRACT_OK, NULL);
                break;
        default: /* GatherWriterStatus, SaveDocument: what they answer is read with the getters */
                effect_reply(contract, session, input->call, input->token, CONTRACT_OK, NULL);
                break;
        }
}
