/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copying, removing and cleaning up trees of files, for the test provider alone. */

#include "util/macro.h"

int test_files_copy(int directory_fd, const char *from, const char *to);
int test_files_remove(int directory_fd, const char *path);
int test_files_recover(int directory_fd, bool (*keep)(const char *set_id, void *userdata), void *userdata);
