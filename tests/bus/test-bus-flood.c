/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A flood of calls delays no Thaw: whatever lies on the system bus waits for the writer whose answer lies in
 * its socket.
 *
 * quiesced is stopped, the writer answers, thousands of calls come, quiesced goes on. The flood's own
 * answers tell in which order: each is the phase of the session at the moment in which the call was handled.
 * None may be of the phase that the writer's answer has ended.
 */

#include "bus-harness.h"

#include <signal.h>
#include <sys/wait.h>

#define ALICE       2u /* the bus wants a user that there is: bin */
#define CONNECTIONS 16u
#define CALLS       90u /* of each; the bus lets no connection have more than 128 that wait */
#define WRITERS     8u
#define SESSIONS    8u

typedef struct Flood {
        Bench *bench;
        Client *connections[CONNECTIONS];
        Client *sessions[SESSIONS];
        Call *gathers[SESSIONS];
        unsigned n_answers, n_late; /* n_late: of those in the phase that is over */
        const char *over;
} Flood;

static void stop(Bench *bench) {
        int status;

        assert_int_equal(kill(bench->daemon_pid, SIGSTOP), 0);
        assert_int_equal(waitpid(bench->daemon_pid, &status, WUNTRACED), bench->daemon_pid);
        assert_true(WIFSTOPPED(status));
}

static int on_phase(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        Flood *flood = userdata;
        const char *phase;

        if (sd_bus_message_is_method_error(m, NULL))
                fail_msg("%s", sd_bus_message_get_error(m)->message);
        assert_true(sd_bus_message_read(m, "v", "s", &phase) > 0);
        flood->n_answers++;
        flood->n_late += streq(phase, flood->over);
        return 0;
}

static int on_ignored(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return 0;
}

/* All of it has been taken by the bus, for quiesced, when this returns. */
static void flood_begin(Flood *flood, const Client *victim) {
        for (size_t i = 0; i < CONNECTIONS; i++) {
                sd_bus *bus = flood->connections[i]->bus;

                for (size_t j = 0; j < CALLS; j++) {
                        assert_true(sd_bus_call_method_async(bus, NULL, QUIESCE_NAME, victim->session,
                                                             "org.freedesktop.DBus.Properties", "Get",
                                                             on_phase, flood, "ss", SESSION_INTERFACE,
                                                             "Phase") >= 0);
                        if (j % 8 == 0)
                                assert_true(sd_bus_call_method_async(bus, NULL, QUIESCE_NAME, QUIESCE_PATH,
                                                                     "org.freedesktop.DBus.ObjectManager",
                                                                     "GetManagedObjects", on_ignored, NULL,
                                                                     "") >= 0);
                        if (j % 8 == 4)
                                assert_true(sd_bus_call_method_async(bus, NULL, QUIESCE_NAME, QUIESCE_PATH,
                                                                     MANAGER_INTERFACE, "OpenBackup",
                                                                     on_ignored, NULL, "a{sv}", 0) >= 0);
                }
                assert_true(sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                               "org.freedesktop.DBus", "GetId", NULL, NULL, "") >= 0);
        }
}

static void flood_end(Flood *flood, const char *over) {
        unsigned n = flood->n_answers + CONNECTIONS * CALLS;

        flood->over = over;
        assert_int_equal(kill(flood->bench->daemon_pid, SIGCONT), 0);
        while (flood->n_answers < n)
                if (sd_event_run(flood->bench->event, 30 * USEC_PER_SEC) <= 0)
                        fail_msg("%u of %u calls were answered", flood->n_answers, n);
        if (flood->n_late > 0)
                fail_msg("%u calls were answered before the writer's answer in phase %s", flood->n_late,
                         over);
}

static void flood_new(Flood *flood, Bench *bench) {
        *flood = (Flood){.bench = bench, .over = ""};
        for (size_t i = 0; i < CONNECTIONS; i++)
                flood->connections[i] = getuid() == 0 ? client_new_as(bench, ALICE) : client_new(bench);
        for (size_t i = 0; i < SESSIONS; i++) {
                flood->sessions[i] = client_new_deaf(bench);
                client_open(flood->sessions[i]);
        }
}

static void flood_free(Flood *flood) {
        for (size_t i = 0; i < CONNECTIONS; i++)
                (void) client_free(flood->connections[i]);
        for (size_t i = 0; i < SESSIONS; i++)
                (void) client_free(flood->sessions[i]);
}

/* Writers whose answers all lie in their sockets: quiesced takes them one after the other. */
static void add_writers(Bench *bench) {
        char freeze[128], thaw[128], name[16], arguments[320];

        (void) bench_make_fifo(bench, "freeze", freeze);
        (void) bench_make_fifo(bench, "thaw", thaw);
        (void) snprintf(arguments, sizeof(arguments), "times=yes freeze=wait:%s thaw=wait:%s", freeze, thaw);
        for (unsigned i = 0; i < WRITERS; i++) {
                (void) snprintf(name, sizeof(name), "w%u", i);
                bench_add_writer(bench, name, arguments);
        }
}

/* While quiesced is stopped all writers answer, and the flood comes. */
static void flood_event(Flood *flood, const Client *victim, const char *event) {
        char text[32];

        (void) snprintf(text, sizeof(text), " %s ", event);
        bench_wait_either(flood->bench, "writers.log", text, NULL, WRITERS);
        stop(flood->bench);
        (void) snprintf(text, sizeof(text), "answers %s", event);
        bench_let_go(flood->bench, event);
        bench_wait_either(flood->bench, "writers.log", text, NULL, WRITERS);
        assert_int_equal(bench_count(flood->bench, "writers.log", " identify "), WRITERS);
        flood_begin(flood, victim);
        flood_end(flood, event);
}

static void test_flood(void **state) {
        _cleanup_free_ char *snapshot = NULL;
        Bench *bench = *state;
        Client *client;
        Flood flood;
        Call *call;

        bench_add_volume(bench, "one");
        add_writers(bench);
        bench_start(bench);
        flood_new(&flood, bench);
        client = client_new(bench);
        client_prepare(client, "test:one");
        call = backup_begin(client, "DoSnapshotSet");
        bench_wait_file(bench, "writers.log", " freeze ");
        /* Other sessions want to know what there is: they have to wait until all has thawed. */
        for (size_t i = 0; i < SESSIONS; i++)
                flood.gathers[i] = backup_begin(flood.sessions[i], "GatherWriterMetadata");
        client_round_trip(flood.sessions[0]);
        flood_event(&flood, client, "freeze");
        flood_event(&flood, client, "thaw");
        assert_ok(call_wait(call));
        for (size_t i = 0; i < SESSIONS; i++)
                assert_ok(call_wait(flood.gathers[i]));
        assert_int_equal(waitpid(bench->daemon_pid, NULL, WNOHANG), 0);
        flood_free(&flood);
        (void) client_free(client);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_flood, bench_setup, bench_teardown),
        };

        return cmocka_run_group_tests_name("bus-flood", tests, NULL, NULL);
}
