/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which mounts on the host are ours; see mount-record.h. Only files below /run and a descriptor's own mount
 * are looked at, so nothing here blocks.
 */

#include "daemon/sets/mount-record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "util/error.h"
#include "util/macro.h"

#define GIVES_WAY " gives-way" /* after the id */

static int record_path(char **ret, const char *runtime_dir, const char *snapshot_id) {
        if (asprintf(ret, "%s/mounts/%s", runtime_dir, snapshot_id) < 0) {
                *ret = NULL;
                return error_origin(-ENOMEM);
        }
        return 0;
}

static int make_directory(const char *runtime_dir) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/mounts", runtime_dir) < 0) {
                path = NULL;
                return error_origin(-ENOMEM);
        }
        return mkdir(path, 0700) < 0 && errno != EEXIST ? error_origin(-errno) : 0;
}

static int write_line(const char *path, uint64_t number, const char *words) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return error_origin(-errno);
        return dprintf(fd, "%" PRIu64 "%s\n", number, words) < 0 ? error_origin(-errno) : 0;
}

/**
 * mount_record_write() - note that a snapshot is mounted on the host
 * @runtime_dir:    /run/quiesced
 * @snapshot_id:    UUID text
 * @tree_fd:        of the mount
 * @gives_way:      to who deletes the snapshot
 *
 * Return: 0, or a negative errno.
 */
int mount_record_write(const char *runtime_dir, const char *snapshot_id, int tree_fd, bool gives_way) {
        _cleanup_free_ char *path = NULL;
        struct statx stx;
        int r;

        if (statx(tree_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) < 0)
                return error_origin(-errno);
        if (!(stx.stx_mask & STATX_MNT_ID))
                return error_origin(-EOPNOTSUPP);
        r = make_directory(runtime_dir);
        if (r == 0)
                r = record_path(&path, runtime_dir, snapshot_id);
        return r < 0 ? error_trace(r)
                     : error_trace(write_line(path, stx.stx_mnt_id, gives_way ? GIVES_WAY : ""));
}

/**
 * mount_record_read() - as which mount a snapshot is mounted on the host
 * @runtime_dir:    /run/quiesced
 * @snapshot_id:    UUID text
 *
 * Return: the mount's id; 0: none is known.
 */
uint64_t mount_record_read(const char *runtime_dir, const char *snapshot_id) {
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *file = NULL;
        uint64_t id;

        if (record_path(&path, runtime_dir, snapshot_id) < 0)
                return 0;
        file = fopen(path, "re");
        return file && fscanf(file, "%" SCNu64, &id) == 1 ? id : 0;
}

/**
 * mount_record_gives_way() - whether that mount is no reason to keep the snapshot
 * @runtime_dir:    /run/quiesced
 * @snapshot_id:    UUID text
 *
 * Return: whether; false if none is known.
 */
bool mount_record_gives_way(const char *runtime_dir, const char *snapshot_id) {
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *file = NULL;
        char line[64];

        if (record_path(&path, runtime_dir, snapshot_id) < 0)
                return false;
        file = fopen(path, "re");
        return file && fgets(line, sizeof(line), file) && strstr(line, GIVES_WAY "\n");
}

/**
 * mount_record_forget() - a snapshot is mounted no more
 * @runtime_dir:    /run/quiesced
 * @snapshot_id:    UUID text
 */
void mount_record_forget(const char *runtime_dir, const char *snapshot_id) {
        _cleanup_free_ char *path = NULL;

        if (record_path(&path, runtime_dir, snapshot_id) == 0)
                (void) unlink(path);
}
