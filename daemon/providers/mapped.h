/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Provider dm: snapshots of device-mapper devices that are not LVM's, by the kernel's own snapshot targets,
 * on a store that the requester or the configuration names.
 *
 * What belongs to which set is kept in device-mapper itself: uuids and names of the snapshot's devices
 * (mapped-names.h). They do not outlive the machine's next start, so these sets never do.
 *
 * Nothing runs from the first freeze to the last thaw: the gate is closed then, and what is asked for waits.
 */

#include <systemd/sd-event.h>

#include "daemon/providers/lvm-placement.h"
#include "daemon/providers/mapped-names.h"
#include "daemon/providers/provider.h"

#define PROVIDER_DM_NAME "dm"

typedef struct ProviderDmConfig {
        const char *runtime_dir; /* for the lock that tells whether a hold lives; must live longer */
        const LvmPlacements
                *stores;      /* of devices by their names or patterns; NULL: none; must live longer */
        bool allow_plaintext; /* stores of encrypted origins need not be */
        unsigned cow_percent; /* how large a store must be at least, in % of its origin */
} ProviderDmConfig;

extern const ProviderOps provider_dm_ops;

int provider_dm_new(Provider **ret, sd_event *event, const ProviderDmConfig *config);
/* Of what begins from now on; the runtime directory stays. */
void provider_dm_configure(Provider *provider, const ProviderDmConfig *config);
/* Its volumes must be gone. What runs goes on by itself. */
Provider *provider_dm_free(Provider *provider);

/* The gate: no job starts while it is closed. Idempotent. Return: whether none runs; else idle() is called
 * from the event loop when that is so. */
bool provider_dm_close_gate(Provider *provider, void (*idle)(void *userdata), void *userdata);
void provider_dm_open_gate(Provider *provider);

/* A snapshot that was found in device-mapper. */
typedef struct MappedSnapshot {
        MappedIds ids;
        bool parts[_MAPPED_PART_MAX];
        bool marked; /* it counts, or did: the store's device, which has the mark, goes last … */
        bool whole;  /* … and it was not being removed */
        MappedMark mark;
} MappedSnapshot;

int mapped_snapshots_find(MappedSnapshot **ret, size_t *ret_n);
/* Fills in ops, name, key, device, size, snapshot_id and data; provider and set are the caller's. */
int provider_dm_adopt(ProviderVolume *volume, const MappedSnapshot *snapshot);

typedef void (*MappedRemoved)(ContractError error, const char *text, void *userdata);
int provider_dm_remove(Provider *provider, const MappedIds *ids, MappedRemoved done, void *userdata);

/* Whether a device can be an origin, as GetVolumes shows it. Return: false and why not, a static text; NULL:
 * nobody should see it. */
bool mapped_volume_is_supported(const char *dm_uuid, const char **ret_reason);
