/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The strings of the contract's enums.
 */

#include "contract/names.h"

#include "util/macro.h"

#include <assert.h>

#define NAME_LOOKUP(Type, function, table)         \
        const char *function(Type value) {         \
                size_t index = (size_t) value;     \
                                                   \
                assert(index < ELEMENTSOF(table)); \
                assert(table[index]);              \
                return table[index];               \
        }

static const char *const kinds[] = {
        [CONTRACT_BACKUP] = "backup",
        [CONTRACT_RESTORE] = "restore",
};

static const char *const states[_CONTRACT_STATE_MAX] = {
        [CONTRACT_INITIALISED] = "initialised",
        [CONTRACT_GATHERED] = "gathered",
        [CONTRACT_OPEN] = "open",
        [CONTRACT_PREPARED] = "prepared",
        [CONTRACT_CREATING] = "creating",
        [CONTRACT_CREATED] = "created",
        [CONTRACT_COMPLETED] = "completed",
        [CONTRACT_FAILED] = "failed",
        [CONTRACT_ABORTED] = "aborted",
        [CONTRACT_LOST] = "lost",
        [CONTRACT_RELEASED] = "released",
        [CONTRACT_PRE_RESTORED] = "pre-restored",
        [CONTRACT_POST_RESTORED] = "post-restored",
};

static const char *const contexts[_CONTRACT_CONTEXT_MAX] = {
        [CONTRACT_CONTEXT_BACKUP] = "backup",
        [CONTRACT_CONTEXT_FILE_SHARE_BACKUP] = "file-share-backup",
        [CONTRACT_CONTEXT_NAS_ROLLBACK] = "nas-rollback",
        [CONTRACT_CONTEXT_APP_ROLLBACK] = "app-rollback",
};

static const char *const levels[_CONTRACT_LEVEL_MAX] = {
        [CONTRACT_LEVEL_FRONT_END] = "front-end",
        [CONTRACT_LEVEL_BACK_END] = "back-end",
        [CONTRACT_LEVEL_SYSTEM] = "system",
};

static const char *const calls[_CONTRACT_CALL_MAX] = {
        [CONTRACT_CALL_NONE] = "",
        [CONTRACT_CALL_SET_CONTEXT] = "SetContext",
        [CONTRACT_CALL_ENABLE_WRITERS] = "EnableWriters",
        [CONTRACT_CALL_DISABLE_WRITERS] = "DisableWriters",
        [CONTRACT_CALL_SET_BACKUP_STATE] = "SetBackupState",
        [CONTRACT_CALL_GATHER_WRITER_METADATA] = "GatherWriterMetadata",
        [CONTRACT_CALL_ADD_COMPONENT] = "AddComponent",
        [CONTRACT_CALL_SET_BACKUP_OPTIONS] = "SetBackupOptions",
        [CONTRACT_CALL_SET_PREVIOUS_BACKUP_STAMP] = "SetPreviousBackupStamp",
        [CONTRACT_CALL_START_SNAPSHOT_SET] = "StartSnapshotSet",
        [CONTRACT_CALL_IS_VOLUME_SUPPORTED] = "IsVolumeSupported",
        [CONTRACT_CALL_ADD_TO_SNAPSHOT_SET] = "AddToSnapshotSet",
        [CONTRACT_CALL_PREPARE_FOR_BACKUP] = "PrepareForBackup",
        [CONTRACT_CALL_DO_SNAPSHOT_SET] = "DoSnapshotSet",
        [CONTRACT_CALL_GET_SNAPSHOT_PROPERTIES] = "GetSnapshotProperties",
        [CONTRACT_CALL_SET_BACKUP_SUCCEEDED] = "SetBackupSucceeded",
        [CONTRACT_CALL_BACKUP_COMPLETE] = "BackupComplete",
        [CONTRACT_CALL_DELETE_SNAPSHOTS] = "DeleteSnapshots",
        [CONTRACT_CALL_ABORT_BACKUP] = "AbortBackup",
        [CONTRACT_CALL_SAVE_DOCUMENT] = "SaveDocument",
        [CONTRACT_CALL_GATHER_WRITER_STATUS] = "GatherWriterStatus",
        [CONTRACT_CALL_GET_WRITER_METADATA] = "GetWriterMetadata",
        [CONTRACT_CALL_GET_WRITER_COMPONENTS] = "GetWriterComponents",
        [CONTRACT_CALL_CANCEL] = "Cancel",
        [CONTRACT_CALL_RELEASE] = "Release",
        [CONTRACT_CALL_SET_SELECTED_FOR_RESTORE] = "SetSelectedForRestore",
        [CONTRACT_CALL_SET_RESTORE_OPTIONS] = "SetRestoreOptions",
        [CONTRACT_CALL_PRE_RESTORE] = "PreRestore",
        [CONTRACT_CALL_SET_FILE_RESTORE_STATUS] = "SetFileRestoreStatus",
        [CONTRACT_CALL_POST_RESTORE] = "PostRestore",
};

static const char *const events[_CONTRACT_EVENT_MAX] = {
        [CONTRACT_EVENT_NONE] = "",
        [CONTRACT_EVENT_IDENTIFY] = "Identify",
        [CONTRACT_EVENT_PREPARE_FOR_BACKUP] = "PrepareForBackup",
        [CONTRACT_EVENT_PREPARE_FOR_SNAPSHOT] = "PrepareForSnapshot",
        [CONTRACT_EVENT_FREEZE] = "Freeze",
        [CONTRACT_EVENT_THAW] = "Thaw",
        [CONTRACT_EVENT_POST_SNAPSHOT] = "PostSnapshot",
        [CONTRACT_EVENT_BACKUP_COMPLETE] = "BackupComplete",
        [CONTRACT_EVENT_ABORT] = "Abort",
        [CONTRACT_EVENT_BACKUP_SHUTDOWN] = "BackupShutdown",
        [CONTRACT_EVENT_PRE_RESTORE] = "PreRestore",
        [CONTRACT_EVENT_POST_RESTORE] = "PostRestore",
        [CONTRACT_EVENT_SESSION_CLOSED] = "SessionClosed",
};

static const char *const steps[_CONTRACT_STEP_MAX] = {
        [CONTRACT_STEP_NONE] = "",
        [CONTRACT_STEP_BEGIN_PREPARE] = "begin-prepare",
        [CONTRACT_STEP_END_PREPARE] = "end-prepare",
        [CONTRACT_STEP_LOCK] = "lock",
        [CONTRACT_STEP_PRE_COMMIT] = "pre-commit",
        [CONTRACT_STEP_COMMIT] = "commit",
        [CONTRACT_STEP_POST_COMMIT] = "post-commit",
        [CONTRACT_STEP_FINAL_COMMIT] = "final-commit",
        [CONTRACT_STEP_SEAL] = "seal",
        [CONTRACT_STEP_ABORT] = "abort",
        [CONTRACT_STEP_DELETE] = "delete",
        [CONTRACT_STEP_IS_VOLUME_SUPPORTED] = "is-volume-supported",
};

static const char *const answers[_CONTRACT_ANSWER_MAX] = {
        [CONTRACT_ANSWER_NONE] = "",
        [CONTRACT_ANSWER_PENDING] = "pending",
        [CONTRACT_ANSWER_DONE] = "done",
        [CONTRACT_ANSWER_FAILED] = "failed",
        [CONTRACT_ANSWER_LATE] = "late",
        [CONTRACT_ANSWER_GONE] = "gone",
        [CONTRACT_ANSWER_OVERTAKEN] = "overtaken",
};

static const char *const writer_states[_CONTRACT_WRITER_STATE_MAX] = {
        [CONTRACT_WRITER_UNKNOWN] = "unknown",
        [CONTRACT_WRITER_STABLE] = "stable",
        [CONTRACT_WRITER_WAITING_FOR_FREEZE] = "waiting-for-freeze",
        [CONTRACT_WRITER_WAITING_FOR_THAW] = "waiting-for-thaw",
        [CONTRACT_WRITER_WAITING_FOR_POST_SNAPSHOT] = "waiting-for-post-snapshot",
        [CONTRACT_WRITER_WAITING_FOR_BACKUP_COMPLETE] = "waiting-for-backup-complete",
        [CONTRACT_WRITER_FAILED_AT_IDENTIFY] = "failed-at-identify",
        [CONTRACT_WRITER_FAILED_AT_PREPARE_BACKUP] = "failed-at-prepare-backup",
        [CONTRACT_WRITER_FAILED_AT_PREPARE_SNAPSHOT] = "failed-at-prepare-snapshot",
        [CONTRACT_WRITER_FAILED_AT_FREEZE] = "failed-at-freeze",
        [CONTRACT_WRITER_FAILED_AT_THAW] = "failed-at-thaw",
        [CONTRACT_WRITER_FAILED_AT_POST_SNAPSHOT] = "failed-at-post-snapshot",
        [CONTRACT_WRITER_FAILED_AT_BACKUP_COMPLETE] = "failed-at-backup-complete",
        [CONTRACT_WRITER_FAILED_AT_PRE_RESTORE] = "failed-at-pre-restore",
        [CONTRACT_WRITER_FAILED_AT_POST_RESTORE] = "failed-at-post-restore",
        [CONTRACT_WRITER_FAILED_AT_BACKUPSHUTDOWN] = "failed-at-backup-shutdown",
};

static const char *const failures[_CONTRACT_FAILURE_MAX] = {
        [CONTRACT_FAILURE_NONE] = "",
        [CONTRACT_FAILURE_INCONSISTENT_SNAPSHOT] = "InconsistentSnapshot",
        [CONTRACT_FAILURE_OUT_OF_RESOURCES] = "OutOfResources",
        [CONTRACT_FAILURE_TIMEOUT] = "Timeout",
        [CONTRACT_FAILURE_RETRYABLE] = "Retryable",
        [CONTRACT_FAILURE_NON_RETRYABLE] = "NonRetryable",
        [CONTRACT_FAILURE_NOT_RESPONDING] = "NotResponding",
};

static const char *const errors[_CONTRACT_ERROR_MAX] = {
        [CONTRACT_OK] = "",
        [CONTRACT_ERROR_BAD_STATE] = "BadState",
        [CONTRACT_ERROR_INVALID_ARGUMENT] = "InvalidArgument",
        [CONTRACT_ERROR_NOT_SUPPORTED] = "NotSupported",
        [CONTRACT_ERROR_ACCESS_DENIED] = "AccessDenied",
        [CONTRACT_ERROR_LIMITS_EXCEEDED] = "LimitsExceeded",
        [CONTRACT_ERROR_OBJECT_NOT_FOUND] = "ObjectNotFound",
        [CONTRACT_ERROR_OBJECT_ALREADY_EXISTS] = "ObjectAlreadyExists",
        [CONTRACT_ERROR_SNAPSHOT_SET_IN_PROGRESS] = "SnapshotSetInProgress",
        [CONTRACT_ERROR_SLOT_LOST] = "SlotLost",
        [CONTRACT_ERROR_SESSION_LOST] = "SessionLost",
        [CONTRACT_ERROR_ABORTED] = "Aborted",
        [CONTRACT_ERROR_CANCELLED] = "Cancelled",
        [CONTRACT_ERROR_RELEASED] = "Released",
        [CONTRACT_ERROR_WRITER_VETO] = "WriterVeto",
        [CONTRACT_ERROR_WRITER_TIMEOUT] = "WriterTimeout",
        [CONTRACT_ERROR_WRITER_NOT_RESPONDING] = "WriterNotResponding",
        [CONTRACT_ERROR_WRITER_INFRASTRUCTURE] = "WriterInfrastructure",
        [CONTRACT_ERROR_VOLUME_NOT_SUPPORTED] = "VolumeNotSupported",
        [CONTRACT_ERROR_VOLUME_NOT_SUPPORTED_BY_PROVIDER] = "VolumeNotSupportedByProvider",
        [CONTRACT_ERROR_VOLUME_BUSY] = "VolumeBusy",
        [CONTRACT_ERROR_MAXIMUM_NUMBER_OF_VOLUMES_REACHED] = "MaximumNumberOfVolumesReached",
        [CONTRACT_ERROR_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED] = "MaximumNumberOfSnapshotsReached",
        [CONTRACT_ERROR_INSUFFICIENT_STORAGE] = "InsufficientStorage",
        [CONTRACT_ERROR_PROVIDER_NOT_REGISTERED] = "ProviderNotRegistered",
        [CONTRACT_ERROR_PROVIDER_VETO] = "ProviderVeto",
        [CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR] = "UnexpectedProviderError",
        [CONTRACT_ERROR_FLUSH_WRITES_TIMEOUT] = "FlushWritesTimeout",
        [CONTRACT_ERROR_HOLD_WRITES_TIMEOUT] = "HoldWritesTimeout",
        [CONTRACT_ERROR_UNSUPPORTED_CONTEXT] = "UnsupportedContext",
        [CONTRACT_ERROR_INVALID_DOCUMENT] = "InvalidDocument",
        [CONTRACT_ERROR_UNEXPECTED] = "Unexpected",
};

static const char *const consistencies[_CONTRACT_CONSISTENCY_MAX] = {
        [CONTRACT_CONSISTENCY_NONE] = "none",
        [CONTRACT_CONSISTENCY_CRASH] = "crash",
        [CONTRACT_CONSISTENCY_FILE_SYSTEM] = "file-system",
        [CONTRACT_CONSISTENCY_APPLICATION] = "application",
};

static const char *const outcomes[_CONTRACT_OUTCOME_MAX] = {
        [CONTRACT_OUTCOME_COMPLETED] = "completed",
        [CONTRACT_OUTCOME_ABORTED] = "aborted",
        [CONTRACT_OUTCOME_NOT_COMPLETED] = "not-completed",
};

static const char *const causes[_CONTRACT_CAUSE_MAX] = {
        [CONTRACT_CAUSE_RELEASED] = "released",
        [CONTRACT_CAUSE_REQUESTER_VANISHED] = "requester-vanished",
        [CONTRACT_CAUSE_ADMINISTRATOR] = "administrator",
        [CONTRACT_CAUSE_DAEMON_RESTARTED] = "daemon-restarted",
};

NAME_LOOKUP(ContractKind, contract_kind_to_string, kinds)
NAME_LOOKUP(ContractState, contract_state_to_string, states)
NAME_LOOKUP(ContractContext, contract_context_to_string, contexts)
NAME_LOOKUP(ContractLevel, contract_level_to_string, levels)
NAME_LOOKUP(ContractCall, contract_call_to_string, calls)
NAME_LOOKUP(ContractEvent, contract_event_to_string, events)
NAME_LOOKUP(ContractStep, contract_step_to_string, steps)
NAME_LOOKUP(ContractAnswer, contract_answer_to_string, answers)
NAME_LOOKUP(ContractWriterState, contract_writer_state_to_string, writer_states)
NAME_LOOKUP(ContractFailure, contract_failure_to_string, failures)
NAME_LOOKUP(ContractError, contract_error_to_string, errors)
NAME_LOOKUP(ContractConsistency, contract_consistency_to_string, consistencies)
NAME_LOOKUP(ContractOutcome, contract_outcome_to_string, outcomes)
NAME_LOOKUP(ContractCause, contract_cause_to_string, causes)

static int name_find(const char *const *table, size_t n, const char *s) {
        for (size_t i = 0; i < n; i++)
                if (s && streq(table[i], s))
                        return (int) i;
        return -EINVAL;
}

/**
 * contract_context_from_string() - the context of this name
 * @s:  VSS's name, lower case with dashes
 *
 * Return: a ContractContext, or -EINVAL.
 */
int contract_context_from_string(const char *s) {
        return name_find(contexts, ELEMENTSOF(contexts), s);
}

/**
 * contract_level_from_string() - the level of this name
 * @s:  the name
 *
 * Return: a ContractLevel, or -EINVAL.
 */
int contract_level_from_string(const char *s) {
        return name_find(levels, ELEMENTSOF(levels), s);
}

/**
 * contract_failure_from_string() - the writer's failure of this name
 * @s:  the last part of org.quiesce1.Error.Writer.…
 *
 * Return: a ContractFailure, or -EINVAL. "" is no name.
 */
int contract_failure_from_string(const char *s) {
        return s && s[0] ? name_find(failures, ELEMENTSOF(failures), s) : -EINVAL;
}
