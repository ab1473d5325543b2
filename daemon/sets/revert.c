/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whether a set may go, be broken, or have its volumes reverted to it: who would miss it, what LVM could not
 * do for all of it. What is to be done is looked at as a whole before anything is.
 */

#include <stdarg.h>

#include "daemon/sets/sets-internal.h"
#include "util/error.h"
#include "util/utf8.h"

#define PLACES_SIZE 256u /* of a reason's text */

static const char suffix_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-";

/* Where a reason goes. */
typedef struct Reason {
        char *text;
        size_t n_text;
} Reason;

static ContractError refuse(const Reason *reason, ContractError error, const char *format, ...)
        _printf_(3, 4);

static ContractError refuse(const Reason *reason, ContractError error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(reason->text, reason->n_text, format, ap);
        va_end(ap);
        return error;
}

static bool volume_is_used(const SetVolume *volume) {
        _cleanup_(mount_records_done) MountRecords mounts = {};
        const ProviderVolume *given = &volume->given;

        if (given->ops->is_open)
                return given->ops->is_open(given);
        (void) snapshot_set_get_mounts(volume->set, given->snapshot_id, &mounts);
        return mounts.n > 0;
}

/* Whether somebody would miss it: a mount that gives way is nobody's. All mounts of it together have its
 * device open once. */
static bool volume_is_missed(const SetVolume *volume) {
        _cleanup_(mount_records_done) MountRecords mounts = {};
        const ProviderVolume *given = &volume->given;
        size_t n_gives_way = 0;

        (void) snapshot_set_get_mounts(volume->set, given->snapshot_id, &mounts);
        for (size_t i = 0; i < mounts.n; i++)
                n_gives_way += mounts.mounts[i].gives_way;
        if (n_gives_way == 0)
                return volume_is_used(volume);
        if (n_gives_way < mounts.n)
                return true;
        if (given->ops->is_open_besides_mount)
                return given->ops->is_open_besides_mount(given);
        return given->ops->is_open && given->ops->is_open(given);
}

/* Who has it: where it is mounted, or that somebody else does. deleting: what gives way is in nobody's way.
 */
static ContractError refuse_used(const SetVolume *volume, const Reason *reason, bool deleting) {
        _cleanup_(mount_records_done) MountRecords mounts = {};
        const ProviderVolume *given = &volume->given;
        const char *or_else = deleting ? ", or delete it by force" : "";
        char places[PLACES_SIZE] = "";
        size_t n = 0;

        (void) snapshot_set_get_mounts(volume->set, given->snapshot_id, &mounts);
        for (size_t i = 0; i < mounts.n && n < sizeof(places); i++)
                if (!deleting || !mounts.mounts[i].gives_way)
                        n += (size_t) snprintf(places + n, sizeof(places) - n, "%s%s", n > 0 ? ", " : "",
                                               mounts.mounts[i].mount_point);
        utf8_clean(places, strlen(places));
        if (n > 0)
                return refuse(reason, CONTRACT_ERROR_VOLUME_BUSY,
                              "Snapshot %s of %.64s is mounted; unmount it first (%s%s)%s.",
                              given->snapshot_id, given->name, places, n < sizeof(places) ? "" : "…",
                              or_else);
        return refuse(reason, CONTRACT_ERROR_VOLUME_BUSY,
                      "Snapshot %s of %.128s is in use; end who has it open first%s.", given->snapshot_id,
                      given->name, or_else);
}

/* A copy of it shares its blocks, and would be one of nothing afterwards. */
static ContractError refuse_copied(const SetVolume *volume, const Reason *reason) {
        return refuse(reason, CONTRACT_ERROR_VOLUME_BUSY,
                      "Snapshot %s of %.128s has a writable copy (mount --rw); unmount that first.",
                      volume->given.snapshot_id, volume->given.name);
}

/* What becomes of it is decided already, whatever force is used. */
static ContractError refuse_reverting(const SetVolume *volume, const Reason *reason) {
        return refuse(
                reason, CONTRACT_ERROR_VOLUME_BUSY,
                "Volume %.128s is being reverted to snapshot %s, or will be when it is activated next; "
                "the snapshot goes when that is done.",
                volume->given.name, volume->given.snapshot_id);
}

/**
 * snapshot_set_check_unused() - whether a snapshot can go without anybody missing it
 * @set:            the set
 * @snapshot_id:    of one of its snapshots; NULL: all
 * @force:          whoever misses it
 * @text:           why not, and what to do
 * @n_text:         its size
 *
 * Return: OK or VOLUME_BUSY.
 */
ContractError snapshot_set_check_unused(const SnapshotSet *set, const char *snapshot_id, bool force,
                                        char *text, size_t n_text) {
        const Reason reason = {text, n_text};

        for (size_t i = 0; i < set->n_volumes; i++) {
                const SetVolume *volume = set->volumes[i];

                if (snapshot_id && !streq(volume->given.snapshot_id, snapshot_id))
                        continue;
                if (volume->state == SNAPSHOT_REVERTING)
                        return refuse_reverting(volume, &reason);
                if (volume->state == SNAPSHOT_CREATED && !force && volume_is_missed(volume))
                        return refuse_used(volume, &reason, true);
        }
        if (set->given.description.locked && !force)
                return refuse(&reason, CONTRACT_ERROR_VOLUME_BUSY,
                              "Snapshot set %s is locked; unlock it first, or delete it by force.",
                              set->given.id);
        return CONTRACT_OK;
}

/* All that is asked of a set of which something irrevocable is to become. */
static ContractError check_whole(const SnapshotSet *set, ProviderPhase phase, const Reason *reason) {
        size_t n = 0;

        if (!set->given.persistent)
                return refuse(
                        reason, CONTRACT_ERROR_UNSUPPORTED_CONTEXT,
                        "Snapshot set %s goes with its session; this can be done with a persistent one.",
                        set->given.id);
        if (set->given.description.locked)
                return refuse(reason, CONTRACT_ERROR_VOLUME_BUSY,
                              "Snapshot set %s is locked; unlock it first.", set->given.id);
        for (size_t i = 0; i < set->n_volumes; i++) {
                const SetVolume *volume = set->volumes[i];

                n += volume->state == SNAPSHOT_CREATED;
                if (volume->state == SNAPSHOT_REVERTING)
                        return refuse_reverting(volume, reason);
                if (volume->state != SNAPSHOT_CREATED)
                        continue;
                if (!volume->given.ops->set_op[phase])
                        return refuse(reason, CONTRACT_ERROR_NOT_SUPPORTED,
                                      "Provider %s, of the snapshot of %.128s, cannot do this.",
                                      volume->given.ops->name, volume->given.name);
                if (volume->given.copy_device || volume->copy_call)
                        return refuse_copied(volume, reason);
                if (volume_is_used(volume))
                        return refuse_used(volume, reason, false);
        }
        if (n == 0)
                return refuse(reason, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                              "Snapshot set %s has no snapshot any more.", set->given.id);
        return CONTRACT_OK;
}

static ContractError begin(SnapshotSet *set, ProviderPhase phase, StepDone done, void *userdata,
                           const Reason *reason) {
        int r;

        r = change_begin(set, phase, done, userdata);
        return r >= 0 ? CONTRACT_OK
                      : refuse(reason, CONTRACT_ERROR_VOLUME_BUSY,
                               "Something else is done to snapshot set %s; try again in a moment.",
                               set->given.id);
}

/**
 * snapshot_set_break() - make its snapshots volumes like any other
 * @set:        the set, which counts
 * @suffix:     of their names, after the volume's and "_"; "": the instant, in UTC
 * @writable:   let them be written to
 * @done:       called once, if begun; the result names them; after a failure some may have been made so
 * @userdata:   for @done
 * @text:       why it was not begun, and what to do
 * @n_text:     its size
 *
 * Mirrors IVssBackupComponentsEx2::BreakSnapshotSetEx.
 *
 * Return: OK, or why it was not begun.
 */
ContractError snapshot_set_break(SnapshotSet *set, const char *suffix, bool writable, StepDone done,
                                 void *userdata, char *text, size_t n_text) {
        const Reason reason = {text, n_text};
        ProviderBreak *how = &set->given.broken;
        ContractError error;

        if (strlen(suffix) >= sizeof(how->suffix) || strspn(suffix, suffix_characters) != strlen(suffix))
                return refuse(&reason, CONTRACT_ERROR_INVALID_ARGUMENT,
                              "\"%.64s\" cannot end a volume's name: at most %zu of the characters A-Z a-z "
                              "0-9 _ + . - can.",
                              suffix, sizeof(how->suffix) - 1);
        error = check_whole(set, PROVIDER_BREAK, &reason);
        if (error != CONTRACT_OK)
                return error;
        *how = (ProviderBreak){.writable = writable};
        (void) snprintf(how->suffix, sizeof(how->suffix), "%s", suffix);
        return begin(set, PROVIDER_BREAK, done, userdata, &reason);
}

/**
 * snapshot_set_revert() - make its volumes what its snapshots are
 * @set:        the set, which counts
 * @check:      only look whether it would be refused, as far as can be told; nothing is changed
 * @done:       called once, if begun, when all reverts are; after a failure some may have been begun
 * @userdata:   for @done
 * @text:       why it was not begun, and what to do
 * @n_text:     its size
 *
 * The volumes of a set are of one instant together, so it is all of them or none. The snapshots are no more
 * afterwards, so a lock keeps it.
 *
 * Mirrors IVssBackupComponentsEx2::RevertToSnapshot.
 *
 * Return: OK, or why it was not begun.
 */
ContractError snapshot_set_revert(SnapshotSet *set, bool check, StepDone done, void *userdata, char *text,
                                  size_t n_text) {
        ProviderPhase phase = check ? PROVIDER_CHECK_REVERT : PROVIDER_REVERT;
        const Reason reason = {text, n_text};
        ContractError error;
        size_t n = 0;

        error = check_whole(set, phase, &reason);
        for (size_t i = 0; error == CONTRACT_OK && i < set->n_volumes; i++) {
                SnapshotInfo info;

                if (!snapshot_set_get_snapshot(set, i, &info))
                        continue;
                n++;
                if (!streq(info.state, "created"))
                        error = refuse(&reason, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                                       "Snapshot %s of %.128s does not hold its instant any more (%s).",
                                       info.id, info.volume, info.invalid_reason);
        }
        if (error == CONTRACT_OK && n < set->n_made)
                error = refuse(
                        &reason, CONTRACT_ERROR_OBJECT_NOT_FOUND,
                        "Of the %zu snapshots of set %s %zu are left: reverted alone, the volumes would "
                        "not fit each other. Copy what is needed from the snapshots.",
                        set->n_made, set->given.id, n);
        return error == CONTRACT_OK ? begin(set, phase, done, userdata, &reason) : error;
}
