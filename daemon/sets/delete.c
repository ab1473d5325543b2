/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * DELETE, one snapshot at a time, and what becomes of those that somebody still has open (C5): they are
 * waited for, DELETE_WAIT_USEC in all, then stay in state "deleting" and go with the last who has them open,
 * which a slow timer looks for.
 */

#include <assert.h>

#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/log.h"

#define DELETE_WAIT_USEC  (10 * USEC_PER_SEC)
#define DELETE_AGAIN_USEC (250 * USEC_PER_MSEC)
#define LINGER_USEC       (2 * USEC_PER_SEC)

static uint64_t set_now(const SnapshotSet *set) {
        uint64_t now_usec = 0;

        (void) sd_event_now(set->sets->event, CLOCK_MONOTONIC, &now_usec);
        return now_usec;
}

static int timer_arm(SnapshotSet *set, sd_event_source **source, uint64_t usec,
                     sd_event_time_handler_t handler) {
        int r;

        if (!*source)
                return error_trace(sd_event_add_time_relative(set->sets->event, source, CLOCK_MONOTONIC,
                                                              usec, 0, handler, set));
        r = sd_event_source_set_time_relative(*source, usec);
        if (r < 0)
                return error_trace(r);
        return error_trace(sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT));
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata) {
        SnapshotSet *set = userdata;

        if (set->step == CONTRACT_STEP_DELETE && set->delete_next < set->n_volumes)
                set->volumes[set->delete_next]->delete_begun = false;
        step_advance(set);
        return 0;
}

/* It stays as it is, and the step tells of it. */
static void delete_leave(SnapshotSet *set, SetVolume *volume) {
        if (!set->answer.first_left)
                set->answer.first_left = volume->given.snapshot_id;
        step_fail(set, volume->last_error, "%s", volume->last_text);
}

/* Return: whether the volume at delete_next is through. */
static bool delete_one(SnapshotSet *set, SetVolume *volume) {
        if (volume->busy || set->helper)
                return false;
        if (!volume->delete_begun && tree_detach(volume))
                return false;
        if (!volume->delete_begun) {
                volume->delete_begun = true;
                volume->state = SNAPSHOT_DELETING;
                phase_begin(volume, PROVIDER_DELETE);
                if (volume->busy)
                        return false;
        }
        if (volume->state == SNAPSHOT_GONE) {
                set->answer.n_deleted++;
                return true;
        }
        if (volume->last_error == CONTRACT_ERROR_VOLUME_BUSY && set_now(set) < set->delete_until_usec &&
            timer_arm(set, &set->delete_timer, DELETE_AGAIN_USEC, on_again) >= 0)
                return false;
        if (volume->last_error == CONTRACT_ERROR_VOLUME_BUSY && !volume->holders_named) {
                volume->holders_named = true;
                if (tree_name_holders(volume))
                        return false;
        }
        delete_leave(set, volume);
        return true;
}

/* How many went, and which is the first that did not (C4). */
static void delete_count(SnapshotSet *set) {
        char why[301];

        for (size_t i = 0; set->answer.first_left && !set->delete_only && i < set->n_volumes; i++) {
                const ProviderVolume *given = &set->volumes[i]->given;

                if (given->snapshot_id != set->answer.first_left)
                        continue;
                (void) snprintf(why, sizeof(why), "%.300s", set->answer.text);
                (void) snprintf(set->answer.text, sizeof(set->answer.text),
                                "%u of %zu snapshots deleted; %s of %.64s is not: %s", set->answer.n_deleted,
                                set->n_volumes, given->snapshot_id, given->name, why);
                return;
        }
}

/**
 * stage_delete() - the stage of DELETE
 * @set:        the set; set->delete_only: that snapshot alone
 *
 * Of a persistent set the first that cannot be deleted ends it; auto-release snapshots must all go.
 *
 * Return: whether it is over.
 */
StageResult stage_delete(SnapshotSet *set) {
        if (!set->stage_entered) {
                set->stage_entered = true;
                set->delete_next = 0;
                set->delete_until_usec = set_now(set) + DELETE_WAIT_USEC;
                for (size_t i = 0; i < set->n_volumes; i++)
                        set->volumes[i]->delete_begun = set->volumes[i]->holders_named =
                                set->volumes[i]->detached = false;
        }
        for (; set->delete_next < set->n_volumes; set->delete_next++) {
                SetVolume *volume = set->volumes[set->delete_next];

                if ((set->delete_only && volume != set->delete_only) ||
                    (volume->state == SNAPSHOT_GONE && !volume->delete_begun))
                        continue;
                if (!delete_one(set, volume))
                        return STAGE_WAIT;
                if (step_failed(set) && set->given.persistent)
                        break;
        }
        delete_count(set);
        return STAGE_DONE;
}

static bool linger_try(SnapshotSet *set) {
        bool left = false;

        for (size_t i = 0; i < set->n_volumes; i++) {
                SetVolume *volume = set->volumes[i];

                if (volume->state != SNAPSHOT_DELETING)
                        continue;
                left = true;
                if (!volume->busy) {
                        volume->lingers = true;
                        phase_begin(volume, PROVIDER_DELETE);
                }
        }
        return left;
}

static int on_linger(sd_event_source *source, uint64_t usec, void *userdata) {
        SnapshotSet *set = userdata;

        if (set->step != CONTRACT_STEP_NONE || linger_try(set))
                delete_linger(set);
        return 0;
}

/**
 * delete_linger() - go on trying to remove what could not be removed
 * @set:        the set
 */
void delete_linger(SnapshotSet *set) {
        bool left = false;

        for (size_t i = 0; i < set->n_volumes; i++)
                left = left || set->volumes[i]->state == SNAPSHOT_DELETING;
        if (left && timer_arm(set, &set->linger_timer, LINGER_USEC, on_linger) < 0)
                log_error(
                        "Out of memory: what is left of snapshot set %s stays until quiesced starts again.",
                        set->given.id);
}

/**
 * delete_tell() - a snapshot went at last, outside any step
 * @volume:     in state GONE
 * @reason:     in a word
 */
void delete_tell(SetVolume *volume, const char *reason) {
        SnapshotSet *set = volume->set;
        const SetsConfig *config = &set->sets->config;

        assert(volume->state == SNAPSHOT_GONE);
        if (snapshot_set_is_gone(set))
                set->is_over = true;
        if (config->removed)
                config->removed(set->given.id, volume->given.snapshot_id, reason, config->userdata);
        snapshot_set_reap(set);
}
