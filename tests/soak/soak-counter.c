/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * soak-counter DIRECTORY… - bumps one counter in the file `counter` of each directory, in turn, with fsync,
 * as hold-counter does; at SIGTERM it prints how many µs of CLOCK_BOOTTIME a write waited at most, and
 * where. That is how long an application stood still, whoever or whatever held it.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORIES_MAX 64

static volatile sig_atomic_t stopped;

static void on_signal(int signal) {
        stopped = 1;
}

static int open_counter(const char *directory) {
        char path[4096];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/counter", directory);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
                perror(path);
        return fd;
}

static uint64_t now_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_BOOTTIME, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* Return: 0, or -1. */
static int bump(int fd, unsigned counter) {
        char line[16];
        int length = snprintf(line, sizeof(line), "%012u\n", counter);

        return pwrite(fd, line, (size_t) length, 0) < 0 || fsync(fd) < 0 ? -1 : 0;
}

int main(int argc, char **argv) {
        const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        int fds[DIRECTORIES_MAX], n = argc - 1;
        const char *where = "";
        uint64_t longest = 0;

        if (n < 1 || n > DIRECTORIES_MAX || sigaction(SIGTERM, &action, NULL) < 0)
                return EXIT_FAILURE;
        for (int i = 0; i < n; i++) {
                fds[i] = open_counter(argv[i + 1]);
                if (fds[i] < 0)
                        return EXIT_FAILURE;
        }
        for (unsigned counter = 1; !stopped; counter++)
                for (int i = 0; i < n && !stopped; i++) {
                        uint64_t begin = now_usec(), took;

                        if (bump(fds[i], counter) < 0) {
                                perror(argv[i + 1]);
                                return EXIT_FAILURE;
                        }
                        took = now_usec() - begin;
                        if (took > longest) {
                                longest = took;
                                where = argv[i + 1];
                        }
                }
        (void) printf("%" PRIu64 " %s\n", longest, where);
        return EXIT_SUCCESS;
}
