/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hold-table: reading device-mapper's lines, as the kernel writes them and as it should never.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/hold/hold-table.h"
#include "util/macro.h"

static void test_device(void **state) {
        static const char *const bad[] = {
                "",        "253",    "253:",  ":3",
                "253:3 ",  " 253:3", "-1:3",  "253:4294967296",
                "253:0x3", "a:b",    "1:2:3", "11111111111111111111111111:1",
        };
        TableDevice device;

        (void) state;
        assert_int_equal(table_parse_device("253:4294967295", &device), 0);
        assert_int_equal(device.major, 253);
        assert_int_equal(device.minor, UINT32_MAX);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(table_parse_device(bad[i], &device), -EBADMSG);
}

static void test_snapshot(void **state) {
        static const char *const bad[] = {
                "",
                "253:1 253:2 P",
                "253:1 253:2 P 0",
                "253:1 253:2 P eight",
                "253:1 253:2 Q 8",
                "253:1 P 8",
                "/dev/dm-1 253:2 P 8",
                "253:1 253:2 PERSISTENT 8",
        };
        TableSnapshot s;

        (void) state;
        assert_int_equal(table_parse_snapshot("253:1 253:2 P 8", &s), 0);
        assert_int_equal(s.origin.minor, 1);
        assert_int_equal(s.cow.minor, 2);
        assert_true(s.persistent);
        assert_int_equal(s.chunk_sectors, 8);
        assert_int_equal(table_parse_snapshot(
                                 "253:10 259:2 PO 1024 2 discard_zeroes_cow discard_passdown_origin", &s),
                         0);
        assert_true(s.persistent);
        assert_int_equal(s.cow.major, 259);
        assert_int_equal(s.chunk_sectors, 1024);
        assert_int_equal(table_parse_snapshot("253:1 253:2 N 16", &s), 0);
        assert_false(s.persistent);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(table_parse_snapshot(bad[i], &s), -EBADMSG);
}

static void test_thin(void **state) {
        TableThin t;

        (void) state;
        assert_int_equal(table_parse_thin("253:4 16777215", &t), 0);
        assert_int_equal(t.pool.minor, 4);
        assert_int_equal(t.id, 16777215);
        assert_int_equal(table_parse_thin("253:4 1 253:9", &t), 0);
        assert_int_equal(t.id, 1);
        assert_int_equal(table_parse_thin("253:4", &t), -EBADMSG);
        assert_int_equal(table_parse_thin("253:4 -1", &t), -EBADMSG);
        assert_int_equal(table_parse_thin("253:4 4294967296", &t), -EBADMSG);
}

static void test_pool(void **state) {
        TablePool p;

        (void) state;
        assert_int_equal(table_parse_pool_status(
                                 "3 15/1024 100/12800 - rw discard_passdown queue_if_no_space - 1024", &p),
                         0);
        assert_true(p.read_write);
        assert_false(p.needs_check || p.failed);
        assert_int_equal(p.metadata_used, 15);
        assert_int_equal(p.data_total, 12800);
        assert_int_equal(
                table_parse_pool_status(
                        "3 15/1024 9/9 7 ro no_discard_passdown error_if_no_space needs_check 1", &p),
                0);
        assert_false(p.read_write);
        assert_true(p.needs_check);
        assert_int_equal(table_parse_pool_status("3 1/2 9/9 - out_of_data_space discard_passdown "
                                                 "queue_if_no_space - 1024",
                                                 &p),
                         0);
        assert_false(p.read_write);
        assert_int_equal(table_parse_pool_status("Fail", &p), 0);
        assert_true(p.failed);
        assert_false(table_pool_has_room(&p, 0));
        assert_int_equal(table_parse_pool_status("", &p), -EBADMSG);
        assert_int_equal(table_parse_pool_status("3", &p), -EBADMSG);
        assert_int_equal(table_parse_pool_status("3 15/1024 100/12800 - rw", &p), -EBADMSG);
        assert_int_equal(table_parse_pool_status("3 15 100/12800 - rw a b -", &p), -EBADMSG);
}

static void test_room(void **state) {
        TablePool p = {.metadata_used = 10, .metadata_total = 1000, .data_used = 980, .data_total = 1000};

        (void) state;
        assert_true(table_pool_has_room(&p, 19));
        assert_false(table_pool_has_room(&p, 20));
        assert_true(table_pool_has_room(&p, 0));
        p.data_used = 1000;
        assert_false(table_pool_has_room(&p, 0));
        p.data_used = 1001;
        assert_false(table_pool_has_room(&p, 0));
        p = (TablePool){.metadata_total = UINT64_MAX, .data_total = UINT64_MAX};
        assert_true(table_pool_has_room(&p, 999));
        p.metadata_used = UINT64_MAX - 5;
        assert_false(table_pool_has_room(&p, 1));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_device), cmocka_unit_test(test_snapshot), cmocka_unit_test(test_thin),
                cmocka_unit_test(test_pool),   cmocka_unit_test(test_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
