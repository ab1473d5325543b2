/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The Redis writer: the real quiesced, the real writer as an unprivileged user with just the rights that its
 * manual page tells, and real servers. The test provider's copies are the snapshots. They are made file by
 * file, which shows what the writer promises: nothing is written meanwhile.
 */

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "bus-harness.h"

#define SERVERS_MAX   4u
#define FILE_MAX_SIZE 65536u /* of a server whose files may not grow */

typedef struct Instance {
        char name[16], data[160], log[160], socket[108];
        pid_t pid, load;
} Instance;

static Instance servers[SERVERS_MAX];
static size_t n_servers;

/* ── Servers ── */

_printf_(1, 2) static void shell(const char *format, ...) {
        char command[1024];
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(command, sizeof(command), format, arguments);
        va_end(arguments);
        if (system(command) != 0)
                fail_msg("failed: %s", command);
}

/* Debian's program is one under several names. Returns when its log has @until in it. */
static void start_until(Bench *bench, Instance *server, const char *settings, const char *until) {
        char path[160], text[1024], said[64];

        (void) snprintf(path, sizeof(path), "%s.conf", server->name);
        (void) snprintf(said, sizeof(said), "%s.said", server->name);
        (void) snprintf(text, sizeof(text),
                        "port 0\nunixsocket %s\nunixsocketperm 777\ndir %s\nlogfile %s/%s\n"
                        "user quiesced-redis on >sesame -@all +info +config|get +bgsave +client|pause "
                        "+client|unpause\n%s",
                        server->socket, server->data, bench->directory, said, settings);
        bench_write(bench, path, text);
        (void) snprintf(path, sizeof(path), "%s/%s.conf", bench->directory, server->name);
        (void) snprintf(text, sizeof(text), "%s/%s", bench->directory, said);
        (void) unlink(text);
        server->pid = fork();
        assert_true(server->pid >= 0);
        if (server->pid == 0) {
                if (strstr(settings, "# slow"))
                        (void) setenv("LD_PRELOAD", SLOW_SYNC, 1);
                if (strstr(settings, "# small")) {
                        (void) signal(SIGXFSZ, SIG_IGN);
                        (void) setrlimit(RLIMIT_FSIZE, &(struct rlimit){FILE_MAX_SIZE, FILE_MAX_SIZE});
                }
                (void) execlp("redis-check-rdb", "redis-server", path, NULL);
                _exit(127);
        }
        bench_wait_file(bench, said, until);
}

static void start(Bench *bench, Instance *server, const char *settings) {
        start_until(bench, server, settings, "eady to accept connections");
}

static void stop(Instance *server) {
        pid_t *processes[] = {&server->load, &server->pid};

        for (size_t i = 0; i < ELEMENTSOF(processes); i++) {
                if (*processes[i] <= 0)
                        continue;
                (void) kill(*processes[i], SIGKILL);
                assert_int_equal(waitpid(*processes[i], NULL, 0), *processes[i]);
                *processes[i] = 0;
        }
}

static Instance *make(Bench *bench, const char *name, const char *settings) {
        Instance *server = &servers[n_servers++];

        *server = (Instance){};
        (void) snprintf(server->name, sizeof(server->name), "%s", name);
        (void) snprintf(server->data, sizeof(server->data), "%s/provider/volumes/%s-data", bench->directory,
                        name);
        (void) snprintf(server->log, sizeof(server->log), "%s/provider/volumes/%s-log", bench->directory,
                        name);
        (void) snprintf(server->socket, sizeof(server->socket), "%s/%s.sock", bench->directory, name);
        assert_int_equal(mkdir(server->data, 0700), 0);
        assert_int_equal(mkdir(server->log, 0700), 0);
        shell("mkdir %s/files && ln -s %s/files %s/appendonlydir", server->log, server->log, server->data);
        start(bench, server, settings);
        return server;
}

static redisContext *log_in(const Instance *server) {
        redisContext *context = redisConnectUnix(server->socket);

        if (!context || context->err)
                fail_msg("%s lets nobody in", server->name);
        return context;
}

static long ask(const Instance *server, const char *command) {
        redisContext *context = log_in(server);
        redisReply *reply = redisCommand(context, command);
        long n;

        if (!reply || reply->type == REDIS_REPLY_ERROR)
                fail_msg("%s: %s", command, reply ? reply->str : context->errstr);
        n = reply->type == REDIS_REPLY_INTEGER ? (long) reply->integer : reply->str ? atol(reply->str) : 0;
        freeReplyObject(reply);
        redisFree(context);
        return n;
}

/* ── Loads: each write is noted when it is acknowledged ── */

static char *noted_path(Bench *bench, const Instance *server, char path[static 160]) {
        (void) snprintf(path, 160, "%s/%s.noted", bench->directory, server->name);
        return path;
}

static long noted(Bench *bench, const Instance *server) {
        char path[160];
        struct stat st;

        return stat(noted_path(bench, server, path), &st) == 0 ? (long) st.st_size : 0;
}

static void await_noted(Bench *bench, const Instance *server, long n) {
        char path[160];
        _cleanup_free_ char *text = calloc(1, (size_t) n + 1);

        assert_non_null(text);
        memset(text, '+', (size_t) n);
        bench_wait_file(bench, strrchr(noted_path(bench, server, path), '/') + 1, text);
}

static void load(Bench *bench, Instance *server) {
        char path[160];

        (void) noted_path(bench, server, path);
        server->load = fork();
        assert_true(server->load >= 0);
        if (server->load == 0) {
                int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
                redisContext *context = redisConnectUnix(server->socket);

                for (long n = 1; fd >= 0 && context && !context->err; n++) {
                        redisReply *reply = redisCommand(context, "RPUSH log %d", (int) n);

                        if (!reply || reply->type != REDIS_REPLY_INTEGER || write(fd, "+", 1) != 1)
                                _exit(2);
                        freeReplyObject(reply);
                }
                _exit(1);
        }
        await_noted(bench, server, 5);
}

/* ── The bench ── */

/* The launcher of tests starts it as root: a script becomes nobody, with the one capability that the unit
 * gives, first. */
static void add_writer(Bench *bench, const char *const *names, const char *settings) {
        char text[1024];
        size_t n;

        n = (size_t) snprintf(text, sizeof(text), "[Discovery]\nDiscover=no\n");
        if (strstr(settings, "[Discovery]"))
                n = (size_t) snprintf(text, sizeof(text), "%s", settings);
        for (; *names && !strstr(settings, "[Discovery]"); names++)
                n += (size_t) snprintf(text + n, sizeof(text) - n,
                                       "[Instance %s]\n%s%s/%s.sock\nUser=quiesced-redis\n"
                                       "PasswordFile=%s/password\n%s",
                                       *names,
                                       strstr(settings, "Host=") ? "# " : "Socket=", bench->directory,
                                       *names, bench->directory, settings);
        bench_write(bench, "redis.conf", text);
        bench_write(bench, "password", "sesame\n");
        shell("chown 65534 %s/password && chmod 400 %s/password", bench->directory, bench->directory);
        (void) snprintf(text, sizeof(text),
                        "[Writer]\nExec=%s/redis\n %s/redis.conf\nUser=root\nLevel=back-end\n",
                        bench->directory, bench->directory);
        bench_write(bench, "writers.d/redis.writer", text);
        (void) snprintf(
                text, sizeof(text),
                "#!/bin/sh\nset -e\nmkdir -p %s/bin\n"
                "cp %s/.libs/quiesced-writer-redis %s/.libs/libquiesce.so.0 %s/bin\n"
                "export LD_LIBRARY_PATH=%s/bin\n"
                "exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,+dac_read_search "
                "--ambient-caps=-all,+dac_read_search %s/bin/quiesced-writer-redis \"$@\"\n",
                bench->directory, BUILD_TREE, BUILD_TREE, bench->directory, bench->directory,
                bench->directory);
        bench_write(bench, "redis", text);
        shell("chmod 755 %s/redis", bench->directory);
        bench_write(bench, "quiesced.conf", "[Events]\nIdentifySec=4s\nPrepareForSnapshotSec=6s\n");
        bench_start(bench);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static int teardown(void **state) {
        while (n_servers > 0)
                stop(&servers[--n_servers]);
        return bench_teardown(state);
}

static char *status_of(Client *client) {
        sd_bus_message *m =
                call_ask(client, client->session, SESSION_INTERFACE, "GatherWriterStatus", "a{sv}", 0);
        char *text = reply_to_text(m);

        sd_bus_message_unref(m);
        return text;
}

static void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

static void assert_status(Client *client, const char *part) {
        _cleanup_free_ char *text = status_of(client);

        assert_has(text, part);
}

static void assert_good(Client *client) {
        _cleanup_free_ char *text = status_of(client);

        if (!strstr(text, "'name'='redis'") || !strstr(text, "'state'='waiting-for-backup-complete'") ||
            strstr(text, "failed") || strstr(text, "warning"))
                fail_msg("it went not well: %s", text);
}

/* A session with these volumes; by component, if one is named. */
static Client *prepare(Bench *bench, const char *component, const char *const *volumes) {
        Client *client = client_new(bench);

        client_open(client);
        if (component)
                assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupState", "a{sv}", 1,
                                   "component-mode", "b", 1));
        backup_ok(client, "GatherWriterMetadata");
        if (component)
                assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "AddComponent", "sssa{sv}",
                                   "redis", "", component, 0));
        client_start_set(client);
        for (; *volumes; volumes++)
                free(client_add(client, *volumes));
        backup_ok(client, "PrepareForBackup");
        return client;
}

static void release(Client *client) {
        session_ok(client, "Release");
        (void) client_free(client);
}

static void assert_backup(Bench *bench, const char *const *volumes, const char *state, const char *text) {
        Client *client = prepare(bench, NULL, volumes);

        backup_ok(client, "DoSnapshotSet");
        assert_status(client, state);
        assert_status(client, text);
        release(client);
}

/* Writers are frozen when this returns. */
static Call *snapshot_begin(Bench *bench, Client *client) {
        Call *call;

        bench_stop_at(bench, "pre-commit", "one-data");
        call = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(bench, "provider/reached", "");
        return call;
}

static void snapshot_end(Bench *bench, Call *call) {
        bench_write(bench, "provider/go", "");
        assert_ok(call_wait(call));
}

/* A server on the copies. */
static Instance *restore(Bench *bench, Client *client, const char *settings) {
        static const char *const volumes[] = {"data", "log"};
        _cleanup_free_ char *log = bench_read(bench, "provider/log");
        Instance *server = &servers[n_servers++];

        *server = (Instance){.name = "restored"};
        (void) snprintf(server->socket, sizeof(server->socket), "%s/restored.sock", bench->directory);
        (void) snprintf(server->data, sizeof(server->data), "%s/restored/data", bench->directory);
        shell("mkdir %s/restored", bench->directory);
        for (size_t i = 0; i < ELEMENTSOF(volumes); i++) {
                char line[32], id[37] = "";
                const char *at;

                (void) snprintf(line, sizeof(line), "commit one-%s ", volumes[i]);
                at = strstr(log, line);
                assert_non_null(at);
                assert_int_equal(sscanf(at + strlen(line), "%36s", id), 1);
                shell("cp -a %s/provider/snapshots/auto-release.%s.%s %s/restored/%s", bench->directory,
                      client->set, id, bench->directory, volumes[i]);
        }
        shell("cd %s/restored && ln -sfn $PWD/log/files data/appendonlydir", bench->directory);
        if (strstr(settings, "appendonly yes"))
                shell("redis-check-aof %s/restored/log/files/appendonly.aof.manifest > /dev/null",
                      bench->directory);
        else
                shell("redis-check-rdb %s/restored/data/dump.rdb > /dev/null", bench->directory);
        start(bench, server, settings);
        return server;
}

static unsigned writer_process(Client *client) {
        _cleanup_free_ char *status = status_of(client);
        unsigned process = 0;

        assert_int_equal(sscanf(strstr(status, "'process'="), "'process'=%u", &process), 1);
        return process;
}

#define LOGGED "save \"\"\nappendonly yes\nappendfsync everysec\n"
#define SAVED  "save 3600 1000000\n"
#define BOTH   LIST("test:one-data", "test:one-log")

/* ── Tests ── */

/* Each acknowledged write is in the copy, and none after the freeze, however the file is synced. */
static void test_all_that_was_acknowledged(void **state) {
        static const char *const notes[] = {
                "version=7.",         "run-id=",     "appendonly=yes",  "appendfsync=",     "rdb-saved-at=",
                "rdb-changes-since=", "role=master", "replication-id=", "data-directory=/", "config-file=/",
                "replication-offset="};
        Bench *bench = *state;
        const char *settings = getenv("TEST_REDIS_SETTINGS");
        sd_bus_message *m;
        Instance *server;
        const char *said;
        Client *client;
        long held, n;
        Call *call;

        server = make(bench, "one", settings);
        add_writer(bench, LIST("one"), "");
        load(bench, server);
        client = prepare(bench, "one", BOTH);
        call = snapshot_begin(bench, client);
        held = noted(bench, server);
        snapshot_end(bench, call);
        assert_good(client);
        await_noted(bench, server, held + 5); /* it is let go */
        m = backup_ask(client, "SaveDocument");
        assert_true(sd_bus_message_read(m, "s", &said) > 0);
        for (size_t i = 0; i < ELEMENTSOF(notes); i++)
                assert_has(said, notes[i]);
        assert_has(said, "db0");
        assert_null(strstr(said, "sesame"));
        sd_bus_message_unref(m);
        stop(server);
        server = restore(bench, client, LOGGED);
        n = ask(server, "LLEN log");
        if (n != held && n != held + 1)
                fail_msg("%ld were noted, %ld are in the copy", held, n);
        assert_int_equal(ask(server, "LINDEX log -1"), n);
        release(client);
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
        Instance *server = make(bench, "one", SAVED);
        Client *client;
        long before;

        add_writer(bench, LIST("one"), "");
        load(bench, server);
        client = prepare(bench, NULL, LIST("test:one-data", "test:one-log"));
        before = noted(bench, server);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client);
        stop(server);
        server = restore(bench, client, SAVED);
        assert_true(ask(server, "LLEN log") >= before);
        assert_int_equal(ask(server, "LINDEX log -1"), ask(server, "LLEN log"));
        release(client);
}

/* Nothing on disk is nothing to back up, and said; unless it is to be saved all the same. */
static void test_nothing_kept(void **state) {
        Bench *bench = *state;
        Instance *server = make(bench, "one", "save \"\"\n");
        Client *client;

        add_writer(bench, LIST("one"), "");
        client = prepare(bench, NULL, LIST("test:one-data"));
        assert_status(client, "one: it keeps nothing on disk");
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'state'='waiting-for-backup-complete'");
        release(client);
        bench_kill(bench);
        (void) ask(server, "SET a 5");
        add_writer(bench, LIST("one"), "Mode=save\n");
        client = prepare(bench, NULL, LIST("test:one-data"));
        backup_ok(client, "DoSnapshotSet");
        assert_good(client);
        shell("redis-check-rdb %s/dump.rdb > /dev/null", server->data);
        release(client);
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
        Instance *server;
        Client *client;
        char text[128];
        Call *call;
        long held;

        (void) snprintf(text, sizeof(text), LOGGED "bind 127.0.0.1\nport %u\n", port);
        server = make(bench, "one", text);
        (void) snprintf(text, sizeof(text), "Host=127.0.0.1\nPort=%u\n", port);
        add_writer(bench, LIST("one"), text);
        load(bench, server);
        client = prepare(bench, "one", BOTH);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client);
        release(client);
        client = prepare(bench, "one", BOTH);
        call = snapshot_begin(bench, client);
        held = noted(bench, server);
        assert_int_equal(kill((pid_t) writer_process(client), SIGKILL), 0);
        await_noted(bench, server, held + 5);
        snapshot_end(bench, call);
        release(client);
}

/* It is held as a primary is; what it follows, and how far, is on record. Without its primary: a warning. */
static void test_replica(void **state) {
        Bench *bench = *state;
        unsigned port = free_port();
        Instance *primary, *replica;
        char text[256];
        sd_bus_message *m;
        const char *said;
        Client *client;

        (void) snprintf(text, sizeof(text),
                        "save \"\"\nbind 127.0.0.1\nport %u\nrepl-diskless-sync-delay 0\n", port);
        primary = make(bench, "two", text);
        (void) ask(primary, "RPUSH log 1");
        (void) snprintf(text, sizeof(text), LOGGED "replicaof 127.0.0.1 %u\n", port);
        replica = make(bench, "one", text);
        bench_wait_file(bench, "one.said", "MASTER <-> REPLICA sync: Finished with success");
        add_writer(bench, LIST("one"), "");
        client = prepare(bench, "one", BOTH);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client);
        m = backup_ask(client, "SaveDocument");
        assert_true(sd_bus_message_read(m, "s", &said) > 0);
        assert_has(said, "role=slave");
        assert_has(said, "primary-host=127.0.0.1");
        assert_has(said, "primary-offset=");
        sd_bus_message_unref(m);
        stop(primary);
        stop(replica);
        replica = restore(bench, client, LOGGED);
        assert_int_equal(ask(replica, "LLEN log"), 1);
        release(client);
        start(bench, &servers[1], text);
        bench_wait_file(bench, "one.said", "Error condition on socket for SYNC");
        assert_backup(bench, BOTH, "'state'='waiting-for-backup-complete'",
                      "one: it is a replica without a connection to its primary");
}

/* By its socket, and without a login. */
static void test_discovered(void **state) {
        Bench *bench = *state;
        char text[160];
        Client *client;

        (void) make(bench, "one", LOGGED);
        (void) snprintf(text, sizeof(text), "[Discovery]\nSocket=%s/*.sock\n", bench->directory);
        add_writer(bench, LIST("one"), text);
        client = prepare(bench, "one", BOTH);
        backup_ok(client, "DoSnapshotSet");
        assert_good(client);
        release(client);
}

static void test_set_that_lacks_something(void **state) {
        Bench *bench = *state;

        (void) make(bench, "one", LOGGED);
        add_writer(bench, LIST("one"), "");
        assert_backup(bench, LIST("test:one-data"), "'InconsistentSnapshot'",
                      "one: the set lacks /, where the append-only file ");
}

static void test_logins(void **state) {
        Bench *bench = *state;
        Instance *server = make(bench, "one", LOGGED);
        _cleanup_free_ char *text = NULL;
        Client *client;

        add_writer(bench, LIST("one"), "");
        (void) ask(server, "ACL SETUSER quiesced-redis -client|pause");
        assert_backup(bench, BOTH, "'failed-at-freeze'", "ACL SETUSER quiesced-redis +client|pause");
        bench_write(bench, "password", "barley\n");
        client = prepare(bench, NULL, BOTH);
        backup_ok(client, "DoSnapshotSet");
        text = status_of(client);
        assert_has(text, "one: AUTH: WRONGPASS");
        assert_has(text, "'NonRetryable'");
        assert_null(strstr(text, "barley"));
        release(client);
        stop(server);
        assert_backup(bench, BOTH, "'failed-at-prepare-snapshot'", "one: no connection: ");
}

/* It has not read its file yet: try again later. */
static void test_server_that_loads(void **state) {
        Bench *bench = *state;
        Instance *server = make(bench, "one", SAVED "enable-debug-command yes\n");
        _cleanup_free_ char *text = NULL;
        Client *client;

        (void) ask(server, "DEBUG POPULATE 100000");
        (void) ask(server, "SAVE");
        stop(server);
        start_until(bench, server,
                    SAVED "key-load-delay 2000\nloading-process-events-interval-bytes 1024\n",
                    "Loading RDB");
        add_writer(bench, LIST("one"), "");
        client = prepare(bench, NULL, BOTH);
        backup_ok(client, "DoSnapshotSet");
        text = status_of(client);
        assert_has(text, "one: it still loads its data");
        assert_has(text, "'Retryable'");
        release(client);
}

/* What it acknowledges is not in its file. */
static void test_server_that_cannot_write(void **state) {
        Bench *bench = *state;
        Instance *server = make(bench, "one", LOGGED "# small\n");
        redisContext *context = log_in(server);
        redisReply *reply = NULL;

        add_writer(bench, LIST("one"), "");
        do {
                freeReplyObject(reply);
                reply = redisCommand(context, "RPUSH log %b", (char[4096]){}, (size_t) 4096);
                assert_non_null(reply);
        } while (reply->type != REDIS_REPLY_ERROR);
        assert_has(reply->str, "MISCONF");
        freeReplyObject(reply);
        redisFree(context);
        assert_backup(bench, BOTH, "'NonRetryable'", "one: it cannot write to its append-only file");
}

/* No Redis of before 6.2 is to be had here: one that says it is. */
static void test_server_that_is_too_old(void **state) {
        static const char answer[] = "$22\r\nredis_version:6.0.16\r\n\r\n";
        Bench *bench = *state;
        Instance *server = &servers[n_servers++];
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        *server = (Instance){};
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/one.sock", bench->directory);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(chmod(address.sun_path, 0777), 0);
        assert_int_equal(listen(fd, 8), 0);
        server->pid = fork();
        assert_true(server->pid >= 0);
        for (int peer; server->pid == 0 && (peer = accept(fd, NULL, NULL)) >= 0; (void) close(peer)) {
                char text[512];

                for (ssize_t n; (n = read(peer, text, sizeof(text) - 1)) > 0;) {
                        const char *said = strstr((text[n] = '\0', text), "INFO") ? answer : "+OK\r\n";

                        if (write(peer, said, strlen(said)) < 0)
                                break;
                }
        }
        (void) close(fd);
        shell("mkdir %s/provider/volumes/one-data", bench->directory);
        add_writer(bench, LIST("one"), "");
        assert_backup(bench, LIST("test:one-data"), "'NonRetryable'",
                      "one: it is Redis 6.0.16: 6.2 or later is needed");
}

/* It does not answer; the other is held, and let go, all the same. */
static void test_server_that_hangs(void **state) {
        Bench *bench = *state;
        Instance *server = make(bench, "one", LOGGED), *other = make(bench, "two", LOGGED);
        Client *client;

        add_writer(bench, LIST("one", "two"), "");
        load(bench, other);
        client =
                prepare(bench, NULL, LIST("test:one-data", "test:one-log", "test:two-data", "test:two-log"));
        assert_int_equal(kill(server->pid, SIGSTOP), 0);
        backup_ok(client, "DoSnapshotSet");
        assert_status(client, "'Timeout'");
        assert_status(client, "one: ");
        await_noted(bench, other, noted(bench, other) + 5);
        release(client);
}

/* From just before Freeze on. When it goes on, it is not paused. */
static void test_server_that_hangs_in_freeze(void **state) {
        Bench *bench = *state;
        Instance *server = make(bench, "one", LOGGED), *other = make(bench, "two", LOGGED);
        char fifo[128], text[192];
        Client *client;
        Call *call;

        (void) snprintf(text, sizeof(text), "level=front-end freeze=wait:%s",
                        bench_make_fifo(bench, "freeze", fifo));
        bench_add_writer(bench, "front", text);
        add_writer(bench, LIST("one", "two"), "LockSec=1\n");
        load(bench, server);
        load(bench, other);
        client =
                prepare(bench, NULL, LIST("test:one-data", "test:one-log", "test:two-data", "test:two-log"));
        call = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(bench, "writers.log", "front freeze");
        assert_int_equal(kill(server->pid, SIGSTOP), 0);
        bench_let_go(bench, "freeze");
        assert_ok(call_wait(call));
        assert_status(client, "'failed-at-freeze'");
        assert_status(client, "'Timeout'");
        assert_status(client, "one: CLIENT PAUSE 60000 WRITE: the server does not answer in time");
        await_noted(bench, other, noted(bench, other) + 5);
        assert_int_equal(kill(server->pid, SIGCONT), 0);
        await_noted(bench, server, noted(bench, server) + 5);
        release(client);
}

/* What happens while it is held: somebody lets it write; it dies; the connection, or the writer, is killed;
 * an Abort. A server that lives writes on at once. */
static void hold(void **state, void (*happen)(Bench *bench, Client *client, Instance *server),
                 const char *status) {
        Bench *bench = *state;
        Instance *server = make(bench, "one", LOGGED);
        Client *client;
        Call *call;
        long held;

        add_writer(bench, LIST("one"), "");
        load(bench, server);
        client = prepare(bench, NULL, BOTH);
        call = snapshot_begin(bench, client);
        held = noted(bench, server);
        happen(bench, client, server);
        if (server->pid > 0 && status[0])
                await_noted(bench, server, held + 5);
        bench_write(bench, "provider/go", "");
        if (status[0])
                assert_ok(call_wait(call));
        else
                assert_refused(call_wait(call), "Aborted", "");
        if (status[0])
                assert_status(client, status);
        if (server->pid > 0)
                await_noted(bench, server, held + 10);
        release(client);
}

static void unpause(Bench *bench, Client *client, Instance *server) {
        (void) ask(server, "CLIENT UNPAUSE");
}
static void die(Bench *bench, Client *client, Instance *server) {
        stop(server);
}
static void kill_writer(Bench *bench, Client *client, Instance *server) {
        assert_int_equal(kill((pid_t) writer_process(client), SIGKILL), 0);
}
static void abort_backup(Bench *bench, Client *client, Instance *server) {
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
        Instance *server = make(bench, "one", LOGGED);
        Client *client;
        Call *call;
        long held;

        add_writer(bench, LIST("one"), "");
        load(bench, server);
        client = prepare(bench, NULL, BOTH);
        call = snapshot_begin(bench, client);
        held = noted(bench, server);
        assert_int_equal(ask(server, "CLIENT KILL USER quiesced-redis"), 1);
        snapshot_end(bench, call);
        assert_good(client);
        await_noted(bench, server, held + 5);
        release(client);
}

static void test_configuration(void **state) {
        Bench *bench = *state;
        char text[256];

        (void) make(bench, "one", LOGGED);
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
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, teardown)
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
