/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Forked child: reads superblocks, to find the devices that a volume's file systems lie on as well. For each
 * one a line "MAJOR:MINOR NAME" on stdout, with 0:0 for one that is not there.
 */

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/volumes/superblock.h"
#include "daemon/volumes/world.h"
#include "util/error.h"

static bool read_superblock(const VolumeWorld *world, const Device *device, Superblock *ret) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        uint8_t bytes[SUPERBLOCK_SIZE];
        ssize_t n;

        if (asprintf(&path, "%s/%s%s", world->dev, device->dm_name ? "mapper/" : "",
                     device->dm_name ?: device->kernel_name) < 0) {
                path = NULL;
                return false;
        }
        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        n = fd >= 0 ? pread(fd, bytes, sizeof(bytes), 0) : -1;
        return n > 0 && superblock_parse(bytes, (size_t) n, ret);
}

static void tell(const Device *device, const char *otherwise) {
        if (device && device->vg)
                (void) dprintf(STDOUT_FILENO, "%u:%u %s/%s\n", major(device->number), minor(device->number),
                               device->vg, device->lv);
        else if (device)
                (void) dprintf(STDOUT_FILENO, "%u:%u %s\n", major(device->number), minor(device->number),
                               device->dm_name ?: device->kernel_name);
        else
                (void) dprintf(STDOUT_FILENO, "0:0 %s\n", otherwise);
}

static bool is_that_journal(const VolumeWorld *world, const Device *device, const Superblock *of) {
        Superblock sb;

        return device && read_superblock(world, device, &sb) && sb.is_journal &&
               memcmp(sb.uuid, of->journal_uuid, sizeof(sb.uuid)) == 0;
}

static void tell_journal(const VolumeWorld *world, const Superblock *sb) {
        const Device *found = world_find_device(world, sb->journal_device);
        const uint8_t *u = sb->journal_uuid;
        char text[96];

        if (!is_that_journal(world, found, sb))
                found = NULL;
        for (size_t i = 0; !found && i < world->n_devices; i++)
                if (is_that_journal(world, &world->devices[i], sb))
                        found = &world->devices[i];
        (void) snprintf(text, sizeof(text),
                        "a journal device that is not there (UUID "
                        "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x)",
                        u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
                        u[13], u[14], u[15]);
        tell(found, text);
}

/* An option of the device's mount that names another device. Return: whether there is one. */
static bool tell_option(const VolumeWorld *world, const Device *device, const char *option) {
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *mount;
        bool told = false;

        while (iter && !told && mnt_table_next_fs(world->mounts, iter, &mount) == 0) {
                _cleanup_free_ char *name = NULL;
                struct stat st;
                char *value;
                size_t n;

                if (world_find_mount_device(world, mount) != device ||
                    mnt_fs_get_option(mount, option, &value, &n) != 0 || !value)
                        continue;
                name = strndup(value, n);
                if (!name)
                        break;
                tell(stat(name, &st) == 0 ? world_find_device(world, st.st_rdev)
                                          : world_find_device_name(world, name),
                     name);
                told = true;
        }
        mnt_free_iter(iter);
        return told;
}

static void tell_of(const VolumeWorld *world, const Device *device) {
        Superblock sb;

        if (!read_superblock(world, device, &sb))
                return;
        if (sb.journal_elsewhere)
                tell_journal(world, &sb);
        if (sb.log_elsewhere && !tell_option(world, device, "logdev"))
                tell(NULL, "a log device, which only its mount would name: mount it first");
        if (sb.realtime_elsewhere && !tell_option(world, device, "rtdev"))
                tell(NULL, "a realtime device, which only its mount would name: mount it first");
}

/**
 * volume_child_tell_beside() - the child's part: what a volume's file systems lie on as well
 * @world:      the world
 * @volume:     of it; every device above it is looked at, itself included
 */
void volume_child_tell_beside(const VolumeWorld *world, const Volume *volume) {
        for (size_t i = 0; i < volume->n_above; i++) {
                const Device *device = world_find_device(world, volume->above[i]);

                if (device)
                        tell_of(world, device);
        }
}
