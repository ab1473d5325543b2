/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which mounts on the host are ours; see mount-record.h. Only files below /run, mountinfo and a descriptor's
 * own mount are looked at, so nothing here blocks.
 *
 * A line is "ID MAJOR:MINOR", then " writable" and " gives-way" where that is so.
 */

#include "daemon/sets/mount-record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libmount/libmount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/error.h"
#include "util/macro.h"

#define MOUNTINFO "/proc/self/mountinfo"
#define WRITABLE  " writable"
#define GIVES_WAY " gives-way"

static void unref_tablep(struct libmnt_table **table) {
        mnt_unref_table(*table);
}

static int record_path(char **ret, const char *runtime_dir, const char *snapshot_id, const char *suffix) {
        if (asprintf(ret, "%s/mounts/%s%s", runtime_dir, snapshot_id, suffix) < 0) {
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

static int mountinfo_read(struct libmnt_table **ret) {
        _cleanup_(unref_tablep) struct libmnt_table *table = mnt_new_table();
        int r;

        if (!table)
                return error_origin(-ENOMEM);
        r = mnt_table_parse_file(table, MOUNTINFO);
        if (r != 0)
                return error_origin(r < 0 ? r : -EIO);
        *ret = TAKE_PTR(table);
        return 0;
}

static struct libmnt_fs *mountinfo_find(struct libmnt_table *table, uint64_t id) {
        struct libmnt_iter *iterator = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *fs, *found = NULL;

        while (iterator && !found && mnt_table_next_fs(table, iterator, &fs) == 0)
                if ((uint64_t) mnt_fs_get_id(fs) == id)
                        found = fs;
        mnt_free_iter(iterator);
        return found;
}

/* Takes the record, or frees what it has. */
static int records_append(MountRecords *records, MountRecord record) {
        MountRecord *mounts = NULL;

        if (record.mount_point)
                mounts = reallocarray(records->mounts, records->n + 1, sizeof(*mounts));
        if (!mounts) {
                free(record.mount_point);
                return error_origin(-ENOMEM);
        }
        records->mounts = mounts;
        mounts[records->n++] = record;
        return 0;
}

/* A line that is none, or of a mount that is there no more, is left out. */
static int line_read(MountRecords *records, const char *line, struct libmnt_table *table) {
        unsigned major, minor;
        struct libmnt_fs *fs;
        MountRecord record = {.writable = strstr(line, WRITABLE), .gives_way = strstr(line, GIVES_WAY)};

        if (sscanf(line, "%" SCNu64 " %u:%u", &record.id, &major, &minor) != 3)
                return 0;
        record.device = makedev(major, minor);
        fs = mountinfo_find(table, record.id);
        if (!fs || mnt_fs_get_devno(fs) != record.device || !mnt_fs_get_target(fs))
                return 0;
        record.mount_point = strdup(mnt_fs_get_target(fs));
        return error_trace(records_append(records, record));
}

static int records_read(MountRecords *records, const char *path, struct libmnt_table *table) {
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        char line[128];
        int r = 0;

        if (!file)
                return errno == ENOENT ? 0 : error_origin(-errno);
        while (r == 0 && records->n < MOUNT_RECORDS_MAX && fgets(line, sizeof(line), file))
                r = line_read(records, line, table);
        return r;
}

/* As a whole or not at all. */
static int records_write(const MountRecords *records, const char *runtime_dir, const char *snapshot_id) {
        _cleanup_free_ char *path = NULL, *next = NULL;
        _cleanup_fclose_ FILE *file = NULL;
        int r;

        r = record_path(&path, runtime_dir, snapshot_id, "");
        if (r == 0)
                r = record_path(&next, runtime_dir, snapshot_id, ".next");
        if (r < 0)
                return error_trace(r);
        if (records->n == 0)
                return unlink(path) < 0 && errno != ENOENT ? error_origin(-errno) : 0;
        file = fopen(next, "we");
        if (!file)
                return error_origin(-errno);
        for (size_t i = 0; i < records->n; i++) {
                const MountRecord *record = &records->mounts[i];

                (void) fprintf(file, "%" PRIu64 " %u:%u%s%s\n", record->id, major(record->device),
                               minor(record->device), record->writable ? WRITABLE : "",
                               record->gives_way ? GIVES_WAY : "");
        }
        if (fflush(file) != 0 || rename(next, path) < 0)
                return error_origin(-errno);
        return 0;
}

/**
 * mount_records_done() - free what it holds
 * @records:    it
 */
void mount_records_done(MountRecords *records) {
        for (size_t i = 0; i < records->n; i++)
                free(records->mounts[i].mount_point);
        free(records->mounts);
        *records = (MountRecords){};
}

/**
 * mount_records_read() - as what a snapshot is mounted on the host, now
 * @ret:            all that are noted and still there, in the order they were mounted; mount_records_done()
 * it, also after an error
 * @runtime_dir:    /run/quiesced
 * @snapshot_id:    UUID text
 *
 * Return: 0, or a negative errno.
 */
int mount_records_read(MountRecords *ret, const char *runtime_dir, const char *snapshot_id) {
        _cleanup_(unref_tablep) struct libmnt_table *table = NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        *ret = (MountRecords){};
        r = record_path(&path, runtime_dir, snapshot_id, "");
        if (r < 0)
                return error_trace(r);
        if (access(path, F_OK) < 0 && errno == ENOENT)
                return 0; /* of most snapshots: the mounts need not be read */
        r = mountinfo_read(&table);
        return error_trace(r < 0 ? r : records_read(ret, path, table));
}

/**
 * mount_records_add() - note that a snapshot is mounted on the host
 * @runtime_dir:    /run/quiesced
 * @snapshot_id:    UUID text
 * @tree_fd:        of the mount
 * @writable:       it is one of its copy
 * @gives_way:      to who deletes the snapshot
 *
 * Return: 0, also if it was unmounted already; or a negative errno.
 */
int mount_records_add(const char *runtime_dir, const char *snapshot_id, int tree_fd, bool writable,
                      bool gives_way) {
        _cleanup_(unref_tablep) struct libmnt_table *table = NULL;
        _cleanup_(mount_records_done) MountRecords records = {};
        struct libmnt_fs *fs;
        struct statx stx;
        int r;

        if (statx(tree_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) < 0)
                return error_origin(-errno);
        if (!(stx.stx_mask & STATX_MNT_ID))
                return error_origin(-EOPNOTSUPP);
        r = mountinfo_read(&table);
        if (r == 0)
                r = make_directory(runtime_dir);
        if (r == 0)
                r = mount_records_read(&records, runtime_dir, snapshot_id);
        if (r < 0)
                return error_trace(r);
        fs = mountinfo_find(table, stx.stx_mnt_id);
        if (!fs)
                return 0;
        r = records_append(&records, (MountRecord){.id = stx.stx_mnt_id,
                                                   .device = mnt_fs_get_devno(fs),
                                                   .mount_point = strdup(mnt_fs_get_target(fs) ?: ""),
                                                   .writable = writable,
                                                   .gives_way = gives_way});
        return error_trace(r < 0 ? r : records_write(&records, runtime_dir, snapshot_id));
}

/**
 * mount_records_prune() - forget what is mounted no more
 * @runtime_dir:    /run/quiesced
 * @snapshot_id:    UUID text
 *
 * What cannot be forgotten does no harm: it is not told, either.
 */
void mount_records_prune(const char *runtime_dir, const char *snapshot_id) {
        _cleanup_(mount_records_done) MountRecords records = {};

        if (mount_records_read(&records, runtime_dir, snapshot_id) == 0)
                (void) records_write(&records, runtime_dir, snapshot_id);
}
