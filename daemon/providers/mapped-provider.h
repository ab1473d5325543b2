/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inside of provider dm: what a volume's snapshot is to it, and its queue of jobs. */

#include "daemon/child/child.h"
#include "daemon/providers/mapped-child.h"
#include "daemon/providers/mapped.h"

typedef struct MappedWork MappedWork;

struct Provider {
        sd_event *event;
        ProviderDmConfig config;
        char *lock_path;
        sd_event_source *pump;
        MappedWork *first;
        size_t n_running;
        bool gate_closed;
        void (*idle)(void *userdata);
        void *idle_userdata;
        struct MappedData *takers; /* volumes that have a store */
};

/* ProviderVolume.data: known from BEGIN_PREPARE on, or found again. */
typedef struct MappedData {
        Provider *provider;
        struct MappedData *next_taker;
        MappedIds ids;
        char origin_uuid[MAPPED_UUID_SIZE];
        char uuids[_MAPPED_PART_MAX][MAPPED_UUID_SIZE];
        dev_t store; /* 0: none */
        uint64_t store_size;
        bool attempted; /* there may be devices */
        MappedWork *work;
        ProviderDone done; /* of the running operation */
        void *userdata;
} MappedData;

/* mapped-queue.c. The answer's text is the callback's only while it runs. */
typedef void (*MappedDone)(ContractError error, const char *text, const char *told, void *userdata);

/* What a job works on, by the time it starts. */
typedef union MappedArgument {
        MappedLook look;
        MappedMake make;
        MappedMarking marking;
        MappedRemoval removal;
} MappedArgument;

int mapped_work_new(MappedWork **ret, Provider *provider, ChildFunction job, const MappedArgument *argument,
                    MappedDone done, void *userdata);
void mapped_work_cancel(MappedWork *work);
void mapped_work_forget(MappedWork *work);
void mapped_pump(Provider *provider);

/* mapped-prepare.c, mapped-mark.c: operations, in provider.h */
int mapped_volume_begin_prepare(ProviderVolume *volume, ProviderDone done, void *userdata);
int mapped_volumes_finish(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                          ProviderDone done, void *userdata);
int mapped_volumes_seal(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                        ProviderDone done, void *userdata);
void mapped_volumes_note_consistency(Provider *provider, ProviderVolume *const *volumes, size_t n_volumes,
                                     ContractConsistency was);

/* mapped-volume.c */
static inline MappedData *mapped_data_of(const ProviderVolume *volume) {
        return volume->data;
}

int mapped_data_new(MappedData **ret, Provider *provider, const MappedIds *ids, const char *origin_uuid);
void mapped_volume_done(ProviderVolume *volume);
int mapped_operation_begin(ProviderVolume *volume, ChildFunction job, const MappedArgument *argument,
                           MappedDone answered, ProviderDone done, void *userdata);
void mapped_operation_end(ProviderVolume *volume, ContractError error, const char *text);
