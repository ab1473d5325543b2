/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See writer-bench.h. */

#include "writer-bench.h"

#include <sys/stat.h>

__attribute__((format(printf, 1, 2))) void shell(const char *format, ...) {
        char command[1024];
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vsnprintf(command, sizeof(command), format, arguments);
        va_end(arguments);
        assert_true(n >= 0 && (size_t) n < sizeof(command));
        if (system(command) != 0)
                fail_msg("failed: %s", command);
}

/* The launcher of tests starts every writer as root: a script becomes the other user first. */
void add_real_writer(Bench *bench, const char *name, const char *as, const char *configuration) {
        char path[64], text[1024];

        shell("install -d %s/bin && install -t %s/bin %s/.libs/quiesced-writer-%s %s/.libs/libquiesce.so.0",
              bench->directory, bench->directory, BUILD_TREE, name, BUILD_TREE);
        (void) snprintf(
                text, sizeof(text),
                "#!/bin/sh\nexport LD_LIBRARY_PATH=%s/bin\nexec %s %s/bin/quiesced-writer-%s \"$@\"\n",
                bench->directory, as, bench->directory, name);
        bench_write(bench, name, text);
        shell("chmod 755 %s/%s", bench->directory, name);
        (void) snprintf(path, sizeof(path), "%s.conf", name);
        bench_write(bench, path, configuration);
        (void) snprintf(path, sizeof(path), "writers.d/%s.writer", name);
        (void) snprintf(text, sizeof(text), "[Writer]\nExec=%s/%s\n %s/%s.conf\nUser=root\nLevel=back-end\n",
                        bench->directory, name, bench->directory, name);
        bench_write(bench, path, text);
}

/* ── Status ── */

void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

char *status_of(Client *client) {
        sd_bus_message *m =
                call_ask(client, client->session, SESSION_INTERFACE, "GatherWriterStatus", "a{sv}", 0);
        char *text = reply_to_text(m);

        sd_bus_message_unref(m);
        return text;
}

void assert_status(Client *client, const char *part) {
        _cleanup_free_ char *text = status_of(client);

        assert_has(text, part);
}

void assert_good(Client *client, const char *writer) {
        _cleanup_free_ char *text = status_of(client);
        char name[64];

        (void) snprintf(name, sizeof(name), "'name'='%s'", writer);
        if (!strstr(text, name) || !strstr(text, "'state'='waiting-for-backup-complete'") ||
            strstr(text, "failed") || strstr(text, "warning"))
                fail_msg("it went not well: %s", text);
}

pid_t writer_process(Client *client) {
        _cleanup_free_ char *text = status_of(client);
        unsigned process = 0;

        assert_has(text, "'process'=");
        assert_int_equal(sscanf(strstr(text, "'process'="), "'process'=%u", &process), 1);
        assert_true(process > 1);
        return (pid_t) process;
}

/* ── Sessions ── */

static void add_component(Client *client, const char *component) {
        const char *first = strchr(component, '/'), *last = strrchr(component, '/');
        char writer[64], path[256];

        assert_non_null(first);
        (void) snprintf(writer, sizeof(writer), "%.*s", (int) (first - component), component);
        (void) snprintf(path, sizeof(path), "%.*s", first < last ? (int) (last - first - 1) : 0, first + 1);
        assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "AddComponent", "sssa{sv}", writer,
                           path, last + 1, 0));
}

Client *prepare_set(Bench *bench, const char *const *components, const char *const *volumes) {
        Client *client = client_new(bench);

        client_open(client);
        if (components)
                assert_ok(call_ask(client, client->session, BACKUP_INTERFACE, "SetBackupState", "a{sv}", 1,
                                   "component-mode", "b", 1));
        backup_ok(client, "GatherWriterMetadata");
        for (; components && *components; components++)
                add_component(client, *components);
        client_start_set(client);
        for (; *volumes; volumes++)
                free(client_add(client, *volumes));
        backup_ok(client, "PrepareForBackup");
        return client;
}

void end_session(Client *client) {
        session_ok(client, "Release");
        (void) client_free(client);
}

void assert_backup(Bench *bench, const char *const *components, const char *const *volumes,
                   const char *state, const char *text) {
        Client *client = prepare_set(bench, components, volumes);

        backup_ok(client, "DoSnapshotSet");
        assert_status(client, state);
        assert_status(client, text);
        end_session(client);
}

char *save_document(Client *client) {
        sd_bus_message *m = backup_ask(client, "SaveDocument");
        const char *said;
        char *copy;

        assert_true(sd_bus_message_read(m, "s", &said) > 0);
        copy = strdup(said);
        assert_non_null(copy);
        sd_bus_message_unref(m);
        return copy;
}

/* ── The frozen moment ── */

Call *snapshot_begin_scripted(Bench *bench, Client *client) {
        Call *call = backup_begin(client, "DoSnapshotSet");

        bench_wait_file(bench, "provider/reached", "");
        return call;
}

Call *snapshot_begin(Bench *bench, Client *client, const char *phase, const char *volume) {
        bench_stop_at(bench, phase, volume);
        return snapshot_begin_scripted(bench, client);
}

void snapshot_end(Bench *bench, Call *call) {
        bench_write(bench, "provider/go", "");
        assert_ok(call_wait(call));
}

const char *snapshot_path(Client *client, char path[static 192], const char *volume) {
        _cleanup_free_ char *log = bench_read(client->bench, "provider/log");
        char line[64], id[37] = "";
        const char *at;

        (void) snprintf(line, sizeof(line), "\ncommit %s ", volume);
        at = strstr(log, line);
        assert_non_null(at);
        assert_int_equal(sscanf(at + strlen(line), "%36s", id), 1);
        (void) snprintf(path, 192, "%s/provider/snapshots/auto-release.%s.%s", client->bench->directory,
                        client->set, id);
        return path;
}

/* ── Loads ── */

long noted_count(const char *path) {
        struct stat st;

        return stat(path, &st) == 0 ? (long) st.st_size : 0;
}

void noted_await(Bench *bench, const char *path, long n) {
        _cleanup_free_ char *text = calloc(1, (size_t) n + 1);

        assert_non_null(text);
        memset(text, '+', (size_t) n);
        bench_wait_file(bench, strrchr(path, '/') + 1, text);
}
