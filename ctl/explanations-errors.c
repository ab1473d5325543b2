/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The explanations of errors: what quiesced answers, and what a writer answers quiesced.
 */

#include "ctl/explain.h"

#include "util/macro.h"

const Explanation explanations_errors[] = {
        {EXPLAIN_ERROR, "BadState", "The call is not legal now. Nothing has changed.",
         "The requester called in another order than the contract has it, or while another call of the same "
         "session was running; or a writer registered twice.",
         "The error's text names the state and what is legal in it; org.quiesce1(5) has the whole table. To "
         "begin anew, release the session and open another."},
        {EXPLAIN_ERROR, "InvalidArgument", "Something in the call cannot be meant. Nothing has changed.",
         "An option that this version does not know, a component or writer that does not exist, a volume that "
         "was added before, a value out of its limits.",
         "The error's text names the argument. Correct it and call again."},
        {EXPLAIN_ERROR, "NotSupported", "quiesced cannot do this with this thing at all.",
         "A snapshot without a mountable file system was to be mounted; a volume of provider external without "
         "the option \"moment\", or in a persistent set.",
         "The error's text says what would do instead."},
        {EXPLAIN_ERROR, "AccessDenied", "The caller may not do this.",
         "The rules of polkit said no, or nobody was there to be asked for a password; the session belongs to another "
         "connection to the bus; a writer does not own the bus name of its descriptor; or polkit is not "
         "there, and the caller is not root.",
         "Use sudo, join the group backup, or have a polkit rule allow the action; quiesced(8), WHO MAY "
         "USE IT, tells which action decides what."},
        {EXPLAIN_ERROR, "LimitsExceeded",
         "There would be more of something than may be. Nothing has changed.",
         "Too many sessions or waiting calls of one user, a document or an answer that is too large, too many "
         "components.",
         "Release sessions that are not needed ('quiescectl list sessions'), split the backup, or raise "
         "MaxPerUser= or MaxCallsPerUser= in quiesced.conf(5)."},
        {EXPLAIN_ERROR, "ObjectNotFound", "There is no such snapshot, set, session, writer or component.",
         "It was deleted or released, its id was mistyped, or quiesced was started anew and LVM has not told "
         "yet which snapshots there are.",
         "'quiescectl list' shows what there is; it says so if the list may not be whole."},
        {EXPLAIN_ERROR, "ObjectAlreadyExists", "What was to be made or added is there already.",
         "A component was added twice, or beside one that includes it; a snapshot is mounted on the host "
         "already.",
         "Leave the call out, or undo the first one."},
        {EXPLAIN_ERROR, "SnapshotSetInProgress",
         "Another session is making a snapshot set; a machine makes one at a time.",
         "Two backups that begin at the same time.",
         "Wait for it: --wait of run, begin, freeze and create, option \"wait\" of StartSnapshotSet. 'quiescectl list "
         "sessions' shows who is at it, 'quiescectl release' ends one that hangs."},
        {EXPLAIN_ERROR, "SlotLost",
         "The session made no call for too long while it alone could make a set. Its set was given up.",
         "A requester that waits for something else between StartSnapshotSet and DoSnapshotSet.",
         "Begin anew with another session. SlotIdleSec= and SlotIdleWaitedSec= in quiesced.conf(5) are the limits."},
        {EXPLAIN_ERROR, "SessionLost",
         "quiesced was started anew since the session was opened: it can only be read and released.",
         "An update, a crash, or 'systemctl restart quiesced' in the middle of a backup.",
         "Read what you still want of its snapshots, release it, and back up again. The writers were told that "
         "the backup was not completed. 'journalctl -u quiesced' tells why it was started anew."},
        {EXPLAIN_ERROR, "Aborted", "The backup was aborted while the call was running. There is no set.",
         "AbortBackup was called, or quiesced was asked to stop.",
         "Nothing, if that was meant; else back up again."},
        {EXPLAIN_ERROR, "Cancelled", "The running call was cancelled by its own session.",
         "Cancel was called: mostly a Ctrl-C.", "Nothing, if that was meant."},
        {EXPLAIN_ERROR, "Released", "The session was released while the call was running.",
         "'quiescectl release', by an administrator; or the requester's own Release.",
         "Ask who released it: the journal of quiesced has the session's end and its cause."},
        {EXPLAIN_ERROR, "WriterVeto",
         "A writer that must take part has failed, so there is no set; or one does not let a volume be reverted.",
         "The application could not be frozen, or its data was not in order; the error's text and "
         "'quiescectl show SESSION' have the writer, the event and its own words.",
         "Look into the application's log and mend it. --ignore-writer NAME goes on without that one: the set is "
         "then less than application-consistent. What blocks a revert is told in quiesced.writer(5), BlocksRevert=. See also the writer's failure, such as 'quiescectl explain "
         "Retryable'."},
        {EXPLAIN_ERROR, "WriterTimeout",
         "A writer may be frozen for less time than the set needed until its hold could begin; so it was not begun.",
         "The steps between Freeze and the hold took too long: a slow disk, many volumes, much dirty memory.",
         "Back up when the machine is less busy; make the volumes fewer; raise the writer's freeze window if it "
         "has one."},
        {EXPLAIN_ERROR, "WriterNotResponding",
         "A writer does not answer. Mostly it shows as the writer's failure NotResponding, and as WriterVeto.",
         "Its process hangs, has died, or answered what is no answer.",
         "'journalctl -u UNIT' of the writer; 'quiescectl list writers' has its unit."},
        {EXPLAIN_ERROR, "WriterInfrastructure", "quiesced could not start the writers at all.",
         "It is short of memory or of file descriptors.",
         "'systemctl status quiesced', and its limits: 'systemctl show -p LimitNOFILE -p MemoryMax quiesced'."},
        {EXPLAIN_ERROR, "VolumeNotSupported", "The volume cannot be in a snapshot set.",
         "It is on no logical volume and no other device of device-mapper; or on such a one for which no store is "
         "named. It is a snapshot or part of another volume, is not active, is swap, holds the snapshots' own "
         "store, or its file system lies on a device that is not in the set.",
         "'quiescectl list volumes' tells the reason for each. Add the device that the text names, name a store "
         "(quiesced-dm(7)), or leave the volume out; 'quiescectl freeze' works with any file system on a block "
         "device."},
        {EXPLAIN_ERROR, "VolumeNotSupportedByProvider",
         "The provider that was asked for cannot snapshot this volume.",
         "--provider lvm-thin for a volume in no thin pool, for example.",
         "Leave --provider out: the one that fits is chosen."},
        {EXPLAIN_ERROR, "VolumeBusy", "Something else is being done with the volume or the snapshot.",
         "It is suspended, in a pvmove or conversion, a merge is pending, its group is shared; on delete: somebody "
         "has the snapshot open or mounted.",
         "The error's text names who or what. Wait for it or end it, and call again; 'lsblk' and 'fuser -m' "
         "show who uses a device."},
        {EXPLAIN_ERROR, "MaximumNumberOfVolumesReached", "A set has 64 volumes at most.",
         "Too many volumes in one set.", "Make two sets, of volumes that need not be of the same instant."},
        {EXPLAIN_ERROR, "MaximumNumberOfSnapshotsReached",
         "The volume has as many snapshots as it may have.",
         "Old sets were never deleted; a volume of provider dm has one at most.",
         "'quiescectl list' and 'quiescectl delete'; or raise MaxPerVolume= in quiesced.conf(5)."},
        {EXPLAIN_ERROR, "InsufficientStorage", "There is no room for the snapshots.",
         "The volume group has not enough free extents for a thick snapshot's store, the thin pool is nearly "
         "full, or the device that is named as a store (quiesced-dm(7)) is too small.",
         "The error's text tells what is needed and free. 'quiescectl run --dry-run' tells it beforehand. Delete old "
         "sets, extend the group or pool, make stores smaller (--cow-size) or put them elsewhere (--store-on)."},
        {EXPLAIN_ERROR, "ProviderNotRegistered", "There is no provider of this name.",
         "A typing error in --provider.", "'quiescectl list providers' shows them."},
        {EXPLAIN_ERROR, "ProviderVeto",
         "Who takes the snapshot elsewhere has refused, failed or died. All was thawed.",
         "The command of 'quiescectl freeze' failed, or the requester said \"failed\" in the moment.",
         "Look into what the command says; quiesced-external(7)."},
        {EXPLAIN_ERROR, "UnexpectedProviderError",
         "A provider failed in a way nobody foresaw. The set was given up, and nothing of it is left.",
         "An LVM command failed, was killed after its limit, or the kernel refused; somebody changed the volumes meanwhile.",
         "The error's text has LVM's own words; 'journalctl -u quiesced' has more. 'quiescectl doctor' looks for what is "
         "wrong with LVM."},
        {EXPLAIN_ERROR, "FlushWritesTimeout",
         "The file systems could not be written back in time, so none was frozen for long and there is no set.",
         "Much dirty memory and a slow disk.",
         "Back up when less is written, or make memory less dirty: vm.dirty_bytes, vm.dirty_background_bytes."},
        {EXPLAIN_ERROR, "HoldWritesTimeout",
         "Writes could not be held for as long as the snapshots took. All was let go at the limit, and there is no set.",
         "A disk that is slow or does not answer, a thin pool with slow metadata, very many volumes; with 'quiescectl freeze': "
         "the command took too long.",
         "'quiescectl run --timeline' tells what took how long. LimitSec= of [Hold] and of [External] in quiesced.conf(5) are "
         "the limits. 'quiescectl doctor' looks for what is still suspended."},
        {EXPLAIN_ERROR, "UnsupportedContext", "There is no snapshot context of this name.",
         "A typing error in SetContext.",
         "There are backup, file-share-backup, nas-rollback and app-rollback."},
        {EXPLAIN_ERROR, "InvalidDocument", "The backup's document cannot be used.",
         "It was changed or cut off, or is from a version that this one does not know.",
         "The error's text names the place in it. Use the file as SaveDocument wrote it; quiesce-document(5)."},
        {EXPLAIN_ERROR, "Unexpected",
         "Something went wrong inside quiesced or around it that has no name of its own.",
         "Mostly a shortage: of memory, of descriptors, of processes; or a file system that cannot be mounted.",
         "The error's text and 'journalctl -u quiesced'. If neither tells it is worth a bug report."},

        {EXPLAIN_WRITER_FAILURE, "InconsistentSnapshot",
         "The writer says that the snapshot would not be, or is not, consistent for its application.",
         "Not all volumes of the application are in the set, or it was written to while it should have held still.",
         "The writer's text names what is missing. Add its volumes to the set."},
        {EXPLAIN_WRITER_FAILURE, "OutOfResources",
         "The writer lacked something: memory, connections, room on a disk.",
         "The application is at one of its limits.", "See its log; back up again when it has room."},
        {EXPLAIN_WRITER_FAILURE, "Timeout",
         "The writer could not freeze its application in the time it had.",
         "A long transaction, backup or schema change that was in the way.",
         "The writer's text mostly names who was in the way. Back up at another time, or end that."},
        {EXPLAIN_WRITER_FAILURE, "Retryable", "It did not work this time; the next time it may.",
         "Something passing: the application was starting, checkpointing, or being stopped.",
         "Back up again."},
        {EXPLAIN_WRITER_FAILURE, "NonRetryable", "It will not work before something is changed.",
         "The application or its writer is set up wrongly: a password, a directory, a server that is off.",
         "Mend what the writer's text names; its man page has its configuration."},
        {EXPLAIN_WRITER_FAILURE, "NotResponding",
         "The writer died, hung or answered nonsense. quiesced tells this, not the writer.",
         "A crash, or a limit that is too short for it ([Events] in quiesced.conf(5)).",
         "'journalctl -u UNIT' of the writer; 'quiescectl list writers' has its unit. It was stopped, and is started anew with "
         "the next session."},
};
const size_t n_explanations_errors = ELEMENTSOF(explanations_errors);
