/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A disk that is slow to confirm: loaded into a server (LD_PRELOAD), each fdatasync() takes 700 ms. Under
 * appendfsync=everysec Redis puts off its writes meanwhile, and acknowledges them all the same.
 */

#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int fdatasync(int fd) {
        struct timespec pause = {.tv_nsec = 700000000};

        (void) nanosleep(&pause, NULL);
        return fsync(fd);
}
