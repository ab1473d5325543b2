/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is done about the origin before an lvm command suspends it, and after one was killed meanwhile.
 *
 * Before, in the command's own process: what is dirty is written out, so that the freeze is short; and a
 * file system that somebody else holds frozen is found out, because LVM's suspend would fail on it and leave
 * half a snapshot, or, on newer kernels, succeed and spoil all later freezes (kernel-notes, fact 1). A
 * trial-lock keeps the fsfreeze writer's trial away until the command has ended.
 *
 * After: an lvm that is killed leaves its origin suspended. Which origin that may be is noted in a file in
 * the runtime directory, from before the command starts until it has ended by itself; who finds the note,
 * the next command on that origin or the next quiesced, resumes it with the tables that were live.
 */

#include <dirent.h>
#include <fcntl.h>

#include "daemon/providers/lvm-command.h"
#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/lvm-strays.h"
#include "daemon/volumes/dm.h"
#include "daemon/volumes/volumes.h"
#include "util/error.h"
#include "util/freeze-trial.h"
#include "util/log.h"
#include "util/trial-lock.h"

/* The origin's dm uuid follows. */
#define NOTE_PREFIX      "suspending-"
#define DEAD_NOTE_PREFIX "suspended-" /* of a daemon before us */

/**
 * lvm_set_runtime_dir() - where notes are kept
 * @lvm:            the runner
 * @runtime_dir:    on a tmpfs
 *
 * Return: 0, or a negative errno.
 */
int lvm_set_runtime_dir(Lvm *lvm, const char *runtime_dir) {
        lvm->runtime_dir = strdup(runtime_dir);
        return lvm->runtime_dir ? 0 : error_origin(-ENOMEM);
}

static int note_path(const char *runtime_dir, const char *prefix, const char *key, char **ret) {
        if (asprintf(ret, "%s/%s%s", runtime_dir, prefix, key) < 0) {
                *ret = NULL;
                return error_origin(-ENOMEM);
        }
        return 0;
}

/**
 * lvm_origin_begin() - a command that may suspend an origin is about to start
 * @lvm:        the runner; without a runtime directory nothing is noted
 * @work:       what it is about
 *
 * Return: whether one before it was killed, so that the origin may be suspended.
 */
bool lvm_origin_begin(const Lvm *lvm, const LvmOriginWork *work) {
        _cleanup_free_ char *path = NULL, *dead = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (!lvm->runtime_dir || note_path(lvm->runtime_dir, NOTE_PREFIX, work->key, &path) < 0 ||
            note_path(lvm->runtime_dir, DEAD_NOTE_PREFIX, work->key, &dead) < 0)
                return false;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return errno == EEXIST;
        (void) dprintf(fd, "%s %s\n", work->snapshot_vg, work->snapshot_lv);
        return access(dead, F_OK) == 0;
}

/**
 * lvm_origin_end() - it has ended by itself
 * @lvm:        the runner
 * @key:        the origin's dm uuid
 */
void lvm_origin_end(const Lvm *lvm, const char *key) {
        static const char *const prefixes[] = {NOTE_PREFIX, DEAD_NOTE_PREFIX};

        for (size_t i = 0; lvm->runtime_dir && i < ELEMENTSOF(prefixes); i++) {
                _cleanup_free_ char *path = NULL;

                if (note_path(lvm->runtime_dir, prefixes[i], key, &path) == 0)
                        (void) unlink(path);
        }
}

/* What LVM has loaded and not made live must not become so: the new table of the origin refers to a device
 * that may have none yet. What was live is right, until LVM loads it anew. */
static void origin_resume(const char *key) {
        char real[LVM_DM_TEXT_SIZE];
        int r;

        (void) snprintf(real, sizeof(real), "%s-real", key);
        (void) dm_clear_uuid(real);
        (void) dm_resume_uuid(real); /* it may have no table at all */
        (void) dm_clear_uuid(key);
        r = dm_resume_uuid(key);
        if (r > 0)
                log_warning("An lvm command was killed and left %s suspended; it is resumed.", key);
        else if (r < 0 && r != -ENXIO)
                log_error("%s was left suspended by an lvm command that was killed, and cannot be resumed: "
                          "%s. Run: dmsetup resume --uuid %s",
                          key, strerror(-r), key);
}

/**
 * lvm_origins_resume() - what commands of a dead daemon may have left suspended
 * @runtime_dir:        where that is noted, or NULL
 *
 * Their notes are kept apart from those to come.
 */
void lvm_origins_resume(const char *runtime_dir) {
        DIR *directory = runtime_dir ? opendir(runtime_dir) : NULL;

        if (!directory)
                return;
        for (struct dirent *entry; (entry = readdir(directory));) {
                const char *key = entry->d_name + strlen(NOTE_PREFIX);
                _cleanup_free_ char *dead = NULL;

                if (strncmp(entry->d_name, NOTE_PREFIX, strlen(NOTE_PREFIX)) != 0)
                        continue;
                origin_resume(key);
                if (asprintf(&dead, DEAD_NOTE_PREFIX "%s", key) < 0)
                        dead = NULL;
                else
                        (void) renameat(dirfd(directory), entry->d_name, dirfd(directory), dead);
        }
        (void) closedir(directory);
}

/* "VG LV", of the snapshot. */
static int note_read(int directory_fd, const char *name, char vg[static LVM_VG_SIZE],
                     char lv[static LVM_VG_SIZE]) {
        _cleanup_close_ int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        char text[2 * LVM_VG_SIZE];
        ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

        if (n < 0)
                return -errno;
        text[n] = '\0';
        return sscanf(text, "%127s %127s", vg, lv) == 2 ? 0 : -EBADMSG;
}

/**
 * lvm_origins_each_dead() - which snapshots commands of a dead daemon were killed over
 * @lvm:        the runner
 * @call:       called for each
 * @userdata:   for @call
 *
 * Return: 0, or the last error.
 */
int lvm_origins_each_dead(const Lvm *lvm, LvmDeadOrigin call, void *userdata) {
        DIR *directory = lvm->runtime_dir ? opendir(lvm->runtime_dir) : NULL;
        int r = 0;

        if (!directory)
                return 0;
        for (struct dirent *entry; (entry = readdir(directory));) {
                char vg[LVM_VG_SIZE], lv[LVM_VG_SIZE];
                int q = 0;

                if (strncmp(entry->d_name, DEAD_NOTE_PREFIX, strlen(DEAD_NOTE_PREFIX)) != 0)
                        continue;
                if (note_read(dirfd(directory), entry->d_name, vg, lv) == 0)
                        q = call(entry->d_name + strlen(DEAD_NOTE_PREFIX), vg, lv, userdata);
                if (q == 0)
                        (void) unlinkat(dirfd(directory), entry->d_name, 0);
                r = q < 0 ? q : r;
        }
        (void) closedir(directory);
        return r;
}

static int refuse_suspended(const LvmOriginWork *work) {
        (void) dprintf(STDERR_FILENO,
                       "The device of %s is suspended by somebody. Find out by whom (dmsetup info), and "
                       "resume it.\n",
                       work->name);
        return LVM_STATUS_REFUSED;
}

static int refuse_frozen(const LvmOriginWork *work, const VolumeMount *mount) {
        (void) dprintf(STDERR_FILENO,
                       "The file system at %s on %s is frozen by someone else (fsfreeze -f, or a program "
                       "that died while it held it). If nobody needs that, thaw it: fsfreeze -u %s.\n",
                       mount->mount_point, work->name, mount->mount_point);
        return LVM_STATUS_REFUSED;
}

/* LVM's suspend reaches only what is mounted directly; what lies above is written out all the same. */
static int mount_prepare(const LvmOriginWork *work, const VolumeMount *mount) {
        _cleanup_close_ int fd = volume_mount_open(mount->mount_point, mount->mount_id);

        if (fd < 0)
                return 0;
        (void) syncfs(fd);
        return mount->direct && freeze_trial(fd) == -EBUSY ? refuse_frozen(work, mount) : 0;
}

static int mounts_prepare(const LvmOriginWork *work) {
        _cleanup_(volume_world_freep) VolumeWorld *world = NULL;
        _cleanup_(volume_freep) Volume *origin = NULL;
        dev_t device;
        int r = 0;

        /* What cannot be found out is left to LVM. */
        if (lvm_dm_device(work->key, &device) != 0 || volume_world_new(&world, NULL) < 0 ||
            volume_new(&origin, world, device) < 0)
                return 0;
        for (uint32_t depth = 0; depth <= origin->depth && r == 0; depth++)
                for (size_t i = 0; i < origin->n_mounts && r == 0; i++)
                        if (origin->mounts[i].depth == depth)
                                r = mount_prepare(work, &origin->mounts[i]);
        return r;
}

/**
 * lvm_origin_prepare() - in the command's own process, before it is executed
 * @argument:   an LvmOriginWork
 *
 * Return: 0; or LVM_STATUS_REFUSED, having said why.
 */
int lvm_origin_prepare(void *argument) {
        const LvmOriginWork *work = argument;

        if (work->top_key && lvm_copy_remove_device(work->top_key) != 0)
                return LVM_STATUS_REFUSED;
        if (work->resume)
                origin_resume(work->key);
        if (work->clears)
                (void) lvm_strays_remove(&(LvmStrays){.lock_path = work->lock_path,
                                                      .vg = work->snapshot_vg,
                                                      .lv = work->snapshot_lv,
                                                      .origin_key = work->key});
        if (work->thin_pool_key)
                (void) lvm_strays_delete_thin(work->lock_path, work->thin_pool_key, work->thin_id);
        if (!work->suspends)
                return 0;
        if (dm_uuid_is_suspended(work->key) > 0)
                return refuse_suspended(work);
        if (work->lock_fd >= 0) /* before what a trial would keep waiting */
                (void) trial_lock_wait(work->lock_fd, false);
        return mounts_prepare(work);
}
