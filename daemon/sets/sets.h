/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Snapshot sets as the rest of quiesced sees them: volumes are found, steps are carried out, snapshots are
 * looked into.
 *
 * Behind this: volumes (what lies under a path or a name), providers (lvm-cow, lvm-thin, test), the LVM
 * command as a child process, and the hold. Each step is asynchronous and ends in exactly one callback,
 * which is called from the event loop, never from within the call that began the step; every step has a
 * deadline of its own. Nothing here knows what step may follow which: that is the contract's.
 */

#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#include "contract/types.h"
#include "daemon/providers/lvm-placement.h"
#include "daemon/providers/set-description.h"
#include "daemon/sets/mount-record.h"
#include "util/macro.h"

/* The word for a snapshot that has gone without our doing. */
#define SETS_REMOVED_ELSEWHERE "removed"

typedef struct Sets Sets;
typedef struct SnapshotSet SnapshotSet;

typedef struct SetsConfig {
        const char *hold_socket_path;
        const char *runtime_dir;       /* /run/quiesced: the journal of the running set */
        const char *test_provider_dir; /* NULL: no provider "test" */
        uint64_t hold_limit_usec;
        bool expedite_rcu;
        unsigned cow_percent;            /* default size of a COW store, in % of its origin */
        unsigned snapshots_max;          /* per volume */
        const LvmPlacements *placements; /* of COW stores, or NULL; must live longer */
        const LvmPlacements *dm_stores;  /* of provider dm, by devices' names or patterns; likewise */
        bool dm_plaintext_stores;        /* also of encrypted volumes */
        /* Room: how often it is looked at (0: never); how full (percent) what a snapshot is stored in is
         * when that is told, when it is extended and by how much, and when a pool loses snapshots; 100:
         * never. */
        uint64_t space_check_usec;
        uint64_t growth_usec; /* over how long growth is measured */
        unsigned warn_percent, grow_percent, grow_by_percent, drop_percent;
        void (*space_low)(const char *set_id, const char *snapshot_id, double full, void *userdata);
        /* A snapshot does not hold its instant any more. */
        void (*invalid)(const char *set_id, const char *snapshot_id, const char *reason, void *userdata);
        /* A snapshot or set went away otherwise than by a step (somebody removed the LV, it overflowed …).
         */
        void (*removed)(const char *set_id, const char *snapshot_id, const char *reason, void *userdata);
        void *userdata;
} SetsConfig;

/* What a snapshot of a volume would be. */
typedef struct VolumeNeed {
        char name[264];       /* of the volume */
        const char *provider; /* static */
        uint64_t size;        /* of the volume; all in bytes */
        uint64_t store_size;  /* taken up at once; 0: none */
        uint64_t store_room;  /* free where that is taken */
} VolumeNeed;

typedef struct StepResult {
        ContractError error; /* OK: done */
        const char *text;    /* with an error: what happened, to which thing, at which step, what to do */
        const char *key;     /* BEGIN_PREPARE: names the volume; the same volume, the same key */
        bool file_systems_frozen;  /* COMMIT */
        uint32_t n_deleted;        /* DELETE */
        const char *first_left;    /* DELETE */
        const VolumeNeed *need;    /* IsVolumeSupported */
        const char *const *broken; /* break: id and new name of each snapshot, NULL-terminated */
} StepResult;

typedef void (*StepDone)(SnapshotSet *set, ContractStep step, uint32_t volume, const StepResult *result,
                         void *userdata);

/* How a caller names a volume: a string that is only compared, or an O_PATH descriptor. */
typedef struct VolumeReference {
        const char *name; /* or NULL */
        int fd;           /* or -1; stays the caller's (duplicated) */
} VolumeReference;

typedef struct PrepareOptions {
        uint64_t cow_size;    /* bytes; 0: the default */
        const char *provider; /* NULL: the one that fits */
        char **devices;       /* for a COW store: physical volumes, NULL-terminated; or NULL */
} PrepareOptions;

typedef struct VolumeListing {
        const char *name, *key, *device, *provider, *reason, *file_system;
        uint64_t size;
        const char *const *mount_points;
        size_t n_mount_points;
} VolumeListing;

typedef struct SnapshotInfo {
        const char *id, *set_id;
        const char *volume; /* "vg/lv" */
        const char *key;
        const char *device; /* /dev/… of the snapshot */
        const char *provider;
        const char *state;               /* "preparing", "created", "reverting", "deleting", "invalid" */
        bool revert_waits;               /* "reverting": until the volume is activated next */
        double revert_left;              /* likewise, percent that is still to be done */
        const char *file_system;         /* type, or "" */
        const char *no_tree;             /* NULL: OpenTree works; else why not */
        const char *invalid_reason;      /* a word: store-lost, pool-failed, pool-full; "": it is not */
        uint64_t invalid_usec;           /* CLOCK_REALTIME: since when that is known */
        double full;                     /* percent: of its store or pool */
        const char *copy_device;         /* of its writable copy, or NULL */
        bool copy_lost;                  /* more was written into that than its store holds */
        const char *external_id;         /* what its requester calls it, or "" */
        uint64_t size;                   /* bytes, of the volume */
        const char *const *mount_points; /* of the origin, when the set was made */
        size_t n_mount_points;
} SnapshotInfo;

typedef struct SetInfo {
        const char *id;
        const char *session_id;
        uint32_t owner_uid;
        bool persistent;
        bool created; /* it counts; before, it is nobody's business but its session's */
        ContractConsistency consistency;
        uint64_t instant_realtime_usec;
        uint64_t hold_usec;    /* longest time that writes to any volume were held */
        uint64_t suspend_usec; /* suspend begin to all suspended */
        uint64_t commit_usec;
        uint64_t freeze_usec; /* set with sets_note_outcome() */
        size_t n_snapshots;
        size_t n_made; /* snapshots that it was made with; 0: not known */
} SetInfo;

/* When writes to a set were held, CLOCK_BOOTTIME; all 0: they were not, or that is not known any more. */
typedef struct SetTimes {
        uint64_t hold_begin_usec, hold_end_usec; /* hold_usec of SetInfo between them */
        uint64_t hold_limit_usec;
} SetTimes;

/* Likewise of one volume; what is 0 was not needed. */
typedef struct SnapshotTimes {
        uint64_t suspend_begin_usec, suspended_usec;
        uint64_t commit_begin_usec, committed_usec;
        uint64_t resume_begin_usec, resumed_usec;
} SnapshotTimes;

/* What snapshots take up. */
typedef struct StorageInfo {
        const char *name;         /* of the volume whose snapshot it is, or of the pool */
        uint64_t used, allocated; /* bytes */
        bool growth_is_known;
        uint64_t growth_per_hour; /* bytes */
        uint64_t full_in_usec;    /* from now; USEC_INFINITY: it does not grow, or that is not known */
} StorageInfo;

/* A file system that lies on the set's volumes, for the writers at level system. fd belongs to the set. */
typedef struct SetFileSystem {
        uint32_t index;
        const char *mount_point;
        const char *type;
        uint64_t device;
        int fd;
        bool direct; /* on a volume's own device */
} SetFileSystem;

/* Where the data of a set's volumes is found, for writers to judge by; all of it its owner's. */
typedef struct SetPlaces {
        uint64_t *devices; /* dev_t of all that lies on the volumes, as mountinfo tells them */
        size_t n_devices;
        char **mount_points; /* in our mount namespace */
        size_t n_mount_points;
        char **directories; /* of volumes that are no devices */
        size_t n_directories;
} SetPlaces;

/* A snapshot that writers may write into in PostSnapshot (C24). All of it belongs to the set. */
typedef struct SetTree {
        const char *key;       /* of the volume */
        uint64_t device;       /* dev_t of the file system on the volume; 0: it is the folder … */
        const char *directory; /* … of this name */
        int fd;                /* of the mount */
} SetTree;

int sets_new(Sets **ret, sd_event *event, const SetsConfig *config);
void sets_configure(Sets *sets, const SetsConfig *config);
Sets *sets_free(Sets *sets);
DEFINE_CLEANUP(Sets *, sets_free)

/* At start, before the bus name: resumes, thaws and puts back what the journal of a dead daemon names
 * (synchronous, short, ioctls only), then (asynchronously) finds finished persistent sets by LVM's tags,
 * and those for which `keep` says that their owner still reads them. found(r) when that is over; after it,
 * and with the bus name, unfinished and ownerless ones are removed. */
int sets_recover_held(Sets *sets);
int sets_recover(Sets *sets, bool (*keep)(const char *set_id, void *userdata),
                 void (*found)(int r, void *userdata), void *userdata);
void sets_remove_left_over(Sets *sets, void (*removed)(int r, void *userdata), void *userdata);

/* Only mountinfo and sysfs are read; no LVM, no path is opened. key: free() it. -ENODEV: no such volume. */
int sets_volume_key_of_path(Sets *sets, const char *path, char **ret_key);
typedef void (*VolumesListed)(int r, const VolumeListing *volumes, size_t n_volumes, void *userdata);
int sets_list_volumes(Sets *sets, VolumesListed done, void *userdata);
/* Answers like BEGIN_PREPARE, changes nothing; set is NULL in the callback. */
int sets_is_volume_supported(Sets *sets, const VolumeReference *volume, const PrepareOptions *options,
                             StepDone done, void *userdata);

/* The set belongs to Sets; it goes when ABORT or DELETE of all has removed its last snapshot, after that
 * callback. */
int sets_new_set(Sets *sets, SnapshotSet **ret, const char *set_id, const char *session_id,
                 uint32_t owner_uid, bool persistent);
int snapshot_set_begin_prepare(SnapshotSet *set, uint32_t volume, const char *snapshot_id,
                               const VolumeReference *reference, const PrepareOptions *options,
                               StepDone done, void *userdata);
/* Before END_PREPARE: the first n_volumes are the set; what follows was added by calls that were cancelled.
 * To be called after each BEGIN_PREPARE, or file systems stay open that nobody wants. */
void snapshot_set_trim(SnapshotSet *set, uint32_t n_volumes);
/* END_PREPARE … DELETE. snapshot: DELETE of one, else NULL. ABORT may overtake a running step, whose
 * callback is then called first, with CONTRACT_ERROR_ABORTED. */
int snapshot_set_step(SnapshotSet *set, ContractStep step, const char *snapshot, StepDone done,
                      void *userdata);
/* Between LOCK and COMMIT: the file systems on the set's volumes, and which of them the writers have frozen.
 */
size_t snapshot_set_count_file_systems(const SnapshotSet *set);
bool snapshot_set_get_file_system(const SnapshotSet *set, size_t index, SetFileSystem *ret);
void snapshot_set_note_frozen(SnapshotSet *set, const uint32_t *indices, size_t n_indices);
/* Before FINAL_COMMIT and SEAL, the last of which notes it with the snapshots. */
void snapshot_set_note_consistency(SnapshotSet *set, ContractConsistency consistency);
void snapshot_set_note_outcome(SnapshotSet *set, ContractConsistency consistency, uint64_t freeze_usec);
/* Before LOCK: writers will want to write into the snapshots in PostSnapshot, and SEAL will follow; before
 * FINAL_COMMIT: some still will. */
void snapshot_set_note_writers_write(SnapshotSet *set, bool writers_write);
/* Between FINAL_COMMIT and SEAL: the snapshots that they may write into. */
bool snapshot_set_get_tree(const SnapshotSet *set, size_t index, SetTree *ret);
/* Before LOCK: a writer freezes the set's file systems, and has found none that somebody else holds frozen.
 * Unless told so, none is ever thawed when the set fails. */
void snapshot_set_note_writers_freeze(SnapshotSet *set, bool writers_freeze);
/* Before END_PREPARE, for provider external: where the requester hears that all is frozen, and how long the
 * set may be held. */
bool sets_is_moment(int fd);
int snapshot_set_note_moment(SnapshotSet *set, int fd, uint64_t limit_usec);
/* LVM commands may run again (contract's WINDOW_END). */
void sets_window_end(Sets *sets);

SnapshotSet *sets_find(Sets *sets, const char *id); /* by the set's id or one of its snapshots' */
size_t sets_count(const Sets *sets);
SnapshotSet *sets_get(Sets *sets, size_t index);
bool snapshot_set_get_info(const SnapshotSet *set, SetInfo *ret);
/* times.c: what is known of the set's hold until quiesced ends. */
bool snapshot_set_get_times(const SnapshotSet *set, SetTimes *ret);
bool snapshot_set_get_snapshot_times(const SnapshotSet *set, size_t index, SnapshotTimes *ret);
/* Nothing works on it: no step, no operation. */
bool snapshot_set_is_idle(const SnapshotSet *set);
bool snapshot_set_get_snapshot(const SnapshotSet *set, size_t index, SnapshotInfo *ret);

/* What people say of it. Before FINAL_COMMIT: noted with the snapshots; afterwards by a change, which is
 * done as StepDone with STEP_NONE. */
int snapshot_set_describe(SnapshotSet *set, const SetDescription *description);
const SetDescription *snapshot_set_get_description(const SnapshotSet *set);
int snapshot_set_describe_anew(SnapshotSet *set, const SetDescription *description, StepDone done,
                               void *userdata);
/* Why it is not to be deleted, unless by force; snapshot_id: of one, NULL: of all. Return: OK: nothing. */
ContractError snapshot_set_check_unused(const SnapshotSet *set, const char *snapshot_id, bool force,
                                        char *text, size_t n_text);
/* For how long somebody may have a snapshot open before that counts, and how often it is looked at. */
#define UNUSED_PATIENCE_USEC (3 * USEC_PER_SEC)
#define UNUSED_AGAIN_USEC    (100 * USEC_PER_MSEC)
/* busy: who still has it open, in a sentence; NULL: nobody, or something else stands in the way by now. */
typedef void (*UnusedDone)(const char *busy, void *userdata);
bool snapshot_set_await_unused(SnapshotSet *set, const char *snapshot_id, UnusedDone done, void *userdata);
/* A persistent set becomes volumes like any other, or its volumes become what its snapshots are; done as
 * StepDone with STEP_NONE. Return: OK: begun; else why not, and done is not called. */
ContractError snapshot_set_break(SnapshotSet *set, const char *suffix, bool writable, StepDone done,
                                 void *userdata, char *text, size_t n_text);
ContractError snapshot_set_revert(SnapshotSet *set, bool check, StepDone done, void *userdata, char *text,
                                  size_t n_text);

/* Of stores and pools: as of the last look, which is every space_check_usec, or when asked for. */
void sets_look_at_space(Sets *sets);
bool snapshot_set_get_storage(const SnapshotSet *set, size_t index, StorageInfo *ret);
bool sets_get_pool_storage(const Sets *sets, size_t index, StorageInfo *ret);
bool sets_window_is_open(const Sets *sets);

int snapshot_set_find_places(const SnapshotSet *set, SetPlaces *ret);
void set_places_done(SetPlaces *places);

/* OpenTree: a detached read-only mount; the descriptor is the callback's to close. -EOPNOTSUPP: it is
 * encrypted, and its key is not to be had. */
typedef void (*TreeOpened)(int r, int fd, const char *text, void *userdata);
int snapshot_set_open_tree(SnapshotSet *set, const char *snapshot_id, TreeOpened done, void *userdata);
/* What is mounted now; mount_records_done() it, also after an error. */
int snapshot_set_get_mounts(const SnapshotSet *set, const char *snapshot_id, MountRecords *ret);
/* Mount on a directory of the host's namespace, and off it; done as StepDone with STEP_NONE. */
typedef struct MountOptions {
        int directory_fd;
        uint32_t uid;       /* one that is not root may mount on a directory of his own alone */
        bool gives_way;     /* the mount alone is no reason not to delete the snapshot */
        uint64_t copy_size; /* of a writable copy's store, bytes; 0: the default */
} MountOptions;
int snapshot_set_mount(SnapshotSet *set, const char *snapshot_id, const MountOptions *options, StepDone done,
                       void *userdata);
/* Likewise a writable copy, which goes when it is unmounted, by snapshot_set_unmount() or anybody. */
int snapshot_set_mount_writable(SnapshotSet *set, const char *snapshot_id, const MountOptions *options,
                                StepDone done, void *userdata);
int snapshot_set_unmount(SnapshotSet *set, const char *snapshot_id, uint64_t mount_id, StepDone done,
                         void *userdata);
