/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The provider "external" over the bus: what passes over the moment's socket, what ends it, and what is left
 * of its snapshots. (tests/bus/test-ctl-freeze.sh has quiescectl's end of it.)
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus-harness.h"

typedef struct Taker {
        Client *client;
        Call *call;
        char *snapshot;
        int fd;
} Taker;

static char *add_external(Client *client, const char *volume) {
        sd_bus_message *m = call_ask(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}",
                                     "s", volume, 1, "provider", "s", "external");
        const char *id;
        char *copy;

        assert_true(sd_bus_message_read(m, "s", &id) > 0);
        copy = strdup(id);
        sd_bus_message_unref(m);
        return copy;
}

static Call *begin_moment(Client *client, int fd, uint64_t limit_usec) {
        return call_begin(client, client->session, BACKUP_INTERFACE, "DoSnapshotSet", "a{sv}", 2, "moment",
                          "h", fd, "moment-limit-usec", "t", limit_usec);
}

/* Everything is frozen, and it is our turn. */
static Taker taker_start(Bench *bench, uint64_t limit_usec) {
        Taker taker = {.client = NULL};
        unsigned long long left = 0;
        char message[64] = "";
        int fds[2];

        bench_add_one(bench, "");
        bench_start(bench);
        taker.client = client_new(bench);
        client_open_set(taker.client);
        taker.snapshot = add_external(taker.client, "test:one");
        backup_ok(taker.client, "PrepareForBackup");
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        taker.fd = fds[0];
        taker.call = begin_moment(taker.client, fds[1], limit_usec);
        (void) sd_bus_flush(taker.client->bus);
        (void) close(fds[1]);
        assert_true(recv(taker.fd, message, sizeof(message) - 1, 0) > 0);
        assert_int_equal(sscanf(message, "frozen %llu", &left), 1);
        assert_true(left > 0 && left <= 10 * USEC_PER_SEC);
        bench_assert_story(bench, "alpha", "identify prepare-for-backup prepare-for-snapshot freeze");
        return taker;
}

static void taker_say(Taker *taker, const char *text) {
        assert_int_equal(send(taker->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void taker_done(Taker *taker) {
        if (taker->fd >= 0)
                (void) close(taker->fd);
        free(taker->snapshot);
        (void) client_free(taker->client);
}

static void taker_refused(Taker *taker, const char *error, const char *text) {
        assert_refused(call_wait(taker->call), error, text);
}

static void test_done(void **state) {
        Taker taker = taker_start(*state, 0);
        _cleanup_free_ char *path = NULL, *answer = NULL;
        sd_bus_message *m;
        char byte;

        taker_say(&taker, "done snap-0a1b");
        m = call_wait(taker.call);
        assert_false(sd_bus_message_is_method_error(m, NULL));
        sd_bus_message_unref(m);
        assert_int_equal(recv(taker.fd, &byte, 1, 0), 0);
        bench_assert_story(*state, "alpha",
                           "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot");
        m = call_ask(taker.client, taker.client->session, BACKUP_INTERFACE, "GetSnapshotProperties",
                     "sa{sv}", taker.snapshot, 0);
        path = client_path_of(taker.client, "GetSnapshot", taker.snapshot);
        answer = reply_get_string(m, "external-id");
        assert_string_equal(answer, "snap-0a1b");
        sd_bus_message_unref(m);
        assert_refused(call_ask(taker.client, path, "org.quiesce1.Snapshot", "OpenTree", "a{sv}", 0),
                       "NotSupported", "taken elsewhere");
        backup_ok(taker.client, "BackupComplete");
        m = call_ask(taker.client, taker.client->session, BACKUP_INTERFACE, "DeleteSnapshots", "sa{sv}",
                     taker.snapshot, 0);
        assert_ok(m);
        session_ok(taker.client, "Release");
        taker_done(&taker);
}

static void test_failed(void **state) {
        Taker taker = taker_start(*state, 0);

        taker_say(&taker, "failed the array is full");
        taker_refused(&taker, "ProviderVeto", "the array is full");
        bench_assert_story(*state, "alpha", "identify prepare-for-backup prepare-for-snapshot freeze abort");
        session_ok(taker.client, "Release");
        taker_done(&taker);
}

static void test_nonsense(void **state) {
        Taker taker = taker_start(*state, 0);

        taker_say(&taker, "perhaps");
        taker_refused(&taker, "InvalidArgument", "neither");
        taker_done(&taker);
}

static void test_control_characters(void **state) {
        Taker taker = taker_start(*state, 0);

        taker_say(&taker, "done a\nb");
        taker_refused(&taker, "InvalidArgument", "control characters");
        taker_done(&taker);
}

static void test_closed(void **state) {
        Taker taker = taker_start(*state, 0);

        (void) close(taker.fd);
        taker.fd = -1;
        taker_refused(&taker, "ProviderVeto", "went away");
        taker_done(&taker);
}

static void test_time_is_over(void **state) {
        Taker taker = taker_start(*state, USEC_PER_SEC);
        char byte;

        taker_refused(&taker, "HoldWritesTimeout", "in time");
        assert_int_equal(recv(taker.fd, &byte, 1, 0), 0);
        taker_done(&taker);
}

/* In the dark the bus is not read: AbortBackup comes when the moment is over, by what its owner says. */
static void test_abort_meanwhile(void **state) {
        Taker taker = taker_start(*state, 0);
        Call *abort =
                call_begin(taker.client, taker.client->session, BACKUP_INTERFACE, "AbortBackup", "a{sv}", 0);

        taker_say(&taker, "failed given up");
        taker_refused(&taker, "ProviderVeto", "given up");
        assert_ok(call_wait(abort));
        bench_assert_story(*state, "alpha",
                           "identify prepare-for-backup prepare-for-snapshot freeze abort abort");
        taker_done(&taker);
}

static void test_without_a_moment(void **state) {
        Client *client;

        bench_add_one(*state, "");
        bench_start(*state);
        client = client_new(*state);
        client_open_set(client);
        free(add_external(client, "test:one"));
        backup_ok(client, "PrepareForBackup");
        assert_refused(call_wait(begin_moment(client, STDIN_FILENO, 0)), "InvalidArgument",
                       "SOCK_SEQPACKET");
        assert_refused(backup_ask(client, "DoSnapshotSet"), "NotSupported", "moment");
        (void) client_free(client);
}

static void test_moment_of_another_provider(void **state) {
        Client *client;
        int fds[2];

        bench_add_one(*state, "");
        bench_add_volume(*state, "two");
        bench_start(*state);
        client = client_new(*state);
        client_open_set(client);
        free(client_add(client, "test:one"));
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "s",
                                "test:two", 1, "provider", "s", "external"),
                       "VolumeNotSupportedByProvider", "either all");
        backup_ok(client, "PrepareForBackup");
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        assert_refused(call_wait(begin_moment(client, fds[1], 0)), "InvalidArgument", "provider external");
        (void) close(fds[0]);
        (void) close(fds[1]);
        (void) client_free(client);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_done),
                TEST(test_failed),
                TEST(test_nonsense),
                TEST(test_control_characters),
                TEST(test_closed),
                TEST(test_time_is_over),
                TEST(test_abort_meanwhile),
                TEST(test_without_a_moment),
                TEST(test_moment_of_another_provider),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
