/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef QUIESCE_WRITER_H
#define QUIESCE_WRITER_H

/*
 * Be a writer: an application that holds still while snapshots of its volumes are taken.
 *
 * Fill in a QuiesceWriterCallbacks, make a writer, call quiesce_writer_run():
 *
 *   static int freeze(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
 *           return database_lock(userdata) < 0
 *                   ? quiesce_writer_event_fail(event, QUIESCE_FAILURE_RETRYABLE, "cannot lock: %m") : 0;
 *   }
 *   QuiesceWriterCallbacks callbacks = { .size = sizeof(callbacks), .freeze = freeze, .thaw = thaw };
 *   r = quiesce_writer_new(&writer, NULL, &callbacks, database);
 *   r = quiesce_writer_run(writer);
 *
 * The callbacks mirror VSS's CVssWriter. A callback that is NULL has the default: good, nothing done;
 * `abort` does by default what `thaw` and `post_snapshot` do. All calls come from one thread. Several
 * backups may be under way at once: quiesce_writer_event_get_session() tells them apart.
 *
 * A Freeze is always followed by Thaw or by Abort: if the connection to quiesced ends while frozen, or the
 * freeze window passes, the library calls `abort` by itself. See quiesce-writer(3).
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct QuiesceWriter QuiesceWriter;
typedef struct QuiesceWriterEvent QuiesceWriterEvent;

/* When writers are frozen: front ends first, so that an application is still before what it stores its data
 * in (VSS_APPLICATION_LEVEL). */
typedef enum QuiesceLevel {
        QUIESCE_LEVEL_FRONT_END = 1,
        QUIESCE_LEVEL_BACK_END = 2,
        QUIESCE_LEVEL_SYSTEM = 3,
} QuiesceLevel;

/* Why an event failed (VSS_E_WRITERERROR_...). */
typedef enum QuiesceFailure {
        QUIESCE_FAILURE_INCONSISTENT_SNAPSHOT =
                1, /* the set lacks what this writer needs, or is not one instant */
        QUIESCE_FAILURE_OUT_OF_RESOURCES = 2,
        QUIESCE_FAILURE_TIMEOUT = 3,
        QUIESCE_FAILURE_RETRYABLE = 4, /* the next try may work */
        QUIESCE_FAILURE_NON_RETRYABLE =
                5, /* it will not; what a callback's negative return means by itself */
} QuiesceFailure;

typedef enum QuiesceWriterEventType {
        QUIESCE_EVENT_IDENTIFY = 1,
        QUIESCE_EVENT_PREPARE_FOR_BACKUP = 2,
        QUIESCE_EVENT_PREPARE_FOR_SNAPSHOT = 3,
        QUIESCE_EVENT_FREEZE = 4,
        QUIESCE_EVENT_THAW = 5,
        QUIESCE_EVENT_POST_SNAPSHOT = 6,
        QUIESCE_EVENT_ABORT = 7,
        QUIESCE_EVENT_BACKUP_COMPLETE = 8,
        QUIESCE_EVENT_BACKUP_SHUTDOWN = 9,
        QUIESCE_EVENT_PRE_RESTORE = 10,
        QUIESCE_EVENT_POST_RESTORE = 11,
        QUIESCE_EVENT_SESSION_CLOSED = 12,
} QuiesceWriterEventType;

/* What a callback returns when the answer comes later, by quiesce_writer_event_answer(). */
#define QUIESCE_WRITER_PENDING 1

/* Return 0: good; negative errno: failed (QUIESCE_FAILURE_NON_RETRYABLE unless quiesce_writer_event_fail()
 * said otherwise); QUIESCE_WRITER_PENDING: not yet. */
typedef int (*QuiesceWriterCallback)(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata);

/* New members are only ever appended; `size` tells the library how many the caller knows. */
typedef struct QuiesceWriterCallbacks {
        size_t size; /* sizeof(QuiesceWriterCallbacks) */
        QuiesceWriterCallback identify;
        QuiesceWriterCallback prepare_backup;
        QuiesceWriterCallback prepare_snapshot;
        QuiesceWriterCallback freeze;
        QuiesceWriterCallback thaw;
        QuiesceWriterCallback post_snapshot;
        QuiesceWriterCallback abort;
        QuiesceWriterCallback backup_complete;
        QuiesceWriterCallback backup_shutdown;
        QuiesceWriterCallback pre_restore;
        QuiesceWriterCallback post_restore;
        QuiesceWriterCallback session_closed;
} QuiesceWriterCallbacks;

/* A file system on the set's volumes, told to writers at level system in PrepareForSnapshot. */
typedef struct QuiesceFileSystem {
        size_t size;             /* sizeof(QuiesceFileSystem), set by the caller */
        uint32_t index;          /* what quiesce_writer_event_set_frozen() names it by */
        const char *mount_point; /* bytes, not necessarily UTF-8 */
        const char *type;
        dev_t device;
        int fd;     /* of the mount's root; the event's: duplicate it to keep it */
        int direct; /* on a volume's own device: if no writer freezes it, the volume's suspend does */
} QuiesceFileSystem;

/* What can be backed up or restored by itself (IVssCreateWriterMetadata::AddComponent). It is known by its
 * logical path, "" or words joined by '/', and its name; a selectable one includes all whose logical path
 * leads through it. */
typedef struct QuiesceComponent {
        size_t size;              /* sizeof(QuiesceComponent), set by the caller */
        const char *type;         /* "database" or "filegroup" */
        const char *logical_path; /* NULL: "" */
        const char *name;
        const char *caption;        /* for people; may be NULL */
        int selectable;             /* whether a requester may choose it */
        int selectable_for_restore; /* also if it was backed up as part of another's component set */
} QuiesceComponent;

/* A component that the requester chose, as an event tells of it; its strings are the event's. */
typedef struct QuiesceSelection {
        size_t size; /* sizeof(QuiesceSelection), set by the caller */
        const char *type;
        const char *logical_path;
        const char *name;
        const char *options;         /* of the requester, for this writer; NULL: none */
        const char *previous_stamp;  /* this writer's, of the backup that this one is based on; NULL: none */
        const char *backup_stamp;    /* this writer's, of this backup; NULL: none yet */
        int succeeded;               /* 1 or 0: whether its files were backed up; -1: not said */
        const char *restore_options; /* of the requester, in a restore; NULL: none */
        const char
                *file_restore_status; /* PostRestore: "all", "failed" (some were), "none"; NULL: not said */
        const char *backup_metadata;  /* this writer's, of this backup, or of the one that is restored; or
                                       * NULL */
} QuiesceSelection;

/* name: as in the descriptor NAME.writer; NULL: from $QUIESCE_WRITER_NAME, which quiesced sets. */
int quiesce_writer_new(QuiesceWriter **ret, const char *name, const QuiesceWriterCallbacks *callbacks,
                       void *userdata);
QuiesceWriter *quiesce_writer_free(QuiesceWriter *writer);

/* Before start or run. The descriptor's Level= and FreezeWindowSec= win over these. */
int quiesce_writer_set_level(QuiesceWriter *writer, QuiesceLevel level);
int quiesce_writer_set_freeze_window(QuiesceWriter *writer, uint64_t usec);
/* The socket; default: $QUIESCE_WRITERS_SOCKET, else /run/quiesced/writers. */
int quiesce_writer_set_socket_path(QuiesceWriter *writer, const char *path);

/* For a service that quiesced does not start, whose descriptor has BusName=: it registers on the system bus,
 * again whenever quiesced has been started anew, and never at level system. Either on a connection that the
 * library makes, on which it owns `bus_name`; or on the caller's, which owns that name already and is in no
 * other event loop. */
int quiesce_writer_set_bus_name(QuiesceWriter *writer, const char *bus_name);
int quiesce_writer_set_bus(QuiesceWriter *writer, sd_bus *bus);

/* The blocking form: connects, registers and serves until SIGTERM, SIGINT or the connection's end, then lets
 * go of whatever is frozen and returns 0. */
int quiesce_writer_run(QuiesceWriter *writer);
/* Why it was refused, for people: what quiesced or the bus said; NULL: nothing. */
const char *quiesce_writer_get_error(const QuiesceWriter *writer);

/* The sd-event form: the same on the caller's loop, without signals. `closed` is called once when the
 * connection has ended (0) or could not be made (negative errno), after what was frozen was let go. */
int quiesce_writer_attach_event(QuiesceWriter *writer, sd_event *event, int64_t priority);
int quiesce_writer_set_closed_callback(QuiesceWriter *writer,
                                       void (*closed)(QuiesceWriter *writer, int r, void *userdata));
int quiesce_writer_start(QuiesceWriter *writer);
/* Ends it in order: lets go of whatever is frozen, waits for events not yet answered, then `closed`. */
void quiesce_writer_stop(QuiesceWriter *writer);
/* Calls `abort` for every session that is frozen. */
void quiesce_writer_abort_frozen(QuiesceWriter *writer);

/* What an event tells. Strings and arrays live as long as the event. */
QuiesceWriterEventType quiesce_writer_event_get_type(const QuiesceWriterEvent *event);
const char *quiesce_writer_event_get_type_name(const QuiesceWriterEvent *event); /* "prepare-for-backup" */
const char *quiesce_writer_event_get_session(const QuiesceWriterEvent *event);   /* "" in Identify */
const char *quiesce_writer_event_get_set(const QuiesceWriterEvent *event);       /* "" where there is none */
/* The set that is being made: from PrepareForSnapshot to PostSnapshot; -ENODATA in other events. */
int quiesce_writer_event_get_current_set(const QuiesceWriterEvent *event, const char **ret);
uint64_t quiesce_writer_event_get_limit_usec(const QuiesceWriterEvent *event); /* UINT64_MAX: not told */
const char *quiesce_writer_event_get_backup_type(const QuiesceWriterEvent *event);
int quiesce_writer_event_is_persistent(const QuiesceWriterEvent *event);
int quiesce_writer_event_is_bootable(const QuiesceWriterEvent *event);
int quiesce_writer_event_is_component_mode(const QuiesceWriterEvent *event);
const char *quiesce_writer_event_get_outcome(const QuiesceWriterEvent *event); /* BackupShutdown … or "" */
const char *quiesce_writer_event_get_cause(const QuiesceWriterEvent *event);
/* Why the library itself called `abort` ("connection", "window", "stop"), or NULL. */
const char *quiesce_writer_event_get_guard(const QuiesceWriterEvent *event);
const char *const *quiesce_writer_event_get_volumes(const QuiesceWriterEvent *event); /* NULL-terminated */
const char *const *quiesce_writer_event_get_snapshots(
        const QuiesceWriterEvent *event); /* volume, device … */
/* Where something of the set's volumes is mounted: PrepareForBackup to PostSnapshot. NULL-terminated; bytes,
 * not necessarily UTF-8. */
const char *const *quiesce_writer_event_get_mount_points(const QuiesceWriterEvent *event);
/* Whether a path lies on a volume of the set, links followed: 1 or 0; PrepareForBackup to PostSnapshot, else
 * -ENODATA. What is not there yet is judged by its folder. ret_mount_point (or NULL): where the path's file
 * system is mounted, which is what to name if it is missing in the set; the event's. */
int quiesce_writer_event_is_path_affected(QuiesceWriterEvent *event, const char *path,
                                          const char **ret_mount_point);
/* The same of a volume: "vg/lv", a device node, a mount point, or a key of get_volumes(). */
int quiesce_writer_event_is_volume_affected(QuiesceWriterEvent *event, const char *volume);
/* PostSnapshot, of a writer whose descriptor has WritableSnapshots=yes: an O_PATH descriptor, the caller's,
 * of a folder as it is in the snapshot, where files may be written until the event is answered; all must be
 * closed by then. -ENODATA: not in this event, or not asked for; -EXDEV: the folder's file system has no
 * snapshot that can be written into; -ENOENT: it is not there, or not in the snapshot. */
int quiesce_writer_event_open_in_snapshot(QuiesceWriterEvent *event, const char *path, int *ret);
/* PrepareForBackup, PrepareForSnapshot, PostSnapshot, BackupComplete, PreRestore and PostRestore tell of the
 * components chosen. */
size_t quiesce_writer_event_count_components(const QuiesceWriterEvent *event);
int quiesce_writer_event_get_component(const QuiesceWriterEvent *event, size_t i, QuiesceSelection *ret);
size_t quiesce_writer_event_count_file_systems(const QuiesceWriterEvent *event);
int quiesce_writer_event_get_file_system(const QuiesceWriterEvent *event, size_t i, QuiesceFileSystem *ret);

/* What the writer answers. */
int quiesce_writer_event_fail(QuiesceWriterEvent *event, QuiesceFailure failure, const char *format, ...)
        __attribute__((format(printf, 3, 4))); /* returns -ECANCELED, to be returned by the callback */
int quiesce_writer_event_warn(QuiesceWriterEvent *event, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
int quiesce_writer_event_add_path(QuiesceWriterEvent *event, const char *path); /* Identify */
int quiesce_writer_event_add_component(QuiesceWriterEvent *event,
                                       const QuiesceComponent *component); /* Identify, as the next three */
int quiesce_writer_event_add_files(QuiesceWriterEvent *event, const char *logical_path, const char *name,
                                   const char *path, const char *pattern, int recursive);
int quiesce_writer_event_add_exclude_files(QuiesceWriterEvent *event, const char *path, const char *pattern,
                                           int recursive);
/* method: "restore-if-not-there", "restore-if-can-replace" (the default), "stop-restore-start",
 * "restore-stop-start", "restore-to-alternate-location", "restore-at-reboot",
 * "restore-at-reboot-if-cannot-replace", "custom". never: it takes part in no restore. */
int quiesce_writer_event_set_restore_method(QuiesceWriterEvent *event, const char *method, int never);
int quiesce_writer_event_set_description(QuiesceWriterEvent *event, const char *text); /* Identify */
int quiesce_writer_event_set_frozen(QuiesceWriterEvent *event, const uint32_t *indices,
                                    size_t n_indices); /* Freeze, level system */
/* A word of this writer's own that a requester gives back as previous_stamp with the next backup: a place in
 * a log, say. PrepareForBackup and PostSnapshot, of a component that was chosen; at most 4096 bytes. */
int quiesce_writer_event_set_backup_stamp(QuiesceWriterEvent *event, const char *logical_path,
                                          const char *name, const char *stamp);
/* What a restore of a component will have to know: a text of this writer's own, kept in the backup's
 * document and told in PreRestore and PostRestore. PrepareForBackup and PostSnapshot; at most 16384 bytes.
 */
int quiesce_writer_event_set_backup_metadata(QuiesceWriterEvent *event, const char *logical_path,
                                             const char *name, const char *text);
/* The late answer of an event whose callback returned QUIESCE_WRITER_PENDING; the event is gone then. */
void quiesce_writer_event_answer(QuiesceWriterEvent *event, int r);

#ifdef __cplusplus
}
#endif

#endif
