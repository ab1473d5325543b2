/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * T16: deadlines of writers. One that sleeps past its window is late, gets its Abort, and the others are not
 * kept waiting; one that answers in time is never told that it was late.
 *
 * The race: all writers have been sent Thaw. quiesced is stopped, they answer, their deadlines pass, and
 * quiesced goes on: it finds answers and passed deadlines at the same moment, for each writer. Every answer
 * was in time, by the writers' own clock, which is quiesced's; so every answer must count.
 */

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "bus-harness.h"

#define WRITERS    100u
#define RACES      1000u
#define ROUNDS_MAX 30u
#define LIMIT_USEC (800 * USEC_PER_MSEC)

static void test_T16_past_the_window(void **state) {
        _cleanup_free_ char *answer = NULL, *status = NULL;
        char line[256];
        sd_bus_message *m;
        Client *client;

        bench_write(*state, "quiesced.conf", "[Events]\nFreezeSec=300ms\n");
        bench_add_writer(*state, "alpha", "level=front-end window=20");
        bench_add_writer(*state, "beta", "level=back-end freeze=hang");
        bench_add_writer(*state, "gamma", "level=front-end thaw=hang");
        client = bench_start_prepared(*state, NULL);
        answer = backup_answer(client, "DoSnapshotSet");
        m = call_ask(client, client->session, SESSION_INTERFACE, "GatherWriterStatus", "a{sv}", 0);
        status = reply_to_text(m);
        sd_bus_message_unref(m);
        assert_non_null(strstr(status, "'Timeout'"));
        assert_non_null(strstr(answer, "beta"));
        (void) snprintf(line, sizeof(line), "beta abort %s %s not-completed released - ", client->id,
                        client->set);
        assert_int_equal(bench_count(*state, "writers.log", line), 1);
        assert_int_equal(bench_count(*state, "writers.log", "beta thaw "), 0);
        assert_int_equal(bench_count(*state, "writers.log", "alpha thaw "), 1);
        (void) client_free(client);
}

typedef struct Round {
        uint64_t frozen_usec;   /* when the last answered Freeze; Thaw was sent later than this */
        uint64_t answered_usec; /* when the last had answered Thaw */
        unsigned n_answered;
} Round;

static Round read_round(Bench *bench) {
        _cleanup_free_ char *log = bench_read(bench, "writers.log");
        unsigned long long before, after;
        char *line, *rest = log, event[32];
        Round round = {};

        while ((line = strsep(&rest, "\n"))) {
                if (sscanf(line, "%*s answers %31s %*s %llu %llu", event, &before, &after) != 3)
                        continue;
                if (streq(event, "freeze") && before > round.frozen_usec)
                        round.frozen_usec = before;
                if (streq(event, "thaw")) {
                        round.n_answered++;
                        if (after > round.answered_usec)
                                round.answered_usec = after;
                }
        }
        return round;
}

static void stop_and_go(Bench *bench, int signal) {
        int status;

        assert_int_equal(kill(bench->daemon_pid, signal), 0);
        if (signal == SIGSTOP) {
                assert_int_equal(waitpid(bench->daemon_pid, &status, WUNTRACED), bench->daemon_pid);
                assert_true(WIFSTOPPED(status));
        }
}

/* Until the deadlines of all have passed. */
static void wait_until(uint64_t usec) {
        struct timespec until = {.tv_sec = (time_t) (usec / USEC_PER_SEC),
                                 .tv_nsec = (long) (usec % USEC_PER_SEC * 1000)};

        while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == EINTR)
                ;
}

/* Return: how many writers were in time for certain, and were taken for it. */
static unsigned race(Bench *bench, Client *client) {
        _cleanup_free_ char *answer = NULL;
        sd_bus_message *m;
        Call *running;
        Round round;

        bench_write(bench, "writers.log", "");
        client_prepare(client, NULL);
        running = backup_begin(client, "DoSnapshotSet");
        bench_wait_either(bench, "writers.log", " thaw ", " abort ", WRITERS);
        stop_and_go(bench, SIGSTOP);
        bench_let_go(bench, "thaw");
        bench_wait_either(bench, "writers.log", "answers thaw", " abort ", WRITERS);
        bench_hold_back(bench, "thaw");
        round = read_round(bench);
        wait_until(round.answered_usec + LIMIT_USEC);
        stop_and_go(bench, SIGCONT);
        m = call_wait(running);
        answer = reply_to_text(m);
        sd_bus_message_unref(m);
        session_ok(client, "Release");
        if (round.n_answered < WRITERS || round.answered_usec > round.frozen_usec + LIMIT_USEC)
                return 0; /* this machine was too slow for them to be in time */
        if (!strstr(answer, "'failed-writers'=[]"))
                fail_msg("all answered in time, and were told to be late: %s", answer);
        return round.n_answered;
}

static void test_T16_race(void **state) {
        char name[16], fifo[128], arguments[300];
        unsigned races = 0, rounds = 0;
        Client *keeper, *client;

        bench_write(*state, "quiesced.conf", "[Events]\nFreezeSec=800ms\n");
        (void) snprintf(arguments, sizeof(arguments), "times=yes freeze=delay:0 thaw=wait:%s",
                        bench_make_fifo(*state, "thaw", fifo));
        for (unsigned i = 0; i < WRITERS; i++) {
                (void) snprintf(name, sizeof(name), "w%u", i);
                bench_add_writer(*state, name, arguments);
        }
        bench_start(*state);
        keeper = client_new_deaf(*state); /* as long as its session is there the writers stay */
        client_open(keeper);
        backup_ok(keeper, "GatherWriterMetadata");
        client = client_new_deaf(*state);
        for (; races < RACES && rounds < ROUNDS_MAX; rounds++)
                races += race(*state, client);
        print_message("%u races in %u rounds\n", races, rounds);
        assert_true(races >= RACES);
        (void) client_free(client);
        (void) client_free(keeper);
}

int main(void) {
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, bench_setup, bench_teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_T16_past_the_window),
                TEST(test_T16_race),
        };

        return cmocka_run_group_tests_name("bus-deadlines", tests, NULL, NULL);
}
