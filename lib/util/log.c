/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The daemon's log, silent in the dark; see log.h. Levels are in log-level.c.
 */

#include "util/log.h"

#include <stdarg.h>

#include "util/log-level.h"

enum { LOG_HELD_MAX = 64 * 1024, LOG_LINE_MAX = 1024 };

/* Of what is kept: the text and the entry's strings follow, each with its NUL; "": NULL. */
typedef struct Held {
        size_t size; /* with this head */
        int priority;
        bool is_entry;
} Held;

static char log_held[LOG_HELD_MAX];
static size_t log_n_held;
static unsigned log_n_lost;
static bool log_holding;
static LogSink log_sink;

#define ENTRY_STRINGS 5u

static void entry_strings(const LogEntry *entry, const char *strings[static ENTRY_STRINGS]) {
        strings[0] = entry->message_id;
        strings[1] = entry->session;
        strings[2] = entry->set;
        strings[3] = entry->writer;
        strings[4] = entry->event;
}

static void log_emit(int priority, const LogEntry *entry, const char *text) {
        char line[LOG_LINE_MAX + 8];
        int n;

        if (entry && log_sink && log_sink(priority, entry, text))
                return;
        n = snprintf(line, sizeof(line), "<%d>%s\n", priority, text);
        (void) fwrite(line, 1, (size_t) n, stderr);
}

static void log_keep(int priority, const LogEntry *entry, const char *text) {
        const char *strings[ENTRY_STRINGS] = {};
        Held held = {.size = sizeof(held) + strlen(text) + 1, .priority = priority, .is_entry = entry};
        char *at = log_held + log_n_held;

        if (entry)
                entry_strings(entry, strings);
        for (size_t i = 0; entry && i < ENTRY_STRINGS; i++)
                held.size += (strings[i] ? strlen(strings[i]) : 0) + 1;
        if (held.size > sizeof(log_held) - log_n_held) {
                log_n_lost++;
                return;
        }
        memcpy(at, &held, sizeof(held));
        at = stpcpy(at + sizeof(held), text) + 1;
        for (size_t i = 0; entry && i < ENTRY_STRINGS; i++)
                at = stpcpy(at, strings[i] ? strings[i] : "") + 1;
        log_n_held += held.size;
}

/* Return: how much of it was told. */
static size_t log_tell(const char *at) {
        const char *strings[ENTRY_STRINGS] = {}, *text;
        LogEntry entry;
        Held held;

        memcpy(&held, at, sizeof(held));
        text = at + sizeof(held);
        at = text + strlen(text) + 1;
        for (size_t i = 0; held.is_entry && i < ENTRY_STRINGS; i++) {
                strings[i] = *at ? at : NULL;
                at += strlen(at) + 1;
        }
        entry = (LogEntry){strings[0], strings[1], strings[2], strings[3], strings[4]};
        log_emit(held.priority, held.is_entry ? &entry : NULL, text);
        return held.size;
}

/**
 * log_at() - log one line, or an entry
 * @priority:   of syslog(3); dropped if it is less urgent than the module's level
 * @place:      __FILE__, by whose folder the module is known
 * @entry:      what programs may look for it by; NULL: it is a mere line
 * @format:     as printf(3), without a line break
 */
void log_at(int priority, const char *place, const LogEntry *entry, const char *format, ...) {
        char text[LOG_LINE_MAX];
        va_list ap;

        if (!log_is_wanted(place, priority))
                return;
        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        /* A name in the text must not begin a line of its own. */
        for (char *c = text; *c; c++)
                if (*c == '\n')
                        *c = ' ';
        if (log_holding)
                log_keep(priority, entry, text);
        else
                log_emit(priority, entry, text);
}

/**
 * log_set_sink() - who gets entries
 * @sink:       it; NULL: nobody, they are lines
 */
void log_set_sink(LogSink sink) {
        log_sink = sink;
}

/**
 * log_hold() - keep all back from now on
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
        size_t told = 0;

        log_holding = false;
        while (told < log_n_held)
                told += log_tell(log_held + told);
        log_n_held = 0;
        if (log_n_lost > 0)
                log_message(LOG_WARNING, "%u lines were logged in the dark and lost", log_n_lost);
        log_n_lost = 0;
}
