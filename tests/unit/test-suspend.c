/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the fsfreeze writer leaves to device-mapper. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/macro.h"
#include "writers.d/fsfreeze/suspend.h"

static void certain_before_freezes_nest(void **state) {
        static const char *const certain[] = {"6.1.0-18-amd64", "5.14.0-362.el9.x86_64", "6.5", "4.18.0"};
        static const char *const uncertain[] = {"6.6.0", "6.12.9+bpo-amd64", "10.0.1", "7.1", "", "6",
                                                "x.y"};

        for (size_t i = 0; i < ELEMENTSOF(certain); i++)
                assert_true(suspend_is_certain(certain[i]));
        for (size_t i = 0; i < ELEMENTSOF(uncertain); i++)
                assert_false(suspend_is_certain(uncertain[i]));
}

static void one_device_and_directly_on_it(void **state) {
        assert_true(suspend_freezes(&(QuiesceFileSystem){.type = "ext4", .direct = true}));
        assert_true(suspend_freezes(&(QuiesceFileSystem){.type = "xfs", .direct = true}));
        assert_false(suspend_freezes(&(QuiesceFileSystem){.type = "xfs", .direct = false}));
        assert_false(suspend_freezes(&(QuiesceFileSystem){.type = "btrfs", .direct = true}));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(certain_before_freezes_nest),
                cmocka_unit_test(one_device_and_directly_on_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
