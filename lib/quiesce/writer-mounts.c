/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The mounts of the writer's namespace, as /proc/self/mountinfo tells them; see writer-mounts.h. */

#include "quiesce/writer-mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/**
 * mount_lines_done() - free what mount_lines_read() gave
 * @lines:      the lines
 */
void mount_lines_done(MountLines *lines) {
        for (size_t i = 0; i < lines->n; i++) {
                free(lines->items[i].root);
                free(lines->items[i].target);
        }
        free(lines->items);
}

/* "\040" is how mountinfo writes a blank. */
static void unescape(char *text) {
        char *to = text;

        for (const char *c = text; *c; to++)
                if (c[0] == '\\' && c[1] >= '0' && c[1] <= '3' && c[2] >= '0' && c[2] <= '7' &&
                    c[3] >= '0' && c[3] <= '7') {
                        *to = (char) ((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0'));
                        c += 4;
                } else
                        *to = *c++;
        *to = '\0';
}

static int mount_line_add(MountLines *lines, const char *text) {
        unsigned long long id, parent;
        unsigned major_number, minor_number;
        MountLine line = {}, *grown;

        if (sscanf(text, "%llu %llu %u:%u %ms %ms", &id, &parent, &major_number, &minor_number, &line.root,
                   &line.target) != 6) {
                free(line.root);
                free(line.target);
                return 0;
        }
        grown = reallocarray(lines->items, lines->n + 1, sizeof(*grown));
        if (!grown) {
                free(line.root);
                free(line.target);
                return -ENOMEM;
        }
        line.id = id;
        line.parent = parent;
        line.device = makedev(major_number, minor_number);
        unescape(line.root);
        unescape(line.target);
        lines->items = grown;
        grown[lines->n++] = line;
        return 0;
}

/**
 * mount_lines_read() - the mounts of this mount namespace
 * @lines:      {}; mount_lines_done() them, also after an error
 *
 * Return: 0, or a negative errno.
 */
int mount_lines_read(MountLines *lines) {
        FILE *f = fopen("/proc/self/mountinfo", "re");
        char *text = NULL;
        size_t size = 0;
        int r = 0;

        if (!f)
                return -errno;
        while (r == 0 && getline(&text, &size, f) > 0)
                r = mount_line_add(lines, text);
        if (r == 0 && ferror(f))
                r = -EIO;
        free(text);
        (void) fclose(f);
        return r;
}

/**
 * mount_lines_get() - by its id
 * @lines:      all
 * @id:         the mount's
 *
 * Return: the line, or NULL.
 */
const MountLine *mount_lines_get(const MountLines *lines, uint64_t id) {
        for (size_t i = 0; i < lines->n; i++)
                if (lines->items[i].id == id)
                        return &lines->items[i];
        return NULL;
}

/**
 * path_below() - what of a path lies below a folder
 * @path:       absolute, without links
 * @directory:  likewise
 *
 * Return: the rest of the path, "" or beginning with a slash; NULL: it lies elsewhere.
 */
const char *path_below(const char *path, const char *directory) {
        size_t n = strlen(directory);

        if (n == 1 && directory[0] == '/')
                return path;
        if (strncmp(path, directory, n) != 0 || (path[n] != '/' && path[n] != '\0'))
                return NULL;
        return path + n;
}

/**
 * mount_lines_find() - the mount that a file was opened in
 * @lines:      all
 * @fd:         the file
 * @ret:        its line
 *
 * The mount, not st_dev: each subvolume of a btrfs has an st_dev of its own.
 *
 * Return: 0, or a negative errno.
 */
int mount_lines_find(const MountLines *lines, int fd, const MountLine **ret) {
        struct statx st;

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
                return -errno;
        if (!(st.stx_mask & STATX_MNT_ID))
                return -EOPNOTSUPP;
        *ret = mount_lines_get(lines, st.stx_mnt_id);
        return *ret ? 0 : -ENODEV;
}
