/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The kinds of things quiesced knows, each with its columns: list, show and JSON all speak of them in the
 * same words, so that what one of them prints can be looked up in another.
 */

#include "ctl/table.h"

typedef struct Kind {
        const char *name;      /* "snapshots": also the name in JSON */
        const char *interface; /* of objects; NULL: ask the method */
        const char *method;
        const char *failure; /* what could not be done if the method fails */
        const Column *columns;
        size_t n_columns;
        bool recovered; /* quiesced finds it again when it is started, by LVM's help */
} Kind;

const Kind *kind_find(const char *name);
const Kind *kind_of_interface(const char *interface);

int kind_read_all(DictArray *rows, sd_bus *bus, const Kind *kind);
int kind_read_one(Dict *row, sd_bus *bus, const char *id, const Kind **ret_kind);

/* In verb-list.c. */
int kind_list(const Kind *kind, const char *nothing, const Options *options);
