/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The threads. They are never ended: the process's end is theirs, and one that sits in the kernel could not
 * be ended anyway.
 *
 * Stacks are small because the process is locked in memory: the default of 8 MiB would be faulted in whole.
 */

#include "writers.d/fsfreeze/pool.h"

#include <assert.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/error.h"
#include "util/freeze-trial.h"
#include "util/macro.h"
#include "util/trial-lock.h"

#define POOL_THREADS_MAX 256u
#define POOL_STACK       (64u * 1024u)

struct Pool {
        pthread_mutex_t mutex;
        pthread_cond_t cond;
        Job *first, *last; /* to do, in order */
        Job *finished;
        size_t n_threads;
        int fd;
};

/* Not while an lvm command of quiesced's freezes: its freeze would be taken for a stranger's. What is dirty
 * is written before: FIFREEZE would write it, too, but with every writer of the file system waiting. */
static int try_freezing(int fd) {
        _cleanup_close_ int lock = -EBADF;

        (void) syncfs(fd); /* if it fails, the freeze is only longer */
        lock = trial_lock(true);
        return freeze_trial(fd);
}

static void carry_out(Job *job) {
        int r;

        switch (job->type) {
        case JOB_TRY:
                job->error = -try_freezing(job->fd);
                return;
        case JOB_FREEZE:
                r = freeze_noted(job->fd);
                /* Whoever gave up has thawed what was frozen by then; what came later undoes itself. */
                if (r == 0 && atomic_load(job->given_up)) {
                        (void) ioctl(job->fd, FITHAW, 0);
                        job->error = ECANCELED;
                        return;
                }
                job->error = -r;
                return;
        case JOB_SYNC:
                (void) syncfs(job->fd); /* as good as can be: it is told to be skipped */
                r = 0;
                break;
        case JOB_THAW:
        default:
                r = ioctl(job->fd, FITHAW, 0);
                break;
        }
        job->error = r < 0 ? errno : 0;
}

static void *run_thread(void *userdata) {
        Pool *pool = userdata;
        uint64_t one = 1;
        Job *job;

        for (;;) {
                (void) pthread_mutex_lock(&pool->mutex);
                while (!pool->first)
                        (void) pthread_cond_wait(&pool->cond, &pool->mutex);
                job = pool->first;
                pool->first = job->next;
                if (!pool->first)
                        pool->last = NULL;
                (void) pthread_mutex_unlock(&pool->mutex);

                carry_out(job);

                (void) pthread_mutex_lock(&pool->mutex);
                job->next = pool->finished;
                pool->finished = job;
                (void) pthread_mutex_unlock(&pool->mutex);
                (void) !write(pool->fd, &one, sizeof(one));
        }
        return NULL;
}

/**
 * pool_new() - a pool without threads
 * @ret: the pool; it lives as long as the process
 *
 * Return: 0 or a negative errno.
 */
int pool_new(Pool **ret) {
        Pool *pool;

        pool = calloc(1, sizeof(*pool));
        if (!pool)
                return error_origin(-ENOMEM);
        (void) pthread_mutex_init(&pool->mutex, NULL);
        (void) pthread_cond_init(&pool->cond, NULL);
        pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (pool->fd < 0) {
                free(pool);
                return error_origin(-errno);
        }
        *ret = pool;
        return 0;
}

/**
 * pool_grow() - make threads, before they are needed
 * @pool: the pool
 * @n_threads: how many there shall be at least
 *
 * Return: 0, also if the limit is reached: jobs then wait for a free thread; a negative errno.
 */
int pool_grow(Pool *pool, size_t n_threads) {
        pthread_attr_t attributes;
        pthread_t thread;
        int r = 0;

        assert(pool);

        if (n_threads > POOL_THREADS_MAX)
                n_threads = POOL_THREADS_MAX;
        (void) pthread_attr_init(&attributes);
        (void) pthread_attr_setstacksize(&attributes, POOL_STACK);
        (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        while (!r && pool->n_threads < n_threads) {
                r = pthread_create(&thread, &attributes, run_thread, pool);
                if (!r)
                        pool->n_threads++;
        }
        (void) pthread_attr_destroy(&attributes);
        return error_origin(-r);
}

/**
 * pool_get_fd() - the descriptor that is readable when a job is finished
 * @pool: the pool
 *
 * Return: the pool's descriptor.
 */
int pool_get_fd(const Pool *pool) {
        assert(pool);
        return pool->fd;
}

/**
 * pool_add() - hand out a job
 * @pool: the pool
 * @job: what to do; not to be touched until pool_take_finished() has given it back
 */
void pool_add(Pool *pool, Job *job) {
        assert(pool && job && pool->n_threads > 0);

        job->next = NULL;
        job->error = 0;
        (void) pthread_mutex_lock(&pool->mutex);
        if (pool->last)
                pool->last->next = job;
        else
                pool->first = job;
        pool->last = job;
        (void) pthread_cond_signal(&pool->cond);
        (void) pthread_mutex_unlock(&pool->mutex);
}

/**
 * pool_take_finished() - a job that is done
 * @pool: the pool
 *
 * Return: the job, its `error` set; NULL: no more at the moment.
 */
Job *pool_take_finished(Pool *pool) {
        uint64_t count;
        Job *job;

        assert(pool);

        (void) pthread_mutex_lock(&pool->mutex);
        job = pool->finished;
        if (job)
                pool->finished = job->next;
        else
                (void) !read(pool->fd, &count, sizeof(count));
        (void) pthread_mutex_unlock(&pool->mutex);
        return job;
}
