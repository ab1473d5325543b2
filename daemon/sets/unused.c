/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Waiting until nobody has a snapshot open. udev and LVM look into each device that comes or changes, for a
 * moment, so that it is open then is no reason to refuse what somebody has asked for. Nothing tells of a
 * device's last close, so that is looked for again and again; whoever has it open for longer is named.
 *
 * Promise: done() is called once, from the event loop, in no freeze window; what it was about may have gone
 * by then.
 */

#include <assert.h>

#include "daemon/sets/mount-record.h"
#include "daemon/sets/sets-internal.h"
#include "daemon/sets/tree-child.h"
#include "util/error.h"

#define HOLDERS_LIMIT_USEC (10 * USEC_PER_SEC)

struct UnusedWait {
        UnusedWait *next;
        Sets *sets;
        char set_id[CONTRACT_ID_MAX], snapshot_id[CONTRACT_ID_MAX]; /* of one of its snapshots; "": all */
        sd_event_source *timer;
        uint64_t until_usec;
        Child *child;
        char busy_id[CONTRACT_ID_MAX], busy_name[129]; /* what the child looks for */
        UnusedDone done;
        void *userdata;
};

static void wait_free(UnusedWait *wait) {
        UnusedWait **at = &wait->sets->unused_waits;

        while (*at != wait)
                at = &(*at)->next;
        *at = wait->next;
        (void) child_free(wait->child);
        (void) sd_event_source_disable_unref(wait->timer);
        free(wait);
}

static void wait_end(UnusedWait *wait, const char *holders) {
        UnusedDone done = wait->done;
        void *userdata = wait->userdata;
        char text[CONTRACT_TEXT_MAX];

        if (holders)
                (void) snprintf(text, sizeof(text), "Snapshot %s of %s is in use by %.256s; end that first.",
                                wait->busy_id, wait->busy_name, holders);
        wait_free(wait);
        done(holders ? text : NULL, userdata);
}

static bool is_mounted(const SnapshotSet *set, const char *snapshot_id) {
        _cleanup_(mount_records_done) MountRecords mounts = {};

        (void) snapshot_set_get_mounts(set, snapshot_id, &mounts);
        return mounts.n > 0;
}

/* A mount of ours is no short look. Return: NULL: not because of a device alone that is open. */
static const SetVolume *find_open(const SnapshotSet *set, const char *snapshot_id) {
        const SetVolume *found = NULL;

        for (size_t i = 0; i < set->n_volumes; i++) {
                const SetVolume *volume = set->volumes[i];
                const ProviderVolume *given = &volume->given;

                if (snapshot_id && !streq(given->snapshot_id, snapshot_id))
                        continue;
                if (volume->state == SNAPSHOT_REVERTING || is_mounted(set, given->snapshot_id))
                        return NULL;
                if (!found && volume->state == SNAPSHOT_CREATED && given->ops->is_open &&
                    given->ops->is_open(given))
                        found = volume;
        }
        return set->given.description.locked ? NULL : found;
}

static void on_holders(Child *child, const ChildResult *result, void *userdata) {
        UnusedWait *wait = userdata;
        _cleanup_free_ char *holders = NULL;

        if (result->error == 0 && result->n_out > 0)
                holders = strdup(result->out);
        wait->child = child_free(child);
        wait_end(wait, holders);
}

/* Return: whether it is looked for, and on_holders() will be called. */
static bool name_holders(UnusedWait *wait, const SetVolume *volume) {
        TreeRequest request = {.volume = &volume->given, .directory_fd = -EBADF};

        if (!volume->given.device)
                return false;
        (void) snprintf(wait->busy_id, sizeof(wait->busy_id), "%s", volume->given.snapshot_id);
        (void) snprintf(wait->busy_name, sizeof(wait->busy_name), "%.128s", volume->given.name);
        return child_fork(&wait->child, wait->sets->event, tree_child_holders, &request, HOLDERS_LIMIT_USEC,
                          on_holders, wait) >= 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        UnusedWait *wait = userdata;
        const SnapshotSet *set = sets_find(wait->sets, wait->set_id);
        bool window = sets_window_is_open(wait->sets);
        const SetVolume *open = NULL;
        uint64_t now_usec = 0;

        if (set && !window)
                open = find_open(set, wait->snapshot_id[0] ? wait->snapshot_id : NULL);
        (void) sd_event_now(wait->sets->event, CLOCK_MONOTONIC, &now_usec);
        if (open && now_usec >= wait->until_usec && name_holders(wait, open))
                return 0;
        if ((window || (open && now_usec < wait->until_usec)) &&
            sd_event_source_set_time_relative(source, UNUSED_AGAIN_USEC) >= 0 &&
            sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) >= 0)
                return 0;
        wait_end(wait, NULL);
        return 0;
}

/**
 * snapshot_set_await_unused() - wait for who has a snapshot open for a moment
 * @set:            the set; may go meanwhile
 * @snapshot_id:    of one of its snapshots; NULL: all
 * @done:           called once, from the event loop
 * @userdata:       for @done
 *
 * What else may stand in the way is not waited for: whoever calls this looks for that when it is over.
 *
 * Return: whether that is waited for; if not, done() is never called.
 */
bool snapshot_set_await_unused(SnapshotSet *set, const char *snapshot_id, UnusedDone done, void *userdata) {
        Sets *sets = set->sets;
        UnusedWait *wait;

        if (!find_open(set, snapshot_id))
                return false;
        wait = calloc(1, sizeof(*wait));
        if (!wait)
                return false;
        *wait = (UnusedWait){.next = sets->unused_waits, .sets = sets, .done = done, .userdata = userdata};
        sets->unused_waits = wait;
        (void) snprintf(wait->set_id, sizeof(wait->set_id), "%s", set->given.id);
        (void) snprintf(wait->snapshot_id, sizeof(wait->snapshot_id), "%s", snapshot_id ?: "");
        if (sd_event_now(sets->event, CLOCK_MONOTONIC, &wait->until_usec) >= 0 &&
            sd_event_add_time_relative(sets->event, &wait->timer, CLOCK_MONOTONIC, UNUSED_AGAIN_USEC, 0,
                                       on_timer, wait) >= 0) {
                wait->until_usec += UNUSED_PATIENCE_USEC;
                return true;
        }
        wait_free(wait);
        return false;
}

/**
 * unused_waits_free() - who waits is not answered
 * @sets:       all sets
 */
void unused_waits_free(Sets *sets) {
        while (sets->unused_waits)
                wait_free(sets->unused_waits);
}
