/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What people type and what callers name: sizes, durations, exit statuses, object paths, and texts that are
 * cut and cleaned. Never a crash; what is taken is within its limits, and is the same written again.
 */

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/format.h"
#include "daemon/bus/bus.h"
#include "util/macro.h"
#include "util/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good) {
        if (!good)
                abort();
}

static void numbers(const char *text) {
        uint64_t size, usec, again;
        char number[32], buffer[FORMAT_MAX];

        if (parse_size(text, &size) == 0) {
                (void) snprintf(number, sizeof(number), "%" PRIu64, size);
                check(parse_size(number, &again) == 0 && again == size);
                check(strlen(format_size(buffer, size)) > 0);
        }
        if (parse_duration(text, &usec) == 0) {
                check(usec <= INT64_MAX && usec % USEC_PER_SEC == 0);
                (void) snprintf(number, sizeof(number), "%" PRIu64, usec / USEC_PER_SEC);
                check(parse_duration(number, &again) == 0 && again == usec);
                check(strlen(format_duration(buffer, usec)) > 0);
                check(strlen(format_time(buffer, usec)) < FORMAT_MAX);
                check(strlen(format_local_time(buffer, usec)) < FORMAT_MAX);
        }
}

static void statuses(const char *text) {
        _cleanup_free_ int *found = NULL;
        size_t n, commas = 0;

        if (parse_statuses(text, &found, &n) < 0)
                return;
        for (const char *c = text; *c; c++)
                commas += *c == ',';
        check(n == commas + 1);
        for (size_t i = 0; i < n; i++)
                check(found[i] >= 0 && found[i] <= 255);
}

/* The bus lets no path have a dash. */
static void paths(const char *text) {
        static const char *const kinds[] = {"session", "set", "snapshot"};

        for (size_t i = 0; i < ELEMENTSOF(kinds) && !strchr(text, '-'); i++) {
                _cleanup_free_ char *path = NULL;
                char id[CONTRACT_ID_MAX];
                const char *rest;

                if (!bus_path_parse(text, kinds[i], id, &rest))
                        continue;
                path = bus_path(kinds[i], id);
                check(path && strncmp(path, text, strlen(path)) == 0 && text + strlen(path) == rest);
                check(*rest == '\0' || *rest == '/');
        }
}

static void cleaned(const char *text) {
        static const size_t rooms[] = {1, 2, 5, 64, 4096};

        for (size_t i = 0; i < ELEMENTSOF(rooms); i++) {
                _cleanup_free_ char *copy = malloc(rooms[i]); /* so that a write beyond it is seen */

                check(copy);
                (void) snprintf(copy, rooms[i], "%s", text);
                utf8_clean(copy, rooms[i]);
                check(utf8_is_valid(copy) && strlen(copy) < rooms[i]);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);

        if (!text)
                return 0;
        numbers(text);
        statuses(text);
        paths(text);
        cleaned(text);
        return 0;
}
