/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Forked child: who has a snapshot open. Looks through /proc for processes whose mount namespace shows the
 * device, or that have it or a file on it open, and prints the first few.
 */

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/sets/tree-child.h"

#define HOLDERS_MAX 5u

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

/* Of any process, because a snapshot may be mounted in a namespace of its own only. */
static bool mountinfo_shows(const char *pid, dev_t device) {
        char path[64], needle[32];
        _cleanup_fclose_ FILE *f = NULL;
        _cleanup_free_ char *line = NULL;
        size_t size = 0;

        (void) snprintf(path, sizeof(path), "/proc/%.16s/mountinfo", pid);
        (void) snprintf(needle, sizeof(needle), " %u:%u ", major(device), minor(device));
        f = fopen(path, "re");
        while (f && getline(&line, &size, f) >= 0)
                if (strstr(line, needle))
                        return true;
        return false;
}

/* Its working directory, or its root. */
static bool is_in(const char *pid, dev_t device) {
        static const char *const links[] = {"cwd", "root"};
        char path[64];

        for (size_t i = 0; i < ELEMENTSOF(links); i++) {
                struct statx st;

                (void) snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, links[i]);
                if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) >= 0 &&
                    makedev(st.stx_dev_major, st.stx_dev_minor) == device)
                        return true;
        }
        return false;
}

static bool has_open(const char *pid, dev_t device) {
        _cleanup_(closedirp) DIR *d = NULL;
        char path[64];

        if (is_in(pid, device))
                return true;
        (void) snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
        d = opendir(path);
        if (!d)
                return false;
        for (struct dirent *e; (e = readdir(d));) {
                struct statx st;

                if (e->d_name[0] == '.' ||
                    statx(dirfd(d), e->d_name, AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                        continue;
                if (makedev(st.stx_dev_major, st.stx_dev_minor) == device ||
                    (S_ISBLK(st.stx_mode) && makedev(st.stx_rdev_major, st.stx_rdev_minor) == device))
                        return true;
        }
        return false;
}

static bool has_any(const char *pid, const dev_t *devices, size_t n_devices, bool mounted) {
        for (size_t i = 0; i < n_devices; i++)
                if (has_open(pid, devices[i]) || (mounted && mountinfo_shows(pid, devices[i])))
                        return true;
        return false;
}

static void print_process(int to, const char *pid, bool first) {
        char path[64], name[32] = "?";
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, name, sizeof(name) - 1) : 0;
        if (n > 0)
                name[n - (name[n - 1] == '\n')] = '\0';
        (void) dprintf(to, "%s%s (pid %.16s)", first ? "" : ", ", name, pid);
}

/**
 * tree_child_print_holders() - print who has a snapshot open, or its copy
 * @fd:         where
 * @volume:     of which
 * @mounted:    the snapshot, too, not the copy alone; and in whose mount namespace either is mounted: where
 * it is so on the host, that is everybody
 *
 * Return: whether anybody was found.
 */
bool tree_child_print_holders(int fd, const ProviderVolume *volume, bool mounted) {
        _cleanup_(closedirp) DIR *d = opendir("/proc");
        dev_t devices[2];
        size_t n_devices = 0;
        unsigned n = 0;

        n_devices += volume->copy_device && tree_child_mounted_device(volume, true, &devices[0]) == 0;
        n_devices += (mounted || !volume->copy_device) &&
                     tree_child_mounted_device(volume, false, &devices[n_devices]) == 0;
        if (!d)
                return false;
        for (struct dirent *e; n < HOLDERS_MAX && (e = readdir(d));)
                if (isdigit((unsigned char) e->d_name[0]) && has_any(e->d_name, devices, n_devices, mounted))
                        print_process(fd, e->d_name, n++ == 0);
        return n > 0;
}

/**
 * tree_child_holders() - print who has a snapshot open, or its copy
 * @socket_fd:  unused
 * @argument:   a TreeRequest
 *
 * Return: exit status.
 */
int tree_child_holders(int socket_fd, void *argument) {
        const TreeRequest *request = argument;

        (void) tree_child_print_holders(STDOUT_FILENO, request->volume, true);
        return 0;
}
