/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The test provider's copies: whole trees, also of one in which somebody makes and removes files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/providers/test-files.h"

/* So many that some fail if a file that vanishes is an error. */
#define COPIES 2000u

typedef struct Fixture {
        char directory[64];
        int fd;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        (void) snprintf(f->directory, sizeof(f->directory), "/tmp/test-test-files.XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        f->fd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->fd >= 0);
        assert_int_equal(mkdirat(f->fd, "tree", 0755), 0);
        assert_int_equal(mkdirat(f->fd, "tree/below", 0755), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        assert_int_equal(test_files_remove(f->fd, "tree"), 0);
        assert_int_equal(test_files_remove(f->fd, "copy"), 0);
        assert_int_equal(rmdir(f->directory), 0);
        (void) fd_close(f->fd);
        free(f);
        return 0;
}

static void put(const Fixture *f, const char *path, const char *text) {
        _cleanup_close_ int fd = openat(f->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_text(const Fixture *f, const char *path, const char *text) {
        _cleanup_close_ int fd = openat(f->fd, path, O_RDONLY | O_CLOEXEC);
        char is[64] = "";

        assert_true(fd >= 0);
        assert_true(read(fd, is, sizeof(is) - 1) >= 0);
        assert_string_equal(is, text);
}

static void test_a_tree(void **state) {
        Fixture *f = *state;

        put(f, "tree/one", "1");
        put(f, "tree/below/two", "2");
        assert_int_equal(symlinkat("one", f->fd, "tree/link"), 0);
        assert_int_equal(test_files_copy(f->fd, "tree", "copy"), 0);
        assert_text(f, "copy/one", "1");
        assert_text(f, "copy/below/two", "2");
        assert_int_equal(faccessat(f->fd, "copy/link", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

static void test_nothing_there(void **state) {
        Fixture *f = *state;

        assert_int_equal(test_files_copy(f->fd, "none", "copy"), -ENOENT);
        assert_int_equal(faccessat(f->fd, "copy", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

/* As a database does with its journal, until it is killed. */
static _Noreturn void come_and_go(int directory_fd) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
                int fd = openat(directory_fd, "tree/below/journal", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

                if (fd < 0 || unlinkat(directory_fd, "tree/below/journal", 0) < 0)
                        _exit(EXIT_FAILURE);
                (void) fd_close(fd);
        }
}

static void test_files_come_and_go(void **state) {
        Fixture *f = *state;
        unsigned n_failed = 0;
        int status;
        pid_t pid;

        put(f, "tree/below/stays", "here");
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                come_and_go(f->fd);
        for (unsigned i = 0; i < COPIES; i++) {
                if (test_files_copy(f->fd, "tree", "copy") < 0)
                        n_failed++;
                else
                        assert_text(f, "copy/below/stays", "here");
                assert_int_equal(test_files_remove(f->fd, "copy"), 0);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it was there all the time */
        assert_int_equal(n_failed, 0);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_a_tree),
                TEST(test_nothing_there),
                TEST(test_files_come_and_go),
        };

        return cmocka_run_group_tests_name("test-files", tests, NULL, NULL);
}
