/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Methods about writers and their components: each names the writer, and the component by its logical path
 * and name; the contract finds it and decides.
 */

#include "daemon/bus/component-bus.h"

#include "util/error.h"

/* A new call on a writer; its name is read. */
static int writer_call(sd_bus_message *m, SessionObject *session, ContractCall which, BusCallReply reply,
                       sd_bus_error *reterr) {
        ContractInput input = {};
        const char *writer;
        BusCall *call;
        int r;

        r = session_check_owner(session, m, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "s", &writer);
        if (r < 0)
                return error_origin(r);
        r = options_read_none(m, reterr);
        if (r == 0)
                r = bus_call_new(session->manager, &call, session->handle, which, m, reply);
        if (r < 0)
                return r;
        call->writer_name = writer;
        bus_call_feed(call, &input);
        return 1;
}

/**
 * method_get_writer_metadata() - Session.GetWriterMetadata
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_get_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return writer_call(m, userdata, CONTRACT_CALL_GET_WRITER_METADATA, reply_get_writer_metadata,
                           reterr);
}

/**
 * method_get_writer_components() - Session.GetWriterComponents
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_get_writer_components(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return writer_call(m, userdata, CONTRACT_CALL_GET_WRITER_COMPONENTS, reply_get_writer_components,
                           reterr);
}

/* A new call on a component; the three words that name it are read. */
static int component_call_new(sd_bus_message *m, SessionObject *session, ContractCall which, BusCall **ret,
                              sd_bus_error *reterr) {
        const char *writer, *logical_path, *component;
        int r;

        r = session_check_owner(session, m, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "sss", &writer, &logical_path, &component);
        if (r < 0)
                return error_origin(r);
        r = bus_call_new(session->manager, ret, session->handle, which, m, NULL);
        if (r < 0)
                return error_trace(r);
        (*ret)->writer_name = writer;
        (*ret)->logical_path = logical_path;
        (*ret)->component = component;
        return 0;
}

/* Reads the options, of which there are none, and lets the contract have it. */
static int component_call_feed(BusCall *call, sd_bus_message *m, sd_bus_error *reterr) {
        ContractInput input = {.selected = call->selected};
        int r;

        r = options_read_none(m, reterr);
        if (r < 0) {
                (void) bus_call_free(call);
                return r;
        }
        bus_call_feed(call, &input);
        return 1;
}

/**
 * method_add_component() - Backup.AddComponent
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_add_component(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        BusCall *call;
        int r;

        r = component_call_new(m, userdata, CONTRACT_CALL_ADD_COMPONENT, &call, reterr);
        return r < 0 ? r : component_call_feed(call, m, reterr);
}

/* A call that sets a text of a component. */
static int component_call_text(sd_bus_message *m, SessionObject *session, ContractCall which,
                               sd_bus_error *reterr) {
        BusCall *call;
        int r;

        r = component_call_new(m, session, which, &call, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "s", &call->text);
        if (r >= 0 && strlen(call->text) > METADATA_STAMP_MAX)
                r = bus_error_set(reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                                  "%s: the text may have 4096 bytes.", sd_bus_message_get_member(m));
        if (r < 0) {
                (void) bus_call_free(call);
                return error_trace(r);
        }
        return component_call_feed(call, m, reterr);
}

/**
 * method_set_backup_options() - Backup.SetBackupOptions
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_set_backup_options(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return component_call_text(m, userdata, CONTRACT_CALL_SET_BACKUP_OPTIONS, reterr);
}

/**
 * method_set_previous_backup_stamp() - Backup.SetPreviousBackupStamp
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_set_previous_backup_stamp(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return component_call_text(m, userdata, CONTRACT_CALL_SET_PREVIOUS_BACKUP_STAMP, reterr);
}

/**
 * method_set_backup_succeeded() - Backup.SetBackupSucceeded
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_set_backup_succeeded(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        BusCall *call;
        int succeeded, r;

        r = component_call_new(m, userdata, CONTRACT_CALL_SET_BACKUP_SUCCEEDED, &call, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "b", &succeeded);
        if (r < 0) {
                (void) bus_call_free(call);
                return error_origin(r);
        }
        call->succeeded = succeeded;
        return component_call_feed(call, m, reterr);
}

/**
 * method_set_selected_for_restore() - Restore.SetSelectedForRestore
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_set_selected_for_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        BusCall *call;
        int selected, r;

        r = component_call_new(m, userdata, CONTRACT_CALL_SET_SELECTED_FOR_RESTORE, &call, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "b", &selected);
        if (r < 0) {
                (void) bus_call_free(call);
                return error_origin(r);
        }
        call->selected = selected;
        return component_call_feed(call, m, reterr);
}

/**
 * method_set_restore_options() - Restore.SetRestoreOptions
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_set_restore_options(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return component_call_text(m, userdata, CONTRACT_CALL_SET_RESTORE_OPTIONS, reterr);
}

/**
 * method_set_file_restore_status() - Restore.SetFileRestoreStatus
 * @m:          the call
 * @userdata:   the session
 * @reterr:     what is wrong with it
 *
 * Return: 1, or a negative errno.
 */
int method_set_file_restore_status(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        static const char *const statuses[] = {"all", "failed", "none"};
        const char *status;
        BusCall *call;
        int r;

        r = component_call_new(m, userdata, CONTRACT_CALL_SET_FILE_RESTORE_STATUS, &call, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "s", &status);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(statuses); i++)
                if (streq(statuses[i], status))
                        call->text = statuses[i];
        if (r >= 0 && !call->text)
                r = bus_error_set(
                        reterr, CONTRACT_ERROR_INVALID_ARGUMENT,
                        "SetFileRestoreStatus: there is no status \"%.64s\"; there are all (of the "
                        "component's files were restored), failed (some were) and none.",
                        status);
        if (r < 0) {
                (void) bus_call_free(call);
                return error_trace(r);
        }
        return component_call_feed(call, m, reterr);
}
