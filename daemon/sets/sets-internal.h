/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The inside of the room: a set is a row of volumes and at most one running step; a step is a row of stages
 * (steps.c), a stage either one operation of all providers (phase.c) or something of the set as a whole.
 *
 * An ABORT overtakes: the running step is answered ABORTED at once, its operations are waited for
 * (n_operations falls to 0), then the stages of ABORT run.
 */

#include "daemon/child/child.h"
#include "daemon/hold/hold-client.h"
#include "daemon/providers/lvm.h"
#include "daemon/providers/provider.h"
#include "daemon/sets/growth.h"
#include "daemon/sets/sets.h"

typedef struct Watch Watch;
typedef struct Space Space;
typedef struct StoragePool StoragePool;
typedef struct UnusedWait UnusedWait;
typedef struct CopyCall CopyCall;
typedef struct CopyWatch CopyWatch;

typedef enum SnapshotState {
        SNAPSHOT_PREPARING,
        SNAPSHOT_CREATED,
        SNAPSHOT_REVERTING, /* its volume becomes what it is, now or when that is activated next */
        SNAPSHOT_DELETING,  /* somebody still has it open */
        SNAPSHOT_GONE,
} SnapshotState;

/* A set that counts is changed as a whole, in no step: an operation of all providers. */
typedef struct SetChange {
        StepDone done; /* NULL: none runs */
        void *userdata;
        ProviderPhase phase;
        size_t n_pending;
        ContractError error;
        char text[CONTRACT_TEXT_MAX];
        char **broken; /* BREAK: id and new name of each snapshot, NULL-terminated */
} SetChange;

/* One of a set's volumes and what will be its snapshot. */
typedef struct SetVolume {
        ProviderVolume given; /* what the provider sees */
        SnapshotSet *set;
        SnapshotState state;
        bool prepared; /* BEGIN_PREPARE has succeeded */
        bool busy;     /* an operation of the provider runs on it */
        ContractStep begun_step;
        ProviderPhase begun_phase;
        bool delete_begun, lingers, holders_named;
        /* space.c: percent, as of the last look; the mark that was told of; where growth was tried last */
        double full, told_mark, grown_at;
        uint64_t used, allocated; /* bytes of its store; allocated 0: it has none, or is not looked at yet */
        Growth growth;            /* of its store */
        const char *pool;         /* the provider's name of it; NULL: it has a store of its own */
        const char *invalid_reason; /* a word, static; NULL: as far as is known it holds its instant */
        uint64_t invalid_usec;      /* CLOCK_REALTIME: since when that is known */
        ContractError last_error;   /* of DELETE and ABORT */
        char last_text[CONTRACT_TEXT_MAX];
        SnapshotTimes times;
        int *mount_fds;      /* parallel to given.origin->mounts; -1: could not be opened */
        bool detaching;      /* a child undoes its mounts */
        bool detached;       /* DELETE has undone its mounts */
        bool breaking;       /* BREAK was begun, which may have failed half way */
        CopyCall *copy_call; /* copy.c: a Mount or Unmount of a writable copy under way, or NULL */
        bool copy_lost;      /* that was told */
        /* C24, from FINAL_COMMIT to SEAL: of the mount that writers write into, or -1; the folder that it is
         * a snapshot of, if that is no device */
        int writable_fd;
        char *writable_directory;
} SetVolume;

typedef struct StepAnswer {
        StepDone done;
        void *userdata;
        ContractStep step;
        uint32_t volume;
        ContractError error;
        const char *key, *first_left;
        uint32_t n_deleted;
        bool file_systems_frozen;
        char text[CONTRACT_TEXT_MAX];
} StepAnswer;

struct SnapshotSet {
        Sets *sets;
        ProviderSet given;
        bool is_question; /* IsVolumeSupported: no set at all, gone after its answer */
        bool is_over;
        bool is_adopted; /* found again by LVM's tags */
        SetVolume *volumes[CONTRACT_VOLUMES_MAX];
        size_t n_volumes;

        /* the running step */
        ContractStep step; /* NONE: none runs */
        StepAnswer answer; /* what it will say */
        char key[CONTRACT_NAME_MAX + 32];
        VolumeNeed need; /* of the volume that BEGIN_PREPARE or IsVolumeSupported was about */
        size_t stage;
        bool stage_entered, advancing, advance_again;
        SetVolume *only;     /* BEGIN_PREPARE, DELETE: the volume it is about */
        size_t n_operations; /* running ones, of a step that was overtaken too */
        ContractStep begun_step;
        size_t next_set_op;
        bool gate_closed, dm_gate_closed;

        /* answers to be given from the event loop: the overtaken step's, then the running one's */
        sd_event_source *deliver_source;
        StepAnswer outbox[2];
        size_t n_outbox;

        /* the hold */
        HoldClient *hold;
        bool hold_answered;
        Child *helper;              /* of the running step: opens, probes, looks around */
        size_t probed;              /* volumes whose file system is known */
        size_t n_operations_beside; /* OpenTree and the like, in no step */
        uint8_t frozen[HOLD_MOUNTS_MAX / 8];
        bool any_frozen, writers_freeze;
        bool writers_write; /* C24: some writer will write into the snapshots, as far as is known by now */
        uint64_t long_limit_usec; /* of provider external; 0: the configured hold limit */
        uint64_t armed_usec, suspend_begin_usec, suspended_usec, committed_usec, resumed_usec, ended_usec;
        bool journal_written;

        /* DELETE, see delete.c */
        sd_event_source *delete_timer;
        uint64_t delete_until_usec;
        size_t delete_next;
        SetVolume *delete_only;
        sd_event_source *linger_timer;

        SetChange change; /* see change.c */
        size_t n_made;    /* snapshots that it was made with; 0: not known */

        uint64_t freeze_usec;
        bool created;
};

struct Sets {
        sd_event *event;
        SetsConfig config;
        char *hold_socket_path, *runtime_dir, *lvm_program;
        Lvm *lvm;
        Provider *test_provider, *lvm_provider, *external_provider;
        Provider *dm_provider; /* NULL beside the test provider */
        SnapshotSet **sets;    /* questions too */
        size_t n_sets, n_allocated;
        sd_event_source *reap_source; /* frees sets that have nothing left */
        struct Recovery *recovery;
        bool recovery_begun;   /* since the start */
        Child *held_child;     /* waits for holds of before this start */
        Child *freezers_child; /* waits for who may have been killed in FIFREEZE */
        Watch *watch;
        Space *space;
        CopyWatch *copy_watch;
        StoragePool *pools;
        size_t n_pools;
        UnusedWait *unused_waits;
};

/* A pool that snapshots lie in, as of the last look; see storage.c. */
struct StoragePool {
        char *key, name[264];
        uint64_t used, allocated;
        Growth growth;
        bool seen;
};

/* What a stage's function answers: done, or it will call step_advance() later and be called again. */
typedef enum StageResult {
        STAGE_DONE,
        STAGE_WAIT,
} StageResult;

/* unused.c */
void unused_waits_free(Sets *sets);

/* recover-held.c */
void sets_await_freezers(Sets *sets);

/* steps.c */
void step_begin(SnapshotSet *set, ContractStep step, uint32_t volume, StepDone done, void *userdata);
void step_prepare(SnapshotSet *set, ContractStep step, uint32_t volume, StepDone done, void *userdata);
void step_advance(SnapshotSet *set);
void step_fail(SnapshotSet *set, ContractError error, const char *format, ...) _printf_(3, 4);
bool step_failed(const SnapshotSet *set);
int outbox_new(SnapshotSet *set);

/* phase.c */
StageResult phase_run(SnapshotSet *set, ProviderPhase phase);
void phase_begin(SetVolume *volume, ProviderPhase phase);
void phase_cancel(SnapshotSet *set);
void phase_note_consistency(SnapshotSet *set, ContractConsistency was);

/* prepare.c, mounts.c */
void prepare_end(SnapshotSet *set);
StageResult stage_open_mounts(SnapshotSet *set);
StageResult stage_check_together(SnapshotSet *set);
StageResult stage_check_mounts(SnapshotSet *set);
void set_volume_close_mounts(SetVolume *volume);

/* A walk over the file systems on the set's volumes. */
typedef struct MountPlace {
        size_t volume, mount;
        uint32_t index;
} MountPlace;

typedef struct SetMount {
        uint32_t index;
        const SetVolume *volume;
        const VolumeMount *mount;
        bool direct; /* device-mapper freezes it when it suspends the volume */
        int fd;
} SetMount;

bool mounts_next(const SnapshotSet *set, MountPlace *place, SetMount *ret);

/* hold-stages.c */
void snapshot_set_get_depths(const SnapshotSet *set, uint32_t ret[static CONTRACT_VOLUMES_MAX]);
uint64_t snapshot_set_hold_limit(const SnapshotSet *set);
StageResult stage_hold_lock(SnapshotSet *set);
StageResult stage_hold_pre_commit(SnapshotSet *set);
StageResult stage_set_moment(SnapshotSet *set);
StageResult stage_hold_commit(SnapshotSet *set);
StageResult stage_hold_end(SnapshotSet *set);
StageResult stage_hold_abort(SnapshotSet *set);

/* journal.c */
StageResult stage_journal_write(SnapshotSet *set);
StageResult stage_journal_remove(SnapshotSet *set);

/* change.c */
int change_begin(SnapshotSet *set, ProviderPhase phase, StepDone done, void *userdata);

/* watch.c */
int watch_new(Sets *sets);
void watch_look(Sets *sets);
void watch_look_reverting(Sets *sets);
void watch_tell_gone(SetVolume *volume);
Watch *watch_free(Watch *watch);

/* space.c */
int space_new(Sets *sets);
Space *space_free(Space *space);
bool space_look(Sets *sets);
void space_look_soon(Sets *sets);
bool space_is_dropping(const Sets *sets);

/* storage.c */
void storage_begin(Sets *sets);
void storage_note(SetVolume *volume, const ProviderSpace *space);
void storage_end(Sets *sets);
void storage_done(Sets *sets);

/* recover.c */
void recovery_cancel(Sets *sets);

/* tree.c */
StageResult stage_probe(SnapshotSet *set);
void tree_probe_adopted(SnapshotSet *set);
bool tree_detach(SetVolume *volume);
bool tree_name_holders(SetVolume *volume);

/* copy.c */
int copy_watch_new(Sets *sets);
CopyWatch *copy_watch_free(CopyWatch *watch);
CopyCall *copy_call_free(CopyCall *call);
void copy_operation_over(SetVolume *volume, ProviderPhase phase, ContractError error, const char *text);
int copy_unmount(SetVolume *volume, uint64_t mount_id, StepDone done, void *userdata);
void copies_look(Sets *sets);

/* writable.c */
StageResult stage_open_writable(SnapshotSet *set);
StageResult stage_seal(SnapshotSet *set);
StageResult stage_close_writable(SnapshotSet *set);
void set_volume_close_writable(SetVolume *volume);

/* delete.c */
StageResult stage_delete(SnapshotSet *set);
void delete_linger(SnapshotSet *set);
void delete_tell(SetVolume *volume, const char *reason);

/* sets.c */
int sets_add(Sets *sets, SnapshotSet **ret, const char *set_id, const char *session_id, uint32_t owner_uid,
             bool persistent);

/* snapshot-set.c */
int set_volume_new(SetVolume **ret, SnapshotSet *set, const char *snapshot_id);
SetVolume *set_volume_free(SetVolume *volume);
DEFINE_CLEANUP(SetVolume *, set_volume_free)
SetVolume *snapshot_set_find_volume(const SnapshotSet *set, const char *snapshot_id);
void snapshot_set_drop_volume(SnapshotSet *set, SetVolume *volume);
void snapshot_set_note_created(SnapshotSet *set);
bool snapshot_set_is_gone(const SnapshotSet *set);
void snapshot_set_reap(SnapshotSet *set);
int snapshot_set_new(SnapshotSet **ret, Sets *sets, const char *set_id, const char *session_id,
                     uint32_t owner_uid, bool persistent);
SnapshotSet *snapshot_set_free(SnapshotSet *set);
DEFINE_CLEANUP(SnapshotSet *, snapshot_set_free)
