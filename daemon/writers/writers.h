/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Writers as the rest of quiesced sees them: things addressed by (session, index), sent events, answering
 * them.
 *
 * Behind this: descriptors (writers.d), the launcher (systemd units, or plain fork for tests on machines
 * without systemd), the listening socket /run/quiesced/writers on which writers register, the D-Bus peer
 * connections, and the services on the system bus that have registered there. Everything is asynchronous;
 * nothing here knows what event may follow which: that is the contract's.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "contract/types.h"
#include "daemon/writers/metadata.h"
#include "util/macro.h"

typedef struct Writers Writers;

typedef enum WritersLauncher {
        WRITERS_LAUNCHER_SYSTEMD,
        WRITERS_LAUNCHER_FORK,
} WritersLauncher;

/* What a writer notes of a component that was selected: its stamp comes back with the next backup, its
 * metadata in a restore. */
typedef struct WriterNote {
        const char *logical_path, *name;
        const char *stamp, *metadata; /* NULL: not said */
} WriterNote;

/* What a writer answered to an event. */
typedef struct WriterAnswer {
        ContractFailure failure;  /* NONE: good */
        const char *text;         /* of the failure, or a warning; or NULL */
        WriterMetadata *metadata; /* IDENTIFY, good: to be referenced; paths are the descriptor's if it says
                                   * nothing itself */
        const WriterNote *notes;  /* PREPARE_FOR_BACKUP, POST_SNAPSHOT */
        size_t n_notes;
        const uint32_t *frozen; /* FREEZE, level system: indices of the file systems it froze */
        size_t n_frozen;
} WriterAnswer;

/* A file system of the set, told to writers at level system in PrepareForSnapshot. */
typedef struct WriterFileSystem {
        uint32_t index;
        const char *mount_point;
        const char *type;
        uint64_t device; /* dev_t of the file system */
        int fd;          /* O_RDONLY on the mount's root; stays the caller's */
        bool direct;     /* on a volume's own device, which freezes it when it is suspended */
} WriterFileSystem;

/* A snapshot that a writer may write into, told in PostSnapshot to those that ask for it. */
typedef struct WriterTree {
        const char *volume;    /* key */
        uint64_t device;       /* dev_t of the volume's file system; 0: it is … */
        const char *directory; /* … this folder; bytes */
        int fd;                /* of the mount's root; stays the caller's */
} WriterTree;

/* A component that was selected, as an event tells of it. */
typedef struct WriterSelection {
        const char *type, *logical_path, *name;
        const char *options, *previous_stamp, *backup_stamp, *backup_metadata; /* or NULL */
        int succeeded;                                                         /* negative: not said */
        const char *restore_options, *file_restore_status;                     /* or NULL */
} WriterSelection;

/* What goes with an event. Strings and arrays need live only during the call of writers_send(). */
typedef struct WriterEvent {
        ContractEvent event;
        const char *session_id;
        const char *set_id;
        uint64_t limit_usec;
        bool by_name; /* C21: to whatever process of that writer is there, started again if need be */
        ContractOutcome outcome; /* BACKUP_SHUTDOWN, ABORT, SESSION_CLOSED */
        ContractCause cause;
        const char *backup_type;
        bool persistent, bootable, component_mode;
        const WriterSelection *selection;
        size_t n_selection;
        const char *const *volumes;      /* keys */
        const char *const *volume_names; /* as many; NULL: not told, as in the freeze window */
        size_t n_volumes;
        const uint64_t *devices; /* dev_t of all that lies on the volumes */
        size_t n_devices;
        const char *const *mount_points; /* of the volumes; bytes */
        size_t n_mount_points;
        const char *const *directories; /* volumes that are no devices; bytes */
        size_t n_directories;
        const WriterFileSystem *file_systems; /* PREPARE_FOR_SNAPSHOT */
        size_t n_file_systems;
        const char *const *snapshots; /* POST_SNAPSHOT: key, device, key, device … */
        size_t n_snapshots;
        const WriterTree *trees; /* POST_SNAPSHOT; who did not ask for them is not told */
        size_t n_trees;
} WriterEvent;

typedef struct WritersConfig {
        const char *const *descriptor_dirs; /* NULL-terminated, first wins */
        int listen_fd; /* of quiesced.socket, owned by Writers from then on; or -1: bind socket_path */
        const char *socket_path;
        WritersLauncher launcher;
        uint64_t launch_limit_usec;
        /* Called from the event loop, never from within a call of writers_…(). */
        void (*launched)(uint64_t session, const ContractWriterSpec *writers, size_t n_writers,
                         void *userdata);
        void (*answered)(uint64_t session, uint32_t writer, ContractEvent event, const WriterAnswer *answer,
                         void *userdata);
        void (*gone)(uint64_t session, uint32_t writer, void *userdata);
        void *userdata;
} WritersConfig;

/* What a descriptor says, for listing; strings live until the next writers_reload(). */
typedef struct WriterListing {
        const char *name;
        ContractLevel level;
        const char *kind; /* "service", "exec", "hook", "static", "bus" */
        const char *description;
        const char *unit;
        bool on_bus;                /* a service on the system bus: */
        bool registered;            /* it is there */
        const char *path;           /* the descriptor's */
        char *const *blocks_revert; /* paths and volumes that must not be reverted; NULL: none */
        const char *error;          /* NULL: usable */
} WriterListing;

int writers_new(Writers **ret, sd_event *event, const WritersConfig *config);
Writers *writers_free(Writers *writers);
DEFINE_CLEANUP(Writers *, writers_free)

/* The system bus, once there is one: the systemd launcher starts units through it. Referenced. */
int writers_set_bus(Writers *writers, sd_bus *bus);
int writers_reload(Writers *writers);
size_t writers_count(const Writers *writers);
bool writers_get_listing(const Writers *writers, size_t index, WriterListing *ret);

/* A service on the system bus that would be a writer. */
typedef struct WriterRegistration {
        const char *name; /* the writer's */
        const char *peer; /* the caller's unique name */
        pid_t pid;        /* its process; 0: unknown */
        int level;        /* negative: not said; never level system */
        uint64_t freeze_window_usec;
        bool may_replace; /* the contract's word: another that is registered may be replaced by it now */
} WriterRegistration;

enum {
        _WRITERS_E_SUCCESS,
        WRITERS_E_NO_DESCRIPTOR,
        WRITERS_E_UNUSABLE, /* its descriptor has a defect, or is not that of a service on the bus */
        WRITERS_E_BUSY,     /* it is registered */
};

int writers_check_registration(Writers *writers, const WriterRegistration *registration,
                               const char **ret_bus_name, char reterr[static CONTRACT_TEXT_MAX]);
int writers_register(Writers *writers, const WriterRegistration *registration);
void writers_peer_vanished(Writers *writers, const char *peer);

/* Starts the writers of a session; config.launched is called with one spec for each that is enabled, in the
 * order that gives them their index. */
int writers_launch(Writers *writers, uint64_t session, const char *const *names, size_t n_names,
                   bool names_enabled);
/* For sessions of a daemon that died: only the names, nothing is started until an event by_name comes. */
int writers_adopt(Writers *writers, uint64_t session, const char *const *names, size_t n_names);
int writers_send(Writers *writers, uint64_t session, uint32_t writer, const WriterEvent *event);
/* C30: it did not answer Abort or BackupShutdown: its unit is stopped. */
int writers_stop(Writers *writers, uint64_t session, uint32_t writer);
/* The session is gone; a writer is stopped after the last session with it. */
void writers_release(Writers *writers, uint64_t session);
/* The unit behind a writer in a session, or NULL. */
const char *writers_get_unit(const Writers *writers, uint64_t session, uint32_t writer);
/* The process that takes part in it, or 0: gone, or none. */
pid_t writers_get_process(const Writers *writers, uint64_t session, uint32_t writer);
/* Whether any session has a writer running (the daemon may not leave then). */
bool writers_busy(const Writers *writers);
