/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the rules say of the sets there are; see keeping.h.
 *
 * Rules by label come first: of the sets with a rule's label, for each combination of volumes by itself, the
 * newest of each hour, day, week and month are kept, as many as the rule says (restic's and borg's meaning
 * of it). A set goes if it has labels with rules and none of them keeps it. Then the limits of volumes and
 * groups are looked at without those: what is too old goes, then the oldest until count and size fit. A set
 * goes as a whole, with its snapshots of other volumes.
 *
 * What is locked stays and counts: the next one goes in its place. Whether a set is used at the moment is
 * not asked: it is to go, whoever deletes it waits, and nothing goes in its place. Sets of the future, as a
 * clock that went backwards leaves them, stay until their time has come, and take nobody's place in a rule.
 * What is lost is not kept, and takes nobody's place either; it goes when a newer one of its kind is kept.
 * Count and size never take the newest set of a volume or group.
 */

#include <assert.h>
#include <time.h>

#include "daemon/keeping/keeping.h"

#include "util/error.h"
#include "util/macro.h"

#define BUCKET_MAX 40u

typedef enum Verdict {
        VERDICT_NONE, /* no rule has said anything */
        VERDICT_KEPT,
        VERDICT_GOES,
} Verdict;

typedef struct Plan {
        const KeepingRules *rules;
        const KeepingSet *sets;
        size_t n_sets;
        uint64_t now_usec;
        size_t *order; /* indices, oldest first */
        Verdict *verdicts;
        KeepingRemoval *removals; /* by set; those with VERDICT_GOES count */
} Plan;

/* An hour that comes twice is two hours; a week at the turn of the year is one. */
static const char *const bucket_formats[_KEEPING_SPAN_MAX] = {
        [KEEPING_HOURLY] = "%Y-%m-%d %H %z",
        [KEEPING_DAILY] = "%Y-%m-%d",
        [KEEPING_WEEKLY] = "%G-%V",
        [KEEPING_MONTHLY] = "%Y-%m",
};

static void bucket_name(char ret[static BUCKET_MAX], KeepingSpan span, uint64_t usec) {
        time_t seconds = (time_t) (usec / 1000000u);
        struct tm tm = {};

        if (!localtime_r(&seconds, &tm) || strftime(ret, BUCKET_MAX, bucket_formats[span], &tm) == 0)
                (void) snprintf(ret, BUCKET_MAX, "%llu", (unsigned long long) usec);
}

static bool is_of_future(const Plan *plan, size_t set) {
        return plan->sets[set].instant_usec > plan->now_usec;
}

static bool has_label(const KeepingSet *set, const char *label) {
        for (char *const *l = set->labels; l && *l; l++)
                if (streq(*l, label))
                        return true;
        return false;
}

static bool has_volume(const KeepingSet *set, const char *name) {
        for (size_t i = 0; i < set->n_volumes; i++)
                if (streq(set->volumes[i].name, name))
                        return true;
        return false;
}

static bool are_of_same_volumes(const KeepingSet *a, const KeepingSet *b) {
        if (a->n_volumes != b->n_volumes)
                return false;
        for (size_t i = 0; i < a->n_volumes; i++)
                if (!has_volume(b, a->volumes[i].name))
                        return false;
        return true;
}

static void set_goes(Plan *plan, size_t set, KeepingReason reason, const char *by) {
        plan->verdicts[set] = VERDICT_GOES;
        plan->removals[set] = (KeepingRemoval){.set = set, .reason = reason, .by = by};
}

/* How far a rule has come with one kind of sets, from the newest on. */
typedef struct Keeping {
        unsigned left[_KEEPING_SPAN_MAX];
        char last[_KEEPING_SPAN_MAX][BUCKET_MAX];
        bool any; /* one is kept */
} Keeping;

static bool keeping_takes(Keeping *keeping, uint64_t usec) {
        bool taken = false;

        for (KeepingSpan span = 0; span < _KEEPING_SPAN_MAX; span++) {
                char bucket[BUCKET_MAX] = "";

                if (keeping->left[span] == 0)
                        continue;
                if (span != KEEPING_LAST) {
                        bucket_name(bucket, span, usec);
                        if (streq(bucket, keeping->last[span]))
                                continue;
                        memcpy(keeping->last[span], bucket, sizeof(bucket));
                }
                keeping->left[span]--;
                taken = true;
        }
        return taken;
}

/* All sets of the kind that @first, the newest of it, is of. */
static void rule_apply_to_kind(Plan *plan, const KeepingRule *rule, size_t first, bool *done) {
        Keeping keeping = {};

        memcpy(keeping.left, rule->keep, sizeof(keeping.left));
        for (size_t i = first + 1; i-- > 0;) {
                size_t index = plan->order[i];
                const KeepingSet *set = &plan->sets[index];
                bool kept;

                if (!has_label(set, rule->label) ||
                    !are_of_same_volumes(set, &plan->sets[plan->order[first]]))
                        continue;
                done[index] = true;
                if (is_of_future(plan, index))
                        kept = true;
                else if (set->invalid)
                        kept = !keeping.any;
                else {
                        kept = keeping_takes(&keeping, set->instant_usec);
                        keeping.any = keeping.any || kept;
                }
                if (kept)
                        plan->verdicts[index] = VERDICT_KEPT;
                else if (plan->verdicts[index] == VERDICT_NONE)
                        set_goes(plan, index, KEEPING_RETENTION, rule->label);
        }
}

static bool rule_has_effect(const KeepingRule *rule) {
        bool any = false;

        for (KeepingSpan span = 0; span < _KEEPING_SPAN_MAX; span++)
                any = any || rule->keep[span] > 0;
        return any && !rule->is_void;
}

static int rule_apply(Plan *plan, const KeepingRule *rule) {
        _cleanup_free_ bool *done = NULL;

        if (plan->n_sets == 0 || !rule_has_effect(rule))
                return 0;
        done = calloc(plan->n_sets, sizeof(*done));
        if (!done)
                return error_origin(-ENOMEM);
        for (size_t i = plan->n_sets; i-- > 0;) {
                size_t index = plan->order[i];

                if (!done[index] && has_label(&plan->sets[index], rule->label))
                        rule_apply_to_kind(plan, rule, i, done);
        }
        return 0;
}

/**
 * keeping_volume_is_of() - whether a limit is a volume's or its group's
 * @volume:     "vg/lv"
 * @limit:      the limit's name
 *
 * Return: whether.
 */
bool keeping_volume_is_of(const char *volume, const char *limit) {
        size_t n = strlen(limit);

        return strncmp(volume, limit, n) == 0 && (volume[n] == '\0' || volume[n] == '/');
}

/* Return: whether the limit is about the set; what of it counts. */
static bool limit_is_about(const KeepingLimit *limit, const KeepingSet *set, uint64_t *ret_size) {
        bool any = false;

        *ret_size = 0;
        for (size_t i = 0; i < set->n_volumes; i++)
                if (keeping_volume_is_of(set->volumes[i].name, limit->name)) {
                        any = true;
                        *ret_size += set->volumes[i].size;
                }
        return any;
}

static bool is_too_old(const Plan *plan, const KeepingLimit *limit, size_t set) {
        return limit->max_age_usec > 0 && !is_of_future(plan, set) &&
               plan->now_usec - plan->sets[set].instant_usec > limit->max_age_usec;
}

static void limit_apply(Plan *plan, const KeepingLimit *limit) {
        uint64_t total = 0, size;
        size_t n = 0, newest = SIZE_MAX;

        for (size_t i = 0; i < plan->n_sets; i++) {
                size_t index = plan->order[i];

                if (plan->verdicts[index] == VERDICT_GOES ||
                    !limit_is_about(limit, &plan->sets[index], &size))
                        continue;
                if (!plan->sets[index].locked && is_too_old(plan, limit, index)) {
                        set_goes(plan, index, KEEPING_LIMIT_AGE, limit->name);
                        continue;
                }
                n++;
                total += size;
                if (!is_of_future(plan, index))
                        newest = index;
        }
        for (size_t i = 0; i < plan->n_sets; i++) {
                size_t index = plan->order[i];
                bool too_many = limit->max_count > 0 && n > limit->max_count;
                bool too_large = limit->max_size > 0 && total > limit->max_size;

                if (!too_many && !too_large)
                        return;
                if (index == newest || plan->verdicts[index] == VERDICT_GOES || plan->sets[index].locked ||
                    is_of_future(plan, index) || !limit_is_about(limit, &plan->sets[index], &size) ||
                    (!too_many && size == 0))
                        continue;
                set_goes(plan, index, too_many ? KEEPING_LIMIT_COUNT : KEEPING_LIMIT_SIZE, limit->name);
                n--;
                total -= size;
        }
}

/* By instant, then by id, so that one who asks twice is told the same. */
static int set_compare(const void *a, const void *b, void *userdata) {
        const KeepingSet *sets = userdata, *x = &sets[*(const size_t *) a], *y = &sets[*(const size_t *) b];

        if (x->instant_usec != y->instant_usec)
                return x->instant_usec < y->instant_usec ? -1 : 1;
        return strcmp(x->id, y->id);
}

static int plan_make(Plan *plan) {
        int r = 0;

        for (size_t i = 0; i < plan->n_sets; i++)
                plan->order[i] = i;
        qsort_r(plan->order, plan->n_sets, sizeof(*plan->order), set_compare,
                (void *) (uintptr_t) plan->sets);
        for (size_t i = 0; i < plan->rules->n_rules && r == 0; i++)
                r = rule_apply(plan, &plan->rules->rules[i]);
        if (r < 0)
                return error_trace(r);
        for (size_t i = 0; i < plan->n_sets; i++)
                if (plan->sets[i].locked)
                        plan->verdicts[i] = VERDICT_KEPT;
        for (size_t i = 0; i < plan->rules->n_limits; i++)
                limit_apply(plan, &plan->rules->limits[i]);
        return 0;
}

/**
 * keeping_plan() - which sets are to go
 * @rules:      rules and limits
 * @sets:       all persistent sets that count
 * @n_sets:     how many
 * @now_usec:   CLOCK_REALTIME
 * @ret:        oldest first, those that are used now among them; free() it
 * @ret_n:      how many
 *
 * Return: 0, or -ENOMEM.
 */
int keeping_plan(const KeepingRules *rules, const KeepingSet *sets, size_t n_sets, uint64_t now_usec,
                 KeepingRemoval **ret, size_t *ret_n) {
        _cleanup_free_ size_t *order = calloc(n_sets + 1, sizeof(*order));
        _cleanup_free_ Verdict *verdicts = calloc(n_sets + 1, sizeof(*verdicts));
        _cleanup_free_ KeepingRemoval *by_set = calloc(n_sets + 1, sizeof(*by_set));
        _cleanup_free_ KeepingRemoval *removals = calloc(n_sets + 1, sizeof(*removals));
        Plan plan = {rules, sets, n_sets, now_usec, order, verdicts, by_set};
        size_t n = 0;
        int r;

        if (!order || !verdicts || !by_set || !removals)
                return error_origin(-ENOMEM);
        tzset();
        r = plan_make(&plan);
        if (r < 0)
                return error_trace(r);
        for (size_t i = 0; i < n_sets; i++)
                if (verdicts[order[i]] == VERDICT_GOES)
                        removals[n++] = by_set[order[i]];
        *ret = TAKE_PTR(removals);
        *ret_n = n;
        return 0;
}

/**
 * keeping_reason_to_string() - why a set goes, in a word of SnapshotRemoved
 * @reason:     why
 *
 * Return: static.
 */
const char *keeping_reason_to_string(KeepingReason reason) {
        static const char *const words[] = {
                [KEEPING_RETENTION] = "retention",
                [KEEPING_LIMIT_COUNT] = "limit-count",
                [KEEPING_LIMIT_SIZE] = "limit-size",
                [KEEPING_LIMIT_AGE] = "limit-age",
        };

        assert(reason < ELEMENTSOF(words));
        return words[reason];
}
