/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Opening and locking what the hold needs, before anything is held; see hold-resources.h.
 */

#include "daemon/hold/hold-resources.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "util/error.h"
#include "util/group-lock.h"

#define LOCK_POLL_MSEC 10

static int lock_group(const char *path, uint64_t until_usec, int connection_fd, int *ret) {
        for (;;) {
                struct pollfd connection = {.fd = connection_fd, .events = POLLIN};
                int r = group_lock_try(path, ret);

                if (r != GROUP_LOCK_E_BUSY)
                        return error_trace(r);
                if (boottime_usec() >= until_usec)
                        return RESOURCES_E_BUSY;
                if (poll(&connection, 1, LOCK_POLL_MSEC) > 0)
                        return RESOURCES_E_INTERRUPTED;
        }
}

/**
 * resources_lock_groups() - takes LVM's own lock of every volume group of the set
 * @set:                described completely; lock_limit_usec is the time for all of them
 * @connection_fd:      anything coming here ends the wait
 * @failure:            gets the words if it fails
 *
 * In the order of their names, never blocking, so that two holders cannot wait for each other for long. The
 * locks are flock()s on descriptors that a fork shares: they last until both processes are gone.
 *
 * Return: 0, or a negative errno; -EWOULDBLOCK: an LVM command has one and keeps it; -ECANCELED.
 */
int resources_lock_groups(HoldSet *set, int connection_fd, Failure *failure) {
        uint64_t until = boottime_usec() + set->begin.lock_limit_usec;
        int r;

        for (; set->n_locks < set->n_groups; set->n_locks++) {
                const char *path = set->groups[set->n_locks].lock_path;

                r = lock_group(path, until, connection_fd, &set->lock_fds[set->n_locks]);
                if (r == RESOURCES_E_BUSY)
                        return failure_say(failure, -EWOULDBLOCK, HOLD_NONE, HOLD_NONE,
                                           "an LVM command holds %s for too long", path);
                if (r == RESOURCES_E_INTERRUPTED)
                        return failure_say(failure, -ECANCELED, HOLD_NONE, HOLD_NONE,
                                           "stopped while waiting for %s", path);
                if (r < 0)
                        return failure_set(failure, r, HOLD_NONE, HOLD_NONE, "cannot lock %s", path);
        }
        return 0;
}

/**
 * resources_unlock_groups() - frees LVM's locks, for both processes
 * @set:        the set
 */
void resources_unlock_groups(HoldSet *set) {
        for (uint32_t i = 0; i < set->n_locks; i++)
                (void) flock(set->lock_fds[i], LOCK_UN);
}

/**
 * resources_lock_memory() - keeps this process runnable while the root device is suspended
 *
 * Nothing of it is paged out or faulted in later, and its own writes and allocations never wait for I/O that
 * it holds itself.
 *
 * Return: 0, or a negative errno.
 */
int resources_lock_memory(void) {
        if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
                return error_origin(-errno);
        /* Needs CAP_SYS_RESOURCE; without it the hold still works where no volume carries swap. */
        (void) prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
        return 0;
}

static bool reads_one(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char c = '0';

        return fd >= 0 && read(fd, &c, 1) == 1 && c == '1';
}

/* Expedited RCU only makes the hold shorter: where it cannot be had, the hold goes on without. */
static void open_rcu(HoldSet *set) {
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        if (set->begin.expedite_rcu == 0 || reads_one("/sys/kernel/rcu_normal"))
                return;
        fd = open("/sys/kernel/rcu_expedited", O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return;
        n = pread(fd, set->rcu_old, sizeof(set->rcu_old) - 1, 0);
        if (n > 0)
                set->rcu_fd = TAKE_FD(fd);
}

/**
 * resources_open() - opens what will be needed while writes are held
 * @set:        described completely
 * @failure:    gets the words if it fails
 *
 * Return: 0, or a negative errno.
 */
int resources_open(HoldSet *set, Failure *failure) {
        bool needs_dm = false;

        for (uint32_t i = 0; i < set->n_volumes; i++)
                needs_dm = needs_dm || hold_set_is_suspended(set, i);
        if (needs_dm) {
                set->control_fd = dm_open();
                if (set->control_fd < 0)
                        return failure_set(failure, set->control_fd, HOLD_NONE, HOLD_NONE,
                                           "cannot open /dev/mapper/control");
        }
        open_rcu(set);
        return 0;
}

/**
 * resources_expedite() - makes RCU grace periods, most of a freeze's time, short
 * @set:        the set
 */
void resources_expedite(HoldSet *set) {
        if (set->rcu_fd < 0)
                return;
        atomic_store(&set->rcu_on, true);
        (void) !pwrite(set->rcu_fd, "1", 1, 0);
}

/**
 * resources_relax() - puts rcu_expedited back as LOCK found it; may be called more than once
 * @set:        the set
 */
void resources_relax(HoldSet *set) {
        if (atomic_load(&set->rcu_on))
                (void) !pwrite(set->rcu_fd, set->rcu_old, strlen(set->rcu_old), 0);
}
