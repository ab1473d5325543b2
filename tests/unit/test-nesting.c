/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which file system lies in a file of which other, from a sysfs made for the test; and their order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/macro.h"
#include "writers.d/fsfreeze/nesting.h"

static char root[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int teardown(void **state) {
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void add(const char *path, const char *text) {
        char full[512];
        FILE *f;

        (void) snprintf(full, sizeof(full), "%s/%s", root, path);
        for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                (void) mkdir(full, 0755);
                *slash = '/';
        }
        if (!text) {
                assert_int_equal(mkdir(full, 0755), 0);
                return;
        }
        f = fopen(full, "we");
        assert_non_null(f);
        assert_true(fprintf(f, "%s\n", text) > 0);
        assert_int_equal(fclose(f), 0);
}

static void add_link(const char *path, const char *target) {
        char full[512];

        (void) snprintf(full, sizeof(full), "%s/%s", root, path);
        assert_int_equal(symlink(target, full), 0);
}

static int setup(void **state) {
        char file[128];

        strcpy(root, "/tmp/quiesced-test.XXXXXX");
        assert_non_null(mkdtemp(root));
        (void) snprintf(file, sizeof(file), "%s/backing", root);
        add("backing", "x");
        /* 253:5, a crypt device on 7:1, a partition of loop 7:0, whose file lies where we are. */
        add("devices/loop0/loop/backing_file", file);
        add("devices/loop0/dev", "7:0");
        add("devices/loop0/loop0p1/partition", "1");
        add("devices/loop0/loop0p1/dev", "7:1");
        add("devices/dm-5/slaves/loop0p1/dev", "7:1");
        add("devices/dm-5/dev", "253:5");
        /* 253:6 lies on a disk; 253:7 on itself, which cannot be. */
        add("devices/sda/dev", "8:0");
        add("devices/dm-6/slaves/sda/dev", "8:0");
        add("devices/dm-7/slaves/dm-7/dev", "253:7");
        /* A loop device whose file was removed, as its folder was. */
        (void) snprintf(file, sizeof(file), "%s/gone/file (deleted)", root);
        add("devices/loop9/loop/backing_file", file);
        add("devices/loop9/dev", "7:9");
        /* One without a file that could be told. */
        add("devices/loop8/loop/backing_file", "nowhere");
        add("dev/block", NULL);
        /* btrfs on both of these. */
        add("fs/btrfs/u/devices", NULL);
        add_link("fs/btrfs/u/devices/loop9", "../../../../devices/loop9");
        add_link("fs/btrfs/u/devices/sda", "../../../../devices/sda");
        add_link("dev/block/7:0", "../../devices/loop0");
        add_link("dev/block/7:1", "../../devices/loop0/loop0p1");
        add_link("dev/block/7:8", "../../devices/loop8");
        add_link("dev/block/7:9", "../../devices/loop9");
        add_link("dev/block/8:0", "../../devices/sda");
        add_link("dev/block/253:5", "../../devices/dm-5");
        add_link("dev/block/253:6", "../../devices/dm-6");
        add_link("dev/block/253:7", "../../devices/dm-7");
        return 0;
}

static Nested find(dev_t device, const char *devices_directory) {
        Nested nested = {.device = device};

        nesting_find_outer(&nested, root, devices_directory);
        return nested;
}

static void nested(void **state) {
        const dev_t devices[] = {makedev(253, 5), makedev(7, 0), makedev(7, 9)};
        struct stat st;

        assert_int_equal(stat(root, &st), 0);
        for (size_t i = 0; i < ELEMENTSOF(devices); i++) {
                Nested found = find(devices[i], NULL);

                assert_int_equal(found.n_outer, 1);
                assert_int_equal(found.outer[0], st.st_dev);
        }
}

static void not_nested(void **state) {
        assert_int_equal(find(makedev(253, 6), NULL).n_outer, 0);
        assert_int_equal(find(makedev(253, 7), NULL).n_outer, 0);
        assert_int_equal(find(makedev(7, 8), NULL).n_outer, 0);
        assert_int_equal(find(makedev(0, 44), NULL).n_outer, 0);
}

static void nested_btrfs(void **state) {
        struct stat st;
        Nested found;

        assert_int_equal(stat(root, &st), 0);
        found = find(makedev(0, 44), "fs/btrfs/u/devices");
        assert_int_equal(found.n_outer, 1);
        assert_int_equal(found.outer[0], st.st_dev);
        assert_int_equal(find(makedev(0, 44), "fs/btrfs/other/devices").n_outer, 0);
}

/* 3 lies in 2, that in 1, which is mounted twice; 4 in nothing. Whatever their places in the list are. */
static void order_of_two_depths(void **state) {
        static const Nested items[] = {
                {.device = 1}, {.device = 3, .outer = {2, 1}, .n_outer = 2}, {.device = 1},
                {.device = 4}, {.device = 2, .outer = {1}, .n_outer = 1},
        };
        static const unsigned depths[] = {[1] = 2, [2] = 1, [3] = 0, [4] = 0};

        for (size_t first = 0; first < ELEMENTSOF(items); first++) {
                Nested turned[ELEMENTSOF(items)];

                for (size_t i = 0; i < ELEMENTSOF(items); i++)
                        turned[i] = items[(first + i) % ELEMENTSOF(items)];
                assert_int_equal(nesting_order(turned, ELEMENTSOF(turned)), 2);
                for (size_t i = 0; i < ELEMENTSOF(turned); i++) {
                        assert_int_equal(turned[i].depth, depths[turned[i].device]);
                        assert_true(turned[i].same_as <= i);
                        assert_int_equal(turned[turned[i].same_as].device, turned[i].device);
                        assert_true((turned[i].same_as == i) || turned[i].device == 1);
                }
        }
}

static void order_of_a_circle(void **state) {
        Nested items[] = {
                {.device = 1, .outer = {2}, .n_outer = 1},
                {.device = 2, .outer = {1}, .n_outer = 1},
                {.device = 3, .outer = {3}, .n_outer = 1},
        };

        (void) nesting_order(items, ELEMENTSOF(items)); /* it ends */
        assert_int_equal(items[2].depth, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nested),
                cmocka_unit_test(not_nested),
                cmocka_unit_test(nested_btrfs),
                cmocka_unit_test(order_of_two_depths),
                cmocka_unit_test(order_of_a_circle),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
