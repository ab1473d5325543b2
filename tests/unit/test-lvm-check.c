/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What may be an origin: rule by rule, on reports written here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/providers/lvm-check.h"

#define MIB   UINT64_C(1048576)
#define UUID  "UF7nBY7nEcq2GWYG5e75MXnK3cCWf3r3"
#define OTHER "xD4UJuPK7iN2POFeTPz9bI3qrLOuIann"

static char *no_tags[] = {NULL};

static LvmVolume volume(const char *lv, const char *attributes) {
        return (LvmVolume){
                .vg = (char *) "vg",
                .lv = (char *) lv,
                .name = (char *) "vg/x",
                .key = (char *) "LVM-key",
                .uuid = (char *) UUID,
                .vg_uuid = (char *) UUID,
                .path = (char *) "/dev/vg/x",
                .attributes = (char *) attributes,
                .segment = (char *) "linear",
                .health = (char *) "",
                .origin = (char *) "",
                .origin_uuid = (char *) "",
                .pool = (char *) "",
                .move = (char *) "",
                .devices = (char *) "",
                .vg_attributes = (char *) "wz--n-",
                .tags = no_tags,
                .size = 100 * MIB,
                .vg_free = 50 * MIB,
                .extent_size = 4 * MIB,
                .data_percent = -1,
                .metadata_percent = -1,
                .active = true,
        };
}

static void expect_origin(const LvmVolume *v, ContractError error, const char *said) {
        LvmVerdict verdict = {};

        assert_int_equal(lvm_check_origin(v, &verdict), error == CONTRACT_OK);
        assert_int_equal(verdict.error, error);
        if (error != CONTRACT_OK && !strstr(verdict.text, said))
                fail_msg("\"%s\" does not say \"%s\"", verdict.text, said);
}

static void test_kinds(void **state) {
        static const struct {
                const char *attributes;
                ContractError error;
                const char *said;
        } cases[] = {
                {"-wi-ao----", CONTRACT_OK, ""},
                {"owi-aos---", CONTRACT_OK, ""},
                {"Vwi-aotz--", CONTRACT_OK, ""},
                {"rwi-aor---", CONTRACT_OK, ""},
                {"Cwi-aoC---", CONTRACT_OK, ""},
                {"-ri-a-----", CONTRACT_OK, ""},
                {"Owi-aos---", CONTRACT_ERROR_VOLUME_BUSY, "being merged"},
                {"cwi-ao----", CONTRACT_ERROR_VOLUME_BUSY, "converted"},
                {"-wi-s-----", CONTRACT_ERROR_VOLUME_BUSY, "suspended"},
                {"swi-a-s---", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "snapshot itself"},
                {"vwi-a-----", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "virtual"},
                {"twi-aotz--", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "part of another"},
                {"Twi-ao----", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "part of another"},
                {"ewi-ao----", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "part of another"},
                {"pwi-ao----", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "part of another"},
                {"iwi-ao----", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "part of another"},
                {"-wi-ao--p-", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "missing"},
                {"Vwi-h-tz--", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, ""},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                LvmVolume v = volume("x", cases[i].attributes);

                expect_origin(&v, cases[i].error, cases[i].said);
        }
}

static void test_states(void **state) {
        LvmVolume v = volume("x", "-wi-ao----");
        const char *reason;

        v.move = (char *) "allocation locked";
        expect_origin(&v, CONTRACT_ERROR_VOLUME_BUSY, "pvmove");
        v = volume("x", "-wi-------");
        v.active = false;
        expect_origin(&v, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "not active");
        assert_null(lvm_volume_get_provider(&v, &reason));
        assert_non_null(reason);
        v = volume("x", "-wi-ao----");
        assert_ptr_equal(lvm_volume_get_provider(&v, &reason), &lvm_cow_ops);
        v.path = (char *) "";
        assert_null(lvm_volume_get_provider(&v, &reason));
        assert_null(reason);
        v = volume("x", "Vwi-aotz--");
        v.segment = (char *) "thin";
        assert_ptr_equal(lvm_volume_get_provider(&v, &reason), &lvm_thin_ops);
        v = volume("x", "vwi-aov---");
        v.segment = (char *) "vdo";
        expect_origin(&v, CONTRACT_OK, "");
}

static void test_ours(void **state) {
        char *tags[] = {(char *) "quiesced.set=00112233445566778899aabbccddeeff", NULL};
        LvmVolume v = volume("quiesced_00112233445566778899aabbccddeeff", "Vwi-aotz--");
        const char *reason;

        v.tags = tags;
        expect_origin(&v, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "made by quiesced");
        assert_null(lvm_volume_get_provider(&v, &reason));
        assert_null(reason);
        v.tags = no_tags;
        expect_origin(&v, CONTRACT_OK, "");
}

static void test_group(void **state) {
        static const struct {
                const char *attributes;
                ContractError error;
                const char *said;
        } cases[] = {
                {"wz--n-", CONTRACT_OK, ""},
                {"wz--ns", CONTRACT_ERROR_VOLUME_BUSY, "shared"},
                {"wz--nc", CONTRACT_ERROR_VOLUME_BUSY, "shared"},
                {"rz--n-", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "read-only"},
                {"wzx-n-", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "exported"},
                {"wz-pn-", CONTRACT_ERROR_VOLUME_NOT_SUPPORTED, "lacks a physical volume"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                LvmVolume v = volume("x", "-wi-ao----");
                LvmVerdict verdict = {};

                v.vg_attributes = (char *) cases[i].attributes;
                assert_int_equal(lvm_check_group(&v, &verdict), cases[i].error == CONTRACT_OK);
                assert_int_equal(verdict.error, cases[i].error);
                assert_non_null(strstr(verdict.text, cases[i].said));
        }
}

static void test_size(void **state) {
        LvmVolume v = volume("x", "-wi-ao----");
        LvmVerdict verdict = {};

        /* All of the origin changed: its data, and the lists of what is where. */
        assert_int_equal(lvm_cow_size(&v, 0, 20), 64 * MIB);
        assert_int_equal(lvm_cow_size(&v, 0, 100), 100 * MIB);
        assert_int_equal(lvm_cow_size(&v, 0, 1000), 104 * MIB);
        assert_int_equal(lvm_cow_size(&v, UINT64_MAX, 20), 104 * MIB);
        assert_int_equal(lvm_cow_size(&v, 1, 20), 4 * MIB);
        assert_int_equal(lvm_cow_size(&v, 4 * MIB + 1, 20), 8 * MIB);
        v.size = 1024 * 1024 * MIB;
        assert_int_equal(lvm_cow_size(&v, 0, 20), 1024 * 1024 * MIB / 5 / (4 * MIB) * (4 * MIB) + 4 * MIB);
        v.size = 4 * MIB;
        assert_int_equal(lvm_cow_size(&v, 0, 20), 8 * MIB);

        assert_true(lvm_check_space(&v, 50 * MIB, &verdict));
        assert_false(lvm_check_space(&v, 50 * MIB + 1, &verdict));
        assert_int_equal(verdict.error, CONTRACT_ERROR_INSUFFICIENT_STORAGE);
        assert_non_null(strstr(verdict.text, "vg"));
        assert_non_null(strstr(verdict.text, "52428801"));
        assert_non_null(strstr(verdict.text, "52428800"));
}

static void test_pool(void **state) {
        LvmVolume all[] = {volume("t", "Vwi-aotz--"), volume("pool", "twi-aotz--")};
        LvmReport report = {.volumes = all, .n_volumes = 2};
        static const char *const ill[] = {"twi-aotzF-", "twi-aotzD-", "twi-aotzM-", "twi-aotzp-"};
        LvmVerdict verdict = {};

        all[0].segment = (char *) "thin";
        all[0].pool = (char *) "pool";
        all[1].data_percent = 97.99;
        all[1].metadata_percent = 10;
        assert_true(lvm_check_pool(&report, &all[0], &verdict));
        all[1].data_percent = 98;
        assert_false(lvm_check_pool(&report, &all[0], &verdict));
        assert_int_equal(verdict.error, CONTRACT_ERROR_INSUFFICIENT_STORAGE);
        all[1].data_percent = 1;
        all[1].metadata_percent = 99;
        assert_false(lvm_check_pool(&report, &all[0], &verdict));
        assert_int_equal(verdict.error, CONTRACT_ERROR_INSUFFICIENT_STORAGE);
        all[1].metadata_percent = 1;
        for (size_t i = 0; i < ELEMENTSOF(ill); i++) {
                all[1].attributes = (char *) ill[i];
                assert_int_equal(strlen(ill[i]), 10);
                assert_false(lvm_check_pool(&report, &all[0], &verdict));
                assert_int_equal(verdict.error, CONTRACT_ERROR_VOLUME_NOT_SUPPORTED);
        }
        all[0].pool = (char *) "gone";
        assert_false(lvm_check_pool(&report, &all[0], &verdict));
}

static void test_relations(void **state) {
        char *tags[] = {(char *) "quiesced.set=00112233445566778899aabbccddeeff",
                        (char *) "quiesced.origin=" UUID, NULL};
        LvmVolume all[] = {volume("t", "Vwi-aotz--"),
                           volume("quiesced_00112233445566778899aabbccddeeff", "Vwi---tz-k"),
                           volume("quiesced_00112233445566778899aabbccddee00", "Vwi---tz-k")};
        LvmReport report = {.volumes = all, .n_volumes = 3};
        LvmVerdict verdict = {};

        for (size_t i = 0; i < 3; i++) {
                all[i].segment = (char *) "thin";
                all[i].pool = (char *) "pool";
        }
        assert_true(lvm_check_count(&report, &all[0], 1, &verdict));
        all[1].tags = all[2].tags = tags;
        assert_true(lvm_check_count(&report, &all[0], 3, &verdict));
        assert_false(lvm_check_count(&report, &all[0], 2, &verdict));
        assert_int_equal(verdict.error, CONTRACT_ERROR_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED);

        assert_false(lvm_volume_has_external_origin(&report, &all[0]));
        all[1].origin = (char *) "t";
        assert_false(lvm_volume_has_external_origin(&report, &all[1]));
        all[0].pool = (char *) "other";
        assert_true(lvm_volume_has_external_origin(&report, &all[1]));

        assert_false(lvm_volume_has_thick_snapshot(&report, &all[0]));
        all[1].origin_uuid = (char *) UUID;
        assert_false(lvm_volume_has_thick_snapshot(&report, &all[0]));
        all[1].segment = (char *) "linear";
        assert_true(lvm_volume_has_thick_snapshot(&report, &all[0]));
        all[1].origin_uuid = (char *) OTHER;
        assert_false(lvm_volume_has_thick_snapshot(&report, &all[0]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds),     cmocka_unit_test(test_states), cmocka_unit_test(test_ours),
                cmocka_unit_test(test_group),     cmocka_unit_test(test_size),   cmocka_unit_test(test_pool),
                cmocka_unit_test(test_relations),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
