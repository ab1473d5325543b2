/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lists of texts, NULL-terminated, that grow. */

#include <stddef.h>

#include "util/macro.h"

int texts_add(char ***texts, size_t *n, const char *text);
char **texts_free(char **texts);
DEFINE_CLEANUP(char **, texts_free)
