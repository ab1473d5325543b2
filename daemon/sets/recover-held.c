/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * At start: letting go what the journal of a dead daemon names. Synchronous, because nothing else matters
 * until it is done; ioctls only, on devices named by uuid and mounts named by id.
 *
 * quiesced-hold does the same by itself if it lives. Both are idempotent: a staged table that is gone, a
 * device that is not suspended and a file system that is not frozen are left as they are.
 */

#include <fcntl.h>
#include <jansson.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "daemon/sets/journal.h"
#include "daemon/sets/sets-internal.h"
#include "daemon/volumes/dm.h"
#include "util/error.h"
#include "util/log.h"

/* A staged table must not become live when the device is resumed: it would show a wrong instant. */
static void snapshot_let_go(const char *uuid) {
        int r;

        if (!uuid || uuid[0] == '\0')
                return;
        r = dm_clear_uuid(uuid);
        if (r >= 0)
                r = dm_resume_uuid(uuid);
        if (r < 0 && r != -ENXIO)
                log_error("The snapshot device %s could not be let go: %s.", uuid, strerror(-r));
}

static void origin_let_go(const char *uuid) {
        int r;

        if (!uuid)
                return;
        r = dm_resume_uuid(uuid);
        if (r > 0)
                log_warning("The volume %s was suspended and is resumed.", uuid);
        else if (r < 0 && r != -ENXIO)
                log_error("The volume %s could not be resumed: %s. Run: dmsetup resume --uuid %s", uuid,
                          strerror(-r), uuid);
}

/* The path is opened only if it is still that mount; what is mounted there now may be another's. */
static void mount_let_go(const char *mount_point, uint64_t mount_id) {
        _cleanup_close_ int fd = -EBADF;
        struct statx st;

        if (!mount_point)
                return;
        fd = open(mount_point, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0 ||
            st.stx_mnt_id != mount_id)
                return;
        if (ioctl(fd, FITHAW, 0) == 0)
                log_warning("The file system at %s was frozen and is thawed.", mount_point);
        else if (errno != EINVAL && errno != EOPNOTSUPP && errno != ENOTTY)
                log_error("The file system at %s could not be thawed: %s. Run: fsfreeze --unfreeze %s",
                          mount_point, strerror(errno), mount_point);
}

static void journal_let_go(json_t *root) {
        json_t *volumes = json_object_get(root, "volumes"), *mounts = json_object_get(root, "mounts"),
               *entry;
        size_t i;

        json_array_foreach(volumes, i, entry)
                snapshot_let_go(json_string_value(json_object_get(entry, "snapshot")));
        /* Written deepest first, and resumed in that order: an upper one may have to write to a lower one.
         */
        json_array_foreach(volumes, i, entry)
                origin_let_go(json_string_value(json_object_get(entry, "origin")));
        json_array_foreach(mounts, i, entry)
                mount_let_go(json_string_value(json_object_get(entry, "mount-point")),
                             (uint64_t) json_integer_value(json_object_get(entry, "mount-id")));
}

/**
 * sets_recover_held() - let go what a daemon that died may have held
 * @sets:       all sets, none yet
 *
 * Return: 0, or a negative errno if there is a journal that cannot be read.
 */
int sets_recover_held(Sets *sets) {
        _cleanup_free_ char *path = NULL;
        json_auto_t *root = NULL;
        json_error_t error;
        int r;

        r = journal_path(sets->config.runtime_dir, &path);
        if (r < 0)
                return error_trace(r);
        if (access(path, F_OK) < 0)
                return 0;
        root = json_load_file(path, 0, &error);
        if (!root) {
                log_error("The journal %s is damaged: %s. If something hangs: dmsetup info, fsfreeze "
                          "--unfreeze.",
                          path, error.text);
                (void) unlink(path);
                return error_origin(-EBADMSG);
        }
        journal_let_go(root);
        (void) unlink(path);
        return 0;
}
