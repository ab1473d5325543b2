/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What values in quiesced.conf mean. Each leaves its result as it is unless it returns 0. */

#include "util/macro.h"

int config_parse_usec(const char *s, uint64_t *ret);
int config_parse_size(const char *s, uint64_t *ret);
int config_parse_unsigned(const char *s, unsigned minimum, unsigned maximum, unsigned *ret);
int config_parse_boolean(const char *s, bool *ret);
