/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * D-Bus dictionaries in memory; see dict.h.
 */

#include "ctl/dict.h"

#include "util/error.h"
#include "util/texts.h"
#include "util/utf8.h"

static void item_done(DictItem *item) {
        free(item->key);
        free(item->string);
        texts_free(item->list);
        free(item->times);
}

/**
 * dict_done() - free what a dictionary holds
 * @dict:       it
 */
void dict_done(Dict *dict) {
        for (size_t i = 0; i < dict->n_items; i++)
                item_done(&dict->items[i]);
        free(dict->items);
        free(dict->name);
        *dict = (Dict){};
}

/**
 * dict_array_done() - free what an array of dictionaries holds
 * @array:      it
 */
void dict_array_done(DictArray *array) {
        for (size_t i = 0; i < array->n_dicts; i++)
                dict_done(&array->dicts[i]);
        free(array->dicts);
        *array = (DictArray){};
}

/**
 * dict_array_add() - move a dictionary into an array
 * @array:      the array
 * @dict:       the dictionary, empty afterwards
 *
 * Return: 0; -ENOMEM.
 */
int dict_array_add(DictArray *array, Dict *dict) {
        Dict *dicts;

        dicts = reallocarray(array->dicts, array->n_dicts + 1, sizeof(*dicts));
        if (!dicts)
                return error_origin(-ENOMEM);
        array->dicts = dicts;
        dicts[array->n_dicts++] = *dict;
        *dict = (Dict){};
        return 0;
}

static int item_read_string(DictItem *item, sd_bus_message *m, const char *type) {
        const char *value;
        int r;

        r = sd_bus_message_read(m, type, &value);
        if (r < 0)
                return error_trace(r);
        item->type = DICT_STRING;
        item->string = strdup(value);
        return item->string ? 1 : error_origin(-ENOMEM);
}

static int item_read_number(DictItem *item, sd_bus_message *m, const char *type) {
        uint32_t small = 0;
        int r;

        item->type = *type == 'b' ? DICT_BOOLEAN : DICT_NUMBER;
        if (*type == 't')
                return error_trace(sd_bus_message_read(m, type, &item->number));
        r = sd_bus_message_read(m, type, &small);
        item->number = small;
        return error_trace(r);
}

static int item_read_times(DictItem *item, sd_bus_message *m) {
        const char *key;
        uint64_t value;
        size_t n = 0;
        int r;

        item->type = DICT_TIMES;
        r = sd_bus_message_enter_container(m, 'a', "{st}");
        while (r >= 0 && (r = sd_bus_message_read(m, "{st}", &key, &value)) > 0) {
                char **list = reallocarray(item->list, n + 2, sizeof(*list));
                uint64_t *times;

                if (!list)
                        return error_origin(-ENOMEM);
                item->list = list;
                list[n] = list[n + 1] = NULL;
                times = reallocarray(item->times, n + 1, sizeof(*times));
                if (!times)
                        return error_origin(-ENOMEM);
                item->times = times;
                times[n] = value;
                list[n] = strdup(key);
                if (!list[n++])
                        return error_origin(-ENOMEM);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : 1);
}

/* Return: 1: read; 0: of a type that is left out, nothing read. */
static int item_read_value(DictItem *item, sd_bus_message *m, const char *type) {
        if (streq(type, "s") || streq(type, "o"))
                return error_trace(item_read_string(item, m, type));
        if (streq(type, "t") || streq(type, "u") || streq(type, "b"))
                return error_trace(item_read_number(item, m, type));
        if (streq(type, "as")) {
                item->type = DICT_LIST;
                return error_trace(sd_bus_message_read_strv(m, &item->list));
        }
        if (streq(type, "a{st}"))
                return error_trace(item_read_times(item, m));
        return 0;
}

static int dict_read_value(Dict *dict, sd_bus_message *m, const char *key) {
        DictItem item = {}, *items;
        const char *type;
        int r;

        r = sd_bus_message_peek_type(m, NULL, &type);
        if (r < 0)
                return error_trace(r);
        items = reallocarray(dict->items, dict->n_items + 1, sizeof(*items));
        if (!items)
                return error_origin(-ENOMEM);
        dict->items = items;
        r = sd_bus_message_enter_container(m, 'v', type);
        if (r < 0)
                return error_trace(r);
        r = item_read_value(&item, m, type);
        if (r == 0)
                return error_trace(sd_bus_message_skip(m, type) < 0 ? -EBADMSG
                                                                    : sd_bus_message_exit_container(m));
        item.key = r < 0 ? NULL : strdup(key);
        if (!item.key) {
                item_done(&item);
                return error_origin(r < 0 ? r : -ENOMEM);
        }
        items[dict->n_items++] = item;
        return error_trace(sd_bus_message_exit_container(m));
}

/**
 * dict_read() - read an a{sv}
 * @dict:       filled; dict_done() it, also after an error
 * @m:          the message, right before it
 *
 * Return: 0 or a negative errno.
 */
int dict_read(Dict *dict, sd_bus_message *m) {
        const char *key;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0)
                        r = dict_read_value(dict, m, key);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : 0);
}

/**
 * dict_array_read() - read an aa{sv}
 * @array:      filled; dict_array_done() it, also after an error
 * @m:          the message, right before it
 *
 * Return: 0 or a negative errno.
 */
int dict_array_read(DictArray *array, sd_bus_message *m) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                Dict dict = {};

                r = dict_read(&dict, m);
                if (r >= 0)
                        r = dict_array_add(array, &dict);
                dict_done(&dict);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return error_trace(r < 0 ? r : 0);
}

/**
 * dict_get() - find a value
 * @dict:       the dictionary
 * @key:        its key
 *
 * Return: the item, the dictionary's own; NULL if there is none.
 */
const DictItem *dict_get(const Dict *dict, const char *key) {
        for (size_t i = 0; i < dict->n_items; i++)
                if (streq(dict->items[i].key, key))
                        return &dict->items[i];
        return NULL;
}

/**
 * dict_get_string() - find a string
 * @dict:       the dictionary
 * @key:        its key
 *
 * Return: the string, the dictionary's own; "" if there is none.
 */
const char *dict_get_string(const Dict *dict, const char *key) {
        const DictItem *item = dict_get(dict, key);

        return item && item->type == DICT_STRING ? item->string : "";
}

/**
 * dict_get_number() - find a number or a boolean
 * @dict:       the dictionary
 * @key:        its key
 *
 * Return: the number; 0 if there is none.
 */
uint64_t dict_get_number(const Dict *dict, const char *key) {
        const DictItem *item = dict_get(dict, key);

        return item && (item->type == DICT_NUMBER || item->type == DICT_BOOLEAN) ? item->number : 0;
}

static int dict_add(Dict *dict, const char *key, DictItem *item) {
        DictItem *items = reallocarray(dict->items, dict->n_items + 1, sizeof(*items));

        item->key = strdup(key);
        if (items)
                dict->items = items;
        if (!items || !item->key) {
                item_done(item);
                return error_origin(-ENOMEM);
        }
        items[dict->n_items++] = *item;
        return 0;
}

/**
 * dict_remove() - as if it had not been said
 * @dict:       it
 * @key:        of what; there may be no such item
 */
void dict_remove(Dict *dict, const char *key) {
        for (size_t i = 0; i < dict->n_items; i++) {
                if (!streq(dict->items[i].key, key))
                        continue;
                item_done(&dict->items[i]);
                dict->items[i] = dict->items[--dict->n_items];
                return;
        }
}

/**
 * dict_add_string() - add what no message said
 * @dict:       it
 * @key:        the dictionary has no such item yet
 * @value:      copied
 *
 * Return: 0; -ENOMEM.
 */
int dict_add_string(Dict *dict, const char *key, const char *value) {
        DictItem item = {.type = DICT_STRING, .string = strdup(value)};

        return item.string ? error_trace(dict_add(dict, key, &item)) : error_origin(-ENOMEM);
}

/**
 * dict_add_list() - likewise
 * @dict:       it
 * @key:        the dictionary has no such item yet
 * @values:     NULL-terminated, copied; bytes that are no UTF-8 as question marks
 *
 * Return: 0; -ENOMEM.
 */
int dict_add_list(Dict *dict, const char *key, char *const *values) {
        DictItem item = {.type = DICT_LIST};
        size_t n = 0;

        while (values[n])
                n++;
        item.list = calloc(n + 1, sizeof(*item.list));
        for (size_t i = 0; item.list && i < n; i++) {
                item.list[i] = strdup(values[i]);
                if (!item.list[i]) {
                        item_done(&item);
                        return error_origin(-ENOMEM);
                }
                utf8_clean(item.list[i], SIZE_MAX);
        }
        return item.list ? error_trace(dict_add(dict, key, &item)) : error_origin(-ENOMEM);
}
