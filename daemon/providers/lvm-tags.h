/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names and tags of our LVs, as quiesced-lvm(7) documents them. Pure text. */

#include "daemon/providers/lvm.h"

#define LVM_NAME_SIZE     48u  /* of our LVs, with the NUL */
#define LVM_TAG_SIZE      128u /* of our tags, with the NUL; LVM allows 1024 */
#define LVM_TAGS_AT_BIRTH 6u

#define LVM_TAG_UNFINISHED "quiesced.unfinished"
#define LVM_TAG_FINAL      "quiesced.final"

#define LVM_COPY_PREFIX     LVM_PROVIDER_PREFIX "copy_" /* of copies' LVs, as LVM_PROVIDER_PREFIX */
#define LVM_COPY_KEY_PREFIX "QUIESCED-COPY-"            /* of dm uuids */

/* An id (UUID text or 32 digits) as our names and tags have it. -EINVAL: it is none. */
int lvm_id_to_hex(char ret[static 33], const char *id);
int lvm_snapshot_name(char ret[static LVM_NAME_SIZE], const char *snapshot_id);
int lvm_copy_name(char ret[static LVM_NAME_SIZE], const char *snapshot_id);
int lvm_tag_copy(char ret[static LVM_TAG_SIZE], const char *snapshot_id);
int lvm_tags_at_birth(char ret[static LVM_TAGS_AT_BIRTH][LVM_TAG_SIZE], const ProviderSet *set,
                      const char *origin_uuid);
void lvm_tag_instant(char ret[static LVM_TAG_SIZE], uint64_t instant_usec);
void lvm_tag_consistency(char ret[static LVM_TAG_SIZE], ContractConsistency consistency);
void lvm_tag_volumes(char ret[static LVM_TAG_SIZE], uint32_t n_volumes);
