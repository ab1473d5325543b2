/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the hold refuses before it changes anything, and what it notices when somebody else (dmsetup, LVM
 * without its lock) changes the devices of a set that is being made: always in words that name the device,
 * and nothing stays held.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/prctl.h>

#include "daemon/hold/hold-dm.h"
#include "tests/unit/hold-scenario.h"
#include "util/macro.h"

static Model *model;

static void params_set(unsigned device, const char *type, const char *params) {
        (void) strcpy(model->devices[device].live.type, type);
        (void) strcpy(model->devices[device].live.params, params);
}

static void load(ModelTable *table) {
        *table = (ModelTable){.present = true, .n_sectors = 1, .n_targets = 1, .type = "error"};
}

/* Who meddles: each is also what a device may be like beforehand. */
static void origin_is_suspended(Model *m) {
        m->devices[DEVICE_ORIGIN].suspended = true;
}

static void origin_is_resumed(Model *m) {
        m->devices[DEVICE_ORIGIN].suspended = false;
        m->mounts[MOUNT_ORIGIN].frozen = m->mounts[MOUNT_ORIGIN].frozen_by_dm = false;
}

static void origin_has_table(Model *m) {
        load(&m->devices[DEVICE_ORIGIN].inactive);
}

static void snapshot_is_suspended(Model *m) {
        m->devices[DEVICE_SNAPSHOT].suspended = true;
}

static void snapshot_is_open(Model *m) {
        m->devices[DEVICE_SNAPSHOT].open_count = 1;
}

static void snapshot_is_closed(Model *m) {
        m->devices[DEVICE_SNAPSHOT].open_count = 0;
}

static void snapshot_is_cleared(Model *m) {
        m->devices[DEVICE_SNAPSHOT].inactive = (ModelTable){};
}

static void snapshot_has_table(Model *m) {
        load(&m->devices[DEVICE_SNAPSHOT].inactive);
}

static void snapshot_is_gone(Model *m) {
        m->devices[DEVICE_SNAPSHOT] = (ModelDevice){.uuid = "gone"};
}

static void pool_is_read_only(Model *m) {
        (void) strcpy(m->pool_status, "1 10/1000 10/1000 - ro discard_passdown queue_if_no_space - 1024");
}

static void pool_has_failed(Model *m) {
        (void) strcpy(m->pool_status, "Fail");
}

static void pool_needs_check(Model *m) {
        (void) strcpy(m->pool_status,
                      "1 10/1000 10/1000 - rw discard_passdown queue_if_no_space needs_check 1024");
}

static void pool_is_full(Model *m) {
        (void) strcpy(m->pool_status, "1 10/1000 995/1000 - rw discard_passdown queue_if_no_space - 1024");
}

static void pool_talks_nonsense(Model *m) {
        (void) strcpy(m->pool_status, "1 10 995");
}

/* --- before ---------------------------------------------------------------------------------------------
 */

typedef struct Refusal {
        void (*meddle)(Model *m);
        unsigned device; /* else: this has another table */
        const char *type, *params;
        int error;
        const char *words;
} Refusal;

static const Refusal refusals[] = {
        {.meddle = origin_is_suspended, .error = -EBUSY, .words = "vg-data is suspended by someone else"},
        {.meddle = origin_has_table, .error = -EBUSY, .words = "vg-data has a table waiting"},
        {.meddle = snapshot_is_suspended, .error = -EBUSY, .words = "vg-snapshot is suspended by"},
        {.meddle = snapshot_has_table, .error = -EBUSY, .words = "vg-snapshot has a table waiting"},
        {.meddle = snapshot_is_open, .error = -EBUSY, .words = "vg-snapshot of vg-data is open (1 times)"},
        {.meddle = snapshot_is_gone, .error = -ENXIO, .words = "cannot find the snapshot LVM-snapshot"},
        {.meddle = pool_is_read_only, .error = -EROFS, .words = "vg-pool-tpool of vg-thin is not plainly"},
        {.meddle = pool_has_failed, .error = -EROFS, .words = "vg-pool-tpool of vg-thin is not plainly"},
        {.meddle = pool_needs_check, .error = -EROFS, .words = "vg-pool-tpool of vg-thin is not plainly"},
        {.meddle = pool_is_full, .error = -ENOSPC, .words = "vg-pool-tpool of vg-thin is nearly full"},
        {.meddle = pool_talks_nonsense, .error = -EINVAL, .words = "vg-pool-tpool is no thin pool but"},
        {NULL, DEVICE_ORIGIN, "linear", "8:0 0", -EINVAL, "vg-data is no origin of a thick snapshot but"},
        {NULL, DEVICE_ORIGIN, "snapshot-origin", "sda", -EINVAL, "vg-data is no origin of a thick snapshot"},
        {NULL, DEVICE_ORIGIN, "snapshot-origin", "253:x", -EINVAL, "vg-data is no origin of a thick snap"},
        {NULL, DEVICE_ORIGIN, "snapshot-origin", "253:9", -EINVAL, "vg-snapshot is no snapshot of vg-data"},
        {NULL, DEVICE_SNAPSHOT, "error", "", -EBUSY, "vg-snapshot is parked already"},
        {NULL, DEVICE_SNAPSHOT, "linear", "8:0 0", -EINVAL, "vg-snapshot is no persistent snapshot but"},
        {NULL, DEVICE_SNAPSHOT, "snapshot", "253:1 253:3 N 8", -EINVAL, "vg-snapshot is no persistent"},
        {NULL, DEVICE_SNAPSHOT, "snapshot", "253:1 253:3 P 131072", -EINVAL, "vg-snapshot is no persistent"},
        {NULL, DEVICE_SNAPSHOT, "snapshot", "253:1 253:9 P 8", -EINVAL, "vg-snapshot-cow is not the store"},
        {NULL, DEVICE_THIN, "linear", "8:0 0", -EINVAL, "vg-thin is no thin device but"},
        {NULL, DEVICE_THIN, "thin", "253:4 x", -EINVAL, "vg-thin is no thin device but"},
        {NULL, DEVICE_THIN, "thin", "253:5 1", -EINVAL, "vg-thin (device 1) and its snapshot (device 3) do"},
        {NULL, DEVICE_THIN, "thin", "253:4 3", -EINVAL, "vg-thin (device 3) and its snapshot (device 3) do"},
        {NULL, DEVICE_POOL, "linear", "8:0 0", -EINVAL, "vg-pool-tpool is no thin pool but"},
};

/* Return: the error; the model is let go of and may be looked at. */
static int set_is_refused(Scenario *s, const char *words) {
        int r = scenario_until(s, HOLD_END);

        scenario_stop(s);
        if (!strstr(s->report.text, words))
                fail_msg("'%s' instead of '%s'", s->report.text, words);
        return r;
}

static void test_refusals(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(refusals); i++) {
                const Refusal *refusal = &refusals[i];
                ModelDevice before[N_DEVICES];
                Scenario s;

                model_reset(model);
                scenario_init(&s, model);
                if (refusal->meddle)
                        refusal->meddle(model);
                else
                        params_set(refusal->device, refusal->type, refusal->params);
                memcpy(before, model->devices, sizeof(before));
                assert_int_equal(set_is_refused(&s, refusal->words), refusal->error);
                assert_int_equal(s.report.step, HOLD_LOCK);
                assert_memory_equal(before, model->devices, sizeof(before));
        }
}

static void assert_refused(const char *words, int error) {
        Scenario s;

        scenario_init(&s, model);
        assert_int_equal(set_is_refused(&s, words), error);
        scenario_assert_let_go(&s);
}

static void test_sizes(void **state) {
        model_reset(model);
        model->devices[DEVICE_SNAPSHOT].live.n_sectors = 4096;
        assert_refused("vg-snapshot and vg-data differ in size", -EINVAL);
        /* A table of two targets, and parameters that are longer than any of ours. */
        model_reset(model);
        model->devices[DEVICE_THIN].live.n_targets = 2;
        assert_refused("vg-thin is no thin device but ' '", -EINVAL);
        model_reset(model);
        model->devices[DEVICE_THIN].full = true;
        assert_refused("volume 1: cannot find the origin LVM-thin: Message too long", -EMSGSIZE);
        /* The number under which the store's node was found must be its own. */
        model_reset(model);
        model->store_device++;
        assert_refused("cannot open the store of vg-snapshot: No such device", -ENODEV);
        model->store_device--;
}

static void test_store_is_full(void **state) {
        model_reset(model);
        model->fault = (ModelFault){.kinds = CALL_STORE, .first = 3, .last = 3};
        assert_refused("cannot clear the store of vg-snapshot: No space left", -ENOSPC);
}

/* --- meanwhile ------------------------------------------------------------------------------------------
 */

static void meddle_at(uint32_t kind, unsigned n, void (*meddle)(Model *m)) {
        model_reset(model);
        model->fault = (ModelFault){.kinds = kind, .first = n, .last = n, .meddle = meddle};
}

static void test_udev_looks_at_it(void **state) {
        Scenario s;

        /* Its second look finds it closed. */
        meddle_at(CALL_QUERY, 5, snapshot_is_closed);
        model->devices[DEVICE_SNAPSHOT].open_count = 1;
        scenario_init(&s, model);
        assert_int_equal(scenario_until(&s, HOLD_END), 0);
        scenario_stop(&s);
        scenario_assert_let_go(&s);
}

static void test_meddled_with_snapshot(void **state) {
        static const char words[] = "somebody has changed the snapshot vg-snapshot of vg-data";

        /* Staged; suspended; committed: each time a look at it follows. */
        meddle_at(CALL_MESSAGE, 1, snapshot_is_cleared);
        assert_refused(words, -ESTALE);
        meddle_at(CALL_SUSPEND, 3, snapshot_is_cleared);
        assert_refused(words, -ESTALE);
        meddle_at(CALL_QUERY, 29, snapshot_has_table);
        assert_refused(words, -ESTALE);
}

/* Between the last look at what is staged and its commit: then another table is live, or still that of
 * before. */
static void test_meddled_with_commit(void **state) {
        static const char words[] = "somebody has changed the snapshot vg-snapshot of vg-data at its commit";

        meddle_at(CALL_RESUME, 2, snapshot_is_cleared);
        assert_refused(words, -ESTALE);
        meddle_at(CALL_RESUME, 2, snapshot_has_table);
        assert_refused(words, -ESTALE);
}

static void origin_is_suspended_now(Model *m) {
        /* Not ours to resume: whoever did it does, after the set. */
        origin_is_suspended(m);
}

static void test_meddled_with_origin(void **state) {
        Scenario s;

        /* Between LOCK's look at it and its end. */
        meddle_at(CALL_MESSAGE, 1, origin_is_suspended_now);
        scenario_init(&s, model);
        assert_int_equal(set_is_refused(&s, "vg-data is suspended by someone else"), -EBUSY);
        assert_true(model->devices[DEVICE_ORIGIN].suspended);
        /* Before and after it was written out. */
        meddle_at(CALL_SYNC, 1, origin_is_suspended_now);
        scenario_init(&s, model);
        assert_int_equal(set_is_refused(&s, "vg-data is suspended by someone else"), -EBUSY);
        assert_int_equal(s.report.step, HOLD_PRE_COMMIT);
        assert_true(model->devices[DEVICE_ORIGIN].suspended);
        /* Armed, and just before we would. */
        meddle_at(CALL_SUSPEND, 2, origin_is_suspended_now);
        scenario_init(&s, model);
        assert_int_equal(set_is_refused(&s, "vg-data is suspended by someone else"), -EBUSY);
        assert_int_equal(s.report.step, HOLD_COMMIT);
        assert_true(model->devices[DEVICE_ORIGIN].suspended);
        assert_false(model->mounts[MOUNT_THIN].frozen);
        /* Resumed before all were committed. */
        meddle_at(CALL_MESSAGE, 4, origin_is_resumed);
        scenario_init(&s, model);
        assert_int_equal(set_is_refused(&s, "somebody has resumed vg-data while the set was held"), -ESTALE);
        scenario_assert_let_go(&s);
}

/* What has been removed needs no letting go. */
static void test_removed(void **state) {
        meddle_at(CALL_MESSAGE, 1, snapshot_is_gone);
        assert_refused("cannot look at the snapshot vg-snapshot: No such device", -ENXIO);
}

/* What is not device-mapper's knows none of its calls. */
static void test_no_device_mapper(void **state) {
        _cleanup_close_ int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        DmBuffer buffer;
        DmDevice device;

        assert_int_equal(dm_arm_poll(fd, &buffer), -ENOTTY);
        assert_int_equal(dm_get_device(fd, &buffer, "LVM-data", &device), -ENOTTY);
}

static int set_up(void **state) {
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        model = model_new();
        return 0;
}

static int tear_down(void **state) {
        model_free(model);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_store_is_full),
                cmocka_unit_test(test_udev_looks_at_it),
                cmocka_unit_test(test_meddled_with_snapshot),
                cmocka_unit_test(test_meddled_with_commit),
                cmocka_unit_test(test_meddled_with_origin),
                cmocka_unit_test(test_removed),
                cmocka_unit_test(test_no_device_mapper),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
