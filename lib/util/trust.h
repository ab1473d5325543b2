/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether only root can change what a path leads to. */

#include <stddef.h>

enum {
        _TRUST_E_SUCCESS,
        TRUST_E_REFUSED, /* the text says why */
};

int trust_check(const char *path, char *text, size_t size);
