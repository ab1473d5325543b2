/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a call on a component must be answered: who is in whose component set, and what may be chosen (C4,
 * C9; VSS's rules of selectability and logical paths).
 */

#include "tests/contract/rules.h"
#include "util/macro.h"

/* A component's own path and all above it: "a/b" of component "b" with the logical path "a". */
static bool is_below(const ContractComponentSpec *component, const ContractComponentSpec *above) {
        char whole[CONTRACT_PATH_MAX + CONTRACT_NAME_MAX];
        int n = snprintf(whole, sizeof(whole), "%s%s%s", above->logical_path,
                         *above->logical_path ? "/" : "", above->name);

        return strncmp(component->logical_path, whole, (size_t) n) == 0 &&
               (component->logical_path[n] == '\0' || component->logical_path[n] == '/');
}

static bool is_in_set_of(const ContractComponentSpec *component, const ContractComponentSpec *above) {
        return above->selectable && is_below(component, above);
}

static bool is_in_a_set(const SeenWriter *writer, uint32_t index) {
        for (uint32_t i = 0; i < writer->n_components; i++)
                if (is_in_set_of(&writer->components[index], &writer->components[i]))
                        return true;
        return false;
}

/* Chosen, or part of what is chosen, or a part of it is. */
static bool is_taken(const SeenWriter *writer, uint32_t index) {
        const ContractComponentSpec *component = &writer->components[index];

        for (uint32_t i = 0; i < writer->n_components; i++)
                if (writer->selected & (1u << i) &&
                    (i == index || is_in_set_of(component, &writer->components[i]) ||
                     is_in_set_of(&writer->components[i], component)))
                        return true;
        return false;
}

/* By itself, and not only as a part of another. */
static bool is_restorable(const SeenWriter *writer, uint32_t index) {
        const ContractComponentSpec *component = &writer->components[index];

        if (component->backed_up == CONTRACT_BACKED_UP_BY_ITSELF || component->selectable_for_restore)
                return true;
        return component->backed_up == CONTRACT_BACKED_UP_UNKNOWN &&
               (component->selectable || !is_in_a_set(writer, index));
}

/* C9: what is in no set and cannot be left out belongs to every backup of its writer. */
bool lacks_component(const SeenWriter *writer) {
        for (uint32_t i = 0; i < writer->n_components && writer->selected != 0; i++)
                if (!writer->components[i].selectable && !is_in_a_set(writer, i) &&
                    !(writer->selected & (1u << i)))
                        return true;
        return false;
}

static uint32_t find_component(const SeenWriter *writer, const ContractInput *input) {
        for (uint32_t i = 0; writer && i < writer->n_components; i++)
                if (streq(writer->components[i].logical_path, input->logical_path) &&
                    streq(writer->components[i].name, input->component))
                        return i;
        return NOBODY;
}

static ContractError judge(const SeenWriter *writer, const ContractInput *input) {
        uint32_t index = find_component(writer, input);
        bool selected = index != NOBODY && writer->selected & (1u << index);

        if (index == NOBODY)
                return CONTRACT_ERROR_OBJECT_NOT_FOUND;
        switch (input->call) {
        case CONTRACT_CALL_ADD_COMPONENT:
                if (!writer->components[index].selectable && is_in_a_set(writer, index))
                        return CONTRACT_ERROR_INVALID_ARGUMENT;
                return is_taken(writer, index) ? CONTRACT_ERROR_OBJECT_ALREADY_EXISTS : CONTRACT_OK;
        case CONTRACT_CALL_SET_SELECTED_FOR_RESTORE:
                if (!input->selected)
                        return selected ? CONTRACT_OK : CONTRACT_ERROR_OBJECT_NOT_FOUND;
                if (writer->components[index].backed_up == CONTRACT_NOT_BACKED_UP)
                        return CONTRACT_ERROR_OBJECT_NOT_FOUND;
                if (!is_restorable(writer, index))
                        return CONTRACT_ERROR_INVALID_ARGUMENT;
                return is_taken(writer, index) ? CONTRACT_ERROR_OBJECT_ALREADY_EXISTS : CONTRACT_OK;
        default: /* something is set of one that was chosen */
                return selected ? CONTRACT_OK : CONTRACT_ERROR_OBJECT_NOT_FOUND;
        }
}

/* A call on a component: what it must be answered, and what is chosen then. Whether anything changes. */
ContractError note_component(SeenWriter *writer, const ContractInput *input, bool *ret_changes) {
        ContractError error = judge(writer, input);
        bool adds = input->call == CONTRACT_CALL_ADD_COMPONENT ||
                    (input->call == CONTRACT_CALL_SET_SELECTED_FOR_RESTORE && input->selected);
        uint32_t bit;

        *ret_changes =
                error == CONTRACT_OK && (adds || input->call == CONTRACT_CALL_SET_SELECTED_FOR_RESTORE);
        if (!*ret_changes)
                return error;
        bit = 1u << find_component(writer, input);
        writer->selected = adds ? writer->selected | bit : writer->selected & ~bit;
        return error;
}
