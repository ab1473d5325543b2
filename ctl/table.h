/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Tables from dictionaries: for people as lsblk prints them, or as JSON.
 *
 * A column takes one key of the dictionary. For people sizes have units, durations too; in JSON sizes are
 * bytes, durations µs, times RFC 3339, and a missing value is null.
 */

#include "ctl/ctl.h"
#include "ctl/dict.h"

typedef enum ColumnType {
        COLUMN_STRING,
        COLUMN_NUMBER,
        COLUMN_BOOLEAN,
        COLUMN_SIZE,
        COLUMN_DURATION, /* µs */
        COLUMN_TIME,     /* µs since 1970 */
        COLUMN_LIST,
        COLUMN_COUNT, /* of a list's members */
        COLUMN_USER,  /* uid */
} ColumnType;

typedef struct Column {
        const char *name; /* in the table; in JSON in lower case */
        const char *key;
        ColumnType type;
} Column;

int table_print(const char *name, const Column *columns, size_t n_columns, const DictArray *rows,
                const Options *options);

/* In objects.c: all objects of quiesced that have an interface, with that interface's properties. */
int objects_read(DictArray *array, sd_bus *bus, const char *interface);
int object_find(sd_bus *bus, const char *id, char **ret_path, const char **ret_interface);
int object_properties(Dict *dict, sd_bus *bus, const char *path, const char *interface);
int snapshot_properties(Dict *dict, sd_bus *bus, const char *path);

extern const Column snapshot_columns[];
extern const size_t n_snapshot_columns;
