/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Forked children: an encrypted snapshot's device, open; see plain.h.
 *
 * The process that sees the key cannot be traced nor dumped, wipes it, and ends soon. Its device is left to
 * the kernel with "deferred remove": it goes when the last mount of it does, whoever has that and whatever
 * becomes of us.
 */

#include "daemon/sets/plain.h"

#include <blkid/blkid.h>
#include <dirent.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/child/child.h"
#include "daemon/providers/lvm-dm.h"
#include "util/error.h"

#define SECTOR_SIZE  512u
#define CRYPTTAB     "/etc/crypttab"
#define CRYPTTAB_MAX (256u * 1024u)
#define UUID_MAX     256u

#define STEP_NSEC (20 * 1000 * 1000)
#define STEPS     250u /* 5 s in all */

/* The volume's own device. */
typedef struct Live {
        char name[PLAIN_NAME_MAX], uuid[UUID_MAX];
} Live;

static void dm_task_destroyp(struct dm_task **task) {
        if (*task)
                dm_task_destroy(*task);
}

static void log_nothing(int level, const char *file, int line, int dm_errno, const char *format, ...) {
}

_printf_(2, 0) static int tell(int error, const char *format, const char *what) {
        (void) dprintf(STDERR_FILENO, format, what);
        return error;
}

static bool line_read(int directory_fd, const char *path, char *ret, size_t size) {
        _cleanup_close_ int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : -1;

        if (n <= 0)
                return false;
        ret[n] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        return true;
}

/* Among what lies on the volume: LUKS that is open. */
static int live_find(const char *origin_key, Live *ret) {
        char path[64];
        dev_t device;
        DIR *holders;
        bool found = false;

        if (lvm_dm_device(origin_key, &device) != 0)
                return tell(-ENOKEY, "%s is not active, so that nobody has its key\n", "the volume");
        (void) snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(device), minor(device));
        holders = opendir(path);
        for (struct dirent *e; holders && !found && (e = readdir(holders));) {
                if (e->d_name[0] == '.')
                        continue;
                (void) snprintf(path, sizeof(path), "%.40s/dm/uuid", e->d_name);
                found = line_read(dirfd(holders), path, ret->uuid, sizeof(ret->uuid)) &&
                        strncmp(ret->uuid, "CRYPT-LUKS", strlen("CRYPT-LUKS")) == 0;
                (void) snprintf(path, sizeof(path), "%.40s/dm/name", e->d_name);
                found = found && line_read(dirfd(holders), path, ret->name, sizeof(ret->name));
        }
        if (holders)
                (void) closedir(holders);
        return found ? 0
                     : tell(-ENOKEY,
                            "%s is encrypted and not open here; open it (cryptsetup open), then its "
                            "snapshots can be looked into\n",
                            "the volume");
}

/* Somebody may have made the volume anew since. */
static int check_same(const char *device, const Live *live) {
        blkid_probe probe = blkid_new_probe_from_filename(device);
        const char *uuid = NULL;
        int r = -EIO;

        if (probe) {
                (void) blkid_probe_enable_superblocks(probe, 1);
                (void) blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID);
                if (blkid_do_safeprobe(probe) == 0 &&
                    blkid_probe_lookup_value(probe, "UUID", &uuid, NULL) == 0)
                        r = plain_uuid_matches(live->uuid, uuid) ? 0 : -ENOKEY;
        }
        if (r == -ENOKEY)
                (void) tell(
                        -ENOKEY,
                        "the volume was encrypted anew since the snapshot was made: %s is of another LUKS "
                        "header\n",
                        live->name);
        else if (r < 0)
                (void) dprintf(STDERR_FILENO, "%s cannot be read\n", device);
        if (probe)
                blkid_free_probe(probe);
        return r;
}

static struct dm_task *task_new(int type, const char *name) {
        struct dm_task *task = dm_task_create(type);

        if (!task || (dm_task_set_name(task, name) && dm_task_secure_data(task)))
                return task;
        dm_task_destroy(task);
        return NULL;
}

static struct dm_info device_info(const char *name) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_INFO, name);
        struct dm_info info = {};

        if (!task || !dm_task_run(task) || !dm_task_get_info(task, &info))
                info.exists = 0;
        return info;
}

static bool device_exists(const char *name) {
        return device_info(name).exists;
}

/* It is made in steps, and can be opened from the first. */
static bool device_is_ready(const char *name) {
        struct dm_info info = device_info(name);

        return info.exists && info.live_table && !info.suspended;
}

/* What udev's rules know of the volume counts for it alone: no links, no scan for what lies on it. */
static int device_create(const PlainRequest *request, const char *name, uint64_t length,
                         const char *params) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_CREATE, name);
        char uuid[PLAIN_NAME_MAX];
        uint32_t cookie = 0;
        bool made;

        (void) snprintf(uuid, sizeof(uuid), "QUIESCED-PLAIN-%.100s", name + strlen(PLAIN_PREFIX));
        if (!task || !dm_task_set_uuid(task, uuid) || (!request->writable && !dm_task_set_ro(task)) ||
            !dm_task_add_target(task, 0, length, "crypt", params) ||
            !dm_task_set_cookie(task, &cookie,
                                DM_UDEV_DISABLE_DISK_RULES_FLAG | DM_UDEV_DISABLE_OTHER_RULES_FLAG))
                return -ENOMEM;
        made = dm_task_run(task);
        (void) dm_udev_wait(cookie);
        if (made || dm_task_get_errno(task) == EBUSY) /* another child was as fast */
                return 0;
        return dm_task_get_errno(task) > 0 ? -dm_task_get_errno(task) : -EIO;
}

/* The volume may have grown since. Return: sectors; 0: it cannot be told. */
static uint64_t snapshot_length(const char *device, const char *offset, uint64_t live_length) {
        _cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
        uint64_t begin = strtoull(offset, NULL, 10), size;

        if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0 || size / SECTOR_SIZE <= begin)
                return 0;
        size = size / SECTOR_SIZE - begin;
        return size < live_length ? size : live_length;
}

/* Above the snapshot, what the volume's own device is above the volume. */
static int create_like(const PlainRequest *request, const char *name, const PlainTable *table,
                       uint64_t live_length) {
        uint64_t length = snapshot_length(request->device, table->offset, live_length);
        size_t size = strlen(table->cipher) + strlen(table->key) + strlen(table->iv_offset) +
                      strlen(table->offset) + strlen(table->rest) + 32;
        struct stat st;
        char *params;
        int r;

        if (length == 0 || stat(request->device, &st) < 0)
                return -EIO;
        params = malloc(size);
        if (!params)
                return -ENOMEM;
        (void) snprintf(params, size, "%s %s %s %u:%u %s%s%s", table->cipher, table->key, table->iv_offset,
                        major(st.st_rdev), minor(st.st_rdev), table->offset, *table->rest ? " " : "",
                        table->rest);
        r = device_create(request, name, length, params);
        explicit_bzero(params, size);
        free(params);
        return r;
}

/* The same table as the volume's. Return: -ENOKEY: the key is not in it. */
static int open_with_table(const PlainRequest *request, const char *name, const Live *live) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_TABLE, live->name);
        char *type = NULL, *told = NULL;
        uint64_t start, length;
        PlainTable table;
        size_t n_told;
        void *next;
        int r;

        if (!task || !dm_task_run(task))
                return -EIO;
        next = dm_get_next_target(task, NULL, &start, &length, &type, &told);
        if (next || !type || !told || !streq(type, "crypt") || start != 0)
                return tell(
                        -EOPNOTSUPP,
                        "%s is not one plain dm-crypt device (it is being encrypted anew, perhaps), which is "
                        "not supported\n",
                        live->name);
        /* The task wipes what it has been told only up to the first NUL, and this cuts it up. */
        n_told = strlen(told);
        r = plain_table_parse(told, &table);
        if (r == 0)
                r = table.in_keyring ? -ENOKEY : create_like(request, name, &table, length);
        explicit_bzero(told, n_told);
        if (r == -EOPNOTSUPP)
                return tell(r, "%s has authenticated encryption, which is not supported\n", live->name);
        return r;
}

static int run_cryptsetup(const PlainRequest *request, const char *name, const Crypttab *line) {
        const char *argv[20] = {"cryptsetup", "open", "--type", "luks", "--key-file", line->key_file};
        size_t n = 6;
        pid_t pid;
        int status;

        if (!request->writable)
                argv[n++] = "--readonly";
        if (line->key_offset) {
                argv[n++] = "--keyfile-offset";
                argv[n++] = line->key_offset;
        }
        if (line->key_size) {
                argv[n++] = "--keyfile-size";
                argv[n++] = line->key_size;
        }
        argv[n++] = request->device;
        argv[n++] = name;
        /* What it says itself goes on in that line. */
        (void) dprintf(STDERR_FILENO, "it cannot be opened with the key file %s: ", line->key_file);
        pid = fork();
        if (pid == 0) {
                (void) dup2(STDERR_FILENO, STDOUT_FILENO);
                child_become(argv);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOKEY;
}

/* LUKS2 hands the key to the kernel by a keyring that ends with cryptsetup, so nobody can have it again. */
static int open_with_key_file(const PlainRequest *request, const char *name, const Live *live) {
        _cleanup_free_ char *text = calloc(1, CRYPTTAB_MAX);
        _cleanup_close_ int fd = open(CRYPTTAB, O_RDONLY | O_CLOEXEC);
        Crypttab line = {};
        int r;

        if (!text)
                return -ENOMEM;
        if (fd >= 0 && read(fd, text, CRYPTTAB_MAX - 1) < 0)
                return -errno;
        if (crypttab_find(text, live->name, &line) < 0)
                return tell(
                        -ENOKEY,
                        "the key of the encrypted volume is in a keyring of the kernel's that nobody can read, "
                        "and crypttab(5) names no key file for %s; name one there, or open the volume with "
                        "cryptsetup --disable-keyring\n",
                        live->name);
        r = run_cryptsetup(request, name, &line);
        crypttab_done(&line);
        return r;
}

/* From here on no page of this process reaches a swap device or a dump, and no one but root reads it. */
static int be_secret(void) {
        if (prctl(PR_SET_DUMPABLE, 0) < 0 || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
                return -errno;
        return 0;
}

static int open_anew(const PlainRequest *request, const char *name) {
        Live live = {};
        int r;

        r = live_find(request->origin_key, &live);
        if (r == 0)
                r = check_same(request->device, &live);
        if (r == 0)
                r = be_secret();
        if (r < 0)
                return r;
        r = open_with_table(request, name, &live);
        return r == -ENOKEY ? open_with_key_file(request, name, &live) : r;
}

static void pause_a_step(void) {
        const struct timespec pause = {.tv_nsec = STEP_NSEC};

        (void) nanosleep(&pause, NULL);
}

/* Another child may just be making it, whose node is not there yet, or its last user may just be leaving.
 * What is open stays, so it is looked for until it is. Return: a descriptor, or a negative errno. */
static int hold_open(const PlainRequest *request, const char *name, const char *node) {
        for (unsigned i = 0; i < STEPS; i++) {
                int r = device_exists(name) ? 0 : open_anew(request, name);

                if (r < 0 && !device_exists(name)) /* another child was not as fast, either */
                        return r;
                if (device_is_ready(name)) {
                        int fd = open(node, O_RDONLY | O_CLOEXEC);

                        if (fd >= 0)
                                return fd;
                        if (errno != ENOENT && errno != ENXIO)
                                return -errno;
                }
                pause_a_step();
        }
        return -EBUSY;
}

/**
 * plain_child_open() - open an encrypted snapshot with its volume's key
 * @request:    what and how
 * @ret_device: the node of what it is then; free() it. plain_child_leave() when it is mounted, or is not to
 *              be
 * @ret_fd:     of it; until that is closed no other child's leaving removes it
 *
 * Return: 0; -ENOKEY: the key is not to be had; -EOPNOTSUPP: it is not supported; or another negative errno.
 * stderr says why.
 */
int plain_child_open(const PlainRequest *request, char **ret_device, int *ret_fd) {
        char name[PLAIN_NAME_MAX];
        _cleanup_free_ char *node = NULL;
        int r;

        dm_log_with_errno_init(log_nothing);
        plain_name(name, request);
        if (asprintf(&node, "/dev/mapper/%s", name) < 0) {
                node = NULL;
                return -ENOMEM;
        }
        r = hold_open(request, name, node);
        if (r < 0 && r != -ENOKEY && r != -EOPNOTSUPP)
                (void) dprintf(STDERR_FILENO, "the encrypted snapshot cannot be opened: %s\n", strerror(-r));
        if (r < 0)
                return r;
        *ret_fd = r;
        *ret_device = TAKE_PTR(node);
        return 0;
}

/**
 * plain_child_leave() - the device goes with its last user, which there may be none of
 * @request:    as for plain_child_open()
 */
void plain_child_leave(const PlainRequest *request) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;
        char name[PLAIN_NAME_MAX];

        plain_name(name, request);
        task = task_new(DM_DEVICE_REMOVE, name);
        if (!task || !dm_task_deferred_remove(task) || !dm_task_run(task))
                (void) dprintf(STDERR_FILENO, "%s stays behind; run: dmsetup remove %s\n", name, name);
}

static bool is_open(dev_t device) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = dm_task_create(DM_DEVICE_INFO);
        struct dm_info info = {};

        return task && dm_task_set_major_minor(task, (int) major(device), (int) minor(device), 0) &&
               dm_task_run(task) && dm_task_get_info(task, &info) && info.exists && info.open_count > 0;
}

/* A deferred removal is the kernel's own work, which hides the device first and closes what it lies on
 * later; nothing tells when. */
static int wait_for_close(const char *below) {
        struct stat st;

        if (stat(below, &st) < 0)
                return 0;
        for (unsigned i = 0; is_open(st.st_rdev); i++) {
                if (i >= STEPS)
                        return -EBUSY;
                pause_a_step();
        }
        return 0;
}

/**
 * plain_child_close() - wait until the device is gone, and what it lies on is closed
 * @request:    as for plain_child_open(); its last mount is gone
 *
 * Return: 0; -EBUSY: somebody has it open still.
 */
int plain_child_close(const PlainRequest *request) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;
        char name[PLAIN_NAME_MAX];

        dm_log_with_errno_init(log_nothing);
        plain_name(name, request);
        if (device_exists(name)) {
                task = task_new(DM_DEVICE_REMOVE, name);
                if ((!task || !dm_task_retry_remove(task) || !dm_task_run(task)) && device_exists(name))
                        return -EBUSY;
        }
        return wait_for_close(request->device);
}
