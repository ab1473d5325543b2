/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The runner of LVM's command: order, lanes, the gate, deadlines; with a program of our own as lvm. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/providers/lvm-command.h"

typedef struct World {
        sd_event *event;
        Lvm *lvm;
        char directory[64], program[96];
        int fifos[4]; /* a, b, c, d: what "wait" waits for */
        unsigned n_answers, n_closed, n_listed;
        int last_error;
        char last_text[512];
} World;

static void world_path(const World *world, const char *name, char ret[static 128]) {
        (void) snprintf(ret, 128, "%s/%s", world->directory, name);
}

static void let_go(const World *world, const char *name) {
        assert_int_equal(write(world->fifos[*name - 'a'], "\n", 1), 1);
}

static bool log_has(const World *world, const char *text) {
        _cleanup_fclose_ FILE *file = NULL;
        char path[128], log[4096] = "";

        world_path(world, "log", path);
        file = fopen(path, "re");
        if (file)
                log[fread(log, 1, sizeof(log) - 1, file)] = '\0';
        return strstr(log, text);
}

/* Open for reading, too: whoever waits may come before or after the line. */
static int make_fifos(World *world) {
        for (size_t i = 0; i < ELEMENTSOF(world->fifos); i++) {
                char path[128], name[] = {(char) ('a' + i), '\0'};

                world_path(world, name, path);
                if (mkfifo(path, 0600) < 0)
                        return -1;
                world->fifos[i] = open(path, O_RDWR | O_CLOEXEC);
                if (world->fifos[i] < 0)
                        return -1;
        }
        return 0;
}

static int setup(void **state) {
        _cleanup_free_ char *fake = NULL, *real = NULL;
        World *world = calloc(1, sizeof(*world));

        *state = world;
        (void) snprintf(world->directory, sizeof(world->directory), "/tmp/test-lvm-queue.XXXXXX");
        if (!mkdtemp(world->directory) ||
            asprintf(&fake, "%s/tests/unit/fake-lvm", getenv("srcdir") ?: "..") < 0)
                return -1;
        real = realpath(fake, NULL);
        (void) snprintf(world->program, sizeof(world->program), "%s/lvm", world->directory);
        if (!real || symlink(real, world->program) < 0 || sd_event_new(&world->event) < 0 ||
            lvm_new(&world->lvm, world->event, world->program) < 0)
                return -1;
        return make_fifos(world);
}

static int teardown(void **state) {
        static const char *const names[] = {"log", "lvm", "a", "b", "c", "d"};
        World *world = *state;
        char path[128];

        (void) lvm_free(world->lvm);
        (void) sd_event_unref(world->event);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                world_path(world, names[i], path);
                (void) unlink(path);
        }
        for (size_t i = 0; i < ELEMENTSOF(world->fifos); i++)
                (void) fd_close(world->fifos[i]);
        (void) rmdir(world->directory);
        free(world);
        return 0;
}

static void on_answer(const LvmAnswer *answer, void *userdata) {
        World *world = userdata;

        world->n_answers++;
        world->last_error = answer->error;
        (void) snprintf(world->last_text, sizeof(world->last_text), "%s", answer->text ?: "");
}

static void on_closed(void *userdata) {
        World *world = userdata;

        world->n_closed++;
}

static void on_listed(int r, const LvmReport *report, const char *text, void *userdata) {
        World *world = userdata;

        assert_int_equal(r, 0);
        assert_int_equal(report->n_volumes, 0);
        world->n_listed++;
}

static LvmCommand *run_limited(World *world, const char *lane, const char *verb, const char *argument,
                               uint64_t limit_usec) {
        LvmCommandSpec spec = {.lane = lane,
                               .arguments = {verb, argument},
                               .limit_usec = limit_usec,
                               .out_max = 4096,
                               .changes = true};
        LvmCommand *command;

        assert_int_equal(lvm_command_new(&command, world->lvm, &spec, on_answer, world), 0);
        return command;
}

static LvmCommand *run(World *world, const char *lane, const char *verb, const char *argument) {
        return run_limited(world, lane, verb, argument, 20 * USEC_PER_SEC);
}

/* Runs the loop until it is so; nothing is slept for. */
#define until(condition)                                                          \
        for (unsigned _i = 0; !(condition); _i++) {                               \
                assert_true(_i < 4000);                                           \
                assert_true(sd_event_run(world->event, 10 * USEC_PER_MSEC) >= 0); \
        }
/* Lets everything happen that can. */
#define settle() while (sd_event_run(world->event, 100 * USEC_PER_MSEC) > 0)

static void test_lanes(void **state) {
        World *world = *state;

        run(world, "vg0", "wait", "a");
        run(world, "vg0", "wait", "b");
        run(world, "vg1", "wait", "c");
        assert_int_equal(world->n_answers, 0);
        until(log_has(world, "begin a") && log_has(world, "begin c"));
        assert_string_equal(world->lvm->locking_dir, "/run/lock/lvm");
        let_go(world, "c");
        until(world->n_answers == 1);
        /* vg0's second waits for its first, whatever vg1 does. */
        settle();
        assert_false(log_has(world, "begin b"));
        let_go(world, "b");
        let_go(world, "a");
        until(world->n_answers == 3);
        assert_true(log_has(world, "end a\nbegin b\nend b"));
}

static void test_gate(void **state) {
        World *world = *state;

        run(world, "vg0", "wait", "a");
        until(log_has(world, "begin a"));
        assert_int_equal(lvm_gate_close(world->lvm, on_closed, world), 0);
        run(world, "vg1", "wait", "b");
        settle();
        /* One runs, so it is not closed yet; the other must not start. */
        assert_int_equal(world->n_closed, 0);
        assert_false(log_has(world, "begin b"));
        let_go(world, "a");
        until(world->n_closed == 1);
        assert_int_equal(world->n_answers, 1);
        settle();
        assert_int_equal(world->n_closed, 1);
        assert_false(log_has(world, "begin b"));
        let_go(world, "b");
        lvm_gate_open(world->lvm);
        until(world->n_answers == 2);
        assert_true(log_has(world, "begin b"));
}

static void test_gate_opened_early(void **state) {
        World *world = *state;

        run(world, "vg0", "wait", "a");
        until(log_has(world, "begin a"));
        assert_int_equal(lvm_gate_close(world->lvm, on_closed, world), 0);
        lvm_gate_open(world->lvm);
        let_go(world, "a");
        until(world->n_answers == 1);
        settle();
        assert_int_equal(world->n_closed, 0);
        /* With nothing running it closes at once, but from the event loop. */
        assert_int_equal(lvm_gate_close(world->lvm, on_closed, world), 0);
        assert_int_equal(world->n_closed, 0);
        until(world->n_closed == 1);
}

static void test_failure(void **state) {
        World *world = *state;

        run(world, "vg0", "fail", NULL);
        until(world->n_answers == 1);
        assert_int_equal(world->last_error, -EIO);
        assert_non_null(strstr(world->last_text, "lvm fail failed (exit status 5): the reason"));
        assert_null(strstr(world->last_text, "WARNING"));
        world->lvm->program = "/nonexistent/lvm";
        run(world, "vg0", "fail", NULL);
        until(world->n_answers == 2);
        assert_int_equal(world->last_error, -EIO);
        assert_non_null(strstr(world->last_text, "/nonexistent/lvm"));
}

/* Killed at its deadline, and only then does the next of its lane start. */
static void test_deadline(void **state) {
        World *world = *state;

        run_limited(world, "vg0", "wait", "a", 300 * USEC_PER_MSEC);
        run(world, "vg0", "wait", "b");
        let_go(world, "b");
        until(world->n_answers == 1);
        assert_int_equal(world->last_error, -ETIMEDOUT);
        let_go(world, "a");
        until(world->n_answers == 2);
        assert_int_equal(world->last_error, 0);
        assert_false(log_has(world, "end a"));
}

static bool has_note(const World *world) {
        char path[128];

        world_path(world, "suspending-LVM-none", path);
        return access(path, F_OK) == 0;
}

static void run_on_origin(World *world, const char *argument, uint64_t limit_usec) {
        LvmCommandSpec spec = {.lane = "vg0",
                               .arguments = {"wait", argument},
                               .limit_usec = limit_usec,
                               .origin_key = "LVM-none",
                               .origin_name = "vg0/none",
                               .snapshot_lv = "s"};

        assert_int_equal(lvm_command_new(NULL, world->lvm, &spec, on_answer, world), 0);
}

static int on_dead(const char *origin_key, const char *vg, const char *lv, void *userdata) {
        World *world = userdata;

        assert_string_equal(origin_key, "LVM-none");
        assert_string_equal(vg, "vg0");
        assert_string_equal(lv, "s");
        world->n_listed++;
        return 1;
}

/* One that was killed may have left its origin suspended: that is noted until one has ended by itself. */
static void test_origin_is_noted(void **state) {
        LvmOriginWork other = {.key = "LVM-other", .snapshot_vg = "vg0", .snapshot_lv = "t"};
        World *world = *state;

        assert_int_equal(lvm_set_runtime_dir(world->lvm, world->directory), 0);
        run_on_origin(world, "a", 300 * USEC_PER_MSEC);
        assert_false(has_note(world));
        until(log_has(world, "begin a"));
        assert_true(has_note(world));
        until(world->n_answers == 1);
        assert_int_equal(world->last_error, -ETIMEDOUT);
        assert_true(has_note(world));
        assert_true(lvm_origin_begin(world->lvm, &(LvmOriginWork){.key = "LVM-none"}));
        assert_false(lvm_origin_begin(world->lvm, &other));
        lvm_origin_end(world->lvm, "LVM-other");
        /* As the next daemon finds it. */
        lvm_origins_resume(world->directory);
        assert_false(has_note(world));
        assert_int_equal(lvm_origins_each_dead(world->lvm, on_dead, world), 0);
        assert_int_equal(world->n_listed, 1);
        let_go(world, "b");
        run_on_origin(world, "b", 20 * USEC_PER_SEC);
        until(world->n_answers == 2);
        assert_int_equal(world->last_error, 0);
        assert_false(has_note(world));
        assert_int_equal(lvm_origins_each_dead(world->lvm, on_dead, world), 0);
        assert_int_equal(world->n_listed, 1);
}

static void test_cancel(void **state) {
        World *world = *state;
        LvmCommand *first, *second;

        first = run(world, "vg0", "wait", "a");
        second = run(world, "vg0", "wait", "b");
        until(log_has(world, "begin a"));
        lvm_command_cancel(first);
        lvm_command_cancel(second);
        until(world->n_answers == 1);
        assert_int_equal(world->last_error, -ECANCELED);
        settle();
        /* LVM is never killed in the middle. */
        assert_int_equal(world->n_answers, 1);
        let_go(world, "a");
        until(world->n_answers == 2);
        assert_int_equal(world->last_error, 0);
        assert_false(log_has(world, "begin b"));
}

static void test_forget(void **state) {
        World *world = *state;
        LvmCommand *first, *second;

        first = run(world, "vg0", "wait", "a");
        second = run(world, "vg0", "wait", "b");
        until(log_has(world, "begin a"));
        lvm_command_forget(first);
        lvm_command_forget(second);
        run(world, "vg0", "wait", "c");
        let_go(world, "c");
        settle();
        assert_false(log_has(world, "begin c"));
        let_go(world, "a");
        until(world->n_answers == 1);
        assert_true(log_has(world, "end c"));
        assert_false(log_has(world, "begin b"));
}

static void test_listings(void **state) {
        World *world = *state;

        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(lvm_list_recent(world->lvm, "vg0", 10 * USEC_PER_SEC, on_listed, world), 0);
        until(world->n_listed == 3);
        assert_true(log_has(world, "lvs"));
        assert_false(log_has(world, "lvs\nlvs"));
        /* One that is over answers who asks a moment later. */
        assert_int_equal(lvm_list_recent(world->lvm, "vg0", 10 * USEC_PER_SEC, on_listed, world), 0);
        until(world->n_listed == 4);
        assert_false(log_has(world, "lvs\nlvs"));
        /* A change makes it stale; who wants it new gets it new in any case. */
        run(world, "vg1", "nothing", NULL);
        until(world->n_answers == 1);
        run(world, "vg0", "nothing", NULL);
        until(world->n_answers == 2);
        assert_int_equal(lvm_list_recent(world->lvm, "vg0", 10 * USEC_PER_SEC, on_listed, world), 0);
        until(world->n_listed == 5);
        assert_true(log_has(world, "lvs\nlvs"));
        assert_false(log_has(world, "lvs\nlvs\nlvs"));
        assert_int_equal(lvm_list(world->lvm, "vg0", on_listed, world), 0);
        until(world->n_listed == 6);
        assert_true(log_has(world, "lvs\nlvs\nlvs"));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_lanes),   TEST(test_gate),     TEST(test_gate_opened_early),
                TEST(test_failure), TEST(test_deadline), TEST(test_cancel),
                TEST(test_forget),  TEST(test_listings), TEST(test_origin_is_noted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
