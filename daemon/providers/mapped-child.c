/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Making a snapshot's devices and removing them; see mapped-child.h.
 *
 * Making is in an order in which a process that dies leaves what the removal finds: the store, the origin's
 * table in a device of its own, the snapshot (of no use yet: the hold stamps it), and last the origin gets
 * its table. Removing goes the other way round, and begins with the snapshot, because somebody may have it
 * open: then nothing is changed. The store is wiped before its device goes, so that what has no device has
 * no header either. Each part may be gone already.
 */

#include "daemon/providers/mapped-child.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#include "daemon/volumes/dm.h"
#include "util/error.h"
#include "util/failpoint.h"

#define SECTOR_SIZE   UINT64_C(512)
#define CHUNK_SECTORS 8u
#define HOLDERS_MAX   16u

/* What is told of a live table. */
typedef struct TableFacts {
        char alien[32]; /* a target that no second table can have, or "" */
        bool encrypted, key_is_away;
        unsigned n_targets;
        bool is_origin; /* the first target is snapshot-origin … */
        dev_t real;     /* … of this */
} TableFacts;

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

static int fail_with(int r, const char *what, const char *name) {
        return mapped_job_fail(r == -EBUSY ? CONTRACT_ERROR_VOLUME_BUSY
                                           : CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR,
                               "%s %s: %s.", what, name, strerror(-r));
}

/* Keys pass through: nothing of this process may be written to a disk. */
static void keep_secrets(void) {
        (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        (void) mlockall(MCL_CURRENT | MCL_FUTURE);
}

/* A hold that has outlived its quiesced has what would be changed here suspended, and lets it go: LVM's
 * commands wait for it by their own lock. Jobs need not wait for each other. Return: a descriptor, or a
 * negative errno. */
static int lock_take(const char *path) {
        _cleanup_close_ int fd = open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0 || flock(fd, LOCK_SH) < 0)
                return error_origin(-errno);
        return TAKE_FD(fd);
}

static int place_failpoint(const char *place) {
        int r = failpoint(place);

        return r < 0 ? fail_with(r, "Failpoint", place) : 0;
}

static void note_target(const char *type, const char *params, void *userdata) {
        TableFacts *facts = userdata;
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

static int check_table(const MappedLook *look, TableFacts *facts, uint64_t *ret_sectors) {
        const Volume *origin = look->origin;
        char real_uuid[MAPPED_UUID_SIZE + 8];
        int r;

        r = mapped_device_each_target(origin->dm_uuid, note_target, facts, ret_sectors);
        if (r == 0 && facts->is_origin &&
            mapped_device_read(facts->real, "dm/uuid", real_uuid, sizeof(real_uuid)) &&
            mapped_uuid_is_ours(real_uuid)) {
                if (look->for_set)
                        return mapped_job_fail(CONTRACT_ERROR_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED,
                                               "%s has a snapshot of quiesced, and provider dm makes one of "
                                               "a volume at a time. Release it first (quiescectl list "
                                               "snapshots).",
                                               origin->name);
                *facts = (TableFacts){};
                r = mapped_device_each_target(real_uuid, note_target, facts, NULL);
        }
        if (r != 0)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                       "The device %s has no table that could be read: %s.", origin->name,
                                       r < 0 ? strerror(-r) : "it is gone");
        if (facts->alien[0])
                return mapped_job_fail(
                        CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "No snapshot can be taken of %s: its target \"%s\" has a state of its own on disk, "
                        "which two tables at a time would spoil. Put a linear device over it, or LVM.",
                        origin->name, facts->alien);
        if (facts->key_is_away)
                return mapped_job_fail(
                        CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "No snapshot can be taken of %s: its key is in the kernel's keyring, from which no "
                        "second table gets it. Have it in the table (cryptsetup refresh --disable-keyring "
                        "%s), or put LVM on it.",
                        origin->name, origin->dm_name);
        return 0;
}

static int check_above(const Volume *origin) {
        char uuid[MAPPED_UUID_SIZE + 8];

        for (size_t i = 0; i < origin->n_above; i++)
                if (mapped_device_read(origin->above[i], "dm/uuid", uuid, sizeof(uuid)) &&
                    strncmp(uuid, "LVM-", 4) == 0)
                        return mapped_job_fail(CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                                               "%s is a physical volume of LVM: name the logical volumes on "
                                               "it, of which LVM makes the snapshots.",
                                               origin->name);
        return 0;
}

/**
 * mapped_job_look() - BEGIN_PREPARE: can it be an origin, and which store
 * @socket_fd:  not used
 * @look:       a MappedLook
 *
 * Return: a ContractError.
 */
int mapped_job_look(int socket_fd, void *look) {
        const MappedLook *what = look;
        TableFacts facts = {};
        uint64_t n_sectors = 0;
        int r;

        keep_secrets();
        r = check_above(what->origin);
        if (r == 0)
                r = check_table(what, &facts, &n_sectors);
        return r != 0 ? r : mapped_store_choose(what, facts.encrypted, n_sectors * SECTOR_SIZE);
}

/* Devices that are being made. */
typedef struct Parts {
        char uuids[_MAPPED_PART_MAX][MAPPED_UUID_SIZE];
        char names[_MAPPED_PART_MAX][MAPPED_NAME_SIZE];
        MappedDevice devices[_MAPPED_PART_MAX];
        uint64_t n_sectors; /* of the origin */
        bool read_only;     /* the origin */
} Parts;

static int parts_name(Parts *parts, const MappedIds *ids) {
        for (MappedPart part = 0; part < _MAPPED_PART_MAX; part++) {
                int r = mapped_uuid(parts->uuids[part], ids, part);

                if (r >= 0)
                        r = mapped_name(parts->names[part], ids->snapshot, part);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

static int check_untouched(const char *uuid, const char *name, MappedDevice *ret) {
        int r = mapped_device_find(uuid, ret);

        if (r != 0)
                return mapped_job_fail(CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, "The device %s is gone.",
                                       name);
        if (ret->suspended)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "The device of %s is suspended by somebody. Find out by whom "
                                       "(dmsetup info), and resume it.",
                                       name);
        if (ret->staged)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "The device of %s has a table waiting that somebody has loaded, see "
                                       "dmsetup clear.",
                                       name);
        return 0;
}

/* The kernel lets two of its devices lie on the same one. Return: 0, or an exit status. */
static int check_alone(dev_t store) {
        if (mapped_device_list(store, "holders", NULL, 0) == 1)
                return 0;
        return mapped_job_fail(
                CONTRACT_ERROR_VOLUME_BUSY,
                "The store was taken by somebody else while the snapshot was made. Try again.");
}

static int make_store(const MappedMake *make, Parts *parts) {
        char params[64], name[32];
        int r;

        (void) snprintf(name, sizeof(name), "/dev/block/%u:%u", major(make->store), minor(make->store));
        r = mapped_store_check(make->store, name);
        if (r != 0)
                return r;
        (void) snprintf(params, sizeof(params), "%u:%u 0", major(make->store), minor(make->store));
        r = mapped_device_create(parts->names[MAPPED_COW], parts->uuids[MAPPED_COW], false,
                                 make->store_size / SECTOR_SIZE, "linear", params);
        if (r == 0)
                r = mapped_device_find(parts->uuids[MAPPED_COW], &parts->devices[MAPPED_COW]);
        if (r != 0)
                return fail_with(r < 0 ? r : -ENXIO, "The store cannot be opened on", name);
        r = check_alone(make->store);
        if (r != 0)
                return r;
        r = mapped_store_wipe(parts->uuids[MAPPED_COW]);
        return r < 0 ? fail_with(r, "The store cannot be written on", name)
                     : place_failpoint("quiesced.dm.store");
}

static int make_real(const MappedMake *make, Parts *parts) {
        TableFacts facts = {};
        int r;

        r = mapped_device_create_copy(parts->names[MAPPED_REAL], parts->uuids[MAPPED_REAL],
                                      make->origin_uuid);
        if (r == 0)
                r = mapped_device_find(parts->uuids[MAPPED_REAL], &parts->devices[MAPPED_REAL]);
        if (r == 0)
                r = mapped_device_each_target(parts->uuids[MAPPED_REAL], note_target, &facts,
                                              &parts->n_sectors);
        if (r != 0)
                return fail_with(r < 0 ? r : -ENXIO, "There cannot be a second table of", make->origin_name);
        if (facts.alien[0])
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "Somebody has given %s another table (%s).", make->origin_name,
                                       facts.alien);
        return place_failpoint("quiesced.dm.real");
}

static int make_snapshot(const MappedMake *make, Parts *parts) {
        char params[128];
        int r;

        (void) snprintf(params, sizeof(params), "%u:%u %u:%u P %u",
                        major(parts->devices[MAPPED_REAL].number), minor(parts->devices[MAPPED_REAL].number),
                        major(parts->devices[MAPPED_COW].number), minor(parts->devices[MAPPED_COW].number),
                        CHUNK_SECTORS);
        r = mapped_device_create(parts->names[MAPPED_SNAPSHOT], parts->uuids[MAPPED_SNAPSHOT], true,
                                 parts->n_sectors, "snapshot", params);
        return r < 0 ? fail_with(r, "No snapshot can be made of", make->origin_name)
                     : place_failpoint("quiesced.dm.snapshot");
}

static int switch_origin(const MappedMake *make, const Parts *parts) {
        TableFacts facts = {};
        MappedDevice origin;
        char params[32];
        int r;

        r = check_untouched(make->origin_uuid, make->origin_name, &origin);
        if (r != 0)
                return r;
        (void) snprintf(params, sizeof(params), "%u:%u", major(parts->devices[MAPPED_REAL].number),
                        minor(parts->devices[MAPPED_REAL].number));
        r = mapped_device_switch(make->origin_uuid, origin.read_only, parts->n_sectors, "snapshot-origin",
                                 params);
        if (r == 0)
                r = mapped_device_each_target(make->origin_uuid, note_target, &facts, NULL);
        if (r != 0)
                return fail_with(r < 0 ? r : -ENXIO, "The table that makes it an origin cannot be given to",
                                 make->origin_name);
        if (!facts.is_origin || facts.real != parts->devices[MAPPED_REAL].number)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "Somebody gives %s tables while its snapshot is made.",
                                       make->origin_name);
        return place_failpoint("quiesced.dm.switched");
}

/**
 * mapped_job_make() - END_PREPARE: the three devices, and the origin's other table
 * @socket_fd:  not used
 * @make:       a MappedMake
 *
 * Return: a ContractError; what was made is left to mapped_job_remove() then.
 */
int mapped_job_make(int socket_fd, void *make) {
        const MappedMake *what = make;
        _cleanup_close_ int lock_fd = -EBADF;
        MappedDevice origin;
        Parts parts = {};
        int r;

        keep_secrets();
        r = lock_fd = lock_take(what->lock_path);
        if (r >= 0)
                r = parts_name(&parts, &what->ids);
        if (r < 0)
                return fail_with(r, "No name can be given to the snapshot of", what->origin_name);
        r = check_untouched(what->origin_uuid, what->origin_name, &origin);
        if (r == 0)
                r = make_store(what, &parts);
        if (r == 0)
                r = make_real(what, &parts);
        if (r == 0)
                r = make_snapshot(what, &parts);
        return r != 0 ? r : switch_origin(what, &parts);
}

/**
 * mapped_job_mark() - make snapshots count, or say anew what they are good for
 * @socket_fd:  not used
 * @marking:    a MappedMarking
 *
 * Return: a ContractError.
 */
int mapped_job_mark(int socket_fd, void *marking) {
        const MappedMarking *what = marking;

        for (size_t i = 0; i < what->n_ids; i++) {
                char uuid[MAPPED_UUID_SIZE], name[MAPPED_NAME_SIZE] = "";
                MappedDevice cow;
                int r;

                r = mapped_uuid(uuid, &what->ids[i], MAPPED_COW);
                if (r >= 0)
                        r = mapped_mark_name(name, what->ids[i].snapshot, &what->mark);
                if (r >= 0)
                        r = mapped_device_find(uuid, &cow);
                if (r == 0 && !streq(cow.name, name))
                        r = mapped_device_rename(cow.name, name);
                if (r != 0)
                        return fail_with(r < 0 ? r : -ENXIO, "The final mark cannot be given to snapshot",
                                         what->ids[i].snapshot);
                r = place_failpoint("quiesced.dm.marked");
                if (r != 0)
                        return r;
        }
        return CONTRACT_OK;
}

static int remove_snapshot(const Parts *parts) {
        const char *uuid = parts->uuids[MAPPED_SNAPSHOT];
        int r;

        /* What a hold that died has left of it. */
        (void) dm_clear_uuid(uuid);
        (void) dm_resume_uuid(uuid);
        r = mapped_device_remove(uuid, false);
        return r < 0 ? fail_with(r, "Still there is the snapshot", parts->names[MAPPED_SNAPSHOT])
                     : place_failpoint("quiesced.dm.snapshot-removed");
}

/* Only if it has our table: what somebody has given it since is his. */
static int origin_put_back(const char *uuid, const char *real_uuid, dev_t real) {
        TableFacts facts = {};
        MappedDevice origin;
        int r;

        r = mapped_device_find(uuid, &origin);
        if (r != 0)
                return 0;
        if (origin.staged)
                (void) dm_clear_uuid(uuid); /* ours, or of the table that goes */
        if (origin.suspended)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "%s gets its own table back when it is no longer suspended by "
                                       "somebody: dmsetup resume %s.",
                                       origin.name, origin.name);
        r = mapped_device_each_target(uuid, note_target, &facts, NULL);
        if (r != 0 || !facts.is_origin || facts.real != real)
                return 0;
        r = mapped_device_switch_copy(uuid, real_uuid);
        return r < 0 ? fail_with(r, "Its own table cannot be given back to", origin.name)
                     : place_failpoint("quiesced.dm.put-back");
}

static int put_back(const Parts *parts) {
        const char *real_uuid = parts->uuids[MAPPED_REAL];
        dev_t holders[HOLDERS_MAX];
        char uuid[MAPPED_UUID_SIZE + 8];
        MappedDevice real;
        size_t n;
        int r;

        r = mapped_device_find(real_uuid, &real);
        if (r != 0)
                return r < 0 ? fail_with(r, "Nothing is known of", parts->names[MAPPED_REAL]) : 0;
        n = mapped_device_list(real.number, "holders", holders, HOLDERS_MAX);
        for (size_t i = 0; i < n && i < HOLDERS_MAX; i++)
                if (mapped_device_read(holders[i], "dm/uuid", uuid, sizeof(uuid)) &&
                    !mapped_uuid_is_ours(uuid)) {
                        r = origin_put_back(uuid, real_uuid, real.number);
                        if (r != 0)
                                return r;
                }
        r = mapped_device_remove(real_uuid, true);
        return r < 0 ? fail_with(r, "Still there is", parts->names[MAPPED_REAL])
                     : place_failpoint("quiesced.dm.real-removed");
}

static int remove_store(const Parts *parts) {
        MappedDevice cow;
        int r;

        r = mapped_device_find(parts->uuids[MAPPED_COW], &cow);
        if (r != 0)
                return r < 0 ? fail_with(r, "Nothing is known of", parts->names[MAPPED_COW]) : 0;
        /* A disk that has failed must not keep its device. */
        if (mapped_store_wipe(parts->uuids[MAPPED_COW]) < 0)
                (void) dprintf(STDERR_FILENO, "The store %s cannot be cleared. ", cow.name);
        r = mapped_device_remove(parts->uuids[MAPPED_COW], true);
        return r < 0 ? fail_with(r, "Still there is the store", cow.name) : 0;
}

/**
 * mapped_job_remove() - remove whatever there is of a snapshot
 * @socket_fd:  not used
 * @removal:    a MappedRemoval
 *
 * Return: a ContractError; VOLUME_BUSY: somebody has it open, or has suspended its origin.
 */
int mapped_job_remove(int socket_fd, void *removal) {
        const MappedRemoval *what = removal;
        _cleanup_close_ int lock_fd = -EBADF;
        Parts parts = {};
        int r;

        keep_secrets();
        r = lock_fd = lock_take(what->lock_path);
        if (r >= 0)
                r = parts_name(&parts, &what->ids);
        if (r < 0)
                return fail_with(r, "Nothing can be removed of snapshot", what->ids.snapshot);
        r = remove_snapshot(&parts);
        if (r == 0)
                r = put_back(&parts);
        return r != 0 ? r : remove_store(&parts);
}
