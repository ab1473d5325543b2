/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Finding descriptors: directories in order of precedence, systemd's rules.
 *
 * Of files with one name the first directory's counts; a link to /dev/null masks; NAME.writer.d/(name).conf
 * of all directories are read on top, in order of their names. A descriptor decides which programs run for
 * backups: it must belong to root (in tests without root: to us) and be writable by nobody else.
 */

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/writers/descriptor.h"
#include "util/error.h"
#include "util/log.h"
#include "util/macro.h"
#include "util/utf8.h"

#define SUFFIX ".writer"

enum {
        _READ_E_SUCCESS,
        READ_E_MASKED,
        READ_E_DEFECT, /* noted in the descriptor */
};

/* Names found in several directories; of each, the first path. */
typedef struct Names {
        char **names, **paths;
        size_t n;
} Names;

static void names_donep(Names *names) {
        for (size_t i = 0; i < names->n; i++) {
                free(names->names[i]);
                free(names->paths[i]);
        }
        free(names->names);
        free(names->paths);
}

static bool has_suffix(const char *name, const char *suffix) {
        size_t n = strlen(name), m = strlen(suffix);

        return n > m && streq(name + n - m, suffix);
}

/* Sorted insert; a name that is there already stays as it is. */
static int names_add(Names *names, const char *directory, const char *name) {
        _cleanup_free_ char *path = NULL, *copy = NULL;
        char **grown;
        size_t at = 0;

        while (at < names->n && strcmp(names->names[at], name) < 0)
                at++;
        if (at < names->n && streq(names->names[at], name))
                return 0;
        if (names->n >= DESCRIPTORS_MAX) {
                log_warning("more than %u files below %s, ignoring %s", DESCRIPTORS_MAX, directory, name);
                return 0;
        }
        copy = strdup(name);
        if (!copy || asprintf(&path, "%s/%s", directory, name) < 0)
                return error_origin(-ENOMEM);
        grown = reallocarray(names->names, names->n + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        names->names = grown;
        grown = reallocarray(names->paths, names->n + 1, sizeof(*grown));
        if (!grown)
                return error_origin(-ENOMEM);
        names->paths = grown;
        memmove(names->names + at + 1, names->names + at, (names->n - at) * sizeof(char *));
        memmove(names->paths + at + 1, names->paths + at, (names->n - at) * sizeof(char *));
        names->names[at] = TAKE_PTR(copy);
        names->paths[at] = TAKE_PTR(path);
        names->n++;
        return 0;
}

static int names_add_directory(Names *names, const char *directory, const char *suffix) {
        struct dirent *entry;
        DIR *stream;
        int r = 0;

        stream = opendir(directory);
        if (!stream) {
                if (errno != ENOENT && errno != ENOTDIR)
                        log_warning("%s cannot be read, ignoring: %m", directory);
                return 0;
        }
        while (!r && (entry = readdir(stream)))
                if (entry->d_name[0] != '.' && has_suffix(entry->d_name, suffix))
                        r = names_add(names, directory, entry->d_name);
        (void) closedir(stream);
        return error_trace(r);
}

static int check_file(Descriptor *descriptor, const char *path, const struct stat *st) {
        if (S_ISCHR(st->st_mode))
                return READ_E_MASKED; /* opened through a link to /dev/null */
        if (!S_ISREG(st->st_mode))
                (void) descriptor_fail(descriptor, path, 0, "no regular file");
        else if (st->st_uid != 0 && st->st_uid != geteuid())
                (void) descriptor_fail(descriptor, path, 0,
                                       "belongs to user %u, not to root; chown root it if you trust it",
                                       st->st_uid);
        else if (st->st_mode & 022)
                (void) descriptor_fail(descriptor, path, 0,
                                       "others than its owner may write it; chmod go-w it if you trust it");
        else if (st->st_size > DESCRIPTOR_SIZE_MAX)
                (void) descriptor_fail(descriptor, path, 0, "longer than %u bytes", DESCRIPTOR_SIZE_MAX);
        else
                return 0;
        return READ_E_DEFECT;
}

static int read_file(Descriptor *descriptor, const char *path) {
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        ssize_t n;
        int r;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0) {
                (void) descriptor_fail(descriptor, path, 0, "cannot be read: %s", strerror(errno));
                return READ_E_DEFECT;
        }
        r = check_file(descriptor, path, &st);
        if (r)
                return r;
        text = malloc(DESCRIPTOR_SIZE_MAX + 1);
        if (!text)
                return error_origin(-ENOMEM);
        n = read(fd, text, DESCRIPTOR_SIZE_MAX + 1);
        if (n < 0) {
                (void) descriptor_fail(descriptor, path, 0, "cannot be read: %s", strerror(errno));
                return READ_E_DEFECT;
        }
        return error_trace(descriptor_parse(descriptor, path, text, (size_t) n));
}

static int read_drop_ins(Descriptor *descriptor, const char *const *directories) {
        _cleanup_(names_donep) Names names = {};
        int r;

        for (; *directories; directories++) {
                _cleanup_free_ char *directory = NULL;

                if (asprintf(&directory, "%s/%s" SUFFIX ".d", *directories, descriptor->name) < 0)
                        return error_origin(-ENOMEM);
                r = names_add_directory(&names, directory, ".conf");
                if (r)
                        return error_trace(r);
        }
        for (size_t i = 0; i < names.n; i++) {
                r = read_file(descriptor, names.paths[i]);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

static bool name_is_good(const char *name) {
        size_t n = strlen(name);

        for (const char *c = name; *c; c++)
                if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                      *c == '-' || *c == '_'))
                        return false;
        return n > 0 && n <= DESCRIPTOR_NAME_MAX;
}

/* Sets *ret to NULL if it is masked. */
static int load(Descriptor **ret, const char *file_name, const char *path, const char *const *directories) {
        _cleanup_(descriptor_unrefp) Descriptor *descriptor = NULL;
        _cleanup_free_ char *name = NULL;
        int r;

        name = strndup(file_name, strlen(file_name) - strlen(SUFFIX));
        if (!name)
                return error_origin(-ENOMEM);
        utf8_clean(name, CONTRACT_NAME_MAX - 1);
        r = descriptor_new(&descriptor, name, path);
        if (r)
                return error_trace(r);
        r = read_file(descriptor, path);
        if (r == READ_E_MASKED) {
                *ret = NULL;
                return 0;
        }
        if (!name_is_good(name))
                r = descriptor_fail(descriptor, path, 0,
                                    "a writer's name is made of letters, digits, - and _, at most %u",
                                    DESCRIPTOR_NAME_MAX);
        else if (r == 0)
                r = read_drop_ins(descriptor, directories);
        if (r < 0)
                return error_trace(r);
        r = descriptor_finish(descriptor);
        if (r < 0)
                return error_trace(r);
        *ret = TAKE_PTR(descriptor);
        return 0;
}

/**
 * descriptors_load() - all descriptors of a machine
 * @ret: the descriptors; descriptors_done() it
 * @directories: NULL-terminated, the first wins
 *
 * Return: 0, also if some have defects; -ENOMEM.
 */
int descriptors_load(Descriptors *ret, const char *const *directories) {
        _cleanup_(names_donep) Names names = {};
        Descriptors descriptors = {};
        int r = 0;

        for (const char *const *d = directories; !r && *d; d++)
                r = names_add_directory(&names, *d, SUFFIX);
        if (!r && names.n > 0) {
                descriptors.items = calloc(names.n, sizeof(*descriptors.items));
                if (!descriptors.items)
                        r = error_origin(-ENOMEM);
        }
        for (size_t i = 0; !r && i < names.n; i++) {
                Descriptor *descriptor = NULL;

                r = load(&descriptor, names.names[i], names.paths[i], directories);
                if (!r && descriptor)
                        descriptors.items[descriptors.n_items++] = descriptor;
        }
        if (r) {
                descriptors_done(&descriptors);
                return error_trace(r);
        }
        *ret = descriptors;
        return 0;
}

/**
 * descriptors_done() - free what descriptors_load() gave
 * @descriptors: emptied
 */
void descriptors_done(Descriptors *descriptors) {
        for (size_t i = 0; i < descriptors->n_items; i++)
                descriptor_unref(descriptors->items[i]);
        free(descriptors->items);
        *descriptors = (Descriptors){};
}
