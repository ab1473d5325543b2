/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The few questions asked of device-mapper itself: short ioctls that wait for no disk. Not for the dark.
 */

#include <sys/types.h>

#include "util/macro.h"

#define LVM_DM_TEXT_SIZE 512u
#define LVM_DM_SECTOR    512u /* bytes */

enum {
        _LVM_DM_SUCCESS,
        LVM_DM_NOT_FOUND, /* no device of this uuid, or not of this target */
};

int lvm_dm_status(const char *uuid, const char *target, char ret[static LVM_DM_TEXT_SIZE]);
int lvm_dm_size(const char *uuid, uint64_t *ret);
int lvm_dm_table(const char *uuid, const char *target, char ret[static LVM_DM_TEXT_SIZE]);
int lvm_dm_device(const char *uuid, dev_t *ret);
unsigned lvm_dm_count_open(const char *uuid);
bool lvm_dm_is_open(const char *uuid);
/* Whether a device, or one of those it lies on, is among `devices`. sysfs only. */
bool lvm_dm_lies_on(dev_t device, const dev_t *devices, size_t n_devices);
