/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Expedited RCU around LVM's commands: a suspend of an origin waits for several grace periods, and an
 * application's write with it.
 *
 * /sys/kernel/rcu_expedited is the whole machine's, so the value found is written to a file in /run before
 * it is changed, and put back by whoever finds that file: a daemon that died in between leaves nothing
 * behind. The hold does the same for its own moment; the two never overlap, because it begins after the gate
 * is closed. All of it is the kernel's memory: nothing here waits for a disk.
 */

#include <assert.h>
#include <fcntl.h>

#include "daemon/providers/lvm-command.h"
#include "util/error.h"
#include "util/log.h"

#define RCU_SWITCH    "/sys/kernel/rcu_expedited"
#define RCU_VALUE_MAX 16u

struct LvmRcu {
        char *path; /* the file that keeps the value found */
        char value[RCU_VALUE_MAX];
        unsigned n_users;
        bool changed;
};

static int file_read(const char *path, char ret[static RCU_VALUE_MAX]) {
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        n = read(fd, ret, RCU_VALUE_MAX - 1);
        if (n < 0)
                return -errno;
        ret[n] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        return ret[0] && strspn(ret, "0123456789") == strlen(ret) ? 0 : -EBADMSG;
}

static int file_write(const char *path, const char *value, int flags) {
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
        if (fd < 0)
                return -errno;
        n = write(fd, value, strlen(value));
        return n < 0 ? -errno : (size_t) n == strlen(value) ? 0 : -EIO;
}

static void rcu_put_back(LvmRcu *rcu) {
        int r = file_write(RCU_SWITCH, rcu->value, 0);

        if (r < 0)
                log_warning("%s cannot be set back to %s: %s", RCU_SWITCH, rcu->value, strerror(-r));
        else
                (void) unlink(rcu->path);
}

/**
 * lvm_rcu_begin() - a command that suspends an origin starts
 * @rcu:        the switch or NULL: leave it alone
 *
 * Without success the command is merely slower.
 */
void lvm_rcu_begin(LvmRcu *rcu) {
        if (!rcu || rcu->n_users++ > 0)
                return;
        if (file_read(RCU_SWITCH, rcu->value) < 0 || !streq(rcu->value, "0"))
                return; /* somebody else has it on */
        if (file_write(rcu->path, rcu->value, O_CREAT | O_TRUNC) < 0)
                return;
        if (file_write(RCU_SWITCH, "1", 0) < 0)
                (void) unlink(rcu->path);
        else
                rcu->changed = true;
}

/**
 * lvm_rcu_end() - it has ended
 * @rcu:        the switch or NULL
 */
void lvm_rcu_end(LvmRcu *rcu) {
        if (!rcu || --rcu->n_users > 0 || !rcu->changed)
                return;
        rcu->changed = false;
        rcu_put_back(rcu);
}

static int rcu_path(const char *runtime_dir, char **ret) {
        if (asprintf(ret, "%s/rcu-expedited", runtime_dir) < 0) {
                *ret = NULL;
                return error_origin(-ENOMEM);
        }
        return 0;
}

/**
 * lvm_rcu_recover() - put back what a dead daemon left
 * @runtime_dir:        where it noted that
 *
 * Return: 0, or -ENOMEM.
 */
int lvm_rcu_recover(const char *runtime_dir) {
        _cleanup_free_ char *path = NULL;
        LvmRcu rcu = {};
        int r;

        r = rcu_path(runtime_dir, &path);
        if (r < 0)
                return error_trace(r);
        rcu.path = path;
        if (file_read(path, rcu.value) == 0)
                rcu_put_back(&rcu);
        return 0;
}

/**
 * lvm_set_expedite_rcu() - say whether RCU may be expedited around commands that suspend
 * @lvm:            the runner
 * @expedite:       whether
 *
 * The value found is kept in the runtime directory; what a dead daemon left there is put back now.
 *
 * Return: 0, or a negative errno.
 */
int lvm_set_expedite_rcu(Lvm *lvm, bool expedite) {
        LvmRcu *rcu;
        int r;

        assert(lvm->runtime_dir);
        r = lvm_rcu_recover(lvm->runtime_dir);
        if (r < 0)
                return error_trace(r);
        lvm->rcu = lvm_rcu_free(lvm->rcu);
        if (!expedite)
                return 0;
        rcu = calloc(1, sizeof(*rcu));
        if (!rcu)
                return error_origin(-ENOMEM);
        r = rcu_path(lvm->runtime_dir, &rcu->path);
        if (r < 0) {
                free(rcu);
                return error_trace(r);
        }
        lvm->rcu = rcu;
        return 0;
}

/**
 * lvm_rcu_free() - the daemon ends
 * @rcu:        the switch or NULL; put back if it is on
 *
 * Return: NULL.
 */
LvmRcu *lvm_rcu_free(LvmRcu *rcu) {
        if (!rcu)
                return NULL;
        if (rcu->changed)
                rcu_put_back(rcu);
        free(rcu->path);
        free(rcu);
        return NULL;
}
