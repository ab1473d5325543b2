/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writers that do at an event what no writer may: answer garbage, too much, twice, not at all, flood, fork,
 * die. Each time, with another that is good: the bad one has failed with the state and the code that say so,
 * the good one has had each event once, the set is made, and quiesced is the process that it was and serves
 * the next.
 */

#include "bus-harness.h"

#include <signal.h>
#include <sys/wait.h>

/* What becomes of the bad writer. */
typedef enum Fate {
        STAYS,   /* its answer counts */
        FAILS,   /* the answer does not, but it is still there: Abort and BackupShutdown reach it */
        IS_GONE, /* its process, too */
} Fate;

typedef struct Case {
        const char *action;
        Fate fate;
        const char *text; /* of its status */
} Case;

static const Case cases[] = {
        {"twice", STAYS, ""},
        {"verbose", STAYS, ""},
        {"nonsense", FAILS, "wrong type"},
        {"strange", FAILS, "org.example.Strange"},
        {"stuffed", FAILS, "more of what is not known"},
        {"flood", IS_GONE, ""},
        {"fork", IS_GONE, ""},
        {"die", IS_GONE, ""},
        {"exit", IS_GONE, ""},
};

static const char *const events[] = {"identify", "prepare-for-backup", "prepare-for-snapshot", "freeze",
                                     "thaw",     "post-snapshot"};

#define FREEZE 3u /* of them; who has failed before gets none */

static void assert_serves(Bench *bench, pid_t pid) {
        assert_int_equal(bench->daemon_pid, pid);
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
}

/* And ends in order, with its writers. */
static void assert_ends(Bench *bench) {
        int status = bench_stop(bench);

        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static char *status_of(Client *client) {
        sd_bus_message *m;
        char *status;

        m = call_ask(client, client->session, SESSION_INTERFACE, "GatherWriterStatus", "a{sv}", 0);
        status = reply_to_text(m);
        sd_bus_message_unref(m);
        return status;
}

/* The part of a status that is about the writer "bad", which comes first. */
static void assert_fate(char *status, const Case *c, const char *event) {
        char *good = strstr(status, "'good'");

        assert_non_null(good);
        if (strstr(good, "NotResponding"))
                fail_msg("%s at %s harmed another: %s", c->action, event, status);
        *good = '\0';
        if (!strstr(status, "NotResponding") != (c->fate == STAYS) || !strstr(status, c->text))
                fail_msg("%s at %s: %s", c->action, event, status);
}

static void run_case(Bench *bench, const Case *c, size_t at) {
        static const char *const calls[] = {"PrepareForBackup", "DoSnapshotSet", "BackupComplete"};
        _cleanup_free_ char *snapshot = NULL, *status = NULL;
        const char *event = events[at];
        char arguments[64];
        Client *client;

        bench_write(bench, "writers.log", "");
        (void) snprintf(arguments, sizeof(arguments), "%s=%s", event, c->action);
        bench_add_writer(bench, "bad", arguments);
        client = client_new(bench);
        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        client_start_set(client);
        snapshot = client_add(client, "test:one");
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_ok(backup_ask(client, calls[i]));
        status = status_of(client);
        assert_fate(status, c, event);
        session_ok(client, "Release");
        bench_assert_story(bench, "good",
                           "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot "
                           "backup-complete backup-shutdown");
        assert_int_equal(bench_count(bench, "writers.log", "bad freeze"), c->fate == STAYS || at >= FREEZE);
        (void) client_free(client);
}

static void run_event(void **state, size_t event) {
        Bench *bench = *state;
        pid_t pid;

        bench_add_volume(bench, "one");
        bench_add_writer(bench, "good", "");
        bench_start(bench);
        pid = bench->daemon_pid;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                run_case(bench, &cases[i], event);
                assert_serves(bench, pid);
        }
        assert_ends(bench);
}

static void test_identify(void **state) {
        run_event(state, 0);
}

static void test_prepare_for_backup(void **state) {
        run_event(state, 1);
}

static void test_prepare_for_snapshot(void **state) {
        run_event(state, 2);
}

static void test_freeze(void **state) {
        run_event(state, 3);
}

static void test_thaw(void **state) {
        run_event(state, 4);
}

static void test_post_snapshot(void **state) {
        run_event(state, 5);
}

/* What a writer says of itself is kept by every session, so it may not be large. */
static void test_large(void **state) {
        static const Case large = {"large", FAILS, "more than 2 MiB of text"},
                          huge = {"huge", FAILS, "more paths, components or files than 1024"};
        Bench *bench = *state;
        pid_t pid;

        bench_add_volume(bench, "one");
        bench_add_writer(bench, "good", "");
        bench_start(bench);
        pid = bench->daemon_pid;
        run_case(bench, &large, 0);
        run_case(bench, &huge, 0);
        assert_serves(bench, pid);
        assert_ends(bench);
}

int main(void) {
#define HOSTILE(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                HOSTILE(test_identify),
                HOSTILE(test_prepare_for_backup),
                HOSTILE(test_prepare_for_snapshot),
                HOSTILE(test_freeze),
                HOSTILE(test_thaw),
                HOSTILE(test_post_snapshot),
                HOSTILE(test_large),
        };

        return cmocka_run_group_tests_name("bus-hostile", tests, NULL, NULL);
}
