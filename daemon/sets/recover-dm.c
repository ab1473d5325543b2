/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * At start: what device-mapper says of snapshots of provider dm that a daemon before us made. They are never
 * persistent: a set comes back while its owner reads it, if nothing of it is unfinished, else it goes.
 */

#include "daemon/sets/recover-dm.h"

#include "util/error.h"
#include "util/log.h"

/**
 * recover_dm_find() - look what there is
 * @recovery:   filled in
 * @sets:       all sets
 *
 * Return: 0, or a negative errno; then nothing was found.
 */
int recover_dm_find(RecoverDm *recovery, Sets *sets) {
        int r;

        recover_dm_done(recovery);
        *recovery = (RecoverDm){.sets = sets};
        if (!sets->dm_provider)
                return 0;
        r = mapped_snapshots_find(&recovery->snapshots, &recovery->n_snapshots);
        if (r < 0)
                return error_trace(r);
        recovery->goes = calloc(recovery->n_snapshots + 1, sizeof(*recovery->goes));
        if (!recovery->goes) {
                recover_dm_done(recovery);
                return error_origin(-ENOMEM);
        }
        return 0;
}

/**
 * recover_dm_done() - forget what was found
 * @recovery:   empty after it
 */
void recover_dm_done(RecoverDm *recovery) {
        free(recovery->snapshots);
        free(recovery->goes);
        *recovery = (RecoverDm){};
}

/**
 * recover_dm_is_finished() - whether nothing of a set lacks the final mark
 * @recovery:   what was found
 * @set_id:     UUID text
 *
 * Return: true also if there is nothing of it.
 */
bool recover_dm_is_finished(const RecoverDm *recovery, const char *set_id) {
        for (size_t i = 0; i < recovery->n_snapshots; i++)
                if (streq(recovery->snapshots[i].ids.set, set_id) && !recovery->snapshots[i].marked)
                        return false;
        return true;
}

static int snapshot_adopt(Sets *sets, const MappedSnapshot *snapshot) {
        SnapshotSet *set = sets_find(sets, snapshot->ids.set);
        _cleanup_(set_volume_freep) SetVolume *volume = NULL;
        int r;

        if (!set) {
                r = sets_add(sets, &set, snapshot->ids.set, snapshot->ids.session, snapshot->mark.owner_uid,
                             false);
                if (r < 0)
                        return error_trace(r);
                set->created = set->is_adopted = true;
                set->given.instant_realtime_usec = snapshot->mark.instant_realtime_usec;
                set->given.consistency = snapshot->mark.consistency;
        }
        if (set->n_volumes >= CONTRACT_VOLUMES_MAX)
                return error_origin(-E2BIG);
        r = set_volume_new(&volume, set, snapshot->ids.snapshot);
        if (r < 0)
                return error_trace(r);
        volume->given.provider = sets->dm_provider;
        volume->given.index = (uint32_t) set->n_volumes;
        r = provider_dm_adopt(&volume->given, snapshot);
        if (r < 0)
                return error_trace(r);
        volume->prepared = true;
        volume->state = SNAPSHOT_CREATED;
        set->volumes[set->n_volumes++] = TAKE_PTR(volume);
        set->given.n_volumes = (uint32_t) set->n_volumes;
        return 0;
}

/**
 * recover_dm_look() - take back what is kept, and note what goes
 * @recovery:   what was found
 * @is_kept:    whether a set's owner still reads it, and nothing of it is unfinished
 * @userdata:   for @is_kept
 *
 * Return: 0, or the last error.
 */
int recover_dm_look(RecoverDm *recovery, bool (*is_kept)(const char *set_id, void *userdata),
                    void *userdata) {
        int error = 0;

        for (size_t i = 0; i < recovery->n_snapshots; i++) {
                const MappedSnapshot *snapshot = &recovery->snapshots[i];
                SnapshotSet *set = sets_find(recovery->sets, snapshot->ids.set);
                int r;

                if (set && (!set->is_adopted || snapshot_set_find_volume(set, snapshot->ids.snapshot)))
                        continue; /* of ours: made since, or known from the last time */
                recovery->goes[i] =
                        !snapshot->marked || !snapshot->whole || !is_kept(snapshot->ids.set, userdata);
                r = recovery->goes[i] ? 0 : snapshot_adopt(recovery->sets, snapshot);
                error = r < 0 ? r : error;
        }
        return error;
}

/**
 * recover_dm_remove_next() - remove one more of those that go
 * @recovery:   what was found
 * @removed:    called once, from the event loop
 * @userdata:   for @removed
 *
 * Return: whether there was one.
 */
bool recover_dm_remove_next(RecoverDm *recovery, MappedRemoved removed, void *userdata) {
        while (recovery->next < recovery->n_snapshots) {
                size_t i = recovery->next++;
                int r;

                if (!recovery->goes[i])
                        continue;
                log_notice("Removing the left-over snapshot %s of provider dm.",
                           recovery->snapshots[i].ids.snapshot);
                r = provider_dm_remove(recovery->sets->dm_provider, &recovery->snapshots[i].ids, removed,
                                       userdata);
                if (r >= 0)
                        return true;
                log_error("The removal of snapshot %s could not be begun: %s",
                          recovery->snapshots[i].ids.snapshot, strerror(-r));
        }
        return false;
}
