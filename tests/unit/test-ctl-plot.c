/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Plots: a timeline with all that can be in one is drawn exactly as plot.svg has it, which was looked at;
 * and whatever is in a timeline, what is drawn has its places and is XML. After a change that is meant: run
 * with QUIESCED_PLOT_WRITE=tests/unit/plot.svg, look at the picture, and commit it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>

#include "ctl/plot.h"

#define MSEC(n) ((uint64_t) (n) *USEC_PER_MSEC)

static void span(TimelineSpans *spans, const char *name, uint64_t begin, uint64_t duration, uint64_t limit,
                 const char *outcome) {
        TimelineSpan s = {.begin_usec = begin, .duration_usec = duration, .limit_usec = limit};

        (void) snprintf(s.name, sizeof(s.name), "%s", name);
        (void) snprintf(s.outcome, sizeof(s.outcome), "%s", outcome);
        assert_int_equal(timeline_add_span(spans, &s), 0);
}

static void add_writer(Timeline *timeline, const char *name, unsigned freeze_msec, unsigned lasts_msec,
                       unsigned thaw_msec) {
        TimelineWriter *writer;

        assert_int_equal(timeline_add_writer(timeline, &writer), 0);
        assert_int_equal(timeline_set(&writer->name, name), 0);
        writer->takes_part = true;
        span(&writer->events, "Identify", MSEC(10), MSEC(40), MSEC(30000), "done");
        span(&writer->events, "PrepareForBackup", MSEC(120), MSEC(80), MSEC(600000), "done");
        span(&writer->events, "PrepareForSnapshot", MSEC(300), MSEC(250), MSEC(600000), "done");
        span(&writer->events, "Freeze", MSEC(freeze_msec), MSEC(lasts_msec), MSEC(60000), "done");
        span(&writer->events, "Thaw", MSEC(thaw_msec), MSEC(30), MSEC(60000), "done");
        span(&writer->events, "PostSnapshot", MSEC(1840), MSEC(100), MSEC(600000), "done");
        span(&writer->events, "BackupComplete", MSEC(30000), MSEC(400), MSEC(600000), "done");
        span(&writer->events, "BackupShutdown", MSEC(30600), MSEC(20), MSEC(120000), "done");
}

static void add_volume(Timeline *timeline, const char *name, uint64_t suspend, uint64_t commit) {
        TimelineVolume *volume;

        assert_int_equal(timeline_add_volume(timeline, &volume), 0);
        assert_int_equal(timeline_set(&volume->name, name), 0);
        span(&volume->times, "hold", suspend, MSEC(1704) - suspend, MSEC(10000), "");
        span(&volume->times, "suspend", suspend, MSEC(1690) - suspend, 0, "");
        span(&volume->times, "commit", commit, MSEC(3), 0, "");
        span(&volume->times, "resume", MSEC(1701), MSEC(3), 0, "");
}

/* A backup of half a minute, its set made in two seconds, held for 30 ms. */
static void fill(Timeline *timeline) {
        TimelineWriter *bad;

        timeline->begin_usec = 1700000000000000;
        assert_int_equal(timeline_set(&timeline->set, "5e6d0a9b-8c1f-4c7e-9a53-0f6b1c2d3e4f"), 0);
        assert_int_equal(timeline_set(&timeline->session, "11111111-2222-4333-8444-555555555555"), 0);
        assert_int_equal(timeline_set(&timeline->backup_type, "copy"), 0);
        assert_int_equal(timeline_set(&timeline->consistency, "file-system"), 0);
        assert_int_equal(timeline_set(&timeline->outcome, "completed"), 0);
        span(&timeline->windows, "freeze", MSEC(1300), MSEC(500), 0, "");
        span(&timeline->windows, "dark", MSEC(1600), MSEC(130), 0, "");
        span(&timeline->windows, "hold", MSEC(1675), MSEC(30), MSEC(10000), "");
        span(&timeline->steps, "end-prepare", MSEC(310), MSEC(900), 0, "");
        span(&timeline->steps, "lock", MSEC(1215), MSEC(60), 0, "");
        span(&timeline->steps, "pre-commit", MSEC(1500), MSEC(95), 0, "");
        span(&timeline->steps, "commit", MSEC(1670), MSEC(40), 0, "");
        span(&timeline->steps, "final-commit", MSEC(1750), MSEC(80), 0, "");
        add_writer(timeline, "postgresql", 1300, 180, 1760);
        add_writer(timeline, "a writer with quite a long name & <tags> \"quoted\"", 1305, 60, 1765);
        add_writer(timeline, "fsfreeze", 1600, 65, 1712);
        assert_int_equal(timeline_add_writer(timeline, &bad), 0);
        assert_int_equal(timeline_set(&bad->name, "b\xc3\xb6se\x01\xef\xbf\xbf"), 0);
        span(&bad->events, "Identify", MSEC(10), MSEC(35), MSEC(30000), "done");
        span(&bad->events, "PrepareForBackup", MSEC(120), MSEC(150), MSEC(200), "failed");
        span(&bad->events, "Abort", MSEC(280), MSEC(900), MSEC(500), "late");
        add_volume(timeline, "vg0/data", MSEC(1675), MSEC(1692));
        add_volume(timeline, "vg0/log", MSEC(1677), MSEC(1696));
        assert_int_equal(timeline_set_texts(timeline), 0);
}

/* Return: the picture; free() it. */
static char *draw(const Timeline *timeline, int expected) {
        size_t size = 0;
        char *text = NULL;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        assert_int_equal(plot_timeline(f, timeline), expected);
        assert_int_equal(fclose(f), 0);
        return text;
}

static char *read_expected(void) {
        const char *source = getenv("srcdir");
        char path[512];
        size_t size = 0;
        char *text = NULL;
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/tests/unit/plot.svg", source ? source : ".");
        f = fopen(path, "re");
        if (!f)
                fail_msg("%s: %s", path, strerror(errno));
        assert_true(getdelim(&text, &size, '\0', f) > 0);
        assert_int_equal(fclose(f), 0);
        return text;
}

static void write_instead(const char *path, const char *text) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void test_as_expected(void **state) {
        _cleanup_free_ char *text = NULL, *expected = NULL;
        _cleanup_(timeline_done) Timeline timeline = {};
        const char *path = getenv("QUIESCED_PLOT_WRITE");

        fill(&timeline);
        text = draw(&timeline, 0);
        if (path)
                write_instead(path, text);
        expected = read_expected();
        if (!streq(text, expected)) {
                size_t i = 0;

                while (text[i] == expected[i])
                        i++;
                fail_msg("from byte %zu on it is \"%.80s\", not \"%.80s\"", i, text + i, expected + i);
        }
}

/* A comma for a point would be another number in SVG. */
static void test_in_any_locale(void **state) {
        static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "cs_CZ.UTF-8"};
        _cleanup_free_ char *text = NULL;
        _cleanup_(timeline_done) Timeline timeline = {};

        for (size_t i = 0; i < ELEMENTSOF(locales); i++)
                if (setlocale(LC_NUMERIC, locales[i]))
                        break;
        fill(&timeline);
        text = draw(&timeline, 0);
        (void) setlocale(LC_NUMERIC, "C");
        for (const char *at = text; (at = strstr(at, "=\"")); at++) {
                const char *end = strchr(at + 2, '"');

                for (const char *p = at; p < end; p++)
                        assert_int_not_equal(*p, ',');
        }
}

static void test_nothing_to_draw(void **state) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(timeline_done) Timeline timeline = {};

        assert_int_equal(timeline_set_texts(&timeline), 0);
        text = draw(&timeline, -ENODATA);
        assert_string_equal(text, "");
}

static unsigned count(const char *text, const char *word) {
        unsigned n = 0;

        for (; (text = strstr(text, word)); text++)
                n++;
        return n;
}

/* Ends of all numbers: everything stays within the picture. */
static void test_any_times(void **state) {
        static const uint64_t times[] = {0, 1, 999, 1000, MSEC(1000), INT64_MAX / 2, INT64_MAX};

        for (size_t i = 0; i < ELEMENTSOF(times); i++)
                for (size_t k = 0; k < ELEMENTSOF(times); k++) {
                        _cleanup_(timeline_done) Timeline timeline = {};
                        _cleanup_free_ char *text = NULL;
                        bool empty = times[i] == 0 && times[k] == 0;

                        span(&timeline.windows, "freeze", times[i], times[k], times[k], "");
                        span(&timeline.steps, "unheard-of", times[i], times[k] / 3, times[i], "");
                        assert_int_equal(timeline_set_texts(&timeline), 0);
                        text = draw(&timeline, empty ? -ENODATA : 0);
                        if (empty)
                                continue;
                        assert_int_equal(count(text, "<svg "), count(text, "</svg>"));
                        assert_int_equal(count(text, "=\"-"), 0);
                        assert_true(count(text, "class=\"tick\"") <= 4 * 11);
                }
}

/* Where it cannot be written that is told. */
static void test_full(void **state) {
        _cleanup_(timeline_done) Timeline timeline = {};
        FILE *f = fopen("/dev/full", "we");

        if (!f)
                skip();
        fill(&timeline);
        assert_int_equal(plot_timeline(f, &timeline), -ENOSPC);
        (void) fclose(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_as_expected),
                cmocka_unit_test(test_in_any_locale),
                cmocka_unit_test(test_nothing_to_draw),
                cmocka_unit_test(test_any_times),
                cmocka_unit_test(test_full),
        };

        return cmocka_run_group_tests_name("ctl-plot", tests, NULL, NULL);
}
