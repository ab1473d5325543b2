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
 * trial_lock() - wait for the lock
 * @alone:      nobody else has it meanwhile (the trial); else others that say false may (lvm commands)
 * @inherited:  it is kept across execve()
 *
 * Return: the descriptor that holds it until it is closed, or a negative errno.
 */
int trial_lock(bool alone, bool inherited) {
        _cleanup_close_ int fd = -EBADF;

        fd = open(TRIAL_LOCK_PATH, O_RDWR | O_CREAT | O_NOFOLLOW | (inherited ? 0 : O_CLOEXEC), 0600);
        if (fd < 0)
                return error_origin(-errno);
        while (flock(fd, alone ? LOCK_EX : LOCK_SH) < 0)
                if (errno != EINTR)
                        return error_origin(-errno);
        return TAKE_FD(fd);
}
