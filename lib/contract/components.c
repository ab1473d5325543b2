/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Components: what a writer declares that can be backed up or restored by itself, and what the requester
 * chooses of it (C4, C9; VSS's rules of selectability and logical paths).
 *
 * A component whose logical path leads through a selectable one belongs to the component set of that one: it
 * is included with it and is not chosen beside it. One that is not selectable and lies below none belongs to
 * every backup of its writer: it has to be added too. What goes with a component (options, stamps, results)
 * is its user's to keep; the machine says whether it may be set, and of which component.
 */

#include "contract/machine.h"

#include "contract/names.h"

#include <assert.h>

/* A component in a message. */
#define COMPONENT_FORMAT       "%.80s%s%.80s"
#define COMPONENT_ARGUMENTS(c) (c)->path, (c)->path[0] ? "/" : "", (c)->name

/**
 * components_reserve() - memory for what an answer declares, before anything is changed
 * @session:    the session
 * @input:      WRITER_ANSWER
 *
 * Return: 0, or -ENOMEM.
 */
int components_reserve(Session *session, const ContractInput *input) {
        uint32_t needed = session->n_components + (uint32_t) input->n_components;

        if (input->event != CONTRACT_EVENT_IDENTIFY || input->n_components == 0 ||
            needed > SESSION_COMPONENTS_MAX)
                return 0;
        return session_grow((void **) &session->components, &session->components_allocated,
                            sizeof(session->components[0]), needed);
}

/**
 * components_note() - keep what a writer declared in its answer to Identify
 * @session:    the session
 * @writer:     the writer, whose first answer this is
 * @input:      WRITER_ANSWER
 *
 * Return: false if the writer has failed, because there is no room for that many.
 */
bool components_note(Session *session, Writer *writer, const ContractInput *input) {
        if (input->failure != CONTRACT_FAILURE_NONE)
                return true;
        if (session->n_components + input->n_components > SESSION_COMPONENTS_MAX) {
                writer_fail(session, writer, CONTRACT_EVENT_IDENTIFY, CONTRACT_FAILURE_OUT_OF_RESOURCES,
                            "a session has room for 8192 components of all writers; let it declare fewer");
                return false;
        }
        writer->never_restored = input->never_restored;
        writer->first_component = session->n_components;
        writer->n_components = (uint32_t) input->n_components;
        for (size_t i = 0; i < input->n_components; i++) {
                const ContractComponentSpec *spec = &input->components[i];
                Component *component = &session->components[session->n_components++];

                *component = (Component){
                        .selectable = spec->selectable,
                        .selectable_for_restore = spec->selectable_for_restore,
                        .backed_up = spec->backed_up,
                };
                text_copy(component->path, sizeof(component->path), spec->logical_path);
                text_copy(component->name, sizeof(component->name), spec->name);
        }
        return true;
}

/**
 * contract_event_takes_notes() - whether the answer to an event may say something of components
 * @event:      the event
 *
 * Stamps and metadata describe a backup: a writer notes them before the instant, or when it has seen the
 * snapshots, and never within the freeze window, when nobody reads more than is needed (T30).
 *
 * Return: true for PrepareForBackup and PostSnapshot.
 */
bool contract_event_takes_notes(ContractEvent event) {
        return event == CONTRACT_EVENT_PREPARE_FOR_BACKUP || event == CONTRACT_EVENT_POST_SNAPSHOT;
}

static Component *components_of(const Session *session, const Writer *writer) {
        return session->components + writer->first_component;
}

/* Whether a component's logical path leads through another one. */
static bool component_is_below(const Component *component, const Component *above) {
        size_t n_path = strlen(above->path), n_name = strlen(above->name);
        const char *rest = component->path;

        if (n_path > 0) {
                if (strncmp(rest, above->path, n_path) != 0 || rest[n_path] != '/')
                        return false;
                rest += n_path + 1;
        }
        return strncmp(rest, above->name, n_name) == 0 && (rest[n_name] == '\0' || rest[n_name] == '/');
}

/* The selectable component in whose set this one is, or NULL. */
static const Component *component_set_of(const Session *session, const Writer *writer,
                                         const Component *component) {
        for (uint32_t i = 0; i < writer->n_components; i++) {
                const Component *above = &components_of(session, writer)[i];

                if (above->selectable && component_is_below(component, above))
                        return above;
        }
        return NULL;
}

/* A selected component of this writer whose set has this one in it, or that is in the set of this one; or
 * NULL. */
static const Component *component_overlap(const Session *session, const Writer *writer,
                                          const Component *component) {
        for (uint32_t i = 0; i < writer->n_components; i++) {
                const Component *other = &components_of(session, writer)[i];

                if (other->selected && ((other->selectable && component_is_below(component, other)) ||
                                        (component->selectable && component_is_below(other, component))))
                        return other;
        }
        return NULL;
}

/**
 * writer_is_selected() - whether a component of this writer is (C9)
 * @session:    the session
 * @writer:     the writer
 *
 * Return: true if so.
 */
bool writer_is_selected(const Session *session, const Writer *writer) {
        for (uint32_t i = 0; i < writer->n_components; i++)
                if (components_of(session, writer)[i].selected)
                        return true;
        return false;
}

static Writer *call_find_writer(Contract *contract, Session *session, const ContractInput *input) {
        const char *name = input->writer_name ? input->writer_name : "";

        for (uint32_t i = 0; i < session->n_writers; i++)
                if (session->writers[i].enabled && streq(session->writers[i].name, name))
                        return &session->writers[i];
        effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                     "%s: there is no writer \"%.64s\" in this session%s.",
                     contract_call_to_string(input->call), name,
                     session->n_writers == 0 ? "; GatherWriterMetadata finds out which there are"
                                             : ": it is not there, or disabled");
        return NULL;
}

static Component *call_find_component(Contract *contract, Session *session, const Writer *writer,
                                      const ContractInput *input) {
        const char *path = input->logical_path ? input->logical_path : "";
        const char *name = input->component ? input->component : "";

        for (uint32_t i = 0; i < writer->n_components; i++) {
                Component *component = &components_of(session, writer)[i];

                if (streq(component->path, path) && streq(component->name, name))
                        return component;
        }
        if (writer->state == CONTRACT_WRITER_FAILED_AT_IDENTIFY)
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                             "%s: writer %s told of no components, because it failed at Identify: %s",
                             contract_call_to_string(input->call), writer->name, writer->text);
        else
                effect_reply(
                        contract, session, input->call, input->token, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                        "%s: writer %s has no component %.80s%s%.80s; GetWriterMetadata tells what it has.",
                        contract_call_to_string(input->call), writer->name, path, path[0] ? "/" : "", name);
        return NULL;
}

/* Success, telling of which writer and component. */
static void call_done(Contract *contract, Session *session, const ContractInput *input, const Writer *writer,
                      const Component *component) {
        ContractEffect *reply;

        effect_reply(contract, session, input->call, input->token, CONTRACT_OK, NULL);
        reply = effect_last_reply(contract, input->token);
        assert(reply);
        reply->writer = (uint32_t) (writer - session->writers);
        if (component)
                reply->component = (uint32_t) (component - components_of(session, writer));
}

/* Chosen at most once, and not beside what includes it: answered if it cannot be. */
static bool component_is_free(Contract *contract, Session *session, const ContractInput *input,
                              const Writer *writer, const Component *component) {
        const Component *overlap = component_overlap(session, writer, component);

        if (component->selected)
                effect_reply(
                        contract, session, input->call, input->token, CONTRACT_ERROR_OBJECT_ALREADY_EXISTS,
                        "%s: component " COMPONENT_FORMAT " of writer %s was added before.",
                        contract_call_to_string(input->call), COMPONENT_ARGUMENTS(component), writer->name);
        else if (overlap)
                effect_reply(contract, session, input->call, input->token,
                             CONTRACT_ERROR_OBJECT_ALREADY_EXISTS,
                             "%s: component " COMPONENT_FORMAT
                             " of writer %s cannot be added beside " COMPONENT_FORMAT
                             ", which was added before: one includes the other.",
                             contract_call_to_string(input->call), COMPONENT_ARGUMENTS(component),
                             writer->name, COMPONENT_ARGUMENTS(overlap));
        return !component->selected && !overlap;
}

static void component_add(Contract *contract, Session *session, const ContractInput *input,
                          const Writer *writer, Component *component) {
        const Component *set = component_set_of(session, writer, component);

        if (!component->selectable && set) {
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_INVALID_ARGUMENT,
                             "AddComponent: component " COMPONENT_FORMAT
                             " of writer %s is not selectable; it is included with " COMPONENT_FORMAT
                             ". Add that one.",
                             COMPONENT_ARGUMENTS(component), writer->name, COMPONENT_ARGUMENTS(set));
                return;
        }
        if (!component_is_free(contract, session, input, writer, component))
                return;
        component->selected = true;
        call_done(contract, session, input, writer, component);
}

/* Whether VSS lets this component be restored by itself: one that was chosen for backup, or that its writer
 * declared to be selectable for restore. */
static bool component_is_restorable(const Session *session, const Writer *writer,
                                    const Component *component) {
        switch (component->backed_up) {
        case CONTRACT_BACKED_UP_BY_ITSELF:
                return true;
        case CONTRACT_BACKED_UP_WITH_ANOTHER:
                return component->selectable_for_restore;
        default: /* it may have been chosen */
                return component->selectable || component->selectable_for_restore ||
                       !component_set_of(session, writer, component);
        }
}

static void component_select(Contract *contract, Session *session, const ContractInput *input,
                             const Writer *writer, Component *component) {
        if (!input->selected && component->selected) {
                component->selected = false;
                call_done(contract, session, input, writer, component);
        } else if (!input->selected || component->backed_up == CONTRACT_NOT_BACKED_UP)
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                             "SetSelectedForRestore: component " COMPONENT_FORMAT " of writer %s %s.",
                             COMPONENT_ARGUMENTS(component), writer->name,
                             input->selected ? "is not in the backup that the document tells of"
                                             : "was not selected");
        else if (!component_is_restorable(session, writer, component))
                effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_INVALID_ARGUMENT,
                             "SetSelectedForRestore: component " COMPONENT_FORMAT
                             " of writer %s is not selectable for restore; it is restored with the "
                             "component that includes it.",
                             COMPONENT_ARGUMENTS(component), writer->name);
        else if (component_is_free(contract, session, input, writer, component)) {
                component->selected = true;
                call_done(contract, session, input, writer, component);
        }
}

/* What is set of a component is set of one that was added: it stands for its whole component set. */
static void component_set(Contract *contract, Session *session, const ContractInput *input,
                          const Writer *writer, const Component *component) {
        if (component->selected) {
                call_done(contract, session, input, writer, component);
                return;
        }
        effect_reply(contract, session, input->call, input->token, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                     "%s: component " COMPONENT_FORMAT " of writer %s was not added by %s.",
                     contract_call_to_string(input->call), COMPONENT_ARGUMENTS(component), writer->name,
                     contract_call_to_string(session->kind == CONTRACT_RESTORE
                                                     ? CONTRACT_CALL_SET_SELECTED_FOR_RESTORE
                                                     : CONTRACT_CALL_ADD_COMPONENT));
}

/**
 * component_call() - a call on a writer or a component of it
 * @contract:   the machine
 * @session:    the session
 * @input:      the call, legal in this state
 */
void component_call(Contract *contract, Session *session, const ContractInput *input) {
        const Writer *writer = call_find_writer(contract, session, input);
        Component *component;

        if (!writer)
                return;
        if (input->call == CONTRACT_CALL_GET_WRITER_METADATA ||
            input->call == CONTRACT_CALL_GET_WRITER_COMPONENTS) {
                call_done(contract, session, input, writer, NULL);
                return;
        }
        component = call_find_component(contract, session, writer, input);
        if (!component)
                return;
        if (input->call == CONTRACT_CALL_ADD_COMPONENT)
                component_add(contract, session, input, writer, component);
        else if (input->call == CONTRACT_CALL_SET_SELECTED_FOR_RESTORE)
                component_select(contract, session, input, writer, component);
        else
                component_set(contract, session, input, writer, component);
}

/**
 * components_complete() - whether what belongs to every backup of a writer is selected
 * @contract:   the machine
 * @session:    the session
 * @input:      PrepareForBackup, answered if not
 *
 * Only component mode asks for it, and only of writers with a component selected.
 *
 * Return: true if so.
 */
bool components_complete(Contract *contract, Session *session, const ContractInput *input) {
        for (uint32_t i = 0; session->component_mode && i < session->n_writers; i++) {
                const Writer *writer = &session->writers[i];

                for (uint32_t j = 0; writer_is_selected(session, writer) && j < writer->n_components; j++) {
                        const Component *component = &components_of(session, writer)[j];

                        if (component->selectable || component->selected ||
                            component_set_of(session, writer, component))
                                continue;
                        effect_reply(contract, session, input->call, input->token,
                                     CONTRACT_ERROR_INVALID_ARGUMENT,
                                     "PrepareForBackup: component " COMPONENT_FORMAT
                                     " of writer %s is not selectable and so belongs to every backup of "
                                     "that writer; add it with AddComponent.",
                                     COMPONENT_ARGUMENTS(component), writer->name);
                        return false;
                }
        }
        return true;
}
