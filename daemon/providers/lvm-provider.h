/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inside of the LVM providers: what a volume's snapshot is to them, and the operations both share. */

#include <stdarg.h>

#include "daemon/providers/lvm-check.h"
#include "daemon/providers/lvm-command.h"
#include "daemon/providers/lvm-tags.h"

#define LVM_KEY_SIZE 129u /* a dm uuid with its suffix */

struct Provider {
        Lvm *lvm;
        unsigned cow_percent, snapshots_max;
        unsigned grow_percent, grow_by_percent; /* stores */
        const LvmPlacements *placements;
};

typedef struct LvmRemoval LvmRemoval;

/* ProviderVolume.data: known from BEGIN_PREPARE on, or found again. */
typedef struct LvmData {
        char vg[LVM_VG_SIZE], lv[LVM_VG_SIZE]; /* of the origin */
        char name[LVM_NAME_SIZE];              /* of the snapshot's LV */
        char origin_key[LVM_KEY_SIZE], origin_uuid[CONTRACT_ID_MAX], vg_uuid[CONTRACT_ID_MAX];
        char pool[LVM_VG_SIZE], pool_key[LVM_KEY_SIZE]; /* thin: pool's LV and its -tpool device */
        char snapshot_key[LVM_KEY_SIZE];                /* "": not made yet */
        char lock_path[LVM_LOCK_PATH_SIZE];
        uint64_t cow_size; /* bytes, thick */
        uint32_t thin_id;
        char broken_name[LVM_VG_SIZE];     /* BREAK: the LV's new name, and … */
        char broken_path[2 * LVM_VG_SIZE]; /* … with its group's */
        unsigned n_break_steps;            /* what was begun of it */
        bool merge_begun, is_merged;       /* REVERT: LVM was asked for it */
        bool native;                       /* thin: made with lvcreate -s */
        bool thick_above;                  /* thin: a thick snapshot of the origin exists */
        bool attempted;                    /* there may be an LV */
        bool half_made;                    /* LVM failed or was killed while it made it */
        char copy_name[LVM_NAME_SIZE];     /* of the copy's LV: thick: its store */
        char copy_key[LVM_KEY_SIZE];       /* dm uuid of the copy; "": there is none, or it is not known */
        uint32_t copy_thin_id;
        bool copy_attempted; /* there may be one */
        bool copy_half_made;
        LvmCommand *command; /* that of the running operation */
        LvmRemoval *removal;
        ProviderDone done; /* of the running operation */
        void *userdata;
} LvmData;

/* What the providers know of a volume; the volume's. */
static inline LvmData *lvm_data(const ProviderVolume *volume) {
        return volume->data;
}

/* lvm-volume.c */
int lvm_data_new(LvmData **ret, const ProviderVolume *volume, const LvmVolume *origin);
void lvm_volume_done(ProviderVolume *volume);
void lvm_volume_cancel(ProviderVolume *volume);
bool lvm_is_open(const ProviderVolume *volume);
bool lvm_is_open_besides_mount(const ProviderVolume *volume);
void lvm_operation_end(ProviderVolume *volume, ContractError error, const char *text);
int lvm_operation_begin(ProviderVolume *volume, ProviderDone done, void *userdata);
int lvm_operation_run(ProviderVolume *volume, const LvmCommandSpec *spec, LvmCommandDone answered);
void lvm_lv_path(char ret[static 2 * LVM_VG_SIZE], const char *vg, const char *lv);

/* lvm-prepare.c */
int lvm_begin_prepare(ProviderVolume *volume, ProviderDone done, void *userdata);
int lvm_create(ProviderVolume *volume, LvmCommandSpec *spec);
ContractError lvm_error_of(const LvmAnswer *answer);
int lvm_describe(const ProviderVolume *volume, HoldVolume *hold, const char **ret_lock_path);

/* lvm-set.c */
int lvm_inspect(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                void *userdata);
void lvm_note_consistency(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                          ContractConsistency was);
int lvm_finish(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
               void *userdata);
int lvm_seal(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
             void *userdata);

/* lvm-break.c */
int lvm_break_set(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                  void *userdata);
const char *lvm_get_broken_name(const ProviderVolume *volume);

/* lvm-describe.c */
int lvm_describe_set(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                     void *userdata);

/* lvm-remove.c */
int lvm_abort(ProviderVolume *volume, ProviderDone done, void *userdata);
int lvm_delete(ProviderVolume *volume, ProviderDone done, void *userdata);
int lvm_removal_begin(LvmRemoval **ret, Lvm *lvm, const LvmRemovalSpec *spec, LvmRemoved done,
                      void *userdata);
void lvm_removal_forget(LvmRemoval *removal);
int lvm_remove_volume(ProviderVolume *volume, ProviderDone done, void *userdata);

/* lvm-copy.c */
int lvm_copy(ProviderVolume *volume, ProviderDone done, void *userdata);
int lvm_uncopy(ProviderVolume *volume, ProviderDone done, void *userdata);
int lvm_uncopy_and_remove(ProviderVolume *volume, ProviderDone done, void *userdata);
int lvm_copy_make_device(const ProviderVolume *volume);
bool lvm_copy_is_open(const ProviderVolume *volume);
bool lvm_copy_is_lost(const ProviderVolume *volume);

/* lvm-revert.c */
int lvm_check_revert_set(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                         ProviderDone done, void *userdata);
int lvm_revert_set(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes, ProviderDone done,
                   void *userdata);
bool lvm_get_revert(const ProviderVolume *volume, ProviderRevert *ret);

/* lvm-cow.c */
const char *const *lvm_cow_devices(const ProviderVolume *volume);

/* lvm-grow.c */
int lvm_grow_store(ProviderVolume *volume, ProviderDone done, void *userdata);
int lvm_grow_pool(ProviderVolume *volume, ProviderDone done, void *userdata);

/* lvm-thin.c */
bool lvm_pool_is_well(const char *pool_key, const char *vg, const char *pool, LvmVerdict *verdict);
