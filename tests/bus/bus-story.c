/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What happened on a bench, and in which order: the writers' log, the test provider's, its snapshots; see
 * bus-harness.h.
 */

#include "bus-harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static void path_of(Bench *bench, const char *name, char path[static 128]) {
        assert_true(snprintf(path, 128, "%s/%s", bench->directory, name) < 128);
}

/* It is open as long as the bench is there, so that neither side ever waits for the other to open it. */
const char *bench_make_fifo(Bench *bench, const char *name, char path[static 128]) {
        size_t i = 0;

        path_of(bench, name, path);
        assert_int_equal(mkfifo(path, 0600), 0);
        while (bench->fifos[i].fd >= 0)
                assert_true(++i < ELEMENTSOF(bench->fifos));
        (void) snprintf(bench->fifos[i].name, sizeof(bench->fifos[i].name), "%s", name);
        bench->fifos[i].fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        assert_true(bench->fifos[i].fd >= 0);
        return path;
}

void bench_let_go(Bench *bench, const char *name) {
        size_t i = 0;

        while (!streq(bench->fifos[i].name, name))
                assert_true(++i < ELEMENTSOF(bench->fifos));
        assert_int_equal(write(bench->fifos[i].fd, "\n", 1), 1);
}

void bench_hold_back(Bench *bench, const char *name) {
        size_t i = 0;
        char byte;

        while (!streq(bench->fifos[i].name, name))
                assert_true(++i < ELEMENTSOF(bench->fifos));
        assert_int_equal(read(bench->fifos[i].fd, &byte, 1), 1);
}

void bench_note(Bench *bench, const char *line) {
        int fd = open(bench->writers_log, O_WRONLY | O_APPEND | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_true(dprintf(fd, "%s\n", line) > 0);
        assert_int_equal(close(fd), 0);
}

void bench_assert_story(Bench *bench, const char *name, const char *expected) {
        _cleanup_free_ char *log = bench_read(bench, "writers.log");
        char story[4096] = "", who[64], event[64], *line, *rest = log;

        while ((line = strsep(&rest, "\n")))
                if (sscanf(line, "%63s %63s", who, event) == 2 && streq(who, name)) {
                        (void) strcat(story, story[0] ? " " : "");
                        (void) strcat(story, event);
                }
        assert_string_equal(story, expected);
}

static const char *find_line(const char *log, const char *text) {
        const char *at = log;

        while (strncmp(at, text, strlen(text)) != 0) {
                at = strchr(at, '\n');
                if (!at || !*++at)
                        fail_msg("no line of the writers' log begins with \"%s\":\n%s", text, log);
        }
        return at;
}

size_t bench_log_at(Bench *bench, const char *text) {
        _cleanup_free_ char *log = bench_read(bench, "writers.log");

        return (size_t) (find_line(log, text) - log);
}

char *bench_log_line(Bench *bench, const char *name, const char *event) {
        _cleanup_free_ char *log = bench_read(bench, "writers.log"), *start = NULL;
        const char *at;

        assert_true(asprintf(&start, "%s %s ", name, event) >= 0);
        at = find_line(log, start);
        return strndup(at, strcspn(at, "\n"));
}

void bench_assert_next(Bench *bench, const char *text, const char *next) {
        _cleanup_free_ char *log = bench_read(bench, "writers.log");
        const char *at = strchr(find_line(log, text), '\n');

        assert_non_null(at);
        if (strncmp(at + 1, next, strlen(next)) != 0)
                fail_msg("no \"%s\" after \"%s\":\n%s", next, text, log);
}

void bench_join_logs(Bench *bench) {
        char path[160];

        (void) snprintf(path, sizeof(path), "%s/log", bench->provider);
        assert_int_equal(symlink(bench->writers_log, path), 0);
}

unsigned bench_count_snapshots(Bench *bench) {
        struct dirent *entry;
        char path[192];
        unsigned n = 0;
        DIR *d;

        (void) snprintf(path, sizeof(path), "%s/snapshots", bench->provider);
        d = opendir(path);
        while (d && (entry = readdir(d)))
                n += entry->d_name[0] != '.';
        if (d)
                (void) closedir(d);
        return n;
}

void client_round_trip(Client *client) {
        assert_ok(call_ask(client, QUIESCE_PATH, "org.freedesktop.DBus.Peer", "Ping", ""));
}
