/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Names and uuids: what device-mapper itself keeps about a snapshot of provider dm; see mapped-names.h.
 *
 * A uuid cannot be changed, so it has what is known at birth: snapshot, set and session. A name can be: that
 * of the store's device, which nobody uses, is what becomes the final mark, in one rename.
 */

#include "daemon/providers/mapped-names.h"

#include <ctype.h>
#include <inttypes.h>

#include "contract/names.h"
#include "daemon/providers/lvm-tags.h"
#include "util/error.h"

#define HEX_LENGTH      32u
#define CHUNK_SIZE      UINT64_C(4096)
#define EXCEPTIONS_AREA (CHUNK_SIZE / 16) /* chunks that one chunk of the store's metadata tells of */

static const char *const suffixes[_MAPPED_PART_MAX] = {
        [MAPPED_SNAPSHOT] = "",
        [MAPPED_REAL] = "-real",
        [MAPPED_COW] = "-cow",
};

/**
 * mapped_uuid() - the uuid of a part of a snapshot
 * @ret:        it
 * @ids:        of the snapshot
 * @part:       which part
 *
 * Return: 0, or -EINVAL: an id is none.
 */
int mapped_uuid(char ret[static MAPPED_UUID_SIZE], const MappedIds *ids, MappedPart part) {
        char snapshot[HEX_LENGTH + 1], set[HEX_LENGTH + 1], session[HEX_LENGTH + 1];

        if (lvm_id_to_hex(snapshot, ids->snapshot) < 0 || lvm_id_to_hex(set, ids->set) < 0 ||
            lvm_id_to_hex(session, ids->session) < 0)
                return error_origin(-EINVAL);
        (void) snprintf(ret, MAPPED_UUID_SIZE, MAPPED_UUID_PREFIX "%s-%s-%s%s", snapshot, set, session,
                        suffixes[part]);
        return 0;
}

/* 32 digits → UUID text. Return: what follows them, or NULL. */
static const char *hex_read(const char *text, char ret[static CONTRACT_ID_MAX]) {
        size_t n = 0;

        for (size_t i = 0; i < HEX_LENGTH; i++) {
                if (!isdigit((unsigned char) text[i]) && !(text[i] >= 'a' && text[i] <= 'f'))
                        return NULL;
                if (i == 8 || i == 12 || i == 16 || i == 20)
                        ret[n++] = '-';
                ret[n++] = text[i];
        }
        ret[n] = '\0';
        return text + HEX_LENGTH;
}

/**
 * mapped_uuid_is_ours() - whether a device is a part of a snapshot of ours
 * @uuid:       of the device, or NULL
 *
 * Return: true if so, whatever follows the prefix.
 */
bool mapped_uuid_is_ours(const char *uuid) {
        return uuid && strncmp(uuid, MAPPED_UUID_PREFIX, strlen(MAPPED_UUID_PREFIX)) == 0;
}

/**
 * mapped_uuid_parse() - what a uuid says
 * @uuid:       of any device
 * @ret:        the ids
 * @ret_part:   which part of that snapshot it is
 *
 * Return: false if it is none of ours.
 */
bool mapped_uuid_parse(const char *uuid, MappedIds *ret, MappedPart *ret_part) {
        MappedIds ids = {};
        const char *rest;

        if (!mapped_uuid_is_ours(uuid))
                return false;
        rest = hex_read(uuid + strlen(MAPPED_UUID_PREFIX), ids.snapshot);
        rest = rest && *rest == '-' ? hex_read(rest + 1, ids.set) : NULL;
        rest = rest && *rest == '-' ? hex_read(rest + 1, ids.session) : NULL;
        for (MappedPart part = 0; rest && part < _MAPPED_PART_MAX; part++)
                if (streq(rest, suffixes[part])) {
                        *ret = ids;
                        *ret_part = part;
                        return true;
                }
        return false;
}

/**
 * mapped_name() - what a part of a snapshot is called at birth
 * @ret:                it
 * @snapshot_id:        UUID text
 * @part:               which part
 *
 * Return: 0, or -EINVAL.
 */
int mapped_name(char ret[static MAPPED_NAME_SIZE], const char *snapshot_id, MappedPart part) {
        char hex[HEX_LENGTH + 1];
        int r;

        r = lvm_id_to_hex(hex, snapshot_id);
        if (r < 0)
                return error_trace(r);
        (void) snprintf(ret, MAPPED_NAME_SIZE, MAPPED_NAME_PREFIX "%s%s", hex, suffixes[part]);
        return 0;
}

/**
 * mapped_mark_name() - what the store of a snapshot that counts is called
 * @ret:                it
 * @snapshot_id:        UUID text
 * @mark:               what it says
 *
 * Return: 0, or -EINVAL.
 */
int mapped_mark_name(char ret[static MAPPED_NAME_SIZE], const char *snapshot_id, const MappedMark *mark) {
        char birth[MAPPED_NAME_SIZE];
        int r;

        r = mapped_name(birth, snapshot_id, MAPPED_COW);
        if (r < 0)
                return error_trace(r);
        (void) snprintf(ret, MAPPED_NAME_SIZE, "%.64s-%" PRIu32 "-%" PRIu32 "-%" PRIu64 "-%.24s", birth,
                        mark->owner_uid, mark->n_volumes, mark->instant_realtime_usec,
                        contract_consistency_to_string(mark->consistency));
        return 0;
}

/* Digits up to the next '-'. Return: what follows it, or NULL. */
static const char *number_read(const char *text, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        if (!text || !isdigit((unsigned char) *text))
                return NULL;
        for (; isdigit((unsigned char) *text); text++) {
                uint64_t digit = (uint64_t) (*text - '0');

                if (value > (max - digit) / 10)
                        return NULL;
                value = 10 * value + digit;
        }
        *ret = value;
        return *text == '-' ? text + 1 : NULL;
}

/**
 * mapped_mark_parse() - whether a store's device has the final mark
 * @name:       of the device
 * @ret:        what it says
 *
 * Return: false if it has none, and the snapshot does not count.
 */
bool mapped_mark_parse(const char *name, MappedMark *ret) {
        const size_t n_birth = strlen(MAPPED_NAME_PREFIX) + HEX_LENGTH + strlen("-cow-");
        uint64_t uid = 0, n_volumes = 0, instant = 0;
        const char *rest;

        if (strlen(name) < n_birth || strncmp(name + n_birth - strlen("-cow-"), "-cow-", 5) != 0)
                return false;
        rest = number_read(name + n_birth, UINT32_MAX, &uid);
        rest = number_read(rest, CONTRACT_VOLUMES_MAX, &n_volumes);
        rest = number_read(rest, INT64_MAX, &instant);
        if (!rest || n_volumes == 0 || instant == 0)
                return false;
        for (ContractConsistency c = CONTRACT_CONSISTENCY_NONE; c < _CONTRACT_CONSISTENCY_MAX; c++)
                if (streq(contract_consistency_to_string(c), rest)) {
                        *ret = (MappedMark){.owner_uid = (uint32_t) uid,
                                            .n_volumes = (uint32_t) n_volumes,
                                            .instant_realtime_usec = instant,
                                            .consistency = c};
                        return true;
                }
        return false;
}

/**
 * mapped_target_is_plain() - may two tables have this target at the same time
 * @type:       as the kernel names it
 *
 * While a snapshot is there, the origin's table of before lies below the origin, and is loaded while the
 * live one is in use. Targets with metadata or a journal of their own (integrity, raid, cache, writecache,
 * thin-pool, era, multipath …) would be written by both.
 *
 * Return: true for those that only pass I/O on.
 */
bool mapped_target_is_plain(const char *type) {
        static const char *const plain[] = {"linear", "crypt", "striped", "unstriped", "delay"};

        for (size_t i = 0; i < ELEMENTSOF(plain); i++)
                if (streq(type, plain[i]))
                        return true;
        return false;
}

/**
 * mapped_crypt_key_is_in_keyring() - can a second table not get this key
 * @params:     of a target "crypt": "CIPHER KEY IV-OFFSET DEVICE OFFSET …"
 *
 * Return: whether the key is only a reference, ":SIZE:TYPE:DESCRIPTION".
 */
bool mapped_crypt_key_is_in_keyring(const char *params) {
        const char *key = params + strspn(params, " ");

        key += strcspn(key, " ");
        key += strspn(key, " ");
        return *key == ':';
}

/**
 * mapped_store_size_max() - how much of a store can be used
 * @origin_size:        bytes
 *
 * Return: bytes: header, metadata and all chunks of the origin.
 */
uint64_t mapped_store_size_max(uint64_t origin_size) {
        uint64_t chunks = origin_size / CHUNK_SIZE + 1;

        return (1 + chunks / EXCEPTIONS_AREA + 1 + chunks) * CHUNK_SIZE;
}
