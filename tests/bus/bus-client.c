/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The bench's requesters; see bus-harness.h. */

#include <inttypes.h>

#include "bus-harness.h"

#define PATIENCE_USEC (30 * USEC_PER_SEC)

static void see(Client *client, const char *format, ...) _printf_(2, 3);
static void see(Client *client, const char *format, ...) {
        va_list ap;

        assert_true(client->n_seen < SEEN_MAX);
        va_start(ap, format);
        assert_true(vasprintf(&client->seen[client->n_seen++], format, ap) >= 0);
        va_end(ap);
}

/* One line a signal: its name, its numbers and its strings, object paths and, of properties, their names and
 * texts. */
static void describe(FILE *f, sd_bus_message *m, int depth) {
        const char *contents, *text;
        uint32_t number;
        char type;
        int r;

        while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
                if (type == 's' || type == 'o') {
                        assert_true(sd_bus_message_read_basic(m, type, &text) > 0);
                        (void) fprintf(f, " %s", text);
                } else if (type == 'u' && depth == 0) {
                        assert_true(sd_bus_message_read_basic(m, type, &number) > 0);
                        (void) fprintf(f, " %" PRIu32, number);
                } else if (type == 'a' || type == 'v' || type == 'e' || type == 'r') {
                        assert_true(sd_bus_message_enter_container(m, type, contents) > 0);
                        describe(f, m, depth + 1);
                        assert_true(sd_bus_message_exit_container(m) >= 0);
                } else
                        assert_true(sd_bus_message_skip(m, NULL) >= 0);
        }
        assert_true(r >= 0);
}

int client_on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_free_ char *text = NULL;
        Client *client = userdata;
        size_t n;
        FILE *f;

        f = open_memstream(&text, &n);
        assert_non_null(f);
        (void) fprintf(f, "%s %s", sd_bus_message_get_member(m), sd_bus_message_get_path(m));
        describe(f, m, 0);
        assert_int_equal(fclose(f), 0);
        see(client, "%s", text);
        return 0;
}

Client *client_new_deaf(Bench *bench) {
        Client *client = calloc(1, sizeof(*client));

        assert_non_null(client);
        client->bench = bench;
        client->deaf = true;
        assert_true(sd_bus_new(&client->bus) >= 0);
        assert_true(sd_bus_set_address(client->bus, bench->address) >= 0);
        assert_true(sd_bus_set_bus_client(client->bus, true) >= 0);
        assert_true(sd_bus_negotiate_fds(client->bus, true) >= 0);
        assert_true(sd_bus_start(client->bus) >= 0);
        assert_true(sd_bus_attach_event(client->bus, bench->event, 0) >= 0);
        return client;
}

Client *client_new(Bench *bench) {
        Client *client = client_new_deaf(bench);

        client->deaf = false;
        assert_true(sd_bus_add_match(client->bus, NULL, "type='signal',sender='" QUIESCE_NAME "'",
                                     client_on_signal, client) >= 0);
        return client;
}

static void call_free(Call *call) {
        for (Call **place = &call->client->calls; *place; place = &(*place)->next)
                if (*place == call) {
                        *place = call->next;
                        break;
                }
        sd_bus_slot_unref(call->slot);
        free(call);
}

/* The bus asks the kernel whose a connection is when it is made. */
Client *client_new_as(Bench *bench, uid_t uid) {
        Client *client;

        assert_int_equal(seteuid(uid), 0);
        client = client_new(bench);
        assert_int_equal(seteuid(0), 0);
        return client;
}

void client_forge_owner(Client *client, const char *destination, const char *name, const char *owner) {
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_signal(client->bus, &m, "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "NameOwnerChanged") >= 0);
        assert_true(sd_bus_message_append(m, "sss", name, name, owner) >= 0);
        assert_true(sd_bus_message_set_destination(m, destination) >= 0);
        assert_true(sd_bus_send(client->bus, m, NULL) >= 0);
        sd_bus_message_unref(m);
        assert_true(sd_bus_call_method(client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "GetId", NULL, NULL, "") >= 0);
}

Client *client_free(Client *client) {
        while (client->calls) {
                sd_bus_message_unref(client->calls->reply);
                call_free(client->calls);
        }
        (void) sd_bus_detach_event(client->bus);
        sd_bus_close_unref(client->bus);
        for (size_t i = 0; i < client->n_seen; i++)
                free(client->seen[i]);
        free(client);
        return NULL;
}

static void show_log(Bench *bench) {
        _cleanup_free_ char *log = bench_read(bench, "quiesced.log");

        (void) fprintf(stderr, "quiesced's log:\n%s\n", log);
}

static void run_once(Bench *bench, const char *what) {
        int r = sd_event_run(bench->event, PATIENCE_USEC);

        if (r <= 0) {
                show_log(bench);
                fail_msg("waited too long for %s", what);
        }
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Call *call = userdata;

        call->reply = sd_bus_message_ref(m);
        if (!call->client->deaf)
                see(call->client, "reply %s", call->member);
        return 0;
}

static Call *call_beginv(Client *client, const char *path, const char *interface, const char *member,
                         const char *types, va_list ap) {
        Call *call = calloc(1, sizeof(*call));
        sd_bus_message *m = NULL;

        assert_non_null(call);
        call->client = client;
        call->next = client->calls;
        client->calls = call;
        (void) snprintf(call->member, sizeof(call->member), "%s", member);
        assert_true(sd_bus_message_new_method_call(client->bus, &m, QUIESCE_NAME, path, interface, member) >=
                    0);
        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        assert_true(sd_bus_call_async(client->bus, &call->slot, m, on_reply, call, PATIENCE_USEC) >= 0);
        sd_bus_message_unref(m);
        assert_true(sd_bus_flush(client->bus) >= 0);
        return call;
}

Call *call_begin(Client *client, const char *path, const char *interface, const char *member,
                 const char *types, ...) {
        Call *call;
        va_list ap;

        va_start(ap, types);
        call = call_beginv(client, path, interface, member, types, ap);
        va_end(ap);
        return call;
}

sd_bus_message *call_wait(Call *call) {
        sd_bus_message *reply;

        while (!call->reply)
                run_once(call->client->bench, call->member);
        reply = call->reply;
        call_free(call);
        return reply;
}

sd_bus_message *call_ask(Client *client, const char *path, const char *interface, const char *member,
                         const char *types, ...) {
        Call *call;
        va_list ap;

        va_start(ap, types);
        call = call_beginv(client, path, interface, member, types, ap);
        va_end(ap);
        return call_wait(call);
}

sd_bus_message *backup_ask(Client *client, const char *member) {
        return call_ask(client, client->session, BACKUP_INTERFACE, member, "a{sv}", 0);
}

void assert_ok(sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (error)
                fail_msg("refused: %s: %s", error->name, error->message);
        sd_bus_message_unref(reply);
}

void assert_refused(sd_bus_message *reply, const char *name, const char *text) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        char full[128];

        (void) snprintf(full, sizeof(full), "org.quiesce1.Error.%s", name);
        if (!error)
                fail_msg("not refused with %s", name);
        if (!streq(error->name, full) || !strstr(error->message, text))
                fail_msg("refused with %s: %s; expected %s: …%s…", error->name, error->message, full, text);
        sd_bus_message_unref(reply);
}

void backup_ok(Client *client, const char *member) {
        assert_ok(backup_ask(client, member));
}

Call *backup_begin(Client *client, const char *member) {
        return call_begin(client, client->session, BACKUP_INTERFACE, member, "a{sv}", 0);
}

char *backup_answer(Client *client, const char *member) {
        sd_bus_message *m = backup_ask(client, member);
        char *text = reply_to_text(m);

        sd_bus_message_unref(m);
        return text;
}

void session_ok(Client *client, const char *member) {
        assert_ok(call_ask(client, client->session, SESSION_INTERFACE, member, "a{sv}", 0));
}

char *client_get_string(Client *client, const char *path, const char *interface, const char *property) {
        char *value = NULL;
        sd_bus_message *m;
        const char *text;

        m = call_ask(client, path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, property);
        if (sd_bus_message_get_error(m))
                fail_msg("%s of %s: %s", property, path, sd_bus_message_get_error(m)->message);
        assert_true(sd_bus_message_read(m, "v", "s", &text) > 0);
        value = strdup(text);
        sd_bus_message_unref(m);
        return value;
}

char *client_path_of(Client *client, const char *member, const char *id) {
        sd_bus_message *m;
        const char *path;
        char *copy;

        m = call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, member, "s", id);
        if (sd_bus_message_get_error(m))
                fail_msg("%s: %s", member, sd_bus_message_get_error(m)->message);
        assert_true(sd_bus_message_read(m, "o", &path) > 0);
        copy = strdup(path);
        sd_bus_message_unref(m);
        return copy;
}

static void client_opened(Client *client, sd_bus_message *m) {
        _cleanup_free_ char *id = NULL;
        const char *path;

        if (sd_bus_message_get_error(m))
                fail_msg("%s", sd_bus_message_get_error(m)->message);
        assert_true(sd_bus_message_read(m, "o", &path) > 0);
        (void) snprintf(client->session, sizeof(client->session), "%s", path);
        sd_bus_message_unref(m);
        id = client_get_string(client, client->session, SESSION_INTERFACE, "Id");
        (void) snprintf(client->id, sizeof(client->id), "%s", id);
}

void client_open(Client *client) {
        client_opened(client, call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenBackup", "a{sv}", 0));
}

void client_open_restore(Client *client, const char *document) {
        client_opened(client, call_ask(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenRestore", "sa{sv}",
                                       document, 0));
}

char *client_add(Client *client, const char *volume) {
        sd_bus_message *m;
        const char *id;
        char *copy;

        m = call_ask(client, client->session, BACKUP_INTERFACE, "AddToSnapshotSet", "va{sv}", "s", volume,
                     0);
        if (sd_bus_message_get_error(m))
                fail_msg("AddToSnapshotSet: %s", sd_bus_message_get_error(m)->message);
        assert_true(sd_bus_message_read(m, "s", &id) > 0);
        copy = strdup(id);
        sd_bus_message_unref(m);
        return copy;
}

void client_start_set(Client *client) {
        sd_bus_message *m = backup_ask(client, "StartSnapshotSet");
        const char *set;

        if (sd_bus_message_get_error(m))
                fail_msg("StartSnapshotSet: %s", sd_bus_message_get_error(m)->message);
        assert_true(sd_bus_message_read(m, "s", &set) > 0);
        (void) snprintf(client->set, sizeof(client->set), "%s", set);
        sd_bus_message_unref(m);
}

void client_open_set(Client *client) {
        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        client_start_set(client);
}

void client_prepare(Client *client, const char *volume) {
        client_open_set(client);
        if (volume)
                free(client_add(client, volume));
        backup_ok(client, "PrepareForBackup");
}

void client_back_up(Client *client) {
        backup_ok(client, "DoSnapshotSet");
        backup_ok(client, "BackupComplete");
        session_ok(client, "Release");
}

Client *bench_start_prepared(Bench *bench, const char *volume) {
        Client *client;

        bench_start(bench);
        client = client_new(bench);
        client_prepare(client, volume);
        return client;
}

bool client_has_seen(Client *client, const char *text) {
        for (size_t i = 0; i < client->n_seen; i++)
                if (strstr(client->seen[i], text))
                        return true;
        return false;
}

size_t client_seen_at(Client *client, const char *text) {
        for (size_t i = 0; i < client->n_seen; i++)
                if (strstr(client->seen[i], text))
                        return i;
        for (size_t i = 0; i < client->n_seen; i++)
                (void) fprintf(stderr, "seen: %s\n", client->seen[i]);
        fail_msg("never seen: %s", text);
        return 0;
}

void client_wait_seen(Client *client, const char *text) {
        while (!client_has_seen(client, text)) {
                if (sd_event_run(client->bench->event, PATIENCE_USEC) > 0)
                        continue;
                show_log(client->bench);
                (void) client_seen_at(client, text); /* shows what was seen, and fails */
        }
}

char *reply_get_string(sd_bus_message *reply, const char *key) {
        const char *k, *contents, *text = "";
        char type;

        assert_true(sd_bus_message_rewind(reply, true) >= 0);
        assert_true(sd_bus_message_enter_container(reply, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(reply, "s", &k) > 0);
                assert_true(sd_bus_message_peek_type(reply, &type, &contents) > 0);
                if (streq(k, key) && streq(contents, "s"))
                        assert_true(sd_bus_message_read(reply, "v", "s", &text) > 0);
                else
                        assert_true(sd_bus_message_skip(reply, "v") >= 0);
                assert_true(sd_bus_message_exit_container(reply) >= 0);
        }
        assert_true(sd_bus_message_exit_container(reply) >= 0);
        return strdup(text);
}

static void print_value(FILE *f, sd_bus_message *m);

static void print_container(FILE *f, sd_bus_message *m, char type, const char *contents) {
        bool dictionary = contents[0] == '{', first = true;
        const char *separator = type == 'e' ? "=" : ", ";

        assert_true(sd_bus_message_enter_container(m, type, contents) > 0);
        (void) fputs(type == 'a' ? dictionary ? "{" : "[" : type == 'r' ? "(" : "", f);
        while (sd_bus_message_at_end(m, false) == 0) {
                if (!first)
                        (void) fputs(separator, f);
                first = false;
                print_value(f, m);
        }
        (void) fputs(type == 'a' ? dictionary ? "}" : "]" : type == 'r' ? ")" : "", f);
        assert_true(sd_bus_message_exit_container(m) > 0);
}

static void print_value(FILE *f, sd_bus_message *m) {
        const char *contents;
        union {
                const char *s;
                int b;
                uint64_t t;
                uint32_t u;
        } value = {};
        char type;

        assert_true(sd_bus_message_peek_type(m, &type, &contents) > 0);
        if (contents) {
                print_container(f, m, type, contents);
                return;
        }
        assert_true(sd_bus_message_read_basic(m, type, &value) > 0);
        if (type == 's' || type == 'o')
                (void) fprintf(f, "'%s'", value.s);
        else if (type == 'b')
                (void) fputs(value.b ? "true" : "false", f);
        else if (type == 't')
                (void) fprintf(f, "%llu", (unsigned long long) value.t);
        else
                (void) fprintf(f, "%u", (unsigned) value.u);
}

char *reply_to_text(sd_bus_message *reply) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        if (sd_bus_message_get_error(reply))
                fail_msg("%s", sd_bus_message_get_error(reply)->message);
        while (sd_bus_message_at_end(reply, true) == 0)
                print_value(f, reply);
        assert_int_equal(fclose(f), 0);
        return text;
}
