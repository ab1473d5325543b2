/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * LVM: its command as a child process, what it reports, and the two providers that make snapshots with it.
 *
 * Commands that work on one volume group run one after the other, those of different groups in parallel.
 * From the first freeze to the last thaw none may run: the gate is closed, and what is asked for meanwhile
 * waits. Nothing here blocks.
 *
 * What belongs to which set is kept in LVM's own metadata, as tags on the snapshot LVs, and found again by
 * them alone. An LV without the final tag does not count (it may hold any instant): it is never shown, never
 * mounted, and removed as soon as nobody is making it.
 */

#include <systemd/sd-event.h>

#include "contract/types.h"
#include "daemon/providers/lvm-placement.h"
#include "daemon/providers/provider.h"
#include "util/macro.h"

#define LVM_PROVIDER_PREFIX "quiesced_" /* of our LVs; 32 hexadecimal digits of the snapshot's id follow */

#define LVM_COPY_KEY_SIZE 64u

typedef struct Lvm Lvm;

/* One logical volume as LVM reports it. No string is NULL; "" is what does not apply. */
typedef struct LvmVolume {
        char *vg, *lv;
        char *name;        /* "vg/lv" */
        char *key;         /* the device-mapper uuid, as Volume.key: "LVM-<vg uuid><lv uuid>" */
        char *uuid;        /* of the LV, 32 characters without dashes */
        char *vg_uuid;     /* likewise */
        char *path;        /* /dev/vg/lv, "" if it has none (hidden, inactive pool …) */
        char *attributes;  /* lv_attr, ten characters */
        char *segment;     /* type of its first segment: "linear", "thin", "snapshot", "thin-pool" … */
        char *health;      /* lv_health_status */
        char *origin;      /* of a snapshot: LV name */
        char *origin_uuid; /* likewise */
        char *pool;        /* of a thin volume: LV name of its pool */
        char *move;        /* not empty: its allocation is locked, as pvmove does */
        char *devices;     /* what its segments lie on: "/dev/vdb(0),lv_tdata(0)" */
        char *vg_attributes;
        char **tags;                           /* NULL-terminated */
        uint64_t size;                         /* bytes */
        uint64_t chunk_size;                   /* bytes; of snapshots and pools */
        uint64_t thin_id;                      /* of a thin volume */
        uint64_t vg_free;                      /* bytes */
        uint64_t extent_size;                  /* bytes */
        double data_percent, metadata_percent; /* negative: does not apply */
        bool active;
} LvmVolume;

/* All LVs of one or all volume groups, hidden ones too. */
typedef struct LvmReport {
        LvmVolume *volumes;
        size_t n_volumes;
} LvmReport;

/* What name and tags of one of our LVs say. Ids are UUID text. */
typedef struct LvmSnapshot {
        char id[CONTRACT_ID_MAX];
        char set_id[CONTRACT_ID_MAX];
        char session_id[CONTRACT_ID_MAX];
        char origin_uuid[CONTRACT_ID_MAX]; /* LVM's, 32 characters */
        uint32_t owner_uid;
        bool persistent;
        bool final;         /* it counts */
        uint32_t n_volumes; /* its set was made with, if final; some may have been deleted since */
        uint64_t instant_realtime_usec;
        ContractConsistency consistency; /* NONE: not told, as by an older quiesced */
} LvmSnapshot;

int lvm_new(Lvm **ret, sd_event *event, const char *program);
/* Its providers must be freed already. Commands that run are left to end by themselves. */
Lvm *lvm_free(Lvm *lvm);
DEFINE_CLEANUP(Lvm *, lvm_free)

/* Where to note which origin a command may suspend, before anything else. A command that was killed leaves
 * it so, and the next on that origin resumes it. At start lvm_origins_resume() does, and blocks; what then
 * is left of the snapshot lvm_origins_each_dead() tells: its callback returns 1 if it sees to that by
 * lvm_remove(), 0: there is nothing to be done, or a negative errno. */
int lvm_set_runtime_dir(Lvm *lvm, const char *runtime_dir);
void lvm_origins_resume(const char *runtime_dir);
typedef int (*LvmDeadOrigin)(const char *origin_key, const char *vg, const char *lv, void *userdata);
int lvm_origins_each_dead(const Lvm *lvm, LvmDeadOrigin call, void *userdata);

/* Expedited RCU grace periods around commands that suspend an origin: an application's write then waits
 * shorter. The old value is kept in a file of runtime_dir meanwhile; one that a dead daemon left is put back
 * here. Not called: left alone. */
int lvm_set_expedite_rcu(Lvm *lvm, bool expedite);
int lvm_rcu_recover(const char *runtime_dir);

/* The gate. closed() is called from the event loop, once no command of ours runs any more, and not at all if
 * the gate is opened again before. Closed twice: the last callback counts. Both are idempotent. */
typedef void (*LvmGateClosed)(void *userdata);
int lvm_gate_close(Lvm *lvm, LvmGateClosed closed, void *userdata);
void lvm_gate_open(Lvm *lvm);
bool lvm_gate_is_closed(const Lvm *lvm);

/* What is there; vg: one group, or NULL for all. The report is the callback's only while it runs; it comes
 * from the event loop. r: 0, or a negative errno with a text for people. */
typedef void (*LvmListed)(int r, const LvmReport *report, const char *text, void *userdata);
int lvm_list(Lvm *lvm, const char *vg, LvmListed done, void *userdata);
const LvmVolume *lvm_report_find(const LvmReport *report, const char *vg, const char *lv);
const LvmVolume *lvm_report_find_key(const LvmReport *report, const char *key);
/* The LV of this LVM uuid (LvmSnapshot.origin_uuid). */
const LvmVolume *lvm_report_find_uuid(const LvmReport *report, const char *uuid);
/* Return: whether the LV is one of ours, finished or not. */
bool lvm_volume_get_snapshot(const LvmVolume *volume, LvmSnapshot *ret);
/* Whether it is being merged into its origin, or will be when that is activated next. */
static inline bool lvm_volume_is_merging(const LvmVolume *volume) {
        return volume->attributes[0] == 'S';
}
/* Return: whether the LV is a writable copy of a snapshot of ours, or its store; of which it tells. */
bool lvm_volume_get_copy(const LvmVolume *volume, char ret_snapshot_id[static CONTRACT_ID_MAX]);
/* The device-mapper uuid of the device that has such a store; "" for a copy without. */
void lvm_copy_top_key(char ret[static LVM_COPY_KEY_SIZE], const LvmVolume *copy);
/* Can it be an origin at all, as GetVolumes shows? Return: the ops that fit best, or NULL and why not (a
 * static text). Hidden LVs, pools, snapshots of ours: NULL and NULL, they are not to be shown. */
const ProviderOps *lvm_volume_get_provider(const LvmVolume *volume, const char **ret_reason);

/* Removes one LV that lvm_volume_get_snapshot() found, finished or not (recovery; a set uses ABORT and
 * DELETE). Nothing there: success. */
typedef struct LvmRemovalSpec {
        const char *vg, *lv;
        const char *origin_key, *origin_lv; /* NULL: gone */
        const char *top_key; /* NULL, or dm uuid of what lies on it: removed before, if nobody has it open */
        bool suspends;       /* LVM suspends the origin for it: it is a copy-on-write snapshot */
        bool only_mend;      /* what LVM has left of it; it stays */
        bool half_made;      /* LVM failed or was killed while it made it: what is left over is looked for */
} LvmRemovalSpec;
typedef void (*LvmRemoved)(ContractError error, const char *text, void *userdata);
int lvm_remove(Lvm *lvm, const LvmRemovalSpec *spec, LvmRemoved done, void *userdata);

/*
 * The providers. One Provider serves both tables. A volume may be given either of them: BEGIN_PREPARE looks
 * it up in LVM's report and sets volume->ops to the one that fits, minding volume->wished_provider.
 *
 * Phases used: BEGIN_PREPARE, END_PREPARE (then a set operation), PRE_FINAL_COMMIT, POST_FINAL_COMMIT (a set
 * operation), ABORT, DELETE; all of them run LVM commands, so that they wait while the gate is closed.
 * describe_hold() is right from the end of END_PREPARE on; *ret_lock_path lives as long as the volume.
 */
typedef struct ProviderLvmConfig {
        unsigned cow_percent;                   /* default size of a COW store, in % of its origin; 0: 20 */
        unsigned snapshots_max;                 /* of ours, per volume; 0: 64 */
        unsigned grow_percent, grow_by_percent; /* how full a store is extended, and by what part of it */
        const LvmPlacements *placements;        /* of COW stores; NULL: where LVM likes; must live longer */
} ProviderLvmConfig;

extern const ProviderOps lvm_cow_ops, lvm_thin_ops;

/* Of what begins from now on. */
void provider_lvm_configure(Provider *provider, const ProviderLvmConfig *config);
int provider_lvm_new(Provider **ret, Lvm *lvm, const ProviderLvmConfig *config);
Provider *provider_lvm_free(Provider *provider);

/* A set found again by its tags: fills in ops, name, key, device, size, snapshot_id and what DELETE,
 * get_space() and ABORT need; volume->provider and set are the caller's, all else must be zero. */
int provider_lvm_adopt_copy(ProviderVolume *volume, const LvmVolume *copy);
int provider_lvm_adopt(ProviderVolume *volume, const LvmReport *report, const LvmVolume *snapshot);
