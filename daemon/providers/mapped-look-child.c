/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BEGIN_PREPARE of provider dm: whether a device can be an origin, as its table and what lies on it tell;
 * and, if so, which store (mapped-store-child.c). Nothing is changed.
 */

#include "daemon/providers/mapped-job.h"

#define SECTOR_SIZE UINT64_C(512)

static int check_table(const MappedLook *look, MappedTableFacts *facts, uint64_t *ret_sectors) {
        const Volume *origin = look->origin;
        char real_uuid[MAPPED_UUID_SIZE + 8];
        int r;

        r = mapped_device_each_target(origin->dm_uuid, mapped_note_target, facts, ret_sectors);
        if (r == 0 && facts->is_origin &&
            mapped_device_read(facts->real, "dm/uuid", real_uuid, sizeof(real_uuid)) &&
            mapped_uuid_is_ours(real_uuid)) {
                if (look->for_set)
                        return mapped_job_fail(CONTRACT_ERROR_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED,
                                               "%s has a snapshot of quiesced, and provider dm makes one of "
                                               "a volume at a time. Release it first (quiescectl list "
                                               "snapshots).",
                                               origin->name);
                *facts = (MappedTableFacts){};
                r = mapped_device_each_target(real_uuid, mapped_note_target, facts, NULL);
        }
        if (r != 0)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                       "The device %s has no table that could be read: %s.", origin->name,
                                       r < 0 ? strerror(-r) : "it is gone");
        if (facts->alien[0])
                return mapped_job_fail(
                        CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "No snapshot can be taken of %s: its target \"%s\" has a state of its own on disk, "
                        "which two tables at a time would spoil. Put a linear device over it, or LVM.",
                        origin->name, facts->alien);
        if (facts->key_is_away)
                return mapped_job_fail(
                        CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "No snapshot can be taken of %s: its key is in the kernel's keyring, from which no "
                        "second table gets it. Have it in the table (cryptsetup refresh --disable-keyring "
                        "%s), or put LVM on it.",
                        origin->name, origin->dm_name);
        return 0;
}

static int check_above(const Volume *origin) {
        char uuid[MAPPED_UUID_SIZE + 8];

        for (size_t i = 0; i < origin->n_above; i++)
                if (mapped_device_read(origin->above[i], "dm/uuid", uuid, sizeof(uuid)) &&
                    strncmp(uuid, "LVM-", 4) == 0)
                        return mapped_job_fail(CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                               "%s is a physical volume of LVM: name the logical volumes on "
                                               "it, of which LVM makes the snapshots.",
                                               origin->name);
        return 0;
}

/**
 * mapped_job_look() - BEGIN_PREPARE: can it be an origin, and which store
 * @socket_fd:  not used
 * @look:       a MappedLook
 *
 * Return: a ContractError.
 */
int mapped_job_look(int socket_fd, void *look) {
        const MappedLook *what = look;
        MappedTableFacts facts = {};
        uint64_t n_sectors = 0;
        int r;

        mapped_job_keep_secrets();
        r = check_above(what->origin);
        if (r == 0)
                r = check_table(what, &facts, &n_sectors);
        return r != 0 ? r : mapped_store_choose(what, facts.encrypted, n_sectors * SECTOR_SIZE);
}
