/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The daemon's log, silent in the dark; see log.h.
 */

#include "util/log.h"

#include <stdarg.h>

enum { LOG_HELD_MAX = 16 * 1024, LOG_LINE_MAX = 1024 };

static char log_held[LOG_HELD_MAX];
static size_t log_n_held;
static unsigned log_n_lost;
static bool log_holding;

static void log_keep(const char *line, size_t length) {
        if (length > sizeof(log_held) - log_n_held) {
                log_n_lost++;
                return;
        }
        memcpy(log_held + log_n_held, line, length);
        log_n_held += length;
}

/**
 * log_message() - log one line
 * @priority:   of syslog(3); LOG_DEBUG is dropped unless QUIESCED_DEBUG is in the environment
 * @format:     as printf(3), without a line break
 */
void log_message(int priority, const char *format, ...) {
        char line[LOG_LINE_MAX];
        size_t n, prefix;
        va_list ap;

        if (priority == LOG_DEBUG && !getenv("QUIESCED_DEBUG"))
                return;
        prefix = (size_t) snprintf(line, sizeof(line), "<%d>", priority);
        va_start(ap, format);
        (void) vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, ap);
        va_end(ap);
        /* A name in the text must not begin a line of its own. */
        for (n = prefix; line[n]; n++)
                if (line[n] == '\n')
                        line[n] = ' ';
        line[n++] = '\n';
        if (log_holding)
                log_keep(line, n);
        else
                (void) fwrite(line, 1, n, stderr);
}

/**
 * log_hold() - keep lines back from now on
 */
void log_hold(void) {
        log_holding = true;
}

/**
 * log_drop() - forget what was kept back: another process prints it
 */
void log_drop(void) {
        log_n_held = 0;
        log_n_lost = 0;
}

/**
 * log_release() - print what was kept back, and everything from now on
 */
void log_release(void) {
        log_holding = false;
        (void) fwrite(log_held, 1, log_n_held, stderr);
        log_n_held = 0;
        if (log_n_lost > 0)
                log_message(LOG_WARNING, "%u lines were logged in the dark and lost", log_n_lost);
        log_n_lost = 0;
}
