/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Texts that come from elsewhere (a script's stderr, a mount point, a descriptor) may hold any bytes; D-Bus
 * refuses a message with a string that is not UTF-8, and a terminal does what control characters say. So
 * such texts are checked, or cleaned, where they enter.
 */

#include "util/utf8.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

/* The length of the valid sequence at s, or 0. */
static size_t sequence_length(const char *s) {
        static const uint32_t minimum[] = {0, 0, 0x80, 0x800, 0x10000};
        const unsigned char *p = (const unsigned char *) s;
        size_t n = p[0] < 0x80   ? 1
                   : p[0] < 0xc2 ? 0
                   : p[0] < 0xe0 ? 2
                   : p[0] < 0xf0 ? 3
                   : p[0] < 0xf5 ? 4
                                 : 0;
        uint32_t c = n > 1 ? p[0] & (0x7fu >> n) : p[0];

        for (size_t i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (p[i] & 0x3fu);
        }
        if (n > 1 && (c < minimum[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)))
                return 0;
        return n;
}

/**
 * utf8_is_valid() - whether a string may stand in a D-Bus message
 * @s: the string
 *
 * Return: whether all of it is UTF-8.
 */
bool utf8_is_valid(const char *s) {
        assert(s);

        while (*s) {
                size_t n = sequence_length(s);

                if (n == 0)
                        return false;
                s += n;
        }
        return true;
}

/**
 * utf8_clean() - make a text from elsewhere fit for a message and a terminal
 * @s: the text, changed in place: bytes that are no UTF-8 become '?', control characters become spaces,
 *     blanks at its end go
 * @max: most bytes to keep, without the NUL; it is cut between characters
 */
void utf8_clean(char *s, size_t max) {
        size_t i = 0;

        assert(s);

        while (s[i]) {
                size_t n = sequence_length(s + i);

                if (i + (n ? n : 1) > max)
                        break;
                if (n == 0)
                        s[i] = '?';
                else if (n == 1 && ((unsigned char) s[i] < 0x20 || s[i] == 0x7f))
                        s[i] = ' ';
                i += n ? n : 1;
        }
        while (i > 0 && s[i - 1] == ' ')
                i--;
        s[i] = 0;
}
