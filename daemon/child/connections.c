/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a process that was forked must not keep: whoever is at the other end sees quiesced's death by the end
 * of its connection, and a child may hang in the kernel for as long as a disk does not answer. The bus would
 * keep quiesced's name for it, quiesced-hold would wait for it, logind would delay a shutdown for it.
 *
 * Promise: connections and pipes are closed. What has no other end stays: journald's socket, device-mapper's
 * control device, which takes a file system to be opened again, mounts and locks that a caller hands over.
 */

#include "daemon/child/connections.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/macro.h"

static bool has_other_end(int fd) {
        socklen_t size = sizeof(int);
        struct stat st;
        int type;

        if (fstat(fd, &st) < 0)
                return false;
        if (S_ISFIFO(st.st_mode))
                return true;
        return S_ISSOCK(st.st_mode) && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) >= 0 &&
               type != SOCK_DGRAM;
}

/**
 * connections_close() - close all connections and pipes above stderr
 * @except_fd:  but this one; negative: all
 *
 * For a process that was just forked.
 */
void connections_close(int except_fd) {
        DIR *d = opendir("/proc/self/fd");

        if (!d)
                return;
        for (struct dirent *e; (e = readdir(d));) {
                int fd = atoi(e->d_name);

                if (fd > STDERR_FILENO && fd != except_fd && has_other_end(fd))
                        (void) close(fd);
        }
        (void) closedir(d);
}
