/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * JSON documents: an object with one array a kind, of one object a row. Sizes are bytes, durations µs, times
 * RFC 3339 in UTC; what is not known is null, an empty list is [].
 *
 * Running out of memory is noticed at the end: jansson's functions take the NULLs in between.
 */

#include <jansson.h>

#include "ctl/kinds.h"

/* Of what json_print() prints, quiescectl-json(5): another one when a member goes or means something else.
 */
#define JSON_VERSION 1

json_t *json_from_row(const Column *columns, size_t n_columns, const Dict *row);
json_t *json_from_rows(const Column *columns, size_t n_columns, const DictArray *rows);
int json_add_row(json_t *document, const Kind *kind, json_t *row);
int json_print(json_t *document);
