/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The answers of org.quiesce1.Backup, as units/dbus/org.quiesce1.Backup.xml describes them.
 */

#include "daemon/bus/backup-reply.h"

#include "daemon/bus/publish.h"

#include "contract/names.h"
#include "util/error.h"

/**
 * reply_fresh_id() - StartSnapshotSet, AddToSnapshotSet: the id that was made for it
 * @call:       the call
 * @effect:     REPLY
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_fresh_id(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "s", call->fresh_id);
}

static int append_need(sd_bus_message *reply, const VolumeNeed *need) {
        int r;

        r = dictionary_add(reply, "volume", "s", need->name);
        if (r >= 0)
                r = dictionary_add(reply, "provider", "s", need->provider ? need->provider : "");
        if (r >= 0)
                r = dictionary_add(reply, "size", "t", need->size);
        if (r >= 0 && need->store_size > 0)
                r = dictionary_add(reply, "cow-size", "t", need->store_size);
        if (r >= 0 && need->store_size > 0)
                r = dictionary_add(reply, "free", "t", need->store_room);
        return r;
}

/**
 * reply_is_volume_supported() - yes and what it would take, or no and why
 * @call:       the call
 * @effect:     REPLY: OK is yes, VolumeNotSupported is no
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_is_volume_supported(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        int r;

        r = sd_bus_message_append(reply, "b", (int) (effect->error == CONTRACT_OK));
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0 && effect->error != CONTRACT_OK)
                r = dictionary_add(reply, "reason", "s", effect->text ? effect->text : "");
        else if (r >= 0)
                r = append_need(reply, &call->need);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

static int append_failed_writers(BusCall *call, sd_bus_message *reply) {
        const char *names[CONTRACT_WRITERS_MAX];
        ContractWriterInfo info;
        size_t n = 0;

        for (uint32_t i = 0;
             n < ELEMENTSOF(names) && contract_get_writer(call->manager->contract, call->session, i, &info);
             i++)
                if (info.takes_part && info.failure != CONTRACT_FAILURE_NONE)
                        names[n++] = info.name;
        return dictionary_add_strings(reply, "failed-writers", names, n);
}

/**
 * reply_failed_writers() - PrepareForBackup, BackupComplete: who failed
 * @call:       the call
 * @effect:     REPLY
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_failed_writers(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = append_failed_writers(call, reply);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/* What only a set with volumes has. */
static int append_set_times(BusCall *call, sd_bus_message *reply, const char *set_id) {
        SnapshotSet *set = sets_find(call->manager->sets, set_id);
        SetInfo info;
        int r;

        if (!set || !snapshot_set_get_info(set, &info))
                return 0;
        r = dictionary_add(reply, "instant-usec", "t", info.instant_realtime_usec);
        if (r >= 0)
                r = dictionary_add(reply, "hold-usec", "t", info.hold_usec);
        if (r >= 0)
                r = dictionary_add(reply, "suspend-usec", "t", info.suspend_usec);
        if (r >= 0)
                r = dictionary_add(reply, "commit-usec", "t", info.commit_usec);
        return r;
}

/**
 * reply_do_snapshot_set() - the set, how consistent it is, how long things took
 * @call:       the call
 * @effect:     REPLY
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_do_snapshot_set(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        ContractSessionInfo info;
        int r;

        if (!contract_get_session(call->manager->contract, call->session, &info) || !info.set_id)
                return error_origin(-ENOENT);
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(reply, "set", "s", info.set_id);
        if (r >= 0)
                r = dictionary_add(reply, "consistency", "s",
                                   contract_consistency_to_string(effect->consistency));
        if (r >= 0)
                r = dictionary_add(reply, "freeze-usec", "t", info.freeze_end_usec - info.freeze_begin_usec);
        if (r >= 0)
                r = append_set_times(call, reply, info.set_id);
        if (r >= 0)
                r = append_failed_writers(call, reply);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

typedef enum MountKind {
        MOUNT_KEEPS,
        MOUNT_GIVES_WAY,
        MOUNT_WRITABLE,
} MountKind;

static MountKind mount_kind(const MountRecord *mount) {
        return mount->writable ? MOUNT_WRITABLE : mount->gives_way ? MOUNT_GIVES_WAY : MOUNT_KEEPS;
}

/* Directories and the mounts' ids; no entry if there are none. */
static int append_mounts(sd_bus_message *reply, const char *key, const MountRecords *mounts,
                         MountKind kind) {
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < mounts->n; i++) {
                if (mount_kind(&mounts->mounts[i]) != kind)
                        continue;
                if (n++ == 0)
                        r = dictionary_open_array(reply, key, "a{st}");
                if (r >= 0)
                        r = dictionary_append_number(reply, mounts->mounts[i].mount_point,
                                                     mounts->mounts[i].id);
        }
        return r < 0 || n == 0 ? r : dictionary_close_array(reply);
}

static int append_all_mounts(sd_bus_message *reply, const SnapshotSet *set, const char *snapshot_id) {
        _cleanup_(mount_records_done) MountRecords mounts = {};
        int r;

        r = snapshot_set_get_mounts(set, snapshot_id, &mounts);
        if (r >= 0)
                r = append_mounts(reply, "mounts", &mounts, MOUNT_KEEPS);
        if (r >= 0)
                r = append_mounts(reply, "mounts-giving-way", &mounts, MOUNT_GIVES_WAY);
        if (r >= 0)
                r = append_mounts(reply, "mounts-writable", &mounts, MOUNT_WRITABLE);
        return r;
}

static int append_snapshot_place(sd_bus_message *reply, const SnapshotSet *set, const SnapshotInfo *info) {
        int r;

        r = dictionary_add(reply, "volume", "s", info->volume);
        if (r >= 0)
                r = dictionary_add(reply, "key", "s", info->key);
        if (r >= 0)
                r = dictionary_add(reply, "device", "s", info->device ? info->device : "");
        if (r >= 0)
                r = dictionary_add(reply, "file-system", "s", info->file_system ? info->file_system : "");
        if (r >= 0)
                r = dictionary_add_strings(reply, "mount-points", info->mount_points, info->n_mount_points);
        if (r >= 0)
                r = dictionary_add(reply, "open-tree", "s", info->no_tree ? info->no_tree : "");
        if (r >= 0 && info->external_id[0])
                r = dictionary_add(reply, "external-id", "s", info->external_id);
        if (r >= 0 && info->copy_device)
                r = dictionary_add(reply, "copy-device", "s", info->copy_device);
        if (r >= 0 && info->copy_lost)
                r = dictionary_add(reply, "copy-lost", "b", 1);
        return r < 0 ? r : append_all_mounts(reply, set, info->id);
}

/**
 * append_snapshot_properties() - the dictionary of GetSnapshotProperties
 * @reply:          the answer
 * @manager:        the manager
 * @snapshot_id:    UUID text
 *
 * Return: 0 or more; -ENOENT: it is gone; another negative errno.
 */
int append_snapshot_properties(sd_bus_message *reply, Manager *manager, const char *snapshot_id) {
        const PublishedSnapshot *snapshot = published_find_snapshot(manager, snapshot_id);
        SnapshotInfo info;
        SnapshotSet *set;
        SetInfo of_set;
        int r;

        if (!snapshot || !published_get_info(snapshot, &set, &info) || !snapshot_set_get_info(set, &of_set))
                return error_origin(-ENOENT);
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = dictionary_add(reply, "id", "s", info.id);
        if (r >= 0)
                r = dictionary_add(reply, "set", "s", of_set.id);
        if (r >= 0)
                r = dictionary_add(reply, "provider", "s", info.provider);
        if (r >= 0)
                r = dictionary_add(reply, "created-usec", "t", of_set.instant_realtime_usec);
        if (r >= 0)
                r = dictionary_add(reply, "state", "s", info.state);
        if (r >= 0 && info.invalid_reason[0])
                r = dictionary_add(reply, "invalid-reason", "s", info.invalid_reason);
        if (r >= 0 && info.invalid_usec > 0)
                r = dictionary_add(reply, "invalid-usec", "t", info.invalid_usec);
        if (r >= 0 && streq(info.state, "reverting"))
                r = dictionary_add(reply, "revert", "s", info.revert_waits ? "waits" : "runs");
        if (r >= 0 && streq(info.state, "reverting"))
                r = dictionary_add(reply, "revert-left-percent", "u", (uint32_t) info.revert_left);
        if (r >= 0)
                r = dictionary_add(reply, "full-percent", "u", (uint32_t) info.full);
        if (r >= 0)
                r = dictionary_add(reply, "size", "t", info.size);
        if (r >= 0)
                r = dictionary_add(reply, "persistent", "b", (int) of_set.persistent);
        if (r >= 0)
                r = append_snapshot_place(reply, set, &info);
        return r >= 0 ? sd_bus_message_close_container(reply) : r;
}

/**
 * reply_get_snapshot_properties() - GetSnapshotProperties
 * @call:       the call
 * @effect:     REPLY
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_get_snapshot_properties(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        return append_snapshot_properties(reply, call->manager, call->snapshot);
}

/**
 * reply_delete_snapshots() - how many were deleted, and the first that was not
 * @call:       the call
 * @effect:     REPLY
 * @reply:      the answer
 *
 * Return: 0 or more, or a negative errno.
 */
int reply_delete_snapshots(BusCall *call, const ContractEffect *effect, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "us", effect->n_deleted,
                                     effect->first_left ? effect->first_left : "");
}
