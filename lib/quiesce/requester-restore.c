/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Restores: the session is that of a backup but for its interface; its calls are those of
 * org.quiesce1.Restore.
 */

#include "quiesce/requester-internal.h"
#include "util/error.h"

struct QuiesceRestore {
        QuiesceBackup session;
};

static int call_round(QuiesceRestore *restore, const char *member, char ***ret_failed, sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = requester_call_simple(&restore->session, QUIESCE_BUS_RESTORE, member, &reply, error);
        return error_trace(r < 0 ? r : requester_read_failed(reply, ret_failed));
}

/**
 * quiesce_restore_new() - make a restore session that is not open yet
 * @ret:           the session; end with quiesce_restore_free()
 * @bus:           connection to the system bus; a reference is taken
 *
 * Return: 0; -ENOMEM.
 */
_public_ int quiesce_restore_new(QuiesceRestore **ret, sd_bus *bus) {
        QuiesceRestore *restore;

        if (!ret || !bus)
                return -EINVAL;
        restore = calloc(1, sizeof(*restore));
        if (!restore)
                return error_origin(-ENOMEM);
        restore->session.bus = sd_bus_ref(bus);
        *ret = restore;
        return 0;
}

/**
 * quiesce_restore_free() - forget a session
 * @restore:       session or NULL; one that was not released lives until the bus connection ends
 *
 * Return: NULL.
 */
_public_ QuiesceRestore *quiesce_restore_free(QuiesceRestore *restore) {
        if (!restore)
                return NULL;
        sd_bus_unref(restore->session.bus);
        free(restore->session.path);
        free(restore->session.id);
        free(restore);
        return NULL;
}

/**
 * quiesce_restore_set_wait() - wait in the caller's event loop
 * @restore:       the session
 * @wait:          runs the loop once; NULL: block on the bus alone
 * @userdata:      its argument
 */
_public_ void quiesce_restore_set_wait(QuiesceRestore *restore, QuiesceWait wait, void *userdata) {
        quiesce_backup_set_wait(&restore->session, wait, userdata);
}

/**
 * quiesce_restore_get_path() - the session's object path
 * @restore:       the session
 *
 * Return: the path, the session's own; NULL if it is not open.
 */
_public_ const char *quiesce_restore_get_path(const QuiesceRestore *restore) {
        return restore->session.path;
}

/**
 * quiesce_restore_get_id() - the session's UUID as text
 * @restore:       the session
 *
 * Return: the id, the session's own; NULL if it is not open.
 */
_public_ const char *quiesce_restore_get_id(const QuiesceRestore *restore) {
        return restore->session.id;
}

/**
 * quiesce_restore_open() - open the session with quiesced
 * @restore:       the session
 * @document:      of the backup; NULL: none
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::InitializeForRestore.
 *
 * Return: 0; -EALREADY if it is open; else a negative errno.
 */
_public_ int quiesce_restore_open(QuiesceRestore *restore, const char *document, sd_bus_error *error) {
        return error_trace(
                requester_open(&restore->session, "OpenRestore", document ? document : "", error));
}

/**
 * quiesce_restore_gather_writer_metadata() - start the writers and have each say what it is
 * @restore:       the session
 * @ret_reply:     the answer, aa{sv}, to be unreferenced; may be NULL
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::GatherWriterMetadata.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_restore_gather_writer_metadata(QuiesceRestore *restore, sd_bus_message **ret_reply,
                                                    sd_bus_error *error) {
        return error_trace(requester_call_simple(&restore->session, QUIESCE_BUS_RESTORE,
                                                 "GatherWriterMetadata", ret_reply, error));
}

/**
 * quiesce_restore_get_writer_metadata() - what a writer said of itself
 * @restore:       the session
 * @writer:        its name
 * @ret_reply:     the answer, a{sv}, to be unreferenced
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::GetWriterMetadata.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_restore_get_writer_metadata(QuiesceRestore *restore, const char *writer,
                                                 sd_bus_message **ret_reply, sd_bus_error *error) {
        return error_trace(quiesce_backup_get_writer_metadata(&restore->session, writer, ret_reply, error));
}

/**
 * quiesce_restore_get_writer_components() - the components of a writer that were selected
 * @restore:       the session
 * @writer:        its name
 * @ret_reply:     the answer, aa{sv}, to be unreferenced
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::GetWriterComponents.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_restore_get_writer_components(QuiesceRestore *restore, const char *writer,
                                                   sd_bus_message **ret_reply, sd_bus_error *error) {
        return error_trace(
                quiesce_backup_get_writer_components(&restore->session, writer, ret_reply, error));
}

/**
 * quiesce_restore_select() - restore a component, with all that its logical path includes
 * @restore:       the session
 * @writer:        whose
 * @logical_path:  of a component; NULL: at the top
 * @name:          its name
 * @selected:      false: not after all
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SetSelectedForRestore.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_restore_select(QuiesceRestore *restore, const char *writer, const char *logical_path,
                                    const char *name, bool selected, sd_bus_error *error) {
        return error_trace(requester_call_component(&restore->session, QUIESCE_BUS_RESTORE,
                                                    "SetSelectedForRestore", writer, logical_path, name,
                                                    NULL, selected, error));
}

/**
 * quiesce_restore_set_options() - words for the writer of a component
 * @restore:       the session
 * @writer:        whose
 * @logical_path:  of a component; NULL: at the top
 * @name:          its name
 * @options:       what the writer understands; at most 4096 bytes
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SetRestoreOptions.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_restore_set_options(QuiesceRestore *restore, const char *writer,
                                         const char *logical_path, const char *name, const char *options,
                                         sd_bus_error *error) {
        return error_trace(requester_call_component(&restore->session, QUIESCE_BUS_RESTORE,
                                                    "SetRestoreOptions", writer, logical_path, name, options,
                                                    -1, error));
}

/**
 * quiesce_restore_pre_restore() - have the writers make way for their files
 * @restore:       the session
 * @ret_failed:    writers that failed; quiesce_strv_free() it; may be NULL
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::PreRestore.
 *
 * Return: 0, also if writers failed; else a negative errno.
 */
_public_ int quiesce_restore_pre_restore(QuiesceRestore *restore, char ***ret_failed, sd_bus_error *error) {
        return error_trace(call_round(restore, "PreRestore", ret_failed, error));
}

/**
 * quiesce_restore_set_file_status() - which files of a component were put back
 * @restore:       the session
 * @writer:        whose
 * @logical_path:  of a component; NULL: at the top
 * @name:          its name
 * @status:        "all", "failed" (some were), "none"
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SetFileRestoreStatus.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_restore_set_file_status(QuiesceRestore *restore, const char *writer,
                                             const char *logical_path, const char *name, const char *status,
                                             sd_bus_error *error) {
        return error_trace(requester_call_component(&restore->session, QUIESCE_BUS_RESTORE,
                                                    "SetFileRestoreStatus", writer, logical_path, name,
                                                    status, -1, error));
}

/**
 * quiesce_restore_post_restore() - the files are back: writers take them up
 * @restore:       the session
 * @ret_failed:    writers that failed; quiesce_strv_free() it; may be NULL
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::PostRestore.
 *
 * Return: 0, also if writers failed; else a negative errno.
 */
_public_ int quiesce_restore_post_restore(QuiesceRestore *restore, char ***ret_failed, sd_bus_error *error) {
        return error_trace(call_round(restore, "PostRestore", ret_failed, error));
}

/**
 * quiesce_restore_save_document() - the document, with what was restored
 * @restore:        the session
 * @ret_document:   free() it
 * @error:          gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SaveAsXML.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_restore_save_document(QuiesceRestore *restore, char **ret_document,
                                           sd_bus_error *error) {
        return error_trace(
                requester_save_document(&restore->session, QUIESCE_BUS_RESTORE, ret_document, error));
}

/**
 * quiesce_restore_gather_writer_status() - the state of each writer in this session
 * @restore:       the session
 * @ret_reply:     the answer, aa{sv}, to be unreferenced
 * @error:         gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::GatherWriterStatus.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_restore_gather_writer_status(QuiesceRestore *restore, sd_bus_message **ret_reply,
                                                  sd_bus_error *error) {
        return error_trace(quiesce_backup_gather_writer_status(&restore->session, ret_reply, error));
}

/**
 * quiesce_restore_release() - end the session; writers are told whether it was completed
 * @restore:       the session
 * @error:         gets the error that was answered; may be NULL
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_restore_release(QuiesceRestore *restore, sd_bus_error *error) {
        return error_trace(quiesce_backup_release(&restore->session, error));
}
