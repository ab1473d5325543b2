/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A snapshot set and its volumes as objects: made, looked at, let go. What happens to them is in steps.c.
 */

#include <assert.h>

#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/texts.h"

/**
 * set_volume_new() - a volume that may join a set
 * @ret:                the volume, in no set's row yet
 * @set:                its set
 * @snapshot_id:        UUID text
 *
 * Return: 0, or a negative errno.
 */
int set_volume_new(SetVolume **ret, SnapshotSet *set, const char *snapshot_id) {
        SetVolume *volume = calloc(1, sizeof(*volume));

        if (!volume)
                return error_origin(-ENOMEM);
        volume->set = set;
        volume->writable_fd = -EBADF;
        volume->given.owner = volume;
        volume->given.set = set->is_question ? NULL : &set->given;
        (void) snprintf(volume->given.snapshot_id, sizeof(volume->given.snapshot_id), "%s", snapshot_id);
        *ret = volume;
        return 0;
}

/**
 * set_volume_free() - forget a volume, with no operation running on it
 * @volume:     it or NULL
 *
 * Return: NULL.
 */
SetVolume *set_volume_free(SetVolume *volume) {
        ProviderVolume *given;

        if (!volume)
                return NULL;
        assert(!volume->busy);
        given = &volume->given;
        if (given->ops && given->ops->volume_done)
                given->ops->volume_done(given);
        set_volume_close_mounts(volume);
        set_volume_close_writable(volume);
        (void) copy_call_free(volume->copy_call);
        given->origin = volume_free(given->origin);
        free(given->wished_provider);
        (void) texts_free(given->wished_devices);
        free(given->name);
        free(given->key);
        free(given->device);
        free(given->file_system);
        free(given->no_tree);
        free(given->copy_device);
        free(volume);
        return NULL;
}

/**
 * snapshot_set_find_volume() - by its snapshot's id
 * @set:                the set
 * @snapshot_id:        UUID text
 *
 * Return: the volume, or NULL.
 */
SetVolume *snapshot_set_find_volume(const SnapshotSet *set, const char *snapshot_id) {
        for (size_t i = 0; i < set->n_volumes; i++)
                if (streq(set->volumes[i]->given.snapshot_id, snapshot_id))
                        return set->volumes[i];
        return NULL;
}

/**
 * snapshot_set_drop_volume() - take a volume out of the row and forget it
 * @set:        the set
 * @volume:     one of its volumes
 */
void snapshot_set_drop_volume(SnapshotSet *set, SetVolume *volume) {
        for (size_t i = 0; i < set->n_volumes; i++) {
                if (set->volumes[i] != volume)
                        continue;
                memmove(set->volumes + i, set->volumes + i + 1,
                        (set->n_volumes - i - 1) * sizeof(set->volumes[0]));
                set->n_volumes--;
                for (; i < set->n_volumes; i++)
                        set->volumes[i]->given.index = (uint32_t) i;
                break;
        }
        if (set->only == volume)
                set->only = NULL;
        (void) set_volume_free(volume);
}

/**
 * snapshot_set_note_created() - FINAL_COMMIT, or SEAL if there is one, has succeeded: the snapshots count
 * @set:        the set
 */
void snapshot_set_note_created(SnapshotSet *set) {
        set->created = true;
        set->n_made = set->n_volumes;
        for (size_t i = 0; i < set->n_volumes; i++)
                set->volumes[i]->state = SNAPSHOT_CREATED;
}

/**
 * snapshot_set_is_gone() - whether nothing of it is left
 * @set:        the set
 *
 * Return: true if it has no volume that is not removed.
 */
bool snapshot_set_is_gone(const SnapshotSet *set) {
        for (size_t i = 0; i < set->n_volumes; i++)
                if (set->volumes[i]->state != SNAPSHOT_GONE)
                        return false;
        return true;
}

/**
 * snapshot_set_is_idle() - whether nothing works on it
 * @set:        the set
 *
 * Return: true if so.
 */
bool snapshot_set_is_idle(const SnapshotSet *set) {
        return set->step == CONTRACT_STEP_NONE && set->n_outbox == 0 && set->n_operations == 0 &&
               set->n_operations_beside == 0;
}

/**
 * snapshot_set_reap() - let a set go if it is over and idle
 * @set:        the set; freed later, from the event loop
 */
void snapshot_set_reap(SnapshotSet *set) {
        if (set->is_over && snapshot_set_is_idle(set) && snapshot_set_is_gone(set))
                (void) sd_event_source_set_enabled(set->sets->reap_source, SD_EVENT_ONESHOT);
}

/**
 * snapshot_set_new() - an empty set
 * @ret:                the set, in no list yet
 * @sets:               where it belongs
 * @set_id:             UUID text; NULL: only a question about one volume
 * @session_id:         UUID text
 * @owner_uid:          who pays for it
 * @persistent:         whether it outlives its session
 *
 * Return: 0, or a negative errno.
 */
int snapshot_set_new(SnapshotSet **ret, Sets *sets, const char *set_id, const char *session_id,
                     uint32_t owner_uid, bool persistent) {
        _cleanup_(snapshot_set_freep) SnapshotSet *set = calloc(1, sizeof(*set));
        int r;

        if (!set)
                return error_origin(-ENOMEM);
        set->sets = sets;
        set->is_question = !set_id;
        set->given.owner_uid = owner_uid;
        set->given.persistent = persistent;
        set->given.moment_fd = -EBADF;
        (void) snprintf(set->given.id, sizeof(set->given.id), "%s", set_id ?: "");
        (void) snprintf(set->given.session_id, sizeof(set->given.session_id), "%s", session_id ?: "");
        r = outbox_new(set);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(set);
        return 0;
}

/**
 * snapshot_set_free() - forget a set, whatever of it is still there
 * @set:        it or NULL
 *
 * Return: NULL.
 */
SnapshotSet *snapshot_set_free(SnapshotSet *set) {
        if (!set)
                return NULL;
        set->helper = child_free(set->helper);
        set->hold = hold_client_free(set->hold);
        set->given.moment_fd = fd_close(set->given.moment_fd);
        set_description_done(&set->given.description);
        set_description_done(&set->given.wished);
        for (size_t i = 0; i < set->n_volumes; i++) {
                set->volumes[i]->busy = false;
                (void) set_volume_free(set->volumes[i]);
        }
        set->deliver_source = sd_event_source_disable_unref(set->deliver_source);
        set->delete_timer = sd_event_source_disable_unref(set->delete_timer);
        set->linger_timer = sd_event_source_disable_unref(set->linger_timer);
        free(set);
        return NULL;
}

/**
 * snapshot_set_get_info() - what is known of a set
 * @set:        the set
 * @ret:        filled in; strings live as long as the set
 *
 * Return: false if it is no set that others may see yet.
 */
bool snapshot_set_get_info(const SnapshotSet *set, SetInfo *ret) {
        /* What writers froze was held from some moment after the arming until they thawed it: at most this,
         * and no longer than the freeze window around it. */
        uint64_t begin = set->any_frozen ? set->armed_usec : set->suspend_begin_usec;
        uint64_t end = set->any_frozen ? set->ended_usec : set->resumed_usec;
        uint64_t hold = end > begin ? end - begin : 0;

        if (set->is_question)
                return false;
        if (set->any_frozen && set->freeze_usec > 0 && hold > set->freeze_usec)
                hold = set->freeze_usec;
        *ret = (SetInfo){
                .id = set->given.id,
                .session_id = set->given.session_id,
                .owner_uid = set->given.owner_uid,
                .persistent = set->given.persistent,
                .created = set->created,
                .consistency = set->given.consistency,
                .instant_realtime_usec = set->given.instant_realtime_usec,
                .hold_usec = hold,
                .suspend_usec = set->suspended_usec > set->suspend_begin_usec
                                        ? set->suspended_usec - set->suspend_begin_usec
                                        : 0,
                .commit_usec = set->committed_usec > set->suspended_usec
                                       ? set->committed_usec - set->suspended_usec
                                       : 0,
                .freeze_usec = set->freeze_usec,
                .n_snapshots = set->n_volumes,
                .n_made = set->n_made,
        };
        return true;
}

/* What somebody reads is not older than his question. */
static const char *volume_lost(const SetVolume *volume) {
        const ProviderOps *ops = volume->given.ops;
        ProviderSpace space;

        if (volume->invalid_reason)
                return volume->invalid_reason;
        if (volume->state != SNAPSHOT_CREATED || !ops->get_space ||
            !ops->get_space(&volume->given, &space) || !space.reason)
                return "";
        space_look_soon(volume->set->sets);
        return space.reason;
}

static const char *volume_state(const SetVolume *volume) {
        if (volume->state == SNAPSHOT_PREPARING)
                return "preparing";
        if (volume->state == SNAPSHOT_REVERTING)
                return "reverting";
        if (volume->invalid_reason)
                return "invalid";
        if (volume->state != SNAPSHOT_CREATED || volume->detaching)
                return "deleting";
        return volume_lost(volume)[0] ? "invalid" : "created";
}

/**
 * snapshot_set_get_snapshot() - what is known of one snapshot
 * @set:        the set
 * @index:      0 … n_snapshots - 1
 * @ret:        filled in; strings live until the next event
 *
 * Return: false if there is no such snapshot (any more).
 */
bool snapshot_set_get_snapshot(const SnapshotSet *set, size_t index, SnapshotInfo *ret) {
        ProviderRevert revert = {};
        const ProviderVolume *given;
        const SetVolume *volume;

        if (index >= set->n_volumes || set->volumes[index]->state == SNAPSHOT_GONE)
                return false;
        volume = set->volumes[index];
        given = &volume->given;
        if (volume->state == SNAPSHOT_REVERTING)
                (void) given->ops->get_revert(given, &revert);
        *ret = (SnapshotInfo){
                .id = given->snapshot_id,
                .set_id = set->given.id,
                .volume = given->name,
                .key = given->key,
                .device = given->device ?: "",
                .provider = given->ops->name,
                .state = volume_state(volume),
                .file_system = given->file_system ?: "",
                .no_tree = given->no_tree,
                .invalid_reason = volume_lost(volume),
                .invalid_usec = volume->invalid_usec,
                .revert_waits = revert.waits,
                .revert_left = revert.left,
                .full = volume->full,
                .copy_device = given->copy_device,
                .copy_lost = given->copy_device && given->ops->copy_is_lost(given),
                .external_id = set->given.external_id,
                .size = given->size,
                .mount_points = given->origin ? (const char *const *) given->origin->mount_points : NULL,
                .n_mount_points = given->origin ? given->origin->n_mount_points : 0,
        };
        return true;
}

/**
 * snapshot_set_note_consistency() - what the set will be good for, as is known before FINAL_COMMIT
 * @set:                the set
 * @consistency:        C14
 */
void snapshot_set_note_consistency(SnapshotSet *set, ContractConsistency consistency) {
        set->given.consistency = consistency;
}

/**
 * snapshot_set_note_outcome() - what only the contract and the writers know
 * @set:                the set, created
 * @consistency:        C14; noted with the snapshots, too, if it is another than FINAL_COMMIT did
 * @freeze_usec:        first Freeze sent to last Thaw answered
 */
void snapshot_set_note_outcome(SnapshotSet *set, ContractConsistency consistency, uint64_t freeze_usec) {
        ContractConsistency was = set->given.consistency;

        set->given.consistency = consistency;
        set->freeze_usec = freeze_usec;
        if (was != consistency)
                phase_note_consistency(set, was);
}
