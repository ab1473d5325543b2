/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an input must be like before the machine looks at it.
 *
 * These are mistakes of the machine's user, not of a requester or a writer: an enum out of range, a missing
 * array, a handle used twice. Everything a caller can do wrong is answered with a reply instead.
 */

#include "contract/machine.h"

static bool writers_valid(const ContractInput *input) {
        if (input->n_writers > CONTRACT_WRITERS_MAX || (input->n_writers > 0 && !input->writers))
                return false;
        for (size_t i = 0; i < input->n_writers; i++)
                if (!input->writers[i].name || input->writers[i].name[0] == '\0' ||
                    strlen(input->writers[i].name) >= CONTRACT_NAME_MAX ||
                    (unsigned) input->writers[i].level >= _CONTRACT_LEVEL_MAX)
                        return false;
        return true;
}

static bool names_valid(const ContractInput *input) {
        if (input->n_names > 0 && !input->names)
                return false;
        for (size_t i = 0; i < input->n_names; i++)
                if (!input->names[i])
                        return false;
        return true;
}

static bool components_valid(const ContractInput *input) {
        if (input->n_components > CONTRACT_COMPONENTS_MAX || (input->n_components > 0 && !input->components))
                return false;
        for (size_t i = 0; i < input->n_components; i++)
                if (!input->components[i].logical_path ||
                    strlen(input->components[i].logical_path) >= CONTRACT_PATH_MAX ||
                    !input->components[i].name || input->components[i].name[0] == '\0' ||
                    strlen(input->components[i].name) >= CONTRACT_NAME_MAX ||
                    (unsigned) input->components[i].backed_up >= _CONTRACT_BACKED_UP_MAX)
                        return false;
        return true;
}

static bool call_valid(const ContractInput *input) {
        return input->token != 0 && (unsigned) input->call < _CONTRACT_CALL_MAX &&
               input->call != CONTRACT_CALL_NONE && (unsigned) input->context < _CONTRACT_CONTEXT_MAX &&
               names_valid(input);
}

static bool id_valid(const char *id) {
        return id && id[0] != '\0' && strlen(id) < CONTRACT_ID_MAX;
}

static bool session_valid(const ContractInput *input) {
        return input->session != 0 && (unsigned) input->kind <= CONTRACT_RESTORE && id_valid(input->id) &&
               (unsigned) input->context < _CONTRACT_CONTEXT_MAX;
}

static bool input_valid(const ContractInput *input) {
        switch (input->type) {
        case CONTRACT_INPUT_OPEN:
                return session_valid(input);
        case CONTRACT_INPUT_RECOVERED:
                return session_valid(input) && writers_valid(input) &&
                       (!input->set_id || id_valid(input->set_id));
        case CONTRACT_INPUT_CALL:
                return call_valid(input);
        case CONTRACT_INPUT_WRITERS:
                return writers_valid(input) && (unsigned) input->error < _CONTRACT_ERROR_MAX;
        case CONTRACT_INPUT_WRITER_ANSWER:
                return (unsigned) input->event < _CONTRACT_EVENT_MAX &&
                       (unsigned) input->failure < _CONTRACT_FAILURE_MAX && names_valid(input) &&
                       components_valid(input);
        case CONTRACT_INPUT_STEP_DONE:
                return (unsigned) input->step < _CONTRACT_STEP_MAX &&
                       (unsigned) input->error < _CONTRACT_ERROR_MAX;
        case CONTRACT_INPUT_WRITER_GONE:
        case CONTRACT_INPUT_DEADLINE:
        case CONTRACT_INPUT_OWNER_VANISHED:
        case CONTRACT_INPUT_ADMINISTRATOR_RELEASE:
                return true;
        default:
                return false;
        }
}

/**
 * input_validate() - refuse what no correct user of the machine feeds
 * @contract:   the machine
 * @input:      the input
 *
 * Return: 0, -EINVAL, or -EEXIST for a session handle that is in use.
 */
int input_validate(const Contract *contract, const ContractInput *input) {
        if (!input_valid(input))
                return -EINVAL;
        if (input->type != CONTRACT_INPUT_OPEN && input->type != CONTRACT_INPUT_RECOVERED)
                return 0;
        /* Also one that is gone but not forgotten yet: handles are never used again. */
        for (size_t i = 0; i < contract->n_slots; i++)
                if (contract->sessions[i] && contract->sessions[i]->handle == input->session)
                        return -EEXIST;
        return 0;
}
