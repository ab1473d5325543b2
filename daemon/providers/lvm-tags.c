/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Names and tags: what LVM's metadata says about a snapshot of ours.
 *
 * LVM's alphabet for tags is A-Za-z0-9_+.-/=!:&#; an id is written as 32 hexadecimal digits in both. An LV
 * is ours only if its name *and* its tags say so: somebody's LV of a similar name is never touched.
 */

#include "daemon/providers/lvm-tags.h"

#include <ctype.h>
#include <inttypes.h>

#include "contract/names.h"
#include "util/error.h"

#define TAG_SET         "quiesced.set="
#define TAG_SESSION     "quiesced.session="
#define TAG_UID         "quiesced.uid="
#define TAG_ORIGIN      "quiesced.origin="
#define TAG_INSTANT     "quiesced.instant="
#define TAG_VOLUMES     "quiesced.volumes="
#define TAG_CONSISTENCY "quiesced.consistency="
#define TAG_PERSISTENT  "quiesced.persistent"
#define TAG_AUTORELEASE "quiesced.auto-release"
#define TAG_COPY        "quiesced.copy="

/**
 * lvm_id_to_hex() - an id as names and tags have it
 * @ret:        32 lower-case digits
 * @id:         UUID text, with or without dashes
 *
 * Return: 0, or -EINVAL.
 */
int lvm_id_to_hex(char ret[static 33], const char *id) {
        size_t n = 0;

        for (; *id; id++) {
                if (*id == '-')
                        continue;
                if (!isxdigit((unsigned char) *id) || n >= 32)
                        return error_origin(-EINVAL);
                ret[n++] = (char) tolower((unsigned char) *id);
        }
        ret[n] = '\0';
        return n == 32 ? 0 : error_origin(-EINVAL);
}

/**
 * lvm_snapshot_name() - the name of a snapshot's LV
 * @ret:            the name
 * @snapshot_id:    the snapshot's
 *
 * Return: 0, or -EINVAL.
 */
int lvm_snapshot_name(char ret[static LVM_NAME_SIZE], const char *snapshot_id) {
        char hex[33];
        int r;

        r = lvm_id_to_hex(hex, snapshot_id);
        if (r < 0)
                return error_trace(r);
        (void) snprintf(ret, LVM_NAME_SIZE, "%s%s", LVM_PROVIDER_PREFIX, hex);
        return 0;
}

/**
 * lvm_copy_name() - the name of the LV of a snapshot's writable copy, or of its store
 * @ret:            the name
 * @snapshot_id:    the snapshot's
 *
 * Return: 0, or -EINVAL.
 */
int lvm_copy_name(char ret[static LVM_NAME_SIZE], const char *snapshot_id) {
        char hex[33];
        int r;

        r = lvm_id_to_hex(hex, snapshot_id);
        if (r < 0)
                return error_trace(r);
        (void) snprintf(ret, LVM_NAME_SIZE, "%s%s", LVM_COPY_PREFIX, hex);
        return 0;
}

/**
 * lvm_tag_copy() - the tag that such an LV is born with
 * @ret:            the tag
 * @snapshot_id:    the snapshot's
 *
 * Return: 0, or -EINVAL.
 */
int lvm_tag_copy(char ret[static LVM_TAG_SIZE], const char *snapshot_id) {
        char hex[33];
        int r;

        r = lvm_id_to_hex(hex, snapshot_id);
        if (r < 0)
                return error_trace(r);
        (void) snprintf(ret, LVM_TAG_SIZE, TAG_COPY "%s", hex);
        return 0;
}

/**
 * lvm_tags_at_birth() - what a snapshot LV is born with
 * @ret:            the tags
 * @set:            the set it will belong to
 * @origin_uuid:    LVM's uuid of its origin, without dashes; survives renaming, and is all that tells of the
 *                  origin of a thin volume that LVM does not know to be a snapshot
 *
 * Return: 0, or -EINVAL if an id is none.
 */
int lvm_tags_at_birth(char ret[static LVM_TAGS_AT_BIRTH][LVM_TAG_SIZE], const ProviderSet *set,
                      const char *origin_uuid) {
        char set_hex[33], session_hex[33];
        int r;

        r = lvm_id_to_hex(set_hex, set->id);
        if (r < 0)
                return error_trace(r);
        r = lvm_id_to_hex(session_hex, set->session_id);
        if (r < 0)
                return error_trace(r);
        (void) snprintf(ret[0], LVM_TAG_SIZE, "%s", LVM_TAG_UNFINISHED);
        (void) snprintf(ret[1], LVM_TAG_SIZE, TAG_SET "%s", set_hex);
        (void) snprintf(ret[2], LVM_TAG_SIZE, TAG_SESSION "%s", session_hex);
        (void) snprintf(ret[3], LVM_TAG_SIZE, TAG_UID "%" PRIu32, set->owner_uid);
        (void) snprintf(ret[4], LVM_TAG_SIZE, "%s", set->persistent ? TAG_PERSISTENT : TAG_AUTORELEASE);
        (void) snprintf(ret[5], LVM_TAG_SIZE, TAG_ORIGIN "%.32s", origin_uuid);
        return 0;
}

/**
 * lvm_tag_instant() - the tag of the instant
 * @ret:            the tag
 * @instant_usec:   CLOCK_REALTIME, µs
 */
void lvm_tag_instant(char ret[static LVM_TAG_SIZE], uint64_t instant_usec) {
        (void) snprintf(ret, LVM_TAG_SIZE, TAG_INSTANT "%" PRIu64, instant_usec);
}

/**
 * lvm_tag_consistency() - the tag of what the set is good for
 * @ret:            the tag
 * @consistency:    of the whole set
 */
void lvm_tag_consistency(char ret[static LVM_TAG_SIZE], ContractConsistency consistency) {
        (void) snprintf(ret, LVM_TAG_SIZE, TAG_CONSISTENCY "%s",
                        contract_consistency_to_string(consistency));
}

/**
 * lvm_tag_volumes() - the tag of how many snapshots the set has
 * @ret:        the tag
 * @n_volumes:  of the whole set
 */
void lvm_tag_volumes(char ret[static LVM_TAG_SIZE], uint32_t n_volumes) {
        (void) snprintf(ret, LVM_TAG_SIZE, TAG_VOLUMES "%" PRIu32, n_volumes);
}

/* 32 hexadecimal digits and nothing after them, to UUID text. */
static bool hex_to_id(char ret[static CONTRACT_ID_MAX], const char *hex) {
        static const unsigned groups[] = {8, 4, 4, 4, 12};
        size_t n = 0;

        if (strlen(hex) != 32 || strspn(hex, "0123456789abcdef") != 32)
                return false;
        for (size_t g = 0; g < ELEMENTSOF(groups); g++) {
                if (g > 0)
                        ret[n++] = '-';
                memcpy(ret + n, hex, groups[g]);
                n += groups[g];
                hex += groups[g];
        }
        ret[n] = '\0';
        return true;
}

static bool number_read(uint64_t *ret, const char *text, uint64_t max) {
        unsigned long long number;
        char *end;

        if (!isdigit((unsigned char) *text))
                return false;
        errno = 0;
        number = strtoull(text, &end, 10);
        if (errno != 0 || *end || number > max)
                return false;
        *ret = number;
        return true;
}

/* A word that a newer quiesced may have written says nothing, and costs nobody his snapshot. */
static ContractConsistency consistency_read(const char *word) {
        for (ContractConsistency c = CONTRACT_CONSISTENCY_NONE; c < _CONTRACT_CONSISTENCY_MAX; c++)
                if (streq(contract_consistency_to_string(c), word))
                        return c;
        return CONTRACT_CONSISTENCY_NONE;
}

static const char *after(const char *tag, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(tag, prefix, n) == 0 ? tag + n : NULL;
}

/* Return: false if the tag is ours and damaged. */
static bool tag_read(LvmSnapshot *snapshot, const char *tag, bool *unfinished, unsigned *n_kinds) {
        const char *value;
        uint64_t number = 0;

        if ((value = after(tag, TAG_SET)))
                return hex_to_id(snapshot->set_id, value);
        if ((value = after(tag, TAG_SESSION)))
                return hex_to_id(snapshot->session_id, value);
        if ((value = after(tag, TAG_UID))) {
                bool good = number_read(&number, value, UINT32_MAX);

                snapshot->owner_uid = (uint32_t) number;
                return good;
        }
        if ((value = after(tag, TAG_ORIGIN))) {
                (void) snprintf(snapshot->origin_uuid, sizeof(snapshot->origin_uuid), "%.32s", value);
                return strlen(value) == 32;
        }
        if ((value = after(tag, TAG_VOLUMES))) {
                bool good = number_read(&number, value, CONTRACT_VOLUMES_MAX);

                snapshot->n_volumes = (uint32_t) number;
                return good;
        }
        if ((value = after(tag, TAG_INSTANT)))
                return number_read(&snapshot->instant_realtime_usec, value, INT64_MAX);
        if ((value = after(tag, TAG_CONSISTENCY)))
                snapshot->consistency = consistency_read(value);
        else if (streq(tag, LVM_TAG_FINAL))
                snapshot->final = true;
        else if (streq(tag, LVM_TAG_UNFINISHED))
                *unfinished = true;
        else if (streq(tag, TAG_PERSISTENT) || streq(tag, TAG_AUTORELEASE)) {
                snapshot->persistent = streq(tag, TAG_PERSISTENT);
                (*n_kinds)++;
        }
        return true;
}

/**
 * lvm_volume_get_snapshot() - what name and tags say
 * @volume:     an LV as reported
 * @ret:        what they say, if it is ours; `final` only if every tag is there and right
 *
 * Return: whether it is one of ours, finished or not.
 */
bool lvm_volume_get_snapshot(const LvmVolume *volume, LvmSnapshot *ret) {
        LvmSnapshot snapshot = {};
        const char *hex = after(volume->lv, LVM_PROVIDER_PREFIX);
        bool unfinished = false, good = true;
        unsigned n_kinds = 0;

        if (!hex || !hex_to_id(snapshot.id, hex))
                return false;
        for (size_t i = 0; volume->tags[i]; i++)
                good = tag_read(&snapshot, volume->tags[i], &unfinished, &n_kinds) && good;
        if (!snapshot.set_id[0])
                return false;
        /* Somebody has been at its tags: what cannot be trusted does not count. */
        if (!good || unfinished || n_kinds != 1 || !snapshot.session_id[0] || !snapshot.origin_uuid[0] ||
            snapshot.n_volumes == 0 || snapshot.instant_realtime_usec == 0)
                snapshot.final = false;
        *ret = snapshot;
        return true;
}

/**
 * lvm_volume_get_copy() - whether an LV is a writable copy of a snapshot of ours, or the store of one
 * @volume:             an LV as reported
 * @ret_snapshot_id:    of which
 *
 * Return: whether it is, by its name and its tag.
 */
bool lvm_volume_get_copy(const LvmVolume *volume, char ret_snapshot_id[static CONTRACT_ID_MAX]) {
        const char *hex = after(volume->lv, LVM_COPY_PREFIX);

        if (!hex || !hex_to_id(ret_snapshot_id, hex))
                return false;
        for (size_t i = 0; volume->tags[i]; i++) {
                const char *value = after(volume->tags[i], TAG_COPY);

                if (value && streq(value, hex))
                        return true;
        }
        return false;
}

/**
 * lvm_copy_top_key() - the device that a copy with a store of its own is
 * @ret:        its dm uuid, whether it is there or not; "": the LV itself is the copy
 * @copy:       the LV, which is one
 */
void lvm_copy_top_key(char ret[static LVM_COPY_KEY_SIZE], const LvmVolume *copy) {
        (void) snprintf(ret, LVM_COPY_KEY_SIZE, "%s%.32s", *copy->pool ? "" : LVM_COPY_KEY_PREFIX,
                        *copy->pool ? "" : copy->lv + strlen(LVM_COPY_PREFIX));
}
