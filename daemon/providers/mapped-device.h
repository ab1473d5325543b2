/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Devices of device-mapper made, copied, switched and removed, by libdevmapper: for children alone, as they
 * wait for udev. And what sysfs tells, which is short.
 *
 * Tables may have keys of disks in them. They are never copied into memory of ours, libdevmapper and the
 * kernel wipe theirs (DM_SECURE_DATA_FLAG).
 */

#include <sys/types.h>

#include "daemon/providers/mapped-names.h"

typedef struct MappedDevice {
        dev_t number;
        char name[MAPPED_NAME_SIZE];
        bool suspended, staged, read_only; /* staged: it has a table that is not live */
        int open_count;
} MappedDevice;

/* Of a live table. Both texts live during the call only; @params may have a key in it. */
typedef void (*MappedTarget)(const char *type, const char *params, void *userdata);

enum {
        _MAPPED_DEVICE_SUCCESS,
        MAPPED_DEVICE_NOT_FOUND,
};

/* mapped-device-child.c */
int mapped_device_find(const char *uuid, MappedDevice *ret);
int mapped_device_each_target(const char *uuid, MappedTarget call, void *userdata, uint64_t *ret_sectors);
int mapped_device_create(const char *name, const char *uuid, bool read_only, uint64_t n_sectors,
                         const char *type, const char *params);
int mapped_device_create_copy(const char *name, const char *uuid, const char *from_uuid);
int mapped_device_switch(const char *uuid, bool read_only, uint64_t n_sectors, const char *type,
                         const char *params);
int mapped_device_switch_copy(const char *uuid, const char *from_uuid);
int mapped_device_rename(const char *from, const char *to);
int mapped_device_remove(const char *uuid, bool patiently);

/* mapped-device.c. Return: whether there is such a text. */
bool mapped_device_read(dev_t number, const char *attribute, char *ret, size_t size);
/* The devices on it ("holders") or below it ("slaves"). Return: how many there are, those beyond @size too.
 */
size_t mapped_device_list(dev_t number, const char *which, dev_t *ret, size_t size);
