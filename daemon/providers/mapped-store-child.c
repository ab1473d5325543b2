/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Stores of provider dm: block devices that somebody has named, each of which is written to only if nobody
 * uses it, nothing is on it, and it lies on nothing of what it would be the store for.
 *
 * What is written to an origin that is encrypted comes to a store decrypted, as the snapshot lies above: a
 * store that is not encrypted itself would tell what the disk was to keep secret.
 */

#include <blkid.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/providers/lvm-dm.h"
#include "daemon/providers/mapped-job.h"
#include "daemon/providers/mapped-provider.h"
#include "util/error.h"

#define CHUNK_SIZE     UINT64_C(4096)
#define STORE_SIZE_MIN UINT64_C(67108864) /* without a wish: small volumes change fast */
#define LAYERS_MAX     16u
#define WIPE_SIZE      UINT64_C(1048576) /* at each end: all that blkid(8) looks at */
#define ZEROS_SIZE     65536u

static void probe_freep(blkid_probe *probe) {
        if (*probe)
                blkid_free_probe(*probe);
}

/* Return: 0: nothing is on it; else an exit status, having said why. */
static int check_blank(int fd, const char *name) {
        _cleanup_(probe_freep) blkid_probe probe = blkid_new_probe();
        const char *what = NULL;
        int r;

        if (!probe || blkid_probe_set_device(probe, fd, 0, 0) != 0)
                return mapped_job_fail(CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, "%s cannot be looked into.",
                                       name);
        (void) blkid_probe_enable_superblocks(probe, 1);
        (void) blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC);
        (void) blkid_probe_enable_partitions(probe, 1);
        r = blkid_do_probe(probe);
        if (r == 1)
                return 0;
        if (r < 0)
                return mapped_job_fail(CONTRACT_ERROR_UNEXPECTED_PROVIDER_ERROR, "%s cannot be read.", name);
        if (blkid_probe_lookup_value(probe, "TYPE", &what, NULL) != 0 &&
            blkid_probe_lookup_value(probe, "PTTYPE", &what, NULL) != 0)
                what = "data";
        if (streq(what, "DM_snapshot_cow"))
                return mapped_job_fail(CONTRACT_ERROR_INVALID_ARGUMENT,
                                       "%s has a copy-on-write store on it, left over from a snapshot that "
                                       "the machine went down with. If nobody needs it: wipefs -a %s.",
                                       name, name);
        return mapped_job_fail(CONTRACT_ERROR_INVALID_ARGUMENT,
                               "%s is not empty (%s). A store overwrites what is there: name another one, "
                               "or clear it with wipefs -a %s.",
                               name, what, name);
}

/* By its number: what a name means may change. udev may be late with its links, the kernel is not with its
 * nodes. Return: a descriptor, or a negative errno. */
static int device_open(dev_t number, int flags) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *path = NULL;
        char link[64], target[PATH_MAX], *name;
        struct stat st;
        ssize_t n;

        (void) snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(number), minor(number));
        n = readlink(link, target, sizeof(target) - 1);
        if (n <= 0)
                return -ENODEV;
        target[n] = '\0';
        name = strrchr(target, '/');
        if (!name || asprintf(&path, "/dev%s", name) < 0)
                return -ENOMEM;
        for (char *c = path; (c = strchr(c, '!'));)
                *c = '/';
        fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode) || st.st_rdev != number)
                return -ENODEV;
        return TAKE_FD(fd);
}

/**
 * mapped_store_check() - may this device be written to as a store
 * @number:     of the device
 * @name:       for people
 *
 * Return: 0; else an exit status, having said why.
 */
int mapped_store_check(dev_t number, const char *name) {
        _cleanup_close_ int fd = device_open(number, O_RDONLY | O_EXCL);
        int read_only = 0;

        if (fd == -EBUSY)
                return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                       "%s is in use: by another snapshot, a mount, swap or a device above "
                                       "it (lsblk tells).",
                                       name);
        if (fd < 0)
                return mapped_job_fail(CONTRACT_ERROR_INVALID_ARGUMENT, "%s cannot be opened: %s.", name,
                                       strerror(-fd));
        if (ioctl(fd, BLKROGET, &read_only) == 0 && read_only)
                return mapped_job_fail(CONTRACT_ERROR_INVALID_ARGUMENT, "%s is read-only.", name);
        return check_blank(fd, name);
}

static bool is_encrypted(dev_t number, unsigned layer) {
        char uuid[MAPPED_UUID_SIZE + 8];
        dev_t below[16];
        size_t n;

        if (mapped_device_read(number, "dm/uuid", uuid, sizeof(uuid)) && strncmp(uuid, "CRYPT-", 6) == 0)
                return true;
        n = layer < LAYERS_MAX ? mapped_device_list(number, "slaves", below, ELEMENTSOF(below)) : 0;
        for (size_t i = 0; i < n && i < ELEMENTSOF(below); i++)
                if (!is_encrypted(below[i], layer + 1))
                        return false;
        return n > 0 && n <= ELEMENTSOF(below);
}

static int check_place(const MappedLook *look, dev_t number, const char *name, bool encrypted) {
        if (lvm_dm_lies_on(number, look->origin->above, look->origin->n_above))
                return mapped_job_fail(CONTRACT_ERROR_INVALID_ARGUMENT,
                                       "%s is, or lies on, %s itself: both would wait for each other.", name,
                                       look->origin->name);
        for (const MappedData *taker = *look->takers; taker; taker = taker->next_taker)
                if (taker->store == number)
                        return mapped_job_fail(CONTRACT_ERROR_VOLUME_BUSY,
                                               "%s is taken by another volume: a store serves one snapshot "
                                               "at a time. Name one more.",
                                               name);
        if (encrypted && !look->allow_plaintext && !is_encrypted(number, 0))
                return mapped_job_fail(
                        CONTRACT_ERROR_INVALID_ARGUMENT,
                        "%s is not encrypted, but %s is, and its data would lie there readable. Put "
                        "encryption below the store (a key made up at boot is enough, see "
                        "quiesced-dm(7)), or allow it: PlaintextStores=yes.",
                        name, look->origin->name);
        return 0;
}

static uint64_t wanted_size(const MappedLook *look, uint64_t origin_size) {
        uint64_t size = look->wished_size, max = mapped_store_size_max(origin_size);

        if (size == 0) {
                size = origin_size / 100 * look->percent;
                if (size < STORE_SIZE_MIN)
                        size = STORE_SIZE_MIN;
        }
        size = (size + CHUNK_SIZE - 1) / CHUNK_SIZE * CHUNK_SIZE;
        return size < 4 * CHUNK_SIZE ? 4 * CHUNK_SIZE : size > max ? max : size;
}

/* Return: 0, and the choice is told; else an exit status, having said why. */
static int store_try(const MappedLook *look, const char *name, bool encrypted, uint64_t origin_size) {
        uint64_t wanted = wanted_size(look, origin_size), max = mapped_store_size_max(origin_size), room = 0;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        if (stat(name, &st) < 0)
                return mapped_job_fail(CONTRACT_ERROR_INVALID_ARGUMENT, "There is no %s: %s.", name,
                                       strerror(errno));
        if (!S_ISBLK(st.st_mode))
                return mapped_job_fail(CONTRACT_ERROR_INVALID_ARGUMENT,
                                       "%s is no block device, which a store must be.", name);
        r = check_place(look, st.st_rdev, name, encrypted);
        if (r == 0)
                r = mapped_store_check(st.st_rdev, name);
        if (r != 0)
                return r;
        fd = device_open(st.st_rdev, O_RDONLY);
        if (fd < 0 || ioctl(fd, BLKGETSIZE64, &room) < 0)
                return mapped_job_fail(CONTRACT_ERROR_INVALID_ARGUMENT, "%s has no size.", name);
        room = room / CHUNK_SIZE * CHUNK_SIZE;
        if (room < wanted)
                return mapped_job_fail(CONTRACT_ERROR_INSUFFICIENT_STORAGE,
                                       "%s has %" PRIu64 " bytes, too few for a store of %" PRIu64
                                       ". Name a larger one, or wish for less (cow-size).",
                                       name, room, wanted);
        if (look->wished_size == 0)
                wanted = room < max ? room : max;
        (void) printf("%u:%u %" PRIu64 " %" PRIu64 "\n", major(st.st_rdev), minor(st.st_rdev), wanted, room);
        return fflush(stdout) == 0 ? 0 : CONTRACT_ERROR_UNEXPECTED;
}

/**
 * mapped_store_choose() - the first store that will do
 * @look:               which there are
 * @encrypted:          whether the origin is
 * @origin_size:        bytes
 *
 * Return: 0, and it is told on stdout; else an exit status, having said of each why not.
 */
int mapped_store_choose(const MappedLook *look, bool encrypted, uint64_t origin_size) {
        const char *const *names = look->names ?: lvm_placements_match(look->stores, look->origin->dm_name);
        int r = 0;

        if (!names || !names[0])
                return mapped_job_fail(
                        CONTRACT_ERROR_VOLUME_NOT_SUPPORTED,
                        "There is no store for a snapshot of %s: no device is named to keep it on. Name one "
                        "(--store-on, Store= of [Dm] in quiesced.conf), see quiesced-dm(7).",
                        look->origin->name);
        for (const char *const *name = names; *name; name++) {
                int q = store_try(look, *name, encrypted, origin_size);

                if (q == 0)
                        return 0;
                r = r != 0 ? r : q;
        }
        return r;
}

static int zero(int fd, uint64_t offset, uint64_t size) {
        static const char zeros[ZEROS_SIZE];

        for (uint64_t end = offset + size; offset < end;) {
                ssize_t n = pwrite(fd, zeros, end - offset < ZEROS_SIZE ? end - offset : ZEROS_SIZE,
                                   (off_t) offset);

                if (n <= 0)
                        return error_origin(n < 0 ? -errno : -EIO);
                offset += (uint64_t) n;
        }
        return 0;
}

/**
 * mapped_store_wipe() - clear what makes a store one, and whatever blkid(8) could take something for
 * @cow_uuid:   of its device
 *
 * The header and the first metadata are two chunks; what was copied after them are pieces of a file system.
 *
 * Return: 0, or a negative errno.
 */
int mapped_store_wipe(const char *cow_uuid) {
        _cleanup_close_ int fd = -EBADF;
        uint64_t size = 0;
        MappedDevice device;
        int r;

        r = mapped_device_find(cow_uuid, &device);
        if (r != 0)
                return r < 0 ? error_trace(r) : error_origin(-ENXIO);
        fd = device_open(device.number, O_RDWR);
        if (fd < 0)
                return error_origin(fd);
        if (ioctl(fd, BLKGETSIZE64, &size) < 0)
                return error_origin(-errno);
        r = zero(fd, 0, size < WIPE_SIZE ? size : WIPE_SIZE);
        if (r >= 0 && size > WIPE_SIZE)
                r = zero(fd, size - WIPE_SIZE, WIPE_SIZE);
        if (r >= 0 && fsync(fd) < 0)
                r = error_origin(-errno);
        return error_trace(r);
}
