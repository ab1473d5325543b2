/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may do what: polkit is asked for the right action, a denial names it, and whoever is denied can do
 * nothing else: list no path, take no slot, fill no memory.
 *
 * polkit is a connection of the test's with polkit's name and method; what it was asked is seen, and it says
 * yes, no or nothing yet. Other users are connections that were made under their uid. The real polkit, and
 * group backup, are in tests/vm/test-access.sh.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "bus-harness.h"

/* The bus wants users that there are: bin and nobody. */
#define ALICE    2u
#define BOB      65534u
#define HELD_MAX 64u

typedef struct Polkit {
        Bench *bench;
        sd_bus *bus;
        const char *grants; /* these actions, to everybody */
        bool hold;
        sd_bus_message *held[HELD_MAX];
        size_t n_held, n_cancelled;
        char asked[4096]; /* actions, one a line */
} Polkit;

static void polkit_answer(const Polkit *polkit, sd_bus_message *m) {
        const char *action;

        assert_true(sd_bus_message_rewind(m, true) >= 0);
        assert_true(sd_bus_message_skip(m, "(sa{sv})") >= 0);
        assert_true(sd_bus_message_read(m, "s", &action) > 0);
        assert_true(sd_bus_reply_method_return(m, "(bba{ss})", strstr(polkit->grants, action) != NULL, 0,
                                               0) >= 0);
}

static int on_check(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Polkit *polkit = userdata;
        const char *action;

        assert_true(sd_bus_message_skip(m, "(sa{sv})") >= 0);
        assert_true(sd_bus_message_read(m, "s", &action) > 0);
        assert_true(strlen(polkit->asked) + strlen(action) + 2 < sizeof(polkit->asked));
        (void) strcat(strcat(polkit->asked, action), "\n");
        if (polkit->hold) {
                assert_true(polkit->n_held < HELD_MAX);
                polkit->held[polkit->n_held++] = sd_bus_message_ref(m);
        } else
                polkit_answer(polkit, m);
        return 1;
}

static int on_cancel(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Polkit *polkit = userdata;

        polkit->n_cancelled++;
        return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable polkit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("CancelCheckAuthorization", "s", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void polkit_start(Polkit *polkit, Bench *bench, const char *grants) {
        *polkit = (Polkit){.bench = bench, .grants = grants};
        assert_true(sd_bus_new(&polkit->bus) >= 0);
        assert_true(sd_bus_set_address(polkit->bus, bench->address) >= 0);
        assert_true(sd_bus_set_bus_client(polkit->bus, true) >= 0);
        assert_true(sd_bus_start(polkit->bus) >= 0);
        assert_true(sd_bus_add_object_vtable(polkit->bus, NULL, "/org/freedesktop/PolicyKit1/Authority",
                                             "org.freedesktop.PolicyKit1.Authority", polkit_vtable,
                                             polkit) >= 0);
        assert_true(sd_bus_request_name(polkit->bus, "org.freedesktop.PolicyKit1", 0) >= 0);
        assert_true(sd_bus_attach_event(polkit->bus, bench->event, 0) >= 0);
}

static void polkit_stop(Polkit *polkit) {
        for (size_t i = 0; i < polkit->n_held; i++)
                sd_bus_message_unref(polkit->held[i]);
        (void) sd_bus_detach_event(polkit->bus);
        sd_bus_close_unref(polkit->bus);
}

static void polkit_answer_held(Polkit *polkit) {
        polkit->hold = false;
        for (size_t i = 0; i < polkit->n_held; i++) {
                polkit_answer(polkit, polkit->held[i]);
                sd_bus_message_unref(polkit->held[i]);
        }
        polkit->n_held = 0;
}

static void wait_count(Polkit *polkit, const size_t *count, size_t n) {
        while (*count < n)
                if (sd_event_run(polkit->bench->event, 30 * USEC_PER_SEC) <= 0)
                        fail_msg("polkit was asked for no more than: %s", polkit->asked);
}

static int needs_root(void) {
        if (getuid() == 0)
                return 0;
        skip();
        return -1;
}

static Call *open_begin(Client *client) {
        return call_begin(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenBackup", "a{sv}", 0);
}

/* A session of root's that has made a set of volume "one". */
static char *make_set(Client *client) {
        char *snapshot;
        sd_bus_message *m;
        const char *set;

        client_open(client);
        backup_ok(client, "GatherWriterMetadata");
        m = backup_ask(client, "StartSnapshotSet");
        assert_true(sd_bus_message_read(m, "s", &set) > 0);
        (void) snprintf(client->set, sizeof(client->set), "%s", set);
        sd_bus_message_unref(m);
        snapshot = client_add(client, "test:one");
        backup_ok(client, "PrepareForBackup");
        backup_ok(client, "DoSnapshotSet");
        return snapshot;
}

/* Every method that asks polkit: the denial names the action, and nothing has happened. */
static void test_denied(void **state) {
        _cleanup_free_ char *snapshot = NULL, *path = NULL, *set_path = NULL, *now = NULL;
        Client *owner, *alice, *other;
        Polkit polkit;

        if (needs_root() < 0)
                return;
        bench_add_volume(*state, "one");
        bench_start(*state);
        polkit_start(&polkit, *state, "");
        owner = client_new(*state);
        snapshot = make_set(owner);
        path = client_path_of(owner, "GetSnapshot", snapshot);
        set_path = client_path_of(owner, "GetSnapshotSet", owner->set);
        alice = client_new_as(*state, ALICE);
#define DENIED(_action, ...) \
        assert_refused(call_ask(alice, __VA_ARGS__), "AccessDenied", "org.quiesce1." _action)
        DENIED("backup", QUIESCE_PATH, MANAGER_INTERFACE, "OpenBackup", "a{sv}", 0);
        DENIED("restore", QUIESCE_PATH, MANAGER_INTERFACE, "OpenRestore", "sa{sv}", "", 0);
        DENIED("backup", QUIESCE_PATH, MANAGER_INTERFACE, "GetVolumes", "a{sv}", 0);
        DENIED("backup", QUIESCE_PATH, MANAGER_INTERFACE, "GetWriters", "a{sv}", 0);
        DENIED("register-writer", QUIESCE_PATH, MANAGER_INTERFACE, "Register", "sa{sv}", "db", 0);
        DENIED("administer", QUIESCE_PATH, MANAGER_INTERFACE, "ReleaseSession", "sa{sv}", owner->id, 0);
        DENIED("administer", QUIESCE_PATH, MANAGER_INTERFACE, "DeleteSnapshots", "sa{sv}", owner->set, 0);
        DENIED("administer", set_path, "org.quiesce1.SnapshotSet", "Delete", "a{sv}", 0);
        DENIED("administer", path, "org.quiesce1.Snapshot", "Delete", "a{sv}", 0);
        DENIED("administer", path, "org.quiesce1.Snapshot", "OpenTree", "a{sv}", 0);
        DENIED("administer", path, "org.quiesce1.Snapshot", "GetProperties", "a{sv}", 0);
        DENIED("administer", path, "org.quiesce1.Snapshot", "Unmount", "a{sv}", 0);
        now = client_get_string(owner, owner->session, SESSION_INTERFACE, "State");
        assert_string_equal(now, "created");
        free(client_path_of(owner, "GetSnapshot", snapshot));
        /* Inside a session there is nothing to be asked for, and the slot is not taken. */
        other = client_new(*state);
        client_open(other);
        backup_ok(other, "GatherWriterMetadata");
        assert_refused(call_ask(alice, other->session, BACKUP_INTERFACE, "StartSnapshotSet", "a{sv}", 0),
                       "AccessDenied", other->id);
        backup_ok(other, "StartSnapshotSet");
        assert_int_equal(bench_count(*state, "quiesced.log", "warning"), 0);
        polkit_stop(&polkit);
        (void) client_free(owner);
        (void) client_free(alice);
        (void) client_free(other);
}

/* Who may back up may do that, and no more. */
static void test_granted(void **state) {
        Client *alice, *root;
        sd_bus_message *m;
        uint32_t uid;
        Polkit polkit;

        if (needs_root() < 0)
                return;
        polkit_start(&polkit, *state, "org.quiesce1.backup");
        alice = client_new_as(*state, ALICE);
        client_open(alice);
        assert_string_equal(polkit.asked, "org.quiesce1.backup\n");
        m = call_ask(alice, alice->session, "org.freedesktop.DBus.Properties", "Get", "ss",
                     SESSION_INTERFACE, "OwnerUID");
        assert_true(sd_bus_message_read(m, "v", "u", &uid) > 0);
        assert_int_equal(uid, ALICE);
        sd_bus_message_unref(m);
        backup_ok(alice, "GatherWriterMetadata");
        backup_ok(alice, "StartSnapshotSet");
        root = client_new(*state);
        client_open(root);
        assert_string_equal(polkit.asked, "org.quiesce1.backup\n"); /* root is never asked for */
        assert_refused(
                call_ask(alice, QUIESCE_PATH, MANAGER_INTERFACE, "ReleaseSession", "sa{sv}", root->id, 0),
                "AccessDenied", "org.quiesce1.administer");
        assert_refused(call_ask(alice, QUIESCE_PATH, MANAGER_INTERFACE, "OpenRestore", "sa{sv}", "", 0),
                       "AccessDenied", "org.quiesce1.restore");
        polkit_stop(&polkit);
        (void) client_free(alice);
        (void) client_free(root);
}

/* An administrator need not be root; the session ends as any does, with that cause. */
static void test_administrator(void **state) {
        _cleanup_free_ char *signal = NULL;
        Client *alice, *bob;
        Polkit polkit;

        if (needs_root() < 0)
                return;
        bench_add_writer(*state, "alpha", "");
        bench_add_volume(*state, "one");
        bench_start(*state);
        polkit_start(&polkit, *state, "org.quiesce1.backup org.quiesce1.administer");
        alice = client_new_as(*state, ALICE);
        client_prepare(alice, "test:one");
        bob = client_new_as(*state, BOB);
        assert_ok(call_ask(bob, QUIESCE_PATH, MANAGER_INTERFACE, "ReleaseSession", "sa{sv}", alice->id, 0));
        assert_true(asprintf(&signal, "BackupShutdown " QUIESCE_PATH " %s " ID_NIL " aborted administrator",
                             alice->id) > 0);
        client_wait_seen(bob, signal);
        assert_refused(call_ask(bob, QUIESCE_PATH, MANAGER_INTERFACE, "GetSession", "s", alice->id),
                       "ObjectNotFound", alice->id);
        polkit_stop(&polkit);
        (void) client_free(alice);
        (void) client_free(bob);
}

/* polkit alone lets nobody be a writer: the descriptor and the name on the bus must be right, too. One whose
 * service leaves while polkit thinks is none. */
static void test_register(void **state) {
        Client *alice, *bob;
        Polkit polkit;
        Call *call;

        if (needs_root() < 0)
                return;
        bench_write(*state, "writers.d/db.writer", "[Writer]\nBusName=org.example.Db\n");
        bench_start(*state);
        polkit_start(&polkit, *state, "org.quiesce1.register-writer");
        alice = client_new_as(*state, ALICE);
        bob = client_new_as(*state, BOB);
        assert_true(sd_bus_request_name(alice->bus, "org.example.Db", 0) >= 0);
        assert_refused(call_ask(bob, QUIESCE_PATH, MANAGER_INTERFACE, "Register", "sa{sv}", "db", 0),
                       "AccessDenied", "does not own org.example.Db");
        assert_string_equal(polkit.asked, "org.quiesce1.register-writer\n");
        polkit.hold = true;
        (void) call_begin(alice, QUIESCE_PATH, MANAGER_INTERFACE, "Register", "sa{sv}", "db", 0);
        wait_count(&polkit, &polkit.n_held, 1);
        (void) client_free(alice);
        wait_count(&polkit, &polkit.n_cancelled, 1);
        polkit_answer_held(&polkit);
        assert_true(sd_bus_request_name(bob->bus, "org.example.Db", 0) >= 0);
        call = call_begin(bob, QUIESCE_PATH, MANAGER_INTERFACE, "Register", "sa{sv}", "db", 0);
        assert_ok(call_wait(call));
        assert_refused(call_ask(bob, QUIESCE_PATH, MANAGER_INTERFACE, "Register", "sa{sv}", "db", 0),
                       "BadState", "already");
        polkit_stop(&polkit);
        (void) client_free(bob);
}

/* What is mounted hides what is there, also from root. */
static void assert_may_not_mount(Client *client, const char *snapshot, const char *directory) {
        int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_refused(call_ask(client, snapshot, "org.quiesce1.Snapshot", "Mount", "ha{sv}", fd, 0),
                       "AccessDenied", "does not belong to user");
        assert_int_equal(close(fd), 0);
}

/* Snapshots that stay are their user's, whichever process asks; another user needs to be an administrator.
 */
static void test_own_snapshots(void **state) {
        _cleanup_free_ char *snapshot = NULL, *path = NULL;
        Client *alice, *later, *bob;
        char folder[160], target[96];
        Polkit polkit;

        if (needs_root() < 0)
                return;
        (void) snprintf(folder, sizeof(folder), "%s/volumes/folder", ((Bench *) *state)->provider);
        assert_int_equal(mkdir(folder, 0755), 0);
        /* Root's, but anybody may write there. */
        (void) snprintf(target, sizeof(target), "%s/target", ((Bench *) *state)->directory);
        assert_int_equal(mkdir(target, 0700), 0);
        assert_int_equal(chmod(target, 01777), 0);
        bench_start(*state);
        polkit_start(&polkit, *state, "org.quiesce1.backup");
        alice = client_new_as(*state, ALICE);
        client_open(alice);
        assert_ok(call_ask(alice, alice->session, BACKUP_INTERFACE, "SetContext", "sa{sv}", "app-rollback",
                           0));
        backup_ok(alice, "GatherWriterMetadata");
        backup_ok(alice, "StartSnapshotSet");
        snapshot = client_add(alice, "test:folder");
        backup_ok(alice, "PrepareForBackup");
        backup_ok(alice, "DoSnapshotSet");
        session_ok(alice, "Release");
        (void) client_free(alice);
        later = client_new_as(*state, ALICE);
        bob = client_new_as(*state, BOB);
        path = client_path_of(later, "GetSnapshot", snapshot);
        assert_refused(call_ask(bob, path, "org.quiesce1.Snapshot", "GetProperties", "a{sv}", 0),
                       "AccessDenied", "org.quiesce1.administer");
        assert_refused(call_ask(bob, path, "org.quiesce1.Snapshot", "Delete", "a{sv}", 0), "AccessDenied",
                       "org.quiesce1.administer");
        assert_ok(call_ask(later, path, "org.quiesce1.Snapshot", "GetProperties", "a{sv}", 0));
        assert_may_not_mount(later, path, target);
        assert_may_not_mount(later, path, "/proc/self/fd");
        polkit.grants = "";
        assert_refused(call_ask(later, path, "org.quiesce1.Snapshot", "Delete", "a{sv}", 0), "AccessDenied",
                       "org.quiesce1.backup");
        polkit.grants = "org.quiesce1.backup";
        assert_ok(call_ask(later, path, "org.quiesce1.Snapshot", "Delete", "a{sv}", 0));
        polkit_stop(&polkit);
        (void) client_free(later);
        (void) client_free(bob);
}

/* What everybody sees: sessions and sets are listed, with no path and no device. */
static void test_listed_without_paths(void **state) {
        _cleanup_free_ char *snapshot = NULL, *text = NULL;
        Client *owner, *alice;
        sd_bus_message *m;

        if (needs_root() < 0)
                return;
        bench_add_one(*state, "");
        bench_start(*state);
        owner = client_new(*state);
        snapshot = make_set(owner);
        alice = client_new_as(*state, ALICE);
        m = call_ask(alice, QUIESCE_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "");
        text = reply_to_text(m);
        assert_non_null(strstr(text, owner->session));
        assert_non_null(strstr(text, "'alpha'"));
        assert_non_null(strstr(text, snapshot));
        assert_null(strstr(text, "test:one"));
        assert_null(strstr(text, ((Bench *) *state)->directory));
        sd_bus_message_unref(m);
        (void) client_free(owner);
        (void) client_free(alice);
}

/* A user has so many calls that wait, over all connections; others are not touched by that. */
static void test_calls_per_user(void **state) {
        Client *alice, *second, *bob;
        Call *calls[3], *of_bob;
        Polkit polkit;

        if (needs_root() < 0)
                return;
        bench_write(*state, "quiesced.conf", "[Session]\nMaxCallsPerUser=3\n");
        bench_start(*state);
        polkit_start(&polkit, *state, "org.quiesce1.backup");
        polkit.hold = true;
        alice = client_new_as(*state, ALICE);
        second = client_new_as(*state, ALICE);
        bob = client_new_as(*state, BOB);
        calls[0] = open_begin(alice);
        calls[1] = open_begin(alice);
        calls[2] = open_begin(second);
        wait_count(&polkit, &polkit.n_held, 3);
        assert_refused(call_wait(open_begin(alice)), "LimitsExceeded", "MaxCallsPerUser");
        assert_refused(call_wait(open_begin(second)), "LimitsExceeded", "MaxCallsPerUser");
        of_bob = open_begin(bob);
        wait_count(&polkit, &polkit.n_held, 4);
        polkit_answer_held(&polkit);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                assert_ok(call_wait(calls[i]));
        assert_ok(call_wait(of_bob));
        assert_ok(call_wait(open_begin(second)));
        polkit_stop(&polkit);
        (void) client_free(alice);
        (void) client_free(second);
        (void) client_free(bob);
}

static Call *open_large(Client *client, const char *document) {
        return call_begin(client, QUIESCE_PATH, MANAGER_INTERFACE, "OpenRestore", "sa{sv}", document, 0);
}

/* Documents that nobody has looked at yet: two of the largest, and none larger. */
static void test_documents_per_user(void **state) {
        const size_t size = 8 << 20;
        _cleanup_free_ char *document = malloc(size + 2);
        Call *first, *second;
        Client *alice;
        Polkit polkit;

        if (needs_root() < 0)
                return;
        polkit_start(&polkit, *state, "org.quiesce1.restore");
        polkit.hold = true;
        memset(document, ' ', size + 1);
        document[size + 1] = '\0';
        alice = client_new_as(*state, ALICE);
        assert_refused(call_wait(open_large(alice, document)), "InvalidDocument", "8388609 bytes");
        assert_string_equal(polkit.asked, "");
        document[size] = '\0';
        first = open_large(alice, document);
        second = open_large(alice, document);
        wait_count(&polkit, &polkit.n_held, 2);
        assert_refused(call_wait(open_large(alice, document)), "LimitsExceeded", "16 MiB");
        polkit_answer_held(&polkit);
        assert_refused(call_wait(first), "InvalidDocument", "");
        assert_refused(call_wait(second), "InvalidDocument", "");
        polkit_stop(&polkit);
        (void) client_free(alice);
}

/* A caller that leaves while polkit thinks leaves nothing: not its call, not the question. */
static void test_caller_leaves(void **state) {
        Client *alice, *second;
        Polkit polkit;

        if (needs_root() < 0)
                return;
        bench_write(*state, "quiesced.conf", "[Session]\nMaxCallsPerUser=1\n");
        bench_start(*state);
        polkit_start(&polkit, *state, "org.quiesce1.backup");
        polkit.hold = true;
        alice = client_new_as(*state, ALICE);
        second = client_new_as(*state, ALICE);
        (void) open_begin(alice);
        wait_count(&polkit, &polkit.n_held, 1);
        assert_refused(call_wait(open_begin(second)), "LimitsExceeded", "MaxCallsPerUser");
        (void) client_free(alice);
        wait_count(&polkit, &polkit.n_cancelled, 1);
        polkit_answer_held(&polkit); /* too late: nobody is there */
        assert_ok(call_wait(open_begin(second)));
        polkit_stop(&polkit);
        (void) client_free(second);
}

/* More connections than the bus lets one connection have match rules (32 on the bench's bus). */
static void test_many_connections(void **state) {
        Client *clients[40];

        bench_write(*state, "quiesced.conf", "[Session]\nMaxPerUser=64\n");
        bench_start(*state);
        for (size_t i = 0; i < ELEMENTSOF(clients); i++) {
                clients[i] = client_new(*state);
                client_open(clients[i]);
        }
        /* And each is still seen to go. */
        for (size_t i = 1; i < ELEMENTSOF(clients); i++) {
                _cleanup_free_ char *gone = NULL;

                assert_true(asprintf(&gone, "InterfacesRemoved " QUIESCE_PATH " %s", clients[i]->session) >
                            0);
                (void) client_free(clients[i]);
                client_wait_seen(clients[0], gone);
        }
        (void) client_free(clients[0]);
}

/* Nobody becomes a writer on the bus: the policy lets no such call through, root's neither. */
static void test_no_writer_on_the_bus(void **state) {
        Client *clients[2];

        if (needs_root() < 0)
                return;
        clients[0] = client_new_as(*state, ALICE);
        clients[1] = client_new(*state);
        for (size_t i = 0; i < ELEMENTSOF(clients); i++) {
                sd_bus_message *m = call_ask(clients[i], "/org/quiesce1/WriterHost",
                                             "org.quiesce1.WriterHost", "Register", "sa{sv}", "alpha", 0);

                assert_true(sd_bus_message_is_method_error(m, i == 0 ? SD_BUS_ERROR_ACCESS_DENIED
                                                                     : SD_BUS_ERROR_UNKNOWN_OBJECT));
                sd_bus_message_unref(m);
                (void) client_free(clients[i]);
        }
}

/* Whoever says what only the bus may, that a requester has left it, is not believed: a user's signal does
 * not pass the bus, root's does. */
static void test_forged_signal(void **state) {
        Client *client, *forgers[2];
        const char *name;

        if (needs_root() < 0)
                return;
        client = client_new(*state);
        client_open(client);
        assert_true(sd_bus_get_unique_name(client->bus, &name) >= 0);
        forgers[0] = client_new_as(*state, ALICE);
        forgers[1] = client_new(*state);
        for (size_t i = 0; i < ELEMENTSOF(forgers); i++) {
                _cleanup_free_ char *now = NULL;

                client_forge_owner(forgers[i], QUIESCE_NAME, name, "");
                client_round_trip(forgers[i]);
                now = client_get_string(client, client->session, SESSION_INTERFACE, "State");
                assert_string_equal(now, "initialised");
                (void) client_free(forgers[i]);
        }
        (void) client_free(client);
}

int main(void) {
#define ACCESS(_test)  cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
#define STARTED(_test) cmocka_unit_test_setup_teardown(_test, bench_setup_started, bench_teardown)
        const struct CMUnitTest tests[] = {
                ACCESS(test_denied),
                STARTED(test_granted),
                ACCESS(test_administrator),
                ACCESS(test_own_snapshots),
                ACCESS(test_register),
                ACCESS(test_listed_without_paths),
                ACCESS(test_calls_per_user),
                STARTED(test_documents_per_user),
                ACCESS(test_caller_leaves),
                ACCESS(test_many_connections),
                STARTED(test_no_writer_on_the_bus),
                STARTED(test_forged_signal),
        };

        return cmocka_run_group_tests_name("bus-access", tests, NULL, NULL);
}
