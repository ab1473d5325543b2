/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Durations, sizes and times as text; see format.h.
 */

#include "ctl/format.h"

#include <inttypes.h>
#include <time.h>

#include "util/error.h"
#include "util/macro.h"

static const char size_units[] = "BKMGTPE";

/* "4 min 7 s"; what there is none of is left out. */
static void format_two(char buffer[static FORMAT_MAX], uint64_t usec, uint64_t large, const char *large_name,
                       uint64_t small, const char *small_name) {
        uint64_t rest = usec % large / small;
        int n;

        n = snprintf(buffer, FORMAT_MAX, "%" PRIu64 " %s", usec / large, large_name);
        if (rest > 0)
                (void) snprintf(buffer + n, FORMAT_MAX - (size_t) n, " %" PRIu64 " %s", rest, small_name);
}

/**
 * format_duration() - "83 ms", "1.52 s", "4 min 7 s", "5 h 30 min", "30 d 12 h", "2 min"
 * @buffer:     FORMAT_MAX bytes
 * @usec:       µs
 *
 * Return: @buffer.
 */
char *format_duration(char buffer[static FORMAT_MAX], uint64_t usec) {
        const uint64_t minute = 60 * USEC_PER_SEC, hour = 60 * minute, day = 24 * hour;

        if (usec < USEC_PER_MSEC)
                (void) snprintf(buffer, FORMAT_MAX, "%" PRIu64 " us", usec);
        else if (usec < USEC_PER_SEC)
                (void) snprintf(buffer, FORMAT_MAX, "%" PRIu64 " ms", usec / USEC_PER_MSEC);
        else if (usec < minute)
                (void) snprintf(buffer, FORMAT_MAX, "%.2f s", (double) usec / (double) USEC_PER_SEC);
        else if (usec < hour)
                format_two(buffer, usec, minute, "min", USEC_PER_SEC, "s");
        else if (usec < 2 * day)
                format_two(buffer, usec, hour, "h", minute, "min");
        else
                format_two(buffer, usec, day, "d", hour, "h");
        return buffer;
}

/**
 * format_percent() - "0.3%", "104.0%"
 * @buffer:     FORMAT_MAX bytes
 * @part:       of
 * @whole:      it; not 0
 *
 * Return: @buffer.
 */
char *format_percent(char buffer[static FORMAT_MAX], uint64_t part, uint64_t whole) {
        double tenths = (double) part * 1000 / (double) whole;
        uint64_t n = tenths < 1e12 ? (uint64_t) tenths : UINT64_C(1000000000000);

        /* Not %.1f: what is drawn must not depend on the locale. */
        (void) snprintf(buffer, FORMAT_MAX, "%" PRIu64 ".%" PRIu64 "%%", n / 10, n % 10);
        return buffer;
}

/**
 * format_size() - "512M", "1.5G", in units of 1024 as lsblk's
 * @buffer:     FORMAT_MAX bytes
 * @bytes:      the size
 *
 * Return: @buffer.
 */
char *format_size(char buffer[static FORMAT_MAX], uint64_t bytes) {
        uint64_t tenths = bytes * 10;
        size_t unit = 0;

        if (bytes > UINT64_MAX / 16) {
                tenths = bytes / 1024 * 10;
                unit = 1;
        }
        while (tenths >= 10240 && unit + 2 < sizeof(size_units)) {
                tenths /= 1024;
                unit++;
        }
        if (tenths % 10 == 0)
                (void) snprintf(buffer, FORMAT_MAX, "%" PRIu64 "%c", tenths / 10, size_units[unit]);
        else
                (void) snprintf(buffer, FORMAT_MAX, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10,
                                size_units[unit]);
        return buffer;
}

/**
 * format_time() - RFC 3339 with µs, in UTC
 * @buffer:         FORMAT_MAX bytes
 * @realtime_usec:  µs since 1970
 *
 * Return: @buffer; "" if the time is 0 or out of range.
 */
char *format_time(char buffer[static FORMAT_MAX], uint64_t realtime_usec) {
        time_t seconds = (time_t) (realtime_usec / USEC_PER_SEC);
        char date[32];
        struct tm tm;

        buffer[0] = '\0';
        if (realtime_usec == 0 || !gmtime_r(&seconds, &tm) ||
            strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
                return buffer;
        (void) snprintf(buffer, FORMAT_MAX, "%s.%06" PRIu64 "Z", date, realtime_usec % USEC_PER_SEC);
        return buffer;
}

/**
 * format_local_time() - "2026-11-25 03:45:23", as the clock on the wall here
 * @buffer:         FORMAT_MAX bytes
 * @realtime_usec:  µs since 1970
 *
 * Return: @buffer; "" if the time is 0 or out of range.
 */
char *format_local_time(char buffer[static FORMAT_MAX], uint64_t realtime_usec) {
        time_t seconds = (time_t) (realtime_usec / USEC_PER_SEC);
        struct tm tm;

        if (realtime_usec == 0 || !localtime_r(&seconds, &tm) ||
            strftime(buffer, FORMAT_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                buffer[0] = '\0';
        return buffer;
}

/**
 * parse_size() - read "512M", "2G", "4096"
 * @text:       a number with at most one unit of 1024
 * @ret:        bytes
 *
 * Return: 0; -EINVAL, -ERANGE.
 */
int parse_size(const char *text, uint64_t *ret) {
        const char *unit;
        uint64_t value;
        char *end;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        errno = 0;
        value = strtoull(text, &end, 10);
        if (errno != 0)
                return -errno;
        unit = *end ? strchr(size_units, *end) : size_units;
        if (!unit || (*end && end[1]))
                return -EINVAL;
        for (long i = 0; i < unit - size_units; i++)
                if (__builtin_mul_overflow(value, UINT64_C(1024), &value))
                        return -ERANGE;
        *ret = value;
        return 0;
}

/**
 * parse_duration() - read "90", "90s", "30m", "12h", "7d"
 * @text:       a whole number, of seconds if no unit follows
 * @ret:        µs
 *
 * Return: 0; -EINVAL, -ERANGE.
 */
int parse_duration(const char *text, uint64_t *ret) {
        static const struct {
                const char *name;
                uint64_t seconds;
        } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
        uint64_t value;
        char *end;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        errno = 0;
        value = strtoull(text, &end, 10);
        if (errno != 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (streq(end, units[i].name)) {
                        if (__builtin_mul_overflow(value, units[i].seconds * USEC_PER_SEC, &value) ||
                            value > INT64_MAX)
                                return -ERANGE;
                        *ret = value;
                        return 0;
                }
        return -EINVAL;
}

/**
 * parse_statuses() - read "0", "0,1"
 * @text:       exit statuses between commas
 * @ret:        an array; free() it
 * @ret_n:      how many
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int parse_statuses(const char *text, int **ret, size_t *ret_n) {
        _cleanup_free_ int *statuses = calloc(strlen(text) + 1, sizeof(*statuses));
        size_t n = 0;
        char *end;

        if (!statuses)
                return error_origin(-ENOMEM);
        for (const char *p = text;; p = end + 1) {
                unsigned long status;

                if (*p < '0' || *p > '9')
                        return -EINVAL;
                status = strtoul(p, &end, 10);
                if (status > 255 || (*end && *end != ','))
                        return -EINVAL;
                statuses[n++] = (int) status;
                if (!*end)
                        break;
        }
        *ret = TAKE_PTR(statuses);
        *ret_n = n;
        return 0;
}
