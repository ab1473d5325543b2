/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lists of texts that grow. */

#include <stddef.h>

int texts_add(char ***texts, size_t *n, const char *text);
