/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is left to device-mapper: it freezes a file system that lies directly on the device that it suspends.
 * Writes are held for the shorter time then, because no word need pass between freeze, suspend and thaw.
 */

#include "writers.d/fsfreeze/suspend.h"

#include <assert.h>
#include <stdio.h>

#include "util/macro.h"

/**
 * suspend_is_certain() - whether a suspend that succeeds has frozen the file system
 * @release:    of the kernel, as uname(2) tells it
 *
 * Before Linux 6.6 it has, or is refused with EBUSY. From then on freezes nest, and one that somebody left
 * unbalanced makes device-mapper pass the file system over without a word: there only an answer to FIFREEZE
 * proves a freeze.
 *
 * Return: true if so; false also for a release that is none.
 */
bool suspend_is_certain(const char *release) {
        unsigned major, minor;

        assert(release);

        if (sscanf(release, "%u.%u", &major, &minor) != 2)
                return false;
        return major < 6 || (major == 6 && minor < 6);
}

/**
 * suspend_freezes() - whether the suspend of its volume freezes a file system, once
 * @file_system:        of a set
 *
 * One on several devices would be frozen by the suspend of each, and the second would fail: only types that
 * have one device are left to them.
 *
 * Return: true if so.
 */
bool suspend_freezes(const QuiesceFileSystem *file_system) {
        static const char *const types[] = {"ext2", "ext3", "ext4", "xfs"};

        for (size_t i = 0; file_system->direct && i < ELEMENTSOF(types); i++)
                if (streq(file_system->type, types[i]))
                        return true;
        return false;
}
