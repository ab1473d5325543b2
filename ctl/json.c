/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * JSON documents; see json.h.
 */

#include "ctl/json.h"

#include <ctype.h>

#include "ctl/format.h"

static json_t *json_from_list(const DictItem *item) {
        json_t *array = json_array();

        for (char **s = item->list; s && *s; s++)
                (void) json_array_append_new(array, json_string(*s));
        return array;
}

static json_t *json_from_times(const DictItem *item) {
        json_t *object = json_object();

        for (size_t i = 0; item->list && item->list[i]; i++)
                (void) json_object_set_new(object, item->list[i], json_integer((json_int_t) item->times[i]));
        return object;
}

static json_t *json_from_number(ColumnType type, uint64_t number) {
        char text[FORMAT_MAX];

        switch (type) {
        case COLUMN_BOOLEAN:
                return json_boolean(number != 0);
        case COLUMN_TIME:
                return number ? json_string(format_time(text, number)) : json_null();
        default:
                return json_integer((json_int_t) number);
        }
}

static json_t *json_from_item(const Column *column, const DictItem *item) {
        if (!item)
                return column->type == COLUMN_LIST ? json_array() : json_null();
        switch (item->type) {
        case DICT_STRING:
                return *item->string ? json_string(item->string) : json_null();
        case DICT_LIST:
                return json_from_list(item);
        case DICT_TIMES:
                return column->type == COLUMN_LIST ? json_from_list(item) : json_from_times(item);
        default:
                return json_from_number(column->type, item->number);
        }
}

/**
 * json_from_row() - an object whose members are the columns in lower case
 * @columns:    the columns
 * @n_columns:  how many
 * @row:        the row
 *
 * Return: the object; NULL: no memory.
 */
json_t *json_from_row(const Column *columns, size_t n_columns, const Dict *row) {
        json_t *object = json_object();

        for (size_t i = 0; i < n_columns; i++) {
                char name[COLUMN_NAME_MAX];
                size_t k = 0;

                for (; columns[i].name[k] && k + 1 < sizeof(name); k++)
                        name[k] = (char) tolower(columns[i].name[k]);
                name[k] = '\0';
                (void) json_object_set_new(object, name,
                                           json_from_item(&columns[i], dict_get(row, columns[i].key)));
        }
        return object;
}

/**
 * json_from_rows() - an array of rows
 * @columns:    the columns
 * @n_columns:  how many
 * @rows:       the rows
 *
 * Return: the array; NULL: no memory.
 */
json_t *json_from_rows(const Column *columns, size_t n_columns, const DictArray *rows) {
        json_t *array = json_array();

        for (size_t i = 0; i < rows->n_dicts; i++)
                (void) json_array_append_new(array, json_from_row(columns, n_columns, &rows->dicts[i]));
        return array;
}

/**
 * json_add_row() - put a row into a document's array of its kind
 * @document:   the document
 * @kind:       the kind
 * @row:        the row, the document's now, also after an error
 *
 * Return: 0; -ENOMEM.
 */
int json_add_row(json_t *document, const Kind *kind, json_t *row) {
        json_t *array = json_object_get(document, kind->name);

        if (!array) {
                array = json_array();
                if (json_object_set_new(document, kind->name, array) < 0) {
                        json_decref(row);
                        return error_origin(-ENOMEM);
                }
        }
        return json_array_append_new(array, row) < 0 ? error_origin(-ENOMEM) : 0;
}

/**
 * json_print() - print a document on stdout
 * @document:   it, used up
 *
 * Return: 0 or a negative errno.
 */
int json_print(json_t *document) {
        json_t *whole = json_pack("{si}", "version", JSON_VERSION);
        int r = document && whole && json_object_update(whole, document) == 0 ? 0 : -ENOMEM;

        json_decref(document);
        document = whole;
        if (r == 0 && (json_dumpf(document, stdout, JSON_INDENT(3)) < 0 || putchar('\n') < 0))
                r = -EIO;
        json_decref(document);
        return r < 0 ? error_origin(r) : 0;
}
