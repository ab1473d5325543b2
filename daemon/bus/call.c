/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Calls under way; see call.h.
 */

#include "daemon/bus/call.h"

#include "contract/names.h"
#include "util/error.h"
#include "util/log.h"
#include "util/texts.h"

/**
 * bus_call_new() - keep a call
 * @manager:    the manager, which owns it
 * @ret:        the call
 * @session:    handle
 * @call:       which
 * @m:          the message; referenced
 * @reply:      appends the answer, or NULL if it is empty
 *
 * Return: 0, or -ENOMEM.
 */
int bus_call_new(Manager *manager, BusCall **ret, uint64_t session, ContractCall call, sd_bus_message *m,
                 BusCallReply reply) {
        BusCall *item = calloc(1, sizeof(*item));

        if (!item)
                return error_origin(-ENOMEM);
        item->manager = manager;
        item->token = ++manager->last_token;
        item->session = session;
        item->call = call;
        item->message = sd_bus_message_ref(m);
        item->reply = reply;
        item->volume.fd = -1;
        item->moment_fd = -1;
        item->next = manager->calls;
        manager->calls = item;
        *ret = item;
        return 0;
}

/**
 * bus_call_free() - forget a call
 * @call:       the call, or NULL; it leaves its manager's list
 *
 * Return: NULL.
 */
BusCall *bus_call_free(BusCall *call) {
        if (!call)
                return NULL;
        for (BusCall **place = &call->manager->calls; *place; place = &(*place)->next)
                if (*place == call) {
                        *place = call->next;
                        break;
                }
        (void) texts_free(call->options.devices);
        set_description_done(&call->description);
        sd_bus_message_unref(call->message);
        free(call);
        return NULL;
}

/**
 * bus_call_find() - by token
 * @manager:    the manager
 * @token:      the contract's
 *
 * Return: the call, or NULL.
 */
BusCall *bus_call_find(Manager *manager, uint64_t token) {
        for (BusCall *call = manager->calls; call; call = call->next)
                if (call->token == token)
                        return call;
        return NULL;
}

/**
 * bus_call_find_running() - the call of a kind that the contract has not answered
 * @manager:    the manager
 * @session:    handle
 * @call:       which; the contract runs at most one of a kind in a session
 *
 * Return: the oldest, or NULL.
 */
BusCall *bus_call_find_running(Manager *manager, uint64_t session, ContractCall call) {
        BusCall *found = NULL;

        for (BusCall *item = manager->calls; item; item = item->next)
                if (item->session == session && item->call == call)
                        found = item;
        return found;
}

/**
 * bus_call_feed() - give a call to the contract
 * @call:       the call; it may be answered and gone when this returns
 * @input:      its arguments; what the call knows itself is filled in here
 */
void bus_call_feed(BusCall *call, ContractInput *input) {
        input->type = CONTRACT_INPUT_CALL;
        input->session = call->session;
        input->call = call->call;
        input->token = call->token;
        input->fresh_id = call->fresh_id[0] ? call->fresh_id : NULL;
        input->snapshot = call->snapshot;
        input->writer_name = call->writer_name;
        input->logical_path = call->logical_path;
        input->component = call->component;
        manager_feed(call->manager, input);
}

static void reply_success(BusCall *call, const ContractEffect *effect) {
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0 && call->reply)
                r = call->reply(call, effect, reply);
        bus_reply_send(call->message, reply, r);
        sd_bus_message_unref(reply);
}

/* What the call said of a component. */
static int call_note_component(const BusCall *call, ComponentNotes *notes) {
        switch (call->call) {
        case CONTRACT_CALL_SET_BACKUP_OPTIONS:
                return writer_metadata_set(&notes->options, call->text);
        case CONTRACT_CALL_SET_PREVIOUS_BACKUP_STAMP:
                return writer_metadata_set(&notes->previous_stamp, call->text);
        case CONTRACT_CALL_SET_BACKUP_SUCCEEDED:
                notes->succeeded = call->succeeded;
                return 0;
        case CONTRACT_CALL_SET_RESTORE_OPTIONS:
                return writer_metadata_set(&notes->restore_options, call->text);
        case CONTRACT_CALL_SET_FILE_RESTORE_STATUS:
                notes->file_restore_status = call->text;
                return 0;
        default:
                return 0;
        }
}

/* What the call said that is needed later, now that it is legal. */
static int call_note(BusCall *call, const ContractEffect *effect) {
        SessionObject *session = session_object_find(call->manager, call->session);
        ComponentNotes *notes;

        if (session && call->backup_type) {
                session->backup_type = call->backup_type;
                session->bootable = call->bootable;
        }
        if (session && call->call == CONTRACT_CALL_START_SNAPSHOT_SET) {
                set_description_done(&session->description);
                session->description = call->description;
                call->description = (SetDescription){};
        }
        if (!session || !call->component)
                return 0;
        notes = session_object_get_notes(session, effect->writer, effect->component);
        return notes ? error_trace(call_note_component(call, notes)) : error_origin(-ENOENT);
}

/**
 * bus_call_reply() - carry out REPLY
 * @manager:    the manager
 * @effect:     the effect
 *
 * IsVolumeSupported is answered "no" where the contract says that the volume cannot be in a set.
 */
void bus_call_reply(Manager *manager, const ContractEffect *effect) {
        BusCall *call = bus_call_find(manager, effect->token);

        if (!call)
                return;
        log_debug("%s is answered: %s%s%s", contract_call_to_string(call->call),
                  effect->error == CONTRACT_OK ? "done" : contract_error_to_string(effect->error),
                  effect->text ? ": " : "", effect->text ?: "");
        if (effect->error == CONTRACT_OK && call_note(call, effect) < 0)
                bus_reply_error(call->message, CONTRACT_ERROR_UNEXPECTED, "quiesced is short of memory.");
        else if (effect->error == CONTRACT_OK)
                reply_success(call, effect);
        else if (call->call == CONTRACT_CALL_IS_VOLUME_SUPPORTED &&
                 (effect->error == CONTRACT_ERROR_VOLUME_NOT_SUPPORTED ||
                  effect->error == CONTRACT_ERROR_VOLUME_NOT_SUPPORTED_BY_PROVIDER))
                reply_success(call, effect);
        else
                bus_reply_error(call->message, effect->error, effect->text);
        (void) bus_call_free(call);
}
