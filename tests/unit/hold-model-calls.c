/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calls that the model stands in for, in a process that has entered it (hold-model.h). `ld --wrap=f` has
 * everybody who calls f() call __wrap_f(); __real_f() is the C library's. What is not the model's goes
 * there.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>

#include "tests/unit/hold-model.h"
#include "util/macro.h"

#define HURRY_MSEC 60000
#define ROUND_MSEC 10

/* Declares __real_f() and __wrap_f(), begins the latter. Fails as the model wants: `failed`, errno set. */
#define WRAP(type, name, ...)            \
        type __real_##name(__VA_ARGS__); \
        type __wrap_##name(__VA_ARGS__); \
        type __wrap_##name(__VA_ARGS__)

#define FAIL_IF_WANTED(kind, failed)        \
        do {                                \
                int _r = model_count(kind); \
                if (_r < 0) {               \
                        errno = -_r;        \
                        return failed;      \
                }                           \
        } while (0)

/* --- processes, memory and threads ----------------------------------------------------------------------
 */

WRAP(void *, mmap, void *address, size_t size, int protection, int flags, int fd, off_t offset) {
        if (flags == (MAP_SHARED | MAP_ANONYMOUS))
                FAIL_IF_WANTED(CALL_MEMORY, MAP_FAILED);
        return __real_mmap(address, size, protection, flags, fd, offset);
}

WRAP(void *, calloc, size_t n, size_t size) {
        FAIL_IF_WANTED(CALL_MEMORY, NULL);
        return __real_calloc(n, size);
}

/* Whether a test may lock memory depends on who runs it, and matters to nothing here. */
WRAP(int, mlockall, int flags) {
        FAIL_IF_WANTED(CALL_MEMORY, -1);
        return model_entered() ? 0 : __real_mlockall(flags);
}

WRAP(int, pthread_attr_setstacksize, pthread_attr_t *attributes, size_t size) {
        int r = model_count(CALL_THREAD);

        return r < 0 ? -r : __real_pthread_attr_setstacksize(attributes, size);
}

WRAP(int, pthread_create, pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *),
     void *argument) {
        int r = model_count(CALL_THREAD);

        return r < 0 ? -r : __real_pthread_create(ret, attributes, run, argument);
}

WRAP(int, sem_init, sem_t *semaphore, int shared, unsigned value) {
        FAIL_IF_WANTED(CALL_THREAD, -1);
        return __real_sem_init(semaphore, shared, value);
}

WRAP(pid_t, fork, void) {
        pid_t pid;

        FAIL_IF_WANTED(CALL_PROCESS, -1);
        pid = __real_fork();
        if (model_entered() && pid > 0)
                model_entered()->forked = pid;
        return pid;
}

WRAP(int, pidfd_open, pid_t pid, unsigned flags) {
        FAIL_IF_WANTED(CALL_PROCESS, -1);
        return __real_pidfd_open(pid, flags);
}

WRAP(int, socketpair, int domain, int type, int protocol, int fds[2]) {
        FAIL_IF_WANTED(CALL_PROCESS, -1);
        return __real_socketpair(domain, type, protocol, fds);
}

/* --- events ---------------------------------------------------------------------------------------------
 */

WRAP(int, poll, struct pollfd *fds, nfds_t n, int timeout_msec) {
        Model *model = model_entered();

        FAIL_IF_WANTED(n > 1 && timeout_msec > 0 && timeout_msec <= ROUND_MSEC ? CALL_ROUND : CALL_POLL, -1);
        if (model && model->hurries && timeout_msec > HURRY_MSEC) {
                model->clock_usec += (uint64_t) timeout_msec * USEC_PER_MSEC;
                timeout_msec = 0;
        }
        return __real_poll(fds, n, timeout_msec);
}

WRAP(int, clock_gettime, clockid_t clock, struct timespec *ret) {
        if (__real_clock_gettime(clock, ret) < 0)
                return -1;
        if (model_entered())
                ret->tv_sec += (time_t) (model_entered()->clock_usec / USEC_PER_SEC);
        return 0;
}

WRAP(int, eventfd, unsigned count, int flags) {
        FAIL_IF_WANTED(CALL_DESCRIPTOR, -1);
        return __real_eventfd(count, flags);
}

WRAP(int, signalfd, int fd, const sigset_t *mask, int flags) {
        FAIL_IF_WANTED(CALL_DESCRIPTOR, -1);
        return __real_signalfd(fd, mask, flags);
}

WRAP(int, timerfd_create, int clock, int flags) {
        FAIL_IF_WANTED(CALL_DESCRIPTOR, -1);
        return __real_timerfd_create(clock, flags);
}

WRAP(int, timerfd_settime, int fd, int flags, const struct itimerspec *value, struct itimerspec *old) {
        int r = model_count(CALL_TIMER);

        errno = -r;
        return r < 0 ? -1 : r > 0 ? 0 : __real_timerfd_settime(fd, flags, value, old);
}

WRAP(int, sigprocmask, int how, const sigset_t *mask, sigset_t *old) {
        FAIL_IF_WANTED(CALL_SIGNAL, -1);
        return __real_sigprocmask(how, mask, old);
}

WRAP(int, sigaction, int number, const struct sigaction *action, struct sigaction *old) {
        FAIL_IF_WANTED(CALL_SIGNAL, -1);
        return __real_sigaction(number, action, old);
}

/* A report that is lost has nobody learn of it: only what the hold and its guard say to each other. */
WRAP(ssize_t, send, int fd, const void *data, size_t size, int flags) {
        if (size == 1)
                FAIL_IF_WANTED(CALL_GUARD, -1);
        return __real_send(fd, data, size, flags);
}

WRAP(ssize_t, recvmsg, int fd, struct msghdr *message, int flags) {
        FAIL_IF_WANTED(CALL_RECEIVE, -1);
        return __real_recvmsg(fd, message, flags);
}

WRAP(ssize_t, read, int fd, void *data, size_t size) {
        if (size == sizeof(struct signalfd_siginfo))
                FAIL_IF_WANTED(CALL_RECEIVE, -1);
        return __real_read(fd, data, size);
}

/* --- files ----------------------------------------------------------------------------------------------
 */

/* A file in the place of a block device looks like one. */
WRAP(int, fstat, int fd, struct stat *ret) {
        Model *model = model_entered();

        if (__real_fstat(fd, ret) < 0)
                return -1;
        if (model && ret->st_ino == model->store_inode) {
                FAIL_IF_WANTED(CALL_STORE, -1);
                ret->st_mode = S_IFBLK | 0600;
                ret->st_rdev = model->store_device;
        }
        return 0;
}

static ino_t inode_of(int fd) {
        struct stat st;

        return __real_fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

/* The model's file in the place of a device or of one in sysfs. Return: NULL: it is none of the model's. */
static const char *path_in_model(const Model *model, const char *path, uint32_t *ret_kind) {
        *ret_kind = CALL_OPEN;
        if (streq(path, "/dev/mapper/control"))
                return "/dev/null";
        if (streq(path, "/dev/dm-3")) {
                *ret_kind = CALL_STORE;
                return model->store_path;
        }
        if (streq(path, model->lock_path))
                return path;
        *ret_kind = CALL_RCU;
        if (streq(path, "/sys/kernel/rcu_expedited"))
                return model->rcu_path;
        return streq(path, "/sys/kernel/rcu_normal") ? model->rcu_normal_path : NULL;
}

WRAP(int, open, const char *path, int flags, ...) {
        const char *in_model = NULL;
        uint32_t kind;
        va_list args;
        mode_t mode;

        va_start(args, flags);
        mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
        va_end(args);
        if (model_entered())
                in_model = path_in_model(model_entered(), path, &kind);
        if (!in_model)
                return __real_open(path, flags, mode);
        FAIL_IF_WANTED(kind, -1);
        return __real_open(in_model, flags & ~O_DIRECT, mode);
}

WRAP(int, flock, int fd, int operation) {
        FAIL_IF_WANTED(CALL_LOCK, -1);
        return __real_flock(fd, operation);
}

WRAP(ssize_t, pread, int fd, void *data, size_t size, off_t offset) {
        FAIL_IF_WANTED(CALL_RCU, -1);
        return __real_pread(fd, data, size, offset);
}

WRAP(ssize_t, pwrite, int fd, const void *data, size_t size, off_t offset) {
        uint32_t kind =
                model_entered() && inode_of(fd) == model_entered()->store_inode ? CALL_STORE : CALL_RCU;
        int r = model_count(kind);

        if (r != 0) {
                errno = -r;
                return r < 0 ? -1 : 0;
        }
        return __real_pwrite(fd, data, size, offset);
}

WRAP(int, fsync, int fd) {
        FAIL_IF_WANTED(CALL_STORE, -1);
        return __real_fsync(fd);
}

WRAP(int, syncfs, int fd) {
        FAIL_IF_WANTED(CALL_SYNC, -1);
        return model_entered() ? 0 : __real_syncfs(fd);
}

/* --- device-mapper --------------------------------------------------------------------------------------
 */

static uint32_t kind_of(unsigned long request, const struct dm_ioctl *argument) {
        switch (request) {
        case DM_VERSION:
                return CALL_VERSION;
        case DM_DEV_SUSPEND:
                return argument->flags & DM_SUSPEND_FLAG ? CALL_SUSPEND : CALL_RESUME;
        case DM_TABLE_CLEAR:
                return CALL_CLEAR;
        case DM_TABLE_LOAD:
                return CALL_LOAD;
        case DM_TARGET_MSG:
                return CALL_MESSAGE;
        case FITHAW:
                return CALL_THAW;
        default:
                return CALL_QUERY;
        }
}

WRAP(int, ioctl, int fd, unsigned long request, ...) {
        void *argument;
        va_list args;
        int r;

        va_start(args, request);
        argument = va_arg(args, void *);
        va_end(args);
        if (!model_entered())
                return __real_ioctl(fd, request, argument);
        FAIL_IF_WANTED(kind_of(request, argument), -1);
        r = request == DM_VERSION ? 0
            : request == FITHAW   ? model_thaw(inode_of(fd))
                                  : model_ioctl(request, argument);
        errno = -r;
        return r < 0 ? -1 : 0;
}
