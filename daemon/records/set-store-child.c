/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Forked child: one thing done with the records of sets. It ends with 0 or a positive errno.
 */

#include "daemon/records/set-store-child.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/child/child.h"
#include "daemon/records/set-store.h"
#include "util/macro.h"

#define NAME_SIZE (CONTRACT_ID_MAX + sizeof(".missing"))

static void file_name(char name[static NAME_SIZE], const char *id) {
        (void) snprintf(name, NAME_SIZE, "%s.json", id);
}

/* Beside it: since its time the set has not been found. */
static void mark_name(char name[static NAME_SIZE], const char *id) {
        (void) snprintf(name, NAME_SIZE, "%.*s.missing", (int) CONTRACT_ID_MAX - 1, id);
}

/* Its parent is the state directory, which may not be there either. */
static int folder_make(const char *folder) {
        _cleanup_free_ char *parent = strdup(folder);
        char *slash = parent ? strrchr(parent, '/') : NULL;

        if (!slash)
                return -ENOMEM;
        *slash = '\0';
        if ((mkdir(parent, 0700) < 0 && errno != EEXIST) || (mkdir(folder, 0700) < 0 && errno != EEXIST))
                return -errno;
        return 0;
}

static int folder_open(const char *folder) {
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *text) {
        size_t left = strlen(text);

        while (left > 0) {
                ssize_t n = write(fd, text, left);

                if (n < 0)
                        return -errno;
                text += n;
                left -= (size_t) n;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

/* The whole of it or what was there before, also after a power cut. */
static int file_write(const SetStoreRequest *request) {
        _cleanup_close_ int folder = -EBADF, fd = -EBADF;
        char name[NAME_SIZE];
        int r;

        r = folder_make(request->folder);
        if (r < 0)
                return r;
        folder = folder_open(request->folder);
        if (folder < 0)
                return folder;
        fd = openat(folder, ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, request->text);
        file_name(name, request->id);
        if (r == 0 && (renameat(folder, ".new", folder, name) < 0 || fsync(folder) < 0))
                r = -errno;
        if (r < 0)
                (void) unlinkat(folder, ".new", 0);
        return r;
}

static int file_remove(const SetStoreRequest *request) {
        _cleanup_close_ int folder = folder_open(request->folder);
        char name[NAME_SIZE];

        if (folder < 0)
                return folder == -ENOENT ? 0 : folder;
        mark_name(name, request->id);
        (void) unlinkat(folder, name, 0); /* it means nothing without the other */
        file_name(name, request->id);
        return unlinkat(folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int file_read(const SetStoreRequest *request, int socket_fd) {
        _cleanup_close_ int folder = folder_open(request->folder), fd = -EBADF, memory = -EBADF;
        char name[NAME_SIZE];
        struct stat st;
        off_t left;

        if (folder < 0)
                return folder;
        file_name(name, request->id);
        fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        if (st.st_size > (off_t) request->size_max)
                return -EFBIG;
        memory = memfd_create("set-record", MFD_CLOEXEC);
        if (memory < 0)
                return -errno;
        for (left = st.st_size; left > 0;) {
                ssize_t n = sendfile(memory, fd, NULL, (size_t) left);

                if (n <= 0)
                        return n < 0 ? -errno : -EBADMSG; /* it has become shorter */
                left -= n;
        }
        return child_send_fd(socket_fd, 0, memory);
}

static bool is_kept(const SetStoreRequest *request, const char *name) {
        for (size_t i = 0; i < request->n_keep; i++)
                if (strncmp(name, request->keep[i], CONTRACT_ID_MAX - 1) == 0)
                        return true;
        return false;
}

static bool is_record(const char *name) {
        return strlen(name) == CONTRACT_ID_MAX - 1 + strlen(".json") &&
               streq(name + CONTRACT_ID_MAX - 1, ".json");
}

/* A set that is not found may be on a disk that is not there: its record goes when it has been so for long.
 */
static int file_keep_missing(int folder, const char *name) {
        char mark[NAME_SIZE];
        struct stat st;
        int fd;

        mark_name(mark, name);
        if (fstatat(folder, mark, &st, AT_SYMLINK_NOFOLLOW) >= 0) {
                if (time(NULL) - st.st_mtime < SET_STORE_MISSING_SEC)
                        return 0;
                if (unlinkat(folder, name, 0) < 0 || unlinkat(folder, mark, 0) < 0)
                        return -errno;
                return 0;
        }
        fd = openat(folder, mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return fd < 0 || close(fd) < 0 ? -errno : 0;
}

/* It has been found (again). */
static int file_keep(int folder, const char *name) {
        char mark[NAME_SIZE];

        mark_name(mark, name);
        return unlinkat(folder, mark, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int files_keep(const SetStoreRequest *request) {
        DIR *folder = opendir(request->folder);
        struct dirent *entry;
        int r = 0;

        if (!folder)
                return errno == ENOENT ? 0 : -errno;
        while ((entry = readdir(folder))) {
                int k;

                if (!is_record(entry->d_name))
                        continue;
                k = is_kept(request, entry->d_name) ? file_keep(dirfd(folder), entry->d_name)
                                                    : file_keep_missing(dirfd(folder), entry->d_name);
                r = k < 0 ? k : r;
        }
        (void) closedir(folder);
        return r;
}

/**
 * set_store_child() - ChildFunction
 * @socket_fd:  for the memory file that READ sends
 * @argument:   the SetStoreRequest
 *
 * Return: 0, or a positive errno.
 */
int set_store_child(int socket_fd, void *argument) {
        const SetStoreRequest *request = argument;

        switch (request->what) {
        case SET_STORE_WRITE:
                return -file_write(request);
        case SET_STORE_REMOVE:
                return -file_remove(request);
        case SET_STORE_READ:
                return -file_read(request, socket_fd);
        case SET_STORE_KEEP:
        default:
                return -files_keep(request);
        }
}
