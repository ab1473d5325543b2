/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-document - how long a document keeps quiesced from everything else, and how much memory it takes
 *
 * OpenRestore parses in quiesced's event loop; what document.h allows is what that may cost. Here are the
 * worst documents of that size, one process each, and the CPU time that document_read() takes for them (one
 * that is full of values is refused in the end, but after it has been parsed), and for one value too many.
 */

#include "daemon/documents/document.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double cpu_seconds(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* Items until there are as many values as allowed, or as many bytes. */
static char *fill(const char *item, unsigned values_of_item, unsigned values_max) {
        size_t n = strlen(item), at = 1, values = 2;
        char *text = malloc(DOCUMENT_SIZE_MAX + 1);

        if (!text)
                abort();
        text[0] = '[';
        for (; values + values_of_item <= values_max && at + n + 2 < DOCUMENT_SIZE_MAX; at += n) {
                memcpy(text + at, item, n);
                values += values_of_item;
        }
        (void) snprintf(text + at, 4, "0]");
        return text;
}

/* Each key another one. */
static char *fill_keys(void) {
        char *text = malloc(DOCUMENT_SIZE_MAX + 1);
        size_t at = 1;

        if (!text)
                abort();
        text[0] = '{';
        for (unsigned i = 0; 2 * i + 4 < DOCUMENT_VALUES_MAX; i++)
                at += (size_t) sprintf(text + at, "\"%x\":1,", i);
        (void) snprintf(text + at, 16, "\"end\":1}");
        return text;
}

static void measure(const char *what, char *text) {
        char error[DOCUMENT_ERROR_SIZE];
        _cleanup_(document_freep) Document *document = NULL;
        struct rusage before, after;
        double begin;
        int r;

        (void) getrusage(RUSAGE_SELF, &before);
        begin = cpu_seconds();
        r = document_read(&document, text, error);
        begin = cpu_seconds() - begin;
        (void) getrusage(RUSAGE_SELF, &after);
        printf("%-28s %5.1f MiB %7.1f ms %6.1f MiB  %s\n", what, (double) strlen(text) / (1u << 20),
               1e3 * begin, (double) (after.ru_maxrss - before.ru_maxrss) / 1024, r < 0 ? error : "good");
        free(text);
}

int main(void) {
        static const struct {
                const char *what, *item;
                unsigned values, max;
        } cases[] = {
                {"numbers", "7,", 1, DOCUMENT_VALUES_MAX},
                {"empty arrays", "[],", 2, DOCUMENT_VALUES_MAX},
                {"objects", "{\"a\":1},", 3, DOCUMENT_VALUES_MAX},
                {"deep arrays", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]],", 17, DOCUMENT_VALUES_MAX},
                {"escapes, all of that size", "\"\\u00e4\\u00e4\\u00e4\",", 1, DOCUMENT_VALUES_MAX},
                {"one value too many", "7,", 1, DOCUMENT_VALUES_MAX + 2},
        };

        printf("%-28s %9s %10s %10s\n", "document", "size", "CPU time", "memory");
        for (size_t i = 0; i <= ELEMENTSOF(cases); i++) {
                pid_t pid;

                (void) fflush(stdout);
                pid = fork();
                if (pid == 0) {
                        if (i == ELEMENTSOF(cases))
                                measure("keys", fill_keys());
                        else
                                measure(cases[i].what, fill(cases[i].item, cases[i].values, cases[i].max));
                        (void) fflush(stdout);
                        _exit(0);
                }
                if (pid < 0 || waitpid(pid, NULL, 0) != pid)
                        return 1;
        }
        return 0;
}
