/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Room: how full the stores of snapshots and the pools they lie in are, as long as there are snapshots.
 *
 * Looked at every CheckSec=, and at once when device-mapper tells of an event, which it does when a store is
 * lost and when a pool runs short. What runs full is extended, everybody is told, and a pool that the live
 * volumes need loses snapshots of ours before they do, one after the other: those that nobody reads first,
 * of them the oldest. What lost its instant stays, as "invalid", until its owner lets it go.
 *
 * Nothing is looked at in the freeze window, in which no LVM command may run and nobody may be told.
 */

#include <assert.h>
#include <fcntl.h>

#include "daemon/hold/hold-dm.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/log.h"

/* Events come in crowds: one for each device of an LVM command. */
#define SPACE_SOON_USEC  (100 * USEC_PER_MSEC)
#define SPACE_DROP_USEC  (60 * USEC_PER_SEC)
#define SPACE_ALMOST     95.0 /* percent: told once more */
#define SPACE_GROWN_STEP 1.0  /* percent more before what could not be extended is tried again */

struct Space {
        sd_event_source *timer;
        sd_event_source *events; /* of device-mapper; NULL: it tells of none */
        int control_fd;
        bool soon; /* the timer is set to SPACE_SOON_USEC: whoever asks more often does not put it off */
        Child *drop;
        SnapshotSet *drop_set; /* of the snapshot that is being dropped */
        char drop_id[CONTRACT_ID_MAX];
};

static uint64_t realtime_usec(const Sets *sets) {
        uint64_t usec = 0;

        (void) sd_event_now(sets->event, CLOCK_REALTIME, &usec);
        return usec;
}

/* It does not hold its instant any more. Told once. */
static void volume_lose(SetVolume *volume, const char *reason) {
        const SetsConfig *config = &volume->set->sets->config;

        if (volume->invalid_reason)
                return;
        volume->invalid_reason = reason;
        volume->invalid_usec = realtime_usec(volume->set->sets);
        log_warning("The snapshot %s of %s is lost (%s); it was %.0f %% full when last looked at.",
                    volume->given.snapshot_id, volume->given.name, reason, volume->full);
        if (config->invalid)
                config->invalid(volume->set->given.id, volume->given.snapshot_id, reason, config->userdata);
}

static double mark_of(const SetsConfig *config, double full) {
        return full >= SPACE_ALMOST                    ? SPACE_ALMOST
               : full >= (double) config->warn_percent ? (double) config->warn_percent
                                                       : 0;
}

/* Told when a mark is passed, and again after it has been below. */
static void volume_warn(SetVolume *volume, bool is_first_of_pool) {
        const SetsConfig *config = &volume->set->sets->config;
        double mark = mark_of(config, volume->full);

        if (mark > volume->told_mark) {
                if (is_first_of_pool)
                        log_warning("%s of the snapshot %s of %s is %.0f %% full.",
                                    volume->pool ? "The thin pool" : "The store", volume->given.snapshot_id,
                                    volume->given.name, volume->full);
                if (config->space_low)
                        config->space_low(volume->set->given.id, volume->given.snapshot_id, volume->full,
                                          config->userdata);
        }
        volume->told_mark = mark;
}

static void volume_grow(SetVolume *volume) {
        const SetsConfig *config = &volume->set->sets->config;

        if (volume->full < (double) config->grow_percent || config->grow_percent >= 100)
                volume->grown_at = 0;
        else if (!volume->busy && volume->set->step == CONTRACT_STEP_NONE &&
                 volume->full >= volume->grown_at + SPACE_GROWN_STEP) {
                volume->grown_at = volume->full;
                phase_begin(volume, PROVIDER_GROW);
        }
}

static bool volume_is_looked_at(const SetVolume *volume) {
        return volume->state == SNAPSHOT_CREATED && volume->given.ops->get_space && !volume->invalid_reason;
}

static bool volume_is_first_of_pool(const SetVolume *volume, const SetVolume *const *pools, size_t n_pools) {
        for (size_t i = 0; volume->pool && i < n_pools; i++)
                if (streq(pools[i]->pool, volume->pool))
                        return false;
        return true;
}

/* Return: whether it lies in a pool that no volume before it lies in. */
static bool volume_look(SetVolume *volume, const SetVolume *const *pools, size_t n_pools) {
        ProviderSpace space;
        bool first;

        if (!volume->given.ops->get_space(&volume->given, &space))
                return false;
        if (space.reason) {
                volume_lose(volume, space.reason);
                return false;
        }
        volume->full = space.full;
        volume->pool = space.pool;
        storage_note(volume, &space);
        first = volume_is_first_of_pool(volume, pools, n_pools);
        volume_warn(volume, first);
        if (first)
                volume_grow(volume);
        return first && volume->pool;
}

static SnapshotSet *drop_candidate_set(const Sets *sets, size_t i) {
        SnapshotSet *set = sets->sets[i];

        return set->is_question || set->step != CONTRACT_STEP_NONE ? NULL : set;
}

/* Of those in a pool: not open before open, older before younger. */
static SetVolume *drop_choose(const Sets *sets, const char *pool) {
        SetVolume *best = NULL;
        bool best_open = true;

        for (size_t i = 0; i < sets->n_sets; i++) {
                SnapshotSet *set = drop_candidate_set(sets, i);

                for (size_t k = 0; set && k < set->n_volumes; k++) {
                        SetVolume *volume = set->volumes[k];
                        bool open;

                        if (!volume_is_looked_at(volume) || volume->busy || !volume->pool ||
                            !streq(volume->pool, pool) || !volume->given.ops->drop_child)
                                continue;
                        open = volume->given.ops->is_open && volume->given.ops->is_open(&volume->given);
                        if (best && (open > best_open ||
                                     (open == best_open && best->set->given.instant_realtime_usec <=
                                                                   set->given.instant_realtime_usec)))
                                continue;
                        best = volume;
                        best_open = open;
                }
        }
        return best;
}

static int drop_run(int socket_fd, void *argument) {
        const SetVolume *volume = argument;
        int r = volume->given.ops->drop_child(&volume->given);

        if (r < 0)
                (void) dprintf(STDERR_FILENO, "%s", strerror(-r));
        return r < 0 ? 1 : 0;
}

static void on_dropped(Child *child, const ChildResult *result, void *userdata) {
        Sets *sets = userdata;
        Space *space = sets->space;
        SnapshotSet *set = TAKE_PTR(space->drop_set);
        SetVolume *volume = snapshot_set_find_volume(set, space->drop_id);

        space->drop = child_free(child);
        assert(set->n_operations > 0);
        set->n_operations--;
        volume->busy = false;
        volume_lose(volume, "pool-full");
        if (result->error < 0 || result->status != 0)
                log_error("The snapshot %s could not give its room back to its pool: %s.",
                          volume->given.snapshot_id,
                          result->error < 0 ? strerror(-result->error) : result->err);
        volume->state = SNAPSHOT_DELETING;
        volume->lingers = true;
        phase_begin(volume, PROVIDER_DELETE);
        delete_linger(set);
        for (size_t i = 0; i < sets->n_sets; i++)
                step_advance(sets->sets[i]); /* this one, and one that waits in stage_close_gate() */
        space_look_soon(sets);
}

/* The pool is full or nearly so, and what is in it besides our snapshots is in use. */
static void pool_relieve(Sets *sets, const SetVolume *in_pool) {
        const SetsConfig *config = &sets->config;
        Space *space = sets->space;
        SetVolume *volume;
        int r;

        /* LVM may be extending it: that is asked of one of those in it, and looked at when it has ended. */
        if (in_pool->busy && in_pool->begun_phase == PROVIDER_GROW)
                return;
        if (space->drop || config->drop_percent >= 100 || in_pool->full < (double) config->drop_percent)
                return;
        volume = drop_choose(sets, in_pool->pool);
        if (!volume)
                return;
        log_warning("The thin pool of %s is %.0f %% full: the snapshot %s is given up, so that live volumes "
                    "can be written.",
                    volume->given.name, in_pool->full, volume->given.snapshot_id);
        r = child_fork(&space->drop, sets->event, drop_run, volume, SPACE_DROP_USEC, on_dropped, sets);
        if (r < 0) {
                log_error("Nobody could be made to give it up: %s.", strerror(-r));
                return;
        }
        volume->busy = true;
        volume->set->n_operations++;
        volume->begun_step = volume->set->step;
        space->drop_set = volume->set;
        (void) snprintf(space->drop_id, sizeof(space->drop_id), "%s", volume->given.snapshot_id);
}

/**
 * space_look() - look at the room of all snapshots, and do what it asks for
 * @sets:       all, in no freeze window
 *
 * Return: whether there was anything to be looked at.
 */
bool space_look(Sets *sets) {
        const SetVolume *pools[CONTRACT_VOLUMES_MAX];
        size_t n_pools = 0;
        bool any = false;

        storage_begin(sets);
        for (size_t i = 0; i < sets->n_sets; i++)
                for (size_t k = 0; k < sets->sets[i]->n_volumes; k++) {
                        SetVolume *volume = sets->sets[i]->volumes[k];

                        if (!volume_is_looked_at(volume))
                                continue;
                        any = true;
                        if (n_pools < ELEMENTSOF(pools) && volume_look(volume, pools, n_pools))
                                pools[n_pools++] = volume;
                }
        storage_end(sets);
        for (size_t i = 0; i < n_pools; i++)
                pool_relieve(sets, pools[i]);
        copies_look(sets);
        return any;
}

static void space_listen(Space *space) {
        DmBuffer buffer;

        if (space->events && dm_arm_poll(space->control_fd, &buffer) >= 0)
                (void) sd_event_source_set_enabled(space->events, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Sets *sets = userdata;
        Space *space = sets->space;

        space->soon = false;
        if (lvm_gate_is_closed(sets->lvm))
                return 0; /* sets_window_end() goes on */
        space_listen(space);
        /* A set without snapshots that count may get them. */
        if ((!space_look(sets) && sets->n_sets == 0) ||
            sd_event_source_set_time_relative(source, sets->config.space_check_usec) < 0)
                return 0;
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

/**
 * space_look_soon() - something may have changed
 * @sets:       all
 */
void space_look_soon(Sets *sets) {
        Space *space = sets->space;

        if (!space || sets->config.space_check_usec == 0 || space->soon ||
            sd_event_source_set_time_relative(space->timer, SPACE_SOON_USEC) < 0)
                return;
        space->soon = sd_event_source_set_enabled(space->timer, SD_EVENT_ONESHOT) >= 0;
}

/**
 * space_is_dropping() - whether a snapshot is being given up just now
 * @sets:       all
 *
 * No freeze window begins meanwhile: all sets are advanced when it is over.
 *
 * Return: true if so.
 */
bool space_is_dropping(const Sets *sets) {
        return sets->space && sets->space->drop;
}

static int on_event(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        space_look_soon(userdata);
        return 0;
}

/**
 * space_new() - look after the room of all snapshots to come
 * @sets:       whose; its configuration is there
 *
 * Return: 0, or a negative errno; without device-mapper's events only the timer counts, and that is no
 * error.
 */
int space_new(Sets *sets) {
        Space *space = calloc(1, sizeof(*space));
        int r;

        if (!space)
                return error_origin(-ENOMEM);
        sets->space = space;
        space->control_fd = -EBADF;
        r = sd_event_add_time_relative(sets->event, &space->timer, CLOCK_MONOTONIC, 0, 0, on_timer, sets);
        if (r >= 0)
                r = sd_event_source_set_enabled(space->timer, SD_EVENT_OFF);
        if (r < 0 || sets->config.test_provider_dir)
                return error_trace(r);
        space->control_fd = dm_open();
        if (space->control_fd < 0)
                return 0;
        r = sd_event_add_io(sets->event, &space->events, space->control_fd, EPOLLIN, on_event, sets);
        if (r >= 0)
                r = sd_event_source_set_enabled(space->events, SD_EVENT_OFF);
        return error_trace(r);
}

/**
 * space_free() - look after it no more
 * @space:      it or NULL
 *
 * Return: NULL.
 */
Space *space_free(Space *space) {
        if (!space)
                return NULL;
        space->drop = child_free(space->drop);
        (void) sd_event_source_disable_unref(space->timer);
        (void) sd_event_source_disable_unref(space->events);
        (void) fd_close(space->control_fd);
        free(space);
        return NULL;
}
