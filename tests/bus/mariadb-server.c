/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* MariaDB servers for tests; see mariadb-server.h. */

#include "mariadb-server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define SERVERS_MAX   4u
#define LOADS_MAX     8u
#define PATIENCE_MSEC 60000

/* Small, so that one starts soon. Acknowledged commits are in memory alone for up to a second; damaged
 * tables are not mended when they are opened. */
static const char *const options[] = {
        "--no-defaults",
        "--user=root",
        "--skip-networking",
        "--server-id=1",
        "--innodb-buffer-pool-size=8M",
        "--innodb-log-file-size=4M",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=fsync",
        "--sync-binlog=0",
        "--key-buffer-size=1M",
        "--aria-pagecache-buffer-size=1M",
        "--myisam-recover-options=OFF",
        "--aria-recover-options=OFF",
        "--performance-schema=OFF",
        "--innodb-stats-persistent=OFF",
};

static char template[64];
static MariadbServer servers[SERVERS_MAX];
static size_t n_servers;
static Load loads[LOADS_MAX];
static size_t n_loads;

/* ── Processes ── */

int mariadb_group_setup(void **state) {
        (void) snprintf(template, sizeof(template), "/tmp/test-mariadb.XXXXXX");
        assert_non_null(mkdtemp(template));
        shell("exec mariadb-install-db --no-defaults --user=root --datadir=%s/data --skip-test-db "
              "--auth-root-authentication-method=socket --innodb-buffer-pool-size=8M "
              "--innodb-log-file-size=4M > %s/data.said 2>&1",
              template, template);
        return 0;
}

int mariadb_group_teardown(void **state) {
        shell("rm -rf %s", template);
        return 0;
}

/* A datagram socket for "READY=1". */
static int notify_socket(Bench *bench, const char *name, char path[static 108]) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd;

        (void) snprintf(path, 108, "%s/%s.notify", bench->directory, name);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        (void) unlink(path);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        return fd;
}

static void await_ready(Bench *bench, const MariadbServer *server, int fd) {
        struct pollfd item[2] = {{.fd = fd, .events = POLLIN}, {.events = POLLIN}};
        char text[512], log[64];
        ssize_t n;

        item[1].fd = pidfd_open(server->pid, 0);
        assert_true(item[1].fd >= 0);
        do {
                if (poll(item, 2, PATIENCE_MSEC) <= 0 || item[1].revents) {
                        _cleanup_free_ char *said = NULL;

                        (void) snprintf(log, sizeof(log), "%s.err", server->name);
                        said = bench_read(bench, log);
                        fail_msg("%s is not ready: %s", server->name, said);
                }
                n = recv(fd, text, sizeof(text) - 1, 0);
                assert_true(n >= 0);
                text[n] = '\0';
        } while (!strstr(text, "READY=1"));
        (void) close(item[1].fd);
}

void mariadb_start(Bench *bench, MariadbServer *server) {
        char text[8][256], notify[108 + 16], path[108];
        const char *argv[64] = {"mariadbd"};
        size_t n = 1, t = 0;
        int fd;

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                argv[n++] = options[i];
        (void) snprintf(text[t], sizeof(text[0]), "--datadir=%s", server->data);
        argv[n++] = text[t++];
        (void) snprintf(text[t], sizeof(text[0]), "--innodb-log-group-home-dir=%s", server->log);
        argv[n++] = text[t++];
        (void) snprintf(text[t], sizeof(text[0]), "--socket=%s", server->socket);
        argv[n++] = text[t++];
        (void) snprintf(text[t], sizeof(text[0]), "--pid-file=%s/%s.pid", bench->directory, server->name);
        argv[n++] = text[t++];
        (void) snprintf(text[t], sizeof(text[0]), "--log-error=%s/%s.err", bench->directory, server->name);
        argv[n++] = text[t++];
        if (server->binary_log[0]) {
                (void) snprintf(text[t], sizeof(text[0]), "--log-bin=%s/binlog", server->binary_log);
                argv[n++] = text[t++];
        }
        fd = notify_socket(bench, server->name, path);
        (void) snprintf(notify, sizeof(notify), "NOTIFY_SOCKET=%s", path);
        server->pid = fork();
        assert_true(server->pid >= 0);
        if (server->pid == 0) {
                (void) putenv(notify);
                execvp(argv[0], (char **) argv);
                _exit(127);
        }
        await_ready(bench, server, fd);
        (void) close(fd);
}

void mariadb_kill(MariadbServer *server) {
        if (server->pid <= 0)
                return;
        (void) kill(server->pid, SIGKILL);
        (void) kill(server->pid, SIGCONT);
        assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
        server->pid = 0;
}

int mariadb_teardown(void **state) {
        while (n_loads > 0)
                load_stop(&loads[--n_loads]);
        while (n_servers > 0)
                mariadb_kill(&servers[--n_servers]);
        return bench_teardown(state);
}

static void make_folder(Bench *bench, char path[static 192], const char *name, const char *kind) {
        (void) snprintf(path, 192, "%s/provider/volumes/%s-%s", bench->directory, name, kind);
        assert_int_equal(mkdir(path, 0700), 0);
}

MariadbServer *mariadb_new(Bench *bench, const char *name) {
        MariadbServer *server = &servers[n_servers++];
        MYSQL *mysql;

        *server = (MariadbServer){};
        (void) snprintf(server->name, sizeof(server->name), "%s", name);
        (void) snprintf(server->socket, sizeof(server->socket), "%s/%s.sock", bench->directory, name);
        make_folder(bench, server->data, name, "data");
        make_folder(bench, server->log, name, "log");
        make_folder(bench, server->binary_log, name, "binary-log");
        shell("cp -a %s/data/. %s && mv %s/ib_logfile0 %s", template, server->data, server->data,
              server->log);
        mariadb_start(bench, server);
        mysql = mariadb_log_in(server);
        /* Just what the manual page tells to grant. */
        mariadb_run(mysql, "CREATE USER nobody@localhost IDENTIFIED VIA unix_socket");
        mariadb_run(mysql, "GRANT RELOAD, PROCESS, SHOW DATABASES, BINLOG MONITOR, SLAVE MONITOR ON *.* TO "
                           "nobody@localhost");
        mariadb_run(mysql, "CREATE DATABASE test");
        mariadb_run(mysql,
                    "CREATE TABLE test.i (n INT PRIMARY KEY AUTO_INCREMENT, bytes BLOB) ENGINE=InnoDB");
        mariadb_run(mysql,
                    "CREATE TABLE test.m (n INT PRIMARY KEY AUTO_INCREMENT, bytes BLOB) ENGINE=MyISAM "
                    "DELAY_KEY_WRITE=1");
        mariadb_run(mysql, "CREATE TABLE test.a (n INT PRIMARY KEY AUTO_INCREMENT, bytes BLOB) ENGINE=Aria "
                           "TRANSACTIONAL=1");
        mysql_close(mysql);
        return server;
}

static void lead_to_copy(Client *client, const MariadbServer *server, char path[static 192],
                         const char *kind) {
        char volume[64];

        (void) snprintf(volume, sizeof(volume), "%s-%s", server->name, kind);
        (void) snapshot_path(client, path, volume);
}

/* Transactions that were committed in the binary log alone come from there, so it has to be as after a
 * restore to other folders: the index names the files by path. */
void mariadb_start_snapshot(Bench *bench, Client *client, MariadbServer *server) {
        char before[192];

        (void) snprintf(before, sizeof(before), "%s", server->binary_log);
        lead_to_copy(client, server, server->data, "data");
        lead_to_copy(client, server, server->log, "log");
        lead_to_copy(client, server, server->binary_log, "binary-log");
        shell("sed -i 's|%s|%s|' %s/binlog.index", before, server->binary_log, server->binary_log);
        mariadb_start(bench, server);
}

/* ── The writer ── */

void mariadb_add_writer(Bench *bench, const char *const *names, const char *settings) {
        char text[1024];
        size_t n;

        n = (size_t) snprintf(text, sizeof(text), "[Discovery]\nDiscover=no\n");
        for (; *names; names++)
                n += (size_t) snprintf(text + n, sizeof(text) - n, "[Instance %s]\nSocket=%s/%s.sock\n%s",
                                       *names, bench->directory, *names, settings);
        add_real_writer(bench, "mariadb", AS_NOBODY_WHO_READS, text);
}

Client *mariadb_prepare(Bench *bench, const char *const *names, const char *without) {
        static const char *const kinds[] = {"data", "log", "binary-log"};
        char text[SERVERS_MAX * (1 + ELEMENTSOF(kinds))][64];
        const char *components[SERVERS_MAX + 1] = {}, *volumes[SERVERS_MAX * ELEMENTSOF(kinds) + 1] = {};
        size_t n_components = 0, n_volumes = 0, n = 0;

        for (; *names; names++) {
                assert_true(n_components < SERVERS_MAX);
                (void) snprintf(text[n], sizeof(text[n]), "mariadb/%s", *names);
                components[n_components++] = text[n++];
                for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                        (void) snprintf(text[n], sizeof(text[n]), "test:%s-%s", *names, kinds[k]);
                        if (!without || !streq(text[n], without))
                                volumes[n_volumes++] = text[n++];
                }
        }
        return prepare_set(bench, components, volumes);
}

/* ── Statements ── */

static MYSQL *connect_to(const char *socket) {
        MYSQL *mysql = mysql_init(NULL);

        return mysql && mysql_real_connect(mysql, NULL, "root", NULL, NULL, 0, socket, 0) ? mysql : NULL;
}

MYSQL *mariadb_log_in(const MariadbServer *server) {
        MYSQL *mysql = connect_to(server->socket);

        if (!mysql)
                fail_msg("%s lets nobody in", server->name);
        return mysql;
}

void mariadb_run(MYSQL *mysql, const char *statement) {
        if (mysql_query(mysql, statement) != 0)
                fail_msg("%s: %s", statement, mysql_error(mysql));
        mysql_free_result(mysql_store_result(mysql));
}

char *mariadb_ask_text(MYSQL *mysql, const char *statement) {
        MYSQL_RES *rows;
        MYSQL_ROW row;
        char *text;

        if (mysql_query(mysql, statement) != 0)
                fail_msg("%s: %s", statement, mysql_error(mysql));
        rows = mysql_store_result(mysql);
        assert_non_null(rows);
        row = mysql_fetch_row(rows);
        text = strdup(row && row[0] ? row[0] : "");
        mysql_free_result(rows);
        return text;
}

long mariadb_ask(MYSQL *mysql, const char *statement) {
        _cleanup_free_ char *text = mariadb_ask_text(mysql, statement);

        return strtol(text, NULL, 10);
}

void mariadb_await_state(const MariadbServer *server, const char *state) {
        MYSQL *mysql = mariadb_log_in(server);
        time_t end = time(NULL) + PATIENCE_MSEC / 1000;
        char question[256];

        (void) snprintf(question, sizeof(question),
                        "SELECT COUNT(*) FROM information_schema.processlist WHERE state = '%s'", state);
        while (mariadb_ask(mysql, question) == 0)
                assert_true(time(NULL) < end);
        mysql_close(mysql);
}

void mariadb_begin(const MariadbServer *server, MYSQL *mysql, const char *statement) {
        assert_int_equal(mysql_send_query(mysql, statement, strlen(statement)), 0);
        mariadb_await_state(server, "User sleep");
}

/* ── Loads ── */

/* Each row is noted after its commit, with one write(). Without cmocka: it is another process. */
static void work(const Load *load) {
        int fd = open(load->noted, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        MYSQL *mysql = connect_to(load->socket);

        if (fd < 0 || !mysql)
                _exit(1);
        for (;;)
                if (mysql_query(mysql, load->statement) != 0 || write(fd, "+", 1) != 1)
                        _exit(2);
}

long load_count(const Load *load) {
        return noted_count(load->noted);
}

void load_await(Bench *bench, const Load *load, long n) {
        noted_await(bench, load->noted, n);
}

Load *load_start(Bench *bench, const MariadbServer *server, const char *table) {
        Load *load = &loads[n_loads++];

        assert_true(n_loads <= LOADS_MAX);
        (void) snprintf(load->statement, sizeof(load->statement),
                        "INSERT INTO test.%s (bytes) VALUES (REPEAT('x', 300))", table);
        (void) snprintf(load->noted, sizeof(load->noted), "%s/%s-%s.noted", bench->directory, server->name,
                        table);
        (void) snprintf(load->socket, sizeof(load->socket), "%s", server->socket);
        load->pid = fork();
        assert_true(load->pid >= 0);
        if (load->pid == 0)
                work(load);
        load_await(bench, load, 5);
        return load;
}

void load_stop(Load *load) {
        int status;

        if (load->pid <= 0)
                return;
        (void) kill(load->pid, SIGKILL);
        assert_int_equal(waitpid(load->pid, &status, 0), load->pid);
        load->pid = 0;
        assert_true(WIFSIGNALED(status)); /* else its work failed */
}
