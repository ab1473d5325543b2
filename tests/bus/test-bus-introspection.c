/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The interfaces of the running daemon are those of units/dbus/: every method with its arguments' names and
 * types, every property with its type, access and promise of change, every signal. The files are what client
 * authors read; this is what makes them true.
 */

#include "bus-harness.h"

#define LINES_MAX 128u

typedef struct Lines {
        char *items[LINES_MAX];
        size_t n;
} Lines;

static int line_compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void line_append(Lines *lines, const char *format, ...) _printf_(2, 3);
static void line_append(Lines *lines, const char *format, ...) {
        char *last = lines->items[lines->n - 1], *grown;
        _cleanup_free_ char *more = NULL;
        va_list ap;

        va_start(ap, format);
        assert_true(vasprintf(&more, format, ap) >= 0);
        va_end(ap);
        assert_true(asprintf(&grown, "%s%s", last, more) >= 0);
        free(last);
        lines->items[lines->n - 1] = grown;
}

/* The value of an attribute of the tag that begins at @tag; "" if it has none. */
static void attribute(const char *tag, const char *name, char *value, size_t size) {
        const char *end = strchr(tag, '>');
        char search[64];
        const char *at;
        size_t n;

        value[0] = '\0';
        (void) snprintf(search, sizeof(search), " %s=\"", name);
        at = strstr(tag, search);
        if (!end || !at || at > end)
                return;
        at += strlen(search);
        n = strcspn(at, "\"");
        assert_true(n < size);
        memcpy(value, at, n);
        value[n] = '\0';
}

static bool is_tag(const char *tag, const char *name) {
        return strncmp(tag, name, strlen(name)) == 0 && strchr(" >/", tag[strlen(name)]);
}

static void read_tag(Lines *lines, const char *tag) {
        char name[128], type[64], direction[16], access[16], value[16];

        attribute(tag, "name", name, sizeof(name));
        attribute(tag, "type", type, sizeof(type));
        attribute(tag, "direction", direction, sizeof(direction));
        attribute(tag, "access", access, sizeof(access));
        attribute(tag, "value", value, sizeof(value));
        if (is_tag(tag, "<method") || is_tag(tag, "<signal") || is_tag(tag, "<property")) {
                assert_true(lines->n < LINES_MAX);
                assert_true(asprintf(&lines->items[lines->n++], "%.4s %s", tag + 1, name) >= 0);
                if (type[0])
                        line_append(lines, " %s %s", type, access);
        } else if (is_tag(tag, "<arg"))
                line_append(lines, " %s:%s:%s", direction, type, name);
        else if (is_tag(tag, "<annotation") &&
                 streq(name, "org.freedesktop.DBus.Property.EmitsChangedSignal") && !streq(value, "true"))
                line_append(lines, " emits:%s", value);
}

static void read_interface(Lines *lines, const char *xml, const char *interface) {
        char search[128];
        const char *at, *end;

        (void) snprintf(search, sizeof(search), "<interface name=\"%s\">", interface);
        at = strstr(xml, search);
        if (!at)
                fail_msg("there is no interface %s in %s", interface, xml);
        at += strlen(search);
        end = strstr(at, "</interface>");
        assert_non_null(end);
        for (; at < end; at++)
                if (*at == '<' && at[1] != '/')
                        read_tag(lines, at);
        qsort(lines->items, lines->n, sizeof(lines->items[0]), line_compare);
}

static void compare(Client *client, const char *path, const char *interface) {
        _cleanup_free_ char *file = NULL, *name = NULL;
        Lines promised = {}, real = {};
        sd_bus_message *m;
        const char *xml;
        size_t n;
        FILE *f;

        assert_true(asprintf(&name, "%s/units/dbus/%s.xml", SOURCE_TREE, interface) >= 0);
        f = fopen(name, "re");
        assert_non_null(f);
        file = calloc(1, 65536);
        n = fread(file, 1, 65535, f);
        assert_true(n > 0);
        (void) fclose(f);
        m = call_ask(client, path, "org.freedesktop.DBus.Introspectable", "Introspect", "");
        assert_true(sd_bus_message_read(m, "s", &xml) > 0);

        read_interface(&promised, file, interface);
        read_interface(&real, xml, interface);
        assert_true(promised.n > 0);
        for (size_t i = 0; i < promised.n && i < real.n; i++)
                assert_string_equal(real.items[i], promised.items[i]);
        assert_int_equal(real.n, promised.n);
        for (size_t i = 0; i < promised.n; i++) {
                free(promised.items[i]);
                free(real.items[i]);
        }
        sd_bus_message_unref(m);
}

static void test_manager_and_provider(void **state) {
        Client *client = client_new(*state);

        compare(client, QUIESCE_PATH, MANAGER_INTERFACE);
        compare(client, QUIESCE_PATH "/provider/test", "org.quiesce1.Provider");
        compare(client, QUIESCE_PATH "/provider/lvm_thin", "org.quiesce1.Provider");
        (void) client_free(client);
}

static void test_session_set_snapshot_writer(void **state) {
        _cleanup_free_ char *snapshot = NULL, *set_path = NULL, *snapshot_path = NULL, *writer = NULL,
                            *set = NULL;
        Client *client;

        bench_add_one(*state, "");
        bench_start(*state);
        client = client_new(*state);
        client_open(client);
        compare(client, client->session, SESSION_INTERFACE);
        compare(client, client->session, BACKUP_INTERFACE);

        backup_ok(client, "GatherWriterMetadata");
        backup_ok(client, "StartSnapshotSet");
        snapshot = client_add(client, "test:one");
        backup_ok(client, "PrepareForBackup");
        backup_ok(client, "DoSnapshotSet");
        snapshot_path = client_path_of(client, "GetSnapshot", snapshot);
        compare(client, snapshot_path, "org.quiesce1.Snapshot");
        set = client_get_string(client, client->session, SESSION_INTERFACE, "SnapshotSet");
        set_path = client_path_of(client, "GetSnapshotSet", set);
        compare(client, set_path, "org.quiesce1.SnapshotSet");
        assert_true(asprintf(&writer, "%s/writer/0", client->session) >= 0);
        compare(client, writer, "org.quiesce1.WriterState");
        (void) client_free(client);
}

/* C2: a restore is no backup. */
static void test_restore(void **state) {
        Client *client = client_new(*state);
        sd_bus_message *m;
        const char *xml;

        client_open_restore(client, "");
        compare(client, client->session, SESSION_INTERFACE);
        compare(client, client->session, RESTORE_INTERFACE);
        m = call_ask(client, client->session, "org.freedesktop.DBus.Introspectable", "Introspect", "");
        assert_true(sd_bus_message_read(m, "s", &xml) > 0);
        assert_null(strstr(xml, BACKUP_INTERFACE));
        sd_bus_message_unref(m);
        client_open(client);
        m = call_ask(client, client->session, "org.freedesktop.DBus.Introspectable", "Introspect", "");
        assert_true(sd_bus_message_read(m, "s", &xml) > 0);
        assert_null(strstr(xml, RESTORE_INTERFACE));
        sd_bus_message_unref(m);
        (void) client_free(client);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_manager_and_provider, bench_setup_started,
                                                bench_teardown),
                cmocka_unit_test_setup_teardown(test_restore, bench_setup_started, bench_teardown),
                cmocka_unit_test_setup_teardown(test_session_set_snapshot_writer, bench_setup,
                                                bench_teardown),
        };

        return cmocka_run_group_tests_name("bus-introspection", tests, NULL, NULL);
}
