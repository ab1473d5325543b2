/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * D-Bus dictionaries, a{sv} and aa{sv}, read into memory: what quiesced answers to questions.
 *
 * Values of types we do not know are left out: a newer quiesced may say more than we can show.
 */

#include <systemd/sd-bus.h>

#include "util/macro.h"

typedef enum DictType {
        DICT_STRING,
        DICT_NUMBER,
        DICT_BOOLEAN,
        DICT_LIST,
        DICT_TIMES, /* a{st} */
} DictType;

typedef struct DictItem {
        char *key;
        DictType type;
        char *string;    /* DICT_STRING */
        uint64_t number; /* DICT_NUMBER, DICT_BOOLEAN */
        char **list;     /* DICT_LIST; DICT_TIMES: the keys */
        uint64_t *times; /* DICT_TIMES */
} DictItem;

typedef struct Dict {
        char *name; /* an object's path, where dictionaries are objects' properties */
        DictItem *items;
        size_t n_items;
} Dict;

typedef struct DictArray {
        Dict *dicts;
        size_t n_dicts;
} DictArray;

int dict_read(Dict *dict, sd_bus_message *m);
void dict_done(Dict *dict);
int dict_array_read(DictArray *array, sd_bus_message *m);
void dict_array_done(DictArray *array);
int dict_array_add(DictArray *array, Dict *dict);

int dict_add_string(Dict *dict, const char *key, const char *value);
int dict_add_list(Dict *dict, const char *key, char *const *values);
void dict_remove(Dict *dict, const char *key);
const DictItem *dict_get(const Dict *dict, const char *key);
const char *dict_get_string(const Dict *dict, const char *key);
uint64_t dict_get_number(const Dict *dict, const char *key);
