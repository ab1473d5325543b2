/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calls of a backup up to the moment its snapshot set is asked for, and those that end it; each is one
 * method of org.quiesce1.Backup, in VSS's order.
 */

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "bus/dictionary.h"
#include "quiesce/requester-internal.h"
#include "util/error.h"

/**
 * quiesce_backup_set_context() - how long snapshots live and whether writers take part
 * @backup:     the session
 * @context:    "backup" (the default), "file-share-backup", "nas-rollback", "app-rollback"
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SetContext.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_set_context(QuiesceBackup *backup, const char *context, sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = quiesce_backup_new_call(backup, &call, QUIESCE_BUS_BACKUP, "SetContext");
        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", context, 0);
        if (r >= 0)
                r = requester_call(backup, call, NULL, error);
        return error_trace(r);
}

/**
 * quiesce_backup_disable_writers() - leave writers out of this session
 * @backup:     the session
 * @names:      writers' names, NULL-terminated
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::DisableWriterClasses.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_disable_writers(QuiesceBackup *backup, const char *const *names,
                                            sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = quiesce_backup_new_call(backup, &call, QUIESCE_BUS_BACKUP, "DisableWriters");
        if (r >= 0)
                r = sd_bus_message_append_strv(call, (char **) names);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = requester_call(backup, call, NULL, error);
        return error_trace(r);
}

static int set_state(QuiesceBackup *backup, const char *type, bool bootable, bool component_mode,
                     sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = quiesce_backup_new_call(backup, &call, QUIESCE_BUS_BACKUP, "SetBackupState");
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 3, "component-mode", "b", (int) component_mode,
                                          "type", "s", type, "bootable", "b", (int) bootable);
        if (r >= 0)
                r = requester_call(backup, call, NULL, error);
        return error_trace(r);
}

/**
 * quiesce_backup_set_state() - what kind of backup this is, of volumes
 * @backup:     the session
 * @type:       "full", "copy", "incremental", "differential" or "log"
 * @bootable:   whether the system itself is to be restored from it
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SetBackupState in volume mode.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_set_state(QuiesceBackup *backup, const char *type, bool bootable,
                                      sd_bus_error *error) {
        return error_trace(set_state(backup, type, bootable, false, error));
}

/**
 * quiesce_backup_set_component_state() - what kind of backup this is, of components
 * @backup:     the session
 * @type:       "full", "copy", "incremental", "differential" or "log"
 * @bootable:   whether the system itself is to be restored from it
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::SetBackupState in component mode.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_set_component_state(QuiesceBackup *backup, const char *type, bool bootable,
                                                sd_bus_error *error) {
        return error_trace(set_state(backup, type, bootable, true, error));
}

/**
 * quiesce_backup_gather_writer_metadata() - start the writers and have each say what it is
 * @backup:     the session
 * @ret_reply:  the answer, aa{sv}, to be unreferenced; may be NULL
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::GatherWriterMetadata.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_gather_writer_metadata(QuiesceBackup *backup, sd_bus_message **ret_reply,
                                                   sd_bus_error *error) {
        return error_trace(
                requester_call_simple(backup, QUIESCE_BUS_BACKUP, "GatherWriterMetadata", ret_reply, error));
}

static int read_id(sd_bus_message *reply, char **ret_id) {
        const char *id;
        char *copy;
        int r;

        r = sd_bus_message_read(reply, "s", &id);
        if (r < 0)
                return error_trace(r);
        if (!ret_id)
                return 0;
        copy = strdup(id);
        if (!copy)
                return error_origin(-ENOMEM);
        *ret_id = copy;
        return 0;
}

/* A caller that was compiled before a member was there has not set it. */
#define START_HAS(options, member) \
        ((options)->size >= offsetof(QuiesceStartOptions, member) + sizeof((options)->member))

static int append_start_options(sd_bus_message *call, const QuiesceStartOptions *options) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && options && options->wait)
                r = sd_bus_message_append(call, "{sv}", "wait", "b", 1);
        if (r >= 0 && options && START_HAS(options, name) && options->name)
                r = sd_bus_message_append(call, "{sv}", "name", "s", options->name);
        if (r >= 0 && options && START_HAS(options, note) && options->note)
                r = sd_bus_message_append(call, "{sv}", "note", "s", options->note);
        if (r >= 0 && options && START_HAS(options, labels) && options->labels) {
                r = dictionary_open_array(call, "labels", "as");
                for (const char *const *label = options->labels; r >= 0 && *label; label++)
                        r = sd_bus_message_append(call, "s", *label);
                if (r >= 0)
                        r = dictionary_close_array(call);
        }
        return r < 0 ? error_trace(r) : sd_bus_message_close_container(call);
}

/**
 * quiesce_backup_start_snapshot_set() - begin a set; takes the machine's one creation slot
 * @backup:     the session
 * @options:    NULL: none
 * @ret_set:    the set's UUID, free() it; may be NULL
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::StartSnapshotSet.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_start_snapshot_set(QuiesceBackup *backup, const QuiesceStartOptions *options,
                                               char **ret_set, sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = quiesce_backup_new_call(backup, &call, QUIESCE_BUS_BACKUP, "StartSnapshotSet");
        if (r >= 0)
                r = append_start_options(call, options);
        if (r >= 0)
                r = requester_call(backup, call, &reply, error);
        if (r < 0)
                return error_trace(r);
        return error_trace(read_id(reply, ret_set));
}

static int append_volume_options(sd_bus_message *call, const QuiesceVolume *volume) {
        size_t n_store_on = 0;
        int r;

        /* A caller that was compiled before it was there has not set it. */
        if (volume->size >= offsetof(QuiesceVolume, store_on) + sizeof(volume->store_on))
                while (volume->store_on && volume->store_on[n_store_on])
                        n_store_on++;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && volume->cow_size > 0)
                r = sd_bus_message_append(call, "{sv}", "cow-size", "t", volume->cow_size);
        if (r >= 0 && volume->provider)
                r = sd_bus_message_append(call, "{sv}", "provider", "s", volume->provider);
        if (r >= 0 && n_store_on > 0)
                r = dictionary_add_strings(call, "store-on", volume->store_on, n_store_on);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return error_trace(r);
}

static int append_volume(sd_bus_message *call, const QuiesceVolume *volume) {
        _cleanup_close_ int opened = -EBADF;
        int r;

        if (volume->path) {
                opened = open(volume->path, O_PATH | O_CLOEXEC);
                if (opened < 0)
                        return error_origin(-errno);
                r = sd_bus_message_append(call, "v", "h", opened);
        } else if (volume->fd > 0)
                r = sd_bus_message_append(call, "v", "h", volume->fd);
        else if (volume->name)
                r = sd_bus_message_append(call, "v", "s", volume->name);
        else
                r = -EINVAL;
        if (r < 0)
                return error_trace(r);
        return error_trace(append_volume_options(call, volume));
}

/**
 * quiesce_backup_add_volume() - add a volume to the set that was started
 * @backup:         the session
 * @volume:         how it is named, and how to snapshot it
 * @ret_snapshot:   the snapshot's UUID, free() it; may be NULL
 * @error:          gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::AddToSnapshotSet.
 *
 * Return: 0; the errno of opening the path, with @error unset; else a negative errno.
 */
_public_ int quiesce_backup_add_volume(QuiesceBackup *backup, const QuiesceVolume *volume,
                                       char **ret_snapshot, sd_bus_error *error) {
        _cleanup_(message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = quiesce_backup_new_call(backup, &call, QUIESCE_BUS_BACKUP, "AddToSnapshotSet");
        if (r >= 0)
                r = append_volume(call, volume);
        if (r >= 0)
                r = requester_call(backup, call, &reply, error);
        if (r < 0)
                return error_trace(r);
        return error_trace(read_id(reply, ret_snapshot));
}

/**
 * quiesce_backup_gather_writer_status() - the state of each writer in this session
 * @backup:     the session
 * @ret_reply:  the answer, aa{sv}, to be unreferenced
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::GatherWriterStatus.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_gather_writer_status(QuiesceBackup *backup, sd_bus_message **ret_reply,
                                                 sd_bus_error *error) {
        return error_trace(
                requester_call_simple(backup, QUIESCE_BUS_SESSION, "GatherWriterStatus", ret_reply, error));
}

/**
 * quiesce_backup_complete() - the data is safe on the backup medium
 * @backup:     the session
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::BackupComplete.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_complete(QuiesceBackup *backup, sd_bus_error *error) {
        return error_trace(requester_call_simple(backup, QUIESCE_BUS_BACKUP, "BackupComplete", NULL, error));
}

/**
 * quiesce_backup_abort() - give the backup up, whatever runs
 * @backup:     the session
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::AbortBackup. If quiesced has gone, so has the session: that is a success.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_abort(QuiesceBackup *backup, sd_bus_error *error) {
        return error_trace(requester_end(backup, QUIESCE_BUS_BACKUP, "AbortBackup", error));
}

/**
 * quiesce_backup_release() - end the session; auto-release snapshots go
 * @backup:     the session
 * @error:      gets the error that was answered; may be NULL
 *
 * Mirrors IVssBackupComponents::Release. If quiesced has gone, so has the session: that is a success.
 *
 * Return: 0 or a negative errno.
 */
_public_ int quiesce_backup_release(QuiesceBackup *backup, sd_bus_error *error) {
        return error_trace(requester_end(backup, QUIESCE_BUS_SESSION, "Release", error));
}
