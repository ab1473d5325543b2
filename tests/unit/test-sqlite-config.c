/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* sqlite.conf: what it may say, and that what is not understood is an error. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "writers.d/sqlite/config.h"

static int load(SqliteConfig *config, const char *text) {
        char path[] = "/tmp/quiesced-test.XXXXXX";
        int fd = mkstemp(path), r;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        (void) close(fd);
        r = sqlite_config_load(config, path);
        (void) unlink(path);
        return r;
}

static void test_defaults(void **state) {
        SqliteConfig config;

        assert_int_equal(sqlite_config_load(&config, "/not/there"), 0);
        assert_int_equal(config.n_globs, 0);
        assert_true(config.unreadable_fails);
        assert_int_equal(config.checkpoint, CHECKPOINT_TRUNCATE);
        assert_int_equal(config.checkpoint_usec, 10 * USEC_PER_SEC);
        assert_int_equal(config.lock_usec, 10 * USEC_PER_SEC);
        sqlite_config_done(&config);
}

static void test_all_keys(void **state) {
        SqliteConfig config;

        assert_int_equal(load(&config, "# a comment\n[Databases]\nPath=/a/*.db\nPath=/b c/d\nExclude=/a/x*\n"
                                       "Unreadable=warn\n[Snapshot]\nCheckpoint=none\nCheckpointSec=3\n"
                                       "LockSec=7s\n"),
                         0);
        assert_int_equal(config.n_globs, 2);
        assert_string_equal(config.globs[1], "/b c/d");
        assert_string_equal(config.excludes[0], "/a/x*");
        assert_false(config.unreadable_fails);
        assert_int_equal(config.checkpoint, CHECKPOINT_NONE);
        assert_int_equal(config.checkpoint_usec, 3 * USEC_PER_SEC);
        assert_int_equal(config.lock_usec, 7 * USEC_PER_SEC);
        sqlite_config_done(&config);
}

static void test_what_is_not_understood(void **state) {
        static const char *const bad[] = {
                "[Databases]\nPath=relative/*.db\n",
                "[Databases]\nPaths=/a\n",
                "[Databases]\nUnreadable=ignore\n",
                "[Snapshot]\nLockSec=0\n",
                "[Snapshot]\nLockSec=-1\n",
                "[Snapshot]\nLockSec=10min\n",
                "[Snapshot]\nCheckpoint=full\n",
                "[Snapshot]\nnonsense\n",
                "Path=/a\n",
        };
        SqliteConfig config;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(load(&config, bad[i]), -EINVAL);
}

static void test_example(void **state) {
        SqliteConfig config;
        char path[512];

        (void) snprintf(path, sizeof(path), "%s/writers.d/sqlite/sqlite.conf", SOURCE_TREE);
        assert_int_equal(sqlite_config_load(&config, path), 0);
        assert_int_equal(config.n_globs, 2);
        assert_int_equal(config.n_excludes, 1);
        sqlite_config_done(&config);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_all_keys),
                cmocka_unit_test(test_what_is_not_understood),
                cmocka_unit_test(test_example),
        };

        return cmocka_run_group_tests_name("sqlite-config", tests, NULL, NULL);
}
