/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* LVM's report: a real one, and all ways in which one can be wrong. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/providers/lvm-report.h"

#define FIXTURE "/tests/unit/lvm-report.json"

/* Two segments of one LV, then another. %s: where to break it */
#define ROW(uuid, name, more)                                                                                   \
        "{\"lv_uuid\":\"" uuid "\", \"vg_uuid\":\"lNNeeq-4xdX-45gd-uZ4e-gXLy-a8rU-RHEnkf\", "                   \
        "\"vg_name\":\"vg\", \"lv_name\":\"" name "\", \"lv_path\":\"/dev/vg/x\", \"lv_tags\":\"\", "           \
        "\"lv_active\":\"active\", \"lv_health_status\":\"\", \"lv_allocation_locked\":\"\", \"origin\":\"\", " \
        "\"origin_uuid\":\"\", \"pool_lv\":\"\", \"thin_id\":\"\", \"segtype\":\"linear\", "                    \
        "\"data_percent\":\"\", \"metadata_percent\":\"\", \"vg_attr\":\"wz--n-\", \"vg_free\":\"4096\", "      \
        "\"vg_extent_size\":\"4096\", " more "}"
#define MORE(device) \
        "\"lv_attr\":\"-wi-a-----\", \"lv_size\":\"8192\", \"chunk_size\":\"0\", \"devices\":\"" device "\""
#define UUID_A      "UF7nBY-7nEc-q2GW-YG5e-75MX-nK3c-CWf3r3"
#define UUID_B      "xD4UJu-PK7i-N2PO-FeTP-z9bI-3qrL-OuIann"
#define REPORT(row) "{\"report\":[{\"lv\":[" row "]}]}"

static char *fixture;
static size_t n_fixture;

static int load(void **state) {
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *file = NULL;
        const char *directory = getenv("srcdir") ?: "..";

        fixture = calloc(1, 65536);
        if (asprintf(&path, "%s" FIXTURE, directory) < 0 || !fixture)
                return -1;
        file = fopen(path, "re");
        if (!file)
                return -1;
        n_fixture = fread(fixture, 1, 65535, file);
        return n_fixture > 0 ? 0 : -1;
}

static int unload(void **state) {
        free(fixture);
        return 0;
}

static int parse(LvmReport **ret, const char *text) {
        char reason[200] = "";
        int r = lvm_report_new(ret, text, strlen(text), reason, sizeof(reason));

        /* Whoever reads it must learn why. */
        assert_int_equal(r == LVM_REPORT_MALFORMED, reason[0] != '\0');
        return r;
}

static void test_real(void **state) {
        _cleanup_(lvm_report_freep) LvmReport *report = NULL;
        const LvmVolume *v;

        assert_int_equal(parse(&report, fixture), 0);
        assert_int_equal(report->n_volumes, 14);
        v = lvm_report_find(report, "vg0", "e");
        assert_non_null(v);
        assert_string_equal(v->name, "vg0/e");
        assert_string_equal(v->key, "LVM-lNNeeq4xdX45gduZ4egXLya8rURHEnkfUF7nBY7nEcq2GWYG5e75MXnK3cCWf3r3");
        assert_int_equal(v->size, 104857600);
        assert_int_equal(v->vg_free, 809500672);
        assert_true(v->active);
        assert_null(v->tags[0]);
        assert_true(v->data_percent < 0);
        assert_ptr_equal(lvm_report_find_key(report, v->key), v);
        assert_ptr_equal(lvm_report_find_uuid(report, v->uuid), v);
        v = lvm_report_find(report, "vg0", "m_snap"); /* hidden, in brackets */
        assert_non_null(v);
        assert_string_equal(v->origin, "m");
        assert_true(v->data_percent > 30 && v->data_percent < 31);
        v = lvm_report_find(report, "vg1", "quiesced_00112233445566778899aabbccddeeff");
        assert_non_null(v);
        assert_int_equal(v->thin_id, 5);
        assert_string_equal(v->pool, "pool");
        assert_false(v->active);
        assert_string_equal(v->tags[0], "quiesced.set=00112233445566778899aabbccddeeff");
        assert_string_equal(v->tags[1], "quiesced.unfinished");
        assert_null(v->tags[2]);
        assert_null(lvm_report_find(report, "vg1", "e"));
}

/* A report cut anywhere is refused; so lvm killed in the middle is never half believed. */
static void test_truncated(void **state) {
        size_t end = n_fixture;

        while (end > 0 && fixture[end - 1] != '}')
                end--;
        for (size_t n = 0; n < end; n += n < 3000 ? 1 : 97) {
                char reason[200] = "";
                LvmReport *report = NULL;

                assert_int_equal(lvm_report_new(&report, fixture, n, reason, sizeof(reason)),
                                 LVM_REPORT_MALFORMED);
                assert_null(report);
        }
}

static void test_segments(void **state) {
        _cleanup_(lvm_report_freep) LvmReport *report = NULL;

        assert_int_equal(
                parse(&report, REPORT(ROW(UUID_A, "a", MORE("/dev/sda(0)")) ", " ROW(
                                       UUID_A, "a", MORE("/dev/sdb(7)")) ", " ROW(UUID_B, "b", MORE("")))),
                0);
        assert_int_equal(report->n_volumes, 2);
        assert_string_equal(report->volumes[0].devices, "/dev/sda(0),/dev/sdb(7)");
        assert_string_equal(report->volumes[1].lv, "b");
}

static void test_empty(void **state) {
        _cleanup_(lvm_report_freep) LvmReport *report = NULL;

        assert_int_equal(parse(&report, REPORT("")), 0);
        assert_int_equal(report->n_volumes, 0);
}

static void test_alien(void **state) {
        static const char *const bad[] = {
                "",
                "  ",
                "null",
                "[]",
                "{}",
                "{\"report\":{}}",
                "{\"report\":[[]]}",
                "{\"report\":[{\"vg\":[]}]}",
                "{\"report\":[{\"lv\":{}}]}",
                REPORT("1"),
                REPORT("{}"),
                REPORT("{\"lv_uuid\":1}"),
                "{\"report\":[], \"report\":[]}x",
                "  WARNING: something\n{\"report\":[{\"lv\":[]}]}",
                REPORT(ROW("", "a", MORE(""))),
                REPORT(ROW("UF7nBY", "a", MORE(""))),
                REPORT(ROW(UUID_A "x", "a", MORE(""))),
                REPORT(ROW("UF7nBY-7nEc-q2GW-YG5e-75MX-nK3c-CWf3/3", "a", MORE(""))),
                REPORT(ROW(UUID_A, "", MORE(""))),
                REPORT(ROW(UUID_A, "[]", MORE(""))),
                REPORT(ROW(UUID_A, "a",
                           "\"lv_attr\":\"-wi-a-----\", \"lv_size\":\"8192\", \"chunk_size\":\"0\"")),
                REPORT(ROW(
                        UUID_A, "a",
                        "\"lv_attr\":\"-wi\", \"lv_size\":\"8\", \"chunk_size\":\"0\", \"devices\":\"\"")),
#define WITH_SIZE(s)                                              \
        REPORT(ROW(UUID_A, "a",                                   \
                   "\"lv_attr\":\"-wi-a-----\", \"lv_size\":\"" s \
                   "\", \"chunk_size\":\"0\", \"devices\":\"\""))
                WITH_SIZE("8m"),
                WITH_SIZE("-8"),
                WITH_SIZE(" 8"),
                WITH_SIZE("+8"),
                WITH_SIZE("8.5"),
                WITH_SIZE("18446744073709551616"),
                "{\"report\":[{\"lv\":[\xff]}]}",
        };
        LvmReport *report = NULL;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (parse(&report, bad[i]) != LVM_REPORT_MALFORMED)
                        fail_msg("taken for a report: %s", bad[i]);
        assert_int_equal(parse(&report, WITH_SIZE("18446744073709551615")), 0);
        (void) lvm_report_free(report);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_real),     cmocka_unit_test(test_truncated),
                cmocka_unit_test(test_segments), cmocka_unit_test(test_empty),
                cmocka_unit_test(test_alien),
        };

        return cmocka_run_group_tests(tests, load, unload);
}
