/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The store of sets' records: what is written is read again, in the order in which it was asked for; what is
 * no record is told of and left alone; while it is paused nothing is begun and nobody called.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "daemon/child/child.h"
#include "daemon/records/set-store.h"
#include "timeline/timeline.h"

#define ID    "11111111-2222-3333-4444-555555555555"
#define OTHER "66666666-7777-8888-9999-000000000000"

/* Children that hang where nothing ends them: never there, until the test says so. */
static bool hang;
static struct {
        unsigned n;
        ChildDone done;
        void *userdata;
} hung;

int __real_child_fork(Child **ret, sd_event *event, ChildFunction function, void *argument,
                      uint64_t limit_usec, ChildDone done, void *userdata);
int __wrap_child_fork(Child **ret, sd_event *event, ChildFunction function, void *argument,
                      uint64_t limit_usec, ChildDone done, void *userdata);
int __wrap_child_fork(Child **ret, sd_event *event, ChildFunction function, void *argument,
                      uint64_t limit_usec, ChildDone done, void *userdata) {
        if (!hang)
                return __real_child_fork(ret, event, function, argument, limit_usec, done, userdata);
        hung.n++;
        hung.done = done;
        hung.userdata = userdata;
        *ret = (Child *) &hung;
        return 0;
}

Child *__real_child_free(Child *child);
Child *__wrap_child_free(Child *child);
Child *__wrap_child_free(Child *child) {
        return child == (Child *) &hung ? NULL : __real_child_free(child);
}

static void hung_ends(void) {
        const ChildResult killed = {.error = -ETIMEDOUT, .status = 128 + 9, .out = "", .err = ""};

        hung.done((Child *) &hung, &killed, hung.userdata);
}

typedef struct Fixture {
        sd_event *event;
        SetStore *store;
        char directory[64], state[96];
        unsigned n_read, n_idle;
        int result;
        char *text;
} Fixture;

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        (void) snprintf(f->directory, sizeof(f->directory), "/tmp/quiesced-store.XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        (void) snprintf(f->state, sizeof(f->state), "%s/quiesced", f->directory);
        assert_int_equal(sd_event_new(&f->event), 0);
        assert_int_equal(
                set_store_new(&f->store, f->event, f->state, SET_STORE_RECORDS, SET_STORE_LIMIT_USEC), 0);
        *state = f;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int tear_down(void **state) {
        Fixture *f = *state;

        (void) set_store_free(f->store);
        sd_event_unref(f->event);
        free(f->text);
        (void) nftw(f->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

static void on_read(int r, const char *text, size_t n_text, void *userdata) {
        Fixture *f = userdata;

        f->n_read++;
        f->result = r;
        free(f->text);
        f->text = r == 0 ? strndup(text, n_text) : NULL;
        assert_true(r != 0 || text[n_text] == '\0');
}

static void on_idle(void *userdata) {
        ((Fixture *) userdata)->n_idle++;
}

static void run_until_idle(Fixture *f) {
        f->n_idle = 0;
        if (set_store_is_idle(f->store, on_idle, f))
                return;
        while (f->n_idle == 0)
                assert_true(sd_event_run(f->event, 30 * USEC_PER_SEC) > 0);
        assert_true(set_store_is_idle(f->store, on_idle, f));
}

/* Return: how it went; text as f->text. */
static int ask(Fixture *f, const char *id) {
        unsigned before = f->n_read;

        assert_int_equal(set_store_read(f->store, id, on_read, f), 0);
        assert_int_equal(f->n_read, before); /* never from within the call */
        run_until_idle(f);
        assert_int_equal(f->n_read, before + 1);
        return f->result;
}

static char *path_of(const Fixture *f, const char *name) {
        static char path[256];

        (void) snprintf(path, sizeof(path), "%s/sets/%s", f->state, name);
        return path;
}

static void test_written_and_read(void **state) {
        Fixture *f = *state;
        struct stat st;

        assert_int_equal(ask(f, ID), -ENOENT); /* there is not even a folder */
        set_store_remove(f->store, ID);
        set_store_keep(f->store, NULL, 0);
        set_store_write(f->store, ID, strdup("first"));
        assert_int_equal(ask(f, ID), 0);
        assert_string_equal(f->text, "first");
        set_store_write(f->store, ID, strdup("second"));
        assert_int_equal(ask(f, ID), 0);
        assert_string_equal(f->text, "second");
        assert_int_equal(stat(path_of(f, ID ".json"), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(stat(path_of(f, "."), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0700);
        assert_int_equal(access(path_of(f, ".new"), F_OK), -1);
        set_store_remove(f->store, ID);
        assert_int_equal(ask(f, ID), -ENOENT);
}

/* As if a set had been missing since then. */
static void age_mark(Fixture *f) {
        const time_t then = time(NULL) - SET_STORE_MISSING_SEC;
        const struct timespec times[] = {{.tv_sec = then}, {.tv_sec = then}};

        assert_int_equal(utimensat(AT_FDCWD, path_of(f, ID ".missing"), times, 0), 0);
}

static void test_keep(void **state) {
        const char keep[][CONTRACT_ID_MAX] = {OTHER}, again[][CONTRACT_ID_MAX] = {ID};
        Fixture *f = *state;
        FILE *file;

        set_store_write(f->store, ID, strdup("missing"));
        set_store_write(f->store, OTHER, strdup("there"));
        run_until_idle(f);
        file = fopen(path_of(f, "note"), "we");
        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
        set_store_keep(f->store, keep, 1);
        assert_int_equal(ask(f, ID), 0);
        assert_int_equal(ask(f, OTHER), 0);
        assert_int_equal(access(path_of(f, ID ".missing"), F_OK), 0);
        assert_int_equal(access(path_of(f, OTHER ".missing"), F_OK), -1);
        /* Found again, and missing again: the time begins anew. */
        age_mark(f);
        set_store_keep(f->store, again, 1);
        run_until_idle(f);
        assert_int_equal(access(path_of(f, ID ".missing"), F_OK), -1);
        set_store_keep(f->store, keep, 1);
        assert_int_equal(ask(f, ID), 0);
        age_mark(f);
        set_store_keep(f->store, keep, 1);
        assert_int_equal(ask(f, ID), -ENOENT);
        assert_int_equal(access(path_of(f, ID ".missing"), F_OK), -1);
        assert_int_equal(ask(f, OTHER), 0);
        assert_int_equal(access(path_of(f, "note"), F_OK), 0);
        /* What is removed is not missing any more. */
        set_store_keep(f->store, NULL, 0);
        set_store_remove(f->store, OTHER);
        run_until_idle(f);
        assert_int_equal(access(path_of(f, OTHER ".missing"), F_OK), -1);
}

/* Many changes of one record that waits are one; nothing happens until the pause is over. */
static void test_paused(void **state) {
        Fixture *f = *state;

        set_store_pause(f->store, true);
        set_store_write(f->store, ID, strdup("first"));
        set_store_write(f->store, ID, strdup("second"));
        assert_int_equal(set_store_read(f->store, ID, on_read, f), 0);
        while (sd_event_run(f->event, 0) > 0)
                ;
        assert_int_equal(f->n_read, 0);
        assert_int_equal(access(f->state, F_OK), -1);
        set_store_pause(f->store, false);
        run_until_idle(f);
        assert_int_equal(f->n_read, 1);
        assert_string_equal(f->text, "second");
}

/* What is under way when the pause begins ends, but who asked is called when it is over. */
static void test_paused_meanwhile(void **state) {
        Fixture *f = *state;

        set_store_write(f->store, ID, strdup("text"));
        run_until_idle(f);
        assert_int_equal(set_store_read(f->store, ID, on_read, f), 0);
        assert_true(sd_event_run(f->event, 30 * USEC_PER_SEC) > 0); /* the child is there */
        set_store_pause(f->store, true);
        while (sd_event_run(f->event, 200 * USEC_PER_MSEC) > 0)
                ;
        assert_int_equal(f->n_read, 0);
        set_store_pause(f->store, false);
        run_until_idle(f);
        assert_int_equal(f->n_read, 1);
        assert_string_equal(f->text, "text");
}

static void test_what_is_no_record(void **state) {
        Fixture *f = *state;
        int fd;

        set_store_write(f->store, ID, strdup("text"));
        run_until_idle(f);
        assert_int_equal(symlink(ID ".json", path_of(f, OTHER ".json")), 0);
        assert_int_equal(ask(f, OTHER), -ELOOP);
        assert_int_equal(unlink(path_of(f, OTHER ".json")), 0);
        assert_int_equal(mkfifo(path_of(f, OTHER ".json"), 0600), 0);
        assert_int_equal(ask(f, OTHER), -EBADMSG);
        assert_int_equal(unlink(path_of(f, OTHER ".json")), 0);
        fd = open(path_of(f, OTHER ".json"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t) TIMELINE_SIZE_MAX), 0);
        assert_int_equal(set_store_read(f->store, OTHER, on_read, f), 0);
        run_until_idle(f); /* NULs; text[n] is looked at in any case */
        assert_int_equal(ftruncate(fd, (off_t) TIMELINE_SIZE_MAX + 1), 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(ask(f, OTHER), -EFBIG);
}

/* A file stands in the way: it fails, is told in the log, and what waits behind it is done. */
static void test_fails(void **state) {
        Fixture *f = *state;
        int fd;

        fd = open(f->state, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
        set_store_write(f->store, ID, strdup("text"));
        set_store_remove(f->store, ID);
        set_store_keep(f->store, NULL, 0);
        assert_int_equal(ask(f, ID), -ENOTDIR);
        assert_int_equal(unlink(f->state), 0);
        set_store_write(f->store, ID, strdup("text"));
        assert_int_equal(ask(f, ID), 0);
}

/* The disk does not answer, and the child cannot be killed: who waits is told so, and whoever asks
 * meanwhile, at once, without a second child; when it ends all is as before. */
static void test_stuck(void **state) {
        Fixture *f = *state;

        f->store = set_store_free(f->store);
        assert_int_equal(set_store_new(&f->store, f->event, f->state, SET_STORE_RECORDS, USEC_PER_SEC), 0);
        hung.n = 0;
        hang = true;
        set_store_write(f->store, ID, strdup("lost"));
        set_store_write(f->store, OTHER, strdup("lost, too"));
        assert_int_equal(ask(f, ID), -ETIMEDOUT);
        assert_int_equal(ask(f, ID), -ETIMEDOUT);
        set_store_remove(f->store, ID);
        set_store_pause(f->store, true);
        assert_int_equal(set_store_read(f->store, ID, on_read, f), 0);
        while (sd_event_run(f->event, 0) > 0)
                ;
        assert_int_equal(f->n_read, 2);
        set_store_pause(f->store, false);
        run_until_idle(f);
        assert_int_equal(f->n_read, 3);
        assert_int_equal(f->result, -ETIMEDOUT);
        assert_int_equal(hung.n, 1);
        hang = false;
        hung_ends();
        set_store_write(f->store, ID, strdup("text"));
        assert_int_equal(ask(f, ID), 0);
        assert_string_equal(f->text, "text");
}

/* It is killed in time: what waits behind it is not tried on the same disk. */
static void test_timed_out(void **state) {
        Fixture *f = *state;

        set_store_write(f->store, ID, strdup("text"));
        hang = true;
        assert_int_equal(set_store_read(f->store, ID, on_read, f), 0);
        assert_true(sd_event_run(f->event, 30 * USEC_PER_SEC) > 0);
        hang = false;
        hung_ends();
        run_until_idle(f);
        assert_int_equal(f->n_read, 1);
        assert_int_equal(f->result, -ETIMEDOUT);
        set_store_write(f->store, ID, strdup("text"));
        assert_int_equal(ask(f, ID), 0);
}

/* Who waits when quiesced ends is told so. */
static void test_freed(void **state) {
        Fixture *f = *state;

        assert_int_equal(set_store_read(f->store, ID, on_read, f), 0);
        set_store_write(f->store, ID, strdup("text"));
        f->store = set_store_free(f->store);
        assert_int_equal(f->n_read, 1);
        assert_int_equal(f->result, -ECANCELED);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_written_and_read),
                TEST(test_keep),
                TEST(test_paused),
                TEST(test_paused_meanwhile),
                TEST(test_what_is_no_record),
                TEST(test_fails),
                TEST(test_stuck),
                TEST(test_timed_out),
                TEST(test_freed),
        };

        return cmocka_run_group_tests_name("set-store", tests, NULL, NULL);
}
