/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The floor under every hold: suspends and resumes the devices given, all in parallel, with nothing in
 * between, and prints how long that took. What a snapshot set takes longer is its own.
 *
 *   bench-floor [-p POOL] DEVICE DIRECTORY…
 *
 * A device is named as device-mapper does, the directory is where its file system is mounted. The floor has
 * what makes a hold short: the file systems are written out just before, and RCU is expedited. With a thin
 * pool, all are suspended once more, and meanwhile the pool commits once per device: a thin device is
 * created for each, which the pool does in the same way as a snapshot, and deleted again afterwards.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include <libdevmapper.h>

#include "daemon/hold/hold-set.h"

#define DEVICES_MAX 64
#define STACK_SIZE  (64u * 1024u)
#define ID_MAX      16777215 /* LVM counts from 1 upwards */
#define RCU_SWITCH  "/sys/kernel/rcu_expedited"

typedef struct Device {
        char uuid[DM_UUID_LEN];
        int mount_fd;
        uint64_t begin_usec, end_usec; /* of the last hold */
        DmBuffer buffer;
} Device;

static Device devices[DEVICES_MAX];
static int control_fd, n_devices;
static pthread_barrier_t barrier;
static atomic_int n_failed;
static bool once_more;

static void together(void) {
        (void) pthread_barrier_wait(&barrier);
}

static void note(int r, const char *what, const char *uuid) {
        if (r >= 0)
                return;
        fprintf(stderr, "bench-floor: %s: %s: %s\n", uuid, what, strerror(-r));
        atomic_fetch_add(&n_failed, 1);
}

static void hold_one(Device *device) {
        note(syncfs(device->mount_fd) < 0 ? -errno : 0, "syncfs", device->uuid);
        together();
        device->begin_usec = boottime_usec();
        note(dm_suspend(control_fd, &device->buffer, device->uuid, 0), "suspend", device->uuid);
        together();
        together();
        note(dm_resume(control_fd, &device->buffer, device->uuid), "resume", device->uuid);
        device->end_usec = boottime_usec();
        together();
}

static void *run_thread(void *argument) {
        hold_one(argument);
        if (once_more)
                hold_one(argument);
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
        if (!found)
                fprintf(stderr, "bench-floor: no device %s\n", name);
        return found;
}

static void tell_pool(const char *pool, const char *verb, int id) {
        static DmBuffer buffer;
        char message[32];

        (void) snprintf(message, sizeof(message), "%s %d", verb, id);
        note(dm_message(control_fd, &buffer, pool, message), message, pool);
}

typedef struct Hold {
        uint64_t begin_usec, suspended_usec, committed_usec, end_usec;
} Hold;

/* The main thread's part of a hold. */
static void hold_all(const char *pool, Hold *ret) {
        *ret = (Hold){.begin_usec = UINT64_MAX};
        together();
        together();
        ret->suspended_usec = boottime_usec();
        for (int i = 0; pool && i < n_devices; i++)
                tell_pool(pool, "create_thin", ID_MAX - i);
        ret->committed_usec = boottime_usec();
        together();
        together();
        for (int i = 0; i < n_devices; i++) {
                const Device *d = &devices[i];

                ret->begin_usec = d->begin_usec < ret->begin_usec ? d->begin_usec : ret->begin_usec;
                ret->end_usec = d->end_usec > ret->end_usec ? d->end_usec : ret->end_usec;
        }
}

static bool set_rcu(const char *value) {
        _cleanup_close_ int fd = open(RCU_SWITCH, O_WRONLY | O_CLOEXEC);

        return fd >= 0 && write(fd, value, strlen(value)) == (ssize_t) strlen(value);
}

static int start_threads(pthread_t *threads) {
        pthread_attr_t attributes;

        (void) pthread_barrier_init(&barrier, NULL, (unsigned) n_devices + 1);
        (void) pthread_attr_init(&attributes);
        (void) pthread_attr_setstacksize(&attributes, STACK_SIZE);
        for (int i = 0; i < n_devices; i++)
                if (pthread_create(&threads[i], &attributes, run_thread, &devices[i]) != 0)
                        return -1;
        return 0;
}

static bool open_devices(char **arguments, int n) {
        n_devices = n / 2;
        if (n < 2 || n % 2 != 0 || n_devices > DEVICES_MAX)
                return false;
        for (int i = 0; i < n_devices; i++) {
                if (!find_uuid(arguments[2 * i], devices[i].uuid))
                        return false;
                devices[i].mount_fd = open(arguments[2 * i + 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (devices[i].mount_fd < 0) {
                        perror(arguments[2 * i + 1]);
                        return false;
                }
        }
        return true;
}

static void print_usec(const char *name, uint64_t usec) {
        printf("%s_usec=%llu ", name, (unsigned long long) usec);
}

int main(int argc, char **argv) {
        Hold floor, commits = {};
        char pool[DM_UUID_LEN] = "";
        pthread_t threads[DEVICES_MAX];
        int first = 1;

        control_fd = dm_open();
        if (argc > 2 && streq(argv[1], "-p")) {
                first = 3;
                once_more = true;
                if (!find_uuid(argv[2], pool))
                        return EXIT_FAILURE;
        }
        if (control_fd < 0 || !open_devices(argv + first, argc - first) ||
            mlockall(MCL_CURRENT | MCL_FUTURE) < 0 || start_threads(threads) < 0 || !set_rcu("1"))
                return EXIT_FAILURE;
        hold_all(NULL, &floor);
        if (once_more)
                hold_all(pool, &commits);
        for (int i = 0; i < n_devices; i++)
                (void) pthread_join(threads[i], NULL);
        if (!set_rcu("0"))
                return EXIT_FAILURE;
        for (int i = 0; once_more && i < n_devices; i++)
                tell_pool(pool, "delete", ID_MAX - i);
        print_usec("hold", floor.end_usec - floor.begin_usec);
        print_usec("suspend", floor.suspended_usec - floor.begin_usec);
        print_usec("resume", floor.end_usec - floor.committed_usec);
        print_usec("commits", commits.committed_usec - commits.suspended_usec);
        (void) puts("");
        return atomic_load(&n_failed) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
