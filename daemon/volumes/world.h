/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The block devices and mounts as they are at one moment, for the files of this room alone. */

#include <libmount/libmount.h>

#include "daemon/volumes/volumes.h"

#define LAYERS_MAX 16u

typedef struct Device {
        dev_t number;
        char *kernel_name;
        char *dm_name, *dm_uuid; /* NULL: not device-mapper's */
        char *vg, *lv;           /* NULL: no logical volume for users */
        char *backing_file;      /* of a loop device, or NULL */
        uint64_t size;
        bool suspended;
        char **holders; /* kernel names, NULL-terminated; partitions count as such */
        size_t n_holders;
} Device;

/* A mount namespace that is not ours. */
typedef struct MountNamespace {
        char *name; /* "mnt:[4026531841]" */
        char *root; /* of a process in it: "/proc/PID/root" */
        struct libmnt_table *mounts;
} MountNamespace;

struct VolumeWorld {
        char *sysfs, *proc, *dev;
        Device *devices;
        size_t n_devices, n_allocated;
        struct libmnt_table *mounts;
        struct libmnt_table *swaps;
        MountNamespace *namespaces;
        size_t n_namespaces;
        bool namespaces_known;
};

int world_scan(VolumeWorld *world);
void device_done(Device *device);

const Device *world_find_device(const VolumeWorld *world, dev_t number);
const Device *world_find_kernel_name(const VolumeWorld *world, const char *name);
/* "/dev/…" or "vg/lv" */
const Device *world_find_device_name(const VolumeWorld *world, const char *name);
/* NULL: it has none. */
const Device *world_find_mount_device(const VolumeWorld *world, struct libmnt_fs *mount);
bool world_lies_directly_on(const VolumeWorld *world, const Device *device, const Device *below);
struct libmnt_fs *world_find_mount_of_path(const VolumeWorld *world, const char *path);
struct libmnt_fs *mounts_find_path(struct libmnt_table *mounts, const char *path);

/* namespaces.c */
int world_find_namespaces(VolumeWorld *world);
void world_forget_namespaces(VolumeWorld *world);
bool world_is_live(const VolumeWorld *world, const Device *device);
