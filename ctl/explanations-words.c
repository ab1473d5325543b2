/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The explanations of words that are no errors: of a session's end, of sets and snapshots.
 */

#include "ctl/explain.h"

#include "util/macro.h"

const Explanation explanations_words[] = {
        {EXPLAIN_CONSISTENCY, "none", "Nobody has promised anything about the data.",
         "The set is not finished, or nothing is known of how it was made.",
         "Treat its snapshots as if power had failed at some "
         "time, each on its own."},
        {EXPLAIN_CONSISTENCY, "crash", "All volumes are of one instant, as after a power cut.",
         "A file system or a writer was not frozen.",
         "Databases recover from it if all their volumes are in the set."},
        {EXPLAIN_CONSISTENCY, "file-system",
         "All volumes are of one instant, and their file systems are clean.",
         "No writers were asked, or one that was ignored has failed.", NULL},
        {EXPLAIN_CONSISTENCY, "application",
         "All volumes are of one instant, file systems are clean, and no writer that took part has failed.",
         NULL, NULL},

        {EXPLAIN_OUTCOME, "completed",
         "The requester said that the data is safe, and the writers were told.", NULL, NULL},
        {EXPLAIN_OUTCOME, "aborted", "The backup was given up, and the writers were told so.",
         "AbortBackup, a step that failed, or a requester that died before the set was there.",
         "The cause is told beside it, and what failed in the journal of quiesced."},
        {EXPLAIN_OUTCOME, "not-completed",
         "A set was made, but nobody said that the data is safe. Writers keep what they need to make the next backup whole.",
         "A backup program that failed or died while it read, or that does not call BackupComplete.",
         "See its log and exit status; 'quiescectl run -s LIST' tells which statuses mean success."},

        {EXPLAIN_CAUSE, "released", "The requester ended the session itself.", NULL, NULL},
        {EXPLAIN_CAUSE, "requester-vanished",
         "The requester's connection to the bus ended before it released the session.",
         "It was killed, crashed, or simply exited.", "See its log; the kernel's for a lack of memory."},
        {EXPLAIN_CAUSE, "administrator", "An administrator ended the session with 'quiescectl release'.",
         NULL, NULL},
        {EXPLAIN_CAUSE, "daemon-restarted",
         "quiesced ended while the session was there; its next start told the writers.",
         "An update, a crash, or 'systemctl restart quiesced'.", "'journalctl -u quiesced' tells why."},

        {EXPLAIN_SNAPSHOT_STATE, "preparing", "It is being made and does not count yet.", NULL, NULL},
        {EXPLAIN_SNAPSHOT_STATE, "created", "It is there and holds its instant.", NULL, NULL},
        {EXPLAIN_SNAPSHOT_STATE, "deleting", "It is being removed.",
         "If it stays so, somebody has it open or mounted.",
         "'lsblk' and 'fuser -m' show who; then delete it again."},
        {EXPLAIN_SNAPSHOT_STATE, "reverting",
         "Its volume is being made what it is, or will be when the volume is activated next.",
         "'quiescectl revert' while the volume was in use.",
         "Restart the machine, or unmount the volume and give 'lvchange -an' and 'lvchange -ay'."},
        {EXPLAIN_SNAPSHOT_STATE, "invalid",
         "It does not hold its instant any more. What is read of it is an error, or wrong.",
         "Its store or its pool ran full, or failed; InvalidReason tells which.",
         "Delete it and back up again, with more room: 'quiescectl explain' of the reason tells how."},

        {EXPLAIN_INVALID_REASON, "store-lost",
         "The snapshot's store was full, or its disk failed, and the kernel dropped the snapshot.",
         "More was written to the origin than the store had room for, and the group had none for extending it.",
         "A larger store (--cow-size, CowPercent=), or free extents in the volume group, from which quiesced extends it "
         "(GrowPercent=). SpaceLow tells before."},
        {EXPLAIN_INVALID_REASON, "pool-full",
         "The thin pool was about to be full, and quiesced gave the snapshot up so that live volumes could be written.",
         "The pool could not be extended: see thin_pool_autoextend_threshold of lvm.conf(5) and the free extents of its group.",
         "Extend the pool. DropPercent= in quiesced.conf(5) says from where on snapshots are given up."},
        {EXPLAIN_INVALID_REASON, "pool-failed", "The thin pool has failed, and with it all that lies in it.",
         "Its data or metadata ran full, or a disk of it failed.",
         "'lvs -a -o +lv_health_status'; lvmthin(7) tells how to repair one. The live volumes in it need it, too."},
        {EXPLAIN_INVALID_REASON, "origin-changed",
         "The volume of a snapshot of provider dm has another table than quiesced gave it: what is written is not kept.",
         "Somebody loaded a table ('dmsetup load'), or removed the volume's device.",
         "Let nobody do that while the snapshot exists; quiesced-dm(7). Make the backup again."},
        {EXPLAIN_INVALID_REASON, "device-gone",
         "The device of a snapshot of provider dm is not there any more.", "Somebody removed it.",
         "Make the backup again. Releasing the session puts the volume's own table back."},

        {EXPLAIN_REMOVED_REASON, "deleted",
         "Its owner or an administrator deleted it, or it went with its session.", NULL, NULL},
        {EXPLAIN_REMOVED_REASON, "released",
         "It was to be deleted before, and whoever had it open then has let it go.", NULL, NULL},
        {EXPLAIN_REMOVED_REASON, "broken", "It was made a volume like any other, by 'quiescectl break'.",
         NULL, NULL},
        {EXPLAIN_REMOVED_REASON, "reverted", "Its volume has become what it was, by 'quiescectl revert'.",
         NULL, NULL},
        {EXPLAIN_REMOVED_REASON, "removed", "Somebody else than quiesced removed its logical volume.",
         "'lvremove', or the whole group went.", "Use 'quiescectl delete': it knows what is in use."},
        {EXPLAIN_REMOVED_REASON, "retention", "No rule for one of its labels keeps it any longer.",
         "A [Keep LABEL] section of quiesced.conf names its label.",
         "Raise its KeepLast=, KeepDaily= and the like, or lock a set that has to stay."},
        {EXPLAIN_REMOVED_REASON, "limit-count", "Its volume or group had more sets than may be.",
         "MaxCount= of a [Limit NAME] section of quiesced.conf.",
         "Raise it there, or lock a set that has to stay."},
        {EXPLAIN_REMOVED_REASON, "limit-size",
         "The stores of the snapshots of its volume or group took up more than they may.",
         "MaxSize= of a [Limit NAME] section of quiesced.conf.",
         "Raise it there, or lock a set that has to stay."},
        {EXPLAIN_REMOVED_REASON, "limit-age", "It was older than a set of its volume or group may be.",
         "MaxAgeSec= of a [Limit NAME] section of quiesced.conf.",
         "Raise it there, or lock a set that has to stay."},
};
const size_t n_explanations_words = ELEMENTSOF(explanations_words);
