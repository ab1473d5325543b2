/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The stages that quiesced-hold carries out. A set none of whose volumes needs a hold skips them all.
 *
 * After a failed stage the hold has let go already or is at it; the client is kept all the same, because
 * ABORT asks it once more and waits until everything is really let go.
 */

#include <assert.h>
#include <inttypes.h>
#include <time.h>

#include "daemon/message-ids.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/log.h"

#define LOCK_TRY_USEC    (2 * USEC_PER_SEC)
#define LOCK_LIMIT_USEC  (120 * USEC_PER_SEC)
#define FLUSH_LIMIT_USEC (120 * USEC_PER_SEC)
#define HOLD_SLACK_USEC  (3 * USEC_PER_SEC)
#define END_LIMIT_USEC   (20 * USEC_PER_SEC)
#define POOL_MARGIN      20u /* 1/1000 */

#define MOMENT_RESERVE_USEC (2 * USEC_PER_SEC)
#define MOMENT_RESERVE_PART 4u

static ContractError error_of(const SnapshotSet *set, const HoldReport *report) {
        switch (-report->error) {
        case EBUSY:
        case EWOULDBLOCK:
                return CONTRACT_ERROR_VOLUME_BUSY;
        case ENOSPC:
                return CONTRACT_ERROR_INSUFFICIENT_STORAGE;
        case ETIMEDOUT:
        case ETIME:
                return set->step == CONTRACT_STEP_PRE_COMMIT ? CONTRACT_ERROR_FLUSH_WRITES_TIMEOUT
                                                             : CONTRACT_ERROR_HOLD_WRITES_TIMEOUT;
        default:
                return CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR;
        }
}

static void times_take(SnapshotSet *set, const HoldReport *report) {
        set->armed_usec = report->armed_usec ?: set->armed_usec;
        set->suspend_begin_usec = report->suspend_begin_usec ?: set->suspend_begin_usec;
        set->suspended_usec = report->suspended_usec ?: set->suspended_usec;
        set->committed_usec = report->committed_usec ?: set->committed_usec;
        set->resumed_usec = report->resumed_usec ?: set->resumed_usec;
        set->ended_usec = report->ended_usec ?: set->ended_usec;
        if (report->instant_realtime && set->given.instant_realtime_usec == 0)
                set->given.instant_realtime_usec = report->instant_realtime;
}

/* A pool takes one snapshot after the other, a commit of its metadata each; what freeing their devices took
 * tells about how long that will be. */
static void judge_thin(SnapshotSet *set, const HoldReport *report) {
        uint64_t limit_usec = set->sets->config.hold_limit_usec;

        if (report->thin_delete_usec > limit_usec)
                step_fail(
                        set, CONTRACT_ERROR_HOLD_WRITES_TIMEOUT,
                        "The thin pools of the set are too slow: its snapshots would hold writes for about "
                        "%" PRIu64 " ms, and %" PRIu64 " ms is the limit. Make several sets of it.",
                        report->thin_delete_usec / USEC_PER_MSEC, limit_usec / USEC_PER_MSEC);
        else if (report->thin_delete_usec > limit_usec / 2)
                log_warning("The thin pools of snapshot set %s are slow: its snapshots may hold writes for "
                            "%" PRIu64 " ms.",
                            set->given.id, report->thin_delete_usec / USEC_PER_MSEC);
}

/**
 * snapshot_set_hold_limit() - how long writes to a set may be held
 * @set:        the set
 *
 * Return: in µs.
 */
uint64_t snapshot_set_hold_limit(const SnapshotSet *set) {
        return set->long_limit_usec > 0 ? set->long_limit_usec : set->sets->config.hold_limit_usec;
}

/* Test volumes of provider external are no devices. */
static bool volume_needs_hold(const SetVolume *volume) {
        return volume->given.ops->describe_hold && (volume->given.ops->is_suspended || volume->given.origin);
}

/* The index that the hold knows a volume by: those without a hold do not count. */
static uint32_t hold_index(const SnapshotSet *set, const SetVolume *volume) {
        uint32_t index = 0;

        for (size_t i = 0; set->volumes[i] != volume; i++)
                index += volume_needs_hold(set->volumes[i]);
        return index;
}

/* And back. Return: NULL if the hold has no such volume. */
static const SetVolume *volume_of_hold(const SnapshotSet *set, uint32_t index) {
        for (size_t i = 0; i < set->n_volumes; i++)
                if (volume_needs_hold(set->volumes[i]) && index-- == 0)
                        return set->volumes[i];
        return NULL;
}

static void volumes_take_times(SnapshotSet *set) {
        for (size_t i = 0; i < set->n_volumes; i++) {
                const HoldTimes *t;

                if (!volume_needs_hold(set->volumes[i]))
                        continue;
                t = hold_client_get_times(set->hold, hold_index(set, set->volumes[i]));
                set->volumes[i]->times = (SnapshotTimes){
                        .suspend_begin_usec = t->suspend_begin_usec,
                        .suspended_usec = t->suspended_usec,
                        .commit_begin_usec = t->commit_begin_usec,
                        .committed_usec = t->committed_usec,
                        .resume_begin_usec = t->resume_begin_usec,
                        .resumed_usec = t->resumed_usec,
                };
        }
}

static void on_hold_step(HoldClient *client, const HoldReport *report, void *userdata) {
        SnapshotSet *set = userdata;

        if (set->step == CONTRACT_STEP_ABORT)
                return; /* the stage that was overtaken */
        if (report->error < 0) {
                const SetVolume *volume = volume_of_hold(set, report->volume);

                if (volume)
                        set->answer.volume = volume->given.index;
                if (report->error == -ESTALE)
                        log_entry(LOG_WARNING,
                                  (&(LogEntry){.message_id = MESSAGE_LET_GO_BY_OTHER, .set = set->given.id}),
                                  "snapshot set %s: %s", set->given.id, report->text);
                step_fail(set, error_of(set, report), "%s",
                          report->text[0] ? report->text : "quiesced-hold failed and did not say why.");
        } else {
                times_take(set, report);
                if (report->step == HOLD_LOCK)
                        judge_thin(set, report);
                if (report->step == HOLD_END)
                        volumes_take_times(set);
        }
        set->hold_answered = true;
        step_advance(set);
}

static bool set_needs_hold(const SnapshotSet *set) {
        for (size_t i = 0; i < set->n_volumes; i++)
                if (volume_needs_hold(set->volumes[i]))
                        return true;
        return false;
}

static bool has_journal_on(const Volume *volume, const Volume *journal) {
        for (size_t i = 0; i < volume->n_beside; i++)
                if (volume_carries(journal, volume->beside[i].device))
                        return true;
        return false;
}

/* One that lies on another is suspended before it; so is one whose file system has its journal there, as its
 * freeze writes into that. */
static bool goes_before(const SetVolume *volume, const SetVolume *other) {
        const Volume *upper = volume->given.origin, *lower = other->given.origin;

        return volume != other && upper && lower &&
               (volume_carries(lower, upper->device) || has_journal_on(upper, lower));
}

/**
 * snapshot_set_get_depths() - how many volumes must be suspended before each one, and resumed after it
 * @set:        the set
 * @ret:        gets a number per volume: more than any of those that go before it have; 0 for the first.
 *              The devices of one btrfs have the same.
 */
void snapshot_set_get_depths(const SnapshotSet *set, uint32_t ret[static CONTRACT_VOLUMES_MAX]) {
        uint64_t before[CONTRACT_VOLUMES_MAX] = {};

        static_assert(CONTRACT_VOLUMES_MAX <= 64, "a bit for each");

        for (size_t i = 0; i < set->n_volumes; i++)
                for (size_t k = 0; k < set->n_volumes; k++)
                        if (goes_before(set->volumes[k], set->volumes[i]))
                                before[i] |= UINT64_C(1) << k;
        /* What goes before one of those, too. */
        for (size_t k = 0; k < set->n_volumes; k++)
                for (size_t i = 0; i < set->n_volumes; i++)
                        if (before[i] & UINT64_C(1) << k)
                                before[i] |= before[k];
        for (size_t i = 0; i < set->n_volumes; i++)
                ret[i] = (uint32_t) __builtin_popcountll(before[i] & ~(UINT64_C(1) << i));
}

typedef struct HoldPlan {
        HoldBegin begin;
        HoldVolume volumes[CONTRACT_VOLUMES_MAX];
        const char *groups[CONTRACT_VOLUMES_MAX];
} HoldPlan;

/* In order of names, each once: that is the order in which locks are taken. */
static void plan_add_group(HoldPlan *plan, const char *lock_path) {
        uint32_t n = plan->begin.n_groups, i = 0;

        while (i < n && strcmp(plan->groups[i], lock_path) < 0)
                i++;
        if (i < n && streq(plan->groups[i], lock_path))
                return;
        memmove(plan->groups + i + 1, plan->groups + i, (n - i) * sizeof(plan->groups[0]));
        plan->groups[i] = lock_path;
        plan->begin.n_groups++;
}

static int plan_make(const SnapshotSet *set, HoldPlan *plan) {
        uint32_t depths[CONTRACT_VOLUMES_MAX];
        int r;

        snapshot_set_get_depths(set, depths);
        plan->begin =
                (HoldBegin){.n_mounts = (uint32_t) snapshot_set_count_file_systems(set),
                            /* Too long to slow all CPUs down. */
                            .expedite_rcu = set->sets->config.expedite_rcu && set->long_limit_usec == 0,
                            .hold_limit_usec = snapshot_set_hold_limit(set),
                            .lock_limit_usec = LOCK_TRY_USEC,
                            .pool_margin = POOL_MARGIN};
        if (plan->begin.n_mounts > HOLD_MOUNTS_MAX)
                return error_origin(-E2BIG);
        for (size_t i = 0; i < set->n_volumes; i++) {
                const SetVolume *volume = set->volumes[i];
                HoldVolume *v = &plan->volumes[plan->begin.n_volumes];
                const char *lock_path = NULL;

                if (!volume_needs_hold(volume))
                        continue;
                r = volume->given.ops->describe_hold(&volume->given, v, &lock_path);
                if (r < 0)
                        return error_trace(r);
                v->index = plan->begin.n_volumes++;
                v->depth = depths[i];
                v->writable = set->given.writable;
                if (lock_path)
                        plan_add_group(plan, lock_path);
        }
        return 0;
}

static int plan_send_mounts(const SnapshotSet *set) {
        MountPlace place = {};
        SetMount mount;
        int r;

        while (mounts_next(set, &place, &mount)) {
                HoldMount m = {.index = mount.index,
                               .volume = hold_index(set, mount.volume),
                               .direct = mount.direct,
                               .may_freeze = set->writers_freeze,
                               .depth = mount.mount->depth};

                r = hold_client_add_mount(set->hold, &m, mount.fd);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

static int plan_send(const SnapshotSet *set, const HoldPlan *plan) {
        int r;

        r = hold_client_begin(set->hold, &plan->begin);
        for (uint32_t i = 0; r >= 0 && i < plan->begin.n_groups; i++)
                r = hold_client_add_group(set->hold, plan->groups[i]);
        for (uint32_t i = 0; r >= 0 && i < plan->begin.n_volumes; i++)
                r = hold_client_add_volume(set->hold, &plan->volumes[i]);
        if (r < 0)
                return error_trace(r);
        return error_trace(plan_send_mounts(set));
}

static int hold_begin(SnapshotSet *set) {
        _cleanup_free_ HoldPlan *plan = calloc(1, sizeof(*plan));
        int r;

        if (!plan)
                return error_origin(-ENOMEM);
        r = plan_make(set, plan);
        if (r < 0)
                return error_trace(r);
        r = hold_client_new(&set->hold, set->sets->event, set->sets->config.hold_socket_path);
        if (r < 0)
                return error_trace(r);
        r = plan_send(set, plan);
        if (r < 0)
                return error_trace(r);
        return error_trace(hold_client_lock(set->hold, LOCK_LIMIT_USEC, on_hold_step, set));
}

/* The first entry sets things going, the later ones wait. */
static StageResult stage_wait(SnapshotSet *set, int r, const char *what) {
        if (r < 0) {
                step_fail(set, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                          "quiesced-hold cannot be reached to %s: %s. Is quiesced-hold.socket active?", what,
                          strerror(-r));
                return STAGE_DONE;
        }
        return set->hold_answered ? STAGE_DONE : STAGE_WAIT;
}

/**
 * stage_hold_lock() - LOCK: LVM's locks, staging, checks
 * @set:        the set
 *
 * Return: whether it is over.
 */
StageResult stage_hold_lock(SnapshotSet *set) {
        int r = 0;

        if (!set_needs_hold(set))
                return STAGE_DONE;
        if (!set->stage_entered) {
                set->stage_entered = true;
                set->hold_answered = false;
                r = hold_begin(set);
        }
        return stage_wait(set, r, "lock the volumes");
}

/**
 * stage_hold_pre_commit() - PRE_COMMIT: file systems synced, the hold armed
 * @set:        the set
 *
 * Return: whether it is over.
 */
StageResult stage_hold_pre_commit(SnapshotSet *set) {
        int r = 0;

        if (!set->hold)
                return STAGE_DONE;
        if (!set->stage_entered) {
                set->stage_entered = true;
                set->hold_answered = false;
                r = hold_client_pre_commit(set->hold, FLUSH_LIMIT_USEC, on_hold_step, set);
        }
        return stage_wait(set, r, "arm the hold");
}

static uint64_t boottime_usec(void) {
        struct timespec ts = {};

        (void) clock_gettime(CLOCK_BOOTTIME, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / NSEC_PER_USEC;
}

/**
 * stage_set_moment() - PRE_COMMIT: until when a requester may take a snapshot elsewhere
 * @set:        the set; of other providers it needs no moment
 *
 * The hold's countdown runs from here; the moment ends so much before it that thawing is the writers'.
 *
 * Return: STAGE_DONE.
 */
StageResult stage_set_moment(SnapshotSet *set) {
        uint64_t limit_usec = snapshot_set_hold_limit(set), reserve_usec = limit_usec / MOMENT_RESERVE_PART;
        uint64_t begin_usec = set->armed_usec > 0 ? set->armed_usec : boottime_usec();

        if (reserve_usec > MOMENT_RESERVE_USEC)
                reserve_usec = MOMENT_RESERVE_USEC;
        set->given.moment_until_usec = begin_usec + limit_usec - reserve_usec;
        return STAGE_DONE;
}

/* Frozen is what the writers froze, and what device-mapper freezes itself. */
static bool all_frozen(const SnapshotSet *set) {
        MountPlace place = {};
        SetMount mount;

        while (mounts_next(set, &place, &mount))
                if (!mount.direct && !(set->frozen[mount.index / 8] & (1u << (mount.index % 8))))
                        return false;
        return true;
}

static uint64_t realtime_usec(void) {
        struct timespec ts = {};

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / NSEC_PER_USEC;
}

/**
 * stage_hold_commit() - COMMIT: suspend, commit, resume
 * @set:        the set
 *
 * Return: whether it is over.
 */
StageResult stage_hold_commit(SnapshotSet *set) {
        StageResult result;
        int r = 0;

        if (!set->hold) {
                set->answer.file_systems_frozen = true;
                if (set->given.instant_realtime_usec == 0)
                        set->given.instant_realtime_usec = realtime_usec();
                return STAGE_DONE;
        }
        if (!set->stage_entered) {
                HoldCommit commit;

                memcpy(commit.frozen, set->frozen, sizeof(commit.frozen));
                set->stage_entered = true;
                set->hold_answered = false;
                r = hold_client_commit(set->hold, &commit, snapshot_set_hold_limit(set) + HOLD_SLACK_USEC,
                                       on_hold_step, set);
        }
        result = stage_wait(set, r, "take the snapshots");
        if (result == STAGE_DONE && !step_failed(set))
                set->answer.file_systems_frozen = all_frozen(set);
        return result;
}

/**
 * stage_hold_end() - POST_COMMIT: the hold is over
 * @set:        the set
 *
 * Return: whether it is over.
 */
StageResult stage_hold_end(SnapshotSet *set) {
        StageResult result;
        int r = 0;

        if (!set->hold)
                return STAGE_DONE;
        if (!set->stage_entered) {
                set->stage_entered = true;
                set->hold_answered = false;
                r = hold_client_end(set->hold, END_LIMIT_USEC, on_hold_step, set);
        }
        result = stage_wait(set, r, "end the hold");
        if (result == STAGE_DONE && !step_failed(set))
                set->hold = hold_client_free(set->hold);
        return result;
}
