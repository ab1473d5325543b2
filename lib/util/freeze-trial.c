/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * FIFREEZE with a note on a tmpfs meanwhile; see freeze-trial.h.
 */

#include "util/freeze-trial.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "util/error.h"
#include "util/macro.h"

#define NOTE_PATH_SIZE 64u

static void note_path(char ret[static NOTE_PATH_SIZE], uint64_t mount_id) {
        (void) snprintf(ret, NOTE_PATH_SIZE, FREEZE_TRIAL_DIRECTORY "/" FREEZE_TRIAL_PREFIX "%llu",
                        (unsigned long long) mount_id);
}

/* The note, locked and ours alone; *ret_left: it was there, so its writer has died. Return: a descriptor, or
 * a negative errno: there is no place for notes. */
static int note_take(const char *path, bool *ret_left) {
        for (;;) {
                _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
                struct stat st;

                if (fd < 0)
                        return -errno;
                while (flock(fd, LOCK_EX) < 0)
                        if (errno != EINTR)
                                return -errno;
                if (fstat(fd, &st) < 0)
                        return -errno;
                if (st.st_nlink == 0)
                        continue; /* the one before us was done with it */
                *ret_left = st.st_size > 0;
                if (!*ret_left && write(fd, "frozen\n", 7) < 0)
                        return -errno;
                return TAKE_FD(fd);
        }
}

/* FIFREEZE, and FITHAW if it is a trial, with the note there all the time. */
static int freeze_with_note(int fd, bool is_trial) {
        _cleanup_close_ int note = -EBADF;
        char path[NOTE_PATH_SIZE];
        bool left = false;
        struct statx st;
        int r = 0;

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
                return -errno;
        note_path(path, st.stx_mnt_id);
        note = note_take(path, &left);
        if (left)
                (void) ioctl(fd, FITHAW, 0); /* not frozen: he died before, or somebody has thawed it */
        if (ioctl(fd, FIFREEZE, 0) < 0 || (is_trial && ioctl(fd, FITHAW, 0) < 0))
                r = -errno;
        if (note >= 0)
                (void) unlink(path);
        return r;
}

/**
 * freeze_trial() - freeze a file system and thaw it at once
 * @fd:         of anything on it
 *
 * Two that try the same one wait for each other.
 *
 * Return: 0; -EBUSY: somebody else holds it frozen; -EOPNOTSUPP, -ENOTTY: it knows no freezing; or another
 * negative errno.
 */
int freeze_trial(int fd) {
        return freeze_with_note(fd, true);
}

/**
 * freeze_noted() - freeze a file system; if this process is killed in the call, somebody learns of it
 * @fd:         of anything on it
 *
 * Touches no disk, and may not print: others are frozen already.
 *
 * Return: 0, or a negative errno.
 */
int freeze_noted(int fd) {
        return freeze_with_note(fd, false);
}

/**
 * freeze_note_take_orphan() - takes a note whose writer has died
 * @name:               of a file in FREEZE_TRIAL_DIRECTORY
 * @ret_mount_id:       of the mount that may be frozen
 *
 * Return: a descriptor, to be closed when the mount is thawed and the note forgotten; -EBUSY: who wrote it
 * lives; -ENOENT: it is no note, or he has frozen nothing yet.
 */
int freeze_note_take_orphan(const char *name, uint64_t *ret_mount_id) {
        _cleanup_close_ int fd = -EBADF;
        char path[NOTE_PATH_SIZE], *end;
        uint64_t mount_id;
        struct stat st;

        if (strncmp(name, FREEZE_TRIAL_PREFIX, strlen(FREEZE_TRIAL_PREFIX)) != 0)
                return -ENOENT;
        mount_id = strtoull(name + strlen(FREEZE_TRIAL_PREFIX), &end, 10);
        if (*end)
                return -ENOENT;
        note_path(path, mount_id);
        fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -ENOENT;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return -EBUSY;
        if (fstat(fd, &st) < 0 || st.st_nlink == 0 || st.st_size == 0)
                return -ENOENT;
        *ret_mount_id = mount_id;
        return TAKE_FD(fd);
}

/**
 * freeze_note_forget() - what a note told of is thawed
 * @mount_id:   of the mount
 */
void freeze_note_forget(uint64_t mount_id) {
        char path[NOTE_PATH_SIZE];

        note_path(path, mount_id);
        (void) unlink(path);
}
