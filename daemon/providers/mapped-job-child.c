/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the jobs of provider dm have in common; see mapped-job.h.
 */

#include "daemon/providers/mapped-job.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#include "util/error.h"
#include "util/failpoint.h"

/**
 * mapped_job_fail() - say why a job fails
 * @error:      how
 * @format:     for people, a sentence
 *
 * Return: the exit status.
 */
int mapped_job_fail(ContractError error, const char *format, ...) {
        va_list args;

        va_start(args, format);
        (void) vdprintf(STDERR_FILENO, format, args);
        va_end(args);
        (void) !write(STDERR_FILENO, " ", 1);
        return (int) error;
}

/**
 * mapped_job_fail_errno() - likewise, by an errno
 * @r:          negative errno; -EBUSY is VOLUME_BUSY
 * @what:       what could not be done, which the name follows
 * @name:       to which thing
 *
 * Return: the exit status.
 */
int mapped_job_fail_errno(int r, const char *what, const char *name) {
        return mapped_job_fail(r == -EBUSY ? CONTRACT_ERROR_VOLUME_BUSY
                                           : CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                               "%s %s: %s.", what, name, strerror(-r));
}

/**
 * mapped_job_keep_secrets() - see to it that nothing of this process is written to a disk
 *
 * Keys of disks pass through.
 */
void mapped_job_keep_secrets(void) {
        (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        (void) mlockall(MCL_CURRENT | MCL_FUTURE);
}

/**
 * mapped_job_lock() - wait until no process of a hold lives
 * @path:       of the hold's lock
 *
 * A hold that has outlived its quiesced has what would be changed here suspended, and lets it go: LVM's
 * commands wait for it by their own lock. Jobs need not wait for each other.
 *
 * Return: a descriptor, to be closed; or a negative errno.
 */
int mapped_job_lock(const char *path) {
        _cleanup_close_ int fd = open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0 || flock(fd, LOCK_SH) < 0)
                return error_origin(-errno);
        return TAKE_FD(fd);
}

/**
 * mapped_job_failpoint() - a place between two effects, util/failpoint.h
 * @place:      its name
 *
 * Return: 0, or an exit status, having said why.
 */
int mapped_job_failpoint(const char *place) {
        int r = failpoint(place);

        return r < 0 ? mapped_job_fail_errno(r, "Failpoint", place) : 0;
}

/**
 * mapped_note_target() - a MappedTarget: what is to be known of a table
 * @type:       of a target
 * @params:     of it
 * @userdata:   a MappedTableFacts, empty before the first target
 */
void mapped_note_target(const char *type, const char *params, void *userdata) {
        MappedTableFacts *facts = userdata;
        unsigned major_number, minor_number;

        if (facts->n_targets++ == 0 && streq(type, "snapshot-origin") &&
            sscanf(params, "%u:%u", &major_number, &minor_number) == 2) {
                facts->is_origin = true;
                facts->real = makedev(major_number, minor_number);
        }
        if (!mapped_target_is_plain(type) && !facts->alien[0])
                (void) snprintf(facts->alien, sizeof(facts->alien), "%s", type);
        if (streq(type, "crypt")) {
                facts->encrypted = true;
                facts->key_is_away |= mapped_crypt_key_is_in_keyring(params);
        }
}

/**
 * mapped_parts_name() - fill in names and uuids
 * @parts:      whose
 * @ids:        of the snapshot
 *
 * Return: 0, or -EINVAL.
 */
int mapped_parts_name(MappedParts *parts, const MappedIds *ids) {
        for (MappedPart part = 0; part < _MAPPED_PART_MAX; part++) {
                int r = mapped_uuid(parts->uuids[part], ids, part);

                if (r >= 0)
                        r = mapped_name(parts->names[part], ids->snapshot, part);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}
