/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Entries of the journal; see entries.h. They go to journald by its own protocol if that is where stderr
 * goes, too; on a terminal and in tests they are lines like others.
 */

#include "daemon/entries.h"

#include <inttypes.h>
#include <sys/stat.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "contract/names.h"
#include "daemon/message-ids.h"
#include "daemon/session-object.h"
#include "util/log.h"

#define ID_NIL     "00000000-0000-0000-0000-000000000000"
#define FIELD_MAX  512u
#define FIELDS_MAX 7u

/* LogSink */
static bool send_to_journal(int priority, const LogEntry *entry, const char *text) {
        const char *const fields[][2] = {
                {"MESSAGE_ID", entry->message_id}, {"SESSION", entry->session}, {"SET", entry->set},
                {"WRITER", entry->writer},         {"EVENT", entry->event},
        };
        char lines[ELEMENTSOF(fields)][FIELD_MAX], message[2048], level[16];
        struct iovec parts[FIELDS_MAX];
        int n = 0;

        parts[n].iov_base = message;
        parts[n++].iov_len = (size_t) snprintf(message, sizeof(message), "MESSAGE=%s", text);
        parts[n].iov_base = level;
        parts[n++].iov_len = (size_t) snprintf(level, sizeof(level), "PRIORITY=%d", priority);
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                if (!fields[i][1])
                        continue;
                (void) snprintf(lines[i], sizeof(lines[i]), "%s=%s", fields[i][0], fields[i][1]);
                parts[n].iov_base = lines[i];
                parts[n++].iov_len = strlen(lines[i]);
        }
        return sd_journal_sendv(parts, n) >= 0;
}

/**
 * entries_begin() - from now on entries go to the journal, if stderr does
 *
 * systemd tells the device and inode of the socket to the journal in $JOURNAL_STREAM.
 */
void entries_begin(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uint64_t device, inode;
        struct stat st;

        if (stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
            fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode)
                log_set_sink(send_to_journal);
}

static const char *id_or_null(const char *id) {
        return id && *id && !streq(id, ID_NIL) ? id : NULL;
}

/**
 * entry_session_opened() - a requester has a session
 * @session:    the session
 */
void entry_session_opened(const SessionObject *session) {
        const LogEntry entry = {.message_id = MESSAGE_SESSION_OPENED, .session = session->record.id};

        log_entry(LOG_INFO, &entry, "session %s: %s opened by user %" PRIu32, session->record.id,
                  contract_kind_to_string(session->record.kind), (uint32_t) session->record.uid);
}

/**
 * entry_session_released() - a session is no more, whoever ended it
 * @session:    the session
 */
void entry_session_released(const SessionObject *session) {
        const LogEntry entry = {.message_id = MESSAGE_SESSION_RELEASED, .session = session->record.id};

        log_entry(LOG_INFO, &entry, "session %s: released", session->record.id);
}

/**
 * entry_signal() - a backup is given up, or has ended
 * @session:    the session
 * @effect:     SIGNAL
 */
void entry_signal(const SessionObject *session, const ContractEffect *effect) {
        bool aborted = effect->event == CONTRACT_EVENT_ABORT;
        const LogEntry entry = {
                .message_id = aborted ? MESSAGE_BACKUP_ABORTED : MESSAGE_SESSION_ENDED,
                .session = session->record.id,
                .set = id_or_null(effect->set_id),
                .event = contract_event_to_string(effect->event),
        };

        if (aborted)
                log_entry(LOG_NOTICE, &entry, "session %s: the backup is aborted", session->record.id);
        else
                log_entry(LOG_INFO, &entry, "session %s: ended, %s (%s)", session->record.id,
                          contract_outcome_to_string(effect->outcome),
                          contract_cause_to_string(effect->cause));
}

/**
 * entry_reply() - DoSnapshotSet has failed
 * @manager:    the manager
 * @effect:     REPLY, of any call
 */
void entry_reply(Manager *manager, const ContractEffect *effect) {
        const SessionObject *session = session_object_find(manager, effect->session);
        LogEntry entry = {
                .message_id = effect->error == CONTRACT_ERROR_HOLD_WRITES_TIMEOUT ? MESSAGE_HOLD_LIMIT
                                                                                  : MESSAGE_SET_FAILED,
        };
        ContractSessionInfo info;

        if (effect->call != CONTRACT_CALL_DO_SNAPSHOT_SET || effect->error == CONTRACT_OK || !session)
                return;
        entry.session = session->record.id;
        if (session_object_get_info(session, &info))
                entry.set = id_or_null(info.set_id);
        log_entry(LOG_WARNING, &entry, "session %s: no snapshot set: %s: %s", session->record.id,
                  contract_error_to_string(effect->error), effect->text ?: "");
}

/**
 * entry_set_created() - a set counts
 * @set:        what is known of it
 */
void entry_set_created(const SetInfo *set) {
        const LogEntry entry = {
                .message_id = MESSAGE_SET_CREATED, .session = id_or_null(set->session_id), .set = set->id};

        log_entry(LOG_INFO, &entry,
                  "set %s: created with %zu snapshots, consistency %s, frozen for %" PRIu64
                  " ms, writes held for %" PRIu64 " ms",
                  set->id, set->n_snapshots, contract_consistency_to_string(set->consistency),
                  set->freeze_usec / USEC_PER_MSEC, set->hold_usec / USEC_PER_MSEC);
}

/* What it held did not stay so until its Thaw: it was killed off, thawed, unlocked by somebody else. */
static void entry_let_go_by_other(const SessionObject *session, const ContractWriterInfo *writer) {
        const LogEntry entry = {.message_id = MESSAGE_LET_GO_BY_OTHER,
                                .session = session->record.id,
                                .set = id_or_null(session->shown_set),
                                .writer = writer->name,
                                .event = contract_event_to_string(CONTRACT_EVENT_THAW)};

        log_entry(LOG_WARNING, &entry,
                  "session %s: somebody else has let go what writer %s held before its time: %s",
                  session->record.id, writer->name, writer->text ?: "");
}

/* The last event is often another by now, Abort mostly. */
static ContractEvent event_failed(const ContractWriterInfo *writer) {
        for (ContractEvent event = CONTRACT_EVENT_NONE + 1; event < _CONTRACT_EVENT_MAX; event++)
                switch (writer->answers[event]) {
                case CONTRACT_ANSWER_FAILED:
                case CONTRACT_ANSWER_LATE:
                case CONTRACT_ANSWER_GONE:
                        return event;
                default:
                        break;
                }
        return writer->last_event;
}

/**
 * entry_writer_failed() - a writer has failed an event, or did not answer it
 * @session:    the session
 * @writer:     what the contract says of it
 */
void entry_writer_failed(const SessionObject *session, const ContractWriterInfo *writer) {
        const LogEntry entry = {.message_id = MESSAGE_WRITER_FAILED,
                                .session = session->record.id,
                                .set = id_or_null(session->shown_set),
                                .writer = writer->name,
                                .event = contract_event_to_string(event_failed(writer))};

        log_entry(LOG_WARNING, &entry, "session %s: writer %s failed at %s: %s%s%s", session->record.id,
                  writer->name, entry.event, contract_failure_to_string(writer->failure),
                  writer->text ? ": " : "", writer->text ?: "");
        if (event_failed(writer) == CONTRACT_EVENT_THAW &&
            writer->failure == CONTRACT_FAILURE_INCONSISTENT_SNAPSHOT)
                entry_let_go_by_other(session, writer);
}

/**
 * entry_space_low() - what a snapshot is stored in runs full
 * @set:        UUID text
 * @snapshot:   likewise
 * @full:       percent
 */
void entry_space_low(const char *set, const char *snapshot, double full) {
        const LogEntry entry = {.message_id = MESSAGE_SPACE_LOW, .set = set};

        log_entry(LOG_WARNING, &entry, "snapshot %s: what it is stored in is %.0f %% full", snapshot, full);
}

/**
 * entry_snapshot_invalid() - a snapshot does not hold its instant any more
 * @set:        UUID text
 * @snapshot:   likewise
 * @reason:     a word
 */
void entry_snapshot_invalid(const char *set, const char *snapshot, const char *reason) {
        const LogEntry entry = {.message_id = MESSAGE_SNAPSHOT_INVALID, .set = set};

        log_entry(LOG_ERR, &entry, "snapshot %s: lost: %s", snapshot, reason);
}

/**
 * entry_snapshot_removed() - a snapshot is gone
 * @set:        UUID text
 * @snapshot:   likewise
 * @reason:     a word
 */
void entry_snapshot_removed(const char *set, const char *snapshot, const char *reason) {
        const LogEntry entry = {.message_id = MESSAGE_SNAPSHOT_REMOVED, .set = set};

        log_entry(LOG_INFO, &entry, "snapshot %s: removed: %s", snapshot, reason);
}
