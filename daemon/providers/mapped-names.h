/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What names, uuids and tables of device-mapper say about snapshots of provider dm, and about what can be an
 * origin. Pure text, no device is touched.
 */

#include "contract/types.h"
#include "util/macro.h"

#define OUR_UUID_PREFIX    "QUIESCED-" /* of each device that quiesced makes */
#define MAPPED_UUID_PREFIX OUR_UUID_PREFIX "dm-"
#define MAPPED_NAME_PREFIX "quiesced_"
#define MAPPED_UUID_SIZE   129u /* DM_UUID_LEN */
#define MAPPED_NAME_SIZE   128u /* DM_NAME_LEN */

/* A snapshot is three devices. */
typedef enum MappedPart {
        MAPPED_SNAPSHOT, /* what is read */
        MAPPED_REAL,     /* the origin's table of before, below the origin */
        MAPPED_COW,      /* the store */
        _MAPPED_PART_MAX,
} MappedPart;

/* Of which snapshot a device is a part. UUID texts. */
typedef struct MappedIds {
        char snapshot[CONTRACT_ID_MAX], set[CONTRACT_ID_MAX], session[CONTRACT_ID_MAX];
} MappedIds;

/* The final mark: without it a snapshot does not count. */
typedef struct MappedMark {
        uint32_t owner_uid, n_volumes;
        uint64_t instant_realtime_usec;
        ContractConsistency consistency;
} MappedMark;

int mapped_uuid(char ret[static MAPPED_UUID_SIZE], const MappedIds *ids, MappedPart part);
bool mapped_uuid_parse(const char *uuid, MappedIds *ret, MappedPart *ret_part);
bool mapped_uuid_is_ours(const char *uuid);
int mapped_name(char ret[static MAPPED_NAME_SIZE], const char *snapshot_id, MappedPart part);
int mapped_mark_name(char ret[static MAPPED_NAME_SIZE], const char *snapshot_id, const MappedMark *mark);
bool mapped_mark_parse(const char *name, MappedMark *ret);

/* Of an origin's table: whether a target has no state of its own, so that two tables may have it at once. */
bool mapped_target_is_plain(const char *type);
/* Of the target "crypt": whether its key is in the kernel's keyring alone, so that no second table gets it.
 */
bool mapped_crypt_key_is_in_keyring(const char *params);

/* How large a store is of use at most, in bytes: with all of its origin changed. */
uint64_t mapped_store_size_max(uint64_t origin_size);
