/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Names and tags: what is written is read again, and nothing else is taken for ours. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/providers/lvm-tags.h"

#define ID      "00112233-4455-6677-8899-aabbccddeeff"
#define HEX     "00112233445566778899aabbccddeeff"
#define ORIGIN  "UF7nBY7nEcq2GWYG5e75MXnK3cCWf3r3"
#define NAME    "quiesced_" HEX
#define SET     "quiesced.set=" HEX
#define SESSION "quiesced.session=" HEX
#define WHOLE   SET, SESSION, "quiesced.uid=1000", "quiesced.origin=" ORIGIN, "quiesced.final"
#define TOLD    "quiesced.instant=1700000000000000", "quiesced.volumes=3"

static bool read_back(LvmSnapshot *ret, const char *name, const char *const *tags) {
        LvmVolume volume = {.lv = (char *) name, .tags = (char **) tags};

        return lvm_volume_get_snapshot(&volume, ret);
}

static void test_name(void **state) {
        char name[LVM_NAME_SIZE];

        assert_int_equal(lvm_snapshot_name(name, ID), 0);
        assert_string_equal(name, NAME);
        assert_int_equal(lvm_snapshot_name(name, "00112233-4455-6677-8899-AABBCCDDEEFF"), 0);
        assert_string_equal(name, NAME);
        assert_int_equal(lvm_snapshot_name(name, ""), -EINVAL);
        assert_int_equal(lvm_snapshot_name(name, ID "0"), -EINVAL);
        assert_int_equal(lvm_snapshot_name(name, "0011223344556677-8899-aabbccddee/f"), -EINVAL);
}

/* LVM refuses a tag with any other character, and the whole lvcreate with it. */
static void test_birth(void **state) {
        char tags[LVM_TAGS_AT_BIRTH + 3][LVM_TAG_SIZE];
        const char *list[LVM_TAGS_AT_BIRTH + 4] = {};
        ProviderSet set = {.id = ID, .session_id = ID, .owner_uid = UINT32_MAX, .persistent = true};
        LvmSnapshot s;

        assert_int_equal(lvm_tags_at_birth(tags, &set, ORIGIN), 0);
        for (size_t i = 0; i < LVM_TAGS_AT_BIRTH; i++) {
                list[i] = tags[i];
                assert_int_equal(strspn(tags[i],
                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                        "_+.-/=!:&#"),
                                 strlen(tags[i]));
        }
        assert_true(read_back(&s, NAME, list));
        assert_false(s.final);
        assert_true(s.persistent);
        assert_int_equal(s.owner_uid, UINT32_MAX);
        assert_string_equal(s.id, ID);
        assert_string_equal(s.set_id, ID);
        assert_string_equal(s.origin_uuid, ORIGIN);

        /* What POST_FINAL_COMMIT does to them. */
        list[0] = "quiesced.final";
        lvm_tag_instant(tags[LVM_TAGS_AT_BIRTH], UINT64_C(1700000000123456));
        lvm_tag_volumes(tags[LVM_TAGS_AT_BIRTH + 1], 64);
        list[LVM_TAGS_AT_BIRTH] = tags[LVM_TAGS_AT_BIRTH];
        list[LVM_TAGS_AT_BIRTH + 1] = tags[LVM_TAGS_AT_BIRTH + 1];
        assert_true(read_back(&s, NAME, list));
        assert_true(s.final);
        assert_int_equal(s.instant_realtime_usec, UINT64_C(1700000000123456));
        assert_int_equal(s.n_volumes, 64);
}

static void test_not_ours(void **state) {
        LvmSnapshot s;

        assert_false(read_back(&s, "quiesced_", (const char *[]){WHOLE, NULL}));
        assert_false(read_back(&s, "quiesced_backup", (const char *[]){WHOLE, NULL}));
        assert_false(read_back(&s, NAME "0", (const char *[]){WHOLE, NULL}));
        assert_false(read_back(&s, "lvol0", (const char *[]){WHOLE, NULL}));
        /* Only the name: somebody's. */
        assert_false(read_back(&s, NAME, (const char *[]){NULL}));
        assert_false(read_back(&s, NAME, (const char *[]){"quiesced.unfinished", NULL}));
        assert_false(read_back(&s, NAME, (const char *[]){"quiesced.set=1", NULL}));
}

/* Ours, but with tags somebody has been at: never counts, and can be removed. */
static void test_damaged(void **state) {
        static const char *const damaged[][12] = {
                {WHOLE, TOLD},                                                 /* neither kind */
                {WHOLE, TOLD, "quiesced.persistent", "quiesced.auto-release"}, /* both */
                {WHOLE, TOLD, "quiesced.persistent", "quiesced.unfinished"},
                {WHOLE, "quiesced.persistent", "quiesced.volumes=3"},
                {WHOLE, "quiesced.persistent", "quiesced.instant=1"},
                {WHOLE, "quiesced.persistent", "quiesced.instant=x", "quiesced.volumes=3"},
                {WHOLE, "quiesced.persistent", "quiesced.instant=1", "quiesced.volumes=65"},
                {WHOLE, TOLD, "quiesced.persistent", "quiesced.uid=-1"},
                {WHOLE, TOLD, "quiesced.persistent", "quiesced.uid=4294967296"},
                {WHOLE, TOLD, "quiesced.persistent", "quiesced.session=zz"},
                {SET, "quiesced.final", TOLD, "quiesced.persistent"},
        };
        LvmSnapshot s;

        assert_true(
                read_back(&s, NAME, (const char *[]){WHOLE, TOLD, "quiesced.persistent", "other", NULL}));
        assert_true(s.final);
        for (size_t i = 0; i < ELEMENTSOF(damaged); i++) {
                assert_true(read_back(&s, NAME, damaged[i]));
                if (s.final)
                        fail_msg("case %zu counts", i);
        }
}

static void test_consistency(void **state) {
        char tag[LVM_TAG_SIZE];
        LvmSnapshot s;

        for (ContractConsistency c = CONTRACT_CONSISTENCY_NONE; c < _CONTRACT_CONSISTENCY_MAX; c++) {
                lvm_tag_consistency(tag, c);
                assert_true(read_back(&s, NAME,
                                      (const char *[]){WHOLE, TOLD, tag, "quiesced.persistent", NULL}));
                assert_true(s.final);
                assert_int_equal(s.consistency, c);
        }
        assert_string_equal(tag, "quiesced.consistency=application");
        /* An older quiesced tells none, a newer one perhaps another. */
        assert_true(read_back(&s, NAME, (const char *[]){WHOLE, TOLD, "quiesced.persistent", NULL}));
        assert_int_equal(s.consistency, CONTRACT_CONSISTENCY_NONE);
        assert_true(read_back(
                &s, NAME,
                (const char *[]){WHOLE, TOLD, "quiesced.persistent", "quiesced.consistency=perfect", NULL}));
        assert_true(s.final);
        assert_int_equal(s.consistency, CONTRACT_CONSISTENCY_NONE);
}

/* A copy is one by name and tag, of the same snapshot, and never a snapshot. */
static void test_copy(void **state) {
        char name[LVM_NAME_SIZE], tag[LVM_TAG_SIZE], id[CONTRACT_ID_MAX], key[LVM_COPY_KEY_SIZE];
        const char *tags[] = {tag, NULL}, *none[] = {NULL}, *other[] = {"quiesced.copy=" ORIGIN, NULL};
        LvmVolume volume = {.lv = name, .pool = (char *) "", .tags = (char **) tags};
        LvmSnapshot snapshot;

        assert_int_equal(lvm_copy_name(name, ID), 0);
        assert_string_equal(name, "quiesced_copy_" HEX);
        assert_int_equal(lvm_copy_name(name, "x"), -EINVAL);
        assert_int_equal(lvm_tag_copy(tag, "x"), -EINVAL);
        assert_int_equal(lvm_tag_copy(tag, ID), 0);
        assert_int_equal(lvm_copy_name(name, ID), 0);
        assert_true(lvm_volume_get_copy(&volume, id));
        assert_string_equal(id, ID);
        assert_false(lvm_volume_get_snapshot(&volume, &snapshot));
        lvm_copy_top_key(key, &volume);
        assert_string_equal(key, "QUIESCED-COPY-" HEX);
        volume.pool = (char *) "pool";
        lvm_copy_top_key(key, &volume);
        assert_string_equal(key, "");
        volume.tags = (char **) none;
        assert_false(lvm_volume_get_copy(&volume, id));
        volume.tags = (char **) other;
        assert_false(lvm_volume_get_copy(&volume, id));
        volume = (LvmVolume){.lv = (char *) NAME, .pool = (char *) "", .tags = (char **) tags};
        assert_false(lvm_volume_get_copy(&volume, id));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_copy),    cmocka_unit_test(test_name),
                cmocka_unit_test(test_birth),   cmocka_unit_test(test_not_ours),
                cmocka_unit_test(test_damaged), cmocka_unit_test(test_consistency),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
