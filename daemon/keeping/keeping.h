/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which snapshot sets stay: rules by label, limits of volumes and volume groups, and what they say of the
 * sets there are. Pure: no clock, no set is touched; the calendar is that of the time zone the process is
 * in.
 *
 * A typing error costs nobody a snapshot: a rule of which a line is not understood has no effect at all.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum KeepingSpan {
        KEEPING_LAST,
        KEEPING_HOURLY,
        KEEPING_DAILY,
        KEEPING_WEEKLY,
        KEEPING_MONTHLY,
        _KEEPING_SPAN_MAX,
} KeepingSpan;

#define KEEPING_COUNT_MAX 10000u /* of a rule or limit */
#define KEEPING_NAME_MAX  42u /* bytes of a section's name: the parser of quiesced.conf cuts longer ones */

/* What is kept of the sets with a label, of each combination of volumes by itself. */
typedef struct KeepingRule {
        char *label;
        unsigned keep[_KEEPING_SPAN_MAX]; /* all 0: no effect */
        bool is_void;                     /* something in it was not understood */
        bool is_touched;                  /* by the file that is being read */
} KeepingRule;

/* What the persistent sets of a volume ("vg/lv") or of a volume group ("vg") may be. */
typedef struct KeepingLimit {
        char *name;
        unsigned max_count;    /* sets; 0: no limit, like the others */
        uint64_t max_size;     /* bytes that their stores take up */
        uint64_t max_age_usec; /* since their instant */
} KeepingLimit;

typedef struct KeepingRules {
        KeepingRule *rules;
        size_t n_rules;
        KeepingLimit *limits;
        size_t n_limits;
} KeepingRules;

/* One snapshot of a set. */
typedef struct KeepingVolume {
        const char *name; /* of its volume */
        uint64_t size;    /* bytes of its store; 0: it has none of its own */
} KeepingVolume;

/* A persistent set that counts. */
typedef struct KeepingSet {
        const char *id;
        uint64_t instant_usec; /* CLOCK_REALTIME */
        char *const *labels;   /* NULL-terminated, or NULL */
        const KeepingVolume *volumes;
        size_t n_volumes;
        bool locked;  /* stays, until it is unlocked */
        bool invalid; /* a snapshot of it has lost its instant */
} KeepingSet;

typedef enum KeepingReason {
        KEEPING_RETENTION,
        KEEPING_LIMIT_COUNT,
        KEEPING_LIMIT_SIZE,
        KEEPING_LIMIT_AGE,
} KeepingReason;

typedef struct KeepingRemoval {
        size_t set; /* index */
        KeepingReason reason;
        const char *by; /* the label or the limit's name; the rules' */
} KeepingRemoval;

/* rules.c */
enum {
        _KEEPING_E_SUCCESS,
        KEEPING_E_UNKNOWN, /* not a section or key of rules */
        KEEPING_E_INVALID, /* not a valid name or value */
};

int keeping_rules_set(KeepingRules *rules, const char *section, const char *key, const char *value);
void keeping_rules_file_begin(KeepingRules *rules);
void keeping_rules_file_failed(KeepingRules *rules);
int keeping_rules_replace(KeepingRules *ret, const KeepingRules *others, const char *label,
                          const uint64_t keep[static _KEEPING_SPAN_MAX]);
const KeepingLimit *keeping_rules_find_limit(const KeepingRules *rules, const char *name);
bool keeping_rules_are_empty(const KeepingRules *rules);
void keeping_rules_done(KeepingRules *rules);

/* plan.c */
int keeping_plan(const KeepingRules *rules, const KeepingSet *sets, size_t n_sets, uint64_t now_usec,
                 KeepingRemoval **ret, size_t *ret_n);
bool keeping_volume_is_of(const char *volume, const char *limit);
const char *keeping_reason_to_string(KeepingReason reason);
