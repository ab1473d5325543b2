/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Requesters that send more than they may: each call is refused with an error that names the limit, nothing
 * has changed, and quiesced is the process that it was.
 */

#include "bus-harness.h"

#include <sys/wait.h>

#define MANY 500000u

static void assert_serves(Bench *bench, pid_t pid) {
        Client *client = client_new(bench);

        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
        assert_int_equal(bench->daemon_pid, pid);
        client_open(client);
        session_ok(client, "Release");
        (void) client_free(client);
}

static sd_bus_message *method_new(Client *client, const char *interface, const char *member) {
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_method_call(client->bus, &m, QUIESCE_NAME,
                                                   streq(interface, MANAGER_INTERFACE) ? QUIESCE_PATH
                                                                                       : client->session,
                                                   interface, member) >= 0);
        return m;
}

/* Sends the call, and takes it. */
static void assert_call_refused(Client *client, sd_bus_message *m, const char *error, const char *text) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        char name[128];

        (void) snprintf(name, sizeof(name), "org.quiesce1.Error.%s", error);
        assert_true(sd_bus_call(client->bus, m, 60 * USEC_PER_SEC, &e, NULL) < 0);
        assert_string_equal(e.name, name);
        if (!strstr(e.message, text))
                fail_msg("\"%s\" is not in: %s", text, e.message);
        assert_true(strlen(e.message) < 2048);
        sd_bus_error_free(&e);
        sd_bus_message_unref(m);
}

static void append_names(sd_bus_message *m, unsigned n) {
        assert_true(sd_bus_message_open_container(m, 'a', "s") >= 0);
        for (unsigned i = 0; i < n; i++)
                assert_true(sd_bus_message_append_basic(m, 's', "x") >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
}

static char *long_text(size_t size) {
        char *text = malloc(size + 1);

        assert_non_null(text);
        memset(text, 'x', size);
        text[size] = '\0';
        return text;
}

/* As many names as fit into some megabytes: sd_bus_message_read_strv() takes most of a minute
 * for them. */
static void test_names(void **state) {
        _cleanup_free_ char *text = long_text(1 << 20);
        Bench *bench = *state;
        pid_t pid = bench->daemon_pid;
        Client *client = client_new(bench);
        sd_bus_message *m;

        client_open(client);
        m = method_new(client, BACKUP_INTERFACE, "EnableWriters");
        append_names(m, MANY);
        assert_true(sd_bus_message_append(m, "a{sv}", 0) >= 0);
        assert_call_refused(client, m, "LimitsExceeded", "at most 1024 names");
        m = method_new(client, BACKUP_INTERFACE, "PrepareForBackup");
        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
        assert_true(sd_bus_message_append(m, "s", "ignore-writers") >= 0);
        assert_true(sd_bus_message_open_container(m, 'v', "as") >= 0);
        append_names(m, MANY);
        for (int i = 0; i < 3; i++)
                assert_true(sd_bus_message_close_container(m) >= 0);
        assert_call_refused(client, m, "LimitsExceeded", "at most 1024 names");
        m = method_new(client, BACKUP_INTERFACE, "DisableWriters");
        assert_true(sd_bus_message_append(m, "asa{sv}", 1, text, 0) >= 0);
        assert_call_refused(client, m, "InvalidArgument", "1 to 127 bytes");
        /* Nothing has been noted of it. */
        backup_ok(client, "GatherWriterMetadata");
        assert_serves(bench, pid);
        (void) client_free(client);
}

static void test_options(void **state) {
        _cleanup_free_ char *text = long_text(1 << 20);
        Bench *bench = *state;
        pid_t pid = bench->daemon_pid;
        Client *client = client_new(bench);
        sd_bus_message *m;

        client_open(client);
        m = method_new(client, BACKUP_INTERFACE, "SetBackupState");
        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        for (unsigned i = 0; i < MANY; i++)
                assert_true(sd_bus_message_append(m, "{sv}", "bootable", "b", 1) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_call_refused(client, m, "LimitsExceeded", "at most 64 options");
        m = method_new(client, BACKUP_INTERFACE, "SetBackupState");
        assert_true(sd_bus_message_append(m, "a{sv}", 1, text, "b", 1) >= 0);
        assert_call_refused(client, m, "InvalidArgument", "is not known");
        m = method_new(client, BACKUP_INTERFACE, "SetBackupState");
        assert_true(sd_bus_message_append(m, "a{sv}", 1, "type", "s", text) >= 0);
        assert_call_refused(client, m, "InvalidArgument", "there is no type");
        assert_serves(bench, pid);
        (void) client_free(client);
}

/* Words that name something: what is too long names nothing. */
static void test_words(void **state) {
        _cleanup_free_ char *text = long_text(4 << 20);
        Bench *bench = *state;
        pid_t pid = bench->daemon_pid;
        Client *client = client_new(bench);

        client_open_set(client);
#define REFUSED(_error, _text, ...) assert_refused(call_ask(client, __VA_ARGS__), _error, _text)
        REFUSED("ObjectNotFound", "xxx", QUIESCE_PATH, MANAGER_INTERFACE, "GetSession", "s", text);
        REFUSED("ObjectNotFound", "xxx", QUIESCE_PATH, MANAGER_INTERFACE, "GetSnapshot", "s", text);
        REFUSED("ObjectNotFound", "xxx", QUIESCE_PATH, MANAGER_INTERFACE, "GetSnapshotSet", "s", text);
        REFUSED("ObjectNotFound", "xxx", QUIESCE_PATH, MANAGER_INTERFACE, "ReleaseSession", "sa{sv}", text,
                0);
        REFUSED("InvalidArgument", "so long a name", QUIESCE_PATH, MANAGER_INTERFACE, "Register", "sa{sv}",
                text, 0);
        REFUSED("UnsupportedContext", "xxx", client->session, BACKUP_INTERFACE, "SetContext", "sa{sv}", text,
                0);
        REFUSED("InvalidArgument", "1 to 4096 bytes", client->session, BACKUP_INTERFACE, "AddToSnapshotSet",
                "va{sv}", "s", text, 0);
        REFUSED("ProviderNotRegistered", "xxx", client->session, BACKUP_INTERFACE, "AddToSnapshotSet",
                "va{sv}", "s", "test:one", 1, "provider", "s", text);
        REFUSED("ObjectNotFound", "", client->session, BACKUP_INTERFACE, "AddComponent", "sssa{sv}", text,
                text, text, 0);
        REFUSED("ObjectNotFound", "", client->session, BACKUP_INTERFACE, "AddComponent", "sssa{sv}", "alpha",
                text, text, 0);
        REFUSED("InvalidArgument", "4096 bytes", client->session, BACKUP_INTERFACE, "SetBackupOptions",
                "ssssa{sv}", "alpha", "", "c", text, 0);
        REFUSED("ObjectNotFound", "", client->session, SESSION_INTERFACE, "GetWriterMetadata", "sa{sv}",
                text, 0);
        assert_serves(bench, pid);
        (void) client_free(client);
}

/* A document is parsed by quiesced itself. */
static void test_nesting(void **state) {
        _cleanup_free_ char *text = long_text(8 << 20);
        Bench *bench = *state;
        pid_t pid = bench->daemon_pid;
        Client *client = client_new(bench);

        for (const char *c = "[{"; *c; c++) {
                memset(text, *c, 8 << 20);
                assert_refused(
                        call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenRestore", "sa{sv}", text, 0),
                        "InvalidDocument", "");
        }
        for (size_t i = 0; i + 5 < 8 << 20; i += 5)
                memcpy(text + i, "{\"a\":", 5);
        assert_refused(call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenRestore", "sa{sv}", text, 0),
                       "InvalidDocument", "");
        assert_serves(bench, pid);
        (void) client_free(client);
}

static int setup(void **state) {
        int r = bench_setup(state);

        bench_add_one(*state, "component=filegroup::c:s:/srv");
        bench_start(*state);
        return r;
}

int main(void) {
#define LIMIT(_test) cmocka_unit_test_setup_teardown(_test, setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                LIMIT(test_names),
                LIMIT(test_options),
                LIMIT(test_words),
                LIMIT(test_nesting),
        };

        return cmocka_run_group_tests_name("bus-limits", tests, NULL, NULL);
}
