/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading: what the bus shows of sessions and writers.
 */

#include "contract/machine.h"

static void session_info(const Session *session, ContractSessionInfo *ret) {
        *ret = (ContractSessionInfo){
                .session = session->handle,
                .id = session->id,
                .kind = session->kind,
                .state = session->state,
                .context = session->context,
                .running = session_running(session),
                .phase = session_phase_to_string(session),
                .progress_percent = session_progress(session),
                .set_id = session->set_started ? session->set_id : NULL,
                .consistency = session->consistency,
                .outcome = session_outcome(session),
                .opened_usec = session->opened_usec,
                .freeze_begin_usec = session->freeze_begin_usec,
                .freeze_end_usec = session->freeze_end_usec,
                .dark_begin_usec = session->dark_begin_usec,
                .dark_end_usec = session->dark_end_usec,
                .n_writers = session->n_writers,
                .n_volumes = session->n_volumes,
                .component_mode = session->component_mode,
        };
        memcpy(ret->step_begin_usec, session->step_begin_usec, sizeof(ret->step_begin_usec));
        memcpy(ret->step_end_usec, session->step_end_usec, sizeof(ret->step_end_usec));
}

/* Also one that is gone since the last input: its last effects are being carried out. */
static const Session *session_read(const Contract *contract, uint64_t handle) {
        for (size_t i = 0; i < contract->n_slots; i++)
                if (contract->sessions[i] && contract->sessions[i]->handle == handle)
                        return contract->sessions[i];
        return NULL;
}

/**
 * contract_count_sessions() - how many sessions there are
 * @contract:   the machine
 *
 * Return: the number, those not counted whose SESSION_GONE was among the last effects.
 */
size_t contract_count_sessions(const Contract *contract) {
        size_t n = 0;

        for (size_t i = 0; i < contract->n_slots; i++)
                n += contract->sessions[i] && !contract->sessions[i]->gone;
        return n;
}

/**
 * contract_get_session() - a session's properties
 * @contract:   the machine
 * @session:    handle
 * @ret:        filled in; strings live until the next input
 *
 * Return: false if there is no such session.
 */
bool contract_get_session(const Contract *contract, uint64_t session, ContractSessionInfo *ret) {
        const Session *found = session_read(contract, session);

        if (found)
                session_info(found, ret);
        return found;
}

/**
 * contract_get_session_at() - the properties of one session after the other
 * @contract:   the machine
 * @index:      below contract_count_sessions()
 * @ret:        filled in; strings live until the next input
 *
 * Return: false if there are fewer.
 */
bool contract_get_session_at(const Contract *contract, size_t index, ContractSessionInfo *ret) {
        for (size_t i = 0; i < contract->n_slots; i++) {
                const Session *session = contract->sessions[i];

                if (!session || session->gone || index-- > 0)
                        continue;
                session_info(session, ret);
                return true;
        }
        return false;
}

/**
 * contract_get_writer() - what a session knows of one of its writers (C28, C29)
 * @contract:   the machine
 * @session:    handle
 * @writer:     index
 * @ret:        filled in; strings live until the next input
 *
 * Return: false if there is no such writer.
 */
bool contract_get_writer(const Contract *contract, uint64_t session, uint32_t writer,
                         ContractWriterInfo *ret) {
        const Session *found = session_read(contract, session);
        const Writer *record;

        if (!found || writer >= found->n_writers)
                return false;
        record = &found->writers[writer];
        *ret = (ContractWriterInfo){
                .name = record->name,
                .level = record->level,
                .state = record->state,
                .failure = record->failure,
                .text = record->text[0] ? record->text : NULL,
                .takes_part = record->takes_part,
                .last_event = record->last_event,
                .n_ignored = record->n_ignored,
        };
        memcpy(ret->sent_usec, record->sent_usec, sizeof(ret->sent_usec));
        memcpy(ret->duration_usec, record->duration_usec, sizeof(ret->duration_usec));
        memcpy(ret->limit_usec, record->limit_usec, sizeof(ret->limit_usec));
        memcpy(ret->answers, record->answers, sizeof(ret->answers));
        return true;
}

/**
 * contract_get_component() - what a session knows of a component of one of its writers
 * @contract:   the machine
 * @session:    handle
 * @writer:     index
 * @component:  index among the writer's, in the order in which it declared them
 * @ret:        filled in; strings live until the next input
 *
 * Return: false if there is no such component.
 */
bool contract_get_component(const Contract *contract, uint64_t session, uint32_t writer, uint32_t component,
                            ContractComponentInfo *ret) {
        const Session *found = session_read(contract, session);
        const Component *record;

        if (!found || writer >= found->n_writers || component >= found->writers[writer].n_components)
                return false;
        record = &found->components[found->writers[writer].first_component + component];
        *ret = (ContractComponentInfo){
                .logical_path = record->path,
                .name = record->name,
                .selectable = record->selectable,
                .selectable_for_restore = record->selectable_for_restore,
                .selected = record->selected,
        };
        return true;
}
