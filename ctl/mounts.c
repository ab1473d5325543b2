/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The mount table; see mounts.h.
 *
 * A path is resolved as the kernel walks it: from the root mount, at each step to the mount whose point is
 * reached first. So mounts that lie hidden below another one are never found.
 */

#include "ctl/mounts.h"

#include <errno.h>
#include <libmount/libmount.h>
#include <sys/sysmacros.h>

#include "util/error.h"

/**
 * mount_table_free() - free a mount table
 * @table:      the table or NULL
 *
 * Return: NULL.
 */
MountTable *mount_table_free(MountTable *table) {
        if (!table)
                return NULL;
        for (size_t i = 0; i < table->n_mounts; i++) {
                free(table->mounts[i].point);
                free(table->mounts[i].root);
                free(table->mounts[i].type);
                free(table->mounts[i].source);
        }
        free(table->mounts);
        free(table);
        return NULL;
}

static char *string_or_empty(const char *s) {
        return strdup(s ? s : "");
}

static int mount_read(Mount *mount, struct libmnt_fs *fs) {
        *mount = (Mount){
                .id = mnt_fs_get_id(fs),
                .parent_id = mnt_fs_get_parent_id(fs),
                .device = mnt_fs_get_devno(fs),
                .point = string_or_empty(mnt_fs_get_target(fs)),
                .root = string_or_empty(mnt_fs_get_root(fs)),
                .type = string_or_empty(mnt_fs_get_fstype(fs)),
                .source = string_or_empty(mnt_fs_get_source(fs)),
        };
        if (!mount->point || !mount->root || !mount->type || !mount->source)
                return error_origin(-ENOMEM);
        mount->kernel = mnt_fs_is_pseudofs(fs) && !streq(mount->type, "tmpfs");
        return 0;
}

static int mount_table_read(MountTable *table, struct libmnt_table *lines) {
        struct libmnt_iter *iterator;
        struct libmnt_fs *fs;
        int r = 0;

        table->mounts = calloc((size_t) mnt_table_get_nents(lines) + 1, sizeof(Mount));
        iterator = mnt_new_iter(MNT_ITER_FORWARD);
        if (!table->mounts || !iterator)
                r = error_origin(-ENOMEM);
        while (r == 0 && mnt_table_next_fs(lines, iterator, &fs) == 0)
                r = mount_read(&table->mounts[table->n_mounts++], fs);
        mnt_free_iter(iterator);
        return error_trace(r);
}

/**
 * mount_table_new() - read a mount table
 * @ret:        the table; mount_table_free() it
 * @file:       NULL: the caller's own; else a file in the format of /proc/self/mountinfo
 *
 * Return: 0 or a negative errno.
 */
int mount_table_new(MountTable **ret, const char *file) {
        _cleanup_(mount_table_freep) MountTable *table = NULL;
        struct libmnt_table *lines;
        int r;

        table = calloc(1, sizeof(*table));
        lines = mnt_new_table();
        if (!table || !lines)
                r = -ENOMEM;
        else
                r = mnt_table_parse_file(lines, file ? file : "/proc/self/mountinfo");
        if (r == 0)
                r = mount_table_read(table, lines);
        mnt_unref_table(lines);
        if (r != 0)
                return error_origin(r < 0 ? r : -EBADMSG);
        *ret = TAKE_PTR(table);
        return 0;
}

/**
 * path_is_below() - whether a path is a directory or something in it, compared as text
 * @path:       absolute, without links
 * @directory:  likewise
 *
 * Return: true also if both are the same.
 */
bool path_is_below(const char *path, const char *directory) {
        size_t length = strlen(directory);

        if (streq(directory, "/"))
                return path[0] == '/';
        return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static const Mount *mount_table_root(const MountTable *table) {
        const Mount *root = NULL;

        for (size_t i = 0; i < table->n_mounts && !root; i++) {
                const Mount *mount = &table->mounts[i];
                bool has_parent = false;

                if (!streq(mount->point, "/"))
                        continue;
                for (size_t k = 0; k < table->n_mounts; k++)
                        has_parent = has_parent || (k != i && table->mounts[k].id == mount->parent_id);
                if (!has_parent)
                        root = mount;
        }
        return root;
}

/* The mount that a walk to path enters next from `from`, or NULL if it ends there. */
static const Mount *mount_table_step(const MountTable *table, const Mount *from, const char *path) {
        const Mount *next = NULL;

        for (size_t i = 0; i < table->n_mounts; i++) {
                const Mount *mount = &table->mounts[i];

                if (mount == from || mount->parent_id != from->id || !path_is_below(path, mount->point))
                        continue;
                if (!next || strlen(mount->point) < strlen(next->point))
                        next = mount;
        }
        return next;
}

/**
 * mount_table_resolve() - the mount that is seen at a path
 * @table:      the table
 * @path:       absolute, without links
 *
 * Return: the mount, the table's own; NULL if the table has no root.
 */
const Mount *mount_table_resolve(const MountTable *table, const char *path) {
        const Mount *mount = mount_table_root(table), *next;
        size_t steps = 0;

        while (mount && (next = mount_table_step(table, mount, path)) && steps++ < table->n_mounts)
                mount = next;
        return mount;
}

/**
 * mount_table_add() - enter a mount that is not there, on top of what is seen at its point
 * @table:      the table; mounts of it that somebody has got may move
 * @point:      absolute, without links
 * @device:     of its file system
 * @type:       likewise
 * @source:     what is mounted
 *
 * Return: 0 or a negative errno.
 */
int mount_table_add(MountTable *table, const char *point, dev_t device, const char *type,
                    const char *source) {
        const Mount *below = mount_table_resolve(table, point);
        int parent_id = below ? below->id : -1;
        Mount *more, *mount;

        more = reallocarray(table->mounts, table->n_mounts + 1, sizeof(*more));
        if (!more)
                return error_origin(-ENOMEM);
        table->mounts = more;
        mount = &more[table->n_mounts];
        *mount = (Mount){
                .id = -(int) table->n_mounts - 2, /* the kernel's are positive */
                .parent_id = parent_id,
                .device = device,
                .point = strdup(point),
                .root = strdup("/"),
                .type = string_or_empty(type),
                .source = string_or_empty(source),
        };
        table->n_mounts++;
        return mount->point && mount->root && mount->type && mount->source ? 0 : error_origin(-ENOMEM);
}

/**
 * mount_is_block() - whether a file system lies on a block device, as far as mountinfo tells
 * @mount:      the mount
 *
 * Return: true for btrfs too, whose device number is none.
 */
bool mount_is_block(const Mount *mount) {
        if (streq(mount->type, "btrfs"))
                return true;
        return major(mount->device) != 0 && strncmp(mount->source, "/dev/", 5) == 0;
}

/**
 * path_inside_mount() - where a path lies in the file system that is mounted there
 * @mount:      the mount at @path
 * @path:       absolute, without links
 *
 * Return: the path from the file system's root, relative, "" for the root itself; free() it. NULL: no
 * memory.
 */
char *path_inside_mount(const Mount *mount, const char *path) {
        const char *root = streq(mount->root, "/") ? "" : mount->root + 1;
        const char *rest = path + (streq(mount->point, "/") ? 0 : strlen(mount->point));
        char *inside;

        while (*rest == '/')
                rest++;
        if (asprintf(&inside, "%s%s%s", root, *root && *rest ? "/" : "", rest) < 0)
                return NULL;
        return inside;
}
