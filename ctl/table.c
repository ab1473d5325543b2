/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tables; see table.h. libsmartcols does the work.
 */

#include "ctl/table.h"

#include <inttypes.h>
#include <libsmartcols.h>

#include "ctl/format.h"

static int column_json_type(ColumnType type) {
        switch (type) {
        case COLUMN_NUMBER:
        case COLUMN_SIZE:
        case COLUMN_DURATION:
        case COLUMN_COUNT:
        case COLUMN_USER:
                return SCOLS_JSON_NUMBER;
        case COLUMN_BOOLEAN:
                return SCOLS_JSON_BOOLEAN;
        case COLUMN_LIST:
                return SCOLS_JSON_ARRAY_STRING;
        default:
                return SCOLS_JSON_STRING;
        }
}

static int table_add_column(struct libscols_table *table, const Column *column) {
        bool right = column_json_type(column->type) == SCOLS_JSON_NUMBER;
        struct libscols_column *added;

        added = scols_table_new_column(table, column->name, 0,
                                       (right ? SCOLS_FL_RIGHT : 0) |
                                               (column->type == COLUMN_LIST ? SCOLS_FL_WRAP : 0));
        if (!added)
                return error_origin(-ENOMEM);
        if (column->type == COLUMN_LIST)
                (void) scols_column_set_wrapfunc(added, scols_wrapnl_chunksize, scols_wrapnl_nextchunk,
                                                 NULL);
        return error_trace(scols_column_set_json_type(added, column_json_type(column->type)));
}

static char *list_join(char **list) {
        size_t size = 1, length = 0;
        char *joined;

        for (char **s = list; s && *s; s++)
                size += strlen(*s) + 1;
        joined = calloc(1, size);
        for (char **s = list; joined && s && *s; s++)
                length +=
                        (size_t) snprintf(joined + length, size - length, "%s%s", s == list ? "" : "\n", *s);
        return joined;
}

static size_t list_length(char **list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

static char *number_to_text(ColumnType type, uint64_t number, bool json) {
        char buffer[FORMAT_MAX];

        switch (type) {
        case COLUMN_BOOLEAN:
                return strdup(json ? (number ? "1" : "0") : number ? "yes" : "no");
        case COLUMN_TIME:
                return number ? strdup(format_time(buffer, number)) : NULL;
        case COLUMN_SIZE:
        case COLUMN_DURATION:
                if (!json)
                        return strdup(type == COLUMN_SIZE ? format_size(buffer, number)
                                                          : format_duration(buffer, number));
                __attribute__((fallthrough));
        default:
                (void) snprintf(buffer, sizeof(buffer), "%" PRIu64, number);
                return strdup(buffer);
        }
}

/* The cell's text, NULL: empty. Running out of memory shows as an empty cell, too. */
static char *cell_text(const Column *column, const Dict *row, bool json) {
        const DictItem *item = dict_get(row, column->key);

        if (!item)
                return NULL;
        switch (item->type) {
        case DICT_STRING:
                return strdup(item->string);
        case DICT_LIST:
                if (column->type == COLUMN_COUNT)
                        return number_to_text(COLUMN_NUMBER, list_length(item->list), json);
                return item->list && item->list[0] ? list_join(item->list) : NULL;
        case DICT_NUMBER:
        case DICT_BOOLEAN:
                return number_to_text(column->type, item->number, json);
        case DICT_TIMES:
        default:
                return NULL;
        }
}

static int table_add_row(struct libscols_table *table, const Column *columns, size_t n_columns,
                         const Dict *row, bool json) {
        struct libscols_line *line;

        line = scols_table_new_line(table, NULL);
        if (!line)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n_columns; i++) {
                char *text = cell_text(&columns[i], row, json);

                if (text && scols_line_refer_data(line, i, text) < 0)
                        free(text);
        }
        return 0;
}

/**
 * table_print() - print dictionaries as a table on stdout
 * @name:       the table's name in JSON
 * @columns:    what to show
 * @n_columns:  how many
 * @rows:       one dictionary a row
 * @options:    json, no_legend
 *
 * Return: 0 or a negative errno.
 */
int table_print(const char *name, const Column *columns, size_t n_columns, const DictArray *rows,
                const Options *options) {
        struct libscols_table *table;
        int r = 0;

        scols_init_debug(0);
        table = scols_new_table();
        if (!table)
                return error_origin(-ENOMEM);
        (void) scols_table_enable_noheadings(table, options->no_legend);
        (void) scols_table_enable_json(table, options->json);
        (void) scols_table_set_name(table, name);
        for (size_t i = 0; r == 0 && i < n_columns; i++)
                r = table_add_column(table, &columns[i]);
        for (size_t i = 0; r == 0 && i < rows->n_dicts; i++)
                r = table_add_row(table, columns, n_columns, &rows->dicts[i], options->json);
        if (r == 0)
                r = scols_print_table(table);
        scols_unref_table(table);
        return error_trace(r);
}
