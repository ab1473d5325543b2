/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * LVM's device-mapper names: group and volume joined by one hyphen, hyphens inside doubled; see
 * lvm-name.h.
 */

#include "daemon/volumes/lvm-name.h"

#include "util/error.h"

/* Copies up to the single hyphen or the end, halving the double ones. Return: where it stopped. */
static const char *part_copy(const char *from, char *to) {
        while (*from) {
                if (*from == '-' && from[1] != '-')
                        break;
                if (*from == '-')
                        from++;
                *to++ = *from++;
        }
        *to = '\0';
        return from;
}

/**
 * lvm_name_split() - take LVM's device-mapper name apart
 * @dm_name:    the name
 * @ret_vg:     volume group, to be freed
 * @ret_lv:     logical volume, to be freed
 *
 * Return: 0, -EINVAL if it is not of that form, or -ENOMEM.
 */
int lvm_name_split(const char *dm_name, char **ret_vg, char **ret_lv) {
        _cleanup_free_ char *vg = malloc(strlen(dm_name) + 1), *lv = malloc(strlen(dm_name) + 1);
        const char *rest;

        if (!vg || !lv)
                return error_origin(-ENOMEM);
        rest = part_copy(dm_name, vg);
        if (*rest != '-')
                return -EINVAL;
        rest = part_copy(rest + 1, lv);
        if (*rest != '\0' || vg[0] == '\0' || lv[0] == '\0')
                return -EINVAL;
        *ret_vg = TAKE_PTR(vg);
        *ret_lv = TAKE_PTR(lv);
        return 0;
}

/**
 * lvm_uuid_is_volume() - whether a uuid is that of a whole logical volume
 * @dm_uuid:    or NULL
 *
 * Return: true if it has no suffix.
 */
bool lvm_uuid_is_volume(const char *dm_uuid) {
        return dm_uuid && strncmp(dm_uuid, LVM_UUID_PREFIX, strlen(LVM_UUID_PREFIX)) == 0 &&
               strlen(dm_uuid) == strlen(LVM_UUID_PREFIX) + 2 * LVM_ID_LENGTH;
}

static bool id_append(char *buffer, size_t size, const char *id) {
        size_t n = strlen(buffer), begin = n;

        for (; *id; id++) {
                if (*id == '-')
                        continue;
                if (n + 1 >= size)
                        return false;
                buffer[n++] = *id;
                buffer[n] = '\0';
        }
        return n - begin == LVM_ID_LENGTH;
}

/**
 * lvm_uuid_make() - the device-mapper uuid of a logical volume
 * @buffer:     gets it
 * @size:       of @buffer, at least DM_UUID_LEN
 * @vg_uuid:    as LVM reports it
 * @lv_uuid:    as LVM reports it
 * @suffix:     "", "-cow", "-tpool" …
 *
 * Return: 0, or -EINVAL if these are no such uuids.
 */
int lvm_uuid_make(char *buffer, size_t size, const char *vg_uuid, const char *lv_uuid, const char *suffix) {
        (void) snprintf(buffer, size, "%s", LVM_UUID_PREFIX);
        if (!id_append(buffer, size, vg_uuid) || !id_append(buffer, size, lv_uuid) ||
            strlen(buffer) + strlen(suffix) >= size)
                return error_origin(-EINVAL);
        (void) snprintf(buffer + strlen(buffer), size - strlen(buffer), "%s", suffix);
        return 0;
}
