/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writing a{sv}, entry by entry. Every function passes an earlier error on, so that a caller checks once.
 */

#include <stdarg.h>

#include "daemon/bus/bus.h"

#include "util/error.h"
#include "util/utf8.h"

/**
 * dictionary_add() - one entry
 * @m:          a message with an open a{sv}
 * @key:        the key
 * @type:       the value's signature
 *
 * Return: 0, or a negative errno.
 */
int dictionary_add(sd_bus_message *m, const char *key, const char *type, ...) {
        va_list ap;
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', type);
        if (r < 0)
                return r;
        va_start(ap, type);
        r = sd_bus_message_appendv(m, type, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

/* A mount point or a device may have any bytes in its name, a message may not. */
static int append_string(sd_bus_message *m, const char *string) {
        _cleanup_free_ char *clean = NULL;

        if (utf8_is_valid(string))
                return sd_bus_message_append(m, "s", string);
        clean = strdup(string);
        if (!clean)
                return error_origin(-ENOMEM);
        utf8_clean(clean, strlen(clean));
        return sd_bus_message_append(m, "s", clean);
}

/**
 * dictionary_add_strings() - one entry that is a list of strings
 * @m:          a message with an open a{sv}
 * @key:        the key
 * @strings:    the list; bytes that are no UTF-8 become '?'
 * @n:          its length
 *
 * Return: 0, or a negative errno.
 */
int dictionary_add_strings(sd_bus_message *m, const char *key, const char *const *strings, size_t n) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = append_string(m, strings[i]);
        for (int i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}
