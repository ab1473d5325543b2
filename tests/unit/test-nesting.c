/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which file system lies in a file of which other, from a sysfs made for the test. */

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
        /* A loop device whose file is gone. */
        add("devices/loop9/loop/backing_file", "/nowhere/file (deleted)");
        add("dev/block", NULL);
        add_link("dev/block/7:0", "../../devices/loop0");
        add_link("dev/block/7:1", "../../devices/loop0/loop0p1");
        add_link("dev/block/7:9", "../../devices/loop9");
        add_link("dev/block/8:0", "../../devices/sda");
        add_link("dev/block/253:5", "../../devices/dm-5");
        add_link("dev/block/253:6", "../../devices/dm-6");
        add_link("dev/block/253:7", "../../devices/dm-7");
        return 0;
}

static void nested(void **state) {
        dev_t outer[NESTING_MAX];
        struct stat st;

        assert_int_equal(stat(root, &st), 0);
        assert_int_equal(nesting_find_outer(root, makedev(253, 5), outer), 1);
        assert_int_equal(outer[0], st.st_dev);
        assert_int_equal(nesting_find_outer(root, makedev(7, 0), outer), 1);
        assert_int_equal(outer[0], st.st_dev);
}

static void not_nested(void **state) {
        dev_t outer[NESTING_MAX];

        assert_int_equal(nesting_find_outer(root, makedev(253, 6), outer), 0);
        assert_int_equal(nesting_find_outer(root, makedev(253, 7), outer), 0);
        assert_int_equal(nesting_find_outer(root, makedev(7, 9), outer), 0);
        assert_int_equal(nesting_find_outer(root, makedev(0, 44), outer), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(nested), cmocka_unit_test(not_nested)};

        return cmocka_run_group_tests(tests, setup, teardown);
}
