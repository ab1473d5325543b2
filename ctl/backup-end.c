/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The session's end: complete, abort, release, and words for what goes wrong there; see backup.h.
 *
 * quiesced may die in the middle of any of them. What the bus says then ("Message recipient disconnected")
 * helps nobody, so each call has its own words for that: what was being done, and what becomes of it.
 */

#include "ctl/backup.h"

typedef struct EndCall {
        int (*call)(QuiesceBackup *session, sd_bus_error *error);
        const char *failed; /* what could not be done */
        const char *doing;  /* what quiesced was doing when it died */
        const char *then;   /* what becomes of it, and what to do */
} EndCall;

static const EndCall call_complete = {
        quiesce_backup_complete,
        "the writers could not be told that the backup is complete",
        "was telling the writers that the backup is complete",
        "writers that it had not told yet count the backup as not completed and keep their logs, the next "
        "backup makes up for it",
};
static const EndCall call_abort = {
        quiesce_backup_abort,
        "cannot abort the backup",
        "was aborting the backup",
        "the writers are told that the session is over when it has been started again",
};
static const EndCall call_release = {
        quiesce_backup_release,
        "cannot release the session",
        "was releasing the session",
        "it goes on with that when it has been started again; what 'quiescectl list snapshots' still shows "
        "in a while can be deleted",
};

static bool quiesced_has_died(const sd_bus_error *error, int r) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_DISCONNECTED) || r == -ECONNRESET || r == -ENOTCONN;
}

static bool quiesced_is_gone(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN);
}

static int explain(const Backup *backup, const EndCall *call, const sd_bus_error *error, int r,
                   char text[static BACKUP_TEXT_MAX]) {
        const char *id = quiesce_backup_get_id(backup->session);

        if (backup->disconnected)
                (void) snprintf(text, BACKUP_TEXT_MAX,
                                "%s: the system bus has gone, and session %s with it; quiesced releases it",
                                call->failed, id);
        else if (quiesced_is_gone(error))
                (void) snprintf(
                        text, BACKUP_TEXT_MAX,
                        "%s: quiesced has ended, and session %s with it; 'journalctl -u quiesced' tells "
                        "why, and what the session has left goes when quiesced is started again",
                        call->failed, id);
        else if (quiesced_has_died(error, r))
                (void) snprintf(
                        text, BACKUP_TEXT_MAX,
                        "quiesced died or was restarted while it %s (session %s): %s; 'journalctl -u "
                        "quiesced' tells why it ended",
                        call->doing, id, call->then);
        else
                (void) snprintf(text, BACKUP_TEXT_MAX, "%s: %s", call->failed,
                                error->message && *error->message ? error->message : strerror(-r));
        return CTL_E_SAID;
}

static int try_call(Backup *backup, const EndCall *call, char text[static BACKUP_TEXT_MAX]) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        text[0] = '\0';
        backup->ending = true;
        r = call->call(backup->session, &error);
        /* After a restart quiesced may have released the session itself, or does it when we leave the bus.
         */
        if (r < 0 && backup->lost && call == &call_release &&
            (sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
             sd_bus_error_has_name(&error, QUIESCE_ERROR_SESSION_LOST)))
                r = 0;
        return r < 0 ? explain(backup, call, &error, r, text) : 0;
}

/**
 * backup_try_complete() - BackupComplete
 * @backup:     it
 * @text:       what is to be said if it fails
 *
 * A backup of a snapshot that was lost before the end is none, whatever the command said that read it.
 *
 * Return: 0 or CTL_E_SAID.
 */
int backup_try_complete(Backup *backup, char text[static BACKUP_TEXT_MAX]) {
        int r;

        r = backup_check_snapshots(backup, text);
        if (r != 0)
                return r;
        return try_call(backup, &call_complete, text);
}

/**
 * backup_try_abort() - AbortBackup
 * @backup:     it
 * @text:       what is to be said if it fails
 *
 * Return: 0 or CTL_E_SAID.
 */
int backup_try_abort(Backup *backup, char text[static BACKUP_TEXT_MAX]) {
        return try_call(backup, &call_abort, text);
}

/**
 * backup_try_release() - Release
 * @backup:     it
 * @text:       what is to be said if it fails
 *
 * Return: 0 or CTL_E_SAID.
 */
int backup_try_release(Backup *backup, char text[static BACKUP_TEXT_MAX]) {
        return try_call(backup, &call_release, text);
}

/**
 * backup_complete() - tell the writers that the data is safe
 * @backup:     it
 *
 * Return: as said in backup.h.
 */
int backup_complete(Backup *backup) {
        char text[BACKUP_TEXT_MAX];
        int r;

        progress_step(&backup->progress, "telling the writers that the backup is complete");
        progress_part(&backup->progress, PROGRESS_PART_COMPLETE);
        r = backup_try_complete(backup, text);
        if (r != 0) {
                progress_clear(&backup->progress);
                say("%s", text);
        }
        return r;
}

/**
 * backup_release() - end the session
 * @backup:     it; nothing happens if it is not open
 * @abort:      give the backup up first
 *
 * Return: as said in backup.h.
 */
int backup_release(Backup *backup, bool abort) {
        char text[BACKUP_TEXT_MAX];
        int r;

        if (!backup->session || !quiesce_backup_get_path(backup->session))
                return 0;
        if (abort && !backup->lost) {
                progress_step(&backup->progress, "giving the backup up");
                if (backup_try_abort(backup, text) != 0) {
                        progress_clear(&backup->progress);
                        say("%s", text);
                }
        }
        progress_step(&backup->progress, "releasing the session");
        r = backup_try_release(backup, text);
        progress_clear(&backup->progress);
        if (r != 0)
                say("%s", text);
        return r;
}
