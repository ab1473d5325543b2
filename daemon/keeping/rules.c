/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Rules as quiesced.conf(5) has them: sections [Keep LABEL], [Limit VOLUME] and [Limit GROUP]; see
 * keeping.h.
 */

#include "daemon/keeping/keeping.h"

#include "daemon/config-value.h"
#include "daemon/providers/set-description.h"
#include "util/error.h"

#define RULES_MAX 256u /* of either kind */

static const char *const keep_keys[_KEEPING_SPAN_MAX] = {"KeepLast", "KeepHourly", "KeepDaily", "KeepWeekly",
                                                         "KeepMonthly"};

static KeepingRule *rule_find(const KeepingRules *rules, const char *label) {
        for (size_t i = 0; i < rules->n_rules; i++)
                if (streq(rules->rules[i].label, label))
                        return &rules->rules[i];
        return NULL;
}

static int rule_get(KeepingRules *rules, KeepingRule **ret, const char *label) {
        KeepingRule *more;

        *ret = rule_find(rules, label);
        if (*ret)
                return 0;
        if (rules->n_rules == RULES_MAX)
                return KEEPING_E_INVALID;
        more = reallocarray(rules->rules, rules->n_rules + 1, sizeof(*more));
        if (!more)
                return error_origin(-ENOMEM);
        rules->rules = more;
        more += rules->n_rules;
        *more = (KeepingRule){.label = strdup(label)};
        if (!more->label)
                return error_origin(-ENOMEM);
        rules->n_rules++;
        *ret = more;
        return 0;
}

static int limit_get(KeepingRules *rules, KeepingLimit **ret, const char *name) {
        KeepingLimit *more;

        for (size_t i = 0; i < rules->n_limits; i++)
                if (streq(rules->limits[i].name, name)) {
                        *ret = &rules->limits[i];
                        return 0;
                }
        if (rules->n_limits == RULES_MAX)
                return KEEPING_E_INVALID;
        more = reallocarray(rules->limits, rules->n_limits + 1, sizeof(*more));
        if (!more)
                return error_origin(-ENOMEM);
        rules->limits = more;
        more += rules->n_limits;
        *more = (KeepingLimit){.name = strdup(name)};
        if (!more->name)
                return error_origin(-ENOMEM);
        rules->n_limits++;
        *ret = more;
        return 0;
}

static int rule_set(KeepingRules *rules, const char *label, const char *key, const char *value) {
        KeepingRule *rule = NULL;
        int r;

        r = rule_get(rules, &rule, label);
        if (r != 0)
                return r;
        rule->is_touched = true;
        for (KeepingSpan span = 0; span < _KEEPING_SPAN_MAX; span++)
                if (streq(keep_keys[span], key)) {
                        if (config_parse_unsigned(value, 0, KEEPING_COUNT_MAX, &rule->keep[span]) == 0)
                                return 0;
                        rule->is_void = true;
                        return KEEPING_E_INVALID;
                }
        rule->is_void = true;
        return KEEPING_E_UNKNOWN;
}

static int limit_set(KeepingRules *rules, const char *name, const char *key, const char *value) {
        KeepingLimit *limit = NULL;
        int r;

        r = limit_get(rules, &limit, name);
        if (r != 0)
                return r;
        if (streq(key, "MaxCount"))
                r = config_parse_unsigned(value, 1, KEEPING_COUNT_MAX, &limit->max_count);
        else if (streq(key, "MaxSize"))
                r = config_parse_size(value, &limit->max_size);
        else if (streq(key, "MaxAgeSec"))
                r = config_parse_usec(value, &limit->max_age_usec);
        else
                return KEEPING_E_UNKNOWN;
        return r < 0 ? KEEPING_E_INVALID : 0;
}

/* Return: what follows the word and a space; NULL: another section. */
static const char *section_name(const char *section, const char *word) {
        size_t n = strlen(word);

        return strncmp(section, word, n) == 0 && section[n] == ' ' ? section + n + 1 : NULL;
}

static bool is_label(const char *text) {
        char *labels[] = {(char *) (uintptr_t) text, NULL};
        const SetDescriptionChange change = {.add_labels = labels, .locked = -1};
        const SetDescription nothing = {};
        SetDescription described = {};
        char why[128];
        bool good;

        good = set_description_change(&described, &nothing, &change, why, sizeof(why)) == 0;
        set_description_done(&described);
        return good;
}

/**
 * keeping_rules_set() - take one line of quiesced.conf
 * @rules:      changed
 * @section:    "Keep LABEL", "Limit VOLUME" or "Limit GROUP"
 * @key:        of the line
 * @value:      likewise
 *
 * A rule of which a line is not known or not valid has no effect any more, whatever else it says: it would
 * keep less than was meant. Of a limit just that line has none.
 *
 * Return: 0; KEEPING_E_UNKNOWN: there is no such section or key; KEEPING_E_INVALID: not a valid name or
 * value, or too many; or -ENOMEM.
 */
int keeping_rules_set(KeepingRules *rules, const char *section, const char *key, const char *value) {
        const char *label = section_name(section, "Keep"), *limited = section_name(section, "Limit");
        const char *name = label ?: limited;

        if (!name)
                return KEEPING_E_UNKNOWN;
        if (!*name || strlen(name) > KEEPING_NAME_MAX || (label && !is_label(label)))
                return KEEPING_E_INVALID;
        return label ? rule_set(rules, label, key, value) : limit_set(rules, limited, key, value);
}

/**
 * keeping_rules_file_begin() - what comes now is of another file
 * @rules:      changed
 */
void keeping_rules_file_begin(KeepingRules *rules) {
        for (size_t i = 0; i < rules->n_rules; i++)
                rules->rules[i].is_touched = false;
}

/**
 * keeping_rules_file_failed() - the file had lines that nobody could read
 * @rules:      those of its rules have no effect any more: such a line may have been one of theirs
 */
void keeping_rules_file_failed(KeepingRules *rules) {
        for (size_t i = 0; i < rules->n_rules; i++)
                rules->rules[i].is_void = rules->rules[i].is_void || rules->rules[i].is_touched;
}

/**
 * keeping_rules_replace() - one rule that somebody gives, beside those there are
 * @ret:        the rules that count now: the others still keep what they keep; without limits
 * @others:     those there are
 * @label:      the given one's
 * @keep:       what it keeps, by span
 *
 * Return: 0; KEEPING_E_INVALID: no label, or too much; -ENOMEM.
 */
int keeping_rules_replace(KeepingRules *ret, const KeepingRules *others, const char *label,
                          const uint64_t keep[static _KEEPING_SPAN_MAX]) {
        KeepingRules rules = {};
        KeepingRule *rule = NULL;
        int r = is_label(label) ? 0 : KEEPING_E_INVALID;

        for (size_t i = 0; r == 0 && i < others->n_rules; i++) {
                r = rule_get(&rules, &rule, others->rules[i].label);
                if (r == 0) {
                        memcpy(rule->keep, others->rules[i].keep, sizeof(rule->keep));
                        rule->is_void = others->rules[i].is_void;
                }
        }
        if (r == 0)
                r = rule_get(&rules, &rule, label);
        for (KeepingSpan span = 0; r == 0 && span < _KEEPING_SPAN_MAX; span++) {
                rule->keep[span] = (unsigned) keep[span];
                rule->is_void = false;
                if (keep[span] > KEEPING_COUNT_MAX)
                        r = KEEPING_E_INVALID;
        }
        if (r == 0)
                *ret = rules;
        else
                keeping_rules_done(&rules);
        return r;
}

/**
 * keeping_rules_find_limit() - the limit of a volume or volume group
 * @rules:      all
 * @name:       "vg/lv" or "vg"
 *
 * Return: the rules'; NULL: it has none.
 */
const KeepingLimit *keeping_rules_find_limit(const KeepingRules *rules, const char *name) {
        for (size_t i = 0; i < rules->n_limits; i++)
                if (streq(rules->limits[i].name, name))
                        return &rules->limits[i];
        return NULL;
}

/**
 * keeping_rules_are_empty() - whether nothing can ever come of them
 * @rules:      all
 *
 * Return: whether.
 */
bool keeping_rules_are_empty(const KeepingRules *rules) {
        return rules->n_rules == 0 && rules->n_limits == 0;
}

/**
 * keeping_rules_done() - forget all
 * @rules:      empty after it
 */
void keeping_rules_done(KeepingRules *rules) {
        for (size_t i = 0; i < rules->n_rules; i++)
                free(rules->rules[i].label);
        for (size_t i = 0; i < rules->n_limits; i++)
                free(rules->limits[i].name);
        free(rules->rules);
        free(rules->limits);
        *rules = (KeepingRules){};
}
