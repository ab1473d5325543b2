/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A small model of what the hold asks the kernel for: device-mapper, frozen file systems, LVM's lock files
 * and rcu_expedited, in memory that the hold and its guard share with the test. hold-model-calls.c puts it
 * in the place of the calls themselves (ld's --wrap). It knows the rules that the hold must keep, and counts
 * what breaks them; and each call can be made to fail.
 *
 * The set: volume 0 thick, 1 thin, 2 thin with a thick snapshot of it, 3 only a file system.
 */

#include <linux/dm-ioctl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
        DEVICE_ORIGIN, /* volume 0 */
        DEVICE_REAL,
        DEVICE_SNAPSHOT,
        DEVICE_STORE,
        DEVICE_POOL,
        DEVICE_THIN,  /* volume 1 */
        DEVICE_UPPER, /* volume 2 */
        DEVICE_THIN_REAL,
        N_DEVICES,
};
enum { MOUNT_ORIGIN, MOUNT_THIN, MOUNT_ABOVE, MOUNT_PLAIN, N_MOUNTS };
enum { N_VOLUMES = 4 };

/* Kinds of calls, for ModelFault. */
enum {
        CALL_MEMORY = 1 << 0,     /* mmap, calloc, mlockall */
        CALL_THREAD = 1 << 1,     /* pthread_create and what it needs */
        CALL_PROCESS = 1 << 2,    /* fork, pidfd_open, socketpair */
        CALL_DESCRIPTOR = 1 << 3, /* eventfd, signalfd, timerfd_create */
        CALL_SIGNAL = 1 << 4,
        CALL_TIMER = 1 << 5,
        CALL_OPEN = 1 << 6,
        CALL_LOCK = 1 << 7,
        CALL_RCU = 1 << 8,   /* of rcu_expedited and rcu_normal, open too */
        CALL_GUARD = 1 << 9, /* a byte to or from the guard */
        CALL_STORE = 1 << 10,
        CALL_SYNC = 1 << 11,
        CALL_THAW = 1 << 12,
        CALL_VERSION = 1 << 13,
        CALL_QUERY = 1 << 14, /* device-mapper's, from here on */
        CALL_SUSPEND = 1 << 15,
        CALL_RESUME = 1 << 16,
        CALL_CLEAR = 1 << 17,
        CALL_LOAD = 1 << 18,
        CALL_MESSAGE = 1 << 19,
        CALL_ANY = (1 << 20) - 1,
        CALL_POLL = 1 << 20,
        CALL_ROUND = 1 << 22,   /* the guard waits for its threads */
        CALL_RECEIVE = 1 << 21, /* a message from quiesced, or a signal */
        CALL_DM = CALL_QUERY | CALL_SUSPEND | CALL_RESUME | CALL_CLEAR | CALL_LOAD | CALL_MESSAGE,
};

typedef struct ModelTable {
        bool present;
        uint64_t n_sectors;
        uint32_t n_targets;
        char type[DM_MAX_TYPE_NAME];
        char params[128];
} ModelTable;

typedef struct ModelDevice {
        char uuid[64], name[32];
        bool suspended, full;
        int32_t open_count;
        ModelTable live, inactive;
} ModelDevice;

typedef struct ModelMount {
        char path[64];
        ino_t inode;
        int device; /* that it lies directly on, or -1 */
        bool frozen, frozen_by_dm;
} ModelMount;

typedef struct Model Model;

/* What happens at the calls number first to last of some kinds: they fail, or somebody meddles before. */
typedef struct ModelFault {
        uint32_t kinds;
        unsigned first, last;
        int error; /* 0: write nothing, where that is an answer */
        void (*meddle)(Model *model);
} ModelFault;

struct Model {
        pthread_mutex_t mutex;
        char directory[32];
        char rcu_path[64], rcu_normal_path[64], store_path[64], lock_path[64];
        ino_t store_inode;
        uint64_t store_device;
        ModelDevice devices[N_DEVICES];
        ModelMount mounts[N_MOUNTS];
        bool thin_exists[16]; /* device ids in the pool */
        char pool_status[128];
        ModelFault fault;
        unsigned n_calls, n_failed;
        uint32_t failed_kinds;
        unsigned n_wrong_instants; /* a snapshot was made of an origin that was not suspended */
        unsigned n_wrong_thaws;    /* thawed what device-mapper had frozen */
        sem_t blocked, go_on;      /* of model_block() */
        pid_t forked;              /* the guard */
        bool hurries;              /* nobody waits for minutes, the clock is put forward */
        uint64_t clock_usec;       /* that much */
};

Model *model_new(void);
void model_free(Model *model);
void model_reset(Model *model);
void model_enter(Model *model);
void model_leave(void);
Model *model_entered(void);
void model_lock(Model *model);
void model_unlock(Model *model);
int model_count(uint32_t kind);
int model_ioctl(unsigned long request, struct dm_ioctl *argument);
int model_thaw(ino_t inode);
void model_block(Model *model);
const char *model_held(Model *model);
bool model_names(const Model *model, const char *text);
