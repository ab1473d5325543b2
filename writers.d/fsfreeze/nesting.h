/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which file system lies in a file of which other, and in which order they are frozen: the inner one first.
 * Several mounts of one file system are one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define NESTING_MAX 16u

typedef struct Nested {
        dev_t device;             /* as mountinfo tells it */
        dev_t outer[NESTING_MAX]; /* the file systems in whose files it lies */
        size_t n_outer;
        unsigned depth; /* 0: innermost, frozen first */
        size_t same_as; /* the first with this device; itself normally */
} Nested;

/* Finds `outer`: through loop devices and whatever is between. devices_directory: below sysfs, of a file
 * system without a block device's number ("fs/btrfs/UUID/devices"); else NULL. */
void nesting_find_outer(Nested *nested, const char *sysfs, const char *devices_directory);
/* Finds depth and same_as of all. Return: the greatest depth. */
unsigned nesting_order(Nested *items, size_t n_items);
