/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a command sees where: mount tables as files, paths in, plans out. And numbers as quiescectl prints
 * and reads them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ctl/format.h"
#include "ctl/origin.h"
#include "ctl/plan.h"
#include "ctl/previous-versions.h"

/* id parent major:minor root point options - type source super-options */
static const char mountinfo[] = "21 1 254:0 / / rw shared:1 - ext4 /dev/mapper/vg-root rw\n"
                                "22 21 0:5 / /proc rw - proc proc rw\n"
                                "23 21 0:6 / /run rw - tmpfs tmpfs rw\n"
                                "24 21 254:1 / /srv rw - ext4 /dev/mapper/vg-srv rw\n"
                                "25 24 254:2 / /srv/db rw - xfs /dev/mapper/vg-db rw\n"
                                "26 24 0:40 / /srv/nfs rw - nfs4 server:/export rw\n"
                                "27 26 254:3 / /srv/nfs/lv rw - ext4 /dev/mapper/vg-lv rw\n"
                                "28 24 8:1 / /srv/disk rw - ext4 /dev/sda1 rw\n"
                                "29 21 254:1 /sub/dir /bind rw - ext4 /dev/mapper/vg-srv rw\n"
                                "30 21 254:4 / /with\\040space rw - ext4 /dev/mapper/vg-space rw\n"
                                "31 21 254:5 / /hidden/below rw - ext4 /dev/mapper/vg-hidden rw\n"
                                "32 21 254:6 / /hidden rw - ext4 /dev/mapper/vg-hides rw\n"
                                "33 24 254:7 / /srv/over rw - ext4 /dev/mapper/vg-under rw\n"
                                "34 33 254:8 / /srv/over rw - ext4 /dev/mapper/vg-over rw\n"
                                "35 24 0:41 / /srv/cache rw - tmpfs tmpfs rw\n";

static MountTable *table;

static int setup(void **state) {
        char path[] = "/tmp/test-ctl-plan-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, mountinfo, sizeof(mountinfo) - 1), sizeof(mountinfo) - 1);
        assert_int_equal(mount_table_new(&table, path), 0);
        close(fd);
        unlink(path);
        return 0;
}

static int teardown(void **state) {
        table = mount_table_free(table);
        return 0;
}

static void assert_resolves(const char *path, int id) {
        const Mount *mount = mount_table_resolve(table, path);

        assert_non_null(mount);
        assert_int_equal(mount->id, id);
}

static void test_resolve(void **state) {
        assert_resolves("/", 21);
        assert_resolves("/home/x", 21);
        assert_resolves("/srv", 24);
        assert_resolves("/srvx", 21);
        assert_resolves("/srv/db/a", 25);
        assert_resolves("/bind/file", 29);
        assert_resolves("/with space/x", 30);
        assert_resolves("/hidden/below/x", 32);
        assert_resolves("/srv/over", 34);
}

static void assert_inside(const char *path, const char *inside) {
        char *got = path_inside_mount(mount_table_resolve(table, path), path);

        assert_string_equal(got, inside);
        free(got);
}

static void test_inside(void **state) {
        assert_inside("/", "");
        assert_inside("/home/x", "home/x");
        assert_inside("/srv", "");
        assert_inside("/srv/a/b", "a/b");
        assert_inside("/bind", "sub/dir");
        assert_inside("/bind/file", "sub/dir/file");
}

static Plan *make_plan(char **paths, size_t n_paths, char **live, size_t n_live, bool one_file_system) {
        PlanOptions options = {paths, n_paths, live, n_live, one_file_system};
        Plan *plan;

        assert_int_equal(plan_new(&plan, table, &options), 0);
        plan_finish(plan);
        return plan;
}

static const PlanEntry *find(const Plan *plan, const char *path) {
        for (size_t i = 0; i < plan->n_entries; i++)
                if (streq(plan->entries[i].path, path))
                        return &plan->entries[i];
        return NULL;
}

static void assert_entry(const Plan *plan, const char *path, PlanKind kind, bool needed, bool named) {
        const PlanEntry *entry = find(plan, path);

        assert_non_null(entry);
        assert_int_equal(entry->kind, kind);
        assert_int_equal(entry->needed, needed);
        assert_int_equal(entry->named, named);
}

static void test_nested(void **state) {
        char *paths[] = {(char *) "/srv"};
        Plan *plan = make_plan(paths, 1, NULL, 0, false);

        assert_string_equal(plan->entries[0].path, "/srv");
        assert_true(plan->entries[0].given);
        assert_entry(plan, "/srv/db", PLAN_SNAPSHOT, true, false);
        assert_entry(plan, "/srv/nfs", PLAN_LIVE, true, true);
        assert_entry(plan, "/srv/nfs/lv", PLAN_SNAPSHOT, true, false);
        assert_entry(plan, "/srv/cache", PLAN_LIVE, true, true);
        assert_int_equal(find(plan, "/srv/over")->mount->id, 34);
        assert_int_equal(plan->n_entries, 7);
        /* srv, db, lv, disk, over */
        assert_int_equal(plan->n_volumes, 5);
        plan_free(plan);
}

static void test_stays_live(void **state) {
        char *paths[] = {(char *) "/srv"};
        Plan *plan = make_plan(paths, 1, NULL, 0, false);
        size_t volume = find(plan, "/srv/disk")->volume;

        assert_int_equal(plan_volume_stays_live(plan, volume, "it is no logical volume"), 0);
        plan_finish(plan);
        assert_entry(plan, "/srv/disk", PLAN_LIVE, true, true);
        assert_string_equal(find(plan, "/srv/disk")->reason, "it is no logical volume");
        /* What lies in something live comes with it. */
        assert_int_equal(plan_volume_stays_live(plan, find(plan, "/srv/nfs/lv")->volume, "no"), 0);
        plan_finish(plan);
        assert_entry(plan, "/srv/nfs/lv", PLAN_LIVE, false, true);
        plan_free(plan);
}

static void test_one_file_system(void **state) {
        char *paths[] = {(char *) "/srv", (char *) "/srv/db/deep"};
        Plan *plan = make_plan(paths, 2, NULL, 0, true);

        assert_entry(plan, "/srv/db", PLAN_LIVE, true, false);
        assert_entry(plan, "/srv/nfs", PLAN_LIVE, true, false);
        assert_entry(plan, "/srv/db/deep", PLAN_SNAPSHOT, true, false);
        assert_string_equal(find(plan, "/srv/db/deep")->inside, "deep");
        assert_int_equal(plan->n_volumes, 2);
        plan_free(plan);
}

static void test_root(void **state) {
        char *paths[] = {(char *) "/"}, *live[] = {(char *) "/root/.cache"};
        Plan *plan = make_plan(paths, 1, live, 1, false);

        assert_string_equal(plan->entries[0].path, "/");
        assert_entry(plan, "/tmp", PLAN_LIVE, true, false);
        assert_entry(plan, "/var/tmp", PLAN_LIVE, true, false);
        assert_entry(plan, "/run", PLAN_LIVE, true, false);
        assert_entry(plan, "/proc", PLAN_LIVE, true, false);
        assert_entry(plan, "/root/.cache", PLAN_LIVE, true, false);
        assert_entry(plan, "/srv/db", PLAN_SNAPSHOT, true, false);
        assert_null(find(plan, "/hidden/below"));
        assert_entry(plan, "/bind", PLAN_SNAPSHOT, true, false);
        assert_int_equal(find(plan, "/bind")->volume, find(plan, "/srv")->volume);
        plan_free(plan);
}

static void test_live_below(void **state) {
        char *paths[] = {(char *) "/srv", (char *) "/srv/db/in"};
        char *live[] = {(char *) "/srv/db"};
        Plan *plan = make_plan(paths, 2, live, 1, false);

        assert_entry(plan, "/srv/db", PLAN_LIVE, true, false);
        assert_entry(plan, "/srv/db/in", PLAN_SNAPSHOT, true, false);
        plan_free(plan);
}

static void test_doubles(void **state) {
        char *paths[] = {(char *) "/srv/a/b", (char *) "/srv", (char *) "/srv", (char *) "/srv/db"};
        Plan *plan = make_plan(paths, 4, NULL, 0, true);

        assert_null(find(plan, "/srv/a/b"));
        assert_true(find(plan, "/srv/db")->given);
        assert_entry(plan, "/srv/db", PLAN_SNAPSHOT, true, false);
        plan_free(plan);
}

static void test_format(void **state) {
        char buffer[FORMAT_MAX];
        uint64_t size;

        assert_string_equal(format_duration(buffer, 999), "999 us");
        assert_string_equal(format_duration(buffer, 83999), "83 ms");
        assert_string_equal(format_duration(buffer, 1520000), "1.52 s");
        assert_string_equal(format_duration(buffer, 247000000), "4 min 7 s");
        assert_string_equal(format_duration(buffer, UINT64_C(86400000000)), "24 h");
        assert_string_equal(format_duration(buffer, 600000000), "10 min");
        assert_string_equal(format_duration(buffer, (30 * 86400 + 3661) * UINT64_C(1000000)), "30 d 1 h");
        assert_string_equal(format_size(buffer, 512), "512B");
        assert_string_equal(format_size(buffer, 1536ULL << 20), "1.5G");
        assert_string_equal(format_size(buffer, UINT64_MAX), "15.9E");
        assert_string_equal(format_time(buffer, 1700000000123456), "2023-11-14T22:13:20.123456Z");
        assert_int_equal(parse_size("512M", &size), 0);
        assert_int_equal(size, 512 << 20);
        assert_int_equal(parse_size("4096", &size), 0);
        assert_int_equal(size, 4096);
        assert_int_equal(parse_size("-1", &size), -EINVAL);
        assert_int_equal(parse_size("1X", &size), -EINVAL);
        assert_int_equal(parse_size("1MM", &size), -EINVAL);
        assert_int_equal(parse_size("99999999999E", &size), -ERANGE);
}

static void test_durations(void **state) {
        static const char *const wrong[] = {"", "-1", "1x", "h", "1hh", "1 h", "1.5h", "tomorrow"};
        uint64_t usec;

        assert_int_equal(parse_duration("90", &usec), 0);
        assert_int_equal(usec, 90 * USEC_PER_SEC);
        assert_int_equal(parse_duration("3s", &usec), 0);
        assert_int_equal(usec, 3 * USEC_PER_SEC);
        assert_int_equal(parse_duration("30m", &usec), 0);
        assert_int_equal(usec, 1800 * USEC_PER_SEC);
        assert_int_equal(parse_duration("12h", &usec), 0);
        assert_int_equal(usec, 43200 * USEC_PER_SEC);
        assert_int_equal(parse_duration("7d", &usec), 0);
        assert_int_equal(usec, 604800 * USEC_PER_SEC);
        assert_int_equal(parse_duration("99999999999999999999", &usec), -ERANGE);
        assert_int_equal(parse_duration("999999999999d", &usec), -ERANGE);
        assert_int_equal(parse_duration("18446744073709551615d", &usec), -ERANGE);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(parse_duration(wrong[i], &usec), -EINVAL);
}

static void test_statuses(void **state) {
        static const char *const wrong[] = {
                "", "-1", "256", "0,", ",0", " 1", "0, 1", "+1", "1x", "0x1", "99999999999999999999"};
        int *statuses = NULL;
        size_t n = 0;

        assert_int_equal(parse_statuses("0,1,255", &statuses, &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(statuses[0], 0);
        assert_int_equal(statuses[1], 1);
        assert_int_equal(statuses[2], 255);
        free(statuses);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(parse_statuses(wrong[i], &statuses, &n), -EINVAL);
}

/* A mount that is entered is what is seen there, and hides what is below. */
static void test_add(void **state) {
        const dev_t device = makedev(0xfff, 1);

        assert_int_equal(mount_table_add(table, "/srv", device, "ext4", "vg/old"), 0);
        assert_true(mount_table_resolve(table, "/srv/db/a")->device == device);
        assert_int_equal(mount_table_add(table, "/srv/db/deep", makedev(0xfff, 2), "xfs", "vg/older"), 0);
        assert_true(mount_table_resolve(table, "/srv/db/a")->device == device);
        assert_true(mount_table_resolve(table, "/srv/db/deep")->device == makedev(0xfff, 2));
        assert_resolves("/home", 21);
        assert_inside("/srv/db/deep/x/y", "x/y");
}

/* A file system above LUKS, on a logical volume that has a snapshot: 253:3 on 253:2 on 253:1, and 253:4 on
 * 253:1. */
static void make_device(const char *sysfs, const char *number, const char *uuid, const char *slave) {
        char command[512];

        (void) snprintf(command, sizeof(command),
                        "d=%s/dev/block/%s && mkdir -p $d/dm $d/slaves && echo %s > $d/dm/uuid && "
                        "{ [ -z %s ] || ln -s ../../%s $d/slaves/%s; }",
                        sysfs, number, uuid, slave, slave, slave);
        assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
}

static void test_origin(void **state) {
        char sysfs[] = "/tmp/test-ctl-plan-XXXXXX", command[64];

        assert_non_null(mkdtemp(sysfs));
        make_device(sysfs, "253:1", "LVM-vglv-real", "\"\"");
        make_device(sysfs, "253:2", "LVM-vglv", "253:1");
        make_device(sysfs, "253:3", "CRYPT-LUKS2-x", "253:2");
        make_device(sysfs, "253:4", "LVM-vgsnapshot", "253:1");
        assert_true(device_lies_on(sysfs, makedev(253, 2), "LVM-vglv"));
        assert_true(device_lies_on(sysfs, makedev(253, 3), "LVM-vglv"));
        assert_false(device_lies_on(sysfs, makedev(253, 4), "LVM-vglv"));
        assert_false(device_lies_on(sysfs, makedev(8, 1), "LVM-vglv"));
        (void) snprintf(command, sizeof(command), "rm -r %s", sysfs);
        assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
}

/* Clients as in exports(5), and what exportfs(8) is told. */
static void test_nfs_export(void **state) {
        static const char *const wrong[] = {"",       "(ro)",      "-u", "a b",  "a(",   "a(ro",     "a()",
                                            "a(ro)b", "a(ro)(rw)", "a)", "a\nb", "a\\b", "a(fsid=1)"};
        NfsExport exports = {};
        char *place, *options;

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(nfs_export_add_client(&exports, wrong[i]), -EINVAL);
        assert_int_equal(exports.n_clients, 0);
        assert_int_equal(nfs_export_add_client(&exports, "*"), 0);
        assert_int_equal(nfs_export_add_client(&exports, "192.0.2.0/24(sec=krb5,insecure)"), 0);
        assert_int_equal(nfs_export_arguments(exports.clients[0], "/a b", "1-2", &place, &options), 0);
        assert_string_equal(place, "*:/a b");
        assert_string_equal(options, "ro,nohide,no_subtree_check,fsid=1-2");
        free(place);
        free(options);
        assert_int_equal(nfs_export_arguments(exports.clients[1], "/a", "1-2", &place, &options), 0);
        assert_string_equal(place, "192.0.2.0/24:/a");
        assert_string_equal(options, "ro,nohide,no_subtree_check,fsid=1-2,sec=krb5,insecure");
        free(place);
        free(options);
        nfs_export_done(&exports);
}

static void test_version_names(void **state) {
        static const char *const others[] = {
                "",
                "@GMT-",
                "@GMT-2026.11.30-06.45.1",
                "@GMT-2026.11.30-06.45.123",
                "@GMT-2026.11.30-06:45.12",
                "..",
                "office",
                "@gmt-2026.11.30-06.45.12",
        };
        char name[VERSION_NAME_SIZE];

        version_name(name, UINT64_C(1796021112999999));
        assert_string_equal(name, "@GMT-2026.11.30-06.45.12");
        assert_true(version_is_name(name));
        version_name(name, 0);
        assert_string_equal(name, "@GMT-1970.01.01-00.00.00");
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_false(version_is_name(others[i]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_resolve),         cmocka_unit_test(test_inside),
                cmocka_unit_test(test_nested),          cmocka_unit_test(test_stays_live),
                cmocka_unit_test(test_one_file_system), cmocka_unit_test(test_root),
                cmocka_unit_test(test_live_below),      cmocka_unit_test(test_doubles),
                cmocka_unit_test(test_format),          cmocka_unit_test(test_durations),
                cmocka_unit_test(test_statuses),        cmocka_unit_test(test_add),
                cmocka_unit_test(test_origin),          cmocka_unit_test(test_version_names),
                cmocka_unit_test(test_nfs_export),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
