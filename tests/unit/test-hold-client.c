/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hold-client against a hold that is this test itself: every step gets exactly one callback, from the event
 * loop, whatever the other end does.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/hold/hold-client.h"

#define LIMIT_USEC (20 * USEC_PER_SEC)

typedef struct Fixture {
        sd_event *event;
        HoldClient *client;
        int listener, peer;
        char directory[32], path[64];
        unsigned n_done;
        HoldReport reports[4];
        bool free_in_callback;
} Fixture;

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        assert_non_null(f);
        (void) snprintf(f->directory, sizeof(f->directory), "/tmp/hold-client-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        (void) snprintf(f->path, sizeof(f->path), "%s/hold", f->directory);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
        f->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(f->listener, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(f->listener, 1), 0);
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(hold_client_new(&f->client, f->event, f->path), 0);
        f->peer = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(f->peer >= 0);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        (void) hold_client_free(f->client);
        (void) sd_event_unref(f->event);
        (void) fd_close(f->peer);
        (void) fd_close(f->listener);
        (void) unlink(f->path);
        (void) rmdir(f->directory);
        free(f);
        return 0;
}

static void on_done(HoldClient *client, const HoldReport *report, void *userdata) {
        Fixture *f = userdata;

        assert_ptr_equal(client, f->client);
        assert_true(f->n_done < ELEMENTSOF(f->reports));
        f->reports[f->n_done++] = *report;
        if (f->free_in_callback)
                f->client = hold_client_free(f->client);
}

static void run_until(Fixture *f, unsigned n_done) {
        while (f->n_done < n_done)
                assert_true(sd_event_run(f->event, LIMIT_USEC) > 0);
}

/* Until nothing is to be done any more. */
static void run_dry(Fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

static HoldMessage receive(Fixture *f) {
        HoldMessage m;

        assert_int_equal(recv(f->peer, &m, sizeof(m), 0), sizeof(m));
        assert_int_equal(m.version, HOLD_PROTOCOL_VERSION);
        return m;
}

static void answer(Fixture *f, uint32_t step, int error, const char *text) {
        HoldMessage m = {.version = HOLD_PROTOCOL_VERSION, .type = HOLD_REPORT};

        m.report.step = step;
        m.report.error = error;
        (void) snprintf(m.report.text, sizeof(m.report.text), "%s", text);
        assert_int_equal(send(f->peer, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
}

static void test_steps(void **state) {
        Fixture *f = *state;
        HoldCommit commit = {.frozen = {5}};

        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(f->n_done, 0);
        assert_int_equal(hold_client_pre_commit(f->client, LIMIT_USEC, on_done, f), -EBUSY);
        assert_int_equal(receive(f).type, HOLD_LOCK);
        answer(f, HOLD_LOCK, 0, "");
        run_until(f, 1);
        assert_int_equal(hold_client_commit(f->client, &commit, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(receive(f).commit.frozen[0], 5);
        answer(f, HOLD_COMMIT, 0, "");
        run_until(f, 2);
        assert_int_equal(f->reports[1].step, HOLD_COMMIT);
        assert_int_equal(f->reports[1].error, 0);
        run_dry(f);
        assert_int_equal(f->n_done, 2);
}

/* The whole description at once, while the other end does not read yet. */
static void test_description(void **state) {
        Fixture *f = *state;
        HoldBegin begin = {.n_volumes = HOLD_VOLUMES_MAX};
        _cleanup_close_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        HoldVolume volume = {};
        HoldMount mount = {};
        int small = 4096;

        assert_int_equal(setsockopt(f->peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
        assert_int_equal(hold_client_begin(f->client, &begin), 0);
        for (unsigned i = 0; i < HOLD_GROUPS_MAX; i++)
                assert_int_equal(hold_client_add_group(f->client, "/run/lock/lvm/V_vg"), 0);
        for (volume.index = 0; volume.index < HOLD_VOLUMES_MAX; volume.index++)
                assert_int_equal(hold_client_add_volume(f->client, &volume), 0);
        for (mount.index = 0; mount.index < HOLD_MOUNTS_MAX; mount.index++)
                assert_int_equal(hold_client_add_mount(f->client, &mount, fd), 0);
        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        for (unsigned i = 0; i < 1 + HOLD_GROUPS_MAX + HOLD_VOLUMES_MAX + HOLD_MOUNTS_MAX; i++) {
                HoldMessage m;

                while (recv(f->peer, &m, sizeof(m), MSG_DONTWAIT) < 0)
                        assert_true(sd_event_run(f->event, LIMIT_USEC) > 0);
                if (i > 0 && i <= HOLD_GROUPS_MAX)
                        assert_int_equal(m.type, HOLD_GROUP);
                else if (i > HOLD_GROUPS_MAX + HOLD_VOLUMES_MAX)
                        assert_int_equal(m.mount.index, i - 1 - HOLD_GROUPS_MAX - HOLD_VOLUMES_MAX);
        }
        assert_int_equal(receive(f).type, HOLD_LOCK);
}

static void test_abort_during_step(void **state) {
        Fixture *f = *state;

        assert_int_equal(hold_client_commit(f->client, &(HoldCommit){}, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(hold_client_abort(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(hold_client_abort(f->client, LIMIT_USEC, on_done, f), -EBUSY);
        /* The hold had just finished: still, the step was cancelled. */
        answer(f, HOLD_COMMIT, 0, "");
        answer(f, HOLD_ABORT, 0, "");
        run_until(f, 2);
        assert_int_equal(f->reports[0].step, HOLD_COMMIT);
        assert_int_equal(f->reports[0].error, -ECANCELED);
        assert_int_equal(f->reports[1].step, HOLD_ABORT);
        assert_int_equal(f->reports[1].error, 0);
}

static void test_end_of_connection(void **state) {
        Fixture *f = *state;

        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(hold_client_abort(f->client, LIMIT_USEC, on_done, f), 0);
        f->peer = fd_close(f->peer);
        run_until(f, 2);
        assert_int_equal(f->reports[0].step, HOLD_LOCK);
        assert_int_equal(f->reports[0].error, -ECONNRESET);
        assert_int_equal(f->reports[1].step, HOLD_ABORT);
        assert_int_equal(f->reports[1].error, -ECONNRESET);
        /* And from now on at once, but never from within the call. */
        assert_int_equal(hold_client_end(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(f->n_done, 2);
        run_until(f, 3);
        assert_int_equal(f->reports[2].error, -ECONNRESET);
}

static void test_limit(void **state) {
        Fixture *f = *state;

        assert_int_equal(hold_client_lock(f->client, 1, on_done, f), 0);
        run_until(f, 1);
        assert_int_equal(f->reports[0].error, -ETIMEDOUT);
        /* The connection is closed, so that the hold lets go. */
        assert_int_equal(receive(f).type, HOLD_LOCK);
        assert_int_equal(recv(f->peer, &(HoldMessage){}, sizeof(HoldMessage), 0), 0);
}

/* The deadline passed while nobody asked: the next step is told, and an abort then succeeds. */
static void test_gives_up_by_itself(void **state) {
        Fixture *f = *state;

        answer(f, 0, -ETIME, "the hold limit has passed");
        run_dry(f);
        assert_int_equal(f->n_done, 0);
        assert_int_equal(hold_client_end(f->client, LIMIT_USEC, on_done, f), 0);
        run_until(f, 1);
        assert_int_equal(f->reports[0].step, HOLD_END);
        assert_int_equal(f->reports[0].error, -ETIME);
        assert_string_equal(f->reports[0].text, "the hold limit has passed");
        f->peer = fd_close(f->peer);
        assert_int_equal(hold_client_abort(f->client, LIMIT_USEC, on_done, f), 0);
        run_until(f, 2);
        assert_int_equal(f->reports[1].error, 0);
}

static void test_malformed_answer(void **state) {
        Fixture *f = *state;

        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(send(f->peer, "?", 1, MSG_NOSIGNAL), 1);
        run_until(f, 1);
        assert_int_equal(f->reports[0].error, -ECONNRESET);
}

static void test_free_in_callback(void **state) {
        Fixture *f = *state;

        f->free_in_callback = true;
        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(hold_client_abort(f->client, LIMIT_USEC, on_done, f), 0);
        f->peer = fd_close(f->peer);
        run_until(f, 1);
        run_dry(f);
        assert_int_equal(f->n_done, 1);
}

static void test_no_hold(void **state) {
        Fixture *f = *state;
        HoldClient *client = NULL;

        assert_int_equal(hold_client_new(&client, f->event, "/nonexistent/hold"), -ENOENT);
        assert_null(client);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(test_steps),
                CASE(test_description),
                CASE(test_abort_during_step),
                CASE(test_end_of_connection),
                CASE(test_limit),
                CASE(test_gives_up_by_itself),
                CASE(test_malformed_answer),
                CASE(test_free_in_callback),
                CASE(test_no_hold),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
