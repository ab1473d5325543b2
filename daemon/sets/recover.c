/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * At start: what LVM's tags say of sets that a daemon before us made. First it is found out, and nothing is
 * changed; what is to go is removed when it is known that no other quiesced is there to whom it may belong.
 *
 * A set with an unfinished LV never counted and goes. Finished persistent sets come back. Finished
 * auto-release sets come back while their owner reads them, else they go. What is finished of a set that
 * goes is removed before what is unfinished, so that a crash in between leaves it recognisable.
 */

#include <assert.h>

#include "daemon/message-ids.h"
#include "daemon/providers/lvm-words.h"
#include "daemon/providers/test.h"
#include "daemon/sets/mount-record.h"
#include "daemon/sets/recover-dm.h"
#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/log.h"

typedef struct Removal {
        char *vg, *lv, *origin_key, *origin_lv;
        char top_key[LVM_COPY_KEY_SIZE]; /* "": none */
        bool copy;                       /* of a snapshot, goes before that */
        bool suspends, final, half_made;
        bool only_mend; /* the snapshot counts and stays */
} Removal;

typedef struct Recovery {
        Sets *sets;
        bool (*keep)(const char *set_id, void *userdata);
        void (*found)(int r, void *userdata);
        void *userdata;
        void (*removed)(int r, void *userdata);
        void *removed_userdata;
        const LvmReport *report; /* while it is looked at */
        Removal *removals;
        size_t n_removals, next;
        RecoverDm dm;
        int error;  /* of what runs now */
        bool again; /* not the first since the start */
} Recovery;

static Recovery *recovery_free(Recovery *recovery) {
        if (!recovery)
                return NULL;
        for (size_t i = 0; i < recovery->n_removals; i++) {
                free(recovery->removals[i].vg);
                free(recovery->removals[i].lv);
                free(recovery->removals[i].origin_key);
                free(recovery->removals[i].origin_lv);
        }
        free(recovery->removals);
        recover_dm_done(&recovery->dm);
        free(recovery);
        return NULL;
}

static void recovery_end(Recovery *recovery) {
        recovery->sets->recovery = NULL;
        recovery->removed(recovery->error, recovery->removed_userdata);
        (void) recovery_free(recovery);
}

static void recovery_remove_next(Recovery *recovery);

static void on_removed(ContractError error, const char *text, void *userdata) {
        Recovery *recovery = userdata;

        if (error != CONTRACT_OK) {
                log_error("A left-over snapshot could not be removed: %s", text);
                recovery->error = -EBUSY;
        }
        recovery_remove_next(recovery);
}

static void recovery_remove_next(Recovery *recovery) {
        while (recovery->next < recovery->n_removals) {
                const Removal *removal = &recovery->removals[recovery->next++];
                LvmRemovalSpec spec = {.vg = removal->vg,
                                       .lv = removal->lv,
                                       .origin_key = removal->origin_key,
                                       .origin_lv = removal->origin_lv,
                                       .suspends = removal->suspends,
                                       .half_made = removal->half_made,
                                       .top_key = removal->top_key[0] ? removal->top_key : NULL,
                                       .only_mend = removal->only_mend};
                int r;

                if (!removal->only_mend)
                        log_entry(LOG_NOTICE, (&(LogEntry){.message_id = MESSAGE_LEFTOVER_REMOVED}),
                                  "Removing the left-over snapshot %s/%s.", removal->vg, removal->lv);
                r = lvm_remove(recovery->sets->lvm, &spec, on_removed, recovery);
                if (r >= 0)
                        return;
                log_error("The removal of %s/%s could not be begun: %s", removal->vg, removal->lv,
                          strerror(-r));
                recovery->error = r;
        }
        if (!recover_dm_remove_next(&recovery->dm, on_removed, recovery))
                recovery_end(recovery);
}

/* Return: 0; the removal is there, though perhaps useless, after an error too. */
static int recovery_add(Recovery *recovery, Removal **ret, const char *vg, const char *lv,
                        const LvmVolume *origin) {
        Removal *more = reallocarray(recovery->removals, recovery->n_removals + 1, sizeof(*more));

        if (!more)
                return error_origin(-ENOMEM);
        recovery->removals = more;
        more += recovery->n_removals;
        *more = (Removal){.vg = strdup(vg),
                          .lv = strdup(lv),
                          .origin_key = origin ? strdup(origin->key) : NULL,
                          .origin_lv = origin ? strdup(origin->lv) : NULL};
        recovery->n_removals++;
        if (!more->vg || !more->lv || (origin && (!more->origin_key || !more->origin_lv)))
                return error_origin(-ENOMEM);
        *ret = more;
        return 0;
}

static int recovery_add_snapshot(Recovery *recovery, const LvmVolume *volume, const LvmSnapshot *snapshot) {
        const LvmVolume *origin = lvm_report_find_uuid(recovery->report, snapshot->origin_uuid);
        Removal *removal;
        int r;

        r = recovery_add(recovery, &removal, volume->vg, volume->lv, origin);
        if (r < 0)
                return error_trace(r);
        removal->suspends = !*volume->pool;
        removal->final = snapshot->final;
        return 0;
}

static Removal *recovery_find(const Recovery *recovery, const char *vg, const char *lv) {
        for (size_t i = 0; i < recovery->n_removals; i++)
                if (streq(recovery->removals[i].vg, vg) && streq(recovery->removals[i].lv, lv))
                        return &recovery->removals[i];
        return NULL;
}

/* An lvm was killed over this snapshot: LVM may know it, or no more, and its origin may have any table. */
static int on_dead_note(const char *origin_key, const char *vg, const char *lv, void *userdata) {
        Recovery *recovery = userdata;
        Removal *removal = recovery_find(recovery, vg, lv);
        const LvmVolume *origin = lvm_report_find_key(recovery->report, origin_key);
        int r;

        if (!removal && !origin)
                return 0;
        if (!removal) {
                r = recovery_add(recovery, &removal, vg, lv, origin);
                if (r < 0)
                        return error_trace(r);
                removal->suspends = true;
                removal->only_mend = lvm_report_find(recovery->report, vg, lv);
        }
        removal->half_made = true;
        return 1;
}

/* A set may have volumes of LVM and of provider dm. */
static bool set_is_finished(const Recovery *recovery, const char *set_id) {
        const LvmReport *report = recovery->report;

        if (!recover_dm_is_finished(&recovery->dm, set_id))
                return false;
        for (size_t i = 0; i < report->n_volumes; i++) {
                LvmSnapshot snapshot;

                if (lvm_volume_get_snapshot(&report->volumes[i], &snapshot) &&
                    streq(snapshot.set_id, set_id) && !snapshot.final)
                        return false;
        }
        return true;
}

static bool set_is_kept(const Recovery *recovery, const LvmSnapshot *snapshot) {
        if (!set_is_finished(recovery, snapshot->set_id))
                return false;
        return snapshot->persistent ||
               (recovery->keep && recovery->keep(snapshot->set_id, recovery->userdata));
}

static bool dm_set_is_kept(const char *set_id, void *userdata) {
        const Recovery *recovery = userdata;

        return set_is_finished(recovery, set_id) && recovery->keep &&
               recovery->keep(set_id, recovery->userdata);
}

static int set_adopt(Recovery *recovery, const LvmReport *report, const LvmVolume *volume,
                     const LvmSnapshot *snapshot) {
        SnapshotSet *set = sets_find(recovery->sets, snapshot->set_id);
        _cleanup_(set_volume_freep) SetVolume *v = NULL;
        int r;

        if (!set) {
                r = sets_add(recovery->sets, &set, snapshot->set_id, snapshot->session_id,
                             snapshot->owner_uid, snapshot->persistent);
                if (r < 0)
                        return error_trace(r);
                set->created = set->is_adopted = true;
                set->given.instant_realtime_usec = snapshot->instant_realtime_usec;
                set->given.consistency = snapshot->consistency;
        }
        if (set_description_is_empty(&set->given.description)) {
                r = lvm_words_read(&set->given.description, volume->tags);
                if (r < 0)
                        return error_trace(r);
        }
        if (set->n_volumes >= CONTRACT_VOLUMES_MAX)
                return error_origin(-E2BIG);
        r = set_volume_new(&v, set, snapshot->id);
        if (r < 0)
                return error_trace(r);
        v->given.provider = recovery->sets->lvm_provider;
        v->given.index = (uint32_t) set->n_volumes;
        r = provider_lvm_adopt(&v->given, report, volume);
        if (r < 0)
                return error_trace(r);
        v->prepared = true;
        v->state = lvm_volume_is_merging(volume) ? SNAPSHOT_REVERTING : SNAPSHOT_CREATED;
        set->volumes[set->n_volumes++] = TAKE_PTR(v);
        set->given.n_volumes = (uint32_t) set->n_volumes;
        set->n_made = snapshot->n_volumes;
        return 0;
}

static int recovery_look_at(Recovery *recovery, const LvmVolume *volume) {
        const LvmReport *report = recovery->report;
        SnapshotSet *set;
        LvmSnapshot snapshot;

        if (!lvm_volume_get_snapshot(volume, &snapshot))
                return 0;
        set = sets_find(recovery->sets, snapshot.set_id);
        if (set && (!set->is_adopted || snapshot_set_find_volume(set, snapshot.id)))
                return 0; /* of ours: made since, or known from the last time */
        if (set_is_kept(recovery, &snapshot))
                return error_trace(set_adopt(recovery, report, volume, &snapshot));
        return error_trace(recovery_add_snapshot(recovery, volume, &snapshot));
}

/* A copy stays as long as somebody has it open, if its snapshot does; it goes with its last use. */
static int recovery_look_at_copy(Recovery *recovery, const LvmVolume *copy, const char *snapshot_id) {
        SnapshotSet *set = sets_find(recovery->sets, snapshot_id);
        SetVolume *volume = set ? snapshot_set_find_volume(set, snapshot_id) : NULL;
        Removal *removal;
        int r;

        if (volume && (!set->is_adopted || volume->given.copy_device || volume->copy_call))
                return 0; /* known */
        if (volume && provider_lvm_adopt_copy(&volume->given, copy) == 0)
                return 0;
        r = recovery_add(recovery, &removal, copy->vg, copy->lv,
                         *copy->pool ? lvm_report_find(recovery->report, copy->vg, copy->origin) : NULL);
        if (r < 0)
                return error_trace(r);
        removal->copy = true;
        lvm_copy_top_key(removal->top_key, copy);
        mount_records_prune(recovery->sets->config.runtime_dir, snapshot_id);
        return 0;
}

/* When all sets are known. */
static int recovery_look_at_copies(Recovery *recovery) {
        const LvmReport *report = recovery->report;
        int error = 0;

        for (size_t i = 0; i < report->n_volumes; i++) {
                char snapshot_id[CONTRACT_ID_MAX];

                if (lvm_volume_get_copy(&report->volumes[i], snapshot_id)) {
                        int r = recovery_look_at_copy(recovery, &report->volumes[i], snapshot_id);

                        error = r < 0 ? r : error;
                }
        }
        return error;
}

static int removal_compare(const void *a, const void *b) {
        const Removal *x = a, *y = b;

        if (x->copy != y->copy)
                return (int) y->copy - (int) x->copy;
        return (int) y->final - (int) x->final;
}

static void recovery_found(Recovery *recovery, int r) {
        Sets *sets = recovery->sets;

        for (size_t i = 0; i < sets->n_sets; i++)
                if (sets->sets[i]->is_adopted)
                        tree_probe_adopted(sets->sets[i]);
        watch_look_reverting(sets);
        recovery->found(r, recovery->userdata);
}

static void on_listed(int r, const LvmReport *report, const char *text, void *userdata) {
        Recovery *recovery = userdata;
        int error = 0;

        if (r < 0) {
                if (!recovery->again)
                        log_error("Left-over snapshots cannot be looked for: %s", text ?: strerror(-r));
                recovery_found(recovery, r);
                return;
        }
        /* LVM has answered, so no command of a dead daemon has its locks any more. */
        recovery->report = report;
        r = recover_dm_find(&recovery->dm, recovery->sets);
        if (r < 0)
                error = r;
        for (size_t i = 0; i < report->n_volumes; i++) {
                r = recovery_look_at(recovery, &report->volumes[i]);
                if (r < 0)
                        error = r;
        }
        r = recovery_look_at_copies(recovery);
        if (r < 0)
                error = r;
        r = recover_dm_look(&recovery->dm, dm_set_is_kept, recovery);
        if (r < 0)
                error = r;
        r = lvm_origins_each_dead(recovery->sets->lvm, on_dead_note, recovery);
        if (r < 0)
                error = r;
        recovery->report = NULL;
        if (recovery->n_removals > 0)
                qsort(recovery->removals, recovery->n_removals, sizeof(*recovery->removals),
                      removal_compare);
        recovery_found(recovery, error);
}

/**
 * recovery_cancel() - nobody waits for it any more
 * @sets:       whose
 *
 * Only when all ends: LVM's callbacks must not come any more.
 */
void recovery_cancel(Sets *sets) {
        sets->recovery = recovery_free(sets->recovery);
}

/**
 * sets_recover() - find again what counts, and what does not
 * @sets:       all sets
 * @keep:       whether the owner of an auto-release set still reads it; or NULL
 * @found:      called once from the event loop: 0, or the last error
 * @userdata:   for both
 *
 * May be called again when it has failed and sets_remove_left_over() has ended.
 *
 * Return: 0; -EALREADY: it runs; or a negative errno; @found is not called then.
 */
int sets_recover(Sets *sets, bool (*keep)(const char *set_id, void *userdata),
                 void (*found)(int r, void *userdata), void *userdata) {
        Recovery *recovery;
        int r;

        assert(sets && found);
        if (sets->recovery)
                return -EALREADY;
        if (sets->test_provider && !sets->recovery_begun) { /* what is unfinished later is being made */
                r = provider_test_recover(sets->test_provider, keep, userdata);
                if (r < 0)
                        log_error("The test provider cannot recover: %s.", strerror(-r));
        }
        recovery = calloc(1, sizeof(*recovery));
        if (!recovery)
                return error_origin(-ENOMEM);
        *recovery = (Recovery){.sets = sets,
                               .keep = keep,
                               .found = found,
                               .userdata = userdata,
                               .again = sets->recovery_begun};
        sets->recovery_begun = true;
        r = lvm_list(sets->lvm, NULL, on_listed, recovery);
        if (r < 0) {
                (void) recovery_free(recovery);
                return error_trace(r);
        }
        sets->recovery = recovery;
        return 0;
}

/**
 * sets_remove_left_over() - remove what sets_recover() has found not to count
 * @sets:       all sets; once @found has been called, or in it
 * @removed:    called once, perhaps at once: 0, or the last error, which has been logged
 * @userdata:   for it
 */
void sets_remove_left_over(Sets *sets, void (*removed)(int r, void *userdata), void *userdata) {
        assert(sets && removed);
        if (!sets->recovery) { /* it could not even be begun */
                removed(0, userdata);
                return;
        }
        sets->recovery->removed = removed;
        sets->recovery->removed_userdata = userdata;
        recovery_remove_next(sets->recovery);
}
