/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * T12: the requester is a process, and it is killed at each point of a backup (C26). Its writer gets what it
 * is owed and nothing else, no snapshot of it stays, and the next requester gets the slot. T19: the writer
 * is killed while it is frozen. T28: quiesced is.
 *
 * With real volumes, and also for quiesced: tests/vm/test-killed.sh.
 */

#include <signal.h>
#include <sys/wait.h>

#include "bus-harness.h"

#define PREPARED "identify prepare-for-backup "
#define FROZEN   PREPARED "prepare-for-snapshot freeze "
#define CREATED  FROZEN "thaw post-snapshot "

/* How far the requester goes. */
typedef enum Reach {
        REACH_GATHER, /* in this call, and so on */
        REACH_WAIT,
        REACH_OPEN, /* this is answered, and so on */
        REACH_PREPARE,
        REACH_PREPARED,
        REACH_CREATE,
        REACH_CREATED,
        REACH_COMPLETE,
        REACH_COMPLETED,
        REACH_ABORT,
} Reach;

typedef struct Point {
        Reach reach;
        const char *blocked;  /* the writer's event or the provider's phase where it is killed, or NULL */
        bool by_provider;     /* which of them */
        const char *context;  /* NULL: backup */
        const char *story;    /* of the writer */
        const char *outcome;  /* in its BackupShutdown; NULL: it gets none */
        bool with_set;        /* the set's id is in there */
        unsigned n_snapshots; /* that stay */
} Point;

/* Writes down who it is, for the test. */
static void note_ids(Client *client) {
        char ids[128];

        (void) snprintf(ids, sizeof(ids), "%s %s\n", client->id, client->set[0] ? client->set : "-");
        bench_write(client->bench, "ids", ids);
}

static void reach(Client *client, const Point *point) {
        Reach to = point->reach;

        client_open(client);
        if (point->context)
                assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}",
                                   point->context, 0));
        note_ids(client);
        if (to == REACH_GATHER) {
                (void) backup_begin(client, "GatherWriterMetadata");
                return;
        }
        backup_ok(client, "GatherWriterMetadata");
        if (to == REACH_WAIT) {
                (void) call_begin(client, client->session, BACKUP_INTERFACE, "StartSnapshotSet", "a{sv}", 1,
                                  "wait", "b", 1);
                return;
        }
        client_start_set(client);
        note_ids(client);
        free(client_add(client, "test:one"));
        if (to == REACH_PREPARE)
                (void) backup_begin(client, "PrepareForBackup");
        if (to > REACH_PREPARE)
                backup_ok(client, "PrepareForBackup");
        if (to == REACH_CREATE)
                (void) backup_begin(client, "DoSnapshotSet");
        if (to == REACH_ABORT)
                (void) backup_begin(client, "AbortBackup");
        if (to == REACH_CREATED || to == REACH_COMPLETE || to == REACH_COMPLETED)
                backup_ok(client, "DoSnapshotSet");
        if (to == REACH_COMPLETE)
                (void) backup_begin(client, "BackupComplete");
        if (to == REACH_COMPLETED)
                backup_ok(client, "BackupComplete");
}

static pid_t spawn_requester(Bench *bench, const Point *point) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        bench->event = NULL;
        if (sd_event_new(&bench->event) >= 0) {
                Client *client = client_new(bench);

                reach(client, point);
                if (!point->blocked) {
                        client_round_trip(client); /* quiesced has what was sent */
                        bench_write(bench, "ready", "ready");
                }
        }
        for (;;)
                (void) pause();
}

static void set_up(Bench *bench, const Point *point) {
        char text[256] = "", fifo[128];

        bench_add_volume(bench, "one");
        if (point->blocked && point->by_provider) {
                /* The end of one that dies in the dark is heard after it, while post-commit waits. */
                (void) snprintf(text, sizeof(text),
                                "%s one mark reached\n%s one wait go\npost-commit one wait never\n",
                                point->blocked, point->blocked);
                bench_write(bench, "provider/script", text);
                text[0] = '\0';
        } else if (point->blocked)
                (void) snprintf(text, sizeof(text), "%s=wait:%s", point->blocked,
                                bench_make_fifo(bench, "fifo", fifo));
        bench_add_writer(bench, "alpha", text);
        bench_start(bench);
}

static void await_point(Bench *bench, const Point *point) {
        char text[64];

        if (!point->blocked)
                bench_wait_file(bench, "ready", "ready");
        else if (point->by_provider)
                bench_wait_file(bench, "provider/reached", "");
        else {
                (void) snprintf(text, sizeof(text), "alpha %s ", point->blocked);
                bench_wait_file(bench, "writers.log", text);
        }
}

static void kill_and_wait(pid_t pid) {
        int status;

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
}

/* A second requester can make a set: the slot is free and quiesced is well. */
static void assert_well(Bench *bench, unsigned n_snapshots) {
        Client *client = client_new(bench);

        bench_write(bench, "provider/script", "");
        client_open(client);
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}",
                           "file-share-backup", 0));
        backup_ok(client, "StartSnapshotSet");
        free(client_add(client, "test:one"));
        backup_ok(client, "DoSnapshotSet");
        session_ok(client, "Release");
        assert_int_equal(bench_count_snapshots(bench), n_snapshots);
        (void) client_free(client);
}

static void kill_at(Bench *bench, const Point *point) {
        _cleanup_free_ char *ids = NULL;
        char id[64], set[64], path[64], text[256];
        Client *watcher, *first = NULL;
        pid_t pid;

        set_up(bench, point);
        if (point->reach == REACH_WAIT) {
                first = client_new(bench);
                client_open_set(first);
        }
        watcher = client_new(bench);
        pid = spawn_requester(bench, point);
        await_point(bench, point);
        kill_and_wait(pid);
        if (point->reach == REACH_CREATE && !point->by_provider && !point->with_set)
                bench_wait_file(bench, "writers.log", "alpha abort "); /* it waits for no answer */
        if (point->by_provider && streq(point->blocked, "commit"))
                bench_write(bench, "provider/go", ""); /* the others' wait is ended by the abort */
        else if (point->blocked && !point->by_provider)
                bench_let_go(bench, "fifo");
        ids = bench_read(bench, "ids");
        assert_int_equal(sscanf(ids, "%63s %63s", id, set), 2);
        (void) snprintf(path, sizeof(path), "%s", id);
        for (char *c = path; *c; c++)
                *c = *c == '-' ? '_' : *c;
        (void) snprintf(text, sizeof(text), "InterfacesRemoved /org/quiesce1 /org/quiesce1/session/%s",
                        path);
        client_wait_seen(watcher, text);
        bench_assert_story(bench, "alpha", point->story);
        assert_int_equal(bench_count_snapshots(bench), point->n_snapshots);
        if (point->outcome) {
                (void) snprintf(text, sizeof(text), "alpha backup-shutdown %s %s %s requester-vanished ", id,
                                point->with_set ? set : ID_NIL, point->outcome);
                (void) bench_log_at(bench, text);
        } else
                assert_false(client_has_seen(watcher, "BackupShutdown"));
        if (first)
                (void) client_free(first);
        assert_well(bench, point->n_snapshots);
        (void) client_free(watcher);
}

/* clang-format off */
#define POINTS(X) \
        X(gathering,      { REACH_GATHER, "identify", .story = "identify" }) \
        X(waiting,        { REACH_WAIT, .story = "identify identify" }) \
        X(open,           { REACH_OPEN, .story = "identify" }) \
        X(preparing,      { REACH_PREPARE, "prepare-for-backup", .story = PREPARED "backup-shutdown", \
                            .outcome = "not-completed" }) \
        X(prepared,       { REACH_PREPARED, .story = PREPARED "backup-shutdown", \
                            .outcome = "not-completed" }) \
        X(end_prepare,    { REACH_CREATE, "end-prepare", true, .outcome = "not-completed", \
                            .story = PREPARED "prepare-for-snapshot abort backup-shutdown" }) \
        X(lock,           { REACH_CREATE, "lock", true, .outcome = "not-completed", \
                            .story = PREPARED "prepare-for-snapshot abort backup-shutdown" }) \
        X(freeze,         { REACH_CREATE, "freeze", .outcome = "not-completed", \
                            .story = FROZEN "abort backup-shutdown" }) \
        X(commit,         { REACH_CREATE, "commit", true, .outcome = "not-completed", \
                            .story = FROZEN "abort backup-shutdown" }) \
        X(post_commit,    { REACH_CREATE, "post-commit", true, .outcome = "not-completed", \
                            .story = FROZEN "abort backup-shutdown" }) \
        X(thaw,           { REACH_CREATE, "thaw", .outcome = "not-completed", \
                            .story = FROZEN "thaw abort backup-shutdown" }) \
        X(post_snapshot,  { REACH_CREATE, "post-snapshot", .story = CREATED "backup-shutdown", \
                            .outcome = "not-completed", .with_set = true }) \
        X(created,        { REACH_CREATED, .story = CREATED "backup-shutdown", \
                            .outcome = "not-completed", .with_set = true }) \
        X(persistent,     { REACH_CREATED, .context = "app-rollback", .story = CREATED "backup-shutdown", \
                            .outcome = "not-completed", .with_set = true, .n_snapshots = 1 }) \
        X(completing,     { REACH_COMPLETE, "backup-complete", .outcome = "completed", .with_set = true, \
                            .story = CREATED "backup-complete backup-shutdown" }) \
        X(completed,      { REACH_COMPLETED, .outcome = "completed", .with_set = true, \
                            .story = CREATED "backup-complete backup-shutdown" }) \
        X(aborting,       { REACH_ABORT, "abort", .outcome = "aborted", \
                            .story = PREPARED "abort backup-shutdown" })
/* clang-format on */

#define POINT_TEST(_name, ...)                          \
        static void test_T12_##_name(void **state) {    \
                static const Point point = __VA_ARGS__; \
                                                        \
                kill_at(*state, &point);                \
        }
POINTS(POINT_TEST)

/* The frozen writer dies: it alone has failed, gets no Thaw, and a new process of it gets BackupShutdown
 * only; a set that requires it is given up (C11 b, C14, C21). */
static void test_T19_writer_killed_while_frozen(void **state) {
        _cleanup_free_ char *answer = NULL, *status = NULL;
        sd_bus_message *m;
        Client *client;

        bench_add_one(*state, "freeze=die");
        bench_add_writer(*state, "beta", "");
        client = bench_start_prepared(*state, "test:one");
        answer = backup_answer(client, "DoSnapshotSet");
        assert_non_null(strstr(answer, "'failed-writers'=['alpha']"));
        m = call_ask(client, client->session, SESSION_INTERFACE, "GatherWriterStatus", "a{sv}", 0);
        status = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_non_null(strstr(status, "NotResponding"));
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha", FROZEN "backup-shutdown");
        bench_assert_story(*state, "beta", CREATED "backup-shutdown");

        client_prepare(client, "test:one");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "DoSnapshotSet", "a{sv}", 1,
                                "require-writers", "b", 1),
                       "WriterVeto", "alpha");
        session_ok(client, "Release");
        assert_int_equal(bench_count_snapshots(*state), 0);
        (void) client_free(client);
}

/* quiesced is killed while a writer is frozen: the writer lets go by itself (C18), and hears of the end from
 * the next quiesced (C32). That held volumes are let go in time: tests/vm/test-killed.sh. */
static void test_T28_quiesced_killed_while_frozen(void **state) {
        Client *client;

        bench_add_volume(*state, "one");
        bench_stop_at(*state, "commit", "one");
        bench_add_writer(*state, "alpha", "");
        client = bench_start_prepared(*state, "test:one");
        (void) backup_begin(client, "DoSnapshotSet");
        bench_wait_file(*state, "provider/reached", "");
        bench_kill(*state);
        bench_wait_file(*state, "writers.log", " connection ");
        bench_assert_story(*state, "alpha", FROZEN "abort");
        bench_write(*state, "provider/script", "");
        bench_start(*state);
        client_wait_seen(client, "not-completed daemon-restarted");
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha", FROZEN "abort backup-shutdown");
        assert_well(*state, 0);
        (void) client_free(client);
}

int main(void) {
#define TEST(_test)             cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
#define POINT_ENTRY(_name, ...) TEST(test_T12_##_name),
        const struct CMUnitTest tests[] = {
                POINTS(POINT_ENTRY) TEST(test_T19_writer_killed_while_frozen),
                TEST(test_T28_quiesced_killed_while_frozen),
        };

        return cmocka_run_group_tests_name("bus-killed", tests, NULL, NULL);
}
