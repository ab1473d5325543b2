/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writers that are services on the system bus (BusName=): who may register, that all that holds for other
 * writers holds for them, and what becomes of a backup when they, or quiesced, die.
 *
 * The service "db" is quiesce-test-writer, started by the test. Refusals are tried with connections of the
 * test's own. Who polkit lets register is tried in test-bus-access.c.
 */

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "bus-harness.h"
#include "quiesce/writer.h"

#define DB_NAME "org.example.Db"
#define WHOLE                                                                         \
        "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot " \
        "backup-complete backup-shutdown"
#define REGISTER(_client, ...) \
        call_ask(_client, QUIESCE_PATH, MANAGER_INTERFACE, "Register", "sa{sv}", __VA_ARGS__)

static void add_descriptor(Bench *bench, const char *more) {
        char text[256];

        (void) snprintf(text, sizeof(text), "[Writer]\nBusName=" DB_NAME "\n%s", more);
        bench_write(bench, "writers.d/db.writer", text);
}

static int on_name_taken(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *owner;

        assert_true(sd_bus_message_read(m, "sss", NULL, NULL, &owner) > 0);
        if (*owner)
                *(bool *) userdata = true;
        return 0;
}

/* words: of quiesce-test-writer, with blanks between. Returns when it owns its name: gathering waits for it
 * to register then. */
static pid_t start_service(Bench *bench, const char *words) {
        char copy[512], log[160], *rest = copy, *argv[16] = {(char *) TEST_WRITER};
        sd_bus_slot *slot = NULL;
        size_t n = 1;
        Client *client = client_new_deaf(bench);
        bool taken = false;
        pid_t pid;

        (void) snprintf(copy, sizeof(copy), "bus=" DB_NAME " register=db %s", words);
        (void) snprintf(log, sizeof(log), "log=%s", bench->writers_log);
        while ((argv[n] = strsep(&rest, " ")))
                assert_true(*argv[n] == '\0' || ++n + 2 < ELEMENTSOF(argv));
        argv[n] = log;
        assert_true(sd_bus_add_match(client->bus, &slot,
                                     "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                                     "arg0='" DB_NAME "'",
                                     on_name_taken, &taken) >= 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) execv(argv[0], argv);
                _exit(127);
        }
        while (!taken)
                assert_true(sd_event_run(bench->event, 30 * USEC_PER_SEC) > 0);
        sd_bus_slot_unref(slot);
        (void) client_free(client);
        return pid;
}

static int end_service(pid_t pid, int signal) {
        int status = 0;

        if (signal)
                assert_int_equal(kill(pid, signal), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static char *status_of(Client *client) {
        sd_bus_message *m;
        char *text;

        m = call_ask(client, client->session, SESSION_INTERFACE, "GatherWriterStatus", "a{sv}", 0);
        text = reply_to_text(m);
        sd_bus_message_unref(m);
        return text;
}

static char *writers_of(Client *client) {
        sd_bus_message *m;
        char *text;

        m = call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "GetWriters", "a{sv}", 0);
        text = reply_to_text(m);
        sd_bus_message_unref(m);
        return text;
}

#define assert_holds(_text, _part)                                               \
        do {                                                                     \
                if (!strstr(_text, _part))                                       \
                        fail_msg("\"%s\" is not in: %s", _part, (char *) _text); \
        } while (0)

static Call *do_snapshot_set(Client *client) {
        return call_begin(client, client->session, BACKUP_INTERFACE, "DoSnapshotSet", "a{sv}", 0);
}

static char *wait_text(Call *call) {
        sd_bus_message *m = call_wait(call);
        char *text = reply_to_text(m);

        sd_bus_message_unref(m);
        return text;
}

/* A whole backup, beside a writer that quiesced starts; twice, with one process. */
static void test_whole_backup(void **state) {
        _cleanup_free_ char *status = NULL, *writers = NULL, *line = NULL;
        Client *client;
        char text[64];
        pid_t pid;

        bench_add_volume(*state, "one");
        add_descriptor(*state, "Description=A database\n");
        bench_add_writer(*state, "alpha", "");
        bench_add_writer(*state, "system", "level=system");
        bench_start(*state);
        pid = start_service(*state, "level=back-end window=30");
        client = client_new(*state);
        client_prepare(client, "test:one");
        status = status_of(client);
        (void) snprintf(text, sizeof(text), "'process'=%d", pid);
        assert_holds(status, text);
        assert_holds(status, "'name'='db', 'level'='back-end', 'state'='stable', 'failure'=''");
        writers = writers_of(client);
        assert_holds(writers, "'name'='db'");
        assert_holds(writers, "'kind'='bus', 'description'='A database'");
        assert_holds(writers, "'registered'=true");
        backup_ok(client, "DoSnapshotSet");
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        bench_assert_story(*state, "db", WHOLE);
        bench_assert_story(*state, "alpha", WHOLE);
        assert_true(bench_log_at(*state, "alpha freeze") < bench_log_at(*state, "db freeze"));
        assert_true(bench_log_at(*state, "db freeze") < bench_log_at(*state, "system freeze"));
        assert_true(bench_log_at(*state, "system thaw") < bench_log_at(*state, "db thaw"));
        assert_true(bench_log_at(*state, "db thaw") < bench_log_at(*state, "alpha thaw"));
        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        session_ok(client, "Release");
        assert_int_equal(bench_count(*state, "writers.log", "db freeze"), 2);
        (void) snprintf(text, sizeof(text), " %d type=", pid);
        assert_int_equal(bench_count(*state, "writers.log", text), 7 + 1 + 7);
        assert_int_equal(end_service(pid, SIGTERM), 0);
        (void) client_free(client);
}

/* A service that is not there is told as such; one that the bus can start is started. */
static void test_not_running(void **state) {
        _cleanup_free_ char *status = NULL;
        Bench *bench = *state;
        Client *client;
        char text[1024];

        add_descriptor(bench, "");
        bench_start(bench);
        client = client_new(bench);
        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        status = status_of(client);
        assert_holds(status, "nobody owns " DB_NAME ", the BusName= of ");
        assert_holds(status, "Start its service");
        session_ok(client, "Release");
        (void) snprintf(text, sizeof(text),
                        "[D-BUS Service]\nName=" DB_NAME "\nExec=/usr/bin/env DBUS_SYSTEM_BUS_ADDRESS=%s "
                        "%s/writer bus=" DB_NAME " register=db log=%s\n",
                        bench->address, bench->directory, bench->writers_log);
        bench_write(bench, "services/db.service", text);
        assert_ok(call_ask(client, QUIESCE_PATH, "org.freedesktop.DBus.Peer", "Ping", ""));
        (void) sd_bus_call_method(client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                  "org.freedesktop.DBus", "ReloadConfig", NULL, NULL, "");
        client_prepare(client, NULL);
        backup_ok(client, "DoSnapshotSet");
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        bench_assert_story(bench, "db", WHOLE);
        (void) client_free(client);
}

/* Who is no writer, and why not. */
static void test_refused(void **state) {
        Client *service, *other;

        add_descriptor(*state, "");
        bench_write(*state, "writers.d/low.writer", "[Writer]\nBusName=org.example.Low\nLevel=system\n");
        bench_write(*state, "writers.d/two.writer", "[Writer]\nBusName=" DB_NAME "\n");
        bench_add_writer(*state, "alpha", "");
        bench_start(*state);
        service = client_new(*state);
        other = client_new(*state);
        assert_refused(REGISTER(service, "db", 0), "AccessDenied", "does not own " DB_NAME);
        assert_true(sd_bus_request_name(other->bus, DB_NAME, SD_BUS_NAME_ALLOW_REPLACEMENT) >= 0);
        assert_refused(REGISTER(service, "db", 0), "AccessDenied", "its owner is :");
        assert_true(sd_bus_request_name(service->bus, DB_NAME, SD_BUS_NAME_REPLACE_EXISTING) >= 0);
        assert_refused(REGISTER(service, "nobody", 0), "ObjectNotFound", "nobody.writer");
        assert_refused(REGISTER(service, "alpha", 0), "InvalidArgument",
                       "alpha.writer: there is no BusName=");
        assert_refused(REGISTER(service, "low", 0), "InvalidArgument",
                       "low.writer: Level=system does not go");
        assert_refused(REGISTER(service, "db", 1, "level", "s", "system"), "InvalidArgument",
                       "level system is not open to writers on the system bus");
        assert_refused(REGISTER(service, "db", 1, "level", "s", "middle"), "InvalidArgument", "front-end");
        assert_refused(REGISTER(service, "db", 1, "colour", "s", "red"), "InvalidArgument", "colour");
        assert_refused(REGISTER(service, "db", 1, "level", "u", 1u), "InvalidArgument", "level");
        assert_ok(REGISTER(service, "db", 2, "level", "s", "back-end", "freeze-window-usec", "t",
                           (uint64_t) 30 * USEC_PER_SEC));
        assert_refused(REGISTER(service, "db", 0), "BadState", "already");
        assert_refused(REGISTER(service, "two", 0), "BadState", "a connection is one writer");
        (void) client_free(service);
        (void) client_free(other);
}

/* Another process takes over when the one that is registered takes part in nothing. */
static void test_replaced(void **state) {
        Client *client, *other;
        pid_t pid;

        add_descriptor(*state, "");
        bench_start(*state);
        pid = start_service(*state, "");
        client = client_new(*state);
        client_prepare(client, NULL);
        /* The name may go on, as in a restart that overlaps; the process that was prepared is the writer. */
        assert_int_equal(kill(pid, SIGSTOP), 0);
        other = client_new(*state);
        assert_refused(REGISTER(other, "db", 0), "BadState", "takes part in a backup");
        assert_int_equal(kill(pid, SIGCONT), 0);
        backup_ok(client, "DoSnapshotSet");
        session_ok(client, "Release");
        assert_refused(REGISTER(other, "db", 0), "AccessDenied", "its owner is :");
        assert_int_equal(end_service(pid, SIGTERM), 0);
        assert_true(sd_bus_request_name(other->bus, DB_NAME, SD_BUS_NAME_ALLOW_REPLACEMENT) >= 0);
        assert_ok(REGISTER(other, "db", 0));
        assert_true(sd_bus_request_name(client->bus, DB_NAME, SD_BUS_NAME_REPLACE_EXISTING) >= 0);
        assert_refused(REGISTER(other, "db", 0), "BadState", "already");
        assert_ok(REGISTER(client, "db", 0));
        assert_refused(REGISTER(other, "db", 0), "AccessDenied", "does not own");
        (void) client_free(other);
        (void) client_free(client);
}

/* It dies in Freeze: it has failed, and with it a set that requires it; the others are told. */
static void test_death_in_freeze(void **state) {
        _cleanup_free_ char *status = NULL;
        Client *client;
        pid_t pid;

        bench_add_volume(*state, "one");
        add_descriptor(*state, "Level=back-end\n");
        bench_add_writer(*state, "alpha", "");
        bench_start(*state);
        pid = start_service(*state, "freeze=die");
        client = client_new(*state);
        client_prepare(client, "test:one");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "DoSnapshotSet", "a{sv}", 1,
                                "require-writers", "b", 1),
                       "WriterVeto", "writer db failed-at-freeze (NotResponding)");
        assert_true(WIFSIGNALED(end_service(pid, 0)));
        status = status_of(client);
        assert_holds(status, "'name'='db', 'level'='back-end', 'state'='failed-at-freeze'");
        assert_int_equal(bench_count_snapshots(*state), 0);
        /* What it is owed by name goes to the one that is there now. */
        pid = start_service(*state, "");
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha",
                           "identify prepare-for-backup prepare-for-snapshot freeze abort backup-shutdown");
        bench_assert_story(*state, "db",
                           "identify prepare-for-backup prepare-for-snapshot freeze backup-shutdown");
        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        session_ok(client, "Release");
        assert_int_equal(end_service(pid, SIGTERM), 0);
        (void) client_free(client);
}

/* It dies in the dark, where quiesced does not hear of it: seen when that is over, the others are thawed. */
static void test_death_in_the_dark(void **state) {
        _cleanup_free_ char *answer = NULL, *status = NULL;
        Client *client;
        Call *running;
        pid_t pid;

        bench_add_volume(*state, "one");
        bench_write(*state, "provider/script", "commit one mark reached\ncommit one wait go\n");
        add_descriptor(*state, "");
        bench_add_writer(*state, "alpha", "");
        bench_start(*state);
        pid = start_service(*state, "");
        client = client_new(*state);
        client_prepare(client, "test:one");
        running = do_snapshot_set(client);
        bench_wait_file(*state, "provider/reached", "");
        (void) end_service(pid, SIGKILL);
        bench_write(*state, "provider/go", "");
        answer = wait_text(running);
        assert_holds(answer, "'failed-writers'=['db']");
        status = status_of(client);
        assert_holds(status, "'NotResponding'");
        session_ok(client, "Release");
        bench_assert_story(*state, "alpha",
                           "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot "
                           "backup-shutdown");
        (void) client_free(client);
}

/* quiesced dies: the service lets go by itself, goes on, and is the same writer for the next quiesced. */
static void test_quiesced_restarts(void **state) {
        _cleanup_free_ char *line = NULL;
        Client *client;
        char text[128];
        pid_t pid;

        bench_add_volume(*state, "one");
        bench_write(*state, "provider/script", "commit one mark reached\ncommit one wait go\n");
        add_descriptor(*state, "");
        bench_start(*state);
        pid = start_service(*state, "");
        client = client_new(*state);
        client_prepare(client, "test:one");
        (void) do_snapshot_set(client);
        bench_wait_file(*state, "provider/reached", "");
        bench_kill(*state);
        (void) snprintf(text, sizeof(text), "db abort %s %s - - connection %d", client->id, client->set,
                        pid);
        bench_wait_file(*state, "writers.log", text);
        bench_write(*state, "provider/script", "");
        bench_start(*state);
        client_wait_seen(client, "not-completed daemon-restarted");
        bench_wait_file(*state, "writers.log", "not-completed daemon-restarted");
        line = bench_log_line(*state, "db", "backup-shutdown");
        (void) snprintf(text, sizeof(text), "not-completed daemon-restarted - %d ", pid);
        assert_holds(line, text);
        session_ok(client, "Release");
        bench_write(*state, "writers.log", "");
        client_prepare(client, "test:one");
        backup_ok(client, "DoSnapshotSet");
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
        bench_assert_story(*state, "db", WHOLE);
        assert_int_equal(end_service(pid, SIGTERM), 0);
        (void) client_free(client);
}

/* The service is there before quiesced is, and starts nothing. */
static void test_before_quiesced(void **state) {
        Client *client;
        pid_t pid;

        add_descriptor(*state, "");
        pid = start_service(*state, "");
        bench_start(*state);
        client = client_new(*state);
        client_prepare(client, NULL);
        backup_ok(client, "DoSnapshotSet");
        session_ok(client, "Release");
        bench_assert_story(*state, "db",
                           "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot "
                           "backup-shutdown");
        assert_int_equal(end_service(pid, SIGTERM), 0);
        (void) client_free(client);
}

static void test_bad_answers(void **state) {
        static const struct {
                const char *words, *text;
        } cases[] = {
                {"freeze=nonsense", "no usable answer to Freeze: a value of a wrong type"},
                {"freeze=strange", "no usable answer to Freeze: error org.example.Strange: strange"},
                {"identify=huge", "no usable answer to Identify: more paths, components or files than 1024"},
                {"freeze=fail:Retryable:later", "later"},
                {"freeze=exit", "its process ended before it had answered Freeze"},
                {"freeze=twice", ""},
                {"freeze=warn:slow", "slow"},
        };
        Client *client;

        add_descriptor(*state, "");
        bench_start(*state);
        client = client_new(*state);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *status = NULL;
                pid_t pid = start_service(*state, cases[i].words);

                client_prepare(client, NULL);
                backup_ok(client, "DoSnapshotSet");
                status = status_of(client);
                assert_holds(status, cases[i].text);
                session_ok(client, "Release");
                (void) end_service(pid, streq(cases[i].words, "freeze=exit") ? 0 : SIGKILL);
        }
        (void) client_free(client);
}

/* Limits are the same: late is late; who does not answer Abort in time is stopped (C30). */
static void test_late(void **state) {
        _cleanup_free_ char *answer = NULL, *status = NULL;
        Client *client;
        pid_t pid;

        bench_write(*state, "quiesced.conf", "[Events]\nFreezeSec=300ms\nAbortSec=300ms\n");
        add_descriptor(*state, "");
        bench_start(*state);
        pid = start_service(*state, "freeze=hang abort=hang");
        client = client_new(*state);
        client_prepare(client, NULL);
        answer = wait_text(do_snapshot_set(client));
        assert_holds(answer, "'failed-writers'=['db']");
        status = status_of(client);
        assert_holds(status, "'Timeout', 'text'='it did not answer Freeze within 0 s");
        assert_int_equal(end_service(pid, 0), 0);
        assert_int_equal(bench_count(*state, "quiesced.log", "writer db does not answer, stopping "), 1);
        (void) client_free(client);
}

static unsigned long long answered_at(Bench *bench) {
        _cleanup_free_ char *log = bench_read(bench, "writers.log");
        const char *at = strstr(log, "db answers identify");
        unsigned long long before, after;

        assert_non_null(at);
        assert_int_equal(sscanf(at, "%*s %*s %*s %llu %llu", &before, &after), 2);
        return after;
}

static unsigned long long now(void) {
        struct timespec ts;

        assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
        return (unsigned long long) ts.tv_sec * USEC_PER_SEC + (unsigned long long) ts.tv_nsec / 1000;
}

static void wait_until(unsigned long long usec) {
        struct timespec until = {.tv_sec = (time_t) (usec / USEC_PER_SEC),
                                 .tv_nsec = (long) (usec % USEC_PER_SEC * 1000)};

        while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == EINTR)
                ;
}

/* It answers in time while another session's set is held, and nobody reads the bus; its deadline passes
 * before that is over. It is not late. */
static void test_answer_in_the_dark(void **state) {
        const unsigned long long limit = 3 * USEC_PER_SEC;
        char fifo[128], words[200];
        unsigned long long sent;
        Client *set, *gather;
        Call *making, *asking;
        pid_t pid;

        bench_write(*state, "quiesced.conf", "[Events]\nIdentifySec=3s\n");
        bench_add_volume(*state, "one");
        bench_write(*state, "provider/script", "commit one mark reached\ncommit one wait go\n");
        bench_add_writer(*state, "alpha", "");
        (void) snprintf(words, sizeof(words), "times=yes identify=wait:%s",
                        bench_make_fifo(*state, "identify", fifo));
        bench_start(*state);
        set = client_new(*state);
        client_prepare(set, "test:one");
        add_descriptor(*state, "");
        pid = start_service(*state, words);
        gather = client_new(*state);
        client_open(gather);
        sent = now();
        asking = call_begin(gather, gather->session, BACKUP_INTERFACE, "GatherWriterMetadata", "a{sv}", 0);
        bench_wait_file(*state, "writers.log", "db identify");
        making = do_snapshot_set(set);
        bench_wait_file(*state, "provider/reached", "");
        bench_let_go(*state, "identify");
        bench_wait_file(*state, "writers.log", "db answers identify");
        wait_until(answered_at(*state) + limit); /* its deadline has passed */
        bench_write(*state, "provider/go", "");
        assert_ok(call_wait(making));
        assert_ok(call_wait(asking));
        if (answered_at(*state) < sent + limit) { /* else this machine was too slow for it to be in time */
                _cleanup_free_ char *status = status_of(gather);

                assert_holds(status, "'name'='db', 'level'='front-end', 'state'='stable'");
        }
        assert_int_equal(end_service(pid, SIGTERM), 0);
        (void) client_free(set);
        (void) client_free(gather);
}

/* Nobody but quiesced is heard by the service, whoever says that it is quiesced now. */
static void test_strangers_call(void **state) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Client *client, *stranger;
        const char *name;
        pid_t pid;

        add_descriptor(*state, "");
        bench_start(*state);
        pid = start_service(*state, "");
        client = client_new(*state);
        client_prepare(client, NULL);
        stranger = client_new_deaf(*state);
        assert_true(sd_bus_get_unique_name(stranger->bus, &name) >= 0);
        client_forge_owner(stranger, DB_NAME, QUIESCE_NAME, name);
        assert_true(sd_bus_call_method(stranger->bus, DB_NAME, "/org/quiesce1/Writer", "org.quiesce1.Writer",
                                       "Freeze", &error, NULL, "ssa{sv}", client->id, ID_NIL, 0) < 0);
        assert_string_equal(error.name, "org.freedesktop.DBus.Error.AccessDenied");
        sd_bus_error_free(&error);
        assert_int_equal(bench_count(*state, "writers.log", "db freeze"), 0);
        session_ok(client, "Release");
        assert_int_equal(end_service(pid, SIGTERM), 0);
        (void) client_free(stranger);
        (void) client_free(client);
}

static const char hello[] = "l\1\0\1\0\0\0\0\1\0\0\0\x6e\0\0\0"
                            "\1\1o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0"
                            "\6\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"
                            "\2\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"
                            "\3\1s\0\5\0\0\0Hello\0\0\0";

/* A connection on which anything can be said. */
static int raw_connect(Bench *bench) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        char buffer[512];
        int fd, n;

        n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", bench->directory);
        assert_true(n > 0 && (size_t) n < sizeof(address.sun_path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(write(fd, "\0AUTH EXTERNAL 30\r\n", 19), 19);
        assert_true(read(fd, buffer, sizeof(buffer)) > 2 && strncmp(buffer, "OK", 2) == 0);
        assert_int_equal(write(fd, "BEGIN\r\n", 7), 7);
        assert_int_equal(write(fd, hello, sizeof(hello) - 1), sizeof(hello) - 1);
        assert_true(read(fd, buffer, sizeof(buffer)) > 0);
        return fd;
}

/* A good answer, an empty a{sv}, to the call that has this number. */
static void raw_answer(int fd, const char *destination, uint32_t serial, uint32_t reply_to) {
        char message[128] = {'l', 2, 1, 1};
        uint32_t body = 8, n_fields, n_name = (uint32_t) strlen(destination);
        size_t at = 16;

        memcpy(message + 4, &body, 4);
        memcpy(message + 8, &serial, 4);
        memcpy(message + at, "\5\1u\0", 4);
        memcpy(message + at + 4, &reply_to, 4);
        memcpy(message + at + 8, "\6\1s\0", 4);
        memcpy(message + at + 12, &n_name, 4);
        memcpy(message + at + 16, destination, n_name);
        at = (at + 16 + n_name + 1 + 7) & ~(size_t) 7;
        memcpy(message + at, "\10\1g\0\5a{sv}", 10);
        at += 11;
        n_fields = (uint32_t) at - 16;
        memcpy(message + 12, &n_fields, 4);
        at = ((at + 7) & ~(size_t) 7) + body;
        assert_int_equal(write(fd, message, at), at);
}

/* The bus has taken all that was sent for messages: a second Hello after them is answered with an error. */
static void raw_wait_heard(int fd) {
        char buffer[4096];
        ssize_t n;

        assert_int_equal(write(fd, hello, sizeof(hello) - 1), sizeof(hello) - 1);
        do {
                n = read(fd, buffer, sizeof(buffer));
                assert_true(n > 0);
        } while (!memmem(buffer, (size_t) n, "DBus.Error.Failed", 17));
}

/* Answers of another connection, with every number that the call can have, are none. */
static void test_strangers_answer(void **state) {
        _cleanup_free_ char *answer = NULL;
        char fifo[128], words[200];
        sd_bus_message *m = NULL;
        const char *quiesced;
        Client *client;
        Call *running;
        pid_t pid;
        int fd;

        (void) snprintf(words, sizeof(words), "freeze=wait:%s freeze=fail:Retryable:mine",
                        bench_make_fifo(*state, "freeze", fifo));
        add_descriptor(*state, "");
        bench_start(*state);
        pid = start_service(*state, words);
        client = client_new(*state);
        client_prepare(client, NULL);
        assert_true(sd_bus_call_method(client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "GetNameOwner", NULL, &m, "s",
                                       QUIESCE_NAME) >= 0);
        assert_true(sd_bus_message_read(m, "s", &quiesced) > 0);
        running = do_snapshot_set(client);
        bench_wait_file(*state, "writers.log", "db freeze");
        fd = raw_connect(*state);
        for (uint32_t i = 1; i < 500; i++)
                raw_answer(fd, quiesced, i + 1, i);
        raw_wait_heard(fd);
        client_round_trip(client);
        bench_let_go(*state, "freeze");
        answer = wait_text(running);
        assert_holds(answer, "'failed-writers'=['db']"); /* it said so itself */
        sd_bus_message_unref(m);
        assert_int_equal(close(fd), 0);
        session_ok(client, "Release");
        assert_int_equal(end_service(pid, SIGTERM), 0);
        (void) client_free(client);
}

static unsigned told[QUIESCE_EVENT_SESSION_CLOSED + 1];

static int on_told(QuiesceWriter *writer, QuiesceWriterEvent *event, void *userdata) {
        told[quiesce_writer_event_get_type(event)]++;
        return 0;
}

static void on_closed(QuiesceWriter *writer, int r, void *userdata) {
        *(int *) userdata = r;
}

/* A service's own connection, in the service's own event loop. */
static void test_own_connection(void **state) {
        const QuiesceWriterCallbacks callbacks = {
                .size = sizeof(callbacks), .freeze = on_told, .thaw = on_told, .backup_shutdown = on_told};
        QuiesceWriter *writer, *second;
        Client *client, *service, *other;
        Bench *bench = *state;
        int closed = 1;

        add_descriptor(bench, "");
        bench_start(bench);
        client = client_new(bench);
        service = client_new(bench);
        other = client_new(bench);
        assert_true(sd_bus_request_name(service->bus, DB_NAME, 0) >= 0);
        assert_int_equal(quiesce_writer_new(&writer, "db", &callbacks, NULL), 0);
        assert_int_equal(quiesce_writer_set_bus_name(writer, ":1.1"), -EINVAL);
        assert_int_equal(quiesce_writer_set_bus(writer, service->bus), 0);
        assert_int_equal(quiesce_writer_set_bus_name(writer, DB_NAME), -EBUSY);
        assert_int_equal(quiesce_writer_attach_event(writer, bench->event, 0), 0);
        assert_int_equal(quiesce_writer_start(writer), 0);
        client_prepare(client, NULL);
        assert_int_equal(quiesce_writer_new(&second, "db", &callbacks, &closed), 0);
        assert_int_equal(quiesce_writer_set_bus(second, other->bus), 0);
        assert_int_equal(quiesce_writer_attach_event(second, bench->event, 0), 0);
        assert_int_equal(quiesce_writer_set_closed_callback(second, on_closed), 0);
        assert_int_equal(quiesce_writer_start(second), 0);
        while (closed > 0)
                assert_true(sd_event_run(bench->event, 30 * USEC_PER_SEC) > 0);
        assert_int_equal(closed, -EBUSY);
        assert_holds(quiesce_writer_get_error(second), "takes part in a backup");
        backup_ok(client, "DoSnapshotSet");
        session_ok(client, "Release");
        assert_int_equal(told[QUIESCE_EVENT_FREEZE], 1);
        assert_int_equal(told[QUIESCE_EVENT_THAW], 1);
        assert_int_equal(told[QUIESCE_EVENT_BACKUP_SHUTDOWN], 1);
        assert_null(quiesce_writer_get_error(writer));
        (void) quiesce_writer_free(second);
        (void) quiesce_writer_free(writer);
        assert_true(sd_bus_is_ready(service->bus) > 0); /* it is the service's */
        (void) client_free(service);
        (void) client_free(other);
        (void) client_free(client);
}

/* What an administrator changes counts for a service that stays registered. */
static void test_descriptor_changes(void **state) {
        _cleanup_free_ char *status = NULL, *after = NULL;
        Client *client;
        pid_t pid;

        add_descriptor(*state, "");
        bench_start(*state);
        pid = start_service(*state, "level=back-end");
        client = client_new(*state);
        client_prepare(client, NULL);
        add_descriptor(*state, "Level=front-end\n");
        session_ok(client, "Release");
        client_prepare(client, NULL);
        status = status_of(client);
        assert_holds(status, "'name'='db', 'level'='front-end', 'state'='stable'");
        session_ok(client, "Release");
        bench_write(*state, "writers.d/db.writer", "[Writer]\nBusName=org.example.Other\n");
        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        after = status_of(client);
        assert_holds(after, "nobody owns org.example.Other");
        session_ok(client, "Release");
        assert_int_equal(end_service(pid, SIGTERM), 0);
        (void) client_free(client);
}

/* The bus goes: the service lets go. */
static void test_bus_lost(void **state) {
        Bench *bench = *state;
        char fifo[128], words[200], text[128];
        Client *client;
        int status;
        pid_t pid;

        add_descriptor(bench, "");
        (void) snprintf(words, sizeof(words), "freeze=wait:%s", bench_make_fifo(bench, "freeze", fifo));
        bench_add_writer(bench, "beta", words);
        bench_start(bench);
        pid = start_service(bench, "level=front-end");
        client = client_new(bench);
        client_prepare(client, NULL);
        (void) do_snapshot_set(client);
        bench_wait_file(bench, "writers.log", "db freeze");
        bench_wait_file(bench, "writers.log", "beta freeze");
        assert_int_equal(kill(bench->bus_pid, SIGKILL), 0);
        assert_int_equal(waitpid(bench->bus_pid, &status, 0), bench->bus_pid);
        bench->bus_pid = 0;
        assert_int_equal(end_service(pid, 0), 0);
        (void) snprintf(text, sizeof(text), "db abort %s", client->id);
        bench_wait_file(bench, "writers.log", text);
        bench_let_go(bench, "freeze");
        assert_int_equal(waitpid(bench->daemon_pid, &status, 0), bench->daemon_pid);
        bench->daemon_pid = 0;
        (void) client_free(client);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_whole_backup),
                TEST(test_not_running),
                TEST(test_refused),
                TEST(test_replaced),
                TEST(test_death_in_freeze),
                TEST(test_death_in_the_dark),
                TEST(test_quiesced_restarts),
                TEST(test_before_quiesced),
                TEST(test_bad_answers),
                TEST(test_late),
                TEST(test_strangers_call),
                TEST(test_strangers_answer),
                TEST(test_descriptor_changes),
                TEST(test_bus_lost),
                TEST(test_own_connection),
                TEST(test_answer_in_the_dark),
        };

        return cmocka_run_group_tests_name("bus-service", tests, NULL, NULL);
}
