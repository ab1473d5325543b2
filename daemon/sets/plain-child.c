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
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "daemon/providers/lvm-dm.h"
#include "util/error.h"

#define CRYPTTAB     "/etc/crypttab"
#define CRYPTTAB_MAX (256u * 1024u)
#define UUID_MAX     256u

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

static int no_key(const char *format, const char *what) {
        (void) dprintf(STDERR_FILENO, format, what);
        return -ENOKEY;
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
                return no_key("%s is not active, so that nobody has its key\n", "the volume");
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
                     : no_key("%s is encrypted and not open here; open it (cryptsetup open), then its snapshots can "
                              "be looked into\n",
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
                (void) no_key(
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

static bool device_exists(const char *name) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_INFO, name);
        struct dm_info info = {};

        return task && dm_task_run(task) && dm_task_get_info(task, &info) && info.exists;
}

static int device_create(const PlainRequest *request, const char *name, uint64_t length,
                         const char *params) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_CREATE, name);
        char uuid[PLAIN_NAME_MAX];
        uint32_t cookie = 0;
        bool made;

        (void) snprintf(uuid, sizeof(uuid), "QUIESCED-PLAIN-%.100s", name + strlen("quiesced_plain_"));
        if (!task || !dm_task_set_uuid(task, uuid) || (!request->writable && !dm_task_set_ro(task)) ||
            !dm_task_add_target(task, 0, length, "crypt", params) || !dm_task_set_cookie(task, &cookie, 0))
                return -ENOMEM;
        made = dm_task_run(task);
        (void) dm_udev_wait(cookie);
        if (made || dm_task_get_errno(task) == EBUSY) /* another child was as fast */
                return 0;
        return dm_task_get_errno(task) > 0 ? -dm_task_get_errno(task) : -EIO;
}

/* The same table as the volume's, but above the snapshot. Return: -ENOKEY: the key is not in it. */
static int open_with_table(const PlainRequest *request, const char *name, const Live *live) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = task_new(DM_DEVICE_TABLE, live->name);
        char *type = NULL, *told = NULL, *params = NULL;
        uint64_t start, length;
        PlainTable table;
        struct stat st;
        void *next;
        int n = -1, r;

        if (!task || !dm_task_run(task))
                return -EIO;
        next = dm_get_next_target(task, NULL, &start, &length, &type, &told);
        if (next || !type || !told || !streq(type, "crypt") || start != 0)
                return no_key("%s is no plain LUKS device, which is not supported\n", live->name);
        r = plain_table_parse(told, &table); /* the task's own memory, which it wipes */
        if (r == -EOPNOTSUPP)
                return no_key("%s has authenticated encryption, which is not supported\n", live->name);
        if (r < 0 || stat(request->device, &st) < 0)
                return -EIO;
        if (!table.in_keyring)
                n = asprintf(&params, "%s %s %s %u:%u %s%s%s", table.cipher, table.key, table.iv_offset,
                             major(st.st_rdev), minor(st.st_rdev), table.offset, *table.rest ? " " : "",
                             table.rest);
        r = table.in_keyring ? -ENOKEY : n < 0 ? -ENOMEM : device_create(request, name, length, params);
        if (n >= 0) {
                explicit_bzero(params, (size_t) n);
                free(params);
        }
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
        if (line->header) {
                argv[n++] = "--header";
                argv[n++] = line->header;
        }
        argv[n++] = request->device;
        argv[n++] = name;
        pid = fork();
        if (pid == 0) {
                (void) dup2(STDERR_FILENO, STDOUT_FILENO);
                (void) execvp(argv[0], (char *const *) argv);
                (void) dprintf(STDERR_FILENO, "cryptsetup: %s\n", strerror(errno));
                _exit(127);
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
                return no_key(
                        "the key of the encrypted volume is in a keyring of the kernel's that nobody can read, "
                        "and crypttab(5) names no key file for %s; name one there, or open the volume with "
                        "cryptsetup --disable-keyring\n",
                        live->name);
        r = run_cryptsetup(request, name, &line);
        crypttab_done(&line);
        return r;
}

/**
 * plain_child_open() - open an encrypted snapshot with its volume's key
 * @request:        what and how
 * @ret_device:     the node of what it is then; free() it. plain_child_leave() when it is mounted, or is not
 * to be
 *
 * Return: 0; -ENOKEY; or another negative errno. stderr says why.
 */
int plain_child_open(const PlainRequest *request, char **ret_device) {
        char name[PLAIN_NAME_MAX];
        Live live = {};
        int r;

        dm_log_with_errno_init(log_nothing);
        (void) prctl(PR_SET_DUMPABLE, 0);
        plain_name(name, request);
        if (!device_exists(name)) {
                r = live_find(request->origin_key, &live);
                if (r == 0)
                        r = check_same(request->device, &live);
                if (r == 0) {
                        r = open_with_table(request, name, &live);
                        if (r == -ENOKEY)
                                r = open_with_key_file(request, name, &live);
                }
                if (r < 0) {
                        if (r != -ENOKEY)
                                (void) dprintf(STDERR_FILENO,
                                               "the encrypted snapshot cannot be opened: %s\n",
                                               strerror(-r));
                        return r;
                }
        }
        return asprintf(ret_device, "/dev/mapper/%s", name) < 0 ? -ENOMEM : 0;
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

/**
 * plain_child_close() - wait until the device is gone
 * @request:    as for plain_child_open(); its last mount is gone
 *
 * Return: 0; -EBUSY: somebody has it open still.
 */
int plain_child_close(const PlainRequest *request) {
        _cleanup_(dm_task_destroyp) struct dm_task *task = NULL;
        char name[PLAIN_NAME_MAX];

        dm_log_with_errno_init(log_nothing);
        plain_name(name, request);
        if (!device_exists(name))
                return 0;
        task = task_new(DM_DEVICE_REMOVE, name);
        if (task && dm_task_retry_remove(task) && dm_task_run(task))
                return 0;
        return device_exists(name) ? -EBUSY : 0;
}
