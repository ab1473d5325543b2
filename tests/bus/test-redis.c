/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The Redis writer: the real quiesced, the real writer as an unprivileged user with just the rights that its
 * manual page tells, and real servers. The test provider's copies are the snapshots. They are made file by
 * file, which shows what the writer promises: nothing is written meanwhile.
 */

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "redis-server.h"

#define LOGGED "save \"\"\nappendonly yes\nappendfsync everysec\n"
#define SAVED  "save 3600 1000000\n"
#define BOTH   SET("test:one-data", "test:one-log")
#define FOUR   SET("test:one-data", "test:one-log", "test:two-data", "test:two-log")

/* Writers are frozen when this returns. */
static Call *freeze(Bench *bench, Client *client) {
        return snapshot_begin(bench, client, "pre-commit", "one-data");
}

/* ── Tests ── */

/* Each acknowledged write is in the copy, and none after the freeze, however the file is synced. */
static void test_all_that_was_acknowledged(void **state) {
        static const char *const notes[] = {
                "version=7.",         "run-id=",     "appendonly=yes",  "appendfsync=",     "rdb-saved-at=",
                "rdb-changes-since=", "role=master", "replication-id=", "data-directory=/", "config-file=/",
                "replication-offset="};
        Bench *bench = *state;
        const char *settings = getenv("TEST_REDIS_SETTINGS");
        _cleanup_free_ char *document = NULL;
        RedisServer *server;
        Client *client;
        long held, n;
        Call *call;

        server = redis_new(bench, "one", settings);
        redis_add_writer(bench, SET("one"), "");
        redis_load(bench, server);
        client = prepare_set(bench, SET("redis/one"), BOTH);
        call = freeze(bench, client);
        held = redis_noted(server);
        snapshot_end(bench, call);
        assert_good(client, "redis");
        redis_await_noted(bench, server, held + 5); /* it is let go */
        document = save_document(client);
        for (size_t i = 0; i < ELEMENTSOF(notes); i++)
                assert_has(document, notes[i]);
        assert_has(document, "db0");
        assert_null(strstr(document, "sesame"));
        redis_stop(server);
        server = redis_restore(bench, client, LOGGED);
        n = redis_ask(server, "LLEN log");
        if (n != held && n != held + 1)
                fail_msg("%ld were noted, %ld are in the copy", held, n);
        assert_int_equal(redis_ask(server, "LINDEX log -1"), n);
        end_session(client);
}

static void test_everysec(void **state) {
        (void) setenv("TEST_REDIS_SETTINGS", LOGGED, 1);
        test_all_that_was_acknowledged(state);
}

static void test_everysec_on_a_slow_disk(void **state) {
        (void) setenv("TEST_REDIS_SETTINGS", LOGGED "# slow\n", 1);
        test_all_that_was_acknowledged(state);
}

static void test_no_sync(void **state) {
        (void) setenv("TEST_REDIS_SETTINGS", "save \"\"\nappendonly yes\nappendfsync no\n", 1);
        test_all_that_was_acknowledged(state);
}

static void test_saves_alone(void **state) {
        Bench *bench = *state;
        RedisServer *server = redis_new(bench, "one", SAVED);
        Client *client;
        long before;

        redis_add_writer(bench, SET("one"), "");
        redis_load(bench, server);
        client = prepare_set(bench, NULL, BOTH);
        before = redis_noted(server);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client, "redis");
        redis_stop(server);
        server = redis_restore(bench, client, SAVED);
        assert_true(redis_ask(server, "LLEN log") >= before);
        assert_int_equal(redis_ask(server, "LINDEX log -1"), redis_ask(server, "LLEN log"));
        end_session(client);
}

/* Nothing on disk is nothing to back up, and said; unless it is to be saved all the same. */
static void test_nothing_kept(void **state) {
        Bench *bench = *state;
        RedisServer *server = redis_new(bench, "one", "save \"\"\n");
        Client *client;

        redis_add_writer(bench, SET("one"), "");
        client = prepare_set(bench, NULL, SET("test:one-data"));
        assert_status(client, "one: it keeps nothing on disk");
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'state'='waiting-for-backup-complete'");
        end_session(client);
        bench_kill(bench);
        (void) redis_ask(server, "SET a 5");
        redis_add_writer(bench, SET("one"), "Mode=save\n");
        client = prepare_set(bench, NULL, SET("test:one-data"));
        backup_ok(client, "DoSnapshotSet");
        assert_good(client, "redis");
        shell("redis-check-rdb %s/dump.rdb > /dev/null", server->data);
        end_session(client);
}

/* Nobody owns it for now. */
static unsigned free_port(void) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *) &address, size), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &size), 0);
        (void) close(fd);
        return ntohs(address.sin_port);
}

/* The writer killed, too: TCP forgets what was sent to a socket that is closed. */
static void test_by_tcp(void **state) {
        Bench *bench = *state;
        unsigned port = free_port();
        RedisServer *server;
        Client *client;
        char text[128];
        Call *call;
        long held;

        (void) snprintf(text, sizeof(text), LOGGED "bind 127.0.0.1\nport %u\n", port);
        server = redis_new(bench, "one", text);
        (void) snprintf(text, sizeof(text), "Host=127.0.0.1\nPort=%u\n", port);
        redis_add_writer(bench, SET("one"), text);
        redis_load(bench, server);
        client = prepare_set(bench, SET("redis/one"), BOTH);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client, "redis");
        end_session(client);
        client = prepare_set(bench, SET("redis/one"), BOTH);
        call = freeze(bench, client);
        held = redis_noted(server);
        assert_int_equal(kill(writer_process(client), SIGKILL), 0);
        redis_await_noted(bench, server, held + 5);
        snapshot_end(bench, call);
        end_session(client);
}

/* It is held as a primary is; what it follows, and how far, is on record. Without its primary: a warning. */
static void test_replica(void **state) {
        Bench *bench = *state;
        unsigned port = free_port();
        RedisServer *primary, *replica, *restored;
        _cleanup_free_ char *document = NULL;
        char text[256];
        Client *client;

        (void) snprintf(text, sizeof(text),
                        "save \"\"\nbind 127.0.0.1\nport %u\nrepl-diskless-sync-delay 0\n", port);
        primary = redis_new(bench, "two", text);
        (void) redis_ask(primary, "RPUSH log 1");
        (void) snprintf(text, sizeof(text), LOGGED "replicaof 127.0.0.1 %u\n", port);
        replica = redis_new(bench, "one", text);
        bench_wait_file(bench, "one.said", "MASTER <-> REPLICA sync: Finished with success");
        redis_add_writer(bench, SET("one"), "");
        client = prepare_set(bench, SET("redis/one"), BOTH);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client, "redis");
        document = save_document(client);
        assert_has(document, "role=slave");
        assert_has(document, "primary-host=127.0.0.1");
        assert_has(document, "primary-offset=");
        redis_stop(primary);
        redis_stop(replica);
        restored = redis_restore(bench, client, LOGGED);
        assert_int_equal(redis_ask(restored, "LLEN log"), 1);
        end_session(client);
        redis_start(bench, replica, text);
        bench_wait_file(bench, "one.said", "Error condition on socket for SYNC");
        assert_backup(bench, NULL, BOTH, "'state'='waiting-for-backup-complete'",
                      "one: it is a replica without a connection to its primary");
}

/* By its socket, and without a login. */
static void test_discovered(void **state) {
        Bench *bench = *state;
        char text[160];
        Client *client;

        (void) redis_new(bench, "one", LOGGED);
        (void) snprintf(text, sizeof(text), "[Discovery]\nSocket=%s/*.sock\n", bench->directory);
        redis_add_writer(bench, SET("one"), text);
        client = prepare_set(bench, SET("redis/one"), BOTH);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client, "redis");
        end_session(client);
}

static void test_set_that_lacks_something(void **state) {
        Bench *bench = *state;

        (void) redis_new(bench, "one", LOGGED);
        redis_add_writer(bench, SET("one"), "");
        assert_backup(bench, NULL, SET("test:one-data"), "'InconsistentSnapshot'",
                      "one: the set lacks /, where the append-only file ");
}

static void test_logins(void **state) {
        Bench *bench = *state;
        RedisServer *server = redis_new(bench, "one", LOGGED);
        _cleanup_free_ char *text = NULL;
        Client *client;

        redis_add_writer(bench, SET("one"), "");
        (void) redis_ask(server, "ACL SETUSER quiesced-redis -client|pause");
        assert_backup(bench, NULL, BOTH, "'failed-at-freeze'", "ACL SETUSER quiesced-redis +client|pause");
        bench_write(bench, "password", "barley\n");
        client = prepare_set(bench, NULL, BOTH);
        backup_ok(client, "DoSnapshotSet");
        text = status_of(client);
        assert_has(text, "one: AUTH: WRONGPASS");
        assert_has(text, "'NonRetryable'");
        assert_null(strstr(text, "barley"));
        end_session(client);
        redis_stop(server);
        assert_backup(bench, NULL, BOTH, "'failed-at-prepare-snapshot'", "one: no connection: ");
}

/* It has not read its file yet: try again later. */
static void test_server_that_loads(void **state) {
        Bench *bench = *state;
        RedisServer *server = redis_new(bench, "one", SAVED "enable-debug-command yes\n");
        _cleanup_free_ char *text = NULL;
        Client *client;

        (void) redis_ask(server, "DEBUG POPULATE 100000");
        (void) redis_ask(server, "SAVE");
        redis_stop(server);
        redis_start_until(bench, server,
                          SAVED "key-load-delay 2000\nloading-process-events-interval-bytes 1024\n",
                          "Loading RDB");
        redis_add_writer(bench, SET("one"), "");
        client = prepare_set(bench, NULL, BOTH);
        backup_ok(client, "DoSnapshotSet");
        text = status_of(client);
        assert_has(text, "one: it still loads its data");
        assert_has(text, "'Retryable'");
        end_session(client);
}

/* What it acknowledges is not in its file. */
static void test_server_that_cannot_write(void **state) {
        Bench *bench = *state;
        RedisServer *server = redis_new(bench, "one", LOGGED "# small\n");
        redisContext *context = redis_log_in(server);
        redisReply *reply = NULL;

        redis_add_writer(bench, SET("one"), "");
        do {
                freeReplyObject(reply);
                reply = redisCommand(context, "RPUSH log %b", (char[4096]){}, (size_t) 4096);
                assert_non_null(reply);
        } while (reply->type != REDIS_REPLY_ERROR);
        assert_has(reply->str, "MISCONF");
        freeReplyObject(reply);
        redisFree(context);
        assert_backup(bench, NULL, BOTH, "'NonRetryable'", "one: it cannot write to its append-only file");
}

/* No Redis of before 6.2 is to be had here: one that says it is. */
static void test_server_that_is_too_old(void **state) {
        Bench *bench = *state;

        (void) redis_new_pretended(bench, "one", "$22\r\nredis_version:6.0.16\r\n\r\n");
        shell("mkdir %s/provider/volumes/one-data", bench->directory);
        redis_add_writer(bench, SET("one"), "");
        assert_backup(bench, NULL, SET("test:one-data"), "'NonRetryable'",
                      "one: it is Redis 6.0.16: 6.2 or later is needed");
}

/* It does not answer; the other is held, and let go, all the same. */
static void test_server_that_hangs(void **state) {
        Bench *bench = *state;
        RedisServer *server = redis_new(bench, "one", LOGGED), *other = redis_new(bench, "two", LOGGED);
        Client *client;

        redis_add_writer(bench, SET("one", "two"), "");
        redis_load(bench, other);
        client = prepare_set(bench, NULL, FOUR);
        assert_int_equal(kill(server->pid, SIGSTOP), 0);
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'Timeout'");
        assert_status(client, "one: ");
        redis_await_noted(bench, other, redis_noted(other) + 5);
        end_session(client);
}

/* From just before Freeze on. When it goes on, it is not paused. */
static void test_server_that_hangs_in_freeze(void **state) {
        Bench *bench = *state;
        RedisServer *server = redis_new(bench, "one", LOGGED), *other = redis_new(bench, "two", LOGGED);
        char fifo[128], text[192];
        Client *client;
        Call *call;

        (void) snprintf(text, sizeof(text), "level=front-end freeze=wait:%s",
                        bench_make_fifo(bench, "freeze", fifo));
        bench_add_writer(bench, "front", text);
        redis_add_writer(bench, SET("one", "two"), "LockSec=1\n");
        redis_load(bench, server);
        redis_load(bench, other);
        client = prepare_set(bench, NULL, FOUR);
        call = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(bench, "writers.log", "front freeze");
        assert_int_equal(kill(server->pid, SIGSTOP), 0);
        bench_let_go(bench, "freeze");
        assert_ok(call_wait(call));
        assert_status(client, "'failed-at-freeze'");
        assert_status(client, "'Timeout'");
        assert_status(client, "one: CLIENT PAUSE 60000 WRITE: the server does not answer in time");
        redis_await_noted(bench, other, redis_noted(other) + 5);
        assert_int_equal(kill(server->pid, SIGCONT), 0);
        redis_await_noted(bench, server, redis_noted(server) + 5);
        end_session(client);
}

/* What happens while it is held: somebody lets it write; it dies; the connection, or the writer, is killed;
 * an Abort. A server that lives writes on at once. */
static void hold(void **state, void (*happen)(Bench *bench, Client *client, RedisServer *server),
                 const char *status) {
        Bench *bench = *state;
        RedisServer *server = redis_new(bench, "one", LOGGED);
        Client *client;
        Call *call;
        long held;

        redis_add_writer(bench, SET("one"), "");
        redis_load(bench, server);
        client = prepare_set(bench, NULL, BOTH);
        call = freeze(bench, client);
        held = redis_noted(server);
        happen(bench, client, server);
        if (server->pid > 0 && status[0])
                redis_await_noted(bench, server, held + 5);
        bench_write(bench, "provider/go", "");
        if (status[0])
                assert_ok(call_wait(call));
        else
                assert_refused(call_wait(call), "Aborted", "");
        if (status[0])
                assert_status(client, status);
        if (server->pid > 0)
                redis_await_noted(bench, server, held + 10);
        end_session(client);
}

static void unpause(Bench *bench, Client *client, RedisServer *server) {
        (void) redis_ask(server, "CLIENT UNPAUSE");
}
static void die(Bench *bench, Client *client, RedisServer *server) {
        redis_stop(server);
}
static void kill_writer(Bench *bench, Client *client, RedisServer *server) {
        assert_int_equal(kill(writer_process(client), SIGKILL), 0);
}
static void abort_backup(Bench *bench, Client *client, RedisServer *server) {
        backup_ok(client, "AbortBackup");
}

static void test_unpaused_while_held(void **state) {
        hold(state, unpause, "one: clients were not kept from writing all the time");
}
static void test_died_while_held(void **state) {
        hold(state, die, "'failed-at-thaw'");
}
static void test_writer_killed_while_it_holds(void **state) {
        hold(state, kill_writer, "NotResponding");
}
static void test_aborted_while_it_holds(void **state) {
        hold(state, abort_backup, "");
}

/* The pause does not go with the connection: it is still good. */
static void test_connection_killed_while_held(void **state) {
        Bench *bench = *state;
        RedisServer *server = redis_new(bench, "one", LOGGED);
        Client *client;
        Call *call;
        long held;

        redis_add_writer(bench, SET("one"), "");
        redis_load(bench, server);
        client = prepare_set(bench, NULL, BOTH);
        call = freeze(bench, client);
        held = redis_noted(server);
        assert_int_equal(redis_ask(server, "CLIENT KILL USER quiesced-redis"), 1);
        snapshot_end(bench, call);
        assert_good(client, "redis");
        redis_await_noted(bench, server, held + 5);
        end_session(client);
}

static void test_configuration(void **state) {
        Bench *bench = *state;
        char text[256];

        (void) redis_new(bench, "one", LOGGED);
        bench_write(bench, "bad.conf", "[Instance a]\nSocket=/a\nUser=b\n");
        (void) snprintf(text, sizeof(text),
                        "%s/.libs/quiesced-writer-redis %s/bad.conf 2>&1 | grep -q 'has User= without "
                        "PasswordFile='",
                        BUILD_TREE, bench->directory);
        (void) setenv("LD_LIBRARY_PATH", BUILD_TREE "/.libs", 1);
        shell("%s", text);
        bench_write(bench, "bad.conf", "[Instance a]\nSocket=/a\nMode=b\n");
        shell("%s/.libs/quiesced-writer-redis %s/bad.conf 2>&1 | grep -q 'a Mode= that is not known'",
              BUILD_TREE, bench->directory);
        (void) unsetenv("LD_LIBRARY_PATH");
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, redis_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_everysec),
                TEST(test_everysec_on_a_slow_disk),
                TEST(test_no_sync),
                TEST(test_saves_alone),
                TEST(test_nothing_kept),
                TEST(test_by_tcp),
                TEST(test_replica),
                TEST(test_discovered),
                TEST(test_set_that_lacks_something),
                TEST(test_logins),
                TEST(test_server_that_loads),
                TEST(test_server_that_cannot_write),
                TEST(test_server_that_is_too_old),
                TEST(test_server_that_hangs),
                TEST(test_server_that_hangs_in_freeze),
                TEST(test_unpaused_while_held),
                TEST(test_died_while_held),
                TEST(test_writer_killed_while_it_holds),
                TEST(test_connection_killed_while_held),
                TEST(test_aborted_while_it_holds),
                TEST(test_configuration),
        };

        return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
