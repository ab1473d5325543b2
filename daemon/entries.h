/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What quiesced tells the journal of its work: one entry for each thing that somebody may look for later, by
 * message id and by the fields SESSION, SET, WRITER and EVENT. Each may be called in the dark: log.h keeps
 * it until that is over.
 */

#include "daemon/manager.h"

void entries_begin(void);
void entry_session_opened(const SessionObject *session);
void entry_session_released(const SessionObject *session);
void entry_signal(const SessionObject *session, const ContractEffect *effect);
void entry_reply(Manager *manager, const ContractEffect *effect);
void entry_set_created(const SetInfo *set);
void entry_writer_failed(const SessionObject *session, const ContractWriterInfo *writer);
void entry_space_low(const char *set, const char *snapshot, double full);
void entry_snapshot_invalid(const char *set, const char *snapshot, const char *reason);
void entry_snapshot_removed(const char *set, const char *snapshot, const char *reason);
