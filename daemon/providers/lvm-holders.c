/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who has a device open: mounts in whatever mount namespace, devices on top of it, processes.
 *
 * Runs in a forked child, because looking through all processes takes its time. No path of a process is
 * opened or looked up: links below /proc are only read, so nothing here waits for a dead server.
 */

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/providers/lvm-provider.h"

#define NAMED_MAX 4u

typedef struct Search {
        dev_t device;
        char link[64];   /* as /proc/PID/fd shows it: "/dev/dm-3" */
        char number[32]; /* as mountinfo shows it: " 253:3 " */
        unsigned n_named;
} Search;

static void name_one(Search *search, const char *format, ...) _printf_(2, 3);
static void name_one(Search *search, const char *format, ...) {
        va_list args;

        if (search->n_named++ >= NAMED_MAX)
                return;
        if (search->n_named > 1)
                (void) fputs(", ", stdout);
        va_start(args, format);
        (void) vprintf(format, args);
        va_end(args);
}

static void find_devices(Search *search) {
        char path[64];
        DIR *directory;

        (void) snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(search->device),
                        minor(search->device));
        directory = opendir(path);
        if (!directory)
                return;
        for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
                if (entry->d_name[0] != '.')
                        name_one(search, "device %.32s lies on it", entry->d_name);
        (void) closedir(directory);
}

static void process_name(const char *pid, char ret[static 32]) {
        _cleanup_fclose_ FILE *file = NULL;
        char path[64];

        (void) snprintf(ret, 32, "?");
        (void) snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
        file = fopen(path, "re");
        if (!file || !fgets(ret, 32, file))
                return;
        ret[strcspn(ret, "\n")] = '\0';
}

/* Return: whether it sees the device mounted. */
static bool process_has_mount(const Search *search, const char *pid, char ret_where[static 160]) {
        _cleanup_fclose_ FILE *file = NULL;
        _cleanup_free_ char *line = NULL;
        char path[64];
        size_t size = 0;

        (void) snprintf(path, sizeof(path), "/proc/%.16s/mountinfo", pid);
        file = fopen(path, "re");
        while (file && getline(&line, &size, file) > 0)
                /* id parent major:minor root mount-point … */
                if (strstr(line, search->number) && sscanf(line, "%*s %*s %*s %*s %159s", ret_where) == 1)
                        return true;
        return false;
}

static bool process_has_open(const Search *search, const char *pid) {
        char path[64], link[64];
        bool found = false;
        DIR *directory;

        (void) snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
        directory = opendir(path);
        if (!directory)
                return false;
        for (struct dirent *entry = readdir(directory); entry && !found; entry = readdir(directory)) {
                ssize_t n = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link) - 1);

                if (n <= 0)
                        continue;
                link[n] = '\0';
                found = streq(link, search->link);
        }
        (void) closedir(directory);
        return found;
}

static void find_processes(Search *search) {
        bool mount_named = false;
        DIR *directory;

        directory = opendir("/proc");
        if (!directory)
                return;
        for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
                char comm[32], where[160];

                if (!isdigit((unsigned char) entry->d_name[0]) || atoi(entry->d_name) == getpid())
                        continue;
                process_name(entry->d_name, comm);
                if (process_has_open(search, entry->d_name))
                        name_one(search, "open in process %.16s (%s)", entry->d_name, comm);
                else if (!mount_named && process_has_mount(search, entry->d_name, where)) {
                        name_one(search, "mounted on %s, as process %.16s (%s) sees it", where,
                                 entry->d_name, comm);
                        mount_named = true;
                }
        }
        (void) closedir(directory);
}

/**
 * lvm_holders_print() - print who has a device open, a few of them, in one line
 * @socket_fd:  unused
 * @argument:   path of the device
 *
 * Return: the exit code.
 */
int lvm_holders_print(int socket_fd, void *argument) {
        Search search = {};
        struct stat st;

        if (stat(argument, &st) < 0 || !S_ISBLK(st.st_mode))
                return 1;
        search.device = st.st_rdev;
        (void) snprintf(search.link, sizeof(search.link), "/dev/dm-%u", minor(st.st_rdev));
        (void) snprintf(search.number, sizeof(search.number), " %u:%u ", major(st.st_rdev),
                        minor(st.st_rdev));
        find_devices(&search);
        find_processes(&search);
        if (search.n_named > NAMED_MAX)
                (void) printf(" and %u more", search.n_named - NAMED_MAX);
        return 0;
}
