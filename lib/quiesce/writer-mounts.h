/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which mount a file is in. A writer needs neither privileges nor device nodes for it: mountinfo and a
 * search permission on the way are enough.
 */

#include <sys/types.h>

#include "util/macro.h"

/* One line of /proc/self/mountinfo. */
typedef struct MountLine {
        uint64_t id, parent;
        dev_t device;
        char *root, *target;
} MountLine;

typedef struct MountLines {
        MountLine *items;
        size_t n;
} MountLines;

int mount_lines_read(MountLines *lines);
void mount_lines_done(MountLines *lines);
const MountLine *mount_lines_get(const MountLines *lines, uint64_t id);
int mount_lines_find(const MountLines *lines, int fd, const MountLine **ret);
const char *path_below(const char *path, const char *directory);
