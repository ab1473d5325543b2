/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What writers say of themselves, and choosing components of it. Logical path and name are those that the
 * writer declared; NULL is the empty logical path.
 */

#include "quiesce/requester-internal.h"
#include "util/error.h"

static int call_writer(QuiesceBackup *backup, const char *member, const char *writer,
                       sd_bus_message **ret_reply, sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = quiesce_backup_new_call(backup, &call, QUIESCE_BUS_SESSION, member);
        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", writer, 0);
        if (r >= 0)
                r = requester_call(backup, call, ret_reply, error);
        return error_trace(r);
}

/**
 * requester_call_component() - a call about a component
 * @backup:         the session
 * @interface:      of the session's object
 * @member:         the method
 * @writer:         whose component
 * @logical_path:   of it; NULL: ""
 * @name:           of it
 * @text:           the argument behind these, or NULL
 * @truth:          likewise; negative: none
 * @error:          gets the error that was answered; may be NULL
 *
 * Return: 0 or a negative errno.
 */
int requester_call_component(QuiesceBackup *backup, const char *interface, const char *member,
                             const char *writer, const char *logical_path, const char *name,
                             const char *text, int truth, sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = quiesce_backup_new_call(backup, &call, interface, member);
        if (r >= 0)
                r = sd_bus_message_append(call, "sss", writer, logical_path ? logical_path : "", name);
        if (r >= 0 && text)
                r = sd_bus_message_append(call, "s", text);
        if (r >= 0 && truth >= 0)
                r = sd_bus_message_append(call, "b", truth);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = requester_call(backup, call, NULL, error);
        return error_trace(r);
}

/**
 * quiesce_backup_get_writer_metadata() - what a writer said of itself
 * @backup:     the session
 * @writer:     its name
 * @ret_reply:  the answer, a{sv}, to be unreferenced
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::GetWriterMetadata.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_get_writer_metadata(QuiesceBackup *backup, const char *writer,
                                                sd_bus_message **ret_reply, sd_bus_error *error) {
        return error_trace(call_writer(backup, "GetWriterMetadata", writer, ret_reply, error));
}

/**
 * quiesce_backup_get_writer_components() - the components of a writer that were added
 * @backup:     the session
 * @writer:     its name
 * @ret_reply:  the answer, aa{sv}, to be unreferenced
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::GetWriterComponents.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_get_writer_components(QuiesceBackup *backup, const char *writer,
                                                  sd_bus_message **ret_reply, sd_bus_error *error) {
        return error_trace(call_writer(backup, "GetWriterComponents", writer, ret_reply, error));
}

/**
 * quiesce_backup_add_component() - back a component up, with all that its logical path includes
 * @backup:         the session
 * @writer:         whose
 * @logical_path:   where in the writer's tree; NULL: at its top
 * @name:           its name
 * @error:          gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::AddComponent.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_add_component(QuiesceBackup *backup, const char *writer,
                                          const char *logical_path, const char *name, sd_bus_error *error) {
        return error_trace(requester_call_component(backup, QUIESCE_BUS_BACKUP, "AddComponent", writer,
                                                    logical_path, name, NULL, -1, error));
}

/**
 * quiesce_backup_set_backup_options() - words for the writer of a component
 * @backup:         the session
 * @writer:         whose
 * @logical_path:   of a component that was added; NULL: at its top
 * @name:           its name
 * @options:        what the writer understands; at most 4096 bytes
 * @error:          gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SetBackupOptions.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_set_backup_options(QuiesceBackup *backup, const char *writer,
                                               const char *logical_path, const char *name,
                                               const char *options, sd_bus_error *error) {
        return error_trace(requester_call_component(backup, QUIESCE_BUS_BACKUP, "SetBackupOptions", writer,
                                                    logical_path, name, options, -1, error));
}

/**
 * quiesce_backup_set_previous_stamp() - on which backup this one of a component is based
 * @backup:         the session
 * @writer:         whose
 * @logical_path:   of a component that was added; NULL: at its top
 * @name:           its name
 * @stamp:          what the writer set in that backup
 * @error:          gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SetPreviousBackupStamp.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_set_previous_stamp(QuiesceBackup *backup, const char *writer,
                                               const char *logical_path, const char *name, const char *stamp,
                                               sd_bus_error *error) {
        return error_trace(requester_call_component(backup, QUIESCE_BUS_BACKUP, "SetPreviousBackupStamp",
                                                    writer, logical_path, name, stamp, -1, error));
}

/**
 * quiesce_backup_set_succeeded() - whether all files of a component were backed up
 * @backup:         the session
 * @writer:         whose
 * @logical_path:   of a component that was added; NULL: at its top
 * @name:           its name
 * @succeeded:      false also if one file of all that it includes was not
 * @error:          gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SetBackupSucceeded.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_set_succeeded(QuiesceBackup *backup, const char *writer,
                                          const char *logical_path, const char *name, bool succeeded,
                                          sd_bus_error *error) {
        return error_trace(requester_call_component(backup, QUIESCE_BUS_BACKUP, "SetBackupSucceeded", writer,
                                                    logical_path, name, NULL, succeeded, error));
}

/**
 * requester_save_document() - SaveDocument
 * @backup:         the session
 * @interface:      of the session's object
 * @ret_document:   free() it
 * @error:          gets the error that was answered; may be NULL
 *
 * Return: 0 or a negative errno.
 */
int requester_save_document(QuiesceBackup *backup, const char *interface, char **ret_document,
                            sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *reply = NULL;
        const char *document;
        char *copy;
        int r;

        r = requester_call_simple(backup, interface, "SaveDocument", &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &document);
        if (r < 0)
                return error_trace(r);
        copy = strdup(document);
        if (!copy)
                return error_origin(-ENOMEM);
        *ret_document = copy;
        return 0;
}

/**
 * quiesce_backup_save_document() - what was backed up, for the restore
 * @backup:         the session
 * @ret_document:   free() it
 * @error:          gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SaveAsXML.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_save_document(QuiesceBackup *backup, char **ret_document, sd_bus_error *error) {
        return error_trace(requester_save_document(backup, QUIESCE_BUS_BACKUP, ret_document, error));
}
