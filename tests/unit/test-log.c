/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The log: what is kept in the dark comes out whole and in order, lines as well as entries; levels by
 * module; and the catalog: a text for each message id, a message id for each text, each used somewhere.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "util/log.h"

#define ID "0123456789abcdef0123456789abcdef"

typedef struct Taken {
        int priority;
        char text[64], fields[5][64];
} Taken;

static Taken taken[1024];
static size_t n_taken;
static bool sink_fails;

static void note(char target[static 64], const char *value) {
        (void) snprintf(target, 64, "%s", value ? value : "(null)");
}

static bool sink(int priority, const LogEntry *entry, const char *text) {
        Taken *t = &taken[n_taken];

        if (sink_fails)
                return false;
        assert_true(n_taken < ELEMENTSOF(taken));
        n_taken++;
        t->priority = priority;
        note(t->text, text);
        note(t->fields[0], entry->message_id);
        note(t->fields[1], entry->session);
        note(t->fields[2], entry->set);
        note(t->fields[3], entry->writer);
        note(t->fields[4], entry->event);
        return true;
}

/* What the function prints on stderr. */
static void stderr_of(char *ret, size_t size, void (*function)(void)) {
        FILE *file = tmpfile();
        int saved = dup(STDERR_FILENO);
        size_t n;

        assert_non_null(file);
        (void) fflush(stderr);
        assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
        function();
        (void) fflush(stderr);
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        (void) close(saved);
        rewind(file);
        n = fread(ret, 1, size - 1, file);
        ret[n] = '\0';
        (void) fclose(file);
}

static int set_up(void **state) {
        n_taken = 0;
        sink_fails = false;
        log_set_sink(sink);
        assert_int_equal(log_set_level(NULL, LOG_INFO), 0);
        (void) unsetenv("QUIESCED_DEBUG");
        return 0;
}

static void log_both(void) {
        const LogEntry entry = {.message_id = ID, .session = "s", .writer = "w"};

        log_warning("a line\nof two");
        log_entry(LOG_NOTICE, &entry, "an entry %d", 1);
}

static void test_entry(void **state) {
        char text[256];

        stderr_of(text, sizeof(text), log_both);
        assert_string_equal(text, "<4>a line of two\n");
        assert_int_equal(n_taken, 1);
        assert_int_equal(taken[0].priority, LOG_NOTICE);
        assert_string_equal(taken[0].text, "an entry 1");
        assert_string_equal(taken[0].fields[0], ID);
        assert_string_equal(taken[0].fields[1], "s");
        assert_string_equal(taken[0].fields[2], "(null)");
        assert_string_equal(taken[0].fields[3], "w");
}

/* A journald that does not take it must not swallow it. */
static void test_sink_fails(void **state) {
        char text[256];

        sink_fails = true;
        stderr_of(text, sizeof(text), log_both);
        assert_string_equal(text, "<4>a line of two\n<5>an entry 1\n");
}

static void log_in_the_dark(void) {
        log_hold();
        log_both();
        log_both();
}

static void test_dark(void **state) {
        char text[256];

        stderr_of(text, sizeof(text), log_in_the_dark);
        assert_string_equal(text, "");
        assert_int_equal(n_taken, 0);
        stderr_of(text, sizeof(text), log_release);
        assert_string_equal(text, "<4>a line of two\n<4>a line of two\n");
        assert_int_equal(n_taken, 2);
        assert_string_equal(taken[1].text, "an entry 1");
        assert_string_equal(taken[1].fields[1], "s");
        assert_string_equal(taken[1].fields[2], "(null)");
        stderr_of(text, sizeof(text), log_release);
        assert_string_equal(text, "");
}

static void test_dropped(void **state) {
        char text[256];

        log_hold();
        log_both();
        log_drop();
        stderr_of(text, sizeof(text), log_release);
        assert_string_equal(text, "");
        assert_int_equal(n_taken, 0);
}

static void log_much(void) {
        const LogEntry entry = {.message_id = ID};

        log_hold();
        for (int i = 0; i < 1000; i++)
                log_entry(LOG_NOTICE, &entry, "%0100d", i);
        log_release();
}

static void test_full(void **state) {
        char text[256];
        unsigned lost;

        stderr_of(text, sizeof(text), log_much);
        assert_int_equal(sscanf(text, "<4>%u lines were logged in the dark and lost\n", &lost), 1);
        assert_int_equal(n_taken + lost, 1000);
        assert_true(n_taken > 300);
}

static void log_of_modules(void) {
        log_at(LOG_DEBUG, "../daemon/sets/steps.c", NULL, "of sets");
        log_at(LOG_DEBUG, "daemon/bus/call.c", NULL, "of bus");
        log_at(LOG_DEBUG, "../daemon/executor.c", NULL, "of daemon");
        log_debug_of("contract", "of contract");
        log_at(LOG_INFO, "daemon/writers/writer.c", NULL, "of writers");
}

static void test_levels(void **state) {
        char text[256];

        assert_int_equal(log_set_level("sets", LOG_DEBUG), 0);
        assert_int_equal(log_set_level("contract", LOG_DEBUG), 0);
        assert_int_equal(log_set_level("writers", LOG_NOTICE), 0);
        stderr_of(text, sizeof(text), log_of_modules);
        assert_string_equal(text, "<7>of sets\n<7>of contract\n");
        assert_int_equal(log_set_level("", LOG_DEBUG), 0);
        stderr_of(text, sizeof(text), log_of_modules);
        assert_string_equal(text, "<7>of sets\n<7>of bus\n<7>of daemon\n<7>of contract\n<6>of writers\n");
        assert_int_equal(log_set_level("dance", LOG_DEBUG), -ENOENT);
        assert_int_equal(log_set_level(NULL, 8), -EINVAL);
        assert_int_equal(log_set_level(NULL, -1), -EINVAL);
        assert_int_equal(log_set_level(NULL, LOG_ERR), 0);
        (void) setenv("QUIESCED_DEBUG", "1", 1);
        stderr_of(text, sizeof(text), log_of_modules);
        assert_string_equal(text, "<7>of sets\n<7>of bus\n<7>of daemon\n<7>of contract\n<6>of writers\n");
        for (int level = LOG_EMERG; level <= LOG_DEBUG; level++)
                assert_int_equal(log_level_from_string(log_level_to_string(level)), level);
        assert_int_equal(log_level_from_string("loud"), -EINVAL);
}

/* Each module is a folder that is there, or has a file that logs for it. */
static void test_modules(void **state) {
        const char *srcdir = getenv("srcdir") ?: ".";

        for (size_t i = 0; i < log_modules_count(); i++) {
                char command[512];

                (void) snprintf(command, sizeof(command),
                                "grep -q log_debug_of..%s %s/daemon/*.c || "
                                "grep -q 'log_[a-z]*(' %s/daemon/%s/*.c %s",
                                log_module_name(i), srcdir, srcdir,
                                streq(log_module_name(i), "daemon") ? "." : log_module_name(i),
                                streq(log_module_name(i), "daemon") ? "" : "2>/dev/null");
                if (system(command) != 0)
                        fail_msg("module %s logs nothing", log_module_name(i));
        }
}

/* Lines of a program. */
static size_t lines_of(char lines[64][64], const char *format) {
        const char *srcdir = getenv("srcdir") ?: ".";
        char command[512];
        size_t n = 0;
        FILE *pipe;

        (void) snprintf(command, sizeof(command), format, srcdir);
        pipe = popen(command, "r");
        assert_non_null(pipe);
        while (n < 64 && fscanf(pipe, "%63s", lines[n]) == 1)
                n++;
        assert_int_equal(pclose(pipe), 0);
        return n;
}

static bool has_line(char lines[64][64], size_t n, const char *line) {
        for (size_t i = 0; i < n; i++)
                if (streq(lines[i], line))
                        return true;
        return false;
}

static void test_catalog(void **state) {
        static char ids[64][64], names[64][64], texts[64][64], used[64][64];
        size_t n_ids, n_texts, n_used;

        n_ids = lines_of(ids, "grep -o '\"[0-9a-f]\\{32\\}\"' %s/daemon/message-ids.h | tr -d '\"'");
        assert_int_equal(lines_of(names, "grep -o 'MESSAGE_[A-Z_]*' %s/daemon/message-ids.h"), n_ids);
        n_texts = lines_of(texts, "sed -n 's/^-- //p' %s/units/quiesced.catalog");
        n_used = lines_of(used, "cd %s/daemon && grep -ho 'MESSAGE_[A-Z_]*' *.c */*.c | sort -u");
        assert_true(n_ids > 10);
        assert_int_equal(n_texts, n_ids);
        for (size_t i = 0; i < n_ids; i++) {
                assert_false(has_line(ids, i, ids[i]));
                if (!has_line(texts, n_texts, ids[i]))
                        fail_msg("%s has no text in the catalog", names[i]);
                if (!has_line(used, n_used, names[i]))
                        fail_msg("%s is never logged", names[i]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_entry, set_up),
                cmocka_unit_test_setup(test_sink_fails, set_up),
                cmocka_unit_test_setup(test_dark, set_up),
                cmocka_unit_test_setup(test_dropped, set_up),
                cmocka_unit_test_setup(test_full, set_up),
                cmocka_unit_test_setup(test_levels, set_up),
                cmocka_unit_test_setup(test_modules, set_up),
                cmocka_unit_test_setup(test_catalog, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
