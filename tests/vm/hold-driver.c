/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Drives quiesced-hold by hand: one command a line on standard input, one line a report on standard output.
 *
 * For the tests in the guest, which want to stop between any two steps and kill somebody there. Blocking and
 * simple on purpose; quiesced itself uses hold-client.c. The commands are in the table at the end.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/hold/hold-dm.h"
#include "daemon/hold/hold-protocol.h"
#include "daemon/hold/hold-set.h"
#include "util/error.h"
#include "util/macro.h"

#define WORDS_MAX 10

typedef struct Driver {
        int fd;
        uint32_t n_volumes, n_mounts;
        int mounts[HOLD_MOUNTS_MAX];
        HoldCommit commit;
        bool failed;
} Driver;

typedef int (*CommandCall)(Driver *driver, char **words);

static uint32_t number(const char *word) {
        return word ? (uint32_t) strtoul(word, NULL, 10) : 0;
}

static void copy_text(char *to, size_t size, const char *from) {
        (void) snprintf(to, size, "%s", from ?: "");
}

static int driver_send(Driver *driver, HoldMessage *message, uint32_t type, int fd) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {.header = {
                             .cmsg_len = CMSG_LEN(sizeof(int)),
                             .cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS,
                     }};
        struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
        struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

        message->version = HOLD_PROTOCOL_VERSION;
        message->type = type;
        if (fd >= 0) {
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
                header.msg_control = &control;
                header.msg_controllen = sizeof(control);
        }
        return sendmsg(driver->fd, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int do_begin(Driver *driver, char **w) {
        HoldMessage m = {.begin = {
                                 .n_groups = number(w[1]),
                                 .n_volumes = number(w[2]),
                                 .n_mounts = number(w[3]),
                                 .hold_limit_usec = number(w[4]) * USEC_PER_MSEC,
                                 .lock_limit_usec = 2 * USEC_PER_SEC,
                                 .pool_margin = w[5] ? number(w[5]) : 20,
                                 .expedite_rcu = w[5] && w[6] ? number(w[6]) : 1,
                         }};

        return driver_send(driver, &m, HOLD_BEGIN, -1);
}

static int do_group(Driver *driver, char **w) {
        HoldMessage m = {};

        copy_text(m.group.lock_path, sizeof(m.group.lock_path), w[1]);
        return driver_send(driver, &m, HOLD_GROUP, -1);
}

static int do_cow(Driver *driver, char **w) {
        HoldMessage m = {.volume = {
                                 .index = driver->n_volumes++,
                                 .kind = HOLD_VOLUME_COW,
                                 .depth = number(w[1]),
                         }};

        copy_text(m.volume.origin_uuid, sizeof(m.volume.origin_uuid), w[2]);
        copy_text(m.volume.snapshot_uuid, sizeof(m.volume.snapshot_uuid), w[3]);
        copy_text(m.volume.cow_uuid, sizeof(m.volume.cow_uuid), w[4]);
        return driver_send(driver, &m, HOLD_VOLUME, -1);
}

static int do_thin(Driver *driver, char **w) {
        HoldMessage m = {.volume = {
                                 .index = driver->n_volumes++,
                                 .kind = HOLD_VOLUME_THIN,
                                 .depth = number(w[1]),
                                 .thin_snapshot_id = number(w[4]),
                         }};

        copy_text(m.volume.origin_uuid, sizeof(m.volume.origin_uuid), w[2]);
        copy_text(m.volume.pool_uuid, sizeof(m.volume.pool_uuid), w[3]);
        copy_text(m.volume.thin_origin_uuid, sizeof(m.volume.thin_origin_uuid), w[4] ? w[5] : NULL);
        return driver_send(driver, &m, HOLD_VOLUME, -1);
}

static int do_mount(Driver *driver, char **w) {
        HoldMessage m = {.mount = {
                                 .index = driver->n_mounts,
                                 .volume = number(w[1]),
                                 .direct = number(w[2]),
                                 .may_freeze = number(w[3]),
                         }};
        int fd = open(w[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || driver->n_mounts >= HOLD_MOUNTS_MAX)
                return fd < 0 ? -errno : -E2BIG;
        driver->mounts[driver->n_mounts++] = fd;
        return driver_send(driver, &m, HOLD_MOUNT, fd);
}

static int do_freeze(Driver *driver, char **w) {
        uint32_t mount = number(w[1]);

        if (mount >= driver->n_mounts || ioctl(driver->mounts[mount], FIFREEZE, 0) < 0)
                return -errno;
        driver->commit.frozen[mount / 8] |= (uint8_t) (1u << (mount % 8));
        return 0;
}

static int do_thaw(Driver *driver, char **w) {
        uint32_t mount = number(w[1]);

        if (mount >= driver->n_mounts || ioctl(driver->mounts[mount], FITHAW, 0) < 0)
                return -errno;
        return 0;
}

static int do_say(Driver *driver, char **w) {
        printf("said\n");
        return 0;
}

static const char *const step_names[] = {
        [0] = "none",
        [HOLD_BEGIN] = "begin",
        [HOLD_GROUP] = "group",
        [HOLD_VOLUME] = "volume",
        [HOLD_MOUNT] = "mount",
        [HOLD_LOCK] = "lock",
        [HOLD_PRE_COMMIT] = "pre-commit",
        [HOLD_COMMIT] = "commit",
        [HOLD_END] = "end",
        [HOLD_ABORT] = "abort",
};

/* The next report; the times of the volumes, which come before END's, are no answer to anything. */
static ssize_t await_report(Driver *driver, HoldMessage *m) {
        ssize_t n;

        do
                n = recv(driver->fd, m, sizeof(*m), 0);
        while (n > 0 && m->type == HOLD_TIMES);
        return n;
}

/* Prints one report; times are relative to the arming. */
static int do_await(Driver *driver, char **w) {
        HoldMessage m = {};
        const HoldReport *r = &m.report;
        ssize_t n = await_report(driver, &m);

        if (n <= 0) {
                driver->failed = true;
                printf("gone\n");
                return 0;
        }
        driver->failed = r->error != 0;
        printf("report step=%s error=%d volume=%d mount=%d armed=%" PRIu64 " thin_delete=%" PRIu64
               " freeze_begin=%" PRIi64 " suspend=%" PRIi64 " commit=%" PRIi64 " resume=%" PRIi64
               " end=%" PRIi64 " instant=%" PRIu64 " text=%s\n",
               r->step < ELEMENTSOF(step_names) ? step_names[r->step] : "?", r->error, (int) r->volume,
               (int) r->mount, r->armed_usec, r->thin_delete_usec,
               (int64_t) (r->suspend_begin_usec - r->armed_usec),
               (int64_t) (r->suspended_usec - r->suspend_begin_usec),
               (int64_t) (r->committed_usec - r->suspended_usec),
               (int64_t) (r->resumed_usec - r->committed_usec), (int64_t) (r->ended_usec - r->resumed_usec),
               r->instant_realtime, r->text);
        return 0;
}

static int send_step(Driver *driver, const char *word) {
        HoldMessage m = {};

        for (uint32_t i = HOLD_LOCK; i <= HOLD_ABORT; i++)
                if (word && streq(word, step_names[i])) {
                        if (i == HOLD_COMMIT)
                                m.commit = driver->commit;
                        return driver_send(driver, &m, i, -1);
                }
        return -EINVAL;
}

static int do_send(Driver *driver, char **w) {
        return send_step(driver, w[1]);
}

/* Somewhere in the middle of a step; where, is left to chance. */
static int do_send_and_kill(Driver *driver, char **w) {
        int r = send_step(driver, w[1]);

        if (r < 0)
                return r;
        (void) usleep(number(w[2]));
        return kill((pid_t) number(w[3]), SIGKILL) < 0 ? -errno : 0;
}

/* Never sleeps: a device may be suspended for a millisecond only. */
static int await_suspended(int control_fd, DmBuffer *buffer, const char *uuid) {
        uint64_t until = boottime_usec() + 10 * USEC_PER_SEC;
        DmDevice device = {};

        while (boottime_usec() < until) {
                int r = dm_get_device(control_fd, buffer, uuid, &device);

                if (r < 0)
                        return r;
                if (device.flags & DM_SUSPEND_FLAG)
                        return 0;
        }
        return -ETIME;
}

/* The device may carry the root: from when it is suspended on nothing may be read from a disk. */
static int do_send_and_signal_suspended(Driver *driver, char **w) {
        _cleanup_close_ int control_fd = -EBADF;
        DmBuffer buffer;
        int r;

        if (!w[1] || !w[2] || !w[3] || !w[4])
                return -EINVAL;
        control_fd = dm_open();
        if (control_fd < 0 || mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
                return control_fd < 0 ? control_fd : -errno;
        r = send_step(driver, w[1]);
        if (r < 0)
                return r;
        r = await_suspended(control_fd, &buffer, w[4]);
        if (r < 0)
                return r;
        return kill((pid_t) number(w[3]), (int) number(w[2])) < 0 ? -errno : 0;
}

static int do_step(Driver *driver, char **w) {
        int r = send_step(driver, w[0]);

        return r < 0 ? r : do_await(driver, w);
}

static const struct {
        const char *name;
        CommandCall call;
        const char *arguments;
} commands[] = {
        {"begin", do_begin, "GROUPS VOLUMES MOUNTS LIMIT-MSEC [MARGIN [EXPEDITE-RCU]]"},
        {"group", do_group, "LOCK-PATH"},
        {"cow", do_cow, "DEPTH ORIGIN SNAPSHOT COW"},
        {"thin", do_thin, "DEPTH ORIGIN POOL ID [THIN-ORIGIN]"},
        {"mount", do_mount, "VOLUME DIRECT MAY-FREEZE PATH"},
        {"freeze", do_freeze, "MOUNT (FIFREEZE; COMMIT will tell)"},
        {"thaw", do_thaw, "MOUNT (FITHAW)"},
        {"lock", do_step, "and await the report, as the next four"},
        {"pre-commit", do_step, ""},
        {"commit", do_step, ""},
        {"end", do_step, ""},
        {"abort", do_step, ""},
        {"send", do_send, "STEP, without awaiting anything"},
        {"send-and-kill", do_send_and_kill, "STEP USEC PID (SIGKILL to PID that long after)"},
        {"send-and-signal-suspended", do_send_and_signal_suspended,
         "STEP SIGNAL PID DEVICE (when DEVICE is suspended)"},
        {"await", do_await, "the next report"},
        {"say", do_say, "that all before is done"},
};

static int driver_command(Driver *driver, char *line) {
        char *words[WORDS_MAX + 1] = {}, *save = NULL;
        size_t n = 0;

        for (char *word = strtok_r(line, " \n", &save); word && n < WORDS_MAX;
             word = strtok_r(NULL, " \n", &save))
                words[n++] = word;
        if (n == 0)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (streq(words[0], commands[i].name))
                        return commands[i].call(driver, words);
        return -EINVAL;
}

static int driver_connect(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        copy_text(address.sun_path, sizeof(address.sun_path), path);
        if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return error_origin(-errno);
        return TAKE_FD(fd);
}

static void usage(void) {
        printf("usage: hold-driver [SOCKET] < COMMANDS\n\n");
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                printf("  %s %s\n", commands[i].name, commands[i].arguments);
}

int main(int argc, char **argv) {
        Driver driver = {};
        char line[2048];

        if (argc > 1 && streq(argv[1], "--help")) {
                usage();
                return EXIT_SUCCESS;
        }
        driver.fd = driver_connect(argc > 1 ? argv[1] : HOLD_SOCKET_PATH);
        if (driver.fd < 0) {
                fprintf(stderr, "hold-driver: cannot connect: %s\n", strerror(-driver.fd));
                return EXIT_FAILURE;
        }
        (void) setvbuf(stdout, NULL, _IOLBF, 0);
        while (fgets(line, sizeof(line), stdin)) {
                int r = driver_command(&driver, line);

                if (r < 0) {
                        driver.failed = true;
                        printf("failed %s: %s\n", line, strerror(-r));
                }
        }
        return driver.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
