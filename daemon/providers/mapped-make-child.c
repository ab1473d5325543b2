/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Making a snapshot's devices, and making it count; see mapped-child.h.
 *
 * They are made in an order in which a process that dies leaves what the removal finds: the store, the
 * origin's table in a device of its own, the snapshot (of no use yet: the hold stamps it), and last the
 * origin gets its table.
 */

#include "daemon/providers/mapped-job.h"

#include <sys/sysmacros.h>

#include "util/error.h"

#define SECTOR_SIZE   UINT64_C(512)
#define CHUNK_SECTORS 8u

static int check_untouched(const char *uuid, const char *name, MappedDevice *ret) {
        int r = mapped_device_find(uuid, ret);

        if (r < 0)
                return mapped_job_fail_errno(r, "The kernel does not tell of the device", name);
        if (r != 0)
                return mapped_job_fail(CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, "The device %s is gone.",
                                       name);
        if (ret->suspended)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "The device of %s is suspended by somebody. Find out by whom "
                                       "(dmsetup info), and resume it.",
                                       name);
        if (ret->staged)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "The device of %s has a table waiting that somebody has loaded, see "
                                       "dmsetup clear.",
                                       name);
        return 0;
}

/* The kernel lets two of its devices lie on the same one. Return: 0, or an exit status. */
static int check_alone(dev_t store) {
        if (mapped_device_list(store, "holders", NULL, 0) == 1)
                return 0;
        return mapped_job_fail(
                CONTRACT_ERROR_VOLUME_BUSY,
                "The store was taken by somebody else while the snapshot was made. Try again.");
}

static int make_store(const MappedMake *make, MappedParts *parts) {
        char params[64], name[32];
        int r;

        (void) snprintf(name, sizeof(name), "/dev/block/%u:%u", major(make->store), minor(make->store));
        r = mapped_store_check(make->store, name);
        if (r != 0)
                return r;
        (void) snprintf(params, sizeof(params), "%u:%u 0", major(make->store), minor(make->store));
        r = mapped_device_create(parts->names[MAPPED_COW], parts->uuids[MAPPED_COW], false,
                                 make->store_size / SECTOR_SIZE, "linear", params);
        if (r == 0)
                r = mapped_device_find(parts->uuids[MAPPED_COW], &parts->devices[MAPPED_COW]);
        if (r != 0)
                return mapped_job_fail_errno(r < 0 ? r : -ENXIO, "The store cannot be opened on", name);
        r = check_alone(make->store);
        if (r != 0)
                return r;
        r = mapped_store_wipe(parts->uuids[MAPPED_COW]);
        return r < 0 ? mapped_job_fail_errno(r, "The store cannot be written on", name)
                     : mapped_job_failpoint("quiesced.dm.store");
}

static int make_real(const MappedMake *make, MappedParts *parts) {
        MappedTableFacts facts = {};
        int r;

        r = mapped_device_create_copy(parts->names[MAPPED_REAL], parts->uuids[MAPPED_REAL],
                                      make->origin_uuid);
        if (r == 0)
                r = mapped_device_find(parts->uuids[MAPPED_REAL], &parts->devices[MAPPED_REAL]);
        if (r == 0)
                r = mapped_device_each_target(parts->uuids[MAPPED_REAL], mapped_note_target, &facts,
                                              &parts->n_sectors);
        if (r != 0)
                return mapped_job_fail_errno(r < 0 ? r : -ENXIO, "There cannot be a second table of",
                                             make->origin_name);
        if (facts.alien[0])
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "Somebody has given %s another table (%s).", make->origin_name,
                                       facts.alien);
        return mapped_job_failpoint("quiesced.dm.real");
}

static int make_snapshot(const MappedMake *make, MappedParts *parts) {
        char params[128];
        int r;

        (void) snprintf(params, sizeof(params), "%u:%u %u:%u P %u",
                        major(parts->devices[MAPPED_REAL].number), minor(parts->devices[MAPPED_REAL].number),
                        major(parts->devices[MAPPED_COW].number), minor(parts->devices[MAPPED_COW].number),
                        CHUNK_SECTORS);
        r = mapped_device_create(parts->names[MAPPED_SNAPSHOT], parts->uuids[MAPPED_SNAPSHOT], true,
                                 parts->n_sectors, "snapshot", params);
        return r < 0 ? mapped_job_fail_errno(r, "No snapshot can be made of", make->origin_name)
                     : mapped_job_failpoint("quiesced.dm.snapshot");
}

static int switch_origin(const MappedMake *make, const MappedParts *parts) {
        MappedTableFacts facts = {};
        MappedDevice origin;
        char params[32];
        int r;

        r = check_untouched(make->origin_uuid, make->origin_name, &origin);
        if (r != 0)
                return r;
        (void) snprintf(params, sizeof(params), "%u:%u", major(parts->devices[MAPPED_REAL].number),
                        minor(parts->devices[MAPPED_REAL].number));
        r = mapped_device_switch(make->origin_uuid, origin.read_only, parts->n_sectors, "snapshot-origin",
                                 params);
        if (r == 0)
                r = mapped_device_each_target(make->origin_uuid, mapped_note_target, &facts, NULL);
        if (r != 0)
                return mapped_job_fail_errno(r < 0 ? r : -ENXIO,
                                             "The table that makes it an origin cannot be given to",
                                             make->origin_name);
        if (!facts.is_origin || facts.real != parts->devices[MAPPED_REAL].number)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "Somebody gives %s tables while its snapshot is made.",
                                       make->origin_name);
        return mapped_job_failpoint("quiesced.dm.switched");
}

/**
 * mapped_job_make() - END_PREPARE: the three devices, and the origin's other table
 * @socket_fd:  not used
 * @make:       a MappedMake
 *
 * Return: a ContractError; what was made is left to mapped_job_remove() then.
 */
int mapped_job_make(int socket_fd, void *make) {
        const MappedMake *what = make;
        _cleanup_close_ int lock_fd = -EBADF;
        MappedDevice origin;
        MappedParts parts = {};
        int r;

        mapped_job_keep_secrets();
        r = lock_fd = mapped_job_lock(what->lock_path);
        if (r >= 0)
                r = mapped_parts_name(&parts, &what->ids);
        if (r < 0)
                return mapped_job_fail_errno(r, "No name can be given to the snapshot of",
                                             what->origin_name);
        r = check_untouched(what->origin_uuid, what->origin_name, &origin);
        if (r == 0)
                r = make_store(what, &parts);
        if (r == 0)
                r = make_real(what, &parts);
        if (r == 0)
                r = make_snapshot(what, &parts);
        return r != 0 ? r : switch_origin(what, &parts);
}

/**
 * mapped_job_mark() - make snapshots count, or say anew what they are good for
 * @socket_fd:  not used
 * @marking:    a MappedMarking
 *
 * Return: a ContractError.
 */
int mapped_job_mark(int socket_fd, void *marking) {
        const MappedMarking *what = marking;

        for (size_t i = 0; i < what->n_ids; i++) {
                char uuid[MAPPED_UUID_SIZE], name[MAPPED_NAME_SIZE] = "";
                MappedDevice cow;
                int r;

                r = mapped_uuid(uuid, &what->ids[i], MAPPED_COW);
                if (r >= 0)
                        r = mapped_mark_name(name, what->ids[i].snapshot, &what->mark);
                if (r >= 0)
                        r = mapped_device_find(uuid, &cow);
                if (r == 0 && !streq(cow.name, name))
                        r = mapped_device_rename(cow.name, name);
                if (r != 0)
                        return mapped_job_fail_errno(r < 0 ? r : -ENXIO,
                                                     "The final mark cannot be given to snapshot",
                                                     what->ids[i].snapshot);
                r = mapped_job_failpoint("quiesced.dm.marked");
                if (r != 0)
                        return r;
        }
        return CONTRACT_OK;
}
