/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Timelines in memory and as JSON: what is written is read again in full, what is damaged or newer is told
 * of. On the bus they are tried by tests/bus/test-bus-timeline.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "timeline/timeline.h"

static void span(TimelineSpans *spans, const char *name, uint64_t begin, uint64_t duration, uint64_t limit,
                 const char *outcome) {
        TimelineSpan s = {.begin_usec = begin, .duration_usec = duration, .limit_usec = limit};

        (void) snprintf(s.name, sizeof(s.name), "%s", name);
        (void) snprintf(s.outcome, sizeof(s.outcome), "%s", outcome);
        assert_int_equal(timeline_add_span(spans, &s), 0);
}

static void fill(Timeline *timeline) {
        TimelineWriter *writer;
        TimelineVolume *volume;

        timeline->uid = 1000;
        timeline->begin_usec = 1700000000000000;
        assert_int_equal(timeline_set(&timeline->set, "a-set"), 0);
        assert_int_equal(timeline_set(&timeline->context, "app-rollback"), 0);
        span(&timeline->windows, "hold", 40, 5, 10000000, "");
        span(&timeline->windows, "freeze", 30, 20, 0, "");
        span(&timeline->steps, "commit", 40, 6, UINT64_MAX, "");
        assert_int_equal(timeline_add_writer(timeline, &writer), 0);
        assert_int_equal(timeline_set(&writer->name, "alpha"), 0);
        assert_int_equal(timeline_set(&writer->text, "no \xff UTF-8, \"quoted\""), 0);
        writer->takes_part = true;
        span(&writer->events, "Identify", 1, 2, 30000000, "done");
        span(&writer->events, "Freeze", 30, 7, 60000000, "failed");
        assert_int_equal(timeline_add_volume(timeline, &volume), 0);
        assert_int_equal(timeline_set(&volume->name, "vg/data"), 0);
        span(&volume->times, "hold", 41, 3, 10000000, "");
        assert_int_equal(timeline_set_texts(timeline), 0);
}

static void test_round_trip(void **state) {
        _cleanup_(timeline_done) Timeline timeline = {}, read = {};
        char error[TIMELINE_ERROR_SIZE] = "";
        _cleanup_free_ char *text = NULL;
        json_t *json;

        fill(&timeline);
        json = timeline_to_json(&timeline);
        text = json_dumps(json, 0);
        json_decref(json);
        assert_non_null(text);
        assert_int_equal(timeline_from_json(&read, text, strlen(text), error), 0);
        assert_string_equal(read.set, "a-set");
        assert_string_equal(read.session, "");
        assert_string_equal(read.context, "app-rollback");
        assert_int_equal(read.uid, 1000);
        assert_int_equal(read.begin_usec, 1700000000000000);
        assert_int_equal(read.windows.n_items, 2);
        assert_string_equal(read.windows.items[0].name, "freeze"); /* it began first */
        assert_string_equal(read.windows.items[1].name, "hold");
        assert_int_equal(read.windows.items[1].limit_usec, 10000000);
        assert_int_equal(read.steps.items[0].limit_usec, 0); /* none that anybody could show */
        assert_int_equal(read.n_writers, 1);
        assert_string_equal(read.writers[0].name, "alpha");
        assert_string_equal(read.writers[0].text, "no ? UTF-8, \"quoted\"");
        assert_true(read.writers[0].takes_part);
        assert_int_equal(read.writers[0].events.n_items, 2);
        assert_string_equal(read.writers[0].events.items[1].name, "Freeze");
        assert_int_equal(read.writers[0].events.items[1].begin_usec, 30);
        assert_int_equal(read.writers[0].events.items[1].duration_usec, 7);
        assert_string_equal(read.writers[0].events.items[1].outcome, "failed");
        assert_int_equal(read.n_volumes, 1);
        assert_string_equal(read.volumes[0].name, "vg/data");
        assert_string_equal(read.volumes[0].provider, "");
        assert_int_equal(timeline_span_end(&read.volumes[0].times.items[0]), 44);
}

/* What another of the same version says besides is left out, what it does not say is empty. */
static void test_other_of_the_version(void **state) {
        static const char text[] =
                "{\"version\": 1, \"more\": [[1]], \"writers\": [{\"name\": \"x\", \"y\": {}}]}";
        _cleanup_(timeline_done) Timeline timeline = {};
        char error[TIMELINE_ERROR_SIZE];

        assert_int_equal(timeline_from_json(&timeline, text, strlen(text), error), 0);
        assert_string_equal(timeline.set, "");
        assert_string_equal(timeline.writers[0].name, "x");
        assert_string_equal(timeline.writers[0].state, "");
        assert_int_equal(timeline.writers[0].events.n_items, 0);
}

static void test_damaged(void **state) {
        static const struct {
                const char *text, *says;
                int r;
        } cases[] = {
                {"", "line", -EBADMSG},
                {"{\"version\": 1, \"set\": ", "line", -EBADMSG},
                {"[]", "no record", -EBADMSG},
                {"{}", "no record", -EBADMSG},
                {"{\"version\": 0}", "no record", -EBADMSG},
                {"{\"version\": \"1\"}", "no record", -EBADMSG},
                {"{\"version\": 2, \"set\": 7}", "newer quiesced", -EPROTONOSUPPORT},
                {"{\"version\": 1, \"version\": 1}", "duplicate", -EBADMSG},
                {"{\"version\": 1, \"set\": 7}", "\"set\" is no text", -EBADMSG},
                {"{\"version\": 1, \"uid\": -1}", "\"uid\" is no number", -EBADMSG},
                {"{\"version\": 1, \"uid\": 4294967296}", "\"uid\" is no number", -EBADMSG},
                {"{\"version\": 1, \"writers\": {}}", "\"writers\" is no list", -EBADMSG},
                {"{\"version\": 1, \"writers\": [1]}", "no object", -EBADMSG},
                {"{\"version\": 1, \"writers\": [{\"name\": []}]}", "a writer: \"name\"", -EBADMSG},
                {"{\"version\": 1, \"volumes\": [{\"times\": 1}]}", "a volume: \"times\"", -EBADMSG},
                {"{\"version\": 1, \"steps\": [{\"begin-usec\": 1.5}]}", "\"begin-usec\"", -EBADMSG},
                {"{\"version\": 1, \"steps\": [{\"name\": \"0123456789012345678901234567890123\"}]}",
                 "\"name\" is no word", -EBADMSG},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(timeline_done) Timeline timeline = {};
                char error[TIMELINE_ERROR_SIZE] = "";

                assert_int_equal(timeline_from_json(&timeline, cases[i].text, strlen(cases[i].text), error),
                                 cases[i].r);
                if (!strstr(error, cases[i].says))
                        fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, error, cases[i].says);
        }
}

static void test_too_much(void **state) {
        _cleanup_(timeline_done) Timeline timeline = {};
        _cleanup_free_ char *text = malloc(TIMELINE_SIZE_MAX + 2);
        char error[TIMELINE_ERROR_SIZE] = "";
        TimelineWriter *writer;
        TimelineVolume *volume;
        TimelineSpans spans = {};

        memset(text, ' ', TIMELINE_SIZE_MAX + 1);
        assert_int_equal(timeline_from_json(&timeline, text, TIMELINE_SIZE_MAX + 1, error), -EBADMSG);
        assert_non_null(strstr(error, "larger"));
        for (unsigned i = 0; i < TIMELINE_WRITERS_MAX; i++)
                assert_int_equal(timeline_add_writer(&timeline, &writer), 0);
        assert_int_equal(timeline_add_writer(&timeline, &writer), -E2BIG);
        for (unsigned i = 0; i < TIMELINE_VOLUMES_MAX; i++)
                assert_int_equal(timeline_add_volume(&timeline, &volume), 0);
        assert_int_equal(timeline_add_volume(&timeline, &volume), -E2BIG);
        for (unsigned i = 0; i < TIMELINE_SPANS_MAX; i++)
                span(&spans, "x", 100 - i, 0, 0, "");
        assert_int_equal(timeline_add_span(&spans, &(TimelineSpan){}), -E2BIG);
        for (unsigned i = 1; i < TIMELINE_SPANS_MAX; i++)
                assert_true(spans.items[i - 1].begin_usec <= spans.items[i].begin_usec);
        free(spans.items);
}

/* Whatever stands in a record, an end can be drawn. */
static void test_ends(void **state) {
        assert_int_equal(timeline_span_end(&(TimelineSpan){.begin_usec = 1, .duration_usec = 2}), 3);
        assert_int_equal(
                timeline_span_end(&(TimelineSpan){.begin_usec = INT64_MAX, .duration_usec = INT64_MAX}),
                INT64_MAX);
        assert_int_equal(
                timeline_span_end(&(TimelineSpan){.begin_usec = UINT64_MAX, .duration_usec = UINT64_MAX}),
                INT64_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip), cmocka_unit_test(test_other_of_the_version),
                cmocka_unit_test(test_damaged),    cmocka_unit_test(test_too_much),
                cmocka_unit_test(test_ends),
        };

        return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
