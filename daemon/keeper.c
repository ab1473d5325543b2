/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Deleting what the rules have go; see keeper.h.
 *
 * What goes is worked out anew before each deletion (keeping_plan()), as meanwhile sets are made, described,
 * mounted and deleted by others. Nothing is begun in a freeze window. What is used, or cannot be deleted, is
 * left until the rules are looked at the next time, and told once in the journal. What is used just now may
 * be read by udev or LVM, which look into each device that comes or changes: that is waited for, for a
 * moment in all.
 */

#include "daemon/keeper.h"

#include "daemon/bus/delete.h"
#include "daemon/message-ids.h"
#include "daemon/session-object.h"

#include "util/error.h"
#include "util/log.h"

typedef struct KeeperRun KeeperRun;

struct KeeperRun {
        KeeperRun *next;
        bool by_itself;
        KeepingRules given;
        char *label;
        KeeperOutcome *outcomes;
        size_t n_outcomes;
        uint64_t patience_end_usec; /* CLOCK_BOOTTIME; 0: nothing was used yet */
        KeeperRequest request;      /* but its rules and label */
};

struct Keeper {
        Manager *manager;
        sd_event_source *timer;
        KeeperRun *runs, **runs_end;   /* the first one works */
        bool due;                      /* the timer is set to now */
        SetDeletion deletion;          /* of the last outcome of the first run, if it has a manager */
        char (*told)[CONTRACT_ID_MAX]; /* sets that were left the last time */
        size_t n_told;
};

/* All persistent sets, as the rules see them. */
typedef struct View {
        KeepingSet *sets;
        KeepingVolume *volumes; /* of all */
        size_t n_sets;
} View;

static void view_done(View *view) {
        free(view->sets);
        free(view->volumes);
}

static bool set_is_invalid(const SnapshotSet *set, size_t n) {
        SnapshotInfo snapshot;

        for (size_t i = 0; i < n; i++)
                if (snapshot_set_get_snapshot(set, i, &snapshot) && streq(snapshot.state, "invalid"))
                        return true;
        return false;
}

/* Return: NULL: it can go now. */
static const char *why_used(Manager *manager, const SnapshotSet *set, const SetInfo *info, char *text,
                            size_t n_text) {
        if (session_object_find_id(manager, info->session_id))
                return "the session that made it has not ended";
        if (!snapshot_set_is_idle(set))
                return "something else is done to it just now";
        return snapshot_set_check_unused(set, NULL, false, text, n_text) == CONTRACT_OK ? NULL : text;
}

static void view_add(View *view, const SnapshotSet *set, const SetInfo *info, size_t *n_volumes) {
        const SetDescription *description = snapshot_set_get_description(set);
        KeepingSet *added = &view->sets[view->n_sets];

        *added = (KeepingSet){
                .id = info->id,
                .instant_usec = info->instant_realtime_usec,
                .labels = description->labels,
                .volumes = view->volumes + *n_volumes,
                .locked = description->locked,
                .invalid = set_is_invalid(set, info->n_snapshots),
        };
        for (size_t i = 0; i < info->n_snapshots; i++) {
                SnapshotInfo snapshot;
                StorageInfo storage = {};

                if (!snapshot_set_get_snapshot(set, i, &snapshot))
                        continue;
                (void) snapshot_set_get_storage(set, i, &storage);
                view->volumes[(*n_volumes)++] =
                        (KeepingVolume){.name = snapshot.volume, .size = storage.allocated};
                added->n_volumes++;
        }
        if (added->n_volumes > 0)
                view->n_sets++;
}

static bool set_counts(const SnapshotSet *set, SetInfo *ret) {
        return set && snapshot_set_get_info(set, ret) && ret->persistent && ret->created;
}

static int view_make(View *view, const Manager *manager) {
        size_t n_sets = sets_count(manager->sets), n_volumes = 0;
        SetInfo info;

        for (size_t i = 0; i < n_sets; i++)
                if (set_counts(sets_get(manager->sets, i), &info))
                        n_volumes += info.n_snapshots;
        view->sets = calloc(n_sets + 1, sizeof(*view->sets));
        view->volumes = calloc(n_volumes + 1, sizeof(*view->volumes));
        if (!view->sets || !view->volumes)
                return error_origin(-ENOMEM);
        n_volumes = 0;
        for (size_t i = 0; i < n_sets; i++) {
                const SnapshotSet *set = sets_get(manager->sets, i);

                if (set_counts(set, &info))
                        view_add(view, set, &info, &n_volumes);
        }
        return 0;
}

static const KeepingRules *run_get_rules(const Keeper *keeper, const KeeperRun *run) {
        return keeping_rules_are_empty(&run->given) ? &keeper->manager->config->keeping : &run->given;
}

static bool run_has(const KeeperRun *run, const char *id) {
        for (size_t i = 0; i < run->n_outcomes; i++)
                if (streq(run->outcomes[i].id, id))
                        return true;
        return false;
}

static bool run_is_about(const KeeperRun *run, const KeepingRemoval *removal) {
        return !run->label || (removal->reason == KEEPING_RETENTION && streq(removal->by, run->label));
}

static int run_add(KeeperRun *run, const KeepingSet *set, const KeepingRemoval *removal) {
        KeeperOutcome *outcome = reallocarray(run->outcomes, run->n_outcomes + 1, sizeof(*outcome));

        if (!outcome)
                return error_origin(-ENOMEM);
        run->outcomes = outcome;
        outcome += run->n_outcomes++;
        *outcome = (KeeperOutcome){.instant_usec = set->instant_usec, .reason = removal->reason};
        (void) snprintf(outcome->id, sizeof(outcome->id), "%s", set->id);
        (void) snprintf(outcome->by, sizeof(outcome->by), "%s", removal->by);
        return 0;
}

/* Adds outcomes that are not there yet, the oldest first. Return: how many, or a negative errno. */
static int run_plan(const Keeper *keeper, KeeperRun *run, size_t n_max) {
        _cleanup_(view_done) View view = {};
        _cleanup_free_ KeepingRemoval *removals = NULL;
        size_t n = 0, n_added = 0;
        int r;

        sets_look_at_space(keeper->manager->sets);
        r = view_make(&view, keeper->manager);
        if (r == 0)
                r = keeping_plan(run_get_rules(keeper, run), view.sets, view.n_sets,
                                 now_usec(CLOCK_REALTIME), &removals, &n);
        for (size_t i = 0; r == 0 && i < n && n_added < n_max; i++) {
                const KeepingSet *set = &view.sets[removals[i].set];

                if (run_has(run, set->id) || !run_is_about(run, &removals[i]))
                        continue;
                r = run_add(run, set, &removals[i]);
                n_added++;
        }
        return r < 0 ? error_trace(r) : (int) n_added;
}

static bool was_told(const Keeper *keeper, const char *id) {
        for (size_t i = 0; i < keeper->n_told; i++)
                if (streq(keeper->told[i], id))
                        return true;
        return false;
}

static void outcome_leave(const Keeper *keeper, KeeperOutcome *outcome, const char *why) {
        (void) snprintf(outcome->left, sizeof(outcome->left), "%s", why);
        if (!was_told(keeper, outcome->id))
                log_entry(LOG_NOTICE,
                          (&(LogEntry){.message_id = MESSAGE_SET_NOT_PRUNED, .set = outcome->id}),
                          "snapshot set %s is to go (%s, %s) and stays until the next look: %s", outcome->id,
                          keeping_reason_to_string(outcome->reason), outcome->by, why);
}

/* What is still left is not told again. */
static void keeper_remember(Keeper *keeper, const KeeperRun *run) {
        free(keeper->told);
        keeper->n_told = 0;
        keeper->told = calloc(run->n_outcomes + 1, sizeof(*keeper->told));
        for (size_t i = 0; keeper->told && i < run->n_outcomes; i++)
                if (run->outcomes[i].left[0])
                        memcpy(keeper->told[keeper->n_told++], run->outcomes[i].id, sizeof(*keeper->told));
}

static KeeperRun *run_free(KeeperRun *run) {
        if (!run)
                return NULL;
        keeping_rules_done(&run->given);
        free(run->label);
        free(run->outcomes);
        free(run);
        return NULL;
}

static void run_end(Keeper *keeper, int r) {
        KeeperRun *run = keeper->runs;

        keeper->runs = run->next;
        if (!keeper->runs)
                keeper->runs_end = &keeper->runs;
        if (r < 0)
                log_error("The rules for snapshot sets could not be applied: %s", strerror(-r));
        else if (run->by_itself)
                keeper_remember(keeper, run);
        if (run->request.done)
                run->request.done(run->outcomes, run->n_outcomes, r, run->request.userdata);
        (void) run_free(run);
}

static void keeper_work(Keeper *keeper);

/* SetDeleted */
static void on_deleted(const StepResult *result, void *userdata) {
        Keeper *keeper = userdata;
        KeeperRun *run = keeper->runs;
        KeeperOutcome *outcome = &run->outcomes[run->n_outcomes - 1];

        keeper->deletion = (SetDeletion){};
        outcome->removed = result->error == CONTRACT_OK;
        if (outcome->removed)
                log_entry(LOG_NOTICE, (&(LogEntry){.message_id = MESSAGE_SET_PRUNED, .set = outcome->id}),
                          "snapshot set %s is gone: %s, %s", outcome->id,
                          keeping_reason_to_string(outcome->reason), outcome->by);
        else
                outcome_leave(keeper, outcome, result->text);
        keeper_work(keeper);
}

/* Return: whether the timer has been set to try the last outcome again, which is taken back. */
static bool run_is_patient(Keeper *keeper, KeeperRun *run) {
        uint64_t now = now_usec(CLOCK_BOOTTIME);

        if (run->patience_end_usec == 0)
                run->patience_end_usec = now + UNUSED_PATIENCE_USEC;
        if (now >= run->patience_end_usec)
                return false;
        if (!keeper->due && (sd_event_source_set_time_relative(keeper->timer, UNUSED_AGAIN_USEC) < 0 ||
                             sd_event_source_set_enabled(keeper->timer, SD_EVENT_ONESHOT) < 0))
                return false;
        run->n_outcomes--;
        return true;
}

/* Return: whether something is waited for. */
static bool outcome_delete(Keeper *keeper, KeeperOutcome *outcome) {
        SnapshotSet *set = sets_find(keeper->manager->sets, outcome->id);
        char text[CONTRACT_TEXT_MAX];
        const char *why;
        SetInfo info;
        int r;

        if (!set_counts(set, &info)) {
                outcome_leave(keeper, outcome, "it is gone already");
                return false;
        }
        why = why_used(keeper->manager, set, &info, text, sizeof(text));
        if (why) {
                if (run_is_patient(keeper, keeper->runs))
                        return true;
                outcome_leave(keeper, outcome, why);
                return false;
        }
        keeper->deletion = (SetDeletion){.manager = keeper->manager,
                                         .reason = keeping_reason_to_string(outcome->reason),
                                         .done = on_deleted,
                                         .userdata = keeper};
        r = set_deletion_begin(&keeper->deletion, outcome->id, NULL);
        if (r >= 0)
                return true;
        keeper->deletion = (SetDeletion){};
        outcome_leave(keeper, outcome, strerror(-r));
        return false;
}

static bool keeper_may_work(const Keeper *keeper) {
        const Manager *manager = keeper->manager;

        return manager->name_ours && manager->sets_told && !manager->stopping && !manager->dark &&
               !keeper->deletion.manager && !sets_window_is_open(manager->sets);
}

/* Until a deletion is waited for, a window is on, or nothing is to be done. */
static void keeper_work(Keeper *keeper) {
        int r;

        while (keeper->runs && keeper_may_work(keeper)) {
                r = run_plan(keeper, keeper->runs, 1);
                if (r <= 0)
                        run_end(keeper, r);
                else if (outcome_delete(keeper, &keeper->runs->outcomes[keeper->runs->n_outcomes - 1]))
                        return;
        }
}

static KeeperRun *run_new(const KeeperRequest *request) {
        KeeperRun *run = calloc(1, sizeof(*run));

        if (!run)
                return NULL;
        run->request = *request;
        run->label = request->label ? strdup(request->label) : NULL;
        if (request->label && !run->label)
                return run_free(run);
        return run;
}

static void keeper_queue(Keeper *keeper, KeeperRun *run) {
        *keeper->runs_end = run;
        keeper->runs_end = &run->next;
}

static bool keeper_is_at_it(const Keeper *keeper) {
        for (const KeeperRun *run = keeper->runs; run; run = run->next)
                if (run->by_itself)
                        return true;
        return false;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Keeper *keeper = userdata;
        KeeperRun *run;

        keeper->due = false;
        if (!keeping_rules_are_empty(&keeper->manager->config->keeping)) {
                run = keeper_is_at_it(keeper) ? NULL : run_new(&(KeeperRequest){});
                if (run) {
                        run->by_itself = true;
                        keeper_queue(keeper, run);
                }
                if (sd_event_source_set_time_relative(source, keeper->manager->config->keeping_check_usec) >=
                    0)
                        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        keeper_work(keeper);
        return 0;
}

/**
 * keeper_go_on() - what kept it from working may be over
 * @keeper:     it; works from the event loop
 */
void keeper_go_on(Keeper *keeper) {
        if (keeper->runs)
                keeper_look_soon(keeper);
}

/**
 * keeper_look_soon() - there may be more sets, or one is not used any more
 * @keeper:     looks at the rules from the event loop
 */
void keeper_look_soon(Keeper *keeper) {
        if (keeper->due || sd_event_source_set_time_relative(keeper->timer, 0) < 0)
                return;
        keeper->due = sd_event_source_set_enabled(keeper->timer, SD_EVENT_ONESHOT) >= 0;
}

static int ask_dry(Keeper *keeper, KeeperRun *run) {
        int r = run_plan(keeper, run, SIZE_MAX);

        for (size_t i = 0; r >= 0 && i < run->n_outcomes; i++) {
                KeeperOutcome *outcome = &run->outcomes[i];
                SnapshotSet *set = sets_find(keeper->manager->sets, outcome->id);
                const char *why = NULL;
                char text[CONTRACT_TEXT_MAX];
                SetInfo info;

                if (set_counts(set, &info))
                        why = why_used(keeper->manager, set, &info, text, sizeof(text));
                (void) snprintf(outcome->left, sizeof(outcome->left), "%s", why ?: "");
        }
        run->request.done(run->outcomes, run->n_outcomes, r < 0 ? r : 0, run->request.userdata);
        (void) run_free(run);
        return 0;
}

/**
 * keeper_ask() - have the rules applied now, or tell what they say
 * @keeper:     works, after what it was asked before
 * @request:    what is to be done; its rules are taken over if that succeeds
 *
 * Return: 0, and @request's done() is or will be called; or a negative errno.
 */
int keeper_ask(Keeper *keeper, KeeperRequest *request) {
        KeeperRun *run = run_new(request);

        if (!run)
                return error_origin(-ENOMEM);
        run->given = request->rules;
        request->rules = (KeepingRules){};
        if (request->dry_run)
                return ask_dry(keeper, run);
        keeper_queue(keeper, run);
        keeper_work(keeper);
        return 0;
}

/**
 * keeper_new() - nothing is due yet
 * @ret:        the keeper
 * @manager:    whose sets; not on the bus yet
 *
 * Return: 0, or a negative errno.
 */
int keeper_new(Keeper **ret, Manager *manager) {
        Keeper *keeper = calloc(1, sizeof(*keeper));
        int r;

        if (!keeper)
                return error_origin(-ENOMEM);
        keeper->manager = manager;
        keeper->runs_end = &keeper->runs;
        r = sd_event_add_time_relative(manager->event, &keeper->timer, CLOCK_BOOTTIME, 0, 0, on_timer,
                                       keeper);
        if (r >= 0)
                r = sd_event_source_set_enabled(keeper->timer, SD_EVENT_OFF);
        if (r < 0) {
                (void) keeper_free(keeper);
                return error_origin(r);
        }
        *ret = keeper;
        return 0;
}

/**
 * keeper_free() - end it; who has asked is not answered
 * @keeper:     it or NULL
 *
 * Return: NULL.
 */
Keeper *keeper_free(Keeper *keeper) {
        if (!keeper)
                return NULL;
        while (keeper->runs) {
                KeeperRun *run = keeper->runs;

                keeper->runs = run->next;
                (void) run_free(run);
        }
        (void) sd_event_source_disable_unref(keeper->timer);
        free(keeper->told);
        free(keeper);
        return NULL;
}
