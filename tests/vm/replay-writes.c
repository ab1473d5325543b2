/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reads the log of a dm-log-writes device (Documentation/admin-guide/device-mapper/log-writes.rst) and
 * writes what it recorded to another device, up to any point at which the recorded one could have lost its
 * power.
 *
 *   replay-writes LOG list                   a line per point: "NUMBER flush", "NUMBER mark TEXT", and
 * "NUMBER end" replay-writes LOG replay DEVICE FROM TO  writes the entries FROM to TO - 1; a point's NUMBER
 * is that of the entry behind it
 *
 * The kernel logs a write when it has completed and a flush came after it, so that at a flush, or at a write
 * that was forced out by itself (FUA), the log's beginning is just what the disk must have kept.
 */

#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAGIC   UINT64_C(0x6a736677736872)
#define LOG_VERSION UINT64_C(1)
#define SECTOR_MIN  512u
#define SECTOR_MAX  65536u
#define BLOCK_MAX   (UINT64_C(1) << 30)

enum { ENTRY_FLUSH = 1, ENTRY_FUA = 2, ENTRY_DISCARD = 4, ENTRY_MARK = 8 };

typedef struct Super {
        uint64_t magic, version, n_entries;
        uint32_t sector_size;
} Super;

typedef struct Entry {
        uint64_t sector, n_sectors, flags, n_bytes; /* sectors of the log's size; bytes of a mark's text */
} Entry;

typedef struct Log {
        int fd;
        uint64_t n_entries;
        uint32_t sector_size;
        uint64_t offset; /* of the next entry */
        unsigned char *sector;
} Log;

static void read_at(const Log *log, void *buffer, size_t size, uint64_t offset) {
        for (size_t at = 0; at < size;) {
                ssize_t n = pread(log->fd, (char *) buffer + at, size - at, (off_t) (offset + at));

                if (n <= 0)
                        errx(EXIT_FAILURE, "the log ends at %" PRIu64, offset + at);
                at += (size_t) n;
        }
}

static void log_open(Log *log, const char *path) {
        Super super;

        *log = (Log){.fd = open(path, O_RDONLY | O_CLOEXEC)};
        if (log->fd < 0)
                err(EXIT_FAILURE, "%s", path);
        read_at(log, &super, sizeof(super), 0);
        log->n_entries = le64toh(super.n_entries);
        log->sector_size = le32toh(super.sector_size);
        if (le64toh(super.magic) != LOG_MAGIC || le64toh(super.version) != LOG_VERSION)
                errx(EXIT_FAILURE, "%s is no log of dm-log-writes", path);
        if (log->sector_size < SECTOR_MIN || log->sector_size > SECTOR_MAX)
                errx(EXIT_FAILURE, "%s has sectors of %" PRIu32 " bytes", path, log->sector_size);
        log->offset = log->sector_size;
        log->sector = malloc(log->sector_size);
        if (!log->sector)
                err(EXIT_FAILURE, "%s", path);
}

/* The next entry's head; its data, if any, lie at *ret_data. A mark's text is in log->sector. */
static Entry log_next(Log *log, uint64_t *ret_data) {
        Entry raw, entry;

        read_at(log, log->sector, log->sector_size, log->offset);
        memcpy(&raw, log->sector, sizeof(raw));
        entry = (Entry){le64toh(raw.sector), le64toh(raw.n_sectors), le64toh(raw.flags),
                        le64toh(raw.n_bytes)};
        if (entry.n_sectors > BLOCK_MAX / log->sector_size)
                errx(EXIT_FAILURE, "an entry of %" PRIu64 " sectors at %" PRIu64, entry.n_sectors,
                     log->offset);
        *ret_data = log->offset + log->sector_size;
        log->offset = *ret_data;
        if (!(entry.flags & ENTRY_DISCARD))
                log->offset += entry.n_sectors * log->sector_size;
        return entry;
}

static void list(Log *log) {
        for (uint64_t i = 0; i < log->n_entries; i++) {
                uint64_t data;
                Entry entry = log_next(log, &data);

                if (entry.flags & ENTRY_MARK)
                        printf("%" PRIu64 " mark %.*s\n", i + 1,
                               (int) strnlen((char *) log->sector + sizeof(entry),
                                             log->sector_size - sizeof(entry)),
                               (char *) log->sector + sizeof(entry));
                else if (entry.flags & (ENTRY_FLUSH | ENTRY_FUA))
                        printf("%" PRIu64 " flush\n", i + 1);
        }
        printf("%" PRIu64 " end\n", log->n_entries);
}

static void write_entry(const Log *log, int fd, const Entry *entry, uint64_t data) {
        uint64_t at = entry->sector * log->sector_size, size = entry->n_sectors * log->sector_size;
        static unsigned char buffer[1 << 20];

        /* What was discarded reads as zeros here. */
        if (entry->flags & ENTRY_DISCARD) {
                if (size > 0 &&
                    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) at, (off_t) size) < 0)
                        err(EXIT_FAILURE, "cannot discard %" PRIu64 " bytes at %" PRIu64, size, at);
                return;
        }
        for (uint64_t done = 0; done < size;) {
                size_t n = size - done < sizeof(buffer) ? (size_t) (size - done) : sizeof(buffer);

                read_at(log, buffer, n, data + done);
                if (pwrite(fd, buffer, n, (off_t) (at + done)) != (ssize_t) n)
                        err(EXIT_FAILURE, "cannot write %zu bytes at %" PRIu64, n, at + done);
                done += n;
        }
}

static void replay(Log *log, const char *path, uint64_t from, uint64_t to) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                err(EXIT_FAILURE, "%s", path);
        if (from > to || to > log->n_entries)
                errx(EXIT_FAILURE, "the log has %" PRIu64 " entries", log->n_entries);
        for (uint64_t i = 0; i < to; i++) {
                uint64_t data;
                Entry entry = log_next(log, &data);

                if (i >= from && !(entry.flags & ENTRY_MARK))
                        write_entry(log, fd, &entry, data);
        }
        if (fsync(fd) < 0 || close(fd) < 0)
                err(EXIT_FAILURE, "%s", path);
}

static uint64_t number(const char *text) {
        char *end;
        uint64_t value;

        errno = 0;
        value = strtoull(text, &end, 10);
        if (errno || *end || end == text)
                errx(EXIT_FAILURE, "%s is no number", text);
        return value;
}

int main(int argc, char **argv) {
        Log log;

        if (argc == 3 && strcmp(argv[2], "list") == 0) {
                log_open(&log, argv[1]);
                list(&log);
        } else if (argc == 6 && strcmp(argv[2], "replay") == 0) {
                log_open(&log, argv[1]);
                replay(&log, argv[3], number(argv[4]), number(argv[5]));
        } else
                errx(EXIT_FAILURE,
                     "usage: replay-writes LOG list | replay-writes LOG replay DEVICE FROM TO");
        free(log.sector);
        (void) close(log.fd);
        return EXIT_SUCCESS;
}
