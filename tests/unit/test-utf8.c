/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Texts from elsewhere: what is UTF-8, and what becomes of the rest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/macro.h"
#include "util/utf8.h"

static void valid(void **state) {
        static const char *const good[] = {"", "a", "ä", "€", "😀", "\x7f", "\xf4\x8f\xbf\xbf"};
        static const char *const bad[] = {"\x80",
                                          "\xc0\x80",
                                          "\xc3",
                                          "\xe2\x82",
                                          "\xed\xa0\x80",
                                          "\xf4\x90\x80\x80",
                                          "\xf8\x88\x80\x80\x80",
                                          "\xe0\x80\x80",
                                          "\xff"};

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(utf8_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(utf8_is_valid(bad[i]));
}

static void clean(void **state) {
        static const struct {
                const char *from, *to;
                size_t max;
        } cases[] = {
                {"as it is", "as it is", 100},
                {"a\nb\tc\x1b[1m", "a b c [1m", 100},
                {"a\xff\xc3_ä", "a??_ä", 100},
                {"blanks  \n", "blanks", 100},
                {"aä€", "aä", 5}, /* the euro sign has three bytes */
                {"aä€", "aä€", 6},
                {"", "", 0},
                {"abc", "", 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char buffer[64];

                strcpy(buffer, cases[i].from);
                utf8_clean(buffer, cases[i].max);
                assert_string_equal(buffer, cases[i].to);
                assert_true(utf8_is_valid(buffer));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(valid), cmocka_unit_test(clean)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
