/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which sets stay: rules by label on the calendar, limits, and what of quiesced.conf makes them.
 *
 * A table's row is a story: sets by their local times, rules, and who goes why. The time zone is Berlin's,
 * with a summer time that begins on 2026-03-29 at 2 and ends on 2026-10-25 at 3.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "daemon/keeping/keeping.h"
#include "util/macro.h"

#define SETS_MAX  16u
#define LINES_MAX 6u

typedef struct Line {
        const char *section, *key, *value;
} Line;

/* "UTC time labels volumes flags": labels, volumes (with =SIZE) by commas, "-" for none; flags of l(ocked),
 * i(nvalid). The id is the row's place, a, b, c … */
typedef struct Story {
        const char *name;
        Line lines[LINES_MAX];
        const char *now;
        const char *sets[SETS_MAX];
        const char *expected; /* "a:retention:daily b:limit-count:vg" */
} Story;

static const Story stories[] = {
        {"no rule, no limit: nothing goes", {}, "2026-05-01T12:00", {"2020-01-01T00:00 daily vg/a -"}, ""},
        {"the last of a label",
         {{"Keep daily", "KeepLast", "2"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 daily vg/a -", "2026-05-02T12:00 daily vg/a -", "2026-05-03T12:00 daily vg/a -"},
         "a:retention:daily"},
        {"order of the list does not matter, the oldest goes first",
         {{"Keep daily", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-05-02T12:00 daily vg/a -", "2026-05-03T12:00 daily vg/a -", "2026-05-01T12:00 daily vg/a -"},
         "c:retention:daily a:retention:daily"},
        {"what has no label, or one without a rule, stays",
         {{"Keep daily", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - vg/a -", "2026-05-02T12:00 mine vg/a -", "2026-05-03T12:00 daily vg/a -",
          "2026-05-04T12:00 daily vg/a -"},
         "c:retention:daily"},
        {"each combination of volumes by itself",
         {{"Keep daily", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 daily vg/a -", "2026-05-02T12:00 daily vg/b -",
          "2026-05-03T12:00 daily vg/a,vg/b -", "2026-05-04T12:00 daily vg/b,vg/a -"},
         "c:retention:daily"},
        {"the newest of each hour",
         {{"Keep h", "KeepHourly", "2"}},
         "2026-05-10T12:00",
         {"2026-05-01T10:10 h vg/a -", "2026-05-01T10:50 h vg/a -", "2026-05-01T11:00 h vg/a -",
          "2026-05-01T11:59 h vg/a -"},
         "a:retention:h c:retention:h"},
        {"days without a set take nobody's place",
         {{"Keep d", "KeepDaily", "3"}},
         "2026-05-30T12:00",
         {"2026-05-01T10:00 d vg/a -", "2026-05-05T10:00 d vg/a -", "2026-05-09T10:00 d vg/a -",
          "2026-05-09T11:00 d vg/a -", "2026-05-29T11:00 d vg/a -"},
         "a:retention:d c:retention:d"},
        {"a day is the local one",
         {{"Keep d", "KeepDaily", "5"}},
         "2026-05-30T12:00",
         {"2026-05-01T21:59 d vg/a -", "2026-05-01T22:01 d vg/a -", "2026-05-02T21:00 d vg/a -"},
         "b:retention:d"},
        {"the hour that comes twice is two hours",
         {{"Keep h", "KeepHourly", "9"}},
         "2026-10-26T12:00",
         {"2026-10-25T00:30 h vg/a -", "2026-10-25T01:30 h vg/a -", "2026-10-25T01:40 h vg/a -"},
         "b:retention:h"},
        {"the day with the hour left out is one day",
         {{"Keep d", "KeepDaily", "9"}, {"Keep d", "KeepHourly", "1"}},
         "2026-03-30T12:00",
         {"2026-03-28T22:30 d vg/a -", "2026-03-28T23:30 d vg/a -", "2026-03-29T00:59 d vg/a -",
          "2026-03-29T01:00 d vg/a -", "2026-03-29T21:59 d vg/a -"},
         "b:retention:d c:retention:d d:retention:d"},
        {"the day of 25 hours is one day",
         {{"Keep d", "KeepDaily", "9"}},
         "2026-10-26T12:00",
         {"2026-10-24T22:00 d vg/a -", "2026-10-25T22:59 d vg/a -", "2026-10-25T23:00 d vg/a -"},
         "a:retention:d"},
        {"a week over the end of the year is one, as in ISO 8601",
         {{"Keep w", "KeepWeekly", "9"}},
         "2026-02-01T12:00",
         {"2025-12-28T12:00 w vg/a -", "2025-12-29T12:00 w vg/a -", "2025-12-31T12:00 w vg/a -",
          "2026-01-04T12:00 w vg/a -", "2026-01-05T12:00 w vg/a -"},
         "b:retention:w c:retention:w"},
        {"months; what any of the rule's words keeps is kept",
         {{"Keep m", "KeepMonthly", "2"}, {"Keep m", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-03-01T12:00 m vg/a -", "2026-04-02T12:00 m vg/a -", "2026-04-30T12:00 m vg/a -",
          "2026-05-01T12:00 m vg/a -", "2026-05-02T12:00 m vg/a -"},
         "a:retention:m b:retention:m d:retention:m"},
        {"what any rule keeps is kept",
         {{"Keep d", "KeepLast", "1"}, {"Keep x", "KeepLast", "5"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 d,x vg/a -", "2026-05-02T12:00 d vg/a -", "2026-05-03T12:00 d vg/a -"},
         "b:retention:d"},
        {"likewise with the rules the other way round",
         {{"Keep x", "KeepLast", "5"}, {"Keep d", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 d,x vg/a -", "2026-05-02T12:00 d vg/a -", "2026-05-03T12:00 d vg/a -"},
         "b:retention:d"},
        {"what is locked stays, and counts",
         {{"Keep d", "KeepLast", "2"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 d vg/a l", "2026-05-02T12:00 d vg/a -", "2026-05-03T12:00 d vg/a -",
          "2026-05-04T12:00 d vg/a l"},
         "b:retention:d"},
        {"sets of the future stay and take nobody's place",
         {{"Keep d", "KeepLast", "1"}, {"Limit vg", "MaxCount", "2"}, {"Limit vg", "MaxAgeSec", "1d"}},
         "2026-05-10T12:00",
         {"2030-05-01T12:00 d vg/a -", "2026-05-10T10:00 d vg/a -", "2026-05-10T11:00 d vg/a -"},
         "b:retention:d"},
        {"one of this very moment is none of the future",
         {{"Keep d", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-05-10T12:00 d vg/a -", "2026-05-10T11:00 d vg/a -"},
         "b:retention:d"},
        {"one instant: the later id is the newer",
         {{"Keep d", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 d vg/a -", "2026-05-01T12:00 d vg/a -", "2026-05-01T12:00 d vg/a -"},
         "a:retention:d b:retention:d"},
        {"what is lost takes nobody's place, and goes when a newer one is kept",
         {{"Keep d", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 d vg/a i", "2026-05-02T12:00 d vg/a -", "2026-05-03T12:00 d vg/a i"},
         "a:retention:d"},
        {"if all are lost, none goes",
         {{"Keep d", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 d vg/a i", "2026-05-02T12:00 d vg/a i"},
         ""},
        {"a rule that keeps nothing has no effect",
         {{"Keep d", "KeepLast", "0"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 d vg/a -", "2026-05-02T12:00 d vg/a -"},
         ""},
        {"count: the oldest of the volume, whatever its label",
         {{"Limit vg/a", "MaxCount", "2"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - vg/a -", "2026-05-02T12:00 - vg/b -", "2026-05-03T12:00 d vg/a -",
          "2026-05-04T12:00 - vg/a,vg/b -", "2026-05-05T12:00 - vg/aa -"},
         "a:limit-count:vg/a"},
        {"count of a group: sets, not snapshots, with all they have elsewhere",
         {{"Limit vg", "MaxCount", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - vg/a,other/x -", "2026-05-02T12:00 - vg2/b -",
          "2026-05-03T12:00 d vg/a,vg/b -"},
         "a:limit-count:vg"},
        {"what a rule has taken counts no more",
         {{"Limit vg", "MaxCount", "2"}, {"Keep d", "KeepLast", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - vg/a -", "2026-05-02T12:00 d vg/a -", "2026-05-03T12:00 d vg/a -"},
         "b:retention:d"},
        {"a limit takes what a rule keeps",
         {{"Limit vg", "MaxCount", "1"}, {"Keep d", "KeepLast", "5"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 d vg/a -", "2026-05-03T12:00 d vg/a -"},
         "a:limit-count:vg"},
        {"count: what is locked counts, the next goes in its place; the newest stays",
         {{"Limit vg/a", "MaxCount", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - vg/a l", "2026-05-02T12:00 - vg/a -", "2026-05-03T12:00 - vg/a -"},
         "b:limit-count:vg/a"},
        {"size: the oldest until the rest fits; what has no store is left out",
         {{"Limit vg", "MaxSize", "100"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - vg/thin -", "2026-05-02T12:00 - vg/a=60 -",
          "2026-05-03T12:00 - vg/a=30,vg/b=20 -", "2026-05-04T12:00 - vg/b=40 -"},
         "b:limit-size:vg"},
        {"size: the newest stays, however large",
         {{"Limit vg/a", "MaxSize", "1K"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - vg/a=1 -", "2026-05-02T12:00 - vg/a=2000 -"},
         "a:limit-size:vg/a"},
        {"age: all that are older, but for what is locked",
         {{"Limit vg/a", "MaxAgeSec", "1d"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - vg/a -", "2026-05-02T12:00 - vg/a l", "2026-05-09T12:00 - vg/a -",
          "2026-05-01T12:00 - vg/b -"},
         "a:limit-age:vg/a"},
        {"age: the newest, too",
         {{"Limit vg", "MaxAgeSec", "1h"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - vg/a -", "2026-05-09T12:00 - vg/a -"},
         "a:limit-age:vg b:limit-age:vg"},
        {"names that no volume group has: the provider's volumes as they are",
         {{"Limit test:one", "MaxCount", "1"}},
         "2026-05-10T12:00",
         {"2026-05-01T12:00 - test:one -", "2026-05-02T12:00 - test:one2 -",
          "2026-05-09T12:00 - test:one -"},
         "a:limit-count:test:one"},
};

typedef struct TestSet {
        char id[2];
        char words[4][64];
        char *labels[8];
        KeepingVolume volumes[8];
} TestSet;

static uint64_t parse_utc(const char *text) {
        struct tm tm = {};

        assert_non_null(strptime(text, "%Y-%m-%dT%H:%M", &tm));
        return (uint64_t) timegm(&tm) * USEC_PER_SEC;
}

static void parse_set(TestSet *test, KeepingSet *set, size_t index, const char *text) {
        char *rest = NULL;
        size_t n = 0;

        test->id[0] = (char) ('a' + index);
        assert_int_equal(sscanf(text, "%63s %63s %63s %63s", test->words[0], test->words[1], test->words[2],
                                test->words[3]),
                         4);
        for (char *label = strtok_r(test->words[1], ",", &rest); label; label = strtok_r(NULL, ",", &rest))
                if (!streq(label, "-"))
                        test->labels[n++] = label;
        *set = (KeepingSet){.id = test->id,
                            .instant_usec = parse_utc(test->words[0]),
                            .labels = n > 0 ? test->labels : NULL,
                            .volumes = test->volumes,
                            .locked = strchr(test->words[3], 'l'),
                            .invalid = strchr(test->words[3], 'i')};
        for (char *name = strtok_r(test->words[2], ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
                char *size = strchr(name, '=');

                if (size)
                        *size++ = '\0';
                test->volumes[set->n_volumes++] =
                        (KeepingVolume){.name = name, .size = size ? strtoull(size, NULL, 10) : 0};
        }
}

static void run_story(const Story *story) {
        TestSet tests[SETS_MAX] = {};
        KeepingSet sets[SETS_MAX];
        KeepingRemoval *removals;
        KeepingRules rules = {};
        char told[256] = "";
        size_t n_sets = 0, n;

        for (const Line *line = story->lines; line < story->lines + LINES_MAX && line->section; line++)
                assert_int_equal(keeping_rules_set(&rules, line->section, line->key, line->value), 0);
        for (; n_sets < SETS_MAX && story->sets[n_sets]; n_sets++)
                parse_set(&tests[n_sets], &sets[n_sets], n_sets, story->sets[n_sets]);
        assert_int_equal(keeping_plan(&rules, sets, n_sets, parse_utc(story->now), &removals, &n), 0);
        for (size_t i = 0; i < n; i++) {
                size_t length = strlen(told);

                (void) snprintf(told + length, sizeof(told) - length, "%s%s:%s:%s", i > 0 ? " " : "",
                                sets[removals[i].set].id, keeping_reason_to_string(removals[i].reason),
                                removals[i].by);
        }
        if (!streq(told, story->expected))
                fail_msg("%s: \"%s\" instead of \"%s\"", story->name, told, story->expected);
        free(removals);
        keeping_rules_done(&rules);
}

static void test_stories(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(stories); i++)
                run_story(&stories[i]);
}

/* Whatever is removed, in whatever steps, the rest is the same: what was planned once stays planned. */
static void test_one_after_the_other(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(stories); i++) {
                Story story = stories[i];
                KeepingRules rules = {};
                TestSet tests[SETS_MAX] = {};
                KeepingSet sets[SETS_MAX];
                KeepingRemoval *removals;
                char told[256] = "";
                size_t n_sets = 0, n;

                for (const Line *line = story.lines; line < story.lines + LINES_MAX && line->section; line++)
                        assert_int_equal(keeping_rules_set(&rules, line->section, line->key, line->value),
                                         0);
                for (; n_sets < SETS_MAX && story.sets[n_sets]; n_sets++)
                        parse_set(&tests[n_sets], &sets[n_sets], n_sets, story.sets[n_sets]);
                for (;;) {
                        size_t length = strlen(told);

                        assert_int_equal(
                                keeping_plan(&rules, sets, n_sets, parse_utc(story.now), &removals, &n), 0);
                        if (n > 0) {
                                (void) snprintf(told + length, sizeof(told) - length, "%s%s:%s:%s",
                                                length > 0 ? " " : "", sets[removals[0].set].id,
                                                keeping_reason_to_string(removals[0].reason),
                                                removals[0].by);
                                memmove(sets + removals[0].set, sets + removals[0].set + 1,
                                        (--n_sets - removals[0].set) * sizeof(*sets));
                        }
                        free(removals);
                        if (n == 0)
                                break;
                }
                assert_string_equal(told, story.expected);
                keeping_rules_done(&rules);
        }
}

static void test_what_is_no_rule(void **state) {
        static const struct {
                Line line;
                int expected;
        } lines[] = {
                {{"Keep", "KeepLast", "1"}, KEEPING_E_UNKNOWN},
                {{"Keeper d", "KeepLast", "1"}, KEEPING_E_UNKNOWN},
                {{"Hold", "LimitSec", "1"}, KEEPING_E_UNKNOWN},
                {{"Keep ", "KeepLast", "1"}, KEEPING_E_INVALID},
                {{"Keep a b", "KeepLast", "1"}, KEEPING_E_INVALID},
                {{"Keep d", "KeepYearly", "1"}, KEEPING_E_UNKNOWN},
                {{"Keep d", "KeepDaily", "x7"}, KEEPING_E_INVALID},
                {{"Keep d", "KeepDaily", "10001"}, KEEPING_E_INVALID},
                {{"Limit ", "MaxCount", "1"}, KEEPING_E_INVALID},
                {{"Limit vg", "MaxCount", "0"}, KEEPING_E_INVALID},
                {{"Limit vg", "MaxSize", "1.5G"}, KEEPING_E_INVALID},
                {{"Limit vg", "MaxAgeSec", "soon"}, KEEPING_E_INVALID},
                {{"Limit vg", "MaxFiles", "1"}, KEEPING_E_UNKNOWN},
                /* The parser cuts what is longer, and it would be another's name. */
                {{"Limit vg/4567890123456789012345678901234567890123", "MaxCount", "1"}, KEEPING_E_INVALID},
                {{"Keep 1234567890123456789012345678901234567890123", "KeepLast", "1"}, KEEPING_E_INVALID},
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                KeepingRules rules = {};

                assert_int_equal(keeping_rules_set(&rules, lines[i].line.section, lines[i].line.key,
                                                   lines[i].line.value),
                                 lines[i].expected);
                keeping_rules_done(&rules);
        }
}

static size_t count_of_three(const KeepingRules *rules) {
        char *labels[] = {(char *) (uintptr_t) "d", NULL};
        const KeepingVolume volume = {.name = "vg/a"};
        KeepingRemoval *removals;
        KeepingSet sets[3];
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(sets); i++)
                sets[i] = (KeepingSet){"id", i, labels, &volume, 1, false, false};
        assert_int_equal(keeping_plan(rules, sets, ELEMENTSOF(sets), 10, &removals, &n), 0);
        free(removals);
        return n;
}

/* A rule that was half understood would keep less than was meant: it has no effect. */
static void test_typing_errors_cost_nothing(void **state) {
        KeepingRules rules = {};

        assert_int_equal(keeping_rules_set(&rules, "Keep d", "KeepLast", "1"), 0);
        assert_int_equal(count_of_three(&rules), 2);
        assert_int_equal(keeping_rules_set(&rules, "Keep d", "KeepDayly", "7"), KEEPING_E_UNKNOWN);
        assert_int_equal(count_of_three(&rules), 0);
        assert_int_equal(keeping_rules_set(&rules, "Keep d", "KeepLast", "1"), 0);
        assert_int_equal(count_of_three(&rules), 0);
        keeping_rules_done(&rules);

        assert_int_equal(keeping_rules_set(&rules, "Keep d", "KeepLast", "1"), 0);
        keeping_rules_file_begin(&rules);
        assert_int_equal(keeping_rules_set(&rules, "Keep e", "KeepLast", "1"), 0);
        keeping_rules_file_failed(&rules);
        assert_int_equal(count_of_three(&rules), 2);
        keeping_rules_file_begin(&rules);
        assert_int_equal(keeping_rules_set(&rules, "Keep d", "KeepLast", "2"), 0);
        assert_int_equal(count_of_three(&rules), 1);
        keeping_rules_file_failed(&rules);
        assert_int_equal(count_of_three(&rules), 0);
        keeping_rules_done(&rules);
}

/* Rules that somebody gives by hand. */
static void test_given_rules(void **state) {
        static const uint64_t one[_KEEPING_SPAN_MAX] = {1}, two[_KEEPING_SPAN_MAX] = {2},
                              many[_KEEPING_SPAN_MAX] = {[KEEPING_MONTHLY] = KEEPING_COUNT_MAX + 1};
        KeepingRules rules = {}, given = {};

        assert_true(keeping_rules_are_empty(&rules));
        assert_int_equal(keeping_rules_replace(&given, &rules, "a b", one), KEEPING_E_INVALID);
        assert_int_equal(keeping_rules_replace(&given, &rules, "d", many), KEEPING_E_INVALID);
        assert_int_equal(keeping_rules_set(&rules, "Limit vg", "MaxCount", "1"), 0);
        assert_int_equal(keeping_rules_set(&rules, "Limit vg", "MaxSize", "2G"), 0);
        assert_int_equal(keeping_rules_find_limit(&rules, "vg")->max_size, 2ULL << 30);
        assert_null(keeping_rules_find_limit(&rules, "vg/a"));
        assert_false(keeping_rules_are_empty(&rules));
        assert_int_equal(count_of_three(&rules), 2);
        assert_int_equal(keeping_rules_replace(&given, &rules, "d", two), 0);
        assert_int_equal(count_of_three(&given), 1);
        keeping_rules_done(&given);
        /* In the place of one that is void, too; what another rule keeps is kept. */
        assert_int_equal(keeping_rules_set(&rules, "Keep d", "KeepLast", "x"), KEEPING_E_INVALID);
        assert_int_equal(keeping_rules_replace(&given, &rules, "d", one), 0);
        assert_int_equal(count_of_three(&given), 2);
        assert_int_equal(keeping_rules_set(&given, "Keep e", "KeepLast", "3"), 0);
        keeping_rules_done(&rules);
        assert_int_equal(keeping_rules_replace(&rules, &given, "f", one), 0);
        assert_int_equal(rules.n_rules, 3);
        keeping_rules_done(&given);
        keeping_rules_done(&rules);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stories),         cmocka_unit_test(test_one_after_the_other),
                cmocka_unit_test(test_what_is_no_rule), cmocka_unit_test(test_typing_errors_cost_nothing),
                cmocka_unit_test(test_given_rules),
        };

        /* Berlin's, without asking for the machine's zone files. */
        (void) setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests_name("keeping", tests, NULL, NULL);
}
