/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The strings of the contract's enums, as they stand on the bus, in documents and on the screen. */

#include "contract/types.h"

const char *contract_kind_to_string(ContractKind kind);                 /* "backup" */
const char *contract_state_to_string(ContractState state);              /* "initialised", "pre-restored" */
const char *contract_context_to_string(ContractContext context);        /* "backup", "file-share-backup" */
const char *contract_level_to_string(ContractLevel level);              /* "front-end" */
const char *contract_call_to_string(ContractCall call);                 /* "DoSnapshotSet" */
const char *contract_event_to_string(ContractEvent event);              /* "PrepareForBackup" */
const char *contract_step_to_string(ContractStep step);                 /* "end-prepare" */
const char *contract_answer_to_string(ContractAnswer answer);           /* "done" */
const char *contract_writer_state_to_string(ContractWriterState state); /* "waiting-for-freeze" */
const char *contract_failure_to_string(ContractFailure failure);        /* "InconsistentSnapshot" */
const char *contract_error_to_string(ContractError error);              /* "SnapshotSetInProgress" */
const char *contract_consistency_to_string(ContractConsistency consistency); /* "application" */
const char *contract_outcome_to_string(ContractOutcome outcome);             /* "not-completed" */
const char *contract_cause_to_string(ContractCause cause);                   /* "requester-vanished" */

/* Each returns a negative value for a string it does not know. */
int contract_context_from_string(const char *s);
int contract_level_from_string(const char *s);
int contract_failure_from_string(const char *s);
