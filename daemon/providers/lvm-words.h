/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What people say of a set (set-description.h), as LVM tags of its snapshots; quiesced-lvm(7). Pure text. */

#include "daemon/providers/lvm.h"
#include "daemon/providers/set-description.h"

#define LVM_WORD_TAG_SIZE 1024u /* LVM's limit, with the NUL: 255 bytes of which each may take three */

int lvm_words_to_tags(char ***ret, const SetDescription *description);
int lvm_words_read(SetDescription *ret, char **tags);
bool lvm_words_has(char **tags, const char *tag);
