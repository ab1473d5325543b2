/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Standard output and error while file systems are frozen; see moment.h. They may be files there, and a
 * write would wait for the thaw that waits for us.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "ctl/moment.h"
#include "util/error.h"

static void flush_all(void) {
        (void) fflush(stdout);
        (void) fflush(stderr);
}

/**
 * outputs_hold() - from here what is written to standard output and error goes into memory
 * @outputs:    not held
 *
 * Return: 0 or a negative errno, and nothing has changed.
 */
int outputs_hold(Outputs *outputs) {
        flush_all();
        for (int i = 0; i < 2; i++) {
                outputs->saved[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, 3);
                outputs->memory[i] = memfd_create("quiescectl-output", MFD_CLOEXEC);
        }
        outputs->held = true;
        for (int i = 0; i < 2; i++)
                if (outputs->memory[i] < 0 || dup2(outputs->memory[i], STDOUT_FILENO + i) < 0) {
                        int r = -errno;

                        outputs_release(outputs);
                        return error_origin(r);
                }
        return 0;
}

static void copy_out(int from, int to) {
        off_t offset = 0;
        struct stat st;
        ssize_t n;

        if (from < 0 || to < 0 || fstat(from, &st) < 0)
                return;
        do
                n = sendfile(to, from, &offset, (size_t) (st.st_size - offset));
        while (n > 0 && offset < st.st_size);
}

/**
 * outputs_release() - what was written comes out, and what will be goes out directly
 * @outputs:    held or not
 */
void outputs_release(Outputs *outputs) {
        if (!outputs->held)
                return;
        flush_all();
        for (int i = 0; i < 2; i++) {
                if (outputs->saved[i] >= 0)
                        (void) dup2(outputs->saved[i], STDOUT_FILENO + i);
                copy_out(outputs->memory[i], outputs->saved[i]);
                outputs->memory[i] = fd_close(outputs->memory[i]);
                outputs->saved[i] = fd_close(outputs->saved[i]);
        }
        outputs->held = false;
}

/**
 * outputs_give() - in a command's process: its standard output and error
 * @outputs:    held
 * @keep:       standard output is to be read here, so it goes into memory whatever it is
 *
 * A terminal or a pipe is the command's as it was ours; a file may be frozen.
 *
 * Return: 0 or a negative errno.
 */
int outputs_give(const Outputs *outputs, bool keep) {
        for (int i = 0; i < 2; i++) {
                struct stat st;

                if (outputs->saved[i] < 0 || (keep && i == 0) ||
                    (fstat(outputs->saved[i], &st) == 0 && S_ISREG(st.st_mode)))
                        continue;
                if (dup2(outputs->saved[i], STDOUT_FILENO + i) < 0)
                        return error_origin(-errno);
        }
        return 0;
}

/**
 * outputs_read() - what was written meanwhile
 * @outputs:    held
 * @fd:         STDOUT_FILENO or STDERR_FILENO
 *
 * Return: its end, at most 4000 bytes, free() it; or NULL.
 */
char *outputs_read(const Outputs *outputs, int fd) {
        int memory = outputs->memory[fd - STDOUT_FILENO];
        const off_t most = 4000;
        struct stat st;
        char *text;
        ssize_t n;

        flush_all();
        if (!outputs->held || fstat(memory, &st) < 0)
                return NULL;
        text = calloc(1, (size_t) most + 1);
        n = text ? pread(memory, text, (size_t) most, st.st_size > most ? st.st_size - most : 0) : -1;
        if (n >= 0)
                return text;
        free(text);
        return NULL;
}
