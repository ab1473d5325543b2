/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names and uuids that LVM gives its device-mapper devices. */

#include "util/macro.h"

#define LVM_UUID_PREFIX "LVM-"
#define LVM_ID_LENGTH   32u

/* "vg--a-lv" → "vg-a", "lv". Return: 0, -EINVAL if it is no such name, -ENOMEM. */
int lvm_name_split(const char *dm_name, char **ret_vg, char **ret_lv);
/* The device of a logical volume itself, not one of its parts ("-cow", "-real", "-tpool" …). */
bool lvm_uuid_is_volume(const char *dm_uuid);
/* LVM's report writes uuids as "aaaaaa-bbbb-…"; device-mapper wants "LVM-" + both without hyphens + suffix.
 * Return: 0, -EINVAL. */
int lvm_uuid_make(char *buffer, size_t size, const char *vg_uuid, const char *lv_uuid, const char *suffix);
