/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How fast something fills: a ring of samples over a span of time. Pure. */

#include <stdbool.h>
#include <stdint.h>

#define GROWTH_SAMPLES_MAX 31u

typedef struct GrowthSample {
        uint64_t usec; /* of a clock that never goes backwards */
        uint64_t bytes;
} GrowthSample;

typedef struct Growth {
        GrowthSample samples[GROWTH_SAMPLES_MAX];
        unsigned n, first;
} Growth;

void growth_add(Growth *growth, uint64_t usec, uint64_t bytes, uint64_t span_usec);
bool growth_per_hour(const Growth *growth, uint64_t *ret);
bool growth_full_in(uint64_t per_hour, uint64_t used, uint64_t allocated, uint64_t *ret_usec);
