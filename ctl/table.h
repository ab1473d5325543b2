/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Tables from dictionaries, as lsblk prints them. A column takes one key of the dictionary.
 */

#include "ctl/ctl.h"
#include "ctl/dict.h"

#define COLUMN_NAME_MAX 32

typedef enum ColumnType {
        COLUMN_STRING,
        COLUMN_NUMBER,
        COLUMN_BOOLEAN,
        COLUMN_SIZE,
        COLUMN_DURATION, /* µs */
        COLUMN_TIME,     /* µs since 1970 */
        COLUMN_LIST,
        COLUMN_TIMES, /* by name, µs */
        COLUMN_USER,  /* uid */
} ColumnType;

enum {
        COLUMN_HIDDEN = 1,   /* too much for a table: for show and JSON */
        COLUMN_TRUNCATE = 2, /* cut on a terminal that is too narrow */
        COLUMN_COUNTED = 4,  /* the table has the list's length */
};

typedef struct Column {
        const char *name; /* in the table; in JSON in lower case */
        const char *key;
        ColumnType type;
        unsigned flags;
} Column;

int table_print(const Column *columns, size_t n_columns, const DictArray *rows, const Options *options);
int details_print(const Column *columns, size_t n_columns, const Dict *row, const Options *options);

/* In objects.c: quiesced's objects, with an interface's properties. */
int objects_take(DictArray *array, sd_bus_message *reply, const char *interface);
int objects_read(DictArray *array, sd_bus *bus, const char *interface);
int object_find(sd_bus *bus, const char *id, char **ret_path, const char **ret_interface);
int object_properties(Dict *dict, sd_bus *bus, const char *path, const char *interface);
int object_find_set(sd_bus *bus, const char *id, char **ret_path);
int set_check_whole(const Dict *set, const char *remedy);
int checked_properties(Dict *dict, sd_bus *bus, const char *path, const char *interface);
int snapshot_new_call(sd_bus *bus, sd_bus_message **ret, const char *id, const char *method);
int snapshot_mount(sd_bus *bus, const char *id, int directory_fd);

/* In names.c. */
int name_resolve(sd_bus *bus, const char *word, char **ret_id);

/* In verb-break.c. */
int set_break(DictArray *broken, sd_bus *bus, const char *id, const char *suffix, bool writable);

/* In verb-mount.c. */
bool snapshot_is_mounted_as(const Dict *snapshot, uint64_t mount_id);
int snapshot_unmount(sd_bus *bus, const char *id, uint64_t mount_id);
int unmount_directory(sd_bus *bus, const char *directory, char **ret_id);
