/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A command's view, on this machine's own mounts: a detached tmpfs stands for the snapshot. Each case builds
 * the view in a process of its own and looks around in it; where no process may have mounts of its own, the
 * cases are left out.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/namespace.h"

#define NO_NAMESPACE 77

static char work[] = "/tmp/test-ctl-view-XXXXXX";

/* What a case does in its view. Return: NULL, or what is wrong. */
typedef const char *(*Look)(void);

typedef struct Case {
        const char *path; /* the PATH of the command line */
        const char *directory;
        Look look;
} Case;

static int make_file(int at, const char *path, const char *text) {
        int fd = openat(at, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

        fd_close(fd);
        return n == (ssize_t) strlen(text) ? 0 : -1;
}

static int make_directories(int at, const char *path) {
        char copy[512];

        (void) snprintf(copy, sizeof(copy), "%s", path);
        for (char *p = copy; (p = strchr(p, '/')); *p++ = '/') {
                *p = '\0';
                if (mkdirat(at, copy, 0755) < 0 && errno != EEXIST)
                        return -1;
        }
        return mkdirat(at, copy, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

/* As quiesced answers OpenTree: a detached mount, read-only once it is filled. inside: of the file system.
 */
static int make_snapshot(const char *inside) {
        struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
        int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), tree;
        char path[600];

        if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -1;
        tree = fsmount(fs, FSMOUNT_CLOEXEC, 0);
        fd_close(fs);
        (void) snprintf(path, sizeof(path), "%s/snapshot", inside);
        if (tree < 0 || make_directories(tree, inside) < 0 || make_file(tree, path, "then") < 0 ||
            make_directories(tree, "proc") < 0 || make_directories(tree, "tmp") < 0 ||
            mount_setattr(tree, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
                return fd_close(tree);
        return tree;
}

static const char *build_and_look(const Case *c) {
        static char text[600];
        char *paths[] = {(char *) c->path};
        PlanOptions options = {.paths = paths, .n_paths = 1, .one_file_system = true};
        Failure failure = {};
        MountTable *table;
        Plan *plan;

        if (namespace_enter(&failure) < 0)
                return NULL;
        if (mount_table_new(&table, NULL) < 0 || plan_new(&plan, table, &options) < 0)
                return "no plan";
        plan_finish(plan);
        for (size_t i = 0; i < plan->n_entries; i++)
                if (plan->entries[i].kind == PLAN_SNAPSHOT) {
                        plan->entries[i].tree_fd =
                                make_snapshot(*plan->entries[i].inside ? plan->entries[i].inside : "etc");
                        if (plan->entries[i].tree_fd < 0)
                                return "no snapshot could be made";
                }
        if (namespace_build(plan, c->directory, "/", &failure) < 0) {
                (void) snprintf(text, sizeof(text), "%s: %s", failure.text, strerror(failure.error));
                return text;
        }
        return c->look();
}

static void check_view(const Case *c) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                Failure failure = {};
                pid_t probe = fork();
                const char *wrong;

                if (probe == 0)
                        _exit(namespace_enter(&failure) < 0 ? NO_NAMESPACE : 0);
                if (waitpid(probe, &status, 0) != probe || WEXITSTATUS(status) == NO_NAMESPACE)
                        _exit(NO_NAMESPACE);
                wrong = build_and_look(c);
                if (wrong)
                        (void) fprintf(stderr, "%s\n", wrong);
                _exit(wrong ? 1 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == NO_NAMESPACE)
                skip();
        assert_int_equal(WEXITSTATUS(status), 0);
}

static bool is_read_only(const char *path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0)
                return errno == EROFS;
        fd_close(fd);
        return false;
}

static bool is_there(const char *path) {
        return access(path, F_OK) == 0;
}

/* In the directory that the test made live: seen by the test afterwards. */
static bool write_live(const char *name) {
        char path[600];

        (void) snprintf(path, sizeof(path), "%s/%s", work, name);
        return make_file(AT_FDCWD, path, "now") == 0;
}

static bool was_written(const char *name) {
        char path[600];

        (void) snprintf(path, sizeof(path), "%s/%s", work, name);
        return is_there(path);
}

static const char *look_at_root(void) {
        if (!is_there("/etc/snapshot") || is_there("/etc/passwd"))
                return "the root is not the snapshot";
        if (!is_read_only("/new"))
                return "the root is not read-only";
        if (!is_there("/proc/self/status"))
                return "/proc is not kept";
        return write_live("root") ? NULL : "/tmp is not kept live";
}

static void test_root(void **state) {
        check_view(&(const Case){.path = "/", .look = look_at_root});
        assert_true(was_written("root"));
        assert_false(is_there("/etc/snapshot"));
}

static const char *look_at_directory(void) {
        char path[600];

        if (!is_there("/etc/passwd"))
                return "all else is not as it was";
        (void) snprintf(path, sizeof(path), "%s/inside/snapshot", work);
        if (!is_there(path))
                return "the snapshot is not at its place";
        (void) snprintf(path, sizeof(path), "%s/inside/live", work);
        if (is_there(path) || !is_read_only(path))
                return "what is live is there, or can be written";
        return write_live("beside") ? NULL : "what is beside it is not live";
}

static void test_directory(void **state) {
        char path[600];

        (void) snprintf(path, sizeof(path), "%s/inside", work);
        check_view(&(const Case){.path = path, .look = look_at_directory});
        assert_true(was_written("beside"));
        assert_true(was_written("inside/live"));
        assert_false(was_written("inside/snapshot"));
}

static const char *look_below(void) {
        char path[1300];

        (void) snprintf(path, sizeof(path), "%s/below%s/inside/snapshot", work, work);
        if (!is_there(path))
                return "the snapshot is not below the directory";
        (void) snprintf(path, sizeof(path), "%s/inside/live", work);
        return is_there(path) ? NULL : "its own place is not live";
}

static void test_below(void **state) {
        char path[600], directory[600];

        (void) snprintf(path, sizeof(path), "%s/inside", work);
        (void) snprintf(directory, sizeof(directory), "%s/below", work);
        check_view(&(const Case){.path = path, .directory = directory, .look = look_below});
        assert_int_equal(rmdir(directory), 0); /* nothing was mounted nor left on it here */
        assert_int_equal(mkdir(directory, 0755), 0);
}

static int set_up(void **state) {
        char path[600];

        if (!mkdtemp(work) || chmod(work, 0755) < 0)
                return -1;
        (void) snprintf(path, sizeof(path), "%s/inside", work);
        if (mkdir(path, 0755) < 0)
                return -1;
        (void) snprintf(path, sizeof(path), "%s/inside/live", work);
        if (make_file(AT_FDCWD, path, "now") < 0)
                return -1;
        (void) snprintf(path, sizeof(path), "%s/below", work);
        return mkdir(path, 0755);
}

static int tear_down(void **state) {
        static const char *const names[] = {"root", "beside", "inside/live", "inside", "below", ""};
        char path[600];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", work, names[i]);
                (void) remove(path);
        }
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_root),
                cmocka_unit_test(test_directory),
                cmocka_unit_test(test_below),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
