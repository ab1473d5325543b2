/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The steps LOCK, PRE_COMMIT, COMMIT and END in order; see hold-runner.h. What holds or stamps one volume is
 * in hold-volume.c, what prepares it in hold-stage.c.
 */

#include "daemon/hold/hold-runner.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

#include "daemon/hold/hold-resources.h"
#include "daemon/hold/hold-stage.h"
#include "util/error.h"
#include "util/failpoint.h"

#define RUNNER_STACK_SIZE (128u * 1024u)
#define GUARD_ANSWER_MSEC 1000

struct Runner {
        RunnerSetup setup;
        pthread_t thread;
        sem_t wanted;
        HoldMessageType step;
        atomic_bool busy;
        atomic_bool has_result;
        int result;
        Failure failure;
        DmBuffer buffer;
};

typedef int (*VolumeCall)(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure);

/* Between two effects on the whole set. */
static int set_failpoint(Runner *runner, const char *place) {
        int r = failpoint(place);

        return r < 0 ? failure_set(&runner->failure, r, HOLD_NONE, HOLD_NONE, "failpoint %s", place) : 0;
}

/* One volume after the other, by this thread. place: after each is a failpoint; NULL: nothing is changed. */
static int each_volume(Runner *runner, VolumeCall call, const char *place) {
        HoldSet *set = runner->setup.set;

        for (uint32_t i = 0; i < set->n_volumes; i++) {
                int r;

                if (hold_set_given_up(set))
                        return -ECANCELED;
                r = call(set, i, &runner->buffer, &runner->failure);
                if (r == 0 && place)
                        r = volume_failpoint(set, i, place, &runner->failure);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int call_check_staged(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        return volume_check_staged(set, volume, false, buffer, failure);
}

static int call_check_ready(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        return volume_check_staged(set, volume, true, buffer, failure);
}

static int call_check_free(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        return volume_check_origin(set, volume, false, buffer, failure);
}

static int call_check_held(HoldSet *set, uint32_t volume, DmBuffer *buffer, Failure *failure) {
        return volume_check_origin(set, volume, true, buffer, failure);
}

/* All volumes at once, each by its own thread. */
static int all_volumes(Runner *runner, VolumeJob job) {
        for (uint32_t i = 0; i < runner->setup.set->n_volumes; i++)
                crew_post(runner->setup.crew, i, job);
        return crew_wait(runner->setup.crew, &runner->failure);
}

static int volumes_at_depth(Runner *runner, uint32_t depth, VolumeJob job) {
        HoldSet *set = runner->setup.set;

        for (uint32_t i = 0; i < set->n_volumes; i++)
                if (set->volumes[i].given.depth == depth)
                        crew_post(runner->setup.crew, i, job);
        return crew_wait(runner->setup.crew, &runner->failure);
}

static int step_lock(Runner *runner) {
        HoldSet *set = runner->setup.set;
        uint64_t begin;
        int r;

        r = each_volume(runner, stage_find, NULL);
        if (r < 0)
                return r;
        r = all_volumes(runner, VOLUME_STAGE);
        if (r < 0)
                return r;
        begin = boottime_usec();
        r = each_volume(runner, stage_delete_thin, "hold.thin-deleted");
        if (r < 0)
                return r;
        set->report.thin_delete_usec = boottime_usec() - begin;
        /* Answering 0 is no proof, neither here nor there. */
        r = each_volume(runner, stage_check_pool, NULL);
        if (r < 0)
                return r;
        r = each_volume(runner, call_check_free, NULL);
        if (r < 0)
                return r;
        return each_volume(runner, call_check_staged, NULL);
}

/* From here on everything is let go by the deadline: the guard has said that its own timer runs. */
static int arm(Runner *runner) {
        HoldSet *set = runner->setup.set;
        uint64_t now = boottime_usec(), deadline = now + set->begin.hold_limit_usec;
        char byte = GUARD_ARM;
        int r;

        set->report.armed_usec = now;
        atomic_store(&set->deadline_usec, deadline);
        atomic_store(&set->armed, true);
        r = deadline_set_timer(runner->setup.timer_fd, deadline);
        if (r >= 0 && send(runner->setup.guard_fd, &byte, 1, MSG_NOSIGNAL) < 0)
                r = -errno;
        if (r >= 0)
                r = guard_expect(runner->setup.guard_fd, GUARD_ARMED, GUARD_ANSWER_MSEC);
        if (r < 0)
                return failure_set(&runner->failure, r, HOLD_NONE, HOLD_NONE,
                                   "the hold's guard does not answer");
        return 0;
}

static int step_pre_commit(Runner *runner) {
        HoldSet *set = runner->setup.set;
        int r;

        /* Before, too: writing out what somebody else holds would wait for him. */
        r = each_volume(runner, call_check_free, NULL);
        if (r < 0)
                return r;
        r = all_volumes(runner, VOLUME_SYNC);
        if (r < 0)
                return r;
        r = each_volume(runner, call_check_free, NULL);
        if (r < 0)
                return r;
        r = arm(runner);
        if (r == 0)
                r = set_failpoint(runner, "hold.armed");
        if (r < 0)
                return r;
        resources_expedite(set);
        r = set_failpoint(runner, "hold.expedited");
        if (r < 0)
                return r; /* GCOVR_EXCL_LINE: only with failpoints */
        /* Nobody has a snapshot open, so nobody waits for it; and the commit need then not suspend it. */
        r = all_volumes(runner, VOLUME_SUSPEND_SNAPSHOT);
        if (r < 0)
                return r;
        return each_volume(runner, call_check_ready, NULL);
}

static int suspend_all(Runner *runner) {
        HoldSet *set = runner->setup.set;
        struct timespec now;
        uint32_t max = hold_set_max_depth(set);

        set->report.suspend_begin_usec = boottime_usec();
        for (uint32_t depth = 0; depth <= max; depth++) {
                int r = volumes_at_depth(runner, depth, VOLUME_SUSPEND);

                if (r < 0)
                        return r;
        }
        set->report.suspended_usec = boottime_usec();
        (void) clock_gettime(CLOCK_REALTIME, &now);
        set->report.instant_realtime =
                (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / NSEC_PER_USEC;
        return 0;
}

static int resume_all(Runner *runner) {
        HoldSet *set = runner->setup.set;

        for (uint32_t depth = hold_set_max_depth(set) + 1; depth > 0; depth--) {
                int r = volumes_at_depth(runner, depth - 1, VOLUME_RESUME);

                if (r < 0)
                        return r;
        }
        set->report.resumed_usec = boottime_usec();
        return 0;
}

static int step_commit(Runner *runner) {
        HoldSet *set = runner->setup.set;
        int r;

        r = suspend_all(runner);
        if (r == 0)
                r = each_volume(runner, call_check_ready, NULL);
        if (r == 0)
                r = set_failpoint(runner, "hold.all-suspended");
        if (r < 0)
                return r;
        /* By one thread: faster than by many, they would only wait for each other. */
        r = each_volume(runner, volume_commit, "hold.committed");
        if (r < 0)
                return r;
        set->report.committed_usec = boottime_usec();
        r = each_volume(runner, call_check_held, NULL);
        if (r == 0)
                r = set_failpoint(runner, "hold.all-committed");
        if (r == 0)
                r = resume_all(runner);
        if (r == 0)
                r = set_failpoint(runner, "hold.all-resumed");
        return r;
}

static int run_step(Runner *runner) {
        switch (runner->step) {
        case HOLD_LOCK:
                return step_lock(runner);
        case HOLD_PRE_COMMIT:
                return step_pre_commit(runner);
        case HOLD_COMMIT:
                return step_commit(runner);
        default:
                assert(runner->step == HOLD_END);
                return all_volumes(runner, VOLUME_THAW);
        }
}

static void *runner_run(void *argument) {
        Runner *runner = argument;
        uint64_t one = 1;

        for (;;) {
                while (sem_wait(&runner->wanted) < 0)
                        ;
                runner->failure = (Failure){.volume = HOLD_NONE, .mount = HOLD_NONE};
                runner->result = run_step(runner);
                atomic_store(&runner->has_result, true);
                atomic_store(&runner->busy, false);
                (void) !write(runner->setup.wake_fd, &one, sizeof(one));
        }
        return NULL;
}

/**
 * runner_new() - starts the runner's thread
 * @ret:        the runner, which lives as long as the process
 * @setup:      what it works with
 *
 * Return: 0, or a negative errno.
 */
int runner_new(Runner **ret, const RunnerSetup *setup) {
        pthread_attr_t attributes;
        Runner *runner;
        int r;

        runner = calloc(1, sizeof(*runner));
        if (!runner)
                return error_origin(-ENOMEM);
        runner->setup = *setup;
        if (sem_init(&runner->wanted, 0, 0) < 0)
                return error_origin(-errno);
        (void) pthread_attr_init(&attributes);
        r = pthread_attr_setstacksize(&attributes, RUNNER_STACK_SIZE);
        if (r == 0)
                r = pthread_create(&runner->thread, &attributes, runner_run, runner);
        (void) pthread_attr_destroy(&attributes);
        if (r > 0)
                return error_origin(-r);
        *ret = runner;
        return 0;
}

/**
 * runner_start() - begins a step
 * @runner:     a runner that is not busy and whose last result was taken
 * @step:       LOCK, PRE_COMMIT, COMMIT or END
 */
void runner_start(Runner *runner, HoldMessageType step) {
        assert(!runner_is_busy(runner));

        runner->step = step;
        atomic_store(&runner->busy, true);
        (void) sem_post(&runner->wanted);
}

/**
 * runner_is_busy() - whether a step is being carried out
 * @runner:     the runner
 *
 * Return: true if so.
 */
bool runner_is_busy(Runner *runner) {
        return atomic_load(&runner->busy);
}

/**
 * runner_take_result() - how the last step ended, once
 * @runner:             the runner
 * @ret_result:         0 or a negative errno
 * @ret_failure:        the words
 *
 * Return: false if there is nothing (more) to tell.
 */
bool runner_take_result(Runner *runner, int *ret_result, Failure *ret_failure) {
        if (runner_is_busy(runner) || !atomic_exchange(&runner->has_result, false))
                return false;
        *ret_result = runner->result;
        *ret_failure = runner->failure;
        return true;
}

/**
 * deadline_set_timer() - sets a timer to a deadline
 * @timer_fd:           timerfd on CLOCK_BOOTTIME
 * @deadline_usec:      when
 *
 * Return: 0, or a negative errno.
 */
int deadline_set_timer(int timer_fd, uint64_t deadline_usec) {
        struct itimerspec spec = {
                .it_value.tv_sec = (time_t) (deadline_usec / USEC_PER_SEC),
                .it_value.tv_nsec = (long) (deadline_usec % USEC_PER_SEC * NSEC_PER_USEC),
        };

        return timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0 ? -errno : 0;
}

/**
 * guard_expect() - waits for a byte from the guard
 * @guard_fd:           the socket to it
 * @byte:               which
 * @timeout_msec:       how long
 *
 * Return: 0, or a negative errno; -ETIMEDOUT; -EPIPE: the guard is gone; -EPROTO: another byte.
 */
int guard_expect(int guard_fd, char byte, int timeout_msec) {
        struct pollfd p = {.fd = guard_fd, .events = POLLIN};
        char got;
        ssize_t n;
        int r;

        r = poll(&p, 1, timeout_msec);
        if (r <= 0)
                return r < 0 ? -errno : -ETIMEDOUT;
        n = recv(guard_fd, &got, 1, 0);
        if (n <= 0)
                return n < 0 ? -errno : -EPIPE;
        return got == byte ? 0 : -EPROTO;
}
