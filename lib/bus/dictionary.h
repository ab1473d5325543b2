/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * a{sv}, written and read: the daemon's side and the library's speak in these.
 *
 * Written entry by entry; read by a table of the keys that are known. What is not known is skipped, so that
 * a newer peer may say more, within limits: who is at the other end may be hostile, and reading must be
 * short.
 */

#include <systemd/sd-bus.h>

#define DICTIONARY_ENTRIES_MAX 256u
#define DICTIONARY_SKIPPED_MAX 8192u /* values in entries that are not known; an array of numbers is one */

int dictionary_add(sd_bus_message *m, const char *key, const char *type, ...);
int dictionary_add_strings(sd_bus_message *m, const char *key, const char *const *strings, size_t n);
/* An entry that is an array: its elements are appended in between. */
int dictionary_open_array(sd_bus_message *m, const char *key, const char *type);
int dictionary_close_array(sd_bus_message *m);
/* An element of an array "a{st}". */
int dictionary_append_number(sd_bus_message *m, const char *name, uint64_t number);

typedef struct DictionaryField {
        const char *key, *type;
        void *value; /* type "b": a bool; of other basic types what sd_bus_message_read() takes; or … */
        int (*read)(sd_bus_message *m, void *value); /* … whatever this makes of it */
} DictionaryField;

/* One a{sv}; a key that is not there leaves its value as it is. Return: 1; 0: there is none, the array of
 * them is at its end; a negative errno: malformed, -ENXIO if a value is of another type, -E2BIG if there is
 * too much of it. */
int dictionary_read(sd_bus_message *m, const DictionaryField *fields, size_t n_fields);

/* A `read` for type "ay": a char * that is replaced by a copy of the bytes, a path that may be no UTF-8.
 * Return: 0, or a negative errno. */
int dictionary_read_path(sd_bus_message *m, void *path);
