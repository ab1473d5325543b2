/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Records of sessions: what is written is read again in full; what is damaged is removed and stops nobody.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>

#include "daemon/records/record.h"

#define ID     "11111111-2222-3333-4444-555555555555"
#define SET_ID "66666666-7777-8888-9999-000000000000"

static char directory[64];

static int setup(void **state) {
        (void) snprintf(directory, sizeof(directory), "/tmp/quiesced-record.XXXXXX");
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int teardown(void **state) {
        return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

typedef struct Found {
        SessionRecord records[4];
        size_t n;
} Found;

static void found(SessionRecord *record, void *userdata) {
        Found *f = userdata;

        f->records[f->n++] = *record;
}

static void fill(SessionRecord *record) {
        *record = (SessionRecord){
                .kind = CONTRACT_RESTORE,
                .owner = strdup(":1.42"),
                .bus = strdup("0123456789abcdef0123456789abcdef"),
                .uid = 34,
                .since_usec = 1700000000000000,
                .context = CONTRACT_CONTEXT_APP_ROLLBACK,
                .completed = true,
        };
        (void) snprintf(record->id, sizeof(record->id), ID);
        (void) snprintf(record->set_id, sizeof(record->set_id), SET_ID);
        assert_int_equal(record_set_writers(record, 2), 0);
        record->writers[0] = (RecordWriter){strdup("alpha"), CONTRACT_LEVEL_FRONT_END, true};
        record->writers[1] = (RecordWriter){strdup("beta \"quoted\""), CONTRACT_LEVEL_SYSTEM, false};
}

static void test_round_trip(void **state) {
        SessionRecord record;
        Found f = {};

        fill(&record);
        assert_int_equal(record_write(&record, directory), 0);
        assert_int_equal(records_read(directory, found, &f), 0);
        assert_int_equal(f.n, 1);
        assert_string_equal(f.records[0].id, ID);
        assert_int_equal(f.records[0].kind, CONTRACT_RESTORE);
        assert_string_equal(f.records[0].owner, ":1.42");
        assert_string_equal(f.records[0].bus, record.bus);
        assert_int_equal(f.records[0].uid, 34);
        assert_int_equal(f.records[0].since_usec, record.since_usec);
        assert_int_equal(f.records[0].context, CONTRACT_CONTEXT_APP_ROLLBACK);
        assert_string_equal(f.records[0].set_id, SET_ID);
        assert_true(f.records[0].completed);
        assert_false(f.records[0].aborted);
        assert_int_equal(f.records[0].n_writers, 2);
        assert_string_equal(f.records[0].writers[0].name, "alpha");
        assert_true(f.records[0].writers[0].prepared);
        assert_string_equal(f.records[0].writers[1].name, "beta \"quoted\"");
        assert_int_equal(f.records[0].writers[1].level, CONTRACT_LEVEL_SYSTEM);
        assert_false(f.records[0].writers[1].prepared);
        record_done(&f.records[0]);

        record_remove(&record, directory);
        f.n = 0;
        assert_int_equal(records_read(directory, found, &f), 0);
        assert_int_equal(f.n, 0);
        record_done(&record);
}

static void test_damaged(void **state) {
        static const char *const damaged[] = {
                "", "{", "[]", "{}", "{\"version\": 2, \"id\": \"" ID "\"}",
        };
        SessionRecord record;
        char path[192];
        Found f = {};

        fill(&record);
        assert_int_equal(record_write(&record, directory), 0);
        for (size_t i = 0; i < ELEMENTSOF(damaged); i++) {
                FILE *file;

                (void) snprintf(path, sizeof(path), "%s/sessions/aaaaaaaa-2222-3333-4444-%012zu.json",
                                directory, i);
                file = fopen(path, "we");
                assert_non_null(file);
                assert_true(fputs(damaged[i], file) >= 0);
                assert_int_equal(fclose(file), 0);
        }
        assert_int_equal(records_read(directory, found, &f), 0);
        assert_int_equal(f.n, 1);
        assert_string_equal(f.records[0].id, ID);
        assert_int_equal(access(path, F_OK), -1);
        record_done(&f.records[0]);
        record_done(&record);
}

static void test_nothing_there(void **state) {
        Found f = {};

        assert_int_equal(records_read(directory, found, &f), 0);
        assert_int_equal(f.n, 0);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_round_trip),
                TEST(test_damaged),
                TEST(test_nothing_there),
        };

        return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
