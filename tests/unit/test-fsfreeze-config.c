/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* fsfreeze.conf: what it may say, and that what is not understood is an error. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/macro.h"
#include "writers.d/fsfreeze/config.h"

static int load(FsfreezeConfig *config, const char *text) {
        char path[] = "/tmp/quiesced-test.XXXXXX";
        int fd = mkstemp(path), r;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        (void) close(fd);
        r = fsfreeze_config_load(config, path);
        (void) unlink(path);
        return r;
}

static void test_what_is_understood(void **state) {
        FsfreezeConfig config;

        assert_int_equal(fsfreeze_config_load(&config, "/not/there"), 0);
        assert_false(config.refuse);
        assert_int_equal(load(&config, "# a comment\n[FileSystems]\nUnfreezable=refuse\n"), 0);
        assert_true(config.refuse);
        assert_int_equal(load(&config, "[FileSystems]\nUnfreezable=skip\n"), 0);
        assert_false(config.refuse);
}

static void test_what_is_not_understood(void **state) {
        static const char *const bad[] = {
                "[FileSystems]\nUnfreezable=no\n",
                "[FileSystems]\nUnfreezeable=refuse\n",
                "[Snapshot]\nUnfreezable=refuse\n",
                "Unfreezable=refuse\n",
                "[FileSystems]\nUnfreezable=refuse\nnonsense\n",
        };
        FsfreezeConfig config;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(load(&config, bad[i]), -EINVAL);
        assert_int_equal(fsfreeze_config_load(&config, "/dev/null/x"), -ENOTDIR);
}

static void test_the_example(void **state) {
        FsfreezeConfig config;

        assert_int_equal(fsfreeze_config_load(&config, SOURCE_TREE "/writers.d/fsfreeze/fsfreeze.conf"), 0);
        assert_false(config.refuse);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_understood),
                cmocka_unit_test(test_what_is_not_understood),
                cmocka_unit_test(test_the_example),
        };

        return cmocka_run_group_tests_name("fsfreeze-config", tests, NULL, NULL);
}
