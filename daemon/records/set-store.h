/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is kept of finished sets, as JSON: the timeline of each in /var/lib/quiesced/sets/<id>.json, the
 * backup document of a persistent one in /var/lib/quiesced/documents/<id>.json. A store is one of the two.
 *
 * They only add to what LVM's tags say: a set without its record is a set all the same. One that cannot be
 * read is told to who asks for it, and stays where it is until its set is gone. That is so when quiesced
 * removes it; one that is not found may lie on a disk that is not there, and has its record for
 * SET_STORE_MISSING_SEC, from the first start that has not found it (<id>.missing).
 *
 * /var may lie on a disk that does not answer, or that somebody holds frozen. So whatever touches these
 * files is done by a child process with a deadline, one after the other, in the order in which it was asked
 * for; and none is begun, and nobody called back, while the store is paused: in a freeze window nothing is
 * written and nothing started. A child whose disk does not answer cannot even be killed: until it ends,
 * whatever is asked for fails with -ETIMEDOUT, and no other is started.
 */

#include <systemd/sd-event.h>

#include "contract/types.h"
#include "util/macro.h"

typedef struct SetStore SetStore;

#define SET_STORE_LIMIT_USEC  (20 * USEC_PER_SEC)
#define SET_STORE_MISSING_SEC (90 * 24 * 3600)

/* r: 0; -ENOENT: there is no such record; another negative errno: it cannot be read. text: only then not 0.
 */
typedef void (*SetStoreRead)(int r, const char *text, size_t n_text, void *userdata);

typedef enum SetStoreKind {
        SET_STORE_RECORDS,
        SET_STORE_DOCUMENTS,
} SetStoreKind;

int set_store_new(SetStore **ret, sd_event *event, const char *state_dir, SetStoreKind kind,
                  uint64_t limit_usec);
SetStore *set_store_free(SetStore *store);
DEFINE_CLEANUP(SetStore *, set_store_free)

/* Failures of these are logged: nobody waits for them. text: taken over. */
void set_store_write(SetStore *store, const char *set_id, char *text);
void set_store_remove(SetStore *store, const char *set_id);
void set_store_keep(SetStore *store, const char (*set_ids)[CONTRACT_ID_MAX], size_t n_sets);
/* If it returns 0, done is called, once, from the event loop, or by set_store_free(). */
int set_store_read(SetStore *store, const char *set_id, SetStoreRead done, void *userdata);

void set_store_pause(SetStore *store, bool pause);
/* Return: true if nothing waits or runs; else `idle` is called once that is so. */
bool set_store_is_idle(SetStore *store, void (*idle)(void *userdata), void *userdata);
