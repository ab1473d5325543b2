/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Threads that carry out volumes' jobs; see hold-crew.h. All memory is taken by crew_new(); stacks are small
 * because locked memory is faulted in whole. A crew is never freed: it ends with its process.
 */

#include "daemon/hold/hold-crew.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include "util/error.h"

#define CREW_STACK_SIZE (64u * 1024u)

typedef struct Member {
        Crew *crew;
        uint32_t volume;
        pthread_t thread;
        sem_t wanted;
        DmBuffer buffer;
        Failure failure;
        /* under the crew's mutex */
        VolumeJob job;      /* posted or running */
        bool let_go_wanted; /* after the job, or at once */
        int let_go_result;  /* of the last time */
} Member;

struct Crew {
        HoldSet *set;
        int wake_fd; /* eventfd: written whenever the crew falls idle */
        pthread_mutex_t mutex;
        pthread_cond_t idle;
        uint32_t n_busy;
        Failure failure; /* the first since crew_wait() */
        uint32_t n_members;
        Member members[HOLD_VOLUMES_MAX];
};

static void on_interrupt(int signal_number) {
        /* Only there so that a suspend waiting for I/O returns with EINTR. */
        (void) signal_number;
}

/* What to do next, with the last job's result noted; VOLUME_NOTHING: sleep. */
static VolumeJob member_next(Member *m, VolumeJob done, int r) {
        Crew *crew = m->crew;
        VolumeJob next = VOLUME_NOTHING;

        (void) pthread_mutex_lock(&crew->mutex);
        if (done == VOLUME_LET_GO)
                m->let_go_result = r;
        if (r < 0 && done != VOLUME_LET_GO && crew->failure.error == 0) {
                crew->failure = m->failure;
                crew->failure.error = r;
        }
        if (done == VOLUME_NOTHING)
                next = m->job;
        /* One that comes back and finds the set given up undoes its own volume, whoever gave up. */
        if (done != VOLUME_NOTHING && done != VOLUME_LET_GO && hold_set_given_up(crew->set))
                m->let_go_wanted = true;
        if (next == VOLUME_NOTHING && m->let_go_wanted) {
                m->let_go_wanted = false;
                next = VOLUME_LET_GO;
        }
        m->job = next;
        if (next == VOLUME_NOTHING && --crew->n_busy == 0) {
                uint64_t one = 1;

                (void) pthread_cond_broadcast(&crew->idle);
                (void) !write(crew->wake_fd, &one, sizeof(one));
        }
        (void) pthread_mutex_unlock(&crew->mutex);
        return next;
}

static void *member_run(void *argument) {
        Member *m = argument;

        for (;;) {
                VolumeJob job;

                while (sem_wait(&m->wanted) < 0)
                        ;
                job = member_next(m, VOLUME_NOTHING, 0);
                while (job != VOLUME_NOTHING) {
                        int r;

                        m->failure = (Failure){.volume = m->volume, .mount = HOLD_NONE};
                        r = volume_do(m->crew->set, m->volume, job, &m->buffer, &m->failure);
                        job = member_next(m, job, r);
                }
        }
        return NULL;
}

static int member_start(Member *m, pthread_attr_t *attributes) {
        int r;

        if (sem_init(&m->wanted, 0, 0) < 0)
                return error_origin(-errno);
        r = pthread_create(&m->thread, attributes, member_run, m);
        return error_origin(-r);
}

/**
 * crew_new() - starts a thread for every volume of a set
 * @ret:        the crew, which lives as long as the process
 * @set:        the set, described completely
 * @wake_fd:    eventfd that is written when the crew falls idle
 *
 * Return: 0, or a negative errno.
 */
int crew_new(Crew **ret, HoldSet *set, int wake_fd) {
        struct sigaction interrupt = {.sa_handler = on_interrupt};
        pthread_attr_t attributes;
        Crew *crew;
        int r;

        crew = calloc(1, sizeof(*crew));
        if (!crew || sigaction(SIGUSR1, &interrupt, NULL) < 0)
                return error_origin(-errno);
        crew->set = set;
        crew->wake_fd = wake_fd;
        (void) pthread_mutex_init(&crew->mutex, NULL);
        (void) pthread_cond_init(&crew->idle, NULL);
        (void) pthread_attr_init(&attributes);
        r = pthread_attr_setstacksize(&attributes, CREW_STACK_SIZE);
        if (r > 0)
                return error_origin(-r);
        for (; crew->n_members < set->n_volumes; crew->n_members++) {
                Member *m = &crew->members[crew->n_members];

                m->crew = crew;
                m->volume = crew->n_members;
                r = member_start(m, &attributes);
                if (r < 0)
                        return error_trace(r);
        }
        (void) pthread_attr_destroy(&attributes);
        *ret = crew;
        return 0;
}

/**
 * crew_post() - gives a volume's thread a job
 * @crew:       the crew
 * @volume:     which; its thread has none, because crew_wait() came between
 * @job:        what to do; it is dropped if the set has been given up
 */
void crew_post(Crew *crew, uint32_t volume, VolumeJob job) {
        Member *m = &crew->members[volume];

        (void) pthread_mutex_lock(&crew->mutex);
        /* Busy only with letting go, if at all: then nobody wants the job any more. */
        if (m->job == VOLUME_NOTHING) {
                m->job = job;
                crew->n_busy++;
                (void) sem_post(&m->wanted);
        }
        (void) pthread_mutex_unlock(&crew->mutex);
}

/**
 * crew_wait() - waits until all posted jobs are done
 * @crew:       the crew
 * @failure:    gets the first failure
 *
 * Return: 0, or what the first that failed returned; -ECANCELED: given up.
 */
int crew_wait(Crew *crew, Failure *failure) {
        int r;

        (void) pthread_mutex_lock(&crew->mutex);
        while (crew->n_busy > 0)
                (void) pthread_cond_wait(&crew->idle, &crew->mutex);
        r = crew->failure.error;
        if (r < 0)
                *failure = crew->failure;
        crew->failure.error = 0;
        (void) pthread_mutex_unlock(&crew->mutex);
        return r < 0 ? r : hold_set_given_up(crew->set) ? -ECANCELED : 0;
}

/**
 * crew_let_go() - has every volume let go, at once or after the call its thread is in
 * @crew:       the crew; the set has been given up
 *
 * A suspend that waits for I/O is interrupted.
 */
void crew_let_go(Crew *crew) {
        assert(hold_set_given_up(crew->set));

        (void) pthread_mutex_lock(&crew->mutex);
        for (uint32_t i = 0; i < crew->n_members; i++) {
                Member *m = &crew->members[i];

                m->let_go_wanted = true;
                if (m->job == VOLUME_SUSPEND || m->job == VOLUME_SUSPEND_SNAPSHOT)
                        (void) pthread_kill(m->thread, SIGUSR1);
                if (m->job != VOLUME_NOTHING)
                        continue;
                crew->n_busy++;
                m->job = VOLUME_LET_GO;
                m->let_go_wanted = false;
                (void) sem_post(&m->wanted);
        }
        (void) pthread_mutex_unlock(&crew->mutex);
}

/**
 * crew_is_idle() - whether no thread has a job
 * @crew:               the crew
 * @ret_busy_volume:    else: the first that has one
 *
 * Return: true if so.
 */
bool crew_is_idle(Crew *crew, uint32_t *ret_busy_volume) {
        bool idle;

        (void) pthread_mutex_lock(&crew->mutex);
        idle = crew->n_busy == 0;
        for (uint32_t i = crew->n_members; !idle && i > 0; i--)
                if (crew->members[i - 1].job != VOLUME_NOTHING)
                        *ret_busy_volume = i - 1;
        (void) pthread_mutex_unlock(&crew->mutex);
        return idle;
}

/**
 * crew_has_let_go() - whether the last letting go succeeded on every volume
 * @crew:       the crew, idle
 * @failure:    gets the words if not
 *
 * Return: true if so.
 */
bool crew_has_let_go(Crew *crew, Failure *failure) {
        bool done = true;

        (void) pthread_mutex_lock(&crew->mutex);
        for (uint32_t i = 0; i < crew->n_members && done; i++)
                if (crew->members[i].let_go_result < 0) {
                        *failure = crew->members[i].failure;
                        done = false;
                }
        (void) pthread_mutex_unlock(&crew->mutex);
        return done;
}
