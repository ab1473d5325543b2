/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The few device-mapper table and status lines the hold must understand: snapshot, snapshot-origin, thin and
 * thin-pool. Pure text, no device is touched, so every odd line can be tried in a unit test.
 *
 * All return 0, or -EBADMSG if the line is not of that form.
 */

#include <stdbool.h>
#include <stdint.h>

/* A device as the kernel's tables name it: "253:4". */
typedef struct TableDevice {
        uint32_t major;
        uint32_t minor;
} TableDevice;

typedef struct TableSnapshot {
        TableDevice origin; /* the -real device */
        TableDevice cow;
        bool persistent;
        uint32_t chunk_sectors; /* of 512 bytes */
} TableSnapshot;

typedef struct TableThin {
        TableDevice pool;
        uint32_t id;
} TableThin;

typedef struct TablePool {
        uint64_t metadata_used, metadata_total;
        uint64_t data_used, data_total;
        bool failed;      /* "Fail" or "Error": no numbers */
        bool read_write;  /* plainly "rw": neither "ro" nor "out_of_data_space" */
        bool needs_check; /* thin_check is due */
} TablePool;

int table_parse_device(const char *text, TableDevice *ret);
int table_parse_snapshot(const char *params, TableSnapshot *ret);
int table_parse_thin(const char *params, TableThin *ret);
int table_parse_pool_status(const char *status, TablePool *ret);
bool table_pool_has_room(const TablePool *pool, uint64_t margin_permille);
