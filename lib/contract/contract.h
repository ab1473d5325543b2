/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* clang-format off */
/*
 * The contract as a pure state machine: input in, effects out.
 *
 * Every rule of who may call what when, who gets which event, what is given up and what is owed at the end
 * lives here and nowhere else. The machine has no clock (each input says what time it is; deadlines are
 * armed by an effect and pass by an input), does no I/O, knows no bus and no device: sessions, writers and
 * volumes are handles and strings that its user supplies. The user (quiesced, or a test) feeds one input at
 * a time with contract_input() and carries out the effects it gets, in order, completely, before it feeds
 * the next one. What comes back from the world is the next input.
 *
 * DoSnapshotSet, in order (C6–C8; a failure leaves this line as C11–C15 say; the table is in snapshot-set.c):
 *
 *   EVENT PrepareForSnapshot, all   and   STEP END_PREPARE     both are waited for
 *   STEP LOCK                                                  no LVM command of ours until WINDOW_END
 *   EVENT Freeze, front-end; back-end                          level by level
 *   STEP PRE_COMMIT                                            file systems synced; the hold is armed
 *   DARK_BEGIN; EVENT Freeze, system                           if every window has the hold limit left
 *   STEP COMMIT
 *   EVENT Thaw, system; DARK_END
 *   STEP POST_COMMIT                                           the hold is over, its locks are free
 *   EVENT Thaw, back-end; front-end; WINDOW_END
 *   STEP FINAL_COMMIT                                          checked again: the snapshots are real now
 *   EVENT PostSnapshot, all                                    the point of no return
 *   STEP SEAL                                                  only if writers could write into the snapshots
 *   SET_CREATED; STATE_CHANGED; REPLY
 *
 * SEAL is past the point of no return: nobody can stop it, but it can fail, and then the set, which might
 * still change, is not handed out: it is given up as for any failure of the coordinator (C11 c). Who was sent
 * PostSnapshot gets no Abort (C12), and BackupShutdown carries the null id (C22).
 *
 * A set without volumes skips the steps; a set without writers skips the events (device-mapper freezes the
 * file systems during suspend then).
 */
/* clang-format on */

#include "contract/types.h"

typedef struct Contract Contract;

int contract_new(Contract **ret, const ContractConfig *config);
Contract *contract_free(Contract *contract);
/* An independent copy and a digest of its whole state, for tests that walk all states. */
int contract_clone(const Contract *contract, Contract **ret);
uint64_t contract_hash(const Contract *contract);
uint64_t contract_hash_session(const Contract *contract, uint64_t session);

/* Feeds one input. On success *ret is the list of effects, valid until the next call on this machine. A
 * negative errno means out of memory or a malformed input; the machine is unchanged then. What a caller did
 * wrong is no error here: it is a REPLY effect. */
int contract_input(Contract *contract, const ContractInput *input, const ContractEffects **ret);

/* Reading, at any time; NULL or false if there is no such thing. Strings live until the next input. */
size_t contract_count_sessions(const Contract *contract);
bool contract_get_session(const Contract *contract, uint64_t session, ContractSessionInfo *ret);
bool contract_get_session_at(const Contract *contract, size_t index, ContractSessionInfo *ret);
bool contract_get_writer(const Contract *contract, uint64_t session, uint32_t writer,
                         ContractWriterInfo *ret);
/* Whether another process may become the writer of this name now (C18, C21). */
bool contract_may_replace_writer(const Contract *contract, const char *name);
/* Whether a writer may note something of its components when it answers this event (VSS: IVssComponent's
 * SetBackupStamp and SetBackupMetadata). */
bool contract_event_takes_notes(ContractEvent event);
/* A writer's components, in the order in which it declared them. */
bool contract_get_component(const Contract *contract, uint64_t session, uint32_t writer, uint32_t component,
                            ContractComponentInfo *ret);
