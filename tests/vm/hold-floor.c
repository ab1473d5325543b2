/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The floor under every hold: suspends and resumes the devices given by name, all in parallel, with nothing
 * in between, and prints how long that took, in µs. What quiesced-hold takes longer is its own.
 */

#include <pthread.h>
#include <stdatomic.h>

#include <libdevmapper.h>

#include "daemon/hold/hold-set.h"

#define DEVICES_MAX 64

static char uuids[DEVICES_MAX][DM_UUID_LEN];
static int control_fd, n_devices;
static pthread_barrier_t barrier;
static atomic_int n_failed;

static void *hold_one(void *argument) {
        const char *uuid = argument;
        DmBuffer buffer;

        (void) pthread_barrier_wait(&barrier);
        if (dm_suspend(control_fd, &buffer, uuid, 0) < 0)
                atomic_fetch_add(&n_failed, 1);
        (void) pthread_barrier_wait(&barrier);
        if (dm_resume(control_fd, &buffer, uuid) < 0)
                atomic_fetch_add(&n_failed, 1);
        (void) pthread_barrier_wait(&barrier);
        return NULL;
}

static bool find_uuid(const char *name, char *ret) {
        struct dm_task *task = dm_task_create(DM_DEVICE_INFO);
        const char *uuid = NULL;
        bool found = false;

        if (task && dm_task_set_name(task, name) && dm_task_run(task))
                uuid = dm_task_get_uuid(task);
        if (uuid && *uuid != '\0') {
                (void) snprintf(ret, DM_UUID_LEN, "%s", uuid);
                found = true;
        }
        if (task)
                dm_task_destroy(task);
        return found;
}

int main(int argc, char **argv) {
        pthread_t threads[DEVICES_MAX];
        uint64_t begin, suspended, end;

        n_devices = argc - 1;
        control_fd = dm_open();
        if (control_fd < 0 || n_devices < 1 || n_devices > DEVICES_MAX)
                return EXIT_FAILURE;
        (void) pthread_barrier_init(&barrier, NULL, (unsigned) n_devices + 1);
        for (int i = 0; i < n_devices; i++) {
                if (!find_uuid(argv[i + 1], uuids[i]) ||
                    pthread_create(&threads[i], NULL, hold_one, uuids[i]) != 0) {
                        fprintf(stderr, "hold-floor: no device %s\n", argv[i + 1]);
                        return EXIT_FAILURE;
                }
        }
        begin = boottime_usec();
        (void) pthread_barrier_wait(&barrier);
        (void) pthread_barrier_wait(&barrier);
        suspended = boottime_usec();
        (void) pthread_barrier_wait(&barrier);
        end = boottime_usec();
        for (int i = 0; i < n_devices; i++)
                (void) pthread_join(threads[i], NULL);
        printf("suspend=%llu resume=%llu total=%llu\n", (unsigned long long) (suspended - begin),
               (unsigned long long) (end - suspended), (unsigned long long) (end - begin));
        return atomic_load(&n_failed) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
