/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Plays quiesced towards the hold; see hold-scenario.h.
 */

#include "tests/unit/hold-scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/hold/hold-session.h"
#include "util/macro.h"

#define ANSWER_LIMIT_SEC 60

/* What the fsfreeze writer has frozen. */
const HoldCommit scenario_commit = {.frozen = {1u << MOUNT_THIN | 1u << MOUNT_PLAIN}};

static void text_set(char *field, const char *text) {
        (void) strcpy(field, text);
}

/**
 * scenario_init() - the description of a set of all kinds of volumes
 * @s:          filled
 * @model:      reset
 */
void scenario_init(Scenario *s, Model *model) {
        *s = (Scenario){.model = model, .fd = -EBADF};
        s->begin = (HoldBegin){
                .n_groups = 1,
                .n_volumes = N_VOLUMES,
                .n_mounts = N_MOUNTS,
                .expedite_rcu = 1,
                .hold_limit_usec = 10 * USEC_PER_SEC,
                .lock_limit_usec = USEC_PER_SEC,
                .pool_margin = 10,
        };
        s->volumes[0] = (HoldVolume){.kind = HOLD_VOLUME_COW, .depth = 0};
        text_set(s->volumes[0].origin_uuid, "LVM-data");
        text_set(s->volumes[0].snapshot_uuid, "LVM-snapshot");
        text_set(s->volumes[0].cow_uuid, "LVM-snapshot-cow");
        s->volumes[1] = (HoldVolume){.kind = HOLD_VOLUME_THIN, .depth = 1, .thin_snapshot_id = 3};
        text_set(s->volumes[1].origin_uuid, "LVM-thin");
        text_set(s->volumes[1].pool_uuid, "LVM-pool-tpool");
        s->volumes[2] = (HoldVolume){.kind = HOLD_VOLUME_THIN, .depth = 1, .thin_snapshot_id = 4};
        text_set(s->volumes[2].origin_uuid, "LVM-upper");
        text_set(s->volumes[2].pool_uuid, "LVM-pool-tpool");
        text_set(s->volumes[2].thin_origin_uuid, "LVM-upper-real");
        s->volumes[3] = (HoldVolume){.kind = HOLD_VOLUME_FILE_SYSTEMS};
        text_set(s->volumes[3].origin_uuid, "plain");
        s->mounts[MOUNT_ORIGIN] = (HoldMount){.volume = 0, .direct = 1, .may_freeze = 1};
        s->mounts[MOUNT_THIN] = (HoldMount){.volume = 1, .direct = 1, .may_freeze = 1, .depth = 1};
        s->mounts[MOUNT_ABOVE] = (HoldMount){.volume = 1};
        s->mounts[MOUNT_PLAIN] = (HoldMount){.volume = 3, .may_freeze = 1};
        for (uint32_t i = 0; i < N_VOLUMES; i++)
                s->volumes[i].index = i;
        for (uint32_t i = 0; i < N_MOUNTS; i++)
                s->mounts[i].index = i;
}

static _Noreturn void hold_run(Scenario *s, int fd) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC), r;

        if (!getenv("HOLD_TEST_VERBOSE"))
                (void) dup2(null, STDERR_FILENO);
        model_enter(s->model);
        r = hold_session_run(fd);
        model_leave();
        exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/**
 * scenario_start() - starts the hold
 * @s:          the scenario
 */
void scenario_start(Scenario *s) {
        struct timeval limit = {.tv_sec = ANSWER_LIMIT_SEC};
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
        s->pid = fork();
        assert_true(s->pid >= 0);
        if (s->pid == 0) {
                (void) close(pair[0]);
                hold_run(s, pair[1]);
        }
        (void) close(pair[1]);
        s->fd = pair[0];
}

/**
 * scenario_send() - one message; that the hold has ended is no failure
 * @s:          the scenario
 * @type:       its type
 * @message:    what it says
 * @fd:         goes with it, or negative
 */
void scenario_send(Scenario *s, uint32_t type, const HoldMessage *message, int fd) {
        HoldMessage copy = *message;
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {.header = {
                             .cmsg_len = CMSG_LEN(sizeof(int)),
                             .cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS,
                     }};
        struct iovec iov = {.iov_base = &copy, .iov_len = sizeof(copy)};
        struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

        copy.version = HOLD_PROTOCOL_VERSION;
        copy.type = type;
        if (fd >= 0) {
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
                header.msg_control = &control;
                header.msg_controllen = sizeof(control);
        }
        (void) !sendmsg(s->fd, &header, MSG_NOSIGNAL);
}

/**
 * scenario_describe() - BEGIN and all that belongs to it
 * @s:          the scenario
 */
void scenario_describe(Scenario *s) {
        HoldMessage message = {.begin = s->begin};

        scenario_send(s, HOLD_BEGIN, &message, -EBADF);
        message = (HoldMessage){};
        text_set(message.group.lock_path, s->model->lock_path);
        for (uint32_t i = 0; i < s->begin.n_groups; i++)
                scenario_send(s, HOLD_GROUP, &message, -EBADF);
        for (uint32_t i = 0; i < s->begin.n_volumes; i++) {
                message = (HoldMessage){.volume = s->volumes[i]};
                scenario_send(s, HOLD_VOLUME, &message, -EBADF);
        }
        for (uint32_t i = 0; i < s->begin.n_mounts; i++) {
                _cleanup_close_ int fd = open(s->model->mounts[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                message = (HoldMessage){.mount = s->mounts[i]};
                scenario_send(s, HOLD_MOUNT, &message, fd);
        }
}

/**
 * scenario_receive() - the hold's next report
 * @s:          the scenario; `report` gets it
 *
 * Return: its error; -ECONNRESET: the hold has ended.
 */
int scenario_receive(Scenario *s) {
        HoldMessage message;
        ssize_t n;

        while ((n = recv(s->fd, &message, sizeof(message), 0)) == sizeof(message) &&
               message.type == HOLD_TIMES) {
                assert_true(message.times.volume < N_VOLUMES);
                s->times[message.times.volume] = message.times;
                s->n_times++;
        }
        if (n < 0 && errno == EAGAIN)
                fail_msg("the hold does not answer");
        if (n <= 0) {
                s->report = (HoldReport){.error = -ECONNRESET};
                return -ECONNRESET;
        }
        assert_int_equal(n, sizeof(message));
        assert_int_equal(message.type, HOLD_REPORT);
        s->report = message.report;
        return s->report.error;
}

/**
 * scenario_step() - one request and its answer
 * @s:          the scenario
 * @type:       LOCK, PRE_COMMIT, COMMIT, END or ABORT
 *
 * Return: the answer's error.
 */
int scenario_step(Scenario *s, uint32_t type) {
        HoldMessage message = {};

        if (type == HOLD_COMMIT)
                message.commit = scenario_commit;
        scenario_send(s, type, &message, -EBADF);
        return scenario_receive(s);
}

/**
 * scenario_until() - a set from its description to a step, or to its failure
 * @s:          the scenario
 * @last:       the step
 *
 * Return: 0, or the error of the step that failed.
 */
int scenario_until(Scenario *s, uint32_t last) {
        int r = 0;

        scenario_start(s);
        scenario_describe(s);
        for (uint32_t step = HOLD_LOCK; r == 0 && step <= last; step++) {
                if (step == HOLD_COMMIT) {
                        model_lock(s->model);
                        s->model->mounts[MOUNT_THIN].frozen = s->model->mounts[MOUNT_PLAIN].frozen = true;
                        model_unlock(s->model);
                }
                r = scenario_step(s, step);
        }
        return r;
}

/**
 * scenario_stop() - ends the connection and waits for the hold and its guard
 * @s:          the scenario; this process is a child subreaper
 */
void scenario_stop(Scenario *s) {
        s->fd = fd_close(s->fd);
        while (waitpid(-1, NULL, 0) > 0)
                ;
}

/**
 * scenario_assert_let_go() - after its end: nothing is held, nothing could become a snapshot later
 * @s:          the scenario, stopped
 *
 * rcu_expedited is put back as well, unless just that call was made to fail.
 */
void scenario_assert_let_go(Scenario *s) {
        _cleanup_close_ int lock = open(s->model->lock_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        _cleanup_(fclosep) FILE *rcu = fopen(s->model->rcu_path, "re");

        assert_string_equal(model_held(s->model), "");
        assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
        if (!(s->model->failed_kinds & CALL_RCU))
                assert_int_equal(fgetc(rcu), '0');
}
