/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading device-mapper's table and status lines; see hold-table.h. The forms are those of the kernel's
 * Documentation/admin-guide/device-mapper/{snapshot,thin-provisioning}.rst.
 */

#include "daemon/hold/hold-table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "util/macro.h"

/* The next blank-separated word of *text, at most size - 1 bytes; false at the end or if it is longer. */
static bool next_word(const char **text, char *ret, size_t size) {
        const char *p = *text + strspn(*text, " ");
        size_t n = strcspn(p, " ");

        if (n == 0 || n >= size)
                return false;
        memcpy(ret, p, n);
        ret[n] = '\0';
        *text = p + n;
        return true;
}

/* Only digits, no sign, no overflow: strtoull() alone would take more. */
static bool parse_number(const char *text, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        if (*text == '\0')
                return false;
        for (; *text; text++) {
                unsigned digit = (unsigned) (*text - '0');

                if (digit > 9 || value > (max - digit) / 10)
                        return false;
                value = value * 10 + digit;
        }
        *ret = value;
        return true;
}

static bool next_number(const char **text, uint64_t max, uint64_t *ret) {
        char word[32];

        return next_word(text, word, sizeof(word)) && parse_number(word, max, ret);
}

static bool next_device(const char **text, TableDevice *ret) {
        char word[32];

        return next_word(text, word, sizeof(word)) && table_parse_device(word, ret) == 0;
}

/* "used/total", as thin pools count their blocks. */
static bool next_ratio(const char **text, uint64_t *ret_used, uint64_t *ret_total) {
        char word[64], *slash;

        if (!next_word(text, word, sizeof(word)))
                return false;
        slash = strchr(word, '/');
        if (!slash)
                return false;
        *slash = '\0';
        return parse_number(word, UINT64_MAX, ret_used) && parse_number(slash + 1, UINT64_MAX, ret_total);
}

/**
 * table_parse_device() - reads a device's numbers
 * @text:       "MAJOR:MINOR", nothing more
 * @ret:        the numbers
 *
 * Return: 0, or -EBADMSG.
 */
int table_parse_device(const char *text, TableDevice *ret) {
        char major[16];
        uint64_t a, b;
        const char *colon = strchr(text, ':');

        if (!colon || (size_t) (colon - text) >= sizeof(major))
                return error_origin(-EBADMSG);
        memcpy(major, text, (size_t) (colon - text));
        major[colon - text] = '\0';
        if (!parse_number(major, UINT32_MAX, &a) || !parse_number(colon + 1, UINT32_MAX, &b))
                return error_origin(-EBADMSG);
        *ret = (TableDevice){.major = (uint32_t) a, .minor = (uint32_t) b};
        return 0;
}

/**
 * table_parse_snapshot() - reads the table of a `snapshot` target
 * @params:     "ORIGIN COW P|PO|N CHUNK [features]"
 * @ret:        what it says
 *
 * Return: 0, or -EBADMSG.
 */
int table_parse_snapshot(const char *params, TableSnapshot *ret) {
        TableSnapshot table = {};
        uint64_t chunk;
        char store[8];

        if (!next_device(&params, &table.origin) || !next_device(&params, &table.cow) ||
            !next_word(&params, store, sizeof(store)) || !next_number(&params, UINT32_MAX, &chunk))
                return error_origin(-EBADMSG);
        if (chunk == 0 || !strchr("PN", store[0]))
                return error_origin(-EBADMSG);
        table.persistent = store[0] == 'P';
        table.chunk_sectors = (uint32_t) chunk;
        *ret = table;
        return 0;
}

/**
 * table_parse_thin() - reads the table of a `thin` target
 * @params:     "POOL ID [external origin]"
 * @ret:        what it says
 *
 * Return: 0, or -EBADMSG.
 */
int table_parse_thin(const char *params, TableThin *ret) {
        TableThin table = {};
        uint64_t id;

        if (!next_device(&params, &table.pool) || !next_number(&params, UINT32_MAX, &id))
                return error_origin(-EBADMSG);
        table.id = (uint32_t) id;
        *ret = table;
        return 0;
}

/**
 * table_parse_pool_status() - reads the status of a `thin-pool` target
 * @status:     "TRANSACTION META/META DATA/DATA HELD-ROOT MODE DISCARD NO-SPACE NEEDS-CHECK …", or "Fail"
 * @ret:        what it says
 *
 * Return: 0, or -EBADMSG.
 */
int table_parse_pool_status(const char *status, TablePool *ret) {
        TablePool pool = {};
        uint64_t transaction;
        char word[32];

        if (streq(status, "Fail") || streq(status, "Error")) {
                *ret = (TablePool){.failed = true};
                return 0;
        }
        if (!next_number(&status, UINT64_MAX, &transaction) ||
            !next_ratio(&status, &pool.metadata_used, &pool.metadata_total) ||
            !next_ratio(&status, &pool.data_used, &pool.data_total) ||
            !next_word(&status, word, sizeof(word)) /* held root */ ||
            !next_word(&status, word, sizeof(word)))
                return error_origin(-EBADMSG);
        pool.read_write = streq(word, "rw");
        /* discard passdown, error or queue if no space, needs_check or "-" */
        for (unsigned i = 0; i < 3; i++)
                if (!next_word(&status, word, sizeof(word)))
                        return error_origin(-EBADMSG);
        pool.needs_check = streq(word, "needs_check");
        *ret = pool;
        return 0;
}

static bool has_room(uint64_t used, uint64_t total, uint64_t margin_permille) {
        if (used > total || total == 0)
                return false;
        /* A full pool has no room whatever the margin; the division keeps huge pools from overflowing. */
        return total - used > total / 1000 * margin_permille + total % 1000 * margin_permille / 1000;
}

/**
 * table_pool_has_room() - whether a pool may be frozen without fear of running full meanwhile
 * @pool:               its status
 * @margin_permille:    how much must be free, data and metadata each, in 1/1000
 *
 * Return: true if so.
 */
bool table_pool_has_room(const TablePool *pool, uint64_t margin_permille) {
        return !pool->failed && has_room(pool->metadata_used, pool->metadata_total, margin_permille) &&
               has_room(pool->data_used, pool->data_total, margin_permille);
}
