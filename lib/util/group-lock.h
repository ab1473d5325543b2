/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * LVM's own lock of a volume group, V_<group> in its global/locking_dir: whoever has it is the only one to
 * change the group's volumes or their devices, activation included, as long as LVM alone does so
 * (kernel-notes, fact 9).
 */

enum {
        _GROUP_LOCK_E_SUCCESS,
        GROUP_LOCK_E_BUSY, /* somebody else has it, or the file became another one under our hands */
};

/* Never waits. Return: 0, GROUP_LOCK_E_BUSY, or a negative errno. */
int group_lock_try(const char *path, int *ret);

/* Waits as long as it takes; not for an event loop. Return: as of open(), or a negative errno. */
int group_lock_wait(const char *path);
