/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * a{sv}, written entry by entry and read by a table; see dictionary.h.
 */

#include "bus/dictionary.h"

#include <stdarg.h>
#include <stdbool.h>

#include "util/error.h"
#include "util/macro.h"
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

        r = dictionary_open_array(m, key, "as");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = append_string(m, strings[i]);
        return r < 0 ? r : dictionary_close_array(m);
}

/**
 * dictionary_open_array() - begin an entry that is an array
 * @m:          a message with an open a{sv}
 * @key:        the key
 * @type:       the array's signature, "as"
 *
 * Return: 0, or a negative errno.
 */
int dictionary_open_array(sd_bus_message *m, const char *key, const char *type) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', type);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', type + 1);
        return r < 0 ? r : 0;
}

/**
 * dictionary_close_array() - end it
 * @m:          the message
 *
 * Return: 0, or a negative errno.
 */
int dictionary_close_array(sd_bus_message *m) {
        int r = 0;

        for (int i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

/**
 * dictionary_append_number() - one element of an entry that is an array "a{st}"
 * @m:          a message, between dictionary_open_array() and dictionary_close_array()
 * @name:       its name; bytes that are no UTF-8 become '?'
 * @number:     its value
 *
 * Return: 0, or a negative errno.
 */
int dictionary_append_number(sd_bus_message *m, const char *name, uint64_t number) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "st");
        if (r >= 0)
                r = append_string(m, name);
        if (r >= 0)
                r = sd_bus_message_append(m, "t", number);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

static int read_value(sd_bus_message *m, const DictionaryField *field) {
        int r, flag;

        if (field->read) {
                r = sd_bus_message_enter_container(m, 'v', field->type);
                if (r >= 0)
                        r = field->read(m, field->value);
                return r < 0 ? r : sd_bus_message_exit_container(m);
        }
        if (!streq(field->type, "b"))
                return sd_bus_message_read(m, "v", field->type, field->value);
        r = sd_bus_message_read(m, "v", "b", &flag);
        if (r >= 0)
                *(bool *) field->value = flag;
        return r;
}

static bool is_number(char type) {
        return type != '\0' && strchr("ybnqiuxtd", type);
}

/* One value, or none: then the container is at its end. sd_bus_message_skip() looks at each byte of an array
 * of bytes, which takes seconds for as many as a message can have. */
static int skip_value(sd_bus_message *m, unsigned *left) {
        const char *contents;
        const void *numbers;
        size_t size;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r;
        if (*left == 0)
                return error_origin(-E2BIG);
        (*left)--;
        if (!strchr("arve", type))
                return sd_bus_message_read_basic(m, type, NULL);
        if (type == 'a' && contents[1] == '\0' && is_number(contents[0])) {
                r = sd_bus_message_read_array(m, contents[0], &numbers, &size);
                return r < 0 ? r : 1;
        }
        r = sd_bus_message_enter_container(m, type, contents);
        while (r > 0) /* as deep as D-Bus lets types be nested */
                r = skip_value(m, left);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static int read_entry(sd_bus_message *m, const DictionaryField *fields, size_t n_fields, unsigned *left) {
        const char *key;
        int r;

        r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n_fields; i++)
                if (streq(fields[i].key, key))
                        return read_value(m, &fields[i]);
        return skip_value(m, left);
}

/**
 * dictionary_read() - one a{sv}
 * @m:          a message that stands at it, or at the end of an array of them
 * @fields:     the keys that are known
 * @n_fields:   how many
 *
 * Return: 1: it was read; 0: there is no more; -ENXIO: a value is of another type; -E2BIG: more than
 * DICTIONARY_ENTRIES_MAX entries, or more than DICTIONARY_SKIPPED_MAX values below keys that are not known;
 * another negative errno: malformed, or what a field's own function returns.
 */
int dictionary_read(sd_bus_message *m, const DictionaryField *fields, size_t n_fields) {
        unsigned n_entries = 0, left = DICTIONARY_SKIPPED_MAX;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r <= 0)
                return error_trace(r);
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                if (++n_entries > DICTIONARY_ENTRIES_MAX)
                        return error_origin(-E2BIG);
                r = read_entry(m, fields, n_fields, &left);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return error_trace(r);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : 1);
}

/**
 * dictionary_read_path() - for a DictionaryField of type "ay": a path, which may be no UTF-8
 * @m:          the message, which stands at it
 * @userdata:   a char *, replaced; free() it
 *
 * Return: 0, or a negative errno.
 */
int dictionary_read_path(sd_bus_message *m, void *userdata) {
        char **path = userdata;
        const void *bytes;
        size_t n;
        int r;

        r = sd_bus_message_read_array(m, 'y', &bytes, &n);
        if (r < 0)
                return error_trace(r);
        free(*path);
        *path = strndup(n > 0 ? bytes : "", n);
        return *path ? 0 : error_origin(-ENOMEM);
}
