/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How fast something fills; see growth.h.
 */

#include "daemon/sets/growth.h"

#include "util/macro.h"

#define HOUR_USEC (3600 * USEC_PER_SEC)

static const GrowthSample *newest(const Growth *growth) {
        return &growth->samples[(growth->first + growth->n - 1) % GROWTH_SAMPLES_MAX];
}

/**
 * growth_add() - take a sample
 * @growth:     changed, unless the last sample is so young that the ring would not hold the span
 * @usec:       when; not before the last one
 * @bytes:      how much is used
 * @span_usec:  over how long growth is measured
 */
void growth_add(Growth *growth, uint64_t usec, uint64_t bytes, uint64_t span_usec) {
        if (growth->n > 0 && usec - newest(growth)->usec < span_usec / (GROWTH_SAMPLES_MAX - 1))
                return;
        if (growth->n == GROWTH_SAMPLES_MAX)
                growth->first = (growth->first + 1) % GROWTH_SAMPLES_MAX;
        else
                growth->n++;
        growth->samples[(growth->first + growth->n - 1) % GROWTH_SAMPLES_MAX] = (GrowthSample){usec, bytes};
}

/**
 * growth_per_hour() - how fast it fills
 * @growth:     the samples
 * @ret:        bytes an hour; 0 if it does not grow
 *
 * Return: false if there are less than two samples.
 */
bool growth_per_hour(const Growth *growth, uint64_t *ret) {
        const GrowthSample *last, *first;

        if (growth->n < 2)
                return false;
        first = &growth->samples[growth->first];
        last = newest(growth);
        *ret = 0;
        if (last->bytes > first->bytes && last->usec > first->usec)
                *ret = (uint64_t) ((double) (last->bytes - first->bytes) * (double) HOUR_USEC /
                                   (double) (last->usec - first->usec));
        return true;
}

/**
 * growth_full_in() - when it will be full, if it goes on like that
 * @per_hour:   bytes an hour
 * @used:       bytes
 * @allocated:  bytes
 * @ret_usec:   from now
 *
 * Return: false if it does not grow, or so slowly that it takes more than a hundred years.
 */
bool growth_full_in(uint64_t per_hour, uint64_t used, uint64_t allocated, uint64_t *ret_usec) {
        double hours;

        if (per_hour == 0)
                return false;
        hours = used < allocated ? (double) (allocated - used) / (double) per_hour : 0;
        if (hours > 100.0 * 366 * 24)
                return false;
        *ret_usec = (uint64_t) (hours * (double) HOUR_USEC);
        return true;
}
