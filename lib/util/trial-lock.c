/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A file below /run that only root can open, and flock(2); see trial-lock.h.
 */

#include "util/trial-lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include "util/error.h"
#include "util/macro.h"

/**
 * trial_lock_open() - open the lock, for who is to keep it
 *
 * Return: a descriptor that is closed on exec, or a negative errno.
 */
int trial_lock_open(void) {
        int fd = open(TRIAL_LOCK_PATH, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        return fd < 0 ? error_origin(-errno) : fd;
}

/**
 * trial_lock_wait() - wait for the lock
 * @fd:         of trial_lock_open(), also a copy of another process'
 * @alone:      nobody else has it meanwhile (the trial); else others that say false may (lvm commands)
 *
 * Return: 0, or a negative errno.
 */
int trial_lock_wait(int fd, bool alone) {
        while (flock(fd, alone ? LOCK_EX : LOCK_SH) < 0)
                if (errno != EINTR)
                        return error_origin(-errno);
        return 0;
}

/**
 * trial_lock() - open the lock and wait for it
 * @alone:      as above
 *
 * Return: the descriptor that holds it until it is closed, or a negative errno.
 */
int trial_lock(bool alone) {
        _cleanup_close_ int fd = trial_lock_open();
        int r;

        if (fd < 0)
                return error_trace(fd);
        r = trial_lock_wait(fd, alone);
        return r < 0 ? error_trace(r) : TAKE_FD(fd);
}
