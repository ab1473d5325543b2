/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiesced.conf: values, precedence of directories, drop-ins, and that a typing error changes nothing.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>

#include "daemon/config.h"

static char directory[64];

static int setup(void **state) {
        (void) snprintf(directory, sizeof(directory), "/tmp/quiesced-config.XXXXXX");
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int teardown(void **state) {
        return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *folder, const char *name, const char *text) {
        char path[192];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/%s", directory, folder);
        (void) mkdir(path, 0755);
        (void) snprintf(path, sizeof(path), "%s/%s/quiesced.conf.d", directory, folder);
        (void) mkdir(path, 0755);
        (void) snprintf(path, sizeof(path), "%s/%s/%s", directory, folder, name);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void load(Config *config) {
        char etc[96], run[96];
        const char *dirs[] = {etc, run, NULL};

        (void) snprintf(etc, sizeof(etc), "%s/etc", directory);
        (void) snprintf(run, sizeof(run), "%s/run", directory);
        config_default(config);
        config->dirs = dirs;
        assert_int_equal(config_load(config), 0);
}

static void test_usec(void **state) {
        static const struct {
                const char *text;
                uint64_t usec;
        } good[] = {{"1", 1000000},    {"30s", 30000000},       {"2min 30s", 150000000},
                    {"500ms", 500000}, {"1h30min", 5400000000}, {"10 min", 600000000},
                    {"7us", 7}};
        static const char *const bad[] = {
                "", "0", "-1", "s", "1x", "1.5s", "99999999999h", "99999999999999999999999", "infinity"};
        uint64_t usec;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(config_parse_usec(good[i].text, &usec), 0);
                assert_int_equal(usec, good[i].usec);
        }
        usec = 5;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_true(config_parse_usec(bad[i], &usec) < 0);
                assert_int_equal(usec, 5);
        }
}

static void test_unsigned_and_boolean(void **state) {
        bool b = false;
        unsigned n = 5;

        assert_int_equal(config_parse_unsigned("64", 1, 64, &n), 0);
        assert_int_equal(n, 64);
        assert_true(config_parse_unsigned("65", 1, 64, &n) < 0);
        assert_true(config_parse_unsigned("0", 1, 64, &n) < 0);
        assert_true(config_parse_unsigned("-1", 1, 64, &n) < 0);
        assert_true(config_parse_unsigned("7 ", 1, 64, &n) < 0);
        assert_int_equal(n, 64);
        assert_int_equal(config_parse_boolean("Yes", &b), 0);
        assert_true(b);
        assert_int_equal(config_parse_boolean("off", &b), 0);
        assert_false(b);
        assert_true(config_parse_boolean("maybe", &b) < 0);
}

static void test_nothing_there(void **state) {
        Config config;

        load(&config);
        assert_int_equal(config.contract.hold_limit_usec, 10 * USEC_PER_SEC);
        assert_int_equal(config.contract.event_limit_usec[CONTRACT_EVENT_IDENTIFY], 30 * USEC_PER_SEC);
        assert_true(config.expedite_rcu);
}

static void test_first_directory_wins(void **state) {
        Config config;

        write_file("etc", "quiesced.conf", "[Snapshots]\nCowPercent=33\n");
        write_file("run", "quiesced.conf", "[Snapshots]\nCowPercent=44\nMaxPerVolume=3\n");
        load(&config);
        assert_int_equal(config.cow_percent, 33);
        assert_int_equal(config.snapshots_max, 64);
}

static void test_drop_ins(void **state) {
        Config config;

        write_file("etc", "quiesced.conf", "[Hold]\nLimitSec=5s\nExpediteRCU=yes\n");
        write_file("run", "quiesced.conf.d/20-late.conf", "[Hold]\nLimitSec=3s\n");
        write_file("etc", "quiesced.conf.d/10-early.conf", "[Hold]\nLimitSec=4s\nExpediteRCU=no\n");
        write_file("run", "quiesced.conf.d/10-early.conf", "[Hold]\nLimitSec=9s\nExpediteRCU=yes\n");
        write_file("run", "quiesced.conf.d/99-no.txt", "[Hold]\nLimitSec=8s\n");
        load(&config);
        assert_int_equal(config.contract.hold_limit_usec, 3 * USEC_PER_SEC);
        assert_false(config.expedite_rcu);
}

static void test_typing_errors(void **state) {
        Config config;

        write_file(
                "etc", "quiesced.conf",
                "[Hold]\nLimitSec=soon\nLimitSec=11s\nLimit=4s\nno line at all\n[External]\nLimitSec=51s\n"
                "[Snapshots]\nCowPercent=1000\nMaxPerVolume=7\n");
        load(&config);
        assert_int_equal(config.contract.hold_limit_usec, 10 * USEC_PER_SEC);
        assert_int_equal(config.external_limit_usec, 10 * USEC_PER_SEC);
        assert_int_equal(config.cow_percent, 20);
        assert_int_equal(config.snapshots_max, 7);
}

static void test_placements(void **state) {
        Config config;

        write_file("etc", "quiesced.conf",
                   "[Snapshots]\nStoreOn=one /dev/sda /dev/sdb:0-99\nStoreOn=two /dev/sdc\nStoreOn=three\n"
                   "StoreOn=four sdd\nStoreOn=five /dev/sda ../etc\n");
        write_file("etc", "quiesced.conf.d/10.conf", "[Snapshots]\nStoreOn=two /dev/sde\n");
        load(&config);
        assert_string_equal(lvm_placements_find(&config.placements, "one")[0], "/dev/sda");
        assert_string_equal(lvm_placements_find(&config.placements, "one")[1], "/dev/sdb:0-99");
        assert_null(lvm_placements_find(&config.placements, "one")[2]);
        assert_string_equal(lvm_placements_find(&config.placements, "two")[0], "/dev/sde");
        assert_null(lvm_placements_find(&config.placements, "two")[1]);
        assert_null(lvm_placements_find(&config.placements, "three"));
        assert_null(lvm_placements_find(&config.placements, "four"));
        assert_null(lvm_placements_find(&config.placements, "five"));
        assert_null(lvm_placements_find(NULL, "one"));
        config_done(&config);
}

static void test_stores(void **state) {
        Config config;

        write_file("etc", "quiesced.conf",
                   "[Dm]\nStore=home* /dev/disk/by-partlabel/a /dev/disk/by-partlabel/b\nStore=c\n"
                   "Store=d /srv/file\nPlaintextStores=perhaps\n");
        load(&config);
        assert_int_equal(config.dm_stores.n_items, 1);
        assert_string_equal(config.dm_stores.items[0].group, "home*");
        assert_string_equal(config.dm_stores.items[0].devices[1], "/dev/disk/by-partlabel/b");
        assert_null(config.dm_stores.items[0].devices[2]);
        assert_false(config.dm_plaintext_stores);
        config_done(&config);
        write_file("etc", "quiesced.conf", "[Dm]\nPlaintextStores=yes\n");
        load(&config);
        assert_int_equal(config.dm_stores.n_items, 0);
        assert_true(config.dm_plaintext_stores);
        config_done(&config);
}

/* Read again it counts as a whole, but for what counts from the start on; or not at all. */
static void test_again(void **state) {
        char etc[96], *wrong = NULL;
        const char *dirs[] = {etc, NULL};
        Config config;

        (void) snprintf(etc, sizeof(etc), "%s/etc", directory);
        write_file("etc", "quiesced.conf",
                   "[Hold]\nLimitSec=5s\n[Snapshots]\nStoreOn=one /dev/sda\n[Keep old]\nKeepLast=1\n");
        config_default(&config);
        config.dirs = dirs;
        config.runtime_dir = "/elsewhere";
        assert_int_equal(config_load(&config), 0);
        write_file("etc", "quiesced.conf",
                   "[Hold]\nLimitSec=4s\n[Snapshots]\nStoreOn=one /dev/sdb\n[Keep new]\nKeepLast=2\n");
        assert_int_equal(config_load_again(&config, &wrong), 0);
        assert_null(wrong);
        assert_int_equal(config.contract.hold_limit_usec, 5 * USEC_PER_SEC);
        assert_string_equal(lvm_placements_find(&config.placements, "one")[0], "/dev/sdb");
        assert_int_equal(config.keeping.n_rules, 1);
        assert_string_equal(config.keeping.rules[0].label, "new");
        assert_string_equal(config.runtime_dir, "/elsewhere");
        write_file("etc", "quiesced.conf", "[Snapshots]\nCowPercent=30\nMaxPerVolume=7\n");
        write_file("etc", "quiesced.conf.d/10.conf", "[Snapshots]\nMaxPerVolume=many\nStoreOn=two\n");
        assert_int_equal(config_load_again(&config, &wrong), -EBADMSG);
        assert_non_null(
                strstr(wrong, "quiesced.conf.d/10.conf: [Snapshots] MaxPerVolume=many is not a valid"));
        free(wrong);
        write_file("etc", "quiesced.conf.d/10.conf", "[Snapshots]\nno line\n");
        assert_int_equal(config_load_again(&config, &wrong), -EBADMSG);
        assert_non_null(strstr(wrong, "10.conf: line 2 is not understood"));
        free(wrong);
        write_file("etc", "quiesced.conf.d/10.conf", "[Keep new]\nKeepLast=none\n");
        assert_int_equal(config_load_again(&config, &wrong), -EBADMSG);
        assert_non_null(strstr(wrong, "[Keep new] KeepLast=none is not valid"));
        free(wrong);
        assert_int_equal(config.cow_percent, 20);
        assert_int_equal(config.snapshots_max, 64);
        assert_string_equal(lvm_placements_find(&config.placements, "one")[0], "/dev/sdb");
        assert_int_equal(config.keeping.rules[0].keep[KEEPING_LAST], 2);
        config_done(&config);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_usec),          TEST(test_unsigned_and_boolean),
                TEST(test_nothing_there), TEST(test_first_directory_wins),
                TEST(test_drop_ins),      TEST(test_typing_errors),
                TEST(test_placements),    TEST(test_stores),
                TEST(test_again),
        };

        return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
