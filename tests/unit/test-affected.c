/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whether a path lies on a volume of the set, with real mounts in a mount namespace of the test's own: two
 * file systems "in" and "out", of which the set has the first. And what a folder of it is in its snapshot.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "quiesce/writer-internal.h"

static char root[32];
static uint64_t devices[1];
/* Run by a user, the test is root of a namespace that has nobody else. */
static bool is_alone;

static const char *at(const char *path, char buffer[static 128]) {
        (void) snprintf(buffer, 128, "%s%s%s", root, path[0] ? "/" : "", path);
        return buffer;
}

static void add_directory(const char *path) {
        char buffer[128];

        assert_int_equal(mkdir(at(path, buffer), 0755), 0);
}

static void add_mount(const char *source, const char *target, const char *type, unsigned long flags) {
        char from[128], to[128];

        assert_int_equal(
                mount(source[0] == '/' ? at(source + 1, from) : source, at(target, to), type, flags, NULL),
                0);
}

static void add_link(const char *target, const char *path) {
        char to[128], from[128];

        assert_int_equal(symlink(target[0] == '/' ? at(target + 1, to) : target, at(path, from)), 0);
}

static void write_own(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0 && write(fd, text, strlen(text)) > 0);
        (void) close(fd);
}

/* Return: false: it may not be done, in a chroot or by the kernel's configuration. */
static bool enter_namespace(void) {
        char users[64], groups[64];

        (void) snprintf(users, sizeof(users), "0 %u 1\n", geteuid());
        (void) snprintf(groups, sizeof(groups), "0 %u 1\n", getegid());
        is_alone = geteuid() != 0;
        if (unshare(is_alone ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) < 0)
                return false;
        if (is_alone) {
                write_own("/proc/self/uid_map", users);
                write_own("/proc/self/setgroups", "deny");
                /* Without a group nothing can be made in the namespace's file systems. */
                write_own("/proc/self/gid_map", groups);
        }
        return true;
}

static int setup(void **state) {
        char path[128];
        struct stat st;

        (void) state;
        assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
        strcpy(root, "/tmp/quiesced-test.XXXXXX");
        assert_non_null(mkdtemp(root));
        assert_int_equal(mount("tmpfs", root, "tmpfs", 0, NULL), 0);
        add_directory("in");
        add_directory("out");
        add_mount("tmpfs", "in", "tmpfs", 0);
        add_mount("tmpfs", "out", "tmpfs", 0);
        add_directory("in/db");
        add_directory("out/log");
        add_directory("in/db/deep");
        add_directory("in/a b");
        assert_int_equal(stat(at("in", path), &st), 0);
        devices[0] = st.st_dev;
        return 0;
}

static int teardown(void **state) {
        char outside[] = "/";

        (void) state;
        assert_int_equal(chdir(outside), 0);
        assert_int_equal(umount2(root, MNT_DETACH), 0);
        return rmdir(root);
}

/* Frees nothing: events of the test live as long as it. */
static void expect(const char *path, int expected, const char *mount_point) {
        WriterPlaces places = {.devices = devices, .n_devices = ELEMENTSOF(devices)};
        QuiesceWriterEvent event = {.type = QUIESCE_EVENT_PREPARE_FOR_SNAPSHOT, .places = &places};
        char buffer[128], place[128];
        const char *found = NULL;

        assert_int_equal(quiesce_writer_event_is_path_affected(&event, at(path, buffer), &found), expected);
        if (mount_point)
                assert_string_equal(found, at(mount_point, place));
        else
                assert_null(found);
        for (size_t i = 0; i < event.n_found; i++)
                free(event.found[i]);
        free(event.found);
}

static void test_mounts(void **state) {
        expect("in/db", 1, "in");
        expect("in/db/not/yet/there", 1, "in");
        expect("in/a b", 1, "in");
        expect("out/log/x", 0, "out");
        expect("beside", 0, "");
}

static void test_links(void **state) {
        add_link("/out/log", "in/db/log");
        add_link("../../in/db", "out/log/db");
        add_link("/out/nothing", "in/db/nowhere");
        expect("in/db/log", 0, "out");
        expect("in/db/log/file-wal", 0, "out");
        expect("out/log/db", 1, "in");
        expect("in/db/nowhere", -ENOENT, NULL);
        expect("in/db/nowhere/x", -ENOENT, NULL);
}

/* A bind mount is another place of the same file system, whatever lies around it. */
static void test_binds(void **state) {
        add_directory("out/there");
        add_mount("/in/db", "out/there", NULL, MS_BIND);
        expect("out/there/x", 1, "out/there");
        add_mount("/out/log", "in/db/deep", NULL, MS_BIND);
        expect("in/db/deep/x", 0, "in/db/deep");
}

/* What a sandbox mounts over itself is not what the administrator has mounted. */
static void test_binds_of_a_sandbox(void **state) {
        add_directory("out/sandboxed");
        add_directory("out/sandboxed/again");
        add_mount("/out/sandboxed", "out/sandboxed", NULL, MS_BIND);
        add_mount("/out/sandboxed/again", "out/sandboxed/again", NULL, MS_BIND);
        expect("out/sandboxed/again/x", 0, "out");
}

static void test_search_permission_is_enough(void **state) {
        char path[128];
        int status;
        pid_t pid;

        add_directory("in/private");
        add_directory("in/private/secret");
        assert_int_equal(chmod(at("in/private", path), 0711), 0);
        assert_int_equal(chmod(at("in/private/secret", path), 0700), 0);
        if (is_alone)
                return;
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (chmod(root, 0755) < 0 || setresuid(65534, 65534, 65534) < 0)
                        _exit(1);
                expect("in/private/secret", 1, "in");
                expect("in/private/secret/file", -EACCES, NULL);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void expect_opened(QuiesceWriterEvent *event, const char *path, const char *expected) {
        char buffer[128], link[64], found[256] = "";
        int fd, r;

        r = quiesce_writer_event_open_in_snapshot(event, at(path, buffer), &fd);
        assert_int_equal(r, 0);
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        assert_true(readlink(link, found, sizeof(found) - 1) > 0);
        assert_string_equal(found, at(expected, buffer));
        (void) close(fd);
}

static void expect_not_opened(QuiesceWriterEvent *event, const char *path, int expected) {
        char buffer[128];
        int fd;

        assert_int_equal(quiesce_writer_event_open_in_snapshot(event, at(path, buffer), &fd), expected);
}

/* "copy" is the snapshot of the file system "in". Needs what the tests before have mounted. */
static void test_a_folder_in_its_snapshot(void **state) {
        WriterTree tree = {.device = devices[0]};
        QuiesceWriterEvent event = {.type = QUIESCE_EVENT_POST_SNAPSHOT, .trees = &tree, .n_trees = 1};
        char path[128];
        int fd;

        add_directory("copy");
        add_mount("tmpfs", "copy", "tmpfs", 0);
        add_directory("copy/db");
        add_directory("copy/db/of");
        add_directory("in/db/of");
        add_directory("in/leads-out");
        add_link("/out", "copy/leads-out");
        tree.fd = open(at("copy", path), O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_true(tree.fd >= 0);
        expect_not_opened(&event, "in/db", -ENODATA); /* nothing was told */
        event.told_trees = true;
        expect_opened(&event, "in", "copy");
        expect_opened(&event, "in/db", "copy/db");
        expect_opened(&event, "out/log/db", "copy/db");      /* a link */
        expect_opened(&event, "out/there/of", "copy/db/of"); /* a bind mount of in/db */
        expect_not_opened(&event, "in/a b", -ENOENT);        /* it is younger */
        expect_not_opened(&event, "in/nothing", -ENOENT);
        expect_not_opened(&event, "in/leads-out", -ENOTDIR); /* a link in the snapshot is not followed */
        expect_not_opened(&event, "out/log", -EXDEV);
        expect_not_opened(&event, "in/db/log", -EXDEV); /* a link to that */
        fd = open(at("in/db/file", path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        (void) close(fd);
        expect_not_opened(&event, "in/db/file", -ENOTDIR);
        assert_int_equal(quiesce_writer_event_open_in_snapshot(&event, "in/db", &fd), -EINVAL);
        event.type = QUIESCE_EVENT_THAW;
        expect_not_opened(&event, "in/db", -ENODATA);
        (void) close(tree.fd);
}

static void test_when_it_may_be_asked(void **state) {
        const char *keys[] = {"LVM-1", NULL};
        char name[] = "vg/one", *names[] = {name, NULL};
        WriterPlaces places = {.devices = devices, .n_devices = 1, .volume_names = names};
        QuiesceWriterEvent event = {.places = &places, .volumes = keys};
        char path[128];

        for (int type = QUIESCE_EVENT_IDENTIFY; type <= QUIESCE_EVENT_SESSION_CLOSED; type++) {
                int expected =
                        type >= QUIESCE_EVENT_PREPARE_FOR_BACKUP && type <= QUIESCE_EVENT_POST_SNAPSHOT
                                ? 1
                                : -ENODATA;

                event.type = (QuiesceWriterEventType) type;
                assert_int_equal(quiesce_writer_event_is_path_affected(&event, at("in", path), NULL),
                                 expected);
                assert_int_equal(quiesce_writer_event_is_volume_affected(&event, "vg/one"), expected);
        }
        event.type = QUIESCE_EVENT_FREEZE;
        assert_int_equal(quiesce_writer_event_is_path_affected(&event, "in", NULL), -EINVAL);
        assert_int_equal(quiesce_writer_event_is_volume_affected(&event, "LVM-1"), 1);
        assert_int_equal(quiesce_writer_event_is_volume_affected(&event, "vg/two"), 0);
        assert_int_equal(quiesce_writer_event_is_volume_affected(&event, at("in", path)), 1);
        assert_int_equal(quiesce_writer_event_is_volume_affected(&event, at("out", path)), 0);
        assert_int_equal(quiesce_writer_event_is_volume_affected(&event, "/dev/not/there"), -ENOENT);
        places.n_devices = 0; /* a quiesced that does not tell */
        assert_int_equal(quiesce_writer_event_is_path_affected(&event, at("in", path), NULL), -ENODATA);
        event.volumes = NULL; /* no set */
        assert_int_equal(quiesce_writer_event_is_path_affected(&event, at("in", path), NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mounts),
                cmocka_unit_test(test_links),
                cmocka_unit_test(test_binds),
                cmocka_unit_test(test_binds_of_a_sandbox),
                cmocka_unit_test(test_search_permission_is_enough),
                cmocka_unit_test(test_a_folder_in_its_snapshot),
                cmocka_unit_test(test_when_it_may_be_asked),
        };

        if (!enter_namespace()) {
                (void) printf("no namespace can be made here: %s\n", strerror(errno));
                return 77; /* automake: skipped */
        }
        return cmocka_run_group_tests_name("affected", tests, setup, teardown);
}
