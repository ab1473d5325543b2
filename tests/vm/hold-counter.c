/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Bumps one counter in the file `counter` of each directory given, in turn, with fsync, until it is killed:
 * at no instant do two of them differ by more than one. Snapshots of one instant must show the same.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DIRECTORIES_MAX 64

static int open_counter(const char *directory) {
        char path[4096];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/counter", directory);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
                perror(path);
        return fd;
}

int main(int argc, char **argv) {
        int fds[DIRECTORIES_MAX], n = argc - 1;

        if (n < 1 || n > DIRECTORIES_MAX)
                return EXIT_FAILURE;
        for (int i = 0; i < n; i++) {
                fds[i] = open_counter(argv[i + 1]);
                if (fds[i] < 0)
                        return EXIT_FAILURE;
        }
        for (unsigned counter = 1;; counter++)
                for (int i = 0; i < n; i++) {
                        char line[16];
                        int length = snprintf(line, sizeof(line), "%012u\n", counter);

                        if (pwrite(fds[i], line, (size_t) length, 0) < 0 || fsync(fds[i]) < 0) {
                                perror(argv[i + 1]);
                                return EXIT_FAILURE;
                        }
                }
}
