/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The hold's main thread: takes quiesced's requests, has the runner carry them out, and watches what may end
 * the set early: the connection, the guard, the deadline, a failed step. It never makes a call that could
 * block on a held device.
 */

#include "daemon/hold/hold-session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "daemon/hold/hold-resources.h"
#include "daemon/hold/hold-session-internal.h"
#include "util/error.h"
#include "util/failpoint.h"

/* A set is staged just before it is frozen; one that nobody comes back to must not keep LVM waiting. */
#define STAGED_LIMIT_USEC (600 * USEC_PER_SEC)
#define REPEAT_MSEC       50

enum { POLL_CONNECTION, POLL_WAKE, POLL_TIMER, POLL_GUARD, POLL_SIGNAL, _POLL_MAX };

static void give_up(Session *s, int error, const char *text) {
        Failure failure;

        (void) failure_say(&failure, error, HOLD_NONE, HOLD_NONE, "%s", text);
        session_give_up(s, &failure);
}

/* By the name of a volume whose thread is still in a call, if there is one. */
static void limit_passed(Session *s) {
        uint32_t volume = HOLD_NONE;
        Failure failure;

        if (crew_is_idle(s->crew, &volume))
                (void) failure_say(&failure, -ETIME, HOLD_NONE, HOLD_NONE, "the hold limit has passed");
        else
                (void) failure_say(&failure, -ETIME, volume, HOLD_NONE,
                                   "the hold limit has passed while %s was waited for",
                                   hold_set_volume_name(s->set, volume));
        session_give_up(s, &failure);
}

static int lock_failpoint(const char *place, Failure *failure) {
        int r = failpoint(place);

        return r < 0 ? failure_set(failure, r, HOLD_NONE, HOLD_NONE, "failpoint %s", place) : 0;
}

/* LOCK's beginning, while this process has one thread: what is to be shared with the guard, then the guard.
 */
static int prepare(Session *s, Failure *failure) {
        RunnerSetup setup;
        int r;

        r = resources_open(s->set, failure);
        if (r < 0)
                return r;
        r = resources_lock_groups(s->set, s->connection_fd, failure);
        if (r == 0)
                r = lock_failpoint("hold.groups-locked", failure);
        if (r < 0)
                return r;
        r = guard_start(&s->guard, s->set, s->connection_fd);
        if (r < 0)
                return failure_set(failure, r, HOLD_NONE, HOLD_NONE, "cannot start the hold's guard");
        r = resources_lock_memory();
        if (r >= 0)
                r = crew_new(&s->crew, s->set, s->wake_fd);
        setup = (RunnerSetup){
                .set = s->set,
                .crew = s->crew,
                .wake_fd = s->wake_fd,
                .timer_fd = s->timer_fd,
                .guard_fd = s->guard.fd,
        };
        if (r >= 0)
                r = runner_new(&s->runner, &setup);
        if (r < 0) {
                s->crew = NULL;
                return failure_set(failure, r, HOLD_NONE, HOLD_NONE,
                                   "cannot lock the hold in memory and start its threads");
        }
        return lock_failpoint("hold.guarded", failure);
}

static int on_lock(Session *s) {
        Failure failure = {};

        if (s->phase != PHASE_DESCRIBING || !hold_set_is_complete(s->set))
                return -EPROTO;
        s->phase = PHASE_LOCKED;
        s->until_usec = boottime_usec() + STAGED_LIMIT_USEC;
        atomic_store(&s->set->step, HOLD_LOCK);
        if (prepare(s, &failure) < 0)
                session_give_up(s, &failure);
        else
                runner_start(s->runner, HOLD_LOCK);
        return 0;
}

static int on_step(Session *s, HoldMessageType step, Phase phase) {
        if (s->phase != phase || runner_is_busy(s->runner) || atomic_load(&s->set->step) != 0)
                return -EPROTO;
        atomic_store(&s->set->step, step);
        runner_start(s->runner, step);
        return 0;
}

static int on_commit(Session *s, const HoldCommit *commit) {
        if (s->phase != PHASE_ARMED || atomic_load(&s->set->step) != 0)
                return -EPROTO;
        s->set->commit = *commit;
        for (uint32_t i = 0; i < HOLD_MOUNTS_MAX; i++)
                if (hold_set_is_frozen(s->set, i) &&
                    (i >= s->set->n_mounts || !s->set->mounts[i].given.may_freeze))
                        return -EINVAL;
        atomic_store(&s->set->committing, true);
        return on_step(s, HOLD_COMMIT, PHASE_ARMED);
}

static int on_abort(Session *s) {
        Failure stuck;

        if (s->phase == PHASE_LETTING_GO && s->answered) {
                (void) failure_say(&stuck, -EINPROGRESS, HOLD_NONE, HOLD_NONE, "%s", s->reason.text);
                session_report(s, HOLD_ABORT, &stuck);
        } else if (s->phase == PHASE_DESCRIBING || s->phase == PHASE_OVER) {
                s->phase = PHASE_OVER;
                session_report(s, HOLD_ABORT, NULL);
        } else {
                s->abort_wanted = true;
                give_up(s, -ECANCELED, "the set was given up by quiesced");
        }
        return 0;
}

static int on_description(Session *s, const HoldMessage *message, int *fd) {
        int r;

        if (s->phase != PHASE_DESCRIBING)
                return -EPROTO;
        switch (message->type) {
        case HOLD_BEGIN:
                return error_trace(hold_set_begin(s->set, &message->begin));
        case HOLD_GROUP:
                return error_trace(hold_set_add_group(s->set, &message->group));
        case HOLD_VOLUME:
                return error_trace(hold_set_add_volume(s->set, &message->volume));
        case HOLD_MOUNT:
                r = hold_set_add_mount(s->set, &message->mount, *fd);
                if (r >= 0)
                        *fd = -EBADF;
                return error_trace(r);
        default:
                return -EPROTO;
        }
}

static int on_message(Session *s, const HoldMessage *message, int *fd) {
        switch (message->type) {
        case HOLD_LOCK:
                return on_lock(s);
        case HOLD_PRE_COMMIT:
                return on_step(s, HOLD_PRE_COMMIT, PHASE_LOCKED);
        case HOLD_COMMIT:
                return on_commit(s, &message->commit);
        case HOLD_END:
                return on_step(s, HOLD_END, PHASE_COMMITTED);
        case HOLD_ABORT:
                return on_abort(s);
        default:
                return on_description(s, message, fd);
        }
}

/* One message, and its descriptor if it has one. Return: its size, 0 at the end, or a negative errno. */
static ssize_t receive(int connection_fd, HoldMessage *message, int *ret_fd) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
        struct msghdr header = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        struct cmsghdr *cmsg;
        ssize_t n = recvmsg(connection_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);

        if (n < 0)
                return -errno;
        cmsg = CMSG_FIRSTHDR(&header);
        if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
            cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(ret_fd, CMSG_DATA(cmsg), sizeof(int));
        return n;
}

static void on_malformed(Session *s, uint32_t type, int error) {
        Failure failure;

        (void) failure_say(&failure, error, HOLD_NONE, HOLD_NONE,
                           "message %u from quiesced is malformed or out of order", type);
        if (s->phase == PHASE_DESCRIBING)
                atomic_store(&s->set->step, type);
        session_give_up(s, &failure);
}

static void on_connection(Session *s) {
        _cleanup_close_ int fd = -EBADF;
        HoldMessage message = {};
        ssize_t n = receive(s->connection_fd, &message, &fd);
        int r;

        if (n == -EAGAIN)
                return;
        if (n <= 0) {
                s->peer_is_gone = true;
                if (s->phase == PHASE_DESCRIBING)
                        s->phase = PHASE_OVER;
                give_up(s, -ECONNRESET, "quiesced is gone");
                return;
        }
        if (n != sizeof(message) || message.version != HOLD_PROTOCOL_VERSION)
                r = -EPROTONOSUPPORT;
        else
                r = on_message(s, &message, &fd);
        if (r < 0)
                on_malformed(s, message.type, r);
}

static void on_step_done(Session *s) {
        Failure failure;
        uint32_t step;
        int r;

        if (!s->runner || !runner_take_result(s->runner, &r, &failure) || s->phase == PHASE_LETTING_GO)
                return;
        if (r < 0) {
                /* Only the guard can have given up behind our back, and only for one reason. */
                if (failure.text[0] == '\0')
                        limit_passed(s);
                session_give_up(s, &failure);
                return;
        }
        step = atomic_exchange(&s->set->step, 0);
        if (step == HOLD_PRE_COMMIT)
                s->phase = PHASE_ARMED;
        else if (step == HOLD_COMMIT)
                s->phase = PHASE_COMMITTED;
        else if (step == HOLD_END) {
                session_finish(s);
                session_tell_times(s);
        }
        session_report(s, step, NULL);
}

/* Told to stop: what is staged is given up, what is held ends by itself, in seconds. */
static void on_signal(Session *s) {
        struct signalfd_siginfo info;

        if (read(s->signal_fd, &info, sizeof(info)) < 0)
                return;
        if (s->phase == PHASE_DESCRIBING)
                s->phase = PHASE_OVER;
        if (s->phase == PHASE_OVER)
                s->until_usec = 0;
        else if (!atomic_load(&s->set->armed))
                give_up(s, -EINTR, "quiesced-hold was told to stop");
}

static int timeout_msec(const Session *s) {
        uint64_t now;

        if (s->phase == PHASE_LETTING_GO)
                return REPEAT_MSEC;
        if (s->phase != PHASE_OVER && s->phase != PHASE_LOCKED)
                return -1;
        now = boottime_usec();
        return now >= s->until_usec ? 0 : (int) ((s->until_usec - now) / USEC_PER_MSEC + 1);
}

static int session_wait(Session *s) {
        struct pollfd p[_POLL_MAX] = {
                [POLL_CONNECTION] = {.fd = s->peer_is_gone ? -1 : s->connection_fd, .events = POLLIN},
                [POLL_WAKE] = {.fd = s->wake_fd, .events = POLLIN},
                [POLL_TIMER] = {.fd = s->timer_fd, .events = POLLIN},
                [POLL_GUARD] = {.fd = s->guard.pidfd, .events = POLLIN},
                [POLL_SIGNAL] = {.fd = s->signal_fd, .events = POLLIN},
        };
        bool ending = s->phase == PHASE_LETTING_GO || s->phase == PHASE_OVER;
        uint64_t count;

        /* They stay readable: once giving up, they have said all they can. */
        if (ending)
                p[POLL_TIMER].fd = p[POLL_GUARD].fd = -1;
        if (poll(p, _POLL_MAX, timeout_msec(s)) < 0)
                return errno == EINTR ? 0 : error_origin(-errno);
        if (p[POLL_WAKE].revents)
                (void) !read(s->wake_fd, &count, sizeof(count));
        if (p[POLL_TIMER].revents)
                limit_passed(s);
        if (p[POLL_GUARD].revents)
                give_up(s, -EOWNERDEAD, "the hold's guard was killed");
        on_step_done(s);
        if (p[POLL_SIGNAL].revents)
                on_signal(s);
        if (p[POLL_CONNECTION].revents)
                on_connection(s);
        if (s->phase == PHASE_LOCKED && boottime_usec() >= s->until_usec)
                give_up(s, -ETIME, "a staged set was not committed");
        session_let_go(s);
        return 0;
}

static int session_init(Session *s) {
        sigset_t mask;
        int r;

        r = hold_set_new(&s->set);
        if (r < 0)
                return error_trace(r);
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return error_origin(-errno);
        /* Whoever reads our messages may be gone. */
        (void) signal(SIGPIPE, SIG_IGN);
        s->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        s->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (s->signal_fd < 0 || s->wake_fd < 0 || s->timer_fd < 0)
                return error_origin(-errno);
        return 0;
}

/**
 * hold_session_run() - serves one connection to its end
 * @connection_fd:      SOCK_SEQPACKET to quiesced; stays the caller's
 *
 * Returns only when nothing is held any more. The threads it has made end with the process.
 *
 * Return: 0, also if the set was given up; or a negative errno.
 */
int hold_session_run(int connection_fd) {
        Session s = {.guard = GUARD_NULL, .connection_fd = connection_fd};
        int r;

        r = session_init(&s);
        if (r < 0)
                return error_trace(r);
        while (s.phase != PHASE_OVER || (!s.peer_is_gone && boottime_usec() < s.until_usec)) {
                r = session_wait(&s);
                if (r < 0 && s.phase == PHASE_DESCRIBING)
                        return error_trace(r);
        }
        return 0;
}
