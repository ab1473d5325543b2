/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `make bench-bus`: what quiesced itself costs, with writers that answer at once.
 *
 * A private bus, the real quiesced with the test provider, real writer processes on three levels. Measured
 * are events to all writers and the freeze window for 1, 10, 50 and 200 of them, beside it in turn the time
 * in which one process pings as many peers with bare sd-bus; an idle daemon's memory and processor time;
 * many sessions. Prints tables for tests/bench/BUS.md; fails if what it measures did not happen, never
 * because of a time.
 */

#include "tests/bus/bus-harness.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define WRITERS_MAX  200u
#define ROUNDS       15u
#define SESSIONS     500u
#define IDLE_SECONDS 10u

/* A requester that only waits: what it takes is not quiesced's. */
typedef struct Requester {
        sd_bus *bus;
        char session[128];
} Requester;

typedef struct Times {
        uint64_t prepare[ROUNDS], snapshot[ROUNDS], freeze[ROUNDS], complete[ROUNDS], ping[ROUNDS];
        uint64_t daemon_cpu[ROUNDS];
} Times;

static uint64_t now(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / NSEC_PER_USEC;
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *values, size_t n) {
        qsort(values, n, sizeof(*values), compare);
        return values[n / 2];
}

/* --- quiesced --- */

static void requester_open_bus(Requester *r, Bench *bench) {
        assert_true(sd_bus_new(&r->bus) >= 0);
        assert_true(sd_bus_set_address(r->bus, bench->address) >= 0);
        assert_true(sd_bus_set_bus_client(r->bus, true) >= 0);
        assert_true(sd_bus_start(r->bus) >= 0);
}

static sd_bus_message *ask(Requester *r, const char *path, const char *interface, const char *member,
                           const char *types, ...) {
        sd_bus_message *m = NULL, *reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list ap;

        assert_true(sd_bus_message_new_method_call(r->bus, &m, QUIESCE_NAME, path, interface, member) >= 0);
        va_start(ap, types);
        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        va_end(ap);
        if (sd_bus_call(r->bus, m, UINT64_MAX, &error, &reply) < 0)
                fail_msg("%s: %s", member, error.message);
        sd_bus_message_unref(m);
        return reply;
}

static uint64_t ask_timed(Requester *r, const char *member) {
        uint64_t started = now();

        sd_bus_message_unref(ask(r, r->session, BACKUP_INTERFACE, member, "a{sv}", 0));
        return now() - started;
}

static void requester_open(Requester *r) {
        sd_bus_message *m = ask(r, QUIESCE_PATH, MANAGER_INTERFACE, "OpenBackup", "a{sv}", 0);
        const char *path;

        assert_true(sd_bus_message_read(m, "o", &path) > 0);
        (void) snprintf(r->session, sizeof(r->session), "%s", path);
        sd_bus_message_unref(m);
}

static void requester_release(Requester *r) {
        sd_bus_message_unref(ask(r, r->session, SESSION_INTERFACE, "Release", "a{sv}", 0));
}

/* Every writer took part and had Thaw; else the time means nothing. */
static void check_writers(Requester *r, unsigned n_writers) {
        sd_bus_message *m = ask(r, r->session, SESSION_INTERFACE, "GatherWriterStatus", "a{sv}", 0);
        char *text = reply_to_text(m);
        unsigned n = 0;

        for (const char *at = text; (at = strstr(at, "'failure'='', 'text'=''")); at++)
                n++;
        assert_int_equal(n, n_writers);
        n = 0;
        for (const char *at = text; (at = strstr(at, "'takes-part'=true")); at++)
                n++;
        assert_int_equal(n, n_writers);
        free(text);
        sd_bus_message_unref(m);
}

static uint64_t freeze_usec(Requester *r, const char *set) {
        sd_bus_message *m = ask(r, QUIESCE_PATH, MANAGER_INTERFACE, "GetSnapshotSet", "s", set), *n;
        const char *path;
        uint64_t usec;

        assert_true(sd_bus_message_read(m, "o", &path) > 0);
        n = ask(r, path, "org.freedesktop.DBus.Properties", "Get", "ss", "org.quiesce1.SnapshotSet",
                "FreezeUSec");
        assert_true(sd_bus_message_read(n, "v", "t", &usec) > 0);
        sd_bus_message_unref(m);
        sd_bus_message_unref(n);
        return usec;
}

/* In µs: utime and stime of a process count ticks of 10 ms; this is exact. */
static uint64_t cpu_usec(pid_t pid) {
        struct timespec ts;
        clockid_t clock;

        assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
        assert_int_equal(clock_gettime(clock, &ts), 0);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / NSEC_PER_USEC;
}

static void backup(Bench *bench, Requester *r, unsigned n_writers, Times *times, size_t round) {
        const char *text;
        sd_bus_message *m;
        uint64_t started, cpu;
        char set[37];

        requester_open(r);
        (void) ask_timed(r, "GatherWriterMetadata");
        m = ask(r, r->session, BACKUP_INTERFACE, "StartSnapshotSet", "a{sv}", 0);
        assert_true(sd_bus_message_read(m, "s", &text) > 0);
        (void) snprintf(set, sizeof(set), "%s", text);
        sd_bus_message_unref(m);
        sd_bus_message_unref(
                ask(r, r->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "s", "test:one", 0));
        cpu = cpu_usec(bench->daemon_pid);
        times->prepare[round] = ask_timed(r, "PrepareForBackup");
        times->daemon_cpu[round] = cpu_usec(bench->daemon_pid) - cpu;
        started = now();
        sd_bus_message_unref(ask(r, r->session, BACKUP_INTERFACE, "DoSnapshotSet", "a{sv}", 0));
        times->snapshot[round] = now() - started;
        times->freeze[round] = freeze_usec(r, set);
        times->complete[round] = ask_timed(r, "BackupComplete");
        check_writers(r, n_writers);
        requester_release(r);
}

static unsigned read_status(pid_t pid, const char *key) {
        char path[64], line[256];
        unsigned value = 0;
        FILE *f;

        (void) snprintf(path, sizeof(path), "/proc/%d/status", pid);
        f = fopen(path, "re");
        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
                if (strncmp(line, key, strlen(key)) == 0)
                        value = (unsigned) strtoul(line + strlen(key) + 1, NULL, 10);
        (void) fclose(f);
        return value;
}

static void add_writers(Bench *bench, unsigned from, unsigned to) {
        static const char *const levels[] = {"front-end", "back-end", "system"};

        for (unsigned i = from; i < to; i++) {
                char path[64], text[512];

                (void) snprintf(path, sizeof(path), "writers.d/w%03u.writer", i);
                (void) snprintf(text, sizeof(text), "[Writer]\nExec=" BENCH_WRITER "\n  %s\nUser=root\n",
                                levels[i % 3]);
                bench_write(bench, path, text);
        }
}

/* --- bare sd-bus --- */

typedef struct Peers {
        sd_event *event;
        sd_bus *buses[WRITERS_MAX];
        pid_t pids[WRITERS_MAX];
        unsigned n, n_greeted, n_answered;
} Peers;

static int on_greeting(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Peers *peers = userdata;

        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Peer", "Ping"))
                peers->n_greeted++;
        return 0;
}

static int on_pong(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Peers *peers = userdata;

        assert_false(sd_bus_message_is_method_error(m, NULL));
        peers->n_answered++;
        return 0;
}

static void peers_start(Peers *peers, Bench *bench, unsigned n) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        char text[160];
        int listener;

        assert_true(sd_event_new(&peers->event) >= 0);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/peers", bench->directory);
        (void) snprintf(text, sizeof(text), "unix:path=%s", address.sun_path);
        (void) unlink(address.sun_path);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(listener, 64), 0);
        for (peers->n = 0; peers->n < n; peers->n++) {
                sd_bus **bus = &peers->buses[peers->n];
                sd_id128_t id;
                int fd;

                peers->pids[peers->n] = fork();
                assert_true(peers->pids[peers->n] >= 0);
                if (peers->pids[peers->n] == 0) {
                        (void) execl(BENCH_WRITER, BENCH_WRITER, "peer", text, NULL);
                        _exit(127);
                }
                fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                assert_true(fd >= 0);
                assert_true(sd_id128_randomize(&id) >= 0 && sd_bus_new(bus) >= 0 &&
                            sd_bus_set_fd(*bus, fd, fd) >= 0 && sd_bus_set_server(*bus, true, id) >= 0 &&
                            sd_bus_add_filter(*bus, NULL, on_greeting, peers) >= 0 &&
                            sd_bus_start(*bus) >= 0 && sd_bus_attach_event(*bus, peers->event, 0) >= 0);
        }
        (void) close(listener);
        while (peers->n_greeted < n)
                assert_true(sd_event_run(peers->event, 30 * USEC_PER_SEC) > 0);
}

static uint64_t peers_ping(Peers *peers) {
        uint64_t started = now();

        peers->n_answered = 0;
        for (unsigned i = 0; i < peers->n; i++)
                assert_true(sd_bus_call_method_async(peers->buses[i], NULL, NULL, "/",
                                                     "org.freedesktop.DBus.Peer", "Ping", on_pong, peers,
                                                     NULL) >= 0);
        while (peers->n_answered < peers->n)
                assert_true(sd_event_run(peers->event, 30 * USEC_PER_SEC) > 0);
        return now() - started;
}

static void peers_stop(Peers *peers) {
        for (unsigned i = 0; i < peers->n; i++) {
                (void) sd_bus_detach_event(peers->buses[i]);
                sd_bus_close_unref(peers->buses[i]);
                assert_int_equal(waitpid(peers->pids[i], NULL, 0), peers->pids[i]);
        }
        sd_event_unref(peers->event);
}

/* --- what is measured --- */

static void measure(Bench *bench, unsigned n, const char *label) {
        Requester keeper = {}, requester = {};
        Times times = {};
        Peers peers = {};
        uint64_t ping, prepare;

        requester_open_bus(&keeper, bench);
        requester_open_bus(&requester, bench);
        /* As long as one session has them the writers stay: their start is not measured. */
        requester_open(&keeper);
        (void) ask_timed(&keeper, "GatherWriterMetadata");
        peers_start(&peers, bench, n);
        for (size_t i = 0; i < ROUNDS; i++) {
                times.ping[i] = peers_ping(&peers);
                backup(bench, &requester, n, &times, i);
        }
        peers_stop(&peers);
        requester_release(&keeper);
        ping = median(times.ping, ROUNDS);
        prepare = median(times.prepare, ROUNDS);
        printf("| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", label, (double) ping / 1000,
               (double) prepare / 1000, (double) prepare / (double) ping,
               (double) median(times.daemon_cpu, ROUNDS) / 1000,
               (double) median(times.complete, ROUNDS) / 1000, (double) median(times.freeze, ROUNDS) / 1000,
               (double) median(times.snapshot, ROUNDS) / 1000);
        (void) fflush(stdout);
        sd_bus_close_unref(keeper.bus);
        sd_bus_close_unref(requester.bus);
}

/* Writers that are being stopped are no idleness. */
static void wait_without_children(Bench *bench) {
        const struct timespec moment = {.tv_nsec = 20 * NSEC_PER_USEC * 1000};
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children", bench->daemon_pid,
                        bench->daemon_pid);
        for (int c = 0; c != EOF;) {
                FILE *f = fopen(path, "re");

                assert_non_null(f);
                c = fgetc(f);
                (void) fclose(f);
                if (c != EOF)
                        (void) nanosleep(&moment, NULL);
        }
}

static void report_idle(Bench *bench) {
        unsigned switches = read_status(bench->daemon_pid, "voluntary_ctxt_switches:");
        uint64_t cpu = cpu_usec(bench->daemon_pid);
        struct timespec idle = {.tv_sec = IDLE_SECONDS};

        (void) nanosleep(&idle, NULL);
        printf("\nIdle: %u KiB resident, %u KiB of it its own (RssAnon); in %u s %llu µs of processor time, %u "
               "wake-ups.\n",
               read_status(bench->daemon_pid, "VmRSS:"), read_status(bench->daemon_pid, "RssAnon:"),
               IDLE_SECONDS, (unsigned long long) (cpu_usec(bench->daemon_pid) - cpu),
               read_status(bench->daemon_pid, "voluntary_ctxt_switches:") - switches);
}

static uint64_t list_all(Requester *r) {
        uint64_t started = now();

        sd_bus_message_unref(
                ask(r, QUIESCE_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", ""));
        return now() - started;
}

static void report_sessions(Bench *bench) {
        unsigned before = read_status(bench->daemon_pid, "RssAnon:");
        uint64_t opened[SESSIONS], first, last;
        Requester r = {};

        requester_open_bus(&r, bench);
        for (unsigned i = 0; i < SESSIONS; i++) {
                uint64_t started = now();

                requester_open(&r);
                opened[i] = now() - started;
        }
        first = median(opened, 50);
        last = median(opened + SESSIONS - 50, 50);
        printf("\n%u sessions open, of one connection: %u KiB more (RssAnon); one takes %llu µs to open at first and "
               "%llu µs at the end (medians of 50); GetManagedObjects takes %.1f ms.\n",
               SESSIONS, read_status(bench->daemon_pid, "RssAnon:") - before, (unsigned long long) first,
               (unsigned long long) last, (double) list_all(&r) / 1000);
        printf("\nWith them open:\n\n| writers | ping | event | ratio | its CPU | BackupComplete | window | DoSnapshotSet "
               "|\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
        measure(bench, WRITERS_MAX, "200");
        sd_bus_close_unref(r.bus);
}

static void bench_bus(void **state) {
        static const unsigned counts[] = {1, 10, 50, WRITERS_MAX};
        Bench *bench = *state;
        char label[16];

        bench_add_volume(bench, "one");
        bench_write(bench, "quiesced.conf", "[Session]\nMaxPerUser=512\n");
        bench_start(bench);
        report_idle(bench);
        printf("\nTimes in ms, medians of %u rounds.\n\n| writers | ping | event | ratio | its CPU | BackupComplete | "
               "window | DoSnapshotSet |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
               ROUNDS);
        for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
                add_writers(bench, i > 0 ? counts[i - 1] : 0, counts[i]);
                (void) snprintf(label, sizeof(label), "%u", counts[i]);
                measure(bench, counts[i], label);
        }
        wait_without_children(bench);
        report_idle(bench);
        report_sessions(bench);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(bench_bus, bench_setup, bench_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
