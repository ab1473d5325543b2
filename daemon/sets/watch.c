/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Snapshots that go away otherwise than by a step: somebody removed the LV. When the name of a device of
 * ours is gone from /dev/mapper, LVM is asked which of the snapshots are still there; a device may go and
 * its LV stay (vgchange -an). Names are udev's; they are watched rather than its events are heard, because
 * those come over the network namespace of the host alone, and quiesced has no other business there.
 *
 * A thin snapshot that is being reverted has no name any more, and LVM is through with it some time after
 * its volume was activated, when its background polling comes to it: so it is asked again for a while.
 */

#include <sys/inotify.h>

#include "daemon/providers/lvm-tags.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/log.h"

#define NAMES_DIRECTORY "/dev/mapper"
/* Several go together, with their group. */
#define WATCH_DELAY_USEC (500 * USEC_PER_MSEC)
/* While something is being reverted; LVM polls every 15 s (activation/polling_interval). */
#define WATCH_AGAIN_USEC (10 * USEC_PER_SEC)
#define WATCH_AGAIN_MAX  12U

struct Watch {
        sd_event_source *names;
        sd_event_source *timer;
        bool asked;       /* LVM is being asked */
        unsigned n_again; /* how often it is still to be asked, if something is being reverted */
};

static const LvmVolume *report_find(const LvmReport *report, const char *snapshot_id) {
        for (size_t i = 0; i < report->n_volumes; i++) {
                LvmSnapshot snapshot;

                if (lvm_volume_get_snapshot(&report->volumes[i], &snapshot) &&
                    streq(snapshot.id, snapshot_id))
                        return &report->volumes[i];
        }
        return NULL;
}

/* What LVM can tell of: provider dm tells by itself (get_space()), as there is more to be removed then. */
static bool volume_is_watched(const SetVolume *volume) {
        return (volume->state == SNAPSHOT_CREATED || volume->state == SNAPSHOT_REVERTING) && !volume->busy &&
               volume->given.provider == volume->set->sets->lvm_provider;
}

/**
 * watch_tell_gone() - a snapshot is not there any more: it was merged, half broken, or somebody has removed
 * it
 * @volume:     in state CREATED or REVERTING
 */
void watch_tell_gone(SetVolume *volume) {
        const char *reason = SETS_REMOVED_ELSEWHERE;

        if (volume->state == SNAPSHOT_REVERTING) {
                log_notice("Volume %s is what its snapshot %s was.", volume->given.name,
                           volume->given.snapshot_id);
                reason = "reverted";
        } else if (volume->breaking) {
                log_notice(
                        "The snapshot %s of %s is an ordinary volume, though its set could not be broken.",
                        volume->given.snapshot_id, volume->given.name);
                reason = "broken";
        } else
                log_warning("The snapshot %s of %s was removed by somebody else.", volume->given.snapshot_id,
                            volume->given.name);
        volume->state = SNAPSHOT_GONE;
        delete_tell(volume, reason);
}

static void set_compare(SnapshotSet *set, const LvmReport *report) {
        for (size_t i = 0; i < set->n_volumes; i++) {
                SetVolume *volume = set->volumes[i];
                const LvmVolume *found;

                if (!volume_is_watched(volume))
                        continue;
                found = report_find(report, volume->given.snapshot_id);
                if (!found)
                        watch_tell_gone(volume);
                else if (lvm_volume_is_merging(found))
                        volume->state = SNAPSHOT_REVERTING;
        }
}

static bool any_is_reverting(const Sets *sets) {
        for (size_t i = 0; i < sets->n_sets; i++)
                for (size_t k = 0; k < sets->sets[i]->n_volumes; k++)
                        if (sets->sets[i]->volumes[k]->state == SNAPSHOT_REVERTING)
                                return true;
        return false;
}

static void watch_in(Watch *watch, uint64_t usec) {
        if (sd_event_source_set_time_relative(watch->timer, usec) >= 0)
                (void) sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
}

static void on_listed(int r, const LvmReport *report, const char *text, void *userdata) {
        Sets *sets = userdata;

        sets->watch->asked = false;
        for (size_t i = 0; r >= 0 && i < sets->n_sets; i++)
                set_compare(sets->sets[i], report);
        if (sets->watch->n_again == 0 || !any_is_reverting(sets))
                return;
        sets->watch->n_again--;
        watch_in(sets->watch, WATCH_AGAIN_USEC);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Sets *sets = userdata;

        if (!sets->watch->asked)
                sets->watch->asked = lvm_list(sets->lvm, NULL, on_listed, sets) >= 0;
        return 0;
}

/* What LVM makes and removes while a snapshot is being made, and what is removed by us, tells nothing: and a
 * listing beside our own commands would keep them waiting. */
static bool is_watched(const Sets *sets, const char *device_name) {
        char lv[LVM_NAME_SIZE];

        for (size_t i = 0; i < sets->n_sets; i++)
                for (size_t k = 0; k < sets->sets[i]->n_volumes; k++) {
                        const SetVolume *volume = sets->sets[i]->volumes[k];

                        if (volume_is_watched(volume) &&
                            lvm_snapshot_name(lv, volume->given.snapshot_id) >= 0 && strstr(device_name, lv))
                                return true;
                }
        return false;
}

/* Whether that is the name of a volume that is to be reverted when it is activated: "vg/lv" is "vg-lv", and
 * a dash of its own is two. */
static bool is_reverted_by(const SetVolume *volume, const char *device_name) {
        const char *d = device_name;

        if (volume->state != SNAPSHOT_REVERTING)
                return false;
        for (const char *c = volume->given.name; *c; c++) {
                if (*d++ != (*c == '/' ? '-' : *c))
                        return false;
                if (*c == '-' && *d++ != '-')
                        return false;
        }
        return *d == '\0';
}

static bool is_activated(const Sets *sets, const char *device_name) {
        for (size_t i = 0; i < sets->n_sets; i++)
                for (size_t k = 0; k < sets->sets[i]->n_volumes; k++)
                        if (is_reverted_by(sets->sets[i]->volumes[k], device_name))
                                return true;
        return false;
}

/**
 * watch_look() - ask LVM which snapshots there are, in a moment
 * @sets:       whose; while one of them is being reverted, again and again for two minutes
 */
void watch_look(Sets *sets) {
        sets->watch->n_again = WATCH_AGAIN_MAX;
        watch_in(sets->watch, WATCH_DELAY_USEC);
}

/**
 * watch_look_reverting() - likewise, if anything is being reverted
 * @sets:       whose; LVM has just told of them
 */
void watch_look_reverting(Sets *sets) {
        if (sets->watch && any_is_reverting(sets))
                watch_look(sets);
}

static int on_name(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Sets *sets = userdata;

        if (event->len == 0 ||
            !(event->mask & IN_DELETE ? is_watched(sets, event->name) : is_activated(sets, event->name)))
                return 0;
        watch_look(sets);
        return 0;
}

/**
 * watch_new() - look out for snapshots that vanish
 * @sets:       whose
 *
 * Return: 0, or a negative errno; without device-mapper nothing is watched, and that is no error.
 */
int watch_new(Sets *sets) {
        Watch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch)
                return error_origin(-ENOMEM);
        sets->watch = watch;
        r = sd_event_add_time_relative(sets->event, &watch->timer, CLOCK_MONOTONIC, 0, 0, on_timer, sets);
        if (r < 0)
                return error_trace(r);
        r = sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
        if (r < 0)
                return error_trace(r);
        r = sd_event_add_inotify(sets->event, &watch->names, NAMES_DIRECTORY,
                                 IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR, on_name, sets);
        if (r < 0)
                log_info("Snapshots that somebody else removes will not be noticed: %s.", strerror(-r));
        return 0;
}

/**
 * watch_free() - stop looking
 * @watch:      it or NULL
 *
 * Return: NULL.
 */
Watch *watch_free(Watch *watch) {
        if (!watch)
                return NULL;
        (void) sd_event_source_disable_unref(watch->names);
        (void) sd_event_source_disable_unref(watch->timer);
        free(watch);
        return NULL;
}
