/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * C24: writers write into the snapshots in PostSnapshot (VSS: auto-recovery), and nobody does after it.
 *
 * The hold, and for a thin snapshot a child, have made the device take writes. FINAL_COMMIT mounts it,
 * detached, for the writers that get PostSnapshot; SEAL makes mount, file system and device read-only, and
 * only then does the set count. What is given up in between, or left by a quiesced that died, is closed with
 * the descriptors, and removed as it counts for nobody. All of it is done by forked children with a
 * deadline.
 */

#include <assert.h>

#include "daemon/sets/sets-internal.h"
#include "daemon/sets/writable-child.h"
#include "util/error.h"
#include "util/log.h"

#define OPEN_LIMIT_USEC (60 * USEC_PER_SEC)
#define SEAL_LIMIT_USEC (120 * USEC_PER_SEC)

/**
 * snapshot_set_note_writers_write() - whether writers write into the snapshots
 * @set:                the set
 * @writers_write:      before LOCK: some may want to, SEAL will follow; before FINAL_COMMIT: some still do
 */
void snapshot_set_note_writers_write(SnapshotSet *set, bool writers_write) {
        set->writers_write = writers_write;
        set->given.writable |= writers_write;
}

/**
 * set_volume_close_writable() - nobody is to be given the mount any more
 * @volume:     whose; with or without one
 *
 * It goes with the last who has it open.
 */
void set_volume_close_writable(SetVolume *volume) {
        volume->writable_fd = fd_close(volume->writable_fd);
        free(volume->writable_directory);
        volume->writable_directory = NULL;
}

/**
 * stage_close_writable() - ABORT: of all of them
 * @set:        the set
 *
 * Return: STAGE_DONE.
 */
StageResult stage_close_writable(SnapshotSet *set) {
        for (size_t i = 0; i < set->n_volumes; i++)
                set_volume_close_writable(set->volumes[i]);
        return STAGE_DONE;
}

/* A file system with a journal or a log elsewhere would write into the origin's. */
static bool volume_can_be_written(const SetVolume *volume) {
        const ProviderVolume *given = &volume->given;

        if (given->no_tree)
                return false;
        if (given->ops->open_writable_child)
                return true;
        return given->device && given->origin && given->origin->n_beside == 0 && given->file_system &&
               given->file_system[0] && !streq(given->file_system, "crypto_LUKS");
}

static void request_add(WritableRequest *request, const SetVolume *volume) {
        request->volumes[request->n_volumes] = &volume->given;
        request->fds[request->n_volumes++] = volume->writable_fd;
}

static int volume_take(SetVolume *volume, int fd) {
        const ProviderVolume *given = &volume->given;

        volume->writable_fd = fd;
        if (!given->ops->open_writable_child || !given->ops->find_origin_path)
                return 0;
        return error_trace(given->ops->find_origin_path(given, &volume->writable_directory));
}

/* One that could not be mounted is no failure: its writers see that it is missing, and say what that is to
 * them. */
static void on_opened(Child *child, const ChildResult *result, void *userdata) {
        SnapshotSet *set = userdata;
        size_t n = 0;

        if (result->error < 0 || result->status != 0)
                log_warning("the snapshots of set %s could not be mounted for writers to write into: %s",
                            set->given.id,
                            result->error < 0 ? strerror(-result->error) : "its process has failed");
        else if (result->err[0])
                log_warning("not all snapshots of set %s could be mounted for writers to write into: %.*s",
                            set->given.id, (int) strcspn(result->err, "\n"), result->err);
        for (size_t i = 0; i < set->n_volumes; i++) {
                if (!volume_can_be_written(set->volumes[i]))
                        continue;
                if (result->error == 0 && result->fds[n] >= 0 &&
                    volume_take(set->volumes[i], TAKE_FD(result->fds[n])) < 0)
                        step_fail(set, CONTRACT_ERROR_UNEXPECTED, "Out of memory.");
                n++;
        }
        set->helper = child_free(child);
        step_advance(set);
}

/**
 * stage_open_writable() - FINAL_COMMIT: mount the snapshots for the writers that write into them
 * @set:        the set
 *
 * Return: whether that is over.
 */
StageResult stage_open_writable(SnapshotSet *set) {
        WritableRequest request = {};
        int r;

        if (!set->stage_entered) {
                set->stage_entered = true;
                for (size_t i = 0; i < set->n_volumes && set->writers_write; i++)
                        if (volume_can_be_written(set->volumes[i]))
                                request_add(&request, set->volumes[i]);
                if (request.n_volumes == 0)
                        return STAGE_DONE;
                r = child_fork(&set->helper, set->sets->event, writable_child_open, &request,
                               OPEN_LIMIT_USEC, on_opened, set);
                if (r < 0) {
                        step_fail(set, CONTRACT_ERROR_UNEXPECTED, "The snapshots could not be mounted: %s.",
                                  strerror(-r));
                        return STAGE_DONE;
                }
        }
        return set->helper ? STAGE_WAIT : STAGE_DONE;
}

/**
 * snapshot_set_get_tree() - a snapshot that writers may write into
 * @set:        the set, between FINAL_COMMIT and SEAL
 * @index:      0 …
 * @ret:        filled in; everything in it stays the set's
 *
 * Return: false if there is no such one.
 */
bool snapshot_set_get_tree(const SnapshotSet *set, size_t index, SetTree *ret) {
        for (size_t i = 0; i < set->n_volumes; i++) {
                const SetVolume *volume = set->volumes[i];

                if (volume->writable_fd < 0 || index-- > 0)
                        continue;
                *ret = (SetTree){.key = volume->given.key,
                                 .device = volume->given.origin ? volume->given.origin->device : 0,
                                 .directory = volume->writable_directory,
                                 .fd = volume->writable_fd};
                return true;
        }
        return false;
}

static void on_sealed(Child *child, const ChildResult *result, void *userdata) {
        SnapshotSet *set = userdata;

        if (result->error == -ETIMEDOUT)
                step_fail(
                        set, CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                        "The snapshots that writers have written into could not be made read-only again in "
                        "time.");
        else if (result->error < 0 || result->status != 0)
                step_fail(set,
                          result->status == WRITABLE_EXIT_BUSY ? CONTRACT_ERROR_VOLUME_BUSY
                                                               : CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                          "The snapshots may still change, so the set was given up: %.*s.",
                          (int) strcspn(result->err, "\n"), result->err);
        set->helper = child_free(child);
        (void) stage_close_writable(set);
        step_advance(set);
}

/**
 * stage_seal() - SEAL: nobody can write into the snapshots any more
 * @set:        the set
 *
 * Return: whether that is over.
 */
StageResult stage_seal(SnapshotSet *set) {
        WritableRequest request = {};
        int r;

        assert(set->given.writable);
        if (!set->stage_entered) {
                set->stage_entered = true;
                for (size_t i = 0; i < set->n_volumes; i++)
                        request_add(&request, set->volumes[i]);
                r = child_fork(&set->helper, set->sets->event, writable_child_seal, &request,
                               SEAL_LIMIT_USEC, on_sealed, set);
                if (r < 0) {
                        step_fail(set, CONTRACT_ERROR_UNEXPECTED,
                                  "The snapshots could not be made read-only again: %s.", strerror(-r));
                        return STAGE_DONE;
                }
        }
        return set->helper ? STAGE_WAIT : STAGE_DONE;
}
