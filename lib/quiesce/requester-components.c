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
        _cleanup_(message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = quiesce_backup_new_call(backup, &call, QUIESCE_BUS_BACKUP, "AddComponent");
        if (r >= 0)
                r = sd_bus_message_append(call, "sssa{sv}", writer, logical_path ? logical_path : "", name,
                                          0);
        if (r >= 0)
                r = requester_call(backup, call, NULL, error);
        return error_trace(r);
}
