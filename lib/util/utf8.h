/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What may stand in a D-Bus string or on a terminal: valid UTF-8. */

#include <stdbool.h>
#include <stddef.h>

bool utf8_is_valid(const char *s);
void utf8_clean(char *s, size_t max);
