/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* LVM's lock of a volume group: taken, refused, waited for, and its file unlinked by who lets it go, as LVM
 * does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/group-lock.h"
#include "util/macro.h"

typedef struct World {
        char directory[64], path[96];
} World;

static int setup(void **state) {
        World *world = calloc(1, sizeof(*world));

        *state = world;
        (void) snprintf(world->directory, sizeof(world->directory), "/tmp/test-group-lock.XXXXXX");
        if (!mkdtemp(world->directory))
                return -1;
        (void) snprintf(world->path, sizeof(world->path), "%s/V_group", world->directory);
        return 0;
}

static int teardown(void **state) {
        World *world = *state;

        (void) unlink(world->path);
        (void) rmdir(world->directory);
        free(world);
        return 0;
}

static void one_at_a_time(void **state) {
        const World *world = *state;
        int fd = -EBADF, other = -EBADF;

        assert_int_equal(group_lock_try(world->path, &fd), 0);
        assert_int_equal(group_lock_try(world->path, &other), GROUP_LOCK_E_BUSY);
        assert_int_equal(other, -EBADF);
        assert_int_equal(close(fd), 0);
        other = group_lock_wait(world->path);
        assert_true(other >= 0);
        assert_int_equal(close(other), 0);
}

static void no_place(void **state) {
        int fd = -EBADF;

        assert_int_equal(group_lock_try("/nonexistent/V_group", &fd), -ENOENT);
        assert_int_equal(group_lock_wait("/nonexistent/V_group"), -ENOENT);
}

/* What the one who waited for it gets is the lock of a file that has no name any more: somebody else could
 * have that of the new one. */
static void unlinked_meanwhile(void **state) {
        const World *world = *state;
        int pipes[2], fd = -EBADF, other = -EBADF, status;
        char line;
        pid_t pid;

        assert_int_equal(group_lock_try(world->path, &fd), 0);
        assert_int_equal(pipe(pipes), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) close(fd);
                fd = group_lock_wait(world->path);
                if (fd < 0 || write(pipes[1], "\n", 1) != 1)
                        _exit(EXIT_FAILURE);
                /* As long as it has the lock, nobody else can get it by its name. */
                _exit(group_lock_try(world->path, &other) == GROUP_LOCK_E_BUSY ? EXIT_SUCCESS
                                                                               : EXIT_FAILURE);
        }
        assert_int_equal(unlink(world->path), 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(read(pipes[0], &line, 1), 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
        (void) close(pipes[0]);
        (void) close(pipes[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
                cmocka_unit_test(no_place),
                cmocka_unit_test_setup_teardown(unlinked_meanwhile, setup, teardown),
        };

        return cmocka_run_group_tests_name("group-lock", tests, NULL, NULL);
}
