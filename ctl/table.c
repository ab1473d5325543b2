/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tables; see table.h. libsmartcols does the work.
 */

#include "ctl/table.h"

#include <ctype.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <pwd.h>

#include "ctl/format.h"
#include "ctl/screen.h"

static bool column_is_right(const Column *column) {
        switch (column->type) {
        case COLUMN_NUMBER:
        case COLUMN_SIZE:
        case COLUMN_DURATION:
                return true;
        default:
                return column->flags & COLUMN_COUNTED;
        }
}

static int table_add_column(struct libscols_table *table, const Column *column) {
        bool wrap = column->type == COLUMN_LIST && !(column->flags & COLUMN_COUNTED);
        struct libscols_column *added;
        int flags = 0;

        if (column_is_right(column))
                flags |= SCOLS_FL_RIGHT;
        if (column->flags & COLUMN_TRUNCATE)
                flags |= SCOLS_FL_TRUNC;
        if (wrap)
                flags |= SCOLS_FL_WRAP;
        added = scols_table_new_column(table, column->name, 0, flags);
        if (!added)
                return error_origin(-ENOMEM);
        if (wrap) {
                (void) scols_column_set_safechars(added, "\n");
                (void) scols_column_set_wrapfunc(added, scols_wrapnl_chunksize, scols_wrapnl_nextchunk,
                                                 NULL);
        }
        return 0;
}

/* Names must not break lines. */
static char *one_line(const char *text) {
        char *copy = strdup(text);

        for (char *p = copy; p && *p; p++)
                if (iscntrl((unsigned char) *p))
                        *p = '?';
        return copy;
}

static char *list_join(char **list) {
        size_t size = 1, length = 0;
        char *joined;

        for (char **s = list; s && *s; s++)
                size += strlen(*s) + 1;
        joined = calloc(1, size);
        for (char **s = list; joined && s && *s; s++) {
                _cleanup_free_ char *line = one_line(*s);

                length += (size_t) snprintf(joined + length, size - length, "%s%s", s == list ? "" : "\n",
                                            line ? line : "");
        }
        return joined;
}

static char *number_to_text(uint64_t number) {
        char *text;

        return asprintf(&text, "%" PRIu64, number) < 0 ? NULL : text;
}

static size_t list_length(char **list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

/* Another machine's users are not ours. */
static char *user_to_text(uint64_t uid, const Options *options) {
        const struct passwd *user = options->host ? NULL : getpwuid((uid_t) uid);

        return user ? strdup(user->pw_name) : number_to_text(uid);
}

static char *format_number(const Column *column, uint64_t number, bool brief, const Options *options) {
        char text[FORMAT_MAX];

        switch (column->type) {
        case COLUMN_BOOLEAN:
                return strdup(number ? "yes" : "no");
        case COLUMN_TIME:
                if (number == 0)
                        return NULL;
                return strdup(brief ? format_local_time(text, number) : format_time(text, number));
        case COLUMN_SIZE:
                return strdup(format_size(text, number));
        case COLUMN_DURATION:
                return strdup(format_duration(text, number));
        case COLUMN_USER:
                return user_to_text(number, options);
        default:
                return number_to_text(number);
        }
}

/* The cell's text, NULL: empty. Running out of memory shows as an empty cell, too. */
static char *cell_text(const Column *column, const Dict *row, bool brief, const Options *options) {
        const DictItem *item = dict_get(row, column->key);

        if (!item)
                return NULL;
        switch (item->type) {
        case DICT_STRING:
                return *item->string ? one_line(item->string) : NULL;
        case DICT_LIST:
                if (brief && (column->flags & COLUMN_COUNTED))
                        return number_to_text(list_length(item->list));
                return item->list && item->list[0] ? list_join(item->list) : NULL;
        case DICT_NUMBER:
        case DICT_BOOLEAN:
                return format_number(column, item->number, brief, options);
        case DICT_TIMES: /* its names */
                return column->type == COLUMN_LIST && item->list ? list_join(item->list) : NULL;
        default:
                return NULL;
        }
}

/* Words that are good or bad: states, consistency, and whether a writer is available. */
static ScreenColor cell_color(const Column *column, const char *text) {
        static const char *const keys[] = {"State", "state", "Consistency", "consistency"};

        for (size_t i = 0; text && i < ELEMENTSOF(keys); i++)
                if (streq(keys[i], column->key))
                        return screen_color_of(text);
        if (text && streq(column->key, "available"))
                return streq(text, "yes") ? SCREEN_GOOD : SCREEN_BAD;
        return SCREEN_NORMAL;
}

static int table_add_row(struct libscols_table *table, const Column *columns, size_t n_columns,
                         const Dict *row, const Options *options) {
        struct libscols_line *line;
        size_t n = 0;

        line = scols_table_new_line(table, NULL);
        if (!line)
                return error_origin(-ENOMEM);
        for (size_t i = 0; i < n_columns; i++) {
                char *text;

                if (columns[i].flags & COLUMN_HIDDEN)
                        continue;
                text = cell_text(&columns[i], row, true, options);
                if (text && screen_has_colors())
                        (void) scols_cell_set_color(scols_line_get_cell(line, n),
                                                    screen_color_name(cell_color(&columns[i], text)));
                if (text && scols_line_refer_data(line, n, text) < 0)
                        free(text);
                n++;
        }
        return 0;
}

/**
 * table_print() - print dictionaries as a table on stdout
 * @columns:    what to show; hidden ones are not
 * @n_columns:  how many
 * @rows:       one dictionary a row
 * @options:    no_legend, host
 *
 * Return: 0 or a negative errno.
 */
int table_print(const Column *columns, size_t n_columns, const DictArray *rows, const Options *options) {
        struct libscols_table *table;
        int r = 0;

        scols_init_debug(0);
        table = scols_new_table();
        if (!table)
                return error_origin(-ENOMEM);
        (void) scols_table_enable_noheadings(table, options->no_legend);
        (void) scols_table_enable_colors(table, screen_has_colors());
        for (size_t i = 0; r == 0 && i < n_columns; i++)
                if (!(columns[i].flags & COLUMN_HIDDEN))
                        r = table_add_column(table, &columns[i]);
        for (size_t i = 0; r == 0 && i < rows->n_dicts; i++)
                r = table_add_row(table, columns, n_columns, &rows->dicts[i], options);
        if (r == 0)
                r = scols_print_table(table);
        scols_unref_table(table);
        return error_trace(r);
}

/**
 * details_print() - print all that is known of one thing on stdout, one value a line
 * @columns:    what to show, hidden ones, too; what is not known is left out
 * @n_columns:  how many
 * @row:        the thing
 * @options:    host
 *
 * Return: 0 or a negative errno.
 */
int details_print(const Column *columns, size_t n_columns, const Dict *row, const Options *options) {
        int width = 0;

        for (size_t i = 0; i < n_columns; i++)
                if ((int) strlen(columns[i].name) > width)
                        width = (int) strlen(columns[i].name);
        for (size_t i = 0; i < n_columns; i++) {
                _cleanup_free_ char *text = cell_text(&columns[i], row, false, options);
                const char *head = columns[i].name;
                ScreenColor color = cell_color(&columns[i], text);
                char *rest = text, *line;

                while ((line = strsep(&rest, "\n"))) {
                        if (printf("%*s  %s%s%s\n", width, head,
                                   color == SCREEN_NORMAL ? "" : screen_color(color), line,
                                   color == SCREEN_NORMAL ? "" : screen_color(SCREEN_NORMAL)) < 0)
                                return error_origin(-EIO);
                        head = "";
                }
        }
        return 0;
}
