/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The values of quiesced.conf: time spans as systemd.time(7) writes them, sizes, numbers, yes and no.
 */

#include "daemon/config-value.h"

#include <ctype.h>
#include <strings.h>

static uint64_t unit_usec(const char *unit, size_t length) {
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {
                {"", USEC_PER_SEC},
                {"us", 1},
                {"ms", USEC_PER_MSEC},
                {"s", USEC_PER_SEC},
                {"sec", USEC_PER_SEC},
                {"m", 60 * USEC_PER_SEC},
                {"min", 60 * USEC_PER_SEC},
                {"h", 3600 * USEC_PER_SEC},
                {"hr", 3600 * USEC_PER_SEC},
                {"d", 86400 * USEC_PER_SEC},
                {"day", 86400 * USEC_PER_SEC},
                {"days", 86400 * USEC_PER_SEC},
                {"w", 604800 * USEC_PER_SEC},
                {"week", 604800 * USEC_PER_SEC},
                {"weeks", 604800 * USEC_PER_SEC},
        };

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strlen(units[i].name) == length && strncmp(units[i].name, unit, length) == 0)
                        return units[i].usec;
        return 0;
}

/**
 * config_parse_usec() - a time span, as in "90", "2min 30s", "500ms"
 * @s:          the text; a number without a unit is in seconds
 * @ret:        in µs
 *
 * Return: 0; -EINVAL: not a time span, or 0; -ERANGE: too long.
 */
int config_parse_usec(const char *s, uint64_t *ret) {
        uint64_t sum = 0;

        while (*s) {
                const char *unit;
                uint64_t number, usec;
                char *end;

                if (!isdigit((unsigned char) *s))
                        return -EINVAL;
                errno = 0;
                number = strtoull(s, &end, 10);
                if (errno != 0)
                        return -errno;
                unit = end + strspn(end, " ");
                s = unit + strspn(unit, "abcdefghijklmnopqrstuvwxyz");
                usec = unit_usec(unit, (size_t) (s - unit));
                if (usec == 0)
                        return -EINVAL;
                if (__builtin_mul_overflow(number, usec, &number) ||
                    __builtin_add_overflow(sum, number, &sum))
                        return -ERANGE;
                s += strspn(s, " ");
        }
        if (sum == 0)
                return -EINVAL;
        *ret = sum;
        return 0;
}

/**
 * config_parse_size() - a size, as in "512M", "20G"
 * @s:          the text; K, M, G and T are powers of 1024, a number without one is in bytes
 * @ret:        in bytes
 *
 * Return: 0; -EINVAL: not a size, or 0; -ERANGE: too large.
 */
int config_parse_size(const char *s, uint64_t *ret) {
        static const char units[] = "KMGT";
        unsigned long long number;
        const char *unit;
        char *end;

        if (!isdigit((unsigned char) *s))
                return -EINVAL;
        errno = 0;
        number = strtoull(s, &end, 10);
        if (errno != 0)
                return -ERANGE;
        unit = *end ? strchr(units, *end) : NULL;
        if (number == 0 || (*end && (!unit || end[1] != '\0')))
                return -EINVAL;
        for (const char *u = units; unit && u <= unit; u++)
                if (__builtin_mul_overflow(number, 1024u, &number))
                        return -ERANGE;
        *ret = number;
        return 0;
}

/**
 * config_parse_unsigned() - a number within limits
 * @s:          the text
 * @minimum:    the smallest that is allowed
 * @maximum:    the largest that is allowed
 * @ret:        the number
 *
 * Return: 0; -EINVAL: not a number; -ERANGE: outside the limits.
 */
int config_parse_unsigned(const char *s, unsigned minimum, unsigned maximum, unsigned *ret) {
        unsigned long number;
        char *end;

        if (!isdigit((unsigned char) *s))
                return -EINVAL;
        errno = 0;
        number = strtoul(s, &end, 10);
        if (*end != '\0')
                return -EINVAL;
        if (errno != 0 || number < minimum || number > maximum)
                return -ERANGE;
        *ret = (unsigned) number;
        return 0;
}

/**
 * config_parse_boolean() - yes or no
 * @s:          yes, no, true, false, on, off, 1 or 0
 * @ret:        what it says
 *
 * Return: 0; -EINVAL: something else.
 */
int config_parse_boolean(const char *s, bool *ret) {
        static const char *const words[][2] = {{"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                for (size_t j = 0; j < 2; j++)
                        if (strcasecmp(s, words[i][j]) == 0) {
                                *ret = j == 1;
                                return 0;
                        }
        return -EINVAL;
}
