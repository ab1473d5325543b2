/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Calls that are refused: in the wrong state (C4's table, over the bus), with wrong arguments, by the wrong
 * caller. Nothing may have changed then.
 */

#include <grp.h>
#include <sys/wait.h>

#include "bus-harness.h"

typedef struct Method {
        const char *name, *types;
        unsigned legal; /* bits of Stage */
} Method;

typedef enum Stage {
        INITIALISED = 1 << 0,
        GATHERED = 1 << 1,
        OPEN = 1 << 2,
        PREPARED = 1 << 3,
        CREATED = 1 << 4,
        COMPLETED = 1 << 5,
        ABORTED = 1 << 6,
} Stage;

/* Contract C4, of a session with writers and with a set; calls that are legal everywhere are left out. */
static const Method methods[] = {
        {"SetContext", "sa{sv}", INITIALISED},
        {"EnableWriters", "asa{sv}", INITIALISED},
        {"DisableWriters", "asa{sv}", INITIALISED},
        {"GatherWriterMetadata", "a{sv}", INITIALISED},
        {"SetBackupState", "a{sv}", INITIALISED | GATHERED | OPEN},
        {"AddComponent", "sssa{sv}", GATHERED | OPEN},
        {"StartSnapshotSet", "a{sv}", GATHERED},
        {"AddToSnapshotSet", "va{sv}", OPEN},
        {"PrepareForBackup", "a{sv}", GATHERED | OPEN},
        {"DoSnapshotSet", "a{sv}", PREPARED},
        {"GetSnapshotProperties", "sa{sv}", CREATED | COMPLETED},
        {"BackupComplete", "a{sv}", CREATED},
        {"DeleteSnapshots", "sa{sv}", CREATED | COMPLETED | ABORTED},
};

static sd_bus_message *ask_any(Client *client, const Method *method) {
        if (streq(method->types, "asa{sv}"))
                return call_ask(client, client->session, BACKUP_INTERFACE, method->name, "asa{sv}", 0, 0);
        if (streq(method->types, "sa{sv}"))
                return call_ask(client, client->session, BACKUP_INTERFACE, method->name, "sa{sv}", "backup",
                                0);
        if (streq(method->types, "sssa{sv}"))
                return call_ask(client, client->session, BACKUP_INTERFACE, method->name, "sssa{sv}", "w", "",
                                "c", 0);
        if (streq(method->types, "va{sv}"))
                return call_ask(client, client->session, BACKUP_INTERFACE, method->name, "va{sv}", "s", "x",
                                0);
        return call_ask(client, client->session, BACKUP_INTERFACE, method->name, "a{sv}", 0);
}

/* Every call that is not legal at a stage is BadState, names the state, and leaves it as it is. */
static void refuse_all(Client *client, Stage stage, const char *state) {
        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                _cleanup_free_ char *now = NULL;

                if (methods[i].legal & stage)
                        continue;
                assert_refused(ask_any(client, &methods[i]), "BadState", state);
                now = client_get_string(client, client->session, SESSION_INTERFACE, "State");
                assert_string_equal(now, state);
        }
}

static void test_bad_state(void **state) {
        Client *client;

        bench_add_volume(*state, "one");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        refuse_all(client, INITIALISED, "initialised");
        backup_ok(client, "GatherWriterMetadata");
        refuse_all(client, GATHERED, "gathered");
        backup_ok(client, "StartSnapshotSet");
        refuse_all(client, OPEN, "open");
        free(client_add(client, "test:one"));
        refuse_all(client, OPEN, "open");
        backup_ok(client, "PrepareForBackup");
        refuse_all(client, PREPARED, "prepared");
        backup_ok(client, "DoSnapshotSet");
        refuse_all(client, CREATED, "created");
        backup_ok(client, "BackupComplete");
        refuse_all(client, COMPLETED, "completed");
        session_ok(client, "Release");
        (void) client_free(client);

        client = client_new(*state);
        client_open(client);
        backup_ok(client, "AbortBackup");
        refuse_all(client, ABORTED, "aborted");
        (void) client_free(client);
}

static char *ask_supported(Client *client, const char *volume, const char *provider) {
        sd_bus_message *reply = call_ask(client, client->session, BACKUP_INTERFACE, "IsVolumeSupported",
                                         "va{sv}", "s", volume, 1, "provider", "s", provider);
        char *text;

        assert_false(sd_bus_message_is_method_error(reply, NULL));
        text = reply_to_text(reply);
        sd_bus_message_unref(reply);
        return text;
}

/* IsVolumeSupported takes AddToSnapshotSet's options, and answers with what the snapshot would be. */
static void test_supported(void **state) {
        _cleanup_free_ char *good = NULL, *other = NULL, *none = NULL;
        Client *client = client_new(*state);

        bench_add_volume(*state, "one");
        client_open(client);
        good = ask_supported(client, "test:one", "test");
        assert_non_null(strstr(good, "true"));
        assert_non_null(strstr(good, "'volume'='test:one', 'provider'='test', 'size'="));
        assert_null(strstr(good, "cow-size"));
        other = ask_supported(client, "test:one", "lvm-cow");
        assert_non_null(strstr(other, "false"));
        assert_non_null(strstr(other, "lvm-cow cannot take a snapshot of test:one"));
        none = ask_supported(client, "test:two", "test");
        assert_non_null(strstr(none, "'reason'='"));
        assert_null(strstr(none, "'size'"));
        (void) client_free(client);
}

static void assert_gone(sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        assert_non_null(error);
        assert_string_equal(error->name, "org.freedesktop.DBus.Error.UnknownObject");
        sd_bus_message_unref(reply);
}

/* What is set or called once, and a session that is over. */
static void test_T23_once(void **state) {
        Client *client = client_new(*state);

        client_open(client);
        assert_refused(
                call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}", "weekly", 0),
                "UnsupportedContext", "weekly");
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}", "backup", 0));
        assert_refused(
                call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}", "backup", 0),
                "BadState", "SetContext");
        backup_ok(client, "GatherWriterMetadata");
        assert_refused(backup_ask(client, "GatherWriterMetadata"), "BadState", "gathered");
        session_ok(client, "Release");
        assert_gone(backup_ask(client, "GatherWriterMetadata"));
        assert_gone(call_ask(client, client->session, SESSION_INTERFACE, "Release", "a{sv}", 0));
        (void) client_free(client);
}

/* With writers there is no set without their metadata; without writers there is none of their calls. */
static void test_T20_contexts(void **state) {
        static const char *const of_writers[] = {"PrepareForBackup", "BackupComplete"};
        Client *client = client_new(*state);

        client_open(client);
        assert_refused(backup_ask(client, "DoSnapshotSet"), "BadState", "initialised");
        assert_refused(backup_ask(client, "StartSnapshotSet"), "BadState", "GatherWriterMetadata");
        session_ok(client, "Release");
        for (int with_set = 0; with_set < 2; with_set++) {
                client_open(client);
                assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}",
                                   "file-share-backup", 0));
                if (with_set)
                        backup_ok(client, "StartSnapshotSet");
                for (size_t i = 0; i < ELEMENTSOF(of_writers); i++)
                        assert_refused(backup_ask(client, of_writers[i]), "BadState", of_writers[i]);
                assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "AddComponent",
                                        "sssa{sv}", "w", "", "c", 0),
                               "BadState", "AddComponent");
                session_ok(client, "Release");
        }
        (void) client_free(client);
}

/* A writer that was disabled gets nothing; after GatherWriterMetadata it is too late. */
static void test_T21_disabled_writer(void **state) {
        Client *client;

        bench_add_writer(*state, "alpha", "");
        bench_add_writer(*state, "beta", "");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "DisableWriters", "asa{sv}", 1, "beta",
                           0));
        backup_ok(client, "GatherWriterMetadata");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "DisableWriters", "asa{sv}", 1,
                                "alpha", 0),
                       "BadState", "gathered");
        backup_ok(client, "StartSnapshotSet");
        backup_ok(client, "PrepareForBackup");
        client_back_up(client);
        bench_assert_story(*state, "alpha",
                           "identify prepare-for-backup prepare-for-snapshot freeze thaw post-snapshot "
                           "backup-complete backup-shutdown");
        bench_assert_story(*state, "beta", "");
        (void) client_free(client);
}

static void test_unknown_options(void **state) {
        static const char *const of_backup[] = {
                "SetBackupState", "GatherWriterMetadata", "StartSnapshotSet", "PrepareForBackup",
                "DoSnapshotSet",  "BackupComplete",       "AbortBackup"};
        static const char *const of_session[] = {"Release", "Cancel", "GatherWriterStatus"};
        _cleanup_free_ char *now = NULL;
        Client *client = client_new(*state);

        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenBackup", "a{sv}", 1, "colour",
                                "s", "red"),
                       "InvalidArgument", "colour");
        client_open(client);
        for (size_t i = 0; i < ELEMENTSOF(of_backup); i++)
                assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, of_backup[i], "a{sv}", 1,
                                        "colour", "s", "red"),
                               "InvalidArgument", "colour");
        for (size_t i = 0; i < ELEMENTSOF(of_session); i++)
                assert_refused(call_ask(client, client->session, SESSION_INTERFACE, of_session[i], "a{sv}",
                                        1, "colour", "s", "red"),
                               "InvalidArgument", "colour");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "StartSnapshotSet", "a{sv}", 1,
                                "wait", "s", "yes"),
                       "InvalidArgument", "wait");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupState", "a{sv}", 1,
                                "type", "s", "weekly"),
                       "InvalidArgument", "weekly");
        now = client_get_string(client, client->session, SESSION_INTERFACE, "State");
        assert_string_equal(now, "initialised");
        (void) client_free(client);
}

static void test_volume_argument(void **state) {
        Client *client = client_new(*state);

        client_open_set(client);
        assert_refused(
                call_ask(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "u", 7, 0),
                "InvalidArgument", "");
        assert_refused(call_ask(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "s",
                                "", 0),
                       "InvalidArgument", "");
        (void) client_free(client);
}

/* Only the connection that opened a session may call it, root or not. */
static void test_only_the_owner(void **state) {
        Client *owner = client_new(*state), *other = client_new(*state);

        client_open(owner);
        (void) snprintf(other->session, sizeof(other->session), "%s", owner->session);
        assert_refused(backup_ask(other, "GatherWriterMetadata"), "AccessDenied", owner->id);
        assert_refused(call_ask(other, other->session, SESSION_INTERFACE, "Release", "a{sv}", 0),
                       "AccessDenied", owner->id);
        backup_ok(owner, "GatherWriterMetadata");
        /* An administrator may end it. */
        assert_ok(
                call_ask(other, QUIESCE_PATH, MANAGER_INTERFACE, "ReleaseSession", "sa{sv}", owner->id, 0));
        assert_refused(call_ask(other, QUIESCE_PATH, MANAGER_INTERFACE, "GetSession", "s", owner->id),
                       "ObjectNotFound", owner->id);
        (void) client_free(owner);
        (void) client_free(other);
}

/* In a child that is nobody: exits 0 if it is refused as it should be. */
static void be_nobody(Bench *bench) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus *bus = NULL;

        if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
                _exit(2);
        if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, bench->address) < 0 ||
            sd_bus_set_bus_client(bus, true) < 0 || sd_bus_start(bus) < 0)
                _exit(3);
        if (sd_bus_call_method(bus, QUIESCE_NAME, QUIESCE_PATH, MANAGER_INTERFACE, "OpenBackup", &error,
                               NULL, "a{sv}", 0) >= 0)
                _exit(4);
        _exit(streq(error.name, "org.quiesce1.Error.AccessDenied") &&
                              strstr(error.message, "org.quiesce1.backup") && strstr(error.message, "polkit")
                      ? 0
                      : 5);
}

static void test_nobody_without_polkit(void **state) {
        int status;
        pid_t pid;

        if (getuid() != 0)
                skip();
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                be_nobody(*state);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_sessions_per_user(void **state) {
        Client *client;

        bench_write(*state, "quiesced.conf", "[Session]\nMaxPerUser=2\nNonsense=1\n");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        client_open(client);
        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenBackup", "a{sv}", 0),
                       "LimitsExceeded", "MaxPerUser");
        session_ok(client, "Release");
        client_open(client);
        assert_int_equal(bench_count(*state, "quiesced.log", "Nonsense="), 1);
        (void) client_free(client);
}

/* The bus policy lets signals of others reach who owns the name: systemd tells in signals that a writer's
 * unit has ended. */
static void test_policy_lets_signals_in(void **state) {
        Client *named = client_new(*state), *other = client_new(*state);
        sd_bus_slot *slot = NULL;

        assert_true(sd_bus_add_match(named->bus, &slot, "type='signal',interface='org.example.Test'",
                                     client_on_signal, named) >= 0);
        assert_true(sd_bus_request_name(named->bus, QUIESCE_NAME, 0) >= 0);
        assert_true(sd_bus_emit_signal(other->bus, "/org/example", "org.example.Test", "Removed", "s",
                                       "job") >= 0);
        client_wait_seen(named, "Removed /org/example job");
        sd_bus_slot_unref(slot);
        (void) client_free(named);
        (void) client_free(other);
}

/* A gather that was cancelled may be called again (C4), and its writers come again. */
static void test_gather_again(void **state) {
        Client *client;
        Call *running;

        bench_add_writer(*state, "alpha", "identify=hang");
        bench_write(*state, "quiesced.conf", "[Events]\nIdentifySec=1s\n");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        running = backup_begin(client, "GatherWriterMetadata");
        bench_wait_file(*state, "writers.log", "alpha identify");
        session_ok(client, "Cancel");
        assert_refused(call_wait(running), "Cancelled", "");
        backup_ok(client, "GatherWriterMetadata");
        assert_int_equal(bench_count(*state, "writers.log", "alpha identify"), 2);
        session_ok(client, "Release");
        (void) client_free(client);
}

int main(void) {
#define STARTED(_test) cmocka_unit_test_setup_teardown(_test, bench_setup_started, bench_teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_bad_state, bench_setup, bench_teardown),
                STARTED(test_T20_contexts),
                cmocka_unit_test_setup_teardown(test_T21_disabled_writer, bench_setup, bench_teardown),
                STARTED(test_T23_once),
                STARTED(test_supported),
                STARTED(test_unknown_options),
                STARTED(test_volume_argument),
                STARTED(test_only_the_owner),
                STARTED(test_nobody_without_polkit),
                cmocka_unit_test_setup_teardown(test_sessions_per_user, bench_setup, bench_teardown),
                cmocka_unit_test_setup_teardown(test_policy_lets_signals_in, bench_setup, bench_teardown),
                cmocka_unit_test_setup_teardown(test_gather_again, bench_setup, bench_teardown),
        };

        return cmocka_run_group_tests_name("bus-calls", tests, NULL, NULL);
}
