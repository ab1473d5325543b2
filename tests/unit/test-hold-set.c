/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hold-set: what the hold takes for a description of a set, and what it refuses.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "daemon/hold/hold-set.h"

static const HoldBegin good_begin = {
        .n_groups = 2,
        .n_volumes = 3,
        .n_mounts = 2,
        .hold_limit_usec = 10 * USEC_PER_SEC,
        .lock_limit_usec = 2 * USEC_PER_SEC,
        .pool_margin = 20,
};

static HoldVolume cow(uint32_t index, const char *origin, const char *snapshot) {
        HoldVolume v = {.index = index, .kind = HOLD_VOLUME_COW, .depth = index};

        (void) snprintf(v.origin_uuid, sizeof(v.origin_uuid), "LVM-%s", origin);
        (void) snprintf(v.snapshot_uuid, sizeof(v.snapshot_uuid), "LVM-%s", snapshot);
        (void) snprintf(v.cow_uuid, sizeof(v.cow_uuid), "LVM-%s-cow", snapshot);
        return v;
}

static HoldVolume thin(uint32_t index, const char *origin, uint32_t id) {
        HoldVolume v = {.index = index, .kind = HOLD_VOLUME_THIN, .thin_snapshot_id = id};

        (void) snprintf(v.origin_uuid, sizeof(v.origin_uuid), "LVM-%s", origin);
        (void) snprintf(v.pool_uuid, sizeof(v.pool_uuid), "LVM-pool-tpool");
        return v;
}

static int set_up(void **state) {
        HoldSet *set;

        assert_int_equal(hold_set_new(&set), 0);
        assert_int_equal(hold_set_begin(set, &good_begin), 0);
        *state = set;
        return 0;
}

static int tear_down(void **state) {
        (void) hold_set_free(*state);
        return 0;
}

static void test_begin(void **state) {
        _cleanup_(hold_set_freep) HoldSet *set = NULL;
        HoldBegin b;

        (void) state;
        assert_int_equal(hold_set_new(&set), 0);
        assert_false(hold_set_is_complete(set));
#define REFUSED(field, value)                                       \
        do {                                                        \
                b = good_begin;                                     \
                b.field = (value);                                  \
                assert_int_equal(hold_set_begin(set, &b), -EINVAL); \
        } while (0)
        REFUSED(n_volumes, 0);
        REFUSED(n_volumes, HOLD_VOLUMES_MAX + 1);
        REFUSED(n_groups, HOLD_GROUPS_MAX + 1);
        REFUSED(n_mounts, HOLD_MOUNTS_MAX + 1);
        REFUSED(hold_limit_usec, 0);
        REFUSED(hold_limit_usec, HOLD_LONG_LIMIT_MAX_USEC + 1);
        REFUSED(lock_limit_usec, HOLD_LOCK_LIMIT_MAX_USEC + 1);
        REFUSED(pool_margin, 1001);
        assert_int_equal(hold_set_begin(set, &good_begin), 0);
        assert_int_equal(hold_set_begin(set, &good_begin), -EALREADY);
}

static int add_group(HoldSet *set, const char *path) {
        HoldGroup group = {};

        (void) snprintf(group.lock_path, sizeof(group.lock_path), "%s", path);
        return hold_set_add_group(set, &group);
}

static void test_groups(void **state) {
        HoldSet *set = *state;
        HoldGroup endless;

        memset(&endless, '/', sizeof(endless));
        assert_int_equal(hold_set_add_group(set, &endless), -EINVAL);
        assert_int_equal(add_group(set, ""), -EINVAL);
        assert_int_equal(add_group(set, "run/lock/lvm/V_a"), -EINVAL);
        assert_int_equal(add_group(set, "/run/lock/lvm/V_b"), 0);
        assert_int_equal(add_group(set, "/run/lock/lvm/V_b"), -EINVAL);
        assert_int_equal(add_group(set, "/run/lock/lvm/V_a"), -EINVAL);
        assert_int_equal(add_group(set, "/run/lock/lvm/V_c"), 0);
        assert_int_equal(add_group(set, "/run/lock/lvm/V_d"), -EINVAL);
}

static void test_volumes(void **state) {
        HoldSet *set = *state;
        HoldVolume v;

        v = cow(1, "o", "s");
        assert_int_equal(hold_set_add_volume(set, &v), -EINVAL);
        v = cow(0, "o", "s");
        v.kind = 4;
        assert_int_equal(hold_set_add_volume(set, &v), -EINVAL);
        v = cow(0, "o", "s");
        v.cow_uuid[0] = '\0';
        assert_int_equal(hold_set_add_volume(set, &v), -EINVAL);
        v = cow(0, "o", "s");
        memset(v.origin_uuid, 'x', sizeof(v.origin_uuid));
        assert_int_equal(hold_set_add_volume(set, &v), -EINVAL);
        v = cow(0, "o", "s");
        v.depth = HOLD_DEPTH_MAX;
        assert_int_equal(hold_set_add_volume(set, &v), -EINVAL);
        v = cow(0, "o", "s");
        assert_int_equal(hold_set_add_volume(set, &v), 0);
        v = cow(1, "o", "s2");
        assert_int_equal(hold_set_add_volume(set, &v), -EEXIST);
        v = cow(1, "o2", "s");
        assert_int_equal(hold_set_add_volume(set, &v), -EEXIST);
        v = thin(1, "t", 5);
        v.pool_uuid[0] = '\0';
        assert_int_equal(hold_set_add_volume(set, &v), -EINVAL);
        v = thin(1, "t", 5);
        assert_int_equal(hold_set_add_volume(set, &v), 0);
        v = thin(2, "t2", 5);
        assert_int_equal(hold_set_add_volume(set, &v), -EEXIST);
        v = thin(2, "t2", 6);
        assert_int_equal(hold_set_add_volume(set, &v), 0);
        assert_int_equal(hold_set_max_depth(set), 0);
        v = thin(3, "t3", 7);
        assert_int_equal(hold_set_add_volume(set, &v), -EINVAL);
        assert_string_equal(hold_set_volume_name(set, 1), "LVM-t");
}

/* Nothing of these is suspended, so they may be held for longer; beside others they may not. */
static void test_file_systems_alone(void **state) {
        _cleanup_(hold_set_freep) HoldSet *set = NULL;
        HoldVolume v = {.kind = HOLD_VOLUME_FILE_SYSTEMS}, other;
        HoldBegin b = good_begin;

        (void) state;
        b.n_volumes = 3;
        b.hold_limit_usec = HOLD_LIMIT_MAX_USEC + 1;
        assert_int_equal(hold_set_new(&set), 0);
        assert_int_equal(hold_set_begin(set, &b), 0);
        assert_int_equal(hold_set_add_volume(set, &v), -EINVAL);
        (void) snprintf(v.origin_uuid, sizeof(v.origin_uuid), "sda1");
        assert_int_equal(hold_set_add_volume(set, &v), 0);
        v.index = 1;
        assert_int_equal(hold_set_add_volume(set, &v), -EEXIST);
        (void) snprintf(v.origin_uuid, sizeof(v.origin_uuid), "sda2");
        assert_int_equal(hold_set_add_volume(set, &v), 0);
        other = cow(2, "o", "s");
        assert_int_equal(hold_set_add_volume(set, &other), -ERANGE);
        assert_false(hold_set_is_suspended(set, 1));
}

static int add_mount(HoldSet *set, uint32_t index, uint32_t volume, uint32_t direct) {
        HoldMount m = {.index = index, .volume = volume, .direct = direct, .may_freeze = 1};
        _cleanup_close_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        assert_true(fd >= 0);
        r = hold_set_add_mount(set, &m, fd);
        if (r == 0)
                fd = -EBADF;
        return r;
}

static void test_mounts(void **state) {
        HoldSet *set = *state;
        HoldMount m = {};

        assert_int_equal(hold_set_add_mount(set, &m, -EBADF), -EINVAL);
        assert_int_equal(add_mount(set, 0, 3, 1), -EINVAL);
        assert_int_equal(add_mount(set, 1, 0, 1), -EINVAL);
        assert_int_equal(add_mount(set, 0, 1, 1), 0);
        assert_int_equal(add_mount(set, 1, 2, 0), 0);
        assert_int_equal(add_mount(set, 2, 0, 1), -EINVAL);
        assert_false(hold_set_is_frozen(set, 0));
        set->commit.frozen[0] = 1 << 0 | 1 << 1;
        assert_true(hold_set_is_frozen(set, 0) && hold_set_is_frozen(set, 1));
        assert_false(hold_set_is_frozen(set, 2));
        /* Only what is mounted on the device itself would be frozen by device-mapper. */
        assert_true(hold_set_skips_lockfs(set, 1));
        assert_false(hold_set_skips_lockfs(set, 2));
        assert_false(hold_set_skips_lockfs(set, 0));
}

static void test_names_of_what_is_held(void **state) {
        HoldSet *set = *state;
        char text[64], little[8];
        HoldVolume v;

        for (uint32_t i = 0; i < 3; i++) {
                char origin[8], snapshot[8];

                (void) snprintf(origin, sizeof(origin), "o%u", i);
                (void) snprintf(snapshot, sizeof(snapshot), "s%u", i);
                v = cow(i, origin, snapshot);
                assert_int_equal(hold_set_add_volume(set, &v), 0);
        }
        assert_int_equal(add_mount(set, 0, 2, 1), 0);
        assert_int_equal(hold_set_name_held(set, text, sizeof(text)), HOLD_NONE);
        assert_string_equal(text, "");
        set->commit.frozen[0] = 1 << 0;
        atomic_store(&set->committing, true);
        atomic_store(&set->volumes[1].suspended, true);
        assert_int_equal(hold_set_name_held(set, text, sizeof(text)), 1);
        assert_string_equal(text, "LVM-o1, LVM-o2");
        (void) hold_set_name_held(set, little, sizeof(little));
        assert_true(strlen(little) < sizeof(little));
        /* Resumed, but not thawed yet. */
        set->report.resumed_usec = 1;
        assert_int_equal(hold_set_name_held(set, text, sizeof(text)), 2);
        assert_string_equal(text, "LVM-o2");
}

static void test_complete(void **state) {
        HoldSet *set = *state;
        HoldVolume v;

        for (uint32_t i = 0; i < 3; i++) {
                char origin[8], snapshot[8];

                (void) snprintf(origin, sizeof(origin), "o%u", i);
                (void) snprintf(snapshot, sizeof(snapshot), "s%u", i);
                v = cow(i, origin, snapshot);
                assert_int_equal(hold_set_add_volume(set, &v), 0);
        }
        assert_int_equal(hold_set_max_depth(set), 2);
        assert_int_equal(add_group(set, "/a"), 0);
        assert_int_equal(add_group(set, "/b"), 0);
        assert_int_equal(add_mount(set, 0, 0, 1), 0);
        assert_false(hold_set_is_complete(set));
        assert_int_equal(add_mount(set, 1, 0, 1), 0);
        assert_true(hold_set_is_complete(set));
}

static void test_failure(void **state) {
        char name[HOLD_TEXT_MAX * 2];
        Failure f;

        (void) state;
        assert_int_equal(failure_set(&f, -EBUSY, 3, HOLD_NONE, "cannot suspend %s", "vg-x"), -EBUSY);
        assert_string_equal(f.text, "cannot suspend vg-x: Device or resource busy");
        assert_int_equal(f.volume, 3);
        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(failure_set(&f, -EIO, 0, 1, "%s", name), -EIO);
        assert_int_equal(strlen(f.text), HOLD_TEXT_MAX - 1);
}

static void test_free_nothing(void **state) {
        assert_null(hold_set_free(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_begin),
                cmocka_unit_test_setup_teardown(test_groups, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_volumes, set_up, tear_down),
                cmocka_unit_test(test_file_systems_alone),
                cmocka_unit_test_setup_teardown(test_mounts, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_names_of_what_is_held, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_complete, set_up, tear_down),
                cmocka_unit_test(test_failure),
                cmocka_unit_test(test_free_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
