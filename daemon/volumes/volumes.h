/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Volumes: which block device lies under what a caller names, and which file systems lie on it.
 *
 * All of it comes from mountinfo (other namespaces' too, if ours does not show all) and sysfs, read anew
 * into a VolumeWorld whenever it is needed: both are the kernel's memory, no read of them waits for a disk
 * or a server. No path a caller gave is ever opened, looked up or stat()ed; it is compared, nothing else.
 */

#include <sys/types.h>

#include "util/macro.h"

#define VOLUME_MOUNTS_MAX 64u

typedef struct VolumeWorld VolumeWorld;

/* One file system that lies on a volume, by the one of its mounts that shows most of it. */
typedef struct VolumeMount {
        uint64_t mount_id;
        dev_t device;      /* as stat() tells for its files */
        char *mount_point; /* "/proc/PID/root/…" if it is in another mount namespace alone */
        char *type;
        bool direct;    /* mounted on the volume's own device */
        uint32_t depth; /* 0: topmost; one mounted from a file on another lies above that */
} VolumeMount;

/* A device that a file system of a volume lies on as well. */
typedef struct VolumeBeside {
        dev_t device; /* 0: it is not there */
        char *name;   /* for people */
} VolumeBeside;

typedef struct Volume {
        dev_t device;
        char *name;              /* "vg/lv", else the kernel's or device-mapper's name */
        char *key;               /* the device-mapper uuid, else "block:MAJOR:MINOR" */
        char *path;              /* of its device node */
        char *dm_name, *dm_uuid; /* NULL: no device-mapper device */
        char *vg, *lv;           /* NULL: no logical volume */
        uint64_t size;           /* bytes */
        uint32_t depth;          /* how many layers of devices or files lie above it, at most */
        bool suspended;
        char *swap;        /* the swap area on it, or NULL; a swap file is none */
        char *other_layer; /* uuid of a device above it that is not a file system ("CRYPT-LUKS2-…"), or NULL
                            */
        char *file_system; /* type of what is mounted directly, or NULL */
        VolumeMount *mounts;
        size_t n_mounts;
        char **mount_points; /* all places where something of it is seen, NULL-terminated */
        size_t n_mount_points;
        dev_t *above; /* all devices that lie on it, itself included */
        size_t n_above;
        VolumeBeside *beside; /* other devices of its file systems (btrfs; a journal or log elsewhere) */
        size_t n_beside;
        char *unreachable; /* a device above it whose file system is mounted where we cannot open it, or NULL
                            */
} Volume;

/* Where to look, for tests; NULL: the kernel's. */
typedef struct VolumeSources {
        const char *mountinfo;
        const char *swaps;
        const char *sysfs;
        const char *proc;
        const char *dev;
} VolumeSources;

enum {
        _VOLUME_SUCCESS,
        VOLUME_NOT_FOUND,     /* no mount point, no device of that name */
        VOLUME_NOT_ON_DEVICE, /* found, but what is mounted there has no block device (tmpfs, nfs …) */
};

int volume_world_new(VolumeWorld **ret, const VolumeSources *sources);
VolumeWorld *volume_world_free(VolumeWorld *world);
DEFINE_CLEANUP(VolumeWorld *, volume_world_free)

int volume_world_find_name(const VolumeWorld *world, const char *name, dev_t *ret);
int volume_world_find_fd(const VolumeWorld *world, int fd, dev_t *ret);
int volume_world_find_path(const VolumeWorld *world, const char *path, dev_t *ret);

/* Where a mount is; -ENOENT: it is there no more. */
int volume_world_find_mount(VolumeWorld *world, uint64_t mount_id, char **ret);

/* Through LUKS and the like down to the logical volume; the same device if there is none. */
dev_t volume_world_find_logical(const VolumeWorld *world, dev_t device);

int volume_new(Volume **ret, VolumeWorld *world, dev_t device);
Volume *volume_free(Volume *volume);
DEFINE_CLEANUP(Volume *, volume_free)
/* A descriptor on the mount's root, of that very mount; opening may block: for children alone. */
int volume_mount_open(const char *mount_point, uint64_t mount_id);
/* What its superblocks tell of other devices: the first is for a forked child, which may block; what it says
 * on stdout is the second's. */
void volume_child_tell_beside(const VolumeWorld *world, const Volume *volume);
int volume_note_beside(Volume *volume, const char *told);
/* Whether that device lies on it, or is it. */
bool volume_carries(const Volume *volume, dev_t device);

/* Every logical volume that is active and for users, in no order. */
size_t volume_world_count_logical(const VolumeWorld *world);
dev_t volume_world_get_logical(const VolumeWorld *world, size_t index);
/* Every other device of device-mapper that is a volume by itself, in no order; names of ours among them. */
size_t volume_world_count_mapped(const VolumeWorld *world);
dev_t volume_world_get_mapped(const VolumeWorld *world, size_t index);
