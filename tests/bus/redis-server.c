/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See redis-server.h. */

#include "redis-server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define SERVERS_MAX   4u
#define FILE_MAX_SIZE 65536u /* of a server whose files may not grow */

static RedisServer servers[SERVERS_MAX];
static size_t n_servers;

/* ── Servers ── */

/* Debian's program is one under several names. */
void redis_start_until(Bench *bench, RedisServer *server, const char *settings, const char *until) {
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

void redis_start(Bench *bench, RedisServer *server, const char *settings) {
        redis_start_until(bench, server, settings, "eady to accept connections");
}

void redis_stop(RedisServer *server) {
        pid_t *processes[] = {&server->load, &server->pid};

        for (size_t i = 0; i < ELEMENTSOF(processes); i++) {
                if (*processes[i] <= 0)
                        continue;
                (void) kill(*processes[i], SIGKILL);
                assert_int_equal(waitpid(*processes[i], NULL, 0), *processes[i]);
                *processes[i] = 0;
        }
}

int redis_teardown(void **state) {
        while (n_servers > 0)
                redis_stop(&servers[--n_servers]);
        return bench_teardown(state);
}

static RedisServer *add(Bench *bench, const char *name) {
        RedisServer *server = &servers[n_servers++];

        assert_true(n_servers <= SERVERS_MAX);
        *server = (RedisServer){};
        (void) snprintf(server->name, sizeof(server->name), "%s", name);
        (void) snprintf(server->socket, sizeof(server->socket), "%s/%s.sock", bench->directory, name);
        (void) snprintf(server->noted, sizeof(server->noted), "%s/%s.noted", bench->directory, name);
        return server;
}

RedisServer *redis_new(Bench *bench, const char *name, const char *settings) {
        RedisServer *server = add(bench, name);

        (void) snprintf(server->data, sizeof(server->data), "%s/provider/volumes/%s-data", bench->directory,
                        name);
        (void) snprintf(server->log, sizeof(server->log), "%s/provider/volumes/%s-log", bench->directory,
                        name);
        assert_int_equal(mkdir(server->data, 0700), 0);
        assert_int_equal(mkdir(server->log, 0700), 0);
        shell("mkdir %s/files && ln -s %s/files %s/appendonlydir", server->log, server->log, server->data);
        redis_start(bench, server, settings);
        return server;
}

/* Without cmocka: it is another process. */
static void pretend(int fd, const char *answer) {
        for (int peer; (peer = accept(fd, NULL, NULL)) >= 0; (void) close(peer)) {
                char text[512];

                for (ssize_t n; (n = read(peer, text, sizeof(text) - 1)) > 0;) {
                        const char *said = strstr((text[n] = '\0', text), "INFO") ? answer : "+OK\r\n";

                        if (write(peer, said, strlen(said)) < 0)
                                break;
                }
        }
        _exit(1);
}

RedisServer *redis_new_pretended(Bench *bench, const char *name, const char *answer) {
        RedisServer *server = add(bench, name);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->socket);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(chmod(address.sun_path, 0777), 0);
        assert_int_equal(listen(fd, 8), 0);
        server->pid = fork();
        assert_true(server->pid >= 0);
        if (server->pid == 0)
                pretend(fd, answer);
        (void) close(fd);
        return server;
}

RedisServer *redis_restore(Bench *bench, Client *client, const char *settings) {
        RedisServer *server = add(bench, "restored");
        char path[192];

        (void) snprintf(server->data, sizeof(server->data), "%s/restored/data", bench->directory);
        shell("mkdir %s/restored", bench->directory);
        shell("cp -a %s %s/restored/data", snapshot_path(client, path, "one-data"), bench->directory);
        shell("cp -a %s %s/restored/log", snapshot_path(client, path, "one-log"), bench->directory);
        shell("cd %s/restored && ln -sfn $PWD/log/files data/appendonlydir", bench->directory);
        if (strstr(settings, "appendonly yes"))
                shell("redis-check-aof %s/restored/log/files/appendonly.aof.manifest > /dev/null",
                      bench->directory);
        else
                shell("redis-check-rdb %s/restored/data/dump.rdb > /dev/null", bench->directory);
        redis_start(bench, server, settings);
        return server;
}

/* ── Clients ── */

redisContext *redis_log_in(const RedisServer *server) {
        redisContext *context = redisConnectUnix(server->socket);

        if (!context || context->err)
                fail_msg("%s lets nobody in", server->name);
        return context;
}

long redis_ask(const RedisServer *server, const char *command) {
        redisContext *context = redis_log_in(server);
        redisReply *reply = redisCommand(context, command);
        long n;

        if (!reply || reply->type == REDIS_REPLY_ERROR)
                fail_msg("%s: %s", command, reply ? reply->str : context->errstr);
        n = reply->type == REDIS_REPLY_INTEGER ? (long) reply->integer : reply->str ? atol(reply->str) : 0;
        freeReplyObject(reply);
        redisFree(context);
        return n;
}

/* ── Loads ── */

long redis_noted(const RedisServer *server) {
        return noted_count(server->noted);
}

void redis_await_noted(Bench *bench, const RedisServer *server, long n) {
        noted_await(bench, server->noted, n);
}

/* Without cmocka: it is another process. */
static void work(const RedisServer *server) {
        int fd = open(server->noted, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        redisContext *context = redisConnectUnix(server->socket);

        for (long n = 1; fd >= 0 && context && !context->err; n++) {
                redisReply *reply = redisCommand(context, "RPUSH log %d", (int) n);

                if (!reply || reply->type != REDIS_REPLY_INTEGER || write(fd, "+", 1) != 1)
                        _exit(2);
                freeReplyObject(reply);
        }
        _exit(1);
}

void redis_load(Bench *bench, RedisServer *server) {
        server->load = fork();
        assert_true(server->load >= 0);
        if (server->load == 0)
                work(server);
        redis_await_noted(bench, server, 5);
}

/* ── The writer ── */

void redis_add_writer(Bench *bench, const char *const *names, const char *settings) {
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
        add_real_writer(bench, "redis", AS_NOBODY_WHO_READS, text);
        bench_write(bench, "password", "sesame\n");
        shell("chown 65534 %s/password && chmod 400 %s/password", bench->directory, bench->directory);
        bench_write(bench, "quiesced.conf", "[Events]\nIdentifySec=4s\nPrepareForSnapshotSec=6s\n");
        bench_start(bench);
}
