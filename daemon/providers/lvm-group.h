/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is done for all volumes of a set at once, a command per volume group, groups in parallel.
 *
 * An operation knows which volumes lie in which group, remembers the first failure with the volume at fault,
 * and ends when the last group has answered. What comes next, if no group has failed, its user says.
 */

#include "daemon/providers/lvm-provider.h"

typedef struct LvmGroupOperation LvmGroupOperation;

/* What there is was listed: runs commands for groups, or says in the verdict why none can be run. */
typedef void (*LvmGroupLooked)(LvmGroupOperation *operation, const LvmReport *report);

/* The volumes of one group. */
typedef struct LvmGroup {
        LvmGroupOperation *operation;
        const char *vg;
} LvmGroup;

struct LvmGroupOperation {
        Provider *provider;
        ProviderVolume *volumes[CONTRACT_VOLUMES_MAX];
        size_t n_volumes;
        LvmGroup groups[CONTRACT_VOLUMES_MAX];
        size_t n_groups, n_pending;
        LvmVerdict verdict;
        ProviderVolume *fault;
        const char *doing; /* a participle for people: "activated", "marked as finished" */
        /* All groups have answered, none failed; ends the operation or goes on. NULL: it ends. */
        void (*next)(LvmGroupOperation *operation);
        LvmGroupLooked looked;
        ProviderDone done;
        void *userdata;
};

/* Room for the paths of a group's LVs, which a spec only points to. */
typedef char LvmPaths[CONTRACT_VOLUMES_MAX][2 * LVM_VG_SIZE];

int lvm_group_operation_new(LvmGroupOperation **ret, Provider *provider, ProviderVolume *const *volumes,
                            size_t n_volumes, ProviderDone done, void *userdata);
int lvm_group_operation_look(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                             LvmGroupLooked looked, ProviderDone done, void *userdata);
void lvm_group_operation_end(LvmGroupOperation *operation);
bool lvm_group_operation_failed(const LvmGroupOperation *operation);
void lvm_group_run(LvmGroup *group, const LvmCommandSpec *spec);
bool lvm_group_add_paths(LvmCommandSpec *spec, const LvmGroup *group, bool thin_only, LvmPaths paths);
