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

/* Calls of the client that can be made to fail (ld's --wrap): the fail_at-th from when it was set. */
static unsigned fail_at, n_calls;

static bool fails(void) {
        return fail_at > 0 && ++n_calls == fail_at;
}

#define WRAP(type, name, parameters, arguments, failed)            \
        type __real_##name parameters;                             \
        type __wrap_##name parameters;                             \
        type __wrap_##name parameters {                            \
                return fails() ? failed : __real_##name arguments; \
        }

#define FAIL_WITH(error, failed) (errno = (error), (failed))

WRAP(void *, calloc, (size_t n, size_t size), (n, size), FAIL_WITH(ENOMEM, NULL))
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), FAIL_WITH(ENOMEM, -1))
WRAP(int, fcntl, (int fd, int command, int argument), (fd, command, argument), FAIL_WITH(EMFILE, -1))
WRAP(ssize_t, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags),
     FAIL_WITH(EAGAIN, -1))
WRAP(int, sd_event_add_io,
     (sd_event * event, sd_event_source **ret, int fd, uint32_t events, sd_event_io_handler_t callback,
      void *userdata),
     (event, ret, fd, events, callback, userdata), -ENOMEM)
WRAP(int, sd_event_add_time,
     (sd_event * event, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
      sd_event_time_handler_t callback, void *userdata),
     (event, ret, clock, usec, accuracy, callback, userdata), -ENOMEM)
WRAP(int, sd_event_add_defer,
     (sd_event * event, sd_event_source **ret, sd_event_handler_t callback, void *userdata),
     (event, ret, callback, userdata), -ENOMEM)
WRAP(int, sd_event_source_set_enabled, (sd_event_source * source, int enabled), (source, enabled), -ESTALE)
WRAP(int, sd_event_source_set_time_relative, (sd_event_source * source, uint64_t usec), (source, usec),
     -EOVERFLOW)

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

static void test_path_too_long(void **state) {
        Fixture *f = *state;
        HoldClient *client = NULL;
        char path[600];

        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(hold_client_new(&client, f->event, path), -ENAMETOOLONG);
        assert_int_equal(hold_client_add_group(f->client, path), -ENAMETOOLONG);
}

/* Whatever fails while it is made: there is no client then, and nothing is left over. */
static void test_new_fails(void **state) {
        Fixture *f = *state;
        HoldClient *client = NULL;
        int r;

        /* All that connect and are gone again wait there. */
        assert_int_equal(listen(f->listener, 64), 0);
        for (fail_at = 1, r = -1; r < 0; fail_at++) {
                n_calls = 0;
                r = hold_client_new(&client, f->event, f->path);
                if (r < 0)
                        assert_null(client);
        }
        assert_true(fail_at > 8);
        fail_at = 0;
        (void) hold_client_free(client);
}

/* A step or abort whose limit cannot be set is not begun, and can be tried again. */
static void test_limit_fails(void **state) {
        Fixture *f = *state;

        for (unsigned i = 1; i <= 2; i++) {
                n_calls = 0;
                fail_at = i;
                assert_true(hold_client_lock(f->client, LIMIT_USEC, on_done, f) < 0);
                n_calls = 0;
                assert_true(hold_client_abort(f->client, LIMIT_USEC, on_done, f) < 0);
        }
        fail_at = 0;
        run_dry(f);
        assert_int_equal(f->n_done, 0);
        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(receive(f).type, HOLD_LOCK);
}

static unsigned count_fds(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD, 0) >= 0;
        return n;
}

/* A description that comes too late, or is too much, is refused; no descriptor is left over. */
static void test_description_refused(void **state) {
        Fixture *f = *state;
        unsigned before = count_fds(), n = 0;
        HoldMount mount = {};
        int small = 4096, r;

        n_calls = 0;
        fail_at = 1;
        assert_int_equal(hold_client_add_mount(f->client, &mount, f->listener), -EMFILE);
        fail_at = 0;
        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(hold_client_add_mount(f->client, &mount, f->listener), -EBUSY);
        answer(f, HOLD_LOCK, 0, "");
        run_until(f, 1);
        assert_int_equal(count_fds(), before);
        /* Nobody reads. */
        assert_int_equal(setsockopt(f->peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
        do
                r = hold_client_add_volume(f->client, &(HoldVolume){});
        while (r == 0 && n++ < 10000);
        assert_int_equal(r, -EBUSY);
        assert_int_equal(hold_client_add_mount(f->client, &mount, f->listener), -EBUSY);
        assert_int_equal(count_fds(), before);
        /* Nobody is there. */
        f->peer = fd_close(f->peer);
        run_dry(f);
        assert_int_equal(hold_client_add_mount(f->client, &mount, f->listener), -ECONNRESET);
        assert_int_equal(hold_client_abort(f->client, LIMIT_USEC, on_done, f), 0);
        run_until(f, 2);
        assert_int_equal(f->reports[1].error, -ECONNRESET);
}

/* The hold tells of the abort alone: the step it was in is over as well. */
static void test_abort_alone_answered(void **state) {
        Fixture *f = *state;

        assert_int_equal(hold_client_pre_commit(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(hold_client_abort(f->client, LIMIT_USEC, on_done, f), 0);
        answer(f, HOLD_ABORT, 0, "");
        run_until(f, 2);
        assert_int_equal(f->reports[0].step, HOLD_PRE_COMMIT);
        assert_int_equal(f->reports[0].error, -ECANCELED);
        assert_string_equal(f->reports[0].text, "the set was given up while preparing the hold");
        assert_int_equal(f->reports[1].error, 0);
}

/* Answers to what nobody has asked. */
static void test_answers_nobody_waits_for(void **state) {
        Fixture *f = *state;

        answer(f, HOLD_COMMIT, 0, "");
        answer(f, HOLD_ABORT, 0, "");
        run_dry(f);
        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        answer(f, HOLD_COMMIT, 0, "");
        run_dry(f);
        assert_int_equal(f->n_done, 0);
        answer(f, HOLD_LOCK, 0, "");
        answer(f, HOLD_LOCK, -EIO, "and once more");
        run_until(f, 1);
        run_dry(f);
        assert_int_equal(f->n_done, 1);
        assert_int_equal(f->reports[0].error, 0);
}

/* They come before END's answer; of a volume that cannot be they are ignored. */
static void test_times(void **state) {
        Fixture *f = *state;
        HoldMessage m = {
                .version = HOLD_PROTOCOL_VERSION,
                .type = HOLD_TIMES,
                .times = {.volume = HOLD_VOLUMES_MAX - 1, .suspend_begin_usec = 7, .resumed_usec = 9},
        };

        assert_int_equal(hold_client_end(f->client, LIMIT_USEC, on_done, f), 0);
        assert_int_equal(send(f->peer, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
        m.times.volume = HOLD_VOLUMES_MAX;
        assert_int_equal(send(f->peer, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
        answer(f, HOLD_END, 0, "");
        run_until(f, 1);
        assert_int_equal(f->reports[0].error, 0);
        assert_int_equal(hold_client_get_times(f->client, HOLD_VOLUMES_MAX - 1)->suspend_begin_usec, 7);
        assert_int_equal(hold_client_get_times(f->client, HOLD_VOLUMES_MAX - 1)->resumed_usec, 9);
        assert_int_equal(hold_client_get_times(f->client, 0)->suspend_begin_usec, 0);
}

/* Of another version or type, too short, too long. */
static void test_wrong_answers(void **state) {
        static const size_t sizes[] = {sizeof(HoldMessage) / 2, sizeof(HoldMessage), sizeof(HoldMessage) - 1,
                                       2 * sizeof(HoldMessage)};

        for (unsigned i = 0; i < ELEMENTSOF(sizes); i++) {
                HoldMessage m[2] = {{.version = HOLD_PROTOCOL_VERSION, .type = HOLD_REPORT}};
                void *other = NULL;
                Fixture *f;

                (void) set_up(&other);
                f = other;
                assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
                m[0].report.step = HOLD_LOCK;
                m[0].version += i == 0;
                m[0].type -= i == 1;
                assert_int_equal(send(f->peer, m, sizes[i], MSG_NOSIGNAL), sizes[i]);
                run_until(f, 1);
                assert_int_equal(f->reports[0].error, i == 0 ? -EPROTONOSUPPORT : -ECONNRESET);
                if (i == 0)
                        assert_non_null(strstr(f->reports[0].text,
                                               "restart quiesced (systemctl restart quiesced.service)"));
                else
                        assert_string_equal(f->reports[0].text,
                                            "quiesced-hold has ended while locking and staging the volumes");
                (void) tear_down(&other);
        }
}

/* Each step is called by what it does when the connection ends in it. */
static void test_words_of_steps(void **state) {
        static const char *const words[] = {"locking", "preparing", "committing", "ending", "letting"};

        for (unsigned i = 0; i < ELEMENTSOF(words); i++) {
                void *other = NULL;
                Fixture *f;

                (void) set_up(&other);
                f = other;
                if (i == 0)
                        (void) hold_client_lock(f->client, LIMIT_USEC, on_done, f);
                else if (i == 1)
                        (void) hold_client_pre_commit(f->client, LIMIT_USEC, on_done, f);
                else if (i == 2)
                        (void) hold_client_commit(f->client, &(HoldCommit){}, LIMIT_USEC, on_done, f);
                else if (i == 3)
                        (void) hold_client_end(f->client, LIMIT_USEC, on_done, f);
                else
                        (void) hold_client_abort(f->client, LIMIT_USEC, on_done, f);
                f->peer = fd_close(f->peer);
                run_until(f, 1);
                assert_int_equal(f->reports[0].error, -ECONNRESET);
                assert_non_null(strstr(f->reports[0].text, words[i]));
                (void) tear_down(&other);
        }
}

static void test_ends_while_described(void **state) {
        Fixture *f = *state;

        f->peer = fd_close(f->peer);
        run_dry(f);
        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        run_until(f, 1);
        assert_string_equal(f->reports[0].text, "quiesced-hold has ended while describing the set");
}

/* Woken for nothing. */
static void test_nothing_to_read(void **state) {
        Fixture *f = *state;

        assert_int_equal(hold_client_lock(f->client, LIMIT_USEC, on_done, f), 0);
        answer(f, HOLD_LOCK, 0, "");
        n_calls = 0;
        fail_at = 1;
        run_until(f, 1);
        fail_at = 0;
        assert_int_equal(f->reports[0].error, 0);
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
                CASE(test_path_too_long),
                CASE(test_new_fails),
                CASE(test_limit_fails),
                CASE(test_description_refused),
                CASE(test_abort_alone_answered),
                CASE(test_answers_nobody_waits_for),
                CASE(test_times),
                CASE(test_wrong_answers),
                CASE(test_words_of_steps),
                CASE(test_ends_while_described),
                CASE(test_nothing_to_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
