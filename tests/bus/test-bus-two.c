/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * T13, T14: several sessions at once. Writers that take part in two of them hear of each end by its own ids
 * (C22), and who may make a set is decided by one slot (C3).
 */

#include "bus-harness.h"

static void open_without(Client *client, const char *disabled) {
        client_open(client);
        if (disabled)
                assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "DisableWriters", "asa{sv}", 1,
                                   disabled, 0));
        backup_ok(client, "GatherWriterMetadata");
}

static void prepare(Client *client, const char *volume) {
        sd_bus_message *m = backup_ask(client, "StartSnapshotSet");
        const char *set;

        assert_true(sd_bus_message_read(m, "s", &set) > 0);
        (void) snprintf(client->set, sizeof(client->set), "%s", set);
        sd_bus_message_unref(m);
        free(client_add(client, volume));
        backup_ok(client, "PrepareForBackup");
}

static void assert_shutdown(Client *client, const char *writer, const char *set, const char *end) {
        char line[256];

        (void) snprintf(line, sizeof(line), "%s backup-shutdown %s %s %s ", writer, client->id, set, end);
        (void) bench_log_at(client->bench, line);
}

/* alpha and beta take part in the first session, beta and gamma in the second, all in the third. */
static void test_T13_ids_of_overlapping_sessions(void **state) {
        Client *first, *second, *third;

        bench_add_volume(*state, "one");
        bench_add_volume(*state, "two");
        bench_add_writer(*state, "alpha", "");
        bench_add_writer(*state, "beta", "");
        bench_add_writer(*state, "gamma", "");
        bench_start(*state);
        first = client_new(*state);
        second = client_new(*state);
        third = client_new(*state);
        open_without(first, "gamma");
        open_without(second, "alpha");
        open_without(third, NULL);
        prepare(first, "test:one");
        backup_ok(first, "DoSnapshotSet");
        prepare(second, "test:two");
        backup_ok(second, "DoSnapshotSet");
        prepare(third, "test:one");
        assert_string_not_equal(first->set, second->set);
        bench_write(*state, "writers.log", "");

        backup_ok(second, "BackupComplete");
        session_ok(second, "Release");
        session_ok(third, "Release");
        backup_ok(first, "AbortBackup");
        session_ok(first, "Release");
        bench_assert_story(*state, "alpha", "backup-shutdown backup-shutdown");
        bench_assert_story(*state, "beta",
                           "backup-complete backup-shutdown backup-shutdown backup-shutdown");
        bench_assert_story(*state, "gamma", "backup-complete backup-shutdown backup-shutdown");
        assert_shutdown(first, "alpha", first->set, "aborted released");
        assert_shutdown(first, "beta", first->set, "aborted released");
        assert_shutdown(second, "beta", second->set, "completed released");
        assert_shutdown(second, "gamma", second->set, "completed released");
        assert_shutdown(third, "alpha", ID_NIL, "not-completed released");
        assert_shutdown(third, "beta", ID_NIL, "not-completed released");
        assert_shutdown(third, "gamma", ID_NIL, "not-completed released");
        (void) client_free(first);
        (void) client_free(second);
        (void) client_free(third);
}

/* One is frozen, the other begins: the writer that is in both hears of the second when it is thawed (C31).
 */
static void test_T13_no_event_of_others_while_frozen(void **state) {
        char fifo[128], arguments[160], line[128];
        Client *first, *second;
        Call *creating, *preparing;

        (void) snprintf(arguments, sizeof(arguments), "freeze=wait:%s",
                        bench_make_fifo(*state, "fifo", fifo));
        bench_add_one(*state, arguments);
        bench_add_writer(*state, "beta", "");
        bench_start(*state);
        first = client_new(*state);
        second = client_new(*state);
        open_without(first, "beta");
        open_without(second, NULL);
        prepare(first, "test:one");
        creating = backup_begin(first, "DoSnapshotSet");
        bench_wait_file(*state, "writers.log", "alpha freeze");
        preparing = backup_begin(second, "PrepareForBackup");
        bench_wait_file(*state, "writers.log", "beta prepare-for-backup"); /* is not in the first */
        client_round_trip(second);
        bench_assert_story(*state, "alpha",
                           "identify identify prepare-for-backup prepare-for-snapshot freeze");
        bench_let_go(*state, "fifo");
        assert_ok(call_wait(creating));
        assert_ok(call_wait(preparing));
        (void) snprintf(line, sizeof(line), "alpha prepare-for-backup %s", second->id);
        assert_true(bench_log_at(*state, "alpha thaw") < bench_log_at(*state, line));
        session_ok(first, "Release");
        session_ok(second, "Release");
        assert_shutdown(first, "alpha", first->set, "not-completed released");
        assert_shutdown(second, "alpha", ID_NIL, "not-completed released");
        (void) client_free(first);
        (void) client_free(second);
}

static void test_T14_slot(void **state) {
        Client *first, *second, *third;
        Call *waiting;

        bench_start(*state);
        first = client_new(*state);
        second = client_new(*state);
        third = client_new(*state);
        client_open(first);
        client_open(second);
        client_open(third);
        backup_ok(first, "GatherWriterMetadata");
        backup_ok(second, "GatherWriterMetadata");
        backup_ok(third, "GatherWriterMetadata");
        backup_ok(first, "StartSnapshotSet");
        assert_refused(backup_ask(second, "StartSnapshotSet"), "SnapshotSetInProgress", first->id);
        waiting = call_begin(second, second->session, BACKUP_INTERFACE, "StartSnapshotSet", "a{sv}", 1,
                             "wait", "b", 1);
        assert_refused(backup_ask(third, "StartSnapshotSet"), "SnapshotSetInProgress", "");
        (void) client_free(first); /* dies: the slot is free at once */
        assert_ok(call_wait(waiting));
        backup_ok(second, "AbortBackup");
        backup_ok(third, "StartSnapshotSet");
        (void) client_free(second);
        (void) client_free(third);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_T13_ids_of_overlapping_sessions),
                TEST(test_T13_no_event_of_others_while_frozen),
                TEST(test_T14_slot),
        };

        return cmocka_run_group_tests_name("bus-two", tests, NULL, NULL);
}
