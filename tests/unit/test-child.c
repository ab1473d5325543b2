/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Children: what they say, how they end, their deadline, their environment, descriptors passed back.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "daemon/child/child.h"

typedef struct Seen {
        sd_event *event;
        int calls, error, status;
        char out[8192], err[1024];
        size_t n_out;
        int fd;
} Seen;

static void on_done(Child *child, const ChildResult *result, void *userdata) {
        Seen *seen = userdata;

        seen->calls++;
        seen->error = result->error;
        seen->status = result->status;
        seen->n_out = result->n_out;
        (void) snprintf(seen->out, sizeof(seen->out), "%s", result->out);
        (void) snprintf(seen->err, sizeof(seen->err), "%s", result->err);
        seen->fd = result->fds[3];
        result->fds[3] = -EBADF;
        (void) child_free(child);
        (void) sd_event_exit(seen->event, 0);
}

static Seen run_with(const char *const *argv, uint64_t limit_usec, size_t out_max) {
        ChildSpec spec = {.argv = argv, .limit_usec = limit_usec, .out_max = out_max};
        Seen seen = {.fd = -EBADF};
        Child *child;

        assert_int_equal(sd_event_new(&seen.event), 0);
        assert_int_equal(child_spawn(&child, seen.event, &spec, on_done, &seen), 0);
        assert_int_equal(seen.calls, 0);
        assert_int_equal(sd_event_loop(seen.event), 0);
        seen.event = sd_event_unref(seen.event);
        assert_int_equal(seen.calls, 1);
        return seen;
}

#define RUN(...) run_with((const char *const[]){__VA_ARGS__, NULL}, 20 * USEC_PER_SEC, 4096)

static void test_output(void **state) {
        Seen seen = RUN("sh", "-c", "echo out; echo err >&2; exit 3");

        assert_int_equal(seen.error, 0);
        assert_int_equal(seen.status, 3);
        assert_string_equal(seen.out, "out\n");
        assert_string_equal(seen.err, "err\n");
}

/* A line for each of many things that were changed is no failure. */
static void test_output_that_nobody_reads(void **state) {
        static const char *const argv[] = {"seq", "100000", NULL};
        Seen seen = run_with(argv, 20 * USEC_PER_SEC, 0);

        assert_int_equal(seen.error, 0);
        assert_int_equal(seen.status, 0);
        seen = run_with(argv, 20 * USEC_PER_SEC, 4096);
        assert_int_equal(seen.error, -ENOSPC);
}

static void test_missing(void **state) {
        Seen seen = RUN("/nowhere/at/all");

        assert_int_equal(seen.status, 127);
        assert_non_null(strstr(seen.err, "/nowhere/at/all"));
}

static void test_environment(void **state) {
        Seen seen;

        assert_int_equal(setenv("SECRET", "1", 1), 0);
        seen = RUN("env");
        assert_null(strstr(seen.out, "SECRET"));
        assert_non_null(strstr(seen.out, "LC_ALL=C\n"));
}

static int become_env(int socket_fd, void *argument) {
        child_become((const char *const[]){"env", NULL});
}

static void test_environment_of_a_functions_command(void **state) {
        Seen seen = {.fd = -EBADF};
        Child *child;

        assert_int_equal(setenv("SECRET", "1", 1), 0);
        assert_int_equal(sd_event_new(&seen.event), 0);
        assert_int_equal(child_fork(&child, seen.event, become_env, NULL, 20 * USEC_PER_SEC, on_done, &seen),
                         0);
        assert_int_equal(sd_event_loop(seen.event), 0);
        sd_event_unref(seen.event);
        assert_int_equal(seen.status, 0);
        assert_null(strstr(seen.out, "SECRET"));
        assert_non_null(strstr(seen.out, "LC_ALL=C\n"));
}

static void test_signals(void **state) {
        sigset_t all;
        Seen seen;

        /* What the parent blocks and ignores the child must not inherit. */
        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        seen = RUN("sh", "-c", "kill -TERM $$");
        (void) sigemptyset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, NULL);
        assert_int_equal(seen.status, 128 + SIGTERM);
}

/* The deadline ends the whole group, and the answer does not count. */
static void test_deadline(void **state) {
        const char *const argv[] = {"sh", "-c", "sleep 1000 & echo $!; wait", NULL};
        Seen seen = run_with(argv, 300 * USEC_PER_MSEC, 4096);

        assert_int_equal(seen.error, -ETIMEDOUT);
        assert_int_equal(seen.status, 128 + SIGKILL);
}

static void test_too_much(void **state) {
        const char *const argv[] = {"head", "-c", "100000", "/dev/zero", NULL};
        Seen seen = run_with(argv, 20 * USEC_PER_SEC, 5000);

        assert_int_equal(seen.error, -ENOSPC);
        assert_int_equal(seen.n_out, 5000);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void test_freed(void **state) {
        const char *const argv[] = {"sleep", "1000", NULL};
        ChildSpec spec = {.argv = argv, .limit_usec = 20 * USEC_PER_SEC};
        Seen seen = {};
        Child *child;

        assert_int_equal(sd_event_new(&seen.event), 0);
        assert_int_equal(child_spawn(&child, seen.event, &spec, on_done, &seen), 0);
        assert_null(child_free(child));
        assert_int_equal(
                sd_event_add_time_relative(seen.event, NULL, CLOCK_MONOTONIC, 200000, 0, on_timer, NULL), 0);
        assert_int_equal(sd_event_loop(seen.event), 0);
        sd_event_unref(seen.event);
        assert_int_equal(seen.calls, 0);
}

static int send_null(int socket_fd, void *argument) {
        _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        printf("in the child\n");
        return child_send_fd(socket_fd, 3, fd) < 0 ? 1 : *(int *) argument;
}

static void test_function(void **state) {
        Seen seen = {.fd = -EBADF};
        int status = 7;
        struct stat st, null;
        Child *child;

        assert_int_equal(sd_event_new(&seen.event), 0);
        assert_int_equal(
                child_fork(&child, seen.event, send_null, &status, 20 * USEC_PER_SEC, on_done, &seen), 0);
        assert_int_equal(sd_event_loop(seen.event), 0);
        sd_event_unref(seen.event);
        assert_int_equal(seen.status, 7);
        assert_string_equal(seen.out, "in the child\n");
        assert_int_equal(fstat(seen.fd, &st), 0);
        assert_int_equal(stat("/dev/null", &null), 0);
        assert_int_equal(st.st_rdev, null.st_rdev);
        (void) close(seen.fd);
}

/* Somebody connected to quiesced, a pipe whose end is a sign as well, and children that hang. */
typedef struct Peers {
        int ours[2], theirs[2];
} Peers;

static Peers peers_make(void) {
        int pair[2], fifo[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(pipe2(fifo, O_CLOEXEC), 0);
        return (Peers){{pair[0], fifo[1]}, {pair[1], fifo[0]}};
}

/* We are as good as dead: our ends are closed, and those of our child must be. */
static void assert_ends(Peers *peers) {
        for (size_t i = 0; i < 2; i++)
                (void) close(peers->ours[i]);
        for (size_t i = 0; i < 2; i++) {
                struct pollfd p = {.fd = peers->theirs[i], .events = POLLIN};

                assert_int_equal(poll(&p, 1, 10000), 1);
                assert_true(p.revents & POLLHUP);
                (void) close(peers->theirs[i]);
        }
}

static int hang(int socket_fd, void *argument) {
        while (pause() < 0)
                ;
        return 0;
}

static int hang_before(void *argument) {
        return hang(-1, NULL);
}

static void test_hanging_child_keeps_no_connection(void **state) {
        const char *const argv[] = {"true", NULL};
        ChildSpec spec = {.argv = argv, .limit_usec = 60 * USEC_PER_SEC, .before = hang_before};
        Seen seen = {};
        Child *child;
        Peers peers;

        assert_int_equal(sd_event_new(&seen.event), 0);
        peers = peers_make();
        assert_int_equal(child_fork(&child, seen.event, hang, NULL, 60 * USEC_PER_SEC, on_done, &seen), 0);
        assert_ends(&peers);
        assert_null(child_free(child));
        peers = peers_make();
        assert_int_equal(child_spawn(&child, seen.event, &spec, on_done, &seen), 0);
        assert_ends(&peers);
        assert_null(child_free(child));
        assert_int_equal(seen.calls, 0);
        sd_event_unref(seen.event);
}

/* journald's socket has no other end that would miss it. */
static int send_text(int socket_fd, void *argument) {
        return send(*(int *) argument, "text", 4, 0) == 4 ? 0 : 1;
}

static void test_child_may_log(void **state) {
        Seen seen = {};
        char text[8];
        Child *child;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(sd_event_new(&seen.event), 0);
        assert_int_equal(
                child_fork(&child, seen.event, send_text, &pair[0], 20 * USEC_PER_SEC, on_done, &seen), 0);
        assert_int_equal(sd_event_loop(seen.event), 0);
        sd_event_unref(seen.event);
        assert_int_equal(seen.status, 0);
        assert_int_equal(recv(pair[1], text, sizeof(text), MSG_DONTWAIT), 4);
        (void) close(pair[0]);
        (void) close(pair[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_output),
                cmocka_unit_test(test_output_that_nobody_reads),
                cmocka_unit_test(test_missing),
                cmocka_unit_test(test_environment),
                cmocka_unit_test(test_environment_of_a_functions_command),
                cmocka_unit_test(test_signals),
                cmocka_unit_test(test_deadline),
                cmocka_unit_test(test_too_much),
                cmocka_unit_test(test_freed),
                cmocka_unit_test(test_function),
                cmocka_unit_test(test_hanging_child_keeps_no_connection),
                cmocka_unit_test(test_child_may_log),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
