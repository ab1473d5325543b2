/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The bench's processes and files; see bus-harness.h. bus-client.c has the requesters. */

#include "bus-harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define PATIENCE_MSEC 30000

static const char bus_config[] =
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\""
        " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
        "<busconfig>\n"
        "  <listen>unix:path=%s/bus</listen>\n"
        "  <servicedir>%s/services</servicedir>\n"
        "  <policy context=\"default\">\n"
        "    <allow user=\"*\"/><allow send_type=\"*\"/>\n"
        "    <allow send_destination=\"org.freedesktop.DBus\"/><allow receive_type=\"signal\"/>\n"
        "    <allow receive_type=\"method_call\"/><allow receive_type=\"method_return\"/>\n"
        "    <allow receive_type=\"error\"/>\n"
        "    <allow send_destination=\"org.freedesktop.PolicyKit1\"/>\n"
        "    <allow own_prefix=\"org.example\"/>\n"
        "  </policy>\n"
        "  <policy user=\"root\"><allow own=\"org.freedesktop.PolicyKit1\"/></policy>\n"
        "  <limit name=\"max_match_rules_per_connection\">32</limit>\n"
        "  <include>%s</include>\n"
        "</busconfig>\n";

static void in_directory(Bench *bench, char *target, size_t size, const char *name) {
        assert_true((size_t) snprintf(target, size, "%s/%s", bench->directory, name) < size);
}

void bench_write(Bench *bench, const char *path, const char *text) {
        char full[256];
        FILE *f;

        in_directory(bench, full, sizeof(full), path);
        f = fopen(full, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

char *bench_read(Bench *bench, const char *path) {
        char full[256], *text;
        size_t n;
        FILE *f;

        text = calloc(1, 1 << 20);
        assert_non_null(text);
        in_directory(bench, full, sizeof(full), path);
        f = fopen(full, "re");
        if (!f)
                return text;
        n = fread(text, 1, (1 << 20) - 1, f);
        text[n] = '\0';
        (void) fclose(f);
        return text;
}

unsigned bench_count(Bench *bench, const char *path, const char *text) {
        _cleanup_free_ char *all = bench_read(bench, path);
        unsigned n = 0;

        for (const char *at = all; (at = strstr(at, text)); at += strlen(text))
                n++;
        return n;
}

static bool file_holds(Bench *bench, const char *path, const char *text, const char *other, unsigned n) {
        char full[256];

        in_directory(bench, full, sizeof(full), path);
        if (!text[0])
                return access(full, F_OK) == 0;
        return bench_count(bench, path, text) + (other ? bench_count(bench, path, other) : 0) >= n;
}

/* Any change in the file's folder is looked at; the file's own need not exist yet. */
void bench_wait_either(Bench *bench, const char *path, const char *text, const char *other, unsigned n) {
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        char full[256], buffer[4096];
        struct pollfd p = {.fd = fd, .events = POLLIN};

        in_directory(bench, full, sizeof(full), path);
        *strrchr(full, '/') = '\0';
        assert_true(fd >= 0);
        assert_true(inotify_add_watch(fd, full, IN_CREATE | IN_MODIFY | IN_MOVED_TO) >= 0);
        while (!file_holds(bench, path, text, other, n)) {
                if (poll(&p, 1, PATIENCE_MSEC) <= 0) {
                        _cleanup_free_ char *all = bench_read(bench, path);

                        /* cmocka tells the first thousand bytes. */
                        fail_msg("%s never held \"%.200s\" (%zu bytes, %u times); it holds %zu bytes: %s%s",
                                 path, text, strlen(text), n, strlen(all), strlen(all) > 600 ? "…" : "",
                                 strlen(all) > 600 ? all + strlen(all) - 600 : all);
                }
                while (read(fd, buffer, sizeof(buffer)) > 0)
                        ;
        }
}

void bench_wait_file(Bench *bench, const char *path, const char *text) {
        bench_wait_either(bench, path, text, NULL, 1);
}

void bench_add_volume(Bench *bench, const char *name) {
        char path[128];

        (void) snprintf(path, sizeof(path), "provider/volumes/%s", name);
        bench_write(bench, path, name);
}

void bench_add_writer(Bench *bench, const char *name, const char *arguments) {
        char path[128], text[1024];

        (void) snprintf(path, sizeof(path), "writers.d/%s.writer", name);
        (void) snprintf(text, sizeof(text), "[Writer]\nExec=%s/writer log=%s %s\nUser=root\n",
                        bench->directory, bench->writers_log, arguments);
        bench_write(bench, path, text);
}

void bench_add_one(Bench *bench, const char *arguments) {
        bench_add_volume(bench, "one");
        bench_add_writer(bench, "alpha", arguments);
}

void bench_stop_at(Bench *bench, const char *phase, const char *volume) {
        char script[128];

        (void) snprintf(script, sizeof(script), "%s %s mark reached\n%s %s wait go\n", phase, volume, phase,
                        volume);
        bench_write(bench, "provider/script", script);
}

static pid_t spawn(const char *const *argv, int stderr_fd) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        (void) dup2(stderr_fd, STDERR_FILENO);
        (void) execv(argv[0], (char *const *) argv);
        _exit(127);
}

static void start_bus(Bench *bench) {
        char config[2048], config_option[256], address_option[64];
        const char *argv[] = {DBUS_DAEMON, config_option, "--nofork", "--nopidfile", address_option, NULL};
        int pipes[2], log;
        ssize_t n;

        (void) snprintf(config, sizeof(config), bus_config, bench->directory, bench->directory, BUS_POLICY);
        bench_write(bench, "bus.conf", config);
        assert_int_equal(pipe(pipes), 0);
        assert_true(fcntl(pipes[0], F_SETFD, FD_CLOEXEC) >= 0);
        (void) snprintf(config_option, sizeof(config_option), "--config-file=%s/bus.conf", bench->directory);
        (void) snprintf(address_option, sizeof(address_option), "--print-address=%d", pipes[1]);
        log = open(bench->bus_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        assert_true(log >= 0);
        bench->bus_pid = spawn(argv, log);
        (void) close(log);
        (void) close(pipes[1]);
        n = read(pipes[0], bench->address, sizeof(bench->address) - 1);
        (void) close(pipes[0]);
        assert_true(n > 1);
        bench->address[n - 1] = '\0';
        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", bench->address, true), 0);
}

/* Where quiesced says READY=1. */
static void make_notify_socket(Bench *bench) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", bench->directory);
        bench->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_true(bench->notify_fd >= 0);
        assert_int_equal(bind(bench->notify_fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, true), 0);
}

void bench_await_ready(Bench *bench) {
        struct pollfd p = {.fd = bench->notify_fd, .events = POLLIN};
        char text[256];
        ssize_t n;

        for (;;) {
                if (poll(&p, 1, PATIENCE_MSEC) <= 0) {
                        _cleanup_free_ char *log = bench_read(bench, "quiesced.log");

                        fail_msg("quiesced never became ready: %s", log);
                }
                n = recv(bench->notify_fd, text, sizeof(text) - 1, 0);
                assert_true(n >= 0);
                text[n] = '\0';
                if (strstr(text, "READY=1"))
                        return;
        }
}

void bench_spawn(Bench *bench) {
        char options[4][256];
        const char *argv[] = {QUIESCED,   options[0],        options[1], options[2],
                              options[3], "--launcher=fork", NULL};
        int fd;

        (void) snprintf(options[0], sizeof(options[0]), "--runtime-dir=%s", bench->runtime);
        (void) snprintf(options[1], sizeof(options[1]), "--writers-dir=%s", bench->writers_d);
        (void) snprintf(options[2], sizeof(options[2]), "--test-provider=%s", bench->provider);
        (void) snprintf(options[3], sizeof(options[3]), "--config-dir=%s", bench->directory);
        fd = open(bench->daemon_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        bench->daemon_pid = spawn(argv, fd);
        (void) close(fd);
}

void bench_start(Bench *bench) {
        bench_spawn(bench);
        bench_await_ready(bench);
}

static int reap(pid_t *pid) {
        int status = 0;

        if (*pid > 0)
                assert_int_equal(waitpid(*pid, &status, 0), *pid);
        *pid = 0;
        return status;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return 0;
}

/* A child of quiesced's that was just forked has its connection to the bus a moment longer than quiesced.
 * PID 1 waits for all of a unit before it starts it again; here the bus says when the name is free. */
static void await_no_owner(const Bench *bench) {
        sd_bus *bus = NULL;
        int owned = true;

        assert_int_equal(sd_bus_new(&bus), 0);
        assert_true(sd_bus_set_address(bus, bench->address) >= 0 && sd_bus_set_bus_client(bus, true) >= 0);
        if (sd_bus_start(bus) >= 0) {
                assert_true(sd_bus_add_match(bus, NULL,
                                             "type='signal',sender='org.freedesktop.DBus',"
                                             "member='NameOwnerChanged',arg0='org.quiesce1'",
                                             on_owner_changed, NULL) >= 0);
                for (;;) {
                        sd_bus_message *reply = NULL;

                        assert_true(sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                                       "org.freedesktop.DBus", "NameHasOwner", NULL, &reply,
                                                       "s", "org.quiesce1") >= 0);
                        assert_true(sd_bus_message_read(reply, "b", &owned) >= 0);
                        (void) sd_bus_message_unref(reply);
                        if (!owned)
                                break;
                        if (sd_bus_process(bus, NULL) == 0)
                                assert_true(sd_bus_wait(bus, PATIENCE_MSEC * USEC_PER_MSEC) > 0);
                }
        }
        (void) sd_bus_flush_close_unref(bus);
}

void bench_kill(Bench *bench) {
        assert_int_equal(kill(bench->daemon_pid, SIGKILL), 0);
        (void) reap(&bench->daemon_pid);
        await_no_owner(bench);
}

int bench_stop(Bench *bench) {
        assert_int_equal(kill(bench->daemon_pid, SIGTERM), 0);
        return reap(&bench->daemon_pid);
}

int bench_setup(void **state) {
        Bench *bench = calloc(1, sizeof(*bench));
        char volumes[128], writer[128];

        assert_non_null(bench);
        for (size_t i = 0; i < ELEMENTSOF(bench->fifos); i++)
                bench->fifos[i].fd = -1;
        (void) snprintf(bench->directory, sizeof(bench->directory), "/tmp/quiesced-bus.XXXXXX");
        assert_non_null(mkdtemp(bench->directory));
        assert_int_equal(chmod(bench->directory, 0755), 0);
        in_directory(bench, bench->runtime, sizeof(bench->runtime), "run");
        in_directory(bench, bench->writers_d, sizeof(bench->writers_d), "writers.d");
        in_directory(bench, bench->provider, sizeof(bench->provider), "provider");
        in_directory(bench, bench->writers_log, sizeof(bench->writers_log), "writers.log");
        in_directory(bench, bench->daemon_log, sizeof(bench->daemon_log), "quiesced.log");
        in_directory(bench, bench->bus_log, sizeof(bench->bus_log), "bus.log");
        in_directory(bench, volumes, sizeof(volumes), "services");
        assert_int_equal(mkdir(volumes, 0755), 0);
        in_directory(bench, volumes, sizeof(volumes), "provider/volumes");
        assert_int_equal(mkdir(bench->writers_d, 0755), 0);
        assert_int_equal(mkdir(bench->provider, 0755), 0);
        assert_int_equal(mkdir(volumes, 0755), 0);
        /* A name of one length wherever the build is: a descriptor's lines are short. */
        in_directory(bench, writer, sizeof(writer), "writer");
        assert_int_equal(symlink(TEST_WRITER, writer), 0);
        bench_write(bench, "writers.log", "");
        assert_true(sd_event_new(&bench->event) >= 0);
        start_bus(bench);
        make_notify_socket(bench); /* after the bus, which would say READY=1 there too */
        *state = bench;
        return 0;
}

int bench_setup_started(void **state) {
        int r = bench_setup(state);

        if (r == 0)
                bench_start(*state);
        return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

int bench_teardown(void **state) {
        Bench *bench = *state;

        if (getenv("QUIESCED_TEST_SHOW_LOG")) {
                _cleanup_free_ char *log = bench_read(bench, "quiesced.log");

                (void) fprintf(stderr, "%s", log);
        }
        if (bench->daemon_pid > 0)
                (void) kill(bench->daemon_pid, SIGKILL);
        (void) reap(&bench->daemon_pid);
        if (bench->bus_pid > 0)
                (void) kill(bench->bus_pid, SIGTERM);
        (void) reap(&bench->bus_pid);
        (void) close(bench->notify_fd);
        for (size_t i = 0; i < ELEMENTSOF(bench->fifos); i++)
                (void) fd_close(bench->fifos[i].fd);
        sd_event_unref(bench->event);
        if (!getenv("QUIESCED_TEST_KEEP"))
                (void) nftw(bench->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(bench);
        return 0;
}
