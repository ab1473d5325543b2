/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Provider dm: names and uuids that are written are read again, and nothing else is taken for ours. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/providers/mapped-names.h"
#include "daemon/providers/mapped.h"

#define SNAPSHOT     "00112233-4455-6677-8899-aabbccddeeff"
#define SNAPSHOT_HEX "00112233445566778899aabbccddeeff"
#define SET          "11112222-3333-4444-5555-666677778888"
#define SET_HEX      "11112222333344445555666677778888"
#define SESSION      "99990000-aaaa-bbbb-cccc-ddddeeeeffff"
#define SESSION_HEX  "99990000aaaabbbbccccddddeeeeffff"
#define BIRTH        "quiesced_" SNAPSHOT_HEX "-cow"

static const MappedIds ids = {.snapshot = SNAPSHOT, .set = SET, .session = SESSION};

static void test_uuid(void **state) {
        static const char *const suffixes[_MAPPED_PART_MAX] = {"", "-real", "-cow"};

        for (MappedPart part = 0; part < _MAPPED_PART_MAX; part++) {
                char uuid[MAPPED_UUID_SIZE], expected[200];
                MappedIds read;
                MappedPart read_part;

                assert_int_equal(mapped_uuid(uuid, &ids, part), 0);
                (void) snprintf(expected, sizeof(expected), "QUIESCED-dm-%s-%s-%s%s", SNAPSHOT_HEX, SET_HEX,
                                SESSION_HEX, suffixes[part]);
                assert_string_equal(uuid, expected);
                assert_true(mapped_uuid_parse(uuid, &read, &read_part));
                assert_int_equal(read_part, part);
                assert_string_equal(read.snapshot, SNAPSHOT);
                assert_string_equal(read.set, SET);
                assert_string_equal(read.session, SESSION);
        }
}

static void test_uuid_of_others(void **state) {
        static const char *const others[] = {
                "",
                "LVM-UF7nBY7nEcq2GWYG5e75MXnK3cCWf3r3",
                "QUIESCED-dm-",
                "QUIESCED-dm-" SNAPSHOT_HEX,
                "QUIESCED-dm-" SNAPSHOT_HEX "-" SET_HEX "-" SESSION_HEX "-other",
                "QUIESCED-dm-" SNAPSHOT_HEX "-" SET_HEX "-" SESSION_HEX "0",
                "QUIESCED-dm-" SNAPSHOT_HEX "_" SET_HEX "-" SESSION_HEX,
                "QUIESCED-dm-" SNAPSHOT_HEX "-" SET_HEX,
                "QUIESCED-dm-0011223344556677889/aabbccddeeff-" SET_HEX "-" SESSION_HEX,
        };
        char uuid[MAPPED_UUID_SIZE];
        MappedIds read, none = ids;
        MappedPart part;

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_false(mapped_uuid_parse(others[i], &read, &part));
        assert_false(mapped_uuid_is_ours(NULL));
        assert_true(mapped_uuid_is_ours(others[2]));
        none.set[0] = '\0';
        assert_int_equal(mapped_uuid(uuid, &none, MAPPED_REAL), -EINVAL);
}

static void test_mark(void **state) {
        const MappedMark mark = {.owner_uid = UINT32_MAX,
                                 .n_volumes = CONTRACT_VOLUMES_MAX,
                                 .instant_realtime_usec = UINT64_C(1700000000000000),
                                 .consistency = CONTRACT_CONSISTENCY_APPLICATION};
        char name[MAPPED_NAME_SIZE];
        MappedMark read = {};

        assert_int_equal(mapped_mark_name(name, SNAPSHOT, &mark), 0);
        assert_string_equal(name, BIRTH "-4294967295-64-1700000000000000-application");
        assert_true(mapped_mark_parse(name, &read));
        assert_int_equal(read.owner_uid, mark.owner_uid);
        assert_int_equal(read.n_volumes, mark.n_volumes);
        assert_int_equal(read.instant_realtime_usec, mark.instant_realtime_usec);
        assert_int_equal(read.consistency, mark.consistency);
        for (ContractConsistency c = CONTRACT_CONSISTENCY_NONE; c < _CONTRACT_CONSISTENCY_MAX; c++) {
                MappedMark other = mark;

                other.consistency = c;
                assert_int_equal(mapped_mark_name(name, SNAPSHOT, &other), 0);
                assert_true(mapped_mark_parse(name, &read));
                assert_int_equal(read.consistency, c);
        }
        assert_int_equal(mapped_mark_name(name, "no id", &mark), -EINVAL);
}

/* What does not say all of it does not count. */
static void test_no_mark(void **state) {
        static const char *const names[] = {
                "",
                "c",
                BIRTH,
                BIRTH "-",
                BIRTH "-0",
                BIRTH "-0-4-1700000000000000",
                BIRTH "-0-4-1700000000000000-",
                BIRTH "-0-4-1700000000000000-wonderful",
                BIRTH "-0-0-1700000000000000-crash",
                BIRTH "-0-4-0-crash",
                BIRTH "-0-65-1700000000000000-crash",
                BIRTH "-4294967296-4-1700000000000000-crash",
                BIRTH "-0-4-99999999999999999999999-crash",
                BIRTH "--1-4-1700000000000000-crash",
                "quiesced_" SNAPSHOT_HEX "-real-0-4-1700000000000000-crash",
        };
        MappedMark mark;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_false(mapped_mark_parse(names[i], &mark));
}

static void test_names(void **state) {
        char name[MAPPED_NAME_SIZE];

        assert_int_equal(mapped_name(name, SNAPSHOT, MAPPED_SNAPSHOT), 0);
        assert_string_equal(name, "quiesced_" SNAPSHOT_HEX);
        assert_int_equal(mapped_name(name, SNAPSHOT, MAPPED_COW), 0);
        assert_string_equal(name, BIRTH);
        assert_int_equal(mapped_name(name, "", MAPPED_COW), -EINVAL);
}

static void test_targets(void **state) {
        assert_true(mapped_target_is_plain("linear"));
        assert_true(mapped_target_is_plain("crypt"));
        assert_false(mapped_target_is_plain("integrity"));
        assert_false(mapped_target_is_plain("snapshot-origin"));
        assert_false(mapped_target_is_plain("multipath"));
        assert_false(mapped_target_is_plain(""));
}

static void test_keys(void **state) {
        assert_true(mapped_crypt_key_is_in_keyring(
                "aes-xts-plain64 :64:logon:cryptsetup:0b6e-d0 0 254:17 32768 1 allow_discards"));
        assert_false(mapped_crypt_key_is_in_keyring("aes-xts-plain64 00ff:00 0 254:17 4096"));
        assert_false(mapped_crypt_key_is_in_keyring("aes-xts-plain64 - 0 254:17 4096"));
        assert_false(mapped_crypt_key_is_in_keyring("aes-xts-plain64"));
        assert_false(mapped_crypt_key_is_in_keyring(""));
}

/* Header, a record of 16 bytes for each chunk, and the chunks. */
static void test_size(void **state) {
        assert_int_equal(mapped_store_size_max(UINT64_C(1) << 30),
                         (1 + 1025 + (1 << 18) + 1) * UINT64_C(4096));
        assert_true(mapped_store_size_max(4096) >= 4 * UINT64_C(4096));
}

static void test_supported(void **state) {
        const char *reason;

        assert_true(mapped_volume_is_supported("CRYPT-LUKS1-0b6e-c", &reason));
        assert_null(reason);
        assert_false(mapped_volume_is_supported(NULL, &reason));
        assert_non_null(strstr(reason, "--setuuid"));
        assert_false(mapped_volume_is_supported("LVM-UF7nBY7nEcq2GWYG5e75MXnK3cCWf3r3-real", &reason));
        assert_non_null(reason);
        assert_false(mapped_volume_is_supported("mpath-3600508b400105e210000900000490000", &reason));
        assert_non_null(strstr(reason, "state of its own"));
        assert_true(mapped_volume_is_supported("part1-mpath-3600508b400105e210000900000490000", &reason));
        assert_false(mapped_volume_is_supported("QUIESCED-dm-x", &reason));
        assert_null(reason);
        assert_false(mapped_volume_is_supported("QUIESCED-COPY-b434c1a2d4934b1f8e7c000ffc0ce0d9", &reason));
        assert_null(reason);
        assert_false(mapped_volume_is_supported("QUIESCED-PLAIN-x", &reason));
        assert_null(reason);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_uuid),      cmocka_unit_test(test_uuid_of_others),
                cmocka_unit_test(test_mark),      cmocka_unit_test(test_no_mark),
                cmocka_unit_test(test_names),     cmocka_unit_test(test_targets),
                cmocka_unit_test(test_keys),      cmocka_unit_test(test_size),
                cmocka_unit_test(test_supported),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
