/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Removing a snapshot's devices; see mapped-child.h.
 *
 * It goes the other way round than making them, and begins with the snapshot, because somebody may have it
 * open: then nothing is changed. The store is wiped before its device goes, so that what has no device has
 * no header either. Each part may be gone already, or never have been made.
 */

#include "daemon/providers/mapped-job.h"

#include "daemon/volumes/dm.h"

#define HOLDERS_MAX 16u

static int remove_snapshot(const MappedParts *parts, bool patiently) {
        const char *uuid = parts->uuids[MAPPED_SNAPSHOT];
        int r;

        /* What a hold that died has left of it. */
        (void) dm_clear_uuid(uuid);
        (void) dm_resume_uuid(uuid);
        r = mapped_device_remove(uuid, patiently);
        return r < 0 ? mapped_job_fail_errno(r, "Still there is the snapshot", parts->names[MAPPED_SNAPSHOT])
                     : mapped_job_failpoint("quiesced.dm.snapshot-removed");
}

/* Only if it has our table: what somebody has given it since is his. */
static int origin_put_back(const char *uuid, const char *real_uuid, dev_t real) {
        MappedTableFacts facts = {};
        MappedDevice origin;
        int r;

        r = mapped_device_find(uuid, &origin);
        if (r != 0)
                return 0;
        if (origin.staged)
                (void) dm_clear_uuid(uuid); /* ours, or of the table that goes */
        if (origin.suspended)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "%s gets its own table back when it is no longer suspended by "
                                       "somebody: dmsetup resume %s.",
                                       origin.name, origin.name);
        r = mapped_device_each_target(uuid, mapped_note_target, &facts, NULL);
        if (r != 0 || !facts.is_origin || facts.real != real)
                return 0;
        r = mapped_device_switch_copy(uuid, real_uuid);
        return r < 0 ? mapped_job_fail_errno(r, "Its own table cannot be given back to", origin.name)
                     : mapped_job_failpoint("quiesced.dm.put-back");
}

static int put_back(const MappedParts *parts) {
        const char *real_uuid = parts->uuids[MAPPED_REAL];
        dev_t holders[HOLDERS_MAX];
        char uuid[MAPPED_UUID_SIZE + 8];
        MappedDevice real;
        size_t n;
        int r;

        r = mapped_device_find(real_uuid, &real);
        if (r != 0)
                return r < 0 ? mapped_job_fail_errno(r, "Nothing is known of", parts->names[MAPPED_REAL])
                             : 0;
        n = mapped_device_list(real.number, "holders", holders, HOLDERS_MAX);
        for (size_t i = 0; i < n && i < HOLDERS_MAX; i++)
                if (mapped_device_read(holders[i], "dm/uuid", uuid, sizeof(uuid)) &&
                    !mapped_uuid_is_ours(uuid)) {
                        r = origin_put_back(uuid, real_uuid, real.number);
                        if (r != 0)
                                return r;
                }
        r = mapped_device_remove(real_uuid, true);
        return r < 0 ? mapped_job_fail_errno(r, "Still there is", parts->names[MAPPED_REAL])
                     : mapped_job_failpoint("quiesced.dm.real-removed");
}

static int remove_store(const MappedParts *parts) {
        MappedDevice cow;
        int r;

        r = mapped_device_find(parts->uuids[MAPPED_COW], &cow);
        if (r != 0)
                return r < 0 ? mapped_job_fail_errno(r, "Nothing is known of", parts->names[MAPPED_COW]) : 0;
        /* A disk that has failed must not keep its device. */
        if (mapped_store_wipe(parts->uuids[MAPPED_COW]) < 0)
                (void) dprintf(STDERR_FILENO, "The store %s cannot be cleared. ", cow.name);
        r = mapped_device_remove(parts->uuids[MAPPED_COW], true);
        return r < 0 ? mapped_job_fail_errno(r, "Still there is the store", cow.name) : 0;
}

/**
 * mapped_job_remove() - remove whatever there is of a snapshot
 * @socket_fd:  not used
 * @removal:    a MappedRemoval
 *
 * Return: a ContractError; VOLUME_BUSY: somebody has it open, or has suspended its origin.
 */
int mapped_job_remove(int socket_fd, void *removal) {
        const MappedRemoval *what = removal;
        _cleanup_close_ int lock_fd = -EBADF;
        MappedParts parts = {};
        int r;

        mapped_job_keep_secrets();
        r = lock_fd = mapped_job_lock(what->lock_path);
        if (r >= 0)
                r = mapped_parts_name(&parts, &what->ids);
        if (r < 0)
                return mapped_job_fail_errno(r, "Nothing can be removed of snapshot", what->ids.snapshot);
        r = remove_snapshot(&parts, what->patiently);
        if (r == 0)
                r = put_back(&parts);
        return r != 0 ? r : remove_store(&parts);
}
