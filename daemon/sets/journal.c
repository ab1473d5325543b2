/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The journal of the running set: what may be suspended or frozen, written before LOCK and removed when the
 * hold is over, so that a quiesced that starts after a crash can let it go (recover-held.c). It lies on a
 * tmpfs and is never needed after a reboot.
 */

#include <fcntl.h>
#include <jansson.h>

#include "daemon/sets/journal.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"

/**
 * journal_path() - where the journal is
 * @runtime_dir:        /run/quiesced
 * @ret:                to be freed
 *
 * Return: 0, or -ENOMEM.
 */
int journal_path(const char *runtime_dir, char **ret) {
        if (asprintf(ret, "%s/" JOURNAL_NAME, runtime_dir) < 0) {
                *ret = NULL;
                return error_origin(-ENOMEM);
        }
        return 0;
}

static int journal_add_volume(json_t *list, json_t *locks, const SetVolume *volume) {
        HoldVolume v = {};
        const char *lock_path = NULL;
        int r;

        if (!volume->given.ops->is_suspended)
                return 0;
        r = volume->given.ops->describe_hold(&volume->given, &v, &lock_path);
        if (r < 0)
                return error_trace(r);
        if (json_array_append_new(list, json_pack("{s:s, s:s}", "origin", v.origin_uuid, "snapshot",
                                                  v.kind == HOLD_VOLUME_COW ? v.snapshot_uuid : "")) < 0)
                return error_origin(-ENOMEM);
        if (json_array_append_new(locks, json_string(lock_path)) < 0)
                return error_origin(-ENOMEM);
        return 0;
}

/* Mount points may be any bytes, JSON may not: one that is no UTF-8 goes without, the hold has its
 * descriptor. Without writers that freeze, what is frozen is somebody else's. */
static int journal_add_mounts(json_t *list, const SnapshotSet *set) {
        MountPlace place = {};
        SetMount mount;

        /* Without writers that freeze, what is frozen is somebody else's. */
        while (set->writers_freeze && mounts_next(set, &place, &mount)) {
                json_t *entry = json_pack("{s:s, s:I}", "mount-point", mount.mount->mount_point, "mount-id",
                                          (json_int_t) mount.mount->mount_id);

                if (entry && json_array_append_new(list, entry) < 0)
                        return error_origin(-ENOMEM);
        }
        return 0;
}

/* The hold changes it, and puts it back unless it is killed together with its guard. */
static int journal_add_rcu(json_t *root, const SnapshotSet *set) {
        _cleanup_close_ int fd = -EBADF;
        char value[16];
        ssize_t n;

        if (!set->sets->config.expedite_rcu || set->long_limit_usec > 0)
                return 0;
        fd = open(JOURNAL_RCU_SWITCH, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, value, sizeof(value) - 1) : 0;
        if (n <= 0)
                return 0;
        value[n] = '\0';
        value[strcspn(value, "\n")] = '\0';
        return json_object_set_new(root, "rcu-expedited", json_string(value)) < 0 ? error_origin(-ENOMEM)
                                                                                  : 0;
}

static int journal_write(const SnapshotSet *set) {
        json_auto_t *root = NULL;
        _cleanup_free_ char *path = NULL, *temporary = NULL;
        json_t *volumes = json_array(), *mounts = json_array(), *locks = json_array();
        uint32_t depths[CONTRACT_VOLUMES_MAX];
        int r;

        snapshot_set_get_depths(set, depths);
        root = json_pack("{s:i, s:s, s:o, s:o, s:o}", "version", JOURNAL_VERSION, "set", set->given.id,
                         "volumes", volumes, "mounts", mounts, "locks", locks);
        if (!root)
                return error_origin(-ENOMEM);
        for (uint32_t depth = CONTRACT_VOLUMES_MAX; depth-- > 0;)
                for (size_t i = 0; i < set->n_volumes; i++) {
                        if (depths[i] != depth)
                                continue;
                        r = journal_add_volume(volumes, locks, set->volumes[i]);
                        if (r < 0)
                                return error_trace(r);
                }
        r = journal_add_mounts(mounts, set);
        if (r < 0)
                return error_trace(r);
        r = journal_add_rcu(root, set);
        if (r < 0)
                return error_trace(r);
        r = journal_path(set->sets->config.runtime_dir, &path);
        if (r < 0)
                return error_trace(r);
        if (asprintf(&temporary, "%s.new", path) < 0) {
                temporary = NULL;
                return error_origin(-ENOMEM);
        }
        if (json_dump_file(root, temporary, JSON_INDENT(2)) < 0)
                return error_origin(-EIO);
        if (rename(temporary, path) < 0)
                return error_origin(-errno);
        return 0;
}

/**
 * stage_journal_write() - LOCK: from here something may be held
 * @set:        the set
 *
 * Return: STAGE_DONE.
 */
StageResult stage_journal_write(SnapshotSet *set) {
        int r;

        r = journal_write(set);
        if (r < 0)
                step_fail(set, CONTRACT_ERROR_UNEXPECTED, "The journal in %s cannot be written: %s.",
                          set->sets->config.runtime_dir, strerror(-r));
        else
                set->journal_written = true;
        return STAGE_DONE;
}

/**
 * stage_journal_remove() - nothing is held any more
 * @set:        the set, with no operation running
 *
 * Also closes the descriptors on its file systems, which would keep them from being unmounted.
 *
 * Return: STAGE_DONE.
 */
StageResult stage_journal_remove(SnapshotSet *set) {
        _cleanup_free_ char *path = NULL;

        for (size_t i = 0; i < set->n_volumes; i++)
                set_volume_close_mounts(set->volumes[i]);
        if (set->journal_written && journal_path(set->sets->config.runtime_dir, &path) == 0) {
                (void) unlink(path);
                set->journal_written = false;
        }
        return STAGE_DONE;
}
