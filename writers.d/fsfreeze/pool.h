/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Small threads, made beforehand, that freeze and thaw.
 *
 * FIFREEZE takes some 50 ms and may take for ever, so each file system gets a thread and the event loop
 * never waits for one: a finished job shows on a descriptor.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Pool Pool;
typedef struct Job Job;

typedef enum JobType {
        JOB_TRY,    /* freeze and thaw */
        JOB_FREEZE, /* and thaw again if `given_up` is set by then */
        JOB_SYNC,   /* what cannot be frozen */
        JOB_THAW,
} JobType;

struct Job {
        Job *next;
        JobType type;
        int fd;                      /* of the file system's root */
        const atomic_bool *given_up; /* FREEZE */
        int error;                   /* 0, or the errno of the ioctl */
        void *userdata;
};

int pool_new(Pool **ret);
/* So many threads at least, up to POOL_THREADS_MAX; never fewer than there were. */
int pool_grow(Pool *pool, size_t n_threads);
int pool_get_fd(const Pool *pool);
/* Carried out as soon as a thread is free; the job stays the caller's and must live until it comes back. */
void pool_add(Pool *pool, Job *job);
/* The next finished job, or NULL. */
Job *pool_take_finished(Pool *pool);
