/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The public face of an event: reading what it tells, saying what is answered.
 *
 * VSS gives a writer these as CVssWriter::GetCurrentSnapshotSetId, GetCurrentVolumeArray, GetContext,
 * IVssWriterComponents and SetWriterFailure; here they belong to the event, so that several sessions do not
 * get into each other's way.
 */

#include <assert.h>
#include <stdarg.h>

#include "quiesce/writer-internal.h"
#include "util/error.h"
#include "util/utf8.h"

static const char *const no_strings[] = {NULL};

/**
 * quiesce_writer_event_get_type() - which event this is
 * @event: the event
 *
 * Return: its type. A default Abort calls `thaw` and `post_snapshot` with an event of type Abort.
 */
_public_ QuiesceWriterEventType quiesce_writer_event_get_type(const QuiesceWriterEvent *event) {
        assert(event);
        return event->type;
}

/**
 * quiesce_writer_event_get_type_name() - the event's name as scripts and messages know it
 * @event: the event
 *
 * Return: a constant, such as "prepare-for-backup".
 */
_public_ const char *quiesce_writer_event_get_type_name(const QuiesceWriterEvent *event) {
        static const char *const names[EVENT_MAX] = {
                [QUIESCE_EVENT_IDENTIFY] = "identify",
                [QUIESCE_EVENT_PREPARE_FOR_BACKUP] = "prepare-for-backup",
                [QUIESCE_EVENT_PREPARE_FOR_SNAPSHOT] = "prepare-for-snapshot",
                [QUIESCE_EVENT_FREEZE] = "freeze",
                [QUIESCE_EVENT_THAW] = "thaw",
                [QUIESCE_EVENT_POST_SNAPSHOT] = "post-snapshot",
                [QUIESCE_EVENT_ABORT] = "abort",
                [QUIESCE_EVENT_BACKUP_COMPLETE] = "backup-complete",
                [QUIESCE_EVENT_BACKUP_SHUTDOWN] = "backup-shutdown",
                [QUIESCE_EVENT_PRE_RESTORE] = "pre-restore",
                [QUIESCE_EVENT_POST_RESTORE] = "post-restore",
                [QUIESCE_EVENT_SESSION_CLOSED] = "session-closed",
        };

        assert(event && (size_t) event->type < EVENT_MAX && names[event->type]);
        return names[event->type];
}

/**
 * quiesce_writer_event_get_session() - the session's id (VSS: the backup components object)
 * @event: the event
 *
 * Return: a UUID in text; "" in Identify, which belongs to no session.
 */
_public_ const char *quiesce_writer_event_get_session(const QuiesceWriterEvent *event) {
        assert(event);
        return event->session;
}

/**
 * quiesce_writer_event_get_set() - the id of the snapshot set that the event tells of
 * @event: the event
 *
 * Return: a UUID in text; "" or the null id where there is no set. BackupComplete and BackupShutdown tell of
 * the set that was created.
 */
_public_ const char *quiesce_writer_event_get_set(const QuiesceWriterEvent *event) {
        assert(event);
        return event->set;
}

/**
 * quiesce_writer_event_get_current_set() - the set that is being made (CVssWriter::GetCurrentSnapshotSetId)
 * @event: the event
 * @ret:   its id, a UUID in text, the event's
 *
 * Return: 0; -ENODATA (VSS: BadState) outside PrepareForSnapshot, Freeze, Thaw and PostSnapshot.
 */
_public_ int quiesce_writer_event_get_current_set(const QuiesceWriterEvent *event, const char **ret) {
        assert(event && ret);
        if (event->type < QUIESCE_EVENT_PREPARE_FOR_SNAPSHOT || event->type > QUIESCE_EVENT_POST_SNAPSHOT)
                return -ENODATA;
        *ret = event->set;
        return 0;
}

/**
 * quiesce_writer_event_get_limit_usec() - how long the writer has for this event
 * @event: the event
 *
 * Return: µs from when it was sent (Freeze: to the Thaw); UINT64_MAX if it was not told.
 */
_public_ uint64_t quiesce_writer_event_get_limit_usec(const QuiesceWriterEvent *event) {
        assert(event);
        return event->limit_usec;
}

/**
 * quiesce_writer_event_get_backup_type() - the kind of backup (CVssWriter::GetBackupType)
 * @event: the event
 *
 * Return: "full", "incremental" …, or "" if it was not told.
 */
_public_ const char *quiesce_writer_event_get_backup_type(const QuiesceWriterEvent *event) {
        assert(event);
        return event->backup_type;
}

/**
 * quiesce_writer_event_is_persistent() - whether the snapshots outlive the session (CVssWriter::GetContext)
 * @event: the event
 *
 * Return: 1 or 0.
 */
_public_ int quiesce_writer_event_is_persistent(const QuiesceWriterEvent *event) {
        assert(event);
        return event->persistent;
}

/**
 * quiesce_writer_event_is_bootable() - whether the system itself is to be restored from the backup
 * @event: the event
 *
 * Mirrors CVssWriter::IsBootableStateBackedUp.
 *
 * Return: 1 or 0.
 */
_public_ int quiesce_writer_event_is_bootable(const QuiesceWriterEvent *event) {
        assert(event);
        return event->bootable;
}

/**
 * quiesce_writer_event_is_component_mode() - whether the requester chose components
 * @event: the event
 *
 * Mirrors CVssWriter::AreComponentsSelected.
 *
 * Return: 1; 0: it backs up volumes.
 */
_public_ int quiesce_writer_event_is_component_mode(const QuiesceWriterEvent *event) {
        assert(event);
        return event->component_mode;
}

/**
 * quiesce_writer_event_get_outcome() - how the session ended
 * @event: BackupShutdown, Abort or SessionClosed
 *
 * Return: "completed", "aborted" or "not-completed"; "" in other events.
 */
_public_ const char *quiesce_writer_event_get_outcome(const QuiesceWriterEvent *event) {
        assert(event);
        return event->outcome;
}

/**
 * quiesce_writer_event_get_cause() - why the session ended
 * @event: BackupShutdown, Abort or SessionClosed
 *
 * Return: "released", "requester-vanished", "administrator" or "daemon-restarted"; "" in other events.
 */
_public_ const char *quiesce_writer_event_get_cause(const QuiesceWriterEvent *event) {
        assert(event);
        return event->cause;
}

/**
 * quiesce_writer_event_get_guard() - whether the library itself made this Abort
 * @event: the event
 *
 * Return: "connection" (it ended while frozen), "window" (it passed without Thaw), "stop" (the writer was
 * told to end while frozen); NULL: the event came from quiesced.
 */
_public_ const char *quiesce_writer_event_get_guard(const QuiesceWriterEvent *event) {
        assert(event);
        return event->guard;
}

/**
 * quiesce_writer_event_get_volumes() - the volumes of the set (CVssWriter::GetCurrentVolumeArray)
 * @event: the event
 *
 * Return: NULL-terminated array, the event's.
 */
_public_ const char *const *quiesce_writer_event_get_volumes(const QuiesceWriterEvent *event) {
        assert(event);
        return event->volumes ? event->volumes : no_strings;
}

/**
 * quiesce_writer_event_get_snapshots() - the snapshots' devices (CVssWriter::GetSnapshotDeviceName)
 * @event: PostSnapshot
 *
 * Return: NULL-terminated array, the event's: volume, its snapshot's device, volume, device …
 */
_public_ const char *const *quiesce_writer_event_get_snapshots(const QuiesceWriterEvent *event) {
        assert(event);
        return event->snapshots ? event->snapshots : no_strings;
}

/**
 * quiesce_writer_event_count_file_systems() - how many file systems lie on the set's volumes
 * @event: PrepareForSnapshot, of a writer at level system
 *
 * Return: their number; 0 in other events and at other levels.
 */
_public_ size_t quiesce_writer_event_count_file_systems(const QuiesceWriterEvent *event) {
        assert(event);
        return event->n_file_systems;
}

/**
 * quiesce_writer_event_get_file_system() - one file system on the set's volumes
 * @event: the event
 * @i: which, from 0
 * @ret: filled in; its member `size` tells how much of it the caller knows
 *
 * Return: 0; -ENOENT: there is no such; -EINVAL: size is not set.
 */
_public_ int quiesce_writer_event_get_file_system(const QuiesceWriterEvent *event, size_t i,
                                                  QuiesceFileSystem *ret) {
        size_t size;

        if (!event || !ret || ret->size < sizeof(size_t))
                return -EINVAL;
        if (i >= event->n_file_systems)
                return -ENOENT;
        size = ret->size < sizeof(*ret) ? ret->size : sizeof(*ret);
        memcpy(ret, &event->file_systems[i], size);
        ret->size = size;
        return 0;
}

static int set_text(char **text, const char *format, va_list arguments) {
        char *new_text = NULL;

        if (vasprintf(&new_text, format, arguments) < 0)
                return -ENOMEM;
        utf8_clean(new_text, WRITER_TEXT_MAX);
        free(*text);
        *text = new_text;
        return 0;
}

/**
 * quiesce_writer_event_fail() - the event has failed (CVssWriter::SetWriterFailure)
 * @event: the event
 * @failure: of which kind
 * @format: for people: what happened, to which thing, what to do; like printf, %m included
 *
 * The first failure said counts.
 *
 * Return: -ECANCELED, so that a callback can end with `return quiesce_writer_event_fail(…)`.
 */
_public_ int quiesce_writer_event_fail(QuiesceWriterEvent *event, QuiesceFailure failure, const char *format,
                                       ...) {
        int saved = errno;
        va_list arguments;

        assert(event);

        if (event->failure)
                return -ECANCELED;
        event->failure =
                failure >= QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT && failure <= QUIESCE_FAILURE_NON_RETRYABLE
                        ? failure
                        : QUIESCE_FAILURE_NON_RETRYABLE;
        va_start(arguments, format);
        errno = saved;
        (void) set_text(&event->text, format, arguments);
        va_end(arguments);
        return -ECANCELED;
}

/**
 * quiesce_writer_event_warn() - good, but people should know
 * @event: the event
 * @format: like printf; a second warning replaces the first
 *
 * Return: 0, or -ENOMEM.
 */
_public_ int quiesce_writer_event_warn(QuiesceWriterEvent *event, const char *format, ...) {
        int saved = errno;
        va_list arguments;
        int r;

        assert(event);

        va_start(arguments, format);
        errno = saved;
        r = set_text(&event->warning, format, arguments);
        va_end(arguments);
        return r;
}

/**
 * quiesce_writer_event_add_path() - data of this writer lies here (IVssCreateWriterMetadata::AddComponent)
 * @event: Identify
 * @path: absolute; UTF-8
 *
 * Return: 0; -EINVAL: not an Identify, or no absolute path in UTF-8; -E2BIG; -ENOMEM.
 */
_public_ int quiesce_writer_event_add_path(QuiesceWriterEvent *event, const char *path) {
        _cleanup_free_ char *copy = NULL;
        char **paths;

        if (!event || event->type != QUIESCE_EVENT_IDENTIFY || !path || path[0] != '/' ||
            !utf8_is_valid(path))
                return -EINVAL;
        if (event->n_paths >= WRITER_STRINGS_MAX)
                return -E2BIG;
        copy = strdup(path);
        paths = reallocarray(event->paths, event->n_paths + 1, sizeof(*paths));
        if (paths)
                event->paths = paths;
        if (!copy || !paths)
                return -ENOMEM;
        event->paths[event->n_paths++] = TAKE_PTR(copy);
        return 0;
}

/**
 * quiesce_writer_event_set_description() - what this writer is, for people
 * @event: Identify
 * @text: one line
 *
 * Return: 0; -EINVAL: not an Identify; -ENOMEM.
 */
_public_ int quiesce_writer_event_set_description(QuiesceWriterEvent *event, const char *text) {
        char *copy;

        if (!event || event->type != QUIESCE_EVENT_IDENTIFY || !text)
                return -EINVAL;
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        utf8_clean(copy, WRITER_TEXT_MAX);
        free(event->description);
        event->description = copy;
        return 0;
}

/**
 * quiesce_writer_event_set_frozen() - which file systems a Freeze has frozen
 * @event: Freeze, of a writer at level system
 * @indices: QuiesceFileSystem.index of each
 * @n_indices: how many
 *
 * Return: 0; -EINVAL: not a Freeze; -E2BIG; -ENOMEM.
 */
_public_ int quiesce_writer_event_set_frozen(QuiesceWriterEvent *event, const uint32_t *indices,
                                             size_t n_indices) {
        uint32_t *copy;

        if (!event || event->type != QUIESCE_EVENT_FREEZE || (!indices && n_indices > 0))
                return -EINVAL;
        if (n_indices > WRITER_STRINGS_MAX)
                return -E2BIG;
        copy = calloc(n_indices + 1, sizeof(*copy));
        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < n_indices; i++)
                copy[i] = indices[i];
        free(event->frozen);
        event->frozen = copy;
        event->n_frozen = n_indices;
        return 0;
}
