/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The application of the benchmark: one process per directory given, each of which writes a record to the
 * file `log` there and fsyncs it, again and again, and keeps its longest pause, the time from one record's
 * being on the disk to the next one's.
 *
 * It rests for a moment after each record: without, sixteen of them leave an emulated machine of two
 * processors none for LVM, and what is measured is their fight. The rest is part of every pause.
 *
 * Commands come as lines on standard input and are answered by one line each, "error …" if something is
 * wrong:
 *
 *   dirty MIB   every process writes that much to its file `data`, to memory only, before its next record
 *   begin       pauses count from now on
 *   end         pause_usec=LONGEST writes=N usual_usec=MEAN, since begin, over all processes
 *   look LOG…   the logs as snapshots show them, one per directory, in their order: a regular file, or a
 *               device that is mounted read-only, in a mount namespace of its own, to read its `log`.
 *               apart_usec=N: how far apart the instants of two of them are at least; 0: they may be one
 *
 * A log is a ring of blocks, each filled with its number: what a snapshot shows must be whole and without a
 * gap, and from when it is follows from the times between which each record was written. A process that dies
 * or cannot write makes every later command fail.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/macro.h"

#define VOLUMES_MAX 64
#define RECORD_SIZE 4096u
#define LOG_BLOCKS  64u
#define TIMES_KEPT  65536u
#define MIB         1048576u
#define REST_MSEC   10u
#define LINE_MAX_   8192u
#define MOUNT_POINT "/run/bench-load"

/* Shared by all processes; what a writer writes only it writes. */
typedef struct Load {
        char directory[256];
        pid_t pid;
        int log_fd, data_fd;
        atomic_uint dirty_wanted, dirty_done; /* MiB; wanted 0: nothing */
        atomic_uint generation;               /* of `begin` */
        atomic_uint seen;                     /* the generation that the figures belong to */
        atomic_ullong last_usec;              /* when the last record was on the disk */
        atomic_ullong longest_usec;
        atomic_ullong counter;    /* of the last record on the disk */
        unsigned long long first; /* counter at `begin` */
        struct {
                atomic_ullong counter, begin_usec, end_usec;
        } times[TIMES_KEPT];
} Load;

static Load *loads;
static int n_loads;

static uint64_t now_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / NSEC_PER_USEC;
}

static void rest(unsigned msec) {
        struct timespec t = {.tv_nsec = (long) (msec * USEC_PER_MSEC * NSEC_PER_USEC)};

        (void) nanosleep(&t, NULL);
}

_Noreturn static void writer_fail(const Load *load, const char *what) {
        fprintf(stderr, "bench-load: %s: %s: %s\n", load->directory, what, strerror(errno));
        _exit(EXIT_FAILURE);
}

/* To memory only: who takes the snapshot has it written out. */
static void write_data(Load *load, unsigned n_mib) {
        static char bytes[MIB];

        memset(bytes, (int) (now_usec() & 0xff), sizeof(bytes));
        for (unsigned i = 0; i < n_mib; i++)
                if (pwrite(load->data_fd, bytes, sizeof(bytes), (off_t) i * MIB) != sizeof(bytes))
                        writer_fail(load, "data");
}

static void write_record(Load *load, uint64_t counter) {
        static uint64_t block[RECORD_SIZE / sizeof(uint64_t)];
        size_t slot = counter % TIMES_KEPT;

        for (size_t i = 0; i < ELEMENTSOF(block); i++)
                block[i] = counter;
        atomic_store(&load->times[slot].end_usec, 0);
        atomic_store(&load->times[slot].begin_usec, now_usec());
        atomic_store(&load->times[slot].counter, counter);
        if (pwrite(load->log_fd, block, sizeof(block), (off_t) (counter % LOG_BLOCKS * RECORD_SIZE)) !=
                    sizeof(block) ||
            fsync(load->log_fd) < 0)
                writer_fail(load, "log");
        atomic_store(&load->times[slot].end_usec, now_usec());
}

_Noreturn static void writer_run(Load *load) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (uint64_t counter = 1;; counter++) {
                unsigned generation = atomic_load(&load->generation);
                unsigned n_mib = atomic_exchange(&load->dirty_wanted, 0);
                uint64_t now, pause;

                if (n_mib > 0) {
                        write_data(load, n_mib);
                        atomic_store(&load->dirty_done, n_mib);
                }
                write_record(load, counter);
                now = now_usec();
                pause = now - atomic_load(&load->last_usec);
                if (generation != atomic_load(&load->seen)) {
                        /* This record was begun after `begin`: the next pause is the first that counts. */
                        atomic_store(&load->longest_usec, 0);
                        atomic_store(&load->seen, generation);
                } else if (pause > atomic_load(&load->longest_usec))
                        atomic_store(&load->longest_usec, pause);
                atomic_store(&load->last_usec, now);
                atomic_store(&load->counter, counter);
                rest(REST_MSEC);
        }
}

static int open_file(const char *directory, const char *name) {
        char path[512];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
                fprintf(stderr, "bench-load: %s: %m\n", path);
        return fd;
}

static bool load_start(Load *load, const char *directory) {
        pid_t pid;

        (void) snprintf(load->directory, sizeof(load->directory), "%s", directory);
        load->log_fd = open_file(directory, "log");
        load->data_fd = open_file(directory, "data");
        if (load->log_fd < 0 || load->data_fd < 0)
                return false;
        atomic_store(&load->last_usec, now_usec());
        pid = fork();
        if (pid == 0)
                writer_run(load);
        /* Only here: the memory is the writer's, too. */
        load->pid = pid;
        return pid > 0;
}

/* Return: whether all of them write on. */
static bool all_alive(void) {
        for (int i = 0; i < n_loads; i++)
                if (waitpid(loads[i].pid, NULL, WNOHANG) != 0) {
                        printf("error the writer of %s has died\n", loads[i].directory);
                        return false;
                }
        return true;
}

static bool command_dirty(unsigned n_mib) {
        for (int i = 0; i < n_loads; i++) {
                atomic_store(&loads[i].dirty_done, 0);
                atomic_store(&loads[i].dirty_wanted, n_mib);
        }
        for (int i = 0; i < n_loads; i++)
                while (atomic_load(&loads[i].dirty_done) != n_mib) {
                        if (!all_alive())
                                return false;
                        rest(2);
                }
        (void) puts("ok");
        return true;
}

static bool command_begin(void) {
        for (int i = 0; i < n_loads; i++)
                atomic_fetch_add(&loads[i].generation, 1);
        for (int i = 0; i < n_loads; i++) {
                while (atomic_load(&loads[i].seen) != atomic_load(&loads[i].generation)) {
                        if (!all_alive())
                                return false;
                        rest(2);
                }
                loads[i].first = atomic_load(&loads[i].counter);
        }
        (void) puts("ok");
        return true;
}

/* A pause that is not over yet counts as long as it is by now. */
static bool command_end(void) {
        uint64_t longest = 0, n_writes = 0, took = 0;

        for (int i = 0; i < n_loads; i++) {
                Load *load = &loads[i];
                uint64_t last = atomic_load(&load->last_usec), running = now_usec() - last;
                uint64_t pause = atomic_load(&load->longest_usec);
                uint64_t n = atomic_load(&load->counter) - load->first;

                pause = running > pause ? running : pause;
                longest = pause > longest ? pause : longest;
                n_writes += n;
                for (uint64_t c = load->first + 1; c <= load->first + n && n < TIMES_KEPT; c++)
                        took += atomic_load(&load->times[c % TIMES_KEPT].end_usec) -
                                atomic_load(&load->times[c % TIMES_KEPT].begin_usec);
        }
        if (n_writes == 0) {
                (void) puts("error nothing was written");
                return false;
        }
        printf("pause_usec=%llu writes=%llu usual_usec=%llu\n", (unsigned long long) longest,
               (unsigned long long) n_writes, (unsigned long long) (took / n_writes));
        return true;
}

/* Reads a log. Return: whether it could be read in whole. */
static bool log_read(const char *path, uint64_t blocks[LOG_BLOCKS][RECORD_SIZE / sizeof(uint64_t)]) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        const size_t size = (size_t) LOG_BLOCKS * RECORD_SIZE;

        if (fd < 0 || pread(fd, blocks, size, 0) != (ssize_t) size) {
                printf("error %s cannot be read: %m\n", path);
                return false;
        }
        return true;
}

/* The newest record of a log that is whole and has no gap, or 0. */
static uint64_t log_find_newest(const char *path) {
        static uint64_t blocks[LOG_BLOCKS][RECORD_SIZE / sizeof(uint64_t)];
        uint64_t newest = 0;

        if (!log_read(path, blocks))
                return 0;
        for (size_t b = 0; b < LOG_BLOCKS; b++)
                newest = blocks[b][0] > newest ? blocks[b][0] : newest;
        for (uint64_t c = newest; c > 0 && newest - c < LOG_BLOCKS; c--)
                for (size_t i = 0; i < ELEMENTSOF(blocks[0]); i++)
                        if (blocks[c % LOG_BLOCKS][i] != c) {
                                printf("error %s: record %llu of %llu is not what was written\n", path,
                                       (unsigned long long) c, (unsigned long long) newest);
                                return 0;
                        }
        if (newest == 0)
                printf("error %s is empty\n", path);
        return newest;
}

static uint64_t look_at(const char *path) {
        struct stat st;
        uint64_t newest;

        if (stat(path, &st) < 0) {
                printf("error %s: %m\n", path);
                return 0;
        }
        if (!S_ISBLK(st.st_mode))
                return log_find_newest(path);
        if (mount(path, MOUNT_POINT, "ext4", MS_RDONLY, NULL) < 0) {
                printf("error %s cannot be mounted: %m\n", path);
                return 0;
        }
        newest = log_find_newest(MOUNT_POINT "/log");
        if (umount(MOUNT_POINT) < 0) {
                printf("error %s cannot be unmounted: %m\n", path);
                return 0;
        }
        return newest;
}

/* The record was begun before the instant; the next one was complete, if at all, only after it. */
static bool narrow(const Load *load, uint64_t newest, uint64_t *after, uint64_t *before) {
        const uint64_t slot = newest % TIMES_KEPT, next = (newest + 1) % TIMES_KEPT;
        uint64_t begin = atomic_load(&load->times[slot].begin_usec);

        if (newest < load->first || atomic_load(&load->times[slot].counter) != newest) {
                printf("error the snapshot of %s shows record %llu, but %llu was there at the beginning\n",
                       load->directory, (unsigned long long) newest, load->first);
                return false;
        }
        *after = begin > *after ? begin : *after;
        if (atomic_load(&load->times[next].counter) == newest + 1) {
                uint64_t end = atomic_load(&load->times[next].end_usec);

                *before = end > 0 && end < *before ? end : *before;
        }
        return true;
}

static bool command_look(char *paths) {
        uint64_t after = 0, before = UINT64_MAX;
        char *save = NULL;
        int i = 0;

        for (char *path = strtok_r(paths, " ", &save); path; path = strtok_r(NULL, " ", &save), i++) {
                uint64_t newest = i < n_loads ? look_at(path) : 0;

                if (newest == 0 || !narrow(&loads[i], newest, &after, &before))
                        return false;
        }
        if (i != n_loads) {
                printf("error %d logs to look at, not %d\n", i, n_loads);
                return false;
        }
        printf("apart_usec=%llu\n", (unsigned long long) (after > before ? after - before : 0));
        return true;
}

static bool obey(char *line) {
        line[strcspn(line, "\n")] = '\0';
        if (!all_alive())
                return false;
        if (strncmp(line, "dirty ", 6) == 0)
                return command_dirty((unsigned) strtoul(line + 6, NULL, 10));
        if (streq(line, "begin"))
                return command_begin();
        if (streq(line, "end"))
                return command_end();
        if (strncmp(line, "look ", 5) == 0)
                return command_look(line + 5);
        printf("error unknown command %s\n", line);
        return false;
}

int main(int argc, char **argv) {
        static char line[LINE_MAX_];
        bool good = true;

        n_loads = argc - 1;
        if (n_loads < 1 || n_loads > VOLUMES_MAX)
                return EXIT_FAILURE;
        loads = mmap(NULL, sizeof(*loads) * (size_t) n_loads, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (loads == MAP_FAILED)
                return EXIT_FAILURE;
        for (int i = 0; i < n_loads; i++)
                if (!load_start(&loads[i], argv[i + 1]))
                        return EXIT_FAILURE;
        /* The snapshots' mounts are seen by nobody else. */
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            (mkdir(MOUNT_POINT, 0700) < 0 && errno != EEXIST)) {
                fprintf(stderr, "bench-load: no mount namespace of its own: %m\n");
                return EXIT_FAILURE;
        }
        (void) setvbuf(stdout, NULL, _IOLBF, 0);
        while (fgets(line, sizeof(line), stdin))
                good = obey(line) && good;
        for (int i = 0; i < n_loads; i++) {
                (void) kill(loads[i].pid, SIGKILL);
                (void) waitpid(loads[i].pid, NULL, 0);
        }
        return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
