/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The hold's second process; see hold-guard.h. The hold starts and dismisses it; everything else here runs
 * in the guard itself.
 */

#include "daemon/hold/hold-guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "daemon/hold/hold-crew.h"
#include "daemon/hold/hold-resources.h"
#include "daemon/hold/hold-runner.h"
#include "util/error.h"

#define GUARD_START_MSEC   5000
#define GUARD_DISMISS_MSEC 1000
#define GUARD_REPEAT_MSEC  50
/* The hold itself lets go at the deadline and dismisses the guard; one that has not by then never will. */
#define GUARD_PATIENCE_USEC (2 * USEC_PER_SEC)
#define TELL_STUCK_USEC     (1 * USEC_PER_SEC)

enum { POLL_HOLD, POLL_SOCKET, POLL_TIMER, POLL_WAKE, _POLL_MAX };

typedef struct Watch {
        HoldSet *set;
        Crew *crew;
        int connection_fd;
        int hold_pidfd;
        bool died; /* the hold, else it is late */
        bool told_stuck;
        uint64_t stuck_usec; /* from when on a volume that is not let go is named */
        struct pollfd poll[_POLL_MAX];
} Watch;

/* Really gone, with all its threads; waits for that for a while. */
static bool hold_is_gone(Watch *w, int timeout_msec) {
        struct pollfd p = {.fd = w->hold_pidfd, .events = POLLIN};

        return poll(&p, 1, timeout_msec) > 0;
}

/* Tells quiesced in the place of the hold, which cannot any more. */
static void watch_report(Watch *w, uint32_t volume, const char *text) {
        HoldMessage message = {.version = HOLD_PROTOCOL_VERSION, .type = HOLD_REPORT};

        message.report = w->set->report;
        message.report.step = atomic_load(&w->set->step);
        message.report.error = w->died ? -EOWNERDEAD : -ETIME;
        message.report.volume = volume;
        message.report.mount = HOLD_NONE;
        message.report.ended_usec = boottime_usec();
        (void) snprintf(message.report.text, sizeof(message.report.text), "%s", text);
        (void) send(w->connection_fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
        (void) fprintf(stderr, "quiesced-hold: %s\n", text);
}

/* What happened, in the beginning of a sentence. Return: the first of the volumes it names, or HOLD_NONE. */
static uint32_t watch_say_why(const Watch *w, char text[static HOLD_TEXT_MAX]) {
        char held[HOLD_TEXT_MAX / 2];
        uint32_t first = hold_set_name_held(w->set, held, sizeof(held));
        const char *why = w->died ? "quiesced-hold was killed" : "the hold limit has passed";

        if (first == HOLD_NONE)
                (void) snprintf(text, HOLD_TEXT_MAX, "%s", why);
        else
                (void) snprintf(text, HOLD_TEXT_MAX, "%s while %s held %s", why, w->died ? "it" : "it still",
                                held);
        return first;
}

static void watch_tell_let_go(Watch *w) {
        char text[HOLD_TEXT_MAX];
        uint32_t first = watch_say_why(w, text);
        size_t n = strlen(text);

        (void) snprintf(text + n, sizeof(text) - n, "; %s guard has let every volume go",
                        w->died ? "its" : "the");
        watch_report(w, first, text);
}

/* Not yet: by the name of one that does not answer. */
static void watch_tell_stuck(Watch *w, uint32_t volume) {
        char text[HOLD_TEXT_MAX];
        size_t n;

        (void) watch_say_why(w, text);
        n = strlen(text);
        (void) snprintf(text + n, sizeof(text) - n,
                        "; %s does not answer and is not let go yet, all others are",
                        hold_set_volume_name(w->set, volume));
        watch_report(w, volume, text);
}

static void watch_on_socket(Watch *w) {
        char byte = 0;
        ssize_t n = recv(w->poll[POLL_SOCKET].fd, &byte, 1, MSG_DONTWAIT);

        if (n > 0 && byte == GUARD_DISMISS)
                _exit(EXIT_SUCCESS);
        if (n > 0 && byte == GUARD_ARM &&
            deadline_set_timer(w->poll[POLL_TIMER].fd, atomic_load(&w->set->deadline_usec)) == 0) {
                byte = GUARD_ARMED;
                (void) send(w->poll[POLL_SOCKET].fd, &byte, 1, MSG_NOSIGNAL);
        }
        /* An end of the connection is only a hint: the pidfd and the deadline are the rule. */
        if (n == 0 || (n < 0 && errno != EAGAIN))
                w->poll[POLL_SOCKET].fd = -1;
}

/* Returns when the timer has fired or the hold is gone. */
static void watch_wait(Watch *w) {
        for (;;) {
                if (poll(w->poll, _POLL_MAX, -1) < 0)
                        continue;
                if (w->poll[POLL_SOCKET].revents)
                        watch_on_socket(w);
                if (w->poll[POLL_HOLD].revents || w->poll[POLL_TIMER].revents)
                        return;
        }
}

/* Waits until every volume's thread is done with letting go, or one is stuck for a while. */
static bool watch_wait_idle(Watch *w, int timeout_msec, uint32_t *ret_volume) {
        uint64_t until = boottime_usec() + (uint64_t) timeout_msec * USEC_PER_MSEC, count;

        while (!crew_is_idle(w->crew, ret_volume)) {
                if (boottime_usec() >= until)
                        return false;
                if (poll(w->poll, _POLL_MAX, 10) > 0) {
                        if (w->poll[POLL_SOCKET].revents)
                                watch_on_socket(w);
                        if (w->poll[POLL_WAKE].revents)
                                (void) !read(w->poll[POLL_WAKE].fd, &count, sizeof(count));
                }
        }
        return true;
}

static void watch_note_stuck(Watch *w, uint32_t volume) {
        if (w->told_stuck || boottime_usec() < w->stuck_usec)
                return;
        w->told_stuck = true;
        watch_tell_stuck(w, volume);
}

/* One round; true if it was the last. */
static bool watch_let_go_once(Watch *w) {
        /* Only a round begun after the hold's end can be the last: before, it may still have a suspend under
         * way. */
        bool gone = hold_is_gone(w, 0);
        uint32_t volume = 0;
        Failure failure;

        crew_let_go(w->crew);
        if (!watch_wait_idle(w, GUARD_REPEAT_MSEC, &volume)) {
                watch_note_stuck(w, volume);
                return false;
        }
        resources_relax(w->set);
        if (!crew_has_let_go(w->crew, &failure)) {
                watch_note_stuck(w, failure.volume);
                (void) poll(NULL, 0, GUARD_REPEAT_MSEC);
                return false;
        }
        return gone;
}

static void watch_let_go(Watch *w) {
        uint64_t now = boottime_usec(), kill_usec = now + GUARD_PATIENCE_USEC;
        int not_yet = SET_GIVEN_UP_NOT;

        (void) atomic_compare_exchange_strong(&w->set->given_up, &not_yet, SET_GIVEN_UP_BY_GUARD);
        w->poll[POLL_TIMER].fd = w->poll[POLL_HOLD].fd = -1;
        w->stuck_usec = now + TELL_STUCK_USEC;
        while (!watch_let_go_once(w)) {
                (void) hold_is_gone(w, GUARD_REPEAT_MSEC);
                if (w->poll[POLL_SOCKET].fd >= 0)
                        watch_on_socket(w);
                if (atomic_load(&w->set->ended))
                        _exit(EXIT_SUCCESS);
                /* Stopped or running wild: it must not hold LVM's locks for ever, nor we resume for ever. */
                if (boottime_usec() >= kill_usec)
                        (void) pidfd_send_signal(w->hold_pidfd, SIGKILL, NULL, 0);
        }
}

static int watch_init(Watch *w, int socket_fd, int hold_pidfd) {
        int timer_fd, wake_fd, r;

        (void) prctl(PR_SET_NAME, "quiesced-guard");
        r = resources_lock_memory();
        if (r < 0)
                return error_trace(r);
        timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (timer_fd < 0 || wake_fd < 0)
                return error_origin(-errno);
        w->hold_pidfd = hold_pidfd;
        w->poll[POLL_HOLD] = (struct pollfd){.fd = hold_pidfd, .events = POLLIN};
        w->poll[POLL_SOCKET] = (struct pollfd){.fd = socket_fd, .events = POLLIN};
        w->poll[POLL_TIMER] = (struct pollfd){.fd = timer_fd, .events = POLLIN};
        w->poll[POLL_WAKE] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
        return error_trace(crew_new(&w->crew, w->set, wake_fd));
}

static _Noreturn void guard_run(HoldSet *set, int connection_fd, int socket_fd, int hold_pidfd) {
        Watch w = {.set = set, .connection_fd = connection_fd};
        char byte = GUARD_READY;

        if (watch_init(&w, socket_fd, hold_pidfd) < 0 || send(socket_fd, &byte, 1, MSG_NOSIGNAL) < 0)
                _exit(EXIT_FAILURE);
        watch_wait(&w);
        if (atomic_load(&set->ended))
                _exit(EXIT_SUCCESS);
        w.died = hold_is_gone(&w, 0);
        watch_let_go(&w);
        watch_tell_let_go(&w);
        _exit(EXIT_FAILURE);
}

/**
 * guard_start() - forks the guard and waits until it is ready
 * @guard:              GUARD_NULL; filled
 * @set:                described completely, everything opened, locks taken; nothing changed yet
 * @connection_fd:      to quiesced: the guard speaks on it only if the hold cannot
 *
 * To be called while this process has one thread.
 *
 * Return: 0, or a negative errno.
 */
int guard_start(Guard *guard, HoldSet *set, int connection_fd) {
        _cleanup_close_ int self = -EBADF, ours = -EBADF, theirs = -EBADF;
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_origin(-errno);
        ours = pair[0];
        theirs = pair[1];
        self = pidfd_open(getpid(), 0);
        if (self < 0)
                return error_origin(-errno);
        pid = fork();
        if (pid < 0)
                return error_origin(-errno);
        if (pid == 0) {
                (void) fd_close(TAKE_FD(ours));
                guard_run(set, connection_fd, TAKE_FD(theirs), TAKE_FD(self));
        }
        guard->pid = pid;
        guard->pidfd = pidfd_open(pid, 0);
        if (guard->pidfd < 0)
                return error_origin(-errno);
        guard->fd = TAKE_FD(ours);
        theirs = fd_close(theirs);
        return error_trace(guard_expect(guard->fd, GUARD_READY, GUARD_START_MSEC));
}

/**
 * guard_dismiss() - ends the guard: there is nothing left to let go
 * @guard:      the guard, or GUARD_NULL
 *
 * Waits until it is gone, because LVM's locks are freed next and the guard must not resume anything then.
 */
void guard_dismiss(Guard *guard) {
        struct pollfd p = {.fd = guard->pidfd, .events = POLLIN};
        char byte = GUARD_DISMISS;

        if (guard->pid < 0)
                return;
        (void) send(guard->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (poll(&p, 1, GUARD_DISMISS_MSEC) <= 0) {
                (void) kill(guard->pid, SIGKILL);
                (void) poll(&p, 1, GUARD_DISMISS_MSEC);
        }
        (void) waitpid(guard->pid, NULL, WNOHANG);
        guard->pidfd = fd_close(guard->pidfd);
        guard->fd = fd_close(guard->fd);
        guard->pid = -1;
}
