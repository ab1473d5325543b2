/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Encrypted volumes: a snapshot of one is opened with the key of the volume itself, as long as that is open
 * on this machine.
 *
 * The key comes from the table of the volume's own dm-crypt device, or, where that only refers to a keyring
 * that nobody has any more (LUKS2), from the key file that crypttab(5) names for that device. What is made
 * above the snapshot goes by itself with its last user. No key is ever said or written anywhere.
 */

#include <stdint.h>

#include "util/macro.h"

#define PLAIN_NAME_MAX 128u
#define PLAIN_PREFIX   "quiesced_plain_"

/* The parameters of a "crypt" target, cut in pieces; they point into the text. */
typedef struct PlainTable {
        const char *cipher, *key, *iv_offset;
        const char *offset; /* of the data, sectors */
        const char *rest;   /* number of options and options, or "" */
        bool in_keyring;    /* the key is only a reference */
} PlainTable;

/* A line of crypttab(5); all texts are its own. */
typedef struct Crypttab {
        char *key_file;
        char *key_offset, *key_size; /* or NULL */
} Crypttab;

typedef struct PlainRequest {
        const char *device;      /* node of the snapshot, or its copy */
        const char *origin_key;  /* dm uuid of the volume */
        const char *snapshot_id; /* UUID text */
        bool writable;
} PlainRequest;

/* plain.c: pure text. */
int plain_table_parse(char *params, PlainTable *ret);
bool plain_uuid_matches(const char *dm_uuid, const char *luks_uuid);
int crypttab_find(const char *text, const char *name, Crypttab *ret);
void crypttab_done(Crypttab *line);
void plain_name(char ret[static PLAIN_NAME_MAX], const PlainRequest *request);

/* plain-child.c: in children's processes, which end soon afterwards. -ENOKEY: the key is not to be had;
 * stderr says why, as for other errors. */
int plain_child_open(const PlainRequest *request, char **ret_device, int *ret_fd);
void plain_child_leave(const PlainRequest *request);
int plain_child_close(const PlainRequest *request);
