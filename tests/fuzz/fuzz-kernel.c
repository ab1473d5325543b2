/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What device-mapper says (tables, status lines, names, UUIDs) as any string: never a crash. These run
 * inside quiesced-hold, where nothing else would catch a mistake. And a "crypt" target's table, and
 * crypttab(5).
 */

#include <stddef.h>
#include <stdint.h>

#include "daemon/hold/hold-table.h"
#include "daemon/providers/mapped-names.h"
#include "daemon/sets/plain.h"
#include "daemon/volumes/lvm-name.h"
#include "util/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken for ours is what we would have written. */
static void try_mapped(const char *text) {
        char written[MAPPED_UUID_SIZE];
        MappedIds ids;
        MappedPart part;
        MappedMark mark;

        if (mapped_uuid_parse(text, &ids, &part) &&
            (mapped_uuid(written, &ids, part) < 0 || !streq(written, text)))
                abort();
        if (mapped_mark_parse(text, &mark) && (mark.n_volumes == 0 || mark.instant_realtime_usec == 0))
                abort();
        (void) mapped_target_is_plain(text);
        (void) mapped_crypt_key_is_in_keyring(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size), *vg = NULL, *lv = NULL;
        Crypttab line = {};
        PlainTable table;
        TableSnapshot snapshot;
        TableDevice device;
        TablePool pool;
        TableThin thin;

        if (!text)
                return 0;
        (void) table_parse_device(text, &device);
        (void) table_parse_snapshot(text, &snapshot);
        (void) table_parse_thin(text, &thin);
        if (table_parse_pool_status(text, &pool) == 0)
                (void) table_pool_has_room(&pool, 100);
        if (lvm_name_split(text, &vg, &lv) == 0 && (!vg || !lv || strlen(vg) + strlen(lv) >= strlen(text)))
                abort();
        (void) lvm_uuid_is_volume(text);
        try_mapped(text);
        (void) plain_uuid_matches(text, "01234567-89ab-cdef-0123-456789abcdef");
        if (crypttab_find(text, "secret", &line) == 0)
                crypttab_done(&line);
        (void) plain_table_parse(text, &table); /* cuts it */
        return 0;
}
