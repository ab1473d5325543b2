/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef QUIESCE_REQUESTER_H
#define QUIESCE_REQUESTER_H

/*
 * Be a requester: a backup tool that has quiesced take a snapshot set and reads from it.
 *
 *   r = sd_bus_open_system(&bus);
 *   r = quiesce_backup_new(&backup, bus);
 *   r = quiesce_backup_open(backup, &error);
 *   r = quiesce_backup_set_state(backup, "full", false, &error);
 *   r = quiesce_backup_gather_writer_metadata(backup, NULL, &error);
 *   r = quiesce_backup_start_snapshot_set(backup, NULL, NULL, &error);
 *   r = quiesce_backup_add_volume(backup, &(QuiesceVolume) { .size = sizeof(QuiesceVolume), .path = "/srv"
 * }, &snapshot, &error); r = quiesce_backup_prepare(backup, NULL, NULL, &error); r =
 * quiesce_backup_do_snapshot_set(backup, NULL, &set, &error); r = quiesce_backup_open_tree(backup, snapshot,
 * &tree, &error);      … read … r = quiesce_backup_complete(backup, &error); r =
 * quiesce_backup_release(backup, &error);
 *
 * The calls and their order are those of VSS's IVssBackupComponents; what is legal when says
 * org.quiesce1(5). The session belongs to the bus connection: when that ends, quiesced releases it.
 *
 * Each call blocks until quiesced has answered, however long it takes. A program with an event loop gives
 * quiesce_backup_set_wait() a function that runs its loop once, or makes its calls with
 * quiesce_backup_new_call() and quiesce_backup_call_async(). Paths are opened here and sent as descriptors,
 * so that namespaces, links and rights are the caller's.
 *
 * All functions return 0 or a negative errno. `error`, which may be NULL, gets quiesced's error: its name is
 * one of QUIESCE_ERROR_…, its text is for people. Structures start with their size, set by the caller; new
 * members are only ever appended. See quiesce-requester(3).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QUIESCE_BUS_NAME     "org.quiesce1"
#define QUIESCE_BUS_PATH     "/org/quiesce1"
#define QUIESCE_BUS_MANAGER  "org.quiesce1.Manager"
#define QUIESCE_BUS_SESSION  "org.quiesce1.Session"
#define QUIESCE_BUS_BACKUP   "org.quiesce1.Backup"
#define QUIESCE_BUS_RESTORE  "org.quiesce1.Restore"
#define QUIESCE_BUS_SET      "org.quiesce1.SnapshotSet"
#define QUIESCE_BUS_SNAPSHOT "org.quiesce1.Snapshot"
#define QUIESCE_BUS_PROVIDER "org.quiesce1.Provider"

#define QUIESCE_ERROR_BAD_STATE                        "org.quiesce1.Error.BadState"
#define QUIESCE_ERROR_INVALID_ARGUMENT                 "org.quiesce1.Error.InvalidArgument"
#define QUIESCE_ERROR_NOT_SUPPORTED                    "org.quiesce1.Error.NotSupported"
#define QUIESCE_ERROR_OBJECT_NOT_FOUND                 "org.quiesce1.Error.ObjectNotFound"
#define QUIESCE_ERROR_OBJECT_ALREADY_EXISTS            "org.quiesce1.Error.ObjectAlreadyExists"
#define QUIESCE_ERROR_SNAPSHOT_SET_IN_PROGRESS         "org.quiesce1.Error.SnapshotSetInProgress"
#define QUIESCE_ERROR_SESSION_LOST                     "org.quiesce1.Error.SessionLost"
#define QUIESCE_ERROR_INVALID_DOCUMENT                 "org.quiesce1.Error.InvalidDocument"
#define QUIESCE_ERROR_WRITER_VETO                      "org.quiesce1.Error.WriterVeto"
#define QUIESCE_ERROR_VOLUME_NOT_SUPPORTED             "org.quiesce1.Error.VolumeNotSupported"
#define QUIESCE_ERROR_VOLUME_NOT_SUPPORTED_BY_PROVIDER "org.quiesce1.Error.VolumeNotSupportedByProvider"

/* One backup session (VSS: IVssBackupComponents). */
typedef struct QuiesceBackup QuiesceBackup;

/* Waits until something may have happened on the bus, by running the caller's event loop once, to which the
 * bus is attached. A negative value ends the call that waits: it returns that value at once, while quiesced
 * goes on with it; quiesce_backup_abort() and quiesce_backup_release() are the calls that fit then. */
typedef int (*QuiesceWait)(void *userdata);

int quiesce_backup_new(QuiesceBackup **ret, sd_bus *bus);
QuiesceBackup *quiesce_backup_free(QuiesceBackup *backup);
void quiesce_backup_set_wait(QuiesceBackup *backup, QuiesceWait wait, void *userdata);

/* The session's object path and UUID; NULL before quiesce_backup_open(). */
const char *quiesce_backup_get_path(const QuiesceBackup *backup);
const char *quiesce_backup_get_id(const QuiesceBackup *backup);

/* Any method of the session by hand: an empty call, to be filled with arguments, and its way out without a
 * time limit. interface is QUIESCE_BUS_SESSION or QUIESCE_BUS_BACKUP. */
int quiesce_backup_new_call(QuiesceBackup *backup, sd_bus_message **ret, const char *interface,
                            const char *member);
int quiesce_backup_call(QuiesceBackup *backup, sd_bus_message *call, sd_bus_message **ret_reply,
                        sd_bus_error *error);
int quiesce_backup_call_async(QuiesceBackup *backup, sd_bus_slot **ret_slot, sd_bus_message *call,
                              sd_bus_message_handler_t callback, void *userdata);

int quiesce_backup_open(QuiesceBackup *backup, sd_bus_error *error);

/* "backup", "file-share-backup", "nas-rollback", "app-rollback" (VSS_SNAPSHOT_CONTEXT). */
int quiesce_backup_set_context(QuiesceBackup *backup, const char *context, sd_bus_error *error);
int quiesce_backup_disable_writers(QuiesceBackup *backup, const char *const *names, sd_bus_error *error);
/* type: "full", "copy", "incremental", "differential" or "log" (VSS_BACKUP_TYPE). */
int quiesce_backup_set_state(QuiesceBackup *backup, const char *type, bool bootable, sd_bus_error *error);
/* Component mode: the writers of the components that are added take part, and no others. */
int quiesce_backup_set_component_state(QuiesceBackup *backup, const char *type, bool bootable,
                                       sd_bus_error *error);
int quiesce_backup_gather_writer_metadata(QuiesceBackup *backup, sd_bus_message **ret_reply,
                                          sd_bus_error *error);

/* One writer's dictionary (a{sv}), and those of its components that were added (aa{sv}); org.quiesce1(5). */
int quiesce_backup_get_writer_metadata(QuiesceBackup *backup, const char *writer, sd_bus_message **ret_reply,
                                       sd_bus_error *error);
int quiesce_backup_get_writer_components(QuiesceBackup *backup, const char *writer,
                                         sd_bus_message **ret_reply, sd_bus_error *error);
int quiesce_backup_add_component(QuiesceBackup *backup, const char *writer, const char *logical_path,
                                 const char *name, sd_bus_error *error);
/* Of a component that was added. Options are the writer's own words; a stamp is what the writer set in the
 * backup that this one is based on (get_writer_components: backup-stamp). */
int quiesce_backup_set_backup_options(QuiesceBackup *backup, const char *writer, const char *logical_path,
                                      const char *name, const char *options, sd_bus_error *error);
int quiesce_backup_set_previous_stamp(QuiesceBackup *backup, const char *writer, const char *logical_path,
                                      const char *name, const char *stamp, sd_bus_error *error);
/* After its files were copied, before quiesce_backup_complete(): whether all of them were. */
int quiesce_backup_set_succeeded(QuiesceBackup *backup, const char *writer, const char *logical_path,
                                 const char *name, bool succeeded, sd_bus_error *error);

/* ret_set, here and below: free() it; may be NULL. */
typedef struct QuiesceStartOptions {
        size_t size;
        bool wait; /* queue behind a set that is being made, instead of SnapshotSetInProgress */
        const char *name, *note;   /* what people call the set; NULL: nothing */
        const char *const *labels; /* by which they find it, NULL-terminated; NULL: none */
} QuiesceStartOptions;
int quiesce_backup_start_snapshot_set(QuiesceBackup *backup, const QuiesceStartOptions *options,
                                      char **ret_set, sd_bus_error *error);

/* A volume, named in one of three ways, and how to snapshot it. */
typedef struct QuiesceVolume {
        size_t size;
        const char *path; /* of anything on it: opened here, sent as a descriptor */
        int fd; /* if path is NULL and fd > 0: a descriptor of anything on it, stays the caller's */
        const char *name; /* else: a mount point, a device's name or "vg/lv", compared as text by quiesced */
        uint64_t cow_size;           /* bytes; 0: quiesced decides */
        const char *provider;        /* NULL: quiesced decides */
        const char *const *store_on; /* physical volumes for a store, or (dm) stores, NULL-terminated; NULL:
                                        quiesced decides */
} QuiesceVolume;
int quiesce_backup_add_volume(QuiesceBackup *backup, const QuiesceVolume *volume, char **ret_snapshot,
                              sd_bus_error *error);

/* Which writers must not fail (contract C14). NULL instead of the structure: none need succeed. */
typedef struct QuiesceRequirement {
        size_t size;
        bool require_writers;
        const char *const *ignore_writers; /* NULL-terminated, or NULL */
        /* For quiesce_backup_do_snapshot_set(), of volumes of provider "external"; quiesced-external(7). >
         * 0: an AF_UNIX socket of type SOCK_SEQPACKET, whose other end is the caller's; stays the caller's,
         * too. */
        int moment_fd;
        uint64_t moment_limit_usec; /* 0: quiesced decides */
} QuiesceRequirement;

/* ret_failed: names of writers that failed, NULL-terminated; free with quiesce_strv_free(); may be NULL. */
int quiesce_backup_prepare(QuiesceBackup *backup, const QuiesceRequirement *requirement, char ***ret_failed,
                           sd_bus_error *error);

typedef struct QuiesceSnapshotSet {
        char *id;
        char *consistency;     /* "application", "file-system", "crash" */
        char **failed_writers; /* NULL-terminated */
        uint64_t instant_usec; /* CLOCK_REALTIME */
        uint64_t hold_usec;    /* the longest that a write was held */
        uint64_t freeze_usec;  /* first Freeze sent to last Thaw answered */
        uint64_t suspend_usec, commit_usec;
} QuiesceSnapshotSet;
int quiesce_backup_do_snapshot_set(QuiesceBackup *backup, const QuiesceRequirement *requirement,
                                   QuiesceSnapshotSet **ret, sd_bus_error *error);
QuiesceSnapshotSet *quiesce_snapshot_set_free(QuiesceSnapshotSet *set);

/* A detached read-only mount of the snapshot's file system, for one move_mount(2). */
int quiesce_backup_open_tree(QuiesceBackup *backup, const char *snapshot, int *ret_fd, sd_bus_error *error);

int quiesce_backup_gather_writer_status(QuiesceBackup *backup, sd_bus_message **ret_reply,
                                        sd_bus_error *error);
/* What was backed up, and what the writers said of themselves, for the restore; quiesce-document(5). After
 * quiesce_backup_prepare(), best after everything that succeeded or not is said. free() it. */
int quiesce_backup_save_document(QuiesceBackup *backup, char **ret_document, sd_bus_error *error);
/* The data is safe: writers may truncate their logs. */
int quiesce_backup_complete(QuiesceBackup *backup, sd_bus_error *error);
int quiesce_backup_abort(QuiesceBackup *backup, sd_bus_error *error);
int quiesce_backup_release(QuiesceBackup *backup, sd_bus_error *error);

char **quiesce_strv_free(char **strings);

/* One restore session (VSS: IVssBackupComponents after InitializeForRestore):
 *
 *   r = quiesce_restore_new(&restore, bus);
 *   r = quiesce_restore_open(restore, NULL, &error);
 *   r = quiesce_restore_gather_writer_metadata(restore, NULL, &error);
 *   r = quiesce_restore_select(restore, "wiki", NULL, "pages", true, &error);
 *   r = quiesce_restore_pre_restore(restore, &failed, &error);
 *       ... put the files back ...
 *   r = quiesce_restore_set_file_status(restore, "wiki", NULL, "pages", "all", &error);
 *   r = quiesce_restore_post_restore(restore, &failed, &error);
 *   r = quiesce_restore_release(restore, &error);
 *
 * There is no abort: releasing it tells the writers that it was not completed. */
typedef struct QuiesceRestore QuiesceRestore;

int quiesce_restore_new(QuiesceRestore **ret, sd_bus *bus);
QuiesceRestore *quiesce_restore_free(QuiesceRestore *restore);
void quiesce_restore_set_wait(QuiesceRestore *restore, QuiesceWait wait, void *userdata);
const char *quiesce_restore_get_path(const QuiesceRestore *restore);
const char *quiesce_restore_get_id(const QuiesceRestore *restore);
/* document: of the backup that is restored; NULL: components are named by what the writers say now. */
int quiesce_restore_open(QuiesceRestore *restore, const char *document, sd_bus_error *error);
int quiesce_restore_gather_writer_metadata(QuiesceRestore *restore, sd_bus_message **ret_reply,
                                           sd_bus_error *error);
int quiesce_restore_get_writer_metadata(QuiesceRestore *restore, const char *writer,
                                        sd_bus_message **ret_reply, sd_bus_error *error);
int quiesce_restore_get_writer_components(QuiesceRestore *restore, const char *writer,
                                          sd_bus_message **ret_reply, sd_bus_error *error);
int quiesce_restore_select(QuiesceRestore *restore, const char *writer, const char *logical_path,
                           const char *name, bool selected, sd_bus_error *error);
int quiesce_restore_set_options(QuiesceRestore *restore, const char *writer, const char *logical_path,
                                const char *name, const char *options, sd_bus_error *error);
/* ret_failed: as of quiesce_backup_prepare(). */
int quiesce_restore_pre_restore(QuiesceRestore *restore, char ***ret_failed, sd_bus_error *error);
/* status: "all", "failed" (some of its files were restored), "none". */
int quiesce_restore_set_file_status(QuiesceRestore *restore, const char *writer, const char *logical_path,
                                    const char *name, const char *status, sd_bus_error *error);
int quiesce_restore_post_restore(QuiesceRestore *restore, char ***ret_failed, sd_bus_error *error);
/* The document that it was opened with, and what was restored. free() it. */
int quiesce_restore_save_document(QuiesceRestore *restore, char **ret_document, sd_bus_error *error);
int quiesce_restore_gather_writer_status(QuiesceRestore *restore, sd_bus_message **ret_reply,
                                         sd_bus_error *error);
int quiesce_restore_release(QuiesceRestore *restore, sd_bus_error *error);

#ifdef __cplusplus
}
#endif

#endif
