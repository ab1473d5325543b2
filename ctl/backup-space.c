/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Snapshots that are lost while somebody reads them: their store ran full, their pool failed, or was needed
 * by the live volumes. Whoever reads on gets errors, or worse, an answer from somebody's cache. So it is
 * said at once, and looked at once more before the writers are told that the backup is complete.
 */

#include "ctl/backup.h"

static const struct {
        const char *reason, *words;
} reasons[] = {
        {"store-lost",
         "its store ran full, or could not be read or written; wish for a larger one (--cow-size), "
         "or have quiesced extend it (GrowPercent=, quiesced.conf(5); not of provider dm)"},
        {"pool-failed", "the thin pool it lies in has failed, see lvmthin(7)"},
        {"pool-full",
         "the thin pool ran full, and quiesced gave the snapshot up so that the live volumes can be "
         "written; extend the pool (lvextend), or see DropPercent= in quiesced.conf(5)"},
        {"origin-changed",
         "somebody has given its volume another table, or closed it, so that what was written since is not "
         "kept; see quiesced-dm(7)"},
        {"device-gone", "somebody has removed its device"},
};

static const char *reason_words(const char *reason) {
        for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
                if (streq(reasons[i].reason, reason))
                        return reasons[i].words;
        return reason;
}

static int get_properties(Backup *backup, const char *snapshot, Dict *ret) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = quiesce_backup_new_call(backup->session, &call, QUIESCE_BUS_BACKUP, "GetSnapshotProperties");
        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", snapshot, 0);
        if (r >= 0)
                r = quiesce_backup_call(backup->session, call, &reply, &error);
        return error_trace(r < 0 ? r : dict_read(ret, reply));
}

/**
 * backup_lost_text() - what is said of a snapshot that is lost
 * @text:       filled
 * @of:         what stands before @name: "of ", ""
 * @name:       a volume or a snapshot
 * @reason:     quiesced's word for it
 */
void backup_lost_text(char text[static BACKUP_TEXT_MAX], const char *of, const char *name,
                      const char *reason) {
        (void) snprintf(text, BACKUP_TEXT_MAX,
                        "the snapshot %s%.200s is lost, and what is read of it is wrong: %s", of, name,
                        reason_words(reason));
}

static int invalid_received(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *snapshot, *set, *reason;
        Backup *backup = userdata;
        char text[BACKUP_TEXT_MAX];

        if (sd_bus_message_read(m, "sss", &snapshot, &set, &reason) < 0 || !backup->set->id ||
            !streq(set, backup->set->id))
                return 0;
        backup_lost_text(text, "", snapshot, reason);
        progress_clear(&backup->progress);
        say("%s", text);
        return 0;
}

static int low_received(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *snapshot, *set;
        Backup *backup = userdata;
        uint32_t percent;

        if (sd_bus_message_read(m, "ssu", &snapshot, &set, &percent) < 0 || !backup->set->id ||
            !streq(set, backup->set->id))
                return 0;
        progress_clear(&backup->progress);
        say("the room of the snapshot %s is %u %% full; when it is full the snapshot is lost", snapshot,
            percent);
        return 0;
}

/**
 * backup_watch_space() - tell the user at once when a snapshot of the set runs short of room or is lost
 * @backup:     its set is made
 *
 * Return: 0 or a negative errno.
 */
int backup_watch_space(Backup *backup) {
        int r;

        r = sd_bus_match_signal_async(backup->bus, NULL, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                      QUIESCE_BUS_MANAGER, "SnapshotInvalid", invalid_received, NULL,
                                      backup);
        if (r >= 0)
                r = sd_bus_match_signal_async(backup->bus, NULL, QUIESCE_BUS_NAME, QUIESCE_BUS_PATH,
                                              QUIESCE_BUS_MANAGER, "SpaceLow", low_received, NULL, backup);
        return error_trace(r < 0 ? r : 0);
}

/**
 * backup_check_snapshots() - does every snapshot still hold its instant
 * @backup:     a session; one whose set is not made has nothing to lose
 * @text:       what is to be said if not
 *
 * Return: 0 or CTL_E_SAID.
 */
int backup_check_snapshots(Backup *backup, char text[static BACKUP_TEXT_MAX]) {
        for (size_t i = 0; backup->set && i < backup->n_snapshots; i++) {
                _cleanup_(dict_done) Dict properties = {};

                if (get_properties(backup, backup->snapshots[i], &properties) < 0)
                        continue; /* BackupComplete will tell what is wrong */
                if (!streq(dict_get_string(&properties, "state"), "invalid"))
                        continue;
                backup_lost_text(text, "of ", dict_get_string(&properties, "volume"),
                                 dict_get_string(&properties, "invalid-reason"));
                return CTL_E_SAID;
        }
        return 0;
}
